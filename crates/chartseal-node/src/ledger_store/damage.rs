//! Stored values are changed behind the store's back, with checksums that fit: each change is found,
//! and found where it is.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use chartseal_ledger::store::{Commit, Damage, LedgerStore, ReloadError, Table, verify};
use redb::{Database, Key, ReadableDatabase, ReadableTable, TableDefinition, Value};

use super::certificates::{self, CERTIFICATES};
use super::crash::{certificate, chain, files, open};
use super::faulty_disk::FaultyDisk;
use super::histories::{ENTRIES, HISTORIES, HISTORY};
use super::places::PLACES;
use super::state::{CHANGES, CHUNKS};
use super::{BLOCKS_FROM, BODIES, HEADERS, LEAVES, LEAVES_FROM, META, VERSION_KEY};

/// A file with rows in every table.
fn image() -> Vec<u8> {
    let (_, file) = files(&chain(&[1, 3, 2, 4, 2]));
    let disk = FaultyDisk::new(file);
    open(&disk).unwrap().prune(4).unwrap();
    disk.content()
}

fn alter(image: &[u8], change: impl FnOnce(&redb::WriteTransaction)) -> Vec<u8> {
    let disk = FaultyDisk::new(image.to_vec());
    let db = Database::builder()
        .create_with_backend(disk.clone())
        .unwrap();
    let write = db.begin_write().unwrap();
    change(&write);
    write.commit().unwrap();
    drop(db);
    disk.content()
}

