//! P7: what is destroyed on a stolen node. The others serve every record meanwhile, and what can be had from them comes back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chartseal::{Ask, Purpose};

use super::visit::{CONTENT, Visit};
use crate::operations::{files_below, node};
use crate::redeal::scrubbed;

/// Changes a byte in each thousand. What a file begins with stays, so that it is taken for what it is.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let first = 500.min(bytes.len() / 2);
    let places = bytes.iter_mut().skip(first).step_by(1_000);
    places.for_each(|byte| *byte ^= 1);
    fs::write(file, bytes).unwrap();
}

/// Somebody reads the record, by a request of its own.
fn is_served(visit: &mut Visit) {
    let records = [visit.record];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Treat);
    let opening = visit.doctor.read(&mut visit.network, &ask).unwrap();
    assert_eq!(opening.records[0].content(), CONTENT.as_bytes());
    assert_eq!(opening.liars, []);
}

/// The node runs again, and has what the others have.
fn comes_back(visit: &mut Visit) {
    let height = visit.cluster.height();
    visit.cluster.start(3);
    visit.cluster.await_height_of(&[3], height);
}

#[test]
fn what_is_destroyed_on_a_stolen_node_is_lost_to_nobody() {
    let mut visit = Visit::new();
    let directory = visit.cluster.config(3).directory;

    // Its ciphertext is altered, and then it is gone.
    let remove = |file: &Path| fs::remove_file(file).unwrap();
    for destroy in [damage as fn(&Path), remove] {
        visit.cluster.kill(3);
        let mut blobs = files_below(&directory.join("blobs"));
        blobs.retain(|file| file.extension().is_some());
        assert_eq!(blobs.len(), 1);
        destroy(&blobs[0]);
        is_served(&mut visit);
        comes_back(&mut visit);
        is_served(&mut visit);
        let found = scrubbed(&visit.cluster, 3);
        let whole = "1 ciphertexts; 1 mended; 0 lost";
        assert!(found.starts_with(whole), "{found}");
    }

    // A database that is altered keeps the node from starting, which says which one. Without it, it starts anew.
    for (file, named) in [
        ("ledger.redb", "ledger.redb is damaged"),
        ("side/secrets.redb", "side/secrets.redb is damaged"),
        ("shares/secrets.redb", "shares/secrets.redb is damaged"),
    ] {
        let said = visit.cluster.log(3).len();
        visit.cluster.kill(3);
        damage(&directory.join(file));
        visit.cluster.start(3);
        let ended = visit.cluster.await_end(3);
        let log = visit.cluster.log(3)[said..].to_owned();
        assert!(!ended.success() && log.contains(named), "{file}: {log}");
        is_served(&mut visit);
        fs::remove_file(directory.join(file)).unwrap();
        comes_back(&mut visit);
        is_served(&mut visit);
    }

    // Nothing is left of it at all, but for whose it is.
    visit.cluster.kill(3);
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.file_name().unwrap() != "owner" {
            fs::remove_file(path).unwrap();
        }
    }
    is_served(&mut visit);
    comes_back(&mut visit);
    is_served(&mut visit);
    // What the others have comes back. Its share is nobody else's, and is missed.
    let ran = node("scrub", &visit.cluster.config_file(3), &[]);
    let whole = "1 ciphertexts; 1 mended; 0 lost; 1 missing shares";
    assert!(ran.stdout.starts_with(whole), "{}", ran.stdout);
    // It takes part as before: with another one down the chain goes on, and everybody has the same.
    visit.cluster.kill(0);
    let patient = visit.patient.export(&visit.network, None);
    assert!(patient.is_ok(), "{patient:?}");
    visit.cluster.start(0);
    visit.cluster.assert_nothing_is_lost(&BTreeMap::new());
}
