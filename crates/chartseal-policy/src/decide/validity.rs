//! Whether a directive counts, whatever is asked.

use super::active::Docket;
use super::authority::{Authority, is_in_time, is_member, issue_time};
use super::horizon::Horizon;
use crate::{
    Approval, Declaration, Directive, Grant, Issuer, Moment, Patient, Position, Restriction,
    Revocation, Scope, Set, Status, Symbol, Terms, Time, Window, World,
};

/// Whether a directive counts at a moment, whatever is asked; else the first reason why it does not.
///
/// It may be one of the world's, or one that somebody thinks of making: then it is judged as if it
/// stood among them. A grant that a guardian may not make over a minor's private records is valid if
/// it reaches others. Grants and restrictions count while they are valid and match; a revocation
/// counts for good if it is valid at its own position.
///
/// # Errors
/// The first condition that it fails, in the order of a decision's explanation.
///
/// ```
/// use chartseal_policy::*;
///
/// let mut world = MemoryWorld::new();
/// world.patients.insert("ann".parse()?, Patient::default());
/// let end = Directive {
///     id: "end".parse()?,
///     position: Position { height: 1, index: 0 },
///     issuer: Issuer::Actor("ann".parse()?),
///     patient: "ann".parse()?,
///     issued: None,
///     terms: Terms::Revoke(Revocation { target: "visit".parse()? }),
/// };
/// let now = Moment { time: Time(1_000), position: Position { height: 2, index: 0 } };
/// assert_eq!(validity(&world, &end, now), Err(Status::NoTarget));
/// # Ok::<(), PolicyError>(())
/// ```
pub fn validity<W: World + ?Sized>(
    world: &W,
    directive: &Directive,
    moment: Moment,
) -> Result<(), Status> {
    let patient = world.patient(&directive.patient).ok_or(Status::NoPatient)?;
    let directives = world.directives(&directive.patient);
    let subject = (&directive.patient, patient.as_ref());
    Bench::new(world, moment.position, subject, &directives).check(directive, moment.time)
}

/// Judges one patient's directives, at any time.
pub(crate) struct Bench<'a, W: ?Sized> {
    world: &'a W,
    patient: &'a Patient,
    docket: Docket<'a>,
}

impl<'a, W: World + ?Sized> Bench<'a, W> {
    pub(crate) fn new(
        world: &'a W,
        before: Position,
        (id, patient): (&'a Symbol, &'a Patient),
        directives: &'a [Directive],
    ) -> Self {
        Self {
            world,
            patient,
            docket: Docket::new(before, (id, patient), directives),
        }
    }

    /// Whether a directive counts at a time.
    pub(crate) fn check(&self, directive: &Directive, time: Time) -> Result<(), Status> {
        if !self.docket.counts(directive) {
            return Err(Status::Later);
        }
        match &directive.terms {
            Terms::Grant(grant) => self.grant(directive, grant, time, &mut Horizon::after(time)),
            Terms::Restrict(restriction) => self.restriction(directive, restriction, time),
            Terms::Revoke(revocation) => self.revocation(directive, revocation, time),
            Terms::Approve(approval) => self.approval(directive, approval),
            Terms::Emergency(declaration) => self.declaration(declaration, time),
        }
    }

    /// Whether a grant counts at some time, from this one on, if nobody says anything more.
    pub(crate) fn ever(
        &self,
        directive: &Directive,
        grant: &Grant,
        from: Time,
    ) -> Result<(), Status> {
        if !self.docket.counts(directive) {
            return Err(Status::Later);
        }
        // What a chain allows lies within its windows, so that only the standing of those who passed
        // it on comes and goes inside the grant's own: each instant at which it may is tried.
        let mut time = grant.window.from.unwrap_or_default().max(from);
        let mut first = None;
        loop {
            let mut horizon = Horizon::after(time);
            let failed = match self.grant(directive, grant, time, &mut horizon) {
                Ok(()) => return Ok(()),
                Err(failed) => first.get_or_insert(failed),
            };
            match horizon.next() {
                Some(next) => time = next,
                None => return Err(failed.clone()),
            }
        }
    }

    fn grant(
        &self,
        directive: &Directive,
        grant: &Grant,
        time: Time,
        horizon: &mut Horizon,
    ) -> Result<(), Status> {
        let scope = &grant.scope;
        if scope.to.is_none() {
            return Err(Status::NoGrantee);
        }
        if scope.purposes.is_none() {
            return Err(Status::NoPurpose);
        }
        let no_class = scope.classes.as_ref().is_some_and(Set::is_empty);
        if matches_nothing(scope, &grant.window) || no_class {
            return Err(Status::MatchesNothing);
        }
        self.has_not_ended(directive, &grant.window, time)?;
        self.authority(time).may_grant(directive, grant, horizon)?;
        has_begun(&grant.window, time)
    }

