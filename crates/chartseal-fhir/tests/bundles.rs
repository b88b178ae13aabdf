//! Whose bundle it is, what repeats, and what lies within.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_fhir::{Bundle, BundleError, EntryPath, Patient};

/// A bundle of these entries, each a full URL (or none) and a resource.
fn bundle(entries: &[(&str, &str)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(url, resource)| {
            let url = if url.is_empty() {
                String::new()
            } else {
                format!(r#""fullUrl": "{url}","#)
            };
            format!(r#"{{{url} "resource": {resource}}}"#)
        })
        .collect();
    format!(
        r#"{{"resourceType": "Bundle", "entry": [{}]}}"#,
        entries.join(",")
    )
}

fn about(subject: &str) -> String {
    format!(r#"{{"resourceType": "Condition", "subject": {{"reference": "{subject}"}}}}"#)
}

const PATIENT: &str = r#"{"resourceType": "Patient", "id": "1"}"#;

/// How many patients a bundle of these entries means.
fn patients(entries: &[(&str, &str)]) -> usize {
    match Bundle::parse(bundle(entries).as_bytes()) {
        Ok(_) => 1,
        Err(BundleError::NoPatient) => 0,
        Err(BundleError::ManyPatients { count, .. }) => count,
        Err(error) => unreachable!("{error}"),
    }
}

#[test]
fn a_subject_is_the_patient_entry_under_each_of_its_addresses() {
    let server = "https://a.example/fhir/Patient/1";
    for (url, subject) in [
        ("urn:uuid:p", "urn:uuid:p"),
        ("urn:uuid:p", "Patient/1"),
        ("", "Patient/1"),
        (server, server),
        (server, "Patient/1"),
        (server, "https://a.example/fhir/Patient/1/_history/2"),
    ] {
        let condition = about(subject);
        assert_eq!(
            patients(&[(url, PATIENT), ("", &condition)]),
            1,
            "{url} {subject}"
        );
        let elsewhere = "https://a.example/fhir/Condition/7";
        assert_eq!(
            patients(&[(url, PATIENT), (elsewhere, &condition)]),
            1,
            "{url} {subject}"
        );
    }
}

#[test]
fn another_subject_is_another_patient() {
    for subject in [
        "Patient/2",
        "https://b.example/fhir/Patient/1",
        "Patient?identifier=x",
        "Patient/2/_history/1",
    ] {
        assert_eq!(
            patients(&[("urn:uuid:p", PATIENT), ("", &about(subject))]),
            2,
            "{subject}"
        );
    }
}

#[test]
fn a_relative_subject_belongs_to_the_server_of_its_own_entry() {
    let condition = about("Patient/1");
    let (a, b) = (
        "https://a.example/Condition/5",
        "https://b.example/Condition/6",
    );
    let other = condition.replace("Condition", "Flag");
    let flag = b.replace("Condition", "Flag");
    assert_eq!(patients(&[(a, &condition), (&flag, &other)]), 2);
    assert_eq!(
        patients(&[(a, &condition), (&flag.replace("b.", "a."), &other)]),
        1
    );
}

#[test]
fn groups_devices_and_mentions_are_no_patients() {
    let group = r#"{"resourceType": "Group", "member": [{"entity": {"reference": "Patient/9"}}]}"#;
    let linked = r#"{"resourceType": "Patient", "id": "1",
        "link": [{"other": {"reference": "Patient/8"}}]}"#;
    let entries = [
        ("", linked),
        ("urn:uuid:g", group),
        ("", &about("urn:uuid:g")),
        ("", &about("Device/3")),
    ];
    assert_eq!(patients(&entries), 1);
    assert_eq!(patients(&entries[1..]), 0);
}

#[test]
fn a_reference_that_says_patient_is_one() {
    let typed = r#"{"resourceType": "Flag", "subject":
        {"reference": "https://c.example/people/5", "type": "Patient"}}"#;
    assert_eq!(patients(&[("", PATIENT), ("", typed)]), 2);
    assert_eq!(patients(&[("", typed)]), 1);
}

#[test]
fn a_bundle_may_know_its_patient_by_reference_only() {
    let text = bundle(&[("", &about("Patient/1"))]);
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    assert!(matches!(bundle.patient(), Patient::Reference("Patient/1")));
}

#[test]
fn the_same_bytes_twice_are_one_record() {
    let condition = about("Patient/1");
    let text = bundle(&[
        ("", PATIENT),
        ("urn:uuid:a", &condition),
        ("urn:uuid:b", &condition),
    ]);
    let read = Bundle::parse(text.as_bytes()).unwrap();
    assert_eq!(read.resources().len(), 2);
    let duplicates: Vec<(String, String)> = read
        .duplicates()
        .iter()
        .map(|d| (d.path.to_string(), d.first.to_string()))
        .collect();
    assert_eq!(duplicates, [("entry 2".to_owned(), "entry 1".to_owned())]);
    // Other white space is other bytes, and without an id another record.
    let spaced = condition.replace(": ", ":");
    let text = bundle(&[("", PATIENT), ("", &condition), ("", &spaced)]);
    assert_eq!(Bundle::parse(text.as_bytes()).unwrap().resources().len(), 3);
}

#[test]
fn a_reference_may_name_a_duplicates_address() {
    let condition = about("Patient/1");
    let flag = r#"{"resourceType": "Flag", "subject": {"reference": "Patient/1"},
        "encounter": {"reference": "urn:uuid:b#part"}}"#;
    let entries = [
        ("urn:uuid:a", condition.as_str()),
        ("urn:uuid:b", &condition),
        ("", flag),
    ];
    assert_eq!(
        Bundle::parse(bundle(&entries).as_bytes())
            .unwrap()
            .duplicates()
            .len(),
        1
    );
}

#[test]
fn bundles_within_are_taken_apart_in_order_and_share_addresses() {
    let flag = r#"{"resourceType": "Flag", "subject": {"reference": "urn:uuid:p"}}"#;
    let innermost = bundle(&[("", flag)]);
    let inner = bundle(&[("", &about("urn:uuid:p")), ("", &innermost)]);
    let text = bundle(&[("", &inner), ("urn:uuid:p", PATIENT)]);
    let read = Bundle::parse(text.as_bytes()).unwrap();
    let paths: Vec<&[usize]> = read
        .resources()
        .iter()
        .map(|r| r.path().indices())
        .collect();
    assert_eq!(paths, [&[0, 0][..], &[0, 1, 0], &[1]]);
    assert_eq!(
        read.resources()[1].path().to_string(),
        "entry 0 → entry 1 → entry 0"
    );
    assert_eq!(read.resources()[1].raw(), flag.as_bytes());
    assert_eq!(EntryPath::default().to_string(), "the resource");
}

#[test]
fn four_bundles_deep_is_accepted() {
    let mut text = bundle(&[("", PATIENT)]);
    for _ in 0..3 {
        text = bundle(&[("", &text)]);
    }
    assert_eq!(Bundle::parse(text.as_bytes()).unwrap().resources().len(), 1);
}
