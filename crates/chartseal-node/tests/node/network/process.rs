//! A node that runs, and its ledger as its validator's disk.

use std::sync::{Arc, Mutex};

use chartseal_consensus::{Keeper, KeeperError, Replica as _, Validating as _};
use chartseal_ledger::{Block, Executed, LedgerStore as _, Overlay};
use chartseal_node::Node;
use chartseal_wire::{Certificate, Hash, TxId};

use super::agreed::Kept;

/// A node's process: killed, it has no node any more, whoever of the engine still holds it.
#[derive(Clone)]
pub(super) struct Process(Arc<Mutex<Option<Node>>>);

impl Process {
    /// What the node says; `None` if it was killed.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&mut Node) -> T) -> Option<T> {
        self.0.lock().unwrap().as_mut().map(ask)
    }

    pub(super) fn kill(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn keep<T>(&self, ask: impl FnOnce(&mut Node) -> T) -> Result<T, KeeperError> {
        self.ask(ask).ok_or_else(|| "the process was killed".into())
    }
}

impl Kept for Process {
    fn height(&self) -> u64 {
        self.ask(|node| node.head().height()).unwrap()
    }

    fn block(&self, height: u64) -> Block {
        let block = self.ask(|node| node.ledger().block(height).unwrap());
        block.unwrap().unwrap()
    }

    fn root(&self) -> Hash {
        self.ask(|node| node.head().map().root()).unwrap()
    }

    fn place(&self, id: &TxId) -> Option<u64> {
        let place = self.ask(|node| node.ledger().transaction(id).unwrap());
        place.flatten().map(|place| place.height)
    }
}

/// A node's ledger as its validator's disk.
pub(super) struct Disk {
    process: Process,
    head: Overlay,
}

impl Disk {
    pub(super) fn new(node: Node) -> Self {
        let head = node.head().clone();
        let process = Process(Arc::new(Mutex::new(Some(node))));
        Self { process, head }
    }

    /// The process that it is the disk of.
    pub(super) fn process(&self) -> Process {
        self.process.clone()
    }
}

impl Keeper for Disk {
    fn head(&self) -> Overlay {
        self.head.clone()
    }

    fn commit(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), KeeperError> {
        let kept = self
            .process
            .keep(|node| node.keep(block, executed, certificate));
        kept??;
        self.head = executed.overlay.clone();
        Ok(())
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, KeeperError> {
        Ok(self.process.keep(|node| node.header(height))??)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, KeeperError> {
        Ok(self.process.keep(|node| node.block(height))??)
    }
}
