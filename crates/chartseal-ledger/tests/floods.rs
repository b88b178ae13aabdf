//! Many denied attempts: listed up to a number, then counted exactly, with the patient and the actor.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::Params;
use chartseal_wire::history::Flood;
use chartseal_wire::{Event, Subject, Time, TxId};
use common::*;

const WINDOW: u64 = 3_600_000;

fn chain(listed: u64, per_org: u64) -> Chain {
    let mut chain = Chain::populated_with(Params {
        max_listed_denials: listed,
        max_listed_denials_per_org: per_org,
        denial_window_ms: WINDOW,
        ..params()
    });
    chain.ok(&actor_key(10), chain.record(20));
    // The beginning of a window.
    chain.now = (chain.now / WINDOW + 1) * WINDOW;
    chain
}

/// So many attempts by practitioner 11, naming patient `named`.
fn ask_often(chain: &mut Chain, named: u8, times: usize) -> Vec<TxId> {
    let one = |chain: &mut Chain| chain.ask(&actor_key(11), ask(named, &[20], "TREAT")).0;
    (0..times).map(|_| one(chain)).collect()
}

fn is_attempt(event: &Event) -> bool {
    matches!(event, Event::Access(_) | Event::OwnAccess(_))
}

/// The attempts that are listed in a history, and the counts.
fn found(chain: &Chain, subject: Subject) -> (usize, Vec<Flood>) {
    let history = chain.history(subject);
    let by = |entry: &&chartseal_wire::Entry| entry.actor == actor(11);
    let listed = history
        .iter()
        .filter(by)
        .filter(|entry| is_attempt(&entry.event));
    let counts = history.iter().filter_map(|entry| match &entry.event {
        Event::Flood(flood) => Some(flood.clone()),
        _ => None,
    });
    (listed.count(), counts.collect())
}

const PATIENT: fn() -> Subject = || Subject::Patient(patient(1));
const ACTOR: fn() -> Subject = || Subject::Actor(actor(11));

#[test]
fn beyond_a_number_denied_attempts_are_one_exact_count_a_window() {
    let mut chain = chain(3, 1_000);
    let attempts = ask_often(&mut chain, 1, 10);
    let end = (chain.now / WINDOW + 1) * WINDOW;
    assert_eq!(
        found(&chain, PATIENT()),
        (3, vec![]),
        "the window is not over"
    );
    assert!(chain.head.state().request(&attempts[9]).is_none());
    // An empty block is enough.
    chain.now = end - 1_000;
    chain.block(vec![]);
    for subject in [PATIENT(), ACTOR()] {
        let (listed, counts) = found(&chain, subject);
        let [count] = &counts[..] else {
            unreachable!("{counts:?}")
        };
        assert_eq!((listed, count.count, count.patient), (3, 7, patient(1)));
        assert_eq!((count.from, count.until), (Time(end - WINDOW), Time(end)));
        assert!(count.is_of(&attempts[3..]) && !count.is_of(&attempts[2..]));
    }
    let last = chain.history(PATIENT()).pop().unwrap();
    assert_eq!(
        (last.tx, last.actor, last.org),
        (attempts[9], actor(11), org(2))
    );
    assert_eq!(chain.head.state().floods(), []);
    // The next window begins anew, and an empty one has no entry.
    ask_often(&mut chain, 1, 3);
    chain.now += WINDOW;
    chain.block(vec![]);
    assert_eq!(found(&chain, PATIENT()).0, 6);
    assert_eq!(found(&chain, PATIENT()).1.len(), 1);
}

#[test]
fn what_is_permitted_is_always_listed() {
    let mut chain = chain(1, 1_000);
    ask_often(&mut chain, 1, 3);
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let permitted = ask_often(&mut chain, 1, 3);
    assert_eq!(found(&chain, PATIENT()).0, 4);
    assert!(chain.head.state().request(&permitted[2]).is_some());
}

