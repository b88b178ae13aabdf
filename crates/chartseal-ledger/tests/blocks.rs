//! Blocks: every field of a header is checked, and executing is deterministic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{DirectiveIssued, EmergencyDeclared};
use chartseal_ledger::{
    Block, BlockError, MAX_TRANSACTION_BYTES, Params, SignedTransaction, execute, propose, tx_root,
};
use chartseal_wire::{ChainId, Hash, Signature, Time};
use common::*;

/// A chain and its next, good block of two transactions.
fn next() -> (Chain, Block) {
    let mut chain = Chain::populated();
    let one = chain.sign(&actor_key(10), chain.record(20));
    let two = chain.sign(&actor_key(11), chain.record(21));
    let proposed = propose(&chain.head, Time(chain.now + 5), [one, two]);
    assert_eq!(proposed.block.transactions.len(), 2);
    (chain, proposed.block)
}

/// The rule that a spoiled block breaks; the block as it was is good.
fn rule_of(spoil: impl FnOnce(&mut Block)) -> &'static str {
    let (chain, good) = next();
    let mut bad = good.clone();
    spoil(&mut bad);
    let error = execute(&chain.head, &bad).unwrap_err();
    execute(&chain.head, &good).unwrap();
    error.rule()
}

#[test]
fn every_field_of_a_header_is_checked_by_a_rule_of_its_own() {
    assert_eq!(rule_of(|block| block.header.version = 2), "CS-LED-81");
    assert_eq!(
        rule_of(|block| block.header.chain = ChainId([1; 32])),
        "CS-LED-82"
    );
    assert_eq!(rule_of(|block| block.header.epoch = 1), "CS-LED-83");
    assert_eq!(rule_of(|block| block.header.height += 1), "CS-LED-84");
    assert_eq!(rule_of(|block| block.header.height = 0), "CS-LED-84");
    assert_eq!(rule_of(|block| block.header.parent.0[0] ^= 1), "CS-LED-85");
    assert_eq!(
        rule_of(|block| block.header.time = Time(START)),
        "CS-LED-86"
    );
    assert_eq!(
        rule_of(|block| block.header.log_root.0[0] ^= 1),
        "CS-LED-87"
    );
    assert_eq!(rule_of(|block| block.header.log_size -= 1), "CS-LED-87");
    assert_eq!(
        rule_of(|block| block.header.next_committee = Hash::ZERO),
        "CS-LED-88"
    );
    assert_eq!(rule_of(|block| block.header.tx_root.0[0] ^= 1), "CS-LED-89");
    assert_eq!(rule_of(|block| block.transactions.reverse()), "CS-LED-89");
    assert_eq!(rule_of(|block| block.transactions.truncate(1)), "CS-LED-89");
    assert_eq!(
        rule_of(|block| block.transactions[0].signature.0[0] ^= 1),
        "CS-LED-89"
    );
    assert_eq!(
        rule_of(|block| block.header.state_root.0[0] ^= 1),
        "CS-LED-91"
    );
}

#[test]
fn a_block_with_one_refused_transaction_is_refused_whole() {
    let (chain, mut block) = next();
    block.transactions[1].signature.0[0] ^= 1;
    block.header.tx_root = tx_root(&block.transactions);
    let error = execute(&chain.head, &block).unwrap_err();
    assert_eq!(error.rule(), "CS-LED-90");
    let BlockError::Transaction { index, source } = error else {
        panic!()
    };
    assert_eq!((index, source.rule()), (1, "CS-LED-09"));
}

#[test]
fn a_block_has_a_cap_on_its_bytes_and_its_transactions() {
    let (chain, mut block) = next();
    let filler = |bytes| SignedTransaction {
        bytes: vec![0; bytes],
        signature: Signature([0; 64]),
    };
    block.transactions = vec![filler(1); Block::MAX_TRANSACTIONS + 1];
    assert_eq!(
        execute(&chain.head, &block).unwrap_err().rule(),
        "CS-LED-80"
    );
    assert!(
        Block::from_bytes(&block.bytes()).is_err(),
        "the decoder's cap"
    );
    block.transactions = vec![filler(MAX_TRANSACTION_BYTES); 32];
    assert_eq!(
        execute(&chain.head, &block).unwrap_err().rule(),
        "CS-LED-80"
    );
    assert!(
        Block::from_bytes(&block.bytes()).is_err(),
        "the decoder's cap"
    );
}

