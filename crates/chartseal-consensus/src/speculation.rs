//! Blocks that are executed and not final, several deep: rivals stand side by side on one parent.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartseal_ledger::{Block, Executed, Overlay};
use chartseal_wire::Hash;

/// The most blocks that are kept executed. Another is executed anew from its ancestors.
const MAX_BLOCKS: usize = 64;

/// The newest final state, and executed blocks above it, by their headers' leaf hashes.
#[derive(Clone, Debug)]
pub(crate) struct Speculation {
    head: Overlay,
    leaf: Hash,
    blocks: BTreeMap<Hash, Speculative>,
}

/// A block that may become final.
#[derive(Clone, Debug)]
struct Speculative {
    block: Arc<Block>,
    executed: Arc<Executed>,
}

impl Speculation {
    pub(crate) fn new(head: Overlay) -> Self {
        let leaf = head.head().leaf();
        Self {
            head,
            leaf,
            blocks: BTreeMap::new(),
        }
    }

    /// The newest final state.
    pub(crate) fn head(&self) -> &Overlay {
        &self.head
    }

    /// Its block's leaf hash.
    pub(crate) fn leaf(&self) -> Hash {
        self.leaf
    }

    /// The state after a block, if it is the final head or executed.
    pub(crate) fn overlay(&self, leaf: &Hash) -> Option<Overlay> {
        if *leaf == self.leaf {
            return Some(self.head.clone());
        }
        let known = self.blocks.get(leaf);
        known.map(|known| known.executed.overlay.clone())
    }

    /// The newest final state, and those of the blocks above it.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Overlay> {
        let above = self.blocks.values().map(|known| &known.executed.overlay);
        std::iter::once(&self.head).chain(above)
    }

    /// Keeps what executing a block gave. What is of the head's height or below is nobody's future.
    pub(crate) fn keep(&mut self, leaf: Hash, block: Arc<Block>, executed: Executed) {
        if block.header.height <= self.head.height() {
            return;
        }
        if self.blocks.len() >= MAX_BLOCKS && !self.blocks.contains_key(&leaf) {
            // The highest is what its proposer's rivals are least likely to build on, and is executed
            // again soonest; the lowest is what comes next.
            let highest = self
                .blocks
                .iter()
                .max_by_key(|(_, known)| known.block.header.height);
            let Some(highest) = highest.map(|(leaf, _)| *leaf) else {
                return;
            };
            self.blocks.remove(&highest);
        }
        let executed = Arc::new(executed);
        self.blocks.insert(leaf, Speculative { block, executed });
    }

    /// What executing a block gave, if it is known.
    pub(crate) fn executed(&self, leaf: &Hash) -> Option<Arc<Executed>> {
        self.blocks
            .get(leaf)
            .map(|known| Arc::clone(&known.executed))
    }

    /// Makes a block the final head, and forgets whatever does not descend from it.
    pub(crate) fn finalize(&mut self, head: Overlay) {
        self.leaf = head.head().leaf();
        self.head = head;
        let mut by_height: Vec<_> = std::mem::take(&mut self.blocks).into_iter().collect();
        by_height.sort_by_key(|(_, known)| known.block.header.height);
        for (leaf, known) in by_height {
            let parent = known.block.header.parent;
            let above = known.block.header.height > self.head.height();
            if above && (parent == self.leaf || self.blocks.contains_key(&parent)) {
                self.blocks.insert(leaf, known);
            }
        }
    }

    /// How many blocks are kept executed.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }
}
