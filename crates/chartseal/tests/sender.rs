//! A release is not signed: it counts for the custodian that sent it, or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use chartseal::{Ask, Class, Document, Network, Offer, Purpose};
use chartseal_node::{Clock, NodeKeys};
use chartseal_vault::{FileSecretStore, SecretStore as _, ShareKey};
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
    let shares = |node: &str| {
        let place = dir.path().join(node);
        let keys = fs::read(place.join("node.keys")).unwrap();
        let key = NodeKeys::from_secret_bytes(&keys).unwrap().store;
        FileSecretStore::<ShareKey>::open(place.join("shares"), &key).unwrap()
    };
    let first = shares("1");
    fs::remove_dir_all(dir.path().join("2/shares")).unwrap();
    let second = shares("2");
    for key in first.keys().unwrap() {
        let share = first.get(&key).unwrap().unwrap();
        second.put_batch(&[(key, share.expose())]).unwrap();
    }
    drop((first, second));
    let mut network = Network::open(dir.path(), clock).unwrap();
    let records = [record];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let opening = doctor.read(&mut network, &ask).unwrap();
    assert_eq!(opening.records[0].content(), b"a result");
    assert!(opening.liars.is_empty(), "{:?}", opening.liars);
}
