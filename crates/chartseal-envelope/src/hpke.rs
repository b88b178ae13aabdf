//! HPKE (RFC 9180, base mode) of every suite behind one pair of contexts.
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

use crate::Suite;

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
    pub(crate) fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, Refused> {
        Ok(match suite {
            Suite::XWing => Self::XWing(Box::new(Deserializable::from_bytes(bytes)?)),
            #[cfg(feature = "hazmat")]
            Suite::X25519 => Self::X25519(Deserializable::from_bytes(bytes)?),
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::XWing(key) => key.to_bytes().to_vec(),
            #[cfg(feature = "hazmat")]
            Self::X25519(key) => key.to_bytes().to_vec(),
        }
    }

    pub(crate) fn suite(&self) -> Suite {
        match self {
            Self::XWing(_) => Suite::XWing,
            #[cfg(feature = "hazmat")]
            Self::X25519(_) => Suite::X25519,
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
    pub(crate) fn from_bytes(suite: Suite, bytes: &[u8; 32]) -> Self {
        match suite {
            Suite::XWing => Self::XWing(Box::new(Deserializable::from_bytes(bytes).expect("32"))),
            #[cfg(feature = "hazmat")]
            Suite::X25519 => Self::X25519(Deserializable::from_bytes(bytes).expect("32")),
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
    }

    pub(crate) fn seal(&mut self, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, Refused> {
        Ok(match self {
            Self::XWing(context) => context.seal(plaintext, aad)?,
            #[cfg(feature = "hazmat")]
            Self::X25519(context) => context.seal(plaintext, aad)?,
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
        Ok(match by {
            SecretKey::XWing(key) => Self::XWing(Box::new(receive::<XWing>(key, enc, info)?)),
            #[cfg(feature = "hazmat")]
            SecretKey::X25519(key) => {
                Self::X25519(Box::new(receive::<X25519HkdfSha256>(key, enc, info)?))
            }
        })
    }

    pub(crate) fn open(
        &mut self,
        ciphertext: &[u8],
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let plaintext = match self {
            Self::XWing(context) => context.open(ciphertext, aad)?,
            #[cfg(feature = "hazmat")]
            Self::X25519(context) => context.open(ciphertext, aad)?,
        };
        Ok(Zeroizing::new(plaintext))
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
