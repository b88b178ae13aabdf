//! An emergency while a node hangs: it keeps its connections, and answers nobody.

use std::thread;
use std::time::{Duration, Instant};

use chartseal::{Ask, Class, Document, Network, OpenedRecord, Purpose};
use chartseal_cluster::Serves;

use crate::service::serving;

/// How long the client waits for a node that takes a question and says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_emergency_waits_for_no_node_that_hangs() {
    let mut cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let hospital = network.organizations()[0];
    let enrolled = network.enrol_practitioner(&hospital, &["physician"]);
    let mut author = enrolled.unwrap();
    let enrolled = network.enrol_practitioner(&hospital, &["physician", "emergency"]);
    let mut doctor = enrolled.unwrap();
    let mut patient = network.enrol_patient(&hospital).unwrap();
    let contents = [&b"penicillin"[..], b"latex", b"nuts"];
    let documents = contents.map(|it| Document::new(Class::ALLERGY, "text/plain", it));
    let kit = patient.filing_kit();
    let filed = author.file(&mut network, &kit, &documents, |_| ());
    let records: Vec<_> = filed.unwrap().iter().map(|filed| filed.record).collect();
    patient
        .restrict(&mut network, &[Class::ALLERGY], &[])
        .unwrap();

    // An emergency role counts only some time after a second organization agreed to it.
    let delay = network.head().unwrap().params().emergency_role_delay_ms;
    thread::sleep(Duration::from_millis(delay));

    // It is the first that is asked for everything: for blocks, for texts, for sealed records.
    cluster.stop(0);
    let begun = Instant::now();
    doctor
        .declare_emergency(&mut network, patient.id(), "er", "unconscious")
        .unwrap();
    let ask = Ask::read(patient.id(), &records, Purpose::Btg);
    let opening = doctor.read(&mut network, &ask).unwrap();
    // Nor does who comes only now.
    let mut another = Network::connect(&cluster.place()).unwrap();
    let mut content = Vec::new();
    let ask = Ask::read(patient.id(), &records[..1], Purpose::Btg);
    doctor
        .read_stream(&mut another, &ask, &mut content)
        .unwrap();
    let took = begun.elapsed();
    assert_eq!(content, contents[0]);
    let opened: Vec<_> = opening.records.iter().map(OpenedRecord::content).collect();
    assert_eq!(opened, contents);
    assert_eq!(opening.liars, []);
    // It still hangs, and nothing above waited for it to be given up.
    assert!(took < PATIENCE, "{took:?}");
    cluster.go_on(0);
    cluster.down();
}
