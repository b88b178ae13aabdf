//! P1: content is readable only by holders of its key; nodes, stores and chain hold ciphertext.

use chartseal::{Ask, Class, Document, Error, Obligation, Offer, Purpose, Tag};
use chartseal_envelope::{CombineError, Dealing, KemKeyPair, ShareFault, combine};
use chartseal_ledger::body::AccessRequested;
use chartseal_wire::history::Token;
use chartseal_wire::{Hash, RequestId};

use crate::fixture::*;
use crate::leaks::Search;

#[test]
fn p1_a_read_gives_the_source_byte_for_byte() {
    let mut visit = Visit::new();
    let text = "{\"value\": 1.10,\r\n \"at\": \"+00:00\"}\u{0} \t";
    let record = visit.file_result(text);
    visit.grant();
    let opening = visit.read(&[record]).unwrap();
    assert_eq!(contents(&opening), [text.as_bytes()]);
    let opened = &opening.records[0];
    assert_eq!(opened.media_type(), "text/plain");
    assert_eq!(opened.filing().unwrap().class, Class::LABORATORY);
    assert_eq!(opened.author, visit.author.id());
    assert!(opening.liars.is_empty());
}

#[test]
fn p1_the_folders_of_all_nodes_hold_ciphertext_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut visit = Visit::in_dir(dir.path());
    let content = "Hemoglobin A1c 6.10 %, and a sentence that nobody else writes";
    let record = visit.file_result(content);
    visit.grant();
    visit.read(&[record]).unwrap();
    let mut search = Search::default();
    search.text("the content", content);
    search.bytes(
        "the patient's seed",
        visit.patient.person().seed().expose_bytes(),
    );
    search.bytes(
        "the doctor's seed",
        visit.doctor.person().seed().expose_bytes(),
    );
    let content = content.as_bytes();
    for (at, part) in content.chunks_exact(16).enumerate() {
        search.bytes(&format!("part {at} of the content"), part);
    }
    assert_eq!(search.in_dir(dir.path()), []);
}

#[test]
fn p1_a_strangers_key_opens_nothing_of_what_custodians_release_to_another() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let reader = KemKeyPair::generate().unwrap();
    let body = AccessRequested {
        patient: visit.patient.id(),
        records: vec![record],
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    };
    let request = signed(&visit.network, visit.doctor.person(), body);
    let request = visit.network.submit(request, &[]).unwrap();
    let envelope = visit.network.nodes()[0]
        .envelope(&request, &record)
        .unwrap();
    let dealing = Dealing::initial(&envelope.front.header);
    let given = visit.network.releases(&request, reader.public_key());
    let given = given.unwrap().into_iter();
    let releases: Vec<_> = given.flat_map(|(_, given)| given.unwrap()).collect();
    let open = |key: &KemKeyPair, request: RequestId, count: usize| {
        let request = chartseal_envelope::RequestId(request.0);
        combine(key, request, &dealing, &releases[..count])
    };

    let shortage = |result| match result {
        Err(CombineError::NotEnough(shortage)) => shortage,
        other => panic!("{other:?}"),
    };
    let stranger = KemKeyPair::generate().unwrap();
    let nothing = shortage(open(&stranger, request, 4));
    assert_eq!((nothing.have, nothing.need), (0, 3));
    assert!(
        nothing
            .faults
            .iter()
            .all(|fault| fault.why == ShareFault::Recipient)
    );
    // The doctor's and the patient's own keys are of no use either: the key is the request's.
    let own = visit
        .doctor
        .person()
        .seed()
        .kem_key(chartseal_envelope::Suite::XWing);
    assert_eq!(shortage(open(&own, request, 4)).have, 0);
    // For another request the same releases are of no use to the same reader.
    let other = shortage(open(&reader, chartseal_wire::TxId([7; 32]), 4));
    assert!(
        other
            .faults
            .iter()
            .all(|fault| fault.why == ShareFault::Request)
    );
    // And fewer than the threshold give nothing to anybody.
    let two = shortage(open(&reader, request, 2));
    assert_eq!((two.have, two.need, two.missing.len()), (2, 3, 2));
    assert!(open(&reader, request, 3).is_ok());
}

#[test]
fn p1_an_invitation_is_for_its_grantee_alone() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.file(Class::CONDITION, "a diagnosis");
    let grant = visit.grant();
    let invited = visit.doctor.accept(&visit.network, &grant).unwrap();
    assert_eq!(invited.patient, visit.patient.id());
    assert_eq!(invited.records, [record], "only what was granted");
    assert!(invited.labels.of_class(Class::CONDITION).is_none());
    let other = visit.author.accept(&visit.network, &grant);
    assert!(matches!(other, Err(Error::Text(_))), "{other:?}");
}

#[test]
fn p1_somebody_without_a_grant_is_denied_and_opens_nothing() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let records = [record];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Treat);
    let hospital = visit.hospital;
    let mut stranger = visit
        .network
        .enrol_practitioner(&hospital, &["physician"])
        .unwrap();
    for someone in [&mut stranger, &mut visit.author] {
        let request = someone.request(&mut visit.network, &ask).unwrap();
        assert!(request.permitted().is_empty());
        let opened = someone.open(&mut visit.network, &request);
        assert!(matches!(opened, Err(Error::Denied(id)) if id == request.id()));
    }
    assert!(visit.read(&[record]).is_ok());
}

#[test]
fn p1_what_goes_with_a_substance_use_record_is_attached_when_it_is_opened() {
    let mut visit = Visit::new();
    let mut document = Document::new(Class::CONDITION, "text/plain", b"opioid use disorder");
    document.tags = vec![Tag::Sud];
    let kit = visit.patient.filing_kit();
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &[document], |_| ())
        .unwrap();
    let mut offer = Offer::of(Class::CONDITION, visit.network.now().plus_ms(60_000));
    offer.tags = vec![Tag::Sud];
    visit
        .patient
        .grant(&mut visit.network, &visit.doctor, &offer)
        .unwrap();
    let opening = visit.read(&[filed[0].record]).unwrap();
    let expected = [Obligation::AttachPart2Notice, Obligation::AttachConsentCopy];
    assert_eq!(opening.records[0].obligations(), expected);

    let plain = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    assert_eq!(visit.read(&[plain]).unwrap().records[0].obligations(), []);
}
