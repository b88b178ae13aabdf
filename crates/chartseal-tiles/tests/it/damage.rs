//! Files that are not what the checkpoint signs.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal_tiles::{Directory, Publisher, TileError, TileLog};
use chartseal_wire::Checkpoint;

use crate::log::{ORIGIN, publish};

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for at in fs::read_dir(dir).unwrap() {
        let path = at.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Reads everything of a log, as a monitor does.
fn read_all(dir: &Path, checkpoint: &Checkpoint) -> Result<Vec<Vec<u8>>, TileError> {
    let mut tiles = TileLog::open(Directory::new(dir), checkpoint.clone())?;
    let mut entries = Vec::new();
    while (entries.len() as u64) < checkpoint.size {
        entries.extend(tiles.entries(entries.len() as u64)?);
    }
    Ok(entries)
}

/// Each file of a log of two full tiles and a bit: no byte of it is believed.
#[test]
fn every_flipped_byte_cut_and_missing_file_is_named_or_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let note = publish(dir.path(), 530);
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    let good = read_all(dir.path(), &checkpoint).unwrap();
    let mut paths = Vec::new();
    files(&dir.path().join("tile"), &mut paths);
    assert_eq!(paths.len(), 7);
    for path in paths {
        let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap();
        let whole = fs::read(&path).unwrap();
        let named = |what: &str| {
            let error = read_all(dir.path(), &checkpoint).unwrap_err();
            let said = error.to_string();
            // The last tiles together give the root, which stands in the checkpoint.
            assert!(
                said.starts_with(name) || said.starts_with("checkpoint"),
                "{name} {what}: {said}"
            );
        };
        for at in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            named("flipped");
        }
        for len in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            named("cut");
        }
        fs::write(&path, vec![0; 17_000_000]).unwrap();
        named("too long");
        fs::remove_file(&path).unwrap();
        named("missing");
        fs::write(&path, &whole).unwrap();
        assert!(read_all(dir.path(), &checkpoint).unwrap() == good);
    }
}

#[test]
fn a_publisher_goes_on_only_from_what_its_checkpoint_signs() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 530);
    for path in ["tile/0/002.p/18", "tile/1/000.p/2", "tile/entries/002.p/18"] {
        let path = dir.path().join(path);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let opened = Publisher::open(Directory::new(dir.path()), ORIGIN);
        assert!(matches!(opened.err(), Some(TileError::Damaged { .. })));
        fs::write(&path, whole).unwrap();
    }
    fs::write(dir.path().join("checkpoint"), b"\xff").unwrap();
    let opened = Publisher::open(Directory::new(dir.path()), ORIGIN);
    assert_eq!(
        opened.err().unwrap().to_string(),
        "checkpoint: line 1: text in UTF-8"
    );
}

/// A checkpoint of any size asks for a few files, and no more memory than they need.
#[test]
fn a_checkpoint_of_the_largest_size_is_no_more_than_missing_files() {
    let dir = tempfile::tempdir().unwrap();
    for size in [1 << 63, u64::MAX] {
        let checkpoint = Checkpoint {
            origin: ORIGIN.into(),
            size,
            root: chartseal_merkle::Hash::ZERO,
        };
        let opened = TileLog::open(Directory::new(dir.path()), checkpoint);
        assert!(matches!(opened.err(), Some(TileError::Missing { .. })));
    }
}
