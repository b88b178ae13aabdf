use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroUsize;

use chartseal_merkle::MapChanges;
use chartseal_wire::block::HEADER_VERSION;
use chartseal_wire::{BlockHeader, Subject, Time, TxId};
use thiserror::Error;

use crate::admission::AdmissionError;
use crate::apply::{apply, begin_epoch, enter_counts};
use crate::block::{Block, tx_root};
use crate::overlay::Overlay;
use crate::receipt::Receipt;
use crate::scratch::Scratch;
use crate::signatures;
use crate::transaction::{Keys, SignedTransaction};

/// A block's effect: what a store commits once the block is final.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The state after it.
    pub overlay: Overlay,
    /// What changed in the state map; `None`: the key is gone.
    pub changes: MapChanges,
    /// The new entries of histories: whose, at which index, and their bytes; in the order in which
    /// they were made.
    pub entries: Vec<(Subject, u64, Vec<u8>)>,
    /// What became of each transaction, in order.
    pub receipts: Vec<Receipt>,
}

/// A block of a proposer's own, executed.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The block.
    pub block: Block,
    /// Its effect, as [`execute`] gives it.
    pub executed: Executed,
    /// The candidates that break a rule. Those that merely found no room are in neither list.
    pub rejected: Vec<(TxId, AdmissionError)>,
}

/// Why a block is not the parent's child. Nothing of it counts then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockError {
    /// `CS-LED-80`: over [`Block::MAX_BYTES`] or [`Block::MAX_TRANSACTIONS`].
    #[error("block has more than 4096 transactions or 4 MiB")]
    TooLarge,
    /// `CS-LED-81`: another version of the header's format.
    #[error("block's version is {found}, expected 1")]
    Version {
        /// The version that it names.
        found: u64,
    },
    /// `CS-LED-82`: of another chain.
    #[error("block is of another chain")]
    Chain,
    /// `CS-LED-83`: not of the committee's epoch.
    #[error("block's epoch is {found}, expected {expected}")]
    Epoch {
        /// The committee's.
        expected: u64,
        /// The block's.
        found: u64,
    },
    /// `CS-LED-84`: not the next height.
    #[error("block's height is {found}, expected {expected}")]
    Height {
        /// The next height.
        expected: u64,
        /// The block's.
        found: u64,
    },
    /// `CS-LED-85`: it names another parent.
    #[error("block names another parent")]
    Parent,
    /// `CS-LED-86`: before its parent.
    #[error("block's time is before its parent's")]
    TimeBackwards,
    /// `CS-LED-87`: it names another block log.
    #[error("block names another log of the headers before it")]
    Log,
    /// `CS-LED-88`: it names another committee.
    #[error("block names another committee for the next one")]
    Committee,
    /// `CS-LED-89`: its transactions are not those that the header names.
    #[error("block's transactions are not those of its transaction root")]
    TxRoot,
    /// `CS-LED-90`: a transaction is refused.
    #[error("transaction {index} of the block: {source}")]
    Transaction {
        /// Its place in the block, from 0.
        index: usize,
        /// Why.
        source: AdmissionError,
    },
    /// `CS-LED-91`: executing gives another state.
    #[error("block names another state than executing it gives")]
    StateRoot,
}

impl BlockError {
    /// The id of the rule that was broken; a refused transaction's own is in its source.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TooLarge => "CS-LED-80",
            Self::Version { .. } => "CS-LED-81",
            Self::Chain => "CS-LED-82",
            Self::Epoch { .. } => "CS-LED-83",
            Self::Height { .. } => "CS-LED-84",
            Self::Parent => "CS-LED-85",
            Self::TimeBackwards => "CS-LED-86",
            Self::Log => "CS-LED-87",
            Self::Committee => "CS-LED-88",
            Self::TxRoot => "CS-LED-89",
            Self::Transaction { .. } => "CS-LED-90",
            Self::StateRoot => "CS-LED-91",
        }
    }
}

/// Executes a block on its parent's state: pure, all or nothing, the same everywhere. Every field of
/// the header is checked; only [`Params::is_timely`](crate::Params::is_timely) is left to who has a clock.
///
/// # Errors
/// [`BlockError`].
pub fn execute(parent: &Overlay, block: &Block) -> Result<Executed, BlockError> {
    execute_on(parent, block, signatures::cores())
}

