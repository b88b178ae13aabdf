//! Every single-bit flip of a small sealed record is refused.
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
use common::{REQUEST, World};

/// Each copy of `bytes` with one bit flipped, and the bit's place.
fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

#[test]
fn of_header_body_and_seal() {
    let mut world = World::new(40, 2, 2);
    let record = world.seal(b"small");
    let author = world.author.verifying_key();
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let key = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases)
        .unwrap()
        .key;
    assert!(world.open(&record, &key).is_ok());

    let SealedRecord {
        header, body, seal, ..
    } = &record;
    for (bit, flipped) in flips(&to_bytes(header)) {
        let Ok(flipped) = from_bytes::<Header>(&flipped) else {
            continue;
        };
        assert!(
            open(&flipped, body, seal, &author, &key).is_err(),
            "bit {bit} of the header"
        );
    }
    for (bit, flipped) in flips(&to_bytes(seal)) {
        let Ok(flipped) = from_bytes::<Seal>(&flipped) else {
            continue;
        };
        assert!(
            open(header, body, &flipped, &author, &key).is_err(),
            "bit {bit} of the seal"
        );
    }
    for (bit, flipped) in flips(body) {
        assert!(
            open(header, &flipped, seal, &author, &key).is_err(),
            "bit {bit} of the body"
        );
        let digest = header.digest();
        let inner = cobblestone::open(&key, digest.as_bytes(), &flipped);
        assert!(inner.is_err(), "bit {bit} of the body, without its seal");
    }
}

#[test]
fn of_a_deal() {
    let mut world = World::new(41, 2, 2);
    let record = world.seal(b"small");
    let deal = world.deal(&[&record.dealer]).remove(0);
    let (keys, index) = (&world.custodians[0], deal.index());
    let dealing = record.dealer.dealing();
    assert!(accept(keys, index, dealing, &deal).is_ok());
    for (bit, flipped) in flips(&to_bytes(&deal)) {
        let Ok(flipped) = from_bytes::<Deal>(&flipped) else {
            continue;
        };
        assert!(
            accept(keys, index, dealing, &flipped).is_err(),
            "bit {bit} of the deal"
        );
    }
}

#[test]
fn of_a_release() {
    let mut world = World::new(42, 2, 2);
    let record = world.seal(b"small");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let dealing = record.dealer.dealing();
    assert!(combine(&world.reader, REQUEST, dealing, &releases).is_ok());
    for (bit, flipped) in flips(&to_bytes(&releases[0])) {
        let Ok(flipped) = from_bytes::<Release>(&flipped) else {
            continue;
        };
        let error = combine(&world.reader, REQUEST, dealing, &[flipped]).unwrap_err();
        let CombineError::NotEnough(shortage) = error else {
            panic!("{error}")
        };
        assert_eq!(shortage.have, 0, "bit {bit} of the release");
    }
}

#[test]
fn of_slots() {
    let mut world = World::new(44, 2, 2);
    let record = world.seal(b"small");
    let mut slots = Slots::new(&record.header);
    let (reader, to) = (&world.reader, world.reader.public_key());
    slots
        .add_with_rng(&record.dealer, to, &mut world.rng)
        .unwrap();
    assert!(slots.open(reader, &record.header).is_ok());
    for (bit, flipped) in flips(&to_bytes(&slots)) {
        let Ok(flipped) = from_bytes::<Slots>(&flipped) else {
            continue;
        };
        let opened = flipped.open(reader, &record.header);
        assert!(opened.is_err(), "bit {bit} of the slots");
    }
}

#[test]
fn of_a_stored_share() {
    let mut world = World::new(43, 2, 2);
    let record = world.seal(b"small");
    let held = world.hold(&record.dealer);
    let bytes = held[0].to_storage_bytes();
    let back = HeldShare::from_storage_bytes(&bytes).unwrap();
    assert_eq!(back.to_storage_bytes(), bytes);
    let digest = record.header.digest();
    for (bit, flipped) in flips(&bytes) {
        // The header's digest is what the share is looked up by; nothing in the share repeats it.
        match HeldShare::from_storage_bytes(&flipped) {
            Err(_) => {}
            Ok(share) => assert_ne!(share.dealing().header(), digest, "bit {bit} of the share"),
        }
    }
}
