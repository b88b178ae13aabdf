//! Whether a [`LedgerStore`] keeps the trait's contract: run it from a test of the implementation.
//!
//! ```
//! use chartseal_ledger::store::{MemoryStore, conformance};
//!
//! conformance::run(MemoryStore::new);
//! ```

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Display;

use chartseal_merkle::MapKey;
use chartseal_wire::{ActorId, OrgId, PublicKey, Signature, Subject, Time};

use super::{
    Commit, Counts, Import, Imported, Kept, LedgerStore, MemoryStore, ReloadError, TxPlace,
    export_snapshot, reload, verify,
};
use crate::block::Block;
use crate::body::Organization;
use crate::execute::{Executed, propose};
use crate::genesis::Genesis;
use crate::params::Params;
use crate::transaction::SignedTransaction;

/// Runs every check; `make` gives a new, empty store each time.
///
/// # Panics
/// If the store breaks the contract: the message says which part of it.
pub fn run<S: LedgerStore>(mut make: impl FnMut() -> S) {
    an_empty_store_has_nothing(&make());
    a_chain_is_read_back_and_reloads(&mut make());
    a_commit_is_idempotent_and_in_order(&mut make());
    changes_histories_and_places_are_kept(&mut make());
    a_snapshot_is_kept_and_the_chain_goes_on(&mut make(), &mut make());
    a_snapshots_histories_are_kept(&mut make());
    pruning_takes_transactions_and_nothing_else(&mut make());
}

fn an_empty_store_has_nothing<S: LedgerStore>(store: &S) {
    assert!(must(store.head()).is_none(), "an empty store has no head");
    assert!(
        must(store.block(0)).is_none(),
        "an empty store has no block"
    );
    assert!(
        must(store.header(0)).is_none(),
        "an empty store has no header"
    );
    assert!(
        must(store.state()).is_empty(),
        "an empty store has no state"
    );
    assert!(
        must(store.history(&SUBJECT, 0, 9)).is_empty(),
        "an empty store has no history"
    );
    let counted = (must(store.counts()), must(store.kept()));
    assert_eq!(
        counted,
        (Counts::default(), Kept::default()),
        "an empty store counts nothing"
    );
    let empty = matches!(reload(store), Err(ReloadError::Empty));
    assert!(empty, "reloading an empty store says that it is empty");
}

fn a_chain_is_read_back_and_reloads<S: LedgerStore>(store: &mut S) {
    let chain = chain(5);
    for (height, (block, executed)) in (0..).zip(&chain) {
        must(store.commit(&Commit::new(block, executed)));
        assert_eq!(
            must(store.head()).as_ref(),
            Some(&block.header),
            "the head is the newest"
        );
        let reloaded = must(reload(store));
        assert_eq!(
            reloaded.overlay.head(),
            &block.header,
            "reloading gives the head"
        );
        assert_eq!(
            reloaded.overlay.map().root(),
            block.header.state_root,
            "and its state"
        );
        assert_eq!(
            reloaded.log.size(),
            height + 1,
            "and the log of all headers"
        );
    }
    for (height, (block, _)) in (0..).zip(&chain) {
        assert_eq!(
            must(store.block(height)).as_ref(),
            Some(block),
            "a block is read back"
        );
        let header = must(store.header(height));
        assert_eq!(header, Some(block.header.bytes()), "a header is read back");
    }
    assert!(
        must(store.block(5)).is_none(),
        "there is no block above the head"
    );
    assert!(
        must(store.header(5)).is_none(),
        "there is no header above the head"
    );
}

