//! KEM key pairs, and the HPKE contexts that are made with them.

use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::hash::{derive_32, sha256};
use crate::hpke::{PublicKey, Receiver, Refused, SecretKey, Sender};
use crate::keys::{InvalidKey, KeyId, KeySeed};
use crate::secret::{DEEP, Secret, wiped};
use crate::suite::Kem;
use crate::{Suite, domain};

/// A public key that secrets are sealed to: 1216 bytes with X-Wing.
///
/// Its KEM is told by its length; each KEM has its own. Suites 1 and 2 share theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct KemPublicKey {
    key: PublicKey,
    id: KeyId,
}

impl KemPublicKey {
    /// # Errors
    /// Each of [`InvalidKey`]'s KEM variants. Keys that would give away what is sealed to them, or
    /// whose classical half adds nothing, are refused here, once.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let kem = kem_of(bytes.len()).ok_or(InvalidKey::KemLength(bytes.len()))?;
        if has_small_order_tail(bytes) {
            return Err(InvalidKey::KemSmallOrder);
        }
        // In X-Wing the ML-KEM part comes first. Where all of it is zero, anyone decapsulates.
        let zero_vector = kem == Kem::XWing && bytes.iter().take(1152).all(|b| *b == 0);
        let key = PublicKey::from_bytes(kem, bytes);
        let key = key
            .ok()
            .filter(|_| !zero_vector)
            .ok_or(InvalidKey::KemEncoding)?;
        Ok(Self::new(key))
    }

    /// The key's encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.key.to_bytes()
    }

    /// The KEM that it is of.
    pub fn kem(&self) -> Kem {
        self.key.kem()
    }

    /// The key's name.
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// An HPKE context to this key: the encapsulated key, and what seals.
    ///
    /// `context` is canonical CBOR of at most 1 KiB.
    pub(crate) fn sender(
        &self,
        domain: &str,
        context: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Sender), Refused> {
        Sender::new(&self.key, &info(domain, self, context), rng)
    }

    fn new(key: PublicKey) -> Self {
        let id = KeyId(sha256(domain::KEM_KEY_ID, &[&key.to_bytes()]));
        Self { key, id }
    }
}

impl fmt::Debug for KemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemPublicKey({})", self.id.fingerprint())
    }
}

impl Encode for KemPublicKey {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.to_bytes());
    }
}

impl Decode for KemPublicKey {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes = d.bytes(Kem::XWing.public_len())?;
        Self::from_bytes(bytes).map_err(|error| match error {
            InvalidKey::KemSmallOrder => {
                d.invalid("KEM public key's X25519 part has small order (CS-ENV-14)")
            }
            InvalidKey::KemLength(_) => {
                d.invalid("KEM public key should have 1216 bytes (CS-ENV-12)")
            }
            _ => d.invalid("KEM public key is not a valid ML-KEM-768 key (CS-ENV-13)"),
        })
    }
}

/// A KEM key pair; its secret is overwritten when it is dropped.
///
/// A reader makes one for each request and drops it after opening; a custodian makes one for each
/// epoch and drops it when the epoch ends. What was sealed to it is then out of everybody's reach.
pub struct KemKeyPair {
    secret: SecretKey,
    public: KemPublicKey,
}

impl KemKeyPair {
    /// The pair of the suite's KEM that `secret` is: X-Wing's 32-byte decapsulation seed.
    pub fn from_secret_bytes(suite: Suite, secret: &[u8; 32]) -> Self {
        wiped::<DEEP, _>(|| {
            let secret = SecretKey::from_bytes(suite.kem(), secret);
            let public = KemPublicKey::new(secret.public());
            Self { secret, public }
        })
    }

    /// A new pair of the suite's KEM.
    pub fn generate_with_rng(suite: Suite, rng: &mut impl CryptoRng) -> Self {
        Self::from_secret_bytes(suite, &Secret::random(rng))
    }

    /// A new pair of X-Wing, from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomnessError`](crate::RandomnessError) if there is none.
    #[cfg(feature = "getrandom")]
    pub fn generate() -> Result<Self, crate::RandomnessError> {
        Ok(Self::generate_with_rng(
            Suite::default(),
            &mut crate::SystemRng::new()?,
        ))
    }

