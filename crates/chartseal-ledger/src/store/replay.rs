use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_wire::Subject;
use thiserror::Error;

use super::{Damage, LedgerStore};
use crate::block::Block;
use crate::execute::{BlockError, Executed, execute};
use crate::overlay::Overlay;

/// Why blocks can't be executed anew.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError<E> {
    /// The store can't be read, or a block is pruned.
    #[error("the store can't be read: {0}")]
    Store(E),
    /// A block is not its parent's child.
    #[error("the block of height {height} is refused: {source}")]
    Block {
        /// Its height.
        height: u64,
        /// Why.
        source: BlockError,
    },
    /// The store contradicts what executing gives.
    #[error("the store is damaged: {0}")]
    Damaged(Damage),
}

/// Executes the kept blocks after `from` anew, up to height `until`: every signature is verified, every
/// decision made and every root computed again, and each entry is compared with the store's. `each` gets
/// every block with its effect, the receipts included. Gives the state at `until`, for proofs.
///
/// With the feature `std` a block is read while the one before it is executed.
///
/// `from` is [`Genesis::overlay`](crate::Genesis::overlay), or what a snapshot held: its next block must not be
/// pruned.
///
/// # Errors
/// [`ReplayError`].
pub fn replay<S: LedgerStore + Sync>(
    store: &S,
    from: &Overlay,
    until: u64,
    mut each: impl FnMut(&Block, &Executed),
) -> Result<Overlay, ReplayError<S::Error>> {
    let height = from.height();
    let start = store.header(height).map_err(ReplayError::Store)?;
    if start != Some(from.head().bytes()) {
        return Err(ReplayError::Damaged(Damage::BadHeader { height }));
    }
    let mut overlay = from.clone();
    read_ahead(store, height.saturating_add(1)..=until, |height, block| {
        let missing = ReplayError::Damaged(Damage::MissingBlock { height });
        let block = block.map_err(ReplayError::Store)?.ok_or(missing)?;
        let executed = execute(&overlay, &block);
        let executed = executed.map_err(|source| ReplayError::Block { height, source })?;
        compare_entries(store, &executed)?;
        each(&block, &executed);
        overlay = executed.overlay;
        Ok(())
    })?;
    Ok(overlay)
}

type Read<S> = Result<Option<Block>, <S as LedgerStore>::Error>;

/// Gives blocks in order, up to the first that is refused.
fn read_ahead<S: LedgerStore + Sync, E>(
    store: &S,
    heights: core::ops::RangeInclusive<u64>,
    mut take: impl FnMut(u64, Read<S>) -> Result<(), E>,
) -> Result<(), E> {
    #[cfg(feature = "std")]
    let taken = std::thread::scope(|scope| {
        let (read, blocks) = std::sync::mpsc::sync_channel(1);
        scope.spawn(move || {
            for height in heights {
                // Who takes no more wants no more.
                if read.send((height, store.block(height))).is_err() {
                    return;
                }
            }
        });
        blocks
            .into_iter()
            .try_for_each(|(height, block)| take(height, block))
    });
    #[cfg(not(feature = "std"))]
    let taken = heights
        .into_iter()
        .try_for_each(|height| take(height, store.block(height)));
    taken
}

/// The store has each entry that executing gave.
fn compare_entries<S: LedgerStore>(
    store: &S,
    executed: &Executed,
) -> Result<(), ReplayError<S::Error>> {
    let mut histories: BTreeMap<&Subject, (u64, Vec<&Vec<u8>>)> = BTreeMap::new();
    for (subject, index, bytes) in &executed.entries {
        let history = histories.entry(subject);
        history.or_insert((*index, Vec::new())).1.push(bytes);
    }
    for (subject, (first, entries)) in histories {
        let kept = store.history(subject, first, entries.len());
        let kept = kept.map_err(ReplayError::Store)?;
        for (at, (index, entry)) in (first..).zip(entries).enumerate() {
            if kept.get(at) != Some(entry) {
                return Err(ReplayError::Damaged(Damage::History {
                    subject: *subject,
                    index: Some(index),
                }));
            }
        }
    }
    Ok(())
}