/// In which tables damage is found; `None` if the store can't even be opened or has no readable head.
fn found(image: Vec<u8>) -> Option<BTreeSet<Table>> {
    let ledger = open(&FaultyDisk::new(image)).ok()?;
    match verify(&ledger, |_| ()) {
        Ok(verified) => Some(verified.damage.iter().map(Damage::table).collect()),
        Err(ReloadError::Store(_) | ReloadError::Empty) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Every row of a table of bytes, each key in a form that can be kept.
fn rows<K: Key, O>(
    image: &[u8],
    table: TableDefinition<'_, K, &'static [u8]>,
    own: impl Fn(K::SelfType<'_>) -> O,
) -> Vec<(O, Vec<u8>)> {
    let disk = FaultyDisk::new(image.to_vec());
    let db = Database::builder().create_with_backend(disk).unwrap();
    let table = db.begin_read().unwrap().open_table(table).unwrap();
    let row = |row: Result<_, redb::StorageError>| {
        let (key, value): (redb::AccessGuard<'_, K>, redb::AccessGuard<'_, &[u8]>) = row.unwrap();
        (own(key.value()), value.value().to_vec())
    };
    table.iter().unwrap().map(row).collect()
}

/// Flips a bit at the start, in the middle and at the end of each value, then takes each row out.
fn each_is_found<O>(
    image: &[u8],
    rows: &[(O, Vec<u8>)],
    expected: Table,
    put: impl Fn(&redb::WriteTransaction, &O, Option<&[u8]>),
) {
    assert!(rows.len() > 1, "{expected}: {}", rows.len());
    for (at, (key, value)) in rows.iter().enumerate() {
        let places = BTreeSet::from([0, value.len() / 2, value.len().saturating_sub(1)]);
        let flipped = places.into_iter().filter(|place| *place < value.len());
        let mut damaged: Vec<Option<Vec<u8>>> = flipped
            .map(|place| {
                let mut value = value.clone();
                value[place] ^= 1 << (place % 8);
                Some(value)
            })
            .collect();
        damaged.push(None);
        for value in damaged {
            let of = format!("{expected}, row {at}: {:?}", value.as_ref().map(Vec::len));
            let tables = found(alter(image, |write| put(write, key, value.as_deref())));
            if let Some(tables) = tables {
                assert!(!tables.is_empty(), "{of}: not found");
                // The newest header is what the state and its transactions are compared with.
                let is_newest = expected == Table::Headers && at + 1 == rows.len();
                assert!(is_newest || tables.contains(&expected), "{of}: {tables:?}");
            } else {
                // Only without its newest header a store has nothing to say.
                assert_eq!(expected, Table::Headers, "{of}");
            }
        }
    }
}

fn put<K: Key, V: Value>(
    write: &redb::WriteTransaction,
    table: TableDefinition<'_, K, V>,
    key: K::SelfType<'_>,
    value: Option<V::SelfType<'_>>,
) {
    let mut table = write.open_table(table).unwrap();
    match value {
        Some(value) => drop(table.insert(key, value).unwrap()),
        None => drop(table.remove(key).unwrap()),
    }
}

#[test]
fn a_whole_file_has_no_damage() {
    assert_eq!(found(image()), Some(BTreeSet::new()));
}

#[test]
fn a_changed_header_block_or_leaf_is_found() {
    let image = image();
    let tables = [
        (HEADERS, Table::Headers),
        (BODIES, Table::Blocks),
        (LEAVES, Table::Leaves),
    ];
    for (table, expected) in tables {
        let rows = rows(&image, table, |height| height);
        each_is_found(&image, &rows, expected, |write, height, value| {
            put(write, table, *height, value);
        });
    }
}

#[test]
fn a_changed_value_of_the_state_is_found() {
    // Large enough for several chunks, and for changes that not all of them have.
    let (_, image) = files(&chain(&[248, 1, 1, 2]));
    let state = |image: &[u8]| open(&FaultyDisk::new(image.to_vec())).unwrap().state();
    let whole = state(&image).unwrap();
    let (mut noticed, changes) = (0, rows(&image, CHANGES, |height| height));
    assert!(changes.len() > 1, "{}", changes.len());
    for (height, row) in changes {
        for at in (0..row.len()).step_by(7) {
            let mut row = row.clone();
            row[at] ^= 1 << (at % 8);
            let image = alter(&image, |write| put(write, CHANGES, height, Some(&row[..])));
            // What a later block changed again is not read.
            if state(&image).is_ok_and(|state| state == whole) {
                continue;
            }
            let tables = found(image).unwrap();
            assert!(tables.contains(&Table::State), "{height} {at}: {tables:?}");
            noticed += 1;
        }
    }
    assert!(noticed > 100, "{noticed}");
    let chunks = rows(&image, CHUNKS, |key| *key);
    each_is_found(&image, &chunks, Table::State, |write, key, value| {
        put(write, CHUNKS, key, value);
    });
}

#[test]
fn a_changed_entry_of_a_history_is_found() {
    let image = image();
    let rows = rows(&image, HISTORY, |(subject, index)| {
        (subject.to_vec(), index)
    });
    each_is_found(&image, &rows, Table::Histories, |write, key, value| {
        put(write, HISTORY, (key.0.as_slice(), key.1), value);
    });
}

#[test]
fn a_changed_certificate_is_found() {
    let image = image();
    let rows = rows(&image, CERTIFICATES, |height| height);
    each_is_found(
        &image,
        &rows,
        Table::Certificates,
        |write, height, value| {
            put(write, CERTIFICATES, *height, value);
        },
    );
    // One of another block, and one of a block that there is not.
    let [(first, one), .., (newest, other)] = &rows[..] else {
        panic!("{} certificates", rows.len())
    };
    for (height, value) in [(*first, other), (*newest, one), (99, one)] {
        let altered = alter(&image, |write| {
            put(write, CERTIFICATES, height, Some(&value[..]));
        });
        let ledger = open(&FaultyDisk::new(altered)).unwrap();
        let damage = verify(&ledger, |_| ()).unwrap().damage;
        let named = damage.iter().find(|one| one.rule() == "CS-STO-23");
        assert_eq!(named.and_then(Damage::height), Some(height), "{damage:?}");
    }
    // What is read by itself is damaged too, not absent.
    let cut = alter(&image, |write| {
        put(write, CERTIFICATES, *newest, Some(&other[1..]));
    });
    let ledger = open(&FaultyDisk::new(cut)).unwrap();
    for error in [
        ledger.certificate(*newest).unwrap_err(),
        ledger.certificates().unwrap_err(),
    ] {
        let text = error.to_string();
        assert_eq!(error.rule(), "CS-LST-04");
        assert!(
            text.contains(&format!("height {newest} of table certificates")),
            "{text}"
        );
    }
}

#[test]
fn a_file_of_before_certificates_were_counted_is_counted_when_it_is_opened() {
    let whole = image();
    let uncounted = alter(&whole, |write| put(write, META, certificates::COUNT, None));
    assert_eq!(found(uncounted), Some(BTreeSet::new()));
    let without = alter(&whole, |write| {
        put(write, META, certificates::COUNT, None);
        write.delete_table(CERTIFICATES).unwrap();
    });
    let ledger = open(&FaultyDisk::new(without)).unwrap();
    assert_eq!(ledger.certificates().unwrap(), []);
    assert_eq!(verify(&ledger, |_| ()).unwrap().damage, []);
}

#[test]
fn a_certificate_that_was_lost_is_missed_after_more_blocks_too() {
    let chain = chain(&[1, 1, 1]);
    let (_, image) = files(&chain[..3].to_vec());
    let disk = FaultyDisk::new(alter(&image, |write| put(write, CERTIFICATES, 1, None)));
    let mut ledger = open(&disk).unwrap();
    let (block, executed) = &chain[3];
    let newest = certificate(block);
    ledger
        .commit_certified(&Commit::new(block, executed), newest.as_ref())
        .unwrap();
    let damage = verify(&ledger, |_| ()).unwrap().damage;
    let tables: Vec<_> = damage.iter().map(Damage::table).collect();
    assert_eq!(tables, [Table::Certificates], "{damage:?}");
}

#[test]
fn a_changed_place_or_number_is_found() {
    let image = image();
    let disk = FaultyDisk::new(image.clone());
    let db = Database::builder().create_with_backend(disk).unwrap();
    let read = db.begin_read().unwrap();
    let places = read.open_table(PLACES).unwrap();
    let parts = places.iter().unwrap().map(|row| {
        let (key, places) = row.unwrap();
        let (run, first) = key.value();
        (run, *first, places.value().to_vec())
    });
    let parts: Vec<_> = parts.collect();
    assert!(parts.len() > 1);
    for (run, first, part) in &parts {
        for at in 0..part.len() / 44 {
            let mut shorter = part.clone();
            shorter.drain(44 * at..44 * (at + 1));
            let mut higher = part.clone();
            higher[44 * at + 39] ^= 1;
            let mut elsewhere = part.clone();
            elsewhere[44 * at + 43] ^= 1;
            for part in [&shorter, &higher, &elsewhere] {
                let image = alter(&image, |write| {
                    put(write, PLACES, (*run, first), Some(part.as_slice()));
                });
                let tables = found(image).unwrap();
                assert!(tables.contains(&Table::Transactions), "{at}: {tables:?}");
            }
        }
    }
    let meta = read.open_table(META).unwrap();
    let [histories, entries, certified] = [HISTORIES, ENTRIES, certificates::COUNT]
        .map(|key| (key, meta.get(key).unwrap().unwrap().value()));
    assert!(histories.1 > 5 && entries.1 > histories.1 && certified.1 == 2);
    let versions = [(VERSION_KEY, 3), (BLOCKS_FROM, 4), (LEAVES_FROM, 0)];
    let counts = [histories, entries, certified];
    for (key, number) in versions.into_iter().chain(counts) {
        for number in [Some(number + 1), Some(number ^ 8), None] {
            // Nothing is lost by these: leaves are from 0 on, and certificates are counted anew.
            let is_default = [LEAVES_FROM, certificates::COUNT].contains(&key) && number.is_none();
            let tables = found(alter(&image, |write| put(write, META, key, number)));
            let is_found = tables.is_none_or(|tables| !tables.is_empty());
            assert!(is_found != is_default, "{key} {number:?}");
        }
    }
}

#[test]
fn a_row_too_many_is_found() {
    let image = image();
    let more = |change: &dyn Fn(&redb::WriteTransaction)| found(alter(&image, change)).unwrap();
    let block = more(&|write| put(write, BODIES, 2, Some(&[0x80][..])));
    assert!(block.contains(&Table::Blocks), "{block:?}");
    let leaves = more(&|write| put(write, LEAVES, 5, Some(&[][..])));
    assert!(leaves.contains(&Table::Leaves), "{leaves:?}");
    let place = more(&|write| put(write, PLACES, (1, &[7; 32]), Some(&[7; 44][..])));
    assert!(place.contains(&Table::Transactions), "{place:?}");
    let chunk = [&[0x83, 1, 0x58, 32][..], &[7; 32], &[0x41, 1]].concat();
    let state = more(&|write| put(write, CHUNKS, &[7; 32], Some(&chunk[..])));
    assert!(state.contains(&Table::State), "{state:?}");
    let change = [&[0x82, 0x58, 32][..], &[7; 32], &[0x41, 1]].concat();
    let change = more(&|write| put(write, CHANGES, 9, Some(&change[..])));
    assert!(change.contains(&Table::State), "{change:?}");
    let entry = more(&|write| put(write, HISTORY, (&[7][..], 0), Some(&[1][..])));
    assert!(entry.contains(&Table::Histories), "{entry:?}");
}
