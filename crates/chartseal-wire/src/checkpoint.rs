//! C2SP tlog-checkpoint: what a log says of itself, as three lines of text.

use alloc::string::String;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use chartseal_merkle::Hash;

use crate::error::FormatError;
use crate::id::ChainId;

/// The most bytes of an origin line.
pub const MAX_ORIGIN: usize = 255;

/// A tree head: origin, size, root. We write and accept no extension lines: they are not auditable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

/// The origin of a chain's block log: `chartseal/chain/` and the chain's id in hex.
pub fn origin(chain: &ChainId) -> String {
    alloc::format!("chartseal/chain/{chain}")
}

impl Checkpoint {
    /// Reads a note's text.
    ///
    /// # Errors
    /// [`FormatError::Line`] for whatever is not exactly the three lines.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let wrong = |line, expected| FormatError::Line { line, expected };
        let body = text
            .strip_suffix('\n')
            .ok_or_else(|| wrong(3, "the text ends in a newline"))?;
        let mut lines = body.split('\n');
        let origin = lines
            .next()
            .filter(|line| !line.is_empty() && line.len() <= MAX_ORIGIN);
        let origin = origin.ok_or_else(|| wrong(1, "an origin of 1 to 255 bytes"))?;
        let size = lines.next().and_then(parse_decimal);
        let size =
            size.ok_or_else(|| wrong(2, "the tree size as a decimal without leading zeroes"))?;
        let root = lines.next().and_then(parse_hash);
        let root = root.ok_or_else(|| wrong(3, "the root hash: 32 bytes in base64"))?;
        if lines.next().is_some() {
            return Err(wrong(4, "no extension lines"));
        }
        Ok(Self {
            origin: origin.into(),
            size,
            root,
        })
    }
}

impl core::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(
            f,
            "{}\n{}\n{}",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }
}

/// A decimal as C2SP writes it: no sign, no leading zero.
pub fn parse_decimal(text: &str) -> Option<u64> {
    let canonical =
        text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}

/// A hash in canonical base64.
pub fn parse_hash(text: &str) -> Option<Hash> {
    if text.len() != 44 {
        return None;
    }
    Some(Hash(STANDARD.decode(text).ok()?.try_into().ok()?))
}
