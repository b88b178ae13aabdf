//! The string that keeps this crate's signatures apart from all others.

/// A question to a node that only its subject may ask.
pub const ASK: &str = "chartseal/api-ask/1";

/// All of them.
pub const ALL: &[&str] = &[ASK];
