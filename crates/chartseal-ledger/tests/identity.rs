//! Ids that are one person, records that are wrong or must be kept, labels that change, practitioners
//! who come back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    Adopted, Countersignature, CustodianReplaced, DepositAcknowledged, DirectiveRelabelling,
    DisputeAnswered, Disputed, DuplicateOf, EmergencyDeclared, Erased, Ground, GuardianAppointed,
    HoldLifted, HoldPlaced, KeyRevoked, KeyRotated, PatientEnrolled, PractitionerReinstated,
    Relabelled, Relabelling, Status, StatusChanged,
};
use chartseal_ledger::{Body, Label, Labels, releasable};
use chartseal_policy::{
    Effect, Exception, Exceptions, Restriction, Revocation, Scope, Set, Symbol, Terms,
};
use chartseal_wire::history::Outcome;
use chartseal_wire::{Event, Hash, Subject, Time, TxId};
use common::*;

fn code(chain: &mut Chain, key: &Key, of: u8, record: u8, purpose: &str) -> String {
    let (_, outcomes): (TxId, Vec<Outcome>) = chain.ask(key, ask(of, &[record], purpose));
    outcomes[0].code.to_string()
}

/// Patients 1 and 2, a provisional patient 4 of office 1; records 20 of 1 and 40 of 4.
fn unconscious() -> Chain {
    let (mut chain, _) = with_record();
    let provisional = PatientEnrolled {
        agreement: None,
        ..enrol_patient(&chain.head, 4)
    };
    chain.ok(&office(1), provisional);
    chain.ok(&actor_key(10), record(40, 4, chain.now));
    chain
}

fn adopt(chain: &Chain, adopted: u8, by: u8, speaker: &Key) -> Adopted {
    let message = Adopted::to_agree(&chain.head.head().chain, &patient(adopted), &patient(by));
    Adopted {
        adopted: patient(adopted),
        agreement: speaker.sign(&message),
    }
}

#[test]
fn cs_led_70_an_adoption_is_of_other_ids_and_of_not_too_many() {
    let mut chain = unconscious();
    let own = adopt(&chain, 1, 1, &patient_key(1));
    assert_eq!(chain.refused(&patient_key(1), own), "CS-LED-70");
    for id in 100..131 {
        chain.ok(&office(1), enrol_patient(&chain.head, id));
        let body = adopt(&chain, id, 1, &patient_key(id));
        chain.ok(&patient_key(1), body);
    }
    let one_more = adopt(&chain, 4, 1, &office(1));
    assert_eq!(chain.refused(&patient_key(1), one_more), "CS-LED-70");
    let body = adopt(&chain, 4, 2, &office(1));
    chain.ok(&patient_key(2), body);
}

#[test]
fn cs_led_71_who_speaks_for_the_adopted_id_agrees() {
    let mut chain = unconscious();
    // The provisional id's key is the office's affair, and another office's word is none.
    for speaker in [patient_key(4), patient_key(1), office(2)] {
        let bad = adopt(&chain, 4, 1, &speaker);
        assert_eq!(chain.refused(&patient_key(1), bad), "CS-LED-71");
    }
    let for_another = adopt(&chain, 4, 2, &office(1));
    assert_eq!(chain.refused(&patient_key(1), for_another), "CS-LED-71");
    // An id with its own agreement is nobody's to give but its own.
    let by_office = adopt(&chain, 2, 1, &office(1));
    assert_eq!(chain.refused(&patient_key(1), by_office), "CS-LED-71");
    let body = adopt(&chain, 4, 1, &office(1));
    chain.ok(&patient_key(1), body);
    let body = adopt(&chain, 2, 1, &patient_key(2));
    chain.ok(&patient_key(1), body);
}

