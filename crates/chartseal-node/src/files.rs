//! Small files that are there as a whole, or as they were before.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Puts a file in another one's place, by way of `new` beside it: a crash leaves the old one or the new one, and after this
/// the new one.
pub(crate) fn replace(file: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut written = File::create(new)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    fs::rename(new, file)?;
    sync_folder_of(file)
}

/// Makes a file's name last. Not every system lets a folder be opened.
#[cfg(unix)]
pub(crate) fn sync_folder_of(file: &Path) -> io::Result<()> {
    match std::path::absolute(file)?.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}
