//! `chartseal policy check`.

use std::fs;
use std::path::Path;

use chartseal_testkit::data_dir;
use regex_lite::Regex;
use serde_json::Value;

use crate::support::{Ran, chartseal, run};

fn check(file: &Path) -> Ran {
    chartseal()
        .args(["policy", "check"])
        .arg(file)
        .output()
        .unwrap()
        .into()
}

/// The form of the semantics page, to the byte.
const LINE: &str = r#"^\{"n":(\d+|"[^"]*"),"effect":"(permit|deny)","code":"[a-z_]+","by":\[("[^"]*"(,"[^"]*")*)?\],"obligations":\[("[^"]*"(,"[^"]*")*)?\]\}$"#;

#[test]
fn the_worked_cases_are_answered_as_they_expect() {
    let Some(data) = data_dir() else { return };
    let file = data.join("../policy/cases.json");
    let document: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap();
    let ran = check(&file);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), cases.len());
    let form = Regex::new(LINE).unwrap();
    for (case, line) in cases.iter().zip(lines) {
        assert!(form.is_match(line), "{line}");
        let answer: Value = serde_json::from_str(line).unwrap();
        let expect = &case["expect"];
        assert_eq!(answer["n"], case["n"]);
        assert_eq!(
            (&answer["effect"], &answer["code"]),
            (&expect["effect"], &expect["code"]),
            "{line}"
        );
        for list in ["by", "obligations"] {
            let words: Vec<&str> = answer[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|word| word.as_str().unwrap())
                .collect();
            assert!(words.is_sorted(), "{line}");
        }
    }
}

const DOCUMENT: &str = r#"{
    "world": {
        "actors": {"drNew": {"org": "H1", "roles": ["physician"]}},
        "patients": {"P": {}},
        "records": {"lab": {"patient": "P", "class": "Observation", "authored": 100}}
    },
    "cases": [{
        "n": "a \"name\"", "directives": [], "overrides": {},
        "request": {"actor": "drNew", "patient": "P", "record": "lab", "action": "read",
                    "purpose": "TREAT", "t": 1000, "pos": [50, 0]},
        "expect": {"effect": "deny", "code": "no_grant", "by": []}
    }]
}"#;

#[test]
fn an_expectation_that_is_not_met_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    let line = "{\"n\":\"a \\\"name\\\"\",\"effect\":\"deny\",\"code\":\"no_grant\",\"by\":[],\"obligations\":[]}\n";
    fs::write(&file, DOCUMENT).unwrap();
    let ran = check(&file);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, line, "")
    );

    fs::write(
        &file,
        DOCUMENT.replace(r#""effect": "deny""#, r#""effect": "permit""#),
    )
    .unwrap();
    let ran = check(&file);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, line));
    assert!(
        ran.stderr.contains("effect is deny, expected permit"),
        "{}",
        ran.stderr
    );

    // A case without an expectation is only answered.
    let (before, after) = DOCUMENT.split_once(",\n        \"expect\"").unwrap();
    let after = &after[after.find("}\n").unwrap() + 1..];
    fs::write(&file, format!("{before}{after}")).unwrap();
    let ran = check(&file);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, line), "{}", ran.stderr);
}

#[test]
fn a_document_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    for bad in [
        &b""[..],
        b"{",
        b"[]",
        b"\xff",
        DOCUMENT
            .replace("\"t\": 1000", "\"t\": \"noon\"")
            .as_bytes(),
    ] {
        fs::write(&file, bad).unwrap();
        let ran = check(&file);
        assert!(
            ran.error().starts_with(&format!("{}: ", file.display())),
            "{}",
            ran.stderr
        );
    }
    let missing = folder.path().join("missing.json");
    assert!(
        check(&missing)
            .error()
            .ends_with("missing.json: no such file")
    );
    assert_eq!(run(["policy", "check"]).code, 3);
}
