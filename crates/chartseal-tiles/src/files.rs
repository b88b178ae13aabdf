//! Where a log's files lie.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::TileError;

/// Where a log's files are read: a directory, a mirror of one, a web server.
pub trait Source {
    /// The file at a path, which is the log's own and has `/` between its parts; `None` if it is not there.
    /// No more than `max` bytes are taken.
    ///
    /// # Errors
    /// [`io::Error`]; of kind `InvalidData` if there are more than `max` bytes.
    fn read(&self, path: &str, max: usize) -> io::Result<Option<Vec<u8>>>;
}

/// Where a log's files are written.
pub trait Sink: Source {
    /// Writes a file: afterwards it is there as a whole, also after a crash, or as it was before.
    ///
    /// # Errors
    /// [`io::Error`].
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
}

impl<S: Source + ?Sized> Source for &S {
    fn read(&self, path: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        (**self).read(path, max)
    }
}

impl<S: Sink + ?Sized> Sink for &S {
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        (**self).write(path, bytes)
    }
}

/// Files under one directory.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// Files under `root`, which is made when the first is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Source for Directory {
    fn read(&self, path: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > max {
            let what = format!("more than the {max} bytes that such a file can have");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Some(bytes))
    }
}

impl Sink for Directory {
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(path);
        let parent = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent)?;
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(bytes)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A web server of another user serves them.
            let readable = fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(readable)?;
        }
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|failed| failed.error)?;
        #[cfg(unix)]
        File::open(parent)?.sync_all()?;
        Ok(())
    }
}

/// The same with a path in each error.
pub(crate) fn read(
    from: &impl Source,
    path: &str,
    max: usize,
) -> Result<Option<Vec<u8>>, TileError> {
    let read = from.read(path, max);
    read.map_err(|source| TileError::Io {
        path: path.into(),
        source,
    })
}

pub(crate) fn write(to: &impl Sink, path: &str, bytes: &[u8]) -> Result<(), TileError> {
    to.write(path, bytes).map_err(|source| TileError::Io {
        path: path.into(),
        source,
    })
}
