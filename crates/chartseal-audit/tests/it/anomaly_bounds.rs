//! Where an anomaly begins and where none is: equal times, long lists, parts of histories.

use chartseal_audit::{AnomalyKind, Options, Report, verify};
use chartseal_codec::to_bytes;
use chartseal_wire::history::{
    Destroyed, Disputed, OwnAccess, OwnOutcome, RecoveryCompleted, SlotAdded,
};
use chartseal_wire::{Event, Hash, HeaderDigest, RecordId, TxId};

use crate::fixture::*;

fn patient() -> Network {
    let mut net = Network::new(0xcc);
    net.event(subject(), PATIENT.into(), enrolled(PATIENT));
    net
}

fn report(net: &Network) -> Report {
    net.report(&net.export())
}

fn kinds(report: &Report) -> Vec<(u64, AnomalyKind)> {
    let all = report.anomalies.iter();
    all.map(|one| (one.entry, one.kind.clone())).collect()
}

fn own_access(permitted: bool) -> Event {
    Event::OwnAccess(OwnAccess {
        action: token("read"),
        purpose: token("PATRQT"),
        reason_code: token("own"),
        patient: PATIENT,
        records: vec![OwnOutcome {
            record: LAB,
            permitted,
            outcome: Hash([6; 32]),
        }],
    })
}

#[test]
fn entries_of_one_block_have_one_time_and_that_is_none_backwards() {
    let mut net = patient();
    for _ in 0..2 {
        let entry = net.entry(PATIENT.into(), directive("grant", None));
        net.raw(subject(), to_bytes(&entry));
    }
    net.seal();
    assert_eq!(kinds(&report(&net)), []);
}

#[test]
fn a_request_of_many_records_is_judged_like_one_of_few() {
    for n in [2, 15, 16, 17, 40] {
        let mut net = patient();
        let id = |at: u8| RecordId([0x80 + at; 16]);
        // The last one is permitted. Of a record that comes twice the last decision counts.
        let others = (0..n - 1).map(|at| (id(at), false, "code", None));
        let mut records: Vec<_> = others.chain([(LAB, true, "code", None)]).collect();
        let mut ask = |records: &[_]| {
            let ask = net.access(DOCTOR, records);
            net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
            kinds(&report(&net)).len()
        };
        assert_eq!(ask(&records), 0, "{n} records");
        records[0] = (LAB, false, "code", None);
        assert_eq!(ask(&records), 0, "{n} records, denied and permitted");
        records.rotate_left(1);
        assert_eq!(ask(&records), 1, "{n} records, permitted and denied");
    }
}

#[test]
fn an_older_request_is_found_behind_many_newer_ones() {
    let mut net = patient();
    let asks: Vec<TxId> = (0..20)
        .map(|_| net.access(DOCTOR, &[(LAB, true, "granted", None)]))
        .collect();
    for ask in &asks {
        net.event(subject(), DOCTOR, released(*ask, 1, &[LAB]));
    }
    net.event(subject(), DOCTOR, released(TxId([0xfe; 32]), 1, &[LAB]));
    let nothing = AnomalyKind::ReleaseWithoutRequest(TxId([0xfe; 32]));
    assert_eq!(kinds(&report(&net)), [(41, nothing)]);
}

#[test]
fn a_directive_that_revokes_nothing_revokes_nothing() {
    let mut net = patient();
    let grant = net.event(subject(), PATIENT.into(), directive("grant", None));
    let ask = net.access(DOCTOR, &[(LAB, true, "granted", Some(grant))]);
    net.event(subject(), PATIENT.into(), directive("narrow", Some(grant)));
    net.event(subject(), DOCTOR, released(ask, 1, &[LAB]));
    assert_eq!(kinds(&report(&net)), []);
}

#[test]
fn a_text_that_is_there_is_neither_missed_nor_redacted() {
    let mut net = patient();
    let reason = net.text();
    let dispute = Event::Disputed(Disputed {
        record: LAB,
        version: 1,
        reason,
    });
    let dispute = net.event(subject(), PATIENT.into(), dispute);
    let reason = net.text();
    let answer = Event::DisputeAnswered(chartseal_wire::history::DisputeAnswered {
        record: LAB,
        dispute,
        rectified: None,
        reason,
    });
    net.event(subject(), DOCTOR, answer);
    assert_eq!(kinds(&report(&net)), []);
    net.event(subject(), PATIENT.into(), erased(LAB));
    let report = report(&net);
    assert_eq!((report.histories[0].redacted, kinds(&report)), (0, vec![]));
}

#[test]
fn a_declaration_ends_at_its_time() {
    let mut net = patient();
    let until = net.now().plus_ms(3_600_000);
    net.declare(SURGEON);
    while net.now().plus_ms(STEP) < until {
        net.seal();
    }
    let last = net.access(SURGEON, &[(LAB, true, "emergency", None)]);
    assert_eq!(net.now(), until);
    let late = net.access(SURGEON, &[(LAB, true, "emergency", None)]);
    for broken in [last, late] {
        net.event(subject(), REVIEWER, reviewed(broken));
    }
    assert_eq!(
        kinds(&report(&net)),
        [(3, AnomalyKind::EmergencyUndeclared)]
    );
}

