//! What lies inside a body: prefix, content, padding.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use chartseal_codec::{DecodeError, Decoder, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::id::HeaderDigest;
use crate::secret::{SHALLOW, wiped};
use crate::sharing::Coins;
use crate::{CobblestoneError, ContentKey, cobblestone};

/// The longest media type, in bytes.
pub const MAX_MEDIA_TYPE: usize = 255;
/// The longest attributes, in bytes: prefix and all, they fit the first chunk.
pub const MAX_ATTRIBUTES: usize = 8 * 1024;

/// What a record holds.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The media type (RFC 6838), at most [`MAX_MEDIA_TYPE`] bytes.
    pub media_type: &'a str,
    /// The author's notes for whoever opens the record, opaque here; at most [`MAX_ATTRIBUTES`].
    pub attributes: &'a [u8],
    /// The content itself, byte for byte.
    pub bytes: &'a [u8],
}

/// What can't be put into a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The media type is too long.
    #[error("media type has {0} bytes, should have at most 255 (CS-ENV-33)")]
    MediaType(usize),
    /// The attributes are too long.
    #[error("attributes have {0} bytes, should have at most 8192 (CS-ENV-34)")]
    Attributes(usize),
    /// A stream gave more or fewer bytes than were announced.
    #[error("content has {given} bytes, should have the announced {announced} (CS-ENV-37)")]
    Length {
        /// Bytes that were announced.
        announced: u64,
        /// Bytes that came, as far as they were taken.
        given: u64,
    },
    /// The content has more chunks than a body may have.
    #[error("content is too long: a body has at most 4 PiB (CS-ENV-24)")]
    TooLong,
    /// A call came after one that failed.
    #[error("sealing failed before and can't go on (CS-ENV-38)")]
    Aborted,
}

/// Seals prefix, content and padding under the header's digest. Content is copied once.
pub(crate) fn seal(
    content: &Content<'_>,
    coins: &Coins,
    header: HeaderDigest,
    key: &ContentKey,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let content_len = content.bytes.len() as u64;
    let prefix = prefix(
        content.media_type,
        content.attributes,
        Some(content_len),
        coins,
    );
    let len = prefix.len() as u64 + content_len;
    let mut padding = padded_len(len) - len;
    let mut parts: Vec<&[u8]> = [prefix.as_slice(), content.bytes].into();
    while padding > 0 {
        let some = zeros(padding);
        parts.push(some);
        padding -= some.len() as u64;
    }
    cobblestone::seal_with_rng(key, header.as_bytes(), &parts, rng)
}

/// Zeros: as many as asked for, or some of them.
pub(crate) fn zeros(len: u64) -> &'static [u8] {
    static ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    ZEROS.get(..len).unwrap_or(&ZEROS)
}

/// A body's plaintext, taken apart. All of it is overwritten when it is dropped.
pub(crate) struct Plain {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) content: Range<usize>,
    pub(crate) prefix: Prefix,
}

/// Why a body was not opened, though its author sealed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The key is another, or the ciphertext is damaged.
    #[error(transparent)]
    Cipher(#[from] CobblestoneError),
    /// The prefix is not what its format says.
    #[error("body prefix: {0} (CS-ENV-35)")]
    Prefix(DecodeError),
    /// The padding is not zeros of the one right length.
    #[error("body padding is not what content of this length has (CS-ENV-36)")]
    Padding,
}

pub(crate) fn open(
    body: &[u8],
    header: HeaderDigest,
    key: &ContentKey,
) -> Result<Plain, BodyError> {
    let bytes = cobblestone::open(key, header.as_bytes(), body)?;
    let prefix = Prefix::read(&bytes)?;
    let total = bytes.len() as u64;
    let (end, zeros_end) = if let Some(end) = prefix.announced_end(total)? {
        (end, total)
    } else {
        let tail = bytes.last_chunk().ok_or(BodyError::Padding)?;
        (prefix.told_end(total, *tail)?, total - TAIL_LEN)
    };
    let place = |at: u64| usize::try_from(at).map_err(|_| BodyError::Padding);
    let (end, zeros_end) = (place(end)?, place(zeros_end)?);
    let padding = bytes.get(end..zeros_end).ok_or(BodyError::Padding)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(BodyError::Padding);
    }
    Ok(Plain {
        content: prefix.len..end,
        prefix,
        bytes,
    })
}

