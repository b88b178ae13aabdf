//! What lies in the node's stores, for who looks after them.

use std::sync::Arc;

use chartseal_envelope::HeldShare;
use chartseal_vault::{BlobId, BlobStore, ShareKey, SideKey, VaultError};

use crate::custodian::read_front;
use crate::error::NodeError;
use crate::node::Node;

impl Node {
    /// The ciphertexts.
    pub(crate) fn blobs(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.stores.blobs)
    }

    /// The keys of headers, texts and people's keys.
    pub(crate) fn side_keys(&self) -> Result<Vec<SideKey>, NodeError> {
        Ok(self.stores.side.keys()?)
    }

    /// The ciphertext that a header's front names, if this is one's key.
    pub(crate) fn body_of(&self, key: &SideKey) -> Result<Option<BlobId>, NodeError> {
        let Some(side) = self.stores.side.get(key)? else {
            return Ok(None);
        };
        let front = read_front(side.expose()).ok();
        let front = front.filter(|front| front.header.digest().0 == key.0);
        Ok(front.map(|front| BlobId(front.seal.body_digest().0)))
    }

    /// Whether a header's front is here still.
    pub(crate) fn has_front(&self, key: &SideKey) -> Result<bool, NodeError> {
        Ok(self.stores.side.get(key)?.is_some())
    }

    /// The headers of which shares are here.
    pub(crate) fn share_keys(&self) -> Result<Vec<ShareKey>, NodeError> {
        Ok(self.stores.shares.keys()?)
    }

    /// Whether a share is as it was stored, or was erased meanwhile.
    pub(crate) fn share_is_whole(&self, key: &ShareKey) -> Result<bool, NodeError> {
        match self.stores.shares.get(key) {
            Ok(Some(share)) => Ok(HeldShare::from_storage_bytes(share.expose()).is_ok()),
            Ok(None) => Ok(true),
            Err(VaultError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
