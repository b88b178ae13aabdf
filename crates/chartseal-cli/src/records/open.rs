//! `chartseal open`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use chartseal_envelope::file::RecordFile;
use chartseal_envelope::{BodyReader, Slots, StreamFault};

use super::args::{Open, Opening};
use super::input::{is_stdio, object, record};
use super::key;
use super::meter::Meter;
use super::output::Output;
use crate::exit::Exit;
use crate::failure::Failure;

pub fn run(args: &Open) -> Result<Exit, Failure> {
    let mut content = args.opening.open()?;
    // Not a byte goes out before all of the body is the author's.
    content.verify().map_err(|why| args.opening.refused(why))?;
    let range = args.range.clone().unwrap_or(0..u64::MAX);
    let end = range.end.min(content.info().content_len());
    let start = range.start.min(end);
    content.seek(SeekFrom::Start(start))?;
    let mut out = Output::secret(&args.out)?;
    let content = content.take(end - start);
    let mut content = Meter::new(content, "opened", Some(end - start), args.progress);
    let copied = io::copy(&mut content, &mut out);
    copied.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => args.opening.refused(error),
        _ => Failure::Output(error),
    })?;
    out.finish()?;
    Ok(Exit::Done)
}

impl Opening {
    /// The record with its key and author, both of which it agrees with.
    pub fn open(&self) -> Result<BodyReader<RecordFile<File>>, Failure> {
        let record = record(&self.record)?;
        let (header, seal) = (record.header().clone(), record.seal().clone());
        let slots: Slots = object(&self.slots)?;
        let seed = self.unlock.open()?;
        let keys = seed.kem_key(header.suite());
        let key = slots.open(&keys, &header);
        let key = key.map_err(|why| Failure::bad(&self.slots, why))?;
        let author = key::author(self.author.as_deref(), &seed, &header)?;
        let content = BodyReader::new(&header, &seal, &author, &key, record);
        content.map_err(|why| self.refused(why))
    }

    /// The record is not what its author sealed, or could not be read.
    pub fn refused(&self, why: impl Into<Refusal>) -> Failure {
        let name = if is_stdio(&self.record) {
            Path::new("stdin")
        } else {
            &self.record
        };
        let why = match why.into() {
            Refusal::Record(why) => return Failure::Unmet(format!("{}: {why}", name.display())),
            Refusal::File(why) => why,
        };
        Failure::bad(name, why)
    }
}

/// Whether a record was refused, or only not read.
pub enum Refusal {
    Record(String),
    File(String),
}

impl From<StreamFault> for Refusal {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::Record(why) => Self::Record(why.to_string()),
            other => Self::File(other.to_string()),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Record(error.to_string())
    }
}