#[test]
fn cs_led_72_an_id_that_was_adopted_has_ended() {
    let mut chain = unconscious();
    let body = adopt(&chain, 4, 1, &office(1));
    chain.ok(&patient_key(1), body);
    let again = adopt(&chain, 4, 2, &office(1));
    assert_eq!(chain.refused(&patient_key(2), again), "CS-LED-72");
    let declared = EmergencyDeclared {
        patient: patient(4),
        reason_code: token("unconscious"),
        reason: Hash([9; 32]),
        has_reason: true,
    };
    assert_eq!(chain.refused(&actor_key(12), declared), "CS-LED-72");
    let granted = directive(4, grant(11, None));
    assert_eq!(chain.refused(&patient_key(1), granted), "CS-LED-72");
    let new = record(41, 4, chain.now);
    assert_eq!(chain.refused(&actor_key(10), new), "CS-LED-72");
    assert_eq!(
        chain.refused(&patient_key(4), directive(1, grant(11, None))),
        "CS-LED-07"
    );
    // What is there is amended under its id, by its author and its patient.
    let second = amended(&record(40, 4, chain.now));
    chain.ok(&actor_key(10), second.clone());
    chain.ok(&patient_key(1), amended(&second));
}

#[test]
fn adopted_records_are_the_adopters_and_their_history_goes_on_with_theirs() {
    let mut chain = unconscious();
    let (request, _) = chain.ask(&actor_key(11), ask(4, &[40], "TREAT"));
    assert_eq!(
        code(&mut chain, &patient_key(1), 1, 40, "PATRQT"),
        "malformed"
    );
    let body = adopt(&chain, 4, 1, &office(1));
    chain.ok(&patient_key(1), body);
    let ended = chain.history(Subject::Patient(patient(4)));
    assert!(matches!(ended.last().unwrap().event, Event::Adopted(_)));
    assert!(
        ended.iter().any(|entry| entry.tx == request),
        "histories stay as they are"
    );

    assert_eq!(code(&mut chain, &patient_key(1), 1, 40, "PATRQT"), "self");
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    // By either id, and never as a foreign claim.
    let mut requests = vec![];
    for named in [1, 4] {
        let (request, outcomes) = chain.ask(&actor_key(11), ask(named, &[40, 20], "TREAT"));
        assert!(outcomes.iter().all(|one| one.permitted));
        let ready = releasable(&chain.head, &request, Time(chain.now), 60_000).unwrap();
        assert_eq!(ready.len(), 2);
        requests.push(request);
    }
    let history = chain.history(Subject::Patient(patient(1)));
    for request in requests {
        let entries: Vec<_> = history.iter().filter(|entry| entry.tx == request).collect();
        let Event::Access(access) = &entries[0].event else {
            unreachable!()
        };
        assert!(entries.len() == 1 && !access.foreign_claim);
        assert!(access.records.iter().all(|one| one.header.is_some()));
    }
    assert_eq!(chain.history(Subject::Patient(patient(4))), ended);
    assert_eq!(chain.head.state().adopted(&patient(1)), [patient(4)]);
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(40),
        },
    );
}

#[test]
fn what_an_adopted_id_restricted_stays_restricted_and_is_the_adopters_to_revoke() {
    let mut chain = unconscious();
    chain.ok(&actor_key(10), record(21, 2, chain.now));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let restricted = Terms::Restrict(Restriction::default());
    let restricted = chain.ok(&patient_key(2), directive(2, restricted));
    let body = adopt(&chain, 2, 1, &patient_key(2));
    chain.ok(&patient_key(1), body);
    assert_eq!(
        code(&mut chain, &actor_key(11), 1, 21, "TREAT"),
        "restricted"
    );
    let target = Symbol::new(restricted.0).unwrap();
    let revoked = directive(1, Terms::Revoke(Revocation { target }));
    chain.ok(&patient_key(1), revoked);
    assert_eq!(code(&mut chain, &actor_key(11), 1, 21, "TREAT"), "granted");
}

