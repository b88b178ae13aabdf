use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{PoisonError, RwLock};

use chartseal_codec::byte_newtype;

use crate::error::VaultError;
use crate::outboard::{GROUP, damaged};

byte_newtype! {
    /// What a blob is called: the BLAKE3 of its bytes.
    pub struct BlobId([u8; 32]);
}

impl BlobId {
    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

/// Keeps ciphertext by its hash.
///
/// Implementations hold [`conformance::blob_store`](crate::conformance::blob_store), and where they
/// are durable, [`conformance::durable_blob_store`](crate::conformance::durable_blob_store).
pub trait BlobStore: Send + Sync {
    /// Stores blobs, and returns when they would survive a crash: their ids, in the same order.
    ///
    /// Blobs that are there already are left alone, and written again if they are damaged.
    ///
    /// # Errors
    /// If the medium refuses. No blob is then stored in part, and none of the batch's new ones at all.
    fn put_batch(&self, blobs: &[&[u8]]) -> Result<Vec<BlobId>, VaultError>;

    /// The blob, if it is there.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] unless the bytes hash to `id`: this is checked on every read.
    fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, VaultError>;

    /// Stores a blob that `from` gives, without having it in memory, and returns when it would survive a crash.
    ///
    /// # Errors
    /// [`VaultError::Source`] if it can't be read, [`VaultError::Other`] if it is not the blob of this id, or if the
    /// medium refuses. Nothing of it is stored then.
    fn put_stream(&self, id: &BlobId, from: &mut dyn Read) -> Result<(), VaultError>;

    /// A blob's length in bytes, as it lies there.
    ///
    /// # Errors
    /// If the medium refuses.
    fn len(&self, id: &BlobId) -> Result<Option<u64>, VaultError>;

    /// Some of a blob's bytes from a place on, not verified: [`Outboard`](crate::Outboard) does that. As many as were
    /// asked for, unless the blob ends before.
    ///
    /// # Errors
    /// If the medium refuses.
    fn read_unverified(
        &self,
        id: &BlobId,
        from: u64,
        len: usize,
    ) -> Result<Option<Vec<u8>>, VaultError>;

    /// Whether the blob is there; says nothing about damage.
    ///
    /// # Errors
    /// If the medium refuses.
    fn contains(&self, id: &BlobId) -> Result<bool, VaultError>;

    /// Deletes blobs; gives how many of them there were.
    ///
    /// # Errors
    /// If the medium refuses; some may be gone then.
    fn delete(&self, ids: &[BlobId]) -> Result<usize, VaultError>;

    /// All ids, in ascending order.
    ///
    /// # Errors
    /// If the medium refuses.
    fn ids(&self) -> Result<Vec<BlobId>, VaultError>;

    /// Stores one blob. A batch is much faster than as many of these.
    ///
    /// # Errors
    /// As [`put_batch`](Self::put_batch).
    fn put(&self, bytes: &[u8]) -> Result<BlobId, VaultError> {
        self.put_batch(&[bytes])?;
        Ok(BlobId::of(bytes))
    }
}

/// A [`BlobStore`] that ends with the process.
#[derive(Debug, Default)]
pub struct MemoryBlobStore {
    blobs: RwLock<BTreeMap<BlobId, Vec<u8>>>,
}

impl MemoryBlobStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl BlobStore for MemoryBlobStore {
    fn put_batch(&self, blobs: &[&[u8]]) -> Result<Vec<BlobId>, VaultError> {
        let mut held = self.blobs.write().unwrap_or_else(PoisonError::into_inner);
        let store = |bytes: &&[u8]| {
            let id = BlobId::of(bytes);
            held.entry(id).or_insert_with(|| bytes.to_vec());
            id
        };
        Ok(blobs.iter().map(store).collect())
    }

    fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, VaultError> {
        let held = self.blobs.read().unwrap_or_else(PoisonError::into_inner);
        held.get(id)
            .map(|bytes| verified(id, bytes.clone()))
            .transpose()
    }

    fn put_stream(&self, id: &BlobId, from: &mut dyn Read) -> Result<(), VaultError> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(VaultError::Source)?;
        if BlobId::of(&bytes) != *id {
            return Err(VaultError::Other { id: id.to_string() });
        }
        self.put(&bytes).map(drop)
    }

    fn len(&self, id: &BlobId) -> Result<Option<u64>, VaultError> {
        let held = self.blobs.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.get(id).map(|bytes| bytes.len() as u64))
    }

    fn read_unverified(
        &self,
        id: &BlobId,
        from: u64,
        len: usize,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let held = self.blobs.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.get(id).map(|bytes| {
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            let rest = bytes.get(from..).unwrap_or_default();
            rest.get(..len).unwrap_or(rest).to_vec()
        }))
    }

    fn contains(&self, id: &BlobId) -> Result<bool, VaultError> {
        let held = self.blobs.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.contains_key(id))
    }

    fn delete(&self, ids: &[BlobId]) -> Result<usize, VaultError> {
        let mut held = self.blobs.write().unwrap_or_else(PoisonError::into_inner);
        Ok(ids.iter().filter_map(|id| held.remove(id)).count())
    }

    fn ids(&self) -> Result<Vec<BlobId>, VaultError> {
        let held = self.blobs.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.keys().copied().collect())
    }
}

/// A blob that comes as a stream, some of it at a time.
pub(crate) struct Incoming<'a> {
    from: &'a mut dyn Read,
    hasher: blake3::Hasher,
}

impl<'a> Incoming<'a> {
    pub(crate) fn of(from: &'a mut dyn Read) -> Self {
        Self {
            from,
            hasher: blake3::Hasher::new(),
        }
    }

    /// The next of it; `None` at its end.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, VaultError> {
        let mut some = Vec::with_capacity(GROUP);
        let mut from = (&mut self.from).take(GROUP as u64);
        let read = from.read_to_end(&mut some);
        read.map_err(VaultError::Source)?;
        self.hasher.update(&some);
        Ok(Some(some).filter(|some| !some.is_empty()))
    }

    /// Whether all that came is the blob of this id.
    pub(crate) fn ends_as(&self, id: &BlobId) -> Result<(), VaultError> {
        if self.hasher.finalize() == id.0 {
            return Ok(());
        }
        Err(VaultError::Other { id: id.to_string() })
    }
}

/// The bytes, if they are the ones that `id` names.
pub(crate) fn verified(id: &BlobId, bytes: Vec<u8>) -> Result<Vec<u8>, VaultError> {
    if BlobId::of(&bytes) == *id {
        return Ok(bytes);
    }
    Err(damaged(id))
}
