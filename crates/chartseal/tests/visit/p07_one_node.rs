//! P7: one compromised node leaks no record, forges no decision, loses nothing, stops nothing.

use chartseal::{Class, Document, Error};
use chartseal_consensus::{OrderingError, Replica};
use chartseal_envelope::{CombineError, ShareFault};
use chartseal_ledger::state::Deposited;
use chartseal_node::Conduct;
use chartseal_node::keys::public;
use chartseal_wire::HeaderDigest;

use crate::fixture::*;
use crate::leaks::Search;

#[test]
fn p7_one_stopped_node_stops_nothing() {
    for stopped in 0..4 {
        let mut visit = Visit::new();
        let before = visit.file_result("before");
        visit
            .network
            .set_conduct(stopped, Conduct::Stopped)
            .unwrap();
        let after = visit.file_result("while it is stopped");
        let grant = visit.grant();
        assert!(visit.doctor.accept(&visit.network, &grant).is_ok());
        let opening = visit.read(&[before, after]).unwrap();
        assert_eq!(contents(&opening), [&b"before"[..], b"while it is stopped"]);
        assert!(opening.liars.is_empty(), "being away is no lie");
        visit
            .patient
            .revoke(&mut visit.network, grant.grant)
            .unwrap();
        assert!(matches!(visit.read(&[after]), Err(Error::Denied(_))));
        assert_eq!(visit.report().witnesses.len(), 3);
    }
}

#[test]
fn p7_a_node_that_comes_back_catches_up_and_takes_part_again() {
    let mut visit = Visit::new();
    visit.network.set_conduct(0, Conduct::Stopped).unwrap();
    let record = visit.file_result("while it was stopped");
    visit.grant();
    assert_ne!(
        visit.network.nodes()[0].head().head(),
        visit.network.nodes()[1].head().head()
    );
    visit.network.set_conduct(0, Conduct::Honest).unwrap();
    let heads: Vec<_> = visit
        .network
        .nodes()
        .iter()
        .map(|node| node.head().head())
        .collect();
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]));
    let roots = visit
        .network
        .nodes()
        .iter()
        .map(|node| node.head().map().root());
    assert!(
        roots
            .collect::<Vec<_>>()
            .windows(2)
            .all(|pair| pair[0] == pair[1])
    );
    // It had no share of this record, until it is sent again.
    let header = HeaderDigest(visit.read(&[record]).unwrap().records[0].header.digest().0);
    let status = |visit: &Visit| {
        let state = visit.network.head().unwrap().state();
        state.deposit(&header).unwrap().status()
    };
    assert_eq!(status(&visit), Deposited::Deposited);
    assert_eq!(visit.author.deliver(&mut visit.network).unwrap(), 0);
    assert_eq!(status(&visit), Deposited::Durable);
    visit.network.set_conduct(3, Conduct::Stopped).unwrap();
    assert!(
        visit.read(&[record]).is_ok(),
        "now it stands in for another"
    );
}

#[test]
fn p7_a_liar_is_named_and_reads_work() {
    for liar in 0..4 {
        let mut visit = Visit::new();
        let records = [visit.file_result("one"), visit.file_result("two")];
        visit.grant();
        visit
            .network
            .set_conduct(liar, Conduct::LiesAboutShares)
            .unwrap();
        let opening = visit.read(&records).unwrap();
        assert_eq!(contents(&opening), [b"one", b"two"]);
        let [(org, fault)] = opening.liars.as_slice() else {
            panic!("{:?}", opening.liars)
        };
        assert_eq!(*org, visit.network.nodes()[liar].org());
        assert_eq!(usize::from(fault.custodian.get()), liar + 1);
        assert_eq!(fault.why, ShareFault::Share);
    }
}

