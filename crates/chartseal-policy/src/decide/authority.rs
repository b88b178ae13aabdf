//! Who may say so: checked at every decision, as of the time of issue.

use alloc::collections::BTreeSet;

use super::active::{Docket, Granted, MAX_CHAIN};
use super::horizon::Horizon;
use crate::{
    Approval, Directive, Grant, Grantee, Issuer, Patient, Quorum, Record, Scope, Set, Status,
    Symbol, Time, World,
};

/// Checks authority over a patient's records at one time.
pub(super) struct Authority<'a, 'd, W: ?Sized> {
    pub(super) world: &'a W,
    pub(super) time: Time,
    pub(super) patient: &'a Patient,
    /// The record that is asked for; `None`: any that is not the minor's private matter.
    pub(super) record: Option<&'a Record>,
    pub(super) docket: &'a Docket<'d>,
}

impl<W: World + ?Sized> Authority<'_, '_, W> {
    /// Whether a restriction's issuer may restrict: the patient, or a guardian of that time.
    pub(super) fn may_restrict(&self, directive: &Directive, from: Option<Time>) -> bool {
        let Issuer::Actor(issuer) = &directive.issuer else {
            return false;
        };
        *issuer == directive.patient
            || self
                .patient
                .has_guardian(issuer, issue_time(directive, from))
    }

    /// Whether a grant's issuer, and everybody whom it was passed on from, may grant it.
    pub(super) fn may_grant(
        &self,
        directive: &Directive,
        grant: &Grant,
        horizon: &mut Horizon,
    ) -> Result<(), Status> {
        self.has_basis(directive, grant)?;
        let (mut directive, mut grant) = (directive, grant);
        for _ in 1..MAX_CHAIN {
            let Some(parent) = &grant.parent else {
                return Ok(());
            };
            let above = self.docket.grant(parent).ok_or(Status::NoParent)?;
            self.is_active(above, horizon)?;
            self.is_in_standing(&directive.issuer, horizon)?;
            let basis = || self.has_basis(above.directive, above.grant);
            above.basis.get_or_init(basis).clone()?;
            (directive, grant) = (above.directive, above.grant);
        }
        match grant.parent {
            None => Ok(()),
            Some(_) => Err(Status::NotDelegable),
        }
    }

    /// Whether a grant's issuer might make it: by own authority, or as a delegate within the parent.
    fn has_basis(&self, directive: &Directive, grant: &Grant) -> Result<(), Status> {
        let Some(parent) = &grant.parent else {
            return self.is_own_authority(directive, grant);
        };
        let above = self.docket.grant(parent).ok_or(Status::NoParent)?;
        if above.directive.position >= directive.position {
            return Err(Status::NoParent);
        }
        let Issuer::Actor(delegator) = &directive.issuer else {
            return Err(Status::NotDelegable);
        };
        let parent = above.grant;
        let may_pass_on = names(&parent.scope, delegator)
            && parent.delegable > grant.delegable
            && parent.except.is_empty();
        if !may_pass_on {
            return Err(Status::NotDelegable);
        }
        if !is_within(grant, parent) {
            return Err(Status::WiderThanParent);
        }
        Ok(())
    }

    /// Whether a restriction's issuer may also grant by it: of age, or a guardian over a record that
    /// is not the minor's private matter. A minor's grant must name tags, so it is no exception.
    pub(super) fn may_nest(&self, directive: &Directive, from: Option<Time>) -> bool {
        self.may_issue(&directive.issuer, issue_time(directive, from), None)
    }

    fn is_own_authority(&self, directive: &Directive, grant: &Grant) -> Result<(), Status> {
        let at = issue_time(directive, grant.window.from);
        let may = match (&directive.issuer, &self.patient.quorum) {
            (Issuer::Quorum, Some(quorum)) => {
                return self.has_approvals(quorum, directive, grant, at);
            }
            (issuer, _) => self.may_issue(issuer, at, grant.scope.tags.as_ref()),
        };
        if may {
            Ok(())
        } else {
            Err(Status::NoAuthority)
        }
    }

    fn may_issue(&self, issuer: &Issuer, at: Time, tags: Option<&Set<Symbol>>) -> bool {
        let Issuer::Actor(issuer) = issuer else {
            return false;
        };
        let patient = self.patient;
        if self.docket.is_of(issuer) {
            let names_tags = tags.is_some_and(|tags| !tags.is_empty());
            return patient.is_adult(at) || (patient.may_consent(at) && names_tags);
        }
        // A private tag may be one that is not gated: then the record bears it unnamed.
        let private = &patient.minor_private_tags;
        let is_private = tags.is_some_and(|tags| tags.intersects(private))
            || self
                .record
                .is_some_and(|record| record.tags.intersects(private));
        patient.has_guardian(issuer, at) && !(is_private && patient.may_consent(at))
    }

