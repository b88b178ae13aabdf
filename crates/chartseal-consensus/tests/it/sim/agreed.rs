//! The history that honest validators agree on.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_ledger::Block;
use chartseal_wire::{Hash, TxId};

/// What a validator keeps durably, as far as it is compared with what others keep.
pub trait Kept {
    fn height(&self) -> u64;
    fn block(&self, height: u64) -> Block;
    /// The root of the state itself, not what the header says of it.
    fn root(&self) -> Hash;
    /// The height at which a transaction is final.
    fn place(&self, id: &TxId) -> Option<u64>;
}

/// The one history, as it was first seen.
#[derive(Default)]
pub struct Agreed {
    /// Leaf and state root by height.
    blocks: Vec<(Hash, Hash)>,
    transactions: BTreeMap<TxId, u64>,
    /// Who is how far.
    seen: BTreeMap<usize, u64>,
    /// Each transaction's height that some client was told is final.
    pub acknowledged: BTreeSet<(TxId, u64)>,
}

impl Agreed {
    /// Compares what an honest validator kept since the last time with what the others kept.
    pub fn check(&mut self, validator: usize, disk: &impl Kept) {
        let height = disk.height();
        let from = self.seen.get(&validator).map_or(0, |seen| seen + 1);
        for height in from..=height {
            let block = disk.block(height);
            let found = (block.header.leaf(), block.header.state_root);
            let at = usize::try_from(height).unwrap();
            if let Some(agreed) = self.blocks.get(at) {
                assert_eq!(*agreed, found, "two histories at height {height}");
                continue;
            }
            assert_eq!(self.blocks.len(), at);
            self.blocks.push(found);
            for transaction in &block.transactions {
                let twice = self.transactions.insert(transaction.id(), height);
                assert_eq!(twice, None, "a transaction is applied twice");
            }
        }
        let at = usize::try_from(height).unwrap();
        assert_eq!(
            self.blocks[at].1,
            disk.root(),
            "the state is not that of its root"
        );
        self.seen.insert(validator, height);
    }

    pub fn height(&self) -> u64 {
        self.blocks.len().saturating_sub(1) as u64
    }

    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Whatever a client was told is final is there, on this disk too.
    pub fn check_acknowledged(&self, disk: &impl Kept) {
        for (id, height) in &self.acknowledged {
            assert_eq!(
                disk.place(id),
                Some(*height),
                "an acknowledged transaction is lost"
            );
        }
    }
}
