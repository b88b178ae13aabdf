//! Suite 2: an author with two keys, both of which must sign.
#![cfg(feature = "pq-sign")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{REQUEST, World, refusal, replace, rule};
use sha2::{Digest as _, Sha256};

const SUITE_2: Suite = Suite::XWingMlDsa65;

fn author() -> HybridSigningKeyPair {
    KeySeed::from_bytes([9; 32]).hybrid_signing_key()
}

fn sealed(world: &mut World, author: &HybridSigningKeyPair, text: &[u8]) -> SealedRecord {
    let content = Content {
        media_type: "text/plain",
        attributes: b"",
        bytes: text,
    };
    seal_with_rng(&world.info(), &content, author, &mut world.rng).unwrap()
}

fn key(world: &mut World, record: &SealedRecord) -> ContentKey {
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases);
    combined.unwrap().key
}

/// The two signatures of a seal.
fn halves(seal: &Seal) -> (Vec<u8>, Vec<u8>) {
    let bytes = to_bytes(seal);
    let (ed25519, ml_dsa) = bytes[bytes.len() - HybridSignature::LEN..].split_at(64);
    (ed25519.to_vec(), ml_dsa.to_vec())
}

/// The seal with other signatures in it.
fn with_halves(seal: &Seal, ed25519: &[u8], ml_dsa: &[u8]) -> Seal {
    let mut bytes = to_bytes(seal);
    bytes.truncate(bytes.len() - HybridSignature::LEN);
    from_bytes(&[&bytes, ed25519, ml_dsa].concat()).unwrap()
}

#[test]
fn a_record_of_suite_2_goes_from_its_author_to_a_reader() {
    let mut world = World::of_suite(SUITE_2, 150, 3, 4);
    let author = author();
    let record = sealed(&mut world, &author, b"text");
    assert_eq!(record.header.suite(), SUITE_2);
    assert_eq!(record.header.author(), author.key_id());
    let key = key(&mut world, &record);
    let public = author.verifying_key();
    let opened = open(&record.header, &record.body, &record.seal, public, &key).unwrap();
    assert_eq!(opened.content(), b"text");
    assert_eq!(
        audit_deal(&opened, record.dealer.dealing()),
        DealVerdict::Honest
    );
    // Seals come back from their bytes, and still verify.
    let seal: Seal = from_bytes(&to_bytes(&record.seal)).unwrap();
    assert_eq!(seal.verify(&record.header, &record.body, public), Ok(()));
}

#[test]
fn neither_signature_alone_is_accepted() {
    let mut world = World::of_suite(SUITE_2, 151, 2, 2);
    let (author, other) = (author(), KeySeed::from_bytes([8; 32]).hybrid_signing_key());
    let record = sealed(&mut world, &author, b"text");
    let SealedRecord {
        header, body, seal, ..
    } = &record;
    let (ed25519, ml_dsa) = halves(seal);
    // Another signer's valid signatures over the same message.
    let len = (body.len() as u64).to_be_bytes();
    let digests = [header.digest().0, *blake3::hash(body).as_bytes()].concat();
    let domain = b"chartseal/envelope/seal/ed25519-ml-dsa-65/1\0";
    let message = [&domain[..], &digests, &len].concat();
    let theirs = other
        .sign_with_rng(&message, &mut world.rng)
        .to_bytes()
        .to_vec();
    let (their_ed25519, their_ml_dsa) = theirs.split_at(64);

    let verify = |ed25519: &[u8], ml_dsa: &[u8]| {
        with_halves(seal, ed25519, ml_dsa).verify(header, body, author.verifying_key())
    };
    assert_eq!(verify(&ed25519, &ml_dsa), Ok(()));
    for (ed25519, ml_dsa) in [
        (&ed25519[..], &[0; 3309][..]),
        (&ed25519, their_ml_dsa),
        (&[0; 64], &ml_dsa),
        (their_ed25519, &ml_dsa),
        (their_ed25519, their_ml_dsa),
    ] {
        assert_eq!(rule(verify(ed25519, ml_dsa).unwrap_err()), "CS-ENV-31");
    }
    // Nor is either of them left out.
    for short in [&ed25519[..], &ml_dsa[..], &[]] {
        let mut bytes = to_bytes(seal);
        bytes.truncate(bytes.len() - HybridSignature::LEN - 3);
        let len = u16::try_from(short.len()).unwrap().to_be_bytes();
        let bytes = [&bytes, &[0x59][..], &len, short].concat();
        assert!(from_bytes::<Seal>(&bytes).is_err());
    }
}

