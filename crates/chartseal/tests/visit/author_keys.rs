//! What an author has signed is read after their key is another one.

use chartseal::{Ask, Purpose};
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::KeyRotated;
use chartseal_ledger::{Body, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};

use crate::fixture::*;

/// The author's next transaction puts a new key in the place of `old`, and no other.
fn rotate(visit: &mut Visit, old: &SigningKeyPair) -> SigningKeyPair {
    let new = SigningKeyPair::generate().unwrap();
    let (chain, head) = (visit.network.chain(), visit.network.head().unwrap());
    let message = KeyRotated::to_possess(&chain, &visit.author.id(), &public(&new));
    let rotation = KeyRotated {
        key: public(&new),
        kem: None,
        possession: sign(&new, &message),
    };
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain,
        actor_key: public(old),
        seq: head.state().sequence(&public(old)) + 1,
        expires: head.height() + 10,
        body: Body::from(rotation),
    };
    let signed = transaction.sign(|message| sign(old, message));
    visit.network.submit(signed, &[]).unwrap();
    new
}

#[test]
fn records_are_opened_after_their_authors_key_was_rotated_twice() {
    let mut visit = Visit::new();
    let records = [visit.file_result("HbA1c 6.1 %")];
    visit.grant();
    let first = visit.author.person().seed().signing_key();
    let second = rotate(&mut visit, &first);
    let third = rotate(&mut visit, &second);

    let state = visit.network.head().unwrap().state();
    let keys: Vec<_> = state.author_keys(&visit.author.id()).collect();
    assert_eq!(keys, [&third, &second, &first].map(public));

    let opening = visit.read(&records).unwrap();
    assert_eq!(opening.records[0].content(), b"HbA1c 6.1 %");
    let mut content = Vec::new();
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Treat);
    let streamed = visit
        .doctor
        .read_stream(&mut visit.network, &ask, &mut content);
    assert_eq!(
        (streamed.unwrap().record, content),
        (records[0], b"HbA1c 6.1 %".to_vec())
    );
}
