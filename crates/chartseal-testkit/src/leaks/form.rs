//! The forms in which a text can leak: those that somebody can turn back, or recognize by a guess.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// One form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Form {
    /// Its letters.
    pub case: Case,
    /// What is written: the text, or a hash of it that no secret went into.
    pub digest: Digest,
    /// How that is written.
    pub spelling: Spelling,
}

/// The letters of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// As the source has them.
    AsWritten,
    /// Lower case, as before a hash that shall match.
    Lower,
    /// Upper case.
    Upper,
}

/// An unsalted hash, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Digest {
    /// The text itself.
    None,
    /// SHA-256.
    Sha256,
    /// BLAKE3, of 32 bytes.
    Blake3,
}

/// A way to write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    /// As they are.
    Plain,
    /// Hexadecimal in lower case.
    Hex,
    /// Hexadecimal in upper case.
    HexUpper,
    /// Base64, behind so many bytes (modulo 3) of something else.
    Base64(u8),
    /// Base64 of the alphabet for URLs, likewise.
    Base64Url(u8),
}

impl Case {
    /// All three.
    pub const ALL: [Self; 3] = [Self::AsWritten, Self::Lower, Self::Upper];

    /// `text` in these letters; bytes that are no text have none.
    pub fn of(self, text: &[u8]) -> Vec<u8> {
        match (self, std::str::from_utf8(text)) {
            (Self::Lower, Ok(text)) => text.to_lowercase().into_bytes(),
            (Self::Upper, Ok(text)) => text.to_uppercase().into_bytes(),
            _ => text.to_vec(),
        }
    }
}

impl Digest {
    /// All three.
    pub const ALL: [Self; 3] = [Self::None, Self::Sha256, Self::Blake3];

    /// The bytes that are written for `text`.
    pub fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::None => text.to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Blake3 => blake3::hash(text).as_bytes().to_vec(),
        }
    }
}

impl Spelling {
    /// All nine.
    pub const ALL: [Self; 9] = [
        Self::Plain,
        Self::Hex,
        Self::HexUpper,
        Self::Base64(0),
        Self::Base64(1),
        Self::Base64(2),
        Self::Base64Url(0),
        Self::Base64Url(1),
        Self::Base64Url(2),
    ];

    /// What is seen of `bytes`, whatever stands before and behind them.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => bytes.to_vec(),
            Self::Hex => hex(bytes, b"0123456789abcdef"),
            Self::HexUpper => hex(bytes, b"0123456789ABCDEF"),
            Self::Base64(behind) => digits(&STANDARD_NO_PAD, bytes, behind),
            Self::Base64Url(behind) => digits(&URL_SAFE_NO_PAD, bytes, behind),
        }
    }
}

impl Form {
    /// Every form.
    pub fn all() -> impl Iterator<Item = Self> {
        Case::ALL.into_iter().flat_map(|case| {
            Digest::ALL.into_iter().flat_map(move |digest| {
                let form = move |spelling| Self {
                    case,
                    digest,
                    spelling,
                };
                Spelling::ALL.into_iter().map(form)
            })
        })
    }

    /// `text` in this form.
    pub fn of(self, text: &[u8]) -> Vec<u8> {
        self.spelling.of(&self.digest.of(&self.case.of(text)))
    }
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let digit = |at: u8| digits.get(usize::from(at)).copied();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .flatten()
        .collect()
}

/// The base64 digits of which no neighbouring byte has a part.
fn digits(engine: &impl Engine, bytes: &[u8], behind: u8) -> Vec<u8> {
    let behind = usize::from(behind);
    let mut shifted = vec![0; behind];
    shifted.extend(bytes);
    let encoded = engine.encode(&shifted).into_bytes();
    let (from, to) = ((8 * behind).div_ceil(6), 8 * shifted.len() / 6);
    encoded.get(from..to).unwrap_or_default().to_vec()
}
