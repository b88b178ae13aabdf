use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Hash, Subject, TxId};

use super::{Commit, Counts, Imported, Kept, LedgerStore, Refused, TxPlace};
use crate::block::Block;
use crate::transaction::SignedTransaction;

/// A store that forgets with the process: for tests and tools.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    headers: Vec<BlockHeader>,
    kept: Kept,
    bodies: BTreeMap<u64, Vec<SignedTransaction>>,
    /// Of pruned blocks.
    leaves: BTreeMap<u64, Vec<Hash>>,
    state: BTreeMap<MapKey, Vec<u8>>,
    histories: BTreeMap<Subject, Vec<Vec<u8>>>,
    transactions: BTreeMap<TxId, TxPlace>,
}

impl MemoryStore {
    /// A store without blocks.
    pub fn new() -> Self {
        Self::default()
    }

    fn header_at(&self, height: u64) -> Option<&BlockHeader> {
        self.headers.get(usize::try_from(height).ok()?)
    }

    fn is_head(&self, block: &Block) -> bool {
        let body = self.bodies.get(&block.header.height);
        self.headers.last() == Some(&block.header)
            && body.is_none_or(|body| *body == block.transactions)
    }

    fn check_entries(&self, commit: &Commit<'_>) -> Result<(), Refused> {
        let mut next = BTreeMap::new();
        for (subject, found, _) in commit.entries {
            let kept = self
                .histories
                .get(subject)
                .map_or(0, |entries| entries.len() as u64);
            let expected = next.entry(subject).or_insert(kept);
            if found != expected {
                return Err(Refused::EntryIndex {
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
    type Error = Refused;

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), Refused> {
        let (found, expected) = (commit.block.header.height, self.headers.len() as u64);
        if found.checked_add(1) == Some(expected) {
            return if self.is_head(commit.block) {
                Ok(())
            } else {
                Err(Refused::OtherBlock { height: found })
            };
        }
        if found != expected {
            return Err(Refused::Height { expected, found });
        }
        self.check_entries(commit)?;
        for (key, value) in commit.changes {
            match value {
                Some(value) => self.state.insert(*key, value.to_vec()),
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
        self.headers.push(commit.block.header.clone());
        self.bodies.insert(found, commit.block.transactions.clone());
        Ok(())
    }

    fn keep(&mut self, snapshot: &Imported) -> Result<(), Refused> {
        let blocks = self.headers.len() as u64;
        if blocks > 0 {
            return Err(Refused::NotEmpty { blocks });
        }
        self.headers.clone_from(&snapshot.headers);
        let from = self.headers.len() as u64;
        self.kept = Kept {
            blocks_from: from,
            leaves_from: from,
        };
        let state = snapshot.reloaded.overlay.map().iter();
        self.state = state.map(|(key, value)| (*key, value.to_vec())).collect();
        self.histories.clone_from(&snapshot.histories);
        Ok(())
    }

    fn prune(&mut self, below: u64) -> Result<u64, Refused> {
        let Some(newest) = self.headers.last().map(|header| header.height) else {
            return Ok(0);
        };
        if below > newest {
            return Err(Refused::Newest { below, newest });
        }
        let from = self.kept.blocks_from;
        for height in from..below {
            let body = self.bodies.remove(&height).unwrap_or_default();
            for transaction in &body {
                self.transactions.remove(&transaction.id());
            }
            let leaves = body.iter().map(SignedTransaction::leaf).collect();
            self.leaves.insert(height, leaves);
        }
        self.kept.blocks_from = from.max(below);
        Ok(below.saturating_sub(from))
    }

    fn kept(&self) -> Result<Kept, Refused> {
        Ok(self.kept)
    }

    fn counts(&self) -> Result<Counts, Refused> {
        Ok(Counts {
            headers: self.headers.len() as u64,
            blocks: self.bodies.len() as u64,
            pruned: self.leaves.len() as u64,
            transactions: self.transactions.len() as u64,
            state: self.state.len() as u64,
            histories: self.histories.len() as u64,
            entries: self.histories.values().map(|one| one.len() as u64).sum(),
        })
    }

    fn head(&self) -> Result<Option<BlockHeader>, Refused> {
        Ok(self.headers.last().cloned())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Refused> {
        let Some(header) = self.header_at(height) else {
            return Ok(None);
        };
        self.kept.check_block(height)?;
        let transactions = self.bodies.get(&height);
        Ok(transactions.map(|transactions| Block {
            header: header.clone(),
            transactions: transactions.clone(),
        }))
    }

    fn leaves(&self, height: u64) -> Result<Option<Vec<Hash>>, Refused> {
        if self.header_at(height).is_none() {
            return Ok(None);
        }
        self.kept.check_leaves(height)?;
        let body = self.bodies.get(&height);
        let leaves = body.map(|body| body.iter().map(SignedTransaction::leaf).collect());
        Ok(leaves.or_else(|| self.leaves.get(&height).cloned()))
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, Refused> {
        Ok(self.header_at(height).map(BlockHeader::bytes))
    }

    fn state(&self) -> Result<Vec<(MapKey, Vec<u8>)>, Refused> {
        Ok(self
            .state
            .iter()
            .map(|(key, value)| (*key, value.clone()))
            .collect())
    }

    fn subjects(&self) -> Result<Vec<Subject>, Refused> {
        Ok(self.histories.keys().copied().collect())
    }

    fn history_len(&self, subject: &Subject) -> Result<u64, Refused> {
        let entries = self.histories.get(subject);
        Ok(entries.map_or(0, |entries| entries.len() as u64))
    }

    fn history(&self, subject: &Subject, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Refused> {
        let entries = self.histories.get(subject).map_or(&[][..], Vec::as_slice);
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(entries.iter().skip(skip).take(limit).cloned().collect())
    }

    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, Refused> {
        Ok(self.transactions.get(id).copied())
    }
}
