//! C2SP chunked-encryption, instance Cobblestone-256 (<https://c2sp.org/chunked-encryption>).
//!
//! HKDF-Expand with SHA-512, AES-256-GCM, chunks of 16 KiB of which the last is always shorter,
//! and a 32-byte key commitment in front. [`seal_with_rng`] and [`open`] do a message at once;
//! [`ChunkSealer`] and [`ChunkOpener`] do it chunk by chunk, in place, in constant memory, and
//! [`ChunkOpener::open_chunk_at`] reads any chunk without those before it.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 24 | salt |
//! | 24 | 32 | key commitment |
//! | 56 + *k* · 16,400 | up to 16,384 + 16 | chunk *k* and its tag |
//!
//! ```
//! use chartseal_envelope::{ContentKey, SystemRng, cobblestone};
//!
//! let key = ContentKey::from_bytes([7; 32]);
//! let sealed = cobblestone::seal_with_rng(&key, b"context", &[b"some ", b"text"], &mut SystemRng::new()?);
//! assert_eq!(cobblestone::open(&key, b"context", &sealed)?.as_slice(), b"some text");
//! assert!(cobblestone::open(&key, b"other context", &sealed).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha512;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ContentKey;
use crate::backend::{Aead, DefaultAead};
use crate::secret::{SHALLOW, wiped};

/// Bytes of plaintext in every chunk but the last, which has fewer.
pub const CHUNK_LEN: usize = 16 * 1024;
/// Bytes of a chunk's tag, which stands behind it.
pub const TAG_LEN: usize = 16;
/// Bytes of salt and key commitment in front of the chunks.
pub const PREFIX_LEN: usize = 24 + 32;

const SALT_LEN: usize = 24;
pub(crate) const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;
/// The specification's bound on the number of chunks: 4 PiB of plaintext.
pub(crate) const MAX_CHUNKS: u64 = 1 << 38;

/// Why a ciphertext was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CobblestoneError {
    /// The key commitment is of another key, salt or context.
    #[error("key does not open this ciphertext in this context (CS-ENV-20)")]
    Commitment,
    /// A chunk is not what was sealed at its place.
    #[error("chunk {0} is not authentic (CS-ENV-21)")]
    Chunk(u64),
    /// No message has a ciphertext of this length: it was cut at a chunk's border or within a tag.
    #[error("ciphertext is truncated (CS-ENV-22)")]
    Truncated,
    /// A chunk has another length than its place allows, or comes after the last one.
    #[error("chunk has {0} bytes, which its place does not allow (CS-ENV-23)")]
    ChunkLength(usize),
    /// More than 2³⁸ chunks.
    #[error("message has more than 2^38 chunks (CS-ENV-24)")]
    TooLong,
}

/// The length of the ciphertext of `len` bytes of plaintext.
pub const fn sealed_len(len: u64) -> u64 {
    let chunks = len / CHUNK_LEN as u64 + 1;
    len + chunks * TAG_LEN as u64 + PREFIX_LEN as u64
}

/// The most bytes of plaintext that a message has.
pub(crate) const MAX_LEN: u64 = MAX_CHUNKS * CHUNK_LEN as u64 - 1;

/// The length of the plaintext of `sealed` bytes of ciphertext.
///
/// # Errors
/// [`CobblestoneError::Truncated`] and [`CobblestoneError::TooLong`] if no message has so many.
pub(crate) fn plaintext_len(sealed: u64) -> Result<u64, CobblestoneError> {
    let (chunk, tag) = (SEALED_CHUNK_LEN as u64, TAG_LEN as u64);
    let chunks = sealed
        .checked_sub(PREFIX_LEN as u64)
        .ok_or(CobblestoneError::Truncated)?;
    // A message that ends with a full chunk is cut.
    let last = (chunks % chunk)
        .checked_sub(tag)
        .ok_or(CobblestoneError::Truncated)?;
    if chunks / chunk >= MAX_CHUNKS {
        return Err(CobblestoneError::TooLong);
    }
    Ok(chunks / chunk * CHUNK_LEN as u64 + last)
}

