//! Other people's bundles: every one is read whole, or refused for its own reason.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chartseal_fhir::{Bundle, BundleError, Class, Confidentiality, Patient, Resource, Tag};
use chartseal_testkit::data_dir;

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fhir() -> Option<PathBuf> {
    data_dir().map(|data| data.join("fhir"))
}

/// The manifest's entry for each Synthea file.
fn manifest(fhir: &Path) -> Vec<serde_json::Value> {
    serde_json::from_slice(&read(&fhir.join("manifest.json"))).unwrap()
}

fn count(entry: &serde_json::Value, resource_type: &str) -> usize {
    entry["resources"][resource_type]
        .as_u64()
        .map_or(0, |n| usize::try_from(n).unwrap())
}

/// Each of the manifest's patient bundles, with its entry there.
fn for_each_patient(check: impl Fn(&serde_json::Value, &[u8], &Bundle<'_>)) {
    let Some(fhir) = fhir() else { return };
    let mut patients = 0;
    for entry in manifest(&fhir) {
        if count(&entry, "Patient") == 1 {
            let bytes = read(
                &fhir
                    .join("synthea-r4")
                    .join(entry["file"].as_str().unwrap()),
            );
            let bundle = Bundle::parse(&bytes).unwrap_or_else(|error| panic!("{entry}: {error}"));
            check(&entry, &bytes, &bundle);
            patients += 1;
        }
    }
    assert_eq!(patients, 12);
}

#[test]
fn every_patient_bundle_gives_the_resources_that_its_manifest_counts() {
    for_each_patient(|entry, _, bundle| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for resource in bundle.resources() {
            *counts
                .entry(resource.resource_type().as_str().to_owned())
                .or_default() += 1;
        }
        let expected: BTreeMap<String, usize> =
            serde_json::from_value(entry["resources"].clone()).unwrap();
        assert_eq!(counts, expected);
        assert_eq!(
            bundle.resources().len() as u64,
            entry["entries"].as_u64().unwrap()
        );
        assert!(bundle.duplicates().is_empty());
        let administrative = count(entry, "Organization") + count(entry, "Practitioner");
        assert_eq!(
            bundle.clinical().count(),
            bundle.resources().len() - administrative
        );
        assert!(matches!(bundle.patient(), Patient::Entry(_)));
    });
}

#[test]
fn each_resource_is_a_slice_of_the_file_and_its_own_json() {
    for_each_patient(|_, bytes, bundle| {
        let file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        for resource in bundle.resources() {
            assert!(bytes.as_ptr_range().contains(&resource.raw().as_ptr()));
            let alone: serde_json::Value = serde_json::from_slice(resource.raw()).unwrap();
            assert_eq!(
                alone,
                file["entry"][resource.path().indices()[0]]["resource"]
            );
        }
    });
}

#[test]
fn every_record_of_a_patient_has_a_time_an_encounter_and_a_class() {
    for_each_patient(|_, _, bundle| {
        for resource in bundle.clinical() {
            let labels = resource.labels().unwrap();
            assert!(Class::ALL.contains(&labels.class));
            match resource.resource_type().as_str() {
                // Synthea's Goals name neither, its Patients no time.
                "Goal" | "Patient" => {}
                resource_type => {
                    assert!(labels.authored.is_some(), "{resource_type}");
                    let years = 1900..2100;
                    let year = labels.authored.unwrap().as_millis() / 31_556_952_000 + 1970;
                    assert!(years.contains(&year), "{resource_type}: {year}");
                    let has_none = ["Claim", "ExplanationOfBenefit"].contains(&resource_type);
                    assert!(labels.encounter.is_some() || has_none, "{resource_type}");
                }
            }
        }
    });
}

#[test]
fn observations_are_filed_by_their_category() {
    let Some(fhir) = fhir() else { return };
    let bytes = read(&fhir.join("synthea-r4/Matt_Runte_789349c8-a36b-4d3d-9a1a-c04ba3bb6c45.json"));
    let bundle = Bundle::parse(&bytes).unwrap();
    let count = |class| {
        bundle
            .clinical()
            .filter(|r| r.labels().unwrap().class == class)
            .count()
    };
    let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let stated = |category: &str| {
        let category = serde_json::Value::from(category);
        file["entry"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["resource"]["category"][0]["coding"][0]["code"] == category)
            .count()
    };
    assert!(stated("laboratory") > 50);
    assert_eq!(
        count(Class::LABORATORY),
        stated("laboratory") + stated("LAB")
    );
    assert_eq!(count(Class::VITAL_SIGNS), stated("vital-signs"));
    assert_eq!(count(Class::OBSERVATION), 0);
}