fn a_commit_is_idempotent_and_in_order<S: LedgerStore>(store: &mut S) {
    let chain = chain(4);
    let [genesis, one, two, three] = chain.as_slice() else {
        return;
    };
    let commit = |store: &mut S, (block, executed): &(Block, Executed)| {
        store.commit(&Commit::new(block, executed)).is_ok()
    };
    assert!(!commit(store, one), "the first commit is genesis");
    assert!(commit(store, genesis), "genesis is committed first");
    assert!(!commit(store, two), "no height is left out");
    assert!(
        commit(store, one) && commit(store, one),
        "the head's commit may come again"
    );
    let mut other = one.0.clone();
    other.header.time = Time(u64::MAX);
    let refused = !commit(store, &(other, one.1.clone()));
    assert!(refused, "another block at the head's height is refused");
    assert!(
        commit(store, two) && !commit(store, one),
        "no height below the head is committed"
    );
    let head = must(store.head());
    assert_eq!(
        head.as_ref(),
        Some(&two.0.header),
        "a refused commit leaves the head"
    );
    let state = must(store.state());
    let mut torn = three.1.clone();
    torn.entries = vec![(SUBJECT, 7, vec![1])];
    torn.changes = BTreeMap::from([(MapKey([1; 32]), Some(vec![1].into()))]);
    let refused = !commit(store, &(three.0.clone(), torn));
    assert!(refused, "a history's entry has the next index");
    assert_eq!(
        sorted(must(store.state())),
        sorted(state),
        "a refused commit changes no state"
    );
    assert_eq!(must(store.head()), head, "a refused commit adds no block");
}

fn changes_histories_and_places_are_kept<S: LedgerStore>(store: &mut S) {
    let mut chain = chain(3);
    let [genesis, one, two] = chain.as_mut_slice() else {
        return;
    };
    let transaction = |byte| SignedTransaction {
        bytes: vec![byte],
        signature: Signature([byte; 64]),
    };
    let (key, other) = (MapKey([1; 32]), MapKey([2; 32]));
    let subject = Subject::Actor(ActorId([8; 16]));
    one.0.transactions = vec![transaction(1), transaction(2)];
    one.1.changes = BTreeMap::from([(key, Some(vec![1].into())), (other, Some(vec![2].into()))]);
    one.1.entries = vec![
        (SUBJECT, 0, vec![1]),
        (subject, 0, vec![2]),
        (SUBJECT, 1, vec![3]),
    ];
    two.1.changes = BTreeMap::from([(key, None), (other, Some(vec![3].into()))]);
    two.1.entries = vec![(SUBJECT, 2, vec![4])];
    for (block, executed) in [&*genesis, one, two] {
        must(store.commit(&Commit::new(block, executed)));
    }
    let state = must(store.state());
    let of = |key| state.iter().filter(|(one, _)| *one == key).count();
    assert_eq!(
        (of(key), of(other)),
        (0, 1),
        "a removed key is gone, a changed one is there once"
    );
    assert!(
        state.contains(&(other, vec![3])),
        "a changed key has its new value"
    );
    let history = |subject, from, limit| must(store.history(&subject, from, limit));
    assert_eq!(
        history(SUBJECT, 0, 9),
        [[1], [3], [4]],
        "entries come in order"
    );
    assert_eq!(
        history(SUBJECT, 1, 1),
        [[3]],
        "from an index on, up to a limit"
    );
    assert!(
        history(SUBJECT, 3, 9).is_empty(),
        "nothing is beyond the end"
    );
    assert_eq!(history(subject, 0, 9), [[2]], "histories don't mix");
    assert_eq!(
        must(store.subjects()),
        [SUBJECT, subject],
        "every history with entries is listed, in order"
    );
    let place = must(store.transaction(&transaction(2).id()));
    assert_eq!(
        place,
        Some(TxPlace {
            height: 1,
            index: 1
        }),
        "a transaction is found"
    );
    assert!(
        must(store.transaction(&transaction(3).id())).is_none(),
        "an unknown one is not"
    );
    assert_eq!(
        must(store.block(1)),
        Some(one.0.clone()),
        "transactions are kept as they came"
    );
}

