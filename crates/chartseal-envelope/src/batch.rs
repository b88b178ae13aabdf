//! A few chunks of a body in one buffer, which are sealed, hashed and given out together.

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::CobblestoneError;
use crate::cobblestone::{CHUNK_LEN, MessageKeys, SEALED_CHUNK_LEN, TAG_LEN};
use crate::id::BodyDigest;
use crate::secret::{SHALLOW, wiped};

/// Enough for BLAKE3 and the system's calls to cost little; 256 KiB.
const CHUNKS: usize = 16;
const LEN: usize = CHUNKS * SEALED_CHUNK_LEN;

/// Chunks of plaintext, each with room for its tag, or of ciphertext. Overwritten when it is dropped.
pub(crate) struct Batch {
    bytes: Zeroizing<Vec<u8>>,
    /// The place of its first chunk.
    first: u64,
    /// Bytes that are filled, the room for tags included.
    len: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Zeroizing::new(vec![0; LEN]),
            first: 0,
            len: 0,
        }
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The place of the first chunk behind it.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.len.div_ceil(SEALED_CHUNK_LEN) as u64
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == LEN
    }

    /// Empties it for the chunks from `first` on.
    pub(crate) fn restart(&mut self, first: u64) {
        (self.first, self.len) = (first, 0);
    }

    /// Where more of the current chunk's text goes; empty if it is full.
    pub(crate) fn room_for_text(&mut self) -> &mut [u8] {
        let end = self.len - self.len % SEALED_CHUNK_LEN + CHUNK_LEN;
        self.bytes.get_mut(self.len..end).unwrap_or_default()
    }

    /// Says that `len` bytes of the room were filled.
    pub(crate) fn filled_text(&mut self, len: usize) {
        self.len += len;
        if self.len % SEALED_CHUNK_LEN == CHUNK_LEN {
            self.len += TAG_LEN;
        }
    }

    /// Copies as much as the current chunk takes; how many bytes.
    pub(crate) fn take_text(&mut self, text: &mut &[u8]) -> usize {
        let taken = move_bytes(text, self.room_for_text());
        self.filled_text(taken);
        taken
    }

    /// Where more ciphertext goes.
    pub(crate) fn room_for_sealed(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    /// Says that `len` bytes of the room were filled.
    pub(crate) fn filled_sealed(&mut self, len: usize) {
        self.len += len;
    }

    /// Seals all chunks, once. Only a message's last batch ends within a chunk, perhaps an empty one.
    pub(crate) fn seal(&mut self, keys: &MessageKeys, is_last: bool) {
        if is_last {
            self.len += TAG_LEN;
        }
        let sealed = self.bytes.get_mut(..self.len).unwrap_or_default();
        wiped::<SHALLOW, _>(|| {
            for (place, chunk) in (self.first..).zip(sealed.chunks_mut(SEALED_CHUNK_LEN)) {
                if let Some((text, tag)) = chunk.split_last_chunk_mut() {
                    *tag = keys.seal(place, text);
                }
            }
        });
    }

    /// Opens all chunks, once.
    pub(crate) fn open(&mut self, keys: &MessageKeys) -> Result<(), CobblestoneError> {
        let sealed = self.bytes.get_mut(..self.len).unwrap_or_default();
        wiped::<SHALLOW, _>(|| {
            for (place, chunk) in (self.first..).zip(sealed.chunks_mut(SEALED_CHUNK_LEN)) {
                let parts = chunk.split_last_chunk_mut();
                let (text, tag) = parts.ok_or(CobblestoneError::Truncated)?;
                keys.open(place, text, tag)?;
            }
            Ok(())
        })
    }

    /// The ciphertext.
    pub(crate) fn sealed(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Each chunk's plaintext.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let chunks = self.sealed().chunks(SEALED_CHUNK_LEN);
        chunks.filter_map(|chunk| Some(chunk.split_last_chunk::<TAG_LEN>()?.0))
    }
}

/// Moves bytes from the front of one slice to the front of another; how many.
pub(crate) fn move_bytes(from: &mut &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    let (now, later) = from.split_at(len);
    if let Some(to) = to.get_mut(..len) {
        to.copy_from_slice(now);
    }
    *from = later;
    len
}

/// BLAKE3 of a body, and its length.
#[derive(Default)]
pub(crate) struct BodyHasher(blake3::Hasher);

impl BodyHasher {
    pub(crate) fn update(&mut self, some: &[u8]) {
        self.0.update(some);
    }

    pub(crate) fn finish(&self) -> (BodyDigest, u64) {
        (BodyDigest(self.0.finalize().into()), self.0.count())
    }
}
