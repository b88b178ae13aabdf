//! The committee changes: keys are dealt anew to the present one, and at no moment can a record not be read.

use std::num::NonZeroU64;

use chartseal::{Class, Document, Error, KeySeed, Patient, RecordId, Redealing};
use chartseal_api::EnvelopeFront;
use chartseal_envelope::{CustodianSet, Deal, Dealer, deal};
use chartseal_ledger::NotReleasable;
use chartseal_ledger::state::Deposited;
use chartseal_node::{Conduct, DepositFault, NodeError, custodian_set};
use chartseal_vault::BlobId;
use chartseal_wire::{Event, HeaderDigest};

use crate::fixture::*;

fn header(visit: &Visit, record: RecordId) -> HeaderDigest {
    let state = visit.network.head().unwrap().state();
    state.record(&record).unwrap().header
}

/// Which custodians hold their shares of a record's deals: one list for each deal.
fn holders<const N: usize>(visit: &Visit, record: RecordId) -> [Vec<usize>; N] {
    let header = header(visit, record);
    let holds = |deal: usize| {
        let nodes = visit.network.nodes().iter().enumerate();
        let holds = nodes.filter(|(_, node)| node.holds_share(&header, deal as u64).unwrap());
        holds.map(|(at, _)| at).collect()
    };
    std::array::from_fn(holds)
}

const ALL: [usize; 4] = [0, 1, 2, 3];

/// How many records are durable and how many wait, where nothing failed and nobody refused.
fn counts(done: Result<Redealing, Error>) -> (usize, usize) {
    let done = done.unwrap();
    assert!(
        done.failed.is_empty() && done.refusing.is_empty(),
        "{done:?}"
    );
    (done.durable, done.waiting)
}

/// The same patient, as an app that starts again has them from their keystore.
fn started_again(visit: &Visit) -> Patient {
    let seed = KeySeed::from_bytes(*visit.patient.person().seed().expose_bytes());
    visit.network.patient(visit.patient.id(), seed).unwrap()
}

#[test]
fn records_of_two_committees_are_read_with_one_request() {
    let mut visit = Visit::new();
    let old = visit.file_result("old");
    visit.hand_over();
    let new = visit.file_result("new");
    visit.grant();
    let opening = visit.read(&[old, new]).unwrap();
    assert_eq!(contents(&opening), [b"old", b"new"]);
    // Each custodian answers under two indices, and has a receipt for each.
    assert_eq!(visit.report().histories[0].releases, 8);
    visit
        .network
        .set_conduct(1, Conduct::LiesAboutShares)
        .unwrap();
    let opening = visit.read(&[old, new]).unwrap();
    assert_eq!(contents(&opening), [b"old", b"new"]);
    let liars: Vec<_> = opening.liars.iter().map(|(org, _)| *org).collect();
    assert_eq!(liars, [visit.network.nodes()[1].org()]);
}

#[test]
fn a_patient_deals_anew_and_the_former_shares_are_gone() {
    let mut visit = Visit::new();
    let records = [visit.file_result("one"), visit.file_result("two")];
    visit.grant();
    let resting = |visit: &Visit| visit.patient.resting_on_former(&visit.network).unwrap();
    assert_eq!(resting(&visit), []);
    visit.hand_over();
    assert_eq!(resting(&visit), records);
    let request = visit.request(&records);

    let mut told = Vec::new();
    let done = visit
        .patient
        .redeal(&mut visit.network, |done, of| told.push((done, of)));
    assert_eq!(counts(done), (2, 0));
    assert_eq!(told, [(2, 2)]);
    assert_eq!(resting(&visit), []);
    for record in records {
        assert_eq!(holders(&visit, record), [vec![], ALL.to_vec()]);
    }
    // A request that was permitted before is answered with new shares, and one after it.
    assert_eq!(contents(&visit.open(&request).unwrap()), [b"one", b"two"]);
    assert_eq!(contents(&visit.read(&records).unwrap()), [b"one", b"two"]);
    visit.network.set_conduct(1, Conduct::Stopped).unwrap();
    assert_eq!(visit.read(&records).unwrap().records.len(), 2);
    visit.network.set_conduct(1, Conduct::Honest).unwrap();
    // Nothing is left to do.
    let done = visit.patient.redeal(&mut visit.network, |_, _| panic!());
    assert_eq!(counts(done), (0, 0));

    let report = visit.report();
    assert_eq!(report.anomalies, []);
    let events = visit.history().into_iter();
    let redealt = events.filter(|entry| matches!(entry.event, Event::Redealt(_)));
    assert_eq!(redealt.count(), 2);
    // Erased: what was dealt anew goes too.
    visit.patient.erase(&mut visit.network, records[0]).unwrap();
    for node in visit.network.nodes() {
        assert!(!node.holds_anything_of(&records[0]).unwrap());
        assert!(node.holds_anything_of(&records[1]).unwrap());
    }
    let gone: [Vec<usize>; 2] = holders(&visit, records[0]);
    assert_eq!(gone.concat(), [0; 0]);
}

