use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::cohort::cohorts;
use super::{Listing, permits};
use crate::{
    Action, Actor, Directive, Moment, Network, Patient, PolicyError, Purpose, Record, Symbol, Time,
    World,
};

/// One thing that somebody may do to a record, for a purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// Who.
    pub actor: Symbol,
    /// To which record.
    pub record: Symbol,
    /// What.
    pub action: Action,
    /// For which purpose.
    pub purpose: Purpose,
}

/// What a directive would change, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// What somebody may do with it, and not without.
    pub gained: Vec<Access>,
    /// What somebody may do without it, and not with it.
    pub lost: Vec<Access>,
}

/// Who would gain and who would lose what at a time, if a directive were made: every actor, record of
/// its patient, action and purpose for which [`decide`](crate::decide) just after its position says
/// one thing with it and another without.
///
/// It takes two decisions for each record, action, purpose and kind of actor, as
/// [`who_can_see`](crate::who_can_see) counts them. A directive whose window has not begun changes
/// nothing yet: ask for a time inside it.
///
/// # Errors
/// [`PolicyError::DuplicateDirective`] if the patient has a directive of the same id.
pub fn diff<W: Listing + ?Sized>(
    world: &W,
    proposed: &Directive,
    time: Time,
) -> Result<Diff, PolicyError> {
    let patient = &proposed.patient;
    let mut directives = world.directives(patient).into_owned();
    if directives.iter().any(|one| one.id == proposed.id) {
        return Err(PolicyError::DuplicateDirective);
    }
    directives.push(proposed.clone());
    let mut diff = Diff::default();
    // What stands last of all counts for nobody.
    let Some(position) = proposed.position.next() else {
        return Ok(diff);
    };
    let moment = Moment { time, position };
    let cohorts = cohorts(world, patient, &directives, time);
    let then = Then {
        world,
        patient,
        directives,
    };
    for record in world.record_ids(patient) {
        for cohort in &cohorts {
            for (action, purpose) in everything() {
                let what = (patient, &record, action, purpose);
                let changed = match (
                    permits(world, cohort.one(), what, moment),
                    permits(&then, cohort.one(), what, moment),
                ) {
                    (false, true) => &mut diff.gained,
                    (true, false) => &mut diff.lost,
                    _ => continue,
                };
                changed.extend(cohort.members.iter().cloned().map(|actor| Access {
                    actor,
                    record: record.clone(),
                    action,
                    purpose,
                }));
            }
        }
    }
    diff.gained.sort_unstable();
    diff.lost.sort_unstable();
    Ok(diff)
}

fn everything() -> impl Iterator<Item = (Action, Purpose)> {
    let all = |action: &'static Action| Purpose::ALL.iter().map(|purpose| (*action, *purpose));
    Action::ALL.iter().flat_map(all)
}

/// A world in which a patient has other directives.
struct Then<'a, W: ?Sized> {
    world: &'a W,
    patient: &'a Symbol,
    directives: Vec<Directive>,
}

impl<W: World + ?Sized> World for Then<'_, W> {
    fn actor(&self, id: &Symbol) -> Option<Cow<'_, Actor>> {
        self.world.actor(id)
    }

    fn patient(&self, id: &Symbol) -> Option<Cow<'_, Patient>> {
        self.world.patient(id)
    }

    fn record(&self, id: &Symbol) -> Option<Cow<'_, Record>> {
        self.world.record(id)
    }

    fn network(&self) -> &Network {
        self.world.network()
    }

    fn is_gated(&self, tag: &Symbol) -> bool {
        self.world.is_gated(tag)
    }

    fn overdue_reviews(&self, org: &Symbol) -> u32 {
        self.world.overdue_reviews(org)
    }

    fn directives(&self, patient: &Symbol) -> Cow<'_, [Directive]> {
        if patient == self.patient {
            return Cow::Borrowed(&self.directives);
        }
        self.world.directives(patient)
    }

    fn is_inbox(&self, tag: &Symbol) -> bool {
        self.world.is_inbox(tag)
    }

    fn is_part2(&self, tag: &Symbol) -> bool {
        self.world.is_part2(tag)
    }
}
