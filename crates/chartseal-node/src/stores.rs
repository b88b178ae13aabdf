use std::path::Path;
use std::sync::Arc;

use chartseal_vault::{
    BlobStore, DirBlobStore, FileSecretStore, MemoryBlobStore, MemorySecretStore, ShareKey,
    ShareStore, SideKey, SideStore, StoreKey,
};

use crate::error::NodeError;
use crate::ledger_store::RedbLedger;

/// The stores' places in a node's data directory: one folder of files that never change, and databases.
pub(crate) const BLOBS: &str = "blobs";
pub(crate) const LEDGER: &str = "ledger.redb";
pub(crate) const DATABASES: [&str; 3] = [LEDGER, "shares/secrets.redb", "side/secrets.redb"];

/// What one node keeps.
///
/// | in a folder | what |
/// |---|---|
/// | `ledger.redb` | blocks, state, histories |
/// | `blobs/` | sealed bodies |
/// | `shares/` | the custodian's shares, encrypted under [`NodeKeys::store`](crate::NodeKeys) |
/// | `side/` | likewise encrypted: envelopes' headers and seals by header digest, sealed texts by commitment, people's KEM keys by id |
pub struct Stores {
    pub(crate) ledger: RedbLedger,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) shares: Box<ShareStore>,
    pub(crate) side: Box<SideStore>,
}

impl Stores {
    /// The stores in a folder, made if they are missing.
    ///
    /// # Errors
    /// [`NodeError`] if the folder can't be used, a store is in use, damaged, or encrypted under another key.
    pub fn open(dir: &Path, key: &StoreKey) -> Result<Self, NodeError> {
        let blobs = DirBlobStore::open(dir.join(BLOBS))?;
        Self::open_with(dir, key, Arc::new(blobs))
    }

    /// The same, with the ciphertext elsewhere.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        dir: &Path,
        key: &StoreKey,
        blobs: Arc<dyn BlobStore>,
    ) -> Result<Self, NodeError> {
        Ok(Self {
            ledger: RedbLedger::open(&dir.join(LEDGER))?,
            blobs,
            shares: Box::new(FileSecretStore::<ShareKey>::open(dir.join("shares"), key)?),
            side: Box::new(FileSecretStore::<SideKey>::open(dir.join("side"), key)?),
        })
    }

    /// Stores that end with the process.
    ///
    /// # Errors
    /// [`NodeError`] if the database refuses.
    pub fn in_memory() -> Result<Self, NodeError> {
        Ok(Self {
            ledger: RedbLedger::in_memory()?,
            blobs: Arc::new(MemoryBlobStore::new()),
            shares: Box::new(MemorySecretStore::<ShareKey>::new()),
            side: Box::new(MemorySecretStore::<SideKey>::new()),
        })
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores")
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}
