//! Worked cases of our own, at least one for every code, and what a document must not say.
#![cfg(feature = "json")]

use std::collections::BTreeSet;

use chartseal_policy::json::{self, JsonError, Place};
use chartseal_policy::{Code, PolicyError, decide};
use proptest::prelude::*;
use serde_json::{Value, json};

const CASES: &[u8] = include_bytes!("cases.json");

#[test]
fn every_worked_case_is_answered_exactly() {
    let report = json::check(CASES).unwrap();
    let unmet: Vec<_> = report
        .cases
        .iter()
        .filter(|case| !case.unmet.is_empty())
        .collect();
    assert!(unmet.is_empty(), "{unmet:#?}");
}

#[test]
fn the_worked_cases_reach_every_code() {
    let cases = json::read(CASES).unwrap();
    let reached: BTreeSet<_> = cases
        .iter()
        .map(|case| decide(&case.world, &case.request).code)
        .collect();
    assert!(
        Code::ALL.iter().all(|code| reached.contains(code)),
        "{reached:?}"
    );
}

#[test]
fn to_the_requester_every_deny_looks_the_same() {
    let cases = json::read(CASES).unwrap();
    let denied = cases
        .iter()
        .map(|case| decide(&case.world, &case.request).opaque());
    let distinct: BTreeSet<String> = denied
        .filter(|view| view.effect == chartseal_policy::Effect::Deny)
        .map(|view| format!("{view:?}"))
        .collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
}

#[test]
fn to_the_requester_an_emergency_hides_what_it_overrode() {
    let cases = json::read(CASES).unwrap();
    let broken = cases
        .iter()
        .find(|case| case.n == "\"the glass is broken\"")
        .unwrap();
    let decision = decide(&broken.world, &broken.request);
    assert!(format!("{:?}", decision.obligations).contains("Overrides"));
    assert!(!format!("{:?}", decision.opaque()).contains("Overrides"));
}

/// The smallest document that can be read, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<json::CheckReport, JsonError> {
    let mut document = json!({
        "world": {"actors": {}, "patients": {"P": {}}, "records": {}},
        "cases": [{
            "n": 7,
            "title": "unknown keys are ignored",
            "directives": [{"kind": "grant", "id": "G", "seq": [1, 0], "issuer": "P",
                            "patient": "P", "to": ["any:*"], "purposes": ["TREAT"]}],
            "overrides": {"season": "winter"},
            "request": {"actor": "a", "patient": "P", "record": "r", "action": "read",
                        "purpose": "TREAT", "t": 1, "pos": [2, 0]}
        }]
    });
    change(&mut document);
    json::check(document.to_string().as_bytes())
}

#[test]
fn a_case_without_expectation_is_only_answered() {
    let report = changed(|_| ()).unwrap();
    assert!(report.is_met());
    let line = r#"{"n":7,"effect":"deny","code":"not_visible","by":[],"obligations":[]}"#;
    assert_eq!(report.lines().collect::<Vec<_>>(), [line]);
}

#[test]
fn an_unmet_expectation_is_told() {
    let report = changed(|document| {
        document["cases"][0]["expect"] = json!({"effect": "permit", "code": "granted", "by": ["G"],
                                                "obligations_include": ["log"]});
    })
    .unwrap();
    assert!(!report.is_met());
    assert_eq!(report.cases[0].unmet.len(), 4);
}

#[test]
fn a_repeated_directive_id_is_refused() {
    let refused = changed(|document| {
        let revoke =
            json!({"kind": "revoke", "id": "G", "seq": [2, 0], "issuer": "P", "target": "X"});
        document["cases"][0]["directives"]
            .as_array_mut()
            .unwrap()
            .push(revoke);
    });
    let place = Place::Case(0);
    let source = PolicyError::DuplicateDirective;
    assert_eq!(
        refused,
        Err(JsonError::Value {
            place,
            field: "directives",
            source
        })
    );
}

#[test]
fn a_value_that_a_policy_may_not_have_is_refused_by_name() {
    let grant = "/cases/0/directives/0";
    let changes: [(&str, &str, Value); 12] = [
        (grant, "purposes", json!(["HAPPINESS"])),
        (grant, "actions", json!(["peek"])),
        (grant, "to", json!(["group:all"])),
        (grant, "conf", json!("X")),
        (grant, "seq", json!([1])),
        (grant, "seq", json!([-1, 0])),
        (grant, "from", json!(1.5)),
        (grant, "id", json!("")),
        (grant, "id", json!("x".repeat(65))),
        (grant, "kind", json!("wish")),
        ("/world", "law", json!([{"id": "l", "effect": "permit"}])),
        ("/cases/0", "n", json!([1])),
    ];
    for (place, key, value) in changes {
        let refused = changed(|document| document.pointer_mut(place).unwrap()[key] = value.clone());
        let error = refused.expect_err(&format!("{place} {key} {value}"));
        assert!(!error.to_string().contains("HAPPINESS"), "{error}");
    }
    for (place, key) in [
        ("", "world"),
        ("/world", "records"),
        ("/cases/0", "request"),
    ] {
        let refused = changed(|document| {
            let parent = document.pointer_mut(place).unwrap().as_object_mut();
            parent.unwrap().remove(key);
        });
        assert!(matches!(refused, Err(JsonError::Form { .. })), "{key}");
    }
}

#[test]
fn a_tree_ten_thousand_deep_is_refused() {
    let depth = 10_000;
    let node = r#"{"effect": "deny", "except": ["#;
    let tree = format!("{}{}", node.repeat(depth), "]}".repeat(depth));
    let document = String::from_utf8(CASES.to_vec()).unwrap().replacen(
        r#"[{"effect": "deny"}]"#,
        &format!("[{tree}]"),
        1,
    );
    assert!(matches!(
        json::check(document.as_bytes()),
        Err(JsonError::Syntax { .. })
    ));
}

#[test]
fn many_cases_of_a_large_world_are_refused_before_they_are_made() {
    let (cases, entries) = (1 << 10, (1 << 10) + 1);
    let refused = changed(|document| {
        let case = document["cases"][0].clone();
        document["cases"] = vec![case; cases].into();
        let actors = (0..entries).map(|i| (format!("x{i}"), json!({"org": "o", "roles": []})));
        document["world"]["actors"] = Value::Object(actors.collect());
        document["world"]["patients"] = json!({});
        document["world"]["records"] = json!({});
    });
    assert_eq!(refused, Err(JsonError::Worlds { cases, entries }));
}

#[test]
fn a_tree_deeper_than_the_cap_is_refused() {
    let tree = |depth| {
        (0..depth).fold(
            json!([]),
            |inner, _| json!([{"effect": "deny", "except": inner}]),
        )
    };
    let with =
        |depth| changed(|document| document["cases"][0]["directives"][0]["except"] = tree(depth));
    assert!(with(16).is_ok());
    assert!(with(17).is_err());
}

proptest! {
    /// Whatever the bytes, there is a report or an error.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = json::check(&bytes);
    }

    /// A document with a piece cut out, or bytes changed, is read or refused.
    #[test]
    fn a_damaged_document_is_read_or_refused(
        at in 0..CASES.len(), cut in 0_usize..40, with in any::<[u8; 2]>(),
    ) {
        let end = (at + cut).min(CASES.len());
        let damaged = [&CASES[..at], &with, &CASES[end..]].concat();
        let _ = json::check(&damaged);
    }
}
