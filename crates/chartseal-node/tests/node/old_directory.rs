//! A directory that an earlier version of this program made: it opens, verifies, and goes on.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal_codec::to_bytes;
use chartseal_node::Stores;
use redb::Database;

use crate::fixture::*;

/// Where directories of each version of the ledger's file are kept.
fn kept(version: u64) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/directories");
    tests.join(format!("v{version}"))
}

#[test]
#[ignore = "makes the directory of the present version anew"]
fn make_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::with(|at| {
        let place = dir.path().join(at.to_string());
        fs::create_dir_all(&place).unwrap();
        Stores::open(&place).unwrap()
    });
    let first = chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let mut receipts = Vec::new();
    for node in chain.nodes() {
        receipts.extend(node.release(&request, reader.public_key()).unwrap().receipt);
    }
    chain.order(receipts);
    chain.amend(&first);
    chain.record(6);
    chain.erase(6);
    let destroyed = chain.nodes()[0].destroy(&chartseal_wire::RecordId([6; 16]));
    chain.order(vec![destroyed.unwrap()]);

    let keys = chain.node(0).keys().to_secret_bytes().to_vec();
    let secret = |keys: &chartseal_envelope::SigningKeyPair| keys.expose_secret_bytes().to_vec();
    let (author, patient) = (secret(&chain.author), secret(&chain.patient));
    let genesis = to_bytes(&chain.genesis);
    drop(chain);
    let made = dir.path().join("0");
    for file in ["ledger.redb", "shares/secrets.redb", "side/secrets.redb"] {
        Database::open(made.join(file)).unwrap().compact().unwrap();
    }
    let files = [
        ("genesis", genesis),
        ("node-keys", keys),
        ("author-key", author),
        ("patient-key", patient),
    ];
    for (name, bytes) in files {
        fs::write(made.join(name), bytes).unwrap();
    }
    println!("{}", made.display());
    std::mem::forget(dir);
    let _ = kept(1);
}
