//! The strings that keep this crate's hashes apart from all others.

/// The associated data of an encrypted share.
pub const SHARE_ROW: &str = "chartseal/vault/share-row/2";

/// The associated data of an encrypted side text.
pub const SIDE_ROW: &str = "chartseal/vault/side-row/2";

/// The check value of a share in the clear, as version 1 had them.
pub const PLAIN_SHARE_ROW: &str = "chartseal/vault/share-row/1";

/// The check value of a side text in the clear.
pub const PLAIN_SIDE_ROW: &str = "chartseal/vault/side-row/1";

/// What shows that a store is encrypted under a key.
pub const STORE_KEY_PROOF: &str = "chartseal/vault/store-key-proof/1";

/// Where a share of a later deal is kept.
pub const LATER_SHARE: &str = "chartseal/vault/later-share/1";

/// All of them.
pub const ALL: &[&str] = &[
    SHARE_ROW,
    SIDE_ROW,
    PLAIN_SHARE_ROW,
    PLAIN_SIDE_ROW,
    STORE_KEY_PROOF,
    LATER_SHARE,
];
