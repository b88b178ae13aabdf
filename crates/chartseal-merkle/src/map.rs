mod node;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::{byte_newtype, canonical_struct};

use crate::hash::{Hash, map_leaf_hash, map_node_hash, map_value_hash};
use crate::proof::ProofError;
use node::{Change, LEVELS, Leaf, Node, hash_of};

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
    root: Option<Node>,
    len: usize,
}

/// Changes to a [`Map`]: a new value for a key, or `None` to take the key out. The map shares the values.
pub type MapChanges = BTreeMap<MapKey, Option<Arc<[u8]>>>;

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
        let mut node = self.root.as_ref()?;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf.key == *key).then_some(&leaf.value),
                Node::Inner(inner) => {
                    node = inner.below(key, depth)?;
                    depth += LEVELS;
                }
            }
        }
    }

    /// The map after `changes`; `self` stays as it was. Each touched node is hashed once.
    #[must_use]
    pub fn update(&self, changes: BTreeMap<MapKey, Option<Vec<u8>>>) -> Self {
        self.updated_by(
            changes
                .into_iter()
                .map(|(key, value)| (key, value.map(Arc::from))),
        )
    }

    /// As [`update`](Self::update), for who needs the changes afterwards.
    #[must_use]
    pub fn updated(&self, changes: &MapChanges) -> Self {
        self.updated_by(changes.iter().map(|(key, value)| (*key, value.clone())))
    }

    fn updated_by(&self, changes: impl Iterator<Item = (MapKey, Option<Arc<[u8]>>)>) -> Self {
        let changes: Vec<Change> = changes
            .map(|(key, value)| (key, value.map(|value| Leaf::new(key, value))))
            .collect();
        let mut len = self.len;
        let root = node::updated(self.root.as_ref(), 0, &changes, &mut len);
        Self { root, len }
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&MapKey, &[u8])> {
        let mut stack: Vec<&Node> = self.root.iter().collect();
        core::iter::from_fn(move || {
            loop {
                match stack.pop()? {
                    Node::Leaf(leaf) => return Some((&leaf.key, leaf.value.as_ref())),
                    Node::Inner(inner) => stack.extend(inner.children().rev()),
                }
            }
        })
    }

    /// A proof of what `key` has, be it nothing.
    pub fn prove(&self, key: &MapKey) -> MapProof {
        let mut siblings = Vec::new();
        let mut next = self.root.as_ref();
        let mut depth = 0;
        while let Some(Node::Inner(inner)) = next {
            let (half, beside) = inner.half(key, depth);
            siblings.push(beside);
            next = if half.is_node() {
                let (child, beside) = half.child(key, depth + 1);
                siblings.push(beside);
                child
            } else {
                half.only()
            };
            depth += LEVELS;
        }
        let leaf = match next {
            Some(Node::Leaf(leaf)) => Some((leaf.key, map_value_hash(&leaf.value))),
            _ => None,
        };
        MapProof { siblings, leaf }
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
