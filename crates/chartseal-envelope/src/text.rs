//! Short texts sealed to one key: a request's reason, a table of labels.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain;
use crate::header::read_format;
use crate::hpke::TAG_LEN;
use crate::kem::{KemKeyPair, KemPublicKey};
use crate::keys::KeyId;
use crate::suite::Kem;

/// The longest text, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// The longest purpose, in bytes.
pub const MAX_PURPOSE: usize = 255;

/// A text sealed to one KEM key, padded to a multiple of 128 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedText {
    kem: Kem,
    recipient: KeyId,
    enc: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// Seals `text` to `recipient`.
///
/// `purpose` is the caller's own domain string, and `aad` whatever the text must not be moved away
/// from (a request's digest, for example). Who opens it names both again.
///
/// # Errors
/// [`TextError`].
pub fn seal_text_with_rng(
    recipient: &KemPublicKey,
    purpose: &str,
    aad: &[u8],
    text: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<SealedText, TextError> {
    if text.len() > MAX_TEXT {
        return Err(TextError::TooLong(text.len()));
    }
    let plaintext = pad(text);
    let (enc, mut sender) = recipient
        .sender(domain::TEXT, &context(purpose)?, rng)
        .map_err(|_| TextError::Hpke)?;
    let ciphertext = sender.seal(&plaintext, aad).map_err(|_| TextError::Hpke)?;
    Ok(SealedText {
        kem: recipient.kem(),
        recipient: recipient.key_id(),
        enc,
        ciphertext,
    })
}

/// As [`seal_text_with_rng`], with the operating system's randomness.
///
/// # Errors
/// [`TextError`].
#[cfg(feature = "getrandom")]
pub fn seal_text(
    recipient: &KemPublicKey,
    purpose: &str,
    aad: &[u8],
    text: &[u8],
) -> Result<SealedText, TextError> {
    seal_text_with_rng(recipient, purpose, aad, text, &mut crate::SystemRng::new()?)
}

/// The text, overwritten when it is dropped.
///
/// # Errors
/// [`TextError::Recipient`] if it is sealed to another key, else [`TextError::Refused`] if anything
/// about it is not as it was sealed.
pub fn open_text(
    keys: &KemKeyPair,
    purpose: &str,
    aad: &[u8],
    sealed: &SealedText,
) -> Result<Zeroizing<Vec<u8>>, TextError> {
    if keys.kem() != sealed.kem || keys.key_id() != sealed.recipient {
        return Err(TextError::Recipient);
    }
    let mut receiver = keys
        .receiver(domain::TEXT, &context(purpose)?, &sealed.enc)
        .map_err(|_| TextError::Refused)?;
    let plaintext = receiver
        .open(&sealed.ciphertext, aad)
        .map_err(|_| TextError::Refused)?;
    unpad(&plaintext).ok_or(TextError::Refused)
}

impl SealedText {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    /// The key that it is sealed to.
    pub fn recipient(&self) -> KeyId {
        self.recipient
    }
}

impl fmt::Debug for SealedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.recipient.fingerprint();
        write!(f, "SealedText({} bytes to {to})", self.ciphertext.len())
    }
}

impl Encode for SealedText {
    fn encode(&self, e: &mut Encoder) {
        e.array(5)
            .uint(Self::FORMAT)
            .item(&self.kem)
            .item(&self.recipient);
        e.bytes(&self.enc).bytes(&self.ciphertext);
    }
}

impl Decode for SealedText {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("SealedText").array_exact(5)?;
        read_format(d, Self::FORMAT)?;
        let kem = Kem::decode(d)?;
        let recipient = KeyId::decode(d.at("recipient"))?;
        let enc = d.at("enc").bytes(kem.encapsulated_len())?;
        if enc.len() != kem.encapsulated_len() {
            return Err(d.invalid("encapsulated key is not of the KEM's length (CS-ENV-07)"));
        }
        let enc = enc.to_vec();
        let ciphertext = d
            .at("ciphertext")
            .bytes(MAX_TEXT + BLOCK + TAG_LEN)?
            .to_vec();
        Ok(Self {
            kem,
            recipient,
            enc,
            ciphertext,
        })
    }
}

/// Why a text was not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextError {
    /// The text is too long.
    #[error("text has {0} bytes, should have at most 65536 (CS-ENV-70)")]
    TooLong(usize),
    /// The purpose is too long.
    #[error("purpose has {0} bytes, should have at most 255 (CS-ENV-71)")]
    Purpose(usize),
    /// HPKE refused to seal, which it does after 2⁹⁶ messages.
    #[error("HPKE refused to seal")]
    Hpke,
    /// It is sealed to another key.
    #[error("text is sealed to another key (CS-ENV-72)")]
    Recipient,
    /// It was altered, or sealed for another purpose or with other associated data.
    #[error("text is not what was sealed for this purpose (CS-ENV-73)")]
    Refused,
    /// No randomness.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    Randomness(#[from] crate::RandomnessError),
}

fn context(purpose: &str) -> Result<Vec<u8>, TextError> {
    if purpose.len() > MAX_PURPOSE {
        return Err(TextError::Purpose(purpose.len()));
    }
    Ok(purpose.as_bytes().to_vec())
}

/// Texts are padded to multiples of this many bytes, so that "yes" and "no" look alike.
const BLOCK: usize = 128;

/// The text's length in four bytes, big-endian, the text, and zeros.
fn pad(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut padded = Zeroizing::new(vec![0; (len.len() + text.len()).next_multiple_of(BLOCK)]);
    padded
        .iter_mut()
        .zip(len.iter().chain(text))
        .for_each(|(to, from)| *to = *from);
    padded
}

fn unpad(padded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (len, rest) = padded.split_first_chunk::<4>()?;
    let (text, zeros) = rest.split_at_checked(u32::from_be_bytes(*len).try_into().ok()?)?;
    let right_len = padded.len() == (4 + text.len()).next_multiple_of(BLOCK);
    (right_len && zeros.iter().all(|byte| *byte == 0)).then(|| Zeroizing::new(text.to_vec()))
}
