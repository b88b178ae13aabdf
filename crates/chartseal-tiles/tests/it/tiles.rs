//! What is published is the log, whole and at every size.

use chartseal_merkle::{Log, leaf_hash, verify_consistency, verify_inclusion};
use chartseal_tiles::{Directory, NoTile, Publisher, Tile, TileError, TileLog};
use chartseal_wire::Checkpoint;
use proptest::prelude::*;

use crate::log::{ORIGIN, entry, publish, publish_fork, signed};

#[test]
fn a_tile_has_the_path_of_the_specification() {
    let path = |tile: Option<Tile>| tile.unwrap().to_string();
    assert_eq!(path(Tile::hashes(0, 0, 256)), "tile/0/000");
    assert_eq!(path(Tile::hashes(7, 255, 1)), "tile/7/255.p/1");
    assert_eq!(path(Tile::hashes(1, 1000, 256)), "tile/1/x001/000");
    assert_eq!(
        path(Tile::hashes(0, 1_234_067, 255)),
        "tile/0/x001/x234/067.p/255"
    );
    assert_eq!(path(Tile::entries(273, 112)), "tile/entries/273.p/112");
    assert_eq!(Tile::hashes(8, 0, 1), None);
    assert_eq!(Tile::hashes(0, 0, 0), None);
    assert_eq!(Tile::entries(0, 257), None);
}

#[test]
fn what_is_no_path_of_a_tile_is_refused() {
    for none in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/+01",
        "tile/0/000/",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/xx01/001",
        "tile/0/x1/001",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1/1",
        "tile/8/000",
        "tile/-1/000",
        "tile/00/000",
        "tile/Entries/000",
        "/tile/0/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(none.parse::<Tile>(), Err(NoTile), "{none}");
    }
    let last = "tile/0/x018/x446/x744/x073/x709/x551/615";
    assert_eq!(last.parse(), Ok(Tile::hashes(0, u64::MAX, 256).unwrap()));
}

proptest! {
    #[test]
    fn a_tiles_path_is_its_own(level in 0_u8..=8, index: u64, width in 1_u16..=256) {
        let tile = if level == 8 {
            Tile::entries(index, width)
        } else {
            Tile::hashes(level, index, width)
        };
        let tile = tile.unwrap();
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
    }
}

/// The specification's own example: 70,000 entries.
#[test]
fn a_log_of_70_000_entries_has_the_tiles_of_the_specifications_example() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 70_000);
    let there = |path: &str| dir.path().join(path).exists();
    assert!(there("tile/0/272") && there("tile/0/273.p/112") && !there("tile/0/273"));
    assert!(there("tile/1/000") && there("tile/1/001.p/17") && there("tile/2/000.p/1"));
    assert!(there("tile/entries/272") && there("tile/entries/273.p/112"));
    let is_file = |path: &std::path::Path| path.is_file();
    let count = |dir: &std::path::Path| {
        let entries = std::fs::read_dir(dir).unwrap();
        entries
            .filter(|at| is_file(&at.as_ref().unwrap().path()))
            .count()
    };
    assert_eq!(count(&dir.path().join("tile/0")), 273);
    assert_eq!(count(&dir.path().join("tile/1")), 1);
    assert_eq!(count(&dir.path().join("tile/2")), 0);

    let mut tiles = open(dir.path());
    for index in [0, 255, 256, 65_535, 65_536, 69_999] {
        assert_eq!(tiles.entries(index).unwrap()[0], entry(index));
    }
}

fn open(dir: &std::path::Path) -> TileLog<Directory> {
    let note = std::fs::read_to_string(dir.join("checkpoint")).unwrap();
    let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    TileLog::open(Directory::new(dir), Checkpoint::parse(&text).unwrap()).unwrap()
}

