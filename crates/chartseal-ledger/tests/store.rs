//! The store's contract, and what reloading says of damage.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::store::{
    Counts, Damage, Imported, Kept, ReloadError, TxPlace, conformance, reload,
};
use chartseal_ledger::{Block, Commit, LedgerStore, MemoryStore};
use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Hash, Subject, TxId};
use common::*;

#[test]
fn the_memory_store_keeps_the_contract() {
    conformance::run(MemoryStore::new);
}

#[test]
fn reloading_gives_the_head_and_the_chain_goes_on() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let reloaded = reload(&chain.store).unwrap();
    assert_eq!(reloaded.overlay.head(), chain.head.head());
    assert_eq!(reloaded.overlay.log(), chain.head.log());
    assert_eq!(reloaded.overlay.params(), chain.head.params());
    assert_eq!(reloaded.overlay.committee(), chain.head.committee());
    chain.head = reloaded.overlay;
    chain.ok(&actor_key(10), chain.record(21));
}

type State = Vec<(MapKey, Vec<u8>)>;

/// A store that lies in one place.
struct Damaged {
    store: MemoryStore,
    header: fn(u64, Option<Vec<u8>>) -> Option<Vec<u8>>,
    state: fn(State) -> State,
}

impl LedgerStore for Damaged {
    type Error = <MemoryStore as LedgerStore>::Error;

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), Self::Error> {
        self.store.commit(commit)
    }

    fn head(&self) -> Result<Option<BlockHeader>, Self::Error> {
        self.store.head()
    }

    fn keep(&mut self, snapshot: &Imported) -> Result<(), Self::Error> {
        self.store.keep(snapshot)
    }

    fn prune(&mut self, below: u64) -> Result<u64, Self::Error> {
        self.store.prune(below)
    }

    fn kept(&self) -> Result<Kept, Self::Error> {
        self.store.kept()
    }

    fn counts(&self) -> Result<Counts, Self::Error> {
        self.store.counts()
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Self::Error> {
        self.store.block(height)
    }

    fn leaves(&self, height: u64) -> Result<Option<Vec<Hash>>, Self::Error> {
        self.store.leaves(height)
    }

    fn history_len(&self, of: &Subject) -> Result<u64, Self::Error> {
        self.store.history_len(of)
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok((self.header)(height, self.store.header(height)?))
    }

    fn state(&self) -> Result<State, Self::Error> {
        Ok((self.state)(self.store.state()?))
    }

    fn subjects(&self) -> Result<Vec<Subject>, Self::Error> {
        self.store.subjects()
    }

    fn history(&self, of: &Subject, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Self::Error> {
        self.store.history(of, from, limit)
    }

    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, Self::Error> {
        self.store.transaction(id)
    }
}

#[test]
fn damage_is_named_where_it_is() {
    let chain = Chain::populated();
    let damage = |header, state| {
        let damaged = Damaged {
            store: chain.store.clone(),
            header,
            state,
        };
        match reload(&damaged) {
            Ok(_) => None,
            Err(ReloadError::Damaged(damage)) => Some(damage),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(damage(|_, header| header, |state| state), None);
    let missing = damage(
        |height, header| header.filter(|_| height != 2),
        |state| state,
    );
    assert_eq!(missing, Some(Damage::MissingHeader { height: 2 }));
    let changed = |height, header: Option<Vec<u8>>| {
        let mut header: BlockHeader = chartseal_codec::from_bytes(&header?).unwrap();
        header.time.0 += u64::from(height == 1);
        Some(header.bytes())
    };
    assert_eq!(
        damage(changed, |state| state),
        Some(Damage::LogRoot { height: 2 })
    );
    let garbage = damage(
        |height, one| if height == 3 { Some(vec![0]) } else { one },
        |state| state,
    );
    assert_eq!(garbage, Some(Damage::BadHeader { height: 3 }));
    let shorter = damage(
        |_, header| header,
        |mut state| {
            state.pop();
            state
        },
    );
    assert_eq!(shorter, Some(Damage::StateRoot));
    let flipped = damage(
        |_, header| header,
        |mut state| {
            state[3].1[0] ^= 1;
            state
        },
    );
    assert_eq!(flipped, Some(Damage::StateRoot));
}
