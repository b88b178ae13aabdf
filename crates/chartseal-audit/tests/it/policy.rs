//! C2SP tlog-policy: what is read, what is refused, and what a quorum is.

use chartseal_audit::{Options, Rule, TrustPolicy, Verdict, verify};
use chartseal_wire::note::KeyKind;
use proptest::prelude::*;

use crate::fixture::*;

fn witness(index: u8) -> String {
    cosigner(index).0.to_string()
}

fn refused(text: &str, line: usize, expected: &str) {
    let error = TrustPolicy::parse(text).unwrap_err().to_string();
    assert!(error.starts_with(&format!("line {line}: ")), "{error}");
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_policy_of_four_validators_is_read() {
    let net = Network::visit();
    let policy = net.policy();
    assert_eq!(policy.logs().len(), 4);
    let names: Vec<&str> = policy.witnesses().map(|(name, _)| name).collect();
    assert_eq!(names, ["v1", "v2", "v3", "v4"]);
}

#[test]
fn comments_spaces_tabs_and_urls_say_nothing() {
    let (w1, w2) = (witness(0), witness(1));
    let text = format!(
        "# a comment\n\n \t # another\n\twitness  v1\t{w1} https://one.example/ \nwitness v2 {w2}\n\
         group both all v1 v2\nquorum both"
    );
    let plain = format!("witness v1 {w1}\nwitness v2 {w2}\ngroup both 2 v1 v2\nquorum both\n");
    assert_eq!(TrustPolicy::parse(&text), TrustPolicy::parse(&plain));
    assert!(TrustPolicy::parse(&text).is_ok());
}

#[test]
fn a_quorum_of_clones_is_refused() {
    // One key under two names, and under two key names.
    let clone = named("other.example", KeyKind::Cosigner, 0x60).0;
    let (w1, w2) = (witness(0), witness(1));
    refused(
        &format!("witness v1 {w1}\nwitness v2 {w1}\nquorum none\n"),
        2,
        "no line before has",
    );
    refused(
        &format!("witness v1 {w1}\nwitness v2 {clone}\nquorum none\n"),
        2,
        "no line before has",
    );
    // One witness in a group twice, or in two groups.
    let two = format!("witness v1 {w1}\nwitness v2 {w2}\n");
    refused(
        &format!("{two}group g 2 v1 v1\nquorum g\n"),
        3,
        "one group at most, once",
    );
    refused(
        &format!("{two}group g any v1\ngroup h any v1 v2\nquorum h\n"),
        4,
        "one group at most",
    );
    let log = named("a", KeyKind::Log, 1).0;
    let same = named("b", KeyKind::Log, 1).0;
    refused(
        &format!("log {log}\nlog {same}\nquorum none\n"),
        2,
        "no line before has",
    );
}

#[test]
fn what_is_no_policy_is_refused_with_its_line() {
    let (w1, w2) = (witness(0), witness(1));
    let log = named("a", KeyKind::Log, 1).0;
    let one = format!("witness v1 {w1}\n");
    refused("", 1, "a quorum line");
    refused(&one, 2, "a quorum line");
    refused("quorum none\nquorum none\n", 2, "one quorum line only");
    refused("quorum v1\n", 1, "a line before defines");
    refused(&format!("quorum v1\n{one}"), 1, "a line before defines");
    refused(
        &format!("{one}group g 1 v2\nquorum g\n"),
        2,
        "lines before define",
    );
    refused(
        &format!("{one}group g any g\nquorum g\n"),
        2,
        "lines before define",
    );
    refused(
        &format!("{one}group g any none\nquorum g\n"),
        2,
        "lines before define",
    );
    refused(
        &format!("{one}witness v1 {w2}\nquorum v1\n"),
        2,
        "a name that no line before",
    );
    refused(
        &format!("witness none {w1}\nquorum none\n"),
        1,
        "other than none",
    );
    for k in [
        "0",
        "2",
        "01",
        "+1",
        "-1",
        "1x",
        "99999999999999999999",
        "ANY",
    ] {
        refused(&format!("{one}group g {k} v1\nquorum g\n"), 2, "threshold");
    }
    refused(&format!("{one}group g any\nquorum v1\n"), 2, "threshold");
    refused(
        &format!("{one}group g\nquorum v1\n"),
        2,
        "group NAME K MEMBER",
    );
    refused("witnes v1 x\n", 1, "log KEY");
    refused("log\n", 1, "log KEY");
    refused(&format!("log {log} https://a b\n"), 1, "log KEY");
    // A key of the other type, or with a wrong id.
    refused(&format!("log {w1}\n"), 1, "type 1");
    refused(&format!("witness v1 {log}\n"), 1, "type 4");
    refused(
        &format!("witness v1 {}\n", w1.replacen('+', "+0", 1)),
        1,
        "type 4",
    );
    refused("quorum none\r\n", 1, "control characters");
    refused("quorum none\n# \u{7f}\n", 2, "control characters");
}

#[test]
fn caps_are_kept() {
    let mut text = String::new();
    for seed in 0..65u8 {
        let key = named("w", KeyKind::Cosigner, seed + 1).0;
        text.extend(["witness w", &seed.to_string(), " ", &key.to_string(), "\n"]);
    }
    refused(&(text.clone() + "quorum none\n"), 65, "at most 64");
    let most: String = text.split_inclusive('\n').take(64).collect();
    assert!(TrustPolicy::parse(&(most.clone() + "quorum none\n")).is_ok());
    // A chain of groups as deep as there may be: no recursion, and still the right answer.
    let mut deep = most;
    deep += "group g0 any w0\n";
    for i in 1..64 {
        deep.extend([
            "group g",
            &i.to_string(),
            " any g",
            &(i - 1).to_string(),
            "\n",
        ]);
    }
    assert!(TrustPolicy::parse(&(deep.clone() + "quorum g63\n")).is_ok());
    refused(
        &(deep + "group g64 any g63\nquorum g64\n"),
        129,
        "at most 64",
    );
    let long = format!("# {}\nquorum none\n", "x".repeat(64 * 1024));
    assert!(
        TrustPolicy::parse(&long)
            .unwrap_err()
            .to_string()
            .contains("65536")
    );
}

/// The verdict on an export that `cosigners` signed, under other quorum lines.
fn under(quorum: &str, cosigners: &[u8]) -> Verdict {
    let net = Network::visit();
    let text = net.policy_text();
    let head = text.split("group").next().unwrap();
    let policy = TrustPolicy::parse(&format!("{head}{quorum}\n")).unwrap();
    let mut parts = net.export();
    parts.cosigners = cosigners.to_vec();
    verify(&parts.text(), &policy, None, &Options::default())
}

#[test]
fn nested_groups_count_as_they_say() {
    let nested = "group a 2 v1 v2\ngroup b any v3 v4\ngroup both all a b\nquorum both";
    for met in [&[0, 1, 2], &[0, 1, 3]] {
        let report = proved(under(nested, met));
        assert_eq!(
            (report.quorum.name.as_str(), report.quorum.signed),
            ("both", 2)
        );
    }
    for missed in [&[0, 1][..], &[0, 2, 3], &[1, 2, 3], &[]] {
        assert_breaks(under(nested, missed), Rule::Quorum);
    }
    assert_breaks(under(nested, &[0, 1, 2, 3]), Rule::Needed);
    proved(under("quorum v3", &[2]));
    assert_breaks(under("quorum v3", &[0, 1, 3]), Rule::Quorum);
    assert_breaks(under("quorum v3", &[1, 2]), Rule::Needed);
    assert_breaks(under("quorum none", &[0]), Rule::Needed);
    // Each of the two could be left out, but not both.
    let either = "group a any v1 v2\nquorum a";
    proved(under(either, &[0]));
    proved(under(either, &[1]));
    assert_breaks(under(either, &[0, 1]), Rule::Needed);
}

#[test]
fn a_policy_without_a_quorum_says_on_whom_it_rests() {
    let report = proved(under("quorum none", &[]));
    assert!(
        report.assumptions[0].contains("no witness"),
        "{:?}",
        report.assumptions
    );
    // Nobody attests a time but the block.
    assert_eq!(report.fresh_as_of, report.time);
}

#[test]
fn a_quorum_too_small_to_exclude_a_second_history_says_so() {
    let report = proved(under("group two 2 v1 v2 v3 v4\nquorum two", &[0, 1]));
    assert_eq!(report.quorum.overlap(), 0);
    assert!(
        report.assumptions[0].contains("too few"),
        "{:?}",
        report.assumptions
    );
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,200}") {
        let _ = TrustPolicy::parse(&text);
    }

    /// Lines from the right words in any order: no panic, and what is read has a quorum that can be met.
    #[test]
    fn arbitrary_lines_never_panic(lines in prop::collection::vec(0usize..16, 0..12)) {
        let (w1, w2) = (witness(0), witness(1));
        let known = [
            format!("witness v1 {w1}"), format!("witness v2 {w2}"), format!("witness v3 {w1}"),
            "group g any v1".into(), "group g all v1 v2".into(), "group h 2 g v2".into(),
            "group h 2 v1 v2 g".into(), "group v1 any v2".into(), "group x 18446744073709551616 v1".into(),
            "quorum g".into(), "quorum h".into(), "quorum none".into(), "quorum v2".into(),
            "# no".into(), String::new(), format!("log {}", named("a", KeyKind::Log, 1).0),
        ];
        let text: Vec<&str> = lines.iter().map(|at| known[*at].as_str()).collect();
        if let Ok(policy) = TrustPolicy::parse(&text.join("\n")) {
            prop_assert!(policy.witnesses().count() <= 2);
        }
    }
}

