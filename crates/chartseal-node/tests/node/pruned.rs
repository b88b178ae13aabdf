//! A node without old transactions, because it pruned them or began with a snapshot, proves what it proved.

use std::fs;
use std::path::Path;

use chartseal_audit::{Kept, Options, TrustPolicy, Verdict};
use chartseal_consensus::{Ordering as _, OrderingError, Replica};
use chartseal_ledger::LedgerStore;
use chartseal_ledger::store::{Import, Imported, export_snapshot, verify};
use chartseal_node::{
    ExportRequest, LedgerStoreError, Node, NodeError, NodeKeys, RedbLedger, Stores,
};
use chartseal_wire::{RecordId, SignedNote, Subject};

use crate::fixture::*;

const SUBJECTS: [Subject; 2] = [Subject::Patient(PATIENT), Subject::Actor(AUTHOR)];

fn place(dir: &Path, at: usize) -> Stores {
    let place = dir.join(at.to_string());
    fs::create_dir_all(&place).unwrap();
    Stores::open(&place, &store_key()).unwrap()
}

/// All validators' keys, three of which are a quorum.
fn policy(chain: &Chain) -> TrustPolicy {
    let origin = chain.node(0).checkpoint().origin;
    let mut lines = Vec::new();
    for at in 0..4 {
        let keys = chain.node(at).keys();
        lines.push(format!("log {}", keys.log_vkey(&origin).unwrap()));
        let witness = keys.cosigner_vkey(&org(at)).unwrap();
        lines.push(format!("witness w{at} {witness}"));
    }
    lines.push("group validators 3 w0 w1 w2 w3\nquorum validators\n".to_owned());
    TrustPolicy::parse(&lines.join("\n")).unwrap()
}

/// What node 0 exports of both histories, from where `kept` ends.
fn export(chain: &Chain, kept: Option<&Kept>) -> String {
    let checkpoint = chain.node(0).checkpoint();
    let mut signatures = vec![chain.node(0).sign_checkpoint(&checkpoint).unwrap()];
    for at in 0..3 {
        signatures.push(chain.node(at).cosign_checkpoint(&checkpoint).unwrap());
    }
    let first = |subject| {
        let mut known = kept.into_iter().flat_map(Kept::histories);
        known
            .find(|(one, _)| *one == subject)
            .map_or(0, |one| one.1)
    };
    let request = ExportRequest {
        histories: SUBJECTS.map(|one| (one, first(one))).to_vec(),
        log_size: kept.map(Kept::log_size),
    };
    let note = SignedNote {
        text: checkpoint.to_string(),
        signatures,
    };
    chain.node(0).export(&request, note).unwrap().to_string()
}

/// What a verifier remembers of an export that is proved.
fn proved(chain: &Chain, file: &str, kept: Option<&Kept>) -> Kept {
    match chartseal_audit::verify(file, &policy(chain), kept, &Options::default()) {
        Verdict::Proved(report) => report.kept,
        other => panic!("{other:?}"),
    }
}

fn snapshot(node: &Node) -> Imported {
    let mut import = Import::new(node.head().head().clone());
    export_snapshot(node.ledger(), |chunk| {
        import.chunk(chunk).unwrap();
        Ok::<(), LedgerStoreError>(())
    })
    .unwrap();
    import.finish().unwrap()
}

/// Node `at` again, on these stores.
fn reopen(chain: &mut Chain, at: usize, stores: impl FnOnce() -> Stores) {
    let keys = chain.node(at).keys().to_secret_bytes();
    let open = |stores| {
        let keys = NodeKeys::from_secret_bytes(&keys).unwrap();
        Node::open(&chain.genesis, org(at), keys, stores, chain.clock.clone()).unwrap()
    };
    // The old one lets go of its files first.
    let empty = open(Stores::in_memory().unwrap());
    drop(std::mem::replace(
        &mut chain.sequencer.replicas_mut()[at],
        empty,
    ));
    let keys = NodeKeys::from_secret_bytes(&keys).unwrap();
    let node = Node::open(&chain.genesis, org(at), keys, stores(), chain.clock.clone()).unwrap();
    chain.nodes()[at] = node;
}

#[test]
fn every_promised_proof_is_the_same_before_and_after_pruning() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| place(dir.path(), at));
    let mut kept = Vec::new();
    let first = chain.record(5);
    kept.push(proved(&chain, &export(&chain, None), None));
    chain.grant();
    kept.push(proved(&chain, &export(&chain, None), None));
    chain.request(&[5]);
    kept.push(proved(&chain, &export(&chain, None), None));
    chain.amend(&first);
    let exports = |chain: &Chain| -> Vec<String> {
        let since = kept.iter().map(Some).chain([None]);
        since.map(|kept| export(chain, kept)).collect()
    };
    let before = exports(&chain);
    let head = chain.node(0).head().height();
    assert_eq!(chain.nodes()[0].prune(head).unwrap(), head);
    assert_eq!(exports(&chain), before);
    reopen(&mut chain, 0, || place(dir.path(), 0));
    assert_eq!(exports(&chain), before);
    for (file, kept) in before.iter().zip(kept.iter().map(Some).chain([None])) {
        proved(&chain, file, kept);
    }
    assert_eq!(verify(chain.node(0).ledger(), |_| ()).unwrap().damage, []);

    // The chain goes on, and so does what is proved, from any earlier export on.
    chain.record(7);
    for kept in &kept {
        proved(&chain, &export(&chain, Some(kept)), Some(kept));
    }
    proved(&chain, &export(&chain, None), None);
}

