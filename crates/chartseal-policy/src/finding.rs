use thiserror::Error;

use crate::Symbol;

/// What became of one directive: in a decision, or by [`dead_grants`](crate::dead_grants).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The directive.
    pub id: Symbol,
    /// Its part in the decision, or the first condition that it failed.
    pub status: Status,
}

/// A directive's part in a decision, or the first condition that it failed.
///
/// Its `Display` is a clause for a person: `G: the window is over`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Status {
    /// It permits the request.
    #[error("permits")]
    Permits,
    /// It forbids it.
    #[error("forbids")]
    Denies,
    /// It would forbid the request, but for one of its own exceptions.
    #[error("is lifted by its own exception")]
    Lifted,
    /// It declares the emergency that the request speaks of.
    #[error("declares the emergency")]
    Declares,
    /// A revocation or an approval, or a declaration where no glass is broken: no answer of its own.
    #[error("decides nothing by itself")]
    NoAnswer,

    /// Its position is not before the request's.
    #[error("comes at or after the request")]
    Later,
    /// A grant that names nobody.
    #[error("is void: it names no grantee")]
    NoGrantee,
    /// A permit that names no purpose.
    #[error("is void: it names no purpose")]
    NoPurpose,
    /// It speaks of other actors.
    #[error("speaks of other actors")]
    OtherActor,
    /// It speaks of other purposes.
    #[error("speaks of other purposes")]
    OtherPurpose,
    /// It speaks of other actions.
    #[error("speaks of other actions")]
    OtherAction,
    /// It speaks of other records.
    #[error("speaks of other records")]
    OtherRecord,
    /// It speaks of other encounters.
    #[error("speaks of other encounters")]
    OtherEncounter,
    /// It speaks of other authors.
    #[error("speaks of other authors")]
    OtherAuthor,
    /// It speaks of records from another time.
    #[error("speaks of records from another time")]
    OtherPeriod,
    /// It speaks of other classes.
    #[error("speaks of other classes")]
    OtherClass,
    /// A permit's ceiling is lower, or a deny's least is higher, than the record's confidentiality.
    #[error("speaks of another confidentiality")]
    OtherConfidentiality,
    /// A permit does not name each gated tag, or a deny shares none.
    #[error("speaks of other tags")]
    OtherTags,

    /// Its window is over.
    #[error("its window is over")]
    Expired,
    /// Its window has not begun.
    #[error("its window has not begun")]
    NotYet,
    /// It was revoked.
    #[error("was revoked by {by}")]
    Revoked {
        /// The revocation.
        by: Symbol,
    },
    /// It was superseded.
    #[error("was superseded by {by}")]
    Superseded {
        /// The directive that did.
        by: Symbol,
    },

    /// Its issuer may not say so.
    #[error("its issuer had no authority to make it")]
    NoAuthority,
    /// A quorum's grant without enough good approvals.
    #[error("has {found} of the {needed} approvals that it needs")]
    Approvals {
        /// How many distinct members' count.
        found: u32,
        /// How many are needed.
        needed: u32,
    },
    /// The parent, or one further up, is missing, no grant, or no earlier.
    #[error("is void: an ancestor is missing")]
    NoParent,
    /// The parent does not let this issuer pass it on, so deep.
    #[error("is void: the parent may not be passed on so")]
    NotDelegable,
    /// It reaches beyond its parent.
    #[error("is void: it reaches beyond its parent")]
    WiderThanParent,
    /// An ancestor is not active.
    #[error("rests on {id}, which is not active")]
    AncestorInactive {
        /// The ancestor.
        id: Symbol,
    },
    /// Somebody who passed it on is not in good standing.
    #[error("was passed on by somebody not in good standing")]
    DelegatorStanding,

    /// A declaration by somebody else.
    #[error("was declared by another actor")]
    OtherDeclarer,
    /// A declaration without a reason.
    #[error("gives no reason")]
    NoReason,
    /// A declaration that was closed.
    #[error("was closed")]
    Closed,

    /// A selector that is empty where that matches nothing, or a window that ends before it begins.
    /// Told by [`validity`](crate::validity), as are those that follow.
    #[error("is void: it can match nothing")]
    MatchesNothing,
    /// A directive about a patient whom nobody knows.
    #[error("is void: its patient is not known")]
    NoPatient,
    /// A revocation or an approval whose target is missing, or of a kind that it can't be about.
    #[error("is void: its target is missing, or of a kind that it does not concern")]
    NoTarget,
    /// A revocation that comes no later than its target.
    #[error("is void: it comes no later than its target")]
    NotAfterTarget,
    /// An approval that comes after the grant, or is too old for it.
    #[error("was not given in time for the grant")]
    NotInTime,
    /// A declaration in a network where glass is never broken.
    #[error("is void: the network has no emergency policy")]
    NoEmergencies,
}
