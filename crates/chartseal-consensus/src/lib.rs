//! Who orders transactions, behind one small trait; and the BFT engine that hospitals run together.
//!
//! A [`Replica`] is one organization's state machine and store: it proposes, executes and commits
//! blocks, and decides nothing about order. An [`Ordering`] takes transactions from anybody and has
//! the replicas agree on blocks. The ledger's facade knows only these two traits; `Embedded` implements
//! them on the engine, and the [`Sequencer`] without one.
//!
//! A *validator* ([`engine`]) is one organization's part in a network: with *n* = 3*f* + 1 of them, *f* may be down, cut off
//! or malicious. It runs on `commonware-consensus` (simplex and marshal), which no other crate names. What is
//! final goes to a [`Keeper`], the organization's own disk. docs/consensus.md has the design.
//!
//! | module | what |
//! |---|---|
//! | `ordering` | [`Ordering`], [`Replica`], [`Finalized`] |
//! | `sequencer` | [`Sequencer`]: a pool and a rota of proposers, in one process, for tests |
//! | `embedded` | an [`Ordering`] on the engine: all validators of a network in one process (feature `embedded`) |
//! | [`engine`] | one validator: proposes, verifies, gossips, keeps what is final |
//! | [`validator`] | the same on a real network, with files in a directory |
//! | `keeper` | [`Keeper`]: where final blocks last; [`StoreKeeper`] over any ledger store |
//! | `pool` | [`Pool`]: transactions that wait, bounded and fair |
//! | `refusal` | [`Refusal`]: each rule by which a proposal is refused, with its id |
//! | `evidence` | [`Evidence`]: what shows a third party that a validator broke the protocol |
//! | `certificate` | [`verified_certificate`]: the engine's proof that a block is final, as `chartseal-wire` has it |
//!
//! # Limits
//! The sequencer is one process: whoever runs it can withhold transactions. It can't alter one, forge
//! a decision, or make replicas disagree unnoticed. Every running replica must agree: one that executes
//! wrongly is named, and nothing is ordered until it is stopped.

#![cfg_attr(
    not(any(feature = "network", feature = "embedded")),
    allow(
        dead_code,
        unused_imports,
        reason = "nothing makes the engine concrete"
    )
)]

mod certificate;
#[cfg(feature = "embedded")]
mod embedded;
pub mod engine;
mod evidence;
mod keeper;
mod ordering;
mod pool;
mod refusal;
mod sequencer;
#[cfg(feature = "embedded")]
pub mod simulation;
mod speculation;
#[cfg(feature = "network")]
pub mod validator;

pub use certificate::{CertificateError, namespace, verified_certificate};
#[cfg(feature = "embedded")]
pub use embedded::{Embedded, EmbeddedError, Validating};
pub use evidence::{Evidence, EvidenceError, Fault};
pub use keeper::{Anchor, Keeper, KeeperError, OpenError, StoreKeeper};
pub use ordering::{Finalized, Ordering, OrderingError, Rejection, Replica};
pub use pool::{Limits, Pool, PoolError, Settled};
pub use refusal::Refusal;
pub use sequencer::Sequencer;
