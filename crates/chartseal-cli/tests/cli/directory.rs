//! Where a demo keeps its files.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chartseal_testkit::bad_bundles;

use crate::support::{Ran, chartseal, names, run};

fn demo_in(dir: &Path) -> Ran {
    chartseal()
        .args(["demo", "--json", "--dir"])
        .arg(dir)
        .output()
        .unwrap()
        .into()
}

#[test]
fn everything_is_kept_in_a_directory_that_is_made() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("made/for/this");
    assert_eq!(demo_in(&dir).code, 0);
    assert_eq!(names(&dir), ["chartseal-demo", "exports", "keys", "nodes"]);
    assert_eq!(
        names(&dir.join("exports")),
        ["committee.policy", "patient.tlog-proof", "trust.policy"]
    );
    assert_eq!(names(&dir.join("nodes")), ["1", "2", "3", "4", "genesis"]);
    for node in 1..=4 {
        let node = dir.join(format!("nodes/{node}"));
        assert_eq!(
            names(&node),
            ["blobs", "ledger.redb", "node.keys", "shares", "side"]
        );
    }
    let keys = names(&dir.join("keys"));
    for key in [
        "patient.seed",
        "new-doctor.seed",
        "organization-4.enrolment",
    ] {
        assert!(keys.contains(&key.to_owned()), "{keys:?}");
    }
    #[cfg(unix)]
    for key in &keys {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.join("keys").join(key))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key} is its owner's alone");
    }

    let ran = verify_in(&dir);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("Proved: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("No anomalies."), "{}", ran.stdout);
}

fn verify_in(dir: &Path) -> Ran {
    let exports = dir.join("exports");
    let mut command = chartseal();
    command.args(["audit", "verify", "--max-age", "10m"]);
    command.arg(exports.join("patient.tlog-proof"));
    command.arg("--trust").arg(exports.join("trust.policy"));
    command.output().unwrap().into()
}

#[test]
fn an_empty_directory_is_as_good_as_a_missing_one() {
    let root = tempfile::tempdir().unwrap();
    let ran = chartseal()
        .args(["demo", "--dir", "."])
        .current_dir(root.path())
        .output()
        .unwrap();
    let page = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{page}");
    assert!(page.contains("\nKept in .: "), "{page}");
    let line = "chartseal audit verify ./exports/patient.tlog-proof --trust ./exports/trust.policy";
    assert!(page.contains(line), "{page}");
    assert_eq!(verify_in(root.path()).code, 0);
}

#[test]
fn a_finished_demo_is_not_overwritten() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(demo_in(root.path()).code, 0);
    let before = fs::read(root.path().join("exports/patient.tlog-proof")).unwrap();
    let ran = demo_in(root.path());
    let why = ran
        .error()
        .strip_prefix(&format!("{}: ", root.path().display()))
        .unwrap();
    assert!(why.contains("a finished demo"), "{why}");
    assert_eq!(
        fs::read(root.path().join("exports/patient.tlog-proof")).unwrap(),
        before
    );
}

#[test]
fn somebody_elses_files_are_not_touched() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("nodes")).unwrap();
    fs::write(root.path().join("nodes/thesis"), "years of work").unwrap();
    let ran = demo_in(root.path());
    let why = ran
        .error()
        .strip_prefix(&format!("{}: ", root.path().display()))
        .unwrap();
    assert!(why.contains("not empty"), "{why}");
    assert_eq!(names(root.path()), ["nodes"]);
    assert_eq!(
        fs::read(root.path().join("nodes/thesis")).unwrap(),
        b"years of work"
    );
}

/// Starts a demo of a large bundle with these arguments, and gives it as soon as `begun` holds.
fn start(
    folder: &Path,
    tmpdir: &Path,
    args: &[&Path],
    begun: impl Fn() -> bool,
) -> std::process::Child {
    let bundle = folder.join("bundle.json");
    fs::write(&bundle, bad_bundles::bundle_of(2000)).unwrap();
    let mut command = chartseal();
    command
        .args(["demo", "--json", "--bundle"])
        .arg(bundle)
        .args(args);
    command
        .env("TMPDIR", tmpdir)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !begun() {
        assert!(Instant::now() < deadline, "the demo didn't begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn what_a_killed_demo_leaves_is_named_as_stale() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("dir");
    let begun = || dir.join("nodes/4/ledger.redb").exists();
    let mut child = start(root.path(), root.path(), &[Path::new("--dir"), &dir], begun);
    let ran = demo_in(&dir);
    let why = ran
        .error()
        .strip_prefix(&format!("{}: ", dir.display()))
        .unwrap();
    assert!(why.contains("another demo is running"), "{why}");
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "killed while it ran");

    let left = names(&dir);
    let ran = demo_in(&dir);
    let why = ran
        .error()
        .strip_prefix(&format!("{}: ", dir.display()))
        .unwrap();
    assert!(why.contains("(stale); delete it"), "{why}");
    assert_eq!(names(&dir), left);
}

#[test]
fn a_temporary_directory_that_a_killed_demo_leaves_is_named_by_the_next_one() {
    let root = tempfile::tempdir().unwrap();
    let temporary = root.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let begun = || {
        names(&temporary)
            .iter()
            .any(|name| temporary.join(name).join("nodes/4").exists())
    };
    let mut child = start(root.path(), &temporary, &[], begun);
    // One that runs is not stale.
    let beside = chartseal()
        .args(["demo", "--json"])
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    assert!(beside.status.success());
    assert_eq!(String::from_utf8(beside.stderr).unwrap(), "");
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "killed while it ran");

    let left = names(&temporary);
    assert_eq!(left.len(), 1);
    let next = chartseal()
        .args(["demo", "--json"])
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    assert!(next.status.success());
    let note = String::from_utf8(next.stderr).unwrap();
    assert!(
        note.contains(&left[0]) && note.contains("(stale); delete it"),
        "{note}"
    );
    assert_eq!(names(&temporary), left, "and nothing more");
}

#[test]
fn misuse_has_its_own_exit_code() {
    for args in [
        &["demo", "--bundle"][..],
        &["demo", "--unknown"],
        &["demo", "file"],
        &["demo", "--dir", "a", "--dir", "b"],
        &["unknown"],
        &[],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{args:?}");
        assert!(ran.stderr.contains("--help"), "{}", ran.stderr);
    }
}
