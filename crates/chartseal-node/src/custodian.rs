//! The custodian's work: take shares in, give them out on a final permit, destroy them.

use std::collections::BTreeMap;

use chartseal_api::{Envelope, EnvelopeFront};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::{
    Deal, Dealing, HeldShare, KemPublicKey, Release, ShareFault, ShareIndex, VerifyingKey,
    accept_all, release,
};
use chartseal_ledger::body::{DepositAcknowledged, Destroyed, Released};
use chartseal_ledger::state::RecordState;
use chartseal_ledger::{SignedTransaction, State, releasable};
use chartseal_vault::{BlobId, BlobStore, ShareKey, SideKey};
use chartseal_wire::{OrgId, PatientId, RecordId, RequestId};

use crate::conduct::Conduct;
use crate::error::{DepositFault, NodeError};
use crate::node::{Node, side_key};

/// How far the newest block may lag a custodian's clock (Δ), in ms: beyond it, a revocation could be
/// final without this node knowing.
pub const MAX_LAG_MS: u64 = 60_000;

/// What a custodian took in.
#[derive(Debug)]
pub struct Deposited {
    /// What to put on the chain: one acknowledgement for each record that fits and is not
    /// acknowledged yet.
    pub acknowledgements: Vec<SignedTransaction>,
    /// The records that do not fit what is anchored, and why.
    pub refused: Vec<(RecordId, DepositFault)>,
}

/// What a custodian gives for a request.
#[derive(Debug)]
pub struct ReleasedShares {
    /// The shares, sealed to the request's ephemeral key.
    pub release: Release,
    /// The receipt to put on the chain, unless it is there.
    pub receipt: Option<SignedTransaction>,
}

/// A deposit whose bodies are not stored yet.
pub(crate) struct BegunDeposit<'a> {
    taken: Vec<(&'a Envelope, HeldShare)>,
    refused: Vec<(RecordId, DepositFault)>,
    index: ShareIndex,
}

impl<'a> BegunDeposit<'a> {
    /// The bodies of what was taken.
    pub(crate) fn bodies(&self) -> Vec<&'a [u8]> {
        let taken = self.taken.iter();
        taken
            .map(|(envelope, _)| envelope.body.as_slice())
            .collect()
    }
}

/// A sealed record whole, with its body from the vault.
pub(crate) fn with_body(
    front: EnvelopeFront,
    blobs: &dyn BlobStore,
) -> Result<Envelope, NodeError> {
    let body = blobs.get(&BlobId(front.seal.body_digest().0))?;
    let header = chartseal_wire::HeaderDigest(front.header.digest().0);
    let body = body.ok_or(NodeError::NoShare(header))?;
    Ok(Envelope { front, body })
}

impl Node {
    /// Takes in sealed records with this custodian's shares of their keys, and acknowledges those
    /// that fit, unless the chain has that already. Everything is stored before anything is
    /// acknowledged, and one record that does not fit keeps no other one out.
    ///
    /// # Errors
    /// [`NodeError`] if the deal as a whole is refused or can't be stored. Nothing is acknowledged
    /// then.
    pub fn deposit(&mut self, envelopes: &[Envelope], deal: &Deal) -> Result<Deposited, NodeError> {
        let begun = self.begin_deposit(envelopes, deal)?;
        self.stores.blobs.put_batch(&begun.bodies())?;
        self.end_deposit(begun)
    }

