use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Listing;
use crate::decide::Bench;
use crate::{Directive, Finding, Grant, Millis, Moment, Symbol, Terms, Time, World};

/// A patient's grants that permit nothing from a moment on, whoever asks for what and when, if nobody
/// says anything more: each with the first reason why, in order of their ids.
///
/// A grant that is valid but shut by a restriction is not dead: it would permit if that ended.
pub fn dead_grants<W: World + ?Sized>(world: &W, patient: &Symbol, moment: Moment) -> Vec<Finding> {
    let mut dead = Vec::new();
    grants(world, patient, moment, |bench, directive, grant| {
        if let Err(status) = bench.ever(directive, grant, moment.time) {
            dead.push(Finding {
                id: directive.id.clone(),
                status,
            });
        }
    });
    dead.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    dead
}

/// A grant that counts now and whose window ends soon.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiring {
    /// The first instant at which it no longer counts.
    pub until: Time,
    /// The grant.
    pub id: Symbol,
}

/// A patient's grants that are valid at a moment, and whose windows end within so many milliseconds
/// from then, the last included: the soonest first.
pub fn expiring<W: World + ?Sized>(
    world: &W,
    patient: &Symbol,
    moment: Moment,
    within: Millis,
) -> Vec<Expiring> {
    let mut soon = Vec::new();
    grants(world, patient, moment, |bench, directive, grant| {
        let ends = |until: &Time| {
            let left = until.since(moment.time);
            left.is_some_and(|left| left <= within)
        };
        if let Some(until) = grant.window.until.filter(ends)
            && bench.check(directive, moment.time).is_ok()
        {
            let id = directive.id.clone();
            soon.push(Expiring { until, id });
        }
    });
    soon.sort_unstable();
    soon
}

/// An organization that is late with reviews of emergencies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OverdueReviews {
    /// The organization.
    pub org: Symbol,
    /// How many reviews are overdue.
    pub count: u32,
    /// Whether it may therefore open nothing above `N` in an emergency.
    pub is_barred: bool,
}

/// The organizations of all known actors that are late with reviews, in order.
pub fn overdue_reviews<W: Listing + ?Sized>(world: &W) -> Vec<OverdueReviews> {
    let mut counts = BTreeMap::new();
    for id in world.actor_ids() {
        if let Some(org) = world.actor(&id).and_then(|actor| actor.org.clone()) {
            counts
                .entry(org)
                .or_insert_with_key(|org| world.overdue_reviews(org));
        }
    }
    let policy = world.network().emergency.as_ref();
    let late = counts.into_iter().filter(|(_, count)| *count > 0);
    late.map(|(org, count)| OverdueReviews {
        org,
        count,
        is_barred: policy.is_none_or(|policy| count >= policy.max_overdue),
    })
    .collect()
}

/// Shows each of a patient's grants before the moment, and who judges it.
fn grants<W: World + ?Sized>(
    world: &W,
    id: &Symbol,
    moment: Moment,
    mut each: impl FnMut(&Bench<'_, W>, &Directive, &Grant),
) {
    let Some(patient) = world.patient(id) else {
        return;
    };
    let directives = world.directives(id);
    let bench = Bench::new(world, moment.position, (id, &patient), &directives);
    for directive in directives.iter() {
        match &directive.terms {
            Terms::Grant(grant) if directive.position < moment.position => {
                each(&bench, directive, grant);
            }
            _ => {}
        }
    }
}
