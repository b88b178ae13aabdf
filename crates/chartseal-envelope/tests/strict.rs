//! One rule for signatures: the strict one.
#![allow(clippy::unwrap_used, reason = "tests")]

use chartseal_envelope::{Signature, SigningKeyPair};
use ed25519_dalek::Verifier;

/// S = *k* · *a* for the secret `[7; 32]`, the message `any message` and R the neutral element, computed
/// for this test from RFC 8032: the plain equation holds.
const S: [u8; 32] = [
    0xda, 0x24, 0xdd, 0x30, 0x1f, 0x3f, 0xca, 0xf1, 0xc1, 0x46, 0xf6, 0x5c, 0x19, 0x6e, 0xc2, 0xbd,
    0x17, 0xc3, 0x9a, 0x49, 0xda, 0xf9, 0x8b, 0x27, 0x13, 0x0b, 0xe7, 0xc9, 0x64, 0x2a, 0x18, 0x0a,
];

#[test]
fn a_signature_with_an_r_of_small_order_is_refused() {
    let (key, message) = (
        SigningKeyPair::from_secret_bytes(&[7; 32]).verifying_key(),
        b"any message",
    );
    let mut bytes = [0; 64];
    bytes[0] = 1;
    bytes[32..].copy_from_slice(&S);
    let plain = ed25519_dalek::VerifyingKey::from_bytes(&key.to_bytes()).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&bytes);
    assert!(plain.verify(message, &signature).is_ok());
    assert!(key.verify_strict(message, &Signature(bytes)).is_err());
}