/// A body of office 1, countersigned by office 2.
fn by_two_offices(chain: &mut Chain, mut body: Body) {
    let (id, seq) = (chain.head.head().chain, chain.next_seq(&office(1)));
    let message = body.to_countersign(&id, &office(1).public(), seq);
    let second = Some(Countersignature {
        org: org(2),
        signature: office(2).sign(&message),
    });
    match &mut body {
        Body::StatusChanged(body) => body.countersignature = second,
        Body::GuardianAppointed(body) => body.countersignature = second,
        _ => unreachable!(),
    }
    chain.ok(&office(1), body);
}

fn status(of: u8, status: Status) -> Body {
    StatusChanged {
        patient: patient(of),
        status,
        countersignature: None,
    }
    .into()
}

fn appointed(of: u8, guardian: u8, ground: Ground) -> GuardianAppointed {
    GuardianAppointed {
        patient: patient(of),
        guardian: actor(guardian),
        ground,
        window: chartseal_policy::Window::ALWAYS,
        countersignature: None,
    }
}

#[test]
fn cs_led_51_an_id_that_others_speak_for_is_not_adopted_by_its_key() {
    let mut chain = unconscious();
    chain.ok(&office(1), enrol_child(&chain.head, 3));
    let of_child = adopt(&chain, 3, 1, &patient_key(3));
    assert_eq!(chain.refused(&patient_key(1), of_child), "CS-LED-51");
    let body = adopt(&chain, 2, 1, &patient_key(2));
    for lost in [Status::Incapacity, Status::Death] {
        by_two_offices(&mut chain, status(2, lost));
        assert_eq!(chain.refused(&patient_key(1), body), "CS-LED-51");
    }
    by_two_offices(&mut chain, status(2, Status::Capacity));
    chain.ok(&patient_key(1), body);
    // For a provisional id its office speaks, whatever its status.
    by_two_offices(&mut chain, status(4, Status::Incapacity));
    let body = adopt(&chain, 4, 1, &office(1));
    chain.ok(&patient_key(1), body);
}

/// A minor 3 who may consent, with guardian 2, and record 30; practitioner 11 may read what patient 1 has.
fn second_id_of_a_minor() -> Chain {
    let (mut chain, _) = with_record();
    let mut minor = enrol_child(&chain.head, 3);
    minor.minor_consent_from = Some(Time(0));
    minor.agreement = Some(patient_key(3).sign(&minor.to_agree(&chain.head.head().chain)));
    chain.ok(&office(1), minor);
    chain.ok(&actor_key(10), record(30, 3, chain.now));
    by_two_offices(&mut chain, appointed(3, 2, Ground::Minority).into());
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    chain
}

#[test]
fn what_an_adopted_ids_guardian_said_is_judged_by_who_were_its_guardians() {
    let mut chain = second_id_of_a_minor();
    let nobody = |chain: &mut Chain, of, terms| chain.ok(&patient_key(2), directive(of, terms));
    let restricted = || {
        Terms::Restrict(Restriction {
            scope: Scope {
                records: Some(Set::one(Symbol::new([30; 16]).unwrap())),
                ..Scope::default()
            },
            ..Restriction::default()
        })
    };
    // The guardian of 3 is nobody to patient 1, before and after.
    nobody(&mut chain, 1, Terms::Restrict(Restriction::default()));
    nobody(&mut chain, 1, grant(12, None));
    let of_child = nobody(&mut chain, 3, restricted());
    // What the child opened while it could not by itself does not open later.
    let mut for_all = grant(13, None);
    let Terms::Grant(grant) = &mut for_all else {
        unreachable!()
    };
    grant.scope.tags = None;
    chain.ok(&patient_key(3), directive(3, for_all));

    let body = adopt(&chain, 3, 1, &patient_key(3));
    chain.ok(&patient_key(1), body);
    assert_eq!(code(&mut chain, &actor_key(11), 1, 20, "TREAT"), "granted");
    assert_eq!(code(&mut chain, &actor_key(12), 1, 20, "TREAT"), "no_grant");
    assert_eq!(code(&mut chain, &actor_key(13), 1, 20, "TREAT"), "no_grant");
    assert_eq!(
        code(&mut chain, &actor_key(11), 1, 30, "TREAT"),
        "restricted"
    );
    // The guardian's part is over.
    for record in [20, 30] {
        let seen = code(&mut chain, &patient_key(2), 1, record, "FAMRQT");
        assert_ne!(seen, "guardian");
    }
    let target = Symbol::new(of_child.0).unwrap();
    let revoked = Terms::Revoke(Revocation { target });
    chain.ok(&patient_key(1), directive(1, revoked));
    assert_eq!(code(&mut chain, &actor_key(11), 1, 30, "TREAT"), "granted");
}

