//! What a log asks a witness.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chartseal_merkle::Hash;
use chartseal_wire::checkpoint::{parse_decimal, parse_hash};
use chartseal_wire::note::MAX_NOTE;
use chartseal_wire::{FormatError, SignedNote};

/// The most hashes of a consistency proof that a request may hold.
pub const MAX_PROOF_LINES: usize = 63;
/// The most bytes of a request: its first line, the proof, an empty line and the note.
const MAX_REQUEST: usize = 64 + MAX_PROOF_LINES * 45 + MAX_NOTE;

/// The body of an `add-checkpoint` request of C2SP tlog-witness, which any witness of that protocol takes;
/// its `Display` is what to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// How many entries the log had when the witness last cosigned it; 0 at first.
    pub old: u64,
    /// That the log begins with those, from [`prove_consistency`](crate::TileLog::prove_consistency).
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by the log.
    pub note: SignedNote,
}

impl AddCheckpoint {
    /// Reads a request: exactly what its `Display` gives, and nothing else.
    ///
    /// # Errors
    /// [`FormatError`] with the line. No more than 64 KiB of note and 63 hashes are taken.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > MAX_REQUEST {
            let (bytes, max) = (bytes.len(), MAX_REQUEST);
            return Err(FormatError::TooLong { bytes, max });
        }
        let wrong = |line, expected| FormatError::Line { line, expected };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "text in UTF-8"))?;
        let form = "an old size, a proof, an empty line, and a checkpoint";
        let (head, rest) = text.split_once("\n\n").ok_or_else(|| wrong(1, form))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old
            .and_then(parse_decimal)
            .ok_or_else(|| wrong(1, "old and a size"))?;
        let mut proof = Vec::new();
        for (number, line) in (2..).zip(lines) {
            let hash = parse_hash(line).filter(|_| proof.len() < MAX_PROOF_LINES);
            proof.push(hash.ok_or_else(|| wrong(number, "at most 63 hashes in base64"))?);
        }
        let note = SignedNote::parse(rest)?;
        Ok(Self { old, proof, note })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}
