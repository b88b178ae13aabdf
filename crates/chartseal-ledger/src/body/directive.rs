use chartseal_codec::canonical_struct;
use chartseal_policy::Terms;
use chartseal_wire::{Hash, PatientId};

/// Somebody states who may or may not see a patient's records, or ends an earlier statement.
///
/// The directive's id is the transaction's. Whether its issuer may say so is judged at each decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveIssued {
    /// Whose records it speaks of.
    pub patient: PatientId,
    /// What it says; no emergency, which is declared on its own.
    ///
    /// No scope names classes: a record's class is one of its labels, so a directive names it among
    /// the tags.
    pub terms: Terms,
    /// The commitment to the sealed label table that goes with it.
    pub sealed: Option<Hash>,
}

canonical_struct!(DirectiveIssued {
    patient,
    terms,
    sealed
});
