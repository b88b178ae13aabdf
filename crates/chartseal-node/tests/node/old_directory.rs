//! A directory that an earlier version of this program made: it opens, verifies, and goes on.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_consensus::Replica;
use chartseal_envelope::{KemKeyPair, SigningKeyPair};
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::store::{replay, verify};
use chartseal_ledger::{Genesis, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, LedgerStoreError, Node, NodeError, NodeKeys, Stores};
use chartseal_wire::history::Token;
use chartseal_wire::{Hash, RecordId};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

use crate::fixture::*;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");

/// A copy of the directory that a version of the ledger's file is kept in.
fn kept(version: u64) -> tempfile::TempDir {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/directories");
    let dir = tempfile::tempdir().unwrap();
    copy_all(&tests.join(format!("v{version}")), dir.path());
    dir
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::write(to, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

fn open(dir: &Path) -> Result<(Genesis, Node), NodeError> {
    let genesis: Genesis = from_bytes(&fs::read(dir.join("genesis")).unwrap()).unwrap();
    let keys = NodeKeys::from_secret_bytes(&fs::read(dir.join("node-keys")).unwrap()).unwrap();
    let clock = Clock::manual(START);
    let stores = Stores::open(dir, &keys.store)?;
    let node = Node::open(&genesis, org(0), keys, stores, clock)?;
    Ok((genesis, node))
}

/// The version that the file names, and its tables.
fn version(dir: &Path) -> (u64, Vec<String>) {
    let db = Database::open(dir.join("ledger.redb")).unwrap();
    let read = db.begin_read().unwrap();
    let meta = read.open_table(META).unwrap();
    let version = meta.get("version").unwrap().unwrap().value();
    let tables = read.list_tables().unwrap();
    (version, tables.map(|one| one.name().to_owned()).collect())
}

#[test]
fn a_directory_of_version_1_opens_verifies_and_goes_on() {
    opens_verifies_and_goes_on(1, "blocks");
}

#[test]
fn a_directory_of_version_2_opens_verifies_and_goes_on() {
    opens_verifies_and_goes_on(2, "lengths");
}

/// `table` is one that later versions do not have.
fn opens_verifies_and_goes_on(of: u64, table: &str) {
    let dir = kept(of);
    let (found, tables) = version(dir.path());
    assert!(found == of && tables.contains(&table.to_owned()));
    let (genesis, mut node) = open(dir.path()).unwrap();
    let verified = verify(node.ledger(), |_| ()).unwrap();
    assert_eq!(verified.damage, []);
    assert_eq!(verified.kept.blocks_from, 0);
    let (height, mut transactions) = (node.head().height(), 0);
    let replayed = replay(node.ledger(), &genesis.overlay(), height, |block, _| {
        transactions += block.transactions.len();
    });
    assert_eq!(replayed.unwrap().head(), node.head().head());
    assert!(height > 5 && transactions > 15, "{height} {transactions}");

    // Record 5 has two versions and is held, record 6 was erased and destroyed.
    assert_eq!(node.versions(&RecordId([5; 16])).unwrap().len(), 2);
    assert!(node.holds_anything_of(&RecordId([5; 16])).unwrap());
    assert!(!node.holds_anything_of(&RecordId([6; 16])).unwrap());

    // Its grant still counts: a new request is permitted, and released.
    let secret: [u8; 32] = fs::read(dir.path().join("author-key"))
        .unwrap()
        .try_into()
        .unwrap();
    let author = SigningKeyPair::from_secret_bytes(&secret);
    let reader = KemKeyPair::generate().unwrap();
    let asked = AccessRequested {
        patient: PATIENT,
        records: vec![RecordId([5; 16])],
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    };
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: node.chain(),
        actor_key: public(&author),
        seq: node.state().sequence(&public(&author)) + 1,
        expires: 1_000_000,
        body: asked.into(),
    };
    let transaction = transaction.sign(|message| sign(&author, message));
    let request = transaction.id();
    let (block, rejected) = node.propose(START, &[transaction]).unwrap();
    assert_eq!(rejected, []);
    node.execute(&block).unwrap();
    node.commit(block.header.leaf()).unwrap();
    let receipts = node.receipts(&request, reader.public_key());
    assert_eq!(receipts.unwrap().len(), 1);
    let head = node.head().head().clone();
    drop(node);

    // From now on it is a directory of the present version.
    let (found, tables) = version(dir.path());
    assert!(found == 3 && !tables.contains(&table.to_owned()));
    let (_, node) = open(dir.path()).unwrap();
    assert_eq!(node.head().head(), &head);
    assert_eq!(verify(node.ledger(), |_| ()).unwrap().damage, []);
}

#[test]
fn a_damaged_directory_of_version_1_is_named_and_stays_as_it_was() {
    let dir = kept(1);
    let db = Database::open(dir.path().join("ledger.redb")).unwrap();
    let write = db.begin_write().unwrap();
    {
        let mut blocks = write.open_table(BLOCKS).unwrap();
        let mut block = blocks.get(3).unwrap().unwrap().value().to_vec();
        block.truncate(block.len() - 1);
        blocks.insert(3, block.as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(db);
    let before = version(dir.path());
    let opened = open(dir.path()).map(|_| ());
    let Err(NodeError::Ledger(error @ LedgerStoreError::Damaged { .. })) = opened else {
        panic!("{opened:?}")
    };
    assert!(error.to_string().contains("height 3"), "{error}");
    assert_eq!(version(dir.path()), before);
}

/// Where [`make_a_directory`] puts what it makes.
fn made() -> PathBuf {
    PathBuf::from(std::env::var_os("CHARTSEAL_DIRECTORY").unwrap())
}

#[test]
#[ignore = "makes a directory of the present version, to be kept before the version changes"]
fn make_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| {
        let place = dir.path().join(at.to_string());
        fs::create_dir_all(&place).unwrap();
        Stores::open(&place, &store_key()).unwrap()
    });
    let first = chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let mut receipts = Vec::new();
    for node in chain.nodes() {
        receipts.extend(node.receipts(&request, reader.public_key()).unwrap());
    }
    chain.order(receipts);
    chain.amend(&first);
    chain.record(6);
    chain.erase(6);
    let destroyed = chain.nodes()[0].destroy(&RecordId([6; 16]));
    chain.order(vec![destroyed.unwrap()]);

    let keys = chain.node(0).keys().to_secret_bytes().to_vec();
    let secret = |keys: &SigningKeyPair| keys.expose_secret_bytes().to_vec();
    let files = [
        ("genesis", to_bytes(&chain.genesis)),
        ("node-keys", keys),
        ("author-key", secret(&chain.author)),
        ("patient-key", secret(&chain.patient)),
    ];
    drop(chain);
    let node = dir.path().join("0");
    for file in ["ledger.redb", "shares/secrets.redb", "side/secrets.redb"] {
        Database::open(node.join(file)).unwrap().compact().unwrap();
    }
    for (name, bytes) in files {
        fs::write(node.join(name), bytes).unwrap();
    }
    copy_all(&node, &made());
}
