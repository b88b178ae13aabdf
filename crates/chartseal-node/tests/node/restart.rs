//! A node goes on where it stopped, and starts from nothing that is not its own chain.

use std::path::Path;

use chartseal_consensus::{Ordering as _, Replica, Sequencer};
use chartseal_node::{Clock, Node, NodeError, NodeKeys, Stores};
use chartseal_wire::RecordId;
use redb::{Database, ReadableTable, TableDefinition};

use crate::fixture::*;

const CHANGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("state_changes");
const SHARES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("sealed");

fn place(dir: &Path, at: usize) -> Stores {
    let place = dir.join(at.to_string());
    std::fs::create_dir_all(&place).unwrap();
    Stores::open(&place, &store_key()).unwrap()
}

/// The nodes of a chain started again, from the bytes that their keys were kept in.
fn restart(mut chain: Chain, mut stores: impl FnMut(usize) -> Stores) -> Chain {
    let kept: Vec<_> = chain
        .nodes()
        .iter()
        .map(|node| node.keys().to_secret_bytes())
        .collect();
    chain.sequencer = Sequencer::new(Vec::new());
    let open = |(at, keys): (usize, &zeroize::Zeroizing<Vec<u8>>)| {
        let keys = NodeKeys::from_secret_bytes(keys).unwrap();
        Node::open(
            &chain.genesis,
            org(at),
            keys,
            stores(at),
            chain.clock.clone(),
        )
        .unwrap()
    };
    chain.sequencer = Sequencer::new(kept.iter().enumerate().map(open).collect());
    chain
}

#[test]
fn nodes_come_back_at_the_same_head_and_root_and_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| place(dir.path(), at));
    chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let state = |chain: &Chain, at: usize| {
        let node = chain.node(at);
        (
            node.head().head().clone(),
            node.head().map().root(),
            node.checkpoint(),
        )
    };
    let before: Vec<_> = (0..4).map(|at| state(&chain, at)).collect();
    let versions = chain.node(0).versions(&RecordId([5; 16])).unwrap();

    let mut chain = restart(chain, |at| place(dir.path(), at));
    let after: Vec<_> = (0..4).map(|at| state(&chain, at)).collect();
    assert_eq!(after, before);
    assert_eq!(
        chain.node(0).versions(&RecordId([5; 16])).unwrap(),
        versions
    );
    // Shares and ciphertext are there, and its own transactions go on in their sequence.
    let mut receipts = Vec::new();
    for node in chain.nodes() {
        receipts.extend(node.receipts(&request, reader.public_key()).unwrap());
        assert!(node.envelope(&request, &RecordId([5; 16])).is_ok());
    }
    assert_eq!(receipts.len(), 4);
    chain.order(receipts);
    chain.record(6);
}

#[test]
fn a_node_that_lost_its_disk_catches_up_with_the_chain() {
    let mut chain = Chain::new();
    chain.record(5);
    let keys = chain.node(2).keys().to_secret_bytes();
    let keys = NodeKeys::from_secret_bytes(&keys).unwrap();
    let (stores, clock) = (Stores::in_memory().unwrap(), chain.clock.clone());
    let empty = Node::open(&chain.genesis, org(2), keys, stores, clock).unwrap();
    assert_eq!(empty.head().height(), 0);
    chain.nodes()[2] = empty;
    chain.sequencer.catch_up().unwrap();
    assert_eq!(chain.node(2).head().head(), chain.node(0).head().head());
    assert_eq!(chain.node(2).checkpoint(), chain.node(0).checkpoint());
    // Its shares are lost; the record is not.
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let released: Vec<bool> = (0..4)
        .map(|at| chain.release(at, &request, &reader).is_ok())
        .collect();
    assert_eq!(released, [true, true, false, true]);
}

#[test]
fn a_store_of_another_chain_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Chain::with(|at| place(dir.path(), at)));
    let (genesis, mut keys, _) = found();
    let clock = Clock::manual(START);
    let opened = Node::open(
        &genesis,
        org(0),
        keys.remove(0),
        place(dir.path(), 0),
        clock,
    );
    assert!(matches!(opened, Err(NodeError::OtherChain)), "{opened:?}");
}

#[test]
fn an_organization_outside_of_the_committee_has_no_node() {
    let (genesis, mut keys, _) = found();
    let (stores, clock) = (Stores::in_memory().unwrap(), Clock::manual(START));
    let opened = Node::open(&genesis, org(8), keys.remove(0), stores, clock);
    assert!(
        matches!(opened, Err(NodeError::NotAMember(id)) if id == org(8)),
        "{opened:?}"
    );
}

#[test]
fn a_truncated_ledger_file_is_refused_and_an_altered_one_is_named_as_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let chain = Chain::with(|at| place(dir.path(), at));
    let kept: Vec<_> = (0..4)
        .map(|at| chain.node(at).keys().to_secret_bytes())
        .collect();
    let (genesis, clock) = (chain.genesis.clone(), chain.clock.clone());
    drop(chain);
    let file = dir.path().join("0/ledger.redb");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 3]).unwrap();
    let opened = Stores::open(&dir.path().join("0"), &store_key());
    assert!(matches!(opened, Err(NodeError::Ledger(_))), "{opened:?}");

    // A row of the state, changed behind the node's back.
    let db = Database::create(dir.path().join("1/ledger.redb")).unwrap();
    let write = db.begin_write().unwrap();
    let value = [&[0x82, 0x58, 32][..], &[7; 32], &[0x41, 1]].concat();
    write
        .open_table(CHANGES)
        .unwrap()
        .insert(9, value.as_slice())
        .unwrap();
    write.commit().unwrap();
    drop(db);
    let keys = NodeKeys::from_secret_bytes(&kept[1]).unwrap();
    let opened = Node::open(&genesis, org(1), keys, place(dir.path(), 1), clock);
    let Err(error @ NodeError::Reload(_)) = opened else {
        panic!("{opened:?}")
    };
    let message = error.to_string();
    assert!(
        message.contains("damaged") && message.contains("state root"),
        "{message}"
    );
}

#[test]
fn a_damaged_share_is_noticed_and_never_released() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| place(dir.path(), at));
    chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let header = chain.node(0).versions(&RecordId([5; 16])).unwrap()[0];
    let stopped = restart(chain, |_| Stores::in_memory().unwrap());
    let db = Database::create(dir.path().join("0/shares/secrets.redb")).unwrap();
    let write = db.begin_write().unwrap();
    {
        let mut rows = write.open_table(SHARES).unwrap();
        let mut row = rows.get(&header.0).unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        rows.insert(&header.0, row.as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(db);
    let mut chain = restart(stopped, |at| place(dir.path(), at));
    let released = chain.release(0, &request, &reader);
    assert!(
        matches!(released, Err(NodeError::DamagedShare(of)) if of == header),
        "{released:?}"
    );
    assert!(chain.release(1, &request, &reader).is_ok());
}

#[test]
fn committing_the_head_again_changes_nothing_and_committing_what_was_not_executed_is_refused() {
    let mut chain = Chain::new();
    let head = chain.node(0).head().head().clone();
    let size = chain.node(0).checkpoint().size;
    chain.nodes()[0].commit(head.leaf()).unwrap();
    assert_eq!(chain.node(0).checkpoint().size, size);
    let unknown = chartseal_wire::Hash([9; 32]);
    let refused = chain.nodes()[0].commit(unknown);
    assert!(matches!(refused, Err(NodeError::NotExecuted(leaf)) if leaf == unknown));
}
