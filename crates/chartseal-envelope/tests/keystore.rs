//! Keystore files: ours, everybody else's, and those that are refused.
#![cfg(feature = "keystore")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use chartseal_envelope::{KeySeed, keystore};
use common::{rng, rule};
use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Document, pem::LineEnding};
use pkcs8::pkcs5::{EncryptionScheme, pbes2};

const PASSWORD: &str = "pässword";
const LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// What a file holds, AES-256-CBC with padding.
const CIPHERTEXT: usize = 112;

/// Written by this crate once, for the seed of sevens; with it the format is frozen.
const GOLDEN: &str = include_str!("vectors/keystore.pem");

fn seed() -> KeySeed {
    KeySeed::from_bytes([7; 32])
}

fn der(file: &str) -> Vec<u8> {
    let (label, document) = Document::from_pem(file).unwrap();
    assert_eq!(label, LABEL);
    document.into_vec()
}

fn pem(der: &[u8]) -> String {
    let document = Document::try_from(der).unwrap();
    document.to_pem(LABEL, LineEnding::LF).unwrap()
}

fn refused(file: &str) -> String {
    let error = keystore::decrypt(file, PASSWORD).unwrap_err();
    // A file that is no keystore is refused without a password.
    if rule(error) != "CS-ENV-83" {
        assert_eq!(keystore::check(file), Err(error));
    }
    rule(error)
}

#[test]
fn no_byte_of_a_file_moved_and_it_still_opens() {
    let file = keystore::encrypt_with_rng(&seed(), PASSWORD, &mut rng(160)).unwrap();
    if std::env::var_os("CHARTSEAL_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keystore.pem");
        std::fs::write(path, &file).unwrap();
    }
    assert_eq!(file, GOLDEN);
    assert_eq!(keystore::check(GOLDEN), Ok(()));
    let back = keystore::decrypt(GOLDEN, PASSWORD).unwrap();
    assert_eq!(back.expose_bytes(), seed().expose_bytes());
}

#[test]
fn another_password_opens_nothing() {
    for password in ["", "password", "pässword ", "pa\u{308}ssword"] {
        let error = keystore::decrypt(GOLDEN, password).unwrap_err();
        assert_eq!(rule(error), "CS-ENV-83");
    }
    let error = keystore::encrypt_with_rng(&seed(), "", &mut rng(1)).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-84");
}

#[test]
fn a_changed_password_changes_everything_but_the_seed() {
    let new = keystore::change_password_with_rng(GOLDEN, PASSWORD, "next", &mut rng(161)).unwrap();
    let back = keystore::decrypt(&new, "next").unwrap();
    assert_eq!(back.expose_bytes(), seed().expose_bytes());
    assert_eq!(refused(&new), "CS-ENV-83");
    let (old, new) = (der(GOLDEN), der(&new));
    let blocks = |der: &[u8]| der[der.len() - CIPHERTEXT..].to_vec();
    assert!(
        blocks(&old)
            .chunks(16)
            .zip(blocks(&new).chunks(16))
            .all(|(a, b)| a != b)
    );
    let error = keystore::change_password_with_rng(GOLDEN, "wrong", "next", &mut rng(1));
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-83");
}

#[test]
fn an_altered_file_is_refused() {
    let good = der(GOLDEN);
    let start = good.len() - CIPHERTEXT;
    // One bit in the initialization vector and in each block. Under CBC it turns the same bit of the next
    // block.
    let vector = start - 2 - 16;
    for place in (start..good.len()).step_by(16).chain([vector, vector + 15]) {
        let mut bad = good.clone();
        bad[place] ^= 1;
        assert_eq!(refused(&pem(&bad)), "CS-ENV-83", "byte {place}");
    }
    // Blocks that changed places, or are missing.
    let mut bad = good.clone();
    bad[start..start + 32].rotate_left(16);
    assert_eq!(refused(&pem(&bad)), "CS-ENV-83");
    // One bit anywhere else: the salt, or what says how to read the file.
    for place in (0..vector).step_by(3) {
        let mut bad = good.clone();
        bad[place] ^= 2;
        if let Ok(document) = Document::try_from(&bad[..]) {
            let file = document.to_pem(LABEL, LineEnding::LF).unwrap();
            assert!(keystore::decrypt(&file, PASSWORD).is_err(), "byte {place}");
        }
    }
}

