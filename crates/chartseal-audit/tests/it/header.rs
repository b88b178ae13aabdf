//! The light tier: a header is proved by the rules of exports, and facts under it by one proof each.

use chartseal_audit::{Doubt, Options, ProvedHeader, Rule, TrustPolicy, Verdict, verify_header};
use chartseal_codec::to_bytes;
use chartseal_merkle::{Log, leaf_hash};
use chartseal_wire::Subject;

use crate::fixture::*;

fn head(net: &Network, parts: &Parts) -> ProvedHeader {
    match verify_header(&parts.text(), &net.policy(), &Options::default()) {
        Verdict::Proved(head) => *head,
        other => panic!("{other}"),
    }
}

#[test]
fn a_header_alone_is_proved_and_the_state_under_it_fact_by_fact() {
    let net = Network::visit();
    let with = net.export();
    let section = with.export.histories[0].clone();
    let mut alone = net.export_of(&[], net.headers.len() - 1);
    alone.export.texts.clear();
    let head = head(&net, &alone);
    assert_eq!(head.header, alone.export.header);
    assert_eq!((head.quorum.signed, head.quorum.needed), (3, 3));
    assert!(
        head.to_string().contains("block 14 is the network's"),
        "{head}"
    );
    // To be judged whole, an export needs a history.
    assert!(matches!(
        net.verify(&alone),
        Verdict::CannotTell(Doubt::NoHistory)
    ));

    let (key, value) = (subject().slot(), to_bytes(&section.log));
    let proof = &section.proof;
    head.value(&key, Some(&value), proof).unwrap();
    assert!(head.value(&key, None, proof).is_err());
    assert!(head.value(&key, Some(&value[1..]), proof).is_err());
    let nobody = Subject::Actor(REVIEWER);
    assert!(head.value(&nobody.slot(), Some(&value), proof).is_err());
    for at in 0..value.len() {
        let mut other = value.clone();
        other[at] ^= 1;
        assert!(head.value(&key, Some(&other), proof).is_err(), "byte {at}");
    }
}

#[test]
fn earlier_headers_and_transactions_are_proved_and_others_are_not() {
    let mut net = Network::visit();
    let leaves = [b"one", b"two", b"six"].map(|bytes| leaf_hash(bytes));
    let mut block = Log::new();
    for leaf in leaves {
        block.append(leaf);
    }
    // A last block with three transactions.
    net.headers.last_mut().unwrap().tx_root = block.root();
    net.log = Log::new();
    for header in &net.headers {
        net.log.append(header.leaf());
    }
    let parts = net.export();
    let head = head(&net, &parts);
    for (index, leaf) in (0..).zip(leaves) {
        let proof = block.prove_inclusion(index, 3).unwrap();
        head.transaction(leaf, index, 3, &proof).unwrap();
        let other = leaf_hash(b"another");
        assert!(head.transaction(other, index, 3, &proof).is_err());
        assert!(head.transaction(leaf, index + 1, 3, &proof).is_err());
    }
    let size = head.header.log_size;
    for (height, header) in (0..size).zip(&net.headers) {
        let proof = net.log.prove_inclusion(height, size).unwrap();
        head.earlier(header, &proof).unwrap();
        let other = &net.headers[usize::try_from((height + 1) % size).unwrap()];
        assert!(head.earlier(other, &proof).is_err());
    }
    let itself = net.log.prove_inclusion(size, size + 1).unwrap();
    assert!(head.earlier(&head.header.clone(), &itself).is_err());
}

#[test]
fn a_header_is_refuted_by_the_rules_of_exports() {
    let refuses = |net: &Network, parts: &Parts, rule| match verify_header(
        &parts.text(),
        &net.policy(),
        &Options::default(),
    ) {
        Verdict::Refuted(refutation) => assert_eq!(refutation.rule, rule, "{refutation}"),
        other => panic!("{rule}: {other}"),
    };
    let net = Network::visit();
    let mut parts = net.export();
    parts.cosigners.pop();
    refuses(&net, &parts, Rule::Quorum);
    let mut parts = net.export();
    parts.cosigners.push(3);
    refuses(&net, &parts, Rule::Needed);
    let mut parts = net.export();
    parts.proof.pop();
    refuses(&net, &parts, Rule::Inclusion);
    let mut parts = net.export();
    parts.export.header.state_root.0[0] ^= 1;
    refuses(&net, &parts, Rule::Inclusion);
    let mut parts = net.export();
    parts.proposer = Some(7);
    refuses(&net, &parts, Rule::LogSignature);

    // What can't be told is told apart.
    let other = TrustPolicy::parse(&Network::new(0xdd).policy_text()).unwrap();
    let unknown = verify_header(&net.export().text(), &other, &Options::default());
    assert!(matches!(
        unknown,
        Verdict::CannotTell(Doubt::UnknownLog { .. })
    ));
    let late = fresh(net.now().0 + 1_000_000, 999);
    let stale = verify_header(&net.export().text(), &net.policy(), &late);
    assert!(matches!(stale, Verdict::CannotTell(Doubt::Stale { .. })));
}

#[test]
fn a_certified_header_is_proved_by_its_committee() {
    let net = Network::certified(2);
    let parts = net.certified_export();
    let policy = TrustPolicy::parse(&net.committee_policy(2)).unwrap();
    let Verdict::Proved(head) = verify_header(&parts.text(), &policy, &Options::default()) else {
        panic!("its committee certified it");
    };
    assert_eq!(head.certified.unwrap().epoch, 2);
    let policy = TrustPolicy::parse(&net.committee_policy(5)).unwrap();
    let unknown = verify_header(&parts.text(), &policy, &Options::default());
    assert!(matches!(
        unknown,
        Verdict::CannotTell(Doubt::UnknownCommittee { .. })
    ));
}
