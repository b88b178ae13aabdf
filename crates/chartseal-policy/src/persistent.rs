//! An ordered map whose copies share what they have in common.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

/// A map of which a clone costs nothing, and an insertion one path of nodes, whatever is shared.
///
/// It is a balanced tree (AVL): its depth, and so the depth of any recursion in it, is less than one
/// and a half times the logarithm of its size, whoever chooses the keys.
pub(crate) struct Map<K, V> {
    root: Link<K, V>,
}

type Link<K, V> = Option<Arc<Node<K, V>>>;

#[derive(Clone)]
struct Node<K, V> {
    key: K,
    value: V,
    height: u8,
    left: Link<K, V>,
    right: Link<K, V>,
}

impl<K, V> Map<K, V> {
    /// In the order of the keys, from the first that is not `before`.
    pub(crate) fn iter_from(&self, before: impl Fn(&K) -> bool) -> Iter<'_, K, V> {
        let mut path = Vec::new();
        let mut link = &self.root;
        while let Some(node) = link {
            if before(&node.key) {
                link = &node.right;
            } else {
                path.push(node.as_ref());
                link = &node.left;
            }
        }
        Iter { path }
    }

    /// In the order of the keys.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        self.iter_from(|_| false)
    }
}

impl<K: Ord, V> Map<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let mut link = &self.root;
        while let Some(node) = link {
            link = match key.cmp(&node.key) {
                Ordering::Less => &node.left,
                Ordering::Greater => &node.right,
                Ordering::Equal => return Some(&node.value),
            };
        }
        None
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// A value to change; copies of the map keep the old one.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let mut link = &mut self.root;
        while let Some(node) = link {
            let node = Arc::make_mut(node);
            link = match key.cmp(&node.key) {
                Ordering::Less => &mut node.left,
                Ordering::Greater => &mut node.right,
                Ordering::Equal => return Some(&mut node.value),
            };
        }
        None
    }

    /// Gives a key a value, in place of the one that it had.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        insert(&mut self.root, key, value);
    }
}

fn insert<K: Ord + Clone, V: Clone>(link: &mut Link<K, V>, key: K, value: V) {
    let Some(node) = link else {
        *link = Some(Arc::new(Node {
            key,
            value,
            height: 1,
            left: None,
            right: None,
        }));
        return;
    };
    let node = Arc::make_mut(node);
    match key.cmp(&node.key) {
        Ordering::Less => insert(&mut node.left, key, value),
        Ordering::Greater => insert(&mut node.right, key, value),
        Ordering::Equal => {
            node.value = value;
            return;
        }
    }
    balance(node);
}

/// Restores the balance of a node after one insertion below it.
fn balance<K: Clone, V: Clone>(node: &mut Node<K, V>) {
    let (left, right) = (height(&node.left), height(&node.right));
    if left > right.saturating_add(1) {
        if let Some(child) = node.left.as_mut().map(Arc::make_mut)
            && height(&child.left) < height(&child.right)
        {
            rotate_left(child);
        }
        rotate_right(node);
    } else if right > left.saturating_add(1) {
        if let Some(child) = node.right.as_mut().map(Arc::make_mut)
            && height(&child.right) < height(&child.left)
        {
            rotate_right(child);
        }
        rotate_left(node);
    } else {
        measure(node);
    }
}

/// Lifts the left child into its parent's place.
fn rotate_right<K: Clone, V: Clone>(node: &mut Node<K, V>) {
    if let Some(mut child) = node.left.take() {
        let lifted = Arc::make_mut(&mut child);
        node.left = lifted.right.take();
        measure(node);
        core::mem::swap(node, lifted);
        node.right = Some(child);
    }
    measure(node);
}

/// Lifts the right child into its parent's place.
fn rotate_left<K: Clone, V: Clone>(node: &mut Node<K, V>) {
    if let Some(mut child) = node.right.take() {
        let lifted = Arc::make_mut(&mut child);
        node.right = lifted.left.take();
        measure(node);
        core::mem::swap(node, lifted);
        node.left = Some(child);
    }
    measure(node);
}

fn measure<K, V>(node: &mut Node<K, V>) {
    let below = height(&node.left).max(height(&node.right));
    node.height = below.saturating_add(1);
}

fn height<K, V>(link: &Link<K, V>) -> u8 {
    link.as_ref().map_or(0, |node| node.height)
}

/// The entries of a [`Map`], in the order of their keys.
pub(crate) struct Iter<'a, K, V> {
    /// Nodes whose own entry and right branch are still to come, the next one last.
    path: Vec<&'a Node<K, V>>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.path.pop()?;
        let mut link = &node.right;
        while let Some(below) = link {
            self.path.push(below);
            link = &below.left;
        }
        Some((&node.key, &node.value))
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
        }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Map<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Link, Map, height};

    /// The height that was measured, which the test checks at every node.
    fn is_balanced(link: &Link<u16, u8>) -> bool {
        link.as_ref().is_none_or(|node| {
            let (left, right) = (height(&node.left), height(&node.right));
            left.abs_diff(right) <= 1
                && node.height == left.max(right) + 1
                && is_balanced(&node.left)
                && is_balanced(&node.right)
        })
    }

    proptest! {
        #[test]
        fn it_holds_what_an_ordinary_map_holds_and_stays_balanced(
            entries in vec((0_u16..300, any::<u8>()), 0..400), from in 0_u16..300,
        ) {
            let mut map = Map::default();
            let mut model = BTreeMap::new();
            for (key, value) in entries {
                map.insert(key, value);
                model.insert(key, value);
                prop_assert!(is_balanced(&map.root));
            }
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!(map.iter_from(|key| *key < from).eq(model.range(from..)));
            prop_assert!((0..300).all(|key| map.get(&key) == model.get(&key)));
        }

        #[test]
        fn a_copy_keeps_what_it_held(
            before in vec((0_u16..100, any::<u8>()), 0..100),
            after in vec((0_u16..100, any::<u8>()), 0..100),
        ) {
            let mut map = Map::default();
            for (key, value) in before {
                map.insert(key, value);
            }
            let held: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
            let copy = map.clone();
            for (key, value) in after {
                map.insert(key, value);
            }
            prop_assert!(copy.iter().map(|(key, value)| (*key, *value)).eq(held));
        }
    }
}
