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
/// `from` is [`Genesis::overlay`](crate::Genesis::overlay), or what a snapshot held: its next block must not be
/// pruned.
///
/// # Errors
/// [`ReplayError`].
pub fn replay<S: LedgerStore>(
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
    while overlay.height() < until {
        let height = overlay.height() + 1;
        let block = store.block(height).map_err(ReplayError::Store)?;
        let missing = ReplayError::Damaged(Damage::MissingBlock { height });
        let block = block.ok_or(missing)?;
        let executed = execute(&overlay, &block);
        let executed = executed.map_err(|source| ReplayError::Block { height, source })?;
        for (subject, index, bytes) in &executed.entries {
            let kept = store
                .history(subject, *index, 1)
                .map_err(ReplayError::Store)?;
            if kept.first() != Some(bytes) {
                return Err(ReplayError::Damaged(Damage::History {
                    subject: *subject,
                    index: Some(*index),
                }));
            }
        }
        each(&block, &executed);
        overlay = executed.overlay;
    }
    Ok(overlay)
}
