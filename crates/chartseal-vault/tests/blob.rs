#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! Ciphertext is there whole and undamaged, or not at all.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use chartseal_vault::{
    BlobId, BlobStore, DirBlobStore, GROUP, MemoryBlobStore, Outboard, VaultError, conformance,
};
use proptest::prelude::*;

#[test]
fn both_stores_hold_what_the_trait_promises() {
    conformance::blob_store(&MemoryBlobStore::new()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    conformance::durable_blob_store(|| DirBlobStore::open(dir.path().join("new/folder"))).unwrap();
}

#[test]
fn the_conformance_suite_names_the_rule_that_a_store_breaks() {
    /// A store that forgets to delete.
    struct Hoarder(MemoryBlobStore);
    impl BlobStore for Hoarder {
        fn put_batch(&self, blobs: &[&[u8]]) -> Result<Vec<BlobId>, VaultError> {
            self.0.put_batch(blobs)
        }
        fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, VaultError> {
            self.0.get(id)
        }
        fn put_stream(&self, id: &BlobId, from: &mut dyn Read) -> Result<(), VaultError> {
            self.0.put_stream(id, from)
        }
        fn len(&self, id: &BlobId) -> Result<Option<u64>, VaultError> {
            self.0.len(id)
        }
        fn read_unverified(
            &self,
            id: &BlobId,
            from: u64,
            len: usize,
        ) -> Result<Option<Vec<u8>>, VaultError> {
            self.0.read_unverified(id, from, len)
        }
        fn contains(&self, id: &BlobId) -> Result<bool, VaultError> {
            self.0.contains(id)
        }
        fn delete(&self, ids: &[BlobId]) -> Result<usize, VaultError> {
            let there = ids.iter().filter(|id| self.0.contains(id).unwrap());
            Ok(there.collect::<std::collections::BTreeSet<_>>().len())
        }
        fn ids(&self) -> Result<Vec<BlobId>, VaultError> {
            self.0.ids()
        }
    }
    let broken = conformance::blob_store(&Hoarder(MemoryBlobStore::new())).unwrap_err();
    assert_eq!(
        broken.to_string(),
        "the store breaks a rule: a deleted blob is none"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]
    #[test]
    fn any_damage_to_a_file_is_named_and_never_returned(
        blob in prop::collection::vec(any::<u8>(), 1..5000),
        place in any::<prop::sample::Index>(),
        change in 1u8..,
        cut in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = DirBlobStore::open(dir.path()).unwrap();
        let id = store.put(&blob).unwrap();
        let file = blob_files(dir.path()).pop().unwrap();
        let mut damaged = fs::read(&file).unwrap();
        let place = place.index(damaged.len());
        if cut {
            damaged.truncate(place);
        } else {
            damaged[place] ^= change;
        }
        fs::write(&file, damaged).unwrap();

        let refused = store.get(&id).unwrap_err();
        let named = matches!(&refused, VaultError::Damaged { id: named, .. } if *named == id.to_string());
        prop_assert!(named, "{}", refused);
        // Putting the same bytes again mends it.
        store.put(&blob).unwrap();
        prop_assert_eq!(store.get(&id).unwrap().unwrap(), blob);
    }
}

/// Every length around a group's, a tree's left side, and a few groups: BLAKE3's own root follows from the groups, and from
/// no others.
#[test]
fn an_outboard_is_that_of_one_blob_alone() {
    let all: Vec<u8> = (0..=5 * GROUP)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let lens = (0..=5).flat_map(|groups| {
        let len = groups * GROUP;
        [len.saturating_sub(1), len, len + 1]
    });
    for len in lens {
        let blob = &all[..len];
        let made = Outboard::of(blob).unwrap();
        assert_eq!((made.id(), made.len()), (BlobId::of(blob), len as u64));
        let groups = made.groups().to_vec();
        let again = Outboard::new(made.id(), made.len(), groups.clone());
        assert_eq!(again.as_ref(), Some(&made), "{len}");
        let longer = Outboard::new(made.id(), made.len() + GROUP as u64, groups.clone());
        // A group's own length comes out with its bytes.
        assert!(longer.is_none() || len == 0);
        for at in 0..groups.len() {
            let mut other = groups.clone();
            other[at][0] ^= 1;
            assert!(Outboard::new(made.id(), made.len(), other).is_none());
            let mut fewer = groups.clone();
            fewer.remove(at);
            assert!(Outboard::new(made.id(), made.len(), fewer).is_none());
        }
        for group in 0..made.count() {
            let place = made.place(group);
            let place = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
            let mut bytes = blob[place].to_vec();
            assert!(made.is_group(group, &bytes));
            assert!(!made.is_group(group + 1, &bytes));
            bytes.push(0);
            assert!(!made.is_group(group, &bytes));
            bytes.pop();
            if let Some(byte) = bytes.last_mut() {
                *byte ^= 1;
                assert!(!made.is_group(group, &bytes));
            }
        }
    }
}

#[test]
fn a_damaged_part_is_named_and_others_are_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirBlobStore::open(dir.path()).unwrap();
    let blob = vec![7; 3 * GROUP + 5];
    let id = store.put(&blob).unwrap();
    let outboard = Outboard::read(&store, &id).unwrap().unwrap();
    let file = blob_files(dir.path()).pop().unwrap();
    let mut damaged = blob.clone();
    damaged[GROUP + 9] ^= 1;
    fs::write(&file, &damaged).unwrap();

    let group = GROUP as u64;
    let first = outboard.range(&store, 10..group).unwrap().unwrap();
    assert_eq!(first, &blob[10..GROUP]);
    let last = outboard.range(&store, 2 * group..9 * group).unwrap();
    assert_eq!(last.unwrap(), &blob[2 * GROUP..]);
    for range in [group..group + 1, 0..2 * group, 0..u64::MAX] {
        let refused = outboard.range(&store, range);
        assert!(
            matches!(refused, Err(VaultError::Damaged { .. })),
            "{refused:?}"
        );
    }
    let refused = Outboard::read(&store, &id);
    assert!(
        matches!(refused, Err(VaultError::Damaged { .. })),
        "{refused:?}"
    );
    fs::write(&file, &blob[..GROUP]).unwrap();
    let cut = outboard.range(&store, group..2 * group);
    assert!(matches!(cut, Err(VaultError::Damaged { .. })), "{cut:?}");
    store.put_stream(&id, &mut blob.as_slice()).unwrap();
    assert_eq!(store.get(&id).unwrap().unwrap(), blob);
    store.delete(&[id]).unwrap();
    assert!(outboard.range(&store, 0..1).unwrap().is_none());
    assert!(outboard.range(&store, 0..0).unwrap().is_none());
}

