//! A node's custodian keys were stolen or lost: its organization's office, which is on no node, gives the custodian other
//! ones. What was filed before is released as before, and what is filed now is dealt to the new keys.

use std::fs;
use std::thread;
use std::time::Duration;

use chartseal::{Ask, Class, Document, Network, Offer, Purpose};
use chartseal_cluster::{Cluster, Serves};
use chartseal_wire::Event;
use serde_json::Value;

use crate::committee::{document, office_file, text};
use crate::operations::{examined, is};
use crate::parts::{deliver_all, people};
use crate::redeal::scrubbed;
use crate::service::serving;
use crate::support::{Ran, run};

/// The second organization's node.
const STOLEN: usize = 1;

/// What the office of an organization hands in at the first node, for the second one's custodian.
fn replaced(network: &Cluster, office: usize, keys: &Value, changed: &[(&str, &str)]) -> Ran {
    let value = |name: &str| {
        let changed = changed.iter().find(|(of, _)| *of == name);
        changed.map_or(keys[name].as_str().unwrap(), |(_, value)| value)
    };
    run([
        "committee",
        "custodian",
        "--json",
        "--node",
        &text(&network.config(0).directory),
        "--office",
        &office_file(network, office),
        "--custodian",
        value("custodian"),
        "--kem",
        value("kem"),
        "--possession",
        value("possession"),
    ])
}

/// Keys with another custodian, and their public halves.
fn next_keys(network: &Cluster) -> (String, Value) {
    let config = network.config(STOLEN);
    let (old, new) = (
        text(&config.keys_file()),
        text(&network.place().join("next.keys")),
    );
    let ran = run(["node", "keys", "rotate", &old, "--custodian", "--out", &new]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let file = text(&network.config_file(STOLEN));
    let shown = |keys: &str| {
        document(&run([
            "node", "keys", "show", keys, "--config", &file, "--json",
        ]))
    };
    let (before, after) = (shown(&old), shown(&new));
    assert_eq!(before["validator"], after["validator"]);
    for changed in ["custodian", "kem", "possession"] {
        assert_ne!(before[changed], after[changed]);
    }
    (new, after)
}

#[test]
fn an_office_gives_its_custodian_other_keys_and_what_it_holds_is_released_as_before() {
    let mut network = serving(Serves::Encrypted);
    let mut facade = Network::connect(&network.place()).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut facade);
    let kit = patient.filing_kit();
    let mut file = |facade: &mut Network, content: &[u8]| {
        let result = Document::new(Class::LABORATORY, "text/plain", content);
        let filed = author.file(facade, &kit, &[result], |_| ()).unwrap();
        deliver_all(&mut author, facade, 100);
        filed[0].record
    };
    let before = file(&mut facade, b"before");
    let offer = Offer::of(Class::LABORATORY, facade.now().plus_ms(3_600_000));
    patient.grant(&mut facade, &doctor, &offer).unwrap();

    let (new, keys) = next_keys(&network);
    let stranger = "07".repeat(32);
    for (changed, expected) in [
        (("possession", "12"), "128 hex digits"),
        (("kem", "12"), "64 hex digits"),
        (("custodian", &*stranger), "is not that key's"),
    ] {
        let ran = replaced(&network, STOLEN, &keys, &[changed]);
        assert!(ran.error().contains(expected), "{}", ran.stderr);
    }
    // Another organization's office has another custodian.
    let ran = replaced(&network, 0, &keys, &[]);
    assert!(ran.error().contains("is not that key's"), "{}", ran.stderr);

    // Whoever has the keys runs the node with them until the office ends that.
    let ran = replaced(&network, STOLEN, &keys, &[]);
    assert_eq!(document(&ran)["custodian"], keys["custodian"]);
    let height = network.height();
    network.await_height_of(&[STOLEN], height);
    let config = network.config_file(STOLEN);
    let found = examined(&config);
    let custodian = found.get(&is("ill", "custodian")).unwrap();
    assert!(custodian.contains("the chain has"), "{custodian}");
    network.kill(STOLEN);
    network.start(STOLEN);
    network.await_height_of(&[STOLEN], height);
    let said = network.log(STOLEN);
    assert!(said.contains("nothing that it signs counts"), "{said}");
    network.kill(STOLEN);
    fs::copy(&new, network.config(STOLEN).keys_file()).unwrap();
    network.start(STOLEN);
    network.await_height_of(&[STOLEN], height);
    let found = examined(&config);
    assert!(found.contains_key(&is("well", "custodian")), "{found:?}");

    // An app that has not heard of it seals to the old keys, which is refused: the others hold the record.
    let result = Document::new(Class::LABORATORY, "text/plain", b"meanwhile");
    doctor.file(&mut facade, &kit, &[result], |_| ()).unwrap();
    let refused = doctor.deliver(&mut facade).unwrap_err();
    assert!(refused.to_string().contains("CS-ENV-50"), "{refused}");
    // It acknowledges what is dealt to its new keys, and gives out of its store what was dealt to the old ones.
    let after = file(&mut facade, b"after");
    for number in 0..4 {
        let found = scrubbed(&network, number);
        // Of what it refused it holds nothing.
        let held = if number == STOLEN { 2 } else { 3 };
        let whole =
            format!("{held} ciphertexts; 0 mended; 0 lost; 0 missing shares; 0 damaged shares");
        assert!(found.starts_with(&whole), "node {number}: {found}");
    }
    let records = [before, after];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let opening = doctor.read(&mut facade, &ask).unwrap();
    let read: Vec<&[u8]> = opening
        .records
        .iter()
        .map(chartseal::OpenedRecord::content)
        .collect();
    assert_eq!(read, [&b"before"[..], b"after"]);
    // Its receipt may come after those that were enough.
    let has_receipt = |facade: &Network| {
        let history = patient.history(facade).unwrap();
        history.iter().any(|entry| match &entry.event {
            Event::Released(released) => {
                released.custodian == 2 && released.records.contains(&before)
            }
            _ => false,
        })
    };
    for round in 0.. {
        facade.refresh().unwrap();
        if has_receipt(&facade) {
            break;
        }
        assert!(round < 100, "the replaced custodian released nothing");
        thread::sleep(Duration::from_millis(100));
    }
}
