//! The classical test suite, and that it never mixes with suite 1.
#![cfg(feature = "hazmat")]
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
use common::{REQUEST, World, rule};

#[test]
fn the_test_suite_works_end_to_end() {
    let mut world = World::of_suite(Suite::X25519, 100, 3, 4);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases).unwrap();
    assert_eq!(
        world.open(&record, &combined.key).unwrap().content(),
        b"text"
    );
}

#[test]
fn suites_never_mix() {
    let mut strong = World::new(101, 2, 2);
    let mut weak = World::of_suite(Suite::X25519, 102, 2, 2);
    let record = strong.seal(b"text");
    let error = deal_with_rng(&[&record.dealer], &weak.keys, &mut weak.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-06");

    let held = strong.hold(&record.dealer);
    let to = weak.reader.public_key();
    let error = release_with_rng(&[&held[0]], REQUEST, to, &mut strong.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-06");

    let deal = strong.deal(&[&record.dealer]).remove(0);
    let error = accept(
        &weak.custodians[0],
        deal.index(),
        record.dealer.dealing(),
        &deal,
    );
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-06");

    // A header that claims the other suite than its seal.
    let mut bytes = to_bytes(&record.header);
    bytes.splice(2..3, [0x18, 0xff]);
    let header: Header = from_bytes(&bytes).unwrap();
    let author = strong.author.verifying_key();
    assert_eq!(
        rule(record.seal.verify_signature(&header, &author).unwrap_err()),
        "CS-ENV-06"
    );
}
