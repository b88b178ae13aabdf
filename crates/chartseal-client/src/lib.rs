//! Asks a network's nodes over HTTP, and takes nobody's word for the chain.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::time::Duration;
//!
//! use chartseal_client::{Follower, Remote};
//! # fn example(genesis: chartseal_ledger::Genesis) -> Result<(), Box<dyn std::error::Error>> {
//! let org = genesis.committee().members()[0].org;
//! let node = Remote::new(org, "http://127.0.0.1:9100")?;
//! let mut follower = Follower::new(&genesis);
//! let blocks = node.blocks(follower.height() + 1, Duration::from_secs(5))?;
//! let settled = follower.take(&blocks, NonZeroUsize::MIN)?;
//! println!("{} new blocks, {} transactions", settled.blocks, settled.transactions.len());
//! # Ok(())
//! # }
//! ```
//!
//! | module | what |
//! |---|---|
//! | `remote` | [`Remote`]: one node's service |
//! | `entries` | [`Entries`]: a history's entries as they come |
//! | `follower` | [`Follower`]: the chain, executed and certified |
//!
//! # Limits
//! Connections are plain HTTP: between machines, put them behind something that encrypts. Calls block, and a follower
//! holds the whole state.

mod entries;
mod follower;
mod remote;

pub use entries::Entries;
pub use follower::{FollowError, Follower, Settled};
pub use remote::{ClientError, Remote};