#[test]
fn a_proposer_leaves_for_later_what_finds_no_room() {
    let mut chain = Chain::populated();
    let ask = |i: u32| {
        let mut body = ask(1, &[20], "TREAT");
        body.records = (0..512u32)
            .map(|j| {
                let mut id = [0; 16];
                id[..4].copy_from_slice(&(i * 512 + j).to_be_bytes());
                chartseal_wire::RecordId(id)
            })
            .collect();
        body
    };
    let candidates: Vec<_> = (0..500)
        .map(|i| chain.sign(&actor_key(10), ask(i)))
        .collect();
    let bytes: usize = candidates.iter().map(|one| one.bytes.len()).sum();
    assert!(bytes > Block::MAX_BYTES);
    let proposed = propose(&chain.head, Time(chain.now), candidates.clone());
    let included = proposed.block.transactions.len();
    assert!(included > 400 && included < 500 && proposed.rejected.is_empty());
    assert!(proposed.block.bytes().len() <= Block::MAX_BYTES);
    let after = execute(&chain.head, &proposed.block).unwrap().overlay;
    let rest = propose(&after, Time(chain.now), candidates);
    assert_eq!(
        rest.rejected.len(),
        included,
        "those that are in already are out of sequence"
    );
    assert_eq!(rest.block.transactions.len(), 500 - included);
}

#[test]
fn a_proposer_with_a_slow_clock_does_not_go_back_in_time() {
    let chain = Chain::populated();
    let proposed = propose(&chain.head, Time(0), []);
    assert_eq!(proposed.block.header.time, chain.head.head().time);
    execute(&chain.head, &proposed.block).unwrap();
}

/// A chain on which everything happened that changes state.
fn eventful() -> Chain {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let terms = grant(11, None);
    chain.ok(
        &patient_key(1),
        DirectiveIssued {
            patient: patient(1),
            terms,
            sealed: None,
        },
    );
    chain.ask(&actor_key(11), ask(1, &[20, 30], "TREAT"));
    let declared = EmergencyDeclared {
        patient: patient(1),
        reason_code: token("unconscious"),
        reason: Hash([9; 32]),
        has_reason: true,
    };
    chain.ok(&actor_key(12), declared);
    chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    chain.block(vec![]);
    chain
}

#[test]
fn replay_from_genesis_reproduces_every_root_and_the_store() {
    let chain = eventful();
    let mut overlay = genesis().overlay();
    let mut changed = std::collections::BTreeMap::new();
    changed.extend(genesis().executed().changes);
    for block in &chain.blocks[1..] {
        let decoded = Block::from_bytes(&block.bytes()).unwrap();
        assert_eq!(&decoded, block);
        let executed = execute(&overlay, &decoded).unwrap();
        changed.extend(executed.changes);
        overlay = executed.overlay;
        assert_eq!(overlay.map().root(), block.header.state_root);
    }
    assert_eq!(overlay.head(), chain.head.head());
    let rebuilt = chartseal_merkle::Map::new().updated(&changed);
    assert_eq!(
        rebuilt.root(),
        overlay.map().root(),
        "the changes are the whole state"
    );
}

#[test]
fn executing_twice_gives_the_same_entries_receipts_and_changes() {
    let chain = eventful();
    let mut overlay = genesis().overlay();
    for block in &chain.blocks[1..] {
        let [a, b] = [(); 2].map(|()| execute(&overlay, block).unwrap());
        assert_eq!(
            (&a.changes, &a.entries, &a.receipts),
            (&b.changes, &b.entries, &b.receipts)
        );
        overlay = a.overlay;
    }
}

#[test]
fn refused_candidates_between_good_ones_change_nothing_whatever_their_order() {
    let mut chain = Chain::populated();
    let good = [
        chain.sign(&actor_key(10), chain.record(20)),
        chain.sign(&actor_key(10), chain.record(21)),
    ];
    let bad: Vec<_> = [
        chain.record(22),
        record(22, 77, chain.now),
        record(23, 2, u64::MAX / 2),
    ]
    .into_iter()
    .enumerate()
    .map(|(i, body)| {
        let seq = 9 + i as u64;
        let mut one = chain.transaction(&actor_key(11), seq, body);
        one.version = if i == 0 { 7 } else { 1 };
        one.sign(|message| actor_key(11).sign(message))
    })
    .collect();
    let [one, two] = good;
    let alone = propose(&chain.head, Time(chain.now), [one.clone(), two.clone()]);
    let orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2]];
    for [a, b, c] in orders.map(|order| order.map(|i| bad[i].clone())) {
        let mixed = propose(
            &chain.head,
            Time(chain.now),
            [a, one.clone(), b, two.clone(), c],
        );
        assert_eq!(mixed.rejected.len(), 3);
        assert_eq!(mixed.block, alone.block);
        assert_eq!(mixed.executed.receipts, alone.executed.receipts);
    }
}

