//! What each of a patient's directives says to one request.

use alloc::vec::Vec;

use super::active::Docket;
use super::authority::Authority;
use super::horizon::Horizon;
use super::matching::Subject;
use super::validity::is_not_over;
use crate::{
    Declaration, Directive, Effect, Finding, Grant, Patient, Purpose, Request, Restriction, Status,
    Terms, Window, World,
};

/// All directives, judged.
pub(super) struct Judged<'a> {
    pub(super) permits: Vec<&'a Directive>,
    pub(super) denies: Vec<&'a Directive>,
    pub(super) declarations: Vec<&'a Directive>,
    pub(super) permits_horizon: Horizon,
    pub(super) denies_horizon: Horizon,
    pub(super) declarations_horizon: Horizon,
    pub(super) findings: Vec<Finding>,
}

pub(super) fn judge<'a, W: World + ?Sized>(
    world: &W,
    request: &Request,
    patient: &Patient,
    subject: &Subject<'_>,
    directives: &'a [Directive],
) -> Judged<'a> {
    let docket = Docket::new(request.position, (&request.patient, patient), directives);
    let authority = Authority {
        world,
        time: request.time,
        patient,
        record: Some(subject.record),
        docket: &docket,
    };
    let judge = Judge {
        world,
        request,
        subject,
        docket: &docket,
        authority,
    };
    let none = Horizon::after(request.time);
    let mut judged = Judged {
        permits: Vec::new(),
        denies: Vec::new(),
        declarations: Vec::new(),
        permits_horizon: none,
        denies_horizon: none,
        declarations_horizon: none,
        findings: Vec::with_capacity(directives.len()),
    };
    for directive in directives {
        let status = judge.directive(directive, &mut judged);
        match status {
            Status::Permits => judged.permits.push(directive),
            Status::Denies => judged.denies.push(directive),
            Status::Declares => judged.declarations.push(directive),
            _ => {}
        }
        judged.findings.push(Finding {
            id: directive.id.clone(),
            status,
        });
    }
    judged
}

struct Judge<'a, W: ?Sized> {
    world: &'a W,
    request: &'a Request,
    subject: &'a Subject<'a>,
    docket: &'a Docket<'a>,
    authority: Authority<'a, 'a, W>,
}

impl<W: World + ?Sized> Judge<'_, W> {
    fn directive(&self, directive: &Directive, judged: &mut Judged<'_>) -> Status {
        if !self.docket.counts(directive) {
            return Status::Later;
        }
        let status = match &directive.terms {
            Terms::Grant(grant) => self.grant(directive, grant, judged),
            Terms::Restrict(restriction) => self.restriction(directive, restriction, judged),
            Terms::Revoke(_) | Terms::Approve(_) => Ok(Status::NoAnswer),
            Terms::Emergency(declaration) => {
                self.declaration(directive, declaration, &mut judged.declarations_horizon)
            }
        };
        status.unwrap_or_else(|failed| failed)
    }

    fn grant(
        &self,
        directive: &Directive,
        grant: &Grant,
        judged: &mut Judged<'_>,
    ) -> Result<Status, Status> {
        if grant.scope.to.is_none() {
            return Err(Status::NoGrantee);
        }
        let effect = self
            .subject
            .resolve(Effect::Permit, &grant.scope, &grant.except)?;
        let (says, horizon) = match effect {
            Effect::Permit => (Status::Permits, &mut judged.permits_horizon),
            Effect::Deny => (Status::Denies, &mut judged.denies_horizon),
        };
        self.has_not_ended(directive, &grant.window, horizon)?;
        self.authority.may_grant(directive, grant, horizon)?;
        self.has_begun(&grant.window, horizon)?;
        Ok(says)
    }

    fn restriction(
        &self,
        directive: &Directive,
        restriction: &Restriction,
        judged: &mut Judged<'_>,
    ) -> Result<Status, Status> {
        let Restriction {
            scope,
            window,
            except,
            ..
        } = restriction;
        let effect = self.subject.resolve(Effect::Deny, scope, except)?;
        let (says, horizon) = match effect {
            Effect::Permit if restriction.nested_grants => {
                (Status::Permits, &mut judged.permits_horizon)
            }
            Effect::Permit => return Err(Status::Lifted),
            Effect::Deny => (Status::Denies, &mut judged.denies_horizon),
        };
        self.has_not_ended(directive, window, horizon)?;
        if !self.authority.may_restrict(directive, window.from) {
            return Err(Status::NoAuthority);
        }
        if says == Status::Permits && !self.authority.may_nest(directive, window.from) {
            return Err(Status::Lifted);
        }
        self.has_begun(window, horizon)?;
        Ok(says)
    }

    fn declaration(
        &self,
        directive: &Directive,
        declaration: &Declaration,
        horizon: &mut Horizon,
    ) -> Result<Status, Status> {
        let now = self.request.time;
        let (Purpose::Btg, Some(policy)) = (self.subject.purpose, &self.world.network().emergency)
        else {
            return Err(Status::NoAnswer);
        };
        if !directive.issuer.is(&self.request.actor) {
            return Err(Status::OtherDeclarer);
        }
        if !declaration.has_reason {
            return Err(Status::NoReason);
        }
        if declaration.closed.is_some_and(|closed| closed <= now) {
            return Err(Status::Closed);
        }
        let window = declaration.window(policy);
        is_not_over(&window, now)?;
        horizon.at_some(declaration.closed);
        self.has_begun(&window, horizon)?;
        Ok(Status::Declares)
    }

    fn has_not_ended(
        &self,
        directive: &Directive,
        window: &Window,
        horizon: &mut Horizon,
    ) -> Result<(), Status> {
        is_not_over(window, self.request.time)?;
        let ended = self.docket.ended(directive, self.request.time, horizon);
        ended.map_or(Ok(()), Err)
    }

    fn has_begun(&self, window: &Window, horizon: &mut Horizon) -> Result<(), Status> {
        horizon.window(window);
        if window.contains(self.request.time) {
            Ok(())
        } else {
            Err(Status::NotYet)
        }
    }
}
