use alloc::borrow::Cow;
use alloc::vec::Vec;

use chartseal_codec::canonical_struct;

use crate::{Confidentiality, Directive, Grantee, Millis, Purpose, Set, Symbol, Time, Window};

/// What `decide` reads: the state of the world just before the request.
///
/// A ledger answers from its authenticated map, lazily; [`MemoryWorld`](crate::MemoryWorld) from
/// memory. Answers must be the same for the same state; their order does not matter.
pub trait World {
    /// An actor; `None` if nobody is known by that id.
    fn actor(&self, id: &Symbol) -> Option<Cow<'_, Actor>>;

    /// A patient; without one nothing of theirs is visible.
    fn patient(&self, id: &Symbol) -> Option<Cow<'_, Patient>>;

    /// A record.
    fn record(&self, id: &Symbol) -> Option<Cow<'_, Record>>;

    /// Network law and the emergency policy.
    fn network(&self) -> &Network;

    /// Whether a permit must name this tag to cover a record that bears it.
    fn is_gated(&self, tag: &Symbol) -> bool;

    /// How many reviews of emergencies an organization is late with.
    fn overdue_reviews(&self, org: &Symbol) -> u32;

    /// The directives about a patient's records, of every kind, in any order. Their ids must be
    /// unique: who stores directives refuses a second one of the same id.
    fn directives(&self, patient: &Symbol) -> Cow<'_, [Directive]>;

    /// Whether this tag says that a record is filed but not yet sorted. It is then gated too.
    fn is_inbox(&self, tag: &Symbol) -> bool {
        tag.as_bytes() == b"INBOX"
    }

    /// Whether this tag marks substance use records, whose disclosure carries a notice
    /// (42 CFR Part 2).
    fn is_part2(&self, tag: &Symbol) -> bool {
        tag.as_bytes() == b"SUD"
    }
}

/// Somebody who may ask: a practitioner, a relative, the patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The organization.
    pub org: Option<Symbol>,
    /// The roles there.
    pub roles: Set<Symbol>,
    /// When the credential is good; `None`: always; empty: never.
    pub credential: Option<Set<Window>>,
    /// Suspended from then on.
    pub suspended_from: Option<Time>,
}

canonical_struct!(Actor {
    org,
    roles,
    credential,
    suspended_from
});

impl Actor {
    /// Whether the actor is in good standing: inside a credential window and not suspended.
    pub fn in_standing(&self, time: Time) -> bool {
        let suspended = self.suspended_from.is_some_and(|from| from <= time);
        let inside = |windows: &Set<Window>| windows.iter().any(|window| window.contains(time));
        !suspended && self.credential.as_ref().is_none_or(inside)
    }
}

/// What consent needs to know of a patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Patient {
    /// Of age from then on.
    pub adult_from: Time,
    /// From then on a minor may consent for sensitive categories; `None`: not before majority.
    pub minor_consent_from: Option<Time>,
    /// Tags of records that are the minor's own matter from then on.
    pub minor_private_tags: Set<Symbol>,
    /// Guardians and when each is one.
    pub guardians: Set<Guardian>,
    /// Guardians who grant together.
    pub quorum: Option<Quorum>,
}

canonical_struct!(Patient {
    adult_from,
    minor_consent_from,
    minor_private_tags,
    guardians,
    quorum
});

impl Patient {
    /// Whether the patient is of age.
    pub fn is_adult(&self, time: Time) -> bool {
        self.adult_from <= time
    }

    /// Whether the age of minor consent is reached.
    pub fn may_consent(&self, time: Time) -> bool {
        self.minor_consent_from.is_some_and(|from| from <= time)
    }

    /// Whether this actor is a guardian then.
    pub fn has_guardian(&self, actor: &Symbol, time: Time) -> bool {
        self.guardians
            .iter()
            .any(|one| one.actor == *actor && one.window.contains(time))
    }
}

/// A guardian's term.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guardian {
    /// Who.
    pub actor: Symbol,
    /// When.
    pub window: Window,
}

canonical_struct!(Guardian { actor, window });

/// Guardians who grant together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    /// How many distinct approvals a grant needs; 0 counts as 1.
    pub k: u32,
    /// Whose approvals count.
    pub members: Set<Symbol>,
    /// How old an approval may be when the grant is issued; `None`: any age.
    pub ttl: Option<Millis>,
}

canonical_struct!(Quorum { k, members, ttl });

/// What the engine knows of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Whose it is.
    pub patient: Symbol,
    /// Its class, such as `Observation` or a blinded label.
    pub class: Symbol,
    /// How confidential it is.
    pub conf: Confidentiality,
    /// Its tags, such as `PSY` or blinded labels.
    pub tags: Set<Symbol>,
    /// Who wrote it.
    pub author: Option<Symbol>,
    /// During which encounter.
    pub encounter: Option<Symbol>,
    /// When.
    pub authored: Time,
    /// Not shown to the patient before.
    pub release_at: Option<Time>,
}

canonical_struct!(Record {
    patient,
    class,
    conf,
    tags,
    author,
    encounter,
    authored,
    release_at,
});

/// The rules of the whole network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Network {
    /// Denies that no grant lifts; the first that matches is named.
    pub law: Vec<LawRule>,
    /// How glass is broken; `None`: never.
    pub emergency: Option<EmergencyPolicy>,
}

canonical_struct!(Network { law, emergency });

/// A deny of network law.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LawRule {
    /// Its id, named in decisions.
    pub id: Symbol,
    /// Records with one of these tags; `None`: every record.
    pub tags: Option<Set<Symbol>>,
    /// For one of these purposes, compared literally; `None`: every purpose.
    pub purposes: Option<Set<Purpose>>,
    /// But not for these.
    pub unless: Set<Grantee>,
}

canonical_struct!(LawRule {
    id,
    tags,
    purposes,
    unless
});

/// How glass is broken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmergencyPolicy {
    /// How long a declaration lasts.
    pub ttl: Millis,
    /// Who may: actors in one of these roles.
    pub roles: Set<Symbol>,
    /// With so many reviews overdue, an organization opens nothing above `N`.
    pub max_overdue: u32,
    /// Whether a restriction may be absolute ([`Override::Never`](crate::Override::Never)).
    pub allow_absolute: bool,
}

canonical_struct!(EmergencyPolicy {
    ttl,
    roles,
    max_overdue,
    allow_absolute
});
