use chartseal_codec::canonical_struct;
use chartseal_wire::RecordId;

/// The patient has a record erased, in all its versions and for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The record.
    pub record: RecordId,
}

canonical_struct!(Erased { record });

/// A custodian attests that it destroyed its shares of an erased record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// The record.
    pub record: RecordId,
}

canonical_struct!(Destroyed { record });
