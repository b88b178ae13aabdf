use std::error::Error;

use chartseal_ledger::store::{Commit, LedgerStore, ReloadError, reload};
use chartseal_ledger::{Block, Executed, Genesis, Overlay};
use chartseal_wire::Certificate;
use thiserror::Error;

/// What a keeper may say: a disk, or a chain that is not this one.
pub type KeeperError = Box<dyn Error + Send + Sync>;

/// A block's certificate, and the block, if it is kept with its transactions.
pub type Anchor = (Option<Block>, Certificate);

/// Keeps final blocks for one validator: its disk.
///
/// The engine delivers each final block in order of height, one at a time, and at least once. It goes on only
/// when a block is durable here, so that whatever a client is told is final outlives a crash.
pub trait Keeper: Send + 'static {
    /// The state after the newest block that is durable.
    fn head(&self) -> Overlay;

    /// Keeps the block after the head, with its effect and the quorum's certificate of it, if it has one of its
    /// own: many blocks are only vouched for by a later one's. Durably once this returns.
    ///
    /// # Errors
    /// A failure to write: the validator stops.
    fn commit(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), KeeperError>;

    /// A kept header's canonical bytes; `None` above the head.
    ///
    /// # Errors
    /// A failure to read: the validator stops.
    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, KeeperError>;

    /// A kept block; `None` above the head, or if its transactions are pruned.
    ///
    /// # Errors
    /// A failure to read.
    fn block(&self, height: u64) -> Result<Option<Block>, KeeperError>;

    /// The head's certificate, if it is kept, and its block, if that is: from there a validator goes on whose engine has no
    /// files, or older ones than the ledger. Without a certificate it fetches every block from the others.
    ///
    /// # Errors
    /// A failure to read: the validator does not start.
    fn anchor(&self) -> Result<Option<Anchor>, KeeperError> {
        Ok(None)
    }
}

/// A [`Keeper`] over any ledger store.
#[derive(Debug)]
pub struct StoreKeeper<S> {
    store: S,
    head: Overlay,
}

/// Why a store can't be kept in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError<E: Error + 'static> {
    /// It can't be read, or is damaged.
    #[error(transparent)]
    Reload(#[from] ReloadError<E>),
    /// The store can't be read or written.
    #[error("the store can't be used: {0}")]
    Store(E),
    /// It holds another network's chain.
    #[error("the store's first block is not this genesis: it holds another network's chain")]
    OtherChain,
}

impl<S: LedgerStore> StoreKeeper<S> {
    /// The chain that a store holds; genesis is committed to an empty one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(genesis: &Genesis, mut store: S) -> Result<Self, OpenError<S::Error>> {
        if store.head().map_err(OpenError::Store)?.is_none() {
            let (block, executed) = (genesis.block(), genesis.executed());
            let commit = Commit::new(&block, &executed);
            store.commit(&commit).map_err(OpenError::Store)?;
        }
        if store.header(0).map_err(OpenError::Store)? != Some(genesis.header().bytes()) {
            return Err(OpenError::OtherChain);
        }
        let head = reload(&store)?.overlay;
        Ok(Self { store, head })
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }
}

impl<S: LedgerStore + Send + 'static> Keeper for StoreKeeper<S> {
    fn head(&self) -> Overlay {
        self.head.clone()
    }

    fn commit(
        &mut self,
        block: &Block,
        executed: &Executed,
        _: Option<&Certificate>,
    ) -> Result<(), KeeperError> {
        self.store.commit(&Commit::new(block, executed))?;
        self.head = executed.overlay.clone();
        Ok(())
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, KeeperError> {
        Ok(self.store.header(height)?)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, KeeperError> {
        let is_kept = height >= self.store.kept()?.blocks_from;
        Ok(is_kept
            .then(|| self.store.block(height))
            .transpose()?
            .flatten())
    }
}
