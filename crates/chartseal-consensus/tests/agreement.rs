//! No block is final on which the organizations do not agree.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::convert::Infallible;

use chartseal_consensus::{Ordering, OrderingError, Rejection, Replica, Sequencer};
use chartseal_ledger::{Block, SignedTransaction, tx_root};
use chartseal_wire::{BlockHeader, ChainId, Hash, OrgId, Signature, Time};

/// A replica that counts blocks, and comes to a state of its own at one height.
struct Toy {
    org: OrgId,
    is_running: bool,
    differs_at: Option<u64>,
    executed: Option<Block>,
    /// Genesis first.
    chain: Vec<Block>,
}

fn header(height: u64, transactions: &[SignedTransaction], state_root: Hash) -> BlockHeader {
    BlockHeader {
        version: 1,
        chain: ChainId([1; 32]),
        epoch: 0,
        height,
        parent: Hash::ZERO,
        time: Time(height),
        tx_root: tx_root(transactions),
        state_root,
        log_root: Hash::ZERO,
        log_size: height,
        next_committee: Hash::ZERO,
    }
}

impl Toy {
    fn new(org: u8) -> Self {
        let genesis = Block {
            header: header(0, &[], Hash::ZERO),
            transactions: Vec::new(),
        };
        Self {
            org: OrgId([org; 16]),
            is_running: true,
            differs_at: None,
            executed: None,
            chain: vec![genesis],
        }
    }

    fn root(&self, height: u64) -> Hash {
        let differs = self.differs_at == Some(height);
        Hash([u8::from(differs); 32])
    }
}

impl Replica for Toy {
    type Error = Infallible;

    fn organization(&self) -> OrgId {
        self.org
    }

    fn is_running(&self) -> bool {
        self.is_running
    }

    fn head(&self) -> &BlockHeader {
        &self.chain.last().unwrap().header
    }

    fn propose(
        &self,
        _: Time,
        candidates: &[SignedTransaction],
    ) -> Result<(Block, Vec<Rejection>), Infallible> {
        let height = self.head().height + 1;
        let block = Block {
            header: header(height, candidates, self.root(height)),
            transactions: candidates.to_vec(),
        };
        Ok((block, Vec::new()))
    }

    fn execute(&mut self, block: &Block) -> Result<Hash, Infallible> {
        self.executed = Some(block.clone());
        Ok(self.root(block.header.height))
    }

    fn commit(&mut self, _: Hash) -> Result<(), Infallible> {
        self.chain.extend(self.executed.take());
        Ok(())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Infallible> {
        Ok(self.chain.get(usize::try_from(height).unwrap()).cloned())
    }
}

fn four() -> Sequencer<Toy> {
    Sequencer::new((1..=4).map(Toy::new).collect())
}

/// Orders one transaction.
fn order(sequencer: &mut Sequencer<Toy>) -> Result<(), OrderingError<Infallible>> {
    sequencer.submit(SignedTransaction {
        bytes: vec![1],
        signature: Signature([0; 64]),
    });
    sequencer.finalize(Time(1)).map(|_| ())
}

fn heights(sequencer: &Sequencer<Toy>) -> Vec<u64> {
    let heads = sequencer.replicas().iter().map(Replica::head);
    heads.map(|head| head.height).collect()
}

#[test]
fn a_block_on_which_one_replica_disagrees_is_committed_by_none() {
    // The first one proposes the first block; whether it or another one is wrong makes no difference.
    for wrong in 0..4 {
        let mut sequencer = four();
        sequencer.replicas_mut()[wrong].differs_at = Some(1);
        let error = order(&mut sequencer).unwrap_err();
        assert!(
            matches!(error, OrderingError::Disagreement { height: 1, .. }),
            "{error}"
        );
        assert_eq!(heights(&sequencer), [0; 4]);
    }
    let mut sequencer = four();
    order(&mut sequencer).unwrap();
    assert_eq!(heights(&sequencer), [1; 4]);
}

#[test]
fn a_replica_that_catches_up_and_disagrees_takes_no_part() {
    let mut sequencer = four();
    sequencer.replicas_mut()[2].is_running = false;
    order(&mut sequencer).unwrap();
    sequencer.replicas_mut()[2].is_running = true;
    sequencer.replicas_mut()[2].differs_at = Some(1);
    let error = sequencer.catch_up().unwrap_err();
    let named =
        matches!(error, OrderingError::Disagreement { org, height: 1 } if org == OrgId([3; 16]));
    assert!(named, "{error}");
    assert_eq!(heights(&sequencer), [1, 1, 0, 1]);
    sequencer.replicas_mut()[2].differs_at = None;
    sequencer.catch_up().unwrap();
    assert_eq!(heights(&sequencer), [1; 4]);
}

#[test]
fn without_a_quorum_nothing_is_ordered() {
    let mut sequencer = four();
    sequencer.replicas_mut()[0].is_running = false;
    order(&mut sequencer).unwrap();
    sequencer.replicas_mut()[1].is_running = false;
    let error = order(&mut sequencer).unwrap_err();
    let counted = matches!(
        error,
        OrderingError::NoQuorum {
            running: 2,
            quorum: 3
        }
    );
    assert!(counted, "{error}");
    assert_eq!(heights(&sequencer), [0, 1, 1, 1]);
}