/// Seals the concatenation of `parts`, copying each byte once.
pub fn seal_with_rng(
    key: &ContentKey,
    context: &[u8],
    parts: &[&[u8]],
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let (mut sealer, prefix) = ChunkSealer::new_with_rng(key, context, rng);
    let room = len + (len / CHUNK_LEN + 1) * TAG_LEN + PREFIX_LEN;
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(&prefix);
    let mut start = out.len();
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(start + CHUNK_LEN - out.len()));
            out.extend_from_slice(now);
            rest = later;
            if out.len() == start + CHUNK_LEN {
                let tag = sealer.seal_in_place(out.get_mut(start..).unwrap_or_default());
                out.extend_from_slice(&tag);
                start = out.len();
            }
        }
    }
    let tag = sealer.seal_in_place(out.get_mut(start..).unwrap_or_default());
    out.extend_from_slice(&tag);
    out
}

/// The plaintext of a whole ciphertext; overwritten when it is dropped.
///
/// # Errors
/// Each of [`CobblestoneError`]'s; nothing of the plaintext is given out then.
pub fn open(
    key: &ContentKey,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CobblestoneError> {
    let (prefix, chunks) = sealed
        .split_first_chunk::<PREFIX_LEN>()
        .ok_or(CobblestoneError::Truncated)?;
    let mut opener = ChunkOpener::new(key, context, prefix)?;
    let len = plaintext_len(sealed.len() as u64)?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(len.try_into().unwrap_or_default()));
    for chunk in chunks.chunks(SEALED_CHUNK_LEN) {
        let (text, tag) = chunk
            .split_last_chunk()
            .ok_or(CobblestoneError::Truncated)?;
        let start = plaintext.len();
        plaintext.extend_from_slice(text);
        let text = plaintext.get_mut(start..).unwrap_or_default();
        if text.len() == CHUNK_LEN {
            opener.open_chunk(text, tag)?;
        } else {
            opener.open_last_chunk(text, tag)?;
        }
    }
    opener.finish()?;
    Ok(plaintext)
}

/// Seals a message chunk by chunk, in place.
///
/// Write [`PREFIX_LEN`] bytes first, then each chunk and its tag; the last chunk is shorter than
/// [`CHUNK_LEN`], and empty if the message's length is a multiple of it.
pub struct ChunkSealer<A: Aead = DefaultAead> {
    keys: MessageKeys<A>,
    next: u64,
}

impl ChunkSealer {
    /// A sealer with a random salt, and the bytes that come first.
    pub fn new_with_rng(
        key: &ContentKey,
        context: &[u8],
        rng: &mut impl CryptoRng,
    ) -> (Self, [u8; PREFIX_LEN]) {
        Self::with_backend(key, context, rng)
    }
}

impl<A: Aead> ChunkSealer<A> {
    /// As [`new_with_rng`](ChunkSealer::new_with_rng), by the backend `A`.
    pub fn with_backend(
        key: &ContentKey,
        context: &[u8],
        rng: &mut impl CryptoRng,
    ) -> (Self, [u8; PREFIX_LEN]) {
        let (keys, prefix) = MessageKeys::generate(key, context, rng);
        (Self { keys, next: 0 }, prefix)
    }

    /// Encrypts the next chunk in place and gives its tag.
    ///
    /// # Errors
    /// [`CobblestoneError::ChunkLength`] unless it has exactly [`CHUNK_LEN`] bytes, and
    /// [`CobblestoneError::TooLong`] after 2³⁸ chunks.
    pub fn seal_chunk(&mut self, chunk: &mut [u8]) -> Result<[u8; TAG_LEN], CobblestoneError> {
        if chunk.len() != CHUNK_LEN {
            return Err(CobblestoneError::ChunkLength(chunk.len()));
        }
        // One place is kept for the last chunk.
        if self.next >= MAX_CHUNKS - 1 {
            return Err(CobblestoneError::TooLong);
        }
        Ok(self.seal_in_place(chunk))
    }

    /// Encrypts the last chunk in place and gives its tag. It may be empty.
    ///
    /// # Errors
    /// [`CobblestoneError::ChunkLength`] unless it is shorter than [`CHUNK_LEN`].
    pub fn seal_last_chunk(mut self, chunk: &mut [u8]) -> Result<[u8; TAG_LEN], CobblestoneError> {
        if chunk.len() >= CHUNK_LEN {
            return Err(CobblestoneError::ChunkLength(chunk.len()));
        }
        Ok(self.seal_in_place(chunk))
    }

