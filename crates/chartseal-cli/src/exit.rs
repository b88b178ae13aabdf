//! The one table of exit codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or proved.
    Done = 0,
    /// Refuted, or an expectation or promise was not met.
    Refuted = 1,
    /// There is not enough to tell.
    CannotTell = 2,
    /// Misuse, or input that is unreadable or bad.
    Misuse = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
