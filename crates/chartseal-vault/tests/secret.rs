#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! Shares and sealed texts are kept as long as they may be, and gone when they must be.

use std::fs;
use std::path::Path;

use chartseal_vault::{
    FileSecretStore, MemorySecretStore, Secret, SecretStore, ShareKey, SideKey, VaultError,
    conformance,
};
use proptest::prelude::*;

type Shares = FileSecretStore<ShareKey>;

#[test]
fn both_stores_hold_what_the_trait_promises_under_both_faces() {
    conformance::secret_store::<ShareKey>(&MemorySecretStore::new()).unwrap();
    conformance::secret_store::<SideKey>(&MemorySecretStore::new()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    conformance::durable_secret_store(|| Shares::open(dir.path().join("shares"))).unwrap();
    let side = || FileSecretStore::<SideKey>::open(dir.path().join("side"));
    conformance::durable_secret_store(side).unwrap();
}

#[test]
fn p9_a_destroyed_share_is_gone_from_every_file_that_ever_held_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path()).unwrap();
    let secret = |n: u8| blake3::hash(&[n]).as_bytes().repeat(3);
    for n in 0..50 {
        store.put_batch(&[(ShareKey([n; 32]), &secret(n))]).unwrap();
    }
    // What a backup by hard link, or a reader of the unlinked file, still reaches.
    let linked = dir.path().join("linked");
    fs::hard_link(dir.path().join("secrets.redb"), &linked).unwrap();
    assert!(
        holds(&linked, &secret(7)),
        "the search would find a share that is there"
    );

    assert_eq!(
        store
            .destroy(&[ShareKey([7; 32]), ShareKey([8; 32])])
            .unwrap(),
        2
    );
    for file in fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        assert!(!holds(&path, &secret(7)), "{path:?}");
        assert!(!holds(&path, &secret(8)[..32]), "{path:?}");
    }
    assert!(!holds(&linked, &secret(9)));
    drop(store);
    let store = Shares::open(dir.path()).unwrap();
    assert_eq!(store.keys().unwrap().len(), 48);
    for n in (0..50).filter(|n| ![7, 8].contains(n)) {
        let held = store.get(&ShareKey([n; 32])).unwrap().unwrap();
        assert_eq!(held.expose(), secret(n));
    }
}

#[test]
fn p9_a_share_that_a_refused_batch_brought_is_gone_after_its_destruction_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path()).unwrap();
    let (kept, never) = (ShareKey([1; 32]), ShareKey([2; 32]));
    store.put_batch(&[(kept, b"kept")]).unwrap();
    let big = blake3::hash(b"never").as_bytes().repeat(300_000);
    let refused = store
        .put_batch(&[(never, &big), (kept, b"other")])
        .unwrap_err();
    assert!(matches!(refused, VaultError::Conflict { .. }));
    assert_eq!(store.destroy(&[never]).unwrap(), 0);
    assert!(!holds(&dir.path().join("secrets.redb"), &big[..32]));
    assert_eq!(store.keys().unwrap(), [kept]);
}

#[test]
fn a_killed_destruction_leaves_the_whole_store_and_its_leftover_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path()).unwrap();
    store
        .put_batch(&[(ShareKey([1; 32]), b"one"), (ShareKey([2; 32]), b"two")])
        .unwrap();
    drop(store);
    let leftover = dir.path().join("secrets.redb.new");
    fs::copy(dir.path().join("secrets.redb"), &leftover).unwrap();
    let store = Shares::open(dir.path()).unwrap();
    assert!(!leftover.exists());
    assert_eq!(store.keys().unwrap().len(), 2);
}

#[test]
fn one_batch_is_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path()).unwrap();
    let keys: Vec<ShareKey> = (0..10_000u32)
        .map(|n| ShareKey(*blake3::hash(&n.to_be_bytes()).as_bytes()))
        .collect();
    let batch: Vec<(ShareKey, &[u8])> = keys.iter().map(|key| (*key, &key.0[..])).collect();
    let start = std::time::Instant::now();
    store.put_batch(&batch).unwrap();
    let put = start.elapsed();
    let start = std::time::Instant::now();
    assert_eq!(store.destroy(&keys[..5000]).unwrap(), 5000);
    println!(
        "10,000 shares put in {put:?}, 5,000 destroyed in {:?}",
        start.elapsed()
    );
    assert_eq!(store.keys().unwrap().len(), 5000);
    assert!(put.as_secs() < 20 && start.elapsed().as_secs() < 20);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file_even_after_it_was_rewritten() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("shares");
    let store = Shares::open(&place).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.join("secrets.redb")), 0o600);
    store.destroy(&[ShareKey([1; 32])]).unwrap();
    assert_eq!(mode(&place.join("secrets.redb")), 0o600);
    assert_eq!(mode(&place), 0o700);
}

#[test]
fn a_secret_is_never_shown() {
    let shown = format!("{:?}", Secret::from(&b"AAAA"[..]));
    assert_eq!(shown, "Secret(…)");
    let store = MemorySecretStore::new();
    store
        .put_batch(&[(ShareKey([1; 32]), &b"AAAA"[..])])
        .unwrap();
    let conflict = store
        .put_batch(&[(ShareKey([1; 32]), &b"BBBB"[..])])
        .unwrap_err();
    for shown in [format!("{store:?}"), format!("{conflict:?} {conflict}")] {
        for secret in ["AAAA", "BBBB", "65, 65", "66, 66"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn a_file_that_is_no_store_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secrets.redb"), b"a letter, not a store").unwrap();
    let refused = Shares::open(dir.path()).unwrap_err().to_string();
    assert!(
        refused.starts_with("the share store's folder "),
        "{refused}"
    );
    assert!(refused.contains("is damaged or not a store"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]
    #[test]
    fn damage_to_the_file_never_gives_other_bytes_than_were_stored(
        place in any::<prop::sample::Index>(),
        change in 1u8..,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = Shares::open(dir.path()).unwrap();
        let secret = |n: u8| blake3::hash(&[n]).as_bytes().repeat(20);
        for n in 0..20 {
            store.put_batch(&[(ShareKey([n; 32]), &secret(n))]).unwrap();
        }
        drop(store);
        let path = dir.path().join("secrets.redb");
        let mut file = fs::read(&path).unwrap();
        // Most of the file is empty: aim at what is not.
        let used: Vec<usize> = (0..file.len()).filter(|at| file[*at] != 0).collect();
        file[*place.get(&used)] ^= change;
        fs::write(&path, &file).unwrap();

        if let Ok(store) = Shares::open(dir.path()) {
            for n in 0..20 {
                if let Ok(Some(held)) = store.get(&ShareKey([n; 32])) {
                    prop_assert_eq!(held.expose(), secret(n));
                }
            }
        }
    }
}

fn holds(file: &Path, bytes: &[u8]) -> bool {
    let content = fs::read(file).unwrap();
    content.windows(bytes.len()).any(|window| window == bytes)
}
