use std::error::Error;

use chartseal_ledger::{AdmissionError, Block, SignedTransaction};
use chartseal_wire::{BlockHeader, Hash, OrgId, Time, TxId};
use thiserror::Error;

/// One organization's state machine and store, as an ordering engine sees it.
///
/// Executing is speculative: several blocks may be executed on one parent, and one is committed.
/// Both are idempotent, because engines deliver at least once.
pub trait Replica {
    /// What its store or state machine may say.
    type Error: Error + Send + Sync + 'static;

    /// Whose replica it is.
    fn organization(&self) -> OrgId;

    /// Whether it takes part at the moment.
    fn is_running(&self) -> bool;

    /// The header of the newest committed block.
    fn head(&self) -> &BlockHeader;

    /// A block on the head, from those candidates that are admissible in this order, and why the
    /// others are not.
    fn propose(
        &self,
        time: Time,
        candidates: &[SignedTransaction],
    ) -> Result<(Block, Vec<Rejection>), Self::Error>;

    /// Checks and applies a block on the head, keeps the result, and gives the state root to which it
    /// came on its own.
    fn execute(&mut self, block: &Block) -> Result<Hash, Self::Error>;

    /// Makes an executed block, named by its header's leaf hash, the new head: durably.
    fn commit(&mut self, block: Hash) -> Result<(), Self::Error>;

    /// A committed block, for a replica that was away.
    fn block(&self, height: u64) -> Result<Option<Block>, Self::Error>;
}

/// A transaction that was not admitted, and why. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which.
    pub tx: TxId,
    /// Why.
    pub why: AdmissionError,
}

/// What became of transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finalized {
    /// The headers of new blocks, in order.
    pub headers: Vec<BlockHeader>,
    /// Transactions that were not admitted.
    pub rejected: Vec<Rejection>,
}

/// Has replicas agree on one order of transactions.
pub trait Ordering {
    /// The replicas that it serves.
    type Replica: Replica;

    /// The replicas, in the committee's order.
    fn replicas(&self) -> &[Self::Replica];

    /// The replicas, in the committee's order.
    fn replicas_mut(&mut self) -> &mut [Self::Replica];

    /// How many replicas must run and agree: 2*f* + 1 of 3*f* + 1.
    fn quorum(&self) -> usize {
        let replicas = self.replicas().len();
        replicas - replicas.saturating_sub(1) / 3
    }

    /// Has running replicas that were away get the blocks that they missed. Each applies them on its own.
    ///
    /// # Errors
    /// [`OrderingError`].
    fn catch_up(&mut self) -> Result<(), OrderingError<<Self::Replica as Replica>::Error>>;

    /// Takes a transaction into the pool. It is final once [`finalize`](Self::finalize) says so.
    fn submit(&mut self, transaction: SignedTransaction) -> TxId;

    /// Orders what is in the pool, until it is empty. Blocks bear the time `now`, or the head's if
    /// that is later.
    ///
    /// # Errors
    /// [`OrderingError`]. No block is committed on which the replicas did not agree. What is not in a
    /// block then is dropped: its sender knows of the failure and may send it again.
    fn finalize(
        &mut self,
        now: Time,
    ) -> Result<Finalized, OrderingError<<Self::Replica as Replica>::Error>>;
}

/// Why transactions can't be ordered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OrderingError<E: Error + 'static> {
    /// Too few replicas are running.
    #[error("{running} replicas are running; a quorum is {quorum}")]
    NoQuorum {
        /// How many are running.
        running: usize,
        /// How many must.
        quorum: usize,
    },
    /// A replica came to another state than the others.
    #[error("organization {org} came to another state root at height {height} than the proposer")]
    Disagreement {
        /// Whose replica.
        org: OrgId,
        /// At which block.
        height: u64,
    },
    /// A replica refused the block, or failed.
    #[error("organization {org}: {source}")]
    Replica {
        /// Whose replica.
        org: OrgId,
        /// What it said.
        source: E,
    },
    /// A proposer neither took nor refused any of the transactions that wait.
    #[error("organization {org} proposes nothing, though transactions wait")]
    Stalled {
        /// Whose replica.
        org: OrgId,
    },
    /// The engine can't go on.
    #[error("the consensus engine: {0}")]
    Engine(String),
    /// A replica that was away needs a block that no other has.
    #[error("no replica has the block at height {0}")]
    MissingBlock(u64),
}
