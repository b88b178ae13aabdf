//! Slots and re-deals: who may pass a record's key on, and what custodians release from then on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    Erased, RedealAcknowledged, Redealt, Released, SlotAdded, SlotRemoved,
};
use chartseal_ledger::{Body, releasable};
use chartseal_policy::Window;
use chartseal_wire::{Event, RequestId, Subject, Time, TxId};
use common::*;

fn slot(of: u8, owner: u8, request: Option<RequestId>) -> SlotAdded {
    SlotAdded {
        record: record_id(of),
        header: header(of, 1),
        kem: [owner; 32],
        slot: [0x51; 32],
        request,
    }
}

fn redealt(of: u8, deal: u64, request: Option<RequestId>) -> Redealt {
    Redealt {
        record: record_id(of),
        header: header(of, 1),
        deal,
        custodians: record(of, 1, 0).custodians,
        root: [0x52; 32],
        request,
    }
}

fn acknowledged(of: u8, deal: u64, index: u64) -> RedealAcknowledged {
    RedealAcknowledged {
        record: record_id(of),
        header: header(of, 1),
        deal,
        index,
    }
}

/// A chain with a record of patient 1, and a read of practitioner 11 that `custodians` answered.
fn read_by(custodians: u8) -> (Chain, TxId) {
    let (mut chain, request) = permitted();
    for id in 1..=custodians {
        let records = vec![record_id(20)];
        chain.ok(&custodian(id), Released { request, records });
    }
    (chain, request)
}

fn check(chain: &mut Chain, key: &Key, rule: &str, bad: impl Into<Body>) {
    assert_eq!(chain.refused(key, bad), rule);
}

#[test]
fn cs_led_49_a_slot_is_for_the_patients_registered_key() {
    let (mut chain, _) = with_record();
    check(&mut chain, &actor_key(10), "CS-LED-49", slot(20, 2, None));
    chain.ok(&actor_key(10), slot(20, 1, None));
}

#[test]
fn cs_led_50_a_slot_waits_for_the_release_to_the_patient() {
    let mut chain = Chain::populated();
    let mut record = chain.record(20);
    record.release_at = Some(Time(chain.now + 3_000));
    chain.ok(&actor_key(10), record);
    check(&mut chain, &actor_key(10), "CS-LED-50", slot(20, 1, None));
    chain.now += 1_000;
    chain.ok(&actor_key(10), slot(20, 1, None));
}

#[test]
fn cs_led_51_a_slot_is_for_who_decides_for_themselves() {
    let mut chain = Chain::populated();
    chain.ok(&office(1), enrol_child(&chain.head, 3));
    chain.ok(&actor_key(10), record(20, 3, chain.now));
    check(&mut chain, &actor_key(10), "CS-LED-51", slot(20, 3, None));
    let mut provisional = enrol_patient(&chain.head, 4);
    provisional.agreement = None;
    chain.ok(&office(1), provisional);
    chain.ok(&actor_key(10), record(21, 4, chain.now));
    check(&mut chain, &actor_key(10), "CS-LED-51", slot(21, 4, None));
    chain.ok(&actor_key(10), record(22, 1, chain.now));
    chain.ok(&actor_key(10), slot(22, 1, None));
}

#[test]
fn cs_led_52_a_key_is_passed_on_by_who_has_it_by_right() {
    let (mut chain, request) = read_by(2);
    // A stranger; a reader without a request; with a read that two of three needed answered.
    for key in [actor_key(11), patient_key(2)] {
        check(&mut chain, &key, "CS-LED-52", slot(20, 1, None));
        check(&mut chain, &key, "CS-LED-52", redealt(20, 1, None));
    }
    check(
        &mut chain,
        &actor_key(11),
        "CS-LED-52",
        slot(20, 1, Some(request)),
    );
    // The author's deal is the first one; later ones are the patient's or a reader's.
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-52",
        redealt(20, 1, None),
    );
    let records = vec![record_id(20)];
    chain.ok(&custodian(3), Released { request, records });
    // Another one's read, and a read of another record.
    check(
        &mut chain,
        &actor_key(12),
        "CS-LED-52",
        slot(20, 1, Some(request)),
    );
    chain.ok(&actor_key(10), record(21, 1, chain.now));
    check(
        &mut chain,
        &actor_key(11),
        "CS-LED-52",
        redealt(21, 1, Some(request)),
    );
    chain.ok(&actor_key(11), slot(20, 1, Some(request)));
    chain.ok(&patient_key(1), redealt(20, 1, None));
}

#[test]
fn an_author_out_of_standing_seals_no_slot() {
    let mut chain = Chain::populated();
    let until = Some(chartseal_policy::Time(chain.now + 2_500));
    let mut author = enrol_practitioner(chain.head.head().chain, 14, 1, &["doctor"]);
    author.credential = Window { from: None, until };
    chain.ok(&office(1), author);
    chain.ok(&actor_key(14), record(20, 1, chain.now));
    let late = slot(20, 1, None);
    check(&mut chain, &actor_key(14), "CS-LED-11", late);
    chain.ok(&patient_key(1), late);
}

#[test]
fn cs_led_53_a_version_has_one_slot_for_a_key() {
    let (mut chain, _) = with_record();
    chain.ok(&actor_key(10), slot(20, 1, None));
    check(&mut chain, &patient_key(1), "CS-LED-53", slot(20, 1, None));
    let removed = SlotRemoved {
        record: record_id(20),
        header: header(20, 1),
    };
    chain.ok(&patient_key(1), removed);
    chain.ok(&patient_key(1), slot(20, 1, None));
}

