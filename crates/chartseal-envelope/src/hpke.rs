//! HPKE (RFC 9180, base mode) with every KEM of ours behind one pair of contexts.
//!
//! HKDF-SHA256 and `ChaCha20Poly1305` throughout; X-Wing as draft-ietf-hpke-pq has it.

use alloc::boxed::Box;
use alloc::vec::Vec;

#[cfg(feature = "hazmat")]
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable,
    aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305},
    kdf::HkdfSha256,
    kem::XWing,
    setup_receiver, setup_sender_with_rng,
};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::{DEEP, SHALLOW, wiped};
use crate::suite;

/// Bytes that an AEAD tag adds to what it seals.
pub(crate) const TAG_LEN: usize = 16;

/// HPKE refused: a bad key, or a ciphertext that is not for it. It doesn't say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("HPKE refused")]
pub(crate) struct Refused;

impl From<hpke::HpkeError> for Refused {
    fn from(_: hpke::HpkeError) -> Self {
        Self
    }
}

type SendContext<K> = AeadCtxS<ChaCha20Poly1305, HkdfSha256, K>;
type ReceiveContext<K> = AeadCtxR<ChaCha20Poly1305, HkdfSha256, K>;

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    XWing(Box<<XWing as Kem>::PublicKey>),
    #[cfg(feature = "hazmat")]
    X25519(<X25519HkdfSha256 as Kem>::PublicKey),
}

impl PublicKey {
    pub(crate) fn from_bytes(kem: suite::Kem, bytes: &[u8]) -> Result<Self, Refused> {
        Ok(match kem {
            suite::Kem::XWing => Self::XWing(Box::new(Deserializable::from_bytes(bytes)?)),
            #[cfg(feature = "hazmat")]
            suite::Kem::X25519 => Self::X25519(Deserializable::from_bytes(bytes)?),
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::XWing(key) => key.to_bytes().to_vec(),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => key.to_bytes().to_vec(),
        }
    }

    pub(crate) fn kem(&self) -> suite::Kem {
        match self {
            Self::XWing(_) => suite::Kem::XWing,
            #[cfg(feature = "hazmat")]
            Self::X25519(_) => suite::Kem::X25519,
        }
    }
}

/// The crates behind it overwrite it when it is dropped.
pub(crate) enum SecretKey {
    XWing(Box<<XWing as Kem>::PrivateKey>),
    #[cfg(feature = "hazmat")]
    X25519(<X25519HkdfSha256 as Kem>::PrivateKey),
}

impl SecretKey {
    /// Every 32 bytes are a secret key: X-Wing's is a seed, and X25519 clamps.
    #[expect(clippy::expect_used, reason = "32 bytes are the only requirement")]
    pub(crate) fn from_bytes(kem: suite::Kem, bytes: &[u8; 32]) -> Self {
        match kem {
            suite::Kem::XWing => {
                Self::XWing(Box::new(Deserializable::from_bytes(bytes).expect("32")))
            }
            #[cfg(feature = "hazmat")]
            suite::Kem::X25519 => Self::X25519(Deserializable::from_bytes(bytes).expect("32")),
        }
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        match self {
            Self::XWing(key) => key.write_exact(out.as_mut_slice()),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => key.write_exact(out.as_mut_slice()),
        }
        out
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::XWing(key) => PublicKey::XWing(Box::new(XWing::sk_to_pk(key))),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => PublicKey::X25519(X25519HkdfSha256::sk_to_pk(key)),
        }
    }
}

/// Seals one message after another; each is opened at its own place only.
pub(crate) enum Sender {
    XWing(Box<SendContext<XWing>>),
    #[cfg(feature = "hazmat")]
    X25519(Box<SendContext<X25519HkdfSha256>>),
}

impl Sender {
    /// The encapsulated key and the context. `info` is at most 1 KiB, by its only maker.
    pub(crate) fn new(
        to: &PublicKey,
        info: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Self), Refused> {
        wiped::<DEEP, _>(|| {
            Ok(match to {
                PublicKey::XWing(key) => {
                    let (enc, context) = send::<XWing>(key, info, rng)?;
                    (enc, Self::XWing(Box::new(context)))
                }
                #[cfg(feature = "hazmat")]
                PublicKey::X25519(key) => {
                    let (enc, context) = send::<X25519HkdfSha256>(key, info, rng)?;
                    (enc, Self::X25519(Box::new(context)))
                }
            })
        })
    }

