//! Sealing and opening piece by piece, in constant memory.

use core::fmt;

use rand_core::CryptoRng;

use crate::author::{Author, AuthorKey};
use crate::batch::{Batch, BodyHasher, move_bytes};
use crate::body::{self, ContentError};
use crate::cobblestone::{MessageKeys, PREFIX_LEN, plaintext_len};
use crate::deal::Dealer;
use crate::header::{Header, RecordInfo};
use crate::id::BodyDigest;
use crate::opened::OpenedInfo;
use crate::padding::{Padder, Unpadder};
use crate::record::{self, BadSeal, OpenError, Seal, SealError};
use crate::{BodyError, CobblestoneError, ContentKey};

/// What a record that is sealed piece by piece will hold.
#[derive(Clone, Copy)]
pub struct ContentInfo<'a> {
    /// The media type (RFC 6838), at most [`MAX_MEDIA_TYPE`](crate::MAX_MEDIA_TYPE) bytes.
    pub media_type: &'a str,
    /// The author's notes, opaque here; at most [`MAX_ATTRIBUTES`](crate::MAX_ATTRIBUTES) bytes.
    pub attributes: &'a [u8],
    /// The content's length in bytes, if it is known; the body then tells it in front.
    pub len: Option<u64>,
}

/// A record that was sealed piece by piece; its body was given out meanwhile.
#[derive(Debug)]
pub struct SealedStream {
    /// What everybody may see.
    pub header: Header,
    /// The author's signature over header and body.
    pub seal: Seal,
    /// The secrets to deal to the custodians; whoever has them reads the record.
    pub dealer: Dealer,
}

/// Seals a record piece by piece, in less than half a MiB of memory.
///
/// Content goes in by [`update`](Self::update), the body comes out through a function, and the seal when
/// [`finish`](Self::finish) returns. With feature `std`, `seal_stream` does all of it from a reader to
/// a writer.
///
/// ```
/// # use chartseal_envelope::*;
/// # let author = SigningKeyPair::generate()?;
/// # let custodians = CustodianSet { id: SetId([1; 32]), epoch: 1, threshold: Threshold::new(2, 3)? };
/// # let info = RecordInfo { suite: Suite::default(), record_id: RecordId::random()?,
/// #     subject: SubjectId([2; 16]), version: RecordVersion::FIRST, custodians };
/// let content = ContentInfo { media_type: "text/plain", attributes: b"", len: None };
/// let mut sealer = RecordSealer::new(&info, &content, &author)?;
/// let mut body = Vec::new();
/// let mut put = |some: &[u8]| Ok::<(), ContentError>(body.extend_from_slice(some));
/// for piece in ["HbA1c ", "5.4 %"] {
///     sealer.update(piece.as_bytes(), &mut put)?;
/// }
/// let SealedStream { header, seal, dealer } = sealer.finish(&mut put)?;
/// seal.verify(&header, &body, &author.verifying_key())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordSealer<'a, R> {
    pub(crate) signer: Signer<'a, R>,
    /// Gone while a batch is sealed and given out, and after that failed: no nonce is used twice.
    pub(crate) keys: Option<MessageKeys>,
    /// Stands in front of the first batch.
    pub(crate) salted: [u8; PREFIX_LEN],
    pub(crate) batch: Batch,
    pub(crate) padder: Padder,
    hasher: BodyHasher,
}

#[cfg(feature = "getrandom")]
impl<'a> RecordSealer<'a, crate::SystemRng> {
    /// A sealer of a new record under a fresh key.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn new(
        info: &RecordInfo,
        content: &ContentInfo<'_>,
        author: impl Into<Author<'a>>,
    ) -> Result<Self, SealError> {
        Self::new_with_rng(info, content, author, crate::SystemRng::new()?)
    }
}