#[test]
fn cs_led_54_a_slot_that_is_removed_is_there() {
    let (mut chain, _) = with_record();
    chain.ok(&actor_key(10), record(21, 1, chain.now));
    chain.ok(&actor_key(10), slot(20, 1, None));
    let removed = |record, of| SlotRemoved {
        record: record_id(record),
        header: header(of, 1),
    };
    check(&mut chain, &patient_key(1), "CS-LED-54", removed(21, 21));
    check(&mut chain, &patient_key(1), "CS-LED-54", removed(21, 20));
    check(&mut chain, &patient_key(2), "CS-LED-23", removed(20, 20));
    chain.ok(&patient_key(1), removed(20, 20));
}

#[test]
fn cs_led_55_deals_are_numbered_without_gaps() {
    let (mut chain, _) = with_record();
    for deal in [0, 2] {
        check(
            &mut chain,
            &patient_key(1),
            "CS-LED-55",
            redealt(20, deal, None),
        );
    }
    chain.ok(&patient_key(1), redealt(20, 1, None));
    check(
        &mut chain,
        &patient_key(1),
        "CS-LED-55",
        redealt(20, 1, None),
    );
    chain.ok(&patient_key(1), redealt(20, 2, None));
}

#[test]
fn cs_led_56_what_a_custodian_acknowledges_was_dealt() {
    let (mut chain, _) = with_record();
    chain.ok(&actor_key(10), record(21, 1, chain.now));
    chain.ok(&patient_key(1), redealt(20, 1, None));
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-56",
        acknowledged(20, 2, 1),
    );
    let mut other = acknowledged(20, 1, 1);
    other.record = record_id(21);
    check(&mut chain, &custodian(1), "CS-LED-56", other);
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-34",
        acknowledged(20, 1, 2),
    );
    chain.ok(&custodian(1), acknowledged(20, 1, 1));
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-35",
        acknowledged(20, 1, 1),
    );
}

#[test]
fn keys_are_passed_on_of_the_newest_version_of_what_is_there() {
    let (mut chain, first) = with_record();
    chain.ok(&actor_key(10), amended(&first));
    check(&mut chain, &actor_key(10), "CS-LED-33", slot(20, 1, None));
    check(
        &mut chain,
        &patient_key(1),
        "CS-LED-33",
        redealt(20, 1, None),
    );
    check(&mut chain, &actor_key(10), "CS-LED-21", slot(21, 1, None));
    chain.ok(&actor_key(10), record(22, 1, chain.now));
    chain.ok(&patient_key(1), redealt(22, 1, None));
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(22),
        },
    );
    check(&mut chain, &actor_key(10), "CS-LED-22", slot(22, 1, None));
    check(
        &mut chain,
        &patient_key(1),
        "CS-LED-22",
        redealt(22, 1, None),
    );
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-22",
        acknowledged(22, 1, 1),
    );
    let mut foreign = redealt(20, 1, None);
    foreign.header = header(20, 2);
    foreign.custodians.t = 2;
    check(&mut chain, &patient_key(1), "CS-LED-30", foreign);
}

#[test]
fn releases_are_of_the_newest_deal_that_all_custodians_acknowledged() {
    let (mut chain, request) = permitted();
    let deal =
        |chain: &Chain| releasable(&chain.head, &request, Time(chain.now), 60_000).unwrap()[0].deal;
    chain.ok(&patient_key(1), redealt(20, 1, None));
    chain.ok(&patient_key(1), redealt(20, 2, None));
    for id in 1..=3 {
        chain.ok(&custodian(id), acknowledged(20, 2, id.into()));
    }
    assert_eq!(deal(&chain), 0, "one custodian is missing");
    chain.ok(&custodian(4), acknowledged(20, 2, 4));
    assert_eq!(deal(&chain), 2);
    for id in 1..=4 {
        chain.ok(&custodian(id), acknowledged(20, 1, id.into()));
    }
    assert_eq!(deal(&chain), 2, "an older deal does not come back");
}

#[test]
fn a_slot_is_served_while_it_could_be_added_today() {
    let (mut chain, record) = with_record();
    let served = |chain: &Chain| {
        let served = chain
            .head
            .state()
            .served_slot(&record_id(20), Time(chain.now));
        served.map(|slot| slot.slot)
    };
    assert_eq!(served(&chain), None);
    chain.ok(&actor_key(10), slot(20, 1, None));
    assert_eq!(served(&chain), Some([0x51; 32]));
    chain.ok(&actor_key(10), amended(&record));
    assert_eq!(served(&chain), None, "the slot is of the version before");
}

#[test]
fn slots_and_deals_are_in_the_patients_history_and_the_dealers() {
    let (mut chain, request) = read_by(3);
    let added = chain.ok(&actor_key(11), slot(20, 1, Some(request)));
    let dealt = chain.ok(&patient_key(1), redealt(20, 1, None));
    for subject in [
        Subject::Actor(actor(11)),
        Subject::Actor(patient(1).into()),
        Subject::Patient(patient(1)),
    ] {
        let history = chain.history(subject);
        let of = |tx| history.iter().find(|entry| entry.tx == tx);
        assert_eq!(
            of(added).is_some(),
            subject != Subject::Actor(patient(1).into())
        );
        assert_eq!(of(dealt).is_some(), subject != Subject::Actor(actor(11)));
        let (Some(slot), Some(deal)) = (of(added), of(dealt)) else {
            continue;
        };
        let Event::SlotAdded(slot) = &slot.event else {
            unreachable!("{slot:?}")
        };
        assert_eq!((slot.kem, slot.request), ([1; 32], Some(request)));
        let Event::Redealt(deal) = &deal.event else {
            unreachable!("{deal:?}")
        };
        assert_eq!((deal.deal, deal.request), (1, None));
    }
}
