//! A person's [`KeySeed`] in a file, under a password.
//!
//! The file is PEM, `ENCRYPTED PRIVATE KEY`: PKCS#8 under PBES2 with scrypt (N = 2¹⁴, r = 8, p = 5:
//! 16 MiB) and AES-256-CBC, as RFC 8018, RFC 7914 and RFC 5958 have it. Inside is the person's Ed25519
//! key, for any tool that reads such files, with the seed as an attribute. CBC authenticates nothing, so
//! the key is derived from the seed again and compared: what was altered is refused.
//!
//! ```
//! use chartseal_envelope::{KeySeed, keystore};
//!
//! let seed = KeySeed::generate()?;
//! let file = keystore::encrypt(&seed, "correct horse battery staple")?;
//! assert!(file.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
//!
//! let back = keystore::decrypt(&file, "correct horse battery staple")?;
//! assert_eq!(back.signing_key().key_id(), seed.signing_key().key_id());
//! let error = keystore::decrypt(&file, "correct horse").unwrap_err();
//! assert_eq!(error.to_string(), "wrong password, or the file was altered (CS-ENV-83)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A password's strength is its owner's care: whoever has the file tries as many as they can pay for.
//! The seed and what lies around it are overwritten; scrypt's working memory, which is made of the
//! password, is not.

use alloc::string::String;
use alloc::vec::Vec;

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::pem::{LineEnding, PemLabel as _};
use pkcs8::der::{Decode as _, Document};
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfo, EncryptedPrivateKeyInfoRef};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::KeySeed;
use crate::secret::{DEEP, wiped};

/// The longest file that is looked at, in bytes.
pub const MAX_FILE: usize = 4096;

/// Encrypts `seed` under `password`, whose UTF-8 bytes are taken as they are.
///
/// # Errors
/// [`KeystoreError::EmptyPassword`].
pub fn encrypt_with_rng(
    seed: &KeySeed,
    password: &str,
    rng: &mut impl CryptoRng,
) -> Result<String, KeystoreError> {
    if password.is_empty() {
        return Err(KeystoreError::EmptyPassword);
    }
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut iv);
    Ok(write(&plaintext(seed), password, COST, &salt, iv))
}

/// As [`encrypt_with_rng`], with the operating system's randomness.
///
/// # Errors
/// As there, and [`KeystoreError::Randomness`].
#[cfg(feature = "getrandom")]
pub fn encrypt(seed: &KeySeed, password: &str) -> Result<String, KeystoreError> {
    encrypt_with_rng(seed, password, &mut crate::SystemRng::new()?)
}

/// The seed in `file`.
///
/// # Errors
/// What [`check`] refuses, and [`KeystoreError::Refused`].
pub fn decrypt(file: &str, password: &str) -> Result<KeySeed, KeystoreError> {
    let (parameters, ciphertext) = read(file)?;
    let mut buffer = Zeroizing::new(ciphertext);
    let decrypted = wiped::<DEEP, _>(|| parameters.decrypt_in_place(password, &mut buffer));
    let decrypted = decrypted.map_err(|_| KeystoreError::Refused)?;
    let seed = decrypted.last_chunk().ok_or(KeystoreError::Refused)?;
    let seed = KeySeed::from_bytes(*seed);
    if plaintext(&seed).ct_eq(decrypted).into() {
        Ok(seed)
    } else {
        Err(KeystoreError::Refused)
    }
}

/// `file` under another password, and with a new salt. The old file, wherever a copy of it is, still opens
/// with the old password.
///
/// # Errors
/// As [`decrypt`] and [`encrypt_with_rng`].
pub fn change_password_with_rng(
    file: &str,
    old: &str,
    new: &str,
    rng: &mut impl CryptoRng,
) -> Result<String, KeystoreError> {
    encrypt_with_rng(&decrypt(file, old)?, new, rng)
}

/// As [`change_password_with_rng`], with the operating system's randomness.
///
/// # Errors
/// As there, and [`KeystoreError::Randomness`].
#[cfg(feature = "getrandom")]
pub fn change_password(file: &str, old: &str, new: &str) -> Result<String, KeystoreError> {
    change_password_with_rng(file, old, new, &mut crate::SystemRng::new()?)
}

