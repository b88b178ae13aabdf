//! The store's contract, and what reloading says of damage.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use chartseal_ledger::store::{
    Counts, Damage, Imported, Kept, Refused, ReloadError, ReplayError, Table, TxPlace, conformance,
    reload, replay, verify,
};
use chartseal_ledger::{Block, Commit, LedgerStore, MemoryStore, Params};
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
    /// Whose history is gone as a whole.
    without: Option<Subject>,
    /// Of whose history the entry with this index is another.
    changed: Option<(Subject, u64)>,
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
        let mut counts = self.store.counts()?;
        if let Some(subject) = &self.without {
            counts.histories -= 1;
            counts.entries -= self.store.history_len(subject)?;
        }
        Ok(counts)
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
        let subjects = self.store.subjects()?.into_iter();
        Ok(subjects.filter(|one| Some(*one) != self.without).collect())
    }

    fn history(&self, of: &Subject, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Self::Error> {
        if self.without == Some(*of) {
            return Ok(Vec::new());
        }
        let mut entries = self.store.history(of, from, limit)?;
        for (index, entry) in (from..).zip(&mut entries) {
            if self.changed == Some((*of, index)) {
                *entry.last_mut().unwrap() ^= 1;
            }
        }
        Ok(entries)
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
            without: None,
            changed: None,
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

#[test]
fn executing_the_blocks_anew_gives_every_state_and_receipt_again() {
    let genesis = genesis();
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (_, outcomes) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    let last = chain.last.receipts.clone();
    let mut receipts = Vec::new();
    let end = replay(
        &chain.store,
        &genesis.overlay(),
        chain.head.height(),
        |block, executed| {
            assert_eq!(executed.overlay.head(), &block.header);
            receipts.push(executed.receipts.clone());
        },
    );
    assert_eq!(end.unwrap().head(), chain.head.head());
    assert_eq!(receipts.len() as u64, chain.head.height());
    assert_eq!(receipts.last(), Some(&last));
    assert!(outcomes[0].permitted);
    // What was proved at a height is provable at it again, under that block's own root.
    let subject = Subject::Patient(patient(1));
    for height in 0..=chain.head.height() {
        let then = replay(&chain.store, &genesis.overlay(), height, |_, _| ()).unwrap();
        let header = &chain.blocks[usize::try_from(height).unwrap()].header;
        assert_eq!(then.head(), header);
        let value = then.map().get(&subject.slot()).map(<[u8]>::to_vec);
        let proof = then.prove_history(&subject);
        let proved = proof.verify(header.state_root, &subject.slot(), value.as_deref());
        assert_eq!(proved, Ok(()), "{height}");
    }
}

#[test]
fn each_history_that_is_gone_as_a_whole_is_named_by_reloading_and_by_verifying() {
    let chain = Chain::populated();
    let subjects = chain.store.subjects().unwrap();
    // Organizations, practitioners and patients, these as patients and as actors.
    for some in [
        Subject::Actor(org(1).into()),
        Subject::Actor(actor(10)),
        Subject::Patient(patient(1)),
    ] {
        assert!(subjects.contains(&some), "{some:?}");
    }
    for subject in subjects {
        let mut damaged = Damaged {
            store: chain.store.clone(),
            header: |_, header| header,
            state: |state| state,
            without: Some(subject),
            changed: None,
        };
        let expected = Damage::HistoryLength {
            subject,
            expected: chain.store.history_len(&subject).unwrap(),
            found: 0,
        };
        assert_eq!(
            (expected.rule(), expected.table()),
            ("CS-STO-20", Table::Histories)
        );
        let verified = verify(&damaged, |_| ()).unwrap();
        assert_eq!(verified.damage, std::slice::from_ref(&expected));
        let reloaded = reload(&damaged).map(|_| ());
        assert!(
            matches!(&reloaded, Err(ReloadError::Damaged(found)) if *found == expected),
            "{reloaded:?}"
        );
        damaged.without = None;
        assert_eq!(verify(&damaged, |_| ()).unwrap().damage, []);
    }
}

#[test]
fn a_history_that_is_gone_as_a_whole_is_found_by_executing_anew() {
    let chain = Chain::populated();
    let damaged = Damaged {
        store: chain.store.clone(),
        header: |_, header| header,
        state: |state| state,
        without: Some(Subject::Patient(patient(2))),
        changed: None,
    };
    let until = chain.head.height();
    let replayed = replay(&damaged, &genesis().overlay(), until, |_, _| ());
    let Err(ReplayError::Damaged(damage)) = replayed else {
        panic!("{replayed:?}")
    };
    let expected = Damage::History {
        subject: Subject::Patient(patient(2)),
        index: Some(0),
    };
    assert_eq!(damage, expected);
    assert_eq!(
        (damage.rule(), damage.table()),
        ("CS-STO-21", Table::Histories)
    );
}

#[test]
fn an_entry_that_is_another_is_found_by_executing_anew() {
    let chain = Chain::populated();
    let subject = Subject::Patient(patient(2));
    let until = chain.head.height();
    let entries = chain.store.history_len(&subject).unwrap();
    assert!(entries > 0);
    for index in 0..entries {
        let damaged = Damaged {
            store: chain.store.clone(),
            header: |_, header| header,
            state: |state| state,
            without: None,
            changed: Some((subject, index)),
        };
        let replayed = replay(&damaged, &genesis().overlay(), until, |_, _| ());
        let Err(ReplayError::Damaged(found)) = replayed else {
            panic!("{replayed:?}")
        };
        let index = Some(index);
        assert_eq!(found, Damage::History { subject, index });
    }
}

#[test]
fn pruned_blocks_are_not_executed_anew_and_the_rest_is_from_a_state_of_their_height() {
    let mut chain = Chain::populated();
    let middle = chain.head.clone();
    chain.ok(&actor_key(10), chain.record(20));
    chain.ok(&actor_key(10), chain.record(21));
    chain.store.prune(middle.height() + 1).unwrap();
    let until = chain.head.height();
    let refused = replay(&chain.store, &genesis().overlay(), until, |_, _| ());
    let expected = Refused::Pruned {
        height: 1,
        from: middle.height() + 1,
    };
    assert!(
        matches!(&refused, Err(ReplayError::Store(refused)) if *refused == expected),
        "{refused:?}"
    );
    assert_eq!(expected.rule(), "CS-STO-06");
    let end = replay(&chain.store, &middle, until, |_, _| ()).unwrap();
    assert_eq!(end.head(), chain.head.head());
    // A state of another chain is no start.
    let other = genesis_with(Params::default()).overlay();
    let refused = replay(&chain.store, &other, until, |_, _| ());
    assert!(
        matches!(
            refused,
            Err(ReplayError::Damaged(Damage::BadHeader { height: 0 }))
        ),
        "{refused:?}"
    );
}

#[test]
fn a_transaction_of_a_pruned_block_is_still_proved_by_its_leaf() {
    let mut chain = Chain::populated();
    let one = chain.sign(&actor_key(10), chain.record(20));
    let two = chain.sign(&actor_key(10), chain.record(21));
    chain.block(vec![one.clone(), two]);
    let (height, root) = (chain.head.height(), chain.head.head().tx_root);
    chain.ok(&actor_key(10), chain.record(22));
    chain.store.prune(height + 1).unwrap();
    let leaves = chain.store.leaves(height).unwrap().unwrap();
    let tree: chartseal_merkle::Log = leaves.into_iter().collect();
    let proof = tree.prove_inclusion(0, 2).unwrap();
    let proved = chartseal_merkle::verify_inclusion(one.leaf(), 0, 2, &proof, root);
    assert_eq!(proved, Ok(()));
    assert_eq!(chain.store.transaction(&one.id()).unwrap(), None);
}

#[test]
fn progress_reaches_the_end_of_each_table() {
    let chain = Chain::populated();
    let mut last = std::collections::BTreeMap::new();
    verify(&chain.store, |now| {
        last.insert(now.table, now);
    })
    .unwrap();
    let tables = [
        Table::Headers,
        Table::Blocks,
        Table::State,
        Table::Histories,
    ];
    assert_eq!(last.keys().copied().collect::<Vec<_>>(), tables);
    assert!(last.values().all(|now| now.done == now.of && now.of > 0));
}
