use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_wire::Subject;
use thiserror::Error;

use super::{Damage, LedgerStore};
use crate::ahead::execute_ahead;
use crate::block::Block;
use crate::execute::{BlockError, Executed};
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
/// With the feature `std` blocks are read, and their signatures checked, while the ones before them are executed.
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
    let blocks = (height.saturating_add(1)..=until).map(|height| {
        let missing = ReplayError::Damaged(Damage::MissingBlock { height });
        store
            .block(height)
            .map_err(ReplayError::Store)?
            .ok_or(missing)
    });
    execute_ahead(blocks, |block| {
        let height = overlay.height() + 1;
        let executed = block.execute(&overlay);
        let executed = executed.map_err(|source| ReplayError::Block { height, source })?;
        compare_entries(store, &executed)?;
        each(block.block(), &executed);
        overlay = executed.overlay;
        Ok(())
    })?;
    Ok(overlay)
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
