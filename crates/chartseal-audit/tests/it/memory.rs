//! What a verifier remembers of entries: a part is judged as if all of them were there.

use chartseal_audit::{AnomalyKind, Kept, Options, Report, verify};
use chartseal_codec::to_bytes;
use chartseal_wire::history::{Destroyed, HoldLifted, HoldPlaced};
use chartseal_wire::{Event, RecordId, Time, TxId};

use crate::fixture::*;

fn patient() -> Network {
    let mut net = Network::new(0xcc);
    net.event(subject(), PATIENT.into(), enrolled(PATIENT));
    net
}

fn report(net: &Network, parts: &Parts, kept: Option<&Kept>) -> Report {
    proved(net.ask(parts, kept).verdict())
}

/// The entries since what was kept, judged.
fn part(net: &Network, kept: &Kept) -> Report {
    let (_, first) = kept.histories().next().unwrap();
    report(net, &net.export_since(first, kept.log_size()), Some(kept))
}

fn kinds(report: &Report) -> Vec<(u64, AnomalyKind)> {
    let all = report.anomalies.iter();
    all.map(|one| (one.entry, one.kind.clone())).collect()
}

fn wait(net: &mut Network, until: Time) {
    while net.now() < until {
        net.seal();
    }
}

fn hold(record: RecordId) -> Event {
    Event::HoldPlaced(HoldPlaced {
        record,
        reason_code: token("litigation"),
    })
}

#[test]
fn an_emergency_that_nobody_reviews_is_told_in_every_later_part() {
    let mut net = patient();
    let end = net.now().plus_ms(3_600_000);
    net.declare(SURGEON);
    let broken = net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
    let judge = |net: &Network, kept: &Kept, first| {
        let parts = net.export_since(first, kept.log_size());
        let options = Options {
            review_period_ms: STEP,
            ..Options::default()
        };
        proved(verify(&parts.text(), &net.policy(), Some(kept), &options))
    };
    let first = report(&net, &net.export(), None);
    assert_eq!(
        (kinds(&first), first.histories[0].open_reviews.len()),
        (vec![], 1)
    );
    // Nothing new, and not due yet.
    net.seal();
    let second = judge(&net, &first.kept, 3);
    let open = &second.histories[0].open_reviews;
    assert_eq!((open[0].entry, open[0].due), (2, end.plus_ms(STEP)));
    // Then it is overdue, however often that is told.
    wait(&mut net, end.plus_ms(3 * STEP));
    let overdue = [(
        2,
        AnomalyKind::ReviewOverdue {
            due: end.plus_ms(STEP),
        },
    )];
    let third = judge(&net, &second.kept, 3);
    assert_eq!(kinds(&third), overdue);
    net.seal();
    let fourth = judge(&net, &third.kept, 3);
    assert_eq!(kinds(&fourth), overdue);
    // A review that is late is told once more, and then it is over.
    net.event(subject(), REVIEWER, reviewed(broken));
    let fifth = judge(&net, &fourth.kept, 3);
    assert_eq!(kinds(&fifth), overdue);
    net.seal();
    let sixth = judge(&net, &fifth.kept, 4);
    assert_eq!((kinds(&sixth), sixth.histories[0].unjudged), (vec![], 0));
    assert_eq!(sixth.kept, net.report(&net.export()).kept);
}

#[test]
fn who_reviews_their_own_earlier_emergency_is_told() {
    let mut net = patient();
    net.declare(SURGEON);
    let broken = net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
    let kept = net.report(&net.export()).kept;
    net.event(subject(), SURGEON, reviewed(broken));
    assert_eq!(
        kinds(&part(&net, &kept)),
        [(3, AnomalyKind::ReviewOfOneself)]
    );
}