/// As [`execute`], with signatures checked by so many threads: the outcome is the same with any number.
/// Without the feature `std` there is one.
///
/// # Errors
/// [`BlockError`].
pub fn execute_on(
    parent: &Overlay,
    block: &Block,
    threads: NonZeroUsize,
) -> Result<Executed, BlockError> {
    execute_verified(parent, block, &[], threads)
}

/// As [`execute_on`], for a caller that verified some signatures before: `verified` says of each transaction, by its
/// place, whether exactly these bytes with exactly this signature verified, strictly. What it says nothing of is checked.
///
/// # Errors
/// [`BlockError`].
pub fn execute_verified(
    parent: &Overlay,
    block: &Block,
    verified: &[bool],
    threads: NonZeroUsize,
) -> Result<Executed, BlockError> {
    execute_while(parent, block, |work| {
        signatures::verify_during(&block.transactions, verified, threads, work)
    })
}

/// What applying a block gives: nothing, if its transactions are not those of its root.
type Applied = Option<Result<Executed, BlockError>>;

/// Executes a block while `verify` finds out which of its transactions' signatures verify: it does the work that it is
/// given, and gives back what that gave.
pub(crate) fn execute_while(
    parent: &Overlay,
    block: &Block,
    verify: impl FnOnce(&dyn Fn() -> Applied) -> (Applied, Vec<bool>),
) -> Result<Executed, BlockError> {
    let size: usize = block.transactions.iter().map(size_in_block).sum();
    if block.transactions.len() > Block::MAX_TRANSACTIONS || size > ROOM {
        return Err(BlockError::TooLarge);
    }
    check_header(parent, &block.header)?;
    // Signatures are nearly always good, so nobody waits for them: the block is applied as if they were.
    let (executed, verified) = verify(&|| {
        let is_whole = tx_root(&block.transactions) == block.header.tx_root;
        is_whole.then(|| apply_all(parent, block, core::iter::repeat(true)))
    });
    let mut executed = executed.ok_or(BlockError::TxRoot)?;
    if !verified.iter().all(|verified| *verified) {
        executed = apply_all(parent, block, verified);
    }
    let executed = executed?;
    if executed.overlay.head().next_committee != block.header.next_committee {
        return Err(BlockError::Committee);
    }
    if executed.overlay.head() == &block.header {
        Ok(executed)
    } else {
        Err(BlockError::StateRoot)
    }
}

/// The block's effect, or its first transaction that breaks a rule; `verified` says whose signatures verify.
fn apply_all(
    parent: &Overlay,
    block: &Block,
    verified: impl IntoIterator<Item = bool>,
) -> Result<Executed, BlockError> {
    let mut run = Run::new(parent, block.header.time);
    for (index, (transaction, verified)) in block.transactions.iter().zip(verified).enumerate() {
        run.apply(transaction, || verified)
            .map_err(|source| BlockError::Transaction { index, source })?;
    }
    Ok(run.finish(block.header.tx_root))
}

/// Makes the next block from candidates, in their order, leaving out those that break a rule or find
/// no room. Its time is `time`, or the parent's if that is later.
pub fn propose(
    parent: &Overlay,
    time: Time,
    candidates: impl IntoIterator<Item = SignedTransaction>,
) -> Proposed {
    let mut keys = Keys::new();
    propose_if(parent, time, candidates, |candidate| {
        candidate.is_signed(&mut keys)
    })
}

/// As [`propose`], of candidates whose signatures the caller verified before, strictly.
pub fn propose_verified(
    parent: &Overlay,
    time: Time,
    candidates: impl IntoIterator<Item = SignedTransaction>,
) -> Proposed {
    propose_if(parent, time, candidates, |_| true)
}

