//! Taking sealed records in, with shares of their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chartseal_api::{Envelope, EnvelopeFront};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::{
    Acceptance, Deal, Dealing, HeldShare, ShareFault, ShareIndex, VerifyingKey, accept_all,
};
use chartseal_ledger::SignedTransaction;
use chartseal_ledger::body::DepositAcknowledged;
use chartseal_vault::{BlobId, BlobStore, ShareKey, SideKey, VaultError};
use chartseal_wire::domain::{SIDE_BODY, tagged_sha256};
use chartseal_wire::{HeaderDigest, RecordId};

use super::{author_key, author_keys, custodian_set};
use crate::error::{DepositFault, NodeError};
use crate::node::Node;

/// What a custodian took in.
#[derive(Debug)]
pub struct Deposited {
    /// What to put on the chain: one acknowledgement for each record that fits and is not
    /// acknowledged yet.
    pub acknowledgements: Vec<SignedTransaction>,
    /// The records that do not fit what is anchored, and why.
    pub refused: Vec<(RecordId, DepositFault)>,
}

/// A deposit whose bodies are not stored yet.
pub(crate) struct BegunDeposit<'a> {
    taken: Vec<(Brought<'a>, HeldShare)>,
    refused: Vec<(RecordId, DepositFault)>,
    index: ShareIndex,
}

/// A sealed record that comes with its body, or whose body is in the vault.
#[derive(Clone, Copy)]
struct Brought<'a> {
    front: &'a EnvelopeFront,
    body: Option<&'a [u8]>,
}

