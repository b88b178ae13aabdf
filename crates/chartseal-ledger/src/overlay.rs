use alloc::sync::Arc;

use chartseal_merkle::{Frontier, Map, MapProof};
use chartseal_wire::{BlockHeader, Subject};

use crate::params::Params;
use crate::state::{Shared, State};
use chartseal_wire::committee::Committee;

/// The whole state after one block, final or not. A clone costs almost nothing and shares what it
/// has in common with its parent, so that many are held side by side.
#[derive(Clone, Debug)]
pub struct Overlay {
    state: Map,
    /// Over the headers `0 … height − 1`.
    log: Frontier,
    head: BlockHeader,
    shared: Arc<Shared>,
}

impl Overlay {
    pub(crate) fn new(state: Map, log: Frontier, head: BlockHeader, shared: Arc<Shared>) -> Self {
        Self {
            state,
            log,
            head,
            shared,
        }
    }

    /// The header of the block after which this is the state.
    pub fn head(&self) -> &BlockHeader {
        &self.head
    }

    /// The number of blocks before the head.
    pub fn height(&self) -> u64 {
        self.head.height
    }

    /// Typed reads.
    pub fn state(&self) -> State<'_> {
        State {
            source: &self.state,
            shared: &self.shared,
        }
    }

    /// The authenticated map itself, for proofs.
    pub fn map(&self) -> &Map {
        &self.state
    }

    /// The block log over the headers before the head.
    pub fn log(&self) -> &Frontier {
        &self.log
    }

    /// The block log with the head in it: what a checkpoint of this block says, and what the next
    /// header says.
    pub fn log_with_head(&self) -> Frontier {
        let mut log = self.log.clone();
        log.append(self.head.leaf());
        log
    }

    /// The network's parameters.
    pub fn params(&self) -> &Params {
        &self.shared.params
    }

    /// The committee that certifies the next block.
    pub fn committee(&self) -> &Committee {
        &self.shared.committee
    }

    /// Proves under the head's state root what a history's slot holds: the canonical bytes of
    /// `self.state().frontier(subject)`, or nothing for a history without entries.
    pub fn prove_history(&self, subject: &Subject) -> MapProof {
        self.state.prove(&subject.slot())
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
