//! One visit, as the ledger sees it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    AccessRequested, DepositAcknowledged, Destroyed, EmergencyDeclared, EmergencyReviewed, Erased,
    KeyRotated, Relabelled, Relabelling, Released,
};
use chartseal_ledger::state::Deposited;
use chartseal_ledger::{Body, INBOX, Label, Labels, NotReleasable, releasable};
use chartseal_policy::{Code, Revocation, Symbol, Terms};
use chartseal_wire::history::{Access, Outcome, outcome_commitment};
use chartseal_wire::{Event, Hash, Subject, Time, TxId};
use common::*;

const DELTA: u64 = 60_000;

fn revoke(target: TxId) -> Terms {
    Terms::Revoke(Revocation {
        target: Symbol::new(target.0).unwrap(),
    })
}

fn declare(owner: u8) -> EmergencyDeclared {
    EmergencyDeclared {
        patient: patient(owner),
        reason_code: token("unconscious"),
        reason: Hash([9; 32]),
        has_reason: true,
    }
}

fn codes(outcomes: &[Outcome]) -> Vec<&str> {
    outcomes.iter().map(|one| one.code.as_str()).collect()
}

fn now(chain: &Chain) -> Time {
    Time(chain.now)
}

/// What a custodian says of one request.
fn release(chain: &Chain, request: &TxId) -> Result<usize, NotReleasable> {
    releasable(&chain.head, request, now(chain), DELTA).map(|records| records.len())
}

#[test]
fn a_record_is_deposited_by_a_quorum_and_durable_by_all() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let status = |chain: &Chain| chain.head.state().deposit(&header(20, 1)).unwrap().status();
    for (index, expected) in [
        (1, Deposited::NotYet),
        (2, Deposited::NotYet),
        (3, Deposited::Deposited),
        (4, Deposited::Durable),
    ] {
        let body = DepositAcknowledged {
            record: record_id(20),
            header: header(20, 1),
            index,
        };
        chain.ok(&custodian(u8::try_from(index).unwrap()), body);
        assert_eq!(status(&chain), expected);
    }
    assert_eq!(
        chain.history(Subject::Actor(org(2).into())).len(),
        1,
        "acknowledging is no entry"
    );
}

#[test]
fn a_grant_opens_what_it_names_and_a_revocation_closes_it_for_decisions_and_releases() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let (_, before) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    assert_eq!(codes(&before), ["no_grant"]);

    let granted = chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, outcomes) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    assert_eq!(codes(&outcomes), ["granted"]);
    assert_eq!(outcomes[0].basis, [token(&granted.to_string())]);
    let ready = releasable(&chain.head, &request, now(&chain), DELTA).unwrap();
    assert_eq!(
        (ready[0].record, ready[0].header),
        (record_id(20), header(20, 1))
    );
    assert_eq!(ready[0].patient, patient(1));

    let (_, other) = chain.ask(&actor_key(11), ask(1, &[20], "HRESCH"));
    assert_eq!(codes(&other), ["no_grant"]);

    chain.ok(&patient_key(1), directive(1, revoke(granted)));
    let withdrawn = NotReleasable::Withdrawn {
        code: Code::NoGrant,
    };
    assert_eq!(release(&chain, &request), Err(withdrawn));
    let (_, after) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    assert_eq!(codes(&after), ["no_grant"]);
}

#[test]
fn a_permit_ends_with_its_grant_and_with_the_release_window() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let until = chain.now + 10_000;
    chain.ok(&patient_key(1), directive(1, grant(11, Some(until))));
    let (short, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    let permit = *chain
        .head
        .state()
        .request(&short)
        .unwrap()
        .permit(&record_id(20))
        .unwrap();
    assert_eq!(permit.until, Time(until));
    assert_eq!(release(&chain, &short), Ok(1));
    chain.now = until - 1_000;
    chain.block(vec![]);
    assert_eq!(chain.now, until);
    assert_eq!(
        release(&chain, &short),
        Err(NotReleasable::TooLate { until: Time(until) })
    );

    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (long, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    let end = chain.now + chain.head.params().release_window_ms;
    chain.now = end - 2_000;
    chain.block(vec![]);
    assert_eq!(release(&chain, &long), Ok(1));
    chain.block(vec![]);
    assert_eq!(
        release(&chain, &long),
        Err(NotReleasable::TooLate { until: Time(end) })
    );
}

#[test]
fn a_custodian_that_is_behind_or_has_a_wrong_clock_releases_nothing() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    for (clock, good) in [
        (chain.now + DELTA, true),
        (chain.now + DELTA + 1, false),
        (chain.now - DELTA, true),
        (chain.now - DELTA - 1, false),
    ] {
        let result = releasable(&chain.head, &request, Time(clock), DELTA);
        let stale = NotReleasable::Stale {
            apart_ms: DELTA + 1,
            allowed_ms: DELTA,
        };
        assert_eq!(result.map(|_| ()), if good { Ok(()) } else { Err(stale) });
    }
    assert_eq!(
        release(&chain, &TxId([1; 32])),
        Err(NotReleasable::UnknownRequest)
    );
    let (denied, _) = chain.ask(&actor_key(11), ask(1, &[20], "HPAYMT"));
    assert_eq!(release(&chain, &denied), Err(NotReleasable::Denied));
}