#[test]
fn overlays_of_rival_blocks_stand_side_by_side_several_deep() {
    let mut chain = Chain::populated();
    let base = chain.head.clone();
    let (a, b) = (chain.record(20), chain.record(21));
    let (a, b) = (chain.sign(&actor_key(10), a), chain.sign(&actor_key(11), b));
    let left = propose(&base, Time(chain.now + 1), [a.clone()])
        .executed
        .overlay;
    let right = propose(&base, Time(chain.now + 2), [b.clone()])
        .executed
        .overlay;
    let deep = propose(&left, Time(chain.now + 3), [b]).executed.overlay;
    let has = |overlay: &chartseal_ledger::Overlay| {
        [20, 21].map(|id| overlay.state().record(&record_id(id)).is_some())
    };
    assert_eq!(has(&base), [false, false]);
    assert_eq!(has(&left), [true, false]);
    assert_eq!(has(&right), [false, true]);
    assert_eq!(has(&deep), [true, true]);
    assert!(execute(&right, &propose(&left, Time(chain.now + 3), []).block).is_err());
}

#[test]
fn a_directive_counts_only_for_requests_after_it_in_the_same_block() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let terms = grant(11, None);
    let issued = DirectiveIssued {
        patient: patient(1),
        terms,
        sealed: None,
    };
    let before = chain.sign(&actor_key(11), ask(1, &[20], "TREAT"));
    let issued = chain.sign(&patient_key(1), issued);
    let after = chain.sign(&actor_key(11), ask(1, &[20], "TREAT"));
    let executed = chain.block(vec![before, issued, after]);
    let permitted = |index: usize| match &executed.receipts[index].effect {
        chartseal_ledger::Effect::Decided(decided) => decided.records[0].permitted,
        other => panic!("{other:?}"),
    };
    assert_eq!((permitted(0), permitted(2)), (false, true));
}

#[test]
fn an_export_is_proved_from_what_the_overlay_gives() {
    let chain = eventful();
    let reloaded = chartseal_ledger::store::reload(&chain.store).unwrap();
    let head = reloaded.overlay.head().clone();
    let subject = chartseal_wire::Subject::Patient(patient(1));
    let frontier = chartseal_codec::to_bytes(&reloaded.overlay.state().frontier(&subject));
    let proof = reloaded.overlay.prove_history(&subject);
    proof
        .verify(head.state_root, &subject.slot(), Some(&frontier))
        .unwrap();
    let nobody = chartseal_wire::Subject::Patient(patient(99));
    let proof = reloaded.overlay.prove_history(&nobody);
    proof.verify(head.state_root, &nobody.slot(), None).unwrap();

    let log = reloaded.overlay.log_with_head();
    assert_eq!(
        (log.size(), log.root()),
        (reloaded.log.size(), reloaded.log.root())
    );
    let inclusion = reloaded
        .log
        .prove_inclusion(head.height, log.size())
        .unwrap();
    chartseal_merkle::verify_inclusion(
        head.leaf(),
        head.height,
        log.size(),
        &inclusion,
        log.root(),
    )
    .unwrap();
}

#[test]
fn time_is_bounded_by_who_has_a_clock() {
    let params = params();
    let (now, drift) = (Time(START), params.max_time_drift_ms);
    assert!(
        params.is_timely(Time(START + drift), now) && params.is_timely(Time(START - drift), now)
    );
    assert!(!params.is_timely(Time(START + drift + 1), now));
    assert!(!params.is_timely(Time(START - drift - 1), now));
}

#[test]
fn the_default_params_are_what_their_page_says() {
    let (params, second, hour) = (Params::default(), 1_000, 3_600_000);
    assert_eq!(params.max_time_drift_ms, 30 * second);
    assert_eq!(params.emergency_role_delay_ms, 24 * hour);
    assert_eq!(params.review_within_ms, 3 * 24 * hour);
    assert_eq!(params.release_window_ms, 600 * second);
    assert_eq!(params.min_recovery_delay_ms, 3 * 24 * hour);
    assert_eq!(params.denial_window_ms, hour);
    assert_eq!(params.network.emergency.unwrap().ttl.0, 4 * hour);
    assert_eq!(params.network.law, []);
}
