use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::{byte_newtype, canonical_struct};

use crate::hash::{Hash, map_leaf_hash, map_node_hash, map_value_hash};
use crate::proof::ProofError;

byte_newtype! {
    /// A key of a [`Map`]: a hash, so that its bits are spread.
    pub struct MapKey([u8; 32]);
}

impl MapKey {
    fn bit(&self, depth: usize) -> bool {
        let byte = self.0.get(depth / 8).copied().unwrap_or(0);
        byte >> (7 - depth % 8) & 1 == 1
    }

    fn shares_prefix(&self, other: &Self, bits: usize) -> bool {
        (0..bits).all(|depth| self.bit(depth) == other.bit(depth))
    }
}

/// An authenticated map from hashes to small values: a binary prefix tree in which a subtree of one
/// entry is that entry's leaf.
///
/// The root depends on the contents alone, never on the order of changes. A clone shares the tree.
#[derive(Clone, Debug, Default)]
pub struct Map {
    root: Option<Arc<Node>>,
    len: usize,
}

#[derive(Debug)]
enum Node {
    Leaf {
        key: MapKey,
        value: Arc<[u8]>,
        value_hash: Hash,
        hash: Hash,
    },
    Inner {
        left: Option<Arc<Node>>,
        right: Option<Arc<Node>>,
        hash: Hash,
    },
}

/// Changes to a [`Map`]: a new value for a key, or `None` to take the key out.
type Change = (MapKey, Option<Arc<[u8]>>);

impl Map {
    /// A map without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The root: [`Hash::ZERO`] for an empty map.
    pub fn root(&self) -> Hash {
        hash_of(self.root.as_ref())
    }

    /// The value of `key`.
    pub fn get(&self, key: &MapKey) -> Option<&[u8]> {
        let mut node = self.root.as_deref()?;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf {
                    key: found, value, ..
                } => return (found == key).then_some(value),
                Node::Inner { left, right, .. } => {
                    node = if key.bit(depth) {
                        right.as_deref()?
                    } else {
                        left.as_deref()?
                    };
                    depth += 1;
                }
            }
        }
    }

    /// The map after `changes`; `self` stays as it was. Each touched node is hashed once.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "who makes changes for this alone hands them over"
    )]
    pub fn update(&self, changes: BTreeMap<MapKey, Option<Vec<u8>>>) -> Self {
        self.updated(&changes)
    }

    /// As [`update`](Self::update), for who needs the changes afterwards.
    #[must_use]
    pub fn updated(&self, changes: &BTreeMap<MapKey, Option<Vec<u8>>>) -> Self {
        let changes: Vec<Change> = changes
            .iter()
            .map(|(key, value)| (*key, value.as_deref().map(Arc::from)))
            .collect();
        let mut len = self.len;
        let root = update_subtree(self.root.as_ref(), 0, &changes, &mut len);
        Self { root, len }
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&MapKey, &[u8])> {
        let mut stack: Vec<&Node> = self.root.as_deref().into_iter().collect();
        core::iter::from_fn(move || {
            loop {
                match stack.pop()? {
                    Node::Leaf { key, value, .. } => return Some((key, value.as_ref())),
                    Node::Inner { left, right, .. } => {
                        stack.extend(right.as_deref());
                        stack.extend(left.as_deref());
                    }
                }
            }
        })
    }

    /// A proof of what `key` has, be it nothing.
    pub fn prove(&self, key: &MapKey) -> MapProof {
        let mut siblings = Vec::new();
        let mut next = self.root.as_ref();
        while let Some(node) = next {
            match &**node {
                Node::Leaf {
                    key, value_hash, ..
                } => {
                    return MapProof {
                        siblings,
                        leaf: Some((*key, *value_hash)),
                    };
                }
                Node::Inner { left, right, .. } => {
                    let (on, off) = if key.bit(siblings.len()) {
                        (right, left)
                    } else {
                        (left, right)
                    };
                    siblings.push(hash_of(off.as_ref()));
                    next = on.as_ref();
                }
            }
        }
        MapProof {
            siblings,
            leaf: None,
        }
    }
}

/// The path from the root of a [`Map`] to where a key is, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    /// The hash beside the path at each depth, the root's child first; [`Hash::ZERO`] is an empty
    /// subtree. At most 256.
    siblings: Vec<Hash>,
    /// The leaf at the end of the path, as its key and its value's SHA-256; `None`: nothing there.
    leaf: Option<(MapKey, Hash)>,
}

canonical_struct!(MapProof { siblings, leaf });

