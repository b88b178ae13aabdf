//! Objects from files.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use chartseal_envelope::file::{self, Object, RecordFile};
use chartseal_envelope::{Dealing, Header, PublicIdentity};

use crate::failure::{Failure, read_file};

/// The longest object but a record, in bytes: a deal of 65,536 records to 64 custodians.
pub const MAX_OBJECT: u64 = 256 << 20;

pub fn is_stdio(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a file holds, of the kind that is expected.
pub fn object<T: Object>(path: &Path) -> Result<T, Failure> {
    let bytes = read_file(path, MAX_OBJECT)?;
    file::from_bytes(&bytes).map_err(|why| Failure::bad(path, why))
}

pub fn identities(paths: &[impl AsRef<Path>]) -> Result<Vec<PublicIdentity>, Failure> {
    paths.iter().map(|path| object(path.as_ref())).collect()
}

/// A record in a file. From a pipe it is copied to a nameless one first: its seal stands at the end, and
/// nothing of it is opened before that is verified.
pub fn record(path: &Path) -> Result<RecordFile<File>, Failure> {
    let (name, opened) = if is_stdio(path) {
        (Path::new("stdin"), spool())
    } else {
        (path, File::open(path))
    };
    let record = opened.and_then(RecordFile::new);
    record.map_err(|error| Failure::bad(name, words(&error)))
}

/// Stdin, copied to a nameless file.
pub fn spool() -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut io::stdin().lock(), &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// What to seal, and its length where that is known.
pub fn content(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if is_stdio(path) {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| Failure::bad(path, words(&error)))?;
    if metadata.is_dir() {
        return Err(Failure::bad(path, "a directory; a file is needed"));
    }
    let len = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), len))
}

/// The deal that shares are of: the one in a file, or the first one of the record.
pub fn dealing(path: Option<&Path>, header: &Header) -> Result<Dealing, Failure> {
    let Some(path) = path else {
        return Ok(Dealing::initial(header));
    };
    let dealing: Dealing = object(path)?;
    if dealing.header() != header.digest() {
        return Err(Failure::bad(path, "a deal of another record"));
    }
    Ok(dealing)
}

/// What went wrong with a file, without the operating system's numbers.
pub fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::IsADirectory => "a directory; a file is needed".into(),
        io::ErrorKind::PermissionDenied => "no permission".into(),
        io::ErrorKind::AlreadyExists => "it exists already".into(),
        _ => error.to_string(),
    }
}
