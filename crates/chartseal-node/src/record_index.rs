use std::collections::{BTreeMap, BTreeSet};

use chartseal_codec::from_bytes;
use chartseal_ledger::store::LedgerStore;
use chartseal_wire::history::Event;
use chartseal_wire::{ActorId, Entry, Hash, HeaderDigest, PatientId, RecordId, Subject, TxId};

use crate::error::NodeError;
use crate::node::Node;

/// How many entries of a history are read at a time.
const ENTRIES_AT_ONCE: usize = 1_024;

/// Which versions and sealed texts belong to a record: what goes when it is erased. It is read from
/// its patient's history, which is complete whatever was pruned.
#[derive(Debug, Default)]
pub(crate) struct Belongings {
    /// Each version's number, the digest of its envelope header and who wrote it, oldest first.
    pub(crate) versions: BTreeMap<u64, (HeaderDigest, ActorId)>,
    /// The reason texts of requests for it, and of disputes about it: their transactions and commitments.
    pub(crate) reasons: Vec<(TxId, Hash)>,
}

impl Node {
    pub(crate) fn belongings(&self, record: &RecordId) -> Result<Belongings, NodeError> {
        let mut found = Belongings::default();
        let Some(patient) = self.state().record(record).map(|record| record.patient) else {
            return Ok(found);
        };
        // The record may have been filed, asked for and disputed under ids that are now one person's.
        let owner = self.state().owner(&patient);
        let mut ids: BTreeSet<PatientId> = self.state().adopted(&owner).into_iter().collect();
        ids.extend([patient, owner]);
        for id in ids {
            found.read(self, record, &Subject::Patient(id))?;
        }
        Ok(found)
    }
}

impl Belongings {
    fn read(&mut self, node: &Node, record: &RecordId, subject: &Subject) -> Result<(), NodeError> {
        let mut from = 0;
        loop {
            let entries = node.stores.ledger.history(subject, from, ENTRIES_AT_ONCE)?;
            if entries.is_empty() {
                return Ok(());
            }
            from += entries.len() as u64;
            for entry in &entries {
                let entry: Entry = from_bytes(entry).map_err(|why| NodeError::Damaged {
                    what: "an entry of a history",
                    why,
                })?;
                self.take(record, entry);
            }
        }
    }

    fn take(&mut self, record: &RecordId, entry: Entry) {
        let tx = entry.tx;
        match entry.event {
            Event::RecordAdded(added) if added.record == *record => {
                let written = (added.header, entry.actor);
                self.versions.insert(added.version, written);
            }
            // A reason speaks of the whole request, so it goes with the first of its records.
            Event::Access(access) if access.records.iter().any(|one| one.record == *record) => {
                self.reasons.push((tx, access.reason));
            }
            Event::Disputed(disputed) if disputed.record == *record => {
                self.reasons.push((tx, disputed.reason));
            }
            Event::DisputeAnswered(answer) if answer.record == *record => {
                self.reasons.push((tx, answer.reason));
            }
            _ => {}
        }
    }
}
