#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! Shares and sealed texts are kept as long as they may be, and gone when they must be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chartseal_vault::{
    FileSecretStore, MemorySecretStore, Secret, SecretStore, ShareKey, SideKey, StoreKey,
    VaultError, conformance,
};
use proptest::prelude::*;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

type Shares = FileSecretStore<ShareKey>;

fn key() -> StoreKey {
    StoreKey::from_secret_bytes(&[9; 32])
}

/// The rows of a closed store's file, as they lie there.
fn rows(file: &Path) -> BTreeMap<[u8; 32], Vec<u8>> {
    const ROWS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("sealed");
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(file, copy.path()).unwrap();
    let db = Database::open(copy.path()).unwrap();
    let rows = db.begin_read().unwrap().open_table(ROWS).unwrap();
    let rows = rows.iter().unwrap().map(|row| {
        let (key, value) = row.unwrap();
        (*key.value(), value.value().to_vec())
    });
    rows.collect()
}

#[test]
fn both_stores_hold_what_the_trait_promises_under_both_faces() {
    conformance::secret_store::<ShareKey>(&MemorySecretStore::new()).unwrap();
    conformance::secret_store::<SideKey>(&MemorySecretStore::new()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    conformance::durable_secret_store(|| Shares::open(dir.path().join("shares"), &key())).unwrap();
    let side = || FileSecretStore::<SideKey>::open(dir.path().join("side"), &key());
    conformance::durable_secret_store(side).unwrap();
}

#[test]
fn p9_a_destroyed_share_is_gone_from_every_file_that_ever_held_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
    let secret = |n: u8| blake3::hash(&[n]).as_bytes().repeat(3);
    for n in 0..50 {
        store.put_batch(&[(ShareKey([n; 32]), &secret(n))]).unwrap();
    }
    drop(store);
    // What lies there is ciphertext: nothing of it may stay either.
    let current = dir.path().join("secrets.redb");
    let sealed = rows(&current);
    let sealed = |n: u8| &sealed[&[n; 32]][..];
    let store = Shares::open(dir.path(), &key()).unwrap();
    // What a backup by hard link, or a reader of the unlinked file, still reaches.
    let linked = dir.path().join("linked");
    fs::hard_link(&current, &linked).unwrap();
    assert!(
        holds(&linked, sealed(7)),
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
        assert!(!holds(&path, sealed(7)), "{path:?}");
        assert!(!holds(&path, &sealed(8)[..32]), "{path:?}");
    }
    assert!(!holds(&linked, sealed(9)));
    drop(store);
    let store = Shares::open(dir.path(), &key()).unwrap();
    assert_eq!(store.keys().unwrap().len(), 48);
    for n in (0..50).filter(|n| ![7, 8].contains(n)) {
        let held = store.get(&ShareKey([n; 32])).unwrap().unwrap();
        assert_eq!(held.expose(), secret(n));
    }
}

#[test]
fn a_copied_file_shows_nothing_and_opens_with_its_own_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
    let secret = blake3::hash(b"share").as_bytes().repeat(20);
    store.put_batch(&[(ShareKey([1; 32]), &secret)]).unwrap();
    drop(store);
    for file in fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        assert!(!holds(&path, &secret[..16]), "{path:?}");
        assert!(!holds(&path, key().expose_secret_bytes()), "{path:?}");
    }
    let other = StoreKey::from_secret_bytes(&[8; 32]);
    let refused = Shares::open(dir.path(), &other).unwrap_err();
    assert!(matches!(refused, VaultError::WrongKey { .. }), "{refused}");
    // Nor is it another kind of store, under the same key.
    let side = FileSecretStore::<SideKey>::open(dir.path(), &key()).unwrap_err();
    assert!(matches!(side, VaultError::WrongKey { .. }), "{side}");
    let store = Shares::open(dir.path(), &key()).unwrap();
    assert_eq!(
        store.get(&ShareKey([1; 32])).unwrap().unwrap().expose(),
        secret
    );
}

