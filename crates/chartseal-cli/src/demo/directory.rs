//! Where a demo keeps its files, and what a killed one leaves.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file that says how far a demo came.
const MARKER: &str = "chartseal-demo";
const RUNNING: &str = "running\n";
const FINISHED: &str = "finished\n";
/// What a demo puts there besides.
const FOLDERS: [&str; 3] = ["exports", "keys", "nodes"];
/// How temporary folders' names begin.
const PREFIX: &str = "chartseal-demo-";

/// A demo's folder: kept for inspection, or gone with this value.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Deletes the folder when it is dropped.
    temporary: Option<tempfile::TempDir>,
    /// The folders that were made by us, the innermost first, so a failed demo may take them away.
    made: Vec<PathBuf>,
    finished: bool,
    /// Locked as long as the demo runs: a marker that says "running" and isn't locked is stale.
    marker: File,
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
    /// A demo is running here.
    #[error("{0}: another demo is running in this directory; name another")]
    Running(PathBuf),
    /// It is something else.
    #[error("{0}: not a directory; name an empty or a new one")]
    NotADirectory(PathBuf),
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
        let made = make(path)?;
        let taken = taken(path).and_then(|taken| taken.map_or(Ok(()), Err));
        let marker = taken.and_then(|()| mark_running(path));
        let marker = marker.inspect_err(|_| unmake(&made))?;
        Ok(Self {
            path: path.into(),
            temporary: None,
            made,
            finished: false,
            marker,
        })
    }

    /// A folder that is gone afterwards.
    pub fn temporary() -> Result<Self, DirectoryError> {
        let temporary = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let temporary =
            temporary.map_err(io(&std::env::temp_dir(), "make a temporary directory"))?;
        Ok(Self {
            path: temporary.path().to_owned(),
            marker: mark_running(temporary.path())?,
            temporary: Some(temporary),
            made: Vec::new(),
            finished: false,
        })
    }

    /// The temporary folders of demos that were killed.
    pub fn stale() -> Vec<PathBuf> {
        let entries = fs::read_dir(std::env::temp_dir());
        let entries = entries.into_iter().flatten().flatten();
        let ours = entries.filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX));
        let stale = |path: &PathBuf| matches!(taken(path), Ok(Some(DirectoryError::Stale(_))));
        ours.map(|entry| entry.path()).filter(stale).collect()
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
        if self.temporary.is_some() {
            return Ok(());
        }
        let write = |mut marker: &File| {
            marker.set_len(0)?;
            marker.rewind()?;
            marker.write_all(FINISHED.as_bytes())
        };
        write(&self.marker).map_err(io(&self.path.join(MARKER), "write the file"))
    }
}

impl Drop for Directory {
    /// A demo that failed with an error leaves nothing half-stored. (One that was killed leaves the
    /// marker, and the next run names the folder as stale.)
    fn drop(&mut self) {
        if self.finished || self.temporary.is_some() {
            return;
        }
        // Ours alone: somebody may have put something beside it.
        for folder in FOLDERS {
            let _ = fs::remove_dir_all(self.path.join(folder));
        }
        let _ = fs::remove_file(self.path.join(MARKER));
        unmake(&self.made);
    }
}

/// What the system refused, and where.
fn io(path: &Path, what: &'static str) -> impl Fn(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io {
        path: path.clone(),
        what,
        source,
    }
}

/// Makes a folder and those above it; gives those that were missing, the innermost first.
fn make(path: &Path) -> Result<Vec<PathBuf>, DirectoryError> {
    let missing = path.ancestors().take_while(|p| fs::metadata(p).is_err());
    let missing: Vec<PathBuf> = missing
        .filter(|p| !p.as_os_str().is_empty())
        .map(PathBuf::from)
        .collect();
    if missing.is_empty() && !path.is_dir() {
        return Err(DirectoryError::NotADirectory(path.into()));
    }
    fs::create_dir_all(path).map_err(|error| {
        unmake(&missing);
        io(path, "make the directory")(error)
    })?;
    Ok(missing)
}

/// Takes folders away again that are empty.
fn unmake(made: &[PathBuf]) {
    for folder in made {
        let _ = fs::remove_dir(folder);
    }
}

/// Why no demo may begin here, if there is a reason.
fn taken(path: &Path) -> Result<Option<DirectoryError>, DirectoryError> {
    let mut entries = fs::read_dir(path).map_err(io(path, "read the directory"))?;
    let marker = path.join(MARKER);
    Ok(match fs::read_to_string(&marker) {
        Ok(state) if state == FINISHED => Some(DirectoryError::Finished(path.into())),
        Ok(_) => {
            let lock = File::open(&marker).map(|marker| marker.try_lock());
            let running = matches!(lock, Ok(Err(TryLockError::WouldBlock)));
            Some(if running {
                DirectoryError::Running(path.into())
            } else {
                DirectoryError::Stale(path.into())
            })
        }
        Err(_) if entries.next().is_some() => Some(DirectoryError::NotEmpty(path.into())),
        Err(_) => None,
    })
}

/// Writes the marker, and locks it for as long as the demo runs.
fn mark_running(path: &Path) -> Result<File, DirectoryError> {
    let path = path.join(MARKER);
    // Two demos that begin here at once: one of them makes the file.
    let mut file = File::create_new(&path).map_err(io(&path, "make the file"))?;
    let written = file
        .lock()
        .and_then(|()| file.write_all(RUNNING.as_bytes()));
    written.map_err(|error| {
        let _ = fs::remove_file(&path);
        io(&path, "write the file")(error)
    })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_demo_leaves_nothing_and_a_finished_one_everything() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        drop(Directory::keep(&path).unwrap());
        assert!(!root.path().join("a").exists());

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
        let running = Directory::keep(root.path()).unwrap();
        assert!(matches!(
            Directory::keep(root.path()),
            Err(DirectoryError::Running(_))
        ));
        // A killed process runs no destructor, and loses its locks.
        running.marker.unlock().unwrap();
        std::mem::forget(running);
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
