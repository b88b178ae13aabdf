//! What a record is filed under.

#![allow(clippy::unwrap_used, reason = "tests")]

use chartseal_fhir::{BundleError, Class, Confidentiality, Labels, Resource, Tag, Timestamp};

/// The labels of a resource of this type with these further members.
fn labels(resource_type: &str, members: &str) -> Labels {
    let text = format!(r#"{{"resourceType": "{resource_type}", "id": "x", {members}}}"#);
    Resource::parse(text.as_bytes())
        .unwrap()
        .labels()
        .unwrap()
        .clone()
}

fn tags(members: &str) -> Vec<Tag> {
    labels("Condition", members).tags
}

/// A Condition's members with `meta.security` labels, given as `system code`.
fn security(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(system, code)| format!(r#"{{"system": "{system}", "code": "{code}"}}"#))
        .collect();
    format!(r#""meta": {{"security": [{}]}}"#, labels.join(","))
}

const LEVEL: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

#[test]
fn a_record_that_says_nothing_is_normal_and_untagged() {
    let labels = labels("Condition", r#""code": {"text": "HIV, in words only"}"#);
    assert_eq!(labels.confidentiality, Confidentiality::N);
    assert!(labels.tags.is_empty());
    assert!(labels.author.is_none() && labels.encounter.is_none() && labels.authored.is_none());
}

#[test]
fn each_table_of_codes_tags_its_own_system_only() {
    for (system, code, tag) in [
        ("http://snomed.info/sct", "7200002", Tag::Sud),
        ("http://snomed.info/sct", "86406008", Tag::Hiv),
        ("http://loinc.org", "44261-6", Tag::Psy),
        ("http://loinc.org", "76504-0", Tag::Sdv),
        (
            "http://www.nlm.nih.gov/research/umls/rxnorm",
            "36437",
            Tag::Psy,
        ),
        ("http://hl7.org/fhir/sid/icd-10-cm", "F32.1", Tag::Psy),
        ("http://hl7.org/fhir/sid/icd-10", "F10", Tag::Sud),
        ("http://hl7.org/fhir/sid/icd-10-cm", "F11.20", Tag::Sud),
        ("http://hl7.org/fhir/sid/icd-10-cm", "B20", Tag::Hiv),
        ("http://hl7.org/fhir/sid/icd-10-cm", "Z69.11", Tag::Sdv),
        ("http://hl7.org/fhir/sid/icd-10-cm", "E84.0", Tag::Gdis),
    ] {
        let coded = |system: &str| {
            format!(r#""code": {{"coding": [{{"system": "{system}", "code": "{code}"}}]}}"#)
        };
        assert_eq!(tags(&coded(system)), [tag], "{system} {code}");
        assert_eq!(tags(&coded("http://example.org/local")), [], "{code}");
    }
    for code in ["E10.9", "F", "", "Z69.8", "B97.3", "é10"] {
        let icd = format!(
            r#""code": {{"coding": [{{"system": "http://hl7.org/fhir/sid/icd-10", "code": "{code}"}}]}}"#
        );
        assert_eq!(tags(&icd), [], "{code}");
    }
}

#[test]
fn a_code_is_found_at_whatever_depth() {
    let claim = r#""item": [{"extension": [{"valueCodeableConcept": {"coding":
        [{"system": "http://snomed.info/sct", "code": "7200002"}]}}]}]"#;
    assert_eq!(labels("Claim", claim).tags, [Tag::Sud]);
    assert_eq!(labels("Claim", claim).confidentiality, Confidentiality::R);
}

#[test]
fn the_authors_security_labels_count() {
    let read = |stated: &[(&str, &str)]| labels("Condition", &security(stated));
    assert_eq!(read(&[(LEVEL, "L")]).confidentiality, Confidentiality::L);
    assert_eq!(
        read(&[(LEVEL, "L"), (LEVEL, "V")]).confidentiality,
        Confidentiality::V
    );
    assert_eq!(read(&[(ACT, "PSY")]).tags, [Tag::Psy]);
    assert_eq!(read(&[(ACT, "BH")]).tags, [Tag::Psy, Tag::Sud]);
    assert_eq!(
        read(&[(ACT, "HIV"), (LEVEL, "N")]).confidentiality,
        Confidentiality::R
    );
    assert_eq!(
        read(&[(ACT, "HIV"), (LEVEL, "V")]).confidentiality,
        Confidentiality::V
    );
    // A label that Chartseal has no tag for still asks for care.
    let taboo = read(&[(ACT, "TBOO")]);
    assert_eq!(
        (taboo.confidentiality, taboo.tags),
        (Confidentiality::R, vec![])
    );
    assert_eq!(
        read(&[("http://example.org", "V")]).confidentiality,
        Confidentiality::N
    );
}

