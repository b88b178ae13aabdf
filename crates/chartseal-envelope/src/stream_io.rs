//! Sealing and opening from a reader to a writer.

use std::io::{self, ErrorKind, Read, Write};

use rand_core::CryptoRng;
use thiserror::Error;

use crate::batch::Batch;
use crate::body::ContentError;
use crate::opened::OpenedInfo;
use crate::padding::Padder;
use crate::record::{BadSeal, OpenError};
use crate::stream::{RecordOpener, RecordSealer, SealedStream, cut};

impl<R: CryptoRng> RecordSealer<'_, R> {
    /// Seals what `content` gives until its end, and writes the body to `body`. Neither needs a buffer.
    ///
    /// ```
    /// # use chartseal_envelope::*;
    /// # let author = SigningKeyPair::generate()?;
    /// # let custodians = CustodianSet { id: SetId([1; 32]), epoch: 1, threshold: Threshold::new(2, 3)? };
    /// # let info = RecordInfo { suite: Suite::default(), record_id: RecordId::random()?,
    /// #     subject: SubjectId([2; 16]), version: RecordVersion::FIRST, custodians };
    /// # let scan = std::io::Cursor::new(vec![7; 100_000]);
    /// let content = ContentInfo { media_type: "application/dicom", attributes: b"", len: Some(100_000) };
    /// let mut body = Vec::new();
    /// let sealer = RecordSealer::new(&info, &content, &author)?;
    /// let SealedStream { header, seal, dealer } = sealer.seal_stream(scan, &mut body)?;
    /// assert_eq!(seal.body_len(), body.len() as u64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SealStreamError`]. What was written is of no use then.
    pub fn seal_stream(
        mut self,
        mut content: impl Read,
        mut body: impl Write,
    ) -> Result<SealedStream, SealStreamError> {
        let mut write = |some: &[u8]| body.write_all(some).map_err(SealStreamError::Write);
        while self.padder.fill_from(&mut content, &mut self.batch)? {
            self.flush(false, &mut write)?;
        }
        let sealed = self.finish(&mut write)?;
        body.flush().map_err(SealStreamError::Write)?;
        Ok(sealed)
    }
}

impl Padder {
    /// Fills a batch with content; whether it is full and there may be more.
    pub(crate) fn fill_from(
        &mut self,
        content: &mut impl Read,
        batch: &mut Batch,
    ) -> Result<bool, SealStreamError> {
        while !batch.is_full() {
            let len = read(content, batch.room_for_text()).map_err(SealStreamError::Read)?;
            if len == 0 {
                return Ok(false);
            }
            self.count(len)?;
            batch.filled_text(len);
        }
        Ok(true)
    }
}

impl RecordOpener {
    /// Opens the body that `body` gives, which has to end where the body does, and writes the content to
    /// `content`. Neither needs a buffer.
    ///
    /// ```
    /// # use chartseal_envelope::*;
    /// # let author = SigningKeyPair::generate()?;
    /// # let custodians = CustodianSet { id: SetId([1; 32]), epoch: 1, threshold: Threshold::new(2, 3)? };
    /// # let info = RecordInfo { suite: Suite::default(), record_id: RecordId::random()?,
    /// #     subject: SubjectId([2; 16]), version: RecordVersion::FIRST, custodians };
    /// # let content = Content { media_type: "text/plain", attributes: b"", bytes: b"HbA1c 5.4 %" };
    /// # let SealedRecord { header, body, seal, dealer } = seal(&info, &content, &author)?;
    /// # let reader = KemKeyPair::generate()?;
    /// # let mut slots = Slots::new(&header);
    /// # slots.add(&dealer, reader.public_key())?;
    /// # let key = slots.open(&reader, &header)?;
    /// let opener = RecordOpener::new(&header, &seal, &author.verifying_key(), &key)?;
    /// let mut content = Vec::new();
    /// let info = opener.open_stream(body.as_slice(), &mut content)?;
    /// assert_eq!((info.media_type(), content.as_slice()), ("text/plain", &b"HbA1c 5.4 %"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenStreamError`], which says how many bytes were written that must be discarded.
    pub fn open_stream(
        mut self,
        mut body: impl Read,
        content: impl Write,
    ) -> Result<OpenedInfo, OpenStreamError> {
        let mut content = Counted::new(content);
        let opened = (|| {
            while self.left > 0 {
                let len = read(&mut body, self.room()).map_err(StreamFault::Read)?;
                if len == 0 {
                    return Err(cut().into());
                }
                // Before the last of the content leaves.
                if self.left == len as u64 {
                    expect_end(&mut body)?;
                }
                self.filled(len, &mut |some| content.put(some))?;
            }
            let opened = self.finish(|some| content.put(some))?;
            content.flush()?;
            Ok(opened)
        })();
        opened.map_err(|why| content.failed(why))
    }
}

/// Reads at least a byte, or none at the end.
pub(crate) fn read(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(to) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Nothing may stand behind a body.
pub(crate) fn expect_end(body: &mut impl Read) -> Result<(), StreamFault> {
    match read(body, &mut [0]).map_err(StreamFault::Read)? {
        0 => Ok(()),
        _ => Err(OpenError::from(BadSeal::Body).into()),
    }
}

/// Where content goes, and how much of it went.
pub(crate) struct Counted<W> {
    to: W,
    written: u64,
}

impl<W: Write> Counted<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, written: 0 }
    }

    pub(crate) fn put(&mut self, some: &[u8]) -> Result<(), StreamFault> {
        // A write that fails may have written some.
        self.written += some.len() as u64;
        self.to.write_all(some).map_err(StreamFault::Write)
    }

    pub(crate) fn flush(&mut self) -> Result<(), StreamFault> {
        self.to.flush().map_err(StreamFault::Write)
    }

    pub(crate) fn failed(&self, why: StreamFault) -> OpenStreamError {
        OpenStreamError {
            why,
            written: self.written,
        }
    }
}

/// Why a stream was not sealed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealStreamError {
    /// The content doesn't fit.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The content could not be read.
    #[error("content could not be read: {0}")]
    Read(#[source] io::Error),
    /// The body could not be written.
    #[error("body could not be written: {0}")]
    Write(#[source] io::Error),
}

/// A stream was not opened, and what was written must be discarded.
#[derive(Debug)]
pub struct OpenStreamError {
    why: StreamFault,
    written: u64,
}

impl OpenStreamError {
    /// What went wrong.
    pub fn why(&self) -> &StreamFault {
        &self.why
    }

    /// Bytes of content that were written, or may have been: not verified as a whole, to be discarded.
    pub fn written(&self) -> u64 {
        self.written
    }
}

impl core::fmt::Display for OpenStreamError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.why)?;
        match self.written {
            0 => f.write_str("; nothing was written"),
            written => write!(
                f,
                "; the {written} bytes that were written must be discarded"
            ),
        }
    }
}

impl core::error::Error for OpenStreamError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.why)
    }
}

/// Why a stream was not opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StreamFault {
    /// The seal, the key or the body is refused.
    #[error(transparent)]
    Record(#[from] OpenError),
    /// The body could not be read.
    #[error("body could not be read: {0}")]
    Read(#[source] io::Error),
    /// The content could not be written.
    #[error("content could not be written: {0}")]
    Write(#[source] io::Error),
}