#[test]
fn a_pruned_node_erases_every_version_of_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| place(dir.path(), at));
    let first = chain.record(5);
    chain.amend(&first);
    let head = chain.node(0).head().height();
    chain.nodes()[0].prune(head).unwrap();
    reopen(&mut chain, 0, || place(dir.path(), 0));
    let record = RecordId([5; 16]);
    assert_eq!(chain.node(0).versions(&record).unwrap().len(), 2);
    let (blobs, count) = (dir.path().join("0/blobs"), count_blobs);
    assert_eq!(count(&blobs), 2);
    chain.erase(5);
    assert!(chain.node(0).holds_anything_of(&record).unwrap());
    let destroyed = chain.nodes()[0].destroy(&record).unwrap();
    assert!(!chain.node(0).holds_anything_of(&record).unwrap());
    assert_eq!(count(&blobs), 0);
    chain.order(vec![destroyed]);
}

fn count_blobs(dir: &Path) -> usize {
    let all = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    all.map(|path| {
        if path.is_dir() {
            count_blobs(&path)
        } else {
            usize::from(path.extension().is_some_and(|one| one == "blob"))
        }
    })
    .sum()
}

#[test]
fn a_node_that_was_away_gets_pruned_blocks_from_another_or_is_told_which_is_missing() {
    let mut chain = Chain::new();
    chain.record(5);
    let head = chain.node(0).head().height();
    chain.nodes()[0].prune(head).unwrap();
    let refused = LedgerStore::block(chain.node(0).ledger(), 1).unwrap_err();
    assert_eq!(refused.rule(), "CS-STO-06");
    assert!(Replica::block(chain.node(0), 1).unwrap().is_none());
    reopen(&mut chain, 3, || Stores::in_memory().unwrap());
    chain.sequencer.catch_up().unwrap();
    assert_eq!(chain.node(3).head().head(), chain.node(1).head().head());

    for node in chain.nodes() {
        node.prune(head).unwrap();
    }
    reopen(&mut chain, 3, || Stores::in_memory().unwrap());
    let stuck = chain.sequencer.catch_up();
    assert!(
        matches!(stuck, Err(OrderingError::MissingBlock(1))),
        "{stuck:?}"
    );
    let refused = chain.nodes()[0].prune(head + 1);
    assert!(matches!(refused, Err(NodeError::Ledger(_))), "{refused:?}");
}

#[test]
fn a_new_directory_starts_from_a_snapshot_and_goes_on_as_a_node() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| place(dir.path(), at));
    let first = chain.record(5);
    chain.grant();
    let imported = snapshot(chain.node(1));
    chain.amend(&first);
    let new = dir.path().join("new");
    fs::create_dir_all(&new).unwrap();
    let mut ledger = RedbLedger::open(&new.join("ledger.redb")).unwrap();
    ledger.keep(&imported).unwrap();
    drop(ledger);
    reopen(&mut chain, 0, || Stores::open(&new, &store_key()).unwrap());
    let height = imported.headers.len() as u64 - 1;
    assert_eq!(chain.node(0).head().height(), height);
    chain.sequencer.catch_up().unwrap();
    assert_eq!(chain.node(0).head().head(), chain.node(1).head().head());
    // It knows the whole history, takes shares in, releases, and proves.
    assert_eq!(chain.node(0).versions(&RecordId([5; 16])).unwrap().len(), 2);
    chain.record(7);
    let (request, reader) = chain.request(&[7]);
    assert!(chain.release(0, &request, &reader).is_ok());
    proved(&chain, &export(&chain, None), None);
    let verified = verify(chain.node(0).ledger(), |_| ()).unwrap();
    assert_eq!(verified.damage, []);
    assert_eq!(verified.kept.blocks_from, height + 1);
    chain.nodes()[0].prune(height + 2).unwrap();
    reopen(&mut chain, 0, || Stores::open(&new, &store_key()).unwrap());
    proved(&chain, &export(&chain, None), None);
}

#[test]
fn a_snapshot_of_another_chain_is_no_start_for_a_node() {
    let dir = tempfile::tempdir().unwrap();
    let imported = snapshot(Chain::new().node(0));
    let mut ledger = RedbLedger::open(&dir.path().join("ledger.redb")).unwrap();
    ledger.keep(&imported).unwrap();
    drop(ledger);
    let (genesis, mut keys, _) = found();
    let clock = chartseal_node::Clock::manual(START);
    let stores = Stores::open(dir.path(), &store_key()).unwrap();
    let opened = Node::open(&genesis, org(0), keys.remove(0), stores, clock);
    assert!(matches!(opened, Err(NodeError::OtherChain)), "{opened:?}");
}
