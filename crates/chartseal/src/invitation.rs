use chartseal_codec::canonical_struct;
use chartseal_wire::{DirectiveId, PatientId, RecordId};

use crate::labels::LabelTable;

/// The most records that one invitation lists.
pub const MAX_INVITED_RECORDS: usize = 2_048;

/// What a patient tells a grantee: sealed to them, and committed to by the grant.
///
/// Without it a permit is of little use: the chain lists no records by name, and practitioners are
/// served none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Whose records.
    pub patient: PatientId,
    /// The labels that the grant covers.
    pub labels: LabelTable,
    /// The records that it covers today, at most [`MAX_INVITED_RECORDS`], newest first.
    pub records: Vec<RecordId>,
}

canonical_struct!(Invitation {
    patient,
    labels,
    records
});

/// A grant that was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantReceipt {
    /// The grant.
    pub grant: DirectiveId,
    /// The commitment to its sealed invitation, which lies in the side store.
    pub invitation: chartseal_wire::Hash,
}
