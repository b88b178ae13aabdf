use thiserror::Error;

/// Why bytes were refused: which field, what was wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field}: {kind} (at byte {offset})")]
#[non_exhaustive]
pub struct DecodeError {
    /// The field that was being read, as its type names it.
    pub field: &'static str,
    /// Offset of the offending item from the start of the input, in bytes.
    pub offset: usize,
    /// What was wrong.
    pub kind: DecodeErrorKind,
}

/// What was wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends inside an item.
    #[error("input ends inside an item")]
    UnexpectedEnd,
    /// Bytes are left behind the item.
    #[error("bytes are left behind the item")]
    TrailingBytes,
    /// Another kind of item stands here.
    #[error("expected {expected}")]
    WrongType {
        /// What should stand here.
        expected: &'static str,
    },
    /// An integer or length takes more bytes than it needs.
    #[error("integer is not in its shortest form")]
    NotShortest,
    /// A number, length or count is outside what the field allows.
    #[error("{value} is outside {min}..={max}")]
    OutOfRange {
        /// What was found.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// A text string is not UTF-8.
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// The bytes are an item of the right type that the field forbids.
    #[error("{0}")]
    Invalid(&'static str),
}
