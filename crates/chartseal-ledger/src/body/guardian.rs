use chartseal_codec::{canonical_enum, canonical_struct};
use chartseal_policy::{Grant, Quorum, Window};
use chartseal_wire::{ActorId, Hash, PatientId};

use super::Countersignature;

/// Somebody becomes a patient's guardian, who sees their records and may grant and restrict.
///
/// By the patient, if they are of age and decide for themselves; else by the office that enrolled
/// them, with a second office's countersignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianAppointed {
    /// Whose.
    pub patient: PatientId,
    /// Who: a practitioner or another patient.
    pub guardian: ActorId,
    /// On what ground.
    pub ground: Ground,
    /// The term; it never begins before the block's time.
    pub window: Window,
    /// Over [`Body::to_countersign`](super::Body::to_countersign); the patient needs none.
    pub countersignature: Option<Countersignature>,
}

canonical_struct!(GuardianAppointed {
    patient,
    guardian,
    ground,
    window,
    countersignature
});

/// Why somebody is a guardian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The patient chose them.
    Proxy,
    /// The patient is a minor: the term ends with majority.
    Minority,
    /// The patient is without capacity, or dead: the term ends when capacity is regained.
    Incapacity,
}

canonical_enum!(Ground { 1 => Proxy, 2 => Minority, 3 => Incapacity });

impl Ground {
    /// Its word in histories.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Minority => "minority",
            Self::Incapacity => "incapacity",
        }
    }
}

/// A guardian's terms end now. By whoever could appoint one, or the guardian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianRemoved {
    /// Whose.
    pub patient: PatientId,
    /// Who.
    pub guardian: ActorId,
    /// As in [`GuardianAppointed`]; the guardian needs none.
    pub countersignature: Option<Countersignature>,
}

canonical_struct!(GuardianRemoved {
    patient,
    guardian,
    countersignature
});

/// Which guardians grant together. By whoever could appoint a guardian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumSet {
    /// Whose.
    pub patient: PatientId,
    /// 1 to 16 members, of whom 1 to all must approve; `None`: no quorum any more.
    pub quorum: Option<Quorum>,
    /// As in [`GuardianAppointed`].
    pub countersignature: Option<Countersignature>,
}

canonical_struct!(QuorumSet {
    patient,
    quorum,
    countersignature
});

/// A grant by the patient's quorum of guardians, sent in by one of them after the approvals, which
/// name this transaction's id. Whether they suffice is judged at each decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumGranted {
    /// Whose records it speaks of.
    pub patient: PatientId,
    /// What it says.
    pub grant: Grant,
    /// The commitment to the sealed label table that goes with it.
    pub sealed: Option<Hash>,
}

canonical_struct!(QuorumGranted {
    patient,
    grant,
    sealed
});
