//! What an attacker may try with honest parties' objects, one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use std::num::NonZeroU64;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{REQUEST, World, refusal, replace, rule};

fn faults(error: &CombineError) -> Vec<(u8, ShareFault)> {
    let CombineError::NotEnough(shortage) = error else {
        panic!("{error}")
    };
    shortage
        .faults
        .iter()
        .map(|fault| (fault.custodian.get(), fault.why))
        .collect()
}

#[test]
fn a_header_of_another_record_is_refused() {
    let mut world = World::new(1, 3, 4);
    let (one, info) = (world.seal(b"one"), world.info());
    let other = world.seal_as(
        &RecordInfo {
            record_id: RecordId([9; 16]),
            ..info
        },
        b"one",
    );
    let author = world.author.verifying_key();
    let held = world.hold(&one.dealer);
    let releases = world.release_each(&held);
    let key = combine(&world.reader, REQUEST, one.dealer.dealing(), &releases)
        .unwrap()
        .key;
    let error = open(&other.header, &one.body, &one.seal, &author, &key).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-31");
    // The other record's own seal does not help: it is over its own body.
    let error = open(&other.header, &one.body, &other.seal, &author, &key).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-32");
    // Nor does the right key on the other body.
    let error = open(&other.header, &other.body, &other.seal, &author, &key).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-20");
}

#[test]
fn another_authors_key_is_refused() {
    let mut world = World::new(2, 2, 2);
    let record = world.seal(b"text");
    let other = World::new(3, 2, 2).author.verifying_key();
    assert_eq!(
        rule(
            record
                .seal
                .verify_signature(&record.header, &other)
                .unwrap_err()
        ),
        "CS-ENV-30"
    );
}

#[test]
fn a_share_under_another_header_is_refused() {
    let mut world = World::new(4, 3, 4);
    let (one, info) = (world.seal(b"one"), world.info());
    let two = world.seal_as(
        &RecordInfo {
            record_id: RecordId([9; 16]),
            ..info
        },
        b"two",
    );
    let deal = world.deal(&[&one.dealer]).remove(0);
    let (keys, index) = (&world.custodians[0], deal.index());
    let error = accept(keys, index, two.dealer.dealing(), &deal).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-53");
    // Relabelled as a share of the other record, it doesn't open.
    let (from, to) = (one.header.digest(), two.header.digest());
    let moved = replace(&to_bytes(&deal), from.as_bytes(), to.as_bytes());
    let moved = from_bytes::<Deal>(&moved).unwrap();
    let error = accept(keys, index, two.dealer.dealing(), &moved).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-54");
}

#[test]
fn a_ciphertext_that_is_registered_again_under_another_policy_is_of_no_use() {
    // The copy attack: the thief puts the victim's body under a header of its own, as its own record
    // about itself, and hopes that custodians release to it what they hold.
    let mut world = World::new(5, 3, 4);
    let victim = world.seal(b"secret");
    let held = world.hold(&victim.dealer);
    let mut thief = World::new(6, 3, 4);
    let copy = thief.seal_as(
        &RecordInfo {
            subject: SubjectId([0xbb; 16]),
            ..world.info()
        },
        b"",
    );

    // Custodians hold no share under the thief's header, and one that is made to look so is refused.
    let releases = world.release_each(&held);
    let (from, to) = (victim.header.digest(), copy.header.digest());
    let moved: Vec<Release> = releases
        .iter()
        .map(|r| from_bytes(&replace(&to_bytes(r), from.as_bytes(), to.as_bytes())).unwrap())
        .collect();
    let error = combine(&world.reader, REQUEST, copy.dealer.dealing(), &moved).unwrap_err();
    assert!(
        faults(&error)
            .iter()
            .all(|(_, why)| *why == ShareFault::Sealing)
    );
    assert_eq!(faults(&error).len(), 4);

    // Even the key itself opens the body under its own header only.
    let key = combine(&world.reader, REQUEST, victim.dealer.dealing(), &releases)
        .unwrap()
        .key;
    let opened = cobblestone::open(&key, copy.header.digest().as_bytes(), &victim.body);
    assert_eq!(rule(opened.unwrap_err()), "CS-ENV-20");
}