impl<'a, R: CryptoRng> RecordSealer<'a, R> {
    /// As [`new`](RecordSealer::new), with the caller's randomness.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn new_with_rng(
        info: &RecordInfo,
        content: &ContentInfo<'_>,
        author: impl Into<Author<'a>>,
        mut rng: R,
    ) -> Result<Self, SealError> {
        let author = author.into();
        if !author.is_of(info.suite) {
            return Err(SealError::Suite);
        }
        body::check(content.media_type, content.attributes)?;
        let (header, dealer) = record::prepare(info, author, &mut rng);
        let digest = header.digest();
        let (keys, salted) = MessageKeys::generate(&dealer.key, digest.as_bytes(), &mut rng);
        let (media_type, attributes) = (content.media_type, content.attributes);
        let prefix = body::prefix(media_type, attributes, content.len, &dealer.coins);
        let padder = Padder::new(prefix.len() as u64, content.len)?;
        let mut batch = Batch::new();
        // It is shorter than the first chunk.
        batch.take_text(&mut prefix.as_slice());
        Ok(Self {
            signer: Signer {
                author,
                rng,
                header,
                dealer,
            },
            keys: Some(keys),
            salted,
            batch,
            padder,
            hasher: BodyHasher::default(),
        })
    }

    /// The record's header, which is known before the body is.
    pub fn header(&self) -> &Header {
        &self.signer.header
    }

    /// Takes more content, and gives what is ready of the body to `out`.
    ///
    /// # Errors
    /// [`ContentError::Length`] if there is more than was announced, [`ContentError::TooLong`], and
    /// whatever `out` gives; [`ContentError::Aborted`] if an earlier call failed.
    pub fn update<E: From<ContentError>>(
        &mut self,
        content: &[u8],
        mut out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.padder.count(content.len())?;
        let mut text = content;
        while !text.is_empty() {
            if self.batch.is_full() {
                self.flush(false, &mut out)?;
            }
            self.batch.take_text(&mut text);
        }
        Ok(())
    }

    /// Pads, gives the rest of the body to `out`, and signs.
    ///
    /// # Errors
    /// [`ContentError::Length`] if there was less content than announced, and as
    /// [`update`](Self::update).
    pub fn finish<E: From<ContentError>>(
        mut self,
        mut out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<SealedStream, E> {
        let mut padding = self.padder.padding()?;
        while padding.fill(&mut self.batch) {
            self.flush(false, &mut out)?;
        }
        self.flush(true, &mut out)?;
        let (digest, len) = self.hasher.finish();
        Ok(self.signer.sign(digest, len))
    }

    pub(crate) fn flush<E: From<ContentError>>(
        &mut self,
        is_last: bool,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let keys = self.keys.take().ok_or(ContentError::Aborted)?;
        if self.batch.first() == 0 {
            self.hasher.update(&self.salted);
            out(&self.salted)?;
        }
        self.batch.seal(&keys, is_last);
        self.hasher.update(self.batch.sealed());
        out(self.batch.sealed())?;
        self.batch.restart(self.batch.next());
        self.keys = Some(keys);
        Ok(())
    }
}

impl<R> fmt::Debug for RecordSealer<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RecordSealer(after {} bytes, secret)",
            self.padder.given()
        )
    }
}

/// What a sealer needs at the end.
pub(crate) struct Signer<'a, R> {
    author: Author<'a>,
    rng: R,
    header: Header,
    dealer: Dealer,
}

impl<R: CryptoRng> Signer<'_, R> {
    pub(crate) fn sign(mut self, digest: BodyDigest, len: u64) -> SealedStream {
        let seal = Seal::sign_digest(&self.header, digest, len, self.author, &mut self.rng);
        SealedStream {
            header: self.header,
            seal,
            dealer: self.dealer,
        }
    }
}

/// Opens a record piece by piece, in less than half a MiB of memory.
///
/// The author's signature is checked before anything is given out, each chunk before its content is, and
/// that body and seal belong together when [`finish`](Self::finish) returns. **What was given out before
/// an error must be discarded**: it is a part of what somebody sealed with this key, but perhaps not
/// of what the author signed. With feature `std`, `open_stream` does all of it from a reader to a writer.
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
/// let mut opener = RecordOpener::new(&header, &seal, &author.verifying_key(), &key)?;
/// let mut content = Vec::new();
/// let mut put = |some: &[u8]| Ok::<(), OpenError>(content.extend_from_slice(some));
/// for piece in body.chunks(100) {
///     opener.update(piece, &mut put)?;
/// }
/// let info = opener.finish(&mut put)?;
/// assert_eq!((info.media_type(), content.as_slice()), ("text/plain", &b"HbA1c 5.4 %"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordOpener {
    pub(crate) header: Header,
    pub(crate) key: ContentKey,
    pub(crate) digest: BodyDigest,
    /// Gone while a batch is opened and given out, and after that failed.
    stage: Option<Stage>,
    salted: [u8; PREFIX_LEN],
    /// Bytes of the body that are still to come.
    pub(crate) left: u64,
    pub(crate) batch: Batch,
    pub(crate) unpadder: Unpadder,
    hasher: BodyHasher,
}

enum Stage {
    /// So many bytes of what stands in front of the chunks.
    Salted(usize),
    Chunks(MessageKeys),
}

