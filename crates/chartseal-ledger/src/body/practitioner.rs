use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_struct};
use chartseal_policy::{Set, Symbol, Window};
use chartseal_wire::domain::{COUNTERSIGNATURE, tagged};
use chartseal_wire::{ActorId, ChainId, OrgId, PublicKey, Signature};

/// An organization's office enrols one of its practitioners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PractitionerEnrolled {
    /// Their id: 16 random bytes.
    pub actor: ActorId,
    /// Their signing key.
    pub key: PublicKey,
    /// The digest of their KEM public key.
    pub kem: [u8; 32],
    /// Their roles at this organization, at most [`MAX_ROLES`](Self::MAX_ROLES).
    pub roles: Set<Symbol>,
    /// When their credential is good.
    pub credential: Window,
    /// Needed for a role that may break the glass, which then takes effect after a delay.
    pub countersignature: Option<Countersignature>,
}

canonical_struct!(PractitionerEnrolled {
    actor,
    key,
    kem,
    roles,
    credential,
    countersignature
});

/// Another organization's agreement to an emergency role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countersignature {
    /// The organization.
    pub org: OrgId,
    /// Its office's signature over [`PractitionerEnrolled::to_countersign`].
    pub signature: Signature,
}

canonical_struct!(Countersignature { org, signature });

/// An organization's office takes back one of its practitioners whose key was revoked: the same id, a
/// new key, roles and credential as in a new enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PractitionerReinstated {
    /// What they are enrolled with from now on.
    pub enrolment: PractitionerEnrolled,
}

canonical_struct!(PractitionerReinstated { enrolment });

impl PractitionerEnrolled {
    /// The most roles of one practitioner.
    pub const MAX_ROLES: usize = 16;

    /// The message that a second organization's office signs: the tagged
    /// `[chain, enrolling org, actor, key, kem, roles, credential]`.
    pub fn to_countersign(&self, chain: &ChainId, org: &OrgId) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(7)
            .item(chain)
            .item(org)
            .item(&self.actor)
            .item(&self.key);
        e.item(&self.kem).item(&self.roles).item(&self.credential);
        tagged(COUNTERSIGNATURE, &e.finish())
    }
}
