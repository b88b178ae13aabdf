//! The block log as tlog-tiles, file by file.

use std::fs;
use std::io;
use std::path::Path;

use chartseal_ledger::store::LedgerStore as _;
use chartseal_node::{Node, publish};
use chartseal_tiles::{Directory, Source, Tile, TileLog};
use chartseal_wire::block::header_entry;

use crate::exports::note;
use crate::fixture::Chain;

/// What a node gives, as a log's files.
struct Given<'n>(&'n Node);

impl Source for Given<'_> {
    fn read(&self, path: &str, _: usize) -> io::Result<Option<Vec<u8>>> {
        let tile: Tile = path.parse().map_err(io::Error::other)?;
        self.0.tile(tile).map_err(io::Error::other)
    }
}

/// The files below a folder, by their paths in it.
fn files(root: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.push(name.to_owned());
        }
    }
}

#[test]
fn a_node_gives_each_file_that_it_would_publish() {
    let mut chain = Chain::new();
    chain.record(1);
    let dir = tempfile::tempdir().unwrap();
    let published = Directory::new(dir.path());
    let origin = chain.node(0).checkpoint().origin;
    // Some sizes on both sides of a full tile.
    for size in [40, 256, 257, 520] {
        while chain.node(0).checkpoint().size < size {
            chain.request(&[1]);
        }
        let ledger = chain.node(0).ledger();
        publish(ledger, &origin, &published, |newest| note(&chain, newest)).unwrap();
    }
    let node = chain.node(0);
    let mut names = Vec::new();
    files(dir.path(), dir.path(), &mut names);
    names.retain(|name| name.starts_with("tile/"));
    let full = names.iter().filter(|name| !name.contains(".p/"));
    assert_eq!(full.count(), 4, "two tiles and two bundles");
    for name in names {
        let there = fs::read(dir.path().join(&name)).unwrap();
        let tile: Tile = name.parse().unwrap();
        assert_eq!(node.tile(tile).unwrap(), Some(there), "{name}");
    }

    // A monitor reads and proves by it, each file checked against the checkpoint.
    let checkpoint = node.checkpoint();
    let mut log = TileLog::open(Given(node), checkpoint.clone()).unwrap();
    for at in [0, 255, 256, checkpoint.size - 1] {
        let bytes = node.ledger().header(at).unwrap().unwrap();
        let entry = header_entry(&bytes);
        assert_eq!(log.entries(at).unwrap().first(), Some(&entry));
        let proof = log.prove_inclusion(at).unwrap();
        let leaf = chartseal_merkle::leaf_hash(&entry);
        let (size, root) = (checkpoint.size, checkpoint.root);
        chartseal_merkle::verify_inclusion(leaf, at, size, &proof, root).unwrap();
    }
    // What the log does not reach.
    for beyond in [
        Tile::hashes(0, 3, 1),
        Tile::hashes(1, 0, 3),
        Tile::hashes(7, u64::MAX, 256),
        Tile::entries(2, 255),
        Tile::entries(u64::MAX / 256, 256),
    ] {
        assert_eq!(node.tile(beyond.unwrap()).unwrap(), None);
    }
}
