//! Where a demo keeps its files, and what a killed one leaves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file that says how far a demo came.
const MARKER: &str = "chartseal-demo";
const RUNNING: &str = "running\n";
const FINISHED: &str = "finished\n";

/// A demo's folder: kept for inspection, or gone with this value.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Deletes the folder when it is dropped.
    temporary: Option<tempfile::TempDir>,
    /// The folder was made by us, so a failed demo may take it away.
    made: bool,
    finished: bool,
}

/// Why a folder can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A demo was killed here.
    #[error(
        "{0}: a demo that did not finish left this directory (stale); delete it, or name another"
    )]
    Stale(PathBuf),
    /// A finished demo is kept here.
    #[error("{0}: a finished demo is kept here; delete it, or name another directory")]
    Finished(PathBuf),
    /// Somebody else's files are here.
    #[error("{0}: the directory is not empty; name an empty or a new one")]
    NotEmpty(PathBuf),
    /// The system refused.
    #[error("{path}: cannot {what}: {source}; a writable directory with room is needed")]
    Io {
        /// Where.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Directory {
    /// A folder to keep: made if missing, refused if anything is in it.
    pub fn keep(path: &Path) -> Result<Self, DirectoryError> {
        let made = !path.exists();
        let io = |what| {
            move |source| DirectoryError::Io {
                path: path.into(),
                what,
                source,
            }
        };
        fs::create_dir_all(path).map_err(io("make the directory"))?;
        let mut entries = fs::read_dir(path).map_err(io("read the directory"))?;
        match fs::read_to_string(path.join(MARKER)) {
            Ok(state) if state == FINISHED => return Err(DirectoryError::Finished(path.into())),
            Ok(_) => return Err(DirectoryError::Stale(path.into())),
            Err(_) if entries.next().is_some() => {
                return Err(DirectoryError::NotEmpty(path.into()));
            }
            Err(_) => {}
        }
        let directory = Self {
            path: path.into(),
            temporary: None,
            made,
            finished: false,
        };
        directory.mark(RUNNING)?;
        Ok(directory)
    }

    /// A folder that is gone afterwards.
    pub fn temporary() -> Result<Self, DirectoryError> {
        let temporary = tempfile::Builder::new().prefix("chartseal-demo-").tempdir();
        let temporary = temporary.map_err(|source| DirectoryError::Io {
            path: std::env::temp_dir(),
            what: "make a temporary directory",
            source,
        })?;
        let path = temporary.path().to_owned();
        Ok(Self {
            path,
            temporary: Some(temporary),
            made: false,
            finished: false,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is, if it stays.
    pub fn kept_path(&self) -> Option<&Path> {
        self.temporary.is_none().then_some(self.path.as_path())
    }

    /// Writes `bytes` under `name`, making folders between.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DirectoryError> {
        let path = self.path.join(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, bytes));
        written.map_err(|source| DirectoryError::Io {
            path,
            what: "write the file",
            source,
        })
    }

    /// As [`write`](Self::write), readable by its owner alone.
    pub fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), DirectoryError> {
        self.write(name, &[])?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = self.path.join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(|source| {
                DirectoryError::Io {
                    path,
                    what: "protect the file",
                    source,
                }
            })?;
        }
        self.write(name, bytes)
    }

    /// Says that the demo came to its end.
    pub fn finish(mut self) -> Result<(), DirectoryError> {
        self.finished = true;
        if self.temporary.is_none() {
            self.mark(FINISHED)
        } else {
            Ok(())
        }
    }

    fn mark(&self, state: &str) -> Result<(), DirectoryError> {
        self.write(MARKER, state.as_bytes())
    }
}

impl Drop for Directory {
    /// A demo that failed with an error leaves nothing half-stored. (One that was killed leaves the
    /// marker, and the next run names the folder as stale.)
    fn drop(&mut self) {
        if self.finished || self.temporary.is_some() {
            return;
        }
        if self.made {
            let _ = fs::remove_dir_all(&self.path);
        } else if let Ok(entries) = fs::read_dir(&self.path) {
            for entry in entries.flatten() {
                let path = entry.path();
                let _ = if path.is_dir() {
                    fs::remove_dir_all(path)
                } else {
                    fs::remove_file(path)
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_demo_leaves_nothing_and_a_finished_one_everything() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        drop(Directory::keep(&path).unwrap());
        assert!(!path.exists());

        let kept = Directory::keep(&path).unwrap();
        kept.write("exports/x", b"x").unwrap();
        kept.finish().unwrap();
        assert_eq!(fs::read(path.join("exports/x")).unwrap(), b"x");
        assert!(matches!(
            Directory::keep(&path),
            Err(DirectoryError::Finished(_))
        ));
        assert!(path.join("exports/x").exists());
    }

    #[test]
    fn what_a_killed_demo_leaves_is_named_stale() {
        let root = tempfile::tempdir().unwrap();
        std::mem::forget(Directory::keep(root.path()).unwrap());
        assert!(matches!(
            Directory::keep(root.path()),
            Err(DirectoryError::Stale(_))
        ));
    }

    #[test]
    fn other_peoples_files_stay() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis"), "x").unwrap();
        assert!(matches!(
            Directory::keep(root.path()),
            Err(DirectoryError::NotEmpty(_))
        ));
        assert!(root.path().join("thesis").exists());
    }
}