#[test]
fn a_minors_private_labels_stay_private_with_the_adopters_guardian() {
    let mut chain = second_id_of_a_minor();
    // Another id of the same minor, with a guardian of its own.
    let mut minor = enrol_child(&chain.head, 5);
    minor.minor_consent_from = Some(Time(0));
    minor.agreement = Some(patient_key(5).sign(&minor.to_agree(&chain.head.head().chain)));
    chain.ok(&office(1), minor);
    by_two_offices(&mut chain, appointed(5, 1, Ground::Minority).into());
    let private = |labels: std::ops::Range<u8>| {
        let labels = labels.map(|label| Symbol::new([label; 16]).unwrap());
        let mut body = relabelled(None, vec![]);
        body.private = Some(Set::new(labels).unwrap());
        body
    };
    chain.ok(&patient_key(3), private(2..3));
    let body = adopt(&chain, 3, 5, &patient_key(3));
    chain.ok(&patient_key(5), private(100..164));
    assert_eq!(chain.refused(&patient_key(5), body), "CS-LED-70");
    chain.ok(&patient_key(5), private(100..163));
    chain.ok(&patient_key(5), body);
    assert_eq!(
        chain.head.state().care(&patient(5)).private_labels.len(),
        64
    );
    assert_eq!(
        code(&mut chain, &patient_key(1), 5, 30, "FAMRQT"),
        "minor_private"
    );
}

#[test]
fn an_adopter_that_is_adopted_takes_its_ids_along() {
    let mut chain = unconscious();
    let body = adopt(&chain, 4, 1, &office(1));
    chain.ok(&patient_key(1), body);
    let body = adopt(&chain, 1, 2, &patient_key(1));
    chain.ok(&patient_key(2), body);
    let state = chain.head.state();
    assert_eq!(state.adopted(&patient(2)), [patient(1), patient(4)]);
    assert_eq!(
        (state.owner(&patient(4)), state.adopted(&patient(1))),
        (patient(2), vec![])
    );
    assert_eq!(code(&mut chain, &patient_key(2), 2, 40, "PATRQT"), "self");
}

#[test]
fn cs_led_73_a_repetition_is_of_another_record_that_is_none() {
    let (mut chain, _) = with_record();
    for id in [21, 22] {
        chain.ok(&actor_key(11), record(id, 1, chain.now));
    }
    let duplicate = |record, of| DuplicateOf {
        record: record_id(record),
        of: record_id(of),
    };
    assert_eq!(
        chain.refused(&patient_key(1), duplicate(20, 20)),
        "CS-LED-73"
    );
    assert_eq!(
        chain.refused(&patient_key(2), duplicate(21, 20)),
        "CS-LED-23"
    );
    chain.ok(&patient_key(1), duplicate(21, 20));
    assert_eq!(
        chain.refused(&patient_key(1), duplicate(20, 21)),
        "CS-LED-73"
    );
    assert_eq!(
        chain.refused(&patient_key(1), duplicate(21, 22)),
        "CS-LED-73"
    );
    chain.ok(&patient_key(1), duplicate(22, 20));
    assert_eq!(
        chain.head.state().duplicate_of(&record_id(21)),
        Some(record_id(20))
    );
}

fn disputed(record: u8) -> Disputed {
    Disputed {
        record: record_id(record),
        reason: Hash([0xd1; 32]),
    }
}

