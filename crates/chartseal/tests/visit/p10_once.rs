//! P10: one author never stores the same record twice for one patient.

use chartseal::{Class, Document, Error, RecordId};
use chartseal_consensus::Replica;
use chartseal_envelope::KeySeed;
use chartseal_ledger::{AdmissionError, Body};
use chartseal_wire::HeaderDigest;

use crate::fixture::*;

fn documents(texts: &[&'static str]) -> Vec<Document<'static>> {
    let document =
        |text: &&'static str| Document::new(Class::LABORATORY, "text/plain", text.as_bytes());
    texts.iter().map(document).collect()
}

/// What came of filing: the records, and whether each was new.
fn file(visit: &mut Visit, texts: &[&'static str]) -> (Vec<RecordId>, Vec<bool>) {
    let kit = visit.patient.filing_kit();
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &documents(texts), |_| ())
        .unwrap();
    let new = filed.iter().map(|filed| filed.header.is_some()).collect();
    (filed.iter().map(|filed| filed.record).collect(), new)
}

#[test]
fn p10_the_same_document_is_one_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut visit = Visit::in_dir(dir.path());
    // In one batch.
    let (first, new) = file(&mut visit, &["a", "b", "a"]);
    assert_eq!(new, [true, true, false]);
    assert_eq!(first[0], first[2]);
    assert_ne!(first[0], first[1]);
    // In a later batch.
    let (later, new) = file(&mut visit, &["c", "b", "a"]);
    assert_eq!(new, [true, false, false]);
    assert_eq!(later[1..], [first[1], first[0]]);
    // After a restart.
    let mut visit = visit.restarted(dir.path());
    let (after, new) = file(&mut visit, &["a", "b", "c"]);
    assert_eq!(
        (after, new),
        (vec![first[0], first[1], later[0]], vec![false; 3])
    );
    assert_eq!(visit.patient.records(&visit.network).unwrap().len(), 3);
}

#[test]
fn p10_another_authors_same_document_is_another_record() {
    let mut visit = Visit::new();
    let (own, _) = file(&mut visit, &["a"]);
    let kit = visit.patient.filing_kit();
    let filed = visit
        .doctor
        .file(&mut visit.network, &kit, &documents(&["a"]), |_| ())
        .unwrap();
    assert!(filed[0].header.is_some());
    assert_ne!(filed[0].record, own[0]);
    assert_eq!(visit.patient.records(&visit.network).unwrap().len(), 2);
}

#[test]
fn p10_another_patients_same_document_is_another_record() {
    let mut visit = Visit::new();
    let (own, _) = file(&mut visit, &["a"]);
    let hospital = visit.hospital;
    let other = visit.network.enrol_patient(&hospital).unwrap().filing_kit();
    let filed = visit
        .author
        .file(&mut visit.network, &other, &documents(&["a"]), |_| ())
        .unwrap();
    assert!(filed[0].header.is_some());
    assert_ne!(filed[0].record, own[0]);
}

#[test]
fn p10_the_ledger_itself_refuses_the_second() {
    let mut visit = Visit::new();
    let (own, _) = file(&mut visit, &["a"]);
    let height = visit.network.head().unwrap().height();
    let node = &visit.network.nodes()[0];
    let anchored = (0..=height).rev().find_map(|at| {
        let block = Replica::block(node, at).unwrap().unwrap();
        block
            .transactions
            .iter()
            .find_map(|transaction| match transaction.parse().unwrap().body {
                Body::RecordAdded(added) => Some(added),
                _ => None,
            })
    });
    // An author's program that does not look first.
    let mut body = anchored.unwrap();
    assert_eq!(body.record, own[0]);
    (body.record, body.header) = (RecordId([5; 16]), HeaderDigest([6; 32]));
    let again = signed(&visit.network, visit.author.person(), body);
    let refused = visit.network.submit(again, &[]);
    let expected = AdmissionError::DuplicateRecord { existing: own[0] };
    assert!(matches!(refused, Err(Error::Refused(why)) if why == expected));
}

#[test]
fn p10_an_author_who_comes_back_from_a_seed_still_stores_nothing_twice() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let seed = |person: &chartseal::Person| KeySeed::from_bytes(*person.seed().expose_bytes());
    let (author, patient) = (visit.author.id(), visit.patient.id());
    let (a, p) = (seed(visit.author.person()), seed(visit.patient.person()));
    visit.author = visit.network.clinician(author, a).unwrap();
    visit.patient = visit.network.patient(patient, p).unwrap();

    // The same fingerprint, the same labels, and a sequence that goes on.
    assert_eq!(visit.file_result("HbA1c 6.1 %"), record);
    visit.grant();
    assert_eq!(contents(&visit.read(&[record]).unwrap()), [b"HbA1c 6.1 %"]);

    let other = || KeySeed::from_bytes([7; 32]);
    assert!(matches!(
        visit.network.clinician(author, other()),
        Err(Error::NoPractitioner(_))
    ));
    assert!(matches!(
        visit.network.patient(patient, other()),
        Err(Error::NoPatient(_))
    ));
}
