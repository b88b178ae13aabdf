//! What a demo prints.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chartseal_testkit::bad_bundles;
use serde_json::{Value, json};

use crate::schema;
use crate::support::{assert_all_promises_held, chartseal, demo_of, names, run};

#[test]
fn a_person_gets_a_page_of_the_eleven_steps_in_order() {
    let ran = run(["demo"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let steps: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.get(..4)?.trim_start().strip_suffix(". ").map(|_| line))
        .collect();
    let about = [
        "organizations",
        "enrolled",
        "files",
        "reads",
        "outside",
        "revokes",
        "emergency",
        "custodian",
        "amended",
        "looks back",
        "erased",
    ];
    assert_eq!(steps.len(), about.len(), "{steps:?}");
    for ((number, about), step) in (1..).zip(about).zip(&steps) {
        assert!(
            step.trim_start().starts_with(&format!("{number}. ")),
            "{step}"
        );
        assert!(step.contains(about), "{step}: not about {about}");
    }
    for words in [
        "not audited",
        "denied (no_grant)",
        "permitted (granted)",
        "permitted (emergency)",
        "a review is due by",
        "the liar is named: custodian 3",
        "2 of 3 needed shares",
        "CS-AUD-",
        "an old export is replayed",
        "0 found",
        "Every promise that was checked held.",
    ] {
        let page = ran.stdout.to_lowercase();
        assert!(
            page.contains(&words.to_lowercase()),
            "{words}: {}",
            ran.stdout
        );
    }
    let widest = ran.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} characters a line");
}

#[test]
fn the_json_document_is_alone_on_stdout_and_validates() {
    let ran = run(["demo", "--json"]);
    let document = assert_all_promises_held(&ran);
    assert_eq!(ran.stderr, "");
    let schema = schema::read("demo.schema.json");
    assert_eq!(schema::faults(&schema, &document), Vec::<String>::new());
    assert_eq!(document["schema"], "chartseal.demo/1");
    assert_eq!(
        (&document["records"], &document["duplicates"]),
        (&json!(48), &json!(1))
    );
    assert_eq!(document["verdict"]["result"], "proved");
    assert_eq!(document["verdict"]["anomalies"], json!([]));
    let names: Vec<&String> = document["timings_ms"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 11, "one for each step: {names:?}");
    // The attempts are those of the story, as the chain has them.
    let attempts = document["attempts"].as_array().unwrap();
    for (actor, purpose, effect, code) in [
        ("the new doctor", "TREAT", "permit", "granted"),
        ("the new doctor", "TREAT", "deny", "no_grant"),
        ("the new doctor", "HRESCH", "deny", "no_grant"),
        (
            "the emergency physician",
            "BTG",
            "deny",
            "emergency_not_declared",
        ),
        ("the emergency physician", "BTG", "permit", "emergency"),
        ("the new doctor", "TREAT", "deny", "not_visible"),
    ] {
        let told = attempts.iter().any(|attempt| {
            attempt["actor"] == actor
                && attempt["purpose"] == purpose
                && attempt["effect"] == effect
                && attempt["code"] == code
        });
        assert!(told, "{actor} {purpose} {effect} {code}");
    }
    let heights = attempts
        .iter()
        .map(|attempt| attempt["height"].as_u64().unwrap());
    assert!(heights.is_sorted(), "in the order of the chain");
}

#[test]
fn the_schema_refuses_documents_that_are_not_a_demos() {
    let schema = schema::read("demo.schema.json");
    let document = run(["demo", "--json"]).json();
    for spoiled in schema::spoiled(&document) {
        // `timings_ms` may have more steps than eleven, or lack one that is not made on a network of processes.
        let timings = &spoiled["timings_ms"];
        let are_others = timings["Stranger!"] == "x" || timings["08_faulty_custodians"].is_null();
        let has_timings = timings.is_object();
        assert!(
            has_timings && are_others || !schema::faults(&schema, &spoiled).is_empty(),
            "{spoiled}"
        );
    }
}

