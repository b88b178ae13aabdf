use serde::{Deserialize, Serialize};

/// A final block, as `GET /v1/events` tells of it: a hint to ask for it, no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEvent {
    /// Its height.
    pub height: u64,
    /// Its header's leaf hash, in hex.
    pub header: String,
    /// Its time, in ms since 1970.
    pub time_ms: u64,
    /// How many transactions it has.
    pub transactions: u64,
}
