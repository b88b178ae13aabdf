use alloc::vec::Vec;

use crate::hash::{Hash, empty_root, node_hash};

/// An RFC 6962 log that holds every leaf hash, to prove inclusion and consistency.
///
/// Hashes of complete subtrees are kept too (twice the leaves' memory), so a proof costs O(log n).
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `levels[h][i]` is the root of the `i`-th complete subtree of height `h`.
    levels: Vec<Vec<Hash>>,
}

impl Log {
    /// A log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The leaf hash of entry `index`.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.node(0, index)
    }

    /// Appends an entry by its [`leaf_hash`](crate::leaf_hash).
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for height in 0.. {
            if self.levels.len() == height {
                self.levels.push(Vec::new());
            }
            let Some(level) = self.levels.get_mut(height) else {
                return;
            };
            let left = level.last().copied();
            level.push(node);
            match left {
                Some(left) if level.len() % 2 == 0 => node = node_hash(left, node),
                _ => return,
            }
        }
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
        if size == 0 {
            return Some(empty_root());
        }
        self.range_root(0, size)
    }

    /// The hashes that lead from entry `index` to the root at `size` (RFC 9162 §2.1.3.1), the
    /// leaf's sibling first; `None` unless `index < size ≤` the log's size.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut begin, mut end) = (0, size);
        while end - begin > 1 {
            let middle = begin + split(end - begin);
            if index < middle {
                path.push(self.range_root(middle, end)?);
                end = middle;
            } else {
                path.push(self.range_root(begin, middle)?);
                begin = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The hashes that show that the log at `new` begins with the log at `old` (RFC 9162 §2.1.4.1);
    /// `None` unless `0 < old ≤ new ≤` the log's size. Equal sizes need no hashes.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut begin, mut end) = (0, new);
        // Down to the subtree that ends where the old log ends.
        while end != old {
            let middle = begin + split(end - begin);
            if old <= middle {
                path.push(self.range_root(middle, end)?);
                end = middle;
            } else {
                path.push(self.range_root(begin, middle)?);
                begin = middle;
            }
        }
        // The verifier knows that subtree's hash already if it is the whole old log.
        if begin != 0 {
            path.push(self.range_root(begin, end)?);
        }
        path.reverse();
        Some(path)
    }

    /// The root over entries `begin..end`, where `begin` is a place that [`split`] can give.
    fn range_root(&self, begin: u64, end: u64) -> Option<Hash> {
        let mut at = begin;
        let mut peaks = Vec::new();
        while at < end {
            let height = (end - at).ilog2();
            peaks.push(self.node(height as usize, at >> height)?);
            at += 1 << height;
        }
        peaks
            .into_iter()
            .rev()
            .reduce(|right, left| node_hash(left, right))
    }

    fn node(&self, height: usize, index: u64) -> Option<Hash> {
        self.levels
            .get(height)?
            .get(usize::try_from(index).ok()?)
            .copied()
    }
}

impl FromIterator<Hash> for Log {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut log = Self::new();
        leaves.into_iter().for_each(|leaf| log.append(leaf));
        log
    }
}

/// The largest power of two below `n`, for `n > 1`: where RFC 6962 splits `n` entries.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}
