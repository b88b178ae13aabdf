//! One rule for signatures: the strict one.

use chartseal_wire::{PublicKey, Signature};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{SigningKey, Verifier, VerifyingKey};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

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

/// Whoever knows a key's secret makes `R` any point of small order, by a key with a small part of its own: the
/// plain equation holds for one message in eight.
#[test]
fn a_signature_whose_r_is_of_small_order_is_refused() {
    for r in EIGHT_TORSION {
        let mut held = 0;
        let secret = Scalar::from(0x1234_5678_9abc_def0_u64);
        let point = secret * ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
        let key = VerifyingKey::from_bytes(&point.compress().0).unwrap();
        for message in 0..64_u8 {
            let hasher = Sha512::new().chain_update(r.compress().0);
            let hasher = hasher.chain_update(key.to_bytes()).chain_update([message]);
            let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&r.compress().0);
            bytes[32..].copy_from_slice(&(k * secret).to_bytes());
            let signature = ed25519_dalek::Signature::from_bytes(&bytes);
            held += usize::from(key.verify(&[message], &signature).is_ok());
            assert!(key.verify_strict(&[message], &signature).is_err());
            let ours = PublicKey(key.to_bytes()).verify_raw(&[message], &Signature(bytes));
            assert!(ours.is_err());
        }
        assert!(held > 0);
    }
}

proptest! {
    /// Of a good signature, its key and its message, whatever bytes are changed: as the library decides.
    #[test]
    fn a_changed_signature_is_decided_as_by_verify_strict(
        secret: [u8; 32],
        message: [u8; 5],
        at in 0..101_usize,
        change in 0..3_u8,
    ) {
        let signer = SigningKey::from_bytes(&secret);
        let signed = ed25519_dalek::Signer::sign(&signer, &message).to_bytes();
        let mut all = [&signed[..], &signer.verifying_key().to_bytes(), &message].concat();
        all[at] ^= change;
        let (signature, rest) = all.split_first_chunk().unwrap();
        let (key, message) = rest.split_first_chunk().unwrap();
        let ours = PublicKey(*key).verify_raw(message, &Signature(*signature)).is_ok();
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        let strict = VerifyingKey::from_bytes(key);
        let strict = strict.is_ok_and(|key| key.verify_strict(message, &signature).is_ok());
        prop_assert_eq!(ours, strict);
        prop_assert_eq!(ours, change == 0);
    }
}
