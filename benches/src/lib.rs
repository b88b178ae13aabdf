//! Chartseal's figures: what is measured, against what, and how.
//!
//! `cargo xtask bench` prints them; `cargo bench -p chartseal-benches` runs the same work under criterion, to follow one
//! number over time. Peers that can't share this lockfile are measured in `benches/peers`.

pub mod audit;
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what is missing was not made"
)]
mod audit_export;
pub mod codec;
pub mod custody;
pub mod envelope;
pub mod figure;
pub mod ledger;
mod made;
pub mod merkle;
pub mod nation;
#[allow(clippy::indexing_slicing, reason = "numbers of nodes that were made")]
pub mod network;
pub mod policy;
pub mod vault;
pub mod visit;
mod written;

pub use figure::{Figure, Required, in_turns, median, time};
