//! Random access to a record's content.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use zeroize::Zeroizing;

use crate::ContentKey;
use crate::author::AuthorKey;
use crate::batch::{BodyHasher, move_bytes};
use crate::body::{BodyError, Prefix, TAIL_LEN};
use crate::cobblestone::{
    CHUNK_LEN, CobblestoneError, MessageKeys, PREFIX_LEN, SEALED_CHUNK_LEN, plaintext_len,
};
use crate::header::Header;
use crate::id::BodyDigest;
use crate::opened::OpenedInfo;
use crate::record::{BadSeal, OpenError, Seal};
use crate::secret::{SHALLOW, wiped};
use crate::stream_io::{StreamFault, read};

/// Reads any range of a record's content, and of its body only the chunks that the range lies in.
///
/// The author's signature is checked first, and each chunk before a byte of it is given out. **That proves
/// of a range that somebody who has the record's key put it at this place of this record, not that the
/// author did:** the signature is over the whole body. [`verify`](Self::verify) reads all of it, once.
///
/// It holds one chunk, which is overwritten when it is dropped.
///
/// ```
/// # use std::io::{Cursor, Read, Seek, SeekFrom};
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
/// let mut content = BodyReader::new(&header, &seal, &author.verifying_key(), &key, Cursor::new(body))?;
/// content.verify()?;
/// content.seek(SeekFrom::Start(6))?;
/// let mut value = String::new();
/// content.read_to_string(&mut value)?;
/// assert_eq!(value, "5.4 %");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BodyReader<B> {
    chunks: Chunks<B>,
    digest: BodyDigest,
    info: OpenedInfo,
    /// Where the content begins in the plaintext.
    start: u64,
    /// Where the next byte is read, from the content's start; perhaps behind its end.
    at: u64,
}

impl<B: Read + Seek> BodyReader<B> {
    /// Checks the author's signature, the body's length and where its content lies. Parameters as in
    /// [`open`](crate::open); `body` has to begin and end where the body does.
    ///
    /// # Errors
    /// [`StreamFault`].
    pub fn new(
        header: &Header,
        seal: &Seal,
        author: impl Into<AuthorKey>,
        key: &ContentKey,
        mut body: B,
    ) -> Result<Self, StreamFault> {
        let verified = seal.verify_signature(header, author);
        verified.map_err(OpenError::from)?;
        let body_len = seal.body_len();
        let total = plaintext_len(body_len).map_err(refused)?;
        let found = body.seek(SeekFrom::End(0)).map_err(StreamFault::Read)?;
        if found < body_len {
            return Err(refused(CobblestoneError::Truncated));
        }
        if found > body_len {
            return Err(OpenError::from(BadSeal::Body).into());
        }
        let mut salted = [0; PREFIX_LEN];
        body.rewind().map_err(StreamFault::Read)?;
        body.read_exact(&mut salted).map_err(StreamFault::Read)?;
        let keys = MessageKeys::committed(key, header.digest().as_bytes(), &salted);
        let mut chunks = Chunks {
            body,
            body_len,
            keys: keys.map_err(refused)?,
            chunk: Zeroizing::new(vec![0; SEALED_CHUNK_LEN]),
            open: None,
        };
        let prefix = Prefix::read(chunks.from(0)?).map_err(refused)?;
        // The last chunk is what proves the length.
        chunks.from(total)?;
        let start = prefix.len as u64;
        let end = if let Some(end) = prefix.announced_end(total).map_err(refused)? {
            end
        } else {
            let tail = chunks.tail(total)?;
            prefix.told_end(total, tail).map_err(refused)?
        };
        Ok(Self {
            chunks,
            digest: seal.body_digest(),
            info: OpenedInfo::new(header, prefix, end - start, key),
            start,
            at: 0,
        })
    }

    /// What is known beside the content.
    pub fn info(&self) -> &OpenedInfo {
        &self.info
    }