    pub(crate) fn seal(&mut self, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, Refused> {
        wiped::<SHALLOW, _>(|| {
            Ok(match self {
                Self::XWing(context) => context.seal(plaintext, aad)?,
                #[cfg(feature = "hazmat")]
                Self::X25519(context) => context.seal(plaintext, aad)?,
            })
        })
    }
}

/// Opens one message after another, in the order in which they were sealed.
pub(crate) enum Receiver {
    XWing(Box<ReceiveContext<XWing>>),
    #[cfg(feature = "hazmat")]
    X25519(Box<ReceiveContext<X25519HkdfSha256>>),
}

impl Receiver {
    pub(crate) fn new(by: &SecretKey, enc: &[u8], info: &[u8]) -> Result<Self, Refused> {
        wiped::<DEEP, _>(|| {
            Ok(match by {
                SecretKey::XWing(key) => Self::XWing(Box::new(receive::<XWing>(key, enc, info)?)),
                #[cfg(feature = "hazmat")]
                SecretKey::X25519(key) => {
                    Self::X25519(Box::new(receive::<X25519HkdfSha256>(key, enc, info)?))
                }
            })
        })
    }

    pub(crate) fn open(
        &mut self,
        ciphertext: &[u8],
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        wiped::<SHALLOW, _>(|| {
            let plaintext = match self {
                Self::XWing(context) => context.open(ciphertext, aad)?,
                #[cfg(feature = "hazmat")]
                Self::X25519(context) => context.open(ciphertext, aad)?,
            };
            Ok(Zeroizing::new(plaintext))
        })
    }
}

fn send<K: Kem>(
    to: &K::PublicKey,
    info: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, SendContext<K>), Refused> {
    let (enc, context): (K::EncappedKey, SendContext<K>) =
        setup_sender_with_rng(&OpModeS::Base, to, info, rng)?;
    Ok((enc.to_bytes().to_vec(), context))
}

fn receive<K: Kem>(
    by: &K::PrivateKey,
    enc: &[u8],
    info: &[u8],
) -> Result<ReceiveContext<K>, Refused> {
    let enc = K::EncappedKey::from_bytes(enc)?;
    Ok(setup_receiver(&OpModeR::Base, by, &enc, info)?)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use rand_core::{TryCryptoRng, TryRng};
    use serde_json::Value;

    use super::*;

    fn hex(value: &Value) -> Vec<u8> {
        let text = value.as_str().unwrap().as_bytes().chunks(2);
        text.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    /// The published vectors with our KDF and AEAD, base mode, and the KEM with this id.
    fn vectors(file: &str, kem: u16) -> Vec<Value> {
        let Some(data) = chartseal_testkit::data_dir() else {
            return Vec::new();
        };
        let bytes = std::fs::read(data.join("vectors/hpke").join(file)).unwrap();
        let mut all: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
        all.retain(|v| {
            v["mode"] == 0 && v["kem_id"] == kem && v["kdf_id"] == 1 && v["aead_id"] == 3
        });
        assert!(!all.is_empty());
        all
    }

    fn opens(kem: suite::Kem, vector: &Value) {
        let secret: [u8; 32] = hex(&vector["skRm"]).try_into().unwrap();
        let secret = SecretKey::from_bytes(kem, &secret);
        assert_eq!(secret.public().to_bytes(), hex(&vector["pkRm"]));
        let (enc, info) = (hex(&vector["enc"]), hex(&vector["info"]));
        let mut receiver = Receiver::new(&secret, &enc, &info).unwrap();
        let messages = vector["encryptions"].as_array().unwrap();
        assert!(messages.len() >= 10);
        for message in messages {
            let plaintext = receiver
                .open(&hex(&message["ct"]), &hex(&message["aad"]))
                .unwrap();
            assert_eq!(plaintext.as_slice(), hex(&message["pt"]));
        }
    }

    /// Gives the vector's own randomness.
    struct Given(Vec<u8>);

    impl TryRng for Given {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!()
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            let rest = self.0.split_off(out.len());
            out.copy_from_slice(&self.0);
            self.0 = rest;
            Ok(())
        }
    }

    impl TryCryptoRng for Given {}

    #[test]
    fn x_wing_with_our_kdf_and_aead_is_the_drafts() {
        for vector in vectors("hpke-pq-test-vectors.json", 0x647a) {
            opens(suite::Kem::XWing, &vector);
            let public = PublicKey::from_bytes(suite::Kem::XWing, &hex(&vector["pkRm"])).unwrap();
            let mut given = Given(hex(&vector["ikmE"]));
            let (enc, mut sender) =
                Sender::new(&public, &hex(&vector["info"]), &mut given).unwrap();
            assert_eq!(enc, hex(&vector["enc"]));
            let first = &vector["encryptions"][0];
            let sealed = sender
                .seal(&hex(&first["pt"]), &hex(&first["aad"]))
                .unwrap();
            assert_eq!(sealed, hex(&first["ct"]));
        }
    }

    #[cfg(feature = "hazmat")]
    #[test]
    fn x25519_with_our_kdf_and_aead_is_rfc_9180s() {
        for vector in vectors("test-vectors.json", 0x0020) {
            opens(suite::Kem::X25519, &vector);
        }
    }
}
