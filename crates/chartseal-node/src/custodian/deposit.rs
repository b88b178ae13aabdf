//! Taking sealed records in, with shares of their keys.

use std::collections::BTreeMap;

use chartseal_api::{Envelope, EnvelopeFront};
use chartseal_codec::to_bytes;
use chartseal_envelope::{
    Acceptance, Deal, Dealing, HeldShare, ShareFault, ShareIndex, VerifyingKey, accept_all,
};
use chartseal_ledger::SignedTransaction;
use chartseal_ledger::body::DepositAcknowledged;
use chartseal_vault::{BlobId, ShareKey, SideKey};
use chartseal_wire::{HeaderDigest, RecordId};

use super::{author_key, custodian_set};
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
        let mut shares = by_header(accepted);

        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for envelope in envelopes {
            let header = envelope.front.header.digest();
            // A record that the deal leaves out comes without a share.
            let share = shares.remove(&header).unwrap_or(Err(ShareFault::Foreign));
            let share = share.map_err(DepositFault::Share);
            match self.check_envelope(envelope).and(share) {
                Ok(share) => taken.push((envelope, share)),
                Err(why) => {
                    refused.push((envelope.record(), why));
                }
            }
        }
        // Fronts first: they name the bodies, so that an erasure finds each.
        self.put_fronts(taken.iter().map(|(envelope, _)| &envelope.front))?;
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
        self.put_shares(taken.iter().map(|(_, held)| held))?;
        let acknowledgements = taken
            .iter()
            .filter(|(envelope, _)| !self.has_acknowledged(envelope, index))
            .map(|(envelope, _)| DepositAcknowledged {
                record: envelope.record(),
                header: HeaderDigest(envelope.front.header.digest().0),
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
        let header = HeaderDigest(envelope.front.header.digest().0);
        let bit = 1 << (index.get() - 1);
        let deposit = self.state().deposit(&header);
        deposit.is_some_and(|deposit| deposit.acknowledged & bit != 0)
    }

    /// Keeps headers with their seals.
    pub(super) fn put_fronts<'a>(
        &self,
        fronts: impl Iterator<Item = &'a EnvelopeFront>,
    ) -> Result<(), NodeError> {
        let rows = fronts.map(|front| (SideKey(front.header.digest().0), to_bytes(front)));
        self.put_side(&rows.collect::<Vec<_>>())
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
    pub(super) fn check_front(&self, front: &EnvelopeFront) -> Result<VerifyingKey, DepositFault> {
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
        author_key(state, &anchored).ok_or_else(|| differs("the author"))
    }

    /// Compares an envelope with its anchor.
    fn check_envelope(&self, envelope: &Envelope) -> Result<(), DepositFault> {
        let EnvelopeFront { header, seal } = &envelope.front;
        let author = self.check_front(&envelope.front)?;
        if self.is_replaced(&HeaderDigest(header.digest().0), 0) {
            return Err(DepositFault::Replaced);
        }
        seal.verify(header, &envelope.body, &author)
            .map_err(DepositFault::Seal)
    }
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
