//! C2SP text formats: the specifications' own examples, one spelling each, no panic.

use chartseal_merkle::{Hash, MAX_PROOF};
use chartseal_wire::note::{KeyKind, MAX_NOTE, MAX_SIGNATURES, NoteSignature};
use chartseal_wire::{
    Checkpoint, FormatError, ProofFile, PublicKey, Signature, SignedNote, Time, VerifierKey,
};
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

/// The example of C2SP signed-note.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// The example of C2SP tlog-cosignature; its keys are not published.
const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

#[test]
fn the_example_of_signed_note_verifies() {
    let vkey = VerifierKey::parse(VKEY).unwrap();
    assert_eq!(
        (vkey.name(), vkey.kind(), vkey.id()),
        ("example.com/foo", KeyKind::Log, 0x530d_903a)
    );
    assert_eq!(vkey.to_string(), VKEY);
    let note = SignedNote::parse(NOTE).unwrap();
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(vkey.verify(&note.text, &note.signatures[0]), Ok(0));
    assert_eq!(note.to_string(), NOTE);
    assert!(
        vkey.verify("This is an example message\n", &note.signatures[0])
            .is_err()
    );
    assert!(
        vkey.verify("This is an example message.", &note.signatures[0])
            .is_err()
    );
}

#[test]
fn the_example_of_tlog_cosignature_is_read() {
    let note = SignedNote::parse(COSIGNED).unwrap();
    assert_eq!(note.to_string(), COSIGNED);
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    let names: Vec<&str> = note.signatures.iter().map(NoteSignature::name).collect();
    assert_eq!(
        names,
        ["example.com/behind-the-sofa", "witness.example.com/w1"]
    );
}

fn key(kind: KeyKind) -> (VerifierKey, SigningKey) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = PublicKey(key.verifying_key().to_bytes());
    (
        VerifierKey::new("witness.example/1", kind, public).unwrap(),
        key,
    )
}

fn sign((vkey, key): &(VerifierKey, SigningKey), text: &str, time: u64) -> NoteSignature {
    vkey.line(text, time, |bytes| Signature(key.sign(bytes).to_bytes()))
}

#[test]
fn a_cosigner_signs_the_header_line_the_time_and_the_whole_text() {
    let signer = key(KeyKind::Cosigner);
    let text = "log.example\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let mut message = Vec::new();
    let line = signer.0.line(text, 1_679_315_147, |bytes| {
        message = bytes.to_vec();
        Signature(signer.1.sign(bytes).to_bytes())
    });
    assert_eq!(
        message,
        format!("cosignature/v1\ntime 1679315147\n{text}").as_bytes()
    );
    assert_eq!(signer.0.verify(text, &line), Ok(1_679_315_147));
    // Another text, another kind of key, a time beyond 2^63 - 1.
    assert!(signer.0.verify(&text.replace('7', "8"), &line).is_err());
    assert!(key(KeyKind::Log).0.verify(text, &line).is_err());
    assert!(
        signer
            .0
            .verify(text, &sign(&signer, text, u64::MAX))
            .is_err()
    );
    assert!(
        signer
            .0
            .verify(text, &sign(&signer, text, u64::MAX >> 1))
            .is_ok()
    );
}

#[test]
fn a_key_and_kind_give_the_id_and_a_wrong_id_is_no_key() {
    let (log, cosigner) = (key(KeyKind::Log).0, key(KeyKind::Cosigner).0);
    assert_ne!(log.id(), cosigner.id());
    for vkey in [log, cosigner] {
        let text = vkey.to_string();
        assert_eq!(VerifierKey::parse(&text).as_ref(), Ok(&vkey));
        for (from, to) in [
            ("+", "++"),
            ("witness", "other"),
            ("=", ""),
            ("witness", "wit ness"),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert!(
                wrong == text || VerifierKey::parse(&wrong).is_err(),
                "{wrong}"
            );
        }
        assert!(VerifierKey::parse(&text.to_uppercase()).is_err());
        assert!(VerifierKey::parse(&format!("{text} ")).is_err());
    }
    for name in [
        "",
        "a b",
        "a+b",
        "a\u{a0}b",
        "a\tb",
        "a\u{85}b",
        &"n".repeat(256),
    ] {
        assert_eq!(
            VerifierKey::new(name, KeyKind::Log, PublicKey([1; 32])),
            None,
            "{name}"
        );
    }
}

