use chartseal_codec::canonical_struct;
use chartseal_wire::{OrgId, TxId};

/// A dispute of a record that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeState {
    /// The dispute.
    pub tx: TxId,
    /// The version that is disputed.
    pub version: u64,
}

canonical_struct!(DisputeState { tx, version });

/// A legal hold on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldState {
    /// Who placed it, and lifts it.
    pub org: OrgId,
    /// The transaction that placed it.
    pub tx: TxId,
}

canonical_struct!(HoldState { org, tx });
