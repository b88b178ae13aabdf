//! Block headers: the leaves of the one block log.

use alloc::vec::Vec;

use chartseal_codec::{canonical_struct, to_bytes};
use chartseal_merkle::{Hash, leaf_hash};

use crate::domain::{BLOCK_LEAF, tagged};
use crate::id::{ChainId, Time};

/// The version of [`BlockHeader`]'s format.
pub const HEADER_VERSION: u64 = 1;

/// What a block's certificate vouches for. Its bytes are leaf `height` of the block log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// [`HEADER_VERSION`].
    pub version: u64,
    /// The chain that it belongs to.
    pub chain: ChainId,
    /// The committee's term.
    pub epoch: u64,
    /// The number of blocks before it; genesis has 0.
    pub height: u64,
    /// The leaf hash of the header before it; [`Hash::ZERO`] for genesis.
    pub parent: Hash,
    /// When it was proposed: never before its parent.
    pub time: Time,
    /// The RFC 6962 root of its transactions.
    pub tx_root: Hash,
    /// The root of the state map **after** its transactions.
    pub state_root: Hash,
    /// The RFC 6962 root of the headers `0 … height − 1`.
    pub log_root: Hash,
    /// The number of those headers: `height`.
    pub log_size: u64,
    /// The tagged SHA-256 of the committee that certifies the next block.
    pub next_committee: Hash,
}

canonical_struct!(BlockHeader {
    version,
    chain,
    epoch,
    height,
    parent,
    time,
    tx_root,
    state_root,
    log_root,
    log_size,
    next_committee,
});

impl BlockHeader {
    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Its leaf hash in the block log, which is also how a child names it.
    pub fn leaf(&self) -> Hash {
        header_leaf(&self.bytes())
    }
}

/// A header's bytes as an entry of the block log: behind the tag that no other log's entries have.
pub fn header_entry(bytes: &[u8]) -> Vec<u8> {
    tagged(BLOCK_LEAF, bytes)
}

/// The leaf hash of a header's bytes in the block log.
pub fn header_leaf(bytes: &[u8]) -> Hash {
    leaf_hash(&header_entry(bytes))
}
