//! The chain in a redb file: the contract of ledger stores, reopened and damaged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::Path;

use chartseal_ledger::store::{Commit, Damage, LedgerStore, ReloadError, conformance, reload};
use chartseal_ledger::{Genesis, Params, propose};
use chartseal_node::{LedgerStoreError, NodeKeys, RedbLedger};
use chartseal_wire::{OrgId, PublicKey, Time};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const HEADERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("headers");
const CHANGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("state_changes");

/// A chain of three blocks in `file`; gives its newest header's bytes.
fn write_chain(file: &Path) -> Vec<u8> {
    let keys = NodeKeys::generate().unwrap();
    let org = keys.organization(OrgId([1; 16]), PublicKey([7; 32]));
    let ids = [org.id];
    let genesis = Genesis::new(Time(1_000), [9; 32], Params::default(), vec![org], &ids).unwrap();
    let mut ledger = RedbLedger::open(file).unwrap();
    let mut executed = genesis.executed();
    ledger
        .commit(&Commit::new(&genesis.block(), &executed))
        .unwrap();
    for at in 1..3 {
        let next = propose(&executed.overlay, Time(1_000 + at), []);
        ledger
            .commit(&Commit::new(&next.block, &next.executed))
            .unwrap();
        executed = next.executed;
    }
    executed.overlay.head().bytes()
}

/// Changes the database of `file` behind the program's back.
fn alter(file: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let db = Database::create(file).unwrap();
    let write = db.begin_write().unwrap();
    change(&write);
    write.commit().unwrap();
}

fn damage(file: &Path) -> Damage {
    match reload(&RedbLedger::open(file).unwrap()) {
        Err(ReloadError::Damaged(damage)) => damage,
        other => panic!("not noticed: {other:?}"),
    }
}

#[test]
fn a_file_keeps_the_contract_of_ledger_stores() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = 0;
    conformance::run(|| {
        files += 1;
        RedbLedger::open(&dir.path().join(format!("{files}.redb"))).unwrap()
    });
    assert!(files > 1);
}

#[test]
fn a_chain_is_the_same_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    let head = write_chain(&file);
    for _ in 0..2 {
        let ledger = RedbLedger::open(&file).unwrap();
        let reloaded = reload(&ledger).unwrap();
        assert_eq!(reloaded.overlay.head().bytes(), head);
        assert_eq!(reloaded.log.size(), 3);
    }
}

#[test]
fn a_file_that_was_never_made_in_full_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    std::fs::write(dir.path().join("ledger.new"), vec![0; 100_000]).unwrap();
    let head = write_chain(&file);
    let ledger = RedbLedger::open(&file).unwrap();
    assert_eq!(reload(&ledger).unwrap().overlay.head().bytes(), head);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_file_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    write_chain(&file);
    let _first = RedbLedger::open(&file).unwrap();
    let second = RedbLedger::open(&file);
    assert!(
        matches!(second, Err(LedgerStoreError::Database(_))),
        "{second:?}"
    );
}

#[test]
fn cs_lst_02_a_file_of_another_version_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    let head = write_chain(&file);
    for (version, remedy) in [(4, "newer program"), (0, "snapshot")] {
        alter(&file, |write| {
            let mut meta = write.open_table(META).unwrap();
            meta.insert("version", version).unwrap();
        });
        let error = RedbLedger::open(&file).unwrap_err();
        assert!(
            matches!(error, LedgerStoreError::Version { found } if found == version),
            "{error:?}"
        );
        assert_eq!(error.rule(), "CS-LST-02");
        let message = error.to_string();
        assert!(message.contains(remedy), "{message}");
    }
    // Nothing was written to a file that was refused.
    alter(&file, |write| {
        let mut meta = write.open_table(META).unwrap();
        meta.insert("version", 3).unwrap();
    });
    let ledger = RedbLedger::open(&file).unwrap();
    assert_eq!(reload(&ledger).unwrap().overlay.head().bytes(), head);
}

#[test]
fn cs_lst_03_a_database_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    let other = TableDefinition::<u64, u64>::new("other");
    let db = Database::create(&file).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(other).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(db);
    let error = RedbLedger::open(&file).unwrap_err();
    assert!(matches!(error, LedgerStoreError::Foreign), "{error:?}");
    assert_eq!(error.rule(), "CS-LST-03");
    let tables = Database::open(&file).unwrap();
    let tables = tables.begin_read().unwrap().list_tables().unwrap().count();
    assert_eq!(tables, 1);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    std::fs::write(&file, vec![0x55; 100_000]).unwrap();
    assert!(matches!(
        RedbLedger::open(&file),
        Err(LedgerStoreError::Database(_))
    ));
    // One that was cut off is not taken for a shorter chain.
    let cut = dir.path().join("cut.redb");
    write_chain(&cut);
    let bytes = std::fs::read(&cut).unwrap();
    for keep in [100, 4_096, bytes.len() / 2] {
        std::fs::write(&cut, &bytes[..keep]).unwrap();
        let opened = RedbLedger::open(&cut);
        assert!(
            matches!(opened, Err(LedgerStoreError::Database(_))),
            "{keep}: {opened:?}"
        );
    }
}

