//! What proven entries show. Each test makes a network that writes one thing that it should not.

use chartseal_audit::{Anomaly, AnomalyKind, Options, Report, verify};
use chartseal_codec::to_bytes;
use chartseal_wire::history::{
    Adopted, Destroyed, DisputeAnswered, Disputed, Flood, HoldLifted, HoldPlaced,
    RecoveryCompleted, RecoveryStarted, RecoveryVetoed, Redealt, SlotAdded,
};
use chartseal_wire::{Event, Hash, HeaderDigest, PublicKey, Subject, Time, TxId};

use crate::fixture::*;

/// The kinds in a report of the whole history, with the entries where they are.
fn found(net: &Network) -> Vec<(u64, AnomalyKind)> {
    kinds(net.report(&net.export()))
}

fn kinds(report: Report) -> Vec<(u64, AnomalyKind)> {
    report
        .anomalies
        .into_iter()
        .map(|a| (a.entry, a.kind))
        .collect()
}

fn patient() -> Network {
    let mut net = Network::new(0xcc);
    net.event(subject(), PATIENT.into(), enrolled(PATIENT));
    net
}

#[test]
fn a_release_without_a_request() {
    let mut net = patient();
    let nothing = TxId([0xfe; 32]);
    net.event(subject(), DOCTOR, released(nothing, 1, &[LAB]));
    assert_eq!(
        found(&net),
        [(1, AnomalyKind::ReleaseWithoutRequest(nothing))]
    );
}

#[test]
fn a_release_of_what_was_denied_or_not_asked_for() {
    let mut net = patient();
    let grant = net.event(subject(), PATIENT.into(), directive("grant", None));
    let ask = net.access(
        DOCTOR,
        &[
            (LAB, true, "granted", Some(grant)),
            (NOTE, false, "no_grant", None),
        ],
    );
    let strange = chartseal_wire::RecordId([0x77; 16]);
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB, NOTE, strange]));
    let expected = [
        (3, AnomalyKind::ReleaseWithoutPermit(NOTE)),
        (3, AnomalyKind::ReleaseWithoutPermit(strange)),
    ];
    assert_eq!(found(&net), expected);
}

#[test]
fn a_release_outside_its_window() {
    let mut net = patient();
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", None)]);
    // The last block of the window, and the first after it: ten minutes in steps of a second.
    while net.headers.len() < 2 + 599 {
        net.seal();
    }
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
    net.event(subject(), DOCTOR, released(ask, 2, &[LAB]));
    assert_eq!(found(&net), [(3, AnomalyKind::ReleaseOutsideWindow)]);
}

/// A permit that rests on no directive outlasts the revocation of any.
#[test]
fn a_release_by_a_permit_without_a_directive_after_a_revocation_is_nothing_odd() {
    let mut net = patient();
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", None)]);
    let other = directive("revoke", Some(TxId([0xfe; 32])));
    net.event(subject(), PATIENT.into(), other);
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
    assert_eq!(found(&net), []);
}

#[test]
fn a_release_after_the_revocation_of_all_that_permitted_it() {
    let mut net = patient();
    let grant = net.event(subject(), PATIENT.into(), directive("grant", None));
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", Some(grant))]);
    net.event(
        subject(),
        PATIENT.into(),
        directive("revoke", Some(TxId([0xfe; 32]))),
    );
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
    assert_eq!(found(&net), []);
    net.event(subject(), PATIENT.into(), directive("revoke", Some(grant)));
    net.event(subject(), DOCTOR, released(ask, 2, &[LAB]));
    assert_eq!(found(&net), [(6, AnomalyKind::ReleaseAfterRevocation)]);
}

#[test]
fn a_release_after_erasure() {
    let mut net = patient();
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", None)]);
    net.event(subject(), PATIENT.into(), erased(LAB));
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
    assert_eq!(found(&net), [(3, AnomalyKind::ReleaseAfterErasure(LAB))]);
}

#[test]
fn a_receipt_from_no_custodian() {
    let mut net = patient();
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", None)]);
    for custodian in [0, 4, 5, 64, 65] {
        net.event(subject(), DOCTOR, released(ask, custodian, &[LAB]));
    }
    // Four witnesses are no four custodians.
    let expected = [
        (2, AnomalyKind::NoSuchCustodian(0)),
        (6, AnomalyKind::NoSuchCustodian(65)),
    ];
    assert_eq!(found(&net), expected);
    let text = net.verify(&net.export()).to_string();
    assert!(text.contains("the number is from 1 to 64"), "{text}");
}