#[test]
fn a_tag_never_leaves_a_record_below_restricted() {
    for level in Confidentiality::ALL {
        let hiv = labels(
            "Condition",
            &security(&[(LEVEL, level.as_str()), (ACT, "HIV")]),
        );
        assert_eq!(hiv.confidentiality, level.max(Confidentiality::R));
        // The same where the tag comes from the code table.
        let coded =
            r#""code": {"coding": [{"system": "http://snomed.info/sct", "code": "86406008"}]}"#;
        let stated = security(&[(LEVEL, level.as_str())]);
        let hiv = labels("Condition", &format!("{stated}, {coded}"));
        assert_eq!(hiv.confidentiality, level.max(Confidentiality::R));
        assert_eq!(Confidentiality::from_code(level.as_str()), Some(level));
    }
    for tag in Tag::ALL {
        assert_eq!(Tag::from_code(tag.as_str()), Some(tag));
    }
}

#[test]
fn a_class_comes_from_type_and_category() {
    let category = |codes: &[&str]| {
        let codings: Vec<String> = codes
            .iter()
            .map(|code| format!(r#"{{"coding": [{{"code": "{code}"}}]}}"#))
            .collect();
        format!(r#""category": [{}]"#, codings.join(","))
    };
    for (resource_type, codes, class) in [
        ("Observation", &["laboratory"][..], Class::LABORATORY),
        ("Observation", &["vital-signs"], Class::VITAL_SIGNS),
        ("Observation", &["social-history"], Class::SOCIAL_HISTORY),
        ("Observation", &["survey"], Class::SURVEY),
        ("Observation", &["imaging"], Class::IMAGING),
        (
            "Observation",
            &["own-code", "laboratory"],
            Class::LABORATORY,
        ),
        ("Observation", &["own-code"], Class::OBSERVATION),
        ("Observation", &[], Class::OBSERVATION),
        ("DiagnosticReport", &["LAB"], Class::LABORATORY),
        ("DiagnosticReport", &["RAD"], Class::IMAGING),
        ("DiagnosticReport", &[], Class::DIAGNOSTIC_REPORT),
        ("Condition", &["laboratory"], Class::CONDITION),
        ("MedicationRequest", &[], Class::MEDICATION),
        ("ExplanationOfBenefit", &[], Class::CLAIM),
        ("Patient", &[], Class::PATIENT),
    ] {
        assert_eq!(
            labels(resource_type, &category(codes)).class,
            class,
            "{resource_type} {codes:?}"
        );
    }
    let single = r#""category": {"coding": {"code": "laboratory"}}"#;
    assert_eq!(labels("Observation", single).class, Class::LABORATORY);
}

#[test]
fn organizations_and_definitions_are_not_filed() {
    for resource_type in [
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Location",
        "Group",
        "MedicationKnowledge",
        "Questionnaire",
        "ValueSet",
    ] {
        let text = format!(r#"{{"resourceType": "{resource_type}"}}"#);
        assert_eq!(
            Resource::parse(text.as_bytes()).unwrap().labels(),
            None,
            "{resource_type}"
        );
    }
}

#[test]
fn author_encounter_and_time_are_read_where_each_type_keeps_them() {
    for (resource_type, members, author, encounter, authored) in [
        (
            "Observation",
            r#""performer": [{"reference": "Practitioner/a"}], "encounter": {"reference":
            "Encounter/e"}, "issued": "2026-03-03T00:00:00Z", "effectiveDateTime": "2026-03-02""#,
            Some("Practitioner/a"),
            Some("Encounter/e"),
            "2026-03-03T00:00:00Z",
        ),
        (
            "MedicationRequest",
            r#""requester": {"reference": "Practitioner/a"}, "authoredOn": "2026-03""#,
            Some("Practitioner/a"),
            None,
            "2026-03-01",
        ),
        (
            "Condition",
            r#""asserter": {"reference": "Patient/b"}, "recorder": {"reference": "Practitioner/a"},
            "onsetDateTime": "2020", "recordedDate": "2026-03-02""#,
            Some("Practitioner/a"),
            None,
            "2026-03-02",
        ),
        (
            "Immunization",
            r#""performer": [{"actor": {"reference": "Practitioner/a"}}],
            "occurrenceDateTime": "2026-03-02T10:00:00+01:00""#,
            Some("Practitioner/a"),
            None,
            "2026-03-02T09:00:00Z",
        ),
        (
            "Encounter",
            r#""participant": [{"individual": {"reference": "Practitioner/a"}}],
            "period": {"start": "2026-03-02", "end": "2026-03-04"}"#,
            Some("Practitioner/a"),
            Some("Encounter/x"),
            "2026-03-02",
        ),
        (
            "Claim",
            r#""provider": {"reference": "Organization/o"}, "created": "2026-03-02",
            "item": [{"encounter": [{"reference": "Encounter/e"}]}]"#,
            Some("Organization/o"),
            Some("Encounter/e"),
            "2026-03-02",
        ),
        (
            "Patient",
            r#""birthDate": "1960-01-01", "meta": {"lastUpdated": "2026-03-02T10:00:00.5Z"}"#,
            None,
            None,
            "2026-03-02T10:00:00.500Z",
        ),
    ] {
        let labels = labels(resource_type, members);
        assert_eq!(labels.author.as_deref(), author, "{resource_type}");
        assert_eq!(labels.encounter.as_deref(), encounter, "{resource_type}");
        assert_eq!(
            labels.authored,
            Timestamp::parse(authored),
            "{resource_type}"
        );
        assert!(labels.authored.is_some());
    }
}

#[test]
fn a_time_that_cant_be_read_is_an_error_and_no_missing_time() {
    let text = r#"{"resourceType": "Condition", "recordedDate": "02.03.2026"}"#;
    let error = Resource::parse(text.as_bytes()).unwrap_err();
    assert!(
        matches!(
            error,
            BundleError::BadValue {
                field: "recordedDate",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn times_before_the_epoch_are_the_policys_zero() {
    assert_eq!(Timestamp::parse("1931").unwrap().as_policy_millis(), 0);
    assert_eq!(
        Timestamp::parse("1970-01-01T00:00:01Z")
            .unwrap()
            .as_policy_millis(),
        1000
    );
}

#[test]
fn a_line_shows_the_digits_of_the_source_and_no_control_characters() {
    for (members, line) in [
        (
            r#""valueQuantity": {"value": 6.10, "unit": "%"}"#,
            "A1c 6.10 %",
        ),
        (
            r#""valueQuantity": {"value": 3, "comparator": "<", "code": "mg/L"}"#,
            "A1c <3 mg/L",
        ),
        (r#""valueQuantity": {"value": 7e2}"#, "A1c 7e2"),
        (r#""valueQuantity": {"unit": "%"}"#, "A1c"),
        (
            r#""valueCodeableConcept": {"coding": [{"display": "Never smoker"}]}"#,
            "A1c Never smoker",
        ),
        (
            r#""valueString": "negative\u001b[31m\n""#,
            "A1c negative [31m ",
        ),
        (r#""valueBoolean": true"#, "A1c true"),
        (
            r#""component": [{"code": {"text": "Systolic"}, "valueQuantity": {"value": 120, "unit": "mmHg"}},
            {"code": {"coding": [{"display": "Diastolic"}]}, "valueQuantity": {"value": 80.0, "unit": "mmHg"}}]"#,
            "A1c Systolic 120 mmHg, Diastolic 80.0 mmHg",
        ),
    ] {
        let text =
            format!(r#"{{"resourceType": "Observation", "code": {{"text": "A1c"}}, {members}}}"#);
        assert_eq!(Resource::parse(text.as_bytes()).unwrap().summary(), line);
    }
    let long = format!(
        r#"{{"resourceType": "Flag", "code": {{"text": "{}"}}}}"#,
        "é".repeat(500)
    );
    let title = Resource::parse(long.as_bytes()).unwrap().title();
    assert_eq!(title.chars().count(), 120);
    assert!(title.ends_with("é…"));
    let person = r#"{"resourceType": "Patient", "name": [{"given": ["Zoë", "K"], "family": "Q"}]}"#;
    assert_eq!(
        Resource::parse(person.as_bytes()).unwrap().title(),
        "Zoë K Q"
    );
    let bare = r#"{"resourceType": "Basic"}"#;
    assert_eq!(Resource::parse(bare.as_bytes()).unwrap().title(), "Basic");
}

#[test]
fn the_docs_list_every_class_and_every_tag() {
    let docs = include_str!("../../../docs/fhir.md");
    for class in Class::ALL {
        assert!(docs.contains(&format!("`{class}`")), "{class}");
    }
    for tag in Tag::ALL {
        assert!(docs.contains(&format!("| {tag} |")), "{tag}");
    }
}