#[test]
fn sensitive_patients_are_tagged_and_the_others_are_not() {
    for_each_patient(|entry, _, bundle| {
        let tagged = |tag| {
            bundle
                .clinical()
                .filter(|r| r.labels().unwrap().tags.contains(&tag))
                .count()
        };
        let counts = Tag::ALL.map(tagged);
        // PSY, SUD, HIV, SDV, GDIS; counted by a search of the files for the table's codes.
        let expected = match entry["why"][0].as_str().unwrap() {
            "HIV" => [3, 0, 3, 0, 0],
            "opioid" => [0, 19, 0, 0, 0],
            "psy" => [3, 0, 0, 0, 0],
            "alcohol" => [0, 4, 0, 0, 0],
            _ => [0; 5],
        };
        assert_eq!(counts, expected, "{}", entry["why"]);
        for resource in bundle.clinical() {
            let labels = resource.labels().unwrap();
            let expected = if labels.tags.is_empty() {
                Confidentiality::N
            } else {
                Confidentiality::R
            };
            assert_eq!(labels.confidentiality, expected);
        }
    });
}

#[test]
fn bundles_without_a_patient_are_refused_as_that() {
    let Some(fhir) = fhir() else { return };
    for entry in manifest(&fhir) {
        if count(&entry, "Patient") == 0 {
            let bytes = read(
                &fhir
                    .join("synthea-r4")
                    .join(entry["file"].as_str().unwrap()),
            );
            assert_eq!(Bundle::parse(&bytes).unwrap_err(), BundleError::NoPatient);
        }
    }
}

fn hl7_nested() -> Option<Vec<u8>> {
    let file = "hl7-r4-examples/Bundle-72ac8493-52ac-41bd-8d5d-7258c289b5ea.json";
    Some(read(&fhir()?.join(file)))
}

#[test]
fn hl7s_bundle_of_bundles_is_refused_because_it_means_ten_patients() {
    let Some(bytes) = hl7_nested() else { return };
    let error = Bundle::parse(&bytes).unwrap_err();
    assert!(
        matches!(error, BundleError::ManyPatientsInBundles { count: 10, .. }),
        "{error}"
    );
    let message = error.to_string();
    assert!(message.starts_with("bundles within a bundle that mean 10 patients: entry "));
    assert!(message.contains(" → entry "), "{message}");
}

#[test]
fn the_same_bundle_of_bundles_is_taken_apart_once_it_means_one_patient() {
    let Some(bytes) = hl7_nested() else { return };
    let mut text = String::from_utf8(bytes).unwrap();
    for other in 2..=10 {
        text = text.replace(&format!("\"Patient/{other}\""), "\"Patient/1\"");
    }
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    assert_eq!(bundle.clinical().count(), 382);
    assert_eq!(
        bundle.patient().reference().unwrap(),
        "https://example.com/base/Patient/1"
    );
    let last = bundle.resources().last().unwrap();
    assert_eq!(last.path().to_string(), "entry 16 → entry 1");
}

#[test]
fn hl7s_single_resources_are_refused_as_bundles_and_read_alone() {
    let Some(fhir) = fhir() else { return };
    let mut read_alone = 0;
    for folder in [
        "hl7-r4-examples",
        "hl7-r4-examples/misc",
        "hl7-r4-examples/terminology",
        "ihe-pcf-consents",
    ] {
        for file in std::fs::read_dir(fhir.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json")
                || path.to_string_lossy().contains("/Bundle-")
            {
                continue;
            }
            let bytes = read(&path);
            let error = Bundle::parse(&bytes).unwrap_err();
            assert!(matches!(error, BundleError::NotABundle { .. }), "{error}");
            let resource = Resource::parse(&bytes).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            assert_eq!(resource.raw(), bytes.trim_ascii());
            assert!(!resource.summary().is_empty());
            read_alone += 1;
        }
    }
    assert!(read_alone > 60, "{read_alone}");
}