#[cfg(feature = "ml-dsa")]
#[test]
fn a_witness_may_sign_with_ml_dsa() {
    use chartseal_wire::{MlDsaKey, VerifierKey};
    use ml_dsa::{ExpandedSigningKey, MlDsa44};

    let key = ExpandedSigningKey::<MlDsa44>::from_seed(&[0x42; 32].into());
    let public = MlDsaKey::new(&key.verifying_key().encode()).unwrap();
    let vkey = VerifierKey::ml_dsa("pq.example", public).unwrap();
    let net = Network::visit();
    let policy = net.policy_text();
    let (head, _) = policy.split_once("group").unwrap();
    let policy = format!("{head}witness pq {vkey}\ngroup both all v1 pq\nquorum both\n");
    let mut parts = net.export();
    parts.cosigners = vec![0];
    let mut file = parts.file();
    let text = file.checkpoint.text.clone();
    let ask = |file: &chartseal_wire::ProofFile| Question {
        policy: policy.clone(),
        ..net.ask_text(file.to_string(), None)
    };
    assert_breaks(ask(&file).verdict(), Rule::Quorum);
    let sign = |message: &[u8]| {
        key.sign_deterministic(message, &[])
            .unwrap()
            .encode()
            .to_vec()
    };
    file.checkpoint
        .signatures
        .push(vkey.line(&text, parts.signed_at, sign));
    let report = proved(ask(&file).verdict());
    assert_eq!(report.witnesses[1].name, "pq");
    *file.checkpoint.signatures.last_mut().unwrap() =
        vkey.line(&text, parts.signed_at, |_| sign(b"another message"));
    assert_breaks(ask(&file).verdict(), Rule::Cosignature);
    // It signs no checkpoint as a log, and stands in a policy once.
    for line in [format!("log {vkey}\n"), format!("witness again {vkey}\n")] {
        assert!(TrustPolicy::parse(&(policy.clone() + &line)).is_err());
    }
}
