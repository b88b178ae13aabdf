//! An emergency, and all that people do, while a node hangs: it keeps its connections, and answers nobody. And an emergency
//! while one is down, and another one lies.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chartseal::{
    Ask, Class, Clinician, Document, Network, Offer, OpenedRecord, Options, Patient, Purpose,
    RecordId, TrustPolicy, Verdict, verify,
};
use chartseal_api::{ReleaseAsk, Releases};
use chartseal_cluster::{Cluster, Serves};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::{HeldShare, RequestId, release};
use chartseal_vault::{FileSecretStore, SecretStore as _, ShareKey};

use crate::lies::{Deed, in_front_of};
use crate::parts::people;
use crate::service::{copied, genesis, keys_of, made_of, remote, serving};

/// How long the client waits for a node that takes a question and says nothing, and for what the network does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who may break the glass, and a patient whose allergies nobody may read otherwise.
fn people_of_an_emergency(
    network: &mut Network,
    allergies: &[&[u8]],
) -> (Clinician, Patient, Vec<RecordId>) {
    let (mut author, _, mut patient) = people(network);
    let hospital = network.organizations()[0];
    let doctor = network.enrol_practitioner(&hospital, &["physician", "emergency"]);
    let documents = allergies.iter();
    let documents = documents.map(|it| Document::new(Class::ALLERGY, "text/plain", it));
    let documents: Vec<_> = documents.collect();
    let kit = patient.filing_kit();
    let filed = author.file(network, &kit, &documents, |_| ()).unwrap();
    patient.restrict(network, &[Class::ALLERGY], &[]).unwrap();
    // An emergency role counts only some time after a second organization agreed to it.
    let delay = network.head().unwrap().params().emergency_role_delay_ms;
    thread::sleep(Duration::from_millis(delay));
    let records = filed.iter().map(|filed| filed.record).collect();
    (doctor.unwrap(), patient, records)
}

#[test]
fn an_emergency_waits_for_no_node_that_hangs() {
    let mut cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let contents = [&b"penicillin"[..], b"latex", b"nuts"];
    let (mut doctor, patient, records) = people_of_an_emergency(&mut network, &contents);

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

/// A custodian's shares as it gives them if it lies: from its disk, and each another one.
fn lies_of(cluster: &mut Cluster, number: usize) -> Vec<HeldShare> {
    let (config, taken) = (cluster.config(number), tempfile::tempdir().unwrap());
    let place = taken.path().join("shares");
    cluster.kill(number);
    copied(&config.directory.join("shares"), &place);
    cluster.start(number);
    let keys = keys_of(cluster, number);
    let shares = FileSecretStore::<ShareKey>::open(place, &keys.store).unwrap();
    let held = shares.keys().unwrap().into_iter().map(|key| {
        let share = shares.get(&key).unwrap().unwrap();
        HeldShare::from_storage_bytes(share.expose()).unwrap()
    });
    held.map(HeldShare::lying).collect()
}

/// One node down or one lying, of four; one down and another lying, of seven.
#[test]
fn an_emergency_opens_while_one_node_is_down_and_another_lies() {
    for (validators, down, liar) in [
        (4, Some(1), None),
        (4, None, Some(2)),
        (7, Some(1), Some(2)),
    ] {
        let mut cluster = made_of(validators, Serves::Plain);
        cluster.up();
        let mut hospital = Network::connect(&cluster.place()).unwrap();
        let (mut doctor, patient, records) =
            people_of_an_emergency(&mut hospital, &[b"penicillin"]);
        let lies = liar.map(|number| Arc::new(lies_of(&mut cluster, number)));
        if let Some(down) = down {
            cluster.kill(down);
        }
        let nodes = (0..validators).map(|number| match &lies {
            Some(lies) if liar == Some(number) => {
                let lies = Arc::clone(lies);
                in_front_of(&cluster, number, move |line, body| {
                    if !line.starts_with("POST /v1/releases") {
                        return Deed::Pass;
                    }
                    // Before anybody else, and without a receipt.
                    let ask: ReleaseAsk = from_bytes(body).unwrap();
                    let (request, held) =
                        (RequestId(ask.request.0), lies.iter().collect::<Vec<_>>());
                    let releases = vec![release(&held, request, &ask.reader).unwrap()];
                    Deed::Answer(200, to_bytes(&Releases { releases }))
                })
            }
            _ => remote(&cluster, number),
        });
        let mut network = Network::follow(genesis(&cluster), nodes.collect()).unwrap();
        let begun = Instant::now();
        doctor
            .declare_emergency(&mut network, patient.id(), "er", "unconscious")
            .unwrap();
        let ask = Ask::read(patient.id(), &records, Purpose::Btg);
        let opening = doctor.read(&mut network, &ask).unwrap();
        assert_eq!(opening.records[0].content(), b"penicillin");
        let named: Vec<_> = opening.liars.iter().map(|(org, _)| *org).collect();
        let expected: Vec<_> = liar
            .map(|it| remote(&cluster, it).org())
            .into_iter()
            .collect();
        assert_eq!(named, expected, "of {validators}");
        // Shares without a receipt hold nobody up.
        let took = begun.elapsed();
        assert!(took < PATIENCE, "of {validators}: {took:?}");
        cluster.down();
    }
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
