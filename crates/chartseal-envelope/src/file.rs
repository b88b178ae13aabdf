//! Objects as files: a line of ASCII that names the kind and its version, then the object.
//!
//! ```
//! use chartseal_envelope::{KeySeed, PublicIdentity, Suite, file};
//!
//! let identity = KeySeed::generate()?.identity(Suite::default());
//! let bytes = file::to_bytes(&identity);
//! assert!(bytes.starts_with(b"chartseal/identity/1\n"));
//! assert_eq!(file::from_bytes::<PublicIdentity>(&bytes)?, identity);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A record's file is made to be written to a pipe: behind the line come the header's length (two bytes,
//! big-endian) and the header, the body, the seal, and the seal's length (two bytes).

use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::io::{self, Read, Seek, SeekFrom};

use chartseal_codec::{Decode, DecodeError, Encode};
use thiserror::Error;

use crate::deal::Deal;
use crate::dealing::Dealing;
use crate::evidence::SignedRelease;
use crate::header::Header;
use crate::identity::PublicIdentity;
use crate::record::Seal;
use crate::slots::Slots;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A record: header, body and seal.
    Record,
    /// [`Slots`].
    Slots,
    /// A [`Deal`].
    Deal,
    /// A [`Dealing`].
    Dealing,
    /// A [`SignedRelease`].
    Release,
    /// A [`PublicIdentity`].
    Identity,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Record,
        Self::Slots,
        Self::Deal,
        Self::Dealing,
        Self::Release,
        Self::Identity,
    ];

    /// The kind that the file's first line names.
    pub fn of(file: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| file.starts_with(kind.line()))
    }

    /// The kind in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Slots => "slots",
            Self::Deal => "deal",
            Self::Dealing => "dealing",
            Self::Release => "release",
            Self::Identity => "identity",
        }
    }

    const fn line(self) -> &'static [u8] {
        match self {
            Self::Record => b"chartseal/record/1\n",
            Self::Slots => b"chartseal/slots/1\n",
            Self::Deal => b"chartseal/deal/1\n",
            Self::Dealing => b"chartseal/dealing/1\n",
            Self::Release => b"chartseal/release/1\n",
            Self::Identity => b"chartseal/identity/1\n",
        }
    }

    /// What stands behind the line.
    fn strip(self, file: &[u8]) -> Result<&[u8], FileError> {
        file.strip_prefix(self.line())
            .ok_or(FileError::Kind(self.name()))
    }
}

