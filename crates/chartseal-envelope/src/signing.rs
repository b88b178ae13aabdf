//! Ed25519 signatures under one rule.

use alloc::boxed::Box;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, byte_newtype};
use ed25519_dalek::Signer as _;
use rand_core::CryptoRng;
use thiserror::Error;

use crate::domain;
use crate::hash::{derive_32, sha256};
use crate::keys::{InvalidKey, KeyId, KeySeed};
use crate::secret::{DEEP, Secret, wiped};

byte_newtype! {
    /// An Ed25519 signature, 64 bytes (RFC 8032).
    pub struct Signature([u8; 64]);
}

/// An Ed25519 public key that verifies strictly.
///
/// One rule for everything that is signed: the equation without cofactor, neither the key nor *R*
/// of small order, *R* compared byte by byte, *S* below the group's order (`verify_strict`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Length of its encoding, in bytes.
    pub const LEN: usize = 32;

    /// # Errors
    /// [`InvalidKey::NotOnCurve`], or [`InvalidKey::SmallOrder`], for which nothing would verify.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes);
        let key = key.map_err(|_| InvalidKey::NotOnCurve)?;
        if key.is_weak() {
            return Err(InvalidKey::SmallOrder);
        }
        Ok(Self(key))
    }

    /// The key's encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key's name.
    pub fn key_id(&self) -> KeyId {
        KeyId(sha256(domain::SIGNING_KEY_ID, &[self.0.as_bytes()]))
    }

    /// # Errors
    /// [`BadSignature`] unless the strict rule holds.
    pub fn verify_strict(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.0
            .verify_strict(message, &signature)
            .map_err(|_| BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.key_id().fingerprint())
    }
}

impl Encode for VerifyingKey {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(self.0.as_bytes());
    }
}

impl Decode for VerifyingKey {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(&d.bytes_exact()?).map_err(|error| refused(d, error))
    }
}

/// A decoder's error for a public key of a signer.
pub(crate) fn refused(d: &Decoder<'_>, error: InvalidKey) -> DecodeError {
    d.invalid(match error {
        InvalidKey::SmallOrder => "ed25519 public key has small order (CS-ENV-11)",
        #[cfg(feature = "pq-sign")]
        InvalidKey::MlDsaZero => "ML-DSA-65 public key is zero (CS-ENV-16)",
        _ => "ed25519 public key is not a point on the curve (CS-ENV-10)",
    })
}

/// A signature that the strict rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("signature does not verify (CS-ENV-15)")]
pub struct BadSignature;

/// An Ed25519 key pair; its secret is overwritten when it is dropped.
pub struct SigningKeyPair(Box<ed25519_dalek::SigningKey>);

impl SigningKeyPair {
    /// The key that `secret` (RFC 8032's 32-byte private key) is.
    pub fn from_secret_bytes(secret: &[u8; 32]) -> Self {
        wiped::<DEEP, _>(|| Self(Box::new(ed25519_dalek::SigningKey::from_bytes(secret))))
    }

    /// A new key.
    pub fn generate_with_rng(rng: &mut impl CryptoRng) -> Self {
        Self::from_secret_bytes(&Secret::random(rng))
    }

    /// A new key, from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomnessError`](crate::RandomnessError) if there is none.
    #[cfg(feature = "getrandom")]
    pub fn generate() -> Result<Self, crate::RandomnessError> {
        Ok(Self::generate_with_rng(&mut crate::SystemRng::new()?))
    }

    pub(crate) fn from_seed(seed: &KeySeed) -> Self {
        Self::from_secret_bytes(&derive_32(seed.expose_bytes(), domain::SIGNING_KEY, &[]))
    }

    /// The private key, to store it in an encrypted keystore.
    pub fn expose_secret_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// The public key's name.
    pub fn key_id(&self) -> KeyId {
        self.verifying_key().key_id()
    }

    /// Signs `message`, which begins with the domain string of what it is.
    pub fn sign(&self, message: &[u8]) -> Signature {
        wiped::<DEEP, _>(|| Signature(self.0.sign(message).to_bytes()))
    }
}

impl fmt::Debug for SigningKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeyPair({}, secret)", self.key_id().fingerprint())
    }
}
