//! `chartseal audit evidence`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fixture::{DOCTOR, NOTE, Network, REVIEWER, added, subject};
use crate::schema;
use crate::support::{Ran, run};

/// The verifier's golden files.
fn vector(name: &str) -> String {
    format!(
        "{}/../chartseal-audit/tests/vectors/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn evidence(args: &[&str]) -> Ran {
    let policy = vector("trust.policy");
    run(["audit", "evidence"]
        .iter()
        .chain(args)
        .chain(&["--trust", &policy]))
}

fn valid(ran: &Ran) -> Value {
    let document = ran.json();
    let faults = schema::faults(&schema::read("evidence.schema.json"), &document);
    assert_eq!(faults, Vec::<String>::new(), "{document}");
    document
}

#[test]
fn two_exports_of_a_fork_are_evidence_that_anybody_checks() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fork.equivocation");
    let (one, other) = (
        vector("fork-one.tlog-proof"),
        vector("fork-other.tlog-proof"),
    );
    let out = file.to_str().unwrap();
    let ran = evidence(&["make", &one, &other, "--out", out]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(
        ran.stdout.contains("two blocks have the height 15"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("cosigned by v1, v2, v3"),
        "{}",
        ran.stdout
    );
    let made = fs::read(&file).unwrap();
    assert_eq!(made, fs::read(vector("fork.equivocation")).unwrap());
    // What is there is not overwritten.
    assert_eq!(evidence(&["make", &one, &other, "--out", out]).code, 3);

    let ran = evidence(&["check", out, "--json"]);
    assert_eq!(ran.code, 0);
    let proved = valid(&ran);
    assert_eq!(proved["verdict"], "proved");
    assert_eq!(proved["contradiction"]["at"], 15);
    assert_eq!(proved["both"], serde_json::json!(["v1", "v2", "v3"]));

    for at in (0..made.len()).step_by(61) {
        let mut bytes = made.clone();
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        let ran = evidence(&["check", out]);
        assert!(matches!(ran.code, 1..=3), "byte {at}: {}", ran.stdout);
    }
    fs::write(&file, &made[..made.len() - 1]).unwrap();
    assert_eq!(evidence(&["check", out]).code, 3);
}

#[test]
fn honest_exports_and_strangers_files_are_no_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("none");
    let (full, newer) = (vector("visit.tlog-proof"), vector("visit-newer.tlog-proof"));
    let args = [
        "make",
        &full,
        &newer,
        "--out",
        out.to_str().unwrap(),
        "--json",
    ];
    let ran = evidence(&args);
    assert_eq!(ran.code, 1);
    assert_eq!(valid(&ran)["verdict"], "refuted");
    assert!(!out.exists());
    let no_export = evidence(&["make", &full, &vector("trust.policy"), "--out", "x"]);
    assert_eq!(no_export.code, 3);
    assert!(
        no_export.stderr.contains("not two exports"),
        "{}",
        no_export.stderr
    );
    assert!(!Path::new("x").exists());

    // Under the policy of another network, nobody is accused.
    let policy = fs::read_to_string(vector("trust.policy")).unwrap();
    let strange = dir.path().join("strange.policy");
    let lines = policy.lines().filter(|line| !line.starts_with("log "));
    let lines: Vec<&str> = lines.collect();
    fs::write(&strange, lines.join("\n") + "\n").unwrap();
    let file = vector("fork.equivocation");
    let trust = strange.to_str().unwrap();
    let ran = run([
        "audit", "evidence", "check", &file, "--trust", trust, "--json",
    ]);
    assert_eq!(ran.code, 2, "{} {}", ran.stdout, ran.stderr);
    assert_eq!(valid(&ran)["verdict"], "cannot_tell");
}

#[test]
fn evidence_of_a_chain_with_many_committees_is_checked_too() {
    let (mut one, mut other) = (Network::certified(150), Network::certified(150));
    one.event(subject(), DOCTOR, added(NOTE));
    other.event(subject(), REVIEWER, added(NOTE));
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (trust, out) = (path("trust.policy"), path("evidence"));
    fs::write(&trust, one.committee_policy(0)).unwrap();
    let export = |name: &str, net: &Network| {
        let mut parts = net.certified_export();
        // For so many handovers a witness vouches.
        parts.cosigners = vec![0];
        fs::write(path(name), parts.text()).unwrap();
        path(name)
    };
    let (one, other) = (export("one", &one), export("other", &other));
    let ran = run([
        "audit", "evidence", "make", &one, &other, "--trust", &trust, "--out", &out,
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let bytes = fs::metadata(&out).unwrap().len();
    assert!(bytes > 256 << 10, "{bytes}");
    let ran = run([
        "audit", "evidence", "check", &out, "--trust", &trust, "--json",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let proved = valid(&ran);
    assert_eq!(proved["contradiction"]["of"], "block");
    assert_eq!(proved["both"][0], "v1");

    // The cap is there all the same.
    fs::write(&out, vec![0; 9 << 20]).unwrap();
    let ran = run(["audit", "evidence", "check", &out, "--trust", &trust]);
    assert!(ran.error().contains("longer than "), "{}", ran.stderr);
}