/// A custodian's index is its place in the committee that a record was dealt to, whoever witnesses the log.
#[test]
fn custodians_are_those_of_the_committees_that_the_file_shows() {
    let mut net = Network::certified(0);
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", None)]);
    for custodian in [1, 4, 5, 7, 8] {
        net.event(subject(), DOCTOR, released(ask, custodian, &[LAB]));
    }
    let judged = |net: &Network, policy: &str, parts: &Parts| {
        let policy = policy.to_owned();
        let report = proved(
            Question {
                policy,
                ..net.ask(parts, None)
            }
            .verdict(),
        );
        let is_told = report.assumptions.iter().any(|one| one.contains("1 to 64"));
        let custodians = report.certified.as_ref().and_then(|one| one.custodians);
        assert_eq!(custodians.is_none(), is_told);
        let kinds: Vec<_> = kinds(report).into_iter().map(|(_, kind)| kind).collect();
        (custodians, kinds)
    };
    let none = |indices: &[u64]| {
        let all = indices.iter().copied().map(AnomalyKind::NoSuchCustodian);
        all.collect::<Vec<_>>()
    };
    // One outside witness beside the committee makes no difference to who is a custodian.
    let both = "group both all network v1\nquorum both";
    let beside = net.committee_policy(0).replace("quorum network", both);
    let others = ["witness v2", "witness v3", "witness v4"];
    let is_other = |line: &&str| others.iter().any(|other| line.starts_with(other));
    let lines: Vec<&str> = beside.lines().filter(|line| !is_other(line)).collect();
    let beside = lines.join("\n") + "\n";
    let mut parts = net.certified_export();
    parts.cosigners = vec![0];
    assert_eq!(judged(&net, &beside, &parts), (Some(4), none(&[5, 7, 8])));
    // The network grew from four to seven, under the policy of its genesis.
    let mut grown = net;
    grown.second = Some(committee_of(1, 7));
    grown.hand_over();
    grown.event(subject(), DOCTOR, added(NOTE));
    let mut parts = grown.certified_export();
    parts.cosigners = vec![0];
    assert_eq!(
        judged(&grown, &grown.committee_policy(0), &parts),
        (Some(7), none(&[8]))
    );
    // Who pins the later committee alone knows nothing of those before it.
    let mut short = grown.certified_export();
    let finality = short.export.finality.as_mut().unwrap();
    finality.first = finality.handovers.pop().unwrap().next;
    let pinned = committee_of(1, 7).hash().to_string();
    let earlier = committee(0).hash().to_string();
    let later = grown.committee_policy(0).replace(&earlier, &pinned);
    assert_eq!(judged(&grown, &later, &short), (None, none(&[])));
}

#[test]
fn an_emergency_without_a_declaration_in_force() {
    let mut net = patient();
    net.declare(SURGEON);
    let own = net.access(SURGEON, &[(LAB, true, "emergency", None)]);
    let anothers = net.access(DOCTOR, &[(LAB, true, "emergency", None)]);
    net.event(subject(), REVIEWER, reviewed(own));
    net.event(subject(), REVIEWER, reviewed(anothers));
    assert_eq!(found(&net), [(3, AnomalyKind::EmergencyUndeclared)]);
    // The declaration is for an hour.
    while net.headers.len() < 3700 {
        net.seal();
    }
    let late = net.access(SURGEON, &[(LAB, true, "emergency", None)]);
    net.event(subject(), REVIEWER, reviewed(late));
    assert_eq!(found(&net)[1], (6, AnomalyKind::EmergencyUndeclared));
}

#[test]
fn a_review_is_first_due_and_then_overdue() {
    let mut net = patient();
    let end = net.now().plus_ms(3_600_000);
    net.declare(SURGEON);
    net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
    while net.headers.last().unwrap().time < end.plus_ms(STEP) {
        net.seal();
    }
    let judge = |review_period_ms| {
        let options = Options {
            review_period_ms,
            ..Options::default()
        };
        let file = net.export().text();
        proved(verify(&file, &net.policy(), None, &options))
    };
    let report = judge(STEP);
    assert_eq!(report.anomalies, []);
    let open = &report.histories[0].open_reviews;
    assert_eq!((open[0].entry, open[0].due), (2, end.plus_ms(STEP)));
    let report = judge(STEP - 1);
    assert_eq!(report.histories[0].open_reviews, []);
    let due = end.plus_ms(STEP - 1);
    assert_eq!(kinds(report), [(2, AnomalyKind::ReviewOverdue { due })]);
}

