//! P6: a final block is never altered; an amendment is a new version that names the old one.

use chartseal::{Class, Document, Error, Options, verify};
use chartseal_consensus::Replica;
use chartseal_ledger::AdmissionError;
use chartseal_wire::{Event, HeaderDigest};

use crate::fixture::*;

#[test]
fn p6_an_amendment_names_what_it_replaces_and_the_old_log_is_a_prefix() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let before = visit.report();
    let height = visit.network.head().unwrap().height();
    let blocks = |visit: &Visit| -> Vec<Vec<Vec<u8>>> {
        let of_node = |node: &chartseal_node::Node| {
            let blocks = (0..=height).map(|at| Replica::block(node, at).unwrap().unwrap().bytes());
            blocks.collect()
        };
        visit.network.nodes().iter().map(of_node).collect()
    };
    let blocks_before = blocks(&visit);

    let old = visit.read(&[record]).unwrap().records.remove(0);
    let (kit, amended) = (visit.patient.filing_kit(), b"HbA1c 6.4 %, amended");
    let document = Document::new(Class::LABORATORY, "text/plain", amended);
    let filed = visit
        .author
        .amend(&mut visit.network, &kit, &old.header, &document)
        .unwrap();
    let header = filed.header.unwrap();
    assert_eq!(filed.record, record, "the record stays the same one");
    assert_eq!(header.version().number(), 2);
    assert_eq!(header.version().supersedes(), Some(old.header.digest()));

    // In the history, as proved: both versions, and the second names the first.
    let versions: Vec<_> = visit
        .history()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::RecordAdded(added) => Some((added.version, added.header, added.supersedes)),
            _ => None,
        })
        .collect();
    let (first, second) = (
        HeaderDigest(old.header.digest().0),
        HeaderDigest(header.digest().0),
    );
    assert_eq!(versions, [(1, first, None), (2, second, Some(first))]);
    // The reader gets the new one.
    let new = visit.read(&[record]).unwrap();
    assert_eq!(contents(&new), [amended]);
    assert_eq!(new.records[0].header, header);

    // The log that was verified before is where the new one begins, and no block of it has changed.
    let export = visit
        .patient
        .export(&visit.network, Some(&before.kept))
        .unwrap();
    let after = verify(
        &export,
        &visit.policy(),
        Some(&before.kept),
        &Options::default(),
    );
    let after = proved(after);
    assert!(after.log_size > before.log_size);
    assert_eq!(blocks(&visit), blocks_before);
    let listed = visit.patient.records(&visit.network).unwrap();
    assert_eq!((listed.len(), listed[0].version), (1, 2));
}

#[test]
fn p6_a_permit_on_the_old_version_opens_the_old_version() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let request = visit.request(&[record]);
    let old = visit.open(&request).unwrap().records.remove(0).header;
    let (kit, text) = (visit.patient.filing_kit(), b"HbA1c 6.4 %");
    let document = Document::new(Class::LABORATORY, "text/plain", text);
    visit
        .author
        .amend(&mut visit.network, &kit, &old, &document)
        .unwrap();
    assert_eq!(contents(&visit.open(&request).unwrap()), [b"HbA1c 6.1 %"]);
}

#[test]
fn p6_only_the_head_is_amended_and_only_by_the_authors_side() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let old = visit.read(&[record]).unwrap().records.remove(0).header;
    let kit = visit.patient.filing_kit();
    let document =
        |text: &'static str| Document::new(Class::LABORATORY, "text/plain", text.as_bytes());
    visit
        .author
        .amend(&mut visit.network, &kit, &old, &document("two"))
        .unwrap();
    let again = visit
        .author
        .amend(&mut visit.network, &kit, &old, &document("three"));
    let expected = AdmissionError::RecordVersion {
        expected: 3,
        found: 2,
    };
    assert!(matches!(again, Err(Error::Refused(why)) if why == expected));

    let clinic = visit.network.enrol_organization().unwrap();
    let mut stranger = visit
        .network
        .enrol_practitioner(&clinic, &["physician"])
        .unwrap();
    let head = visit.read(&[record]).unwrap().records.remove(0).header;
    let foreign = stranger.amend(&mut visit.network, &kit, &head, &document("four"));
    assert!(
        matches!(foreign, Err(Error::Refused(AdmissionError::Amender))),
        "{foreign:?}"
    );
    // A colleague may.
    visit
        .doctor
        .amend(&mut visit.network, &kit, &head, &document("five"))
        .unwrap();
    assert_eq!(contents(&visit.read(&[record]).unwrap()), [b"five"]);
}

#[test]
fn p6_an_amendment_lowers_no_confidentiality() {
    let mut visit = Visit::new();
    let kit = visit.patient.filing_kit();
    let mut document = Document::new(Class::LABORATORY, "text/plain", b"restricted");
    document.confidentiality = chartseal::Confidentiality::R;
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &[document], |_| ())
        .unwrap();
    let header = filed[0].header.clone().unwrap();
    let lower = Document::new(Class::LABORATORY, "text/plain", b"normal");
    let amended = visit
        .author
        .amend(&mut visit.network, &kit, &header, &lower);
    let refused = matches!(
        amended,
        Err(Error::Refused(AdmissionError::LowersConfidentiality))
    );
    assert!(refused, "{amended:?}");
}