/// The error is on this line.
#[expect(clippy::needless_pass_by_value, reason = "calls read better")]
fn on_line<T: core::fmt::Debug>(result: Result<T, FormatError>, line: usize) {
    assert!(
        matches!(&result, Err(FormatError::Line { line: at, .. }) if *at == line),
        "{result:?}"
    );
}

#[test]
fn checkpoints_have_three_lines_and_one_spelling() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let good = format!("log.example\n7\n{root}\n");
    assert_eq!(Checkpoint::parse(&good).unwrap().to_string(), good);
    assert!(Checkpoint::parse(&format!("log.example\n0\n{root}\n")).is_ok());
    for size in [
        "",
        "07",
        "+7",
        "-7",
        "7 ",
        " 7",
        "0x7",
        "00",
        "18446744073709551616",
        "7.0",
    ] {
        on_line(
            Checkpoint::parse(&format!("log.example\n{size}\n{root}\n")),
            2,
        );
    }
    // The last letter has two bits that say nothing: only zeros are canonical.
    for wrong in [
        "",
        "CsUY",
        &root.replace('=', ""),
        &root.replace("I=", "J="),
        &format!("{root}="),
    ] {
        on_line(Checkpoint::parse(&format!("log.example\n7\n{wrong}\n")), 3);
    }
    on_line(Checkpoint::parse(&format!("\n7\n{root}\n")), 1);
    on_line(
        Checkpoint::parse(&format!("{}\n7\n{root}\n", "o".repeat(256))),
        1,
    );
    on_line(Checkpoint::parse(&format!("{good}extension\n")), 4);
    on_line(Checkpoint::parse(&format!("{good}\n")), 4);
    on_line(Checkpoint::parse(good.trim_end()), 3);
    on_line(Checkpoint::parse(""), 3);
}

#[test]
fn notes_have_one_spelling() {
    // Empty lines belong to the text; the last one ends it.
    let note = SignedNote::parse(&format!("\n\na\n\nb\n{}", &NOTE[28..])).unwrap();
    assert_eq!(note.text, "\n\na\n\nb\n");
    let signature = NOTE.rsplit_once(' ').unwrap().1.trim_end();
    let with = |line: &str| SignedNote::parse(&format!("text\n\n{line}\n"));
    assert!(with(&format!("\u{2014} name {signature}")).is_ok());
    for line in [
        String::new(),
        format!("- name {signature}"),
        format!("\u{2014}name {signature}"),
        format!("\u{2014}  name {signature}"),
        format!("\u{2014} na me {signature}"),
        format!("\u{2014} na+me {signature}"),
        format!("\u{2014} name {signature} "),
        format!("\u{2014} name  {signature}"),
        format!("\u{2014} name {}", signature.trim_end_matches('=')),
        format!("\u{2014} name {}", signature.replace("M=", "N=")),
        "\u{2014} name AAA=".into(),
        "\u{2014} name".into(),
    ] {
        assert!(with(&line).is_err(), "{line}");
    }
    assert!(SignedNote::parse(&NOTE.replace('\n', "\r\n")).is_err());
    assert!(SignedNote::parse(NOTE.trim_end()).is_err());
    assert!(SignedNote::parse(&format!("{NOTE}\n")).is_err());
    assert!(SignedNote::parse("text\n").is_err());
    on_line(
        SignedNote::parse(&NOTE.replace("example message", "example\tmessage")),
        1,
    );
    on_line(SignedNote::parse(&format!("{NOTE}\u{2014} name x\n")), 4);
}

#[test]
fn notes_have_caps() {
    let line = NOTE.split_once("\n\n").unwrap().1;
    let most = format!("text\n\n{}", line.repeat(MAX_SIGNATURES));
    assert_eq!(
        SignedNote::parse(&most).unwrap().signatures.len(),
        MAX_SIGNATURES
    );
    on_line(
        SignedNote::parse(&format!("{most}{line}")),
        3 + MAX_SIGNATURES,
    );
    let long = format!("{}\n\n{line}", "x".repeat(MAX_NOTE));
    assert!(matches!(
        SignedNote::parse(&long),
        Err(FormatError::TooLong { .. })
    ));
}

fn proof_file(extra: &[u8], hashes: usize) -> ProofFile {
    ProofFile {
        extra: extra.into(),
        index: 5,
        proof: vec![Hash([3; 32]); hashes],
        checkpoint: SignedNote::parse(COSIGNED).unwrap(),
    }
}

