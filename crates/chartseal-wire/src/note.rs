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
#[cfg(feature = "ml-dsa")]
use crate::ml_dsa_44::MlDsaKey;

/// The most bytes of a note.
pub const MAX_NOTE: usize = 64 * 1024;
/// The most signature lines of a note.
pub const MAX_SIGNATURES: usize = 64;
/// The most bytes of a key's name.
pub const MAX_NAME: usize = 255;
/// The most letters of a verifier key's base64.
const MAX_KEY: usize = if cfg!(feature = "ml-dsa") { 1752 } else { 44 };

/// What a key signs, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Ed25519 over the note's text: a log's own signature (signed-note, type 0x01).
    Log,
    /// Ed25519 over time and text: a cosignature (tlog-cosignature, type 0x04).
    Cosigner,
    /// ML-DSA-44 over the cosigner's name, time, origin, size and root: a cosignature
    /// (tlog-cosignature, type 0x06).
    #[cfg(feature = "ml-dsa")]
    MlDsaCosigner,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Cosigner => 4,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsaCosigner => 6,
        }
    }

    /// Whether it cosigns what a log signed.
    pub fn is_cosigner(self) -> bool {
        self != Self::Log
    }
}

/// The public key itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Ed25519(PublicKey),
    #[cfg(feature = "ml-dsa")]
    MlDsa44(MlDsaKey),
}

impl Key {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => &key.0,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(key) => key.as_bytes(),
        }
    }
}

/// A named public key for notes, a *vkey*: `name+hex(id)+base64(type ‖ key)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: Key,
}

impl VerifierKey {
    /// An Ed25519 key under a name; `None` if the name is empty, too long, or has a space, `+` or control
    /// character, or the kind is of another algorithm.
    pub fn new(name: &str, kind: KeyKind, key: PublicKey) -> Option<Self> {
        let is_ed25519 = matches!(kind, KeyKind::Log | KeyKind::Cosigner);
        (is_ed25519 && is_name(name)).then(|| Self {
            name: name.into(),
            kind,
            key: Key::Ed25519(key),
        })
    }

    /// A cosigner's ML-DSA-44 key under a name, as [`new`](Self::new).
    #[cfg(feature = "ml-dsa")]
    pub fn ml_dsa(name: &str, key: MlDsaKey) -> Option<Self> {
        is_name(name).then(|| Self {
            name: name.into(),
            kind: KeyKind::MlDsaCosigner,
            key: Key::MlDsa44(key),
        })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`FormatError::Line`] (line 1) if it is not one of these types in canonical form, or its
    /// id is not the one that name, type and key give.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let wrong = |expected| FormatError::Line { line: 1, expected };
        let form = "a verifier key: name+hex(id)+base64(type and key)";
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(form));
        };
        // What is longer is no key, and need not be read.
        let material = if key.len() <= MAX_KEY {
            STANDARD.decode(key).ok()
        } else {
            None
        };
        let kinds = "a key of type 1 (Ed25519), 4 (cosignature/v1) or, with the feature ml-dsa, 6";
        let vkey = match material.as_deref().and_then(|m| m.split_first()) {
            Some((1, key)) => ed25519(key).and_then(|key| Self::new(name, KeyKind::Log, key)),
            Some((4, key)) => ed25519(key).and_then(|key| Self::new(name, KeyKind::Cosigner, key)),
            #[cfg(feature = "ml-dsa")]
            Some((6, key)) => MlDsaKey::new(key).and_then(|key| Self::ml_dsa(name, key)),
            _ => return Err(wrong(kinds)),
        };
        let vkey =
            vkey.ok_or_else(|| wrong("a key of its type's length, under a name without spaces"))?;
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

    /// The public key itself, if it is an Ed25519 key.
    pub fn key(&self) -> Option<PublicKey> {
        match &self.key {
            Key::Ed25519(key) => Some(*key),
            #[cfg(feature = "ml-dsa")]
            Key::MlDsa44(_) => None,
        }
    }

    /// The bytes of the public key, of whatever algorithm.
    pub fn key_bytes(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// Its id: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ key). A hint, no proof.
    pub fn id(&self) -> u32 {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', self.kind.byte()]);
        hasher.update(self.key.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The signature line that this key gives: `sign` signs bytes with its secret half, by the key's
    /// algorithm. `time` is in seconds since 1970, and only for a cosigner. An ML-DSA cosigner signs what
    /// the text's first three lines say, nothing if they are no checkpoint.
    pub fn line<S: AsRef<[u8]>>(
        &self,
        text: &str,
        time: u64,
        sign: impl FnOnce(&[u8]) -> S,
    ) -> NoteSignature {
        let message = self.message(text, time).unwrap_or_default();
        let mut bytes = Vec::new();
        if self.kind.is_cosigner() {
            bytes.extend(time.to_be_bytes());
        }
        bytes.extend(sign(&message).as_ref());
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
        let (time, signature) = if self.kind.is_cosigner() {
            let (time, signature) = line.bytes.split_first_chunk::<8>().ok_or(BadSignature)?;
            (u64::from_be_bytes(*time), signature)
        } else {
            (0, line.bytes.as_slice())
        };
        // The specification's bound: 2^63 - 1.
        if time >> 63 == 1 {
            return Err(BadSignature);
        }
        let message = self.message(text, time).ok_or(BadSignature)?;
        match &self.key {
            Key::Ed25519(key) => {
                let signature = signature.try_into().map_err(|_| BadSignature)?;
                key.verify_raw(&message, &Signature(signature))?;
            }
            #[cfg(feature = "ml-dsa")]
            Key::MlDsa44(key) => key.verify(&message, &[], signature)?,
        }
        Ok(time)
    }

    /// What is signed; `None` if this kind of key does not sign such a text.
    #[cfg_attr(
        not(feature = "ml-dsa"),
        expect(clippy::unnecessary_wraps, reason = "ML-DSA signs checkpoints alone")
    )]
    fn message(&self, text: &str, time: u64) -> Option<Vec<u8>> {
        match self.kind {
            KeyKind::Log => Some(text.into()),
            KeyKind::Cosigner => Some(cosigned(text, time).into()),
            #[cfg(feature = "ml-dsa")]
            KeyKind::MlDsaCosigner => cosigned_tree(&self.name, text, time),
        }
    }

    /// Whether a signature line claims to be this key's.
    pub fn matches(&self, line: &NoteSignature) -> bool {
        self.name == line.name && self.id() == line.id
    }
}

impl core::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let material = [&[self.kind.byte()], self.key.as_bytes()].concat();
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

/// What an ML-DSA cosigner signs: a tree, from its first leaf on.
#[cfg(feature = "ml-dsa")]
fn cosigned_tree(name: &str, text: &str, time: u64) -> Option<Vec<u8>> {
    // Extension lines are no part of it.
    let end = text.match_indices('\n').nth(2)?.0;
    let checkpoint = crate::Checkpoint::parse(text.get(..=end)?).ok()?;
    let mut message = Vec::from(*b"subtree/v1\n\0");
    message.push(u8::try_from(name.len()).ok()?);
    message.extend(name.as_bytes());
    message.extend(time.to_be_bytes());
    message.push(u8::try_from(checkpoint.origin.len()).ok()?);
    message.extend(checkpoint.origin.as_bytes());
    message.extend(0u64.to_be_bytes());
    message.extend(checkpoint.size.to_be_bytes());
    message.extend(checkpoint.root.0);
    Some(message)
}

fn ed25519(key: &[u8]) -> Option<PublicKey> {
    Some(PublicKey(key.try_into().ok()?))
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
