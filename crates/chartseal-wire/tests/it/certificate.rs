//! The engine's certificates: its golden vector, and everything that is not the one form.

use std::collections::BTreeMap;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::certificate::MAX_CERTIFICATE;
use chartseal_wire::{
    BlockHeader, Certificate, ChainId, Committee, Export, Hash, Member, OrgId, PublicKey, Signature,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::sample;

/// Made by the engine itself.
const VECTORS: &str = include_str!("../../../chartseal-consensus/tests/vectors/certificate.txt");

fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let line = |line: &'static str| {
        let (name, hex) = line.split_once(' ').unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (name, (0..hex.len()).step_by(2).map(byte).collect())
    };
    VECTORS.lines().map(line).collect()
}

#[test]
fn the_engines_certificate_is_read_and_verified_without_it() {
    let vectors = vectors();
    let bytes = &vectors["certificate"];
    assert_eq!(bytes.len(), 239);
    let certificate = Certificate::parse(bytes).unwrap();
    assert_eq!(&certificate.bytes(), bytes);
    for (name, number) in [
        ("epoch", certificate.epoch),
        ("view", certificate.view),
        ("parent_view", certificate.parent_view),
    ] {
        assert_eq!(vectors[name], number.to_be_bytes(), "{name}");
    }
    let header: BlockHeader = from_bytes(&vectors["header"]).unwrap();
    assert_eq!(certificate.block, header.leaf());
    assert_eq!(certificate.members(), 4);
    // The committee's own order says nothing: validators are numbered by their keys.
    let member = |n: u8| Member {
        org: OrgId([n; 16]),
        validator: PublicKey(
            vectors[format!("committee.{n}").as_str()][..]
                .try_into()
                .unwrap(),
        ),
    };
    let committee = Committee::new(0, (1..=4).map(member).collect()).unwrap();
    let validators = committee.validators();
    assert!(validators.is_sorted_by_key(|member| member.validator));
    let message = certificate.message(&header.chain);
    let other = certificate.message(&ChainId([0xdd; 32]));
    assert_eq!(certificate.signed().count(), 3);
    for (at, signature) in certificate.signed() {
        let key = validators[at].validator;
        assert!(key.verify_zip215(&message, signature).is_ok());
        assert!(key.verify_raw(&message, signature).is_ok());
        assert!(key.verify_zip215(&other, signature).is_err());
        let neighbour = validators[(at + 1) % 4].validator;
        assert!(neighbour.verify_zip215(&message, signature).is_err());
    }
}

#[test]
fn a_certificate_has_one_form() {
    let good = sample::certificate(1).bytes();
    assert!(Certificate::parse(&good).is_ok());
    for end in 0..good.len() {
        assert!(Certificate::parse(&good[..end]).is_err(), "{end}");
    }
    assert!(Certificate::parse(&[&good[..], &[0]].concat()).is_err());
    let with = |at: usize, bytes: &[u8], behind: usize| {
        Certificate::parse(&[&good[..at], bytes, &good[behind..]].concat())
    };
    // Numbers: epoch 1, view 300 and its parent's 298 take 1, 2 and 2 bytes.
    assert!(with(0, &[0x81, 0], 1).is_err(), "not the shortest form");
    let tenth = |last: u8| [&[0xff; 9], &[last][..]].concat();
    assert_eq!(with(0, &tenth(1), 1).map(|read| read.epoch), Ok(u64::MAX));
    for last in [2, 0x7f, 0x81, 0xff] {
        assert!(with(0, &tenth(last), 1).is_err(), "beyond 64 bits");
    }
    // The number of members, the bits of the signers, and their number.
    let members = 1 + 2 + 2 + 32;
    for n in [0, 3, 65, u64::MAX] {
        assert!(
            with(members, &n.to_be_bytes(), members + 8).is_err(),
            "{n} members"
        );
    }
    assert!(with(members, &5u64.to_be_bytes(), members + 8).is_ok());
    for bits in [0, 1, 0x0f, 0x1b, 0x8b] {
        assert!(with(members + 8, &[bits], members + 9).is_err(), "{bits:x}");
    }
    for count in [0, 2, 4, 0xff] {
        assert!(
            with(members + 9, &[count], members + 10).is_err(),
            "{count}"
        );
    }
    // A committee of 64 takes 8 bytes of bits and all the room that there is.
    let all: Vec<_> = (0..64).map(|at| (at, Signature([1; 64]))).collect();
    let most = (u64::MAX, u64::MAX, u64::MAX);
    let full = Certificate::new(most, Hash::ZERO, 64, &all).unwrap();
    assert_eq!(full.bytes().len(), MAX_CERTIFICATE);
    assert_eq!(Certificate::parse(&full.bytes()), Ok(full));
}

