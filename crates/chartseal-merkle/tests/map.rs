//! The map against a plain one, and its proofs against forgery.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_merkle::{Hash, Map, MapKey, MapProof, leaf_hash};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// Few distinct keys that share long prefixes, so that paths collide, split and collapse.
fn key() -> impl Strategy<Value = MapKey> {
    (0u8..4, 0u8..4, 0u8..4).prop_map(|(a, b, c)| {
        let mut key = [0; 32];
        key[0] = a << 6;
        key[1] = b;
        key[31] = c;
        MapKey(key)
    })
}

/// The root, as docs/formats.md has it: level by level, whatever a node is in memory.
fn root_of(entries: &[(MapKey, Vec<u8>)], depth: usize) -> [u8; 32] {
    let pair = |tag: u8, left: [u8; 32], right: [u8; 32]| {
        let hasher = Sha256::new().chain_update([tag]).chain_update(left);
        hasher.chain_update(right).finalize().into()
    };
    match entries {
        [] => [0; 32],
        [(key, value)] => pair(2, key.0, Sha256::digest(value).into()),
        _ => {
            let is_left = |key: &MapKey| key.0[depth / 8] & (0x80 >> (depth % 8)) == 0;
            let middle = entries.partition_point(|(key, _)| is_left(key));
            let (left, right) = entries.split_at(middle);
            pair(3, root_of(left, depth + 1), root_of(right, depth + 1))
        }
    }
}

type Changes = BTreeMap<MapKey, Option<Vec<u8>>>;

fn changes() -> impl Strategy<Value = Changes> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..4));
    prop::collection::btree_map(key(), value, 0..12)
}

proptest! {
    #[test]
    fn behaves_as_a_plain_map_and_its_root_depends_on_contents_alone(
        steps in prop::collection::vec(changes(), 0..8), probe in key(),
    ) {
        let (mut map, mut plain) = (Map::new(), BTreeMap::new());
        for step in steps {
            for (key, value) in step.clone() {
                match value {
                    Some(value) => plain.insert(key, value),
                    None => plain.remove(&key),
                };
            }
            map = map.update(step);
        }
        prop_assert_eq!(map.len(), plain.len());
        let entries: Vec<_> = map.iter().map(|(key, value)| (*key, value.to_vec())).collect();
        prop_assert_eq!(&entries, &plain.clone().into_iter().collect::<Vec<_>>());
        prop_assert_eq!(map.root(), Hash(root_of(&entries, 0)));
        let at_once = Map::new().update(plain.iter().map(|(k, v)| (*k, Some(v.clone()))).collect());
        prop_assert_eq!(map.root(), at_once.root());

        let value = plain.get(&probe).map(Vec::as_slice);
        prop_assert_eq!(map.get(&probe), value);
        let proof = map.prove(&probe);
        prop_assert!(proof.verify(map.root(), &probe, value).is_ok());
        let wrong = match value { Some(_) => None, None => Some(&b"forged"[..]) };
        prop_assert!(proof.verify(map.root(), &probe, wrong).is_err());
        prop_assert!(proof.verify(map.root(), &probe, Some(b"another")).is_err());
        prop_assert!(proof.verify(leaf_hash(b"root"), &probe, value).is_err());
    }

    /// A proof about one key says nothing about a key elsewhere.
    #[test]
    fn another_keys_proof_proves_no_absence(step in changes(), a in key(), b in key()) {
        let map = Map::new().update(step);
        if map.get(&b).is_some() {
            prop_assert!(map.prove(&a).verify(map.root(), &b, None).is_err());
        }
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    let keys: Vec<MapKey> = (0u32..20)
        .map(|i| MapKey(leaf_hash(&i.to_be_bytes()).0))
        .collect();
    let map = Map::new().update(
        keys.iter()
            .map(|key| (*key, Some(b"value".to_vec())))
            .collect(),
    );
    let bytes = to_bytes(&map.prove(&keys[7]));
    for at in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        let verified = from_bytes::<MapProof>(&flipped)
            .is_ok_and(|proof| proof.verify(map.root(), &keys[7], Some(b"value")).is_ok());
        assert!(!verified, "bit {at}");
    }
}

#[test]
fn roots_are_frozen() {
    assert_eq!(Map::new().root(), Hash::ZERO);
    let map = Map::new().update(
        [
            (MapKey([0; 32]), Some(b"a".to_vec())),
            (MapKey([255; 32]), Some(b"b".to_vec())),
        ]
        .into(),
    );
    assert_eq!(
        map.root().to_string(),
        "4334cbfd7f59334761f3a3233f971637b2dd54a91f0e0be38bbf20f63b26fefa"
    );
}
