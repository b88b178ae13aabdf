//! What a node serves is what the chain committed to, whatever is on its disk.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use chartseal_codec::{Bytes, to_bytes};
use chartseal_envelope::{KemKeyPair, SigningKeyPair};
use chartseal_ledger::{Genesis, Params};
use chartseal_node::keys::public;
use chartseal_node::{Clock, Node, NodeError, NodeKeys, Stores};
use chartseal_vault::{FileSecretStore, SecretStore, SideKey};
use chartseal_wire::{OrgId, SealedText, Time};

/// A node in whose side store somebody has put these bytes where those of `place` belong.
fn node_with(dir: &Path, place: SideKey, bytes: &[u8]) -> Node {
    let side = FileSecretStore::<SideKey>::open(dir.join("side")).unwrap();
    side.put_batch(&[(place, bytes)]).unwrap();
    drop(side);
    let (keys, office) = (
        NodeKeys::generate().unwrap(),
        SigningKeyPair::generate().unwrap(),
    );
    let (org, clock) = (OrgId([1; 16]), Clock::manual(Time(1)));
    let organizations = vec![keys.organization(org, public(&office))];
    let genesis = Genesis::new(Time(0), [9; 32], Params::default(), organizations, &[org]);
    Node::open(
        &genesis.unwrap(),
        org,
        keys,
        Stores::open(dir).unwrap(),
        clock,
    )
    .unwrap()
}

#[test]
fn a_text_that_is_not_the_one_committed_to_is_not_served() {
    let text = |sealed: &[u8]| SealedText {
        salt: [5; 32],
        sealed: Bytes(sealed.to_vec()),
    };
    let (good, other) = (text(b"the reason"), text(b"another reason"));
    let dir = tempfile::tempdir().unwrap();
    let place = SideKey(good.commitment().0);
    let node = node_with(dir.path(), place, &to_bytes(&other));
    let served = node.text(&good.commitment());
    assert!(matches!(served, Err(NodeError::Text)), "{served:?}");
    node.put_texts(std::slice::from_ref(&other)).unwrap();
    assert_eq!(node.text(&other.commitment()).unwrap(), Some(other));
}

#[test]
fn a_kem_key_that_is_not_the_one_of_its_id_is_not_served() {
    let key = || KemKeyPair::generate().unwrap().public_key().clone();
    let (good, other) = (key(), key());
    let dir = tempfile::tempdir().unwrap();
    let place = SideKey(good.key_id().0);
    let node = node_with(dir.path(), place, &other.to_bytes());
    let served = node.kem_key(&good.key_id().0);
    assert!(matches!(served, Err(NodeError::Text)), "{served:?}");
    node.put_kem_key(&other).unwrap();
    assert_eq!(node.kem_key(&other.key_id().0).unwrap(), Some(other));
}
