//! `chartseal audit verify`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::schema;
use crate::support::{Ran, chartseal, names, run};

/// One of the exports that `chartseal-audit` is tested with.
fn vector(name: &str) -> PathBuf {
    let vectors = "../chartseal-audit/tests/vectors";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(vectors)
        .join(name)
}

fn verify(file: &Path, trust: &Path, more: &[&str]) -> Ran {
    let mut command = chartseal();
    command
        .args(["audit", "verify"])
        .arg(file)
        .arg("--trust")
        .arg(trust)
        .args(more);
    command.output().unwrap().into()
}

/// The first export, against its own network's policy.
fn verify_visit(more: &[&str]) -> Ran {
    verify(&vector("visit.tlog-proof"), &vector("trust.policy"), more)
}

fn verify_newer(more: &[&str]) -> Ran {
    verify(
        &vector("visit-newer.tlog-proof"),
        &vector("trust.policy"),
        more,
    )
}

/// A folder with a file of these bytes in it.
fn file_of(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, bytes).unwrap();
    (folder, file)
}

/// Asserts that a run's JSON document validates, and gives it.
fn valid(ran: &Ran) -> serde_json::Value {
    assert_eq!(ran.stderr, "");
    let (schema, document) = (schema::read("audit.schema.json"), ran.json());
    assert_eq!(
        schema::faults(&schema, &document),
        Vec::<String>::new(),
        "{document}"
    );
    for spoiled in schema::spoiled(&document) {
        assert!(!schema::faults(&schema, &spoiled).is_empty(), "{spoiled}");
    }
    document
}

