//! The engine's certificates, to the byte: whoever verifies them without the engine starts from this.

use std::fmt::Write as _;

use chartseal_consensus::{CertificateError, namespace, verified_certificate};
use chartseal_ledger::{Committee, Member};
use chartseal_wire::{BlockHeader, ChainId, Hash, OrgId, PublicKey, Time};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalization, Finalize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_cryptography::sha256::Digest;
use commonware_parallel::Sequential;
use commonware_utils::non_empty;
use commonware_utils::ordered::Set;

const VECTORS: &str = include_str!("../vectors/certificate.txt");
const CHAIN: ChainId = ChainId([0xcc; 32]);
const VIEW: u64 = 300;
const PARENT_VIEW: u64 = 298;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The validator of an RFC 8032 seed.
fn key(seed: u8) -> PrivateKey {
    PrivateKey::decode(Copying([seed; 32].as_slice())).unwrap()
}

fn public(seed: u8) -> PublicKey {
    PublicKey(key(seed).public_key().as_ref().try_into().unwrap())
}

/// The committee of the seeds 1 to 4, in its own order, which is not that of the keys' bytes.
fn committee(epoch: u64) -> Committee {
    let member = |seed| Member {
        org: OrgId([seed; 16]),
        validator: public(seed),
    };
    Committee::new(epoch, (1..=4).map(member).collect()).unwrap()
}

fn header() -> BlockHeader {
    BlockHeader {
        version: 1,
        chain: CHAIN,
        epoch: 0,
        height: 200,
        parent: Hash([1; 32]),
        time: Time(1_800_000_000_000),
        tx_root: Hash([2; 32]),
        state_root: Hash([3; 32]),
        log_root: Hash([4; 32]),
        log_size: 200,
        next_committee: committee(0).hash(),
    }
}

/// A certificate by the engine's own types: signed by these seeds, for this chain.
fn finalization(signers: &[u8], chain: &ChainId, epoch: u64) -> Vec<u8> {
    let participants = Set::from_iter_dedup((1..=4).map(|seed| key(seed).public_key()));
    let round = Round::new(Epoch::new(epoch), View::new(VIEW));
    let proposal = Proposal::new(round, View::new(PARENT_VIEW), Digest(header().leaf().0));
    let scheme = |seed| Scheme::signer(&namespace(chain), participants.clone(), key(seed)).unwrap();
    let votes: Vec<_> = signers
        .iter()
        .map(|seed| Finalize::sign(&scheme(*seed), proposal.clone()).unwrap())
        .collect();
    let finalization: Finalization<Scheme, Digest> =
        Finalization::from_finalizes(&scheme(1), non_empty![@votes.iter()], &Sequential).unwrap();
    finalization.encode().to_vec()
}

/// A name and bytes in hex a line; numbers are big-endian.
fn vectors() -> String {
    let mut text = String::new();
    let mut add = |name: &str, bytes: &[u8]| writeln!(text, "{name} {}", hex(bytes)).unwrap();
    for seed in 1..=4 {
        add(&format!("committee.{seed}"), &public(seed).0);
    }
    add("chain", &CHAIN.0);
    add("namespace", &namespace(&CHAIN));
    add("epoch", &0_u64.to_be_bytes());
    add("view", &VIEW.to_be_bytes());
    add("parent_view", &PARENT_VIEW.to_be_bytes());
    add("header", &header().bytes());
    add("header.leaf", header().leaf().as_ref());
    // Seed 2 did not vote.
    add("certificate", &finalization(&[1, 3, 4], &CHAIN, 0));
    text
}

#[test]
fn no_byte_of_a_certificate_has_moved() {
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/certificate.txt");
        std::fs::write(path, vectors()).unwrap();
        return;
    }
    for (now, then) in vectors().lines().zip(VECTORS.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(vectors().lines().count(), VECTORS.lines().count());
}

