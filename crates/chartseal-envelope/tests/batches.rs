//! Many records in one deal, many in one release.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{REQUEST, World, refusal, rule};

fn records(world: &mut World, count: u8) -> Vec<SealedRecord> {
    let info = world.info();
    let one = |i| RecordInfo {
        record_id: RecordId([i; 16]),
        ..info
    };
    (0..count)
        .map(|i| world.seal_as(&one(i), &[i; 100]))
        .collect()
}

fn accept_batch(world: &mut World, records: &[SealedRecord]) -> Vec<Acceptance> {
    let dealers: Vec<_> = records.iter().map(|record| &record.dealer).collect();
    let dealings: Vec<_> = dealers.iter().map(|dealer| dealer.dealing()).collect();
    let deals = world.deal(&dealers);
    let pairs = world.custodians.iter().zip(&deals);
    pairs
        .map(|(keys, deal)| accept_all(keys, deal.index(), &dealings, deal).unwrap())
        .collect()
}

#[test]
fn a_chart_of_many_records_is_one_deal_and_one_release_for_each_custodian() {
    let mut world = World::new(80, 3, 4);
    let records = records(&mut world, 50);
    let accepted = accept_batch(&mut world, &records);
    assert!(
        accepted
            .iter()
            .all(|a| a.held.len() == 50 && a.refused.is_empty())
    );

    // Some of them, in another order than they were dealt in.
    let wanted = [7, 49, 0, 13];
    let releases: Vec<_> = accepted[1..]
        .iter()
        .map(|a| world.release(&wanted.map(|i| &a.held[i])))
        .collect();
    let dealings = wanted.map(|i: usize| records[i].dealer.dealing());
    let combined = combine_all(&world.reader, REQUEST, &dealings, &releases);
    for (i, combined) in wanted.into_iter().zip(combined) {
        let opened = world.open(&records[i], &combined.unwrap().key).unwrap();
        assert_eq!(opened.content(), [u8::try_from(i).unwrap(); 100]);
    }
}

#[test]
fn a_custodian_that_lacks_one_record_is_missing_for_that_one_only() {
    let mut world = World::new(81, 3, 3);
    let records = records(&mut world, 2);
    let accepted = accept_batch(&mut world, &records);
    let mut releases: Vec<_> = accepted[..2]
        .iter()
        .map(|a| world.release(&[&a.held[0], &a.held[1]]))
        .collect();
    releases.push(world.release(&[&accepted[2].held[1]]));
    let dealings: Vec<_> = records
        .iter()
        .map(|record| record.dealer.dealing())
        .collect();
    let combined = combine_all(&world.reader, REQUEST, &dealings, &releases);
    let Err(CombineError::NotEnough(shortage)) = &combined[0] else {
        panic!()
    };
    assert_eq!(
        (
            shortage.have,
            shortage.missing[0].get(),
            shortage.faults.len()
        ),
        (2, 3, 0)
    );
    assert!(combined[1].is_ok());
}

/// Another committee's custodian of the same index gave nothing wrong.
#[test]
fn a_release_that_is_no_good_is_a_fault_of_the_records_that_it_names_alone() {
    let mut world = World::new(84, 2, 3);
    let records = records(&mut world, 2);
    let accepted = accept_batch(&mut world, &records);
    let mut releases: Vec<_> = accepted[..2]
        .iter()
        .map(|a| world.release(&[&a.held[0]]))
        .collect();
    let other = RequestId([9; 32]);
    let held = [&accepted[0].held[1]];
    releases.push(release(&held, other, world.reader.public_key()).unwrap());
    releases.extend(accepted[1..].iter().map(|a| world.release(&[&a.held[1]])));
    let dealings: Vec<_> = records
        .iter()
        .map(|record| record.dealer.dealing())
        .collect();
    let combined = combine_all(&world.reader, REQUEST, &dealings, &releases);
    let faults = combined.into_iter().map(|one| one.unwrap().faults);
    let custodian = accepted[0].held[1].index();
    let why = ShareFault::Request;
    assert_eq!(
        faults.collect::<Vec<_>>(),
        [vec![], vec![Fault { custodian, why }]]
    );
}

#[test]
fn behind_a_damaged_share_nothing_opens_and_the_rest_is_named() {
    let mut world = World::new(82, 2, 2);
    let records = records(&mut world, 3);
    let dealers: Vec<_> = records.iter().map(|record| &record.dealer).collect();
    let dealings: Vec<_> = dealers.iter().map(|dealer| dealer.dealing()).collect();
    let deal = world.deal(&dealers).remove(0);
    // The last byte of the second of three items of equal length.
    let mut bytes = to_bytes(&deal);
    let one = bytes.len() - to_bytes(&world.deal(&dealers[..2])[0]).len();
    let place = bytes.len() - 1 - one;
    bytes[place] ^= 1;
    let damaged: Deal = from_bytes(&bytes).unwrap();
    let acceptance = accept_all(&world.custodians[0], deal.index(), &dealings, &damaged).unwrap();
    assert_eq!(acceptance.held.len(), 1);
    let why: Vec<_> = acceptance.refused.iter().map(|(_, why)| *why).collect();
    assert_eq!(why, [ShareFault::Sealing, ShareFault::Behind]);
    assert_eq!(rule(ShareFault::Behind), "CS-ENV-55");
}