/// An object that is all that is in its file.
pub trait Object: Encode + Decode + sealed::Sealed {
    /// Its files' kind.
    const KIND: Kind;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! objects {
    ($($name:ident),+) => {
        $(
            impl sealed::Sealed for $name {}
            impl Object for $name {
                const KIND: Kind = Kind::$name;
            }
        )+
    };
}

objects!(Slots, Deal, Dealing);

impl sealed::Sealed for SignedRelease {}

impl Object for SignedRelease {
    const KIND: Kind = Kind::Release;
}

impl sealed::Sealed for PublicIdentity {}

impl Object for PublicIdentity {
    const KIND: Kind = Kind::Identity;
}

/// The object's file.
pub fn to_bytes<T: Object>(object: &T) -> Vec<u8> {
    let mut file = T::KIND.line().to_vec();
    file.extend(chartseal_codec::to_bytes(object));
    file
}

/// The object in a file.
///
/// # Errors
/// [`FileError::Kind`], [`FileError::Object`].
pub fn from_bytes<T: Object>(file: &[u8]) -> Result<T, FileError> {
    Ok(chartseal_codec::from_bytes(T::KIND.strip(file)?)?)
}

/// What stands in front of a record's body.
pub fn record_start(header: &Header) -> Vec<u8> {
    let header = chartseal_codec::to_bytes(header);
    [Kind::Record.line(), &length(&header), &header].concat()
}

/// What stands behind a record's body.
pub fn record_end(seal: &Seal) -> Vec<u8> {
    let seal = chartseal_codec::to_bytes(seal);
    [seal.as_slice(), &length(&seal)].concat()
}

/// No header has more than 160 bytes, no seal more than 3,500.
fn length(object: &[u8]) -> [u8; 2] {
    u16::try_from(object.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes()
}

/// A record, taken from its file's bytes. Its seal is not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What everybody may see.
    pub header: Header,
    /// The ciphertext.
    pub body: &'a [u8],
    /// The author's signature over both.
    pub seal: Seal,
}

impl<'a> Record<'a> {
    /// # Errors
    /// [`FileError::Kind`], [`FileError::Parts`], [`FileError::Object`].
    pub fn from_bytes(file: &'a [u8]) -> Result<Self, FileError> {
        let rest = Kind::Record.strip(file)?;
        let (len, rest) = rest.split_first_chunk().ok_or(FileError::Parts)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (header, rest) = rest.split_at_checked(len).ok_or(FileError::Parts)?;
        let (rest, len) = rest.split_last_chunk().ok_or(FileError::Parts)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let body_len = rest.len().checked_sub(len).ok_or(FileError::Parts)?;
        let (body, seal) = rest.split_at_checked(body_len).ok_or(FileError::Parts)?;
        Ok(Self {
            header: chartseal_codec::from_bytes(header)?,
            body,
            seal: chartseal_codec::from_bytes(seal)?,
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (start, end) = (record_start(&self.header), record_end(&self.seal));
        [start.as_slice(), self.body, end.as_slice()].concat()
    }
}

/// A record in a file that is too long for memory. Its seal is not verified.
///
/// It reads and seeks in the body, which is what [`RecordOpener::open_stream`](crate::RecordOpener::open_stream)
/// and [`BodyReader`](crate::BodyReader) take.
#[cfg(feature = "std")]
#[derive(Debug)]
pub struct RecordFile<F> {
    header: Header,
    seal: Seal,
    file: F,
    /// Where the body lies in the file.
    body: core::ops::Range<u64>,
    /// Where the next byte is read, from the body's start.
    at: u64,
}

#[cfg(feature = "std")]
impl<F: Read + Seek> RecordFile<F> {
    /// Reads header and seal, from a file that begins at its start.
    ///
    /// # Errors
    /// As [`Record::from_bytes`], as an error of kind [`InvalidData`](io::ErrorKind::InvalidData); and
    /// what reading gives.
    pub fn new(mut file: F) -> io::Result<Self> {
        let end = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        // Header and seal with their lengths: a record without its body.
        let mut outer = read_up_to(&mut file, Kind::Record.line().len() as u64 + 2)?;
        let parts = || refused(FileError::Parts);
        let len: [u8; 2] = match Kind::Record.strip(&outer) {
            Ok(len) => len.try_into().map_err(|_| parts())?,
            Err(error) => return Err(refused(error)),
        };
        outer.extend(read_up_to(&mut file, u16::from_be_bytes(len).into())?);
        let start = outer.len() as u64;
        let tail = end.checked_sub(2).filter(|at| *at >= start);
        file.seek(SeekFrom::Start(tail.ok_or_else(parts)?))?;
        let len: [u8; 2] = read_up_to(&mut file, 2)?.try_into().map_err(|_| parts())?;
        let tail = u64::from(u16::from_be_bytes(len)) + 2;
        let body_end = end.checked_sub(tail).filter(|at| *at >= start);
        let body_end = body_end.ok_or_else(parts)?;
        file.seek(SeekFrom::Start(body_end))?;
        outer.extend(read_up_to(&mut file, tail)?);
        let Record { header, seal, .. } = Record::from_bytes(&outer).map_err(refused)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self {
            header,
            seal,
            file,
            body: start..body_end,
            at: 0,
        })
    }
}

#[cfg(feature = "std")]
impl<F> RecordFile<F> {
    /// What everybody may see.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The author's signature over header and body.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Bytes of the body.
    pub fn body_len(&self) -> u64 {
        self.body.end - self.body.start
    }
}

#[cfg(feature = "std")]
impl<F: Read> Read for RecordFile<F> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = self.body_len().saturating_sub(self.at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(to.len());
        let read = self.file.read(to.get_mut(..len).unwrap_or_default())?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(feature = "std")]
impl<F: Seek> Seek for RecordFile<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.body_len().checked_add_signed(by),
        };
        let at = at.ok_or(io::ErrorKind::InvalidInput)?;
        let place = self.body.start.checked_add(at);
        let place = place.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(place))?;
        self.at = at;
        Ok(at)
    }
}

/// At most `len` bytes, fewer where the file ends before.
#[cfg(feature = "std")]
fn read_up_to(file: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(feature = "std")]
fn refused(error: FileError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The first line doesn't name what should be there.
    #[error("first line should be chartseal/{0}/1 (CS-ENV-90)")]
    Kind(&'static str),
    /// The file ends within a record's header or seal.
    #[error("record file is cut, or its lengths are not its parts' (CS-ENV-91)")]
    Parts,
    /// What stands behind the line is not the object.
    #[error(transparent)]
    Object(#[from] DecodeError),
}
