//! The pool's promises: bounded, fair, and nothing leaves it but by finality.
use std::num::NonZeroUsize;

use chartseal_consensus::{Limits, Pool, PoolError};
use chartseal_ledger::{
    AdmissionError, Overlay, SignedTransaction, execute, execute_verified, propose,
    propose_verified,
};
use chartseal_wire::{ChainId, Signature};

use crate::sim::people::{Person, actors, genesis};

struct Fixture {
    head: Overlay,
    chain: ChainId,
    people: Vec<Person>,
}

impl Fixture {
    fn new() -> Self {
        let genesis = genesis(4);
        Self {
            head: genesis.overlay(),
            chain: genesis.chain_id(),
            people: actors(4),
        }
    }

    fn ask(&self, who: usize, seq: u64) -> SignedTransaction {
        self.people[who].ask(self.chain, seq, 100, 1)
    }

    /// The chain goes on with these transactions.
    fn finalize(
        &mut self,
        pool: &mut Pool,
        transactions: Vec<SignedTransaction>,
    ) -> chartseal_consensus::Settled {
        let actors: Vec<_> = transactions
            .iter()
            .map(|one| one.parse().unwrap().actor_key)
            .collect();
        let time = self.head.head().time.plus_ms(1_000);
        let block = propose(&self.head, time, transactions).block;
        self.head = execute(&self.head, &block).unwrap().overlay;
        pool.settle(&self.head, actors)
    }
}

fn small() -> Limits {
    Limits {
        per_actor: 4,
        transactions: 6,
        bytes: 1 << 20,
    }
}

#[test]
fn each_rule_of_admission_is_broken_alone() {
    let fixture = Fixture::new();
    let mut pool = Pool::new(small());
    let good = fixture.ask(0, 5);
    pool.insert(good.clone(), &fixture.head, true).unwrap();
    let mut refuse = |transaction: SignedTransaction| {
        let before = (pool.len(), pool.bytes());
        let error = pool.insert(transaction, &fixture.head, true).unwrap_err();
        assert_eq!((pool.len(), pool.bytes()), before);
        error
    };
    assert_eq!(refuse(good.clone()).rule(), "CS-POOL-02");
    let rival = fixture.people[0].ask(fixture.chain, 5, 100, 2);
    assert_eq!(refuse(rival), PoolError::Occupied { by: good.id() });

    let ledger = |error: PoolError| match error {
        PoolError::Refused(why) => why.rule(),
        other => panic!("{other}"),
    };
    let other_chain = fixture.people[0].ask(ChainId([9; 32]), 6, 100, 1);
    assert_eq!(ledger(refuse(other_chain)), "CS-LED-04");
    let expired = fixture.people[0].ask(fixture.chain, 6, 0, 1);
    assert_eq!(ledger(refuse(expired)), "CS-LED-05");
    let used = fixture.people[0].ask(fixture.chain, 0, 100, 1);
    assert_eq!(ledger(refuse(used)), "CS-LED-08");
    let mut forged = fixture.ask(0, 6);
    forged.signature = Signature([1; 64]);
    let error = refuse(forged);
    assert!(error.is_hostile());
    assert_eq!(ledger(error), "CS-LED-09");
    let mut garbled = fixture.ask(0, 6);
    garbled.bytes.push(0);
    assert_eq!(ledger(refuse(garbled)), "CS-LED-02");
    assert!(!PoolError::from(AdmissionError::UnknownKey).is_hostile());
}

#[test]
fn one_actors_flood_keeps_nobody_else_out() {
    let fixture = Fixture::new();
    let mut pool = Pool::new(small());
    for seq in 1..=4 {
        pool.insert(fixture.ask(0, seq), &fixture.head, false)
            .unwrap();
    }
    let fifth = pool.insert(fixture.ask(0, 5), &fixture.head, false);
    assert_eq!(fifth, Err(PoolError::ActorFull { max: 4 }));
    pool.insert(fixture.ask(1, 1), &fixture.head, false)
        .unwrap();
    pool.insert(fixture.ask(1, 2), &fixture.head, false)
        .unwrap();
    // It is full now. A newcomer takes the latest of who has most; who has most gets no more.
    let newcomer = fixture.ask(2, 1);
    pool.insert(newcomer.clone(), &fixture.head, false).unwrap();
    assert_eq!(pool.len(), 6);
    assert!(pool.contains(&newcomer.id()));
    assert!(!pool.contains(&fixture.ask(0, 4).id()));
    let more = pool
        .insert(fixture.ask(0, 4), &fixture.head, false)
        .unwrap_err();
    assert_eq!(more.rule(), "CS-POOL-05");
}

#[test]
fn a_forged_transaction_makes_nobody_lose_their_place() {
    let fixture = Fixture::new();
    let mut pool = Pool::new(Limits {
        transactions: 2,
        ..small()
    });
    pool.insert(fixture.ask(0, 1), &fixture.head, false)
        .unwrap();
    pool.insert(fixture.ask(0, 2), &fixture.head, false)
        .unwrap();
    let mut forged = fixture.ask(1, 1);
    forged.signature = Signature([1; 64]);
    pool.insert(forged, &fixture.head, false).unwrap_err();
    assert_eq!(pool.len(), 2);
}