    fn has_approvals(
        &self,
        quorum: &Quorum,
        directive: &Directive,
        grant: &Grant,
        at: Time,
    ) -> Result<(), Status> {
        let approvals = self.docket.approvals(&directive.id);
        let good =
            approvals.filter(|(by, approval)| is_in_time(quorum, (by, approval), directive, at));
        let approving: BTreeSet<&Issuer> = good.map(|(by, _)| &by.issuer).collect();
        let counts = |issuer: &&&Issuer| match issuer {
            Issuer::Actor(member) => is_member(quorum, grant, member),
            Issuer::Quorum => false,
        };
        let found = approving.iter().filter(counts).count();
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        let needed = quorum.k.max(1);
        if found >= needed {
            Ok(())
        } else {
            Err(Status::Approvals { found, needed })
        }
    }

    fn is_active(&self, above: &Granted<'_>, horizon: &mut Horizon) -> Result<(), Status> {
        let has_ended = self.docket.has_ended(above, self.time);
        horizon.window(&above.grant.window);
        if has_ended || !above.grant.window.contains(self.time) {
            return Err(Status::AncestorInactive {
                id: above.directive.id.clone(),
            });
        }
        Ok(())
    }

    fn is_in_standing(&self, delegator: &Issuer, horizon: &mut Horizon) -> Result<(), Status> {
        let actor = match delegator {
            Issuer::Actor(id) => self.world.actor(id),
            Issuer::Quorum => None,
        };
        let actor = actor.ok_or(Status::DelegatorStanding)?;
        horizon.standing(&actor);
        if actor.in_standing(self.time) {
            Ok(())
        } else {
            Err(Status::DelegatorStanding)
        }
    }
}

/// Whether an actor's approval of a grant counts: a member whom it does not name directly.
pub(super) fn is_member(quorum: &Quorum, grant: &Grant, actor: &Symbol) -> bool {
    quorum.members.contains(actor) && !names(&grant.scope, actor)
}

/// Whether an approval comes at or before the grant, and is not too old for it.
pub(super) fn is_in_time(
    quorum: &Quorum,
    (by, approval): (&Directive, &Approval),
    grant: &Directive,
    issued: Time,
) -> bool {
    let age = issued.since(approval.at);
    by.position <= grant.position && age.is_some_and(|age| quorum.ttl.is_none_or(|ttl| age <= ttl))
}

/// When a directive counts as made: `issued`, else where its window begins, else 0.
pub(super) fn issue_time(directive: &Directive, from: Option<Time>) -> Time {
    directive.issued.or(from).unwrap_or_default()
}

/// Whether a grant names this actor directly.
fn names(scope: &Scope, actor: &Symbol) -> bool {
    let named = Grantee::Actor(actor.clone());
    scope.to.as_ref().is_some_and(|to| to.contains(&named))
}

/// Whether a grant stays within its parent in every dimension.
fn is_within(child: &Grant, parent: &Grant) -> bool {
    let (inner, outer) = (&child.scope, &parent.scope);
    // A parent without purposes is void, and one without tags names none.
    let purposes = match (&inner.purposes, &outer.purposes) {
        (Some(inner), Some(outer)) => inner.is_subset(outer),
        _ => false,
    };
    let tags = inner
        .tags
        .iter()
        .flatten()
        .all(|tag| outer.tags.as_ref().is_some_and(|tags| tags.contains(tag)));
    let read = Set::one(crate::Action::Read);
    let actions = inner.actions.as_ref().unwrap_or(&read);
    purposes
        && tags
        && actions.is_subset(outer.actions.as_ref().unwrap_or(&read))
        && is_limited(inner.classes.as_ref(), outer.classes.as_ref())
        && is_limited(inner.records.as_ref(), outer.records.as_ref())
        && is_limited(inner.encounters.as_ref(), outer.encounters.as_ref())
        && is_limited(inner.authors.as_ref(), outer.authors.as_ref())
        && inner.data.is_within(&outer.data)
        && inner.conf.unwrap_or_default() <= outer.conf.unwrap_or_default()
        && child.window.is_within(&parent.window)
}

/// What the parent limits the child must limit too.
fn is_limited(inner: Option<&Set<Symbol>>, outer: Option<&Set<Symbol>>) -> bool {
    match (inner, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner.is_subset(outer),
    }
}
