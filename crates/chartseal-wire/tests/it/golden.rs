//! Bytes that are hashed and signed for ever: a test fails if one moves.

use std::fmt::Write;

use chartseal_codec::{Encode, from_bytes, to_bytes};
use chartseal_merkle::Hash;
use chartseal_wire::history::{Outcome, Token, outcome_commitment, state_key, text_commitment};
use chartseal_wire::{
    ActorId, BlockHeader, ChainId, Entry, Event, Export, PatientId, RecordId, Subject, TxId, domain,
};

use crate::sample;

const VECTORS: &str = include_str!("../vectors/wire.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Every vector: a name and bytes in hex.
fn vectors() -> String {
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| lines.push((name.into(), bytes.into()));
    add("header", &sample::header().bytes());
    add("header.leaf", sample::header().leaf().as_ref());
    for (name, event) in sample::events() {
        add(&format!("event.{name}"), &to_bytes(&event));
    }
    let entry = to_bytes(&sample::entry(sample::events()[0].1.clone()));
    add("entry", &entry);
    add("entry.leaf", Entry::leaf(&entry).as_ref());
    for subject in [
        Subject::Patient(PatientId([0xa1; 16])),
        Subject::Actor(ActorId([0xd1; 16])),
    ] {
        let name = if matches!(subject, Subject::Patient(_)) {
            "patient"
        } else {
            "actor"
        };
        add(&format!("subject.{name}"), &to_bytes(&subject));
        add(&format!("subject.{name}.slot"), subject.slot().as_ref());
    }
    add("state_key", state_key("grant", &[1, 2]).as_ref());
    add(
        "text_commitment",
        text_commitment(&[0x40; 32], &[1, 2, 3]).as_ref(),
    );
    let outcome = Outcome {
        record: RecordId([0x11; 16]),
        header: None,
        permitted: false,
        code: Token::new("no_grant").unwrap(),
        basis: vec![],
        obligations: vec![],
    };
    add(
        "outcome_commitment",
        outcome_commitment(&[0x41; 32], &TxId([0x55; 32]), &outcome).as_ref(),
    );
    add("map_proof", &to_bytes(&sample::proof()));
    add("export", &to_bytes(&sample::export()));
    add("committee", &to_bytes(&sample::committee(1)));
    add("committee.hash", sample::committee(1).hash().as_ref());
    add("certificate", &sample::certificate(1).bytes());
    add(
        "certificate.message",
        &sample::certificate(1).message(&ChainId([0xcc; 32])),
    );
    add("export.certified", &to_bytes(&sample::certified()));
    for one in domain::ALL {
        add(&format!("tagged {one}"), &domain::tagged_sha256(one, b""));
    }
    lines.iter().fold(String::new(), |mut text, (name, bytes)| {
        writeln!(text, "{name} {}", hex(bytes)).unwrap();
        text
    })
}

#[test]
fn no_byte_of_a_binary_format_has_moved() {
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/wire.txt");
        std::fs::write(path, vectors()).unwrap();
    }
    for (now, then) in vectors().lines().zip(VECTORS.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(vectors().lines().count(), VECTORS.lines().count());
}

/// The stored bytes of a vector.
fn stored(name: &str) -> Vec<u8> {
    let line = VECTORS
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let digits = line.unwrap().as_bytes();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    digits
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

#[test]
fn stored_bytes_are_read_back() {
    assert_eq!(
        from_bytes::<BlockHeader>(&stored("header")).unwrap(),
        sample::header()
    );
    for (name, event) in sample::events() {
        assert_eq!(
            from_bytes::<Event>(&stored(&format!("event.{name}"))).unwrap(),
            event
        );
    }
    assert_eq!(
        from_bytes::<Export>(&stored("export")).unwrap(),
        sample::export()
    );
}

#[test]
fn the_sample_has_every_event() {
    // A new event needs a vector: its tag is the next one that is free.
    let tag = |event: &Event| {
        let bytes = to_bytes(event);
        let mut d = chartseal_codec::Decoder::new(&bytes);
        d.array(2).unwrap();
        d.uint().unwrap()
    };
    let tags: Vec<u64> = sample::events().iter().map(|(_, one)| tag(one)).collect();
    let count = tags.len() as u64;
    assert_eq!(tags, (1..=count).collect::<Vec<_>>());
    let mut e = chartseal_codec::Encoder::new();
    e.array(2).uint(count + 1).uint(0);
    let event = e.finish();
    let error = from_bytes::<Event>(&event).unwrap_err().to_string();
    assert!(error.contains("no such tag"), "{error}");
}

#[test]
fn an_export_is_sorted_however_it_was_put_together() {
    let mut mixed = sample::export();
    let mut other = mixed.histories[0].clone();
    other.subject = Subject::Patient(PatientId([0xa0; 16]));
    mixed.histories.push(other);
    let mut text = mixed.texts[0].clone();
    text.salt = [0x39; 32];
    mixed.texts.extend([text.clone(), text]);
    let read: Export = from_bytes(&to_bytes(&mixed)).unwrap();
    assert_eq!(
        read.histories[0].subject,
        Subject::Patient(PatientId([0xa0; 16]))
    );
    assert_eq!(
        read.texts
            .iter()
            .map(|text| text.salt[0])
            .collect::<Vec<_>>(),
        [0x39, 0x40]
    );
    // And no other order is read.
    let bytes = to_bytes(&mixed);
    let (small, large) = (to_bytes(&read.texts[0]), to_bytes(&read.texts[1]));
    assert_eq!(bytes[bytes.len() - large.len()..], large);
    let swapped = [
        &bytes[..bytes.len() - small.len() - large.len()],
        &large,
        &small,
    ]
    .concat();
    assert!(
        from_bytes::<Export>(&swapped)
            .unwrap_err()
            .to_string()
            .contains("sorted")
    );
    // Nor a subject twice.
    mixed.histories.push(mixed.histories[0].clone());
    assert!(
        from_bytes::<Export>(&to_bytes(&mixed))
            .unwrap_err()
            .to_string()
            .contains("none twice")
    );
}

#[test]
fn a_long_history_is_one_export() {
    let mut long = sample::export();
    long.histories[0].entries = vec![chartseal_codec::Bytes(vec![]); chartseal_codec::MAX_LIST + 1];
    assert_eq!(from_bytes::<Export>(&to_bytes(&long)).unwrap(), long);
}

#[test]
fn versions_of_another_number_are_refused() {
    let mut strange = sample::export();
    strange.header.version = 2;
    assert!(
        from_bytes::<Export>(&to_bytes(&strange))
            .unwrap_err()
            .to_string()
            .contains("version")
    );
    let mut bytes = to_bytes(&sample::export());
    bytes[1] = 2;
    assert!(
        from_bytes::<Export>(&bytes)
            .unwrap_err()
            .to_string()
            .contains("export.version")
    );
}

#[test]
fn ids_of_one_person_are_the_same_bytes() {
    let patient = PatientId([7; 16]);
    assert_eq!(ActorId::from(patient).as_bytes(), patient.as_bytes());
    assert_eq!(
        "cc".repeat(32).parse::<ChainId>().unwrap(),
        ChainId([0xcc; 32])
    );
    assert!("CC".repeat(32).parse::<ChainId>().is_err());
    let mut e = chartseal_codec::Encoder::new();
    Hash::ZERO.encode(&mut e);
    assert_eq!(e.finish().len(), 34);
}
