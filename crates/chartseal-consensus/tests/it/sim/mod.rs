//! Deterministic simulation: validators, ledger, pool, disks, clients and the network between them in one
//! thread, on a simulated clock. One number gives a whole run; the same number gives it again.
//!
//! A run has phases. In each, links are slow and lossy, validators crash, are cut off and come back, clocks
//! are off, and one validator may be Byzantine. A phase ends with all of them killed at once: what was not
//! synced to their disks is lost. In the last one everything heals; then what was promised must hold.

mod accomplice;
mod agreed;
mod clients;
mod disk;
mod faults;
mod flood;
mod heard;
mod lies;
pub mod links;
pub mod people;
mod plan;
mod settings;
mod world;

pub use faults::Malice;
pub use plan::{Away, Plan, Rng};
pub use world::{Report, run};

/// A validator's key.
pub fn validator(number: usize) -> chartseal_wire::PublicKey {
    people::validator(number).public()
}
