//! The keys of a person, an organization or a custodian.

use core::fmt;
use core::str::FromStr;

use chartseal_codec::byte_newtype;
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Suite;
#[cfg(feature = "pq-sign")]
use crate::hybrid::HybridSigningKeyPair;
use crate::kem::KemKeyPair;
use crate::secret::Secret;
use crate::signing::SigningKeyPair;

byte_newtype! {
    /// Names a public key: SHA-256 of it, under its kind's domain.
    pub struct KeyId([u8; 32]);
}

impl KeyId {
    /// Its first 120 bits as six groups of four letters and digits, to read aloud.
    ///
    /// Crockford's alphabet: no `i`, `l`, `o` or `u`. Finding another key with the same fingerprint
    /// takes 2¹²⁰ tries.
    ///
    /// ```
    /// use chartseal_envelope::KeyId;
    ///
    /// assert_eq!(KeyId([0x5a; 32]).fingerprint().to_string(), "b9d5-mpjt-b9d5-mpjt-b9d5-mpjt");
    /// ```
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.0.first_chunk().copied().unwrap_or_default())
    }
}

/// See [`KeyId::fingerprint`]. It parses what was heard: capitals, spaces, missing hyphens, and `o` for
/// zero or `i` and `l` for one are taken. It has no check digit: a wrong digit is another fingerprint.
///
/// ```
/// use chartseal_envelope::{Fingerprint, KeyId};
///
/// let heard: Fingerprint = "B9D5 MPJT B9D5 MPJT B9D5 MPJT".parse()?;
/// assert_eq!(heard, KeyId([0x5a; 32]).fingerprint());
///
/// let error = "b9d5-mpjt-b9d5-mpjt-b9d5-mpju".parse::<Fingerprint>().unwrap_err();
/// assert_eq!(error.to_string(), "'u' at place 24 is no digit of a fingerprint (CS-ENV-18)");
/// # Ok::<(), chartseal_envelope::BadFingerprint>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 15]);

/// Digits of five bits: Crockford's base 32.
const DIGITS: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 24;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Five bytes are eight digits, two groups.
        for (i, five) in self.0.chunks_exact(5).enumerate() {
            let bits = five
                .iter()
                .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            for digit in 0..8_usize {
                if digit % 4 == 0 && (i, digit) != (0, 0) {
                    f.write_str("-")?;
                }
                let place = usize::from((bits >> (35 - 5 * digit)).to_le_bytes()[0] & 31);
                let letter = DIGITS.get(place).copied().unwrap_or_default();
                fmt::Write::write_char(f, char::from(letter))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let (mut bits, mut found) = (0_u128, 0);
        for digit in text.chars().filter(|c| *c != '-' && !c.is_whitespace()) {
            found += 1;
            let plain = match digit.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            };
            let value = DIGITS.iter().position(|known| char::from(*known) == plain);
            let value = value.ok_or(BadFingerprint::Digit {
                digit,
                place: found,
            })?;
            bits = (bits << 5) | value as u128;
        }
        if found != FINGERPRINT_DIGITS {
            return Err(BadFingerprint::Length(found));
        }
        let bytes = (bits << 8).to_be_bytes();
        Ok(Self(bytes.first_chunk().copied().unwrap_or_default()))
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadFingerprint {
    /// Digits are missing, or too many.
    #[error("fingerprint has {0} digits, should have 24 (CS-ENV-17)")]
    Length(usize),
    /// A character that is none of its digits.
    #[error("'{digit}' at place {place} is no digit of a fingerprint (CS-ENV-18)")]
    Digit {
        /// The character.
        digit: char,
        /// Which digit it is, from 1, hyphens and spaces not counted.
        place: usize,
    },
}

/// 32 secret bytes from which one person's keys are derived (HKDF-SHA256, one domain each).
///
/// Custodians' epoch keys are *not* derived from one: a key that can be derived again is never
/// destroyed. They come from [`KemKeyPair::generate_with_rng`].
pub struct KeySeed(Secret);

impl KeySeed {
    /// The seed that `bytes` are. The caller overwrites its own copy.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let seed = Self(Secret::copy_of(&bytes));
        bytes.zeroize();
        seed
    }

    /// A new seed.
    pub fn generate_with_rng(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// A new seed, from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomnessError`](crate::RandomnessError) if there is none.
    #[cfg(feature = "getrandom")]
    pub fn generate() -> Result<Self, crate::RandomnessError> {
        Ok(Self::generate_with_rng(&mut crate::SystemRng::new()?))
    }

    /// The bytes, to store them in an encrypted keystore.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The seed's signing key.
    pub fn signing_key(&self) -> SigningKeyPair {
        SigningKeyPair::from_seed(self)
    }

    /// The seed's signing key of suite 2. Its Ed25519 half is [`signing_key`](Self::signing_key).
    #[cfg(feature = "pq-sign")]
    pub fn hybrid_signing_key(&self) -> HybridSigningKeyPair {
        HybridSigningKeyPair::from_seed(self)
    }

    /// The seed's KEM key of `suite`.
    pub fn kem_key(&self, suite: Suite) -> KemKeyPair {
        KemKeyPair::from_seed(self, suite)
    }
}

impl ZeroizeOnDrop for KeySeed {}

impl fmt::Debug for KeySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySeed(secret)")
    }
}

/// Bytes that are no public key of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// The Ed25519 key is no point on the curve.
    #[error("ed25519 public key is not a point on the curve (CS-ENV-10)")]
    NotOnCurve,
    /// The Ed25519 key has small order: anyone could sign for it.
    #[error("ed25519 public key has small order (CS-ENV-11)")]
    SmallOrder,
    /// The ML-DSA key's t1 is zero: anyone could sign for it.
    #[cfg(feature = "pq-sign")]
    #[error("ML-DSA-65 public key is zero (CS-ENV-16)")]
    MlDsaZero,
    /// No suite has KEM keys of this length.
    #[error("KEM public key has {0} bytes, should have 1216 (CS-ENV-12)")]
    KemLength(usize),
    /// The ML-KEM part is not an encoding of a key, or is all zero.
    #[error("KEM public key is not a valid ML-KEM-768 key (CS-ENV-13)")]
    KemEncoding,
    /// The X25519 part has small order: it adds nothing to the secret.
    #[error("KEM public key's X25519 part has small order (CS-ENV-14)")]
    KemSmallOrder,
}