#[test]
fn records_that_do_not_go_together_are_not_dealt_together() {
    let mut world = World::new(83, 2, 3);
    let one = world.seal(b"one");
    let epoch = CustodianSet {
        epoch: 4,
        ..world.set
    };
    let two = world.seal_as(
        &RecordInfo {
            custodians: epoch,
            ..world.info()
        },
        b"two",
    );
    let refused = |dealers: &[&Dealer], keys: &[KemPublicKey]| {
        rule(deal_with_rng(dealers, keys, &mut common::rng(0)).unwrap_err())
    };
    assert_eq!(refused(&[], &world.keys), "CS-ENV-41");
    assert_eq!(
        refused(&[&one.dealer, &two.dealer], &world.keys),
        "CS-ENV-42"
    );
    assert_eq!(refused(&[&one.dealer], &world.keys[1..]), "CS-ENV-43");
}

#[test]
fn shares_that_do_not_go_together_are_not_released_together() {
    let mut world = World::new(84, 2, 3);
    let record = world.seal(b"one");
    let held = world.hold(&record.dealer);
    let to = world.reader.public_key().clone();
    let refused = |held: &[&HeldShare]| {
        rule(release_with_rng(held, REQUEST, &to, &mut common::rng(0)).unwrap_err())
    };
    assert_eq!(refused(&[]), "CS-ENV-41");
    assert_eq!(refused(&[&held[0], &held[1]]), "CS-ENV-46");
    // An empty package is not decoded either.
    let mut bytes = to_bytes(&world.release(&[&held[0]]));
    let items = bytes.len() - (1 + 34 + 1 + 2 + (2 + 3) * 32 + 16) - 1;
    assert_eq!(bytes[items], 0x81);
    bytes.truncate(items + 1);
    bytes[items] = 0x80;
    assert_eq!(refusal::<Release>(&bytes), "CS-ENV-41");
}

#[test]
fn a_record_is_durable_when_all_custodians_acknowledged() {
    let mut world = World::new(85, 3, 4);
    let record = world.seal(b"one");
    let held = world.hold(&record.dealer);
    let mut deposit = Deposit::new(record.dealer.dealing());
    for (count, share) in held.iter().enumerate() {
        assert_eq!(deposit.missing().len(), 4 - count);
        assert_eq!(deposit.is_deposited(1), count >= 3);
        assert!(!deposit.is_durable());
        deposit.add(&share.acknowledgement()).unwrap();
        deposit.add(&share.acknowledgement()).unwrap();
    }
    assert!(deposit.is_durable());
    let ack = held[0].acknowledgement();
    let foreign = [
        Acknowledgement {
            header: HeaderDigest([0; 32]),
            ..ack
        },
        Acknowledgement {
            deal_epoch: 1,
            ..ack
        },
        Acknowledgement {
            index: ShareIndex::new(5).unwrap(),
            ..ack
        },
    ];
    for foreign in foreign {
        assert_eq!(rule(deposit.add(&foreign).unwrap_err()), "CS-ENV-47");
    }
}

#[test]
fn an_erasure_is_effective_when_every_deal_lacks_shares() {
    let mut world = World::new(86, 3, 4);
    let record = world.seal(b"one");
    let later = Dealing::later(
        &record.header,
        std::num::NonZeroU64::MIN,
        world.set,
        record.header.commitments(),
    );
    let recipient = world.reader.key_id();
    let mut list = ErasureChecklist::new(&record.header, &[&later], [recipient]);
    assert_eq!(list.outstanding().len(), 3 + 2 * (1 + 4) + 1);
    let share = |deal_epoch, i| ErasureItem::Share {
        deal_epoch,
        custodian: ShareIndex::new(i).unwrap(),
    };
    for deal_epoch in [0, 1] {
        assert!(list.attest(ErasureItem::KeptDeals { deal_epoch }));
        assert!(list.attest(share(deal_epoch, 1)));
        assert!(!list.key_is_gone(), "three of four shares are left");
        assert!(list.attest(share(deal_epoch, 2)));
    }
    assert!(!list.key_is_gone(), "a slot is left");
    assert!(list.attest(ErasureItem::Slot { recipient }));
    assert!(list.key_is_gone());
    assert!(!list.attest(share(0, 5)));
    assert!(!list.is_complete());
    for item in list.outstanding() {
        list.attest(item);
    }
    assert!(list.is_complete());
}

