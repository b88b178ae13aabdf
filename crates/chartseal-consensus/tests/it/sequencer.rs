//! What the sequencer promises: one order, agreed on by every running replica, or an error.

use std::collections::BTreeMap;

use chartseal_consensus::{Ordering, OrderingError, Rejection, Replica, Sequencer};
use chartseal_ledger::{AdmissionError, Block, SignedTransaction, tx_root};
use chartseal_wire::{BlockHeader, ChainId, Hash, OrgId, Signature, Time};

/// What a replica of these tests does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Stopped,
    /// It comes to another state.
    OtherRoot,
    /// It refuses every block.
    Refuses,
    /// It proposes nothing and refuses nothing.
    Silent,
}

#[derive(Debug, thiserror::Error)]
#[error("this replica refuses")]
struct Refused;

/// A replica whose state is the list of its transactions. Transactions that begin with 0 are refused.
#[derive(Debug)]
struct Fake {
    org: OrgId,
    fault: Fault,
    chain: Vec<Block>,
    executed: BTreeMap<Hash, Block>,
    /// The most transactions that it puts into a block.
    room: usize,
}

fn header(
    height: u64,
    parent: Hash,
    time: Time,
    transactions: &[SignedTransaction],
) -> BlockHeader {
    BlockHeader {
        version: 1,
        chain: ChainId([1; 32]),
        epoch: 0,
        height,
        parent,
        time,
        tx_root: tx_root(transactions),
        state_root: tx_root(transactions),
        log_root: Hash([0; 32]),
        log_size: height,
        next_committee: Hash([0; 32]),
    }
}

impl Fake {
    fn new(org: u8) -> Self {
        let genesis = Block {
            header: header(0, Hash::ZERO, Time(1_000), &[]),
            transactions: Vec::new(),
        };
        Self {
            org: OrgId([org; 16]),
            fault: Fault::None,
            chain: vec![genesis],
            executed: BTreeMap::new(),
            room: usize::MAX,
        }
    }

    /// What its blocks hold.
    fn log(&self) -> Vec<Vec<u8>> {
        let blocks = self.chain.iter().flat_map(|block| &block.transactions);
        blocks
            .map(|transaction| transaction.bytes.clone())
            .collect()
    }
}

impl Replica for Fake {
    type Error = Refused;

    fn organization(&self) -> OrgId {
        self.org
    }

    fn is_running(&self) -> bool {
        self.fault != Fault::Stopped
    }

    fn head(&self) -> &BlockHeader {
        &self.chain.last().unwrap().header
    }

    fn propose(
        &self,
        time: Time,
        candidates: &[SignedTransaction],
    ) -> Result<(Block, Vec<Rejection>), Refused> {
        let (mut transactions, mut rejected) = (Vec::new(), Vec::new());
        for candidate in candidates.iter().filter(|_| self.fault != Fault::Silent) {
            if candidate.bytes[0] == 0 {
                rejected.push(Rejection {
                    tx: candidate.id(),
                    why: AdmissionError::Signature,
                });
            } else if transactions.len() < self.room {
                transactions.push(candidate.clone());
            }
        }
        let head = self.head();
        let header = header(head.height + 1, head.leaf(), time, &transactions);
        Ok((
            Block {
                header,
                transactions,
            },
            rejected,
        ))
    }

    fn execute(&mut self, block: &Block) -> Result<Hash, Refused> {
        if self.fault == Fault::Refuses || block.header.parent != self.head().leaf() {
            return Err(Refused);
        }
        self.executed.insert(block.header.leaf(), block.clone());
        if self.fault == Fault::OtherRoot {
            return Ok(Hash([9; 32]));
        }
        Ok(tx_root(&block.transactions))
    }