#[test]
fn a_permit_to_search_or_to_add_releases_no_key() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let all = ["read", "search", "create", "amend", "export"];
    let Terms::Grant(mut any) = grant(11, None) else {
        panic!()
    };
    let actions = all.map(|action| action.parse().unwrap());
    any.scope.actions = Some(chartseal_policy::Set::new(actions).unwrap());
    chain.ok(&patient_key(1), directive(1, Terms::Grant(any)));
    for action in all {
        let body = AccessRequested {
            action: token(action),
            ..ask(1, &[20], "TREAT")
        };
        let (request, outcomes) = chain.ask(&actor_key(11), body);
        assert_eq!(codes(&outcomes), ["granted"]);
        let opens = ["read", "export"].contains(&action);
        let expected = if opens {
            Ok(1)
        } else {
            Err(NotReleasable::Denied)
        };
        assert_eq!(release(&chain, &request), expected, "{action}");
        if !opens {
            let receipt = Released {
                request,
                records: vec![record_id(20)],
            };
            assert_eq!(chain.refused(&custodian(1), receipt), "CS-LED-45");
        }
    }
}

#[test]
fn receipts_enter_the_patients_history() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    for id in [2, 4] {
        chain.ok(
            &custodian(id),
            Released {
                request,
                records: vec![record_id(20)],
            },
        );
    }
    let permit = *chain
        .head
        .state()
        .request(&request)
        .unwrap()
        .permit(&record_id(20))
        .unwrap();
    assert_eq!(permit.released, 0b1010);
    let history = chain.history(Subject::Patient(patient(1)));
    let releases = history.iter().filter_map(|entry| match &entry.event {
        Event::Released(released) => Some((entry.org, released.custodian, released.request)),
        _ => None,
    });
    let releases: Vec<_> = releases.collect();
    assert_eq!(releases, [(org(2), 2, request), (org(4), 4, request)]);
}

#[test]
fn the_patient_reads_their_own_records() {
    let mut chain = Chain::populated();
    let own = chain.record(20);
    let later = chartseal_ledger::body::RecordAdded {
        release_at: Some(Time(chain.now + 1_000_000)),
        ..record(21, 1, chain.now)
    };
    chain.ok(&actor_key(10), own);
    chain.ok(&actor_key(10), later);
    chain.ok(&actor_key(10), record(22, 2, chain.now));
    let (_, outcomes) = chain.ask(&patient_key(1), ask(1, &[20, 21, 22], "PATRQT"));
    assert_eq!(codes(&outcomes), ["self", "release_delayed", "malformed"]);
}

#[test]
fn an_emergency_is_declared_permitted_counted_and_reviewed() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let physician = actor_key(12);
    let (_, outcomes) = chain.ask(&physician, ask(1, &[20], "BTG"));
    assert_eq!(codes(&outcomes), ["emergency_not_declared"]);
    let declared = chain.ok(&physician, declare(1));
    let (request, outcomes) = chain.ask(&physician, ask(1, &[20], "BTG"));
    assert_eq!(codes(&outcomes), ["emergency"]);
    assert_eq!(outcomes[0].basis, [token(&declared.to_string())]);
    let obligations = ["log", "notify_patient", "reason", "review"].map(token);
    assert_eq!(outcomes[0].obligations, obligations);
    assert_eq!(release(&chain, &request), Ok(1));

    let unreviewed = |chain: &Chain| chain.head.state().emergencies(&org(1))[0].unreviewed;
    assert_eq!(unreviewed(&chain), 1);
    let due = chain.head.state().emergencies(&org(1))[0].until.0 + params().review_within_ms;
    let overdue = |chain: &Chain, at| chain.head.state().overdue_reviews(&org(1), Time(at));
    assert_eq!((overdue(&chain, due), overdue(&chain, due + 1)), (0, 1));
    chain.ok(
        &actor_key(13),
        EmergencyReviewed {
            request,
            justified: true,
        },
    );
    assert_eq!((unreviewed(&chain), overdue(&chain, due + 1)), (0, 0));
    assert!(chain.head.state().request(&request).unwrap().reviewed);
}

