#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(
    clippy::panic,
    reason = "a verdict other than the expected one is printed"
)]
//! What the verifier proves, refutes and doubts, over a small network made for it.

mod anomalies;
mod anomaly_bounds;
mod certificates;
mod doubts;
mod equivocation;
mod fixture;
mod forgery;
mod header;
mod kept;
mod memory;
mod mutate;
mod newcomers;
mod policy;
mod proof;
mod python;
mod rules;
mod vectors;