#[test]
fn a_review_that_comes_too_late_is_none() {
    let review_at = |steps_late: u64| {
        let mut net = patient();
        let end = net.now().plus_ms(3_600_000);
        net.declare(SURGEON);
        let broken = net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
        while net.now() < end.plus_ms((1 + steps_late) * STEP) {
            net.seal();
        }
        net.event(subject(), REVIEWER, reviewed(broken));
        // A second one mends nothing, and takes nothing back.
        net.event(subject(), REVIEWER, reviewed(broken));
        let options = Options {
            review_period_ms: STEP,
            ..Options::default()
        };
        let file = net.export().text();
        let report = proved(verify(&file, &net.policy(), None, &options));
        assert_eq!(report.histories[0].open_reviews, []);
        (kinds(report), end.plus_ms(STEP))
    };
    assert_eq!(review_at(0).0, []);
    let (found, due) = review_at(1);
    assert_eq!(found, [(2, AnomalyKind::ReviewOverdue { due })]);
}

#[test]
fn a_review_by_oneself_or_of_nothing() {
    let mut net = patient();
    net.declare(SURGEON);
    let broken = net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
    let plain = net.access(SURGEON, &[(NOTE, true, "granted", None)]);
    net.event(subject(), SURGEON, reviewed(broken));
    net.event(subject(), REVIEWER, reviewed(plain));
    let expected = [
        (4, AnomalyKind::ReviewOfOneself),
        (5, AnomalyKind::ReviewWithoutEmergency(plain)),
    ];
    assert_eq!(found(&net), expected);
}

#[test]
fn a_claim_to_be_asking_for_somebody_else() {
    let mut net = patient();
    net.access(DOCTOR, &[(LAB, false, "malformed", None)]);
    let mut entry: chartseal_wire::Entry =
        chartseal_codec::from_bytes(&net.histories[&subject()][1].1).unwrap();
    let Event::Access(access) = &mut entry.event else {
        panic!()
    };
    access.foreign_claim = true;
    entry.height = net.headers.len() as u64;
    entry.time = net.now();
    net.raw(subject(), to_bytes(&entry));
    net.seal();
    // Its reason is sealed to that somebody: here it is not missed.
    let mut parts = net.export();
    parts.export.texts.clear();
    let expected = [
        (1, AnomalyKind::TextMissing),
        (2, AnomalyKind::ForeignClaim),
    ];
    assert_eq!(kinds(net.report(&parts)), expected);
}

#[test]
fn a_reason_that_is_missing_is_covered_by_an_erasure_or_is_an_anomaly() {
    let mut net = patient();
    net.access(
        DOCTOR,
        &[
            (LAB, false, "no_grant", None),
            (NOTE, false, "no_grant", None),
        ],
    );
    net.access(DOCTOR, &[(NOTE, false, "no_grant", None)]);
    net.declare(SURGEON);
    let mut parts = net.export();
    parts.export.texts.clear();
    let missing = |at| (at, AnomalyKind::TextMissing);
    assert_eq!(
        kinds(net.report(&parts)),
        [missing(1), missing(2), missing(3)]
    );

    // The erasure of a record covers the reasons of requests before it that named the record. Not
    // those after it, nor a declaration, which names none.
    net.event(subject(), PATIENT.into(), erased(LAB));
    net.access(DOCTOR, &[(LAB, false, "not_visible", None)]);
    let mut parts = net.export();
    parts.export.texts.clear();
    let report = net.report(&parts);
    assert_eq!(
        (report.histories[0].redacted, report.histories[0].erasures),
        (1, 1)
    );
    assert_eq!(kinds(report), [missing(2), missing(3), missing(5)]);
}