    /// Judges a deposit, and writes down which bodies will come. They are stored next, for which the node is not needed.
    pub(crate) fn begin_deposit<'a>(
        &mut self,
        envelopes: &'a [Envelope],
        deal: &Deal,
    ) -> Result<BegunDeposit<'a>, NodeError> {
        self.check_running()?;
        let dealings: Vec<Dealing> = envelopes
            .iter()
            .map(|envelope| Dealing::initial(&envelope.front.header))
            .collect();
        let dealings: Vec<&Dealing> = dealings.iter().collect();
        // Whose shares they are is known from the chain, not from what came.
        let first = envelopes.first().map(|envelope| &envelope.front.header);
        let first = first.map_or(RecordId([0; 16]), |header| RecordId(header.record_id().0));
        let index = self.index_for(&first)?;
        let accepted = accept_all(&self.keys.kem, index, &dealings, deal);
        let accepted = accepted.map_err(NodeError::Deal)?;
        let mut held: BTreeMap<_, _> = accepted
            .held
            .into_iter()
            .map(|held| (held.dealing().header(), held))
            .collect();
        let faults: BTreeMap<_, _> = accepted
            .refused
            .iter()
            .map(|(item, why)| (item.header, *why))
            .collect();

        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for envelope in envelopes {
            let header = envelope.front.header.digest();
            // A record that the deal leaves out comes without a share.
            let share = held
                .remove(&header)
                .ok_or_else(|| faults.get(&header).copied().unwrap_or(ShareFault::Foreign));
            let share = share.map_err(DepositFault::Share);
            match self.check_envelope(envelope).and(share) {
                Ok(share) => taken.push((envelope, share)),
                Err(why) => {
                    refused.push((envelope.record(), why));
                }
            }
        }
        // Fronts first: they name the bodies, so that an erasure finds each.
        let fronts: Vec<(SideKey, Vec<u8>)> = taken
            .iter()
            .map(|(e, _)| (SideKey(e.front.header.digest().0), to_bytes(&e.front)))
            .collect();
        self.put_side(&fronts)?;
        Ok(BegunDeposit {
            taken,
            refused,
            index,
        })
    }

    /// Stores the shares and acknowledges. Shares last: who has one has what it opens.
    pub(crate) fn end_deposit(&mut self, begun: BegunDeposit<'_>) -> Result<Deposited, NodeError> {
        let BegunDeposit {
            mut taken,
            mut refused,
            index,
        } = begun;
        // A record may have been erased while its body was stored.
        let state = self.state();
        let is_erased = |(envelope, _): &mut (&Envelope, HeldShare)| {
            let record = state.record(&envelope.record());
            record.is_none_or(|record| record.erased)
        };
        let erased: Vec<_> = taken.extract_if(.., is_erased).collect();
        for (envelope, _) in &erased {
            let body = BlobId(envelope.front.seal.body_digest().0);
            self.stores.blobs.delete(&[body])?;
            let front = SideKey(envelope.front.header.digest().0);
            self.stores.side.destroy(&[front])?;
            refused.push((envelope.record(), DepositFault::Erased));
        }
        let shares: Vec<_> = taken
            .iter()
            .map(|(_, held)| (held.dealing().header().0, held.to_storage_bytes()))
            .collect();
        let shares: Vec<(ShareKey, &[u8])> = shares
            .iter()
            .map(|(header, bytes)| (ShareKey(*header), bytes.as_slice()))
            .collect();
        self.stores.shares.put_batch(&shares)?;
        let acknowledgements = taken
            .iter()
            .filter(|(envelope, _)| !self.has_acknowledged(envelope, index))
            .map(|(envelope, _)| DepositAcknowledged {
                record: envelope.record(),
                header: chartseal_wire::HeaderDigest(envelope.front.header.digest().0),
                index: u64::from(index.get()),
            });
        let acknowledgements: Vec<_> = acknowledgements.collect();
        Ok(Deposited {
            acknowledgements: acknowledgements
                .into_iter()
                .map(|body| self.transaction(body))
                .collect(),
            refused,
        })
    }

    fn has_acknowledged(&self, envelope: &Envelope, index: ShareIndex) -> bool {
        let header = chartseal_wire::HeaderDigest(envelope.front.header.digest().0);
        let bit = 1 << (index.get() - 1);
        let deposit = self.state().deposit(&header);
        deposit.is_some_and(|deposit| deposit.acknowledged & bit != 0)
    }

    /// Releases this custodian's shares for a request, on nobody's word but its own newest state:
    /// the permit is final, in its window, and would still be given now.
    ///
    /// # Errors
    /// [`NodeError`]; nothing is released then.
    pub fn release(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<ReleasedShares, NodeError> {
        self.check_running()?;
        let may = releasable(&self.head, request, self.clock.now(), MAX_LAG_MS).map_err(|why| {
            NodeError::NotReleasable {
                request: *request,
                why,
            }
        })?;
        let asked = self.state().request(request);
        if asked
            .as_ref()
            .is_none_or(|asked| asked.reader != reader.key_id().0)
        {
            return Err(NodeError::WrongReader(*request));
        }
        let mut held = Vec::with_capacity(may.len());
        for item in &may {
            let share = self.stores.shares.get(&ShareKey(item.header.0))?;
            let share = share.ok_or(NodeError::NoShare(item.header))?;
            let share = HeldShare::from_storage_bytes(share.expose()).map_err(|why| {
                NodeError::Damaged {
                    what: "a share",
                    why,
                }
            })?;
            held.push(if self.conduct == Conduct::LiesAboutShares {
                share.lying()
            } else {
                share
            });
        }
        let held: Vec<&HeldShare> = held.iter().collect();
        let release = release(&held, chartseal_envelope::RequestId(request.0), reader)?;

        // What is receipted already is not receipted again, whatever else is released now.
        let bit = 1 << (release.index().get() - 1);
        let is_receipted = |record: &RecordId| {
            let permit = asked.as_ref().and_then(|asked| asked.permit(record));
            permit.is_some_and(|permit| permit.released & bit != 0)
        };
        let records: Vec<RecordId> = may
            .iter()
            .map(|item| item.record)
            .filter(|record| !is_receipted(record))
            .collect();
        let receipt = (!records.is_empty()).then(|| {
            self.transaction(Released {
                request: *request,
                records,
            })
        });
        Ok(ReleasedShares { release, receipt })
    }

    /// The sealed record of a request that was permitted, for its reader.
    ///
    /// # Errors
    /// [`NodeError`] if the request gives no right to it, or it is damaged or gone.
    pub fn envelope(&self, request: &RequestId, record: &RecordId) -> Result<Envelope, NodeError> {
        let front = self.front_for(request, record)?;
        with_body(front, self.stores.blobs.as_ref())
    }

    /// The header and seal of a sealed record of a request that was permitted; they name its body.
    pub(crate) fn front_for(
        &self,
        request: &RequestId,
        record: &RecordId,
    ) -> Result<EnvelopeFront, NodeError> {
        self.check_running()?;
        let may = releasable(&self.head, request, self.clock.now(), MAX_LAG_MS).map_err(|why| {
            NodeError::NotReleasable {
                request: *request,
                why,
            }
        })?;
        let item = may.iter().find(|item| item.record == *record);
        let item = item.ok_or(NodeError::NoShare(chartseal_wire::HeaderDigest([0; 32])))?;
        let gone = NodeError::NoShare(item.header);
        let front = self.stores.side.get(&SideKey(item.header.0))?.ok_or(gone)?;
        read_front(front.expose())
    }

    /// Destroys everything of an erased record: shares, ciphertext, headers, reason texts with their
    /// salts, of all its versions. Gives the attestation to put on the chain.
    ///
    /// # Errors
    /// [`NodeError`] unless the chain says that the patient erased it.
    pub fn destroy(&mut self, record: &RecordId) -> Result<SignedTransaction, NodeError> {
        let begun = self.begin_destruction(record)?;
        self.stores.blobs.delete(&begun.bodies)?;
        self.end_destruction(record, &begun)
    }

    /// Destroys an erased record's shares. Its bodies are deleted next, for which the node is not needed.
    pub(crate) fn begin_destruction(&mut self, record: &RecordId) -> Result<Held, NodeError> {
        self.check_running()?;
        if !self
            .state()
            .record(record)
            .is_some_and(|record| record.erased)
        {
            return Err(NodeError::NotErased(*record));
        }
        let held = self.held_of(record)?;
        self.stores.shares.destroy(&held.shares)?;
        Ok(held)
    }

    /// Destroys the rest, and attests. Fronts last: they name the bodies, should this be cut short.
    pub(crate) fn end_destruction(
        &mut self,
        record: &RecordId,
        held: &Held,
    ) -> Result<SignedTransaction, NodeError> {
        self.stores.side.destroy(&held.side)?;
        Ok(self.transaction(Destroyed { record: *record }))
    }

    /// Whether anything of a record is left here that an erasure destroys.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub fn holds_anything_of(&self, record: &RecordId) -> Result<bool, NodeError> {
        let held = self.held_of(record)?;
        if self.holds_rows(&held)? {
            return Ok(true);
        }
        for body in &held.bodies {
            if self.stores.blobs.contains(body)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same of what is in the node's own databases, so that the vault is not waited for.
    pub(crate) fn holds_rows_of(&self, record: &RecordId) -> Result<bool, NodeError> {
        self.holds_rows(&self.held_of(record)?)
    }

    fn holds_rows(&self, held: &Held) -> Result<bool, NodeError> {
        for share in &held.shares {
            if self.stores.shares.get(share)?.is_some() {
                return Ok(true);
            }
        }
        for row in &held.side {
            if self.stores.side.get(row)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where everything of a record would be. The newest body is known from the state, earlier ones
    /// from their fronts.
    fn held_of(&self, record: &RecordId) -> Result<Held, NodeError> {
        let belongings = self.belongings(record)?;
        let newest = self.state().record(record).map(|record| record.body);
        let mut bodies: Vec<BlobId> = newest.into_iter().map(BlobId).collect();
        let fronts = belongings.versions.values().map(|header| SideKey(header.0));
        for front in fronts.clone() {
            if let Some(front) = self.stores.side.get(&front)? {
                bodies.push(BlobId(read_front(front.expose())?.seal.body_digest().0));
            }
        }
        let mut side: Vec<SideKey> = fronts.clone().collect();
        for (tx, commitment) in &belongings.reasons {
            side.push(side_key(tx, commitment));
            if self.older_text(commitment)?.is_some() {
                side.push(SideKey(commitment.0));
            }
        }
        Ok(Held {
            shares: belongings
                .versions
                .values()
                .map(|header| ShareKey(header.0))
                .collect(),
            side,
            bodies,
        })
    }

    /// Compares an envelope with its anchor.
    fn check_envelope(&self, envelope: &Envelope) -> Result<(), DepositFault> {
        let header = &envelope.front.header;
        let state = self.state();
        let anchored = state.record(&RecordId(header.record_id().0));
        let anchored = anchored.ok_or(DepositFault::NotAnchored)?;
        if anchored.erased {
            return Err(DepositFault::Erased);
        }
        if anchored.header.0 != header.digest().0 {
            return Err(DepositFault::NotAnchored);
        }
        let differs = DepositFault::Differs;
        if header.subject().0 != anchored.patient.0 {
            return Err(differs("the patient"));
        }
        if header.version().number() != anchored.version {
            return Err(differs("the version"));
        }
        let set = header.custodians();
        let numbers = (
            set.epoch,
            u64::from(set.threshold.needed()),
            u64::from(set.threshold.total()),
        );
        let expected = (
            anchored.custodians.epoch,
            anchored.custodians.t,
            anchored.custodians.n,
        );
        let dealt_to = state
            .committee_of(set.epoch)
            .map(|committee| committee.hash().0);
        if numbers != expected || Some(set.id.0) != dealt_to {
            return Err(differs("the custodians"));
        }
        let seal = &envelope.front.seal;
        if seal.body_digest().0 != anchored.body || seal.body_len() != anchored.length {
            return Err(differs("the body"));
        }
        let author = author_key(state, &anchored).ok_or_else(|| differs("the author"))?;
        seal.verify(header, &envelope.body, &author)
            .map_err(DepositFault::Seal)
    }
}

/// The signing key of a record's author.
pub fn author_key(state: State<'_>, record: &RecordState) -> Option<VerifyingKey> {
    let practitioner = state.actor(&record.author).map(|actor| actor.key);
    let patient = || state.patient(&PatientId(record.author.0)).map(|it| it.key);
    VerifyingKey::from_bytes(&practitioner.or_else(patient)?.0).ok()
}

/// An organization's index, from 1, among the custodians to whom an epoch's records are dealt.
pub fn share_index(state: State<'_>, org: &OrgId, epoch: u64) -> Option<ShareIndex> {
    let index = state.committee_of(epoch)?.index_of(org)?;
    ShareIndex::new(u8::try_from(index).ok()?).ok()
}

/// What an erasure of a record destroys.
pub(crate) struct Held {
    shares: Vec<ShareKey>,
    pub(crate) bodies: Vec<BlobId>,
    side: Vec<SideKey>,
}

pub(crate) fn read_front(bytes: &[u8]) -> Result<EnvelopeFront, NodeError> {
    from_bytes(bytes).map_err(|why| NodeError::Damaged {
        what: "an envelope",
        why,
    })
}