#[test]
fn an_empty_log_is_published_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 0);
    let mut tiles = open(dir.path());
    assert!(matches!(tiles.entries(0), Err(TileError::Beyond { .. })));
    publish(dir.path(), 3);
    assert_eq!(open(dir.path()).entries(0).unwrap().len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Published in any steps, and reopened between them, the log is the one that holds all in memory.
    #[test]
    fn every_published_size_proves_what_the_log_in_memory_proves(
        steps in prop::collection::vec(prop_oneof![0_u64..8, 200_u64..300, Just(256_u64), Just(512_u64)], 1..6),
        places in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, mut sizes) = (Log::new(), Vec::new());
        for step in steps {
            let size = log.size() + step;
            log.extend((log.size()..size).map(|index| leaf_hash(&entry(index))));
            publish(dir.path(), size);
            sizes.push(size);
            let mut tiles = open(dir.path());
            let root = tiles.checkpoint().root;
            prop_assert_eq!(root, log.root());
            for old in &sizes {
                prop_assert_eq!(Some(tiles.root_at(*old).unwrap()), log.root_at(*old));
            }
            if size == 0 {
                continue;
            }
            for place in &places {
                let index = place.index(usize::try_from(size).unwrap()) as u64;
                let proof = tiles.prove_inclusion(index).unwrap();
                prop_assert_eq!(Some(proof.clone()), log.prove_inclusion(index, size));
                verify_inclusion(leaf_hash(&entry(index)), index, size, &proof, root).unwrap();
                let old = index + 1;
                let proof = tiles.prove_consistency(old).unwrap();
                verify_consistency(old, log.root_at(old).unwrap(), size, root, &proof).unwrap();
                let entries = tiles.entries(index).unwrap();
                prop_assert_eq!(entries.len() as u64, (size - index).min(256 - index % 256));
                for (at, found) in (index..).zip(entries) {
                    prop_assert_eq!(found, entry(at));
                }
            }
        }
    }
}

#[test]
fn nothing_that_was_published_changes() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 300);
    let before = std::fs::read(dir.path().join("checkpoint")).unwrap();
    // A fork of what is published does not get as far as a checkpoint.
    std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
    let error = publish_fork(dir.path(), 300, 299).unwrap_err();
    assert!(matches!(&error, TileError::Changed { path } if path == "tile/entries/001.p/44"));
    let error = publish_fork(dir.path(), 300, 0).unwrap_err();
    assert!(matches!(&error, TileError::Changed { path } if path == "tile/entries/000"));
    // The same again is no change: so a publisher that died goes on.
    publish(dir.path(), 300);
    assert_eq!(
        std::fs::read(dir.path().join("checkpoint")).unwrap(),
        before
    );
}

#[test]
fn a_checkpoint_of_something_else_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(Directory::new(dir.path()), ORIGIN).unwrap();
    publisher.append(b"one").unwrap();
    let good = publisher.checkpoint();
    let wrong = [
        Checkpoint {
            size: 2,
            ..good.clone()
        },
        Checkpoint {
            root: leaf_hash(b"two"),
            ..good.clone()
        },
        Checkpoint {
            origin: "example.org/other".into(),
            ..good
        },
    ];
    for checkpoint in wrong {
        publisher
            .publish(&signed(checkpoint.to_string()))
            .unwrap_err();
        assert!(!dir.path().join("checkpoint").exists());
    }
    let long = publisher.append(&vec![0; 65_536]).unwrap_err();
    assert_eq!(
        long.to_string(),
        "an entry of 65536 bytes: at most 65535 can be published"
    );
    publisher.append(&vec![0; 65_535]).unwrap();
    let note = signed(publisher.checkpoint().to_string());
    publisher.publish(&note).unwrap();
    assert_eq!(open(dir.path()).entries(1).unwrap(), [vec![0; 65_535]]);
    let other = Publisher::open(Directory::new(dir.path()), "example.org/other");
    assert!(matches!(other.err(), Some(TileError::Origin { .. })));
}

/// Full tiles take the place of partial ones, which a log may remove.
#[test]
fn partial_tiles_may_be_gone_once_their_full_one_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let old = publish(dir.path(), 100);
    publish(dir.path(), 700);
    std::fs::remove_dir_all(dir.path().join("tile/0/000.p")).unwrap();
    std::fs::remove_dir_all(dir.path().join("tile/entries/000.p")).unwrap();
    let checkpoint = Checkpoint::parse(&old.text).unwrap();
    let mut tiles = TileLog::open(Directory::new(dir.path()), checkpoint).unwrap();
    assert_eq!(tiles.entries(90).unwrap().len(), 10);
    assert!(matches!(tiles.entries(100), Err(TileError::Beyond { .. })));
}
