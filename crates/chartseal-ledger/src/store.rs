//! Where blocks and state last: a trait, an implementation in memory, and a suite that shows whether
//! an implementation keeps the contract.

pub mod conformance;
mod memory;
mod reload;
mod snapshot;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Subject, TxId};
use thiserror::Error;

pub use memory::MemoryStore;
pub use reload::{Damage, ReloadError, Reloaded, reload};
pub use snapshot::{
    Import, Imported, MAX_CHUNK_BYTES, SNAPSHOT_VERSION, SnapshotError, export_snapshot,
};

use crate::block::Block;
use crate::execute::Executed;

/// Keeps a chain. The state is the ledger's business: a store never interprets what it keeps.
pub trait LedgerStore {
    /// What can go wrong: a disk, a file that is damaged, a commit out of order.
    type Error: core::error::Error + Send + Sync + 'static;

    /// Keeps a block with its effect: all of it or nothing, and durably once this returns.
    ///
    /// The first commit is genesis, the next ones have the next height each. A commit of the head's
    /// own block again does nothing, as blocks are delivered at least once.
    ///
    /// # Errors
    /// Another height, another block at the head's height, or a failure to write; nothing is kept then.
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), Self::Error>;

    /// The newest block's header; `None` before the first commit.
    fn head(&self) -> Result<Option<BlockHeader>, Self::Error>;

    /// A block; `None` above the head.
    fn block(&self, height: u64) -> Result<Option<Block>, Self::Error>;

    /// A header's canonical bytes; `None` above the head.
    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Every entry of the state map, each key once, in any order.
    fn state(&self) -> Result<Vec<(MapKey, Vec<u8>)>, Self::Error>;

    /// Whose histories have entries, in increasing order.
    fn subjects(&self) -> Result<Vec<Subject>, Self::Error>;

    /// The bytes of a history's entries from index `from` on, in order, at most `limit` of them.
    fn history(
        &self,
        subject: &Subject,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Where a transaction is.
    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, Self::Error>;
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxPlace {
    /// The block's height.
    pub height: u64,
    /// Its place in the block, from 0.
    pub index: u32,
}

/// A final block with its effect.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The block.
    pub block: &'a Block,
    /// What changed in the state map; `None`: the key is gone.
    pub changes: &'a BTreeMap<MapKey, Option<Vec<u8>>>,
    /// The new entries of histories: whose, at which index, and their bytes.
    pub entries: &'a [(Subject, u64, Vec<u8>)],
}

impl<'a> Commit<'a> {
    /// What executing `block` gave.
    pub fn new(block: &'a Block, executed: &'a Executed) -> Self {
        Self {
            block,
            changes: &executed.changes,
            entries: &executed.entries,
        }
    }
}

/// Why a store refuses a commit, whatever it keeps it in. Nothing of it is kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OutOfOrder {
    /// The commit is not for the next height, nor the head again.
    #[error("commit is for height {found}, expected {expected}")]
    Height {
        /// The next height.
        expected: u64,
        /// The commit's.
        found: u64,
    },
    /// Another block than the head is committed at its height.
    #[error("another block is already committed at height {height}")]
    OtherBlock {
        /// The head's height.
        height: u64,
    },
    /// A history's entry is not the next.
    #[error("an entry is for index {found} of a history, expected {expected}")]
    EntryIndex {
        /// The history's length.
        expected: u64,
        /// The entry's index.
        found: u64,
    },
}
