//! A newcomer takes an organization's place: the patient's app deals the keys anew, and what was filed before is read
//! from the newcomer's share, while the one that left and another one are down.

use std::time::Duration;

use chartseal::{Ask, Class, Document, Network, Offer, Purpose, Redealing};
use chartseal_cluster::{Cluster, Serves, office};

use crate::join::{NEWCOMER, enrol, invited, join, snapshot, take_the_fourth_ones_place};
use crate::parts::people;
use crate::service::made;
use crate::support::run;

/// What a node says of its vault.
pub(crate) fn scrubbed(network: &Cluster, number: usize) -> String {
    let file = network.config_file(number);
    let ran = run(["node", "scrub", "--config", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    ran.stdout
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

    let offices: Vec<_> = (0..4)
        .map(|number| office(&network.place(), number))
        .collect();
    enrol(&network, &offices, (&keys, id));
    let shelf = tempfile::TempDir::new().unwrap();
    snapshot(&mut network, 0, shelf.path());
    let (from, vouchers) = (shelf.path().join("snapshot"), shelf.path().join("vouchers"));
    let joined = join(&network, &from, &vouchers);
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    network.start(NEWCOMER);
    let from = take_the_fourth_ones_place(&network, &offices, (&keys, id), 2);
    network.await_height_of(&[0, 1, 2, NEWCOMER], from + 2);

    // What was filed rests on those who held it before, the one that left among them.
    let resting =
        "1 ciphertexts; 0 mended; 0 lost; 0 damaged shares; 1 shares of former committees";
    let found = scrubbed(&network, 1);
    assert!(found.starts_with(resting), "{found}");
    let mut facade = Network::connect(&network.place()).unwrap();
    assert_eq!(patient.resting_on_former(&facade).unwrap(), records);
    let done = patient.redeal(&mut facade, |_, _| ()).unwrap();
    let durable = Redealing {
        durable: 1,
        waiting: 0,
    };
    assert_eq!(done, durable);

    // Who left and one more are down: the newcomer's share and ciphertext count.
    network.kill(3);
    network.kill(0);
    // By an app that executes no block: the founders' committee hands over to the one with the newcomer.
    let mut facade = Network::connect_light(&network.place()).unwrap();
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let opening = doctor.read(&mut facade, &ask).unwrap();
    assert_eq!(opening.records[0].content(), b"HbA1c 6.1 %");
    for number in [1, 2, NEWCOMER] {
        let whole =
            "1 ciphertexts; 0 mended; 0 lost; 0 damaged shares; 0 shares of former committees";
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