#[test]
fn a_custodian_that_is_away_gets_its_share_later_and_the_former_ones_serve_until_then() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    visit.hand_over();
    visit.network.set_conduct(2, Conduct::Stopped).unwrap();
    let redeal = |visit: &mut Visit| counts(visit.patient.redeal(&mut visit.network, |_, _| ()));
    assert_eq!(redeal(&mut visit), (0, 1));
    assert_eq!(holders(&visit, record), [ALL.to_vec(), vec![0, 1, 3]]);
    assert_eq!(visit.read(&[record]).unwrap().records.len(), 1);
    // The same deal is gone on with, however often, and by an app that was killed after it was on the chain.
    assert_eq!(redeal(&mut visit), (0, 1));
    visit.patient = started_again(&visit);
    visit.network.set_conduct(2, Conduct::Honest).unwrap();
    assert_eq!(redeal(&mut visit), (1, 0));
    let state = visit.network.head().unwrap().state();
    assert_eq!(state.deals(&header(&visit, record)).newest, 1);
    assert_eq!(holders(&visit, record), [vec![], ALL.to_vec()]);
    assert_eq!(visit.read(&[record]).unwrap().records.len(), 1);

    // And when the committee changes once more.
    visit.hand_over();
    assert_eq!(redeal(&mut visit), (1, 0));
    assert_eq!(holders(&visit, record), [vec![], vec![], ALL.to_vec()]);
    assert_eq!(visit.read(&[record]).unwrap().records.len(), 1);
}

#[test]
fn a_record_that_nobody_can_open_keeps_no_other_from_being_dealt_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut visit = Visit::in_dir(dir.path());
    let records = ["one", "two", "three"].map(|content| visit.file_result(content));
    visit.hand_over();
    // No node has the ciphertext of the oldest any more.
    let state = visit.network.head().unwrap().state();
    let id = BlobId(state.record(&records[0]).unwrap().body).to_string();
    let copies = (1..=4).map(|node| {
        let blobs = dir.path().join(node.to_string()).join("blobs");
        blobs.join(&id[..2]).join(format!("{id}.blob"))
    });
    let copies: Vec<_> = copies.collect();
    let ciphertext = std::fs::read(&copies[0]).unwrap();
    for copy in &copies {
        std::fs::remove_file(copy).unwrap();
    }
    let mut told = Vec::new();
    let done = visit
        .patient
        .redeal(&mut visit.network, |done, of| told.push((done, of)));
    let done = done.unwrap();
    assert_eq!((done.durable, done.waiting, told), (2, 1, vec![(3, 3)]));
    let [(record, why)] = &done.failed[..] else {
        panic!("{done:?}");
    };
    assert_eq!(*record, records[0]);
    assert!(matches!(**why, Error::NoCiphertext(_)), "{why}");
    assert_eq!(holders(&visit, records[0]), [ALL.to_vec(), vec![]]);
    assert_eq!(holders(&visit, records[1]), [vec![], ALL.to_vec()]);
    // Two custodians give wrong shares: nothing can be opened now, and that is no reason to stop either.
    for liar in [0, 1] {
        visit
            .network
            .set_conduct(liar, Conduct::LiesAboutShares)
            .unwrap();
    }
    for copy in &copies {
        std::fs::write(copy, &ciphertext).unwrap();
    }
    let done = visit.patient.redeal(&mut visit.network, |_, _| ()).unwrap();
    let why = done.failed.first().map(|(_, why)| why.as_ref());
    assert!(matches!(why, Some(Error::NotCombined { .. })), "{done:?}");
    for honest in [0, 1] {
        visit.network.set_conduct(honest, Conduct::Honest).unwrap();
    }
    let done = visit.patient.redeal(&mut visit.network, |_, _| ());
    assert_eq!(counts(done), (1, 0));
}

