//! What every backend has to hold. A backend's author runs these in a test:
//!
//! ```
//! use chartseal_envelope::backend::{RustCrypto, XWing, conformance};
//!
//! conformance::aead::<RustCrypto>()?;
//! conformance::kem::<XWing>(&mut chartseal_envelope::SystemRng::new()?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! They show that a backend computes the right function and refuses what it must. That it runs in
//! constant time and overwrites its keys, they can't.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use thiserror::Error;

use super::{Aead, Kem, Refused, TAG_LEN, XWing};
use crate::cobblestone::CHUNK_LEN;

/// A backend breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the backend breaks a rule: {0}")]
pub struct Violation(&'static str);

fn rule(holds: bool, rule: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(rule)) }
}

/// Checks an [`Aead`]: published vectors, every length around its blocks, and that nothing but what was
/// sealed opens.
///
/// # Errors
/// The first [`Violation`].
pub fn aead<A: Aead>() -> Result<(), Violation> {
    published::<A>()?;
    let cipher = A::new(&[7; 32]);
    let lengths = (0..=260).chain([511, 512, 4095, CHUNK_LEN - 1, CHUNK_LEN]);
    for len in lengths {
        let text: Vec<u8> = (0..=250).cycle().take(len).collect();
        opens_what_was_sealed(&cipher, &text)?;
    }
    // By hand: an empty and a long text under the same nonce share the tag's mask, not the tag.
    let (mut short, mut long) = (vec![1; 16], vec![1; 32]);
    let tags = [&mut short, &mut long].map(|text| cipher.seal_in_place([1; 12], text));
    rule(
        short == long.split_at(16).0,
        "a text's ciphertext begins like that of its beginning",
    )?;
    let [short_tag, long_tag] = tags;
    rule(short_tag != long_tag, "texts of two lengths have two tags")
}

fn opens_what_was_sealed<A: Aead>(cipher: &A, text: &[u8]) -> Result<(), Violation> {
    let nonce = [9; 12];
    let mut sealed = text.to_vec();
    let tag = cipher.seal_in_place(nonce, &mut sealed);
    let mut opened = sealed.clone();
    rule(
        cipher.open_in_place(nonce, &mut opened, &tag).is_ok() && opened == text,
        "what was sealed opens",
    )?;
    let refuses = |nonce: [u8; 12], sealed: &[u8], tag: &[u8; TAG_LEN]| {
        let mut opened = sealed.to_vec();
        let is_refused = cipher.open_in_place(nonce, &mut opened, tag).is_err();
        // A block of 16 bytes shows by itself whose plaintext it is.
        let leaks = opened.chunks(16).zip(text.chunks(16));
        let mut leaks = leaks.filter(|(_, text)| text.len() == 16);
        is_refused && !leaks.any(|(opened, text)| opened == text)
    };
    rule(refuses([8; 12], &sealed, &tag), "another nonce is refused")?;
    for bit in 0..TAG_LEN * 8 {
        let mut tag = tag;
        flip(&mut tag, bit);
        rule(
            refuses(nonce, &sealed, &tag),
            "another tag is refused, and nothing of the text is left",
        )?;
    }
    for bit in [0, len_bits(text) / 2, len_bits(text).saturating_sub(1)] {
        let mut sealed = sealed.clone();
        if flip(&mut sealed, bit) {
            rule(
                refuses(nonce, &sealed, &tag),
                "another ciphertext is refused",
            )?;
        }
    }
    if let Some((_, cut)) = sealed.split_last() {
        rule(refuses(nonce, cut, &tag), "a cut ciphertext is refused")?;
    }
    let mut longer = sealed;
    longer.push(0);
    rule(
        refuses(nonce, &longer, &tag),
        "a longer ciphertext is refused",
    )
}

/// Checks an X-Wing [`Kem`]: that it speaks with [`XWing`] both ways, and opens nothing but what was
/// sealed, at its place.
///
/// # Errors
/// The first [`Violation`].
pub fn kem<K: Kem>(rng: &mut impl CryptoRng) -> Result<(), Violation> {
    let seed = [7; 32];
    let secret = K::secret_from_bytes(&seed);
    rule(
        *K::secret_to_bytes(&secret) == seed,
        "a secret key's bytes are those that it was made of",
    )?;
    let public = K::public_to_bytes(&K::public_of(&secret));
    let known = XWing::public_to_bytes(&XWing::public_of(&XWing::secret_from_bytes(&seed)));
    rule(public == known, "a seed gives X-Wing's public key")?;
    let read = K::public_from_bytes(&public);
    rule(
        read.is_ok_and(|key| key == K::public_of(&secret)),
        "a public key is read back",
    )?;
    let longer = [public.as_slice(), &[0]].concat();
    let cut = public.split_last().map_or(&[][..], |(_, rest)| rest);
    for bytes in [cut, &longer, &[]] {
        rule(
            K::public_from_bytes(bytes).is_err(),
            "a public key of another length is refused",
        )?;
    }
    speaks::<K, XWing>(rng)?;
    speaks::<XWing, K>(rng)?;
    speaks::<K, K>(rng)
}

