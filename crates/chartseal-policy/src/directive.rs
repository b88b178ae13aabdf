use chartseal_codec::{canonical_enum, canonical_struct};

use crate::{
    EmergencyPolicy, Exceptions, Grantee, Override, Position, Purpose, Scope, Set, Symbol, Time,
    Window,
};

/// A statement about a patient's records, and where it stands in the order of all.
///
/// On a chain the ledger supplies everything but the [`Terms`], which the issuer signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Directive {
    /// Its id, unique for the patient.
    pub id: Symbol,
    /// Its position; it counts for requests that come strictly later.
    pub position: Position,
    /// Who made it: the guardian of an approval, the actor of an emergency.
    pub issuer: Issuer,
    /// Whose records it speaks of.
    pub patient: Symbol,
    /// When it was made; absent, authority is judged at the window's start, else at 0.
    pub issued: Option<Time>,
    /// What it says.
    pub terms: Terms,
}

canonical_struct!(Directive {
    id,
    position,
    issuer,
    patient,
    issued,
    terms
});

/// Who made a directive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Issuer {
    /// One actor: the patient, a guardian, a delegate, anybody.
    Actor(Symbol),
    /// The patient's quorum of guardians, by their approvals.
    Quorum,
}

canonical_enum!(Issuer { 1 => Actor(_), 2 => Quorum });

impl Issuer {
    /// Whether it is this actor.
    pub fn is(&self, id: &Symbol) -> bool {
        matches!(self, Self::Actor(actor) if actor == id)
    }
}

/// What a directive says: all that a transaction carries of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Terms {
    /// Somebody may.
    Grant(Grant),
    /// Somebody may not.
    Restrict(Restriction),
    /// An earlier grant or restriction ends.
    Revoke(Revocation),
    /// A guardian agrees to a quorum's grant.
    Approve(Approval),
    /// An actor declares an emergency for the patient.
    Emergency(Declaration),
}

canonical_enum!(Terms {
    1 => Grant(_), 2 => Restrict(_), 3 => Revoke(_), 4 => Approve(_), 5 => Emergency(_),
});

impl Terms {
    /// The kind's name, as the semantics page spells it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Grant(_) => "grant",
            Self::Restrict(_) => "restrict",
            Self::Revoke(_) => "revoke",
            Self::Approve(_) => "approve",
            Self::Emergency(_) => "emergency",
        }
    }
}

/// A permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grant {
    /// To whom, why, what; void unless `to` and `purposes` are named.
    pub scope: Scope,
    /// When it holds.
    pub window: Window,
    /// How many times it may be passed on.
    pub delegable: u32,
    /// The grant that this one passes on.
    pub parent: Option<Symbol>,
    /// Directives of the same issuer that it replaces.
    pub supersedes: Set<Symbol>,
    /// Where it does not hold after all.
    pub except: Exceptions,
}

canonical_struct!(Grant {
    scope,
    window,
    delegable,
    parent,
    supersedes,
    except
});

impl Grant {
    /// Reading normal records, for good, by one grantee for one purpose. Change the fields from there.
    pub fn to(grantee: Grantee, purpose: Purpose) -> Self {
        Self {
            scope: Scope {
                to: Some(Set::one(grantee)),
                purposes: Some(Set::one(purpose)),
                ..Scope::default()
            },
            ..Self::default()
        }
    }
}

/// A prohibition. The default one forbids everything to everybody, emergencies apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restriction {
    /// To whom, why, what.
    pub scope: Scope,
    /// When it holds.
    pub window: Window,
    /// Whether a declared emergency overrides it.
    pub overridable: Override,
    /// Directives of the same issuer that it replaces.
    pub supersedes: Set<Symbol>,
    /// Where it does not hold after all.
    pub except: Exceptions,
    /// Whether a permit among the exceptions also grants, as an imported FHIR Consent's may.
    pub nested_grants: bool,
}

canonical_struct!(Restriction {
    scope,
    window,
    overridable,
    supersedes,
    except,
    nested_grants
});

/// The end of a grant or a restriction, for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revocation {
    /// What ends.
    pub target: Symbol,
}

canonical_struct!(Revocation { target });

/// A guardian's agreement to a quorum's grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Approval {
    /// The grant's id.
    pub target: Symbol,
    /// When it was given.
    pub at: Time,
}

canonical_struct!(Approval { target, at });

/// A declared emergency.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Declaration {
    /// When it begins; the network's policy says how long it lasts.
    pub from: Time,
    /// Whether a reason is given that is not blank. Its text is sealed and no business of the engine.
    pub has_reason: bool,
    /// When it was closed.
    pub closed: Option<Time>,
}

canonical_struct!(Declaration {
    from,
    has_reason,
    closed
});

impl Declaration {
    /// When it is open, unless closed before.
    pub(crate) fn window(&self, policy: &EmergencyPolicy) -> Window {
        Window {
            from: Some(self.from),
            until: self.from.after(policy.ttl),
        }
    }

    /// Whether a reason is blank: nothing but space, tab, CR and LF.
    pub fn is_blank(reason: &str) -> bool {
        reason
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
    }
}
