use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::batch::prefixed_leaf_hashes;
use crate::hash::{Hash, empty_root, node_hash, node_hashes};

/// A log reduced to what appending and the root need: its size, and the roots of its perfect
/// subtrees ("peaks"), largest first. At most 64 hashes.
///
/// Its canonical encoding, `[size, [peak…]]`, is what the ledger keeps for every history. Two
/// frontiers are equal exactly if the logs behind them are, so whoever kept an old one and is given
/// the newer entries checks consistency by appending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// A log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry by its [`leaf_hash`](crate::leaf_hash).
    pub fn append(&mut self, leaf: Hash) {
        let mut peak = leaf;
        // Each trailing one bit of the size is a peak of the same height to merge with.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                peak = node_hash(left, peak);
            }
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// Appends entries by their bytes, each behind `prefix`: faster than one by one, for hashes are made
    /// many at a time.
    pub fn append_entries(
        &mut self,
        prefix: &[u8],
        entries: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) {
        let mut leaves = Vec::new();
        prefixed_leaf_hashes(prefix, entries, &mut leaves);
        self.extend(leaves);
    }

    /// The RFC 6962 root.
    pub fn root(&self) -> Hash {
        let smallest_first = self.peaks.iter().rev().copied();
        smallest_first
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or_else(empty_root)
    }
}

impl Extend<Hash> for Frontier {
    /// Appends leaf hashes.
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        let mut level: Vec<Hash> = leaves.into_iter().collect();
        let added = level.len() as u64;
        // Of each level, from the leaves up: the peak that waits there, and what comes new. Pairs of them
        // are the next level's; what is left over is the peak of this one.
        let (mut sizes, mut smallest_first) = (self.size, Vec::new());
        while !level.is_empty() {
            if sizes & 1 == 1 {
                level.splice(..0, self.peaks.pop());
            }
            sizes >>= 1;
            if level.len() % 2 == 1 {
                smallest_first.extend(level.pop());
            }
            let mut above = Vec::new();
            node_hashes(level.as_chunks().0, &mut above);
            level = above;
        }
        self.peaks.extend(smallest_first.into_iter().rev());
        self.size += added;
    }
}

impl Encode for Frontier {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.size).item(&self.peaks);
    }
}

impl Decode for Frontier {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Frontier").array_exact(2)?;
        let size = d.at("size").uint()?;
        let peaks: Vec<Hash> = d.at("peaks").list(64)?;
        if peaks.len() != size.count_ones() as usize {
            return Err(d.invalid("the number of peaks does not fit the size"));
        }
        Ok(Self { size, peaks })
    }
}