fn answered(record: u8, rectified: Option<u64>) -> DisputeAnswered {
    DisputeAnswered {
        record: record_id(record),
        rectified,
        reason: Hash([0xd2; 32]),
    }
}

#[test]
fn cs_led_74_one_dispute_of_a_record_waits_at_a_time() {
    let (mut chain, _) = with_record();
    chain.ok(&patient_key(1), disputed(20));
    assert_eq!(chain.refused(&patient_key(1), disputed(20)), "CS-LED-74");
    chain.ok(&actor_key(10), answered(20, None));
    chain.ok(&patient_key(1), disputed(20));
}

#[test]
fn cs_led_75_what_is_answered_was_disputed() {
    let (mut chain, _) = with_record();
    assert_eq!(
        chain.refused(&actor_key(10), answered(20, None)),
        "CS-LED-75"
    );
    chain.ok(&patient_key(1), disputed(20));
    // By the author's side alone.
    assert_eq!(
        chain.refused(&actor_key(11), answered(20, None)),
        "CS-LED-26"
    );
    chain.ok(&actor_key(13), answered(20, None));
    assert_eq!(
        chain.refused(&actor_key(10), answered(20, None)),
        "CS-LED-75"
    );
}

#[test]
fn cs_led_76_a_rectification_is_a_later_version() {
    let (mut chain, first) = with_record();
    let dispute = chain.ok(&patient_key(1), disputed(20));
    for version in [1, 2] {
        let bad = answered(20, Some(version));
        assert_eq!(chain.refused(&actor_key(10), bad), "CS-LED-76");
    }
    chain.ok(&actor_key(10), amended(&first));
    chain.ok(&actor_key(10), answered(20, Some(2)));
    let history = chain.history(Subject::Patient(patient(1)));
    let Event::DisputeAnswered(answer) = &history.last().unwrap().event else {
        unreachable!()
    };
    assert_eq!((answer.dispute, answer.rectified), (dispute, Some(2)));
}

#[test]
fn who_filed_a_record_rectifies_it_also_after_the_patient_amended_it() {
    let (mut chain, first) = with_record();
    let second = amended(&first);
    chain.ok(&patient_key(1), second.clone());
    chain.ok(&patient_key(1), disputed(20));
    let third = amended(&second);
    assert_eq!(chain.refused(&actor_key(11), third.clone()), "CS-LED-26");
    chain.ok(&actor_key(13), third);
    chain.ok(&actor_key(10), answered(20, Some(3)));
}

/// What office `of` sends next, countersigned by office `by`.
fn hold(chain: &Chain, of: u8, by: u8) -> HoldPlaced {
    let mut body = HoldPlaced {
        record: record_id(20),
        reason_code: token("litigation"),
        countersignature: None,
    };
    let (id, seq) = (chain.head.head().chain, chain.next_seq(&office(of)));
    let message = Body::from(body.clone()).to_countersign(&id, &office(of).public(), seq);
    let signature = office(by).sign(&message);
    body.countersignature = Some(Countersignature {
        org: org(by),
        signature,
    });
    body
}

const LIFTED: HoldLifted = HoldLifted {
    record: chartseal_wire::RecordId([20; 16]),
};

#[test]
fn cs_led_77_a_hold_is_of_the_organization_that_filed_the_record() {
    let (mut chain, first) = with_record();
    let bad = hold(&chain, 2, 1);
    assert_eq!(chain.refused(&office(2), bad), "CS-LED-77");
    let alone = HoldPlaced {
        countersignature: None,
        ..hold(&chain, 1, 2)
    };
    assert_eq!(chain.refused(&office(1), alone), "CS-LED-58");
    // Also when the patient has amended it since.
    chain.ok(&patient_key(1), amended(&first));
    let good = hold(&chain, 1, 2);
    chain.ok(&office(1), good);
}

