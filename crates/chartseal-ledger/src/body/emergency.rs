use chartseal_codec::canonical_struct;
use chartseal_wire::history::Token;
use chartseal_wire::{Hash, PatientId, RequestId};

/// A practitioner declares an emergency for a patient. It counts from the block's time on, for as long
/// as the network allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyDeclared {
    /// Whose records are needed.
    pub patient: PatientId,
    /// Why, as a code.
    pub reason_code: Token,
    /// The commitment to the sealed reason text.
    pub reason: Hash,
    /// Whether that text is more than blanks, on the declarer's honour.
    pub has_reason: bool,
}

canonical_struct!(EmergencyDeclared {
    patient,
    reason_code,
    reason,
    has_reason
});

/// A colleague with the role `privacy` has reviewed an emergency access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyReviewed {
    /// The request that was permitted by the emergency.
    pub request: RequestId,
    /// Whether it was justified.
    pub justified: bool,
}

canonical_struct!(EmergencyReviewed { request, justified });
