//! C2SP signed-note and tlog-cosignature: texts with signature lines, and verifier keys.
//!
//! The signers of a checkpoint are the validator that proposed the newest block (type `0x01`, under
//! the log's origin) and the validators and witnesses that cosigned it (type `0x04`, each with the
//! time of signing).

use alloc::string::String;
use alloc::vec::Vec;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::error::FormatError;
use crate::key::{BadSignature, PublicKey, Signature};

/// The most bytes of a note.
pub const MAX_NOTE: usize = 64 * 1024;
/// The most signature lines of a note.
pub const MAX_SIGNATURES: usize = 64;
/// The most bytes of a key's name.
pub const MAX_NAME: usize = 255;

/// What a key signs, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Ed25519 over the note's text: a log's own signature (signed-note, type 0x01).
    Log,
    /// Ed25519 over time and text: a cosignature (tlog-cosignature, type 0x04).
    Cosigner,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Cosigner => 4,
        }
    }
}

/// A named public key for notes, a *vkey*: `name+hex(id)+base64(type ‖ key)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: PublicKey,
}

impl VerifierKey {
    /// A key under a name; `None` if the name is empty, too long, or has a space, `+` or control
    /// character.
    pub fn new(name: &str, kind: KeyKind, key: PublicKey) -> Option<Self> {
        is_name(name).then(|| Self {
            name: name.into(),
            kind,
            key,
        })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`FormatError::Line`] (line 1) if it is not one of these two types in canonical form, or its
    /// id is not the one that name, type and key give.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let wrong = |expected| FormatError::Line { line: 1, expected };
        let form = "a verifier key: name+hex(id)+base64(type and key)";
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(form));
        };
        let material = if key.len() == 44 {
            STANDARD.decode(key).ok()
        } else {
            None
        };
        let (kind, key) = match material.as_deref().and_then(|m| m.split_first()) {
            Some((1, key)) => (KeyKind::Log, key),
            Some((4, key)) => (KeyKind::Cosigner, key),
            _ => return Err(wrong("a key of type 1 (Ed25519) or 4 (cosignature/v1)")),
        };
        let key = PublicKey(key.try_into().map_err(|_| wrong(form))?);
        let vkey = Self::new(name, kind, key).ok_or_else(|| wrong("a key name without spaces"))?;
        if id != alloc::format!("{:08x}", vkey.id()) {
            return Err(wrong("the key id that name, type and key give"));
        }
        Ok(vkey)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key itself.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Its id: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ key). A hint, no proof.
    pub fn id(&self) -> u32 {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', self.kind.byte()]);
        hasher.update(self.key.0);
        let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The signature line that this key gives: `sign` signs bytes with its secret half. `time` is in
    /// seconds since 1970, and only for a cosigner.
    pub fn line(
        &self,
        text: &str,
        time: u64,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> NoteSignature {
        let mut bytes = Vec::new();
        match self.kind {
            KeyKind::Log => bytes.extend(sign(text.as_bytes()).0),
            KeyKind::Cosigner => {
                bytes.extend(time.to_be_bytes());
                bytes.extend(sign(cosigned(text, time).as_bytes()).0);
            }
        }
        NoteSignature {
            name: self.name.clone(),
            id: self.id(),
            bytes,
        }
    }

    /// Checks one signature line on `text`: name and id must be this key's. Gives the time of a
    /// cosignature, in seconds since 1970; 0 for a log's signature, which has none.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, text: &str, line: &NoteSignature) -> Result<u64, BadSignature> {
        if !self.matches(line) {
            return Err(BadSignature);
        }
        match self.kind {
            KeyKind::Log => {
                let signature =
                    <[u8; 64]>::try_from(line.bytes.as_slice()).map_err(|_| BadSignature)?;
                self.key
                    .verify_raw(text.as_bytes(), &Signature(signature))?;
                Ok(0)
            }
            KeyKind::Cosigner => {
                let (time, signature) = line.bytes.split_first_chunk::<8>().ok_or(BadSignature)?;
                let signature = <[u8; 64]>::try_from(signature).map_err(|_| BadSignature)?;
                let time = u64::from_be_bytes(*time);
                // The specification's bound: 2^63 - 1.
                if time >> 63 == 1 {
                    return Err(BadSignature);
                }
                self.key
                    .verify_raw(cosigned(text, time).as_bytes(), &Signature(signature))?;
                Ok(time)
            }
        }
    }

    /// Whether a signature line claims to be this key's.
    pub fn matches(&self, line: &NoteSignature) -> bool {
        self.name == line.name && self.id() == line.id
    }
}

impl core::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let material = [&[self.kind.byte()], self.key.0.as_slice()].concat();
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id(),
            STANDARD.encode(material)
        )
    }
}

/// What an Ed25519 cosigner signs.
fn cosigned(text: &str, time: u64) -> String {
    alloc::format!("cosignature/v1\ntime {time}\n{text}")
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: u32,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// The name of the key that it claims.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl core::fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let bytes = [&self.id.to_be_bytes(), self.bytes.as_slice()].concat();
        writeln!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text and the signature lines under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    /// The text, its last newline included.
    pub text: String,
    /// The signature lines, in the note's order.
    pub signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Reads a note. Which keys are known, and whether they signed, is the caller's question.
    ///
    /// # Errors
    /// [`FormatError`] for whatever is not a signed note in canonical base64, or beyond the caps.
    pub fn parse(note: &str) -> Result<Self, FormatError> {
        if note.len() > MAX_NOTE {
            return Err(FormatError::TooLong {
                bytes: note.len(),
                max: MAX_NOTE,
            });
        }
        let wrong = |line, expected| FormatError::Line { line, expected };
        if let Some(at) = note.bytes().position(|b| b < 0x20 && b != b'\n') {
            let line = 1 + note.bytes().take(at).filter(|b| *b == b'\n').count();
            return Err(wrong(line, "no control characters"));
        }
        let last = 1 + note.bytes().filter(|b| *b == b'\n').count();
        let (text, lines) = note
            .rsplit_once("\n\n")
            .ok_or_else(|| wrong(last, "an empty line between text and signatures"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or_else(|| wrong(last, "a newline at the end"))?;
        let first = 3 + text.bytes().filter(|b| *b == b'\n').count();
        let mut signatures = Vec::new();
        for (i, line) in lines.split('\n').enumerate() {
            let read = parse_signature(line).filter(|_| i < MAX_SIGNATURES);
            signatures.push(read.ok_or_else(|| {
                wrong(first + i, "at most 64 signature lines: dash, name, base64")
            })?);
        }
        Ok(Self {
            text: alloc::format!("{text}\n"),
            signatures,
        })
    }
}

impl core::fmt::Display for SignedNote {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| write!(f, "{line}"))
    }
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, base64) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(base64).ok()?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    is_name(name).then(|| NoteSignature {
        name: name.into(),
        id: u32::from_be_bytes(*id),
        bytes: bytes.into(),
    })
}

fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(bad)
}