#[test]
fn a_destruction_of_what_was_not_erased() {
    let mut net = patient();
    let destroyed = Event::Destroyed(Destroyed {
        record: LAB,
        custodian: 1,
    });
    net.event(subject(), DOCTOR, destroyed.clone());
    net.event(subject(), PATIENT.into(), erased(LAB));
    net.event(subject(), DOCTOR, destroyed);
    assert_eq!(
        found(&net),
        [(1, AnomalyKind::DestroyedWithoutErasure(LAB))]
    );
}

fn slot(request: Option<TxId>) -> Event {
    Event::SlotAdded(SlotAdded {
        record: LAB,
        header: HeaderDigest([3; 32]),
        kem: [4; 32],
        request,
    })
}

#[test]
fn a_key_sealed_or_dealt_by_somebody_who_should_not_have_it() {
    let mut net = patient();
    net.event(subject(), DOCTOR, added(LAB));
    let ask = net.access(SURGEON, &[(LAB, true, "granted", None)]);
    let denied = net.access(SURGEON, &[(LAB, false, "no_grant", None)]);
    let redealt = |request| {
        Event::Redealt(Redealt {
            record: LAB,
            header: HeaderDigest([3; 32]),
            deal: 1,
            request,
        })
    };
    // The author, the patient, and a reader by their own permitted request.
    net.event(subject(), DOCTOR, slot(None));
    net.event(subject(), PATIENT.into(), slot(None));
    net.event(subject(), SURGEON, redealt(Some(ask)));
    // A stranger, by another's request, by a denied one.
    net.event(subject(), SURGEON, slot(None));
    net.event(subject(), REVIEWER, redealt(Some(ask)));
    net.event(subject(), SURGEON, slot(Some(denied)));
    let odd = |at| (at, AnomalyKind::KeyWithoutPermit(LAB));
    assert_eq!(found(&net), [odd(7), odd(8), odd(9)]);
}

#[test]
fn an_erasure_under_a_legal_hold() {
    let mut net = patient();
    let place = || {
        Event::HoldPlaced(HoldPlaced {
            record: LAB,
            reason_code: token("litigation"),
        })
    };
    let hold = net.event(subject(), REVIEWER, place());
    net.event(subject(), PATIENT.into(), erased(LAB));
    net.event(subject(), PATIENT.into(), erased(NOTE));
    let lift = Event::HoldLifted(HoldLifted { record: LAB, hold });
    net.event(subject(), REVIEWER, lift);
    net.event(subject(), PATIENT.into(), erased(LAB));
    assert_eq!(found(&net), [(2, AnomalyKind::ErasedUnderHold(LAB))]);
    // Two holds on one record: it is free when both are lifted.
    let one = net.event(subject(), REVIEWER, place());
    let other = net.event(subject(), REVIEWER, place());
    for (hold, at) in [(one, 8), (other, 10)] {
        net.event(subject(), PATIENT.into(), erased(LAB));
        let odd = (at, AnomalyKind::ErasedUnderHold(LAB));
        assert_eq!(found(&net).last(), Some(&odd));
        let lift = Event::HoldLifted(HoldLifted { record: LAB, hold });
        net.event(subject(), REVIEWER, lift);
    }
    let before = found(&net);
    net.event(subject(), PATIENT.into(), erased(LAB));
    assert_eq!(found(&net), before);
}

#[test]
fn a_recovery_that_was_not_begun_vetoed_or_too_early() {
    let mut net = patient();
    let completed = |recovery| {
        Event::RecoveryCompleted(RecoveryCompleted {
            recovery,
            bundle: Hash([5; 32]),
        })
    };
    let started = |due| {
        Event::RecoveryStarted(RecoveryStarted {
            key: PublicKey([6; 32]),
            guardians: vec![DOCTOR],
            due,
        })
    };
    let none = TxId([0xfe; 32]);
    net.event(subject(), DOCTOR, completed(none));
    let early = net.event(subject(), DOCTOR, started(Time(START + 3_600_000)));
    net.event(subject(), DOCTOR, completed(early));
    let vetoed = net.event(subject(), DOCTOR, started(net.now()));
    let veto = Event::RecoveryVetoed(RecoveryVetoed { recovery: vetoed });
    net.event(subject(), PATIENT.into(), veto);
    net.event(subject(), DOCTOR, completed(vetoed));
    let good = net.event(subject(), DOCTOR, started(net.now()));
    net.event(subject(), DOCTOR, completed(good));
    let odd = |at, tx| (at, AnomalyKind::RecoveryOutOfTurn(tx));
    assert_eq!(found(&net), [odd(1, none), odd(3, early), odd(6, vetoed)]);
}

