use std::collections::BTreeMap;

use chartseal_ledger::{Block, Body};
use chartseal_wire::{Hash, HeaderDigest, RecordId};

/// Which versions and sealed texts belong to a record: what goes when it is erased. It is derived
/// from the blocks, so it can't disagree with them.
#[derive(Debug, Default)]
pub(crate) struct RecordIndex {
    records: BTreeMap<RecordId, Belongings>,
}

#[derive(Debug, Default)]
struct Belongings {
    versions: Vec<Version>,
    reasons: Vec<Hash>,
}

/// One anchored version of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The digest of its header.
    pub header: HeaderDigest,
    /// The BLAKE3 digest of its body, under which the vault has it.
    pub body: [u8; 32],
}

impl RecordIndex {
    /// Takes in a final block.
    pub(crate) fn add(&mut self, block: &Block) {
        for transaction in &block.transactions {
            match transaction.parse().map(|transaction| transaction.body) {
                Ok(Body::RecordAdded(added)) => {
                    let version = Version {
                        header: added.header,
                        body: added.body,
                    };
                    self.records
                        .entry(added.record)
                        .or_default()
                        .versions
                        .push(version);
                }
                // A reason speaks of the whole request, so it goes with the first of its records.
                Ok(Body::AccessRequested(asked)) => {
                    for record in asked.records {
                        self.add_reason(record, asked.reason);
                    }
                }
                Ok(Body::Disputed(disputed)) => self.add_reason(disputed.record, disputed.reason),
                Ok(Body::DisputeAnswered(answer)) => self.add_reason(answer.record, answer.reason),
                _ => {}
            }
        }
    }

    fn add_reason(&mut self, record: RecordId, reason: Hash) {
        let belongings = self.records.entry(record).or_default();
        belongings.reasons.push(reason);
    }

    pub(crate) fn versions(&self, record: &RecordId) -> &[Version] {
        self.records
            .get(record)
            .map_or(&[], |belongings| &belongings.versions)
    }

    /// The commitments of the reason texts of requests for the record.
    pub(crate) fn reasons(&self, record: &RecordId) -> &[Hash] {
        self.records
            .get(record)
            .map_or(&[], |belongings| &belongings.reasons)
    }
}