#[test]
fn a_release_for_another_request_is_refused() {
    let mut world = World::new(7, 2, 3);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let later = RequestId([0x78; 32]);
    let dealing = record.dealer.dealing();
    let error = combine(&world.reader, later, dealing, &releases).unwrap_err();
    assert_eq!(rule(faults(&error)[0].1), "CS-ENV-51");
    // Relabelled as an answer to the later request, it doesn't open.
    let replayed: Vec<Release> = releases
        .iter()
        .map(|r| from_bytes(&replace(&to_bytes(r), &REQUEST.0, &later.0)).unwrap())
        .collect();
    let error = combine(&world.reader, later, dealing, &replayed).unwrap_err();
    assert_eq!(faults(&error), [1, 2, 3].map(|i| (i, ShareFault::Sealing)));
}

#[test]
fn a_release_to_another_reader_is_refused() {
    let mut world = World::new(8, 2, 2);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let thief = World::new(9, 2, 2).reader;
    let error = combine(&thief, REQUEST, record.dealer.dealing(), &releases).unwrap_err();
    assert_eq!(rule(faults(&error)[0].1), "CS-ENV-50");
    // Relabelled to the thief's key, it doesn't open.
    let (from, to) = (world.reader.key_id(), thief.key_id());
    let moved = replace(&to_bytes(&releases[0]), from.as_bytes(), to.as_bytes());
    let moved: Release = from_bytes(&moved).unwrap();
    let error = combine(&thief, REQUEST, record.dealer.dealing(), &[moved]).unwrap_err();
    assert_eq!(faults(&error), [(1, ShareFault::Sealing)]);
}

#[test]
fn one_share_less_than_the_threshold_gives_nothing_and_the_error_counts_it() {
    let mut world = World::new(10, 3, 4);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let dealing = record.dealer.dealing();
    let error = combine(&world.reader, REQUEST, dealing, &releases[1..3]).unwrap_err();
    assert_eq!(rule(&error), "CS-ENV-60");
    let CombineError::NotEnough(shortage) = error else {
        panic!()
    };
    assert_eq!((shortage.have, shortage.need), (2, 3));
    assert_eq!(
        shortage.missing.iter().map(|i| i.get()).collect::<Vec<_>>(),
        [1, 4]
    );
    assert!(combine(&world.reader, REQUEST, dealing, &releases[1..]).is_ok());
}

#[test]
fn a_share_that_is_given_twice_counts_once() {
    let mut world = World::new(11, 3, 4);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let releases = [0, 1, 1, 0].map(|i: usize| world.release(&[&held[i]]));
    let error = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases).unwrap_err();
    assert_eq!(
        faults(&error),
        [(2, ShareFault::Duplicate), (1, ShareFault::Duplicate)]
    );
    assert_eq!(rule(ShareFault::Duplicate), "CS-ENV-59");
}

#[test]
fn index_zero_and_indices_outside_of_the_set_are_refused() {
    assert_eq!(rule(ShareIndex::new(0).unwrap_err()), "CS-ENV-05");
    assert_eq!(rule(ShareIndex::new(65).unwrap_err()), "CS-ENV-05");
    let mut world = World::new(12, 2, 3);
    let record = world.seal(b"text");
    let deals = world.deal(&[&record.dealer]);
    // After the format, the suite and no request stands the index.
    let mut bytes = to_bytes(&deals[0]);
    assert_eq!(bytes[..5], [0x87, 1, 1, 0xf6, 1]);
    bytes[4] = 0;
    assert_eq!(refusal::<Deal>(&bytes), "CS-ENV-05");
    bytes[4] = 4;
    let outside: Deal = from_bytes(&bytes).unwrap();
    let dealing = record.dealer.dealing();
    let four = ShareIndex::new(4).unwrap();
    let error = accept(&world.custodians[0], four, dealing, &outside).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-52");
    // The same as its neighbour's.
    bytes[4] = 2;
    let neighbour: Deal = from_bytes(&bytes).unwrap();
    let error = accept(&world.custodians[0], deals[0].index(), dealing, &neighbour).unwrap_err();
    assert_eq!(error, ShareFault::Index);
    let error = accept(&world.custodians[0], deals[1].index(), dealing, &neighbour).unwrap_err();
    assert_eq!(error, ShareFault::Sealing);
}

