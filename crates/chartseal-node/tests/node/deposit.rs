//! A custodian takes in what fits its anchor, and nothing else.

use chartseal_codec::{Decode, Encode, Encoder, from_bytes, to_bytes};
use chartseal_envelope::{
    BadSeal, Deal, RecordVersion, Seal, SetId, ShareFault, SigningKeyPair, SubjectId, Threshold,
};
use chartseal_ledger::body::RecordAdded;
use chartseal_node::{DepositFault, Envelope, NodeError};
use chartseal_wire::{HeaderDigest, RecordId};

use crate::fixture::*;

const RECORD: RecordId = RecordId([5; 16]);

/// What the first custodian says to one record with this deal of it.
fn fault(chain: &mut Chain, envelope: &Envelope, deal: &Deal) -> DepositFault {
    let deposited = chain.nodes()[0]
        .deposit(std::slice::from_ref(envelope), deal)
        .unwrap();
    assert!(
        deposited.acknowledgements.is_empty(),
        "nothing is acknowledged"
    );
    let [(record, why)] = deposited.refused[..] else {
        panic!("{:?}", deposited.refused)
    };
    assert_eq!(record, RECORD);
    assert!(
        !chain.node(0).holds_anything_of(&RECORD).unwrap(),
        "nothing is stored"
    );
    why
}

/// What it says to an anchored record that its author sealed with `info` changed.
fn fault_of(change: impl FnOnce(&mut chartseal_envelope::RecordInfo)) -> DepositFault {
    let mut chain = Chain::new();
    let mut info = chain.info(5);
    change(&mut info);
    let sealed = Chain::seal_as(&info, &copy(&chain.author));
    // The anchor says what the ledger admits; the header differs.
    let honest = chain.seal(5).anchor;
    let mut anchor = sealed.anchor.clone();
    (anchor.version, anchor.supersedes) = (honest.version, honest.supersedes);
    chain.by_author(anchor);
    // Custodians' keys are those of the chain, whatever the header says of its set.
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    fault(&mut chain, &sealed.envelope, &deal)
}

fn altered<T: Encode + Decode>(value: &T, change: impl FnOnce(&mut Vec<u8>)) -> T {
    let mut bytes = to_bytes(value);
    change(&mut bytes);
    from_bytes(&bytes).unwrap()
}

#[test]
fn an_honest_deposit_is_stored_and_acknowledged_once_on_the_chain_however_often_it_is_sent() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    let deals = chain.deal(&[&sealed]);
    let envelopes = [sealed.envelope];
    let first = chain.nodes()[0].deposit(&envelopes, &deals[0]).unwrap();
    // Sent again before the acknowledgement is on the chain, it is acknowledged again.
    let second = chain.nodes()[0].deposit(&envelopes, &deals[0]).unwrap();
    assert_eq!(
        (first.acknowledgements.len(), second.acknowledgements.len()),
        (1, 1)
    );
    chain.order(second.acknowledgements);
    let third = chain.nodes()[0].deposit(&envelopes, &deals[0]).unwrap();
    assert!(third.acknowledgements.is_empty() && third.refused.is_empty());
    assert!(chain.node(0).holds_anything_of(&RECORD).unwrap());
    assert!(!chain.node(1).holds_anything_of(&RECORD).unwrap());
}

#[test]
fn what_is_not_anchored_is_refused() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    assert_eq!(
        fault(&mut chain, &sealed.envelope, &deal),
        DepositFault::NotAnchored
    );
    // Nor another header of an anchored record.
    let other = chain.seal(5).anchor;
    chain.by_author(other);
    assert_eq!(
        fault(&mut chain, &sealed.envelope, &deal),
        DepositFault::NotAnchored
    );
}

#[test]
fn an_erased_record_is_refused() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    chain.erase(5);
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    assert_eq!(
        fault(&mut chain, &sealed.envelope, &deal),
        DepositFault::Erased
    );
}

#[test]
fn a_header_of_another_patient_is_refused() {
    let why = fault_of(|info| info.subject = SubjectId([9; 16]));
    assert_eq!(why, DepositFault::Differs("the patient"));
}

