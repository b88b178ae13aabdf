//! What a node serves is what the chain committed to, whatever is on its disk.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use chartseal_codec::{Bytes, to_bytes};
use chartseal_envelope::{KemKeyPair, SigningKeyPair};
use chartseal_ledger::{Genesis, Params};
use chartseal_node::keys::public;
use chartseal_node::{Clock, Node, NodeError, NodeKeys, Stores};
use chartseal_vault::{FileSecretStore, SecretStore, SideKey};
use chartseal_wire::domain::{SIDE_TEXT, tagged_sha256};
use chartseal_wire::{Hash, OrgId, SealedText, Time, TxId};

/// A node in whose side store somebody has put these bytes where those of `place` belong.
fn node_with(dir: &Path, place: SideKey, bytes: &[u8]) -> Node {
    let (keys, office) = (
        NodeKeys::generate().unwrap(),
        SigningKeyPair::generate().unwrap(),
    );
    let side = FileSecretStore::<SideKey>::open(dir.join("side"), &keys.store).unwrap();
    side.put_batch(&[(place, bytes)]).unwrap();
    drop(side);
    let (org, clock) = (OrgId([1; 16]), Clock::manual(Time(1)));
    let organizations = vec![keys.organization(org, public(&office))];
    let genesis = Genesis::new(Time(0), [9; 32], Params::default(), organizations, &[org]);
    let stores = Stores::open(dir, &keys.store).unwrap();
    Node::open(&genesis.unwrap(), org, keys, stores, clock).unwrap()
}

#[test]
fn a_text_that_is_not_the_one_committed_to_is_not_served() {
    let text = |sealed: &[u8]| SealedText {
        salt: [5; 32],
        sealed: Bytes(sealed.to_vec()),
    };
    let (good, other) = (text(b"the reason"), text(b"another reason"));
    let dir = tempfile::tempdir().unwrap();
    let tx = TxId([9; 32]);
    let ids = [tx.0, good.commitment().0].concat();
    let place = SideKey(tagged_sha256(SIDE_TEXT, &ids));
    let node = node_with(dir.path(), place, &to_bytes(&other));
    let served = node.text(&tx, &good.commitment());
    assert!(matches!(served, Err(NodeError::Text)), "{served:?}");
    node.put_texts(&tx, std::slice::from_ref(&other)).unwrap();
    let commitment = other.commitment();
    assert_eq!(node.text(&tx, &commitment).unwrap(), Some(other));
    // Whoever names it in another transaction has nothing.
    assert_eq!(node.text(&TxId([8; 32]), &commitment).unwrap(), None);
}

#[test]
fn a_text_that_the_first_version_kept_is_served_and_what_is_no_text_is_not() {
    let text = SealedText {
        salt: [5; 32],
        sealed: Bytes(b"the reason".to_vec()),
    };
    let (tx, commitment) = (TxId([9; 32]), text.commitment());
    let dir = tempfile::tempdir().unwrap();
    let node = node_with(dir.path(), SideKey(commitment.0), &to_bytes(&text));
    assert_eq!(node.text(&tx, &commitment).unwrap(), Some(text));
    let key = KemKeyPair::generate().unwrap().public_key().clone();
    node.put_kem_key(&key).unwrap();
    assert_eq!(node.text(&tx, &Hash(key.key_id().0)).unwrap(), None);
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
