//! Evidence against a custodian who signed a release.
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

/// The first custodian's release, and its signing key.
struct Case {
    world: World,
    record: SealedRecord,
    held: Vec<HeldShare>,
    signing: SigningKeyPair,
}

const ONE: fn() -> ShareIndex = || ShareIndex::new(1).unwrap();

impl Case {
    fn new() -> Self {
        let mut world = World::new(150, 2, 3);
        let record = world.seal(b"text");
        let held = world.hold(&record.dealer);
        let signing = SigningKeyPair::generate_with_rng(&mut world.rng);
        Self {
            world,
            record,
            held,
            signing,
        }
    }

    fn good(&mut self) -> Release {
        self.world.release(&[&self.held[0]])
    }

    /// With its last bit flipped.
    fn bad(&mut self) -> Release {
        let mut bytes = to_bytes(&self.good());
        *bytes.last_mut().unwrap() ^= 1;
        from_bytes(&bytes).unwrap()
    }

    fn check(&self, evidence: &ReleaseEvidence) -> Result<Fault, NoProof> {
        let dealing = self.record.dealer.dealing();
        evidence.check(ONE(), &self.signing.verifying_key(), &[dealing])
    }
}

#[test]
fn a_custodian_who_flips_a_bit_and_signs_is_guilty_before_everybody() {
    let mut case = Case::new();
    let signed = case.bad().sign(&case.signing);
    let evidence = ReleaseEvidence::new(signed, &case.world.reader);
    let evidence: ReleaseEvidence = from_bytes(&to_bytes(&evidence)).unwrap();
    let fault = case.check(&evidence).unwrap();
    assert_eq!(
        fault,
        Fault {
            custodian: ONE(),
            why: ShareFault::Sealing
        }
    );
}

#[test]
fn a_bit_flipped_in_any_byte_of_a_signed_release_is_the_signers_fault() {
    let mut case = Case::new();
    let bytes = to_bytes(&case.good());
    // One bit of each byte: each check makes the request's key pair anew.
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        let Ok(flipped) = from_bytes::<Release>(&flipped) else {
            continue;
        };
        let signed = flipped.clone().sign(&case.signing);
        let evidence = ReleaseEvidence::new(signed, &case.world.reader);
        match case.check(&evidence) {
            Ok(_) => {}
            // It may be an honest answer to another key, or about another record.
            Err(NoProof::RequestKey) => assert_ne!(flipped.recipient(), case.world.reader.key_id()),
            Err(NoProof::Foreign) => {
                let item = flipped.items().next().unwrap();
                assert_ne!(item, case.record.dealer.dealing().item());
            }
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
}

#[test]
fn nobody_makes_evidence_against_an_honest_custodian() {
    let mut case = Case::new();
    let good = case.good().sign(&case.signing);
    assert!(good.verify(&case.signing.verifying_key()).is_ok());
    let evidence = ReleaseEvidence::new(good.clone(), &case.world.reader);
    assert_eq!(rule(case.check(&evidence).unwrap_err()), "CS-ENV-65");
    // A release that somebody else signed, or altered.
    let other = SigningKeyPair::generate_with_rng(&mut case.world.rng);
    let forged = case.bad().sign(&other);
    let evidence = ReleaseEvidence::new(forged, &case.world.reader);
    assert_eq!(rule(case.check(&evidence).unwrap_err()), "CS-ENV-62");
    // Another key than the one that it is sealed to.
    let evidence = ReleaseEvidence::new(good.clone(), &case.world.custodians[0]);
    assert_eq!(rule(case.check(&evidence).unwrap_err()), "CS-ENV-63");
    // A record that the third party doesn't know.
    let evidence = ReleaseEvidence::new(good, &case.world.reader);
    let error = evidence.check(ONE(), &case.signing.verifying_key(), &[]);
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-64");
    // No byte of it can be changed so that it becomes evidence.
    let bytes = to_bytes(&evidence);
    for place in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[place] ^= 0x10;
        if let Ok(forged) = from_bytes::<ReleaseEvidence>(&forged) {
            assert!(case.check(&forged).is_err(), "byte {place}");
        }
    }
}

#[test]
fn a_custodian_who_signs_for_another_index_is_guilty() {
    let mut case = Case::new();
    let signed = case.world.release(&[&case.held[1]]).sign(&case.signing);
    let evidence = ReleaseEvidence::new(signed, &case.world.reader);
    assert_eq!(case.check(&evidence).unwrap().why, ShareFault::Index);
}

#[test]
fn a_signed_release_is_of_use_only_as_it_was_signed() {
    let mut case = Case::new();
    let signed = case.good().sign(&case.signing);
    let key = case.signing.verifying_key();
    assert_eq!(signed.verify(&key).unwrap().request(), REQUEST);
    let bytes = to_bytes(&signed);
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        if let Ok(flipped) = from_bytes::<SignedRelease>(&flipped) {
            assert_eq!(
                rule(flipped.verify(&key).unwrap_err()),
                "CS-ENV-15",
                "byte {place}"
            );
        }
    }
    let mut other = bytes;
    other[1] = 2;
    assert_eq!(refusal::<SignedRelease>(&other), "CS-ENV-01");
}

#[test]
fn the_request_key_is_in_no_debug_text() {
    let mut case = Case::new();
    let signed = case.bad().sign(&case.signing);
    let text = format!("{:?}", ReleaseEvidence::new(signed, &case.world.reader));
    assert_eq!(text, "ReleaseEvidence(custodian 1, secret)");
}

#[test]
fn revealed_shares_have_one_order() {
    // [1, h'32 bytes', 0, h'64 bytes', [[2, h'32 bytes', h'32 bytes'], [1, …, …]]]
    let share = |index: u8| {
        [
            &[0x83, index, 0x58, 32][..],
            &[0; 32],
            &[0x58, 32],
            &[0; 32],
        ]
        .concat()
    };
    let evidence = |list: usize, a: u8, b: u8| {
        let commitments = vec![0; list];
        let len = u8::try_from(list).unwrap();
        let head = [
            &[0x85, 1, 0x58, 32][..],
            &[0; 32],
            &[0, 0x58, len],
            &commitments,
            &[0x82],
        ];
        [head.concat(), share(a), share(b)].concat()
    };
    assert!(from_bytes::<DealerEvidence>(&evidence(64, 1, 2)).is_ok());
    for (a, b) in [(2, 1), (1, 1)] {
        assert_eq!(refusal::<DealerEvidence>(&evidence(64, a, b)), "CS-ENV-69");
    }
    assert_eq!(refusal::<DealerEvidence>(&evidence(63, 1, 2)), "CS-ENV-56");
}
