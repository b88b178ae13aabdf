//! What lies inside a body: prefix, content, padding.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use chartseal_codec::{DecodeError, Decoder, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::id::HeaderDigest;
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
}

/// Seals prefix, content and padding under the header's digest. Content is copied once.
pub(crate) fn seal(
    content: &Content<'_>,
    coins: &Coins,
    header: HeaderDigest,
    key: &ContentKey,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let prefix = prefix(content, coins);
    let len = prefix.len() + content.bytes.len();
    let mut padding = padded_len(len) - len;
    let zeros = [0; 4096];
    let mut parts: Vec<&[u8]> = [prefix.as_slice(), content.bytes].into();
    while let Some(some) = zeros
        .get(..padding.min(zeros.len()))
        .filter(|some| !some.is_empty())
    {
        parts.push(some);
        padding -= some.len();
    }
    cobblestone::seal_with_rng(key, header.as_bytes(), &parts, rng)
}

/// A body's plaintext, taken apart. All of it is overwritten when it is dropped.
pub(crate) struct Plain {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) content: Range<usize>,
    pub(crate) media_type: String,
    pub(crate) attributes: Zeroizing<Vec<u8>>,
    pub(crate) coins: Coins,
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
    let mut d = Decoder::new(&bytes);
    let (len, media_type, attributes, coins) = read_prefix(&mut d).map_err(BodyError::Prefix)?;
    let start = d.position();
    let end = usize::try_from(len)
        .ok()
        .and_then(|len| start.checked_add(len));
    let end = end
        .filter(|end| *end <= bytes.len())
        .ok_or(BodyError::Padding)?;
    let padding = bytes.get(end..).unwrap_or_default();
    if padded_len(end) != bytes.len() || padding.iter().any(|byte| *byte != 0) {
        return Err(BodyError::Padding);
    }
    Ok(Plain {
        content: start..end,
        media_type,
        attributes,
        coins,
        bytes,
    })
}

type Prefix = (u64, String, Zeroizing<Vec<u8>>, Coins);

fn read_prefix(d: &mut Decoder<'_>) -> Result<Prefix, DecodeError> {
    d.at("prefix").array_exact(4)?;
    let len = d.at("content_len").uint()?;
    let media_type = d.at("media_type").text(MAX_MEDIA_TYPE)?.into();
    let attributes = Zeroizing::new(d.at("attributes").bytes(MAX_ATTRIBUTES)?.to_vec());
    let coins = Coins(d.at("coins").bytes_exact()?);
    Ok((len, media_type, attributes, coins))
}

fn prefix(content: &Content<'_>, coins: &Coins) -> Zeroizing<Vec<u8>> {
    let mut e = Encoder::new();
    e.array(4)
        .uint(content.bytes.len() as u64)
        .text(content.media_type);
    // The encoder's buffer grows, which leaves copies behind: the coins go in afterwards.
    e.bytes(content.attributes).bytes(&[0; 32]);
    let mut prefix = Zeroizing::new(e.finish());
    if let Some(place) = prefix.last_chunk_mut() {
        *place = coins.0;
    }
    prefix
}

pub(crate) fn check(content: &Content<'_>) -> Result<(), ContentError> {
    let (media_type, attributes) = (content.media_type.len(), content.attributes.len());
    if media_type > MAX_MEDIA_TYPE {
        return Err(ContentError::MediaType(media_type));
    }
    if attributes > MAX_ATTRIBUTES {
        return Err(ContentError::Attributes(attributes));
    }
    Ok(())
}

/// Padmé (Nikitin et al. 2019, <https://doi.org/10.2478/popets-2019-0056>): at most 12 % more, and only
/// O(log log *len*) bits of the length are left to see.
fn padded_len(len: usize) -> usize {
    let Some(exponent) = len.checked_ilog2().filter(|exponent| *exponent > 0) else {
        return len;
    };
    let zero_bits = exponent - (exponent.ilog2() + 1);
    let mask = (1 << zero_bits) - 1;
    (len + mask) & !mask
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
        for len in 1..100_000_usize {
            let padded = padded_len(len);
            assert!(padded >= len && padded - len <= len * 12 / 100 + 1, "{len}");
            assert_eq!(padded_len(padded), padded, "{len}");
        }
    }
}
