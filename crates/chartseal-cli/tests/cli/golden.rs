//! What is printed, to the letter, where it is the same each time: over the kept directory of
//! `chartseal-node` and the exports of `chartseal-audit`. `CHARTSEAL_BLESS=1` writes the files anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::run;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares what a run printed with a file.
fn golden(name: &str, args: &[&str], code: i32) {
    let ran = run(args);
    assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{args:?}");
    // How much space a file takes is the file system's business.
    let stable = ran.stdout.split("\ndisk ").next().unwrap();
    let file = here("tests/golden").join(name);
    if std::env::var_os("CHARTSEAL_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, stable).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stable, expected, "{name}");
}

#[test]
fn a_ledger_is_printed_so() {
    let folder = tempfile::tempdir().unwrap();
    let kept = here("../chartseal-node/tests/directories/v1");
    for file in ["ledger.redb", "genesis"] {
        fs::copy(kept.join(file), folder.path().join(file)).unwrap();
    }
    let dir = folder.path().to_str().unwrap();
    golden("ledger-show.txt", &["ledger", "show", dir], 0);
    // Of a day on which certificates were not kept yet.
    golden("ledger-verify.txt", &["ledger", "verify", dir], 2);
    let shown = run(["ledger", "show", dir, "--json"]).json();
    // The last request of the chain, wherever it is.
    let mut request = None;
    for height in 0..=shown["height"].as_u64().unwrap() {
        let block = run(["ledger", "block", dir, &height.to_string(), "--json"]).json();
        for receipt in block["transactions"].as_array().unwrap() {
            if receipt["kind"] == "access_requested" {
                request = Some((height.to_string(), receipt.clone()));
            }
        }
    }
    let (height, receipt) = request.unwrap();
    golden("ledger-block.txt", &["ledger", "block", dir, &height], 0);
    let id = receipt["id"].as_str().unwrap();
    golden("ledger-tx.txt", &["ledger", "tx", dir, id], 0);
    let actor = receipt["signer"]["id"].as_str().unwrap();
    golden(
        "ledger-history.txt",
        &["ledger", "history", dir, "actor", actor],
        0,
    );
}

#[test]
fn an_export_is_explained_and_reported_so() {
    let vectors = here("../chartseal-audit/tests/vectors");
    let path = |name: &str| vectors.join(name).to_str().unwrap().to_owned();
    let (visit, trust) = (path("visit.tlog-proof"), path("trust.policy"));
    golden(
        "audit-explain.txt",
        &["audit", "explain", &visit, "--trust", &trust],
        0,
    );
    golden("audit-explain-alone.txt", &["audit", "explain", &visit], 2);
    golden(
        "audit-trust.txt",
        &["audit", "trust", "show", &trust, "--qr"],
        0,
    );
    for (form, name) in [
        ("html", "report.html"),
        ("hipaa", "disclosures.html"),
        ("fhir", "events.json"),
    ] {
        golden(
            name,
            &["audit", "report", &visit, "--trust", &trust, "--as", form],
            0,
        );
    }
}
