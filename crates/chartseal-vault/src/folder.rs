use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::VaultError;

/// A store's folder, ours alone while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    what: &'static str,
    /// Held for its lock; the operating system lets go of it however the process ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, readable by its owner only, and takes its lock.
    pub(crate) fn open(path: PathBuf, what: &'static str) -> Result<Self, VaultError> {
        create_dirs(&path).map_err(VaultError::io("create", what, &path))?;
        let lock_path = path.join("lock");
        let lock = private_file(&lock_path).map_err(VaultError::io("write", what, &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path,
                what,
                _lock: lock,
            }),
            Err(fs::TryLockError::WouldBlock) => Err(VaultError::InUse { what, path }),
            Err(fs::TryLockError::Error(error)) => Err(VaultError::io("lock", what, &path)(error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The error of a failed `action` on something in this folder.
    pub(crate) fn error(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> VaultError {
        VaultError::io(action, self.what, &self.path)
    }
}

/// Makes what was created, renamed or removed in a folder last.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere a folder can't be opened to be synced; the file system orders its own changes.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Opens or creates a file that only its owner may read.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes zeros over all of a file, and waits until they are on the medium.
pub(crate) fn wipe(file: &mut File) -> std::io::Result<()> {
    let zeros = [0; 4096];
    let mut left = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    while left > 0 {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(zeros.get(..len).unwrap_or(&zeros))?;
        left -= len as u64;
    }
    file.sync_all()
}

fn create_dirs(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