#[test]
fn counted_attempts_are_denials_and_counted_after_their_window() {
    let mut net = patient();
    let attempts = [TxId([1; 32]), TxId([2; 32])];
    let mut log = chartseal_merkle::Frontier::new();
    for attempt in &attempts {
        log.append(Flood::leaf(attempt));
    }
    let flood = |count, until| Flood {
        patient: PATIENT,
        foreign_claim: false,
        from: Time(START),
        until,
        count,
        root: log.root(),
    };
    let good = flood(2, net.now());
    assert!(good.is_of(&attempts) && !good.is_of(&attempts[..1]));
    assert!(!good.is_of(&[attempts[1], attempts[0]]));
    net.event(subject(), SURGEON, Event::Flood(good));
    net.event(subject(), SURGEON, Event::Flood(flood(0, net.now())));
    let early = flood(1, net.now().plus_ms(1));
    net.event(subject(), SURGEON, Event::Flood(early));
    net.event(subject(), SURGEON, Event::Flood(flood(1, Time(START))));
    let report = net.report(&net.export());
    assert_eq!(report.histories[0].denied, 4);
    let odd = |at| (at, AnomalyKind::FloodOutOfWindow);
    assert_eq!(kinds(report), [odd(2), odd(3), odd(4)]);
}

#[test]
fn an_adopted_id_without_its_history() {
    let mut net = patient();
    let adoption = || {
        Event::Adopted(Adopted {
            adopted: OTHER,
            by: PATIENT,
        })
    };
    let other = Subject::Patient(OTHER);
    net.event(other, OTHER.into(), enrolled(OTHER));
    net.event(other, PATIENT.into(), adoption());
    net.event(subject(), PATIENT.into(), adoption());
    let missing = [(1, AnomalyKind::AdoptedHistoryMissing(OTHER))];
    assert_eq!(found(&net), missing);
    let mut both = [(subject(), 0), (other, 0)];
    both.sort_unstable();
    let parts = net.export_of(&both, net.headers.len() - 1);
    assert_eq!(kinds(net.report(&parts)), []);
}

#[test]
fn a_dispute_without_its_text() {
    let mut net = patient();
    let reason = Hash([0x99; 32]);
    let dispute = Event::Disputed(Disputed {
        record: LAB,
        version: 1,
        reason,
    });
    let dispute = net.event(subject(), PATIENT.into(), dispute);
    let answer = |record| {
        Event::DisputeAnswered(DisputeAnswered {
            record,
            dispute,
            rectified: None,
            reason,
        })
    };
    net.event(subject(), DOCTOR, answer(NOTE));
    net.event(subject(), PATIENT.into(), erased(NOTE));
    let report = net.report(&net.export());
    assert_eq!(report.histories[0].redacted, 1);
    assert_eq!(kinds(report), [(1, AnomalyKind::TextMissing)]);
}

#[test]
fn time_that_runs_backwards_or_ahead_of_the_block() {
    let mut net = patient();
    for time in [net.now(), Time(START), Time(START + 3_600_000)] {
        let mut entry = net.entry(PATIENT.into(), directive("grant", None));
        entry.time = time;
        net.raw(subject(), to_bytes(&entry));
        net.seal();
    }
    assert_eq!(
        found(&net),
        [
            (2, AnomalyKind::TimeBackwards),
            (3, AnomalyKind::TimeBackwards)
        ]
    );
}

#[test]
fn a_part_does_not_judge_what_refers_to_before_it() {
    let mut net = patient();
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", None)]);
    let kept = net.report(&net.export()).kept;
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
    // What can be seen in the part alone is judged.
    net.event(subject(), DOCTOR, released(ask, 65, &[LAB]));
    let parts = net.export_since(2, kept.log_size());
    let report = proved(verify(
        &parts.text(),
        &net.policy(),
        Some(&kept),
        &Options::default(),
    ));
    assert_eq!(report.histories[0].unjudged, 2);
    assert!(
        report
            .to_string()
            .contains("2 entries refer to what was exported before")
    );
    assert_eq!(kinds(report), [(3, AnomalyKind::NoSuchCustodian(65))]);
}

