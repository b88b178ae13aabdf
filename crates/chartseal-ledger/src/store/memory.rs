use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Subject, TxId};

use super::{Commit, LedgerStore, OutOfOrder, TxPlace};
use crate::block::Block;

/// A store that forgets with the process: for tests and tools.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    blocks: Vec<Block>,
    state: BTreeMap<MapKey, Vec<u8>>,
    histories: BTreeMap<Subject, Vec<Vec<u8>>>,
    transactions: BTreeMap<TxId, TxPlace>,
}

impl MemoryStore {
    /// A store without blocks.
    pub fn new() -> Self {
        Self::default()
    }

    fn block_at(&self, height: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(height).ok()?)
    }

    fn check_entries(&self, commit: &Commit<'_>) -> Result<(), OutOfOrder> {
        let mut next = BTreeMap::new();
        for (subject, found, _) in commit.entries {
            let kept = self
                .histories
                .get(subject)
                .map_or(0, |entries| entries.len() as u64);
            let expected = next.entry(subject).or_insert(kept);
            if found != expected {
                return Err(OutOfOrder::EntryIndex {
                    expected: *expected,
                    found: *found,
                });
            }
            *expected += 1;
        }
        Ok(())
    }
}

impl LedgerStore for MemoryStore {
    type Error = OutOfOrder;

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), OutOfOrder> {
        let (found, expected) = (commit.block.header.height, self.blocks.len() as u64);
        if found.checked_add(1) == Some(expected) {
            let again = self.blocks.last() == Some(commit.block);
            return if again {
                Ok(())
            } else {
                Err(OutOfOrder::OtherBlock { height: found })
            };
        }
        if found != expected {
            return Err(OutOfOrder::Height { expected, found });
        }
        self.check_entries(commit)?;
        for (key, value) in commit.changes {
            match value {
                Some(value) => self.state.insert(*key, value.clone()),
                None => self.state.remove(key),
            };
        }
        for (subject, _, bytes) in commit.entries {
            self.histories
                .entry(*subject)
                .or_default()
                .push(bytes.clone());
        }
        for (index, transaction) in (0..).zip(&commit.block.transactions) {
            self.transactions.insert(
                transaction.id(),
                TxPlace {
                    height: found,
                    index,
                },
            );
        }
        self.blocks.push(commit.block.clone());
        Ok(())
    }

    fn head(&self) -> Result<Option<BlockHeader>, OutOfOrder> {
        Ok(self.blocks.last().map(|block| block.header.clone()))
    }

    fn block(&self, height: u64) -> Result<Option<Block>, OutOfOrder> {
        Ok(self.block_at(height).cloned())
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, OutOfOrder> {
        Ok(self.block_at(height).map(|block| block.header.bytes()))
    }

    fn state(&self) -> Result<Vec<(MapKey, Vec<u8>)>, OutOfOrder> {
        Ok(self
            .state
            .iter()
            .map(|(key, value)| (*key, value.clone()))
            .collect())
    }

    fn subjects(&self) -> Result<Vec<Subject>, OutOfOrder> {
        Ok(self.histories.keys().copied().collect())
    }

    fn history(
        &self,
        subject: &Subject,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, OutOfOrder> {
        let entries = self.histories.get(subject).map_or(&[][..], Vec::as_slice);
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(entries.iter().skip(skip).take(limit).cloned().collect())
    }

    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, OutOfOrder> {
        Ok(self.transactions.get(id).copied())
    }
}
