//! HPKE (RFC 9180, base mode) with every KEM of ours behind one pair of contexts.
//!
//! HKDF-SHA256 and `ChaCha20Poly1305` throughout; X-Wing as draft-ietf-hpke-pq has it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub(crate) use crate::backend::Refused;
#[cfg(feature = "hazmat")]
use crate::backend::X25519;
use crate::backend::{DefaultKem as XWing, Kem};
use crate::secret::{DEEP, SHALLOW, wiped};
use crate::suite;

/// Bytes that an AEAD tag adds to what it seals.
pub(crate) const TAG_LEN: usize = 16;

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    XWing(Box<<XWing as Kem>::PublicKey>),
    #[cfg(feature = "hazmat")]
    X25519(<X25519 as Kem>::PublicKey),
}

impl PublicKey {
    pub(crate) fn from_bytes(kem: suite::Kem, bytes: &[u8]) -> Result<Self, Refused> {
        Ok(match kem {
            suite::Kem::XWing => Self::XWing(Box::new(XWing::public_from_bytes(bytes)?)),
            #[cfg(feature = "hazmat")]
            suite::Kem::X25519 => Self::X25519(X25519::public_from_bytes(bytes)?),
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::XWing(key) => XWing::public_to_bytes(key),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => X25519::public_to_bytes(key),
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
    XWing(Box<<XWing as Kem>::SecretKey>),
    #[cfg(feature = "hazmat")]
    X25519(<X25519 as Kem>::SecretKey),
}

impl SecretKey {
    pub(crate) fn from_bytes(kem: suite::Kem, bytes: &[u8; 32]) -> Self {
        match kem {
            suite::Kem::XWing => Self::XWing(Box::new(XWing::secret_from_bytes(bytes))),
            #[cfg(feature = "hazmat")]
            suite::Kem::X25519 => Self::X25519(X25519::secret_from_bytes(bytes)),
        }
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        match self {
            Self::XWing(key) => XWing::secret_to_bytes(key),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => X25519::secret_to_bytes(key),
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::XWing(key) => PublicKey::XWing(Box::new(XWing::public_of(key))),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => PublicKey::X25519(X25519::public_of(key)),
        }
    }
}

/// Seals one message after another; each is opened at its own place only.
pub(crate) enum Sender {
    XWing(Box<<XWing as Kem>::Sender>),
    #[cfg(feature = "hazmat")]
    X25519(Box<<X25519 as Kem>::Sender>),
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
                    let (enc, context) = XWing::sender(key, info, rng)?;
                    (enc, Self::XWing(Box::new(context)))
                }
                #[cfg(feature = "hazmat")]
                PublicKey::X25519(key) => {
                    let (enc, context) = X25519::sender(key, info, rng)?;
                    (enc, Self::X25519(Box::new(context)))
                }
            })
        })
    }

    pub(crate) fn seal(&mut self, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, Refused> {
        wiped::<SHALLOW, _>(|| match self {
            Self::XWing(context) => XWing::seal(context, plaintext, aad),
            #[cfg(feature = "hazmat")]
            Self::X25519(context) => X25519::seal(context, plaintext, aad),
        })
    }
}

/// Opens one message after another, in the order in which they were sealed.
pub(crate) enum Receiver {
    XWing(Box<<XWing as Kem>::Receiver>),
    #[cfg(feature = "hazmat")]
    X25519(Box<<X25519 as Kem>::Receiver>),
}

impl Receiver {
    pub(crate) fn new(by: &SecretKey, enc: &[u8], info: &[u8]) -> Result<Self, Refused> {
        wiped::<DEEP, _>(|| {
            Ok(match by {
                SecretKey::XWing(key) => Self::XWing(Box::new(XWing::receiver(key, enc, info)?)),
                #[cfg(feature = "hazmat")]
                SecretKey::X25519(key) => Self::X25519(Box::new(X25519::receiver(key, enc, info)?)),
            })
        })
    }

    pub(crate) fn open(
        &mut self,
        ciphertext: &[u8],
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        wiped::<SHALLOW, _>(|| match self {
            Self::XWing(context) => XWing::open(context, ciphertext, aad),
            #[cfg(feature = "hazmat")]
            Self::X25519(context) => X25519::open(context, ciphertext, aad),
        })
    }
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