/// A block's signatures that the pool verified are not verified again: those, and no others.
#[test]
fn the_pool_vouches_for_no_signature_but_the_one_that_it_verified() {
    let fixture = Fixture::new();
    let mut pool = Pool::new(small());
    let (waits, unknown) = (fixture.ask(0, 1), fixture.ask(1, 1));
    pool.insert(waits.clone(), &fixture.head, false).unwrap();
    let mut forged = waits.clone();
    forged.signature.0[40] ^= 1;
    let seen = pool.verified(&[waits.clone(), forged.clone(), unknown]);
    assert_eq!(seen, [true, false, false]);

    // A leader puts the forged one into its block.
    let time = fixture.head.head().time.plus_ms(1);
    let block = propose_verified(&fixture.head, time, [forged]).block;
    let verified = pool.verified(&block.transactions);
    let refused = execute_verified(&fixture.head, &block, &verified, NonZeroUsize::MIN);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("signature does not verify"), "{error}");
    let block = propose_verified(&fixture.head, time, [waits]).block;
    let verified = pool.verified(&block.transactions);
    execute_verified(&fixture.head, &block, &verified, NonZeroUsize::MIN).unwrap();
}

#[test]
fn a_block_takes_from_everybody_in_turn_and_goes_on_behind_who_came_last() {
    let fixture = Fixture::new();
    let mut pool = Pool::new(Limits::default());
    for who in 0..4 {
        for seq in 1..=3 {
            pool.insert(fixture.ask(who, seq), &fixture.head, false)
                .unwrap();
        }
    }
    let key = |transaction: &SignedTransaction| transaction.parse().unwrap().actor_key;
    let first = pool.candidates(&fixture.head, 4, usize::MAX);
    let mut keys: Vec<_> = first.iter().map(key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4, "one of each");
    assert!(first.iter().all(|one| one.parse().unwrap().seq == 1));
    // Two find room in the next: not the same two again and again.
    let second: Vec<_> = pool
        .candidates(&fixture.head, 2, usize::MAX)
        .iter()
        .map(key)
        .collect();
    let third: Vec<_> = pool
        .candidates(&fixture.head, 2, usize::MAX)
        .iter()
        .map(key)
        .collect();
    assert!(second.iter().all(|one| !third.contains(one)));
    // A key's own order is kept.
    let all = pool.candidates(&fixture.head, 100, usize::MAX);
    for who in 0..4 {
        let mine = all
            .iter()
            .filter(|one| key(one) == fixture.people[who].public());
        let seqs: Vec<_> = mine.map(|one| one.parse().unwrap().seq).collect();
        assert_eq!(seqs, [1, 2, 3]);
    }
}

/// A proposal may fail; what was in it stays until a block with it is final.
#[test]
fn a_proposal_takes_nothing_out_of_the_pool_and_finality_does() {
    let mut fixture = Fixture::new();
    let mut pool = Pool::new(Limits::default());
    for seq in 1..=2 {
        pool.insert(fixture.ask(0, seq), &fixture.head, true)
            .unwrap();
    }
    let offered = pool.candidates(&fixture.head, 10, usize::MAX);
    assert_eq!(offered.len(), 2);
    assert_eq!(pool.candidates(&fixture.head, 10, usize::MAX).len(), 2);
    // What was sent a moment ago is not sent again; what waits for long is.
    assert_eq!(pool.overdue(10), []);
    assert_eq!(pool.overdue(10).len(), 2);
    // On a parent that has the first in it, only the second is offered.
    let time = fixture.head.head().time.plus_ms(1);
    let parent = propose(&fixture.head, time, [offered[0].clone()])
        .executed
        .overlay;
    assert_eq!(pool.candidates(&parent, 10, usize::MAX), offered[1..]);

    fixture.finalize(&mut pool, vec![offered[0].clone()]);
    assert!(!pool.contains(&offered[0].id()) && pool.contains(&offered[1].id()));
    let again = pool
        .insert(offered[0].clone(), &fixture.head, false)
        .unwrap_err();
    assert!(matches!(
        again,
        PoolError::Refused(AdmissionError::Sequence { .. })
    ));
}

#[test]
fn what_expires_and_what_a_final_state_refuses_leaves_and_is_told() {
    let mut fixture = Fixture::new();
    let mut pool = Pool::new(Limits::default());
    let short = fixture.people[0].ask(fixture.chain, 1, 1, 1);
    pool.insert(short.clone(), &fixture.head, true).unwrap();
    // No list of records: the ledger refuses it in every state, which the pool does not look at.
    let bad = fixture.people[1].nonsense(fixture.chain, 1, 100);
    pool.insert(bad.clone(), &fixture.head, true).unwrap();
    pool.suspect([bad.id()]);
    assert!(pool.contains(&bad.id()), "a suspicion settles nothing");
    let settled = fixture.finalize(&mut pool, Vec::new());
    assert_eq!(settled.expired, [short.id()]);
    assert_eq!(settled.refused, [(bad.id(), AdmissionError::RecordList)]);
    assert!(pool.is_empty() && pool.bytes() == 0);
}
