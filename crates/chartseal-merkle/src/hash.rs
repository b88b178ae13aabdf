use chartseal_codec::byte_newtype;
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
const LOG_LEAF: u8 = 0;
const LOG_NODE: u8 = 1;
const MAP_LEAF: u8 = 2;
const MAP_NODE: u8 = 3;

/// The hash of a log's entry (RFC 6962 §2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[LOG_LEAF], entry])
}

/// The hash of a log's inner node (RFC 6962 §2.1).
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    sha256(&[&[LOG_NODE], &left.0, &right.0])
}

/// The root of a log without entries (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

pub(crate) fn map_value_hash(value: &[u8]) -> Hash {
    sha256(&[value])
}

pub(crate) fn map_leaf_hash(key: &[u8; 32], value_hash: Hash) -> Hash {
    sha256(&[&[MAP_LEAF], key, &value_hash.0])
}

pub(crate) fn map_node_hash(left: Hash, right: Hash) -> Hash {
    sha256(&[&[MAP_NODE], &left.0, &right.0])
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}