#[test]
fn the_ed25519_half_cannot_be_stripped_to_make_a_seal_of_suite_1() {
    let mut world = World::of_suite(SUITE_2, 152, 2, 2);
    let author = author();
    let record = sealed(&mut world, &author, b"text");
    let half = *author.verifying_key().ed25519();
    assert_ne!(half.key_id(), author.key_id());

    // A seal of suite 1 that holds the half, under the author's header and under one that names the half.
    let mut bytes = to_bytes(&record.seal);
    bytes.truncate(bytes.len() - HybridSignature::LEN - 3);
    assert_eq!(bytes[2], 2);
    bytes[2] = 1;
    let bytes = [&bytes, &[0x58, 64][..], &halves(&record.seal).0].concat();
    let stripped: Seal = from_bytes(&bytes).unwrap();
    let header = to_bytes(&record.header);
    let renamed = replace(
        &header,
        author.key_id().as_bytes(),
        half.key_id().as_bytes(),
    );
    let mut downgraded = renamed.clone();
    downgraded[2] = 1;
    let verify = |header: &[u8], key: AuthorKey| {
        let header = from_bytes::<Header>(header).unwrap();
        rule(stripped.verify(&header, &record.body, key).unwrap_err())
    };
    assert_eq!(verify(&header, (&half).into()), "CS-ENV-06");
    assert_eq!(verify(&renamed, (&half).into()), "CS-ENV-06");
    assert_eq!(verify(&downgraded, (&half).into()), "CS-ENV-31");
    assert_eq!(
        verify(&downgraded, author.verifying_key().into()),
        "CS-ENV-06"
    );

    // Even over the same header digest: what the half signed begins with a domain of suite 2.
    let signature = Signature(halves(&record.seal).0.try_into().unwrap());
    let rest = [
        &record.header.digest().0[..],
        blake3::hash(&record.body).as_bytes(),
        &(record.body.len() as u64).to_be_bytes(),
    ]
    .concat();
    let message = |domain: &[u8]| [domain, b"\0", &rest].concat();
    let own = message(b"chartseal/envelope/seal/ed25519-ml-dsa-65/1");
    assert!(half.verify_strict(&own, &signature).is_ok());
    let other = message(b"chartseal/envelope/seal/1");
    assert!(half.verify_strict(&other, &signature).is_err());
}

#[test]
fn a_seal_of_suite_1_is_none_of_suite_2() {
    let mut world = World::new(153, 2, 2);
    let seed = KeySeed::from_bytes([9; 32]);
    world.author = seed.signing_key();
    let record = world.seal(b"text");
    let (half, both) = (world.author.verifying_key(), seed.hybrid_signing_key());
    assert_eq!(both.verifying_key().ed25519(), &half);
    let verify = |header: &Header, key: AuthorKey| {
        rule(record.seal.verify(header, &record.body, key).unwrap_err())
    };
    assert_eq!(
        verify(&record.header, both.verifying_key().into()),
        "CS-ENV-06"
    );
    let mut header = to_bytes(&record.header);
    header[2] = 2;
    let header: Header = from_bytes(&header).unwrap();
    assert_eq!(verify(&header, (&half).into()), "CS-ENV-06");
    assert_eq!(verify(&header, both.verifying_key().into()), "CS-ENV-06");
    // A suite 2 seal has both signatures, or is no seal.
    let mut seal = to_bytes(&record.seal);
    seal[2] = 2;
    assert!(from_bytes::<Seal>(&seal).is_err());
}

