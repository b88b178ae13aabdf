//! Why a command could not do its work: one clear line on stderr.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::exit::Exit;

/// What went wrong: which file, what was wrong, what would be right. It quotes no content.
#[derive(Debug)]
pub enum Failure {
    /// With a file, a directory or what is in it.
    Input(String),
    /// With the output: a closed pipe, a full disk.
    Output(io::Error),
    /// With what the network did: a promise did not hold.
    Unmet(String),
}

impl Failure {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Input(_) | Self::Output(_) => Exit::Misuse,
            Self::Unmet(_) => Exit::Refuted,
        }
    }

    /// A failure in words.
    pub fn new(why: impl std::fmt::Display) -> Self {
        Self::Input(why.to_string())
    }

    /// A file that can't be used.
    pub fn bad(file: &Path, why: impl std::fmt::Display) -> Self {
        Self::Input(format!("{}: {why}", file.display()))
    }

    /// The same, with the directory in which it happened, unless it names that already.
    pub fn within(self, directory: &Path) -> Self {
        match self {
            Self::Input(why) if !why.contains(&*directory.join("").to_string_lossy()) => {
                Self::bad(directory, why)
            }
            other => other,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input(why) | Self::Unmet(why) => f.write_str(why),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl From<chartseal::Error> for Failure {
    fn from(error: chartseal::Error) -> Self {
        if error.is_local() {
            Self::new(error)
        } else {
            Self::Unmet(format!("a promise did not hold: {error}"))
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// A whole file of at most `max` bytes.
pub fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| Failure::bad(path, cannot_read(&error)))?;
    read_all(file, path, max)
}

fn read_all(from: impl Read, path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too long" from "just fits", whatever the metadata says.
    let read = from.take(max + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::bad(path, cannot_read(&error)))?;
    if bytes.len() as u64 > max {
        return Err(Failure::bad(path, format!("longer than {max} bytes")));
    }
    Ok(bytes)
}

/// A whole text file of at most `max` bytes.
pub fn read_text(path: &Path, max: u64) -> Result<String, Failure> {
    text(path, read_file(path, max)?)
}

/// The same of stdin, if the file is `-`.
pub fn read_input(path: &Path, max: u64) -> Result<String, Failure> {
    if path != Path::new("-") {
        return read_text(path, max);
    }
    let stdin = Path::new("stdin");
    text(stdin, read_all(io::stdin().lock(), stdin, max)?)
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::bad(path, format!("not UTF-8 text (at byte {at})"))
    })
}

fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::IsADirectory => "a directory; a file is needed".into(),
        io::ErrorKind::PermissionDenied => "no permission to read it".into(),
        _ => format!("cannot read it: {error}"),
    }
}