/// `emergency_not_declared` is a code with which the chain says no, in plain. To the demo's search it
/// is a text of this patient that was found in a store.
#[test]
fn a_promise_that_does_not_hold_is_told_by_the_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let bundle = String::from_utf8(bad_bundles::bundle_of(12)).unwrap();
    let leaking = bundle.replacen("\"Quillfeather\"", "\"emergency_not_declared\"", 1);
    assert_ne!(bundle, leaking);
    fs::write(&file, leaking).unwrap();
    let ran = demo_of(&file);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let document = ran.json();
    let schema = schema::read("demo.schema.json");
    assert_eq!(schema::faults(&schema, &document), Vec::<String>::new());
    for (promise, result) in document["promises"].as_object().unwrap() {
        let broken = ["P1", "P8"].contains(&promise.as_str());
        assert_eq!(result["held"], !broken, "{promise}: {result}");
        let failed = |check: &Value| check.as_str().unwrap().starts_with("FAILED: ");
        assert_eq!(
            result["checks"].as_array().unwrap().iter().any(failed),
            broken
        );
    }
    let page = chartseal()
        .args(["demo", "--bundle"])
        .arg(&file)
        .output()
        .unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(
        page.contains("BROKEN") && page.contains("2 promises did NOT hold."),
        "{page}"
    );
}

#[test]
fn purposes_of_use_in_a_bundle_are_no_leak() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let bundle = String::from_utf8(bad_bundles::bundle_of(12)).unwrap();
    fs::write(&file, bundle.replacen("\"Quillfeather\"", "\"HRESCH\"", 1)).unwrap();
    assert_all_promises_held(&demo_of(&file));
}

#[test]
fn nothing_is_left_behind_without_dir() {
    for args in [vec!["demo"], vec!["demo", "--json"]] {
        let temporary = tempfile::tempdir().unwrap();
        let ran = chartseal()
            .args(args)
            .env("TMPDIR", temporary.path())
            .output()
            .unwrap();
        assert!(ran.status.success());
        assert_eq!(names(temporary.path()), Vec::<String>::new());
    }
}

#[test]
fn the_version_names_the_commit() {
    let ran = run(["--version"]);
    assert_eq!(ran.code, 0);
    let version = concat!("chartseal ", env!("CARGO_PKG_VERSION"), " (commit ");
    let commit = ran
        .stdout
        .strip_prefix(version)
        .unwrap()
        .strip_suffix(")\n")
        .unwrap();
    let hex = commit.len() == 12 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(hex || commit == "unknown", "{commit}");
}

