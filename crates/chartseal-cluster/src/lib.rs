//! Networks of real `chartseal` processes on one machine, for tests and figures.
//!
//! | module | what |
//! |---|---|
//! | `cluster` | [`Cluster`]: N nodes, each a process; kill, stop, continue, wait, compare |
//! | `links` | [`Links`]: a TCP proxy on every connection between two nodes: cut, delay, jitter, rate |
//! | `disks` | [`Disk`]: a small file system of a node's own, that fills up or is read-only |
//! | `spaces` | [`Space`]: a network namespace for each node, on one bridge |
//! | `people` | [`Author`]: who signs transactions, with ever new sequence numbers |
//! | `load`, `history` | [`Load`]: clients that submit one after the other; [`History`]: what each asked and was told, in order |
//! | `drivers` | [`Drivers`]: clients that hand in at a rate, or as many as the nodes take |
//! | `usage` | [`Usage`]: a process's CPU time and memory |
//!
//! Whatever is started here is ended when its value is dropped, by its own id, also when a test panics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "helpers of tests and figures: what goes wrong ends them"
)]

mod cluster;
mod disks;
mod drivers;
mod history;
mod links;
mod load;
mod people;
mod spaces;
mod usage;

pub use cluster::{Cluster, Program, Serves, Setting, Wiring};
pub use disks::Disk;
pub use drivers::Drivers;
pub use history::{History, Op, Ret, Step};
pub use links::{Link, Links};
pub use load::{Acknowledged, Load};
pub use people::{Author, office};
pub use spaces::{Space, Spaces};
pub use usage::Usage;
