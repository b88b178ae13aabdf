//! An app that executes no block: it asks nodes for what it needs, and believes what the committee certified. Nodes lie to
//! it, drop what it hands in, and keep back what is new.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use chartseal::{
    Action, Ask, Class, Document, KeySeed, Network, Offer, Purpose, TrustPolicy, Verdict, verify,
};
use chartseal_api::{StateProof, TxOutcome};
use chartseal_cluster::Serves;
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::PatientId;

use crate::lies::{Deed, in_front_of};
use crate::parts::people;
use crate::schema;
use crate::service::{genesis, remote, serving};
use crate::support::run;

/// The same seed once more, as a keystore would give it.
fn again(seed: &KeySeed) -> KeySeed {
    KeySeed::from_bytes(*seed.expose_bytes())
}

#[test]
fn the_whole_visit_is_held_by_who_executes_no_block() {
    let cluster = serving(Serves::Encrypted);
    let dir = cluster.place();
    let ran = run([
        "demo",
        "--json",
        "--light",
        "--network",
        dir.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let report = ran.json();
    let promises = report["promises"].as_object().unwrap();
    for promise in ["P1", "P2", "P3", "P4", "P5", "P6", "P8", "P9", "P10"] {
        assert_eq!(promises[promise]["held"], true, "{promise}: {promises:?}");
    }
    assert_eq!(report["records"], 48);
    assert_eq!(report["verdict"]["result"], "proved");
    assert!(report["sizes"]["chain"].is_null(), "no chain is here");
    let schema = schema::read("demo.schema.json");
    assert_eq!(schema::faults(&schema, &report), Vec::<String>::new());
}

/// Of four nodes one lies about the state, one repeats itself, and one is down: what they are asked for comes from the fourth.
#[test]
fn one_honest_node_is_enough_to_file_grant_read_and_revoke_without_the_chain() {
    let mut cluster = serving(Serves::Plain);
    let mut hospital = Network::connect_light(&cluster.place()).unwrap();
    let (author, doctor, patient) = people(&mut hospital);

    // A state in which each value is another one, and everything that was asked for is there.
    let lies = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lies);
    let liar = in_front_of(&cluster, 0, move |line, _| {
        if !line.starts_with("POST /v1/state") {
            return Deed::Pass;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        Deed::Change(Box::new(|answer| {
            let mut proof: StateProof = from_bytes(&answer).unwrap();
            for proved in &mut proof.values {
                let value = proved.value.get_or_insert_with(|| vec![0x80].into());
                if let Some(byte) = value.0.last_mut() {
                    *byte ^= 1;
                }
            }
            to_bytes(&proof)
        }))
    });
    // What was true once, again and again.
    let first: Arc<OnceLock<Vec<u8>>> = Arc::default();
    let repeater = in_front_of(&cluster, 1, move |line, _| {
        let first = Arc::clone(&first);
        if line.starts_with("POST /v1/state") {
            Deed::Change(Box::new(move |answer| first.get_or_init(|| answer).clone()))
        } else {
            Deed::Pass
        }
    });
    let nodes = vec![liar, repeater, remote(&cluster, 2), remote(&cluster, 3)];
    cluster.kill(2);
    // Others keep the chain busy: no two questions meet the same block.
    let is_done = Arc::new(AtomicBool::new(false));
    let others = thread::spawn({
        let (place, is_done) = (cluster.place(), Arc::clone(&is_done));
        move || {
            let mut network = Network::connect(&place).unwrap();
            let org = network.organizations()[0];
            while !is_done.load(Ordering::Relaxed) {
                network.enrol_patient(&org).unwrap();
            }
        }
    });
    let mut network = Network::light(genesis(&cluster), nodes).unwrap();
    let mut author = network
        .clinician(author.id(), again(author.person().seed()))
        .unwrap();
    let mut doctor = network
        .clinician(doctor.id(), again(doctor.person().seed()))
        .unwrap();
    let mut patient = network
        .patient(patient.id(), again(patient.person().seed()))
        .unwrap();

    let contents: Vec<String> = (0..80).map(|at| format!("result {at}")).collect();
    let documents = contents.iter();
    let documents =
        documents.map(|it| Document::new(Class::LABORATORY, "text/plain", it.as_bytes()));
    let documents: Vec<Document<'_>> = documents.collect();
    let kit = patient.filing_kit();
    let filed = author.file(&mut network, &kit, &documents, |_| ()).unwrap();
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    let grant = patient.grant(&mut network, &doctor, &offer).unwrap();
    let invited = doctor.accept(&network, &grant).unwrap();
    assert_eq!(invited.records.len(), filed.len());
    let ask = Ask::read(patient.id(), &invited.records, Purpose::Treat);
    let opening = doctor.read(&mut network, &ask).unwrap();
    let mut opened: Vec<&[u8]> = opening
        .records
        .iter()
        .map(chartseal::OpenedRecord::content)
        .collect();
    opened.sort_unstable();
    let mut expected: Vec<&[u8]> = contents.iter().map(String::as_bytes).collect();
    expected.sort_unstable();
    assert_eq!(opened, expected);

    patient.revoke(&mut network, grant.grant).unwrap();
    let denied = doctor.request(&mut network, &ask).unwrap();
    assert!(denied.permitted().is_empty());
    assert_eq!(patient.records(&network).unwrap().len(), filed.len());
    let export = patient.export_certified(&network, None).unwrap();
    let policy = TrustPolicy::parse(&network.committee_policy()).unwrap();
    let verdict = verify(&export, &policy, None, &chartseal::Options::default());
    let Verdict::Proved(report) = verdict else {
        panic!("{verdict}");
    };
    let history = &report.histories[0];
    assert_eq!((history.permitted, history.denied), (1, 1));
    assert!(lies.load(Ordering::Relaxed) > 0, "the liar was asked");
    is_done.store(true, Ordering::Relaxed);
    others.join().unwrap();
    assert!(network.head().is_err(), "there is no whole state here");
    let nobody = PatientId([0xee; 16]);
    let ask = Ask {
        action: Action::Read,
        ..Ask::read(nobody, &invited.records, Purpose::Treat)
    };
    assert!(doctor.request(&mut network, &ask).is_err());
}

/// Who takes a transaction and keeps it, and says that it is final, is found out by both kinds of app: another node gets it.
#[test]
fn nodes_that_drop_what_they_took_and_say_that_it_is_final_hold_nobody_up() {
    let cluster = serving(Serves::Plain);
    let mut hospital = Network::connect(&cluster.place()).unwrap();
    let org = hospital.organizations()[0];
    let patient = hospital.enrol_patient(&org).unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let liar = |number| {
        let counted = Arc::clone(&dropped);
        in_front_of(&cluster, number, move |line, _| {
            if line.starts_with("POST /v1/transactions ") {
                counted.fetch_add(1, Ordering::Relaxed);
                return Deed::Answer(202, Vec::new());
            }
            if line.starts_with("GET /v1/transactions/") && !line.contains("/proof") {
                return Deed::Answer(200, to_bytes(&TxOutcome::Final(1)));
            }
            Deed::Pass
        })
    };
    let nodes = [remote(&cluster, 0), liar(1), liar(2)];
    for is_light in [false, true] {
        let (genesis, nodes) = (genesis(&cluster), nodes.to_vec());
        let network = if is_light {
            Network::light(genesis, nodes)
        } else {
            Network::follow(genesis, nodes)
        };
        let mut network = network.unwrap();
        let seed = again(patient.person().seed());
        let mut patient = network.patient(patient.id(), seed).unwrap();
        let before = dropped.load(Ordering::Relaxed);
        // Who is asked first goes round: sooner or later it is a liar.
        for round in 0.. {
            let directive = patient.restrict(&mut network, &[Class::MEDICATION], &[]);
            let directive = directive.unwrap();
            let honest =
                Network::light(crate::service::genesis(&cluster), vec![remote(&cluster, 0)])
                    .unwrap();
            let is_there = honest.read(|state| state.directive(&directive).is_some());
            assert!(is_there.unwrap(), "light: {is_light}");
            if dropped.load(Ordering::Relaxed) > before {
                break;
            }
            assert!(round < 9, "no liar was asked, light: {is_light}");
            // An idle app looks for news first, and asks the next one.
            thread::sleep(Duration::from_secs(3));
        }
    }
}

/// A node says how it signs checkpoints. What else it says there is not in the policy that a patient is given.
#[test]
fn a_node_writes_no_line_into_the_trust_policy() {
    let cluster = serving(Serves::Plain);
    let honest = Network::connect(&cluster.place()).unwrap();
    let own = remote(&cluster, 0).log_key().unwrap();
    let others = remote(&cluster, 1).log_key().unwrap();
    let (name, _) = own.split_once('+').unwrap();
    let says = [
        format!("{own}\nwitness mallory {own}"),
        format!("{own} x"),
        own.replacen(name, "another.example/log", 1),
        others,
        String::new(),
    ];
    for said in says {
        let bytes = said.clone().into_bytes();
        let liar = in_front_of(&cluster, 0, move |line, _| {
            if line.starts_with("GET /v1/log-key") {
                Deed::Answer(200, bytes.clone())
            } else {
                Deed::Pass
            }
        });
        let nodes = [
            liar,
            remote(&cluster, 1),
            remote(&cluster, 2),
            remote(&cluster, 3),
        ];
        for network in [
            Network::follow(genesis(&cluster), nodes.to_vec()).unwrap(),
            Network::light(genesis(&cluster), nodes.to_vec()).unwrap(),
        ] {
            for (given, honest) in [
                (network.trust_policy(), honest.trust_policy()),
                (network.committee_policy(), honest.committee_policy()),
            ] {
                assert!(TrustPolicy::parse(&given).is_ok(), "{said:?}: {given}");
                let known: Vec<&str> = honest.lines().collect();
                assert!(
                    given.lines().all(|line| known.contains(&line)),
                    "{said:?}: {given}"
                );
                let has = |line: &&str| line.starts_with("log ");
                assert!(given.lines().filter(has).count() >= 2, "{said:?}: {given}");
            }
            assert_eq!(network.read(|state| state.committee().epoch()).unwrap(), 0);
        }
    }
}

/// An app that was left alone knows nothing of what became final meanwhile until it asks, and acts by what is new.
#[test]
fn an_app_that_was_idle_learns_what_is_new_before_it_acts() {
    let cluster = serving(Serves::Plain);
    let mut hospital = Network::connect(&cluster.place()).unwrap();
    let org = hospital.organizations()[0];
    let patient = hospital.enrol_patient(&org).unwrap();
    for is_light in [false, true] {
        let nodes = [0, 1, 2, 3].map(|number| remote(&cluster, number)).to_vec();
        let network = if is_light {
            Network::light(genesis(&cluster), nodes)
        } else {
            Network::follow(genesis(&cluster), nodes)
        };
        let mut idle = network.unwrap();
        let seed = again(patient.person().seed());
        let mut patient = idle.patient(patient.id(), seed).unwrap();
        let before = idle.tip().unwrap().height;
        let other = hospital.enrol_patient(&org).unwrap();
        let is_known =
            |network: &Network| network.read(|state| state.patient(&other.id()).is_some());
        assert!(!is_known(&idle).unwrap() || is_light, "nobody told it");
        idle.refresh().unwrap();
        assert!(is_known(&idle).unwrap(), "light: {is_light}");

        // What it signs expires long after the block that is newest then, not long after that of when it was last used.
        thread::sleep(Duration::from_secs(3));
        hospital.enrol_patient(&org).unwrap();
        let newest = hospital.tip().unwrap().height;
        assert!(newest > before + 2);
        let directive = patient.restrict(&mut idle, &[Class::IMAGING], &[]).unwrap();
        let node = remote(&cluster, 0);
        let final_one = node.transaction_proof(&directive).unwrap().unwrap();
        let expires = final_one.transaction.parse().unwrap().expires;
        assert!(
            expires >= newest + 1_000,
            "{expires}, {newest}, light: {is_light}"
        );
    }
}