fn a_snapshot_is_kept_and_the_chain_goes_on<S: LedgerStore>(store: &mut S, other: &mut S) {
    let (chain, imported) = (chain(8), snapshot(5));
    must(store.keep(&imported));
    let kept = Kept {
        blocks_from: 5,
        leaves_from: 5,
    };
    assert_eq!(must(store.kept()), kept, "a snapshot holds no transactions");
    let refused = store.keep(&imported).is_err();
    assert!(refused, "a snapshot is kept only where there is no block");
    assert_eq!(
        must(store.head()).as_ref(),
        chain.get(4).map(|(block, _)| &block.header),
        "the snapshot's header is the head"
    );
    let state = sorted(must(store.state()));
    let imported_state = imported.reloaded.overlay.map().iter();
    let imported_state = imported_state.map(|(key, value)| (*key, value.to_vec()));
    assert_eq!(state, sorted(imported_state.collect()), "its state is kept");
    let mut again = chain.iter().skip(4);
    for (block, executed) in again.by_ref().take(2) {
        must(store.commit(&Commit::new(block, executed)));
    }
    for (height, (block, _)) in (0..).zip(chain.iter().take(6)) {
        let header = must(store.header(height));
        assert_eq!(header, Some(block.header.bytes()), "every header is kept");
        let is_refused = store.block(height).is_err() && store.leaves(height).is_err();
        assert_eq!(
            is_refused,
            height < 5,
            "a block before the snapshot is refused"
        );
    }
    is_whole(store);
    for (block, executed) in again {
        must(store.commit(&Commit::new(block, executed)));
    }
    let pruned = must(store.prune(4)) + must(store.prune(7));
    assert_eq!(pruned, 2, "what is not there is not pruned");
    assert!(
        store.leaves(4).is_err(),
        "leaf hashes are from the snapshot on"
    );
    assert!(must(store.leaves(5)).is_some(), "later ones stay");
    is_whole(store);

    if let Some((block, executed)) = chain.first() {
        must(other.commit(&Commit::new(block, executed)));
        assert!(
            other.keep(&imported).is_err(),
            "a chain is not written over"
        );
        assert_eq!(
            must(other.head()).as_ref(),
            Some(&block.header),
            "a refused snapshot leaves the head"
        );
        is_whole(other);
    }
}

/// Entries that no ledger would make: a store does not look.
fn a_snapshots_histories_are_kept<S: LedgerStore>(store: &mut S) {
    let (mut chain, mut imported) = (chain(3), snapshot(2));
    imported.histories.insert(SUBJECT, vec![vec![1], vec![2]]);
    must(store.keep(&imported));
    assert_eq!(
        must(store.subjects()),
        [SUBJECT],
        "a snapshot's history is listed"
    );
    assert_eq!(must(store.history(&SUBJECT, 0, 9)), [[1], [2]], "and kept");
    let Some((block, executed)) = chain.last_mut() else {
        return;
    };
    executed.entries = vec![(SUBJECT, 1, vec![3])];
    let refused = store.commit(&Commit::new(block, executed)).is_err();
    assert!(refused, "its next entry has the next index");
    executed.entries = vec![(SUBJECT, 2, vec![3])];
    must(store.commit(&Commit::new(block, executed)));
    assert_eq!(must(store.history_len(&SUBJECT)), 3, "and it goes on");
}

