//! What authors send to custodians arrives, whoever was away meanwhile (P7).

use chartseal::{Class, Document, RecordId};
use chartseal_ledger::state::Deposited;
use chartseal_node::Conduct;

use crate::fixture::*;

fn status(visit: &Visit, record: RecordId) -> Deposited {
    let state = visit.network.head().unwrap().state();
    let header = state.record(&record).unwrap().header;
    state.deposit(&header).unwrap().status()
}

#[test]
fn a_record_is_durable_once_every_custodian_has_its_share() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    assert_eq!(status(&visit, record), Deposited::Durable);
    visit.network.set_conduct(2, Conduct::Stopped).unwrap();
    let other = visit.file_result("two");
    assert_eq!(status(&visit, other), Deposited::Deposited);
    assert_eq!(
        visit.author.deliver(&mut visit.network).unwrap(),
        1,
        "one parcel waits"
    );
    assert_eq!(status(&visit, other), Deposited::Deposited);
    visit.network.set_conduct(2, Conduct::Honest).unwrap();
    assert_eq!(visit.author.deliver(&mut visit.network).unwrap(), 0);
    assert_eq!(status(&visit, other), Deposited::Durable);
}

#[test]
fn a_parcel_that_was_amended_or_erased_meanwhile_keeps_no_other_one_waiting() {
    let mut visit = Visit::new();
    visit.network.set_conduct(3, Conduct::Stopped).unwrap();
    let kit = visit.patient.filing_kit();
    let text = |text: &'static str| Document::new(Class::LABORATORY, "text/plain", text.as_bytes());
    let documents = [
        text("amended later"),
        text("erased later"),
        text("as it is"),
    ];
    let filed = visit
        .author
        .file(&mut visit.network, &kit, &documents, |_| ())
        .unwrap();
    let [amended, erased, kept] = [0, 1, 2].map(|at| filed[at].record);
    let old = filed[0].header.as_ref().unwrap();
    visit
        .author
        .amend(&mut visit.network, &kit, old, &text("amended"))
        .unwrap();
    visit.patient.erase(&mut visit.network, erased).unwrap();

    visit.network.set_conduct(3, Conduct::Honest).unwrap();
    assert_eq!(visit.author.deliver(&mut visit.network).unwrap(), 0);
    assert_eq!(status(&visit, kept), Deposited::Durable);
    assert_eq!(status(&visit, amended), Deposited::Durable);
    assert!(!visit.network.nodes()[3].holds_anything_of(&erased).unwrap());
    // The node that was away stands in for another one.
    visit.network.set_conduct(0, Conduct::Stopped).unwrap();
    visit.grant();
    let opening = visit.read(&[kept, amended]).unwrap();
    assert_eq!(contents(&opening), [&b"as it is"[..], b"amended"]);
}

#[test]
fn an_acknowledgement_that_could_not_be_put_on_the_chain_is_sent_again() {
    let mut visit = Visit::new();
    visit.network.set_conduct(3, Conduct::Stopped).unwrap();
    let record = visit.file_result("one");
    visit.network.set_conduct(3, Conduct::Honest).unwrap();
    visit.network.set_conduct(0, Conduct::Stopped).unwrap();
    visit.network.set_conduct(1, Conduct::Stopped).unwrap();
    assert!(
        visit.author.deliver(&mut visit.network).is_err(),
        "there is no quorum"
    );
    visit.network.set_conduct(0, Conduct::Honest).unwrap();
    visit.network.set_conduct(1, Conduct::Honest).unwrap();
    assert_eq!(visit.author.deliver(&mut visit.network).unwrap(), 0);
    assert_eq!(status(&visit, record), Deposited::Durable);
}