#[test]
fn versions_name_what_they_supersede() {
    let mut world = World::new(87, 2, 2);
    let first = world.seal(b"one");
    let version = RecordVersion::after(&first.header).unwrap();
    let second = world.seal_as(
        &RecordInfo {
            version,
            ..world.info()
        },
        b"two",
    );
    assert_eq!(second.header.version().number(), 2);
    assert_eq!(
        second.header.version().supersedes(),
        Some(first.header.digest())
    );
    // Version 0, version 2 of nothing, and version 1 of something.
    let bytes = to_bytes(&first.header);
    let place = 1 + 1 + 1 + 17 + 17;
    assert_eq!(bytes[place..place + 2], [1, 0xf6]);
    for number in [0, 2] {
        let mut bytes = bytes.clone();
        bytes[place] = number;
        assert_eq!(refusal::<Header>(&bytes), "CS-ENV-03");
    }
    let mut bytes = to_bytes(&second.header);
    bytes[place] = 1;
    assert_eq!(refusal::<Header>(&bytes), "CS-ENV-03");
}

#[test]
fn unknown_formats_and_suites_are_refused() {
    let mut world = World::new(88, 2, 2);
    let record = world.seal(b"one");
    let deal = world.deal(&[&record.dealer]).remove(0);
    for (place, rule) in [(1, "CS-ENV-01"), (2, "CS-ENV-02")] {
        let (mut header, mut seal) = (to_bytes(&record.header), to_bytes(&record.seal));
        let mut deal = to_bytes(&deal);
        for bytes in [&mut header, &mut seal, &mut deal] {
            assert_eq!(bytes[place], 1);
            bytes[place] = 3;
        }
        assert_eq!(refusal::<Header>(&header), rule);
        assert_eq!(refusal::<Seal>(&seal), rule);
        assert_eq!(refusal::<Deal>(&deal), rule);
    }
    // An encapsulated key of another suite's length.
    let short = [
        &[0x87, 1, 1, 0xf6, 1, 0x58, 32][..],
        &[0; 32],
        &[0x58, 32],
        &[0; 32],
        &[0x80],
    ];
    assert_eq!(refusal::<Deal>(&short.concat()), "CS-ENV-07");
}

#[test]
fn what_does_not_fit_the_first_chunk_is_not_sealed() {
    let mut world = World::new(89, 2, 2);
    let (info, long) = (world.info(), vec![b'a'; MAX_ATTRIBUTES + 1]);
    let content = Content {
        media_type: "",
        attributes: &long,
        bytes: b"",
    };
    let error = seal_with_rng(&info, &content, &world.author, &mut world.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-34");
    let media_type = std::str::from_utf8(&long[..=MAX_MEDIA_TYPE]).unwrap();
    let content = Content {
        media_type,
        attributes: b"",
        bytes: b"",
    };
    let error = seal_with_rng(&info, &content, &world.author, &mut world.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-33");
}

#[test]
fn nothing_secret_is_in_a_debug_text() {
    let mut world = World::new(90, 2, 2);
    let record = world.seal(b"canary");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases).unwrap();
    let opened = world.open(&record, &combined.key).unwrap();
    let seed = KeySeed::from_bytes([0xab; 32]);
    let text = format!(
        "{seed:?} {:?} {held:?} {combined:?} {opened:?}",
        record.dealer
    );
    let keys = format!(
        "{:?} {:?} {:?}",
        world.author, world.reader, world.custodians
    );
    assert!(!text.contains("canary") && !text.contains("171, 171") && !text.contains("abab"));
    assert!(text.contains("KeySeed(secret)") && text.contains("ContentKey(secret)"));
    let hex = KeyId(*world.author.expose_secret_bytes()).to_string();
    assert!(!keys.contains(&hex[..16]), "{keys}");
}

#[test]
fn whoever_opened_a_record_sends_a_custodian_its_share_once_more() {
    let mut world = World::new(91, 2, 3);
    let record = world.seal(b"one");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held[..2]);
    let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases).unwrap();
    let opened = world.open(&record, &combined.key).unwrap();
    let again = world.hold(&opened.dealer());
    for (one, two) in held.iter().zip(&again) {
        assert_eq!(one.to_storage_bytes(), two.to_storage_bytes());
    }
}

#[test]
fn when_enough_custodians_destroyed_their_shares_the_rest_give_nothing() {
    let mut world = World::new(92, 3, 5);
    let record = world.seal(b"one");
    let mut held = world.hold(&record.dealer);
    let mut list = ErasureChecklist::new(&record.header, &[], []);
    list.attest(ErasureItem::KeptDeals { deal_epoch: 0 });
    // n - t + 1 of them.
    for share in held.drain(..3) {
        assert!(!list.key_is_gone());
        let item = ErasureItem::Share {
            deal_epoch: 0,
            custodian: share.index(),
        };
        assert!(list.attest(item));
    }
    assert!(list.key_is_gone());
    let releases = world.release_each(&held);
    let error = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-60");
}