    /// Reads the whole body and compares it with the one that the author signed. From then on, as long
    /// as nobody who has the key changes the body, what is read is the author's.
    ///
    /// # Errors
    /// [`StreamFault`].
    pub fn verify(&mut self) -> Result<(), StreamFault> {
        let body = &mut self.chunks.body;
        body.rewind().map_err(StreamFault::Read)?;
        let (mut hasher, mut some) = (BodyHasher::default(), vec![0; 256 * 1024]);
        loop {
            let len = read(body, &mut some).map_err(StreamFault::Read)?;
            if len == 0 {
                break;
            }
            hasher.update(some.get(..len).unwrap_or_default());
        }
        if hasher.finish() == (self.digest, self.chunks.body_len) {
            Ok(())
        } else {
            Err(OpenError::from(BadSeal::Body).into())
        }
    }
}

impl<B: Read + Seek> Read for BodyReader<B> {
    /// An error of kind [`InvalidData`](io::ErrorKind::InvalidData) holds the [`OpenError`].
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = self.info.content_len().saturating_sub(self.at);
        if left == 0 || to.is_empty() {
            return Ok(0);
        }
        let text = self.chunks.from(self.start + self.at).map_err(io_error)?;
        let text = text
            .get(..usize::try_from(left).unwrap_or(usize::MAX))
            .unwrap_or(text);
        let len = move_bytes(&mut &*text, to);
        self.at += len as u64;
        Ok(len)
    }
}

impl<B: Read + Seek> Seek for BodyReader<B> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.info.content_len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl<B> fmt::Debug for BodyReader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.info.content_len();
        write!(f, "BodyReader(at {} of {len} bytes, secret)", self.at)
    }
}

/// One chunk of a body, opened.
struct Chunks<B> {
    body: B,
    body_len: u64,
    keys: MessageKeys,
    chunk: Zeroizing<Vec<u8>>,
    /// The place of the chunk that is open, and the length of its text.
    open: Option<(u64, usize)>,
}

impl<B: Read + Seek> Chunks<B> {
    /// The plaintext from `at` to the end of its chunk.
    fn from(&mut self, at: u64) -> Result<&[u8], StreamFault> {
        let place = at / CHUNK_LEN as u64;
        let len = match self.open {
            Some((open, len)) if open == place => len,
            _ => self.open(place)?,
        };
        let text = self.chunk.get(..len).unwrap_or_default();
        let skip = usize::try_from(at % CHUNK_LEN as u64).unwrap_or(usize::MAX);
        Ok(text.get(skip..).unwrap_or_default())
    }

    fn open(&mut self, place: u64) -> Result<usize, StreamFault> {
        self.open = None;
        let start = PREFIX_LEN as u64 + place * SEALED_CHUNK_LEN as u64;
        let left = self.body_len.saturating_sub(start);
        let len = usize::try_from(left).unwrap_or(usize::MAX);
        let sealed = self.chunk.get_mut(..len.min(SEALED_CHUNK_LEN));
        let sealed = sealed.unwrap_or_default();
        let found = self.body.seek(SeekFrom::Start(start));
        found.map_err(StreamFault::Read)?;
        self.body.read_exact(sealed).map_err(StreamFault::Read)?;
        let parts = sealed.split_last_chunk_mut();
        let (text, tag) = parts.ok_or_else(|| refused(CobblestoneError::Truncated))?;
        wiped::<SHALLOW, _>(|| self.keys.open(place, text, tag)).map_err(refused)?;
        self.open = Some((place, text.len()));
        Ok(text.len())
    }

    /// The last bytes of a plaintext of `total`, zeros if it is shorter than they are.
    fn tail(&mut self, total: u64) -> Result<[u8; 8], StreamFault> {
        let mut tail = [0; 8];
        let start = total.saturating_sub(TAIL_LEN);
        let mut done = 0;
        while let Some(room) = tail.get_mut(done..).filter(|room| !room.is_empty()) {
            let len = move_bytes(&mut self.from(start + done as u64)?, room);
            if len == 0 {
                break;
            }
            done += len;
        }
        Ok(tail)
    }
}

fn refused(error: impl Into<BodyError>) -> StreamFault {
    OpenError::from(error.into()).into()
}

fn io_error(fault: StreamFault) -> io::Error {
    match fault {
        StreamFault::Read(error) | StreamFault::Write(error) => error,
        StreamFault::Record(error) => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}