#[test]
fn help_is_no_failure_and_names_the_exit_codes() {
    let ran = run(["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(
        ran.stdout
            .contains("Exit codes: 0 done or proved; 1 refuted")
    );
    assert!(ran.stdout.contains("Not audited, no medical device"));
}

/// Runs a shell line with a terminal for what it doesn't redirect, and gives what the terminal got.
fn on_a_terminal(line: &str, no_color: Option<&str>) -> Option<String> {
    let mut command = Command::new("script");
    command
        .args(["-qec", line, "/dev/null"])
        .stdin(Stdio::null())
        .env_remove("NO_COLOR");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let Ok(output) = command.output() else {
        eprintln!("did not run: there is no `script` to give the program a terminal");
        return None;
    };
    assert!(output.status.success(), "{line}");
    Some(String::from_utf8(output.stdout).unwrap())
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_chartseal");

#[test]
fn colour_is_for_terminals_that_want_it() {
    assert!(!run(["demo"]).stdout.contains('\x1b'), "a pipe gets none");
    let line = format!("'{PROGRAM}' demo 2>/dev/null");
    for (no_color, coloured) in [(None, true), (Some(""), true), (Some("1"), false)] {
        let Some(page) = on_a_terminal(&line, no_color) else {
            return;
        };
        assert_eq!(page.contains("\x1b[32m"), coloured, "NO_COLOR={no_color:?}");
        assert_eq!(page.contains('\x1b'), coloured, "NO_COLOR={no_color:?}");
    }
}

#[test]
fn progress_goes_to_stderr_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let line = format!("'{PROGRAM}' demo --json > '{}'", out.display());
    let Some(terminal) = on_a_terminal(&line, None) else {
        return;
    };
    assert!(
        terminal.contains("sealing") && terminal.contains("/48"),
        "{terminal:?}"
    );
    let document: Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    assert_eq!(document["schema"], "chartseal.demo/1");
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_keeps_nothing() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("did not run: there is no /dev/full");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("kept");
    for args in [&["demo", "--dir"][..], &["demo", "--json", "--dir"]] {
        let ran = chartseal()
            .args(args)
            .arg(&dir)
            .stdout(full.try_clone().unwrap())
            .output();
        let ran = ran.unwrap();
        assert_eq!(ran.status.code(), Some(3));
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(
            said.starts_with("chartseal: cannot write the output: "),
            "{said}"
        );
        assert!(!dir.exists());
    }
}

/// The most memory that a demo of a bundle took, in bytes, polled from /proc; and how long it took.
fn peak_of(bundle: &[u8]) -> Option<(u64, Duration)> {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("did not run: there is no /proc to read the memory from");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    fs::write(&file, bundle).unwrap();
    let begun = Instant::now();
    let mut child = chartseal()
        .args(["demo", "--json", "--bundle"])
        .arg(&file)
        .stdout(File::create(folder.path().join("out")).unwrap())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = begun.elapsed();
    let out = fs::read(folder.path().join("out")).unwrap();
    let document: Value = serde_json::from_slice(&out).unwrap();
    for (promise, result) in document["promises"].as_object().unwrap() {
        assert_eq!(result["held"], true, "{promise}: {result}");
    }
    eprintln!(
        "a bundle of {} bytes: {peak} bytes of memory, {took:?}",
        bundle.len()
    );
    assert!(child.wait().unwrap().success() && peak > 0);
    Some((peak, took))
}

/// What a demo may take: the search for leaks and four idle validators some 70 MiB whatever the bundle, the rest its
/// multiple; and for each record, whose five transactions are in a few blocks that each validator proposed, voted for,
/// archived and sent, in files that are in memory here, four engines' copies.
fn most_for(bundle: &[u8], records: u64) -> u64 {
    (96 << 20) + 4 * bundle.len() as u64 + records * (80 << 10)
}

#[test]
fn a_thousand_resources_take_seconds_and_little_memory() {
    let bundle = bad_bundles::bundle_of(1000);
    let Some((peak, took)) = peak_of(&bundle) else {
        return;
    };
    assert!(peak < most_for(&bundle, 1000), "{peak}");
    // Seconds on a machine of its own; tests of other crates run beside this one.
    assert!(took < Duration::from_secs(120), "{took:?}");
}

#[test]
fn large_attachments_take_a_small_multiple_of_their_size() {
    let bundle = String::from_utf8(bad_bundles::bundle_of(17)).unwrap();
    let mut parts = bundle.split("\"status\": \"final\"");
    let mut large = parts.next().unwrap().to_owned();
    for (index, part) in parts.enumerate() {
        let letters = "ABCDEFGHIJKLMNOP".as_bytes();
        let data: String = (0..1 << 20)
            .map(|at: usize| char::from(letters[(at * at / 7 + at * (index + 3)) % 16]))
            .collect();
        let note = r#""status": "final", "note": [{"text": ""#;
        large.extend([note, &data, "\"}]", part]);
    }
    assert!(large.len() > 16 << 20);
    let Some((peak, _)) = peak_of(large.as_bytes()) else {
        return;
    };
    assert!(peak < most_for(large.as_bytes(), 17), "{peak}");
}
