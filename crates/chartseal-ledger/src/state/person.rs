use chartseal_codec::canonical_struct;
use chartseal_policy::{Set, Symbol, Window};
use chartseal_wire::{OrgId, PublicKey, Time};

/// A practitioner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorState {
    /// Their organization.
    pub org: OrgId,
    /// Their signing key.
    pub key: PublicKey,
    /// The digest of their KEM public key.
    pub kem: [u8; 32],
    /// Their roles, an emergency role that does not count yet included.
    pub roles: Set<Symbol>,
    /// When their credential is good.
    pub credential: Window,
    /// From when on their emergency roles count; `None`: they never do.
    pub emergency_from: Option<Time>,
    /// Suspended from then on.
    pub suspended_from: Option<Time>,
}

canonical_struct!(ActorState {
    org,
    key,
    kem,
    roles,
    credential,
    emergency_from,
    suspended_from,
});

impl ActorState {
    /// Whether they are in good standing: inside the credential's window and not suspended.
    pub fn in_standing(&self, now: Time) -> bool {
        let suspended = self.suspended_from.is_some_and(|from| from <= now);
        self.credential.contains(chartseal_policy::Time(now.0)) && !suspended
    }

    /// The roles that count at `now`; `emergency` are those that may break the glass.
    pub fn roles_at(&self, now: Time, emergency: &Set<Symbol>) -> Set<Symbol> {
        let may = self.emergency_from.is_some_and(|from| from <= now);
        let counting = self
            .roles
            .iter()
            .filter(|role| may || !emergency.contains(role));
        Set::new(counting.cloned()).unwrap_or_default()
    }
}

/// A patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientState {
    /// Their signing key.
    pub key: PublicKey,
    /// The digest of their KEM public key.
    pub kem: [u8; 32],
    /// The salt of outcome commitments.
    pub history_salt: [u8; 32],
    /// Whether they never signed their enrolment.
    pub provisional: bool,
    /// The organization that enrolled them.
    pub enrolled_by: OrgId,
    /// Of age from then on.
    pub adult_from: Time,
    /// From then on a minor may consent.
    pub minor_consent_from: Option<Time>,
}

canonical_struct!(PatientState {
    key,
    kem,
    history_salt,
    provisional,
    enrolled_by,
    adult_from,
    minor_consent_from,
});
