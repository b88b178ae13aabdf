//! The words of entries.

use alloc::boxed::Box;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, Shape, walk};

/// A short ASCII word of a published table (`TREAT`, `no_grant`) or a directive's id in hex: 1 to 96
/// bytes from `!` to `~`. It can't hold free text with spaces, so no sentence hides in it.
#[derive(Clone)]
pub struct Token(Word);

/// Histories have several words an entry, nearly all of them short: those take no memory of their own.
#[derive(Clone)]
enum Word {
    Short { length: u8, bytes: [u8; 22] },
    Long(Box<[u8]>),
}

impl Token {
    /// The most bytes of a token.
    pub const MAX: usize = 96;

    const RULE: &'static str = "a token is 1 to 96 printable ASCII bytes, no spaces";

    fn text<'a>(d: &mut Decoder<'a>) -> Result<&'a str, DecodeError> {
        let text = d.text(Self::MAX)?;
        let is_token = Self::is_token(text.as_bytes());
        is_token
            .then_some(text)
            .ok_or_else(|| d.invalid(Self::RULE))
    }

    /// `text`, if it is a token.
    pub fn new(text: &str) -> Option<Self> {
        Self::of(text.as_bytes())
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        // All of it is ASCII, or there would be no token.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The bytes of the word.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Word::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Word::Long(bytes) => bytes,
        }
    }

    fn is_token(text: &[u8]) -> bool {
        // No way out of the loop: so it takes many bytes at a time.
        let is_good = |good, byte: &u8| good & byte.is_ascii_graphic();
        (1..=Self::MAX).contains(&text.len()) && text.iter().fold(true, is_good)
    }

    fn of(text: &[u8]) -> Option<Self> {
        Self::is_token(text).then(|| Self::word(text)).flatten()
    }

    /// What [`is_token`](Self::is_token) was asked of before.
    fn word(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 22];
        let Some(short) = bytes.get_mut(..text.len()) else {
            return Some(Self(Word::Long(text.into())));
        };
        short.copy_from_slice(text);
        let length = u8::try_from(text.len()).ok()?;
        Some(Self(Word::Short { length, bytes }))
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Token {}

impl PartialOrd for Token {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Token {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Encode for Token {
    fn encode(&self, e: &mut Encoder) {
        e.text(self.as_str());
    }
}

impl Decode for Token {
    const SHAPE: &'static Shape = &Shape::Own(|d| Self::text(d).map(|_| ()));

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let text = Self::text(d)?;
        Self::word(text.as_bytes()).ok_or_else(|| d.invalid(Self::RULE))
    }

    fn skip(input: &[u8]) -> Option<&[u8]> {
        let (text, rest) = walk::text(input)?;
        Self::is_token(text).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn words_of_every_length_come_back_and_are_ordered_as_texts_are() {
        let words: Vec<String> = (1..=Token::MAX)
            .flat_map(|n| ["a", "b"].map(|last| "a".repeat(n - 1) + last))
            .collect();
        for word in &words {
            let token = Token::new(word).unwrap();
            assert_eq!(token.as_str(), word);
            assert_eq!(
                (format!("{token}"), format!("{token:?}")),
                (word.clone(), format!("Token({word:?})"))
            );
            for other in &words {
                let order = token.cmp(&Token::new(other).unwrap());
                assert_eq!(order, word.cmp(other));
                assert_eq!(order.is_eq(), token == Token::new(other).unwrap());
            }
        }
        assert!(Token::new("").is_none() && Token::new(&"a".repeat(97)).is_none());
        for at in 0..40 {
            for bad in ['\x1f', ' ', '\x7f', '\u{e4}'] {
                let word = "a".repeat(at) + &format!("{bad}") + &"a".repeat(40 - at);
                assert!(Token::new(&word).is_none(), "{word}");
            }
        }
    }
}
