use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a store refused. Never holds stored bytes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The operating system refused; nothing is half-stored.
    #[error("cannot {action} {what} {}: {}", path.display(), advice(source))]
    Io {
        /// What was tried: `write`, `read`, …
        action: &'static str,
        /// What the path is: `the blob store's folder`, …
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process, or another handle of this one, has the store open.
    #[error("{what} {} is in use by another process: stop that one first", path.display())]
    InUse {
        /// What the path is.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// What was to be stored could not be read.
    #[error("what was to be stored can't be read: {0}; nothing of it was stored")]
    Source(#[source] io::Error),
    /// What was to be stored is something else.
    #[error("the bytes are not those of blob {id}: nothing of them was stored")]
    Other {
        /// The id, in hex.
        id: String,
    },
    /// One item's bytes are not the ones that were stored. They are not returned.
    #[error("{what} {id} is damaged: its bytes are not the ones that were stored")]
    Damaged {
        /// What it is: `blob`, `share`, …
        what: &'static str,
        /// Its id or key, in hex.
        id: String,
    },
    /// A store's file as a whole can't be read.
    #[error("{what} {} is damaged or not a store ({why}): restore it", path.display())]
    DamagedStore {
        /// What the path is.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the reader found.
        why: String,
    },
    /// The store is encrypted under another key.
    #[error("{what} {} is encrypted under another key: put this node's own file of keys back", path.display())]
    WrongKey {
        /// What the path is.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("the system gives no randomness: nothing was stored")]
    Randomness,
    /// Other bytes are stored under this key; nothing of the batch was stored.
    #[error("{what} {id} is stored already with other bytes: destroy those first")]
    Conflict {
        /// What it is: `share`, …
        what: &'static str,
        /// Its key, in hex.
        id: String,
    },
}

impl VaultError {
    pub(crate) fn io(
        action: &'static str,
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            what,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// What is wrong and what would be right, for the failures that a person can mend.
fn advice(error: &io::Error) -> String {
    use io::ErrorKind::{
        FileTooLarge, NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem,
        StorageFull,
    };
    let known = match error.kind() {
        StorageFull | QuotaExceeded => "no room: free some, or choose another folder",
        ReadOnlyFilesystem => "the file system is read-only: choose another folder",
        PermissionDenied => "no permission: choose a folder that this user may write",
        NotADirectory => "a part of the path is a file: choose another folder",
        FileTooLarge => "the file would exceed this process's limit: raise it",
        _ => return error.to_string(),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_what_the_path_is_and_what_would_be_right() {
        let failed = |kind: io::ErrorKind| {
            let path = Path::new("store");
            VaultError::io("write", "the blob store's folder", path)(kind.into()).to_string()
        };
        for (kind, right) in [
            (io::ErrorKind::StorageFull, "no room"),
            (io::ErrorKind::ReadOnlyFilesystem, "read-only"),
            (io::ErrorKind::PermissionDenied, "may write"),
        ] {
            let message = failed(kind);
            assert!(message.starts_with("cannot write the blob store's folder store: "));
            assert!(message.contains(right), "{message}");
        }
    }
}
