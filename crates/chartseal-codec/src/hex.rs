use thiserror::Error;

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
    let error = HexError { expected: 2 * N };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
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
    Ok(bytes)
}