impl<'a> BegunDeposit<'a> {
    /// The bodies of what was taken that came with it.
    pub(crate) fn bodies(&self) -> Vec<&'a [u8]> {
        let taken = self.taken.iter();
        taken.filter_map(|(brought, _)| brought.body).collect()
    }
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
        let brought = envelopes.iter().map(|envelope| Brought {
            front: &envelope.front,
            body: Some(&envelope.body),
        });
        self.judge_deposit(&brought.collect::<Vec<_>>(), Vec::new(), deal)
    }

    /// The same of records whose bodies went before, or which another organization gave: of these so many are in the
    /// vault.
    pub(crate) fn begin_uploaded<'a>(
        &mut self,
        fronts: &'a [EnvelopeFront],
        there: &BTreeSet<BlobId>,
        deal: &Deal,
    ) -> Result<BegunDeposit<'a>, NodeError> {
        let is_there = |front: &&EnvelopeFront| there.contains(&body_of(front));
        let (with, without): (Vec<&EnvelopeFront>, Vec<_>) = fronts.iter().partition(is_there);
        let refused = without
            .iter()
            .map(|front| (front.record(), DepositFault::NoBody));
        let with = with.into_iter().map(|front| Brought { front, body: None });
        self.judge_deposit(&with.collect::<Vec<_>>(), refused.collect(), deal)
    }

    fn judge_deposit<'a>(
        &mut self,
        brought: &[Brought<'a>],
        mut refused: Vec<(RecordId, DepositFault)>,
        deal: &Deal,
    ) -> Result<BegunDeposit<'a>, NodeError> {
        self.check_running()?;
        let dealings: Vec<Dealing> = brought
            .iter()
            .map(|brought| Dealing::initial(&brought.front.header))
            .collect();
        let dealings: Vec<&Dealing> = dealings.iter().collect();
        // Whose shares they are is known from the chain, not from what came.
        let first = brought.first().map(|brought| brought.front.record());
        let index = self.index_for(&first.unwrap_or(RecordId([0; 16])))?;
        let accepted = accept_all(&self.keys.kem, index, &dealings, deal);
        let accepted = accepted.map_err(NodeError::Deal)?;
        let mut shares = by_header(accepted);

        let mut taken = Vec::new();
        for brought in brought {
            let header = brought.front.header.digest();
            // A record that the deal leaves out comes without a share.
            let share = shares.remove(&header).unwrap_or(Err(ShareFault::Foreign));
            let share = share.map_err(DepositFault::Share);
            match self.check_brought(brought).and(share) {
                Ok(share) => taken.push((*brought, share)),
                Err(why) => {
                    refused.push((brought.front.record(), why));
                }
            }
        }
        // Fronts first: they name the bodies, so that an erasure finds each.
        self.put_fronts(taken.iter().map(|(brought, _)| brought.front))?;
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
        let is_erased =
            |(brought, _): &mut (Brought<'_>, HeldShare)| self.is_erased(&brought.front.record());
        let erased: Vec<_> = taken.extract_if(.., is_erased).collect();
        for (Brought { front, .. }, _) in &erased {
            self.forget(front)?;
            refused.push((front.record(), DepositFault::Erased));
        }
        self.put_shares(taken.iter().map(|(_, held)| held))?;
        let acknowledgements = taken
            .iter()
            .filter(|(brought, _)| !self.has_acknowledged(brought.front, index))
            .map(|(Brought { front, .. }, _)| DepositAcknowledged {
                record: front.record(),
                header: HeaderDigest(front.header.digest().0),
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

    /// Whether the chain has no such record, or no more.
    pub(crate) fn is_erased(&self, record: &RecordId) -> bool {
        let record = self.state().record(record);
        record.is_none_or(|record| record.erased)
    }

    /// Throws away what came of a record that was erased meanwhile.
    fn forget(&self, front: &EnvelopeFront) -> Result<(), NodeError> {
        self.stores.blobs.delete(&[body_of(front)])?;
        let header = SideKey(front.header.digest().0);
        self.stores
            .side
            .destroy(&[header, body_key(&body_of(front))])?;
        Ok(())
    }

    /// Judges a sealed record whose body will come in parts, and writes down which body that is.
    ///
    /// # Errors
    /// [`NodeError::Deposit`] if it does not fit what is anchored.
    pub(crate) fn begin_upload(&self, front: &EnvelopeFront) -> Result<(), NodeError> {
        self.check_running()?;
        self.check_signed(front).map_err(refusal(front))?;
        self.put_fronts([front].into_iter())
    }

    /// After a body came in parts and was stored: it is thrown away again if its record was erased meanwhile.
    ///
    /// # Errors
    /// [`NodeError::Deposit`] if so.
    pub(crate) fn end_upload(&self, front: &EnvelopeFront) -> Result<(), NodeError> {
        if self.is_erased(&front.record()) {
            self.forget(front)?;
            return Err(refusal(front)(DepositFault::Erased));
        }
        Ok(())
    }

    /// Takes a sealed record's body from a stream, as [`deposit_uploaded`](Self::deposit_uploaded) wants it.
    ///
    /// # Errors
    /// [`NodeError::Deposit`] if it does not fit what is anchored, and if it can't be read or stored.
    pub fn upload(&self, front: &EnvelopeFront, body: &mut dyn Read) -> Result<(), NodeError> {
        self.begin_upload(front)?;
        self.stores.blobs.put_stream(&body_of(front), body)?;
        self.end_upload(front)
    }

    /// As [`deposit`](Self::deposit), of records whose bodies are in the vault already.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub fn deposit_uploaded(
        &mut self,
        fronts: &[EnvelopeFront],
        deal: &Deal,
    ) -> Result<Deposited, NodeError> {
        let there = bodies_there(self.stores.blobs.as_ref(), fronts)?;
        let begun = self.begin_uploaded(fronts, &there, deal)?;
        self.end_deposit(begun)
    }

    fn has_acknowledged(&self, front: &EnvelopeFront, index: ShareIndex) -> bool {
        let header = HeaderDigest(front.header.digest().0);
        let deposit = self.state().deposit(&header);
        deposit.is_some_and(|deposit| deposit.is_acknowledged_by(index.get().into()))
    }

    /// Keeps headers with their seals.
    pub(super) fn put_fronts<'a>(
        &self,
        fronts: impl Iterator<Item = &'a EnvelopeFront>,
    ) -> Result<(), NodeError> {
        let rows = fronts.flat_map(|front| {
            let header = (SideKey(front.header.digest().0), to_bytes(front));
            [
                header,
                (body_key(&body_of(front)), to_bytes(&front.record())),
            ]
        });
        self.put_side(&rows.collect::<Vec<_>>())
    }

    /// Whose record a ciphertext was taken for, if it was and the row that says so is whole.
    pub(super) fn record_of_body(&self, body: &BlobId) -> Result<Option<RecordId>, NodeError> {
        match self.stores.side.get(&body_key(body)) {
            Ok(row) => Ok(row.and_then(|row| from_bytes(row.expose()).ok())),
            Err(VaultError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps shares, each where its deal's is.
    pub(super) fn put_shares<'a>(
        &self,
        held: impl Iterator<Item = &'a HeldShare>,
    ) -> Result<(), NodeError> {
        let rows = held.map(|held| {
            let dealing = held.dealing();
            let key = ShareKey::of_deal(&dealing.header().0, dealing.epoch());
            (key, held.to_storage_bytes())
        });
        let rows: Vec<_> = rows.collect();
        let rows = rows.iter().map(|(key, bytes)| (*key, bytes.as_slice()));
        Ok(self.stores.shares.put_batch(&rows.collect::<Vec<_>>())?)
    }

    /// Compares a header and its seal with their anchor; gives the author's key.
    fn check_front(&self, front: &EnvelopeFront) -> Result<VerifyingKey, DepositFault> {
        let EnvelopeFront { header, seal } = front;
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
        let dealt_to = custodian_set(state, anchored.custodians.epoch);
        if dealt_to.is_none_or(|dealt_to| dealt_to != set) {
            return Err(differs("the custodians"));
        }
        if seal.body_digest().0 != anchored.body || seal.body_len() != anchored.length {
            return Err(differs("the body"));
        }
        // An erasure destroys the record's ciphertexts. Anybody may anchor one that is another record's.
        let taken_for = self.record_of_body(&body_of(front));
        if !taken_for.is_ok_and(|of| of.is_none_or(|of| of == front.record())) {
            return Err(differs("the body, which is another record's"));
        }
        let keys = author_keys(state, &anchored);
        let author = author_key(&keys, header);
        author.copied().ok_or_else(|| differs("the author"))
    }

    /// The same, with the author's signature.
    pub(super) fn check_signed(&self, front: &EnvelopeFront) -> Result<(), DepositFault> {
        let author = self.check_front(front)?;
        let verified = front.seal.verify_signature(&front.header, &author);
        verified.map_err(DepositFault::Seal)
    }

    /// Compares a sealed record with its anchor. A body in the vault is the one that the seal names.
    fn check_brought(&self, Brought { front, body }: &Brought<'_>) -> Result<(), DepositFault> {
        let EnvelopeFront { header, seal } = front;
        let author = self.check_front(front)?;
        if self.is_replaced(&HeaderDigest(header.digest().0), 0) {
            return Err(DepositFault::Replaced);
        }
        let verified = match body {
            Some(body) => seal.verify(header, body, &author),
            None => seal.verify_signature(header, &author),
        };
        verified.map_err(DepositFault::Seal)
    }
}

/// The body that a front names.
pub(crate) fn body_of(front: &EnvelopeFront) -> BlobId {
    BlobId(front.seal.body_digest().0)
}

/// Where the side store keeps whose record a body is.
pub(super) fn body_key(body: &BlobId) -> SideKey {
    SideKey(tagged_sha256(SIDE_BODY, &body.0))
}

/// Which of these records' bodies are in the vault.
pub(crate) fn bodies_there(
    blobs: &dyn BlobStore,
    fronts: &[EnvelopeFront],
) -> Result<BTreeSet<BlobId>, NodeError> {
    let mut there = BTreeSet::new();
    for body in fronts.iter().map(body_of) {
        if blobs.contains(&body)? {
            there.insert(body);
        }
    }
    Ok(there)
}

fn refusal(front: &EnvelopeFront) -> impl FnOnce(DepositFault) -> NodeError {
    let record = front.record();
    move |why| NodeError::Deposit { record, why }
}

/// What came of a deal, by the record's header.
pub(super) fn by_header(
    accepted: Acceptance,
) -> BTreeMap<chartseal_envelope::HeaderDigest, Result<HeldShare, ShareFault>> {
    let faults = accepted.refused.into_iter();
    let faults = faults.map(|(item, why)| (item.header, Err(why)));
    let held = accepted.held.into_iter();
    // Of one that came twice, once good, the good one counts.
    faults
        .chain(held.map(|held| (held.dealing().header(), Ok(held))))
        .collect()
}
