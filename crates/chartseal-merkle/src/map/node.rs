use alloc::sync::Arc;
use alloc::vec::Vec;

use super::MapKey;
use crate::hash::{Hash, map_leaf_hash, map_node_hash, map_value_hash};

/// A subtree of at least one entry.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Arc<Leaf>),
    Inner(Arc<Inner>),
}

#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) key: MapKey,
    pub(super) value: Arc<[u8]>,
    hash: Hash,
}

/// Two levels of the binary tree, with at least two entries below.
///
/// To find a key is to wait for the nodes on its way, which are seldom in the cache; to change its value is to copy them
/// and, some blocks later, to free the old ones. Two levels in one halve the way and take a third of the allocations. Of
/// wider nodes a change would copy more than it saves.
#[derive(Debug)]
pub(super) struct Inner {
    halves: [Half; 2],
    hash: Hash,
}

/// What is below a child of an [`Inner`] in the binary tree: a node, or a single entry's leaf, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Half {
    children: [Option<Node>; 2],
    /// So that a change of the other half need not ask these children for it.
    hash: Hash,
}

/// A new leaf for a key, or none.
pub(super) type Change = (MapKey, Option<Arc<Leaf>>);

/// How many bits of a key lead through an [`Inner`].
pub(super) const LEVELS: usize = 2;

impl Leaf {
    pub(super) fn new(key: MapKey, value: Arc<[u8]>) -> Arc<Self> {
        let hash = map_leaf_hash(&key.0, map_value_hash(&value));
        Arc::new(Self { key, value, hash })
    }
}

impl Inner {
    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.halves
            .iter()
            .flat_map(|half| half.children.iter().flatten())
    }

    /// Where `key` is, and the hash beside it.
    pub(super) fn half(&self, key: &MapKey, depth: usize) -> (&Half, Hash) {
        let (on, off) = sides(&self.halves, key.bit(depth));
        (on, off.hash)
    }

    /// What is below both of the levels where `key` leads.
    pub(super) fn below(&self, key: &MapKey, depth: usize) -> Option<&Node> {
        let (half, _) = sides(&self.halves, key.bit(depth));
        sides(&half.children, key.bit(depth + 1)).0.as_ref()
    }
}

impl Half {
    const EMPTY: Self = Self {
        children: [None, None],
        hash: Hash::ZERO,
    };

    fn new(children: [Option<Node>; 2]) -> Self {
        let mut half = Self {
            children,
            ..Self::EMPTY
        };
        half.hash = if half.is_node() {
            let [left, right] = half.children.each_ref().map(Option::as_ref);
            map_node_hash(hash_of(left), hash_of(right))
        } else {
            hash_of(half.only())
        };
        half
    }

    /// Whether it is a node of the binary tree, not a leaf nor nothing.
    pub(super) fn is_node(&self) -> bool {
        let [left, right] = &self.children;
        match (left, right) {
            (None, child) | (child, None) => matches!(child, Some(Node::Inner(_))),
            _ => true,
        }
    }

    /// What there is, if it is no node: one leaf, or nothing.
    pub(super) fn only(&self) -> Option<&Node> {
        self.children.iter().flatten().next()
    }

    /// Where `key` leads, and the hash beside it.
    pub(super) fn child(&self, key: &MapKey, depth: usize) -> (Option<&Node>, Hash) {
        let (on, off) = sides(&self.children, key.bit(depth));
        (on.as_ref(), hash_of(off.as_ref()))
    }

    fn updated(&self, depth: usize, changes: &[Change], len: &mut usize) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        let [left, right] = &self.children;
        let (to_left, to_right) = split(depth, changes);
        Self::new([
            updated(left.as_ref(), depth + 1, to_left, len),
            updated(right.as_ref(), depth + 1, to_right, len),
        ])
    }
}

/// The subtree `node` after sorted `changes`; `len` counts the entries. The depth is that of a key's bits: at most 256.
pub(super) fn updated(
    node: Option<&Node>,
    depth: usize,
    changes: &[Change],
    len: &mut usize,
) -> Option<Node> {
    match (node, changes) {
        (_, []) => node.cloned(),
        (None, [(_, leaf)]) => {
            *len += usize::from(leaf.is_some());
            leaf.clone().map(Node::Leaf)
        }
        (None, _) => joined([&Half::EMPTY, &Half::EMPTY], depth, changes, len),
        (Some(Node::Leaf(leaf)), _) => {
            *len -= 1;
            match changes.binary_search_by_key(&leaf.key, |(key, _)| *key) {
                Ok(_) => updated(None, depth, changes, len),
                Err(at) => {
                    let (before, after) = changes.split_at(at);
                    let leaf = [(leaf.key, Some(Arc::clone(leaf)))];
                    let all: Vec<Change> = [before, &leaf, after].concat();
                    updated(None, depth, &all, len)
                }
            }
        }
        (Some(Node::Inner(inner)), _) => joined(inner.halves.each_ref(), depth, changes, len),
    }
}

/// Two halves after `changes`, under one node unless together they are one leaf or nothing.
fn joined(
    [left, right]: [&Half; 2],
    depth: usize,
    changes: &[Change],
    len: &mut usize,
) -> Option<Node> {
    let (to_left, to_right) = split(depth, changes);
    let halves = [
        left.updated(depth + 1, to_left, len),
        right.updated(depth + 1, to_right, len),
    ];
    let [left, right] = &halves;
    match (left.only(), right.only()) {
        (only, None) if !left.is_node() => only.cloned(),
        (None, only) if !right.is_node() => only.cloned(),
        _ => {
            let hash = map_node_hash(left.hash, right.hash);
            Some(Node::Inner(Arc::new(Inner { halves, hash })))
        }
    }
}

/// Those whose key goes left at `depth`, and those whose goes right.
fn split(depth: usize, changes: &[Change]) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|(key, _)| !key.bit(depth)))
}

/// The side of a key's bit, and the other.
fn sides<T>([left, right]: &[T; 2], bit: bool) -> (&T, &T) {
    if bit { (right, left) } else { (left, right) }
}

pub(super) fn hash_of(node: Option<&Node>) -> Hash {
    match node {
        None => Hash::ZERO,
        Some(Node::Leaf(leaf)) => leaf.hash,
        Some(Node::Inner(inner)) => inner.hash,
    }
}
