//! What the envelope's ciphers are computed by.
//!
//! [`DefaultAead`] seals and opens bodies: pure Rust, or the backend whose feature is on. The types of
//! [`cobblestone`](crate::cobblestone) take any [`Aead`], also several in one program.
//!
//! | backend | feature | what |
//! |---|---|---|
//! | [`RustCrypto`] | none | crate `aes-gcm`; AES-NI and VAES where the processor has them, constant time elsewhere |
//! | `AwsLc` | `aws-lc` | crate `aws-lc-rs`: assembly, six times as fast; takes a C compiler to build |
//!
//! Keys are sealed by [`DefaultKem`], a [`Kem`]: [`XWing`] by the crate `hpke`. No library known to us has a
//! faster X-Wing; one whose author shows with `conformance::kem` that it is right takes its place here.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(feature = "conformance")]
pub mod conformance;
mod kem;
mod rust_crypto;

use thiserror::Error;

#[cfg(feature = "aws-lc")]
pub use aws_lc::AwsLc;
#[cfg(feature = "hazmat")]
pub use kem::X25519;
pub use kem::{Kem, Refused, XWing};
pub use rust_crypto::RustCrypto;

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// AES-256-GCM with nonces of 96 bits, tags of 128 bits and no associated data, in place.
///
/// An implementation overwrites its key when it is dropped, as far as it can, and runs in constant
/// time. Show with `conformance::aead` (feature `conformance`) that it is right.
pub trait Aead: Sized + Send + Sync {
    /// The cipher under `key`.
    fn new(key: &[u8; 32]) -> Self;

    /// Encrypts at most 16 KiB in place and gives the tag. `nonce` is never used twice.
    fn seal_in_place(&self, nonce: [u8; 12], text: &mut [u8]) -> [u8; TAG_LEN];

    /// Decrypts in place.
    ///
    /// # Errors
    /// [`NotAuthentic`] if the tag is not the ciphertext's; nothing of the plaintext is left in `text`.
    fn open_in_place(
        &self,
        nonce: [u8; 12],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), NotAuthentic>;
}

/// The tag is not the ciphertext's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("ciphertext is not authentic")]
pub struct NotAuthentic;

/// The AEAD of everything that names none: [`AwsLc`] with feature `aws-lc`, else [`RustCrypto`].
#[cfg(feature = "aws-lc")]
pub type DefaultAead = AwsLc;
/// The AEAD of everything that names none: `AwsLc` with feature `aws-lc`, else [`RustCrypto`].
#[cfg(not(feature = "aws-lc"))]
pub type DefaultAead = RustCrypto;

/// The KEM of suites 1 and 2.
pub type DefaultKem = XWing;
