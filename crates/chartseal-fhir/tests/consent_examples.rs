//! HL7's and IHE's own Consents: each imported or refused as `docs/fhir.md` says, exactly.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use chartseal_fhir::{Consent, ConsentOptions, Dialect, Imported};
use chartseal_policy::{Effect, Grantee, Scope, Set, Terms, Window};
use chartseal_testkit::data_dir;

/// The rows of the page's table of examples: file name without its ending, and outcome.
fn documented() -> BTreeMap<String, String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fhir.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| example | outcome | why |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, example, outcome, ..] = &*cells else {
            panic!("no row: {row}")
        };
        (example.replace('`', ""), outcome.replace('`', ""))
    });
    cells.collect()
}

#[test]
fn each_example_is_imported_or_refused_as_documented() {
    let Some(data) = data_dir() else { return };
    let mut found = BTreeMap::new();
    for (folder, prefix, dialect) in [
        ("fhir/hl7-r4-examples", "Consent-", Dialect::R4),
        ("fhir/ihe-pcf-consents", "ex-", Dialect::Pcf),
    ] {
        for file in fs::read_dir(data.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if !name.starts_with(prefix) {
                continue;
            }
            let json = fs::read(&path).unwrap();
            let outcome = match Consent::import(&json, dialect, &ConsentOptions::default()) {
                Ok(imported) => summary(&imported),
                Err(error) => format!("refused: {} at {}", error.refusal.name(), error.at),
            };
            found.insert(name, outcome);
        }
    }
    assert_eq!(found.len(), 12 + 23);
    let listed = found
        .iter()
        .map(|(name, outcome)| format!("| `{name}` | {outcome} |\n"));
    assert_eq!(found, documented(), "\n{}", listed.collect::<String>());
}

#[test]
fn a_group_is_read_as_whom_the_caller_says_that_it_is() {
    let Some(data) = data_dir() else { return };
    let mut options = ConsentOptions::default();
    let on_call: Grantee = "role:on-call".parse().unwrap();
    options
        .grantees
        .insert("Group/ex-privilegedUsers".to_owned(), on_call);
    for (name, expected) in [
        (
            "ex-dissent-intermediate-break-glass",
            "restrict; nested permit to role:on-call for BTG to N",
        ),
        (
            "ex-consent-advanced-normal-break-glass-restricted",
            "grant to any:* for TREAT HPAYMT HOPERAT to N; grant to role:on-call for BTG to R",
        ),
    ] {
        let path = data.join(format!("fhir/ihe-pcf-consents/{name}.json"));
        let imported = Consent::import(&fs::read(path).unwrap(), Dialect::Pcf, &options).unwrap();
        assert_eq!(summary(&imported), expected);
    }
}

/// One line for what was imported: all of it, so that nothing hides from the table.
fn summary(imported: &[Imported]) -> String {
    let mut parts = Vec::new();
    for one in imported {
        let (scope, window, except, lead, conf) = match &one.terms {
            Terms::Grant(grant) => {
                assert!(grant.parent.is_none() && grant.delegable == 0);
                (&grant.scope, grant.window, &grant.except, "grant", " to ")
            }
            Terms::Restrict(restriction) => {
                let nested = restriction.except.nodes();
                let permits = nested.iter().any(|node| node.effect == Effect::Permit);
                assert_eq!(restriction.nested_grants, permits);
                let Window { from, until } = restriction.window;
                let window = Window { from, until };
                (
                    &restriction.scope,
                    window,
                    &restriction.except,
                    "restrict",
                    " from ",
                )
            }
            other => panic!("a {} was imported", other.kind()),
        };
        parts.push(format!(
            "{lead}{}{}",
            selectors(scope, conf),
            period(" within ", window)
        ));
        for node in except.nodes() {
            let conf = if node.effect == Effect::Permit {
                " to "
            } else {
                " from "
            };
            parts.push(format!(
                "nested {}{}",
                node.effect,
                selectors(&node.scope, conf)
            ));
        }
    }
    parts.join("; ")
}

fn selectors(scope: &Scope, conf: &str) -> String {
    let mut text = String::new();
    text += &list(" to ", scope.to.as_ref());
    text += &list(" for ", scope.purposes.as_ref());
    text += &list(" actions ", scope.actions.as_ref());
    text += &list(" classes ", scope.classes.as_ref());
    text += &list(" records ", scope.records.as_ref());
    text += &list(" encounters ", scope.encounters.as_ref());
    text += &list(" authors ", scope.authors.as_ref());
    text += &period(" data ", scope.data);
    text += &scope
        .conf
        .map(|level| format!("{conf}{level}"))
        .unwrap_or_default();
    text += &list(" tags ", scope.tags.as_ref());
    text
}

fn list<T: Display>(lead: &str, set: Option<&Set<T>>) -> String {
    let Some(set) = set else { return String::new() };
    let values: Vec<String> = set.iter().map(ToString::to_string).collect();
    format!("{lead}{}", values.join(" "))
}

fn period(lead: &str, window: Window) -> String {
    if window == Window::ALWAYS {
        return String::new();
    }
    let [from, until] =
        [window.from, window.until].map(|at| at.map(|at| at.0.to_string()).unwrap_or_default());
    format!("{lead}{from}..{until}")
}