#[test]
fn a_header_of_another_version_is_refused() {
    let other = Chain::new().seal(5).envelope.front.header;
    let why = fault_of(|info| info.version = RecordVersion::after(&other).unwrap());
    assert_eq!(why, DepositFault::Differs("the version"));
}

#[test]
fn a_header_of_other_custodians_or_another_threshold_is_refused() {
    let differs = DepositFault::Differs("the custodians");
    assert_eq!(
        fault_of(|info| info.custodians.id = SetId([9; 32])),
        differs
    );
    assert_eq!(fault_of(|info| info.custodians.epoch = 1), differs);
    let two = Threshold::new(2, 4).unwrap();
    assert_eq!(fault_of(|info| info.custodians.threshold = two), differs);
}

#[test]
fn a_body_that_is_not_the_anchored_one_is_refused() {
    let longer: fn(&mut RecordAdded) = |anchor| anchor.length += 1;
    let other: fn(&mut RecordAdded) = |anchor| anchor.body[0] ^= 1;
    for change in [longer, other] {
        let mut chain = Chain::new();
        let sealed = chain.seal(5);
        let mut anchor = sealed.anchor.clone();
        change(&mut anchor);
        chain.by_author(anchor);
        let deal = chain.deal(&[&sealed]).swap_remove(0);
        let why = fault(&mut chain, &sealed.envelope, &deal);
        assert_eq!(why, DepositFault::Differs("the body"));
    }
}

#[test]
fn an_altered_ciphertext_is_refused_wherever_it_was_altered() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    for at in 0..sealed.envelope.body.len() {
        let mut envelope = sealed.envelope.clone();
        envelope.body[at] ^= 1;
        let why = fault(&mut chain, &envelope, &deal);
        assert_eq!(why, DepositFault::Seal(BadSeal::Body), "byte {at}");
    }
    let mut cut = sealed.envelope.clone();
    cut.body.pop();
    assert_eq!(
        fault(&mut chain, &cut, &deal),
        DepositFault::Seal(BadSeal::Body)
    );
}

#[test]
fn a_seal_that_does_not_verify_is_refused() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    let mut envelope = sealed.envelope.clone();
    envelope.front.seal = altered::<Seal>(&envelope.front.seal, |bytes| {
        *bytes.last_mut().unwrap() ^= 1;
    });
    let why = fault(&mut chain, &envelope, &deal);
    assert_eq!(why, DepositFault::Seal(BadSeal::Signature));
}

#[test]
fn a_seal_by_another_than_the_one_who_anchored_is_refused() {
    let mut chain = Chain::new();
    let ghost = SigningKeyPair::generate().unwrap();
    let sealed = Chain::seal_as(&chain.info(5), &ghost);
    chain.by_author(sealed.anchor.clone());
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    let why = fault(&mut chain, &sealed.envelope, &deal);
    assert_eq!(why, DepositFault::Seal(BadSeal::Author));
}

#[test]
fn a_share_that_was_altered_on_its_way_is_refused() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    let deal = chain.deal(&[&sealed]).swap_remove(0);
    let deal = altered::<Deal>(&deal, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let why = fault(&mut chain, &sealed.envelope, &deal);
    assert_eq!(why, DepositFault::Share(ShareFault::Sealing));
}

#[test]
fn a_record_that_comes_without_a_share_is_not_acknowledged() {
    let mut chain = Chain::new();
    let (sealed, other) = (chain.seal(5), chain.seal(6));
    chain.by_author(sealed.anchor.clone());
    chain.by_author(other.anchor.clone());
    let deal = chain.deal(&[&other]).swap_remove(0);
    let envelopes = [other.envelope, sealed.envelope];
    let deposited = chain.nodes()[0].deposit(&envelopes, &deal).unwrap();
    assert_eq!(deposited.acknowledgements.len(), 1);
    assert_eq!(
        deposited.refused,
        [(RECORD, DepositFault::Share(ShareFault::Foreign))]
    );
    assert!(!chain.node(0).holds_anything_of(&RECORD).unwrap());
}