#[test]
fn p7_with_both_nothing_opens_and_the_missing_shares_are_counted() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    visit.network.set_conduct(0, Conduct::Stopped).unwrap();
    visit
        .network
        .set_conduct(2, Conduct::LiesAboutShares)
        .unwrap();
    let request = visit.request(&[record]);
    let Err(Error::NotCombined {
        record: id,
        why: CombineError::NotEnough(shortage),
    }) = visit.open(&request)
    else {
        panic!("two of three shares must not open")
    };
    assert_eq!(id, record);
    assert_eq!((shortage.have, shortage.need), (2, 3));
    let missing: Vec<u8> = shortage.missing.iter().map(|index| index.get()).collect();
    assert_eq!(missing, [1, 3]);
    let [fault] = shortage.faults.as_slice() else {
        panic!("{:?}", shortage.faults)
    };
    assert_eq!((fault.custodian.get(), fault.why), (3, ShareFault::Share));
    let error = visit.open(&request).unwrap_err().to_string();
    assert!(
        error.contains("2 of 3 needed shares; none from custodian 1, 3"),
        "{error}"
    );
    // Once one of them is back, the same permit opens it.
    visit.network.set_conduct(0, Conduct::Honest).unwrap();
    assert_eq!(contents(&visit.open(&request).unwrap()), [b"one"]);
}

#[test]
fn p7_without_a_quorum_nothing_is_decided_and_nothing_is_half_done() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    let height = visit.network.head().unwrap().height();
    visit.network.set_conduct(0, Conduct::Stopped).unwrap();
    visit.network.set_conduct(1, Conduct::Stopped).unwrap();
    let kit = visit.patient.filing_kit();
    let document = Document::new(Class::LABORATORY, "text/plain", b"two");
    let documents = [document];
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &documents, |_| ());
    let no_quorum = matches!(
        &filed,
        Err(Error::Ordering(OrderingError::NoQuorum {
            running: 2,
            quorum: 3
        }))
    );
    assert!(no_quorum, "{filed:?}");
    assert!(visit.patient.erase(&mut visit.network, record).is_err());
    assert!(visit.patient.export(&visit.network, None).is_err());
    assert!(
        visit
            .network
            .nodes()
            .iter()
            .all(|node| node.head().height() == height)
    );

    // What failed left nothing waiting: it is done by doing it again, once.
    visit.network.set_conduct(0, Conduct::Honest).unwrap();
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &documents, |_| ())
        .unwrap();
    assert!(filed[0].header.is_some(), "it is filed now");
    visit.grant();
    let opening = visit.read(&[record, filed[0].record]).unwrap();
    assert_eq!(contents(&opening), [b"one", b"two"]);
    assert_eq!(visit.patient.records(&visit.network).unwrap().len(), 2);
}

#[test]
fn p7_an_organizations_enrolment_key_is_on_no_nodes_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut visit = Visit::in_dir(dir.path());
    visit.file_result("one");
    let mut search = Search::default();
    for node in visit.network.nodes() {
        let office = visit.network.enrolment_key(&node.org()).unwrap();
        let registered = visit.network.genesis().organizations().iter();
        let registered = registered.clone().find(|org| org.id == node.org()).unwrap();
        assert_eq!(
            public(office),
            registered.enrolment_key,
            "the key that counts"
        );
        search.bytes("an enrolment key", office.expose_secret_bytes());
    }
    assert_eq!(search.in_dir(dir.path()), []);
    // The same search finds the keys that a node does have.
    let mut search = Search::default();
    for node in visit.network.nodes() {
        search.bytes(
            "a custodian's key",
            node.keys().custodian.expose_secret_bytes(),
        );
    }
    assert_eq!(search.in_dir(dir.path()).len(), 4);
}

#[test]
fn p7_all_nodes_come_to_one_state_and_one_chain() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    visit.read(&[record]).unwrap();
    let height = visit.network.head().unwrap().height();
    for at in 0..=height {
        let blocks: Vec<_> = visit
            .network
            .nodes()
            .iter()
            .map(|node| Replica::block(node, at).unwrap().unwrap().bytes())
            .collect();
        assert!(
            blocks.windows(2).all(|pair| pair[0] == pair[1]),
            "block {at}"
        );
    }
}
