//! Several blocks, one after another: while one is executed, the next ones' signatures are checked. Executing is one thread's
//! work, and a block that waits for its last signatures leaves cores idle; so threads go on to the next block instead.

use crate::block::Block;
use crate::execute::{BlockError, Executed, execute_while};
use crate::overlay::Overlay;
#[cfg(feature = "std")]
use crate::signatures;
use crate::signatures::Checks;
use crate::transaction::Keys;

/// How many blocks are held at most beside the one that is executed, and how many threads check them. Executing takes a
/// quarter of the time that the checks take on one core, so more would wait.
#[cfg(feature = "std")]
const AHEAD: usize = 4;

/// A block whose signatures others may be checking.
#[derive(Debug)]
pub struct AheadBlock {
    block: Block,
    checks: Checks,
    #[cfg(feature = "std")]
    changed: (std::sync::Mutex<()>, std::sync::Condvar),
}

impl AheadBlock {
    fn of(block: Block) -> Self {
        let checks = Checks::of(block.transactions.len(), &[]);
        Self {
            block,
            checks,
            #[cfg(feature = "std")]
            changed: Default::default(),
        }
    }

    /// The block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// As [`execute`](crate::execute).
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn execute(&self, parent: &Overlay) -> Result<Executed, BlockError> {
        execute_while(parent, &self.block, |work| {
            let done = work();
            self.check(&mut Keys::new());
            #[cfg(feature = "std")]
            self.wait();
            (done, self.checks.verified())
        })
    }

    fn check(&self, keys: &mut Keys) {
        self.checks.help(&self.block.transactions, keys);
        #[cfg(feature = "std")]
        {
            // Whoever waits either sees the checks done, or hears this.
            let _held = self.changed.0.lock();
            self.changed.1.notify_all();
        }
    }

    /// Until those are done too that other threads took.
    #[cfg(feature = "std")]
    fn wait(&self) {
        use std::sync::PoisonError;
        let (lock, changed) = &self.changed;
        let held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = changed.wait_while(held, |()| !self.checks.are_done());
    }
}

/// Gives blocks in order, each to be executed, until there is an error or none is left. With the feature `std` the next ones
/// are read from `blocks` meanwhile, and their signatures checked, on as many threads as the machine runs at a time.
///
/// ```
/// use chartseal_ledger::{Block, BlockError, Overlay, execute_ahead};
///
/// fn executed(mut state: Overlay, blocks: Vec<Block>) -> Result<Overlay, BlockError> {
///     execute_ahead(blocks.into_iter().map(Ok), |block| {
///         state = block.execute(&state)?.overlay;
///         Ok(())
///     })?;
///     Ok(state)
/// }
/// ```
///
/// # Errors
/// The first of `blocks` or of `take`.
pub fn execute_ahead<E: Send>(
    blocks: impl Iterator<Item = Result<Block, E>> + Send,
    take: impl FnMut(&AheadBlock) -> Result<(), E>,
) -> Result<(), E> {
    in_turn(blocks, take)
}

#[cfg(not(feature = "std"))]
fn in_turn<E: Send>(
    mut blocks: impl Iterator<Item = Result<Block, E>> + Send,
    mut take: impl FnMut(&AheadBlock) -> Result<(), E>,
) -> Result<(), E> {
    blocks.try_for_each(|block| take(&AheadBlock::of(block?)))
}

#[cfg(feature = "std")]
fn in_turn<E: Send>(
    blocks: impl Iterator<Item = Result<Block, E>> + Send,
    mut take: impl FnMut(&AheadBlock) -> Result<(), E>,
) -> Result<(), E> {
    use alloc::sync::Arc;
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::sync::{Mutex, PoisonError};

    let (to_check, unchecked) = sync_channel::<Arc<AheadBlock>>(AHEAD);
    let (to_execute, read) = sync_channel::<Result<Arc<AheadBlock>, E>>(AHEAD);
    let unchecked = Mutex::new(unchecked);
    let next = || {
        let unchecked: &Receiver<_> = &unchecked.lock().unwrap_or_else(PoisonError::into_inner);
        unchecked.recv().ok()
    };
    std::thread::scope(|scope| {
        for _ in 0..signatures::cores().get().min(AHEAD) {
            scope.spawn(|| {
                let mut keys = Keys::new();
                while let Some(block) = next() {
                    block.check(&mut keys);
                }
            });
        }
        scope.spawn(move || {
            for block in blocks {
                let block = block.map(|block| Arc::new(AheadBlock::of(block)));
                if let Ok(block) = &block {
                    // Who checks goes on until this thread ends.
                    let _ = to_check.send(Arc::clone(block));
                }
                // Who takes no more wants no more.
                if to_execute.send(block).is_err() {
                    return;
                }
            }
        });
        // In order, while others look at what comes next.
        read.into_iter().try_for_each(|block| take(&*block?))
    })
}