#[test]
fn holds_erasures_and_declarations_from_before_a_part_count_in_it() {
    let mut net = patient();
    let place = net.event(subject(), REVIEWER, hold(LAB));
    net.event(subject(), PATIENT.into(), erased(NOTE));
    net.declare(SURGEON);
    let kept = net.report(&net.export()).kept;
    net.event(subject(), PATIENT.into(), erased(LAB));
    let ask = net.access(DOCTOR, &[(NOTE, true, "granted", None)]);
    net.event(subject(), DOCTOR, released(ask, 1, &[NOTE]));
    let destroyed = Event::Destroyed(Destroyed {
        record: NOTE,
        custodian: 1,
    });
    net.event(subject(), DOCTOR, destroyed);
    net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
    let found = part(&net, &kept);
    let expected = [
        (4, AnomalyKind::ErasedUnderHold(LAB)),
        (6, AnomalyKind::ReleaseAfterErasure(NOTE)),
    ];
    assert_eq!(kinds(&found), expected);
    let history = &found.histories[0];
    assert_eq!((history.unjudged, history.open_reviews.len()), (0, 1));
    assert!(!history.is_unremembered);
    // An erasure after a hold that is lifted is none under it.
    let lift = Event::HoldLifted(HoldLifted {
        record: LAB,
        hold: place,
    });
    net.event(subject(), REVIEWER, lift);
    net.event(subject(), PATIENT.into(), erased(LAB));
    assert_eq!(kinds(&part(&net, &found.kept)), []);
    // Who kept none of it says so.
    let blind = part(&net, &older(&kept));
    assert_eq!(kinds(&blind), []);
    assert!(blind.histories[0].is_unremembered);
    assert!(blind.to_string().contains("they were not kept"), "{blind}");
    net.seal();
    let later = part(&net, &blind.kept);
    assert!(later.histories[0].is_unremembered, "nor does it learn");
    let whole = report(
        &net,
        &net.export_since(0, blind.kept.log_size()),
        Some(&blind.kept),
    );
    assert!(!whole.histories[0].is_unremembered);
    net.seal();
    assert!(!part(&net, &whole.kept).histories[0].is_unremembered);
}

/// Wherever a history is cut, the two parts say what the whole says, but for what the second counts as not judged.
#[test]
fn parts_together_find_what_the_whole_finds() {
    let events = |net: &mut Network, up_to: usize| {
        let mut ids: Vec<TxId> = Vec::new();
        for step in 0..up_to {
            ids.push(match step {
                0 => net.declare(SURGEON),
                1 | 8 => net.access(SURGEON, &[(NOTE, true, "emergency", None)]),
                2 => net.access(DOCTOR, &[(LAB, true, "emergency", None)]),
                3 | 7 => net.event(subject(), REVIEWER, hold(LAB)),
                5 => net.event(subject(), SURGEON, reviewed(ids[1])),
                6 => {
                    let (record, hold) = (LAB, ids[3]);
                    let lift = Event::HoldLifted(HoldLifted { record, hold });
                    net.event(subject(), REVIEWER, lift)
                }
                _ => net.event(subject(), PATIENT.into(), erased(LAB)),
            });
        }
    };
    let all = 10;
    let mut whole = patient();
    events(&mut whole, all);
    let full = whole.report(&whole.export());
    assert_eq!(full.anomalies.len(), 4);
    for cut in 0..=all {
        let mut before = patient();
        events(&mut before, cut);
        let first = before.report(&before.export());
        let second = part(&whole, &first.kept);
        assert_eq!(second.kept, full.kept, "cut at {cut}");
        let mut both = kinds(&first);
        both.extend(kinds(&second));
        assert_eq!(both, kinds(&full), "cut at {cut}");
        assert_eq!(second.histories[0].unjudged, 0, "cut at {cut}");
        let open = &second.histories[0].open_reviews;
        assert_eq!(*open, full.histories[0].open_reviews, "cut at {cut}");
    }
}

/// A state has its bound: a history that would need more is not remembered, and its parts say so.
#[test]
fn more_than_a_state_holds_is_not_remembered() {
    for (records, is_too_many) in [(4096_u16, false), (4097, true)] {
        let mut net = patient();
        for at in 0..records {
            let mut record = RecordId([0x77; 16]);
            record.0[..2].copy_from_slice(&at.to_be_bytes());
            let entry = net.entry_of(PATIENT.into(), TxId([5; 32]), erased(record));
            net.raw(subject(), to_bytes(&entry));
        }
        net.seal();
        let kept = net.report(&net.export()).kept;
        assert!(kept.to_bytes().len() < 1 << 19);
        assert_eq!(Kept::from_bytes(&kept.to_bytes()).unwrap(), kept);
        net.seal();
        let history = &part(&net, &kept).histories[0];
        assert_eq!(history.is_unremembered, is_too_many);
    }
}