#[test]
fn a_long_blob_comes_in_parts_until_one_is_damaged_or_nobody_wants_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirBlobStore::open(dir.path()).unwrap();
    let blob: Vec<u8> = (0..37 * GROUP + 5)
        .map(|at| (at / 997).to_le_bytes()[0])
        .collect();
    let id = store.put(&blob).unwrap();
    let outboard = Outboard::read(&store, &id).unwrap().unwrap();
    let read = |range: std::ops::Range<u64>, most: usize| {
        let mut parts = Vec::new();
        let read = outboard.for_each(&store, range, |part| {
            if parts.len() == most {
                return Err(VaultError::Source(std::io::ErrorKind::Other.into()));
            }
            parts.push(part);
            Ok(())
        });
        (read, parts)
    };
    let step = 16 * GROUP;
    for (from, to) in [
        (0, blob.len()),
        (7, 9),
        (step - 1, step + 1),
        (step, 2 * step),
        (3, 99 * step),
    ] {
        let (there, parts) = read(from as u64..to as u64, usize::MAX);
        assert!(there.unwrap());
        let whole = &blob[from..to.min(blob.len())];
        assert_eq!(parts.concat(), whole);
        let bounds = (from / step..to.min(blob.len()).div_ceil(step)).len();
        assert_eq!(parts.len(), bounds, "{from}..{to}");
    }
    let (stopped, parts) = read(0..u64::MAX, 1);
    assert!(matches!(stopped, Err(VaultError::Source(_))), "{stopped:?}");
    assert_eq!(parts, [&blob[..step]]);

    let mut damaged = blob.clone();
    damaged[step + 3] ^= 1;
    fs::write(blob_files(dir.path()).pop().unwrap(), &damaged).unwrap();
    let (stopped, parts) = read(0..u64::MAX, usize::MAX);
    assert!(
        matches!(stopped, Err(VaultError::Damaged { .. })),
        "{stopped:?}"
    );
    assert_eq!(parts, [&blob[..step]], "what was given out was verified");
    store.delete(&[id]).unwrap();
    assert!(!read(0..u64::MAX, 0).0.unwrap());
}