/// The byte table of docs/formats.md, read by hand.
#[test]
fn a_certificate_of_four_validators_has_239_bytes_where_the_table_says() {
    let bytes = finalization(&[1, 3, 4], &CHAIN, 0);
    assert_eq!(bytes.len(), 239);
    let (proposal, rest) = bytes.split_at(1 + 2 + 2 + 32);
    // LEB128: 300 is 0b10_0101100, 298 is 0b10_0101010.
    assert_eq!(proposal[..5], [0, 0xac, 0x02, 0xaa, 0x02]);
    assert_eq!(proposal[5..], header().leaf().0);
    assert_eq!(rest[..8], 4_u64.to_be_bytes());
    let mut sorted: Vec<(PublicKey, u8)> = (1..=4).map(|seed| (public(seed), seed)).collect();
    sorted.sort();
    let seeds: Vec<u8> = sorted.iter().map(|(_, seed)| *seed).collect();
    assert_ne!(seeds, [1, 2, 3, 4], "else the order would not be tested");
    let absent = seeds.iter().position(|seed| *seed == 2).unwrap();
    assert_eq!(rest[8], 0b1111 & !(1 << absent));
    assert_eq!(rest[9], 3);
    assert_eq!(rest[10..].len(), 3 * 64);

    // What is signed: the namespace's length, the namespace, then the bytes of the proposal.
    let mut message = vec![u8::try_from(namespace(&CHAIN).len() + 9).unwrap()];
    message.extend(namespace(&CHAIN));
    message.extend(b"_FINALIZE");
    message.extend(proposal);
    let signers = seeds.iter().filter(|seed| **seed != 2);
    for (seed, signature) in signers.zip(rest[10..].chunks(64)) {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&public(*seed).0).unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(signature.try_into().unwrap());
        key.verify_strict(&message, &signature).unwrap();
    }
}

#[test]
fn a_certificate_is_verified_and_says_what_it_is_for() {
    let bytes = finalization(&[1, 3, 4], &CHAIN, 0);
    let certificate = verified_certificate(&bytes, &CHAIN, &committee(0)).unwrap();
    assert_eq!(certificate.bytes(), bytes);
    assert_eq!(certificate.block, header().leaf());
    let round = (certificate.epoch, certificate.view, certificate.parent_view);
    assert_eq!(round, (0, VIEW, PARENT_VIEW));
}

#[test]
fn every_rule_of_certificates_is_triggered_alone() {
    let verify = |bytes: &[u8], chain: ChainId, epoch| {
        verified_certificate(bytes, &chain, &committee(epoch)).map_err(|error| error.rule())
    };
    let good = finalization(&[1, 3, 4], &CHAIN, 0);
    assert!(verify(&good, CHAIN, 0).is_ok());
    assert_eq!(verify(&good[1..], CHAIN, 0), Err("CS-BFT-01"));
    assert_eq!(
        verify(&[good.as_slice(), &[0]].concat(), CHAIN, 0),
        Err("CS-BFT-01")
    );
    assert_eq!(verify(&good, CHAIN, 1), Err("CS-BFT-02"));
    assert_eq!(verify(&good, ChainId([0xcd; 32]), 0), Err("CS-BFT-03"));
    let none = Member {
        org: OrgId([1; 16]),
        // No point of the curve has this y.
        validator: PublicKey([2; 32]),
    };
    let nobody = Committee::new(0, vec![none]).unwrap();
    assert_eq!(
        verified_certificate(&single(), &CHAIN, &nobody),
        Err(CertificateError::Key)
    );
}

/// A certificate in the form of a committee of one.
fn single() -> Vec<u8> {
    let mut bytes = finalization(&[1, 3, 4], &CHAIN, 0)[..37].to_vec();
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend([1, 1]);
    bytes.extend([0; 64]);
    bytes
}

#[test]
fn no_flipped_bit_and_no_quorum_one_too_small_is_accepted() {
    let good = finalization(&[1, 3, 4], &CHAIN, 0);
    for at in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        assert!(
            verified_certificate(&bad, &CHAIN, &committee(0)).is_err(),
            "bit {at}"
        );
    }
    // Two signatures of the three, with the bitmap to match.
    let signers = good[45];
    let mut two = good[..45].to_vec();
    two.push(signers & (signers - 1));
    two.push(2);
    two.extend(&good[47 + 64..]);
    assert_eq!(
        verified_certificate(&two, &CHAIN, &committee(0)),
        Err(CertificateError::Signatures { quorum: 3 })
    );
}
