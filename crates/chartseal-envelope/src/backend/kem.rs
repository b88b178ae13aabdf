use alloc::vec::Vec;

use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable,
    aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305},
    kdf::HkdfSha256,
    setup_receiver, setup_sender_with_rng,
};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

/// A KEM, and HPKE upon it: RFC 9180, base mode, HKDF-SHA256, `ChaCha20Poly1305`.
///
/// The boundary is HPKE's contexts rather than the bare KEM, so that neither a backend nor this crate
/// writes HPKE's key schedule by hand. An implementation overwrites its secrets when they are dropped, as
/// far as it can. Show with `conformance::kem` (feature `conformance`) that it
/// is right.
pub trait Kem {
    /// A key that others seal to.
    type PublicKey: Clone + Eq;
    /// Its other half.
    type SecretKey;
    /// Seals one message after another.
    type Sender;
    /// Opens one message after another, in the order in which they were sealed.
    type Receiver;

    /// The key that `bytes` are.
    ///
    /// # Errors
    /// [`Refused`] unless they are the canonical encoding of a key.
    fn public_from_bytes(bytes: &[u8]) -> Result<Self::PublicKey, Refused>;

    /// The key's encoding.
    fn public_to_bytes(key: &Self::PublicKey) -> Vec<u8>;

    /// The key that `bytes` are: X-Wing's seed, or X25519's scalar. Every 32 bytes are one.
    fn secret_from_bytes(bytes: &[u8; 32]) -> Self::SecretKey;

    /// What [`secret_from_bytes`](Self::secret_from_bytes) took.
    fn secret_to_bytes(key: &Self::SecretKey) -> Zeroizing<[u8; 32]>;

    /// The public half.
    fn public_of(key: &Self::SecretKey) -> Self::PublicKey;

    /// The encapsulated key, and what seals to `to`. `info` is at most 1 KiB.
    ///
    /// # Errors
    /// [`Refused`] if `to` can't be sealed to.
    fn sender(
        to: &Self::PublicKey,
        info: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Self::Sender), Refused>;

    /// Seals the next message.
    ///
    /// # Errors
    /// [`Refused`] after as many messages as HPKE allows.
    fn seal(sender: &mut Self::Sender, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, Refused>;

    /// What opens messages that were sealed with the encapsulated key `enc`.
    ///
    /// # Errors
    /// [`Refused`] if `enc` is none. That it is of another key or `info` shows when a message is opened.
    fn receiver(by: &Self::SecretKey, enc: &[u8], info: &[u8]) -> Result<Self::Receiver, Refused>;

    /// Opens the next message. One that is refused doesn't count.
    ///
    /// # Errors
    /// [`Refused`] if it is not what was sealed at this place.
    fn open(
        receiver: &mut Self::Receiver,
        ciphertext: &[u8],
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused>;
}

/// HPKE refused: a bad key, or a ciphertext that is not for it. It doesn't say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("HPKE refused")]
pub struct Refused;

impl From<hpke::HpkeError> for Refused {
    fn from(_: hpke::HpkeError) -> Self {
        Self
    }
}

macro_rules! of_crate_hpke {
    ($(#[$doc:meta])* $name:ident = $kem:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Kem for $name {
            type PublicKey = <$kem as hpke::Kem>::PublicKey;
            type SecretKey = <$kem as hpke::Kem>::PrivateKey;
            type Sender = AeadCtxS<ChaCha20Poly1305, HkdfSha256, $kem>;
            type Receiver = AeadCtxR<ChaCha20Poly1305, HkdfSha256, $kem>;

            fn public_from_bytes(bytes: &[u8]) -> Result<Self::PublicKey, Refused> {
                Ok(Deserializable::from_bytes(bytes)?)
            }

            fn public_to_bytes(key: &Self::PublicKey) -> Vec<u8> {
                key.to_bytes().to_vec()
            }

            fn secret_from_bytes(bytes: &[u8; 32]) -> Self::SecretKey {
                Deserializable::from_bytes(bytes).expect("32")
            }

            fn secret_to_bytes(key: &Self::SecretKey) -> Zeroizing<[u8; 32]> {
                let mut out = Zeroizing::new([0; 32]);
                key.write_exact(out.as_mut_slice());
                out
            }

            fn public_of(key: &Self::SecretKey) -> Self::PublicKey {
                <$kem as hpke::Kem>::sk_to_pk(key)
            }

            fn sender(
                to: &Self::PublicKey,
                info: &[u8],
                rng: &mut impl CryptoRng,
            ) -> Result<(Vec<u8>, Self::Sender), Refused> {
                let (enc, context): (<$kem as hpke::Kem>::EncappedKey, _) =
                    setup_sender_with_rng(&OpModeS::Base, to, info, rng)?;
                Ok((enc.to_bytes().to_vec(), context))
            }

            fn seal(
                sender: &mut Self::Sender,
                plaintext: &[u8],
                aad: &[u8],
            ) -> Result<Vec<u8>, Refused> {
                Ok(sender.seal(plaintext, aad)?)
            }

            fn receiver(
                by: &Self::SecretKey,
                enc: &[u8],
                info: &[u8],
            ) -> Result<Self::Receiver, Refused> {
                let enc = Deserializable::from_bytes(enc)?;
                Ok(setup_receiver(&OpModeR::Base, by, &enc, info)?)
            }

            fn open(
                receiver: &mut Self::Receiver,
                ciphertext: &[u8],
                aad: &[u8],
            ) -> Result<Zeroizing<Vec<u8>>, Refused> {
                Ok(Zeroizing::new(receiver.open(ciphertext, aad)?))
            }
        }
    };
}

of_crate_hpke! {
    /// X-Wing (0x647A) by the crate `hpke`, in pure Rust.
    XWing = hpke::kem::XWing
}

#[cfg(feature = "hazmat")]
of_crate_hpke! {
    /// DHKEM(X25519) (0x0020) by the crate `hpke`, in pure Rust; for tests only.
    X25519 = hpke::kem::X25519HkdfSha256
}