#[test]
fn leftovers_of_a_killed_put_are_found_and_removed_and_other_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let id = DirBlobStore::open(dir.path())
        .unwrap()
        .put(b"whole")
        .unwrap();
    let leftover = dir.path().join("tmp").join("ab".repeat(32));
    fs::write(&leftover, b"hal").unwrap();
    let foreign = dir.path().join("notes.txt");
    fs::write(&foreign, b"a person's own").unwrap();

    let store = DirBlobStore::open(dir.path()).unwrap();
    assert!(!leftover.exists());
    assert!(foreign.exists());
    assert_eq!(store.ids().unwrap(), [id]);
}

#[cfg(unix)]
#[test]
fn a_batch_that_fails_stores_none_of_its_blobs_and_keeps_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirBlobStore::open(dir.path()).unwrap();
    let blobs: Vec<[u8; 1]> = (0..100).map(|byte| [byte]).collect();
    let blobs: Vec<&[u8]> = blobs.iter().map(|blob| &blob[..]).collect();
    // The last blob's folder can't be made: a link to nowhere stands in its place.
    let last = BlobId::of(blobs[99]);
    let mut early = blobs
        .iter()
        .filter(|blob| BlobId::of(blob).0[0] != last.0[0]);
    let kept = store.put(early.next().unwrap()).unwrap();
    let folder = dir.path().join(format!("{:02x}", last.0[0]));
    std::os::unix::fs::symlink("nowhere", folder).unwrap();

    let refused = store.put_batch(&blobs).unwrap_err().to_string();
    assert!(
        refused.starts_with("cannot write a blob to the blob store's folder "),
        "{refused}"
    );
    assert_eq!(store.ids().unwrap(), [kept]);
    assert_eq!(files_under(&dir.path().join("tmp")), Vec::<PathBuf>::new());
    assert_eq!(
        store.get(&kept).unwrap().map(|blob| BlobId::of(&blob)),
        Some(kept)
    );
}

#[test]
fn a_folder_that_cannot_be_written_gives_one_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let refused = DirBlobStore::open(file.join("below"))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("the blob store's folder"), "{refused}");
    assert!(
        refused.ends_with("a part of the path is a file: choose another folder"),
        "{refused}"
    );
}

/// A file system on which not even the superuser may make a folder.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_on_a_mount_that_takes_no_files_gives_one_clear_error() {
    let refused = DirBlobStore::open("/sys/chartseal")
        .unwrap_err()
        .to_string();
    let advised =
        refused.contains("the file system is read-only") || refused.contains("no permission");
    assert!(advised, "{refused}");
}

#[test]
fn a_thousand_blobs_are_durable_within_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirBlobStore::open(dir.path()).unwrap();
    let blobs: Vec<Vec<u8>> = (0..1000u32).map(|n| n.to_be_bytes().repeat(1000)).collect();
    let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
    let start = std::time::Instant::now();
    store.put_batch(&blobs).unwrap();
    let took = start.elapsed();
    println!("1,000 blobs of 4 kB in {took:?}");
    assert_eq!(store.ids().unwrap().len(), 1000);
    assert!(took.as_secs() < 20, "{took:?}");
}

fn blob_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = files_under(dir);
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "blob")
    });
    files
}

fn files_under(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_under(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
