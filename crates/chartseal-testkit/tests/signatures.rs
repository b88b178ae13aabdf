//! One rule for signatures, wherever they are checked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_codec::hex_exact;
use chartseal_codec::to_hex;
use chartseal_testkit::python::Python;
use serde_json::Value;

/// C2SP/CCTV's 914 signatures, which tell every known rule for Ed25519 from the others.
#[test]
fn all_914_cctv_signatures_are_decided_alike_by_the_envelope_and_the_wire() {
    let Some(vectors) = vectors() else {
        return;
    };
    let mut accepted = 0;
    for vector in &vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let key: [u8; 32] = hex_exact(text("key")).unwrap();
        let signature: [u8; 64] = hex_exact(text("sig")).unwrap();
        let message = text("msg").as_bytes();
        let envelope = chartseal_envelope::VerifyingKey::from_bytes(&key).is_ok_and(|key| {
            let signature = chartseal_envelope::Signature(signature);
            key.verify_strict(message, &signature).is_ok()
        });
        let wire = chartseal_wire::PublicKey(key)
            .verify_raw(message, &chartseal_wire::Signature(signature))
            .is_ok();
        assert_eq!(envelope, wire, "{}", vector["number"]);
        accepted += usize::from(wire);
    }
    assert!(accepted > 0 && accepted < 914);
}

/// Both rules of the verifiers: ours, and ZIP-215 for engines' certificates. That one refuses what
/// was signed for another spelling of the key, except where the key is of small order: then the hash of the
/// spelling, multiplied by the cofactor, is nothing.
#[test]
fn all_914_cctv_signatures_are_decided_alike_in_python_and_under_zip_215() {
    let Some(vectors) = vectors() else {
        return;
    };
    let mut python = Python::start();
    let (mut accepted, mut cofactored) = (0, 0);
    for vector in &vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let message = text("msg").as_bytes();
        let words = format!("{} {} {}", text("key"), to_hex(message), text("sig"));
        let key = chartseal_wire::PublicKey(hex_exact(text("key")).unwrap());
        let signature = chartseal_wire::Signature(hex_exact(text("sig")).unwrap());
        let ours = key.verify_raw(message, &signature).is_ok();
        let has = |flag: &str| {
            vector["flags"]
                .as_array()
                .is_some_and(|flags| flags.iter().any(|f| f == flag))
        };
        let is_zip_215 = !has("reencoded_k") || has("low_order_A");
        let found = key.verify_zip215(message, &signature).is_ok();
        assert_eq!(found, is_zip_215, "{}", vector["number"]);
        if let Some(python) = &mut python {
            for (rule, holds) in [("strict", ours), ("cofactored", is_zip_215)] {
                let found = python.ask(&format!("{rule} {words}")).unwrap();
                assert_eq!(found, holds.to_string(), "{rule} {}", vector["number"]);
            }
        }
        accepted += usize::from(ours);
        cofactored += usize::from(is_zip_215);
    }
    assert!(accepted > 0 && accepted < cofactored && cofactored < 914);
}

fn vectors() -> Option<Vec<Value>> {
    let file = chartseal_testkit::data_dir()?.join("vectors/cctv/ed25519/ed25519vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(vectors.len(), 914);
    Some(vectors)
}
