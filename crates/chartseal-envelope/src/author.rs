//! Who seals a record: an Ed25519 key, or in suite 2 a pair of keys.

use chartseal_codec::{Decode as _, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;

use crate::Suite;
#[cfg(feature = "pq-sign")]
use crate::hybrid::{HybridSignature, HybridSigningKeyPair, HybridVerifyingKey};
use crate::keys::KeyId;
use crate::signing::{BadSignature, Signature, SigningKeyPair, VerifyingKey};

/// An author's key pair, of the kind that the record's suite asks for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Author<'a> {
    /// Of every suite but 2.
    Ed25519(&'a SigningKeyPair),
    /// Of suite 2.
    #[cfg(feature = "pq-sign")]
    Hybrid(&'a HybridSigningKeyPair),
}

impl<'a> From<&'a SigningKeyPair> for Author<'a> {
    fn from(keys: &'a SigningKeyPair) -> Self {
        Self::Ed25519(keys)
    }
}

#[cfg(feature = "pq-sign")]
impl<'a> From<&'a HybridSigningKeyPair> for Author<'a> {
    fn from(keys: &'a HybridSigningKeyPair) -> Self {
        Self::Hybrid(keys)
    }
}

impl Author<'_> {
    /// The public key.
    pub fn key(&self) -> AuthorKey {
        match self {
            Self::Ed25519(keys) => AuthorKey::Ed25519(keys.verifying_key()),
            #[cfg(feature = "pq-sign")]
            Self::Hybrid(keys) => keys.verifying_key().into(),
        }
    }

    /// The public key's name, which stands in a record's header.
    pub fn key_id(&self) -> KeyId {
        self.key().key_id()
    }

    /// Whether records of `suite` have authors of this kind.
    pub(crate) fn is_of(self, suite: Suite) -> bool {
        self.key().is_of(suite)
    }

    #[cfg_attr(
        not(feature = "pq-sign"),
        expect(unused_variables, reason = "Ed25519 takes no randomness")
    )]
    pub(crate) fn sign(self, message: &[u8], rng: &mut impl CryptoRng) -> AuthorSignature {
        match self {
            Self::Ed25519(keys) => AuthorSignature::Ed25519(keys.sign(message)),
            #[cfg(feature = "pq-sign")]
            Self::Hybrid(keys) => AuthorSignature::Hybrid(keys.sign_with_rng(message, rng)),
        }
    }
}

/// An author's public key, of the kind that the record's suite asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorKey {
    /// Of every suite but 2.
    Ed25519(VerifyingKey),
    /// Of suite 2.
    #[cfg(feature = "pq-sign")]
    Hybrid(HybridVerifyingKey),
}

impl From<&VerifyingKey> for AuthorKey {
    fn from(key: &VerifyingKey) -> Self {
        Self::Ed25519(*key)
    }
}

#[cfg(feature = "pq-sign")]
impl From<&HybridVerifyingKey> for AuthorKey {
    fn from(key: &HybridVerifyingKey) -> Self {
        Self::Hybrid(key.clone())
    }
}

impl From<&AuthorKey> for AuthorKey {
    fn from(key: &AuthorKey) -> Self {
        key.clone()
    }
}

impl AuthorKey {
    /// The key's name, which stands in a record's header.
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Ed25519(key) => key.key_id(),
            #[cfg(feature = "pq-sign")]
            Self::Hybrid(key) => key.key_id(),
        }
    }

    /// Whether records of `suite` have authors of this kind.
    pub(crate) fn is_of(&self, suite: Suite) -> bool {
        match self {
            Self::Ed25519(_) => !suite.is_hybrid(),
            #[cfg(feature = "pq-sign")]
            Self::Hybrid(_) => suite.is_hybrid(),
        }
    }

    pub(crate) fn verify(
        &self,
        message: &[u8],
        signature: &AuthorSignature,
    ) -> Result<(), BadSignature> {
        match (self, signature) {
            (Self::Ed25519(key), AuthorSignature::Ed25519(signature)) => {
                key.verify_strict(message, signature)
            }
            #[cfg(feature = "pq-sign")]
            (Self::Hybrid(key), AuthorSignature::Hybrid(signature)) => {
                key.verify_strict(message, signature)
            }
            #[cfg(feature = "pq-sign")]
            _ => Err(BadSignature),
        }
    }
}

impl AuthorKey {
    pub(crate) fn read(suite: Suite, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match suite {
            #[cfg(feature = "pq-sign")]
            Suite::XWingMlDsa65 => HybridVerifyingKey::decode(d).map(Self::Hybrid),
            _ => VerifyingKey::decode(d).map(Self::Ed25519),
        }
    }
}

impl Encode for AuthorKey {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Self::Ed25519(key) => key.encode(e),
            #[cfg(feature = "pq-sign")]
            Self::Hybrid(key) => key.encode(e),
        }
    }
}

/// An author's signature, of the kind that the record's suite asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthorSignature {
    Ed25519(Signature),
    #[cfg(feature = "pq-sign")]
    Hybrid(HybridSignature),
}

impl AuthorSignature {
    pub(crate) fn read(suite: Suite, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match suite {
            #[cfg(feature = "pq-sign")]
            Suite::XWingMlDsa65 => HybridSignature::decode(d).map(Self::Hybrid),
            _ => Signature::decode(d).map(Self::Ed25519),
        }
    }
}

impl Encode for AuthorSignature {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Self::Ed25519(signature) => signature.encode(e),
            #[cfg(feature = "pq-sign")]
            Self::Hybrid(signature) => signature.encode(e),
        }
    }
}
