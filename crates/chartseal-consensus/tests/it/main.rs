//! One binary: what instantiates the engine takes minutes to compile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests"
)]

mod byzantine;
mod certificate;
mod epochs;
mod evidence;
mod pool;
mod sequencer;
mod sim;
mod simulation;