#[test]
fn a_threshold_that_is_changed_in_flight_is_refused() {
    let mut world = World::new(13, 3, 4);
    let record = world.seal(b"text");
    let author = world.author.verifying_key();
    let deal = world.deal(&[&record.dealer]).remove(0);
    for changed in [(2, 4), (4, 4), (3, 5), (3, 3)] {
        let bytes = replace(
            &to_bytes(&record.header),
            &[0x82, 3, 4],
            &[0x82, changed.0, changed.1],
        );
        let header: Header = from_bytes(&bytes).unwrap();
        let error = record
            .seal
            .verify(&header, &record.body, &author)
            .unwrap_err();
        assert_eq!(rule(error), "CS-ENV-31");
        // Nor does the share open where the header is not looked at.
        let lie = to_bytes(record.dealer.dealing());
        let lie = replace(&lie, &[0x82, 3, 4], &[0x82, changed.0, changed.1]);
        let lie: Dealing = from_bytes(&lie).unwrap();
        let error = accept(&world.custodians[0], deal.index(), &lie, &deal).unwrap_err();
        assert_eq!(error, ShareFault::Sealing);
    }
    for impossible in [(1, 4), (5, 4), (0, 0)] {
        let new = [0x82, impossible.0, impossible.1];
        let bytes = replace(&to_bytes(&record.header), &[0x82, 3, 4], &new);
        assert_eq!(refusal::<Header>(&bytes), "CS-ENV-04");
    }
    assert_eq!(rule(Threshold::new(1, 4).unwrap_err()), "CS-ENV-04");
    assert_eq!(rule(Threshold::new(3, 65).unwrap_err()), "CS-ENV-04");
}

#[test]
fn a_custodian_that_flips_a_bit_is_named_and_the_others_suffice() {
    let mut world = World::new(14, 3, 4);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let mut releases = world.release_each(&held);
    let mut bytes = to_bytes(&releases[2]);
    *bytes.last_mut().unwrap() ^= 1;
    releases[2] = from_bytes(&bytes).unwrap();
    let dealing = record.dealer.dealing();
    let combined = combine(&world.reader, REQUEST, dealing, &releases).unwrap();
    let three = ShareIndex::new(3).unwrap();
    assert_eq!(
        combined.faults,
        [Fault {
            custodian: three,
            why: ShareFault::Sealing
        }]
    );
    assert_eq!(
        world.open(&record, &combined.key).unwrap().content(),
        b"text"
    );
    // With another one away, nothing opens, and the liar is still named.
    let error = combine(&world.reader, REQUEST, dealing, &releases[1..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 of 3 needed shares; none from custodian 1, 3; custodian 3: not what was sealed for this \
         record and deal (CS-ENV-54) (CS-ENV-60)"
    );
}

#[test]
fn shares_of_two_deals_never_combine() {
    let mut world = World::new(15, 3, 4);
    let record = world.seal(b"text");
    let old = world.hold(&record.dealer);
    let releases = world.release_each(&old);
    let key = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases)
        .unwrap()
        .key;
    let opened = world.open(&record, &key).unwrap();

    let one = NonZeroU64::new(1).unwrap();
    let dealer = opened.redeal(one, world.set);
    let new = world.hold(&dealer);
    // Two new shares and two old ones: neither deal has three.
    let mixed = [&new[0], &new[1], &old[2], &old[3]].map(|share| world.release(&[share]));
    for dealing in [dealer.dealing(), record.dealer.dealing()] {
        let error = combine(&world.reader, REQUEST, dealing, &mixed).unwrap_err();
        let CombineError::NotEnough(shortage) = error else {
            panic!()
        };
        assert_eq!(shortage.have, 2);
    }
    // An old share relabelled with the new epoch doesn't open.
    let digest = record.header.digest();
    let (from, to) = (
        [digest.as_bytes().as_slice(), &[0]].concat(),
        [digest.as_bytes().as_slice(), &[1]].concat(),
    );
    let relabelled: Release = from_bytes(&replace(&to_bytes(&mixed[2]), &from, &to)).unwrap();
    let releases = [mixed[0].clone(), mixed[1].clone(), relabelled];
    let error = combine(&world.reader, REQUEST, dealer.dealing(), &releases).unwrap_err();
    assert_eq!(faults(&error), [(3, ShareFault::Sealing)]);

    // The new deal alone gives the same key, and is audited like the first.
    let releases = world.release_each(&new);
    let combined = combine(&world.reader, REQUEST, dealer.dealing(), &releases).unwrap();
    let opened = world.open(&record, &combined.key).unwrap();
    assert_eq!(audit_deal(&opened, dealer.dealing()), DealVerdict::Honest);
    let anchored = Dealing::later(&record.header, one, world.set, dealer.dealing().root());
    assert_eq!(&anchored, dealer.dealing());
}