/// Whether `file` is one that [`decrypt`] tries a password on. It costs nothing: no password is needed, and
/// no memory taken.
///
/// # Errors
/// [`KeystoreError::Format`], [`KeystoreError::Algorithm`], [`KeystoreError::Cost`].
pub fn check(file: &str) -> Result<(), KeystoreError> {
    read(file).map(drop)
}

/// Why a keystore was not written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// It is no such file, or one without a seed: another program's.
    #[error("not an encrypted key file with a seed (CS-ENV-80)")]
    Format,
    /// It is encrypted otherwise.
    #[error("key file should be encrypted with scrypt and AES-256-CBC (CS-ENV-81)")]
    Algorithm,
    /// Its password is too cheap to guess, or reading it would take too much memory or time.
    #[error("scrypt should have N from 2^14 to 2^17, r = 8 and p from 1 to 16 (CS-ENV-82)")]
    Cost,
    /// Which of the two can't be told, and isn't.
    #[error("wrong password, or the file was altered (CS-ENV-83)")]
    Refused,
    /// An empty password protects nothing.
    #[error("password is empty (CS-ENV-84)")]
    EmptyPassword,
    /// No randomness.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    Randomness(#[from] crate::RandomnessError),
}

/// scrypt's N, r and p.
#[derive(Clone, Copy)]
struct Cost(u64, u16, u16);

/// The most memory that OpenSSL 3 reads a file with, and what OWASP asks for at that size.
const COST: Cost = Cost(1 << 14, 8, 5);

impl Cost {
    /// At most 128 MiB, and 26 times the time that our own files take.
    fn is_allowed(self) -> bool {
        let Self(n, r, p) = self;
        n.is_power_of_two() && (1 << 14..=1 << 17).contains(&n) && r == 8 && (1..=16).contains(&p)
    }
}

fn read(file: &str) -> Result<(pbes2::Parameters, Vec<u8>), KeystoreError> {
    if file.len() > MAX_FILE {
        return Err(KeystoreError::Format);
    }
    let (label, document) = Document::from_pem(file).map_err(|_| KeystoreError::Format)?;
    if label != EncryptedPrivateKeyInfoRef::PEM_LABEL {
        return Err(KeystoreError::Format);
    }
    let info = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes());
    let info = info.map_err(|_| KeystoreError::Format)?;
    let parameters = info.encryption_algorithm.pbes2();
    let parameters = parameters.ok_or(KeystoreError::Algorithm)?;
    let scrypt = parameters.kdf.scrypt().ok_or(KeystoreError::Algorithm)?;
    if !matches!(
        parameters.encryption,
        pbes2::EncryptionScheme::Aes256Cbc { .. }
    ) {
        return Err(KeystoreError::Algorithm);
    }
    let cost = Cost(
        scrypt.cost_parameter,
        scrypt.block_size,
        scrypt.parallelization,
    );
    if !cost.is_allowed() {
        return Err(KeystoreError::Cost);
    }
    let ciphertext = info.encrypted_data.as_bytes();
    if ciphertext.len() != PLAINTEXT_LEN.next_multiple_of(16) {
        return Err(KeystoreError::Format);
    }
    Ok((parameters.clone(), ciphertext.to_vec()))
}

#[expect(
    clippy::expect_used,
    reason = "every length is a constant that PBES2 and DER have room for"
)]
fn write(plaintext: &[u8], password: &str, cost: Cost, salt: &[u8; 16], iv: [u8; 16]) -> String {
    let scrypt = pbes2::ScryptParams {
        salt: pbes2::Salt::new(salt).expect("a short salt"),
        cost_parameter: cost.0,
        block_size: cost.1,
        parallelization: cost.2,
        key_length: None,
    };
    let parameters = pbes2::Parameters {
        kdf: scrypt.into(),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv },
    };
    let encrypted = wiped::<DEEP, _>(|| parameters.encrypt(password, plaintext));
    let encrypted = encrypted.expect("encrypts");
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: EncryptionScheme::from(parameters),
        encrypted_data: OctetStringRef::new(&encrypted).expect("a short string"),
    };
    Document::encode_msg(&info)
        .and_then(|der| der.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF))
        .expect("encodes")
}

