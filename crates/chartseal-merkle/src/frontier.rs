use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::hash::{Hash, empty_root, node_hash};

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

    /// The RFC 6962 root.
    pub fn root(&self) -> Hash {
        let smallest_first = self.peaks.iter().rev().copied();
        smallest_first
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or_else(empty_root)
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