fn propose_if(
    parent: &Overlay,
    time: Time,
    candidates: impl IntoIterator<Item = SignedTransaction>,
    mut is_signed: impl FnMut(&SignedTransaction) -> bool,
) -> Proposed {
    let mut run = Run::new(parent, time.max(parent.head().time));
    let (mut transactions, mut rejected) = (Vec::new(), Vec::new());
    let mut room = ROOM;
    for candidate in candidates {
        let size = size_in_block(&candidate);
        if size > room || transactions.len() == Block::MAX_TRANSACTIONS {
            continue;
        }
        match run.apply(&candidate, || is_signed(&candidate)) {
            Ok(()) => {
                room -= size;
                transactions.push(candidate);
            }
            Err(error) => rejected.push((candidate.id(), error)),
        }
    }
    let executed = run.finish(tx_root(&transactions));
    let header = executed.overlay.head().clone();
    let block = Block {
        header,
        transactions,
    };
    Proposed {
        block,
        executed,
        rejected,
    }
}

/// What is left for transactions in [`Block::MAX_BYTES`] beside the header.
const ROOM: usize = Block::MAX_BYTES - 1_024;

/// At most what a transaction takes in a block's encoding: its bytes, signature, and three heads.
fn size_in_block(transaction: &SignedTransaction) -> usize {
    transaction.bytes.len().saturating_add(64 + 16)
}

fn check_header(parent: &Overlay, header: &BlockHeader) -> Result<(), BlockError> {
    let (head, log, committee) = (parent.head(), parent.log_with_head(), parent.committee());
    let expected = head.height + 1;
    if header.version != HEADER_VERSION {
        return Err(BlockError::Version {
            found: header.version,
        });
    }
    if header.chain != head.chain {
        return Err(BlockError::Chain);
    }
    if header.epoch != committee.epoch() {
        let (expected, found) = (committee.epoch(), header.epoch);
        return Err(BlockError::Epoch { expected, found });
    }
    if header.height != expected {
        return Err(BlockError::Height {
            expected,
            found: header.height,
        });
    }
    if header.parent != head.leaf() {
        return Err(BlockError::Parent);
    }
    if header.time < head.time {
        return Err(BlockError::TimeBackwards);
    }
    if (header.log_size, header.log_root) != (log.size(), log.root()) {
        return Err(BlockError::Log);
    }
    Ok(())
}

impl Proposed {
    /// How many candidates each rule refused, by the rule's id: for metrics.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (_, error) in &self.rejected {
            let count: &mut u64 = counts.entry(error.rule()).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }
}

/// A block while it is executed.
struct Run<'a> {
    parent: &'a Overlay,
    scratch: Scratch<'a>,
    receipts: Vec<Receipt>,
}

impl<'a> Run<'a> {
    fn new(parent: &'a Overlay, time: Time) -> Self {
        let mut scratch = Scratch::new(parent.map(), parent.height() + 1, time);
        enter_counts(&mut scratch, parent.shared());
        Self {
            parent,
            scratch,
            receipts: Vec::new(),
        }
    }

    /// Applies one transaction, or leaves everything as it was.
    fn apply(
        &mut self,
        transaction: &SignedTransaction,
        verified: impl FnOnce() -> bool,
    ) -> Result<(), AdmissionError> {
        let index = u32::try_from(self.receipts.len()).unwrap_or(u32::MAX);
        let shared = self.parent.shared();
        let receipt = apply(&mut self.scratch, shared, index, transaction, verified);
        self.scratch.settle(receipt.is_ok());
        self.receipts.push(receipt?);
        Ok(())
    }

    fn finish(mut self, tx_root: chartseal_wire::Hash) -> Executed {
        let parent = self.parent;
        let shared = begin_epoch(&mut self.scratch, parent.shared());
        let shared = shared.map_or_else(|| Arc::clone(parent.shared()), Arc::new);
        let (height, time) = (self.scratch.height(), self.scratch.time());
        let (changes, entries) = self.scratch.finish();
        let state = parent.map().updated(&changes);
        let log = parent.log_with_head();
        let head = BlockHeader {
            version: HEADER_VERSION,
            chain: parent.head().chain,
            epoch: parent.committee().epoch(),
            height,
            parent: parent.head().leaf(),
            time,
            tx_root,
            state_root: state.root(),
            log_root: log.root(),
            log_size: log.size(),
            next_committee: shared.committee.hash(),
        };
        let overlay = Overlay::new(state, log, head, shared);
        Executed {
            overlay,
            changes,
            entries,
            receipts: self.receipts,
        }
    }
}