fn pruning_takes_transactions_and_nothing_else<S: LedgerStore>(store: &mut S) {
    assert_eq!(
        must(store.prune(0)),
        0,
        "nothing is pruned of an empty store"
    );
    let mut chain = chain(6);
    let mut leaves = Vec::new();
    for (height, (block, executed)) in (0_u8..).zip(&mut chain) {
        // Blocks that no ledger would execute: a store does not look.
        block.transactions = (1..height).map(|byte| transaction(height, byte)).collect();
        leaves.push(
            block
                .transactions
                .iter()
                .map(SignedTransaction::leaf)
                .collect::<Vec<_>>(),
        );
        executed.entries = vec![(SUBJECT, u64::from(height), vec![height])];
        must(store.commit(&Commit::new(block, executed)));
    }
    let counts = must(store.counts());
    let before = (
        sorted(must(store.state())),
        must(store.history(&SUBJECT, 0, 9)),
    );
    assert!(store.prune(6).is_err(), "the newest block stays");
    assert_eq!(
        must(store.kept()).blocks_from,
        0,
        "a refused pruning takes nothing"
    );
    assert_eq!(must(store.prune(4)), 4, "it says how many blocks it took");
    assert_eq!(must(store.prune(4)), 0, "and takes none twice");
    assert_eq!(must(store.prune(2)), 0, "nor gives any back");
    let kept = Kept {
        blocks_from: 4,
        leaves_from: 0,
    };
    assert_eq!(must(store.kept()), kept, "it is known what is left");
    for ((height, (block, _)), leaves) in (0..).zip(&chain).zip(leaves) {
        let header = must(store.header(height));
        assert_eq!(header, Some(block.header.bytes()), "headers stay");
        assert_eq!(must(store.leaves(height)), Some(leaves), "leaf hashes stay");
        let place = |transaction: &SignedTransaction| must(store.transaction(&transaction.id()));
        let found = block.transactions.iter().filter_map(place).count();
        if height < 4 {
            let refused = store.block(height).is_err();
            assert!(refused, "a pruned block is refused, not unknown");
            assert_eq!(found, 0, "and its transactions are nowhere");
        } else {
            assert_eq!(
                must(store.block(height)).as_ref(),
                Some(block),
                "later ones stay"
            );
            assert_eq!(found, block.transactions.len(), "and are found");
        }
    }
    assert!(
        must(store.block(6)).is_none(),
        "above the head is still nothing"
    );
    let after = (
        sorted(must(store.state())),
        must(store.history(&SUBJECT, 0, 9)),
    );
    assert_eq!(before, after, "state and histories stay");
    let expected = Counts {
        blocks: 2,
        pruned: 4,
        transactions: 7,
        ..counts
    };
    assert_eq!(must(store.counts()), expected, "rows are counted");
}

fn is_whole<S: LedgerStore>(store: &S) {
    must(reload(store));
    let verified = must(verify(store, |_| ()));
    assert_eq!(
        verified.damage,
        [],
        "what is stored is what the headers name"
    );
    assert_eq!(
        verified.counts,
        must(store.counts()),
        "all of it is looked at"
    );
}

/// What the first blocks of [`chain`] are as a snapshot.
fn snapshot(blocks: u64) -> Imported {
    let (mut store, chain) = (MemoryStore::new(), chain(blocks));
    for (block, executed) in &chain {
        must(store.commit(&Commit::new(block, executed)));
    }
    let mut chunks = Vec::new();
    must(export_snapshot(&store, |chunk| {
        chunks.push(chunk.to_vec());
        Ok::<(), super::Refused>(())
    }));
    let head = must(must(store.head()).ok_or("a chain has a head"));
    let mut import = Import::new(head);
    for chunk in &chunks {
        must(import.chunk(chunk));
    }
    must(import.finish())
}

fn transaction(height: u8, byte: u8) -> SignedTransaction {
    SignedTransaction {
        bytes: vec![height, byte],
        signature: Signature([byte; 64]),
    }
}

const SUBJECT: Subject = Subject::Actor(ActorId([7; 16]));

/// Genesis and empty blocks.
fn chain(blocks: u64) -> Vec<(Block, Executed)> {
    let org = Organization {
        id: OrgId([1; 16]),
        enrolment_key: PublicKey([1; 32]),
        custodian_key: PublicKey([2; 32]),
        custodian_kem: [3; 32],
        validator: PublicKey([4; 32]),
    };
    let committee = [org.id];
    let genesis = Genesis::new(
        Time(1_000),
        [9; 32],
        Params::default(),
        vec![org],
        &committee,
    );
    let genesis = must(genesis);
    let mut chain = vec![(genesis.block(), genesis.executed())];
    for height in 1..blocks {
        if let Some((_, parent)) = chain.last() {
            let next = propose(&parent.overlay, Time(1_000 + height), []);
            chain.push((next.block, next.executed));
        }
    }
    chain
}

fn sorted(mut state: Vec<(MapKey, Vec<u8>)>) -> Vec<(MapKey, Vec<u8>)> {
    state.sort_unstable();
    state
}

#[expect(clippy::panic, reason = "a check of a suite that runs in tests")]
fn must<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("a store must do this, but: {error}"),
    }
}
