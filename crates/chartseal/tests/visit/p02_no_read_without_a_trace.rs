//! P2: a content key reaches a clinician only by releases, each against a final, permitted request.

use std::collections::BTreeSet;

use chartseal::{Ask, Class, Error, Purpose};
use chartseal_consensus::Replica;
use chartseal_envelope::KemKeyPair;
use chartseal_ledger::NotReleasable;
use chartseal_ledger::body::AccessRequested;
use chartseal_node::{MAX_LAG_MS, NodeError};
use chartseal_wire::history::Token;
use chartseal_wire::{Event, Hash, TxId};

use crate::fixture::*;

#[test]
fn p2_no_read_without_a_trace_every_opened_record_has_its_permit_and_a_quorum_of_receipts() {
    let mut visit = Visit::new();
    let records = [visit.file_result("one"), visit.file_result("two")];
    visit.grant();
    let request = visit.request(&records);
    let opening = visit.open(&request).unwrap();
    assert_eq!(opening.records.len(), 2);

    let history = visit.history();
    for opened in &opening.records {
        let permits = history.iter().filter(|entry| {
            let Event::Access(access) = &entry.event else {
                return false;
            };
            let permitted = access.records.iter().any(|outcome| {
                let header = outcome.header.map(|header| header.0);
                outcome.permitted
                    && outcome.record == opened.record
                    && header == Some(opened.header.digest().0)
            });
            entry.tx == request.id() && entry.actor == visit.doctor.id() && permitted
        });
        assert_eq!(permits.count(), 1);
        let custodians: BTreeSet<u64> = history
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Released(released) if released.request == request.id() => {
                    let is_of_it = released.records.contains(&opened.record);
                    is_of_it.then_some(released.custodian)
                }
                _ => None,
            })
            .collect();
        assert_eq!(custodians, BTreeSet::from([1, 2, 3, 4]));
    }
    assert!(visit.report().anomalies.is_empty());
}

#[test]
fn p2_a_request_that_nobody_made_releases_nothing() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let invented = TxId([7; 32]);
    assert_eq!(
        visit.refusals(&invented),
        [NotReleasable::UnknownRequest; 4]
    );
    for node in visit.network.nodes() {
        let envelope = node.envelope(&invented, &record);
        let why = NotReleasable::UnknownRequest;
        assert!(
            matches!(envelope, Err(NodeError::NotReleasable { why: found, .. }) if found == why)
        );
    }
}

#[test]
fn p2_a_denied_request_releases_nothing() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    let request = visit.request(&[record]);
    assert_eq!(visit.refusals(&request.id()), [NotReleasable::Denied; 4]);
}

#[test]
fn p2_a_request_that_is_not_final_yet_releases_nothing() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let reader = KemKeyPair::generate().unwrap();
    let body = AccessRequested {
        patient: visit.patient.id(),
        records: vec![record],
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    };
    let request = signed(&visit.network, visit.doctor.person(), body);
    let time = visit.network.now();
    let nodes = visit.network.nodes_mut();
    let (block, rejected) = nodes[0]
        .propose(time, std::slice::from_ref(&request))
        .unwrap();
    assert_eq!((block.transactions.len(), rejected.len()), (1, 0));
    for node in nodes.iter_mut() {
        node.execute(&block).unwrap();
        let release = node.release(&request.id(), reader.public_key());
        let why = NotReleasable::UnknownRequest;
        assert!(
            matches!(release, Err(NodeError::NotReleasable { why: found, .. }) if found == why)
        );
        node.commit(block.header.leaf()).unwrap();
        // And then not before the custodian's receipt is.
        assert_eq!(
            node.receipts(&request.id(), reader.public_key())
                .unwrap()
                .len(),
            1
        );
        let release = node.release(&request.id(), reader.public_key());
        assert!(matches!(release, Err(NodeError::NoReceipt(id)) if id == request.id()));
    }
}

#[test]
fn p2_nothing_is_released_to_another_key_than_the_requests() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let request = visit.request(&[record]);
    let other = KemKeyPair::generate().unwrap();
    for node in visit.network.nodes_mut() {
        let release = node.release(&request.id(), other.public_key());
        assert!(matches!(release, Err(NodeError::WrongReader(id)) if id == request.id()));
    }
    assert!(visit.open(&request).is_ok());
}

#[test]
fn p2_nothing_is_released_after_the_permits_window() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let request = visit.request(&[record]);
    let window = visit.network.genesis().params().release_window_ms;
    visit.wait(window - 1);
    assert!(visit.open(&request).is_ok());
    visit.wait(1);
    let refusals = visit.refusals(&request.id());
    assert_eq!(refusals.len(), 4);
    let until = visit.network.now();
    assert!(
        refusals
            .iter()
            .all(|why| *why == NotReleasable::TooLate { until })
    );
    let opened = visit.open(&request);
    assert!(
        matches!(opened, Err(Error::NotReleased { .. })),
        "{opened:?}"
    );
}

#[test]
fn p2_a_node_whose_chain_is_behind_its_clock_releases_nothing() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let request = visit.request(&[record]);
    visit.network.clock().advance_ms(MAX_LAG_MS);
    assert!(visit.open(&request).is_ok());
    visit.network.clock().advance_ms(MAX_LAG_MS + 1);
    let stale = NotReleasable::Stale {
        apart_ms: MAX_LAG_MS + 1,
        allowed_ms: MAX_LAG_MS,
    };
    assert_eq!(visit.refusals(&request.id()), [stale; 4]);
    // A new block tells it that nothing was revoked.
    visit.wait(0);
    assert!(visit.open(&request).is_ok());
}

#[test]
fn p2_opening_twice_leaves_one_receipt_of_each_custodian() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let request = visit.request(&[record]);
    visit.open(&request).unwrap();
    visit.open(&request).unwrap();
    assert_eq!(visit.report().histories[0].releases, 4);
}

#[test]
fn p2_a_record_that_is_released_later_is_receipted_then_and_only_it() {
    let mut visit = Visit::new();
    let result = visit.file_result("a result");
    let report = visit.file(Class::IMAGING, "a report");
    let offer = chartseal::Offer {
        classes: vec![Class::LABORATORY, Class::IMAGING],
        ..chartseal::Offer::of(Class::LABORATORY, visit.network.now().plus_ms(HOUR))
    };
    visit
        .patient
        .grant(&mut visit.network, &visit.doctor, &offer)
        .unwrap();
    let request = visit.request(&[result, report]);
    assert_eq!(request.permitted(), [result, report]);

    let restriction = visit
        .patient
        .restrict(&mut visit.network, &[Class::IMAGING], &[])
        .unwrap();
    assert_eq!(contents(&visit.open(&request).unwrap()), [b"a result"]);
    visit
        .patient
        .revoke(&mut visit.network, restriction)
        .unwrap();
    let both = visit.open(&request).unwrap();
    assert_eq!(contents(&both), [&b"a result"[..], b"a report"]);

    let receipts: Vec<_> = visit
        .history()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Released(released) => Some(released.records),
            _ => None,
        })
        .collect();
    assert_eq!(receipts, [[[result]; 4], [[report]; 4]].concat());
}

#[test]
fn p2_the_doctor_reads_through_the_facade_what_was_asked_in_its_order() {
    let mut visit = Visit::new();
    let (one, two) = (visit.file_result("one"), visit.file_result("two"));
    visit.grant();
    let records = [two, one];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Treat);
    let opening = visit.doctor.read(&mut visit.network, &ask).unwrap();
    assert_eq!(contents(&opening), [b"two", b"one"]);
}