#[test]
fn an_emergency_role_takes_effect_after_the_delay() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let body = enrol_practitioner(chain.head.head().chain, 14, 1, &["emergency"]);
    chain.ok(&office(1), body);
    let from = chain.now + DELAY;
    chain.ok(&actor_key(14), declare(1));
    let (_, early) = chain.ask(&actor_key(14), ask(1, &[20], "BTG"));
    chain.now = from - 1_000;
    let (_, late) = chain.ask(&actor_key(14), ask(1, &[20], "BTG"));
    assert_eq!(
        (codes(&early), codes(&late)),
        (vec!["emergency_role"], vec!["emergency"])
    );
}

#[test]
fn overdue_reviews_close_what_is_above_normal() {
    let mut params = params();
    params.network.emergency.as_mut().unwrap().max_overdue = 1;
    let mut chain = Chain::populated_with(params);
    let restricted = chartseal_ledger::body::RecordAdded {
        confidentiality: chartseal_policy::Confidentiality::R,
        ..chain.record(20)
    };
    chain.ok(&actor_key(10), restricted);
    chain.ok(&actor_key(12), declare(1));
    let (request, first) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    chain.now += 100 * 3_600_000;
    chain.ok(&actor_key(12), declare(1));
    let (_, second) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    chain.ok(
        &actor_key(13),
        EmergencyReviewed {
            request,
            justified: false,
        },
    );
    let (_, third) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    assert_eq!(codes(&first), ["emergency"]);
    assert_eq!(codes(&second), ["emergency_review_overdue"]);
    assert_eq!(codes(&third), ["emergency"]);
}

#[test]
fn an_amendment_is_a_new_version_that_names_the_old_one() {
    let mut chain = Chain::populated();
    let first = chain.record(20);
    chain.ok(&actor_key(10), first.clone());
    chain.ok(&actor_key(10), amended(&first));
    let head = chain.head.state().record(&record_id(20)).unwrap();
    assert_eq!((head.version, head.header), (2, header(20, 2)));
    let history = chain.history(Subject::Patient(patient(1)));
    let Event::RecordAdded(added) = &history.last().unwrap().event else {
        panic!()
    };
    assert_eq!((added.version, added.supersedes), (2, Some(header(20, 1))));
}

#[test]
fn an_erased_record_opens_no_more_and_its_history_stays() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(20),
        },
    );
    assert_eq!(release(&chain, &request), Err(NotReleasable::Erased));
    for id in 1..=4 {
        chain.ok(
            &custodian(id),
            Destroyed {
                record: record_id(20),
            },
        );
    }
    assert_eq!(
        chain.head.state().record(&record_id(20)).unwrap().destroyed,
        0b1111
    );
    let (_, outcomes) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    assert_eq!(codes(&outcomes), ["not_visible"]);
    let history = chain.history(Subject::Patient(patient(1)));
    let last = &history.last().unwrap().event;
    assert!(matches!(last, Event::Access(access) if !access.foreign_claim));
    assert_eq!(history.len(), 10, "every step is in the history");
}