/// What stands before the content.
pub(crate) struct Prefix {
    /// Bytes of the prefix itself.
    pub(crate) len: usize,
    /// Bytes of content; `None` if the plaintext's end tells them.
    pub(crate) content_len: Option<u64>,
    pub(crate) media_type: String,
    pub(crate) attributes: Zeroizing<Vec<u8>>,
    pub(crate) coins: Coins,
}

/// Bytes at the plaintext's end that tell the content's length where the prefix does not.
pub(crate) const TAIL_LEN: u64 = 8;

impl Prefix {
    /// Reads it from a plaintext or its first chunk, within which it always ends.
    pub(crate) fn read(plaintext: &[u8]) -> Result<Self, BodyError> {
        wiped::<SHALLOW, _>(|| Self::decode(plaintext)).map_err(BodyError::Prefix)
    }

    fn decode(plaintext: &[u8]) -> Result<Self, DecodeError> {
        let d = &mut Decoder::new(plaintext);
        d.at("prefix").array_exact(4)?;
        let told_later = d.at("content_len").null()?;
        Ok(Self {
            content_len: if told_later { None } else { Some(d.uint()?) },
            media_type: d.at("media_type").text(MAX_MEDIA_TYPE)?.into(),
            attributes: Zeroizing::new(d.at("attributes").bytes(MAX_ATTRIBUTES)?.to_vec()),
            coins: Coins::copy_of(&d.at("coins").bytes_exact()?),
            len: d.position(),
        })
    }

    /// Where the content of a plaintext of `total` bytes ends, if the prefix tells.
    pub(crate) fn announced_end(&self, total: u64) -> Result<Option<u64>, BodyError> {
        let Some(len) = self.content_len else {
            return Ok(None);
        };
        let end = (self.len as u64).checked_add(len);
        match end.filter(|end| *end <= total && padded_len(*end) == total) {
            Some(end) => Ok(Some(end)),
            None => Err(BodyError::Padding),
        }
    }

    /// Where the content of a plaintext of `total` bytes ends, as its last bytes tell.
    pub(crate) fn told_end(&self, total: u64, tail: [u8; 8]) -> Result<u64, BodyError> {
        let end = (self.len as u64).checked_add(u64::from_be_bytes(tail));
        let with_tail = end.and_then(|end| end.checked_add(TAIL_LEN));
        match (end, with_tail) {
            (Some(end), Some(len)) if len <= total && padded_len(len) == total => Ok(end),
            _ => Err(BodyError::Padding),
        }
    }
}

/// A prefix's bytes.
pub(crate) fn prefix(
    media_type: &str,
    attributes: &[u8],
    content_len: Option<u64>,
    coins: &Coins,
) -> Zeroizing<Vec<u8>> {
    let mut e = Encoder::new();
    e.array(4);
    match content_len {
        Some(len) => e.uint(len),
        None => e.null(),
    };
    // The encoder's buffer grows, which leaves copies behind: the coins go in afterwards.
    e.text(media_type).bytes(attributes).bytes(&[0; 32]);
    let mut prefix = Zeroizing::new(e.finish());
    if let Some(place) = prefix.last_chunk_mut() {
        *place = *coins.expose_bytes();
    }
    prefix
}

pub(crate) fn check(media_type: &str, attributes: &[u8]) -> Result<(), ContentError> {
    if media_type.len() > MAX_MEDIA_TYPE {
        return Err(ContentError::MediaType(media_type.len()));
    }
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(ContentError::Attributes(attributes.len()));
    }
    Ok(())
}

/// Padmé (Nikitin et al. 2019, <https://doi.org/10.2478/popets-2019-0056>): at most 12 % more, and only
/// O(log log *len*) bits of the length are left to see.
pub(crate) fn padded_len(len: u64) -> u64 {
    let Some(exponent) = len.checked_ilog2().filter(|exponent| *exponent > 0) else {
        return len;
    };
    let zero_bits = exponent - (exponent.ilog2() + 1);
    let mask = (1 << zero_bits) - 1;
    // Nothing within 2⁶⁴ is padded to more than that, and no body is as long.
    len.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::padded_len;

    #[test]
    fn padding_is_padme() {
        let known = [
            (0, 0),
            (1, 1),
            (2, 2),
            (9, 10),
            (17, 18),
            (100, 104),
            (1000, 1024),
        ];
        for (len, padded) in known {
            assert_eq!(padded_len(len), padded, "{len}");
        }
        for len in 1..100_000_u64 {
            let padded = padded_len(len);
            assert!(padded >= len && padded - len <= len * 12 / 100 + 1, "{len}");
            assert_eq!(padded_len(padded), padded, "{len}");
        }
    }
}
