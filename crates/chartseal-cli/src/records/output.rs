//! Files that are whole, or not there.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::input::{is_stdio, words};
use crate::failure::Failure;

/// Where something goes. A file gets its name when it is complete; until then, and if anything fails, there
/// is none, or the old one.
pub enum Output {
    Stdout(io::Stdout),
    File(NamedTempFile, PathBuf),
}

impl Output {
    /// What everybody may read.
    pub fn public(path: &Path) -> Result<Self, Failure> {
        Self::new(path, 0o666)
    }

    /// What only its owner may read.
    pub fn secret(path: &Path) -> Result<Self, Failure> {
        Self::new(path, 0o600)
    }

    fn new(path: &Path, mode: u32) -> Result<Self, Failure> {
        if is_stdio(path) {
            return Ok(Self::Stdout(io::stdout()));
        }
        let mut builder = Builder::new();
        builder
            .prefix(".chartseal-")
            .permissions(Permissions::from_mode(mode));
        let file = builder.tempfile_in(folder_of(path));
        let file = file.map_err(|error| cannot_write(path, &error))?;
        Ok(Self::File(file, path.into()))
    }

    /// Gives the file its name, in place of an older one.
    pub fn finish(self) -> Result<(), Failure> {
        self.end(false)
    }

    /// Gives the file its name, which must be free.
    pub fn finish_new(self) -> Result<(), Failure> {
        self.end(true)
    }

    fn end(mut self, is_new: bool) -> Result<(), Failure> {
        self.flush()?;
        let Self::File(file, path) = self else {
            return Ok(());
        };
        let synced = file.as_file().sync_all();
        synced.map_err(|error| cannot_write(&path, &error))?;
        let named = if is_new {
            file.persist_noclobber(&path)
        } else {
            file.persist(&path)
        };
        named.map_err(|error| cannot_write(&path, &error.error))?;
        sync_folder_of(&path).map_err(|error| cannot_write(&path, &error))
    }
}

impl Write for Output {
    fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(some),
            Self::File(file, _) => file.write(some),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file, _) => file.flush(),
        }
    }
}

/// A public object's file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut out = Output::public(path)?;
    out.write_all(bytes)?;
    out.finish()
}

/// Makes a file's new name durable: without this a power cut can bring back the file that it replaced, or none.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A folder, made if it is missing.
pub fn folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::bad(path, format!("cannot write it: {}", words(error)))
}
