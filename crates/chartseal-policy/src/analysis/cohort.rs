use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Listing;
use crate::{Directive, Exceptions, Grantee, Issuer, Scope, Set, Symbol, Terms, Time};

/// Actors to whom every decision about a patient's records at one time is the same.
pub(super) struct Cohort {
    /// Never empty.
    pub(super) members: Vec<Symbol>,
    first: Symbol,
}

impl Cohort {
    fn of(actor: Symbol) -> Self {
        Self {
            members: Vec::from([actor.clone()]),
            first: actor,
        }
    }

    /// Whose answers are everybody's.
    pub(super) fn one(&self) -> &Symbol {
        &self.first
    }
}

/// The actors who could be permitted anything: alone if somebody speaks of them by name, else with
/// all of the same organization and roles. Whoever is not in good standing can only be the patient.
pub(super) fn cohorts<W: Listing + ?Sized>(
    world: &W,
    patient: &Symbol,
    directives: &[Directive],
    time: Time,
) -> Vec<Cohort> {
    let named = named(world, patient, directives);
    let mut alone = Vec::from([Cohort::of(patient.clone())]);
    let mut alike: BTreeMap<(Option<Symbol>, Set<Symbol>), Cohort> = BTreeMap::new();
    let ids: BTreeSet<_> = world.actor_ids().into_iter().collect();
    for id in ids.into_iter().filter(|id| id != patient) {
        let Some(actor) = world.actor(&id).filter(|actor| actor.in_standing(time)) else {
            continue;
        };
        if named.contains(&id) {
            alone.push(Cohort::of(id));
            continue;
        }
        let key = (actor.org.clone(), actor.roles.clone());
        match alike.get_mut(&key) {
            Some(cohort) => cohort.members.push(id),
            None => {
                alike.insert(key, Cohort::of(id));
            }
        }
    }
    alone.extend(alike.into_values());
    alone
}

/// Everybody whom something that decisions read singles out.
fn named<W: Listing + ?Sized>(
    world: &W,
    patient: &Symbol,
    directives: &[Directive],
) -> BTreeSet<Symbol> {
    let mut named = BTreeSet::new();
    let mut note = |to: &Set<Grantee>| {
        named.extend(to.iter().filter_map(|grantee| match grantee {
            Grantee::Actor(id) => Some(id.clone()),
            _ => None,
        }));
    };
    for rule in &world.network().law {
        note(&rule.unless);
    }
    let mut declarers = Vec::new();
    for directive in directives {
        let (scope, except): (&Scope, &Exceptions) = match &directive.terms {
            Terms::Grant(grant) => (&grant.scope, &grant.except),
            Terms::Restrict(restriction) => (&restriction.scope, &restriction.except),
            Terms::Emergency(_) => {
                if let Issuer::Actor(declarer) = &directive.issuer {
                    declarers.push(declarer.clone());
                }
                continue;
            }
            Terms::Revoke(_) | Terms::Approve(_) => continue,
        };
        scope.to.iter().for_each(&mut note);
        let nodes = except.nodes().iter();
        nodes
            .filter_map(|node| node.scope.to.as_ref())
            .for_each(&mut note);
    }
    named.extend(declarers);
    if let Some(patient) = world.patient(patient) {
        named.extend(
            patient
                .guardians
                .iter()
                .map(|guardian| guardian.actor.clone()),
        );
    }
    named
}