#[test]
fn a_good_export_is_proved() {
    let ran = verify_visit(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("Proved: "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\n  complete   up to "),
        "freshness is reported: {}",
        ran.stdout
    );

    let ran = verify_visit(&["--json"]);
    assert_eq!(ran.code, 0);
    let document = valid(&ran);
    assert_eq!(
        (&document["schema"], &document["result"]),
        (&"chartseal.audit/1".into(), &"proved".into())
    );
    assert_eq!(
        (&document["quorum"]["signed"], &document["quorum"]["of"]),
        (&3.into(), &4.into())
    );
    assert!(!document["assumptions"].as_array().unwrap().is_empty());
}

#[test]
fn a_flipped_byte_is_refuted_wherever_it_lies() {
    let export = fs::read(vector("visit.tlog-proof")).unwrap();
    for at in (0..export.len()).step_by(export.len() / 24) {
        for bit in [1, 0x80] {
            let mut flipped = export.clone();
            flipped[at] ^= bit;
            let (_folder, file) = file_of(&flipped);
            let ran = verify(&file, &vector("trust.policy"), &["--json"]);
            assert_eq!(ran.code, 1, "byte {at}, bit {bit}: {}", ran.stdout);
            let document = valid(&ran);
            assert_eq!(document["result"], "refuted");
            assert!(document["rule"].as_str().unwrap().starts_with("CS-AUD-"));
        }
    }
    for no_export in [&b""[..], b"\xff\xfe", b"no export"] {
        let (_folder, file) = file_of(no_export);
        let ran = verify(&file, &vector("trust.policy"), &[]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        assert!(ran.stdout.contains("CS-AUD-01"), "{}", ran.stdout);
    }
}

#[test]
fn an_old_export_is_judged_only_if_asked() {
    let ran = verify_visit(&["--max-age", "1s", "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    let document = valid(&ran);
    assert_eq!(
        (&document["result"], &document["doubt"]),
        (&"cannot_tell".into(), &"stale".into())
    );
    let ran = verify_visit(&["--max-age", "1s"]);
    assert!(
        ran.stdout.starts_with("Can't tell: stale: "),
        "{}",
        ran.stdout
    );
}

#[test]
fn another_networks_policy_cannot_tell() {
    let folder = tempfile::tempdir().unwrap();
    let ran = chartseal()
        .args(["demo", "--json", "--dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(ran.status.success());
    let policy = folder.path().join("exports/trust.policy");
    let ran = verify(&vector("visit.tlog-proof"), &policy, &["--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert_eq!(valid(&ran)["doubt"], "unknown_log");
}

#[test]
fn what_cannot_be_read_is_named() {
    let (folder, garbage) = file_of(b"no policy");
    let (visit, policy) = (vector("visit.tlog-proof"), vector("trust.policy"));
    let missing = folder.path().join("missing");
    let (_other, binary) = file_of(b"\xff\xfe");
    for (file, trust, bad, expect) in [
        (&missing, &policy, &missing, "no such file"),
        (&visit, &missing, &missing, "no such file"),
        (&visit, &garbage, &garbage, "line 1"),
        (&visit, &binary, &binary, "not UTF-8 text"),
        (
            &folder.path().to_path_buf(),
            &policy,
            &folder.path().to_path_buf(),
            "a directory",
        ),
    ] {
        let ran = verify(file, trust, &["--json"]);
        let why = ran
            .error()
            .strip_prefix(&format!("{}: ", bad.display()))
            .unwrap();
        assert!(why.contains(expect), "{why}");
    }
}

#[test]
fn misuse_is_told() {
    let visit = vector("visit.tlog-proof");
    let visit = visit.to_str().unwrap();
    for args in [
        &["audit"][..],
        &["audit", "verify"],
        &["audit", "verify", visit],
        &["audit", "verify", visit, "--trust"],
        &["audit", "verify", visit, "--trust", "x", "--max-age", "5"],
        &[
            "audit",
            "verify",
            visit,
            "--trust",
            "x",
            "--max-age",
            "soon",
        ],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{args:?}");
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn the_state_grows_with_newer_exports_and_refuses_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let with_state = ["--state", state.to_str().unwrap()];

    let ran = verify_newer(&with_state);
    assert_eq!(ran.code, 2, "a part alone proves nothing: {}", ran.stdout);
    assert!(!state.exists());

    assert_eq!(verify_visit(&with_state).code, 0, "the first time");
    let first = fs::read(&state).unwrap();
    assert_eq!(verify_visit(&with_state).code, 0, "the same again");
    assert_eq!(fs::read(&state).unwrap(), first);

    let ran = verify_newer(&with_state);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let second = fs::read(&state).unwrap();
    assert_ne!(first, second);

    let ran = verify_visit(&[with_state[0], with_state[1], "--json"]);
    assert_eq!(ran.code, 1, "replayed: {}", ran.stdout);
    let says = valid(&ran)["says"].to_string();
    assert!(
        says.contains("no older than what was verified before"),
        "{says}"
    );
    assert_eq!(fs::read(&state).unwrap(), second, "unchanged byte for byte");
    assert_eq!(names(folder.path()), ["state", "state.lock"]);
}

#[test]
fn a_state_that_remembers_nothing_is_told_in_the_document() {
    for (kept, is_unremembered) in [("visit.kept", false), ("visit-1.kept", true)] {
        let (_folder, state) = file_of(&fs::read(vector(kept)).unwrap());
        let ran = verify_newer(&["--state", state.to_str().unwrap(), "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stdout);
        let history = &valid(&ran)["histories"][0];
        assert_eq!(history["unremembered"], is_unremembered, "{kept}");
        assert_eq!(history["unjudged"], 0, "{kept}");
    }
}

#[test]
fn a_damaged_state_is_an_error_and_stays_for_whoever_restores_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let with_state = ["--state", state.to_str().unwrap()];
    assert_eq!(verify_visit(&with_state).code, 0);
    let good = fs::read(&state).unwrap();
    for damaged in [&good[..good.len() - 1], b"", b"nonsense"] {
        fs::write(&state, damaged).unwrap();
        let ran = verify_visit(&with_state);
        let why = ran
            .error()
            .strip_prefix(&format!("{}: ", state.display()))
            .unwrap();
        assert!(
            why.starts_with("not a kept state (") && why.ends_with("restore it"),
            "{why}"
        );
        assert_eq!(fs::read(&state).unwrap(), damaged);
    }
    let nowhere = folder.path().join("missing/state");
    let ran = verify_visit(&["--state", nowhere.to_str().unwrap()]);
    assert!(
        ran.error().starts_with(nowhere.to_str().unwrap()),
        "{}",
        ran.stderr
    );
    let ran = verify_visit(&["--state", folder.path().to_str().unwrap()]);
    assert!(
        ran.error().contains("a directory; a file is needed"),
        "{}",
        ran.stderr
    );
}

#[test]
fn verifiers_at_once_do_not_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let with_state = ["--state", state.to_str().unwrap()];
    assert_eq!(verify_visit(&with_state).code, 0);
    for _ in 0..4 {
        std::thread::scope(|scope| {
            for newer in [true, false, true, false, false, true] {
                scope.spawn(move || {
                    let ran = if newer {
                        verify_newer(&with_state)
                    } else {
                        verify_visit(&with_state)
                    };
                    assert!((0..=2).contains(&ran.code), "{} {}", ran.code, ran.stderr);
                });
            }
        });
        // Whatever their order: the older export never replaced the newer one.
        assert_eq!(verify_visit(&with_state).code, 1);
    }
    let whole = fs::read(&state).unwrap();
    let alone = tempfile::tempdir().unwrap();
    let other = alone.path().join("state");
    let with_other = ["--state", other.to_str().unwrap()];
    assert_eq!(verify_visit(&with_other).code, 0);
    assert_eq!(verify_newer(&with_other).code, 0);
    assert_eq!(fs::read(&other).unwrap(), whole);
}

#[test]
fn what_is_kept_and_written_outlasts_a_power_cut() {
    let (folder, policy) = (tempfile::tempdir().unwrap(), vector("trust.policy"));
    let (trace, visit) = (folder.path().join("trace"), vector("visit.tlog-proof"));
    // What a run syncs and renames, in order.
    let traced = |verb: &str, option: &str, to: &Path| {
        let mut strace = std::process::Command::new("strace");
        strace.args([
            "-f",
            "-y",
            "-e",
            "trace=fsync,fdatasync,rename,renameat,renameat2",
        ]);
        strace
            .arg("-o")
            .arg(&trace)
            .arg(env!("CARGO_BIN_EXE_chartseal"));
        strace
            .args(["audit", verb])
            .arg(&visit)
            .arg("--trust")
            .arg(&policy);
        let ran = strace.arg(option).arg(to).output().ok()?;
        let calls = fs::read_to_string(&trace).ok()?;
        ran.status.success().then_some(calls)
    };
    for (verb, option, name) in [("verify", "--state", "state"), ("report", "--out", "page")] {
        let to = folder.path().join(name);
        let Some(calls) = traced(verb, option, &to) else {
            return eprintln!("did not run: no strace, or it may not trace");
        };
        let renamed = calls.lines().position(|line| line.contains("rename"));
        let of_folder = format!("<{}>)", folder.path().display());
        let synced = calls
            .lines()
            .position(|line| line.contains("fsync(") && line.contains(&of_folder));
        assert!(renamed.is_some() && renamed < synced, "{verb}: {calls}");
    }
}
