//! Authenticated maps: 1,000 new values of 64 bytes in one update, the old state kept.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail};
use chartseal_merkle::{Map, MapKey};
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Sha256Jmt, Version};
use sha2::{Digest, Sha256};

use crate::figure::{Figure, Required, in_turns};

/// The name of [`jmt`].
pub const JMT: &str = "peers/map-update-jmt";
/// The name of [`jmt_million`].
pub const JMT_MILLION: &str = "peers/map-update-jmt-million";

const CHANGED: u32 = 1_000;

/// Against `jmt` at 100,000 keys.
pub fn jmt() -> Result<Figure> {
    at(JMT, 100_000)
}

/// Against `jmt` at a million keys: 2 GiB and half a minute, mostly to fill `jmt`.
pub fn jmt_million() -> Result<Figure> {
    at(JMT_MILLION, 1_000_000)
}

fn at(id: &'static str, keys: u32) -> Result<Figure> {
    let values = (0..keys).map(|n| (MapKey(key(n)), Some(vec![1; 64])));
    let map = Map::new().update(values.collect());
    let store = Store::of(keys)?;
    let tree = Sha256Jmt::new(&store);

    // What is changed is handed over in the form that each wants, its copy included.
    let ours: BTreeMap<MapKey, Option<Vec<u8>>> = (0..CHANGED)
        .map(|n| (MapKey(key(n)), Some(vec![2; 64])))
        .collect();
    let theirs: Vec<(KeyHash, Option<OwnedValue>)> = (0..CHANGED)
        .map(|n| (KeyHash(key(n)), Some(vec![2; 64])))
        .collect();
    let (ours, theirs) = in_turns(
        CHANGED,
        || {
            let updated = map.update(ours.clone());
            (updated.root(), updated)
        },
        // Only what is to be written, without writing it.
        || tree.put_value_set(theirs.clone(), 1),
    );
    Ok(Figure {
        id,
        ours,
        theirs,
        other: "jmt 0.12",
        unit: "ns/change",
        required: Some(Required::Faster(2.0)),
    })
}

fn key(n: u32) -> [u8; 32] {
    Sha256::digest(n.to_be_bytes()).into()
}

/// A `jmt` tree of version 0, in memory.
#[derive(Default)]
struct Store {
    nodes: HashMap<NodeKey, Node>,
    values: HashMap<KeyHash, OwnedValue>,
}

impl Store {
    fn of(keys: u32) -> Result<Self> {
        let values = (0..keys).map(|n| (KeyHash(key(n)), Some(vec![1; 64])));
        let (_, update) = Sha256Jmt::new(&Self::default()).put_value_set(values, 0)?;
        let batch = update.node_batch;
        let nodes = batch.nodes().iter();
        let values = batch.values().iter();
        Ok(Self {
            nodes: nodes
                .map(|(key, node)| (key.clone(), node.clone()))
                .collect(),
            values: values
                .filter_map(|((_, key), value)| Some((*key, value.clone()?)))
                .collect(),
        })
    }
}

impl TreeReader for Store {
    fn get_node_option(&self, key: &NodeKey) -> Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    fn get_value_option(&self, _: Version, key: KeyHash) -> Result<Option<OwnedValue>> {
        Ok(self.values.get(&key).cloned())
    }

    fn get_rightmost_leaf(&self) -> Result<Option<(NodeKey, LeafNode)>> {
        bail!("only restoring a tree asks for this")
    }
}