#[test]
fn cs_led_78_what_is_under_a_hold_is_not_erased() {
    let (mut chain, _) = with_record();
    let body = hold(&chain, 1, 2);
    chain.ok(&office(1), body);
    let again = hold(&chain, 1, 2);
    assert_eq!(chain.refused(&office(1), again), "CS-LED-78");
    let erased = Erased {
        record: record_id(20),
    };
    assert_eq!(chain.refused(&patient_key(1), erased.clone()), "CS-LED-78");
    chain.ok(&office(1), LIFTED);
    chain.ok(&patient_key(1), erased);
}

#[test]
fn cs_led_79_a_hold_is_lifted_by_who_placed_it() {
    let (mut chain, _) = with_record();
    assert_eq!(chain.refused(&office(1), LIFTED), "CS-LED-79");
    let body = hold(&chain, 1, 2);
    let placed = chain.ok(&office(1), body);
    assert_eq!(chain.refused(&office(2), LIFTED), "CS-LED-79");
    chain.ok(&office(1), LIFTED);
    let history = chain.history(Subject::Patient(patient(1)));
    let Event::HoldLifted(lifted) = &history.last().unwrap().event else {
        unreachable!()
    };
    assert_eq!(lifted.hold, placed);
}

// Labels.

fn other_labels() -> Labels {
    Labels::new([11, 12, 13, 14, 15, 16].map(|label| Label([label; 16])))
}

fn tags(labels: Labels) -> Set<Symbol> {
    let tags = labels
        .as_slice()
        .iter()
        .map(|label| Symbol::new(label.0).unwrap());
    Set::new(tags.collect::<Vec<_>>()).unwrap()
}

fn with_tags(terms: &Terms, tags: Option<Set<Symbol>>) -> Terms {
    let mut terms = terms.clone();
    match &mut terms {
        Terms::Grant(grant) => grant.scope.tags = tags,
        Terms::Restrict(restriction) => restriction.scope.tags = tags,
        _ => unreachable!(),
    }
    terms
}

fn relabelled(record: Option<u8>, directives: Vec<(TxId, Terms)>) -> Relabelled {
    let records = record.map(|record| Relabelling {
        record: record_id(record),
        labels: other_labels(),
    });
    let directives = directives.into_iter();
    Relabelled {
        records: records.into_iter().collect(),
        directives: directives
            .map(|(directive, terms)| DirectiveRelabelling { directive, terms })
            .collect(),
        private: None,
    }
}

#[test]
fn records_and_directives_change_their_labels_in_one_transaction() {
    let (mut chain, _) = with_record();
    let old = grant(11, None);
    let granted = chain.ok(&patient_key(1), directive(1, old.clone()));
    let restrict = Terms::Restrict(Restriction {
        scope: Scope {
            tags: Some(tags(labels())),
            ..Scope::default()
        },
        ..Restriction::default()
    });
    let of_another = with_tags(&restrict, Some(tags(other_labels())));
    let narrow = chain.ok(&patient_key(1), directive(1, of_another));
    assert_eq!(code(&mut chain, &actor_key(11), 1, 20, "TREAT"), "granted");
    // The grant follows the record, and so does the restriction, the other way round.
    let body = relabelled(
        Some(20),
        vec![
            (granted, with_tags(&old, Some(tags(other_labels())))),
            (narrow, restrict),
        ],
    );
    chain.ok(&patient_key(1), body);
    assert_eq!(code(&mut chain, &actor_key(11), 1, 20, "TREAT"), "granted");
    let history = chain.history(Subject::Patient(patient(1)));
    let Event::DirectivesRelabelled(event) = &history[history.len() - 2].event else {
        unreachable!()
    };
    assert_eq!(event.directives, [granted, narrow]);
    let stored = chain.head.state().directive(&granted).unwrap().directive;
    assert_eq!(stored.id, Symbol::new(granted.0).unwrap());
}

