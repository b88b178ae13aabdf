use chartseal_codec::canonical_struct;
use chartseal_wire::RecordId;
use chartseal_wire::history::Token;

use super::Countersignature;

/// A record must be kept by law: it is not erased while the hold stands. By the office of the
/// organization that wrote it, with a second office's countersignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldPlaced {
    /// The record.
    pub record: RecordId,
    /// The legal ground, as a code.
    pub reason_code: Token,
    /// Over [`Body::to_countersign`](super::Body::to_countersign).
    pub countersignature: Option<Countersignature>,
}

canonical_struct!(HoldPlaced {
    record,
    reason_code,
    countersignature
});

/// The organization's hold on a record ends. By the office that placed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLifted {
    /// The record.
    pub record: RecordId,
}

canonical_struct!(HoldLifted { record });