#[test]
fn what_is_no_keystore_is_refused() {
    let long = format!("{GOLDEN}{}", " ".repeat(keystore::MAX_FILE));
    let cut = &GOLDEN[..GOLDEN.len() / 2];
    let label = GOLDEN.replace("ENCRYPTED PRIVATE KEY", "PRIVATE KEY");
    for file in ["", "-----BEGIN", cut, &label, &long] {
        assert_eq!(refused(file), "CS-ENV-80");
    }
    // Another program's: the same encryption, and no seed inside.
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: scheme(aes_256(), scrypt(1 << 14)),
        encrypted_data: OctetStringRef::new(&[0; 64]).unwrap(),
    };
    let document = Document::encode_msg(&info).unwrap();
    let file = document.to_pem(LABEL, LineEnding::LF).unwrap();
    assert_eq!(refused(&file), "CS-ENV-80");
}

fn scrypt(cost_parameter: u64) -> pbes2::Kdf {
    let parameters = pbes2::ScryptParams {
        salt: pbes2::Salt::new([1; 16]).unwrap(),
        cost_parameter,
        block_size: 8,
        parallelization: 1,
        key_length: None,
    };
    parameters.into()
}

fn aes_256() -> pbes2::EncryptionScheme {
    pbes2::EncryptionScheme::Aes256Cbc { iv: [2; 16] }
}

fn scheme(encryption: pbes2::EncryptionScheme, kdf: pbes2::Kdf) -> EncryptionScheme {
    pbes2::Parameters { kdf, encryption }.into()
}

#[test]
fn other_algorithms_and_costs_are_refused_before_a_password_is_tried() {
    let pbkdf2 = pbes2::Pbkdf2Params::hmac_sha256(600_000, &[1; 16]).unwrap();
    let aes_128 = pbes2::EncryptionScheme::Aes128Cbc { iv: [2; 16] };
    let gcm = pbes2::EncryptionScheme::Aes256Gcm { nonce: [2; 12] };
    for (encryption_algorithm, expected) in [
        (scheme(aes_128, scrypt(1 << 14)), "CS-ENV-81"),
        (scheme(gcm, scrypt(1 << 14)), "CS-ENV-81"),
        (scheme(aes_256(), pbkdf2.into()), "CS-ENV-81"),
        (scheme(aes_256(), scrypt(0)), "CS-ENV-82"),
        (scheme(aes_256(), scrypt(1 << 13)), "CS-ENV-82"),
        (scheme(aes_256(), scrypt(1 << 30)), "CS-ENV-82"),
    ] {
        let info = EncryptedPrivateKeyInfo {
            encryption_algorithm,
            encrypted_data: OctetStringRef::new(&[0; CIPHERTEXT]).unwrap(),
        };
        let document = Document::encode_msg(&info).unwrap();
        let file = document.to_pem(LABEL, LineEnding::LF).unwrap();
        assert_eq!(refused(&file), expected);
    }
}

/// `openssl`'s output, or nothing if it is not installed.
fn openssl(words: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new("openssl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("did not run: openssl is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words:?}: {errors}");
    Some(output.stdout)
}

#[test]
fn openssl_reads_the_signing_key() {
    let pass = format!("pass:{PASSWORD}");
    let words = ["pkey", "-passin", &pass, "-pubout", "-outform", "DER"];
    if let Some(public) = openssl(&words, GOLDEN.as_bytes()) {
        let key = seed().signing_key().verifying_key();
        assert_eq!(*public.last_chunk::<32>().unwrap(), key.to_bytes());
    }
}

/// What docs/envelope.md tells people without this program to do.
#[test]
fn openssl_finds_the_seed() {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(String::new(), |text, b| format!("{text}{b:02x}"))
    };
    let file = der(GOLDEN);
    let (head, ciphertext) = file.split_at(file.len() - CIPHERTEXT);
    let iv = hex(&head[head.len() - 2 - 16..head.len() - 2]);
    let scrypt_oid = [
        0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b,
    ];
    let salt = head.windows(11).position(|w| w == scrypt_oid).unwrap() + 11 + 4;
    let (pass, salt) = (
        format!("pass:{PASSWORD}"),
        format!("hexsalt:{}", hex(&head[salt..salt + 16])),
    );
    let mut words = vec!["kdf", "-keylen", "32", "-binary"];
    for option in [
        &pass,
        &salt,
        "n:16384",
        "r:8",
        "p:5",
        "maxmem_bytes:67108864",
    ] {
        words.extend(["-kdfopt", option]);
    }
    words.push("SCRYPT");
    let Some(key) = openssl(&words, b"") else {
        return;
    };
    let key = hex(&key);
    let words = ["enc", "-d", "-aes-256-cbc", "-K", &key, "-iv", &iv];
    let plain = openssl(&words, ciphertext).unwrap();
    assert!(plain.ends_with(seed().expose_bytes()));
    let shown = openssl(&["asn1parse", "-inform", "DER"], &plain).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("ED25519"), "{shown}");
    assert!(
        shown.contains("2.25.131005164067360639413537588532675070924"),
        "{shown}"
    );
}
