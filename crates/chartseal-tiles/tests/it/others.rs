//! Cloudflare's `tlog_tiles` and `signed_note` read what we publish, and we what they do.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal_merkle::leaf_hash;
use chartseal_tiles::{Directory, Tile, TileLog, Witness};
use chartseal_wire::note::KeyKind;
use chartseal_wire::{Checkpoint, SignedNote, VerifierKey};
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader};

use crate::log::{ORIGIN, entry, key, log_vkey, publish, sign, vkey};

/// Where the specification has a tile: `tlog_tiles` puts the height in front of the level.
fn path(tile: &tlog_tiles::Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

/// Our files, for their reader.
struct Files(PathBuf);

impl TileReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile| fs::read(self.0.join(path(tile)));
        Ok(tiles.iter().map(read).collect::<Result<_, _>>().unwrap())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

const SIZES: [u64; 8] = [1, 2, 255, 256, 257, 511, 1000, 66_000];

#[test]
fn tlog_tiles_reads_and_proves_from_our_tiles() {
    let dir = tempfile::tempdir().unwrap();
    for size in SIZES {
        let note = publish(dir.path(), size);
        let read = tlog_tiles::Checkpoint::from_bytes(note.text.as_bytes());
        // It reads a checkpoint with what follows it.
        let read = read
            .or_else(|_| tlog_tiles::Checkpoint::from_bytes(format!("{}\n", note.text).as_bytes()));
        let read = read.unwrap();
        assert_eq!((read.origin(), read.size()), (ORIGIN, size));
        let files = Files(dir.path().into());
        let tiles = TileHashReader::new(size, *read.hash(), &files);
        assert_eq!(tlog_tiles::tree_hash(size, &tiles).unwrap(), *read.hash());
        for index in [0, size / 3, size - 1] {
            let proof = tlog_tiles::prove_record(size, index, &tiles).unwrap();
            let leaf = Hash(leaf_hash(&entry(index)).0);
            tlog_tiles::check_record(&proof, size, *read.hash(), index, leaf).unwrap();
            let ours = open(dir.path(), &note).prove_inclusion(index).unwrap();
            assert!(
                proof
                    .iter()
                    .map(|hash| hash.0)
                    .eq(ours.iter().map(|hash| hash.0))
            );
        }
    }
}

fn open(dir: &Path, note: &SignedNote) -> TileLog<Directory> {
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    TileLog::open(Directory::new(dir), checkpoint).unwrap()
}

/// Their store of hashes.
#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|at| self.0[usize::try_from(*at).unwrap()])
            .collect())
    }
}

/// A log that they made, tile for tile and signature for signature.
#[test]
fn we_read_prove_from_and_witness_the_tiles_and_notes_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let witness_dir = tempfile::tempdir().unwrap();
    let (mut stored, mut before) = (Stored::default(), 0);
    let witness_key = vkey("example.org/witness", KeyKind::Cosigner, &key(2));
    let mut witness = Witness::open(witness_key, witness_dir.path(), sign(&key(2))).unwrap();
    witness.trust(log_vkey());
    for size in SIZES {
        for index in before..size {
            let hashes = tlog_tiles::stored_hashes(index, &entry(index), &stored).unwrap();
            stored.0.extend(hashes);
        }
        for tile in tlog_tiles::Tile::new_tiles(8, before, size) {
            let at = dir.path().join(path(&tile));
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, tile.read_data(&stored).unwrap()).unwrap();
        }
        let root = tlog_tiles::tree_hash(size, &stored).unwrap();
        let text = format!("{ORIGIN}\n{size}\n{root}\n");
        let signer = StandardSigner::new(&skey()).unwrap();
        let mut note = Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&signer]).unwrap();
        fs::write(dir.path().join("checkpoint"), note.to_bytes()).unwrap();

        let cosigned = witness
            .follow(&Directory::new(dir.path()), 1_800_000_000)
            .unwrap();
        assert_eq!((cosigned.before, cosigned.size), (before, size));
        let mut tiles = open(dir.path(), &cosigned.note);
        let theirs = tlog_tiles::prove_record(size, size / 2, &stored).unwrap();
        let ours = tiles.prove_inclusion(size / 2).unwrap();
        assert!(
            theirs
                .iter()
                .map(|hash| hash.0)
                .eq(ours.iter().map(|hash| hash.0))
        );
        if before > 0 {
            let theirs = tlog_tiles::prove_tree(size, before, &stored).unwrap();
            let ours = tiles.prove_consistency(before).unwrap();
            assert!(
                theirs
                    .iter()
                    .map(|hash| hash.0)
                    .eq(ours.iter().map(|hash| hash.0))
            );
        }
        before = size;
    }
}

/// The log's key, as they write a private one.
fn skey() -> String {
    use base64::Engine;
    let seed = [&[1][..], &key(1).to_bytes()].concat();
    let id = log_vkey().id();
    let seed = base64::engine::general_purpose::STANDARD.encode(seed);
    format!("PRIVATE+KEY+{ORIGIN}+{id:08x}+{seed}")
}

#[test]
fn signed_note_verifies_what_our_log_signs() {
    let dir = tempfile::tempdir().unwrap();
    let ours = publish(dir.path(), 10).to_string();
    let note = Note::from_bytes(ours.as_bytes()).unwrap();
    let key: VerifierKey = log_vkey();
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    let (valid, unknown) = note
        .verify(&VerifierList::new(vec![Box::new(verifier)]))
        .unwrap();
    assert_eq!((valid.len(), unknown.len()), (1, 0));
}

#[test]
fn a_tile_has_the_path_that_tlog_tiles_gives_it() {
    let places = [0, 1, 999, 1000, 999_999, 1_234_067, u64::MAX >> 8];
    for index in places {
        for (level, width) in [(0, 256), (1, 1), (5, 255)] {
            let ours = Tile::hashes(level, index, width).unwrap();
            let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), false);
            assert_eq!(ours.to_string(), path(&theirs));
        }
    }
}
