//! A node signs checkpoints of its own chain only, and exports under its newest.

use chartseal_ledger::state::Shared;
use chartseal_merkle::MapKey;
use chartseal_node::{Certified, ExportRequest, NodeError};
use chartseal_wire::{Checkpoint, SignedNote, Subject};

use crate::fixture::*;

/// A checkpoint under the signature of the first node's newest one.
pub(crate) fn note(chain: &Chain, checkpoint: &Checkpoint) -> SignedNote {
    SignedNote {
        text: checkpoint.to_string(),
        signatures: vec![
            chain
                .node(0)
                .sign_checkpoint(&chain.node(0).checkpoint())
                .unwrap(),
        ],
    }
}

/// At which second a node cosigns a checkpoint.
fn cosigned(chain: &Chain, checkpoint: &Checkpoint) -> u64 {
    let node = chain.node(1);
    let line = node.cosign_checkpoint(checkpoint).unwrap();
    let key = node.keys().cosigner_vkey(&node.org()).unwrap();
    key.verify(&checkpoint.to_string(), &line).unwrap()
}

#[test]
fn a_checkpoint_of_the_own_chain_is_signed_an_old_one_as_of_its_last_block() {
    let mut chain = Chain::new();
    let old = chain.node(0).checkpoint();
    let last = chain.node(0).head().head().time;
    chain.clock.advance_ms(60_000);
    let now = START.0 / 1_000 + 60;
    assert_eq!(cosigned(&chain, &old), now, "nothing came since");
    chain.grant();
    let new = chain.node(0).checkpoint();
    assert!(new.size > old.size);
    assert_eq!(cosigned(&chain, &old), last.0 / 1_000);
    assert_eq!(cosigned(&chain, &new), now);
    for checkpoint in [&old, &new] {
        let line = chain.node(1).sign_checkpoint(checkpoint).unwrap();
        let key = chain.node(1).keys().log_vkey(&checkpoint.origin).unwrap();
        assert!(key.verify(&checkpoint.to_string(), &line).is_ok());
    }
}

#[test]
fn a_foreign_a_forked_or_a_future_checkpoint_is_signed_by_nobody() {
    let chain = Chain::new();
    let own = chain.node(0).checkpoint();
    let foreign = Chain::new().node(0).checkpoint();
    let mut forked = own.clone();
    forked.root.0[0] ^= 1;
    let mut future = own.clone();
    future.size += 1;
    let mut renamed = own.clone();
    renamed.origin.clone_from(&foreign.origin);
    for checkpoint in [foreign, forked, future, renamed] {
        for signed in [
            chain.node(1).cosign_checkpoint(&checkpoint),
            chain.node(1).sign_checkpoint(&checkpoint),
        ] {
            assert!(
                matches!(signed, Err(NodeError::Checkpoint)),
                "{checkpoint:?}"
            );
        }
    }
    assert!(chain.node(1).cosign_checkpoint(&own).is_ok());
}

#[test]
fn an_export_is_made_under_the_newest_checkpoint_only() {
    let mut chain = Chain::new();
    let request = ExportRequest {
        histories: vec![(Subject::Patient(PATIENT), 0)],
        log_size: None,
    };
    let old = chain.node(0).checkpoint();
    chain.grant();
    let refused = chain.node(0).export(&request, note(&chain, &old));
    assert!(matches!(refused, Err(NodeError::Checkpoint)), "{refused:?}");
    let new = chain.node(0).checkpoint();
    let file = chain.node(0).export(&request, note(&chain, &new)).unwrap();
    assert_eq!(file.index, chain.node(0).head().height());
    let beyond = ExportRequest {
        log_size: Some(new.size + 1),
        ..request
    };
    let refused = chain.node(0).export(&beyond, note(&chain, &new));
    assert!(matches!(refused, Err(NodeError::Checkpoint)), "{refused:?}");
}

#[test]
fn values_that_come_to_too_much_are_not_proved_however_often_one_is_asked_for() {
    let chain = Chain::new();
    let at = Certified {
        file: "head".into(),
        state: chain.node(0).head().clone(),
    };
    let state = at.state.map();
    let keys = [Shared::key(), MapKey([9; 32]), Shared::key()];
    let bytes = 2 * state.get(&keys[0]).unwrap().len();
    let proved = at.prove_values(&keys, bytes).unwrap().values;
    for (key, found) in keys.iter().zip(&proved) {
        let value = found.value.as_ref().map(|value| value.0.as_slice());
        assert_eq!(value, state.get(key));
        assert_eq!(found.proof.verify(state.root(), key, value), Ok(()));
    }
    assert_eq!((proved.len(), &proved[1].value), (3, &None));
    assert_eq!(at.prove_values(&keys, bytes - 1), None);
}