#[test]
fn cs_led_102_a_directive_changes_in_nothing_but_its_labels() {
    let (mut chain, _) = with_record();
    let old = grant(11, None);
    let granted = chain.ok(&patient_key(1), directive(1, old.clone()));
    let nested = Terms::Restrict(Restriction {
        except: Exceptions::new([Exception {
            depth: 1,
            effect: Effect::Permit,
            scope: Scope {
                tags: Some(tags(labels())),
                ..Scope::default()
            },
        }])
        .unwrap(),
        ..Restriction::default()
    });
    let restricted = chain.ok(&patient_key(1), directive(1, nested.clone()));
    let mut unlabelled = nested.clone();
    let Terms::Restrict(restriction) = &mut unlabelled else {
        unreachable!()
    };
    restriction.except = Exceptions::default();
    let good = with_tags(&old, Some(tags(other_labels())));
    for bad in [
        vec![(granted, grant(12, None))],
        vec![(granted, grant(11, Some(chain.now)))],
        vec![(granted, with_tags(&old, None))],
        vec![(granted, with_tags(&old, Some(Set::default())))],
        vec![(granted, Terms::Restrict(Restriction::default()))],
        vec![(restricted, unlabelled)],
        vec![(granted, good.clone()), (granted, good.clone())],
    ] {
        let bad = relabelled(None, bad);
        assert_eq!(chain.refused(&patient_key(1), bad), "CS-LED-102");
    }
    let foreign = relabelled(None, vec![(granted, good.clone())]);
    assert_eq!(chain.refused(&patient_key(2), foreign), "CS-LED-38");
    assert_eq!(
        chain.refused(&patient_key(1), Relabelled::of(vec![])),
        "CS-LED-36"
    );
    let many = (0..65u8).map(|id| Symbol::new([id; 16]).unwrap());
    let mut private = relabelled(None, vec![]);
    private.private = Some(Set::new(many).unwrap());
    assert_eq!(chain.refused(&patient_key(1), private), "CS-LED-102");
    chain.ok(&patient_key(1), relabelled(None, vec![(granted, good)]));
}

#[test]
fn a_minors_private_labels_close_a_record_to_the_guardian() {
    let mut chain = Chain::populated();
    let mut child = enrol_child(&chain.head, 3);
    child.minor_consent_from = Some(Time(0));
    child.agreement = Some(patient_key(3).sign(&child.to_agree(&chain.head.head().chain)));
    chain.ok(&office(1), child);
    chain.ok(&actor_key(10), record(30, 3, chain.now));
    let mut appointed = GuardianAppointed {
        patient: patient(3),
        guardian: actor(1),
        ground: Ground::Minority,
        window: chartseal_policy::Window::ALWAYS,
        countersignature: None,
    };
    let (id, seq) = (chain.head.head().chain, chain.next_seq(&office(1)));
    let message = Body::from(appointed.clone()).to_countersign(&id, &office(1).public(), seq);
    let signature = office(2).sign(&message);
    appointed.countersignature = Some(Countersignature {
        org: org(2),
        signature,
    });
    chain.ok(&office(1), appointed);
    assert_eq!(
        code(&mut chain, &patient_key(1), 3, 30, "FAMRQT"),
        "guardian"
    );
    // A guardian's restriction is not the minor's to rewrite.
    let restricted = Terms::Restrict(Restriction {
        scope: Scope {
            tags: Some(tags(other_labels())),
            ..Scope::default()
        },
        ..Restriction::default()
    });
    let guardians = chain.ok(&patient_key(1), directive(3, restricted.clone()));
    let rewritten = with_tags(&restricted, Some(tags(labels())));
    let bad = relabelled(None, vec![(guardians, rewritten)]);
    assert_eq!(chain.refused(&patient_key(3), bad), "CS-LED-51");
    let mut private = relabelled(None, vec![]);
    private.private = Some(Set::one(Symbol::new([2; 16]).unwrap()));
    chain.ok(&patient_key(3), private);
    assert_eq!(
        code(&mut chain, &patient_key(1), 3, 30, "FAMRQT"),
        "minor_private"
    );
}

