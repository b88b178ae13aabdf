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

use super::{Commit, LedgerStore, ReloadError, TxPlace, reload};
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
    torn.changes = BTreeMap::from([(MapKey([1; 32]), Some(vec![1]))]);
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
    one.1.changes = BTreeMap::from([(key, Some(vec![1])), (other, Some(vec![2]))]);
    one.1.entries = vec![
        (SUBJECT, 0, vec![1]),
        (subject, 0, vec![2]),
        (SUBJECT, 1, vec![3]),
    ];
    two.1.changes = BTreeMap::from([(key, None), (other, Some(vec![3]))]);
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
