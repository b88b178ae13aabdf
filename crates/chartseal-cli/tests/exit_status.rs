//! What the program's exit status says of the promises.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::process::Command;

use serde_json::Value;

/// A patient whose name is a word that entries of histories have in plain: the search of the stores
/// has to find it.
const NAMED_LIKE_A_CODE: &str = r#"{"resourceType": "Bundle", "type": "collection", "entry": [
    {"resource": {"resourceType": "Patient", "id": "p", "name": [{"family": "NAME"}]}},
    {"resource": {"resourceType": "Observation", "id": "o", "status": "final",
        "subject": {"reference": "Patient/p"}, "effectiveDateTime": "2020-01-01T00:00:00Z",
        "category": [{"coding": [{"code": "laboratory",
            "system": "http://terminology.hl7.org/CodeSystem/observation-category"}]}]}},
    {"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"}}}]}"#;

/// The exit status of a demo with a patient of that name, and which promises held.
fn demo(name: &str) -> (Option<i32>, Vec<(String, bool)>) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bundle.json");
    std::fs::write(&file, NAMED_LIKE_A_CODE.replace("NAME", name)).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_chartseal"));
    let run = program.args(["demo", "--json", "--bundle"]).arg(&file);
    let output = run.output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Value::Object(promises) = &document["promises"] else {
        panic!("{document}")
    };
    let held = promises
        .iter()
        .map(|(name, promise)| (name.clone(), promise["held"] == true));
    (output.status.code(), held.collect())
}

#[test]
fn a_promise_that_does_not_hold_is_told_by_the_exit_status() {
    let (status, promises) = demo("no_grant");
    assert!(promises.contains(&("P8".to_owned(), false)), "{promises:?}");
    assert_eq!(status, Some(1));
    let (status, promises) = demo("Zoe Beispiel");
    assert!(promises.iter().all(|(_, held)| *held), "{promises:?}");
    assert_eq!((status, promises.len()), (Some(0), 10));
}
