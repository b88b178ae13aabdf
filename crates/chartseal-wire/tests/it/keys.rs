//! One rule for signatures: the strict one.

use chartseal_wire::{PublicKey, Signature};
use ed25519_dalek::{SigningKey, Verifier, VerifyingKey};

/// The neutral element, the point of order 1.
const NEUTRAL: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

#[test]
fn a_key_of_small_order_signs_nothing() {
    // R neutral and S zero: under RFC 8032's plain equation that is this key's signature of anything.
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&NEUTRAL);
    let key = VerifyingKey::from_bytes(&NEUTRAL).unwrap();
    let plain = ed25519_dalek::Signature::from_bytes(&bytes);
    for message in [&b"one"[..], b"another"] {
        assert!(key.verify(message, &plain).is_ok());
        let ours = PublicKey(NEUTRAL).verify_raw(message, &Signature(bytes));
        assert!(ours.is_err());
    }
    // Nor does a good key with such an R.
    let good = SigningKey::from_bytes(&[7; 32]).verifying_key();
    assert!(
        PublicKey(good.to_bytes())
            .verify_raw(b"one", &Signature(bytes))
            .is_err()
    );
}
