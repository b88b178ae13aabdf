//! An app that holds what it knows between its runs: it looks at that without any node, and goes on from it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chartseal::{
    Class, Clinician, Document, Error, HeldError, KeySeed, ListedRecord, Network, Offer, Patient,
    Person, Remote,
};
use chartseal_cluster::{Cluster, Serves};
use chartseal_wire::{BlockHeader, Entry, RecordId};

use crate::lies::{Deed, in_front_of};
use crate::parts::people;
use crate::service::{genesis, remote, serving};

/// What an app saw before it ended, and what it held.
pub(crate) struct Seen {
    pub(crate) held: Vec<u8>,
    pub(crate) tip: BlockHeader,
    records: Vec<ListedRecord>,
    history: Vec<Entry>,
}

fn seed(person: &Person) -> KeySeed {
    KeySeed::from_bytes(*person.seed().expose_bytes())
}

/// An app that lists what its patient has, and ends.
pub(crate) fn seen(network: &Network, patient: &Patient) -> Seen {
    let patient = network
        .patient(patient.id(), seed(patient.person()))
        .unwrap();
    let (records, history) = (patient.records(network), patient.history(network));
    Seen {
        held: network.held().unwrap(),
        tip: network.tip().unwrap(),
        records: records.unwrap(),
        history: history.unwrap(),
    }
}

/// The same app's next run sees the same, whoever answers. Gives its patient.
pub(crate) fn assert_sees(network: &Network, seen: &Seen, patient: &Patient) -> Patient {
    assert_eq!(network.tip().unwrap(), seen.tip);
    let again = network
        .patient(patient.id(), seed(patient.person()))
        .unwrap();
    assert_eq!(again.records(network).unwrap(), seen.records);
    assert_eq!(again.history(network).unwrap(), seen.history);
    again
}

fn nodes(cluster: &Cluster) -> Vec<Remote> {
    let numbers = cluster.all().into_iter();
    numbers.map(|number| remote(cluster, number)).collect()
}

/// What needs a node says that none is there.
fn assert_offline<T: std::fmt::Debug>(done: Result<T, Error>) {
    match done {
        Err(error) => assert!(error.is_offline(), "{error}"),
        Ok(done) => panic!("no node is there: {done:?}"),
    }
}

fn assert_all_verbs_are_offline(
    network: &mut Network,
    (patient, doctor): (&mut Patient, &Clinician),
    records: &[RecordId],
) {
    assert_offline(network.refresh());
    assert_offline(patient.restrict(network, &[Class::IMAGING], &[]));
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(60_000));
    assert_offline(patient.grant(network, doctor, &offer));
    assert_offline(patient.read(network, records));
    assert_offline(patient.erase(network, records[0]));
    assert_offline(patient.export(network, None));
}

