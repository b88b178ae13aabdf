//! A custodian releases and destroys on its own newest state's word, and nobody's else.

use chartseal_envelope::{Dealing, combine};
use chartseal_node::{Conduct, NodeError};
use chartseal_wire::{HeaderDigest, RecordId};

use crate::fixture::*;

#[test]
fn nothing_is_released_before_the_receipt_is_final() {
    let mut chain = Chain::new();
    chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let key = reader.public_key();
    let no_receipt = |chain: &Chain| {
        let release = chain.node(0).release(&request, key);
        matches!(release, Err(NodeError::NoReceipt(id)) if id == request)
    };
    assert!(no_receipt(&chain));
    // Asked twice before the receipt is on the chain, it gives it twice.
    let first = chain.nodes()[0].receipts(&request, key).unwrap();
    let second = chain.nodes()[0].receipts(&request, key).unwrap();
    assert!(no_receipt(&chain));
    // Only one of them is admitted.
    let rejected = chain.try_order([first, second].concat());
    assert_eq!(
        rejected,
        [chartseal_ledger::AdmissionError::AlreadyReleased]
    );
    assert_eq!(chain.nodes()[0].receipts(&request, key).unwrap(), []);
    assert_eq!(chain.node(0).release(&request, key).unwrap().len(), 1);
    // It is this custodian's alone.
    let other = chain.node(1).release(&request, key);
    assert!(matches!(other, Err(NodeError::NoReceipt(_))), "{other:?}");
}

#[test]
fn any_three_releases_open_the_key_and_each_is_bound_to_its_request() {
    let mut chain = Chain::new();
    let sealed = chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let dealing = Dealing::initial(&sealed.envelope.front.header);
    let releases: Vec<_> = (1..4)
        .flat_map(|at| chain.release(at, &request, &reader).unwrap())
        .collect();
    let id = chartseal_envelope::RequestId(request.0);
    assert!(combine(&reader, id, &dealing, &releases).is_ok());
    let other = chartseal_envelope::RequestId([9; 32]);
    assert!(combine(&reader, other, &dealing, &releases).is_err());
}

#[test]
fn nothing_is_destroyed_that_is_not_erased_on_the_chain() {
    let mut chain = Chain::new();
    let record = RecordId([5; 16]);
    chain.record(5);
    let refused = chain.nodes()[0].destroy(&record);
    assert!(
        matches!(refused, Err(NodeError::NotErased(id)) if id == record),
        "{refused:?}"
    );
    assert!(chain.node(0).holds_anything_of(&record).unwrap());
    chain.erase(5);
    let attested = chain.nodes()[0].destroy(&record).unwrap();
    chain.order(vec![attested]);
    assert!(!chain.node(0).holds_anything_of(&record).unwrap());
    assert!(
        chain.node(1).holds_anything_of(&record).unwrap(),
        "each destroys its own"
    );
    assert_eq!(
        chain.node(1).state().record(&record).unwrap().destroyed,
        0b0001
    );
}

#[test]
fn a_custodian_without_its_share_says_so_and_the_others_suffice() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    let deals = chain.deal(&[&sealed]);
    for (node, deal) in chain.nodes().iter_mut().zip(&deals).skip(1) {
        let envelopes = std::slice::from_ref(&sealed.envelope);
        node.deposit(envelopes, deal).unwrap();
    }
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let header = HeaderDigest(sealed.envelope.front.header.digest().0);
    let release = chain.nodes()[0].release(&request, reader.public_key());
    assert!(
        matches!(release, Err(NodeError::NoShare(id)) if id == header),
        "{release:?}"
    );
    let envelope = chain.node(0).envelope(&request, &RecordId([5; 16]));
    assert!(matches!(envelope, Err(NodeError::NoShare(_))));
    for at in 1..4 {
        assert!(chain.release(at, &request, &reader).is_ok());
    }
    let envelope = chain
        .node(1)
        .envelope(&request, &RecordId([5; 16]))
        .unwrap();
    assert_eq!(envelope, sealed.envelope);
}

#[test]
fn a_stopped_node_answers_nothing() {
    let mut chain = Chain::new();
    let sealed = chain.record(5);
    chain.grant();
    let (request, reader) = chain.request(&[5]);
    let deals = chain.deal(&[&sealed]);
    let node = &mut chain.nodes()[0];
    node.set_conduct(Conduct::Stopped);
    let stopped = |error: NodeError| assert!(matches!(error, NodeError::Stopped(_)), "{error}");
    stopped(node.release(&request, reader.public_key()).unwrap_err());
    stopped(node.envelope(&request, &RecordId([5; 16])).unwrap_err());
    stopped(node.deposit(&[], &deals[0]).unwrap_err());
    stopped(node.destroy(&RecordId([5; 16])).unwrap_err());
    stopped(node.cosign_checkpoint(&node.checkpoint()).unwrap_err());
}