/// What `S` seals, `R` opens, and nothing else.
fn speaks<S: Kem, R: Kem>(rng: &mut impl CryptoRng) -> Result<(), Violation> {
    let secret = R::secret_from_bytes(&[3; 32]);
    let to = S::public_from_bytes(&R::public_to_bytes(&R::public_of(&secret)));
    let to = to.map_err(|Refused| Violation("the other's public key is read"))?;
    let sealed = (|| {
        let (enc, mut sender) = S::sender(&to, b"info", rng)?;
        let first = S::seal(&mut sender, b"first", b"a")?;
        let second = S::seal(&mut sender, b"second", b"b")?;
        Ok((enc, first, second))
    })();
    let (enc, first, second) =
        sealed.map_err(|Refused| Violation("messages to a good key are sealed"))?;

    let opens = |secret: &R::SecretKey, enc: &[u8], info: &[u8], messages: &[(&[u8], &[u8])]| {
        let mut receiver = R::receiver(secret, enc, info)?;
        let open = |&(sealed, aad): &(&[u8], &[u8])| R::open(&mut receiver, sealed, aad);
        messages.iter().map(open).collect::<Result<Vec<_>, _>>()
    };
    let both: [(&[u8], &[u8]); 2] = [(&first, b"a"), (&second, b"b")];
    let opened = opens(&secret, &enc, b"info", &both);
    rule(
        opened.is_ok_and(|texts| {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_slice()).collect();
            texts == [&b"first"[..], b"second"]
        }),
        "messages open in their order",
    )?;
    let refuses = |secret: &R::SecretKey, enc: &[u8], info: &[u8], message: (&[u8], &[u8])| {
        opens(secret, enc, info, &[message]).is_err()
    };
    let good: (&[u8], &[u8]) = (&first, b"a");
    rule(
        refuses(&secret, &enc, b"info", (&second, b"b")),
        "a message at another place is refused",
    )?;
    rule(
        refuses(&secret, &enc, b"other", good),
        "another info is refused",
    )?;
    rule(
        refuses(&secret, &enc, b"info", (&first, b"b")),
        "other associated data is refused",
    )?;
    rule(
        refuses(&R::secret_from_bytes(&[4; 32]), &enc, b"info", good),
        "another key is refused",
    )?;
    for bit in 0..first.len() * 8 {
        let mut changed = first.clone();
        flip(&mut changed, bit);
        rule(
            refuses(&secret, &enc, b"info", (&changed, b"a")),
            "another ciphertext is refused",
        )?;
    }
    // Both halves of the encapsulated key.
    for bit in (0..len_bits(&enc)).step_by(61) {
        let mut changed = enc.clone();
        // X25519 masks the highest bit.
        if bit + 1 != len_bits(&enc) && flip(&mut changed, bit) {
            rule(
                refuses(&secret, &changed, b"info", good),
                "another encapsulated key is refused",
            )?;
        }
    }
    let longer = [enc.as_slice(), &[0]].concat();
    let cut = enc.split_last().map_or(&[][..], |(_, rest)| rest);
    for enc in [cut, &longer, &[]] {
        rule(
            R::receiver(&secret, enc, b"info").is_err(),
            "an encapsulated key of another length is refused",
        )?;
    }
    Ok(())
}

fn len_bits(text: &[u8]) -> usize {
    text.len() * 8
}

/// Whether there was such a bit.
fn flip(bytes: &mut [u8], bit: usize) -> bool {
    bytes
        .get_mut(bit / 8)
        .map(|byte| *byte ^= 1 << (bit % 8))
        .is_some()
}

/// Test cases 13 to 15 of the GCM specification (`McGrew` and Viega): those of 256-bit keys, 96-bit nonces
/// and no associated data.
fn published<A: Aead>() -> Result<(), Violation> {
    let zero = A::new(&[0; 32]);
    let tag = zero.seal_in_place([0; 12], &mut []);
    rule(
        tag == hex("530f8afbc74536b9a963b4f1c4cb738b"),
        "GCM test case 13",
    )?;
    let mut text = [0; 16];
    let tag = zero.seal_in_place([0; 12], &mut text);
    rule(
        text == hex("cea7403d4d606b6e074ec5d3baf39d18")
            && tag == hex("d0d1c8a799996bf0265b98b5d48ab919"),
        "GCM test case 14",
    )?;
    let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    let mut text: [u8; 64] = hex(concat!(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    ));
    let tag = A::new(&key).seal_in_place(hex("cafebabefacedbaddecaf888"), &mut text);
    let sealed: [u8; 64] = hex(concat!(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
    ));
    rule(
        text == sealed && tag == hex("b094dac5d93471bdec1a502270e3cc6c"),
        "GCM test case 15",
    )
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    chartseal_codec::hex_exact(text).unwrap_or([0; N])
}
