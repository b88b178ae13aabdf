//! Which directives count, and which have ended.

use alloc::vec::Vec;
use core::cell::OnceCell;

use super::horizon::Horizon;
use crate::{Approval, Directive, Grant, Patient, Request, Status, Symbol, Terms};

/// The most grants in a chain of delegation, the first included. A longer one is void.
pub(super) const MAX_CHAIN: usize = 32;

/// A patient's directives that come before the request.
pub(super) struct Docket<'a> {
    request: &'a Request,
    patient: &'a Patient,
    directives: &'a [Directive],
    /// What revocations and supersessions say, sorted by target.
    ends: Vec<End<'a>>,
    /// Approvals, sorted by what they approve.
    approvals: Vec<(&'a Directive, &'a Approval)>,
    /// Grants by id; built when a delegation is met.
    grants: OnceCell<Vec<(&'a Directive, &'a Grant)>>,
}

/// A directive that ends another, if it may.
struct End<'a> {
    target: &'a Symbol,
    by: &'a Directive,
}

impl<'a> Docket<'a> {
    pub(super) fn new(
        request: &'a Request,
        patient: &'a Patient,
        directives: &'a [Directive],
    ) -> Self {
        let mut docket = Self {
            request,
            patient,
            directives,
            ends: Vec::new(),
            approvals: Vec::new(),
            grants: OnceCell::new(),
        };
        let mut ends = Vec::new();
        let mut approvals = Vec::new();
        for by in directives.iter().filter(|one| docket.counts(one)) {
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
        docket.ends = ends;
        approvals.sort_unstable_by(|a, b| a.1.target.cmp(&b.1.target));
        docket.approvals = approvals;
        docket
    }

    /// Whether a directive comes before the request, and speaks of its patient.
    pub(super) fn counts(&self, directive: &Directive) -> bool {
        directive.position < self.request.position && directive.patient == self.request.patient
    }

    /// A grant by its id, if exactly one counts.
    pub(super) fn grant(&self, id: &Symbol) -> Option<(&'a Directive, &'a Grant)> {
        let grants = self.grants.get_or_init(|| {
            let counting = self.directives.iter().filter(|one| self.counts(one));
            let mut grants: Vec<_> = counting
                .filter_map(|directive| match &directive.terms {
                    Terms::Grant(grant) => Some((directive, grant)),
                    _ => None,
                })
                .collect();
            grants.sort_unstable_by(|a, b| a.0.id.cmp(&b.0.id));
            grants
        });
        let start = grants.partition_point(|(directive, _)| directive.id < *id);
        let mut named = grants
            .iter()
            .skip(start)
            .take_while(|(directive, _)| directive.id == *id);
        named.next().filter(|_| named.next().is_none()).copied()
    }

    /// The approvals of a grant.
    pub(super) fn approvals(
        &self,
        grant: &Symbol,
    ) -> impl Iterator<Item = (&'a Directive, &'a Approval)> {
        let start = self
            .approvals
            .partition_point(|(_, approval)| approval.target < *grant);
        let rest = self.approvals.iter().skip(start);
        rest.take_while(move |(_, approval)| approval.target == *grant)
            .copied()
    }

    /// How a grant or a restriction was ended, for good, if it was.
    pub(super) fn ended(&self, target: &Directive, horizon: &mut Horizon) -> Option<Status> {
        let start = self.ends.partition_point(|end| *end.target < target.id);
        let ends = self
            .ends
            .iter()
            .skip(start)
            .take_while(|end| *end.target == target.id);
        // An end counts only from a later position than its target's.
        ends.filter(|end| end.by.position > target.position)
            .find_map(|end| {
                let by = end.by.id.clone();
                if matches!(end.by.terms, Terms::Revoke(_)) {
                    let counts = self.may_revoke(end.by, target, horizon);
                    return counts.then_some(Status::Revoked { by });
                }
                (end.by.issuer == target.issuer).then_some(Status::Superseded { by })
            })
    }

    fn may_revoke(&self, by: &Directive, target: &Directive, horizon: &mut Horizon) -> bool {
        if by.issuer == target.issuer {
            return true;
        }
        let is_patient = by.issuer.is(&target.patient);
        let Terms::Grant(grant) = &target.terms else {
            if is_patient {
                horizon.at(self.patient.adult_from);
            }
            return is_patient && self.patient.is_adult(self.request.time);
        };
        is_patient
            || self
                .ancestors(grant)
                .any(|ancestor| ancestor.issuer == by.issuer)
    }

    /// The grants that this one was passed on from, the nearest first.
    fn ancestors(&self, grant: &Grant) -> impl Iterator<Item = &'a Directive> {
        let parent = |grant: &Grant| grant.parent.as_ref().and_then(|id| self.grant(id));
        core::iter::successors(parent(grant), move |(_, grant)| parent(grant))
            .map(|(directive, _)| directive)
            .take(MAX_CHAIN)
    }
}