#[test]
fn what_happened_is_counted() {
    let mut net = patient();
    for (permitted, times) in [(true, 3), (false, 2)] {
        for _ in 0..times {
            net.event(subject(), PATIENT.into(), own_access(permitted));
        }
    }
    net.declare(SURGEON);
    net.declare(DOCTOR);
    let history = &report(&net).histories[0];
    assert_eq!((history.permitted, history.denied), (3, 2));
    assert_eq!((history.declarations, history.emergencies), (2, 0));
}

/// What refers to something before a part is counted in the part, and an anomaly in the whole.
#[test]
fn a_part_counts_each_kind_of_entry_that_refers_to_before_it() {
    let unknown = TxId([0xfe; 32]);
    let slot = |request| {
        Event::SlotAdded(SlotAdded {
            record: LAB,
            header: HeaderDigest([3; 32]),
            kem: [4; 32],
            request,
        })
    };
    let completed = Event::RecoveryCompleted(RecoveryCompleted {
        recovery: unknown,
        bundle: Hash([5; 32]),
    });
    let destroyed = Event::Destroyed(Destroyed {
        record: LAB,
        custodian: 1,
    });
    let odd = [
        (
            reviewed(unknown),
            AnomalyKind::ReviewWithoutEmergency(unknown),
        ),
        (completed, AnomalyKind::RecoveryOutOfTurn(unknown)),
        (destroyed, AnomalyKind::DestroyedWithoutErasure(LAB)),
        (slot(None), AnomalyKind::KeyWithoutPermit(LAB)),
        (slot(Some(unknown)), AnomalyKind::KeyWithoutPermit(LAB)),
        (
            released(unknown, 1, &[LAB]),
            AnomalyKind::ReleaseWithoutRequest(unknown),
        ),
    ];
    for (event, kind) in odd {
        let mut net = patient();
        let kept = report(&net).kept;
        net.event(subject(), SURGEON, event.clone());
        net.event(subject(), SURGEON, event);
        let whole = report(&net);
        assert_eq!(kinds(&whole), [(1, kind.clone()), (2, kind)]);
        assert_eq!(whole.histories[0].unjudged, 0);
        let file = net.export_since(1, kept.log_size()).text();
        let options = Options::default();
        let part = proved(verify(&file, &net.policy(), Some(&older(&kept)), &options));
        assert_eq!((kinds(&part), part.histories[0].unjudged), (vec![], 2));
        // Which records were erased, a state of this version remembers.
        let part = proved(verify(&file, &net.policy(), Some(&kept), &options));
        let is_known = matches!(
            whole.anomalies[0].kind,
            AnomalyKind::DestroyedWithoutErasure(_)
        );
        let expected = if is_known {
            (kinds(&whole), 0)
        } else {
            (vec![], 2)
        };
        assert_eq!((kinds(&part), part.histories[0].unjudged), expected);
    }
}

#[test]
fn an_emergency_in_a_part_may_have_been_declared_before_it() {
    let mut net = patient();
    let kept = report(&net).kept;
    let broken = net.access(SURGEON, &[(LAB, true, "emergency", None)]);
    net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
    net.event(subject(), REVIEWER, reviewed(broken));
    let whole = report(&net);
    let undeclared = |at| (at, AnomalyKind::EmergencyUndeclared);
    assert_eq!(kinds(&whole), [undeclared(1), undeclared(2)]);
    assert_eq!(whole.histories[0].open_reviews.len(), 1);
    let file = net.export_since(1, kept.log_size()).text();
    let options = Options::default();
    let part = proved(verify(&file, &net.policy(), Some(&older(&kept)), &options));
    let history = &part.histories[0];
    assert_eq!((kinds(&part), history.unjudged), (vec![], 2));
    // When its review is due, nobody here knows.
    assert_eq!(history.open_reviews, []);
    let says = "not judged reviews, holds and erasures from before entry 1: they were not kept";
    assert!(part.to_string().contains(says), "{part}");
    // But who kept the declarations knows that there was none.
    let part = proved(verify(&file, &net.policy(), Some(&kept), &options));
    assert_eq!(kinds(&part), kinds(&whole));
    assert_eq!(
        part.histories[0].open_reviews,
        whole.histories[0].open_reviews
    );
    assert!(!part.to_string().contains("not judged"), "{part}");
}

#[test]
fn after_an_adoption_a_key_may_rest_on_the_other_ids_history() {
    let slot = || {
        Event::SlotAdded(SlotAdded {
            record: LAB,
            header: HeaderDigest([3; 32]),
            kem: [4; 32],
            request: None,
        })
    };
    let mut net = patient();
    net.event(subject(), SURGEON, slot());
    let adopted = Event::Adopted(chartseal_wire::history::Adopted {
        adopted: OTHER,
        by: PATIENT,
    });
    net.event(subject(), PATIENT.into(), adopted);
    net.event(subject(), SURGEON, slot());
    let report = report(&net);
    let expected = [
        (1, AnomalyKind::KeyWithoutPermit(LAB)),
        (2, AnomalyKind::AdoptedHistoryMissing(OTHER)),
    ];
    assert_eq!(
        (kinds(&report).as_slice(), report.histories[0].unjudged),
        (&expected[..], 1)
    );
}
