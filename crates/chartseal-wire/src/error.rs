use chartseal_codec::DecodeError;
use thiserror::Error;

/// A line of a text format, counted from 1.
pub type Line = usize;

/// Why a text or its binary parts are not in the format that they claim.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A line is not what the format says stands there.
    #[error("line {line}: {expected}")]
    Line {
        /// Which line, counted from 1.
        line: Line,
        /// What should stand there.
        expected: &'static str,
    },
    /// The text is longer than anything that this format needs.
    #[error("{bytes} bytes, more than the {max} that this format allows")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// A binary part is not canonical, or not of its type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