#[test]
fn more_records_than_a_batch_are_dealt_anew_and_each_batch_is_told() {
    let mut visit = Visit::sequenced();
    let contents: Vec<String> = (0..70).map(|at| format!("result {at}")).collect();
    let documents = contents.iter();
    let documents =
        documents.map(|it| Document::new(Class::LABORATORY, "text/plain", it.as_bytes()));
    let documents: Vec<Document<'_>> = documents.collect();
    let kit = visit.patient.filing_kit();
    visit
        .author
        .file(&mut visit.network, &kit, &documents, |_| ())
        .unwrap();
    visit.hand_over();
    let mut told = Vec::new();
    let done = visit
        .patient
        .redeal(&mut visit.network, |done, of| told.push((done, of)));
    assert_eq!(counts(done), (70, 0));
    assert_eq!(told, [(64, 70), (70, 70)]);
    assert_eq!(visit.patient.resting_on_former(&visit.network).unwrap(), []);
}

#[test]
fn two_apps_of_one_patient_sign_in_turn_and_neither_is_refused() {
    let mut visit = Visit::sequenced();
    let record = visit.file_result("one");
    let mut other = started_again(&visit);
    for _ in 0..2 {
        visit
            .patient
            .restrict(&mut visit.network, &[Class::IMAGING], &[])
            .unwrap();
        other
            .restrict(&mut visit.network, &[Class::MEDICATION], &[])
            .unwrap();
        let opening = other.read(&mut visit.network, &[record]).unwrap();
        assert_eq!(contents(&opening), [b"one"]);
    }
    // Each after something that the other one signed.
    visit.hand_over();
    let done = visit.patient.redeal(&mut visit.network, |_, _| ());
    assert_eq!(counts(done), (1, 0));
}

#[test]
fn a_readers_deal_is_served_and_what_it_replaces_stays_until_the_patient_deals() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    visit.grant();
    let opening = visit.read(&[record]).unwrap();
    // Nothing to deal: the committee is the one that was dealt to.
    let done = visit.doctor.redeal(&mut visit.network, &opening);
    assert_eq!(counts(done), (0, 0));
    visit.hand_over();
    let opening = visit.read(&[record]).unwrap();
    let done = visit.doctor.redeal(&mut visit.network, &opening).unwrap();
    assert_eq!(done.durable, 1);
    assert_eq!(holders(&visit, record), [ALL, ALL]);
    assert_eq!(visit.read(&[record]).unwrap().records.len(), 1);
    let state = visit.network.head().unwrap().state();
    let dealt = state.deal(&header(&visit, record), 1).unwrap();
    assert_eq!(
        (dealt.by, dealt.status()),
        (visit.doctor.id(), Deposited::Durable)
    );
    // Whoever has not read it may not.
    let mut other = visit
        .network
        .enrol_practitioner(&visit.hospital, &["physician"])
        .unwrap();
    visit.hand_over();
    let refused = other.redeal(&mut visit.network, &opening);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    visit.patient.redeal(&mut visit.network, |_, _| ()).unwrap();
    assert_eq!(holders(&visit, record), [vec![], vec![], ALL.to_vec()]);
}

/// What a dealer who has the key may send to custodians that does not fit.
struct Shares {
    front: EnvelopeFront,
    deals: Vec<Deal>,
}

/// The present committee's shares of a record's deal, honest ones of whichever number.
fn shares(visit: &mut Visit, record: RecordId, number: u64) -> Shares {
    let request = visit.request(&[record]);
    let opening = visit.open(&request).unwrap();
    let envelope = visit.network.nodes()[0].envelope(&request.id(), &record);
    let state = visit.network.head().unwrap().state();
    let present = state.committee();
    let set: CustodianSet = custodian_set(state, present.epoch()).unwrap();
    let dealer: Dealer = match NonZeroU64::new(number) {
        Some(number) => opening.records[0].redealer(number, set),
        None => opening.records[0].dealer(),
    };
    let kem_key = |org| {
        let mut nodes = visit.network.nodes().iter();
        let node = nodes.find(|node| node.org() == org).unwrap();
        node.keys().kem.public_key().clone()
    };
    let keys: Vec<_> = present.members().iter().map(|it| kem_key(it.org)).collect();
    Shares {
        front: envelope.unwrap().front,
        deals: deal(&[&dealer], &keys).unwrap(),
    }
}