#[test]
fn a_redeal_to_another_set_opens_and_a_false_root_is_the_dealers_fault() {
    let mut world = World::new(16, 3, 4);
    let record = world.seal(b"text");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let key = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases)
        .unwrap()
        .key;
    let opened = world.open(&record, &key).unwrap();

    let mut next = World::new(17, 5, 7);
    next.set.epoch = 4;
    let one = NonZeroU64::new(1).unwrap();
    let dealer = opened.redeal(one, next.set);
    let held = next.hold(&dealer);
    let releases = next.release_each(&held[2..]);
    let key = combine(&next.reader, REQUEST, dealer.dealing(), &releases)
        .unwrap()
        .key;
    let opened = world.open(&record, &key).unwrap();
    assert_eq!(opened.content(), b"text");
    let lie = Dealing::later(&record.header, one, next.set, CommitmentRoot([1; 32]));
    assert_eq!(audit_deal(&opened, &lie), DealVerdict::DealerCheated);
}

#[test]
fn a_body_does_not_open_with_two_keys() {
    let mut world = World::new(18, 2, 2);
    let record = world.seal(b"text");
    let context = record.header.digest();
    // The attacker's own key, with its own valid salt and commitment in front of the victim's body.
    let mine = ContentKey::from_bytes([0x3c; 32]);
    let own = cobblestone::seal_with_rng(&mine, context.as_bytes(), &[b"text"], &mut world.rng);
    let spliced = [
        &own[..cobblestone::PREFIX_LEN],
        &record.body[cobblestone::PREFIX_LEN..],
    ]
    .concat();
    let error = cobblestone::open(&mine, context.as_bytes(), &spliced).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-21");
    let error = cobblestone::open(&mine, context.as_bytes(), &record.body).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-20");
}

#[test]
fn keys_that_give_secrets_away_are_refused() {
    let key = World::new(19, 2, 2).keys[0].to_bytes();
    assert!(KemPublicKey::from_bytes(&key).is_ok());
    assert_eq!(
        rule(KemPublicKey::from_bytes(&[0; 1216]).unwrap_err()),
        "CS-ENV-14"
    );
    assert_eq!(
        rule(KemPublicKey::from_bytes(&key[1..]).unwrap_err()),
        "CS-ENV-12"
    );
    // A zero ML-KEM vector: whoever sees the ciphertext decapsulates it.
    let mut zero_vector = key.clone();
    zero_vector[..1152].fill(0);
    assert_eq!(
        rule(KemPublicKey::from_bytes(&zero_vector).unwrap_err()),
        "CS-ENV-13"
    );
    // A coefficient that is not below q = 3329.
    let mut too_large = key.clone();
    too_large[..2].fill(0xff);
    assert_eq!(
        rule(KemPublicKey::from_bytes(&too_large).unwrap_err()),
        "CS-ENV-13"
    );
    for bytes in [&zero_vector, &too_large] {
        assert_eq!(
            refusal::<KemPublicKey>(&to_bytes(&chartseal_codec::Bytes(bytes.clone()))),
            "CS-ENV-13"
        );
    }
    // Ed25519: the identity, and what is no point.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(
        rule(VerifyingKey::from_bytes(&identity).unwrap_err()),
        "CS-ENV-11"
    );
    assert_eq!(
        rule(VerifyingKey::from_bytes(&[0; 32]).unwrap_err()),
        "CS-ENV-11"
    );
    assert_eq!(
        rule(VerifyingKey::from_bytes(&[2; 32]).unwrap_err()),
        "CS-ENV-10"
    );
    assert_eq!(refusal::<VerifyingKey>(&to_bytes(&identity)), "CS-ENV-11");
}

