//! P8: the chain holds no PHI, no unsalted hash of it, no readable category; nor does any store.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chartseal::{Ask, Class, Document, Purpose, Tag};
use chartseal_fhir::{Bundle, Resource};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fixture::*;
use crate::leaks::{MIN, Search, files};

const BUNDLE: &[u8] = include_bytes!("../../../chartseal-cli/assets/demo-bundle.json");
const AMENDED: &[u8] = include_bytes!("../../../chartseal-cli/assets/amended-result.json");
const REASON: &str = "follow-up of a diabetes that nobody else shall know of";
const EMERGENCY: &str = "found unconscious at the station, sugar unknown";

/// Names, birth date, identifiers, codes, texts, references: every text of the bundle that is long
/// enough, but for FHIR's names of resource types.
fn look_for_bundle(search: &mut Search) -> usize {
    let bundle: Value = serde_json::from_slice(BUNDLE).unwrap();
    let mut count = 0;
    for entry in bundle["entry"].as_array().unwrap() {
        search.text("a full URL", entry["fullUrl"].as_str().unwrap());
        look_for_value(search, "", &entry["resource"], &mut count);
    }
    for resource in Bundle::parse(BUNDLE).unwrap().resources() {
        search.bytes("a whole resource", resource.raw());
    }
    count
}

fn look_for_value(search: &mut Search, key: &str, value: &Value, count: &mut usize) {
    match value {
        Value::String(text) if text.len() >= MIN && key != "resourceType" => {
            search.text(&format!("{key} {text:?}"), text);
            *count += 1;
        }
        Value::Array(items) => {
            for item in items {
                look_for_value(search, key, item, count);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                look_for_value(search, key, field, count);
            }
        }
        _ => {}
    }
}

fn look_for_categories(search: &mut Search) {
    // `patient` is a word of obligations too: `notify_patient`.
    let telling = |class: &&Class| class.as_str().len() >= MIN && **class != Class::PATIENT;
    for class in Class::ALL.iter().filter(telling) {
        search.text(&format!("class {class}"), class.as_str());
    }
    for class in Class::ALL {
        search.text(&format!("class {class}"), &format!("class/{class}"));
    }
    for tag in Tag::ALL {
        search.text(
            &format!("tag {}", tag.as_str()),
            &format!("tag/{}", tag.as_str()),
        );
    }
}

/// The demo's bundle, and everything that a visit does with it.
fn a_whole_visit(dir: &Path) -> Visit {
    let mut visit = Visit::in_dir(dir);
    let hospital = visit.hospital;
    let roles = ["physician", "emergency"];
    let mut emergency = visit.network.enrol_practitioner(&hospital, &roles).unwrap();
    visit.wait(DAY);
    let bundle = Bundle::parse(BUNDLE).unwrap();
    let documents: Vec<Document<'_>> = bundle.clinical().filter_map(Document::from_fhir).collect();
    let kit = visit.patient.filing_kit();
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &documents, |_| ())
        .unwrap();
    assert_eq!(filed.len(), bundle.clinical().count());

    let grant = visit.grant();
    let invited = visit.doctor.accept(&visit.network, &grant).unwrap();
    let patient = visit.patient.id();
    let ask = Ask::read(patient, &invited.records, Purpose::Treat).because("visit", REASON);
    let opening = visit.doctor.read(&mut visit.network, &ask).unwrap();
    for opened in &opening.records {
        let source = documents
            .iter()
            .filter(|document| document.content == opened.content());
        assert_eq!(source.count(), 1, "the bytes equal the source's");
    }
    visit
        .patient
        .restrict(&mut visit.network, &[Class::CONDITION], &[Tag::ALL[0]])
        .unwrap();
    visit
        .patient
        .revoke(&mut visit.network, grant.grant)
        .unwrap();
    assert!(visit.doctor.read(&mut visit.network, &ask).is_err());
    emergency
        .declare_emergency(&mut visit.network, patient, "unconscious", EMERGENCY)
        .unwrap();
    let all: Vec<_> = filed.iter().map(|filed| filed.record).collect();
    let ask = Ask::read(patient, &all, Purpose::Btg).because("unconscious", EMERGENCY);
    emergency.read(&mut visit.network, &ask).unwrap();
    let amended = Resource::parse(AMENDED).unwrap();
    let document = Document::from_fhir(&amended).unwrap();
    let old = opening.records.iter().find(|opened| {
        let resource = Resource::parse(opened.content()).unwrap();
        resource.id() == amended.id()
    });
    let old = &old.unwrap().header;
    visit
        .author
        .amend(&mut visit.network, &kit, old, &document)
        .unwrap();
    let erased = invited.records[0];
    visit.patient.erase(&mut visit.network, erased).unwrap();
    visit
}

