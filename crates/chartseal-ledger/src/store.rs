//! Where blocks and state last: a trait, an implementation in memory, and a suite that shows whether
//! an implementation keeps the contract.
//!
//! ```
//! # use chartseal_ledger::body::Organization;
//! # use chartseal_ledger::{Genesis, Params};
//! # use chartseal_wire::{OrgId, PublicKey, Time};
//! use chartseal_ledger::store::{Import, Refused, export_snapshot, reload, verify};
//! use chartseal_ledger::{Commit, LedgerStore, MemoryStore, propose};
//!
//! # let clinic = Organization {
//! #     id: OrgId([1; 16]),
//! #     enrolment_key: PublicKey([1; 32]),
//! #     custodian_key: PublicKey([2; 32]),
//! #     custodian_kem: [0; 32],
//! #     validator: PublicKey([3; 32]),
//! # };
//! # let params = Params::default();
//! # let genesis = Genesis::new(Time(1_000), [7; 32], params, vec![clinic], &[clinic.id])?;
//! let mut store = MemoryStore::new();
//! store.commit(&Commit::new(&genesis.block(), &genesis.executed()))?;
//! let next = propose(&genesis.overlay(), Time(2_000), []);
//! store.commit(&Commit::new(&next.block, &next.executed))?;
//! let head = reload(&store)?.overlay.head().clone();
//!
//! // Another node starts from a snapshot, checked against a header that it trusts.
//! let mut chunks = Vec::new();
//! export_snapshot(&store, |chunk| {
//!     chunks.push(chunk.to_vec());
//!     Ok::<(), Refused>(())
//! })?;
//! let mut import = Import::new(head.clone());
//! for chunk in &chunks {
//!     import.chunk(chunk)?;
//! }
//! let mut other = MemoryStore::new();
//! other.keep(&import.finish()?)?;
//! assert_eq!(other.head()?, Some(head));
//!
//! // Transactions of old blocks go; whatever proves something stays.
//! store.prune(1)?;
//! let asked = store.block(0);
//! assert!(matches!(asked, Err(Refused::Pruned { height: 0, from: 1 })));
//! assert!(verify(&store, |_| ())?.damage.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod conformance;
mod damage;
mod memory;
mod reload;
mod replay;
mod snapshot;
mod subjects;
mod verify;

use alloc::vec::Vec;

use chartseal_merkle::{MapChanges, MapKey};
use chartseal_wire::{BlockHeader, Hash, Subject, TxId};
use thiserror::Error;

pub use damage::{Damage, Table};
pub use memory::MemoryStore;
pub use reload::{ReloadError, Reloaded, reload};
pub use replay::{ReplayError, replay};
pub use snapshot::{
    Import, Imported, MAX_CHUNK_BYTES, SNAPSHOT_VERSION, SnapshotError, export_snapshot,
};
pub use verify::{MAX_DAMAGE, Progress, Verified, verify};

use crate::block::Block;
use crate::execute::Executed;
use crate::receipt::Receipt;
use crate::state::State;
use crate::transaction::SignedTransaction;

/// Keeps a chain. The state is the ledger's business: a store never interprets what it keeps.
///
/// Headers, the newest state, and all entries of histories are always complete. Transactions are,
/// unless they were [pruned](Self::prune) or the store began with a [snapshot](Self::keep);
/// [`kept`](Self::kept) says from which height on they are here.
pub trait LedgerStore {
    /// What can go wrong: a disk, a file that is damaged, or the store [refuses](Refused).
    type Error: core::error::Error + Send + Sync + 'static;

    /// Keeps a block with its effect: all of it or nothing, and durably once this returns.
    ///
    /// The first commit is genesis, the next ones have the next height each. A commit of the head's
    /// own block again does nothing, as blocks are delivered at least once.
    ///
    /// # Errors
    /// Another height, another block at the head's height, or a failure to write; nothing is kept then.
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), Self::Error>;

    /// Keeps an imported snapshot in a store without blocks: all of it or nothing, and durably once
    /// this returns. The next commit is of the height after the snapshot's.
    ///
    /// # Errors
    /// [`Refused::NotEmpty`], or a failure to write; nothing is kept then.
    fn keep(&mut self, snapshot: &Imported) -> Result<(), Self::Error>;

    /// Drops the transactions of the blocks below a height, and where they are: all or nothing, and
    /// durably once this returns. Their leaf hashes stay, and headers, state and histories as they
    /// are. Gives how many blocks lost their transactions; a height that is pruned already is fine.
    ///
    /// # Errors
    /// [`Refused::Newest`] above the head's height, or a failure to write; nothing is dropped then.
    fn prune(&mut self, below: u64) -> Result<u64, Self::Error>;

    /// From which heights on transactions and their leaf hashes are here.
    fn kept(&self) -> Result<Kept, Self::Error>;

    /// How many rows there are of everything.
    fn counts(&self) -> Result<Counts, Self::Error>;

    /// The newest block's header; `None` before the first commit.
    fn head(&self) -> Result<Option<BlockHeader>, Self::Error>;

    /// A block; `None` above the head.
    ///
    /// # Errors
    /// [`Refused::Pruned`] below [`Kept::blocks_from`].
    fn block(&self, height: u64) -> Result<Option<Block>, Self::Error>;

    /// The leaf hashes of a block's transactions, in order, which prove that a transaction was in it;
    /// `None` above the head.
    ///
    /// # Errors
    /// [`Refused::Pruned`] below [`Kept::leaves_from`].
    fn leaves(&self, height: u64) -> Result<Option<Vec<Hash>>, Self::Error>;

    /// A header's canonical bytes; `None` above the head.
    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Every entry of the state map, each key once, in any order.
    fn state(&self) -> Result<Vec<(MapKey, Vec<u8>)>, Self::Error>;

    /// Whose histories have entries, in increasing order.
    fn subjects(&self) -> Result<Vec<Subject>, Self::Error>;

    /// How many entries a history has.
    fn history_len(&self, subject: &Subject) -> Result<u64, Self::Error>;

    /// The bytes of a history's entries from index `from` on, in order, at most `limit` of them.
    fn history(
        &self,
        subject: &Subject,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Where a transaction is; `None` if it is unknown or its block is pruned. A history's entry names
    /// the height too.
    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, Self::Error>;

    /// What is damaged of that which the store keeps beside all this, such as a quorum's certificates of blocks, judged
    /// by the newest block's state. A store that keeps nothing else has nothing to say.
    fn damage_beside(&self, state: &State<'_>) -> Result<Vec<Damage>, Self::Error> {
        let _ = state;
        Ok(Vec::new())
    }
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxPlace {
    /// The block's height.
    pub height: u64,
    /// Its place in the block, from 0.
    pub index: u32,
}

/// From which heights on a store has what: both are 0 unless it was pruned or began with a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Transactions.
    pub blocks_from: u64,
    /// Leaf hashes of transactions: the height after the snapshot's, if the store began with one.
    pub leaves_from: u64,
}

