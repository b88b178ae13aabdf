//! A node that is not as the others stops a block, and is named; it never outvotes them.

use chartseal_consensus::{Ordering, OrderingError, Rejection, Replica, Sequencer};
use chartseal_ledger::{Block, BlockError, SignedTransaction, propose};
use chartseal_node::{Node, NodeError};
use chartseal_wire::{BlockHeader, Hash, OrgId, Time};

use crate::fixture::*;

/// A node, and whether it comes to another state than its chain says.
struct Maybe<'a> {
    node: &'a mut Node,
    differs: bool,
}

impl Replica for Maybe<'_> {
    type Error = NodeError;

    fn organization(&self) -> OrgId {
        self.node.organization()
    }

    fn is_running(&self) -> bool {
        self.node.is_running()
    }

    fn head(&self) -> &BlockHeader {
        Replica::head(self.node)
    }

    fn propose(
        &self,
        time: Time,
        candidates: &[SignedTransaction],
    ) -> Result<(Block, Vec<Rejection>), NodeError> {
        self.node.propose(time, candidates)
    }

    fn execute(&mut self, block: &Block) -> Result<Hash, NodeError> {
        let mut root = self.node.execute(block)?;
        if self.differs {
            root.0[0] ^= 1;
        }
        Ok(root)
    }

    fn commit(&mut self, leaf: Hash) -> Result<(), NodeError> {
        self.node.commit(leaf)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, NodeError> {
        Replica::block(self.node, height)
    }
}

#[test]
fn a_node_that_executes_otherwise_is_named_and_no_node_commits() {
    for odd in 0..4 {
        let mut chain = Chain::new();
        let record = chain.seal(5);
        let author = copy(&chain.author);
        let transaction = chain.signed(&author, record.anchor);
        let height = chain.node(0).head().height();
        let nodes = chain.nodes().iter_mut().enumerate();
        let wrapped = nodes.map(|(at, node)| Maybe {
            node,
            differs: at == odd,
        });
        let mut sequencer = Sequencer::new(wrapped.collect());
        sequencer.submit(transaction.clone());
        let error = sequencer.finalize(START).unwrap_err();
        let named = matches!(
            error,
            OrderingError::Disagreement { org: id, height: at } if id == org(odd) && at == height + 1
        );
        assert!(named, "{error}");
        for replica in sequencer.replicas() {
            assert_eq!(Replica::head(replica).height, height);
        }
        // Once it is as the others again, they go on.
        sequencer.replicas_mut()[odd].differs = false;
        sequencer.submit(transaction);
        assert_eq!(sequencer.finalize(START).unwrap().headers.len(), 1);
    }
}

#[test]
fn a_block_with_another_state_root_is_refused_by_every_node() {
    let mut chain = Chain::new();
    let record = chain.seal(5);
    let author = copy(&chain.author);
    let transaction = chain.signed(&author, record.anchor);
    let mut block = propose(chain.node(0).head(), START, [transaction]).block;
    block.header.state_root.0[0] ^= 1;
    for node in chain.nodes() {
        let refused = node.execute(&block);
        assert!(
            matches!(refused, Err(NodeError::Block(BlockError::StateRoot))),
            "{refused:?}"
        );
        assert!(matches!(
            node.commit(block.header.leaf()),
            Err(NodeError::NotExecuted(_))
        ));
    }
}

#[test]
fn a_node_on_a_fork_refuses_the_others_blocks_and_is_named() {
    let mut chain = Chain::new();
    // One node commits an empty block that the others never saw.
    let fork = propose(chain.node(3).head(), Time(START.0 + 5), []).block;
    chain.nodes()[3].execute(&fork).unwrap();
    chain.nodes()[3].commit(fork.header.leaf()).unwrap();
    let other = propose(chain.node(0).head(), Time(START.0 + 9), []).block;
    for node in &mut chain.nodes()[..3] {
        node.execute(&other).unwrap();
        node.commit(other.header.leaf()).unwrap();
    }
    let record = chain.seal(5);
    let author = copy(&chain.author);
    let transaction = chain.signed(&author, record.anchor);
    chain.sequencer.submit(transaction);
    let error = chain.sequencer.finalize(Time(START.0 + 10)).unwrap_err();
    let OrderingError::Replica {
        org: named,
        source: NodeError::Block(BlockError::Parent),
    } = error
    else {
        panic!("{error}")
    };
    assert!(
        named == org(3) || named == org(0),
        "whoever did not propose"
    );
}
