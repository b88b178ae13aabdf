use alloc::vec::Vec;
use core::slice::from_ref;

use chartseal_codec::byte_newtype;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

byte_newtype! {
    /// A SHA-256 digest: of a leaf, a node, or a whole tree.
    pub struct Hash([u8; 32]);
}

impl Hash {
    /// What an empty subtree of a [`Map`](crate::Map) hashes to. No input is known that gives it.
    pub const ZERO: Self = Self([0; 32]);
}

// RFC 6962 fixes the first two; the map's are disjoint from them, so that no node of one tree is a
// node of the other.
pub(crate) const LOG_LEAF: u8 = 0;
const LOG_NODE: u8 = 1;
const MAP_LEAF: u8 = 2;
const MAP_NODE: u8 = 3;

/// The hash of a log's entry (RFC 6962 §2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut block = [0; 64];
    if lay_short(&mut block, LOG_LEAF, entry) {
        return compressed(&[block]);
    }
    let hasher = Sha256::new().chain_update([LOG_LEAF]);
    Hash(hasher.chain_update(entry).finalize().into())
}

/// [`leaf_hash`] of the entry that `parts` are one after another, which need not be copied together.
pub fn leaf_hash_of_parts(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new().chain_update([LOG_LEAF]);
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// The hash of a log's inner node (RFC 6962 §2.1).
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    pair_hash(LOG_NODE, &left.0, &right.0)
}

/// [`leaf_hash`] of many entries.
pub(crate) fn leaf_hashes(
    entries: impl IntoIterator<Item = impl AsRef<[u8]>>,
    hashes: &mut Vec<Hash>,
) {
    let mut entries = entries.into_iter();
    hashes.reserve(entries.size_hint().0);
    let mut blocks = [[0; 64]; BATCH];
    loop {
        let (mut laid, mut long) = (0, None);
        for (block, entry) in blocks.iter_mut().zip(&mut entries) {
            if !lay_short(block, LOG_LEAF, entry.as_ref()) {
                long = Some(leaf_hash(entry.as_ref()));
                break;
            }
            laid += 1;
        }
        let is_end = laid < BATCH && long.is_none();
        let laid = blocks.iter().take(laid);
        hashes.extend(laid.map(|block| compressed(from_ref(block))));
        hashes.extend(long);
        if is_end {
            return;
        }
    }
}

/// [`node_hash`] of many pairs.
pub(crate) fn node_hashes(pairs: &[[Hash; 2]], hashes: &mut Vec<Hash>) {
    let mut blocks = [[[0; 64]; 2]; BATCH];
    hashes.reserve(pairs.len());
    for pairs in pairs.chunks(BATCH) {
        for (blocks, [left, right]) in blocks.iter_mut().zip(pairs) {
            lay_pair(blocks, LOG_NODE, &left.0, &right.0);
        }
        let laid = blocks.iter().take(pairs.len());
        hashes.extend(laid.map(|blocks| compressed(blocks)));
    }
}

/// The root of a log without entries (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

pub(crate) fn map_value_hash(value: &[u8]) -> Hash {
    sha256(value)
}

pub(crate) fn map_leaf_hash(key: &[u8; 32], value_hash: Hash) -> Hash {
    pair_hash(MAP_LEAF, key, &value_hash.0)
}

pub(crate) fn map_node_hash(left: Hash, right: Hash) -> Hash {
    pair_hash(MAP_NODE, &left.0, &right.0)
}

fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

// Almost all that is hashed here is short. Its padded blocks are laid out at once, for a hasher's
// buffering takes about as long as the compressions do.

pub(crate) type Block = [u8; 64];

/// How many messages are laid out before the first of them is compressed. A processor that reads what
/// it has just written in other pieces waits for the writes, and no longer works on two hashes at a time.
const BATCH: usize = 16;

/// The bit that follows the data in a padded message (FIPS 180-4 §5.1.1).
pub(crate) const END: u8 = 0x80;

/// What a hash starts from (FIPS 180-4 §5.3.3).
pub(crate) const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Lays out `tag ‖ data` with its padding; false if it takes more than one block.
fn lay_short(block: &mut Block, tag: u8, data: &[u8]) -> bool {
    if data.len() > 54 {
        return false;
    }
    let [.., high, low] = (8 * (1 + data.len())).to_be_bytes();
    let [first, rest @ ..] = block;
    let (to, padding) = rest.split_at_mut(data.len());
    *first = tag;
    to.copy_from_slice(data);
    padding.fill(0);
    if let [end, .., to_high, to_low] = padding {
        (*end, *to_high, *to_low) = (END, high, low);
    }
    true
}

fn pair_hash(tag: u8, left: &[u8; 32], right: &[u8; 32]) -> Hash {
    let mut blocks = [[0; 64]; 2];
    lay_pair(&mut blocks, tag, left, right);
    compressed(&blocks)
}

/// Lays out `tag ‖ left ‖ right` with its padding, in zeroed blocks or over another such message.
fn lay_pair(blocks: &mut [Block; 2], tag: u8, left: &[u8; 32], right: &[u8; 32]) {
    const BITS: [u8; 2] = (8 * 65u16).to_be_bytes();
    let [[first, room @ ..], [last, end, .., high, low]] = blocks;
    let (to_left, to_right) = room.split_at_mut(left.len());
    let [begin @ .., over] = right;
    to_left.copy_from_slice(left);
    to_right.copy_from_slice(begin);
    (*first, *last, *end, [*high, *low]) = (tag, *over, END, BITS);
}

fn compressed(blocks: &[Block]) -> Hash {
    let mut state = START;
    compress256(&mut state, blocks);
    digest(&state)
}

/// The digest that a state is, at a message's end.
pub(crate) fn digest(state: &[u32; 8]) -> Hash {
    let mut hash = [0; 32];
    let (to, _) = hash.as_chunks_mut();
    for (to, word) in to.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    Hash(hash)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn hashes_are_sha256_of_their_bytes_at_every_length() {
        for len in 0..200u8 {
            let data = vec![len; len.into()];
            let expected = Sha256::new().chain_update([LOG_LEAF]).chain_update(&data);
            assert_eq!(leaf_hash(&data).0, *expected.finalize(), "{len}");
        }
        let (left, right) = ([1; 32], Sha256::digest([]).into());
        for (tag, found) in [
            (LOG_NODE, node_hash(Hash(left), Hash(right))),
            (MAP_LEAF, map_leaf_hash(&left, Hash(right))),
            (MAP_NODE, map_node_hash(Hash(left), Hash(right))),
        ] {
            let expected = Sha256::new().chain_update([tag]).chain_update(left);
            assert_eq!(found.0, *expected.chain_update(right).finalize());
        }
    }

    #[test]
    fn many_hashes_are_those_of_each() {
        let entries: Vec<Vec<u8>> = (0..100)
            .map(|n: u8| vec![n; usize::from(n) * 7 % 64])
            .collect();
        for n in 0..entries.len() {
            let one = entries.iter().take(n).map(|entry| leaf_hash(entry));
            let (one, mut many): (Vec<Hash>, _) = (one.collect(), Vec::new());
            leaf_hashes(entries.iter().take(n), &mut many);
            assert_eq!(many, one);
            let (pairs, _) = one.as_chunks();
            let one = pairs.iter().map(|[left, right]| node_hash(*left, *right));
            let (one, mut many): (Vec<Hash>, _) = (one.collect(), Vec::new());
            node_hashes(pairs, &mut many);
            assert_eq!(many, one);
        }
    }
}
