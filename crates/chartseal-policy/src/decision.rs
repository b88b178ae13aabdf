use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::canonical_struct;

use crate::{Action, Code, Effect, Finding, Position, Purpose, Symbol, Time};

/// What somebody asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Who asks.
    pub actor: Symbol,
    /// Whose record they claim it to be.
    pub patient: Symbol,
    /// Which record.
    pub record: Symbol,
    /// To do what; `None`: an action that the table does not have, so `malformed`.
    pub action: Option<Action>,
    /// Why; `None`: a purpose that the table does not have, so `malformed`.
    pub purpose: Option<Purpose>,
    /// When; on a chain, block time.
    pub time: Time,
    /// Where in the order; directives count that come strictly before.
    pub position: Position,
}

canonical_struct!(Request {
    actor,
    patient,
    record,
    action,
    purpose,
    time,
    position
});

/// The answer, for those who may know why: the patient and the auditor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Permit or deny.
    pub effect: Effect,
    /// The rule that ended it.
    pub code: Code,
    /// The directives or law that it rests on, sorted.
    pub by: Vec<Symbol>,
    /// What a permit demands, sorted; a deny demands nothing.
    pub obligations: Vec<Obligation>,
    /// The next instant at which the answer could change by time alone; `None`: never.
    pub valid_until: Option<Time>,
    /// What became of each directive, sorted by id; empty if none was consulted.
    pub explanation: Vec<Finding>,
}

impl Decision {
    /// The requester's view: every deny is the same deny, and nothing tells of a restriction.
    pub fn opaque(&self) -> OpaqueDecision {
        let visible = |one: &&Obligation| !matches!(one, Obligation::Overrides(_));
        OpaqueDecision {
            effect: self.effect,
            obligations: self.obligations.iter().filter(visible).cloned().collect(),
        }
    }
}

/// What a requester is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpaqueDecision {
    /// Permit or deny.
    pub effect: Effect,
    /// What a permit demands of the requester, sorted; which restrictions it overrode is left out.
    pub obligations: Vec<Obligation>,
}

/// What a permit demands. The order is that of the names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obligation {
    /// `attach_consent_copy`: a copy of the consent goes with the record (42 CFR Part 2).
    AttachConsentCopy,
    /// `attach_part2_notice`: the notice on redisclosure goes with it (42 CFR Part 2).
    AttachPart2Notice,
    /// `log`: the access enters the history.
    Log,
    /// `notify_patient`: the patient is told.
    NotifyPatient,
    /// `overrides:ID`: a restriction, or a grant's exception, that the emergency overrode.
    Overrides(Symbol),
    /// `reason`: the reason is kept with it.
    Reason,
    /// `review`: somebody reviews it afterwards.
    Review,
}

chartseal_codec::canonical_enum!(Obligation {
    1 => Log,
    2 => AttachPart2Notice,
    3 => AttachConsentCopy,
    4 => NotifyPatient,
    5 => Review,
    6 => Reason,
    7 => Overrides(_),
});

impl fmt::Display for Obligation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AttachConsentCopy => "attach_consent_copy",
            Self::AttachPart2Notice => "attach_part2_notice",
            Self::Log => "log",
            Self::NotifyPatient => "notify_patient",
            Self::Overrides(id) => return write!(f, "overrides:{id}"),
            Self::Reason => "reason",
            Self::Review => "review",
        })
    }
}
