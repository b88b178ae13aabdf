//! Each cap admits what just meets it, and refuses the next.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::Params;
use chartseal_ledger::body::{
    AccessRequested, DirectiveRelabelling, QuorumSet, RecoveryPlanned, Relabelled,
};
use chartseal_policy::{Quorum, Restriction, Set, Symbol, Terms};
use chartseal_wire::{Event, Hash, PatientId, Subject};
use common::*;

/// Beside those of every chain, these patients.
const MORE: std::ops::Range<u8> = 30..47;

fn crowd() -> Chain {
    let mut chain = Chain::populated();
    for id in MORE {
        chain.ok(&office(1), enrol_patient(&chain.head, id));
    }
    chain
}

#[test]
fn a_quorum_has_sixteen_members_at_most() {
    let mut chain = crowd();
    let quorum = |n: usize| QuorumSet {
        patient: patient(1),
        quorum: Some(Quorum {
            k: 1,
            members: Set::new(MORE.take(n).map(|id| Symbol::new([id; 16]).unwrap())).unwrap(),
            ttl: None,
        }),
        countersignature: None,
    };
    assert_eq!(chain.refused(&patient_key(1), quorum(17)), "CS-LED-62");
    chain.ok(&patient_key(1), quorum(16));
}

#[test]
fn a_recovery_plan_has_sixteen_guardians_at_most() {
    let mut chain = crowd();
    let plan = |n: usize| RecoveryPlanned {
        bundle: Hash([1; 32]),
        guardians: MORE.take(n).map(actor).collect(),
        k: 1,
        delay_ms: Params::default().min_recovery_delay_ms,
    };
    assert_eq!(chain.refused(&patient_key(1), plan(17)), "CS-LED-64");
    chain.ok(&patient_key(1), plan(16));
}

#[test]
fn sixty_four_labels_are_private_at_most() {
    let mut chain = Chain::populated();
    let private = |n: u8| Relabelled {
        records: vec![],
        directives: vec![],
        private: Some(Set::new((0..n).map(|id| Symbol::new([id; 16]).unwrap())).unwrap()),
    };
    assert_eq!(chain.refused(&patient_key(1), private(65)), "CS-LED-102");
    chain.ok(&patient_key(1), private(64));
}

#[test]
fn five_hundred_and_twelve_directives_are_relabelled_at_once_at_most() {
    let mut chain = Chain::populated();
    let terms = Terms::Restrict(Restriction::default());
    let key = patient_key(1);
    let all = (0..513).map(|_| chain.sign(&key, directive(1, terms.clone())));
    let all: Vec<_> = all.collect();
    let relabelled = all.iter().map(|one| DirectiveRelabelling {
        directive: one.id(),
        terms: terms.clone(),
    });
    let mut body = Relabelled {
        records: vec![],
        directives: relabelled.collect(),
        private: None,
    };
    chain.block(all);
    assert_eq!(chain.refused(&key, body.clone()), "CS-LED-102");
    body.directives.pop();
    chain.ok(&key, body);
}

#[test]
fn beyond_1024_open_counts_denied_attempts_are_listed_again() {
    let mut chain = Chain::populated_with(Params {
        max_listed_denials: 0,
        ..params()
    });
    let asked = (0..1_025u32).map(|nobody| {
        let mut id = [0xee; 16];
        id[..4].copy_from_slice(&nobody.to_be_bytes());
        let body = AccessRequested {
            patient: PatientId(id),
            ..ask(1, &[20], "TREAT")
        };
        chain.sign(&actor_key(10), body)
    });
    let asked: Vec<_> = asked.collect();
    let (last, before) = (asked[1_024].id(), asked[1_023].id());
    chain.block(asked);
    assert_eq!(chain.head.state().floods().len(), 1_024);
    let listed = |chain: &Chain| {
        let history = chain.history(Subject::Actor(actor(10)));
        let mut attempts = history.into_iter();
        attempts.find(|entry| matches!(entry.event, Event::OwnAccess(_)))
    };
    assert_eq!(listed(&chain).unwrap().tx, last);
    assert!(chain.head.state().request(&last).is_some());
    assert!(chain.head.state().request(&before).is_none());
}
