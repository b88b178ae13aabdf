use alloc::vec::Vec;
use core::ops::Range;

use crate::hash::{Hash, empty_root, leaf_hashes, node_hash, node_hashes};
use crate::path::{consistency_path, inclusion_path, subtree_root};

/// An RFC 6962 log that holds every leaf hash, to prove inclusion and consistency.
///
/// Hashes of complete subtrees are kept too (twice the leaves' memory), so a proof costs O(log n).
#[derive(Clone, Debug, Default)]
pub struct Log {
    leaves: Vec<Hash>,
    /// `levels[h][i]` is the root of the `i`-th complete subtree of height `h + 1`.
    levels: Vec<Vec<Hash>>,
}

impl Log {
    /// A log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The leaf hash of entry `index`.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.subtree(0, index)
    }

    /// The root over the `index`-th 2^`height` entries; `None` if the log has not all of these.
    pub fn subtree(&self, height: u32, index: u64) -> Option<Hash> {
        let level = match height.checked_sub(1) {
            Some(height) => self.levels.get(height as usize)?,
            None => &self.leaves,
        };
        level.get(usize::try_from(index).ok()?).copied()
    }

    /// Appends an entry by its [`leaf_hash`](crate::leaf_hash).
    pub fn append(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
        self.complete();
    }

    /// Appends entries by their bytes: faster than one by one, for hashes are made many at a time.
    pub fn append_entries(&mut self, entries: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        leaf_hashes(entries, &mut self.leaves);
        self.complete();
    }

    /// The root over all entries.
    pub fn root(&self) -> Hash {
        self.root_at(self.size()).unwrap_or_else(empty_root)
    }

    /// The root that the log had at `size`; `None` beyond the end.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size > self.size() {
            return None;
        }
        self.range_root(0..size)
    }

    /// The hashes that lead from entry `index` to the root at `size` (RFC 9162 §2.1.3.1), the
    /// leaf's sibling first; `None` unless `index < size ≤` the log's size.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if size > self.size() {
            return None;
        }
        self.roots(inclusion_path(index, size)?)
    }

    /// The hashes that show that the log at `new` begins with the log at `old` (RFC 9162 §2.1.4.1);
    /// `None` unless `0 < old ≤ new ≤` the log's size. Equal sizes need no hashes.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if new > self.size() {
            return None;
        }
        self.roots(consistency_path(old, new)?)
    }

    /// Hashes the subtrees that new leaves completed.
    fn complete(&mut self) {
        let heights = self.leaves.len().checked_ilog2().unwrap_or(0) as usize;
        self.levels.resize(heights, Vec::new());
        let mut below = &self.leaves;
        for level in &mut self.levels {
            let (pairs, _) = below.as_chunks();
            match pairs.get(level.len()..) {
                Some([[left, right]]) => level.push(node_hash(*left, *right)),
                Some(pairs @ [_, ..]) => node_hashes(pairs, level),
                _ => return,
            }
            below = level;
        }
    }

    fn roots(&self, path: Vec<Range<u64>>) -> Option<Vec<Hash>> {
        path.into_iter()
            .map(|range| self.range_root(range))
            .collect()
    }

    fn range_root(&self, range: Range<u64>) -> Option<Hash> {
        subtree_root(range, |height, index| self.subtree(height, index).ok_or(())).ok()
    }
}

impl Extend<Hash> for Log {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        self.leaves.extend(leaves);
        self.complete();
    }
}

impl FromIterator<Hash> for Log {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut log = Self::new();
        log.extend(leaves);
        log
    }
}