#[test]
fn an_author_of_the_wrong_kind_seals_nothing() {
    let mut world = World::new(154, 2, 2);
    let content = Content {
        media_type: "",
        attributes: b"",
        bytes: b"",
    };
    let mut info = world.info();
    let error = seal_with_rng(&info, &content, &author(), &mut world.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-06");
    info.suite = SUITE_2;
    let error = seal_with_rng(&info, &content, &world.author, &mut world.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-06");
}

/// Suites 1 and 2 share their KEM, so nothing but the suite in each object keeps them apart.
#[test]
fn no_two_objects_of_suites_1_and_2_are_used_together() {
    let (mut one, mut two) = (World::new(155, 2, 2), World::of_suite(SUITE_2, 155, 2, 2));
    let first = one.seal(b"text");
    let second = sealed(&mut two, &author(), b"text");
    assert_eq!(one.keys, two.keys);

    // Header and seal.
    let verified = second
        .seal
        .verify_signature(&first.header, author().verifying_key());
    assert_eq!(rule(verified.unwrap_err()), "CS-ENV-06");
    let verified = first
        .seal
        .verify_signature(&second.header, &one.author.verifying_key());
    assert_eq!(rule(verified.unwrap_err()), "CS-ENV-06");

    // Two records in one deal.
    let both = [&first.dealer, &second.dealer];
    let error = deal_with_rng(&both, &one.keys, &mut one.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-06");

    // Two shares in one release.
    let (held, other) = (one.hold(&first.dealer), two.hold(&second.dealer));
    let reader = one.reader.public_key().clone();
    let mixed = release_with_rng(&[&held[0], &other[0]], REQUEST, &reader, &mut one.rng);
    assert_eq!(rule(mixed.unwrap_err()), "CS-ENV-06");

    // A deal or a release that says another suite than its record, both ways.
    for (world, record, held) in [(&mut one, &first, &held), (&mut two, &second, &other)] {
        let dealing = record.dealer.dealing();
        let deal = world.deal(&[&record.dealer]).remove(0);
        let release = world.release(&[&held[0]]);
        let (mut deal, mut release) = (to_bytes(&deal), to_bytes(&release));
        for bytes in [&mut deal, &mut release] {
            bytes[2] = 3 - bytes[2];
        }
        let deal: Deal = from_bytes(&deal).unwrap();
        let error = accept(&world.custodians[0], deal.index(), dealing, &deal).unwrap_err();
        assert_eq!(rule(error), "CS-ENV-06");
        let release: Release = from_bytes(&release).unwrap();
        let error = combine(&world.reader, REQUEST, dealing, &[release]).unwrap_err();
        let CombineError::NotEnough(shortage) = error else {
            unreachable!("{error}")
        };
        assert_eq!(rule(shortage.faults[0]), "CS-ENV-06");
        // A dealing that says another suite than its deal.
        let mut bytes = to_bytes(dealing);
        bytes[1] = 3 - bytes[1];
        let dealing: Dealing = from_bytes(&bytes).unwrap();
        let deal = world.deal(&[&record.dealer]).remove(0);
        let error = accept(&world.custodians[0], deal.index(), &dealing, &deal).unwrap_err();
        assert_eq!(rule(error), "CS-ENV-06");
    }

    // A sealed text is of a KEM, whose number is 1.
    let text = seal_text_with_rng(&reader, "test", b"", b"text", &mut one.rng).unwrap();
    let mut text = to_bytes(&text);
    assert_eq!(text[2], 1);
    text[2] = 2;
    assert_eq!(refusal::<SealedText>(&text), "CS-ENV-02");
}

#[test]
fn keys_that_anybody_signs_for_are_refused() {
    let good = author().verifying_key().to_bytes();
    let cbor = |bytes: &[u8]| [&[0x59, 0x07, 0xc0], bytes].concat();
    assert!(from_bytes::<HybridVerifyingKey>(&cbor(&good)).is_ok());
    let refused = |bytes: [u8; HybridVerifyingKey::LEN]| {
        let error = HybridVerifyingKey::from_bytes(&bytes).unwrap_err();
        assert_eq!(rule(error), refusal::<HybridVerifyingKey>(&cbor(&bytes)));
        rule(error)
    };
    assert_eq!(refused([0; HybridVerifyingKey::LEN]), "CS-ENV-11");
    // t1 is zero, whatever the seed of the matrix is.
    let mut bytes = good;
    bytes[64..].fill(0);
    assert_eq!(refused(bytes), "CS-ENV-16");
    bytes[32..].fill(0);
    assert_eq!(refused(bytes), "CS-ENV-16");
    // The Ed25519 half has order 1, or is no point.
    let mut bytes = good;
    bytes[..32].fill(0);
    bytes[0] = 1;
    assert_eq!(refused(bytes), "CS-ENV-11");
    bytes[0] = 2;
    assert_eq!(refused(bytes), "CS-ENV-10");
}

#[test]
fn signatures_are_hedged_and_all_of_them_verify() {
    let (author, mut rng) = (author(), common::rng(156));
    let one = author.sign_with_rng(b"message", &mut rng);
    let two = author.sign_with_rng(b"message", &mut rng);
    assert_ne!(one, two);
    // Ed25519 signs the same way each time.
    assert_eq!(one.to_bytes()[..64], two.to_bytes()[..64]);
    let public = author.verifying_key();
    for signature in [one, two] {
        assert_eq!(public.verify_strict(b"message", &signature), Ok(()));
        let other = public.verify_strict(b"massage", &signature);
        assert_eq!(rule(other.unwrap_err()), "CS-ENV-15");
    }
}

#[test]
fn a_key_id_commits_to_both_keys() {
    let bytes = author().verifying_key().to_bytes();
    let domain = b"chartseal/envelope/key-id/ed25519-ml-dsa-65/1\0";
    let id = Sha256::new().chain_update(domain).chain_update(bytes);
    assert_eq!(author().key_id().0[..], id.finalize()[..]);
    for place in [0, 31, 32, HybridVerifyingKey::LEN - 1] {
        let mut other = bytes;
        other[place] ^= 1;
        if let Ok(other) = HybridVerifyingKey::from_bytes(&other) {
            assert_ne!(other.key_id(), author().key_id(), "byte {place}");
        }
    }
}

#[test]
fn every_bit_flip_of_a_small_record_is_refused() {
    let mut world = World::of_suite(SUITE_2, 157, 2, 2);
    let author = author();
    let record = sealed(&mut world, &author, b"small");
    let key = key(&mut world, &record);
    let SealedRecord {
        header, body, seal, ..
    } = &record;
    let public = AuthorKey::from(author.verifying_key());
    assert!(open(header, body, seal, &public, &key).is_ok());
    let flips = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        (0..bytes.len() * 8).map(move |bit| {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            (bit, flipped)
        })
    };
    for (bit, flipped) in flips(&to_bytes(header)) {
        if let Ok(flipped) = from_bytes::<Header>(&flipped) {
            let opened = open(&flipped, body, seal, &public, &key);
            assert!(opened.is_err(), "bit {bit} of the header");
        }
    }
    for (bit, flipped) in flips(&to_bytes(seal)) {
        if let Ok(flipped) = from_bytes::<Seal>(&flipped) {
            let opened = open(header, body, &flipped, &public, &key);
            assert!(opened.is_err(), "bit {bit} of the seal");
        }
    }
    for (bit, flipped) in flips(body) {
        let opened = open(header, &flipped, seal, &public, &key);
        assert!(opened.is_err(), "bit {bit} of the body");
    }
}

#[test]
fn no_secret_of_an_author_is_in_a_debug_text() {
    let pair = HybridSigningKeyPair::from_secret_bytes(&[0xab; 32], &[0xcd; 32]);
    let text = format!("{pair:?} {:?}", Author::from(&pair));
    assert!(text.contains("secret)") && !text.contains("abab") && !text.contains("171, 171"));
    assert!(!text.contains("cdcd") && !text.contains("205, 205"));
}