/// A front that names another's body under its author's good signature.
fn with_body_of(sealed: &mut Sealed, other: &Sealed, author: &SigningKeyPair) {
    let (header, seal) = (&sealed.envelope.front.header, &other.envelope.front.seal);
    let (digest, length) = (seal.body_digest(), seal.body_len());
    let mut message = b"chartseal/envelope/seal/1\0".to_vec();
    message.extend(header.digest().as_bytes());
    message.extend(digest.0);
    message.extend(length.to_be_bytes());
    let signature = author.sign(&message);
    let mut e = Encoder::new();
    e.array(5).uint(Seal::FORMAT).item(&header.suite());
    e.item(&digest).uint(length).item(&signature);
    sealed.envelope.front.seal = from_bytes(&e.finish()).unwrap();
    sealed.envelope.body.clone_from(&other.envelope.body);
    (sealed.anchor.body, sealed.anchor.length) = (digest.0, length);
}

/// Who files another's ciphertext as a record of their own could have it destroyed with that one, or kept in spite of the
/// other's erasure.
#[test]
fn a_body_is_taken_for_one_record() {
    let mut chain = Chain::new();
    let first = chain.record(4);
    let mut second = chain.seal(5);
    with_body_of(&mut second, &first, &chain.author);
    chain.by_author(second.anchor.clone());
    let deal = chain.deal(&[&second]).swap_remove(0);
    let deposited = chain.nodes()[0].deposit(&[second.envelope], &deal).unwrap();
    assert!(deposited.acknowledgements.is_empty());
    let why = DepositFault::Differs("the body, which is another record's");
    assert_eq!(deposited.refused, [(RECORD, why)]);
    assert!(!chain.node(0).holds_anything_of(&RECORD).unwrap());
    chain.erase(5);
    chain.nodes()[0].destroy(&RECORD).unwrap();
    chain.grant();
    let (request, _) = chain.request(&[4]);
    let whole = chain.node(0).envelope(&request, &RecordId([4; 16]));
    assert_eq!(whole.unwrap().body, first.envelope.body);
    chain.erase(4);
    chain.nodes()[0].destroy(&RecordId([4; 16])).unwrap();
    assert!(!chain.node(0).holds_anything_of(&RecordId([4; 16])).unwrap());
}

#[test]
fn a_deal_for_another_custodian_is_refused_whole() {
    let mut chain = Chain::new();
    let sealed = chain.seal(5);
    chain.by_author(sealed.anchor.clone());
    let deals = chain.deal(&[&sealed]);
    let refused = chain.nodes()[0].deposit(&[sealed.envelope], &deals[1]);
    assert!(
        matches!(refused, Err(NodeError::Deal(ShareFault::Index))),
        "{refused:?}"
    );
    assert!(!chain.node(0).holds_anything_of(&RECORD).unwrap());
}

#[test]
fn one_record_that_does_not_fit_keeps_no_other_one_out() {
    let mut chain = Chain::new();
    let records = [chain.seal(4), chain.seal(5), chain.seal(6)];
    for record in &records {
        chain.by_author(record.anchor.clone());
    }
    let deal = chain
        .deal(&[&records[0], &records[1], &records[2]])
        .swap_remove(0);
    let mut envelopes = records.map(|record| record.envelope);
    envelopes[1].body[3] ^= 1;
    let deposited = chain.nodes()[0].deposit(&envelopes, &deal).unwrap();
    assert_eq!(deposited.acknowledgements.len(), 2);
    assert_eq!(
        deposited.refused,
        [(RECORD, DepositFault::Seal(BadSeal::Body))]
    );
    for (record, held) in [(4, true), (5, false), (6, true)] {
        assert_eq!(
            chain
                .node(0)
                .holds_anything_of(&RecordId([record; 16]))
                .unwrap(),
            held
        );
    }
    let header = HeaderDigest(envelopes[0].front.header.digest().0);
    let versions = chain.node(0).versions(&RecordId([4; 16])).unwrap();
    assert_eq!(versions, [header]);
}
