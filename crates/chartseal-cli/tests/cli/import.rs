//! `chartseal policy import`: FHIR Consents as documents for the other verbs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chartseal_testkit::data_dir;
use serde_json::{Value, json};

use crate::support::{Ran, run, run_on};

/// A PCF Consent with this provision.
fn consent(provision: &Value) -> Value {
    let scope = json!({"coding": [{"code": "patient-privacy",
                       "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]});
    json!({
        "resourceType": "Consent", "status": "active", "scope": scope,
        "patient": {"reference": "Patient/ann"}, "performer": [{"reference": "Patient/ann"}],
        "dateTime": "2026-03-02", "provision": provision,
    })
}

fn purpose() -> Value {
    json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}])
}

fn to(reference: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    json!([{"role": {"coding": [{"system": system, "code": "IRCP"}]},
            "reference": {"reference": reference}}])
}

fn import(consent: &Value, more: &[&str]) -> Ran {
    let args = ["policy", "import", "-", "--dialect", "pcf"];
    run_on(consent.to_string().as_bytes(), args.iter().chain(more))
}

fn imported(consent: &Value, more: &[&str]) -> Value {
    let ran = import(consent, more);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    ran.json()
}

fn explained(document: &[u8]) -> Vec<Value> {
    let ran = run_on(document, ["policy", "explain", "-", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    ran.json()["cases"].as_array().unwrap().clone()
}

#[test]
fn what_is_imported_can_be_asked_at_once() {
    let nested = json!({"type": "deny", "data": [{"meaning": "instance",
                        "reference": {"reference": "Observation/a"}}]});
    let consent = consent(&json!({"type": "permit", "purpose": purpose(), "provision": [nested]}));
    let ran = import(&consent, &[]);
    let checked = run_on(ran.stdout.as_bytes(), ["policy", "check", "-"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
    assert_eq!(
        checked.stdout,
        "{\"n\":1,\"effect\":\"permit\",\"code\":\"granted\",\"by\":[\"consent.1\"],\"obligations\":[\"log\"]}\n\
         {\"n\":2,\"effect\":\"deny\",\"code\":\"restricted\",\"by\":[\"consent.1\"],\"obligations\":[]}\n"
    );
    let titles: Vec<Value> = explained(ran.stdout.as_bytes())
        .into_iter()
        .map(|case| case["title"].clone())
        .collect();
    assert_eq!(
        titles,
        [
            "a sample for consent.1",
            "a sample for exception 1 of consent.1"
        ]
    );
    let who = run_on(ran.stdout.as_bytes(), ["policy", "who", "-"]);
    assert!(who.stdout.contains("somebody"), "{}", who.stdout);
}

#[test]
fn a_period_ends_where_the_zone_says() {
    let consent =
        consent(&json!({"type": "deny", "period": {"start": "2026-03-02", "end": "2026-03-02"}}));
    let midnight: i64 = 1_772_409_600_000; // 2026-03-02T00:00:00Z
    let hour = 3_600_000;
    for (zone, east) in [("Z", 0), ("+01:00", 2), ("-05:30", -11)] {
        let document = imported(&consent, &["--zone", zone]);
        let directive = &document["cases"][0]["directives"][0];
        let from = midnight - east * hour / 2;
        assert_eq!(directive["from"], from, "{zone}");
        assert_eq!(directive["until"], from + 24 * hour, "{zone}");
    }
}

#[test]
fn a_group_is_whom_the_map_says() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.json");
    let consent = consent(&json!({"type": "permit", "purpose": purpose(),
                                  "actor": to("Group/on-call")}));
    let refused = import(&consent, &[]);
    assert!(
        refused
            .error()
            .starts_with("stdin: refused as unknown_grantee: ")
    );
    assert!(
        refused.error().ends_with("(--grantees)"),
        "{}",
        refused.stderr
    );

    let with = |text: &str| {
        fs::write(&map, text).unwrap();
        import(&consent, &["--grantees", map.to_str().unwrap()])
    };
    let document = with(r#"{"Group/on-call": "orgrole:H1/physician"}"#);
    let directive = &document.json()["cases"][0]["directives"][0];
    assert_eq!(directive["to"], json!(["orgrole:H1/physician"]));
    let case = &explained(document.stdout.as_bytes())[0];
    assert_eq!(case["code"], "granted");
    for (bad, said) in [
        ("", "line 1, column 0: expected one JSON object"),
        ("[]", "line 1, column "),
        ("{\n\"Group/on-call\": 1}", "line 2, column "),
        (r#"{"a": "role:x", "a": "role:y"}"#, "each reference once"),
        (r#"{"Group/on-call": "everybody"}"#, "grantee is not"),
    ] {
        let ran = with(bad);
        assert!(ran.error().contains("map.json: "), "{}", ran.stderr);
        assert!(ran.error().contains(said), "{}", ran.stderr);
    }
}

#[test]
fn an_issuer_is_named_where_the_consent_names_none() {
    let mut anonymous = consent(&json!({"type": "deny"}));
    anonymous
        .as_object_mut()
        .unwrap()
        .remove("performer")
        .unwrap();
    let ran = import(&anonymous, &[]);
    assert!(ran.error().ends_with("say who: --issuer"), "{}", ran.stderr);
    let named = imported(&anonymous, &["--issuer", "Patient/ann"]);
    assert_eq!(named["cases"][0]["directives"][0]["issuer"], "Patient/ann");
    let twice = import(
        &consent(&json!({"type": "deny"})),
        &["--issuer", "Patient/ann"],
    );
    assert!(
        twice.error().contains("says itself who agreed"),
        "{}",
        twice.stderr
    );
    let long = "x".repeat(65);
    let ran = import(&anonymous, &["--issuer", &long]);
    assert!(ran.error().starts_with("--issuer: "), "{}", ran.stderr);
}

#[test]
fn a_consent_enters_a_world_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let request = json!({"actor": "Practitioner/a", "patient": "Patient/ann", "record": "lab",
                         "action": "read", "purpose": "TREAT", "t": 1000, "pos": [50, 0]});
    let taken = json!({"kind": "grant", "id": "consent.1", "seq": [1, 0], "issuer": "Patient/ann",
                       "patient": "Patient/ann", "to": ["any:*"], "purposes": ["HPAYMT"]});
    let expect = json!({"effect": "permit", "code": "granted", "by": ["consent.2"]});
    let world = json!({
        "world": {
            "actors": {"Practitioner/a": {}}, "patients": {"Patient/ann": {}},
            "records": {"lab": {"patient": "Patient/ann", "class": "laboratory", "authored": 100}},
        },
        "cases": [{"n": 1, "directives": [taken], "request": request, "expect": expect}],
    });
    fs::write(&file, world.to_string()).unwrap();
    let consent = consent(&json!({"type": "permit", "purpose": purpose(),
                                  "actor": to("Practitioner/a")}));
    let file = file.to_str().unwrap();
    let ran = import(&consent, &["--into", file]);
    let checked = run_on(ran.stdout.as_bytes(), ["policy", "check", "-"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));

    let mut other = consent.clone();
    other["patient"]["reference"] = json!("Patient/max");
    let ran = import(&other, &["--into", file]);
    let said = "case 1: does not know the Consent's patient";
    assert!(ran.error().contains(said), "{}", ran.stderr);
    assert!(!ran.stderr.contains("max"), "{}", ran.stderr);
    let both = import(&consent, &["--into", "-"]);
    assert!(
        both.error().starts_with("stdin is one file"),
        "{}",
        both.stderr
    );
}

#[test]
fn a_consent_that_cannot_be_read_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("consent.json");
    let path = file.to_str().unwrap();
    let args = |dialect| ["policy", "import", path, "--dialect", dialect];
    let mut unknown = consent(&json!({"type": "deny"}));
    unknown["favourite"] = json!("Ann");
    for (bad, said) in [
        (Vec::new(), "refused as not_json"),
        (b"{".to_vec(), "refused as not_json"),
        (b"\xff".to_vec(), "not UTF-8 text (at byte 0)"),
        (
            b"{\"resourceType\": \"Patient\"}".to_vec(),
            "refused as not_a_consent",
        ),
        (
            unknown.to_string().into_bytes(),
            "refused as unknown_element: Consent: ",
        ),
        (vec![b' '; (4 << 20) + 1], "longer than 4194304 bytes"),
    ] {
        fs::write(&file, bad).unwrap();
        let ran = run(args("pcf"));
        assert!(
            ran.error().starts_with(&format!("{path}: ")),
            "{}",
            ran.stderr
        );
        assert!(ran.error().contains(said), "{}", ran.stderr);
        assert!(!ran.stderr.contains("Ann"), "{}", ran.stderr);
    }
    // R5 calls the patient `subject`.
    fs::write(&file, consent(&json!({"type": "deny"})).to_string()).unwrap();
    assert!(run(args("r5")).error().contains("unknown_element"));
    for misuse in [&args("r6")[..], &args("pcf")[..3]] {
        assert_eq!(run(misuse).code, 3);
    }
    let ran = run(args("pcf").iter().chain(&["--zone", "Europe/Zurich"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
    fs::remove_file(&file).unwrap();
    assert!(
        run(args("pcf"))
            .error()
            .ends_with("consent.json: no such file")
    );
}

/// The outcomes of `docs/fhir.md`, by example.
fn documented() -> BTreeMap<String, String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fhir.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| example | outcome | why |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].replace('`', ""), cells[2].replace('`', ""))
    })
    .collect()
}

#[test]
fn each_published_example_is_a_document_or_refused_as_documented() {
    let Some(data) = data_dir() else { return };
    let documented = documented();
    assert_eq!(documented.len(), 12 + 23);
    for (name, outcome) in documented {
        let (folder, dialect) = if name.starts_with("Consent-") {
            ("hl7-r4-examples", "r4")
        } else {
            ("ihe-pcf-consents", "pcf")
        };
        let file = data.join(format!("fhir/{folder}/{name}.json"));
        let file = file.to_str().unwrap();
        let mut args = vec!["policy", "import", file, "--dialect", dialect];
        // It says by what its organization is bound, not who agreed.
        if name == "Consent-consent-example-notOrg" {
            args.extend(["--issuer", "Patient/f001"]);
        }
        let ran = run(&args);
        if let Some(refusal) = outcome.strip_prefix("refused: ") {
            let (reason, at) = refusal.split_once(" at ").unwrap();
            let said = format!("{file}: refused as {reason}: {at}: ");
            assert!(ran.error().starts_with(&said), "{}", ran.stderr);
            continue;
        }
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{name}");
        let cases = explained(ran.stdout.as_bytes());
        assert!(!cases.is_empty(), "{name}");
        for case in cases {
            let title = case["title"].as_str().unwrap();
            let id = title.rsplit(' ').next().unwrap();
            let findings = case["directives"].as_array().unwrap();
            let own = findings.iter().find(|finding| finding["id"] == id).unwrap();
            // Of the infant's mother the Consent doesn't say that she is a guardian.
            let about = [
                "permits",
                "forbids",
                "its issuer had no authority to make it",
            ];
            let finding = own["finding"].as_str().unwrap();
            assert!(about.contains(&finding), "{name}: {title}: {finding}");
        }
    }
}
