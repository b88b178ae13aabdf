//! What one organization's node promises on its own: to itself after a restart, to authors, to
//! patients, to other nodes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod agreement;
mod committee;
mod deposit;
mod exports;
mod fixture;
mod lies;
mod metrics;
mod network;
mod old_directory;
mod pruned;
mod release;
mod restart;
mod tiles;
mod trace;
mod vouchers;
