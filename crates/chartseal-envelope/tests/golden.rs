//! The formats, frozen: a byte that moves fails here.
//!
//! `CHARTSEAL_BLESS=1` writes the files anew, after a format was changed on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use std::path::PathBuf;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{REQUEST, World};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.hex"))
}

/// The bytes that the file holds.
fn stored(name: &str) -> Vec<u8> {
    let hex: String = std::fs::read_to_string(path(name))
        .unwrap()
        .split_whitespace()
        .collect();
    let pairs = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn frozen(name: &str, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    if std::env::var_os("CHARTSEAL_BLESS").is_some() {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        let lines: Vec<_> = hex
            .as_bytes()
            .chunks(96)
            .map(String::from_utf8_lossy)
            .collect();
        std::fs::write(path(name), lines.join("\n") + "\n").unwrap();
    }
    assert!(stored(name) == bytes, "{name} moved");
}

#[test]
fn no_byte_of_a_format_moved() {
    let mut world = World::new(120, 2, 3);
    let record = world.seal(b"golden");
    let deals = world.deal(&[&record.dealer]);
    let keys = &world.custodians[0];
    let held = accept(keys, deals[0].index(), record.dealer.dealing(), &deals[0]).unwrap();
    let reader = world.reader.public_key().clone();
    let release = release_with_rng(&[&held], REQUEST, &reader, &mut world.rng).unwrap();
    let text = seal_text_with_rng(&reader, "test/1", b"aad", b"why", &mut world.rng).unwrap();
    frozen("header", to_bytes(&record.header));
    frozen("body", record.body);
    frozen("seal", to_bytes(&record.seal));
    frozen("dealing", to_bytes(record.dealer.dealing()));
    frozen("deal", to_bytes(&deals[0]));
    frozen("held-share", held.to_storage_bytes().as_slice());
    frozen("acknowledgement", to_bytes(&held.acknowledgement()));
    frozen("release", to_bytes(&release));
    frozen("sealed-text", to_bytes(&text));
    let info = world.info();
    let content = ContentInfo {
        media_type: "text/plain",
        attributes: b"notes",
        len: None,
    };
    let sealer = RecordSealer::new_with_rng(&info, &content, &world.author, common::rng(122));
    let mut stream = Vec::new();
    let streamed = sealer
        .unwrap()
        .seal_stream(&b"golden"[..], &mut stream)
        .unwrap();
    frozen("stream-header", to_bytes(&streamed.header));
    frozen("stream-body", stream);
    frozen("stream-seal", to_bytes(&streamed.seal));
    let mut slots = Slots::new(&record.header);
    for to in [&reader, keys.public_key()] {
        slots
            .add_with_rng(&record.dealer, to, &mut world.rng)
            .unwrap();
    }
    frozen("slots", to_bytes(&slots));
    // As evidence goes these prove nothing: the release and the shares are good.
    let signed = release.sign(&world.author);
    frozen("signed-release", to_bytes(&signed));
    let evidence = ReleaseEvidence::new(signed, &world.reader);
    frozen("release-evidence", to_bytes(&evidence));
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let dealing = record.dealer.dealing();
    let other =
        cobblestone::seal_with_rng(&ContentKey::from_bytes([1; 32]), &[], &[], &mut world.rng);
    let evidence = DealerEvidence::find(&world.reader, REQUEST, dealing, &releases, &other);
    frozen("dealer-evidence", to_bytes(&evidence.unwrap()));
    frozen("author-key", to_bytes(&world.author.verifying_key()));
    frozen("author-key-id", world.author.key_id());
    frozen("kem-key", to_bytes(&reader));
    frozen("kem-key-id", reader.key_id());
    let seed = KeySeed::from_bytes([7; 32]);
    frozen("identity", to_bytes(&seed.identity(Suite::XWing)));
    frozen("seed-signing-key", seed.signing_key().expose_secret_bytes());
    frozen(
        "seed-kem-key",
        seed.kem_key(Suite::default())
            .expose_secret_bytes()
            .as_slice(),
    );
}

#[cfg(feature = "pq-sign")]
#[test]
fn no_byte_of_suite_2_moved() {
    let mut world = World::of_suite(Suite::XWingMlDsa65, 122, 2, 3);
    let author = KeySeed::from_bytes([7; 32]).hybrid_signing_key();
    let content = Content {
        media_type: "text/plain",
        attributes: b"notes",
        bytes: b"golden",
    };
    let record = seal_with_rng(&world.info(), &content, &author, &mut world.rng).unwrap();
    let (header, seal) = (to_bytes(&record.header), to_bytes(&record.seal));
    // As docs/envelope.md has the sizes.
    assert_eq!((header.len(), seal.len()), (146, 3415));
    frozen("header-2", header);
    frozen("body-2", record.body);
    frozen("seal-2", seal);
    frozen("author-key-2", to_bytes(author.verifying_key()));
    frozen("author-key-id-2", author.key_id());
    let identity = KeySeed::from_bytes([7; 32]).identity(Suite::XWingMlDsa65);
    frozen("identity-2", to_bytes(&identity));

    let header: Header = from_bytes(&stored("header-2")).unwrap();
    let seal: Seal = from_bytes(&stored("seal-2")).unwrap();
    let identity: PublicIdentity = from_bytes(&stored("identity-2")).unwrap();
    let verified = seal.verify(&header, &stored("body-2"), identity.author());
    assert_eq!(verified, Ok(()));
}

#[test]
fn what_was_sealed_once_still_opens() {
    // Keys come from the fixture; every object comes from the files.
    let world = World::new(120, 2, 3);
    let header: Header = from_bytes(&stored("header")).unwrap();
    let seal: Seal = from_bytes(&stored("seal")).unwrap();
    let body = stored("body");
    let dealing = Dealing::initial(&header);
    let one = HeldShare::from_storage_bytes(&stored("held-share")).unwrap();
    let deal: Deal = from_bytes(&stored("deal")).unwrap();
    let again = accept(&world.custodians[0], deal.index(), &dealing, &deal).unwrap();
    assert_eq!(again.to_storage_bytes(), one.to_storage_bytes());
    let release: Release = from_bytes(&stored("release")).unwrap();
    let error = combine(&world.reader, REQUEST, &dealing, &[release]).unwrap_err();
    let CombineError::NotEnough(shortage) = error else {
        panic!()
    };
    assert_eq!((shortage.have, shortage.faults.len()), (1, 0));
    seal.verify(&header, &body, &world.author.verifying_key())
        .unwrap();
    let evidence: ReleaseEvidence = from_bytes(&stored("release-evidence")).unwrap();
    let (author, one) = (world.author.verifying_key(), deal.index());
    let error = evidence.check(one, &author, &[&dealing]).unwrap_err();
    assert_eq!(error, NoProof::GoodRelease);
    let signed: SignedRelease = from_bytes(&stored("signed-release")).unwrap();
    assert_eq!(evidence.signed(), &signed);
    let evidence: DealerEvidence = from_bytes(&stored("dealer-evidence")).unwrap();
    let error = evidence.check(&dealing, &header, &body, &seal, &author);
    assert_eq!(error, Err(NoProof::GoodShares));
    let slots: Slots = from_bytes(&stored("slots")).unwrap();
    for keys in [&world.reader, &world.custodians[0]] {
        let key = slots.open(keys, &header).unwrap();
        assert!(cobblestone::open(&key, header.digest().as_bytes(), &body).is_ok());
    }
    let text: SealedText = from_bytes(&stored("sealed-text")).unwrap();
    assert_eq!(
        open_text(&world.reader, "test/1", b"aad", &text)
            .unwrap()
            .as_slice(),
        b"why"
    );
}

/// What `docs/envelope.md` says, written out here once more: digests, ids, the polynomial.
#[test]
#[expect(clippy::too_many_lines, reason = "one formula after another")]
fn the_documented_formulas_give_the_same_bytes() {
    let mut world = World::new(121, 3, 4);
    let record = world.seal(b"formulas");
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let header = &record.header;
    let sha256 = |domain: &str, parts: &[&[u8]]| -> [u8; 32] {
        Sha256::digest([domain.as_bytes(), &[0], &parts.concat()].concat()).into()
    };
    let digest = sha256("chartseal/envelope/header/1", &[&to_bytes(header)]);
    assert_eq!(header.digest().0, digest);
    let author = world.author.verifying_key().to_bytes();
    let id = sha256("chartseal/envelope/key-id/ed25519/1", &[&author]);
    assert_eq!(header.author().0, id);

    // [suite, record id, subject, record version, supersedes, author]
    let fields = [
        &[0x86, 1, 0x50][..],
        &[0x1d; 16],
        &[0x50],
        &[0x50; 16],
        &[1, 0xf6, 0x58, 32],
        &id,
    ];
    let record_scope = sha256("chartseal/envelope/scope/1", &[&fields.concat()]);
    // [suite, scope, deal epoch, [set id, set epoch, [t, n]]]
    let scope = [
        &[0x84, 1, 0x58, 32][..],
        &record_scope,
        &[0, 0x83, 0x58, 32],
        &[0x5e; 32],
        &[3, 0x82, 3, 4],
    ];
    let scope = scope.concat();

    let secrets: Vec<_> = held
        .iter()
        .map(|held| {
            held.to_storage_bytes()
                .last_chunk::<64>()
                .unwrap()
                .to_owned()
        })
        .collect();
    let commitments: Vec<_> = (1_u8..)
        .zip(&secrets)
        .map(|(index, secret)| {
            let (share, salt) = secret.split_at(32);
            sha256(
                "chartseal/envelope/share/1",
                &[&scope, &[index], salt, share],
            )
        })
        .collect();
    let root = sha256(
        "chartseal/envelope/commitments/1",
        &[&scope, commitments.as_flattened()],
    );
    assert_eq!(header.commitments().0, root);

    // The signature, with BLAKE3 and the length, big-endian.
    let body_digest = blake3::hash(&record.body);
    let len = (record.body.len() as u64).to_be_bytes();
    let message = [
        b"chartseal/envelope/seal/1\0",
        &digest[..],
        body_digest.as_bytes(),
        &len,
    ];
    let signature = Signature(*to_bytes(&record.seal).last_chunk().unwrap());
    world
        .author
        .verifying_key()
        .verify_strict(&message.concat(), &signature)
        .unwrap();

    // The body's plaintext: [length, media type, attributes, coins], content, Padmé's zeros.
    let key = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases)
        .unwrap()
        .key;
    let plaintext = cobblestone::open(&key, &digest, &record.body).unwrap();
    let mut expected = [
        &[0x84, 8, 0x6a][..],
        b"text/plain",
        &[0x45],
        b"notes",
        &[0x58, 32],
    ]
    .concat();
    let coins: [u8; 32] = plaintext[expected.len()..][..32].try_into().unwrap();
    expected.extend(coins);
    expected.extend(b"formulas");
    assert_eq!(expected.len(), 61);
    expected.resize(64, 0);
    assert_eq!(plaintext.as_slice(), expected);

    // Coefficients 1 to t-1 of byte b are t-1 bytes in a row; salts follow each other.
    let expand = |domain: &str, out: &mut [u8]| {
        let info = [domain.as_bytes(), &[0], &scope].concat();
        Hkdf::<Sha256>::new(None, &coins)
            .expand(&info, out)
            .unwrap();
    };
    let (mut coefficients, mut salts) = ([0; 64], [0; 128]);
    expand("chartseal/envelope/coefficients/1", &mut coefficients);
    expand("chartseal/envelope/salts/1", &mut salts);
    for (i, secret) in secrets.iter().enumerate() {
        let x = u8::try_from(i + 1).unwrap();
        let share: Vec<u8> = (0..32)
            .map(|b| {
                let (a, c) = (coefficients[2 * b], coefficients[2 * b + 1]);
                key.expose_bytes()[b] ^ times(a, x) ^ times(times(c, x), x)
            })
            .collect();
        assert_eq!(secret[..32], share, "share {x}");
        assert_eq!(secret[32..], salts[32 * i..32 * i + 32], "salt {x}");
    }
}

/// The product in GF(2⁸) modulo x⁸ + x⁴ + x³ + x + 1.
fn times(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a = (a << 1) ^ if a & 0x80 == 0 { 0 } else { 0x1b };
    }
    product
}
