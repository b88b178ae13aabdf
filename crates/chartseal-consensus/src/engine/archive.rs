//! The newest final blocks, for other validators that ask; older ones come out of the ledger, where they are anyway.

use std::sync::Arc;

use commonware_consensus::marshal::store::Blocks;
use commonware_consensus::types::Height;
use commonware_cryptography::sha256::Digest;
use commonware_runtime::{Clock, Handle, Metrics, Storage};
use commonware_storage::archive::{Error, Identifier, prunable};
use commonware_storage::translator::EightCap;

use super::block::EngineBlock;
use super::shared::Shared;

/// The engine's own blocks.
pub(crate) type Recent<E> = prunable::Archive<EightCap, E, Digest, Arc<EngineBlock>>;

/// Final blocks: the newest ones here, pruned now and then, and all that the ledger keeps behind them.
pub(crate) struct Archive<E: Storage + Metrics + Clock> {
    recent: Recent<E>,
    shared: Arc<Shared>,
}

impl<E: Storage + Metrics + Clock> Archive<E> {
    pub(crate) fn new(recent: Recent<E>, shared: Arc<Shared>) -> Self {
        Self { recent, shared }
    }

    /// The newest block that the engine kept here; `None` if it never kept one.
    pub(crate) fn newest(&self) -> Option<u64> {
        Blocks::last_index(&self.recent).map(Height::get)
    }
}

impl<E: Storage + Metrics + Clock> Blocks for Archive<E> {
    type Block = Arc<EngineBlock>;
    type Error = Error;

    async fn put(self, digest: Digest, block: &Arc<EngineBlock>) -> Result<Self, Error> {
        let Self { recent, shared } = self;
        let recent = Blocks::put(recent, digest, block).await?;
        Ok(Self { recent, shared })
    }

    async fn sync(self) -> Result<Self, Error> {
        let Self { recent, shared } = self;
        let recent = Blocks::sync(recent).await?;
        Ok(Self { recent, shared })
    }

    async fn start_sync(self) -> Result<(Self, Handle<()>), Error> {
        let Self { recent, shared } = self;
        let (recent, handle) = Blocks::start_sync(recent).await?;
        Ok((Self { recent, shared }, handle))
    }

    async fn get(&self, id: Identifier<'_, Digest>) -> Result<Option<Arc<EngineBlock>>, Error> {
        let height = match id {
            Identifier::Index(height) => Some(height),
            Identifier::Key(_) => None,
        };
        if let Some(block) = Blocks::get(&self.recent, id).await? {
            return Ok(Some(block));
        }
        let Some(height) = height else {
            return Ok(None);
        };
        // What can't be read there is as good as pruned: another validator has it.
        let block = self.shared.keeper().block(height).unwrap_or_default();
        Ok(block.map(|block| Arc::new(EngineBlock::new(block))))
    }

    async fn prune(self, min: Height) -> Result<Self, Error> {
        let Self { recent, shared } = self;
        let recent = Blocks::prune(recent, min).await?;
        Ok(Self { recent, shared })
    }

    fn missing_items(&self, start: Height, max: usize) -> Vec<Height> {
        Blocks::missing_items(&self.recent, start, max)
    }

    fn next_gap(&self, value: Height) -> (Option<Height>, Option<Height>) {
        Blocks::next_gap(&self.recent, value)
    }

    fn last_index(&self) -> Option<Height> {
        Blocks::last_index(&self.recent)
    }
}
