use std::fmt;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::VaultError;
use crate::secret::{Secret, SecretId, damaged};

/// The bytes of a nonce: so many that random ones never meet.
const NONCE_LEN: usize = 24;

/// Encrypts what a durable [`SecretStore`](crate::SecretStore) keeps. Who has the store's medium, or a copy of it, and not
/// this key, has nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StoreKey([u8; 32]);

impl StoreKey {
    /// The key of these bytes, which nobody can guess.
    pub fn from_secret_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// Its bytes, for a file that only the store's user may read.
    pub fn expose_secret_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A nonce, then XChaCha20-Poly1305 of the secret with the row's domain and key as associated data: a row moved to
    /// another key, or to another kind of store, does not open.
    pub(crate) fn seal<K: SecretId>(&self, key: &K, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Randomness)?;
        let sealed = self.cipher().encrypt(
            &XNonce::from(nonce),
            Payload {
                msg: secret,
                aad: &row(key),
            },
        );
        // It fails for more than 256 GiB alone.
        let sealed = sealed.map_err(|_| damaged(key))?;
        Ok([&nonce[..], &sealed].concat())
    }

    pub(crate) fn open<K: SecretId>(&self, key: &K, sealed: &[u8]) -> Result<Secret, VaultError> {
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or_else(|| damaged(key))?;
        let opened = self.cipher().decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: sealed,
                aad: &row(key),
            },
        );
        let opened = opened.map(Zeroizing::new).map_err(|_| damaged(key))?;
        Ok(Secret::from(opened.as_slice()))
    }

    /// What shows, without any secret, that a store is encrypted under this key.
    pub(crate) fn proof(&self, domain: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(crate::domain::STORE_KEY_PROOF);
        hasher.update(&self.0).update(domain.as_bytes());
        let proof = hasher.finalize().into();
        hasher.zeroize();
        proof
    }

    pub(crate) fn proves(&self, domain: &str, proof: &[u8]) -> bool {
        self.proof(domain) == proof
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

fn row<K: SecretId>(key: &K) -> Vec<u8> {
    [K::ROW_DOMAIN.as_bytes(), key.bytes()].concat()
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}