    fn seal_in_place(&mut self, chunk: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = self.keys.seal(self.next, chunk);
        self.next += 1;
        tag
    }
}

impl<A: Aead> fmt::Debug for ChunkSealer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkSealer(at chunk {}, secret)", self.next)
    }
}

/// Opens a message chunk by chunk, in place.
///
/// A chunk's plaintext is authentic when its call returns; that the message is whole is known when
/// [`finish`](Self::finish) returns.
pub struct ChunkOpener<A: Aead = DefaultAead> {
    keys: MessageKeys<A>,
    next: u64,
    ended: bool,
}

impl ChunkOpener {
    /// Checks the key commitment in the bytes that come first.
    ///
    /// # Errors
    /// [`CobblestoneError::Commitment`] if key, context or prefix are not of one message.
    pub fn new(
        key: &ContentKey,
        context: &[u8],
        prefix: &[u8; PREFIX_LEN],
    ) -> Result<Self, CobblestoneError> {
        Self::with_backend(key, context, prefix)
    }
}

impl<A: Aead> ChunkOpener<A> {
    /// As [`new`](ChunkOpener::new), by the backend `A`.
    ///
    /// # Errors
    /// As [`new`](ChunkOpener::new).
    pub fn with_backend(
        key: &ContentKey,
        context: &[u8],
        prefix: &[u8; PREFIX_LEN],
    ) -> Result<Self, CobblestoneError> {
        Ok(Self {
            keys: MessageKeys::committed(key, context, prefix)?,
            next: 0,
            ended: false,
        })
    }

    /// Decrypts the next chunk in place. Nothing of a plaintext that is not authentic is left in it.
    ///
    /// # Errors
    /// [`CobblestoneError::ChunkLength`] unless it has exactly [`CHUNK_LEN`] bytes and no last
    /// chunk came before it; [`CobblestoneError::Chunk`] if it is not the chunk of this place;
    /// [`CobblestoneError::TooLong`] after 2³⁸ chunks.
    pub fn open_chunk(
        &mut self,
        chunk: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CobblestoneError> {
        if chunk.len() != CHUNK_LEN || self.ended {
            return Err(CobblestoneError::ChunkLength(chunk.len()));
        }
        self.open_chunk_at(self.next, chunk, tag)?;
        self.next += 1;
        Ok(())
    }

    /// Decrypts the last chunk in place. Nothing of a plaintext that is not authentic is left in it.
    ///
    /// # Errors
    /// As [`open_chunk`](Self::open_chunk), but it must be shorter than [`CHUNK_LEN`].
    pub fn open_last_chunk(
        &mut self,
        chunk: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CobblestoneError> {
        if chunk.len() >= CHUNK_LEN || self.ended {
            return Err(CobblestoneError::ChunkLength(chunk.len()));
        }
        self.open_chunk_at(self.next, chunk, tag)?;
        self.ended = true;
        Ok(())
    }

    /// Decrypts the chunk of any place, in place: plaintext byte *i* is in chunk *i* / 16,384.
    ///
    /// It says nothing about the length of the message: open its last chunk for that.
    ///
    /// # Errors
    /// [`CobblestoneError::ChunkLength`] if it is longer than [`CHUNK_LEN`],
    /// [`CobblestoneError::Chunk`] if it is not the chunk of this place, and
    /// [`CobblestoneError::TooLong`] if there is no such place.
    pub fn open_chunk_at(
        &self,
        place: u64,
        chunk: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CobblestoneError> {
        if place >= MAX_CHUNKS {
            return Err(CobblestoneError::TooLong);
        }
        if chunk.len() > CHUNK_LEN {
            return Err(CobblestoneError::ChunkLength(chunk.len()));
        }
        self.keys.open(place, chunk, tag)
    }

    /// Confirms that the last chunk came.
    ///
    /// # Errors
    /// [`CobblestoneError::Truncated`] if it did not.
    pub fn finish(self) -> Result<(), CobblestoneError> {
        if self.ended {
            Ok(())
        } else {
            Err(CobblestoneError::Truncated)
        }
    }
}

impl<A: Aead> fmt::Debug for ChunkOpener<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkOpener(at chunk {}, secret)", self.next)
    }
}

/// The key and base nonce of one message.
pub(crate) struct MessageKeys<A = DefaultAead> {
    cipher: Box<A>,
    base_nonce: BaseNonce,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct BaseNonce([u8; 12]);

/// Chunk after chunk runs on the same stack, so it is overwritten once, behind the last.
impl<A> Drop for MessageKeys<A> {
    fn drop(&mut self) {
        wiped::<SHALLOW, _>(|| ());
    }
}

impl<A: Aead> MessageKeys<A> {
    /// The keys of a new message, and the bytes that come first.
    pub(crate) fn generate(
        key: &ContentKey,
        context: &[u8],
        rng: &mut impl CryptoRng,
    ) -> (Self, [u8; PREFIX_LEN]) {
        let mut prefix = [0; PREFIX_LEN];
        let (salt, commitment) = prefix.split_at_mut(SALT_LEN);
        rng.fill_bytes(salt);
        let (keys, derived) = wiped::<SHALLOW, _>(|| Self::derive(key, context, salt));
        commitment.copy_from_slice(&derived);
        (keys, prefix)
    }

