//! Each cap admits what just meets it, and refuses the next.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::Params;
use chartseal_ledger::body::{
    AccessRequested, DirectiveRelabelling, QuorumSet, RecoveryPlanned, Relabelled,
};
use chartseal_ledger::state::NOBODY;
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

/// However many attempts an actor makes on patients who don't exist, they make one count.
#[test]
fn attempts_on_nobody_are_one_count() {
    let mut chain = Chain::populated_with(Params {
        max_listed_denials: 1,
        ..params()
    });
    let key = actor_key(10);
    for nobody in 0..5 {
        chain.ok(&key, ask_about(PatientId([0xe0 + nobody; 16])));
    }
    let floods = chain.head.state().floods();
    assert_eq!(floods.len(), 1);
    assert_eq!(floods[0].patient, NOBODY);
    chain.now += chain.head.state().params().denial_window_ms;
    chain.ok(&key, chain.record(21));
    let counts = counts_of(&chain, Subject::Actor(actor(10)));
    assert_eq!(counts, [4]);
}

/// Who opens more counts than there is room for, of somebody else's too, has the oldest entered early: nothing is listed
/// one by one again, and nothing is lost.
#[test]
fn beyond_1024_open_counts_the_oldest_is_entered_at_once() {
    let mut chain = Chain::populated_with(Params {
        max_listed_denials: 0,
        ..params()
    });
    let many = 1_024u16;
    let ids: Vec<_> = (0..many).map(many_patient).collect();
    let template = enrol_patient(&chain.head, 7);
    let enrolled = (0..many).map(|number| {
        let key = Key::new(&format!("many {number}"));
        let mut body = template.clone();
        (body.patient, body.key) = (many_patient(number), key.public());
        body.agreement = None;
        chain.sign(&office(1), body)
    });
    let enrolled: Vec<_> = enrolled.collect();
    chain.block(enrolled);
    // Somebody else's count is the oldest.
    chain.ok(&actor_key(11), ask_about(patient(1)));
    chain.ok(&actor_key(11), ask_about(patient(1)));
    let asked = ids
        .iter()
        .map(|id| chain.sign(&actor_key(10), ask_about(*id)));
    let asked: Vec<_> = asked.collect();
    chain.now += 1_000;
    chain.block(asked);
    assert_eq!(chain.head.state().floods().len(), 1_024);
    assert_eq!(counts_of(&chain, Subject::Patient(patient(1))), [2]);
    assert_eq!(counts_of(&chain, Subject::Actor(actor(11))), [2]);
    let listed = |of: Subject| {
        let history = chain.history(of).into_iter();
        let attempts =
            history.filter(|entry| matches!(entry.event, Event::OwnAccess(_) | Event::Access(_)));
        attempts.count()
    };
    assert_eq!(listed(Subject::Actor(actor(10))), 0);
    assert_eq!(listed(Subject::Actor(actor(11))), 0);
    // It goes on as another count.
    chain.ok(&actor_key(11), ask_about(patient(1)));
    assert_eq!(counts_of(&chain, Subject::Patient(ids[0])), [1]);
    chain.now += chain.head.state().params().denial_window_ms;
    chain.ok(&actor_key(10), chain.record(21));
    assert_eq!(counts_of(&chain, Subject::Patient(patient(1))), [2, 1]);
    let all: u64 = counts_of(&chain, Subject::Actor(actor(10))).iter().sum();
    assert_eq!(all, u64::from(many));
    assert_eq!(chain.head.state().floods(), []);
}

fn many_patient(number: u16) -> PatientId {
    let mut id = [0xee; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    PatientId(id)
}

fn ask_about(patient: PatientId) -> AccessRequested {
    AccessRequested {
        patient,
        ..ask(1, &[20], "TREAT")
    }
}

/// The counted attempts in a history, each count's.
fn counts_of(chain: &Chain, of: Subject) -> Vec<u64> {
    let history = chain.history(of).into_iter();
    let counts = history.filter_map(|entry| match entry.event {
        Event::Flood(flood) => {
            assert!(flood.from < flood.until && flood.until <= entry.time);
            Some(flood.count)
        }
        _ => None,
    });
    counts.collect()
}
