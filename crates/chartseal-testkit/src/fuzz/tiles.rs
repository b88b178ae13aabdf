//! A published log's files, as its reader takes them.

use std::collections::BTreeMap;
use std::io;

use chartseal_merkle::{Hash, Log, leaf_hash, verify_inclusion};
use chartseal_tiles::{Source, TileLog, WIDTH, push_entry};
use chartseal_wire::Checkpoint;

/// Files by their paths.
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn read(&self, path: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        match self.0.get(path) {
            Some(bytes) if bytes.len() > max => Err(io::ErrorKind::InvalidData.into()),
            bytes => Ok(bytes.cloned()),
        }
    }
}

/// A log of at most one tile of these entries, without its bundle.
fn log_of(leaves: &[Hash], tile: Vec<u8>) -> (Files, Checkpoint) {
    let log: Log = leaves.iter().copied().collect();
    let (size, root) = (log.size(), log.root());
    let mut files = BTreeMap::from([(path("tile/0/000", leaves.len()), tile)]);
    if leaves.len() == usize::from(WIDTH) {
        files.insert("tile/1/000.p/1".into(), root.0.to_vec());
    }
    let origin = "log.example/fuzz".into();
    (Files(files), Checkpoint { origin, size, root })
}

/// The path of a log's first file, which is partial unless it is full.
fn path(full: &str, width: usize) -> String {
    if width == usize::from(WIDTH) {
        full.into()
    } else {
        format!("{full}.p/{width}")
    }
}

/// Entries, each behind its length in two bytes: read here in another way, to compare.
fn split(mut bundle: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let [high, low, rest @ ..] = bundle {
        let len = usize::from(*high) << 8 | usize::from(*low);
        entries.push(rest.get(..len)?.to_vec());
        bundle = rest.get(len..)?;
    }
    bundle.is_empty().then_some(entries)
}

/// The bundle of a log that has just its entries; one that is none, of a log that has one.
pub(super) fn bundle(input: &[u8]) -> bool {
    let entries = split(input);
    let listed = entries.clone().unwrap_or_else(|| vec![input.to_vec()]);
    if listed.is_empty() || listed.len() > usize::from(WIDTH) {
        return false;
    }
    let leaves: Vec<Hash> = listed.iter().map(|entry| leaf_hash(entry)).collect();
    let tile = leaves.iter().flat_map(|leaf| leaf.0).collect();
    let (mut files, checkpoint) = log_of(&leaves, tile);
    files
        .0
        .insert(path("tile/entries/000", leaves.len()), input.to_vec());
    let read = TileLog::open(files, checkpoint).and_then(|mut log| log.entries(0));
    assert!(
        read.is_ok() == entries.is_some(),
        "a bundle is read if it ends where an entry does"
    );
    read.is_ok_and(|read| {
        let mut written = Vec::new();
        let is_written = read.iter().all(|one| push_entry(&mut written, one).is_ok());
        assert!(
            is_written && written == input && read == listed,
            "a bundle's entries are its bytes"
        );
        true
    })
}

/// The tile of a log that has just its hashes.
pub(super) fn hashes(input: &[u8]) -> bool {
    let (hashes, rest) = input.as_chunks::<32>();
    let leaves: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    if leaves.is_empty() || leaves.len() > usize::from(WIDTH) {
        return false;
    }
    let (files, checkpoint) = log_of(&leaves, input.to_vec());
    let (size, root) = (checkpoint.size, checkpoint.root);
    let last = size.saturating_sub(1);
    // A full tile is read first when something is proved from it.
    let proof = TileLog::open(files, checkpoint).and_then(|mut log| log.prove_inclusion(last));
    assert!(
        proof.is_ok() == rest.is_empty(),
        "a tile is read if it is made of hashes"
    );
    proof.is_ok_and(|proof| {
        let leaf = leaves.last().copied().unwrap_or(Hash::ZERO);
        assert!(
            verify_inclusion(leaf, last, size, &proof, root).is_ok(),
            "what is proved from a tile is so"
        );
        true
    })
}