#[test]
fn a_row_that_is_moved_to_another_key_does_not_open() {
    const ROWS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("sealed");
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
    store
        .put_batch(&[(ShareKey([1; 32]), b"one"), (ShareKey([2; 32]), b"two")])
        .unwrap();
    drop(store);
    let file = dir.path().join("secrets.redb");
    let one = rows(&file)[&[1; 32]].clone();
    let db = Database::open(&file).unwrap();
    let write = db.begin_write().unwrap();
    write
        .open_table(ROWS)
        .unwrap()
        .insert(&[2; 32], &one[..])
        .unwrap();
    write.commit().unwrap();
    drop(db);
    let store = Shares::open(dir.path(), &key()).unwrap();
    let moved = store.get(&ShareKey([2; 32])).unwrap_err();
    assert!(matches!(moved, VaultError::Damaged { .. }), "{moved}");
    // It is not taken for what was there, nor written over.
    let put = store.put_batch(&[(ShareKey([2; 32]), b"two")]).unwrap_err();
    assert!(matches!(put, VaultError::Damaged { .. }), "{put}");
}

/// Version 1 had its rows in the clear.
#[test]
fn a_store_in_the_clear_is_encrypted_when_it_is_opened_and_nothing_of_it_stays() {
    const PLAIN: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("secrets");
    let secret = |n: u8| blake3::hash(&[n]).as_bytes().repeat(5);
    let check = |n: u8| {
        let mut hasher = blake3::Hasher::new_derive_key("chartseal/vault/share-row/1");
        *hasher
            .update(&[n; 32])
            .update(&secret(n))
            .finalize()
            .as_bytes()
    };
    let made = |dir: &Path, damaged: bool| {
        let db = Database::create(dir.join("secrets.redb")).unwrap();
        let write = db.begin_write().unwrap();
        for n in 0..20 {
            let mut row = [&check(n)[..], &secret(n)].concat();
            row[40] ^= u8::from(damaged && n == 7);
            write
                .open_table(PLAIN)
                .unwrap()
                .insert(&[n; 32], &row[..])
                .unwrap();
        }
        write.commit().unwrap();
    };
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), false);
    let linked = dir.path().join("linked");
    fs::hard_link(dir.path().join("secrets.redb"), &linked).unwrap();
    assert!(holds(&linked, &secret(3)));
    for _ in 0..2 {
        let store = Shares::open(dir.path(), &key()).unwrap();
        assert_eq!(store.keys().unwrap().len(), 20);
        for n in 0..20 {
            assert_eq!(
                store.get(&ShareKey([n; 32])).unwrap().unwrap().expose(),
                secret(n)
            );
        }
        drop(store);
        for file in fs::read_dir(dir.path()).unwrap() {
            let path = file.unwrap().path();
            assert!((0..20).all(|n| !holds(&path, &secret(n)[..32])), "{path:?}");
        }
    }
    // A damaged row is named, and the file stays as it is.
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), true);
    let refused = Shares::open(dir.path(), &key()).unwrap_err();
    assert!(
        matches!(&refused, VaultError::Damaged { id, .. } if *id == "07".repeat(32)),
        "{refused}"
    );
    assert!(holds(&dir.path().join("secrets.redb"), &secret(3)));
}

#[test]
fn p9_a_share_that_a_refused_batch_brought_is_gone_after_its_destruction_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
    let (kept, never) = (ShareKey([1; 32]), ShareKey([2; 32]));
    store.put_batch(&[(kept, b"kept")]).unwrap();
    let big = blake3::hash(b"never").as_bytes().repeat(300_000);
    let refused = store
        .put_batch(&[(never, &big), (kept, b"other")])
        .unwrap_err();
    assert!(matches!(refused, VaultError::Conflict { .. }));
    assert_eq!(store.destroy(&[never]).unwrap(), 0);
    // As ciphertext it would be as long.
    let left = fs::metadata(dir.path().join("secrets.redb")).unwrap().len();
    assert!(left < big.len() as u64, "{left}");
    assert_eq!(store.keys().unwrap(), [kept]);
}

#[test]
fn a_killed_destruction_leaves_the_whole_store_and_its_leftover_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
    store
        .put_batch(&[(ShareKey([1; 32]), b"one"), (ShareKey([2; 32]), b"two")])
        .unwrap();
    drop(store);
    let leftover = dir.path().join("secrets.redb.new");
    fs::copy(dir.path().join("secrets.redb"), &leftover).unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
    assert!(!leftover.exists());
    assert_eq!(store.keys().unwrap().len(), 2);
}

#[test]
fn one_batch_is_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shares::open(dir.path(), &key()).unwrap();
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
    let store = Shares::open(&place, &key()).unwrap();
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
    let refused = Shares::open(dir.path(), &key()).unwrap_err().to_string();
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
        let store = Shares::open(dir.path(), &key()).unwrap();
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

        if let Ok(store) = Shares::open(dir.path(), &key()) {
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
