use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use chartseal_codec::byte_newtype;
use zeroize::Zeroizing;

use crate::domain;
use crate::error::VaultError;

byte_newtype! {
    /// What a share is filed under: the digest of its record's header, or a hash of that and of the deal's number.
    pub struct ShareKey([u8; 32]);
}

impl ShareKey {
    /// Where a share of a record's deal is: 0 is the deal that its header names.
    pub fn of_deal(header: &[u8; 32], deal: u64) -> Self {
        if deal == 0 {
            return Self(*header);
        }
        let mut hasher = blake3::Hasher::new_derive_key(domain::LATER_SHARE);
        hasher.update(header).update(&deal.to_be_bytes());
        Self(hasher.finalize().into())
    }
}

byte_newtype! {
    /// What a sealed text and its salt are filed under: a hash that their transaction and their commitment
    /// on the chain give.
    pub struct SideKey([u8; 32]);
}

/// A custodian's shares.
pub type ShareStore = dyn SecretStore<ShareKey>;

/// Sealed texts and their salts.
pub type SideStore = dyn SecretStore<SideKey>;

/// Keeps small secrets that must be erasable, by a 32-byte key.
///
/// What is stored under a key never changes: it is there, or destroyed.
///
/// Implementations hold [`conformance::secret_store`](crate::conformance::secret_store), and where
/// they are durable,
/// [`conformance::durable_secret_store`](crate::conformance::durable_secret_store).
pub trait SecretStore<K: SecretId>: Send + Sync {
    /// Stores the whole batch, and returns when it would survive a crash. Storing the same bytes
    /// again changes nothing.
    ///
    /// # Errors
    /// [`VaultError::Conflict`] if a key has other bytes, or as the medium refuses. Nothing of the
    /// batch is stored then.
    fn put_batch(&self, batch: &[(K, &[u8])]) -> Result<(), VaultError>;

    /// The bytes, if they are there.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if they are not the ones that were stored.
    fn get(&self, key: &K) -> Result<Option<Secret>, VaultError>;

    /// Destroys what is stored under these keys, so that the bytes are gone from the store's files;
    /// gives how many there were. A batch costs no more than one key.
    ///
    /// # Errors
    /// If the medium refuses. All are there still then, or all are gone; calling again is safe.
    fn destroy(&self, keys: &[K]) -> Result<usize, VaultError>;

    /// All keys, in ascending order.
    ///
    /// # Errors
    /// If the medium refuses.
    fn keys(&self) -> Result<Vec<K>, VaultError>;
}

/// A key of a [`SecretStore`]: [`ShareKey`] or [`SideKey`].
pub trait SecretId:
    sealed::Sealed + Copy + Ord + fmt::Display + From<[u8; 32]> + Send + Sync + 'static
{
    /// What is stored under it, for errors.
    const WHAT: &'static str;
    /// What the store's folder is, for errors.
    const FOLDER: &'static str;
    /// The domain of an encrypted row.
    const ROW_DOMAIN: &'static str;
    /// The domain of the check value of a row in the clear: version 1.
    const PLAIN_ROW_DOMAIN: &'static str;

    /// The key's bytes.
    fn bytes(&self) -> &[u8; 32];
}

impl SecretId for ShareKey {
    const WHAT: &'static str = "share";
    const FOLDER: &'static str = "the share store's folder";
    const ROW_DOMAIN: &'static str = domain::SHARE_ROW;
    const PLAIN_ROW_DOMAIN: &'static str = domain::PLAIN_SHARE_ROW;

    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SecretId for SideKey {
    const WHAT: &'static str = "sealed text";
    const FOLDER: &'static str = "the side store's folder";
    const ROW_DOMAIN: &'static str = domain::SIDE_ROW;
    const PLAIN_ROW_DOMAIN: &'static str = domain::PLAIN_SIDE_ROW;

    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ShareKey {}
    impl Sealed for super::SideKey {}
}

/// Bytes that are wiped from memory when they are dropped, and never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A [`SecretStore`] that ends with the process.
#[derive(Debug)]
pub struct MemorySecretStore<K> {
    secrets: RwLock<BTreeMap<K, Secret>>,
}

impl<K> MemorySecretStore<K> {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            secrets: RwLock::new(BTreeMap::new()),
        }
    }
}

impl<K> Default for MemorySecretStore<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: SecretId> SecretStore<K> for MemorySecretStore<K> {
    fn put_batch(&self, batch: &[(K, &[u8])]) -> Result<(), VaultError> {
        let mut held = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = BTreeMap::new();
        for (key, bytes) in batch {
            match held.get(key).or_else(|| new.get(key)) {
                Some(old) if old.expose() == *bytes => {}
                Some(_) => return Err(conflict(key)),
                None => {
                    new.insert(*key, Secret::from(*bytes));
                }
            }
        }
        held.append(&mut new);
        Ok(())
    }

    fn get(&self, key: &K) -> Result<Option<Secret>, VaultError> {
        let held = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.get(key).cloned())
    }

    fn destroy(&self, keys: &[K]) -> Result<usize, VaultError> {
        let mut held = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.iter().filter_map(|key| held.remove(key)).count())
    }

    fn keys(&self) -> Result<Vec<K>, VaultError> {
        let held = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.keys().copied().collect())
    }
}

pub(crate) fn conflict<K: SecretId>(key: &K) -> VaultError {
    VaultError::Conflict {
        what: K::WHAT,
        id: key.to_string(),
    }
}

pub(crate) fn damaged<K: SecretId>(key: &K) -> VaultError {
    VaultError::Damaged {
        what: K::WHAT,
        id: key.to_string(),
    }
}
