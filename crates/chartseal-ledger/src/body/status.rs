use chartseal_codec::{canonical_enum, canonical_struct};
use chartseal_wire::{PatientId, Time};

use super::Countersignature;

/// What a patient may do by themselves changes. By the office that enrolled them, with a second
/// office's countersignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChanged {
    /// Whose.
    pub patient: PatientId,
    /// What changes.
    pub status: Status,
    /// Over [`Body::to_countersign`](super::Body::to_countersign).
    pub countersignature: Option<Countersignature>,
}

canonical_struct!(StatusChanged {
    patient,
    status,
    countersignature
});

/// A change of status. Ages are told by the month, never by a birth date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A minor is of age from this month on.
    Majority(Time),
    /// A minor may consent from this month on.
    MinorConsent(Time),
    /// The patient can't decide for themselves.
    Incapacity,
    /// The patient decides for themselves again, or is alive after all.
    Capacity,
    /// The patient is dead.
    Death,
}

canonical_enum!(Status {
    1 => Majority(_), 2 => MinorConsent(_), 3 => Incapacity, 4 => Capacity, 5 => Death,
});

impl Status {
    /// Its word in histories.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Majority(_) => "majority",
            Self::MinorConsent(_) => "minor_consent",
            Self::Incapacity => "incapacity",
            Self::Capacity => "capacity",
            Self::Death => "death",
        }
    }

    /// From which month on it holds, if it is told by the month.
    pub const fn from(self) -> Option<Time> {
        match self {
            Self::Majority(from) | Self::MinorConsent(from) => Some(from),
            Self::Incapacity | Self::Capacity | Self::Death => None,
        }
    }
}
