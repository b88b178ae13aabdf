//! What people exchange: public identities, and fingerprints that are read aloud.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{World, refusal, rule};

fn seed() -> KeySeed {
    KeySeed::from_bytes([7; 32])
}

#[test]
fn an_identity_holds_what_its_owner_seals_and_is_sealed_to_with() {
    let mut world = World::new(170, 2, 2);
    world.author = seed().signing_key();
    let record = world.seal(b"text");
    let identity: PublicIdentity = from_bytes(&to_bytes(&seed().identity(Suite::XWing))).unwrap();
    let SealedRecord {
        header, body, seal, ..
    } = &record;
    assert_eq!(seal.verify(header, body, identity.author()), Ok(()));
    assert_eq!(identity.author().key_id(), header.author());
    let sealed = seal_text_with_rng(identity.kem(), "test", b"", b"why", &mut world.rng).unwrap();
    let keys = seed().kem_key(Suite::XWing);
    let opened = open_text(&keys, "test", b"", &sealed).unwrap();
    assert_eq!(opened.as_slice(), b"why");
}

#[test]
fn a_fingerprint_commits_to_every_key_and_the_suite() {
    let (mine, other) = (seed(), KeySeed::from_bytes([8; 32]));
    let identity = mine.identity(Suite::XWing);
    let (author, kem) = (identity.author(), identity.kem().clone());
    let their = other.identity(Suite::XWing);
    let new = |author: &AuthorKey, kem| PublicIdentity::new(Suite::XWing, author, kem).unwrap();
    let same = new(author, kem.clone());
    assert_eq!(
        (&same, same.fingerprint()),
        (&identity, identity.fingerprint())
    );
    let others = [
        new(their.author(), kem),
        new(author, their.kem().clone()),
        their,
        #[cfg(feature = "pq-sign")]
        mine.identity(Suite::XWingMlDsa65),
    ];
    for other in others {
        assert_ne!(other.fingerprint(), identity.fingerprint());
    }
}

#[test]
fn an_identity_is_of_one_suite_and_fits_its_cap() {
    let bytes = to_bytes(&seed().identity(Suite::XWing));
    assert_eq!(bytes.len(), 1256);
    assert_eq!(
        refusal::<PublicIdentity>(&[&[0x84, 2], &bytes[2..]].concat()),
        "CS-ENV-01"
    );
    assert_eq!(
        refusal::<PublicIdentity>(&[&[0x84, 1, 3], &bytes[3..]].concat()),
        "CS-ENV-02"
    );
    #[cfg(feature = "pq-sign")]
    {
        let two = seed().identity(Suite::XWingMlDsa65);
        assert_eq!(to_bytes(&two).len(), PublicIdentity::MAX_LEN);
        // The same KEM key, and an author of the other kind.
        assert_eq!(seed().identity(Suite::XWing).kem(), two.kem());
        let one = seed().signing_key().verifying_key();
        let mixed = PublicIdentity::new(Suite::XWingMlDsa65, &one, two.kem().clone());
        assert_eq!(rule(mixed.unwrap_err()), "CS-ENV-06");
        let mixed = PublicIdentity::new(Suite::XWing, two.author(), two.kem().clone());
        assert_eq!(rule(mixed.unwrap_err()), "CS-ENV-06");
        let relabelled = [&[0x84, 1, 2], &bytes[3..]].concat();
        assert!(from_bytes::<PublicIdentity>(&relabelled).is_err());
    }
    #[cfg(feature = "hazmat")]
    {
        let weak = to_bytes(seed().kem_key(Suite::X25519).public_key());
        let mixed = [&bytes[..bytes.len() - 1219], &weak].concat();
        assert_eq!(refusal::<PublicIdentity>(&mixed), "CS-ENV-06");
    }
}

#[test]
fn a_fingerprint_is_read_back_as_it_may_be_written() {
    let fingerprint =
        KeyId(std::array::from_fn(|i| u8::try_from(37 * i % 251).unwrap())).fingerprint();
    let text = fingerprint.to_string();
    for heard in [
        text.clone(),
        text.to_uppercase(),
        text.replace('-', ""),
        text.replace('-', " "),
        text.replace('0', "O").replace('1', "l"),
        format!(" {} \n", text.replace('1', "I")),
    ] {
        assert_eq!(heard.parse(), Ok(fingerprint), "{heard}");
    }
    // Every digit counts.
    for (at, digit) in text.char_indices().filter(|(_, digit)| *digit != '-') {
        let mut typo = text.clone().into_bytes();
        typo[at] = if digit == '7' { b'8' } else { b'7' };
        let typo: Fingerprint = String::from_utf8(typo).unwrap().parse().unwrap();
        assert_ne!(typo, fingerprint, "digit {at}");
    }
}

#[test]
fn a_fingerprint_with_a_typo_says_which() {
    let error = |text: &str| text.parse::<Fingerprint>().unwrap_err().to_string();
    assert_eq!(
        error("b9d5-mpjt-b9d5-mpjt-b9d5-mpj"),
        "fingerprint has 23 digits, should have 24 (CS-ENV-17)"
    );
    assert_eq!(
        error("b9d5-mpjt-b9d5-mpjt-b9d5-mpjtt"),
        "fingerprint has 25 digits, should have 24 (CS-ENV-17)"
    );
    assert_eq!(
        error(""),
        "fingerprint has 0 digits, should have 24 (CS-ENV-17)"
    );
    assert_eq!(
        error("b9d5-mpät-b9d5-mpjt-b9d5-mpjt"),
        "'ä' at place 7 is no digit of a fingerprint (CS-ENV-18)"
    );
    let long = "7".repeat(100_000);
    assert_eq!(rule(error(&long)), "CS-ENV-17");
}

#[cfg(not(feature = "pq-sign"))]
#[test]
fn suite_2_is_unknown_without_its_feature() {
    let mut world = World::new(171, 2, 2);
    let record = world.seal(b"text");
    let (mut header, mut seal) = (to_bytes(&record.header), to_bytes(&record.seal));
    let mut identity = to_bytes(&seed().identity(Suite::XWing));
    for bytes in [&mut header, &mut seal, &mut identity] {
        bytes[2] = 2;
    }
    assert_eq!(refusal::<Header>(&header), "CS-ENV-02");
    assert_eq!(refusal::<Seal>(&seal), "CS-ENV-02");
    assert_eq!(refusal::<PublicIdentity>(&identity), "CS-ENV-02");
}