#[test]
fn an_altered_state_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    write_chain(&file);
    alter(&file, |write| {
        let mut changes = write.open_table(CHANGES).unwrap();
        let value = [&[0x82, 0x58, 0x20][..], &[3; 32], &[0x43, 1, 2, 3]].concat();
        changes.insert(3, value.as_slice()).unwrap();
    });
    assert_eq!(damage(&file), Damage::StateRoot);
}

#[test]
fn a_missing_altered_or_swapped_header_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let header = |write: &redb::WriteTransaction, at: u64| {
        let headers = write.open_table(HEADERS).unwrap();
        headers.get(at).unwrap().unwrap().value().to_vec()
    };
    let put = |write: &redb::WriteTransaction, at: u64, bytes: &[u8]| {
        let mut headers = write.open_table(HEADERS).unwrap();
        headers.insert(at, bytes).unwrap();
    };

    let missing = dir.path().join("missing.redb");
    write_chain(&missing);
    alter(&missing, |write| {
        write.open_table(HEADERS).unwrap().remove(1).unwrap();
    });
    assert_eq!(damage(&missing), Damage::MissingHeader { height: 1 });

    let swapped = dir.path().join("swapped.redb");
    write_chain(&swapped);
    alter(&swapped, |write| {
        let other = header(write, 0);
        put(write, 1, &other);
    });
    assert_eq!(damage(&swapped), Damage::BadHeader { height: 1 });

    let altered = dir.path().join("altered.redb");
    write_chain(&altered);
    alter(&altered, |write| {
        let mut other: chartseal_wire::BlockHeader =
            chartseal_codec::from_bytes(&header(write, 1)).unwrap();
        other.time = Time(1_002);
        put(write, 1, &other.bytes());
    });
    assert_eq!(damage(&altered), Damage::LogRoot { height: 2 });

    let garbled = dir.path().join("garbled.redb");
    write_chain(&garbled);
    alter(&garbled, |write| put(write, 2, &[1, 2, 3]));
    let reloaded = reload(&RedbLedger::open(&garbled).unwrap());
    let Err(ReloadError::Store(error @ LedgerStoreError::Damaged { .. })) = reloaded else {
        panic!("{reloaded:?}")
    };
    assert_eq!(error.rule(), "CS-LST-04");
    assert!(error.to_string().contains("headers"), "{error}");
}

/// What a store does not look at: transactions of this many bytes in all.
fn heavy(block: &chartseal_ledger::Block, bytes: usize) -> chartseal_ledger::Block {
    let mut block = block.clone();
    let height = block.header.height.to_be_bytes();
    let transaction = |at: usize| chartseal_ledger::SignedTransaction {
        bytes: [&height[..], &at.to_be_bytes(), &vec![0x5a; 1_000]].concat(),
        signature: chartseal_wire::Signature([1; 64]),
    };
    block.transactions = (0..bytes / 1_000).map(transaction).collect();
    block
}

#[test]
fn pruning_and_compacting_shrink_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ledger.redb");
    let keys = NodeKeys::generate().unwrap();
    let org = keys.organization(OrgId([1; 16]), PublicKey([7; 32]));
    let ids = [org.id];
    let genesis = Genesis::new(Time(1_000), [9; 32], Params::default(), vec![org], &ids).unwrap();
    let mut ledger = RedbLedger::open(&file).unwrap();
    let mut executed = genesis.executed();
    ledger
        .commit(&Commit::new(&genesis.block(), &executed))
        .unwrap();
    for at in 1..=40 {
        let next = propose(&executed.overlay, Time(1_000 + at), []);
        let block = heavy(&next.block, 100_000);
        ledger.commit(&Commit::new(&block, &next.executed)).unwrap();
        executed = next.executed;
    }
    let size = || std::fs::metadata(&file).unwrap().len();
    let before = size();
    assert_eq!(ledger.prune(40).unwrap(), 40);
    assert!(ledger.compact().unwrap());
    drop(ledger);
    let after = size();
    assert!(before > 4_000_000 && after < before / 8, "{before} {after}");
    let ledger = RedbLedger::open(&file).unwrap();
    assert_eq!(ledger.leaves(7).unwrap().unwrap().len(), 100);
    assert_eq!(ledger.block(40).unwrap().unwrap().transactions.len(), 100);
    assert_eq!(
        reload(&ledger).unwrap().overlay.head(),
        executed.overlay.head()
    );
}
