use std::sync::{Arc, Mutex};

use chartseal_wire::TxId;

/// What a client asked of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Hands a transaction in, at one node or another, until it is told what became of it.
    Append(TxId),
    /// Asks a node for its newest final height.
    Head(usize),
    /// Asks a node where a transaction is.
    Look(usize, TxId),
}

/// What it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// The transaction is final on this node, in the block at this height.
    Final {
        /// Whose word it is.
        node: usize,
        /// The block's.
        height: u64,
    },
    /// The node's newest final height.
    Height(u64),
    /// In the block at this height; `None`: in none that is final there.
    At(Option<u64>),
    /// The node did not answer.
    Nothing,
}

/// When something was asked or told, among everything else that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A client begins to ask.
    Asks(Op),
    /// It was told.
    Told(Ret),
}

/// What all clients asked and were told, in the order in which they began to ask and had been told. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<(usize, Step)>>>);

impl History {
    /// Notes a step of a client, by its number.
    pub fn note(&self, client: usize, step: Step) {
        self.0.lock().unwrap().push((client, step));
    }

    /// The steps so far.
    pub fn steps(&self) -> Vec<(usize, Step)> {
        self.0.lock().unwrap().clone()
    }
}