#[test]
fn a_certificate_is_made_of_signers_in_order() {
    let one = |at| (at, Signature([1; 64]));
    let new = |members, signed: &[_]| Certificate::new((1, 2, 3), Hash::ZERO, members, signed);
    assert!(new(4, &[one(0), one(3)]).is_some());
    assert!(new(4, &[]).is_none());
    assert!(new(4, &[one(3), one(0)]).is_none());
    assert!(new(4, &[one(3), one(3)]).is_none());
    assert!(new(4, &[one(4)]).is_none());
    assert!(new(64, &[one(63)]).is_some());
    assert!(new(65, &[one(0)]).is_none());
}

#[test]
fn an_export_has_a_certificate_exactly_in_version_2() {
    let (plain, certified) = (to_bytes(&sample::export()), to_bytes(&sample::certified()));
    assert_eq!(
        (&plain[..2], &certified[..2]),
        (&[0x85, 1][..], &[0x86, 2][..])
    );
    assert_eq!(
        from_bytes::<Export>(&certified).unwrap(),
        sample::certified()
    );
    for (bytes, head) in [
        (&plain, [0x85, 2]),
        (&plain, [0x86, 1]),
        (&plain, [0x86, 2]),
    ] {
        assert!(from_bytes::<Export>(&[&head, &bytes[2..]].concat()).is_err());
    }
    for head in [[0x85, 1], [0x85, 2], [0x86, 1], [0x86, 3]] {
        assert!(from_bytes::<Export>(&[&head, &certified[2..]].concat()).is_err());
    }
}

#[test]
fn zip_215_takes_what_the_strict_rule_does_not() {
    // A key of small order: under ZIP-215 R neutral and S zero sign everything.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let key = PublicKey(neutral);
    for message in [&b"one"[..], b"another"] {
        assert!(key.verify_zip215(message, &Signature(signature)).is_ok());
        assert!(key.verify_raw(message, &Signature(signature)).is_err());
    }
    // The neutral element once more, with y = p + 1.
    let mut other = [0xff; 32];
    (other[0], other[31]) = (0xee, 0x7f);
    assert!(
        PublicKey(other)
            .verify_zip215(b"one", &Signature(signature))
            .is_ok()
    );
    // A good key signs under both; S above the group order under neither.
    let signing = SigningKey::from_bytes(&[7; 32]);
    let key = PublicKey(signing.verifying_key().to_bytes());
    let good = signing.sign(b"one").to_bytes();
    assert!(key.verify_zip215(b"one", &Signature(good)).is_ok());
    assert!(key.verify_zip215(b"two", &Signature(good)).is_err());
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carried = good;
    let mut carry = 0;
    for (byte, more) in carried[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(key.verify_zip215(b"one", &Signature(carried)).is_err());
    // No point at all: y = 2.
    let mut nowhere = [0; 32];
    nowhere[0] = 2;
    assert!(
        PublicKey(nowhere)
            .verify_zip215(b"one", &Signature(good))
            .is_err()
    );
    let mut bad = good;
    bad[..32].copy_from_slice(&nowhere);
    assert!(key.verify_zip215(b"one", &Signature(bad)).is_err());
}
