use chartseal_codec::canonical_struct;
use chartseal_wire::{HeaderDigest, RecordId, RequestId};

/// The content key of a record's newest version is sealed to the patient's registered KEM key, so
/// that they open it without custodians. By somebody who has the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotAdded {
    /// The record.
    pub record: RecordId,
    /// Its newest version's envelope header.
    pub header: HeaderDigest,
    /// The digest of the patient's registered KEM public key.
    pub kem: [u8; 32],
    /// The digest of the sealed slot: the vault serves no other one.
    pub slot: [u8; 32],
    /// The permitted read by which the sealer has the key; `None`: the patient, or the author.
    pub request: Option<RequestId>,
}

canonical_struct!(SlotAdded {
    record,
    header,
    kem,
    slot,
    request
});

/// The patient has a slot removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRemoved {
    /// The record.
    pub record: RecordId,
    /// The version's envelope header.
    pub header: HeaderDigest,
}

canonical_struct!(SlotRemoved { record, header });
