//! What happens to records' keys, and what stands against it: slots, re-deals, disputes, holds.

use chartseal_codec::canonical_struct;
use chartseal_merkle::Hash;

use super::Token;
use crate::id::{HeaderDigest, RecordId, RequestId, TxId};

/// The content key of a record's version was sealed to the patient's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotAdded {
    /// The record.
    pub record: RecordId,
    /// The version.
    pub header: HeaderDigest,
    /// The digest of the patient's KEM public key.
    pub kem: [u8; 32],
    /// The permitted read by which the sealer has the key; `None`: the patient, or the author.
    pub request: Option<RequestId>,
}
canonical_struct!(SlotAdded {
    record,
    header,
    kem,
    request
});

/// The patient had a slot removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRemoved {
    /// The record.
    pub record: RecordId,
    /// The version.
    pub header: HeaderDigest,
}
canonical_struct!(SlotRemoved { record, header });

/// The key of a record's version was dealt anew, to a set of custodians of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redealt {
    /// The record.
    pub record: RecordId,
    /// The version.
    pub header: HeaderDigest,
    /// The deal's number; the one that the header names has 0.
    pub deal: u64,
    /// The permitted read by which the dealer has the key; `None`: the patient.
    pub request: Option<RequestId>,
}
canonical_struct!(Redealt {
    record,
    header,
    deal,
    request
});

/// The patient says that a record is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    /// The record.
    pub record: RecordId,
    /// The version that is disputed.
    pub version: u64,
    /// The commitment to the sealed text of what is wrong.
    pub reason: Hash,
}
canonical_struct!(Disputed {
    record,
    version,
    reason
});

/// The author's side answered a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeAnswered {
    /// The record.
    pub record: RecordId,
    /// The dispute's transaction.
    pub dispute: TxId,
    /// The version that rectifies it; `None`: the record stands, for the reason given.
    pub rectified: Option<u64>,
    /// The commitment to the sealed text of the answer.
    pub reason: Hash,
}
canonical_struct!(DisputeAnswered {
    record,
    dispute,
    rectified,
    reason
});

/// An organization placed a legal hold: the record is not erased while it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldPlaced {
    /// The record.
    pub record: RecordId,
    /// The legal ground, as a code.
    pub reason_code: Token,
}
canonical_struct!(HoldPlaced {
    record,
    reason_code
});

/// The organization lifted its legal hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldLifted {
    /// The record.
    pub record: RecordId,
    /// The transaction that placed it.
    pub hold: TxId,
}
canonical_struct!(HoldLifted { record, hold });

/// The patient says that a record tells what another one tells already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateOf {
    /// The repetition.
    pub record: RecordId,
    /// What it repeats.
    pub of: RecordId,
}
canonical_struct!(DuplicateOf { record, of });