impl MapProof {
    /// Checks that the map with root `root` has exactly `value` at `key`; `None`: has no such key.
    ///
    /// # Errors
    /// [`ProofError`]; nothing is proved then.
    pub fn verify(&self, root: Hash, key: &MapKey, value: Option<&[u8]>) -> Result<(), ProofError> {
        self.check_path(root, key)?;
        let holds = match (self.leaf, value) {
            (Some((found, hash)), Some(value)) => found == *key && hash == map_value_hash(value),
            // Another key's leaf stands where this key's would.
            (Some((found, _)), None) => {
                found != *key && found.shares_prefix(key, self.siblings.len())
            }
            (None, Some(_)) => false,
            (None, None) => true,
        };
        if holds {
            Ok(())
        } else {
            Err(ProofError::RootMismatch)
        }
    }

    /// The half of [`verify`](Self::verify) that doesn't know the value: this is a path of the map
    /// with root `root`, to where `key` is or would be.
    ///
    /// # Errors
    /// [`ProofError`]; nothing is proved then.
    pub fn check_path(&self, root: Hash, key: &MapKey) -> Result<(), ProofError> {
        let depth = self.siblings.len();
        if depth > 8 * MapKey::LEN {
            return Err(ProofError::WrongLength { found: depth });
        }
        let end = self
            .leaf
            .map_or(Hash::ZERO, |(key, hash)| map_leaf_hash(&key.0, hash));
        let path = self.siblings.iter().enumerate().rev();
        let found = path.fold(end, |node, (depth, sibling)| {
            if key.bit(depth) {
                map_node_hash(*sibling, node)
            } else {
                map_node_hash(node, *sibling)
            }
        });
        if found == root {
            Ok(())
        } else {
            Err(ProofError::RootMismatch)
        }
    }
}

fn hash_of(node: Option<&Arc<Node>>) -> Hash {
    match node.map(|node| &**node) {
        None => Hash::ZERO,
        Some(Node::Leaf { hash, .. } | Node::Inner { hash, .. }) => *hash,
    }
}

/// Applies sorted `changes` below one node. The depth is that of a key's bits: at most 256.
fn update_subtree(
    node: Option<&Arc<Node>>,
    depth: usize,
    changes: &[Change],
    len: &mut usize,
) -> Option<Arc<Node>> {
    if changes.is_empty() {
        return node.cloned();
    }
    match node.map(|node| &**node) {
        Some(Node::Inner { left, right, .. }) => {
            let middle = changes.partition_point(|(key, _)| !key.bit(depth));
            let (to_left, to_right) = changes.split_at_checked(middle)?;
            let left = update_subtree(left.as_ref(), depth + 1, to_left, len);
            let right = update_subtree(right.as_ref(), depth + 1, to_right, len);
            join(left, right)
        }
        Some(Node::Leaf { key, value, .. }) => {
            let mut entries: Vec<(MapKey, Arc<[u8]>)> = Vec::with_capacity(changes.len() + 1);
            entries.extend(changes.iter().filter_map(|(k, v)| Some((*k, v.clone()?))));
            if changes.binary_search_by_key(key, |(key, _)| *key).is_err() {
                let at = entries.partition_point(|(k, _)| k < key);
                entries.insert(at, (*key, value.clone()));
            }
            *len = *len - 1 + entries.len();
            build(depth, entries)
        }
        None => {
            let entries: Vec<_> = changes
                .iter()
                .filter_map(|(k, v)| Some((*k, v.clone()?)))
                .collect();
            *len += entries.len();
            build(depth, entries)
        }
    }
}

/// The subtree of sorted, distinct entries.
fn build(depth: usize, mut entries: Vec<(MapKey, Arc<[u8]>)>) -> Option<Arc<Node>> {
    if entries.len() < 2 {
        let (key, value) = entries.pop()?;
        let value_hash = map_value_hash(&value);
        let hash = map_leaf_hash(&key.0, value_hash);
        return Some(Arc::new(Node::Leaf {
            key,
            value,
            value_hash,
            hash,
        }));
    }
    let middle = entries.partition_point(|(key, _)| !key.bit(depth));
    let right = entries.split_off(middle);
    inner(build(depth + 1, entries), build(depth + 1, right))
}

/// Two subtrees under one node, unless together they are one leaf or nothing.
fn join(left: Option<Arc<Node>>, right: Option<Arc<Node>>) -> Option<Arc<Node>> {
    let is_leaf = |node: &Arc<Node>| matches!(**node, Node::Leaf { .. });
    match (left, right) {
        (None, None) => None,
        (Some(leaf), None) | (None, Some(leaf)) if is_leaf(&leaf) => Some(leaf),
        (left, right) => inner(left, right),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a subtree is an option wherever it is used"
)]
fn inner(left: Option<Arc<Node>>, right: Option<Arc<Node>>) -> Option<Arc<Node>> {
    let hash = map_node_hash(hash_of(left.as_ref()), hash_of(right.as_ref()));
    Some(Arc::new(Node::Inner { left, right, hash }))
}
