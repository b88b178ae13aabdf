//! The invented patient that the demo is shown with.

#![allow(clippy::unwrap_used, reason = "tests")]

use chartseal_fhir::{Bundle, Class, Confidentiality, Patient, Resource, Tag};

const BUNDLE: &[u8] = include_bytes!("../../chartseal-cli/assets/demo-bundle.json");
const AMENDED: &[u8] = include_bytes!("../../chartseal-cli/assets/amended-result.json");

fn contains(bytes: &[u8], text: &str) -> bool {
    std::str::from_utf8(bytes).unwrap().contains(text)
}

#[test]
fn the_demo_bundle_is_one_patients_visit_with_one_result_sent_twice() {
    let bundle = Bundle::parse(BUNDLE).unwrap();
    let Patient::Entry(patient) = bundle.patient() else {
        unreachable!("a Patient entry")
    };
    assert_eq!(patient.title(), "Zoë Imaginaria Beispiel");
    assert_eq!(bundle.resources().len(), 51);
    assert_eq!(bundle.clinical().count(), 48);
    let [duplicate] = bundle.duplicates() else {
        unreachable!("one duplicate")
    };
    let first = bundle
        .resources()
        .iter()
        .find(|resource| *resource.path() == duplicate.first)
        .unwrap();
    assert_eq!(first.summary(), "Creatinine 1.0 mg/dL");
    assert_eq!(first.labels().unwrap().class, Class::LABORATORY);
}

#[test]
fn the_demo_bundle_has_results_to_share_and_records_to_keep_apart() {
    let bundle = Bundle::parse(BUNDLE).unwrap();
    let filed = |class| {
        bundle
            .clinical()
            .filter(move |resource| resource.labels().unwrap().class == class)
    };
    assert_eq!(filed(Class::LABORATORY).count(), 20);
    assert!(filed(Class::LABORATORY).all(|resource| {
        let labels = resource.labels().unwrap();
        labels.tags.is_empty() && labels.authored.is_some() && labels.author.is_some()
    }));
    assert_eq!(filed(Class::VITAL_SIGNS).count(), 7);
    let psychiatric: Vec<String> = bundle
        .clinical()
        .filter(|resource| resource.labels().unwrap().tags == [Tag::Psy])
        .map(|resource| {
            assert_eq!(
                resource.labels().unwrap().confidentiality,
                Confidentiality::R
            );
            resource.title()
        })
        .collect();
    assert_eq!(
        psychiatric,
        [
            "Encounter for symptom (procedure)",
            "PHQ-9 total score",
            "Major depression",
            "Sertraline 50 mg",
            "Depression screening",
        ]
    );
}

#[test]
fn the_demo_bundle_keeps_digits_offsets_spaces_and_escapes_as_written() {
    let bundle = Bundle::parse(BUNDLE).unwrap();
    for text in [
        "1.10",
        "2.50e2",
        "+00:00",
        "+01:00",
        r"Invented\u0020Hills",
        "ë",
        "\"value\":2.050",
    ] {
        let kept = bundle
            .resources()
            .iter()
            .any(|resource| contains(resource.raw(), text));
        assert!(kept, "{text}");
    }
    let lines: Vec<String> = bundle.clinical().map(Resource::summary).collect();
    for line in [
        "Hemoglobin A1c 7.20 %",
        "Creatinine 1.10 mg/dL",
        "Platelets 2.50e2 10*3/uL",
        "Blood pressure Systolic 148 mmHg, Diastolic 92 mmHg",
    ] {
        assert!(lines.iter().any(|known| known == line), "{line}");
    }
}

#[test]
fn the_amended_result_is_a_new_version_of_one_in_the_bundle() {
    let bundle = Bundle::parse(BUNDLE).unwrap();
    let amended = Resource::parse(AMENDED).unwrap();
    let original = bundle
        .resources()
        .iter()
        .find(|resource| resource.id() == amended.id())
        .unwrap();
    assert_eq!(amended.resource_type(), original.resource_type());
    assert_eq!(original.summary(), "Hemoglobin A1c 6.10 %");
    assert_eq!(amended.summary(), "Hemoglobin A1c 6.40 %");
    assert!(contains(amended.raw(), "\"status\": \"amended\""));
    let (before, after) = (original.labels().unwrap(), amended.labels().unwrap());
    assert!(after.authored > before.authored);
    assert_eq!((after.class, &after.tags), (before.class, &before.tags));
    assert_eq!(after.encounter, before.encounter);
}