    pub(crate) fn from_seed(seed: &KeySeed, suite: Suite) -> Self {
        let secret = derive_32(seed.expose_bytes(), domain::KEM_KEY, &[suite.kem().id()]);
        Self::from_secret_bytes(suite, &secret)
    }

    /// The secret key, to keep it outside of general backups.
    pub fn expose_secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret.to_bytes()
    }

    /// The public key.
    pub fn public_key(&self) -> &KemPublicKey {
        &self.public
    }

    /// The public key's name.
    pub fn key_id(&self) -> KeyId {
        self.public.id
    }

    /// The KEM that it is of.
    pub fn kem(&self) -> Kem {
        self.public.kem()
    }

    /// The HPKE context that `enc` was made for by [`KemPublicKey::sender`].
    pub(crate) fn receiver(
        &self,
        domain: &str,
        context: &[u8],
        enc: &[u8],
    ) -> Result<Receiver, Refused> {
        if has_small_order_tail(enc) {
            return Err(Refused);
        }
        Receiver::new(&self.secret, enc, &info(domain, &self.public, context))
    }
}

impl fmt::Debug for KemKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemKeyPair({}, secret)", self.public.id.fingerprint())
    }
}

/// HPKE's `info`: which use, which KEM, to whom, and what the use adds.
fn info(domain: &str, to: &KemPublicKey, context: &[u8]) -> Vec<u8> {
    let kem = [0, to.kem().id()];
    [domain.as_bytes(), &kem, to.id.as_bytes(), context].concat()
}

fn kem_of(len: usize) -> Option<Kem> {
    Kem::ALL.iter().copied().find(|kem| kem.public_len() == len)
}

/// Whether the last 32 bytes, the X25519 part of every KEM's keys and encapsulated keys, are a
/// point of small order. X-Wing as drafted accepts one; an honest party never sends one.
fn has_small_order_tail(bytes: &[u8]) -> bool {
    bytes.last_chunk::<32>().is_some_and(|point| {
        let mut point = *point;
        // RFC 7748: the top bit is ignored.
        if let Some(top) = point.last_mut() {
            *top &= 0x7f;
        }
        SMALL_ORDER.contains(&point)
    })
}

/// The points of order 1, 2, 4 and 8 on Curve25519 and its twist, in every encoding below 2²⁵⁵
/// (listed by D. J. Bernstein, <https://cr.yp.to/ecdh.html#validate>).
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    near_prime(1, 0, 0),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    near_prime(0xec, 0xff, 0x7f),
    near_prime(0xed, 0xff, 0x7f),
    near_prime(0xee, 0xff, 0x7f),
];

const fn near_prime(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut point = [middle; 32];
    point[0] = first;
    point[31] = last;
    point
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use hpke::kem::X25519HkdfSha256;
    use hpke::{Deserializable as _, Kem as _};
    use rand_core::SeedableRng as _;

    use super::{KemKeyPair, SMALL_ORDER};
    use crate::Suite;

    /// RFC 9180 asks for a check that the result of X25519 is not zero, which is what a point of
    /// small order gives: the list holds such points only.
    #[test]
    fn the_points_of_small_order_are_those_that_x25519_takes_to_zero() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        for point in SMALL_ORDER {
            let key = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&point).unwrap();
            assert!(
                X25519HkdfSha256::encap_with_rng(&key, None, &mut rng).is_err(),
                "{point:x?}"
            );
        }
    }

    #[test]
    fn an_encapsulated_key_of_small_order_makes_no_context() {
        let keys = KemKeyPair::from_secret_bytes(Suite::XWing, &[1; 32]);
        // X-Wing decapsulates any bytes: what they give is only refused when a message is opened.
        let mut enc = [9; 1120];
        assert!(keys.receiver("domain", &[], &enc).is_ok());
        for point in SMALL_ORDER {
            enc[1088..].copy_from_slice(&point);
            assert!(keys.receiver("domain", &[], &enc).is_err());
            enc[1119] |= 0x80;
            assert!(keys.receiver("domain", &[], &enc).is_err());
        }
    }
}