impl Kept {
    /// Whether transactions of this height are here, unless it is above the head.
    ///
    /// # Errors
    /// [`Refused::Pruned`].
    pub fn check_block(&self, height: u64) -> Result<(), Refused> {
        Self::check(height, self.blocks_from)
    }

    /// Whether their leaf hashes are.
    ///
    /// # Errors
    /// [`Refused::Pruned`].
    pub fn check_leaves(&self, height: u64) -> Result<(), Refused> {
        Self::check(height, self.leaves_from)
    }

    fn check(height: u64, from: u64) -> Result<(), Refused> {
        if height < from {
            return Err(Refused::Pruned { height, from });
        }
        Ok(())
    }
}

/// How many rows a store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Headers: the height of the head and one.
    pub headers: u64,
    /// Blocks whose transactions are kept.
    pub blocks: u64,
    /// Pruned blocks whose transactions' leaf hashes are kept.
    pub pruned: u64,
    /// Transactions in kept blocks.
    pub transactions: u64,
    /// Values of the state map.
    pub state: u64,
    /// Histories with entries.
    pub histories: u64,
    /// Their entries.
    pub entries: u64,
}

/// A final block with its effect.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The block.
    pub block: &'a Block,
    /// What changed in the state map; `None`: the key is gone.
    pub changes: &'a MapChanges,
    /// The new entries of histories: whose, at which index, and their bytes.
    pub entries: &'a [(Subject, u64, Vec<u8>)],
    /// What became of each transaction of the block, in order.
    pub receipts: &'a [Receipt],
}

impl<'a> Commit<'a> {
    /// What executing `block` gave.
    pub fn new(block: &'a Block, executed: &'a Executed) -> Self {
        Self {
            block,
            changes: &executed.changes,
            entries: &executed.entries,
            receipts: &executed.receipts,
        }
    }

    /// The ids of the block's transactions, in order: as the receipts have them, or made anew if there are none.
    pub fn ids(&self) -> impl Iterator<Item = TxId> {
        let without = self.block.transactions.iter().skip(self.receipts.len());
        let known = self.receipts.iter().map(|receipt| receipt.tx);
        known.chain(without.map(SignedTransaction::id))
    }
}

/// Why a store refuses, whatever it keeps its blocks in. Nothing changes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// `CS-STO-01`: the commit is not for the next height, nor the head again.
    #[error("commit is for height {found}, expected {expected}")]
    Height {
        /// The next height.
        expected: u64,
        /// The commit's.
        found: u64,
    },
    /// `CS-STO-02`: another block than the head is committed at its height.
    #[error("another block is already committed at height {height}")]
    OtherBlock {
        /// The head's height.
        height: u64,
    },
    /// `CS-STO-03`: a history's entry is not the next.
    #[error("an entry is for index {found} of a history, expected {expected}")]
    EntryIndex {
        /// The history's length.
        expected: u64,
        /// The entry's index.
        found: u64,
    },
    /// `CS-STO-04`: a snapshot is kept only where there is no block yet.
    #[error("the store has {blocks} blocks already; a snapshot starts an empty one")]
    NotEmpty {
        /// How many there are.
        blocks: u64,
    },
    /// `CS-STO-05`: the newest block is never pruned.
    #[error("blocks below height {below} can't be pruned: the newest, {newest}, is always kept")]
    Newest {
        /// Below which height was to be pruned.
        below: u64,
        /// The head's height.
        newest: u64,
    },
    /// `CS-STO-06`: what is asked for was pruned, or is older than the snapshot that the store began with.
    #[error("of height {height} only the header is kept; transactions are from height {from} on")]
    Pruned {
        /// The height that was asked for.
        height: u64,
        /// From which height on there is what was asked for.
        from: u64,
    },
}

impl Refused {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Height { .. } => "CS-STO-01",
            Self::OtherBlock { .. } => "CS-STO-02",
            Self::EntryIndex { .. } => "CS-STO-03",
            Self::NotEmpty { .. } => "CS-STO-04",
            Self::Newest { .. } => "CS-STO-05",
            Self::Pruned { .. } => "CS-STO-06",
        }
    }
}
