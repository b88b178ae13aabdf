use alloc::vec::Vec;

use chartseal_codec::canonical_struct;
use chartseal_wire::history::Token;
use chartseal_wire::{Hash, PatientId, RecordId, RequestId};

/// Somebody asks for records. Whatever the decision is, it enters the histories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequested {
    /// Whose records they are said to be.
    pub patient: PatientId,
    /// 1 to 512 distinct records.
    pub records: Vec<RecordId>,
    /// The action; another than the policy's five is decided as `malformed`.
    pub action: Token,
    /// The HL7 purpose of use; one that the policy does not have is decided as `malformed`.
    pub purpose: Token,
    /// Why, as a code.
    pub reason_code: Token,
    /// The commitment to the sealed reason text.
    pub reason: Hash,
    /// The digest of the ephemeral KEM public key to which custodians release.
    pub reader: [u8; 32],
}

canonical_struct!(AccessRequested {
    patient,
    records,
    action,
    purpose,
    reason_code,
    reason,
    reader
});

/// A custodian's receipt: it released its shares of these records for that request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The request.
    pub request: RequestId,
    /// 1 to 512 distinct records.
    pub records: Vec<RecordId>,
}

canonical_struct!(Released { request, records });
