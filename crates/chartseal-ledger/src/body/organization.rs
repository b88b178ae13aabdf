use chartseal_codec::canonical_struct;
use chartseal_wire::{OrgId, PublicKey};

/// An organization: in genesis, in an enrolment, and in the state.
///
/// Its enrolment key belongs to an office and is never on a node; the other keys are the node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// The office's key, which enrols people.
    pub enrolment_key: PublicKey,
    /// The custodian's key: acknowledgements, receipts, attestations of destruction.
    pub custodian_key: PublicKey,
    /// The digest of the custodian's KEM public key.
    pub custodian_kem: [u8; 32],
    /// The validator's key, which cosigns checkpoints.
    pub validator: PublicKey,
}

canonical_struct!(Organization {
    id,
    enrolment_key,
    custodian_key,
    custodian_kem,
    validator
});

/// A committee member's office enrols another organization. It does not join the committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrganizationEnrolled {
    /// The new organization.
    pub organization: Organization,
}

canonical_struct!(OrganizationEnrolled { organization });