#[test]
fn an_actors_history_is_complete_and_not_judged() {
    let mut net = patient();
    let actor = Subject::Actor(DOCTOR);
    net.event(actor, DOCTOR, released(TxId([0xfe; 32]), 0, &[LAB]));
    let report = net.report(&net.export_of(&[(actor, 0)], net.headers.len() - 1));
    assert_eq!(
        (report.histories[0].releases, report.anomalies.len()),
        (1, 0)
    );
}

/// Each kind, and what the verdict says of it.
fn sentences() -> [(AnomalyKind, String); 19] {
    use AnomalyKind as Kind;
    let (tx, due) = (TxId([0xfe; 32]), Time(START));
    let (t, r) = ("fe".repeat(32), "11".repeat(16));
    let says = |kind: AnomalyKind, text: &str| (kind, text.to_owned());
    [
        says(
            Kind::TimeBackwards,
            "time runs backwards, or beyond the header's",
        ),
        says(
            Kind::ReleaseWithoutRequest(tx),
            &format!("shares released for request {t}, which is not here"),
        ),
        says(
            Kind::ReleaseWithoutPermit(LAB),
            &format!("shares released of record {r}, which was not permitted"),
        ),
        says(
            Kind::ReleaseOutsideWindow,
            "shares released outside the permit's window",
        ),
        says(
            Kind::ReleaseAfterRevocation,
            "a release is recorded after its permit's directive was revoked",
        ),
        says(
            Kind::ReleaseAfterErasure(LAB),
            &format!("shares released of record {r} after its erasure"),
        ),
        says(
            Kind::NoSuchCustodian(9),
            "a receipt by custodian 9, which can't exist",
        ),
        says(
            Kind::EmergencyUndeclared,
            "an emergency access without a declaration",
        ),
        says(
            Kind::ReviewOverdue { due },
            "an emergency access not reviewed by 2026-11-22T00:00:00.000Z",
        ),
        says(
            Kind::ReviewOfOneself,
            "an emergency access reviewed by whoever made it",
        ),
        says(
            Kind::ReviewWithoutEmergency(tx),
            &format!("a review of request {t}, which is no emergency here"),
        ),
        says(
            Kind::ForeignClaim,
            "a record asked for under another patient's name",
        ),
        says(Kind::TextMissing, "the reason text is missing"),
        says(
            Kind::DestroyedWithoutErasure(LAB),
            &format!("destruction attested of record {r}, which was not erased"),
        ),
        says(
            Kind::KeyWithoutPermit(LAB),
            &format!(
                "the key of record {r} was sealed or dealt by somebody who should not have it"
            ),
        ),
        says(
            Kind::ErasedUnderHold(LAB),
            &format!("record {r} erased under a legal hold"),
        ),
        says(
            Kind::RecoveryOutOfTurn(tx),
            &format!("a key recovered by {t}, which was not begun, or not due"),
        ),
        says(
            Kind::AdoptedHistoryMissing(OTHER),
            &format!(
                "the history of the adopted id {} is missing",
                "a2".repeat(16)
            ),
        ),
        says(
            Kind::FloodOutOfWindow,
            "a count of attempts that is not of its window",
        ),
    ]
}

#[test]
fn every_anomaly_is_named_in_the_verdict() {
    let all = sentences();
    let mut report = patient().report(&patient().export());
    report.anomalies = (0..)
        .zip(&all)
        .map(|(entry, (kind, _))| Anomaly {
            subject: subject(),
            entry,
            kind: kind.clone(),
        })
        .collect();
    let text = report.to_string();
    assert!(text.contains("Anomalies (19):"), "{text}");
    for (at, (_, says)) in (0..).zip(&all) {
        let line = format!("\n  patient {PATIENT} entry {at}: {says}\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
    // These are all that there are: those of the docs' table, in its order.
    let docs = include_str!("../../../../docs/audit.md");
    let section = docs
        .split("\n## ")
        .find(|part| part.starts_with("Anomalies"));
    let rows = section.unwrap().lines();
    let rows = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    let name = |kind: &AnomalyKind| {
        let name = format!("{kind:?}");
        let end = name.find([' ', '(']).unwrap_or(name.len());
        name[..end].to_owned()
    };
    let ours: Vec<String> = all.iter().map(|(kind, _)| name(kind)).collect();
    assert_eq!(rows.collect::<Vec<_>>(), ours);
}
