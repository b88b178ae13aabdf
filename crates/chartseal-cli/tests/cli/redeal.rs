//! A newcomer takes an organization's place: the patient's app deals the keys anew, and what was filed before is read
//! from the newcomer's share, while the one that left and another one are down.

use std::time::Duration;

use chartseal::{
    Ask, Class, Document, Network, Offer, OrgId, Pace, Purpose, RecordId, RedealProgress,
    RedealWorker,
};
use chartseal_cluster::{Cluster, Serves};
use chartseal_node::NodeKeys;

use crate::held::{assert_sees, seen};
use crate::join::{NEWCOMER, enrol, invited, join, snapshot, take_the_fourth_ones_place};
use crate::parts::people;
use crate::service::{genesis, made, remote, sent};
use crate::support::run;

/// What a node says of its vault.
pub(crate) fn scrubbed(network: &Cluster, number: usize) -> String {
    let file = network.config_file(number);
    let ran = run(["node", "scrub", "--config", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    ran.stdout
}

/// The newcomer starts from a snapshot, and is voted into the fourth one's place; gives the height from which on.
fn replace_the_fourth_one(network: &mut Cluster, (keys, id): (&NodeKeys, OrgId)) -> u64 {
    enrol(network, (keys, id));
    let shelf = tempfile::TempDir::new().unwrap();
    snapshot(network, 0, shelf.path());
    let (from, vouchers) = (shelf.path().join("snapshot"), shelf.path().join("vouchers"));
    let joined = join(network, &from, &vouchers);
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    network.start(NEWCOMER);
    // The first one's office asks it, and it was stopped for the snapshot.
    network.await_height_of(&[0], 1);
    take_the_fourth_ones_place(network, id)
}

#[test]
fn a_newcomer_is_dealt_to_and_serves_what_was_filed_before_it_came() {
    let mut network = made(Serves::Plain);
    let (keys, id) = invited(&mut network);

    let mut facade = Network::connect(&network.place()).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut facade);
    let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let kit = patient.filing_kit();
    let filed = author.file(&mut facade, &kit, &[result], |_| ()).unwrap();
    let records = [filed[0].record];
    let until = facade.now().plus_ms(3_600_000);
    let offer = Offer::of(Class::LABORATORY, until);
    patient.grant(&mut facade, &doctor, &offer).unwrap();

    let from = replace_the_fourth_one(&mut network, (&keys, id));
    network.await_height_of(&[0, 1, 2, NEWCOMER], from + 2);

    // What was filed rests on those who held it before, the one that left among them.
    let resting = "1 ciphertexts; 0 mended; 0 lost; 0 missing shares; 0 damaged shares; 1 shares of former committees";
    let found = scrubbed(&network, 1);
    assert!(found.starts_with(resting), "{found}");
    // It says on which.
    let by_epoch = "\n1 records rest on the committee of epoch 0: ";
    assert!(found.contains(by_epoch), "{found}");
    let api = network.config(1).api.unwrap();
    let (_, page) = sent(api, "GET /metrics", b"");
    let by_epoch = "\nchartseal_vault_former_shares{epoch=\"0\"} 1\n";
    assert!(page.contains(by_epoch), "{page}");
    let mut facade = Network::connect(&network.place()).unwrap();
    assert_eq!(patient.resting_on_former(&facade).unwrap(), records);
    let done = patient.redeal(&mut facade, |_, _| ()).unwrap();
    assert_eq!((done.durable, done.waiting), (1, 0), "{done:?}");

    // Who left and one more are down: the newcomer's share and ciphertext count.
    network.kill(3);
    network.kill(0);
    // By an app that executes no block: the founders' committee hands over to the one with the newcomer.
    let mut facade = Network::connect_light(&network.place()).unwrap();
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let opening = doctor.read(&mut facade, &ask).unwrap();
    assert_eq!(opening.records[0].content(), b"HbA1c 6.1 %");
    for number in [1, 2, NEWCOMER] {
        let whole = "1 ciphertexts; 0 mended; 0 lost; 0 missing shares; 0 damaged shares; 0 shares of former committees";
        let found = scrubbed(&network, number);
        assert!(found.starts_with(whole), "node {number}: {found}");
    }
    // An erasure goes to the newcomer, and to who left.
    network.start(0);
    network.start(3);
    patient.erase(&mut facade, records[0]).unwrap();
    for round in 0.. {
        let left = [0, 1, 2, 3, NEWCOMER].map(|number| scrubbed(&network, number));
        if left.iter().all(|found| found.starts_with("0 ciphertexts")) {
            break;
        }
        assert!(round < 60, "{left:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Waits until a worker's progress is so.
fn until(worker: &RedealWorker, is_so: impl Fn(&RedealProgress) -> bool) -> RedealProgress {
    for _ in 0..1_200 {
        let progress = worker.progress();
        if is_so(&progress) {
            return progress;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{:?}", worker.progress());
}

#[test]
fn an_app_deals_anew_in_the_background_while_its_patient_goes_on() {
    let mut network = made(Serves::Plain);
    let (keys, id) = invited(&mut network);
    let place = network.place();
    let mut facade = Network::connect(&place).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut facade);
    let documents =
        ["one", "two"].map(|it| Document::new(Class::LABORATORY, "text/plain", it.as_bytes()));
    let kit = patient.filing_kit();
    let filed = author.file(&mut facade, &kit, &documents, |_| ()).unwrap();
    let records: Vec<RecordId> = filed.iter().map(|filed| filed.record).collect();

    // It begins before the committee changes, with a network of its own.
    let often = Pace {
        look: Duration::from_millis(200),
        again: Duration::from_millis(500),
    };
    let worker = patient.redeal_in_background(Network::connect_light(&place).unwrap(), often);
    until(&worker, |it| it.epoch == Some(0) && it.is_done());
    let from = replace_the_fourth_one(&mut network, (&keys, id));
    // A custodian of the new committee is down when it comes into office.
    network.kill(1);
    network.await_height_of(&[0, 2, NEWCOMER], from + 2);
    let waits = |it: &RedealProgress| {
        let outcome = it.outcome.as_ref();
        it.epoch == Some(1) && outcome.is_some_and(|it| it.waiting == 2)
    };
    let waiting = until(&worker, waits);
    let outcome = waiting.outcome.unwrap();
    assert!(
        outcome.failed.is_empty() && outcome.refusing.is_empty(),
        "{outcome:?}"
    );
    // Meanwhile the patient signs and reads as if nothing were going on, and so does who was granted something.
    let offer = Offer::of(Class::LABORATORY, facade.now().plus_ms(3_600_000));
    patient.grant(&mut facade, &doctor, &offer).unwrap();
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    for _ in 0..4 {
        patient
            .restrict(&mut facade, &[Class::IMAGING], &[])
            .unwrap();
        assert_eq!(
            patient.read(&mut facade, &records).unwrap().records.len(),
            2
        );
        assert_eq!(doctor.read(&mut facade, &ask).unwrap().records.len(), 2);
    }
    network.start(1);
    let done = until(&worker, RedealProgress::is_done);
    assert_eq!((done.done, done.of, done.epoch), (2, 2, Some(1)));
    facade.refresh().unwrap();
    assert_eq!(patient.resting_on_former(&facade).unwrap(), []);

    // What apps hold is certified by both committees, one after the other.
    let light = Network::connect_light(&place).unwrap();
    let all = [seen(&facade, &patient), seen(&light, &patient)];
    for number in [0, 1, 2, 3, NEWCOMER] {
        network.kill(number);
    }
    let nodes = [0, 1, 2, 3].map(|number| remote(&network, number));
    for seen in &all {
        assert_eq!(seen.tip.epoch, 1);
        let network = Network::from_held(genesis(&network), nodes.to_vec(), &seen.held).unwrap();
        assert_sees(&network, seen, &patient);
    }
    // With nobody there it tries again, and ends when it is told to.
    let offline = until(&worker, |it| it.failure.is_some());
    assert!(offline.failure.unwrap().is_offline());
    let last = worker.stop();
    assert_eq!(last.epoch, Some(1));
}
