//! What is refused is counted by its rule, and nothing else is.

use std::collections::BTreeMap;

use chartseal_consensus::{Ordering, Replica};
use chartseal_ledger::body::Erased;
use chartseal_ledger::propose;
use chartseal_wire::{RecordId, Time};

use crate::fixture::*;

#[test]
fn every_refusal_is_counted_by_its_rule_and_changes_nothing() {
    let mut chain = Chain::new();
    let root = chain.node(0).head().map().root();
    let (author, patient) = (copy(&chain.author), copy(&chain.patient));
    let record = RecordId([0x77; 16]);
    let unknown = [(); 2].map(|()| chain.signed(&patient, Erased { record }));
    let not_by_patient = chain.signed(&author, Erased { record });
    let mut forged = chain.signed(&patient, Erased { record });
    forged.signature.0[0] ^= 1;
    for transaction in unknown.into_iter().chain([not_by_patient, forged]) {
        chain.sequencer.submit(transaction);
    }
    let finalized = chain.sequencer.finalize(START).unwrap();
    assert_eq!((finalized.headers.len(), finalized.rejected.len()), (0, 4));

    // One node proposed; each reports what it refused itself.
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for at in 0..4 {
        assert_eq!(chain.node(at).head().map().root(), root);
        for (rule, count) in chain.node(at).metrics().refused {
            *all.entry(rule).or_default() += count;
        }
    }
    let expected = [("CS-LED-09", 1), ("CS-LED-10", 1), ("CS-LED-21", 2)];
    assert_eq!(all, BTreeMap::from(expected));
}

#[test]
fn a_refused_block_is_counted_by_the_rule_of_blocks() {
    let mut chain = Chain::new();
    let mut block = propose(chain.node(0).head(), Time(START.0 + 1), []).block;
    block.header.state_root.0[0] ^= 1;
    for times in 1..=2 {
        chain.nodes()[0].execute(&block).unwrap_err();
        let refused = chain.node(0).metrics().refused;
        assert_eq!(refused, BTreeMap::from([("CS-LED-91", times)]));
    }
    let text = chain.node(0).metrics().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "# HELP chartseal_refused_total Transactions and blocks that were refused.",
            "# TYPE chartseal_refused_total counter",
            "chartseal_refused_total{rule=\"CS-LED-91\"} 2",
        ]
    );
    assert_eq!(chain.node(1).metrics(), chartseal_node::Metrics::default());
}
