#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! The published formats: frozen bytes, one spelling, no panic.

mod binary;
mod certificate;
mod domains;
mod golden;
mod keys;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod sample;
mod text;
mod view;