#[test]
fn what_an_app_holds_is_read_without_any_node_and_gone_on_from() {
    let mut cluster = serving(Serves::Plain);
    let mut hospital = Network::connect(&cluster.place()).unwrap();
    let (mut author, doctor, mut patient) = people(&mut hospital);
    let contents = ["one", "two", "three"];
    let documents =
        contents.map(|it| Document::new(Class::LABORATORY, "text/plain", it.as_bytes()));
    let kit = patient.filing_kit();
    let filed = author.file(&mut hospital, &kit, &documents, |_| ());
    let records: Vec<RecordId> = filed.unwrap().iter().map(|filed| filed.record).collect();
    let offer = Offer::of(Class::LABORATORY, hospital.now().plus_ms(3_600_000));
    patient.grant(&mut hospital, &doctor, &offer).unwrap();

    let followed = Network::follow(genesis(&cluster), nodes(&cluster)).unwrap();
    let followed = seen(&followed, &patient);
    let asked = Network::light(genesis(&cluster), nodes(&cluster)).unwrap();
    let asked = seen(&asked, &patient);
    assert_eq!((followed.records.len(), asked.records.len()), (3, 3));

    for number in cluster.all() {
        cluster.kill(number);
    }
    let unknown = RecordId([0xee; 16]);
    for (seen, is_light) in [(&followed, false), (&asked, true)] {
        let mut network =
            Network::from_held(genesis(&cluster), nodes(&cluster), &seen.held).unwrap();
        let mut again = assert_sees(&network, seen, &patient);
        assert_all_verbs_are_offline(&mut network, (&mut again, &doctor), &records);
        // Who follows knows that there is nothing.
        let found = network.read(|state| state.record(&unknown));
        if is_light {
            assert_offline(found);
            assert_offline(network.held());
            assert_offline(again.redeal(&mut network, |_, _| ()));
        } else {
            assert_eq!(found.unwrap(), None);
            assert_eq!(network.held().unwrap(), seen.held);
        }
        // Nor does it take the address of a node.
        let network = Network::from_held(genesis(&cluster), Vec::new(), &seen.held).unwrap();
        assert_sees(&network, seen, &patient);
    }
    assert_no_change_is_believed(&cluster, &asked, &patient);

    // The nodes are back.
    cluster.up();
    for (seen, is_light) in [(&followed, false), (&asked, true)] {
        let lowest = Arc::new(Mutex::new(BTreeSet::new()));
        let heard = cluster.all().into_iter().map(|number| {
            let lowest = Arc::clone(&lowest);
            in_front_of(&cluster, number, move |line, _| {
                let from = line.split_once("/v1/blocks?from=").map(|(_, from)| from);
                let from = from.and_then(|from| from.split('&').next()?.parse::<u64>().ok());
                lowest.lock().unwrap().extend(from);
                Deed::Pass
            })
        });
        let mut network =
            Network::from_held(genesis(&cluster), heard.collect(), &seen.held).unwrap();
        let mut again = assert_sees(&network, seen, &patient);
        let directive = again
            .restrict(&mut network, &[Class::IMAGING], &[])
            .unwrap();
        assert!(network.tip().unwrap().height > seen.tip.height);
        let known = network.read(|state| state.directive(&directive).is_some());
        assert!(known.unwrap());
        let opening = again.read(&mut network, &records).unwrap();
        assert_eq!(opening.records.len(), 3);
        assert!(again.history(&network).unwrap().len() > seen.history.len());
        // Blocks before what was held are asked for no more, and values are asked for without any.
        let from = lowest.lock().unwrap().first().copied();
        let expected = (!is_light).then_some(seen.tip.height + 1);
        assert_eq!(from, expected, "light: {is_light}");
        let later = self::seen(&network, &patient);
        let network = Network::from_held(genesis(&cluster), Vec::new(), &later.held).unwrap();
        assert_sees(&network, &later, &patient);
    }

    let other = serving(Serves::Plain);
    let foreign = Network::from_held(genesis(&other), nodes(&other), &asked.held);
    let Err(Error::Held(why)) = foreign else {
        panic!("{foreign:?}");
    };
    assert!(matches!(*why, HeldError::OtherChain { .. }), "{why}");
    let own = chartseal_codec::to_hex(&genesis(&other).chain_id().0);
    assert!(why.to_string().contains(&own), "{why}");
}

/// Of each change of a byte either nothing is believed, or what is read is the same.
fn assert_no_change_is_believed(cluster: &Cluster, seen: &Seen, patient: &Patient) {
    let genesis = genesis(cluster);
    let mut rules = BTreeSet::new();
    for at in (0..seen.held.len()).step_by(23) {
        let mut changed = seen.held.clone();
        changed[at] ^= 1;
        match Network::from_held(genesis.clone(), Vec::new(), &changed) {
            Ok(network) => drop(assert_sees(&network, seen, patient)),
            Err(Error::Held(why)) => drop(rules.insert(why.rule())),
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    let expected = ["CS-HLD-02", "CS-HLD-09", "CS-HLD-10"];
    assert!(
        expected.iter().all(|rule| rules.contains(rule)),
        "{rules:?}"
    );
}
