//! Leaf hashes of many entries behind one prefix, several at a time.
//!
//! A processor with SHA instructions waits most of the time for the result of the round before. Blocks of
//! different entries wait for nothing of each other, so they are compressed in turns.

use alloc::vec::Vec;
use core::slice::from_ref;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::hash::{Block, END, Hash, LOG_LEAF, START, digest};

/// How many entries are hashed in turns.
const LANES: usize = 8;
/// The most blocks of an entry that is. Longer ones keep the processor busy by themselves.
const ROOM: usize = 12;
/// What padding takes: the bit that ends the data, and its length.
const PADDING: usize = 1 + 8;

/// A message that is being hashed.
#[derive(Clone, Copy)]
struct Lane {
    blocks: [Block; ROOM],
    used: usize,
    state: [u32; 8],
}

/// `leaf_hash(prefix ‖ entry)` of each entry.
pub(crate) fn prefixed_leaf_hashes(
    prefix: &[u8],
    entries: impl IntoIterator<Item = impl AsRef<[u8]>>,
    hashes: &mut Vec<Hash>,
) {
    let mut entries = entries.into_iter();
    hashes.reserve(entries.size_hint().0);
    let empty = Lane {
        blocks: [[0; 64]; ROOM],
        used: 0,
        state: START,
    };
    let mut lanes = [empty; LANES];
    loop {
        let (mut laid, mut long) = (0, None);
        for (lane, entry) in lanes.iter_mut().zip(&mut entries) {
            if !lane.lay(prefix, entry.as_ref()) {
                let sha256 = Sha256::new().chain_update([LOG_LEAF]).chain_update(prefix);
                long = Some(Hash(sha256.chain_update(entry).finalize().into()));
                break;
            }
            laid += 1;
        }
        let is_end = laid < LANES && long.is_none();
        let (lanes, _) = lanes.split_at_mut(laid);
        compress(lanes);
        hashes.extend(lanes.iter().map(|lane| digest(&lane.state)));
        hashes.extend(long);
        if is_end {
            return;
        }
    }
}

impl Lane {
    /// Lays out `0 ‖ prefix ‖ entry` with its padding (FIPS 180-4 §5.1.1); false if there is no room.
    fn lay(&mut self, prefix: &[u8], entry: &[u8]) -> bool {
        let length = 1 + prefix.len() + entry.len();
        self.used = (length + PADDING).div_ceil(64);
        let Some(used) = self.blocks.get_mut(..self.used) else {
            return false;
        };
        self.state = START;
        let (data, padding) = used.as_flattened_mut().split_at_mut(length);
        let (head, body) = data.split_at_mut(1 + prefix.len());
        if let [tag, rest @ ..] = head {
            *tag = LOG_LEAF;
            rest.copy_from_slice(prefix);
        }
        body.copy_from_slice(entry);
        padding.fill(0);
        if let Some(end) = padding.first_mut() {
            *end = END;
        }
        if let Some(bits) = padding.last_chunk_mut() {
            *bits = (8 * length as u64).to_be_bytes();
        }
        true
    }
}

/// Compresses each lane's first block, then each one's second, and so on.
fn compress(lanes: &mut [Lane]) {
    let most = lanes.iter().map(|lane| lane.used).max().unwrap_or(0);
    for at in 0..most {
        for lane in lanes.iter_mut().filter(|lane| at < lane.used) {
            if let Some(block) = lane.blocks.get(at) {
                compress256(&mut lane.state, from_ref(block));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::leaf_hash;

    #[test]
    fn hashes_of_entries_of_any_length_and_order_are_those_of_each() {
        for prefix in [&b""[..], b"a tag\0", &[7; 60]] {
            // Every length around the ends of blocks, and beyond the room; long ones in between.
            let lengths = (0..ROOM * 64 + 70).chain([3, 900, 5, 901, 902, 0]);
            let entries: Vec<Vec<u8>> = lengths.map(|n| vec![n.to_le_bytes()[0]; n]).collect();
            let one = entries
                .iter()
                .map(|entry| leaf_hash(&[prefix, entry].concat()));
            let mut many = Vec::new();
            prefixed_leaf_hashes(prefix, &entries, &mut many);
            assert_eq!(many, one.collect::<Vec<_>>());
        }
        for n in 0..3 * LANES {
            let mut many = Vec::new();
            prefixed_leaf_hashes(b"x", vec![[1u8]; n], &mut many);
            assert_eq!(many, vec![leaf_hash(&[b'x', 1]); n]);
        }
    }
}
