//! The strings that keep this crate's hashes apart from all others.

/// The check value of a share's row.
pub const SHARE_ROW: &str = "chartseal/vault/share-row/1";

/// The check value of a sealed text's row.
pub const SIDE_ROW: &str = "chartseal/vault/side-row/1";

/// All of them.
pub const ALL: &[&str] = &[SHARE_ROW, SIDE_ROW];