    fn commit(&mut self, leaf: Hash) -> Result<(), Refused> {
        let block = self.executed.remove(&leaf).ok_or(Refused)?;
        self.chain.push(block);
        Ok(())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Refused> {
        if self.fault == Fault::Stopped {
            return Ok(None);
        }
        Ok(self.chain.get(usize::try_from(height).unwrap()).cloned())
    }
}

fn four() -> Sequencer<Fake> {
    Sequencer::new((1..=4).map(Fake::new).collect())
}

fn transaction(bytes: &[u8]) -> SignedTransaction {
    SignedTransaction {
        bytes: bytes.into(),
        signature: Signature([0; 64]),
    }
}

fn submit(sequencer: &mut Sequencer<Fake>, transactions: &[&[u8]]) {
    for bytes in transactions {
        let transaction = transaction(bytes);
        assert_eq!(sequencer.submit(transaction.clone()), transaction.id());
    }
}

fn heights(sequencer: &Sequencer<Fake>) -> Vec<u64> {
    sequencer
        .replicas()
        .iter()
        .map(|replica| replica.head().height)
        .collect()
}

#[test]
fn transactions_are_ordered_as_they_came_and_every_replica_has_the_same_chain() {
    let mut sequencer = four();
    submit(&mut sequencer, &[b"a", b"b"]);
    let first = sequencer.finalize(Time(2_000)).unwrap();
    submit(&mut sequencer, &[b"c"]);
    let second = sequencer.finalize(Time(3_000)).unwrap();
    assert_eq!((first.headers.len(), second.headers.len()), (1, 1));
    for replica in sequencer.replicas() {
        assert_eq!(replica.log(), [b"a", b"b", b"c"]);
        assert_eq!(replica.head(), &second.headers[0]);
    }
    // Nothing waits, so nothing is ordered.
    assert_eq!(sequencer.finalize(Time(4_000)).unwrap().headers, []);
}

#[test]
fn what_finds_no_room_comes_in_the_next_block() {
    let mut sequencer = four();
    for replica in sequencer.replicas_mut() {
        replica.room = 2;
    }
    submit(&mut sequencer, &[b"a", b"b", b"c", b"d", b"e"]);
    let finalized = sequencer.finalize(Time(2_000)).unwrap();
    assert_eq!(finalized.headers.len(), 3);
    assert_eq!(
        sequencer.replicas()[0].log(),
        [b"a", b"b", b"c", b"d", b"e"]
    );
}

#[test]
fn a_block_is_never_earlier_than_its_parent() {
    let mut sequencer = four();
    submit(&mut sequencer, &[b"a"]);
    sequencer.finalize(Time(5_000)).unwrap();
    submit(&mut sequencer, &[b"b"]);
    let finalized = sequencer.finalize(Time(2_000)).unwrap();
    assert_eq!(finalized.headers[0].time, Time(5_000));
}

#[test]
fn a_rejected_transaction_is_reported_once_and_stops_no_other_one() {
    let mut sequencer = four();
    let bad = transaction(&[0, 1]);
    submit(&mut sequencer, &[b"a", &bad.bytes, b"b"]);
    let finalized = sequencer.finalize(Time(2_000)).unwrap();
    let rejection = Rejection {
        tx: bad.id(),
        why: AdmissionError::Signature,
    };
    assert_eq!(finalized.rejected, [rejection]);
    assert_eq!(sequencer.replicas()[3].log(), [b"a", b"b"]);
    // Alone it makes no block at all.
    submit(&mut sequencer, &[&bad.bytes]);
    let finalized = sequencer.finalize(Time(2_000)).unwrap();
    assert_eq!((finalized.headers.len(), finalized.rejected.len()), (0, 1));
    assert_eq!(heights(&sequencer), [1; 4]);
}

#[test]
fn the_replicas_propose_in_turn() {
    let mut sequencer = four();
    for replica in sequencer.replicas_mut() {
        replica.fault = Fault::Silent;
    }
    let mut proposers = Vec::new();
    for height in 0..8 {
        submit(&mut sequencer, &[b"a"]);
        let Err(OrderingError::Stalled { org }) = sequencer.finalize(Time(2_000)) else {
            panic!("nobody proposes anything")
        };
        proposers.push(org.0[0]);
        // One more block, by whoever is not silent.
        for replica in sequencer.replicas_mut() {
            replica.fault = Fault::None;
        }
        submit(&mut sequencer, &[&[height + 1]]);
        sequencer.finalize(Time(2_000)).unwrap();
        for replica in sequencer.replicas_mut() {
            replica.fault = Fault::Silent;
        }
    }
    assert_eq!(proposers, [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[test]
fn a_proposer_that_proposes_nothing_though_transactions_wait_is_named() {
    let mut sequencer = four();
    sequencer.replicas_mut()[0].fault = Fault::Silent;
    submit(&mut sequencer, &[b"a"]);
    let error = sequencer.finalize(Time(2_000)).unwrap_err();
    assert!(matches!(error, OrderingError::Stalled { org } if org == OrgId([1; 16])));
    assert_eq!(heights(&sequencer), [0; 4]);
}

#[test]
fn a_quorum_is_two_f_plus_one() {
    for (replicas, quorum) in [(1, 1), (4, 3), (7, 5), (10, 7)] {
        let sequencer = Sequencer::new((0..replicas).map(Fake::new).collect());
        assert_eq!(sequencer.quorum(), quorum, "of {replicas}");
    }
}

#[test]
fn one_of_four_may_be_away_and_two_may_not() {
    let mut sequencer = four();
    sequencer.replicas_mut()[2].fault = Fault::Stopped;
    submit(&mut sequencer, &[b"a"]);
    assert_eq!(sequencer.finalize(Time(2_000)).unwrap().headers.len(), 1);
    assert_eq!(heights(&sequencer), [1, 1, 0, 1]);

    sequencer.replicas_mut()[0].fault = Fault::Stopped;
    submit(&mut sequencer, &[b"b"]);
    let error = sequencer.finalize(Time(3_000)).unwrap_err();
    assert!(
        matches!(
            error,
            OrderingError::NoQuorum {
                running: 2,
                quorum: 3
            }
        ),
        "{error}"
    );
    assert_eq!(error.to_string(), "2 replicas are running; a quorum is 3");
    assert_eq!(heights(&sequencer), [1, 1, 0, 1]);
}

#[test]
fn what_could_not_be_ordered_is_dropped_and_may_be_sent_again() {
    let mut sequencer = four();
    for at in [0, 1] {
        sequencer.replicas_mut()[at].fault = Fault::Stopped;
    }
    submit(&mut sequencer, &[b"a"]);
    assert!(sequencer.finalize(Time(2_000)).is_err());
    for at in [0, 1] {
        sequencer.replicas_mut()[at].fault = Fault::None;
    }
    assert_eq!(
        sequencer.finalize(Time(3_000)).unwrap().headers,
        [],
        "it does not come up later"
    );
    submit(&mut sequencer, &[b"a"]);
    sequencer.finalize(Time(3_000)).unwrap();
    assert_eq!(sequencer.replicas()[1].log(), [b"a"]);
}

#[test]
fn a_block_on_which_one_replica_does_not_agree_is_committed_by_none() {
    for liar in 0..4 {
        let mut sequencer = four();
        sequencer.replicas_mut()[liar].fault = Fault::OtherRoot;
        submit(&mut sequencer, &[b"a"]);
        let error = sequencer.finalize(Time(2_000)).unwrap_err();
        let OrderingError::Disagreement { org, height } = error else {
            panic!("{error}")
        };
        assert_eq!(
            (org, height),
            (sequencer.replicas()[liar].org, 1),
            "the one that differs"
        );
        assert_eq!(heights(&sequencer), [0; 4]);
    }
}

#[test]
fn a_replica_that_refuses_a_block_is_named_and_none_commits() {
    let mut sequencer = four();
    sequencer.replicas_mut()[3].fault = Fault::Refuses;
    submit(&mut sequencer, &[b"a"]);
    let error = sequencer.finalize(Time(2_000)).unwrap_err();
    assert!(matches!(error, OrderingError::Replica { org, .. } if org == OrgId([4; 16])));
    assert_eq!(heights(&sequencer), [0; 4]);
}

#[test]
fn a_replica_that_was_away_executes_what_it_missed_itself() {
    let mut sequencer = four();
    sequencer.replicas_mut()[1].fault = Fault::Stopped;
    for bytes in [b"a", b"b"] {
        submit(&mut sequencer, &[bytes]);
        sequencer.finalize(Time(2_000)).unwrap();
    }
    // While it is away, catching up leaves it where it is.
    sequencer.catch_up().unwrap();
    assert_eq!(heights(&sequencer), [2, 0, 2, 2]);
    sequencer.replicas_mut()[1].fault = Fault::None;
    sequencer.catch_up().unwrap();
    assert_eq!(heights(&sequencer), [2; 4]);
    assert_eq!(sequencer.replicas()[1].log(), [b"a", b"b"]);
}

#[test]
fn a_replica_that_comes_to_another_state_while_catching_up_is_named() {
    let mut sequencer = four();
    sequencer.replicas_mut()[1].fault = Fault::Stopped;
    submit(&mut sequencer, &[b"a"]);
    sequencer.finalize(Time(2_000)).unwrap();
    sequencer.replicas_mut()[1].fault = Fault::OtherRoot;
    let error = sequencer.catch_up().unwrap_err();
    let expected = OrgId([2; 16]);
    assert!(
        matches!(error, OrderingError::Disagreement { org, height: 1 } if org == expected),
        "{error}"
    );
    assert_eq!(heights(&sequencer), [1, 0, 1, 1]);
}

#[test]
fn a_block_that_no_running_replica_has_is_missing() {
    let mut sequencer = four();
    sequencer.replicas_mut()[0].fault = Fault::Stopped;
    submit(&mut sequencer, &[b"a"]);
    sequencer.finalize(Time(2_000)).unwrap();
    for replica in sequencer.replicas_mut() {
        let was_away = replica.fault == Fault::Stopped;
        replica.fault = if was_away {
            Fault::None
        } else {
            Fault::Stopped
        };
    }
    let error = sequencer.catch_up().unwrap_err();
    assert!(matches!(error, OrderingError::MissingBlock(1)), "{error}");
}
