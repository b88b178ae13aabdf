//! Other people's bundles through the whole demo.

use std::path::{Path, PathBuf};

use chartseal_testkit::{bad_bundles, data_dir};
use serde_json::Value;

use crate::support::{assert_all_promises_held, demo_of};

fn fhir() -> Option<PathBuf> {
    data_dir().map(|data| data.join("fhir"))
}

/// The manifest's entries for files with so many patients.
fn manifest(fhir: &Path, patients: u64) -> Vec<Value> {
    let manifest = std::fs::read(fhir.join("manifest.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    let of = |entry: &Value| entry["resources"]["Patient"].as_u64().unwrap_or(0) == patients;
    entries.into_iter().filter(of).collect()
}

fn file(fhir: &Path, entry: &Value) -> PathBuf {
    fhir.join("synthea-r4")
        .join(entry["file"].as_str().unwrap())
}

#[test]
fn all_twelve_patients_go_through_the_visit_and_every_promise_holds() {
    let Some(fhir) = fhir() else { return };
    let entries = manifest(&fhir, 1);
    assert_eq!(entries.len(), 12);
    // Two at a time, as there are cores.
    std::thread::scope(|scope| {
        for half in entries.chunks(6) {
            let fhir = &fhir;
            scope.spawn(move || half.iter().for_each(|entry| one_patient(fhir, entry)));
        }
    });
}

fn one_patient(fhir: &Path, entry: &Value) {
    let document = assert_all_promises_held(&demo_of(&file(fhir, entry)));
    let count = |kind: &str| entry["resources"][kind].as_u64().unwrap_or(0);
    let clinical =
        entry["entries"].as_u64().unwrap() - count("Organization") - count("Practitioner");
    assert_eq!(document["records"], clinical, "{entry}");
    assert_eq!(document["duplicates"], 0);
    assert_eq!(document["sizes"]["bundle"], entry["bytes"]);
}

#[test]
fn bundles_without_a_patient_are_refused_as_that() {
    let Some(fhir) = fhir() else { return };
    let entries = manifest(&fhir, 0);
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let file = file(&fhir, &entry);
        let ran = demo_of(&file);
        let why = ran.error().strip_prefix(&format!("{}: ", file.display()));
        assert!(why.unwrap().contains("no patient"), "{}", ran.stderr);
    }
}

#[test]
fn bundles_within_a_bundle_are_refused_by_that_name_if_they_mean_several_patients() {
    let Some(fhir) = fhir() else { return };
    let file = fhir.join("hl7-r4-examples/Bundle-72ac8493-52ac-41bd-8d5d-7258c289b5ea.json");
    let ran = demo_of(&file);
    let why = ran.error().strip_prefix(&format!("{}: ", file.display()));
    let name = "bundles within a bundle that mean 10 patients: entry ";
    assert!(why.unwrap().starts_with(name), "{}", ran.stderr);

    let mut text = std::fs::read_to_string(&file).unwrap();
    for other in 2..=10 {
        text = text.replace(&format!("\"Patient/{other}\""), "\"Patient/1\"");
    }
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("one-patient.json");
    std::fs::write(&one, text).unwrap();
    let document = assert_all_promises_held(&demo_of(&one));
    assert_eq!(document["records"], 382, "taken apart");
}

#[test]
fn the_smallest_bundle_is_a_visit_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    for resources in [1, 2] {
        std::fs::write(&file, bad_bundles::bundle_of(resources)).unwrap();
        let document = assert_all_promises_held(&demo_of(&file));
        assert_eq!(document["records"], resources);
    }
}

#[test]
fn a_patient_with_sensitive_records_alone_has_a_visit_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let hiv = r#"{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Condition",
        "id": "c", "subject": {"reference": "Patient/1"}, "meta": {"security": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}]},
        "code": {"text": "Some condition of this patient"}}}]}"#;
    std::fs::write(&file, hiv).unwrap();
    let document = assert_all_promises_held(&demo_of(&file));
    assert_eq!(document["records"], 1);
}

#[test]
fn a_restricted_result_without_a_tag_is_outside_of_an_ordinary_grant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    let bundle = String::from_utf8(bad_bundles::bundle_of(4)).unwrap();
    let restricted = r#""meta": {"security": [{"code": "R", "system":
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"}]}, "status""#;
    std::fs::write(&file, bundle.replacen("\"status\"", restricted, 1)).unwrap();
    let document = assert_all_promises_held(&demo_of(&file));
    let granted = &document["attempts"][0];
    assert_eq!(
        (&granted["effect"], &granted["records"]),
        (&"permit".into(), &2.into())
    );
}
