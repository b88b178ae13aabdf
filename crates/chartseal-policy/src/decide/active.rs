//! Which directives count, and which have ended.

use alloc::vec::Vec;
use core::cell::OnceCell;

use super::horizon::Horizon;
use crate::{Approval, Directive, Grant, Patient, Position, Status, Symbol, Terms, Time};

/// The most grants in a chain of delegation, the first included. A longer one is void.
pub(super) const MAX_CHAIN: usize = 32;

/// A patient's directives that come before a position.
pub(super) struct Docket<'a> {
    before: Position,
    id: &'a Symbol,
    patient: &'a Patient,
    directives: &'a [Directive],
    /// What directives say of each other; gathered when one matches.
    said: OnceCell<Said<'a>>,
    /// Grants by id; gathered when a delegation is met.
    grants: OnceCell<Vec<Granted<'a>>>,
}

/// A grant, and what every grant that was passed on from it asks of it: found once for all of them.
pub(super) struct Granted<'a> {
    pub(super) directive: &'a Directive,
    pub(super) grant: &'a Grant,
    /// Whether its issuer might make it, whatever the time.
    pub(super) basis: OnceCell<Result<(), Status>>,
    has_ended: OnceCell<bool>,
}

/// What a patient's directives say of each other.
struct Said<'a> {
    /// What revocations and supersessions say, sorted by target.
    ends: Vec<End<'a>>,
    /// Approvals, sorted by what they approve.
    approvals: Vec<(&'a Directive, &'a Approval)>,
}

/// A directive that ends another, if it may.
struct End<'a> {
    target: &'a Symbol,
    by: &'a Directive,
}

impl<'a> Docket<'a> {
    pub(super) fn new(
        before: Position,
        (id, patient): (&'a Symbol, &'a Patient),
        directives: &'a [Directive],
    ) -> Self {
        Self {
            before,
            id,
            patient,
            directives,
            said: OnceCell::new(),
            grants: OnceCell::new(),
        }
    }

    /// Whether a directive comes before the position, and speaks of the patient.
    #[inline]
    pub(super) fn counts(&self, directive: &Directive) -> bool {
        directive.position < self.before && directive.patient == *self.id
    }

    /// Whether this actor is the patient.
    pub(super) fn is_of(&self, actor: &Symbol) -> bool {
        actor == self.id
    }

    /// A directive of any kind by its id: a search through all of them.
    pub(super) fn find(&self, id: &Symbol) -> Option<&'a Directive> {
        let mut all = self.directives.iter();
        all.find(|one| one.id == *id && self.counts(one))
    }

    /// A grant by its id, if exactly one counts.
    pub(super) fn grant(&self, id: &Symbol) -> Option<&Granted<'a>> {
        let grants = self.grants.get_or_init(|| self.by_id());
        let start = grants.partition_point(|one| one.directive.id < *id);
        let mut named = grants
            .iter()
            .skip(start)
            .take_while(|one| one.directive.id == *id);
        named.next().filter(|_| named.next().is_none())
    }

    fn said(&self) -> &Said<'a> {
        self.said.get_or_init(|| self.gather())
    }

    fn gather(&self) -> Said<'a> {
        let mut ends = Vec::new();
        let mut approvals = Vec::new();
        for by in self.directives.iter().filter(|one| self.counts(one)) {
            let supersedes = match &by.terms {
                Terms::Grant(grant) => &grant.supersedes,
                Terms::Restrict(restriction) => &restriction.supersedes,
                Terms::Revoke(revocation) => {
                    ends.push(End {
                        target: &revocation.target,
                        by,
                    });
                    continue;
                }
                Terms::Approve(approval) => {
                    approvals.push((by, approval));
                    continue;
                }
                Terms::Emergency(_) => continue,
            };
            ends.extend(supersedes.iter().map(|target| End { target, by }));
        }
        let order = |end: &End<'a>| (end.target, end.by.position, &end.by.id);
        ends.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        approvals.sort_unstable_by(|a, b| a.1.target.cmp(&b.1.target));
        Said { ends, approvals }
    }

    fn by_id(&self) -> Vec<Granted<'a>> {
        let counting = self.directives.iter().filter(|one| self.counts(one));
        let mut grants: Vec<_> = counting
            .filter_map(|directive| match &directive.terms {
                Terms::Grant(grant) => Some(Granted {
                    directive,
                    grant,
                    basis: OnceCell::new(),
                    has_ended: OnceCell::new(),
                }),
                _ => None,
            })
            .collect();
        grants.sort_unstable_by(|a, b| a.directive.id.cmp(&b.directive.id));
        grants
    }

    /// The approvals of a grant.
    pub(super) fn approvals(
        &self,
        grant: &Symbol,
    ) -> impl Iterator<Item = (&'a Directive, &'a Approval)> {
        let approvals = &self.said().approvals;
        let start = approvals.partition_point(|(_, approval)| approval.target < *grant);
        let rest = approvals.iter().skip(start);
        rest.take_while(move |(_, approval)| approval.target == *grant)
            .copied()
    }

    /// How a grant or a restriction was ended, for good, if it was.
    pub(super) fn ended(
        &self,
        target: &Directive,
        time: Time,
        horizon: &mut Horizon,
    ) -> Option<Status> {
        let ends = &self.said().ends;
        let start = ends.partition_point(|end| *end.target < target.id);
        let ends = ends
            .iter()
            .skip(start)
            .take_while(|end| *end.target == target.id);
        // An end counts only from a later position than its target's.
        ends.filter(|end| end.by.position > target.position)
            .find_map(|end| {
                let by = end.by.id.clone();
                if matches!(end.by.terms, Terms::Revoke(_)) {
                    let counts = self.may_revoke(end.by, target, time, horizon);
                    return counts.then_some(Status::Revoked { by });
                }
                (end.by.issuer == target.issuer).then_some(Status::Superseded { by })
            })
    }

    /// Whether a grant that others were passed on from has ended; no time changes that of a grant.
    pub(super) fn has_ended(&self, granted: &Granted<'_>, time: Time) -> bool {
        let ended = || self.ended(granted.directive, time, &mut Horizon::after(time));
        *granted.has_ended.get_or_init(|| ended().is_some())
    }

    /// Whether a revocation counts that comes after its target.
    pub(super) fn may_revoke(
        &self,
        by: &Directive,
        target: &Directive,
        time: Time,
        horizon: &mut Horizon,
    ) -> bool {
        if by.issuer == target.issuer {
            return true;
        }
        let is_patient = by.issuer.is(&target.patient);
        let Terms::Grant(grant) = &target.terms else {
            if is_patient {
                horizon.at(self.patient.adult_from);
            }
            return is_patient && self.patient.is_adult(time);
        };
        is_patient
            || self
                .ancestors(grant)
                .any(|ancestor| ancestor.issuer == by.issuer)
    }

    /// The grants that this one was passed on from, the nearest first.
    fn ancestors(&self, grant: &Grant) -> impl Iterator<Item = &'a Directive> {
        let parent = |grant: &Grant| grant.parent.as_ref().and_then(|id| self.grant(id));
        core::iter::successors(parent(grant), move |above| parent(above.grant))
            .map(|above| above.directive)
            .take(MAX_CHAIN)
    }
}