#[test]
fn shares_that_are_not_of_an_anchored_deal_are_refused_by_name() {
    let mut visit = Visit::new();
    let (record, other) = (visit.file_result("one"), visit.file_result("two"));
    visit.grant();
    visit.hand_over();
    let whole = shares(&mut visit, record, 1);
    let stranger = shares(&mut visit, other, 1);
    let first = shares(&mut visit, record, 0);
    let node = visit.network.nodes().last().unwrap().org();
    let give = |visit: &mut Visit, front: &EnvelopeFront, deal: &Deal| {
        let mut nodes = visit.network.nodes_mut().iter_mut();
        let node = nodes.find(|it| it.org() == node).unwrap();
        let given = node.redeposit(std::slice::from_ref(front), deal);
        given.map(|given| (given.acknowledgements.len(), given.refused))
    };
    // Nobody anchored it.
    let given = give(&mut visit, &whole.front, &whole.deals[0]).unwrap();
    assert_eq!(given, (0, vec![(record, DepositFault::NotAnchored)]));
    visit.network.set_conduct(3, Conduct::Stopped).unwrap();
    visit.patient.redeal(&mut visit.network, |_, _| ()).unwrap();
    visit.network.set_conduct(3, Conduct::Honest).unwrap();
    // The last one is the first one's place in the new committee. Another's share, another record's, the first deal's.
    let given = give(&mut visit, &whole.front, &whole.deals[1]);
    assert!(matches!(given, Err(NodeError::Deal(_))), "{given:?}");
    let (taken, refused) = give(&mut visit, &whole.front, &stranger.deals[0]).unwrap();
    assert!(
        taken == 0 && matches!(refused[..], [(_, DepositFault::Share(_))]),
        "{refused:?}"
    );
    let given = give(&mut visit, &first.front, &first.deals[0]).unwrap();
    assert_eq!(given, (0, vec![(record, DepositFault::NotAnchored)]));
    let mut forged = whole.front.clone();
    forged.seal = stranger.front.seal.clone();
    let (taken, refused) = give(&mut visit, &forged, &whole.deals[0]).unwrap();
    assert!(
        taken == 0 && matches!(refused[..], [(_, DepositFault::Differs(_))]),
        "{refused:?}"
    );
    assert_eq!(holders(&visit, record), [ALL.to_vec(), vec![0, 1, 2]]);
    // The right one is taken, once and again.
    for _ in 0..2 {
        let given = give(&mut visit, &whole.front, &whole.deals[0]).unwrap();
        assert_eq!(given, (1, vec![]));
    }
    visit.patient.redeal(&mut visit.network, |_, _| ()).unwrap();
    // It is on the chain: not acknowledged again.
    assert_eq!(
        give(&mut visit, &whole.front, &whole.deals[0]).unwrap(),
        (0, vec![])
    );
    // What a newer deal replaced does not come back.
    visit.hand_over();
    visit.patient.redeal(&mut visit.network, |_, _| ()).unwrap();
    let given = give(&mut visit, &whole.front, &whole.deals[0]).unwrap();
    assert_eq!(given, (0, vec![(record, DepositFault::Replaced)]));
    assert_eq!(holders(&visit, record), [vec![], vec![], ALL.to_vec()]);
}

#[test]
fn revocation_holds_whoever_was_dealt_to() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    let grant = visit.grant();
    let request = visit.request(&[record]);
    visit.hand_over();
    let request_after = visit.request(&[record]);
    visit.patient.redeal(&mut visit.network, |_, _| ()).unwrap();
    visit
        .patient
        .revoke(&mut visit.network, grant.grant)
        .unwrap();
    for request in [request, request_after] {
        let refusals = visit.refusals(&request.id());
        assert_eq!(refusals.len(), 4);
        let withdrawn = |why: &NotReleasable| matches!(why, NotReleasable::Withdrawn { .. });
        assert!(refusals.iter().all(withdrawn), "{refusals:?}");
    }
}
