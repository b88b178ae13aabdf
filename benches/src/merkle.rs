//! The log and the map against the hashing that they can't do without.

use std::collections::{BTreeMap, HashSet};
use std::hint::black_box;

use chartseal_merkle::{Hash, Log, Map, MapKey};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::{Figure, Required, in_turns};

const ENTRY: [u8; 32] = [7; 32];
const LEAVES: u32 = 10_000;
const KEYS: u32 = 100_000;
const CHANGED: u32 = 1_000;

/// A log of `n` entries of 32 bytes.
pub fn log(n: u32) -> Log {
    let mut log = Log::new();
    log.append_entries((0..n).map(|_| ENTRY));
    log
}

/// Appending an entry against the least that it can cost: SHA-256's compressions of the entry's block
/// and of the two blocks of a pair of hashes (of `n` leaves, `n` − 1 inner nodes are hashed), all laid
/// out beforehand, and none waiting for the result of another.
pub fn append() -> Figure {
    let (leaf, node) = ([[7; 64]], [[9; 64]; 2]);
    let compress = |blocks: &[[u8; 64]]| {
        let mut state = [0; 8];
        compress256(&mut state, black_box(blocks));
        state
    };
    let bare = || {
        (0..LEAVES).for_each(|_| {
            black_box((compress(&leaf), compress(&node)));
        });
    };
    let (ours, theirs) = in_turns(LEAVES, || log(LEAVES).root(), bare);
    Figure {
        id: "merkle/append",
        ours,
        theirs,
        other: "bare compressions",
        unit: "ns/entry",
        required: Some(Required::Faster(0.8)),
    }
}

/// A map of `n` keys with values of 64 bytes.
pub fn map(n: u32) -> Map {
    Map::new().update((0..n).map(|n| (key(n), Some(vec![1; 64]))).collect())
}

/// New values for `n` keys of [`map`].
pub fn changes(n: u32) -> BTreeMap<MapKey, Option<Vec<u8>>> {
    (0..n).map(|n| (key(n), Some(vec![2; 64]))).collect()
}

/// Changing 1,000 of 100,000 values in one update against SHA-256 of the nodes that change.
pub fn update() -> Figure {
    let (map, changes) = (map(KEYS), changes(CHANGED));
    let inner = changed_inner_nodes(&map, &changes);
    let bare = || {
        let mut hash = Hash::ZERO;
        for _ in 0..CHANGED {
            let value = Sha256::digest([2; 64]);
            let leaf = Sha256::new().chain_update([2]).chain_update(hash.0);
            hash = Hash(leaf.chain_update(value).finalize().into());
        }
        for _ in 0..inner {
            let node = Sha256::new().chain_update([3]).chain_update(hash.0);
            hash = Hash(node.chain_update(hash.0).finalize().into());
        }
        hash
    };
    let (ours, theirs) = in_turns(CHANGED, || map.update(changes.clone()).root(), bare);
    Figure {
        id: "merkle/map-update",
        ours,
        theirs,
        other: "bare SHA-256",
        unit: "ns/change",
        required: None,
    }
}

fn key(n: u32) -> MapKey {
    MapKey(Sha256::digest(n.to_be_bytes()).into())
}

/// How many inner nodes lie above the changed leaves: one for each prefix of a changed key that
/// another key shares.
fn changed_inner_nodes(map: &Map, changes: &BTreeMap<MapKey, Option<Vec<u8>>>) -> usize {
    let keys: Vec<&MapKey> = map.iter().map(|(key, _)| key).collect();
    let mut inner = HashSet::new();
    for pair in keys.windows(2) {
        let [a, b] = pair else { continue };
        let shared = (0..256).take_while(|at| bit(a, *at) == bit(b, *at)).count();
        for key in [a, b].into_iter().filter(|key| changes.contains_key(key)) {
            inner.extend((0..=shared).map(|depth| prefix(key, depth)));
        }
    }
    inner.len()
}

fn prefix(key: &MapKey, bits: usize) -> Vec<bool> {
    (0..bits).map(|at| bit(key, at)).collect()
}

fn bit(key: &MapKey, at: usize) -> bool {
    key.0
        .get(at / 8)
        .is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}