#[test]
fn an_encapsulated_key_of_small_order_is_refused() {
    let mut world = World::new(20, 2, 2);
    let record = world.seal(b"text");
    let deal = world.deal(&[&record.dealer]).remove(0);
    let bytes = to_bytes(&deal);
    // [7 items: 1, 1, null, 1, h'32 bytes', h'1120 bytes', …]: its last 32 bytes are a point.
    let enc = 5 + 34 + 3;
    let mut low = bytes.clone();
    low[enc + 1088..enc + 1120].fill(0);
    let low: Deal = from_bytes(&low).unwrap();
    let dealing = record.dealer.dealing();
    let error = accept(&world.custodians[0], low.index(), dealing, &low).unwrap_err();
    assert_eq!(error, ShareFault::Sealing);
}

#[test]
fn a_deal_is_no_release_and_a_release_no_deal() {
    let mut world = World::new(21, 2, 2);
    let record = world.seal(b"text");
    let deal = world.deal(&[&record.dealer]).remove(0);
    let held = world.hold(&record.dealer);
    let release = world.release(&[&held[0]]);
    assert_eq!(refusal::<Release>(&to_bytes(&deal)), "CS-ENV-40");
    assert_eq!(refusal::<Deal>(&to_bytes(&release)), "CS-ENV-40");
}

#[test]
fn no_signature_verifies_for_another_message() {
    let keys = World::new(22, 2, 2).author;
    let signature = keys.sign(b"message");
    let public = keys.verifying_key();
    assert!(public.verify_strict(b"message", &signature).is_ok());
    assert_eq!(
        rule(public.verify_strict(b"massage", &signature).unwrap_err()),
        "CS-ENV-15"
    );
}

#[test]
fn a_sealed_text_opens_only_as_it_was_sealed() {
    let mut world = World::new(23, 2, 2);
    let key = world.reader.public_key().clone();
    let purpose = "test/reason/1";
    let sealed = seal_text_with_rng(&key, purpose, b"aad", b"why", &mut world.rng).unwrap();
    let reader = &world.reader;
    let open =
        |purpose: &str, aad: &[u8], sealed: &SealedText| open_text(reader, purpose, aad, sealed);
    assert_eq!(open(purpose, b"aad", &sealed).unwrap().as_slice(), b"why");
    assert_eq!(
        rule(open("test/other/1", b"aad", &sealed).unwrap_err()),
        "CS-ENV-73"
    );
    assert_eq!(
        rule(open(purpose, b"bad", &sealed).unwrap_err()),
        "CS-ENV-73"
    );
    let other = open_text(&world.custodians[0], purpose, b"aad", &sealed).unwrap_err();
    assert_eq!(rule(other), "CS-ENV-72");
    let bytes = to_bytes(&sealed);
    for i in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[i] ^= 1;
        if let Ok(flipped) = from_bytes::<SealedText>(&flipped) {
            assert!(open(purpose, b"aad", &flipped).is_err(), "byte {i}");
        }
    }
    let long = vec![0; MAX_TEXT + 1];
    let error = seal_text_with_rng(&key, purpose, b"", &long, &mut world.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-70");
    let long = "p".repeat(MAX_PURPOSE + 1);
    let error = seal_text_with_rng(&key, &long, b"", b"", &mut world.rng).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-71");
    // "yes" and "no" are of one length.
    let lens = [b"yes".as_slice(), b"no"].map(|text| {
        to_bytes(&seal_text_with_rng(&key, purpose, b"", text, &mut world.rng).unwrap()).len()
    });
    assert_eq!(lens[0], lens[1]);
}
