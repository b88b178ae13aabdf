//! Asks a network's nodes over HTTP, and takes nobody's word for the chain.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::time::Duration;
//!
//! use chartseal_client::{Asking, Follower, Remote, Roots};
//! # fn example(genesis: chartseal_ledger::Genesis, pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let org = genesis.committee().members()[0].org;
//! let asking = Asking { roots: Some(Roots::from_pem(pem)?), ..Asking::default() };
//! let node = Remote::new(org, "https://node.example:9100", &asking)?;
//! let mut follower = Follower::new(&genesis);
//! let blocks = node.blocks(follower.next(), Duration::from_secs(5))?;
//! let settled = follower.take(&blocks, NonZeroUsize::MIN)?;
//! println!("{} new blocks, {} transactions", settled.blocks, settled.transactions.len());
//! # Ok(())
//! # }
//! ```
//!
//! | module | what |
//! |---|---|
//! | `asynchronous` | [`AsyncRemote`]: one node's service, on tokio |
//! | `remote` | [`Remote`]: the same for who waits |
//! | `questions` | what both can be asked: each question once |
//! | `nodes` | [`Nodes`]: several nodes at a time; who is down, behind or lying |
//! | `asking` | [`Asking`], [`Roots`]: how nodes are asked, and whose certificates count |
//! | `entries` | [`AsyncEntries`], [`Entries`]: a history's entries as they come |
//! | `light` | [`Light`]: single facts with their proofs, without the chain |
//! | `partial` | [`PartialState`]: as much of the state as is asked for, read like the whole |
//! | `follower` | [`Follower`]: the chain, executed and certified |
//! | `held` | [`Held`]: what is known, as bytes for an app's next run |
//!
//! # Limits
//! A follower holds the whole state, and the headers of all blocks; who can't asks for the part that they need.

mod asking;
mod asynchronous;
mod entries;
mod error;
mod follower;
mod held;
mod light;
mod nodes;
mod partial;
mod question;
mod questions;
mod remote;

pub use asking::{Asking, Roots, RootsError};
pub use asynchronous::AsyncRemote;
pub use entries::{AsyncEntries, Entries};
pub use error::ClientError;
pub use follower::{FollowError, Follower, MAX_PENDING, NextBlock, Settled};
pub use held::{
    HELD_VERSION, Held, HeldChain, HeldError, HeldState, HeldValues, Histories, MAX_HELD,
};
pub use light::{FinalTransaction, Light, LightError, NodeFault};
pub use nodes::{NobodyProves, Nodes, Told};
pub use partial::{PartialState, ProvedValues, ReadError, Reading};
pub use remote::Remote;