#[test]
fn cs_led_103_an_office_takes_back_whom_it_suspended() {
    let (mut chain, _) = with_record();
    let id = chain.head.head().chain;
    let mut enrolment = enrol_practitioner(id, 10, 1, &["doctor"]);
    enrolment.key = Key::new("practitioner 10, new").public();
    let back = PractitionerReinstated { enrolment };
    assert_eq!(chain.refused(&office(1), back.clone()), "CS-LED-103");
    chain.ok(
        &office(1),
        KeyRevoked {
            key: actor_key(10).public(),
        },
    );
    assert_eq!(chain.refused(&office(2), back.clone()), "CS-LED-103");
    let mut old = back.clone();
    old.enrolment.key = actor_key(10).public();
    assert_eq!(chain.refused(&office(1), old), "CS-LED-13");
    let mut emergency = back.clone();
    emergency.enrolment.roles = symbols(&["emergency"]);
    assert_eq!(chain.refused(&office(1), emergency), "CS-LED-16");
    chain.ok(&office(1), back);
    // The same author amends their record.
    let new = Key::new("practitioner 10, new");
    chain.ok(&new, amended(&record(20, 1, chain.now)));
    assert_eq!(
        chain.refused(&actor_key(10), record(21, 1, chain.now)),
        "CS-LED-07"
    );
}

/// Organization 2's custodian gets this key from the office.
fn replaced(chain: &Chain, new: &Key) -> CustodianReplaced {
    let message = KeyRotated::to_possess(&chain.head.head().chain, &org(2).into(), &new.public());
    CustodianReplaced {
        rotation: KeyRotated {
            key: new.public(),
            kem: Some([0x72; 32]),
            possession: new.sign(&message),
        },
    }
}

#[test]
fn an_office_gives_its_custodian_another_key_whatever_became_of_the_one_before() {
    let (thief, lost) = (
        Key::new("thief"),
        KeyRevoked {
            key: custodian(2).public(),
        },
    );
    for is_stolen in [true, false] {
        let (mut chain, _) = with_record();
        let new = Key::new("custodian 2, new");
        let old = if is_stolen {
            // Who has the node's keys rotates first.
            let rotated = replaced(&chain, &thief).rotation;
            chain.ok(&custodian(2), rotated);
            &thief
        } else {
            chain.ok(&office(2), lost.clone());
            &custodian(2)
        };
        let good = replaced(&chain, &new);
        // The office alone, and for its own; with a new key that agrees to be this organization's.
        for key in [old, &actor_key(11)] {
            let rule = chain.refused(key, good.clone());
            assert!(matches!(rule, "CS-LED-07" | "CS-LED-10"), "{rule}");
        }
        assert_eq!(chain.refused(&office(1), good.clone()), "CS-LED-18");
        let mut bad = good.clone();
        bad.rotation.possession = thief.sign(b"another");
        assert_eq!(chain.refused(&office(2), bad), "CS-LED-18");
        for taken in [custodian(1), custodian(2)] {
            let bad = replaced(&chain, &taken);
            assert_eq!(chain.refused(&office(2), bad), "CS-LED-13");
        }
        let tx = chain.ok(&office(2), good);

        let state = chain.head.state();
        let organization = state.org(&org(2)).unwrap();
        assert_eq!(
            (organization.custodian_key, organization.custodian_kem),
            (new.public(), [0x72; 32])
        );
        assert_eq!(state.former_key(&new.public()), Some(old.public()));
        let history = chain.history(Subject::Actor(org(2).into()));
        let entered: Vec<_> = history.iter().filter(|entry| entry.tx == tx).collect();
        let Event::KeyChanged(changed) = &entered[0].event else {
            unreachable!()
        };
        let found = (entered.len(), changed.old, changed.new);
        assert_eq!(found, (1, old.public(), Some(new.public())));
        // It is the same custodian, and the old key is nobody.
        let acknowledged = DepositAcknowledged {
            record: record_id(20),
            header: header(20, 1),
            index: 2,
        };
        assert_eq!(chain.refused(old, acknowledged.clone()), "CS-LED-07");
        chain.ok(&new, acknowledged);
    }
}
