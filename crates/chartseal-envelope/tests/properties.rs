//! What holds for all inputs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use chartseal_codec::{Decode, Encode, from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{REQUEST, World};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

/// A decoder never panics, and takes no bytes but those that its encoder gives.
fn decodes_canonically<T: Decode + Encode>(bytes: &[u8]) {
    if let Ok(value) = from_bytes::<T>(bytes) {
        assert_eq!(to_bytes(&value), bytes);
    }
}

fn decodes_all_canonically(bytes: &[u8]) {
    decodes_canonically::<Header>(bytes);
    decodes_canonically::<Seal>(bytes);
    decodes_canonically::<Dealing>(bytes);
    decodes_canonically::<Deal>(bytes);
    decodes_canonically::<Release>(bytes);
    decodes_canonically::<Slots>(bytes);
    decodes_canonically::<SignedRelease>(bytes);
    decodes_canonically::<ReleaseEvidence>(bytes);
    decodes_canonically::<DealerEvidence>(bytes);
    decodes_canonically::<SealedText>(bytes);
    decodes_canonically::<Acknowledgement>(bytes);
    decodes_canonically::<CustodianSet>(bytes);
    decodes_canonically::<KemPublicKey>(bytes);
    decodes_canonically::<VerifyingKey>(bytes);
    if let Ok(share) = HeldShare::from_storage_bytes(bytes) {
        assert_eq!(share.to_storage_bytes().as_slice(), bytes);
    }
}

/// The bytes of one object of each kind.
fn objects() -> Vec<Vec<u8>> {
    let mut world = World::new(60, 2, 3);
    let record = world.seal(b"text");
    let deal = world.deal(&[&record.dealer]).remove(0);
    let held = world.hold(&record.dealer).remove(0);
    let release = world.release(&[&held]);
    let key = world.reader.public_key().clone();
    let mut slots = Slots::new(&record.header);
    slots
        .add_with_rng(&record.dealer, &key, &mut world.rng)
        .unwrap();
    let text = seal_text_with_rng(&key, "test/1", b"", b"why", &mut world.rng).unwrap();
    vec![
        to_bytes(&record.header),
        to_bytes(&record.seal),
        to_bytes(record.dealer.dealing()),
        to_bytes(&deal),
        to_bytes(&release),
        to_bytes(&slots),
        to_bytes(&text),
        to_bytes(&held.acknowledgement()),
        to_bytes(&key),
        held.to_storage_bytes().to_vec(),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decodes_all_canonically(&bytes);
        let key = ContentKey::from_bytes([1; 32]);
        prop_assert!(cobblestone::open(&key, b"", &bytes).is_err());
    }

    #[test]
    fn no_damage_makes_a_decoder_panic_or_take_another_encoding(
        at in any::<Index>(), cut in any::<Index>(), insert in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        for bytes in objects() {
            let at = at.index(bytes.len());
            let cut = at + cut.index((bytes.len() - at).min(4));
            decodes_all_canonically(&[&bytes[..at], &insert, &bytes[cut..]].concat());
        }
    }

    #[test]
    fn what_is_sealed_is_what_is_opened(
        bytes in prop::collection::vec(any::<u8>(), 0..40_000),
        media_type in "[a-z/+.-]{0,255}",
        attributes in prop::collection::vec(any::<u8>(), 0..MAX_ATTRIBUTES),
        seed in any::<u8>(),
    ) {
        let mut world = World::new(seed, 2, 2);
        let content = Content { media_type: &media_type, attributes: &attributes, bytes: &bytes };
        let record = seal_with_rng(&world.info(), &content, &world.author, &mut world.rng).unwrap();
        let held = world.hold(&record.dealer);
        let releases = world.release_each(&held);
        let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases).unwrap();
        let opened = world.open(&record, &combined.key).unwrap();
        prop_assert_eq!(opened.content(), &bytes);
        prop_assert_eq!(opened.media_type(), &media_type);
        prop_assert_eq!(opened.attributes(), &attributes);
    }

    #[test]
    fn no_key_but_its_own_opens_a_body(key in any::<[u8; 32]>(), context in any::<[u8; 32]>()) {
        let record = World::new(61, 2, 2).seal(b"text");
        prop_assert!(cobblestone::open(&ContentKey::from_bytes(key), &context, &record.body).is_err());
        let digest = record.header.digest();
        prop_assert!(cobblestone::open(&ContentKey::from_bytes(key), &digest.0, &record.body).is_err());
    }
}

/// Every threshold from 2 to *n*, and up to 8 of 12 custodians chosen by chance.
fn thresholds_and_subsets() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    (2..=12_u8)
        .prop_flat_map(|total| (2..=total, Just(total)))
        .prop_flat_map(|(needed, total)| {
            let all: Vec<u8> = (0..total).collect();
            (
                Just(needed),
                Just(total),
                subsequence(all, 0..=usize::from(total)).prop_shuffle(),
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_t_custodians_give_the_key_and_no_fewer((needed, total, chosen) in thresholds_and_subsets()) {
        let mut world = World::new(62, needed, total);
        let record = world.seal(b"text");
        let held = world.hold(&record.dealer);
        let releases: Vec<_> =
            chosen.iter().map(|i| world.release(&[&held[usize::from(*i)]])).collect();
        let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases);
        prop_assert_eq!(combined.is_ok(), chosen.len() >= usize::from(needed));
        if let Ok(combined) = combined {
            let opened = world.open(&record, &combined.key).unwrap();
            prop_assert_eq!(opened.content(), b"text");
            prop_assert_eq!(audit_deal(&opened, record.dealer.dealing()), DealVerdict::Honest);
        }
    }
}

#[test]
fn the_largest_set_works() {
    let mut world = World::new(63, 64, 64);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let mut releases = world.release_each(&held);
    let dealing = record.dealer.dealing();
    let combined = combine(&world.reader, REQUEST, dealing, &releases).unwrap();
    assert_eq!(
        world.open(&record, &combined.key).unwrap().content(),
        b"text"
    );
    releases.pop();
    assert!(combine(&world.reader, REQUEST, dealing, &releases).is_err());
}
