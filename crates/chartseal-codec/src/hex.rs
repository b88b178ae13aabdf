use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Text is not the lower-case hex of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {expected} lower-case hex digits")]
pub struct HexError {
    /// How many digits there should be.
    pub expected: usize,
}

/// The bytes that `text` writes in lower-case hex.
///
/// # Errors
/// [`HexError`] unless it is exactly `2 * N` lower-case digits.
pub fn hex_exact<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let mut bytes = [0; N];
    read(text, &mut bytes)?;
    Ok(bytes)
}

/// The bytes that `text` writes in lower-case hex, however many.
///
/// # Errors
/// [`HexError`] for another digit, or one too many.
pub fn from_hex(text: &str) -> Result<Vec<u8>, HexError> {
    let mut bytes = alloc::vec![0; text.len() / 2];
    read(text, &mut bytes)?;
    Ok(bytes)
}

/// Bytes in lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.map(char::from).collect()
}

fn read(text: &str, bytes: &mut [u8]) -> Result<(), HexError> {
    let error = HexError {
        expected: 2 * bytes.len(),
    };
    if text.len() != error.expected {
        return Err(error);
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(error),
            };
            *byte = (*byte << 4) | value;
        }
    }
    Ok(())
}

/// Writes bytes in lower-case hex.
///
/// # Errors
/// Those of `f`.
pub fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for bytes in bytes.chunks(32) {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        let digits = digits.get(..2 * bytes.len()).unwrap_or_default();
        f.write_str(core::str::from_utf8(digits).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}

fn digit(value: u8) -> u8 {
    DIGITS.get(usize::from(value)).copied().unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_two_digits_a_byte_and_nothing_else() {
        assert_eq!(to_hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(from_hex("009fff").unwrap(), [0, 0x9f, 0xff]);
        assert_eq!(from_hex("").unwrap(), []);
        for wrong in ["0", "0g", "0F", "00 ", "é"] {
            assert!(from_hex(wrong).is_err(), "{wrong}");
        }
    }
}