#[test]
fn proof_files_are_written_as_the_specification_says() {
    let hash = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let text = format!("c2sp.org/tlog-proof@v1\nextra AQID\nindex 5\n{hash}\n{hash}\n\n{COSIGNED}");
    assert_eq!(proof_file(&[1, 2, 3], 2).to_string(), text);
    assert_eq!(ProofFile::parse(&text).unwrap(), proof_file(&[1, 2, 3], 2));
    // No extra data, no extra line; a tree of one leaf has no hashes.
    let least = format!("c2sp.org/tlog-proof@v1\nindex 5\n\n{COSIGNED}");
    assert_eq!(proof_file(&[], 0).to_string(), least);
    assert_eq!(ProofFile::parse(&least).unwrap(), proof_file(&[], 0));
}

#[test]
fn proof_files_have_one_spelling_and_caps() {
    let good = proof_file(&[1, 2, 3], 2).to_string();
    let with = |from: &str, to: &str| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good);
        ProofFile::parse(&changed)
    };
    on_line(with("@v1", "@v2"), 1);
    on_line(with("c2sp", "\nc2sp"), 1);
    on_line(with("extra AQID", "extra "), 2);
    on_line(with("extra AQID", "extra AQI"), 2);
    on_line(with("extra AQID", "extra AQJ="), 2);
    on_line(with("extra AQID\n", "extra AQID\nextra AQID\n"), 3);
    on_line(with("extra AQID\nindex 5", "index 5\nextra AQID"), 3);
    on_line(with("index 5", "index 05"), 3);
    on_line(with("index 5", "index  5"), 3);
    on_line(with("index 5\n", ""), 3);
    on_line(with("AwM=", "AwN="), 4);
    on_line(with("AwM=\n", "AwM= \n"), 4);
    assert!(ProofFile::parse(&proof_file(&[], MAX_PROOF).to_string()).is_ok());
    on_line(
        ProofFile::parse(&proof_file(&[], MAX_PROOF + 1).to_string()),
        3 + MAX_PROOF,
    );
    assert!(ProofFile::parse("").is_err());
}

#[test]
fn times_are_written_as_rfc_3339() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_799_999, "2000-02-29T23:59:59.999Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        (1_795_359_900_001, "2026-11-22T15:05:00.001Z"),
        (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(Time(ms).to_string(), text);
    }
    assert!(Time(u64::MAX).to_string().ends_with('Z'));
}

/// Whatever is read is written as it was read.
fn one_spelling(text: &str) -> Result<(), TestCaseError> {
    if let Ok(read) = Checkpoint::parse(text) {
        prop_assert_eq!(read.to_string(), text);
    }
    if let Ok(read) = SignedNote::parse(text) {
        prop_assert_eq!(read.to_string(), text);
    }
    if let Ok(read) = ProofFile::parse(text) {
        prop_assert_eq!(read.to_string(), text);
    }
    if let Ok(read) = VerifierKey::parse(text) {
        prop_assert_eq!(read.to_string(), text);
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_and_has_one_spelling(text in "(?s).{0,300}") {
        one_spelling(&text)?;
    }

    /// Text near to the formats: their own examples, with pieces put elsewhere.
    #[test]
    fn changed_text_never_panics_and_has_one_spelling(
        which in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[ -~\n\u{2014}]{0,3}", 0usize..4), 0..4),
    ) {
        let mut text: Vec<char> = [
            NOTE.into(), COSIGNED.into(), VKEY.into(), proof_file(&[1, 2, 3], 2).to_string(),
        ][which].chars().collect();
        for (at, new, old) in changes {
            let at = at.index(text.len());
            let end = (at + old).min(text.len());
            text.splice(at..end, new.chars());
            if text.is_empty() {
                break;
            }
        }
        one_spelling(&text.into_iter().collect::<String>())?;
    }

    /// Only the key that signed, over exactly what it signed.
    #[test]
    fn what_is_signed_verifies_and_nothing_else(text in "[a-z\n]{0,40}", other in "[a-z\n]{0,40}", time in 0..u64::MAX >> 1) {
        for signer in [key(KeyKind::Log), key(KeyKind::Cosigner)] {
            let line = sign(&signer, &text, time);
            let expected = if signer.0.kind() == KeyKind::Log { 0 } else { time };
            prop_assert_eq!(signer.0.verify(&text, &line), Ok(expected));
            prop_assert_eq!(signer.0.verify(&other, &line).is_ok(), text == other);
        }
    }
}
