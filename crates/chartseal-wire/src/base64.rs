//! Canonical base64 of what may be long: with the processor's vectors, where there are any.

use alloc::vec::Vec;

use base64::Engine;

/// The bytes that `text` writes in its one form: padded, and no bit behind the data.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    engine().decode(text).ok()
}

#[cfg(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn engine() -> impl Engine {
    base64::engine::simd::Simd::standard(base64::engine::general_purpose::PAD)
}

#[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn engine() -> impl Engine {
    base64::engine::general_purpose::STANDARD
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn takes_what_the_plain_engine_takes_and_nothing_else() {
        let long: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for length in 0..long.len() {
            let data = long.get(length / 2..length).unwrap_or_default();
            let text = STANDARD.encode(data);
            assert_eq!(decode(&text).as_deref(), Some(data));
            // One letter changed, at every place of a text that fills some vectors.
            if (120..124).contains(&data.len()) {
                for at in 0..text.len() {
                    for letter in ['-', '=', ' ', '\n', 'B', '/', '\0', '\x7f'] {
                        let changed: String = text
                            .chars()
                            .enumerate()
                            .map(|(i, old)| if i == at { letter } else { old })
                            .collect();
                        assert_eq!(
                            decode(&changed),
                            STANDARD.decode(&changed).ok(),
                            "{changed}"
                        );
                    }
                }
            }
        }
    }
}