    fn restriction(
        &self,
        directive: &Directive,
        restriction: &Restriction,
        time: Time,
    ) -> Result<(), Status> {
        let window = &restriction.window;
        if matches_nothing(&restriction.scope, window) {
            return Err(Status::MatchesNothing);
        }
        self.has_not_ended(directive, window, time)?;
        if !self.authority(time).may_restrict(directive, window.from) {
            return Err(Status::NoAuthority);
        }
        has_begun(window, time)
    }

    fn revocation(
        &self,
        directive: &Directive,
        revocation: &Revocation,
        time: Time,
    ) -> Result<(), Status> {
        let target = self.docket.find(&revocation.target);
        let ends = |one: &&Directive| matches!(one.terms, Terms::Grant(_) | Terms::Restrict(_));
        let target = target.filter(ends).ok_or(Status::NoTarget)?;
        if directive.position <= target.position {
            return Err(Status::NotAfterTarget);
        }
        let mut horizon = Horizon::after(time);
        if self
            .docket
            .may_revoke(directive, target, time, &mut horizon)
        {
            Ok(())
        } else {
            Err(Status::NoAuthority)
        }
    }

    /// An approval may come before the grant that it is for: then only the member is judged.
    fn approval(&self, directive: &Directive, approval: &Approval) -> Result<(), Status> {
        let (Some(quorum), Issuer::Actor(member)) = (&self.patient.quorum, &directive.issuer)
        else {
            return Err(Status::NoAuthority);
        };
        let Some(target) = self.docket.find(&approval.target) else {
            let is_member = quorum.members.contains(member);
            return if is_member {
                Ok(())
            } else {
                Err(Status::NoAuthority)
            };
        };
        let (Terms::Grant(grant), Issuer::Quorum) = (&target.terms, &target.issuer) else {
            return Err(Status::NoTarget);
        };
        if !is_member(quorum, grant, member) {
            return Err(Status::NoAuthority);
        }
        let issued = issue_time(target, grant.window.from);
        if is_in_time(quorum, (directive, approval), target, issued) {
            Ok(())
        } else {
            Err(Status::NotInTime)
        }
    }

    fn declaration(&self, declaration: &Declaration, time: Time) -> Result<(), Status> {
        let policy = self.world.network().emergency.as_ref();
        let policy = policy.ok_or(Status::NoEmergencies)?;
        if !declaration.has_reason {
            return Err(Status::NoReason);
        }
        if declaration.closed.is_some_and(|closed| closed <= time) {
            return Err(Status::Closed);
        }
        let window = declaration.window(policy);
        is_not_over(&window, time)?;
        has_begun(&window, time)
    }

    fn has_not_ended(
        &self,
        directive: &Directive,
        window: &Window,
        time: Time,
    ) -> Result<(), Status> {
        is_not_over(window, time)?;
        let ended = self
            .docket
            .ended(directive, time, &mut Horizon::after(time));
        ended.map_or(Ok(()), Err)
    }

    fn authority(&self, time: Time) -> Authority<'_, 'a, W> {
        Authority {
            world: self.world,
            time,
            patient: self.patient,
            record: None,
            docket: &self.docket,
        }
    }
}

pub(super) fn is_not_over(window: &Window, time: Time) -> Result<(), Status> {
    let over = window.until.is_some_and(|until| until <= time);
    if over { Err(Status::Expired) } else { Ok(()) }
}

fn has_begun(window: &Window, time: Time) -> Result<(), Status> {
    if window.contains(time) {
        Ok(())
    } else {
        Err(Status::NotYet)
    }
}

/// Whether selectors that a permit and a deny read alike can match no request at any time.
fn matches_nothing(scope: &Scope, window: &Window) -> bool {
    window.is_empty()
        || scope.data.is_empty()
        || scope.to.as_ref().is_some_and(Set::is_empty)
        || scope.purposes.as_ref().is_some_and(Set::is_empty)
        || scope.actions.as_ref().is_some_and(Set::is_empty)
        || [&scope.records, &scope.encounters, &scope.authors]
            .into_iter()
            .flatten()
            .any(Set::is_empty)
}
