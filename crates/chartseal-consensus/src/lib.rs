//! Who orders transactions, behind one small trait.
//!
//! A [`Replica`] is one organization's state machine and store: it proposes, executes and commits
//! blocks, and decides nothing about order. An [`Ordering`] takes transactions from anybody and has
//! the replicas agree on blocks. The ledger's facade knows only these two traits.
//!
//! Today there is one implementation, the in-process [`Sequencer`]. It orders; it does not decide
//! what is true: every replica applies every block on its own, and a block on which they don't agree
//! is an error, never a majority's opinion. A BFT engine takes its place behind the same trait.
//!
//! | module | what |
//! |---|---|
//! | `ordering` | [`Ordering`], [`Replica`], [`Finalized`] |
//! | `certificate` | [`Certificate`]: the engine's proof that a block is final |
//! | `sequencer` | [`Sequencer`]: a pool and a rota of proposers, in one process |
//!
//! # Limits
//! The sequencer is one process: whoever runs it can withhold transactions. It can't alter one, forge
//! a decision, or make replicas disagree unnoticed. Every running replica must agree: one that executes
//! wrongly is named, and nothing is ordered until it is stopped.

mod certificate;
mod ordering;
mod sequencer;

pub use certificate::{Certificate, CertificateError, namespace};
pub use ordering::{Finalized, Ordering, OrderingError, Rejection, Replica};
pub use sequencer::Sequencer;
