use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::PolicyError;

/// An opaque id or label of 1 to 64 bytes: an actor, a record, a class, a tag.
///
/// The engine only asks whether two are equal. A patient's app works on plain codes such as `PSY`,
/// a validator on the blinded labels that stand for them, and both get the same answers.
///
/// ```
/// use chartseal_policy::Symbol;
///
/// let plain: Symbol = "PSY".parse()?;
/// let blinded = Symbol::new([0xc0, 0xff, 0xee])?;
/// assert_eq!(format!("{plain:?} {blinded:?}"), "PSY 0xc0ffee");
/// assert!(Symbol::new("").is_err());
/// # Ok::<(), chartseal_policy::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct Symbol(Form);

/// The most bytes that lie in the symbol itself, so that neither comparing nor copying it goes
/// elsewhere: enough for an id of 16 bytes, and for a symbol of 24 in all.
const INLINE: usize = 22;

#[derive(Clone)]
enum Form {
    /// Up to [`INLINE`] bytes; those past the length are zero.
    Inline { len: u8, bytes: [u8; INLINE] },
    /// More.
    Shared(Arc<[u8]>),
}

impl Symbol {
    /// The most bytes that one has.
    pub const MAX_LEN: usize = 64;

    /// The symbol of these bytes.
    ///
    /// # Errors
    /// [`PolicyError::SymbolLength`] unless there are 1 to 64.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, PolicyError> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() || bytes.len() > Self::MAX_LEN {
            return Err(PolicyError::SymbolLength { len: bytes.len() });
        }
        let mut inline = [0; INLINE];
        let form = match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(bytes);
                Form::Inline { len, bytes: inline }
            }
            _ => Form::Shared(bytes.into()),
        };
        Ok(Self(form))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Form::Shared(bytes) => bytes,
        }
    }
}

/// Integers that compare as the bytes do: the first 16, and the last 8.
#[inline]
fn words(bytes: &[u8; INLINE]) -> (u128, u64) {
    let first = bytes.first_chunk().copied().unwrap_or_default();
    let last = bytes.last_chunk().copied().unwrap_or_default();
    (u128::from_be_bytes(first), u64::from_be_bytes(last))
}

impl PartialEq for Symbol {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Inline { len, bytes }, Form::Inline { len: n, bytes: b }) => {
                len == n && bytes == b
            }
            (Form::Shared(a), Form::Shared(b)) => a == b,
            // One is longer than the other.
            _ => false,
        }
    }
}

impl Eq for Symbol {}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    /// As the bytes.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // The zeros past the end come before every byte that the longer one has there; where that
            // has zeros too, the length tells.
            (Form::Inline { len, bytes }, Form::Inline { len: n, bytes: b }) => {
                words(bytes).cmp(&words(b)).then(len.cmp(n))
            }
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Symbol {
    /// The text, if it is printable ASCII, else `0x` and hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.as_bytes();
        match core::str::from_utf8(bytes) {
            Ok(text) if bytes.iter().all(u8::is_ascii_graphic) => f.write_str(text),
            _ => {
                f.write_str("0x")?;
                chartseal_codec::write_hex(f, bytes)
            }
        }
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Symbol {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::new(text)
    }
}

impl Encode for Symbol {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(self.as_bytes());
    }
}

impl Decode for Symbol {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes = d.bytes(Self::MAX_LEN)?;
        Self::new(bytes).map_err(|_| d.invalid("symbol is empty"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Symbol;

    proptest! {
        #[test]
        fn symbols_compare_as_their_bytes_wherever_these_lie(
            a in vec(0_u8..2, 1..=64), b in vec(0_u8..2, 1..=64), keep in 1_usize..=64,
        ) {
            // Two that share a beginning, so that length and zeros decide.
            let start: Vec<u8> = a.iter().copied().take(keep).collect();
            for (a, b) in [(&a, &b), (&a, &start), (&start, &a), (&a, &a)] {
                if let (Ok(one), Ok(two)) = (Symbol::new(a), Symbol::new(b)) {
                    prop_assert_eq!(one.as_bytes(), a.as_slice());
                    prop_assert_eq!(one == two, a == b);
                    prop_assert_eq!(one.cmp(&two), a.cmp(b));
                }
            }
        }
    }
}
