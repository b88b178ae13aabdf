//! A release is not signed: it counts for the custodian that sent it, or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use chartseal::{Ask, Class, Document, Network, Offer, Purpose};
use chartseal_node::Clock;
use chartseal_wire::Time;

#[test]
fn a_release_that_names_another_custodian_than_its_sender_blames_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Time(1_772_442_000_000));
    let mut network = Network::create(dir.path(), clock.clone()).unwrap();
    let hospital = network.enrol_organization().unwrap();
    let mut author = network
        .enrol_practitioner(&hospital, &["physician"])
        .unwrap();
    let mut doctor = network
        .enrol_practitioner(&hospital, &["physician"])
        .unwrap();
    let mut patient = network.enrol_patient(&hospital).unwrap();
    let document = Document::new(Class::LABORATORY, "text/plain", b"a result");
    let kit = patient.filing_kit();
    let filed = author.file(&mut network, &kit, &[document], |_| ());
    let record = filed.unwrap()[0].record;
    let until = network.now().plus_ms(3_600_000);
    let offer = Offer::of(Class::LABORATORY, until);
    patient.grant(&mut network, &doctor, &offer).unwrap();
    drop(network);

    // The second custodian has got hold of the first one's shares, and gives them as if it were it.
    let shares = |node: &str| dir.path().join(node).join("shares/secrets.redb");
    fs::copy(shares("1"), shares("2")).unwrap();
    let mut network = Network::open(dir.path(), clock).unwrap();
    let records = [record];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let opening = doctor.read(&mut network, &ask).unwrap();
    assert_eq!(opening.records[0].content(), b"a result");
    assert!(opening.liars.is_empty(), "{:?}", opening.liars);
}
