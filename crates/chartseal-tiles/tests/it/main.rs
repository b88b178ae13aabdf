//! Logs as an outsider publishes, reads, damages and witnesses them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod cosignatures;
mod damage;
mod log;
mod others;
mod tiles;
mod witness;
