//! C2SP tlog-proof: one text file that proves one leaf of a log, with our data beside it.

use alloc::string::String;
use alloc::vec::Vec;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use chartseal_merkle::{Hash, MAX_PROOF};

use crate::base64;
use crate::checkpoint::{parse_decimal, parse_hash};
use crate::error::FormatError;
use crate::note::SignedNote;

/// The most bytes of a proof file: 256 MiB.
pub const MAX_FILE: usize = 256 << 20;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A `.tlog-proof` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// The application's data; an empty one is written as no `extra` line.
    pub extra: Vec<u8>,
    /// The leaf's index.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// The checkpoint with its signatures.
    pub checkpoint: SignedNote,
}

impl ProofFile {
    /// Reads a file, in the one form in which [`Display`](core::fmt::Display) writes it.
    ///
    /// # Errors
    /// [`FormatError`] names the line that is not as the format says, lines counted from 1 (in the
    /// checkpoint: from its own first line).
    pub fn parse(file: &str) -> Result<Self, FormatError> {
        if file.len() > MAX_FILE {
            return Err(FormatError::TooLong {
                bytes: file.len(),
                max: MAX_FILE,
            });
        }
        let wrong = |line, expected| FormatError::Line { line, expected };
        let (first, rest) = file.split_once('\n').unwrap_or((file, ""));
        if first != FIRST_LINE {
            return Err(wrong(1, "the line c2sp.org/tlog-proof@v1"));
        }
        // The extra line is nearly all of a file: what is searched for is searched for behind it.
        let (mut extra, mut rest) = (Vec::new(), rest);
        if let Some(data) = rest.strip_prefix("extra ") {
            (extra, rest) = read_extra(data).ok_or_else(|| wrong(2, "extra data in base64"))?;
        }
        let next = 2 + usize::from(!extra.is_empty());
        let (head, note) = rest
            .split_once("\n\n")
            .ok_or_else(|| wrong(next, "a proof, an empty line and a checkpoint"))?;
        let mut lines = head.split('\n').zip(next..);
        let index = lines
            .next()
            .and_then(|(line, _)| parse_decimal(line.strip_prefix("index ")?));
        let index = index.ok_or_else(|| wrong(next, "the leaf's index"))?;
        let mut proof = Vec::new();
        for (line, at) in lines {
            let hash = parse_hash(line).filter(|_| proof.len() < MAX_PROOF);
            proof.push(hash.ok_or_else(|| wrong(at, "a hash: 32 bytes in base64, 65 at most"))?);
        }
        Ok(Self {
            extra,
            index,
            proof,
            checkpoint: SignedNote::parse(note)?,
        })
    }
}

/// The data of the line that begins here, not empty, and what follows the line.
fn read_extra(text: &str) -> Option<(Vec<u8>, &str)> {
    let read = |line: &str| base64::decode(line).filter(|data| !data.is_empty());
    // Nearly all of a file is this line, and what comes next is near the end: looking for that from there
    // saves a search through the line. If it is base64 up to there, it has no newline before.
    let next = text.rfind("\nindex ");
    if let Some((line, rest)) = next.and_then(|at| text.split_at_checked(at))
        && let Some(data) = read(line)
    {
        return Some((data, rest.strip_prefix('\n')?));
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((read(line)?, rest))
}

impl core::fmt::Display for ProofFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut lines: Vec<String> = Vec::new();
        lines.push(FIRST_LINE.into());
        if !self.extra.is_empty() {
            lines.push(alloc::format!("extra {}", STANDARD.encode(&self.extra)));
        }
        lines.push(alloc::format!("index {}", self.index));
        lines.extend(self.proof.iter().map(|hash| STANDARD.encode(hash)));
        write!(f, "{}\n\n{}", lines.join("\n"), self.checkpoint)
    }
}