#[test]
fn a_flood_under_other_names_is_counted_with_the_owner() {
    let mut chain = chain(2, 1_000);
    // Patient 2 exists, 9 does not; record 20 is patient 1's.
    let attempts = [2, 9, 2, 9, 2].map(|named| ask_often(&mut chain, named, 1)[0]);
    chain.now += WINDOW;
    chain.block(vec![]);
    let (listed, counts) = found(&chain, PATIENT());
    assert_eq!((listed, counts.len()), (2, 1));
    assert!(counts[0].is_of(&attempts[2..]) && counts[0].foreign_claim);
    let (listed, counts) = found(&chain, Subject::Patient(patient(2)));
    assert_eq!((listed, counts.len()), (2, 1));
    assert!(counts[0].is_of(&attempts[4..]));
    // The actor learns of what they named alone, not whose the record is.
    let (listed, counts) = found(&chain, ACTOR());
    assert_eq!((listed, counts.len()), (4, 1));
    assert_eq!(
        (counts[0].patient, counts[0].foreign_claim),
        (patient(2), false)
    );
}

/// Practitioner 11 may read record 21 of patient 2, and asks for it and for record 20 of patient 1.
fn ask_mixed(chain: &mut Chain, times: usize) -> Vec<TxId> {
    chain.ok(&actor_key(10), record(21, 2, chain.now));
    chain.ok(&patient_key(2), directive(2, grant(11, None)));
    let one = |chain: &mut Chain| {
        let (tx, outcomes) = chain.ask(&actor_key(11), ask(2, &[21, 20], "TREAT"));
        let permitted: Vec<bool> = outcomes.iter().map(|one| one.permitted).collect();
        assert_eq!(permitted, [true, false]);
        tx
    };
    (0..times).map(|_| one(chain)).collect()
}

#[test]
fn one_permitted_record_lists_no_flood_with_another_patient() {
    let mut chain = chain(2, 1_000);
    let attempts = ask_mixed(&mut chain, 6);
    chain.now += WINDOW;
    chain.block(vec![]);
    // Record 20's owner has two entries and a count of four.
    let (listed, counts) = found(&chain, PATIENT());
    assert_eq!((listed, counts.len()), (2, 1));
    assert!(counts[0].is_of(&attempts[2..]) && counts[0].foreign_claim);
    // Who was named, and the actor, have each: it was permitted there.
    for subject in [Subject::Patient(patient(2)), ACTOR()] {
        assert_eq!(found(&chain, subject), (6, vec![]));
    }
    assert!(chain.head.state().request(&attempts[5]).is_some());
}

#[test]
fn what_is_denied_beside_something_permitted_counts_for_the_quota() {
    let mut chain = chain(100, 4);
    let attempts = ask_mixed(&mut chain, 6);
    chain.now += WINDOW;
    chain.block(vec![]);
    let (listed, counts) = found(&chain, PATIENT());
    assert_eq!((listed, counts.len()), (4, 1));
    assert!(counts[0].is_of(&attempts[4..]));
    assert_eq!(found(&chain, ACTOR()), (6, vec![]));
}

#[test]
fn an_organization_over_its_quota_has_everything_counted() {
    let mut chain = chain(100, 4);
    let attempts = ask_often(&mut chain, 1, 6);
    chain.now += WINDOW;
    chain.block(vec![]);
    let (listed, counts) = found(&chain, PATIENT());
    assert_eq!((listed, counts.len()), (4, 1));
    assert!(counts[0].is_of(&attempts[4..]));
    // Another organization's are listed.
    let asked = chain.ask(&actor_key(12), ask(1, &[20], "TREAT")).0;
    assert!(
        chain
            .history(PATIENT())
            .iter()
            .any(|entry| entry.tx == asked)
    );
}

#[test]
fn refused_candidates_are_counted_by_rule() {
    let mut chain = chain(1, 1);
    let record = chain.record(20);
    let again = |chain: &mut Chain, by| {
        let key = actor_key(by);
        let seq = chain.next_seq(&key);
        chain
            .transaction(&key, seq, record.clone())
            .sign(|message| key.sign(message))
    };
    let candidates = [10, 10, 99].map(|by| again(&mut chain, by));
    let proposed = chartseal_ledger::propose(&chain.head, Time(chain.now + 1), candidates);
    let expected = [("CS-LED-06", 1), ("CS-LED-24", 2)];
    assert_eq!(
        proposed.refusals().into_iter().collect::<Vec<_>>(),
        expected
    );
}
