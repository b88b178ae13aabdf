//! What lies in the node's stores, for who looks after them.

use std::sync::Arc;

use chartseal_envelope::HeldShare;
use chartseal_vault::{BlobId, BlobStore, ShareKey, SideKey, VaultError};
use chartseal_wire::HeaderDigest;

use crate::custodian::{body_of, read_front};
use crate::error::NodeError;
use crate::node::Node;

/// How a share is that was stored.
pub(crate) enum KeptShare {
    /// As it should be.
    Good,
    /// A record rests on it, and it was dealt to a former committee.
    Former,
    /// Not as it was stored.
    Damaged,
}

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
        Ok(front.as_ref().map(body_of))
    }

    /// Whether a header's front is here still.
    pub(crate) fn has_front(&self, key: &SideKey) -> Result<bool, NodeError> {
        Ok(self.stores.side.get(key)?.is_some())
    }

    /// The keys of the shares that are here.
    pub(crate) fn share_keys(&self) -> Result<Vec<ShareKey>, NodeError> {
        Ok(self.stores.shares.keys()?)
    }

    /// How a share is that was stored; one that was destroyed meanwhile is good.
    pub(crate) fn kept_share(&self, key: &ShareKey) -> Result<KeptShare, NodeError> {
        let share = match self.stores.shares.get(key) {
            Ok(Some(share)) => HeldShare::from_storage_bytes(share.expose()).ok(),
            Ok(None) => return Ok(KeptShare::Good),
            Err(VaultError::Damaged { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(share) = share else {
            return Ok(KeptShare::Damaged);
        };
        let dealing = share.dealing();
        let deals = self.state().deals(&HeaderDigest(dealing.header().0));
        let is_released = deals.durable == dealing.epoch();
        let is_former = dealing.custodians().epoch < self.state().committee().epoch();
        Ok(if is_released && is_former {
            KeptShare::Former
        } else {
            KeptShare::Good
        })
    }
}
