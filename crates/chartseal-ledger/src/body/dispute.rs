use chartseal_codec::canonical_struct;
use chartseal_wire::{Hash, RecordId};

/// The patient says that a record's newest version is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disputed {
    /// The record.
    pub record: RecordId,
    /// The commitment to the sealed text of what is wrong.
    pub reason: Hash,
}

canonical_struct!(Disputed { record, reason });

/// The author or a practitioner of their organization answers a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeAnswered {
    /// The record.
    pub record: RecordId,
    /// The later version that rectifies it; `None`: the record stands, for the reason given.
    pub rectified: Option<u64>,
    /// The commitment to the sealed text of the answer.
    pub reason: Hash,
}

canonical_struct!(DisputeAnswered {
    record,
    rectified,
    reason
});
