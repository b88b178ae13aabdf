use std::io;

use chartseal_wire::FormatError;
use thiserror::Error;

/// Why a log could not be published or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TileError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file's path within the log.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that the log must have is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file's path within the log.
        path: String,
    },
    /// A file is not the one that the checkpoint's root fixes.
    #[error("{path} is not what the checkpoint signs: {what}")]
    Damaged {
        /// The file's path within the log.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A file would be published that differs from the one that was published before.
    #[error(
        "{path} was published before with other content: the log was forked or its files altered"
    )]
    Changed {
        /// The file's path within the log.
        path: String,
    },
    /// `checkpoint` can't be read.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] FormatError),
    /// The checkpoint speaks of another log.
    #[error("the checkpoint is of {found:?}, not of {expected:?}")]
    Origin {
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// The checkpoint does not sign what was appended.
    #[error(
        "the checkpoint has {found} entries and another root than the {here} that were appended"
    )]
    OtherTree {
        /// The checkpoint's size.
        found: u64,
        /// How many entries were appended.
        here: u64,
    },
    /// An entry is longer than its length field tells.
    #[error("an entry of {len} bytes: at most 65535 can be published")]
    EntryTooLong {
        /// Its bytes.
        len: usize,
    },
    /// An entry or size beyond the log's end.
    #[error("{asked} lies beyond the log's {size} entries")]
    Beyond {
        /// The index or size that was asked for.
        asked: u64,
        /// The log's size.
        size: u64,
    },
}