/// `OneAsymmetricKey` (RFC 5958), version 0, of Ed25519 (RFC 8410), with one attribute: the seed, under an
/// OID made of a random UUID (2.25.131005164067360639413537588532675070924). Every length is fixed.
fn plaintext(seed: &KeySeed) -> Zeroizing<Vec<u8>> {
    let keys = seed.signing_key();
    let mut out = Zeroizing::new(Vec::with_capacity(PLAINTEXT_LEN));
    out.extend_from_slice(&TO_KEY);
    out.extend_from_slice(keys.expose_secret_bytes());
    out.extend_from_slice(&TO_SEED);
    out.extend_from_slice(seed.expose_bytes());
    out
}

const PLAINTEXT_LEN: usize = TO_KEY.len() + 32 + TO_SEED.len() + 32;

/// The sequence, the version, the algorithm, and the beginning of the key.
const TO_KEY: [u8; 16] = [
    0x30, 0x6c, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The attributes, one of them, its OID, and the beginning of its only value.
const TO_SEED: [u8; 30] = [
    0xa0, 0x3c, 0x30, 0x3a, 0x06, 0x14, 0x69, 0x81, 0xc5, 0x8e, 0xd6, 0xd1, 0xa1, 0x97, 0x8a, 0x8e,
    0xc7, 0x9a, 0x94, 0xae, 0xe6, 0xdf, 0x98, 0xff, 0x97, 0x4c, 0x31, 0x22, 0x04, 0x20,
];

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    const LIGHT: Cost = Cost(1 << 14, 8, 1);

    fn file(plaintext: &[u8], cost: Cost) -> String {
        write(plaintext, "password", cost, &[1; 16], [2; 16])
    }

    fn seed() -> KeySeed {
        KeySeed::from_bytes([7; 32])
    }

    #[test]
    fn costs_outside_of_the_bounds_are_refused_before_any_is_paid() {
        // Each has valid parameters of its own to encrypt with; the numbers are then exchanged.
        let info = file(&plaintext(&seed()), LIGHT);
        let (parameters, ciphertext) = read(&info).unwrap();
        let mut scrypt = *parameters.kdf.scrypt().unwrap();
        for (cost, allowed) in [
            (Cost(1 << 14, 8, 1), true),
            (Cost(1 << 17, 8, 16), true),
            (Cost(0, 8, 1), false),
            (Cost(2, 8, 1), false),
            (Cost(1 << 13, 8, 5), false),
            (Cost((1 << 14) + 1, 8, 5), false),
            (Cost(1 << 18, 8, 1), false),
            (Cost(1 << 30, 8, 1), false),
            (Cost(1 << 63, 8, 1), false),
            (Cost(u64::MAX, 8, 1), false),
            (Cost(1 << 14, 0, 1), false),
            (Cost(1 << 14, 9, 1), false),
            (Cost(1 << 14, u16::MAX, 1), false),
            (Cost(1 << 14, 8, 0), false),
            (Cost(1 << 14, 8, 17), false),
            (Cost(1 << 14, 8, u16::MAX), false),
        ] {
            scrypt.cost_parameter = cost.0;
            scrypt.block_size = cost.1;
            scrypt.parallelization = cost.2;
            let parameters = pbes2::Parameters {
                kdf: scrypt.into(),
                encryption: parameters.encryption,
            };
            let info = EncryptedPrivateKeyInfo {
                encryption_algorithm: EncryptionScheme::from(parameters),
                encrypted_data: OctetStringRef::new(&ciphertext).unwrap(),
            };
            let document = Document::encode_msg(&info).unwrap();
            let pem = document.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
            let expected = if allowed {
                Ok(())
            } else {
                Err(KeystoreError::Cost)
            };
            assert_eq!(
                check(&pem.unwrap()),
                expected,
                "{} {} {}",
                cost.0,
                cost.1,
                cost.2
            );
        }
    }

    /// A forger who knows the password, or turns bits under CBC, gets no seed past the derived key.
    #[test]
    fn a_seed_beside_a_key_that_is_not_its_own_is_refused() {
        let good = plaintext(&seed());
        assert!(decrypt(&file(&good, LIGHT), "password").is_ok());
        for place in [0, 15, 16, 47, 48, 77, 78, 109] {
            let mut bad: Vec<u8> = good.to_vec();
            bad[place] ^= 1;
            let refused = decrypt(&file(&bad, LIGHT), "password");
            assert_eq!(refused.err(), Some(KeystoreError::Refused), "byte {place}");
        }
    }
}