#[test]
fn p8_no_byte_of_any_store_tells_who_or_what() {
    let dir = tempfile::tempdir().unwrap();
    let visit = a_whole_visit(dir.path());
    let mut search = Search::default();
    assert!(look_for_bundle(&mut search) > 500);
    look_for_categories(&mut search);
    search.text("a reason", REASON);
    search.text("a reason", EMERGENCY);
    search.bytes("the amended resource", AMENDED);
    let person = visit.patient.person();
    search.bytes("the patient's seed", person.seed().expose_bytes());

    // What the nodes keep, and what the patient takes away.
    let export = visit.patient.export(&visit.network, None).unwrap();
    let policy = visit.network.trust_policy();
    let found = search.in_bytes(export.as_bytes());
    assert!(found.is_empty(), "in the export: {found:?}");
    assert!(search.in_bytes(policy.as_bytes()).is_empty());
    let found = search.in_dir(dir.path());
    assert!(found.is_empty(), "{found:#?}");

    // The same search finds what is planted, in whatever form and file.
    let all = files(dir.path());
    let ledger = all
        .iter()
        .find(|file| file.ends_with("2/ledger.redb"))
        .unwrap();
    let side = all
        .iter()
        .find(|file| file.starts_with(dir.path().join("3/side")))
        .unwrap();
    let name = "Zoë Imaginaria Beispiel";
    drop(visit);
    let plants: [(&Path, Vec<u8>); 4] = [
        (ledger, Sha256::digest("Beispiel").to_vec()),
        (side, STANDARD.encode(format!("??{name}")).into()),
        (side, blake3::hash(AMENDED).to_hex().as_bytes().into()),
        (ledger, birth_date_in_hex()),
    ];
    for (file, leak) in plants {
        let before = std::fs::read(file).unwrap();
        std::fs::write(
            file,
            [
                &before[..before.len() / 2],
                &leak,
                &before[before.len() / 2..],
            ]
            .concat(),
        )
        .unwrap();
        assert!(!search.in_dir(dir.path()).is_empty(), "{leak:02x?}");
        std::fs::write(file, before).unwrap();
    }
}

/// The birth date that the bundle has, in hex.
fn birth_date_in_hex() -> Vec<u8> {
    let bundle: Value = serde_json::from_slice(BUNDLE).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    let date = entries
        .iter()
        .find_map(|entry| entry["resource"]["birthDate"].as_str())
        .unwrap();
    date.bytes()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}

#[test]
fn p8_every_record_bears_as_many_labels_whatever_it_is() {
    let mut visit = Visit::new();
    let bundle = Bundle::parse(BUNDLE).unwrap();
    let documents: Vec<Document<'_>> = bundle.clinical().filter_map(Document::from_fhir).collect();
    assert!(documents.iter().any(|document| !document.tags.is_empty()));
    let kit = visit.patient.filing_kit();
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &documents, |_| ())
        .unwrap();
    let state = visit.network.head().unwrap().state();
    for filed in filed {
        let labels = state.record(&filed.record).unwrap().labels;
        assert_eq!(labels.as_slice().len(), chartseal_ledger::Labels::COUNT);
    }
}

#[test]
fn p8_two_patients_with_the_same_record_have_nothing_in_common_on_the_chain() {
    let mut visit = Visit::new();
    let hospital = visit.hospital;
    let twin = visit.network.enrol_patient(&hospital).unwrap();
    let document = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let mut file = |patient: &chartseal::Patient| {
        let kit = patient.filing_kit();
        let documents = [document.clone()];
        let filed = visit
            .author
            .file(&mut visit.network, &kit, &documents, |_| ())
            .unwrap();
        let state = visit.network.head().unwrap().state();
        state.record(&filed[0].record).unwrap()
    };
    let (one, two) = (file(&visit.patient), file(&twin));
    assert_ne!(one.header, two.header);
    assert_ne!(one.body, two.body);
    let (one, two) = (one.labels, two.labels);
    assert!(
        one.as_slice()
            .iter()
            .all(|label| !two.as_slice().contains(label))
    );
}
