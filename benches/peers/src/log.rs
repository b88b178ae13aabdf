//! RFC 6962 logs of entries of 32 bytes: appending them all, every hash kept, and the root at the end.

use anyhow::{Result, ensure};
use chartseal_merkle::Log;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use tlog_tiles::tlog;

use crate::figure::{Figure, Required, in_turns_of};

/// The name of [`tlog_tiles`].
pub const TLOG_TILES: &str = "peers/append-tlog_tiles";
/// The name of [`ct_merkle`].
pub const CT_MERKLE: &str = "peers/append-ct-merkle";

const LEAVES: u32 = 100_000;
/// Calls in each turn: a log of this size takes 6 MB, so the first one is slower.
const CALLS: usize = 3;

/// Against `tlog_tiles`, with its hashes in a vector.
pub fn tlog_tiles() -> Result<Figure> {
    ensure!(ours() == theirs_tlog_tiles()?, "the roots differ");
    let (ours, theirs) = in_turns_of(CALLS, LEAVES, ours, theirs_tlog_tiles);
    Ok(figure(TLOG_TILES, "tlog_tiles 0.2", 1.3, ours, theirs))
}

/// Against `ct-merkle`, which hashes the path to the root anew for each entry.
pub fn ct_merkle() -> Result<Figure> {
    ensure!(ours()[..] == theirs_ct_merkle()[..], "the roots differ");
    let (ours, theirs) = in_turns_of(CALLS, LEAVES, ours, theirs_ct_merkle);
    Ok(figure(CT_MERKLE, "ct-merkle 0.3", 8.0, ours, theirs))
}

fn figure(id: &'static str, other: &'static str, least: f64, ours: f64, theirs: f64) -> Figure {
    Figure {
        id,
        ours,
        theirs,
        other,
        unit: "ns/entry",
        required: Some(Required::Faster(least)),
    }
}

fn entries() -> impl Iterator<Item = [u8; 32]> {
    (0..LEAVES).map(|n| {
        let mut entry = [7; 32];
        entry[..4].copy_from_slice(&n.to_be_bytes());
        entry
    })
}

fn ours() -> [u8; 32] {
    let mut log = Log::new();
    log.append_entries(entries());
    log.root().0
}

struct Hashes(Vec<tlog::Hash>);

impl tlog::HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|at| self.0[*at as usize]).collect())
    }
}

fn theirs_tlog_tiles() -> Result<[u8; 32], tlog_tiles::Error> {
    let mut hashes = Hashes(Vec::new());
    for (n, entry) in (0..).zip(entries()) {
        let new = tlog::stored_hashes(n, &entry, &hashes)?;
        hashes.0.extend(new);
    }
    Ok(tlog::tree_hash(LEAVES.into(), &hashes)?.0)
}

fn theirs_ct_merkle() -> Vec<u8> {
    let mut tree = MemoryBackedTree::<Sha256, [u8; 32]>::new();
    for entry in entries() {
        tree.push(entry);
    }
    tree.root().as_bytes().to_vec()
}
