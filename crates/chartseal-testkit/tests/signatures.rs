//! One rule for signatures, wherever they are checked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_codec::hex_exact;
use serde_json::Value;

/// C2SP/CCTV's 914 signatures, which tell every known rule for Ed25519 from the others.
#[test]
fn all_914_cctv_signatures_are_decided_alike_by_the_envelope_and_the_wire() {
    let Some(data) = chartseal_testkit::data_dir() else {
        return;
    };
    let file = data.join("vectors/cctv/ed25519/ed25519vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(vectors.len(), 914);
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
