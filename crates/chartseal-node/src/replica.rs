use chartseal_consensus::{Rejection, Replica, Validating};
use chartseal_ledger::store::{Commit, LedgerStore};
use chartseal_ledger::{Block, Executed, Overlay, SignedTransaction, execute, propose};
use chartseal_wire::{BlockHeader, Certificate, Hash, OrgId, Time};

use crate::conduct::Conduct;
use crate::error::NodeError;
use crate::node::Node;

impl Replica for Node {
    type Error = NodeError;

    fn organization(&self) -> OrgId {
        self.org
    }

    fn is_running(&self) -> bool {
        self.conduct != Conduct::Stopped
    }

    fn head(&self) -> &BlockHeader {
        self.head.head()
    }

    fn propose(
        &self,
        time: Time,
        candidates: &[SignedTransaction],
    ) -> Result<(Block, Vec<Rejection>), NodeError> {
        self.check_running()?;
        let proposed = propose(&self.head, time, candidates.iter().cloned());
        for (rule, times) in proposed.refusals() {
            self.counters.refused(rule, times);
        }
        let rejected = proposed
            .rejected
            .into_iter()
            .map(|(tx, why)| Rejection { tx, why });
        Ok((proposed.block, rejected.collect()))
    }

    fn execute(&mut self, block: &Block) -> Result<Hash, NodeError> {
        self.check_running()?;
        let executed = execute(&self.head, block)
            .inspect_err(|error| self.counters.refused(error.rule(), 1))?;
        let root = executed.overlay.map().root();
        self.executed
            .insert(block.header.leaf(), (block.clone(), executed));
        Ok(root)
    }

    fn commit(&mut self, leaf: Hash) -> Result<(), NodeError> {
        self.check_running()?;
        if self.head.head().leaf() == leaf {
            return Ok(());
        }
        let (block, executed) = self
            .executed
            .remove(&leaf)
            .ok_or(NodeError::NotExecuted(leaf))?;
        self.stores.ledger.commit(&Commit::new(&block, &executed))?;
        self.headers.append(leaf);
        self.head = executed.overlay;
        // What else was executed had the old head as its parent.
        self.executed.clear();
        Ok(())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, NodeError> {
        if self.conduct == Conduct::Stopped {
            return Ok(None);
        }
        self.kept_block(height)
    }
}

impl Validating for Node {
    fn overlay(&self) -> Overlay {
        self.head.clone()
    }

    fn keep(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), NodeError> {
        self.keep_final(block, executed, certificate)
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, NodeError> {
        Ok(self.stores.ledger.header(height)?)
    }

    fn certificate(&self) -> Result<Option<Certificate>, NodeError> {
        Node::certificate(self)
    }
}