impl RecordOpener {
    /// Checks the author's signature. Parameters as in [`open`](crate::open).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn new(
        header: &Header,
        seal: &Seal,
        author: impl Into<AuthorKey>,
        key: &ContentKey,
    ) -> Result<Self, OpenError> {
        seal.verify_signature(header, author)?;
        let left = seal.body_len();
        let total = plaintext_len(left).map_err(BodyError::Cipher)?;
        Ok(Self {
            header: header.clone(),
            key: key.duplicate(),
            digest: seal.body_digest(),
            stage: Some(Stage::Salted(0)),
            salted: [0; PREFIX_LEN],
            left,
            batch: Batch::new(),
            unpadder: Unpadder::new(total),
            hasher: BodyHasher::default(),
        })
    }

    /// Takes more of the body, and gives what is authentic of the content to `out`.
    ///
    /// # Errors
    /// [`OpenError`], and whatever `out` gives; [`OpenError::Aborted`] if an earlier call failed.
    pub fn update<E: From<OpenError>>(
        &mut self,
        body: &[u8],
        mut out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut body = body;
        if self.stage.is_none() {
            return Err(OpenError::Aborted.into());
        }
        if body.len() as u64 > self.left {
            self.stage = None;
            return Err(OpenError::from(BadSeal::Body).into());
        }
        while !body.is_empty() {
            let taken = move_bytes(&mut body, self.room());
            self.filled(taken, &mut out)?;
        }
        Ok(())
    }

    /// The content's media type, known when the first content is given out.
    pub fn media_type(&self) -> Option<&str> {
        Some(&self.unpadder.prefix()?.media_type)
    }

    /// Confirms that all of the body came.
    ///
    /// # Errors
    /// [`OpenError`], and whatever `out` gives.
    pub fn finish<E: From<OpenError>>(
        self,
        out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<OpenedInfo, E> {
        if self.stage.is_none() {
            return Err(OpenError::Aborted.into());
        }
        if self.left > 0 {
            return Err(cut().into());
        }
        self.unpad(out)
    }

    /// All of the body came, and is the author's.
    pub(crate) fn unpad<E: From<OpenError>>(
        self,
        mut out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<OpenedInfo, E> {
        self.unpadder.finish(&self.header, &self.key, &mut out)
    }

    /// What opens and hashes the chunks, once what stands in front of them came.
    #[cfg(feature = "parallel")]
    pub(crate) fn take_keys(&mut self) -> Option<(MessageKeys, BodyHasher)> {
        match self.stage.take() {
            Some(Stage::Chunks(keys)) => Some((keys, core::mem::take(&mut self.hasher))),
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// Where more of the body goes, but never more than is to come.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let room = match self.stage {
            Some(Stage::Salted(len)) => self.salted.get_mut(len..).unwrap_or_default(),
            Some(Stage::Chunks(_)) => self.batch.room_for_sealed(),
            None => &mut [],
        };
        let len = usize::try_from(self.left).unwrap_or(usize::MAX);
        let len = len.min(room.len());
        room.get_mut(..len).unwrap_or_default()
    }

    /// Goes on, after `len` bytes of the room were filled.
    pub(crate) fn filled<E: From<OpenError>>(
        &mut self,
        len: usize,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let stage = self.stage.take().ok_or(OpenError::Aborted)?;
        self.left = self.left.saturating_sub(len as u64);
        self.stage = Some(match stage {
            Stage::Salted(before) if before + len < PREFIX_LEN => Stage::Salted(before + len),
            Stage::Salted(_) => {
                self.hasher.update(&self.salted);
                Stage::Chunks(self.keys().map_err(OpenError::from)?)
            }
            Stage::Chunks(keys) => {
                self.batch.filled_sealed(len);
                if self.batch.is_full() || self.left == 0 {
                    self.flush(&keys, out)?;
                }
                Stage::Chunks(keys)
            }
        });
        Ok(())
    }

    /// The body's keys, if it commits to the record's.
    fn keys(&self) -> Result<MessageKeys, BodyError> {
        let context = self.header.digest();
        let keys = MessageKeys::committed(&self.key, context.as_bytes(), &self.salted);
        Ok(keys?)
    }

    fn flush<E: From<OpenError>>(
        &mut self,
        keys: &MessageKeys,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.hasher.update(self.batch.sealed());
        // Before the last of the content leaves. A body of one batch is verified as a whole.
        if self.left == 0 && self.hasher.finish().0 != self.digest {
            return Err(OpenError::from(BadSeal::Body).into());
        }
        let opened = self.batch.open(keys);
        opened.map_err(|error| OpenError::from(BodyError::from(error)))?;
        for text in self.batch.texts() {
            self.unpadder.put(text, out)?;
        }
        self.batch.restart(self.batch.next());
        Ok(())
    }
}

impl fmt::Debug for RecordOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordOpener({} bytes to come, secret)", self.left)
    }
}

/// The body ended too early.
pub(crate) fn cut() -> OpenError {
    BodyError::from(CobblestoneError::Truncated).into()
}
