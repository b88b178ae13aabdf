use alloc::sync::Arc;
use core::fmt;
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<[u8]>);

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
        Ok(Self(bytes.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Symbol {
    /// The text, if it is printable ASCII, else `0x` and hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(&self.0) {
            Ok(text) if self.0.iter().all(u8::is_ascii_graphic) => f.write_str(text),
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
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
        e.bytes(&self.0);
    }
}

impl Decode for Symbol {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes = d.bytes(Self::MAX_LEN)?;
        Self::new(bytes).map_err(|_| d.invalid("symbol is empty"))
    }
}
