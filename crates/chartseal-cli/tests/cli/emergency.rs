//! An emergency, and all that people do, while a node hangs: it keeps its connections, and answers nobody.

use std::thread;
use std::time::{Duration, Instant};

use chartseal::{
    Ask, Class, Document, Network, Offer, OpenedRecord, Options, Purpose, TrustPolicy, Verdict,
    verify,
};
use chartseal_cluster::Serves;

use crate::parts::people;
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

/// Nor does anything else that people do, from the enrolment to the erasure. What the node that hangs has to do itself, to take
/// a share and to destroy it, is waited for for ten seconds, not until it is given up.
#[test]
fn no_verb_waits_for_a_node_that_hangs() {
    let mut cluster = serving(Serves::Encrypted);
    cluster.stop(0);
    let begun = Instant::now();
    let mut network = Network::connect_light(&cluster.place()).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut network);
    let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let kit = patient.filing_kit();
    let filed = author.file(&mut network, &kit, &[result], |_| ()).unwrap();
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    let grant = patient.grant(&mut network, &doctor, &offer).unwrap();
    let invited = doctor.accept(&network, &grant).unwrap();
    let ask = Ask::read(patient.id(), &invited.records, Purpose::Treat);
    let opening = doctor.read(&mut network, &ask).unwrap();
    assert_eq!(opening.records[0].content(), b"HbA1c 6.1 %");
    patient.revoke(&mut network, grant.grant).unwrap();

    assert_eq!(patient.records(&network).unwrap().len(), 1);
    let entries = patient.history(&network).unwrap().len();
    let watched = patient.watch(&network, 0).unwrap();
    assert_eq!(watched.take(entries).flatten().count(), entries);
    for (export, policy) in [
        (patient.export(&network, None), network.trust_policy()),
        (
            patient.export_certified(&network, None),
            network.committee_policy(),
        ),
    ] {
        let policy = TrustPolicy::parse(&policy).unwrap();
        let verdict = verify(&export.unwrap(), &policy, None, &Options::default());
        assert!(matches!(verdict, Verdict::Proved(_)), "{verdict}");
    }
    patient.erase(&mut network, filed[0].record).unwrap();
    let destroyed = network.read(|state| state.record(&filed[0].record).unwrap().destroyed);
    assert_eq!(destroyed.unwrap().count_ones(), 3, "of the three that run");
    let took = begun.elapsed();
    assert!(took < PATIENCE, "{took:?}");
    // When it goes on it is given what it has not got.
    cluster.go_on(0);
    while author.deliver(&mut network).unwrap() > 0 {
        thread::sleep(Duration::from_millis(100));
    }
    cluster.down();
}
