//! One clinic visit, promise by promise: each test is named after what it holds (`docs/promises.md`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod author_keys;
mod deliveries;
mod emergency;
mod epochs;
mod fixture;
mod leaks;
mod p01_content;
mod p02_no_read_without_a_trace;
mod p03_attempts;
mod p04_tampering;
mod p05_revocation;
mod p06_amendment;
mod p07_one_node;
mod p08_no_phi;
mod p09_erasure;
mod p10_once;
mod redeals;
mod sequenced;
mod streams;