#[test]
fn every_attempt_is_with_the_patient_it_names_the_owner_and_the_actor() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), record(20, 1, chain.now));
    chain.ok(&actor_key(10), record(21, 2, chain.now));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, outcomes) = chain.ask(&actor_key(11), ask(1, &[20, 21, 99], "TREAT"));
    assert_eq!(codes(&outcomes), ["granted", "malformed", "not_visible"]);
    let access = |id| match chain.history(Subject::Patient(patient(id))).last().unwrap() {
        entry if entry.tx == request && entry.actor == actor(11) => match &entry.event {
            Event::Access(access) => access.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let named: Access = access(1);
    assert!(!named.foreign_claim && named.release_until.is_some());
    assert_eq!(named.records.len(), 3);
    assert_eq!(named.records[0], outcomes[0]);
    assert_eq!(
        named.records[1].header, None,
        "another patient's record is not shown"
    );
    let owner = access(2);
    assert!(owner.foreign_claim && owner.release_until.is_none());
    assert_eq!(
        owner.records,
        [outcomes[1].clone()],
        "the owner sees their own records alone"
    );

    let own = chain.history(Subject::Actor(actor(11)));
    let Event::OwnAccess(own) = &own.last().unwrap().event else {
        panic!()
    };
    assert_eq!(own.patient, patient(1));
    let permitted: Vec<_> = own.records.iter().map(|one| one.permitted).collect();
    assert_eq!(permitted, [true, false, false]);
    let salts = [[1 ^ 0xff; 32], [2 ^ 0xff; 32], [1 ^ 0xff; 32]];
    for ((one, salt), outcome) in own.records.iter().zip(salts).zip(&outcomes) {
        assert_eq!(one.outcome, outcome_commitment(&salt, &request, outcome));
    }
}

#[test]
fn an_attempt_on_nobody_is_with_the_actor_alone_and_under_a_salt_they_do_not_have() {
    let mut chain = Chain::populated();
    let (request, outcomes) = chain.ask(&actor_key(11), ask(77, &[99], "TREAT"));
    assert_eq!(codes(&outcomes), ["not_visible"]);
    assert_eq!(chain.last.entries.len(), 1);
    let own = chain.history(Subject::Actor(actor(11)));
    let Event::OwnAccess(own) = &own.last().unwrap().event else {
        panic!()
    };
    let guess = outcome_commitment(&[0; 32], &request, &outcomes[0]);
    assert_ne!(own.records[0].outcome, guess);
    assert_eq!(
        own.records[0].outcome,
        outcome_commitment(&[0x5a; 32], &request, &outcomes[0])
    );
}

#[test]
fn unknown_words_are_decided_as_malformed_and_not_refused() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let mut odd = ask(1, &[20], "CURIOSITY");
    let (_, purpose) = chain.ask(&actor_key(11), odd.clone());
    odd.purpose = token("TREAT");
    odd.action = token("steal");
    let (_, action) = chain.ask(&actor_key(11), odd);
    assert_eq!(
        (codes(&purpose), codes(&action)),
        (vec!["malformed"], vec!["malformed"])
    );
}

#[test]
fn what_lies_in_the_inbox_needs_a_grant_that_names_it_until_the_patient_relabels_it() {
    let mut chain = Chain::populated();
    let filed = chartseal_ledger::body::RecordAdded {
        labels: Labels::inbox(),
        ..chain.record(20)
    };
    chain.ok(&actor_key(10), filed);
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (_, before) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    let Terms::Grant(mut named) = grant(11, None) else {
        panic!()
    };
    named.scope.tags = Some(symbols(&["INBOX"]));
    let opened = chain.ok(&patient_key(1), directive(1, Terms::Grant(named)));
    let (_, by_name) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    chain.ok(&patient_key(1), directive(1, revoke(opened)));
    let one = Relabelling {
        record: record_id(20),
        labels: labels(),
    };
    chain.ok(&patient_key(1), Relabelled::of(vec![one]));
    let (_, after) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    assert_eq!(codes(&before), ["no_grant"]);
    assert_eq!(codes(&by_name), ["granted"]);
    assert_eq!(codes(&after), ["granted"]);
}

#[test]
fn labels_are_sorted_so_that_their_place_tells_nothing() {
    let [a, b] = [Label([1; 16]), Label([2; 16])];
    assert_eq!(
        Labels::new([b, a, INBOX, a, b, b]).as_slice(),
        [a, a, b, b, b, INBOX]
    );
    let bytes = chartseal_codec::to_bytes(&[b, a, a, a, a, a][..]);
    assert!(chartseal_codec::from_bytes::<Labels>(&bytes).is_err());
}

#[test]
fn a_rotated_key_signs_no_more_and_the_new_one_is_the_same_person() {
    let mut chain = Chain::populated();
    let new = Key::new("patient 1, new");
    let message =
        KeyRotated::to_possess(&chain.head.head().chain, &patient(1).into(), &new.public());
    let rotation = KeyRotated {
        key: new.public(),
        kem: Some([3; 32]),
        possession: new.sign(&message),
    };
    chain.ok(&patient_key(1), rotation);
    let again: Body = directive(1, grant(11, None)).into();
    assert_eq!(chain.refused(&patient_key(1), again.clone()), "CS-LED-07");
    chain.ok(&new, again);
    let state = chain.head.state().patient(&patient(1)).unwrap();
    assert_eq!((state.key, state.kem), (new.public(), [3; 32]));
    // What the old one signed is still theirs.
    let old = patient_key(1).public();
    let state = chain.head.state();
    assert_eq!(state.former_key(&new.public()), Some(old));
    let keys: Vec<_> = state.author_keys(&patient(1).into()).collect();
    assert_eq!(keys, [new.public(), old]);
}