    /// The keys of the message that begins with `prefix`, if it commits to them.
    pub(crate) fn committed(
        key: &ContentKey,
        context: &[u8],
        prefix: &[u8; PREFIX_LEN],
    ) -> Result<Self, CobblestoneError> {
        let (salt, commitment) = prefix.split_at(SALT_LEN);
        let (keys, derived) = wiped::<SHALLOW, _>(|| Self::derive(key, context, salt));
        if !bool::from(derived.as_slice().ct_eq(commitment)) {
            return Err(CobblestoneError::Commitment);
        }
        Ok(keys)
    }

    /// Encrypts in place; each place once.
    pub(crate) fn seal(&self, place: u64, chunk: &mut [u8]) -> [u8; TAG_LEN] {
        self.cipher.seal_in_place(self.nonce(place), chunk)
    }

    /// Decrypts in place.
    pub(crate) fn open(
        &self,
        place: u64,
        chunk: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CobblestoneError> {
        let opened = self.cipher.open_in_place(self.nonce(place), chunk, tag);
        opened.map_err(|_| CobblestoneError::Chunk(place))
    }

    /// The message's keys, and its key commitment.
    fn derive(key: &ContentKey, context: &[u8], salt: &[u8]) -> (Self, [u8; 32]) {
        // HKDF-Expand takes the 32-byte input key as its pseudorandom key. The crate asks for a
        // whole hash's length; HMAC pads a short key with zeros itself, so padding changes nothing.
        let mut prk = Zeroizing::new([0; 64]);
        prk.iter_mut()
            .zip(key.expose_bytes())
            .for_each(|(to, from)| *to = *from);
        let mut okm = Zeroizing::new([0; 32 + 12 + 32]);
        let info: [&[u8]; 3] = [
            b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0",
            salt,
            context,
        ];
        #[expect(
            clippy::expect_used,
            reason = "64 bytes are a key, and 76 are two blocks"
        )]
        Hkdf::<Sha512>::from_prk(prk.as_slice())
            .expect("64 bytes")
            .expand_multi_info(&info, okm.as_mut_slice())
            .expect("two blocks");
        let (mut key, mut base_nonce) = (Zeroizing::new([0; 32]), [0; 12]);
        let mut commitment = [0; 32];
        let (key_part, rest) = okm.split_at(32);
        let (nonce_part, commitment_part) = rest.split_at(12);
        key.copy_from_slice(key_part);
        base_nonce.copy_from_slice(nonce_part);
        commitment.copy_from_slice(commitment_part);
        (
            Self {
                cipher: Box::new(A::new(&key)),
                base_nonce: BaseNonce(base_nonce),
            },
            commitment,
        )
    }

    /// The base nonce XOR the chunk's number, big-endian.
    fn nonce(&self, place: u64) -> [u8; 12] {
        let mut nonce = self.base_nonce.0;
        let place = place.to_be_bytes();
        nonce
            .iter_mut()
            .skip(4)
            .zip(place)
            .for_each(|(to, from)| *to ^= from);
        nonce
    }
}
