//! Chartseal's deterministic state machine: transactions, blocks, state and proofs.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod admission;
mod apply;
mod block;
pub mod body;
mod committee;
mod custody;
mod execute;
mod genesis;
mod label;
mod overlay;
mod params;
mod receipt;
mod scratch;
pub mod state;
pub mod store;
mod transaction;
mod world;

pub use admission::AdmissionError;
pub use block::{Block, tx_root};
pub use body::Body;
pub use committee::{Committee, Member};
pub use custody::{NotReleasable, Releasable, releasable};
pub use execute::{BlockError, Executed, Proposed, execute, propose};
pub use genesis::{GENESIS_VERSION, Genesis, GenesisError};
pub use label::{INBOX, Label, Labels};
pub use overlay::Overlay;
pub use params::{EMERGENCY_ROLE, PRIVACY_ROLE, Params};
pub use receipt::{Decided, Effect, Receipt};
pub use state::State;
pub use store::{Commit, LedgerStore, MemoryStore};
pub use transaction::{MAX_TRANSACTION_BYTES, SignedTransaction, TRANSACTION_VERSION, Transaction};
