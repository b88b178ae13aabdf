#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! The published formats: frozen bytes, one spelling, no panic.

mod binary;
mod certificate;
mod domains;
mod golden;
mod keys;
mod sample;
mod text;
