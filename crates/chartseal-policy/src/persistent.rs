//! An ordered map whose copies share what they have in common.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::{fmt, mem, slice};

/// A map of which a clone costs nothing, and an insertion one path of nodes, whatever is shared.
///
/// It is a B-tree: all leaves lie equally deep, and every node but the root is about half full at
/// least. So its depth, and that of any recursion in it, is less than a quarter of the binary logarithm
/// of its size and two, whoever chooses the keys. Nodes are wide, so that a search in a large map reads
/// few places of memory.
pub(crate) struct Map<K, V> {
    root: Arc<Node<K, V>>,
}

/// The most entries of a node. With one more it is split.
const WIDTH: usize = 31;

/// Entries in the order of their keys and, above the leaves, one child more than entries: what comes
/// before the first, between them, and after the last.
struct Node<K, V> {
    entries: Vec<(K, V)>,
    children: Vec<Arc<Node<K, V>>>,
}

impl<K, V> Map<K, V> {
    /// In the order of the keys.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        let mut path = Vec::new();
        let mut node = Some(&self.root);
        while let Some(here) = node {
            path.push(Rest::of(here));
            node = here.children.first();
        }
        Iter { path }
    }
}

impl<K: Ord, V> Map<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let mut node = &self.root;
        loop {
            match node.find(key) {
                Ok(at) => return node.entries.get(at).map(|(_, value)| value),
                Err(at) => node = node.children.get(at)?,
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// A value to change; copies of the map keep the old one.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node.find(key) {
                Ok(at) => return node.entries.get_mut(at).map(|(_, value)| value),
                Err(at) => node = node.children.get_mut(at).map(Arc::make_mut)?,
            }
        }
    }

    /// Gives a key a value, in place of the one that it had.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let Some(Split { middle, right }) = Arc::make_mut(&mut self.root).insert(key, value) else {
            return;
        };
        let left = mem::take(&mut self.root);
        self.root = Arc::new(Node {
            entries: Vec::from([middle]),
            children: Vec::from([left, Arc::new(right)]),
        });
    }
}

/// What no longer fits into a node: an entry for the one above, and all that comes after it.
struct Split<K, V> {
    middle: (K, V),
    right: Node<K, V>,
}

impl<K: Ord, V> Node<K, V> {
    /// Where a key is, or before which entry it would be.
    fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(one, _)| one.cmp(key))
    }
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn insert(&mut self, key: K, value: V) -> Option<Split<K, V>> {
        let at = match self.find(&key) {
            Ok(at) => {
                if let Some((_, old)) = self.entries.get_mut(at) {
                    *old = value;
                }
                return None;
            }
            Err(at) => at,
        };
        match self.children.get_mut(at).map(Arc::make_mut) {
            None => self.entries.insert(at, (key, value)),
            Some(child) => {
                let Split { middle, right } = child.insert(key, value)?;
                self.entries.insert(at, middle);
                self.children.insert(at + 1, Arc::new(right));
            }
        }
        if self.entries.len() <= WIDTH {
            return None;
        }
        let keep = WIDTH / 2;
        let entries = self.entries.split_off(keep + 1);
        let middle = self.entries.pop()?;
        let children = match self.children.len() {
            0 => Vec::new(),
            _ => self.children.split_off(keep + 1),
        };
        let right = Self { entries, children };
        Some(Split { middle, right })
    }
}

/// With room for the entry that a copy is made for.
impl<K: Clone, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len() + 1);
        entries.extend_from_slice(&self.entries);
        Self {
            entries,
            children: self.children.clone(),
        }
    }
}

impl<K, V> Default for Node<K, V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            children: Vec::new(),
        }
    }
}

/// The entries of a [`Map`], in the order of their keys.
pub(crate) struct Iter<'a, K, V> {
    /// What is still to come of the nodes on the way down, the deepest last.
    path: Vec<Rest<'a, K, V>>,
}

/// Entries of a node, and what comes between each and the next.
struct Rest<'a, K, V> {
    entries: slice::Iter<'a, (K, V)>,
    children: slice::Iter<'a, Arc<Node<K, V>>>,
}

impl<'a, K, V> Rest<'a, K, V> {
    fn of(node: &'a Node<K, V>) -> Self {
        Self {
            entries: node.entries.iter(),
            children: node.children.get(1..).unwrap_or_default().iter(),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.path.last_mut()?;
            let Some((key, value)) = rest.entries.next() else {
                self.path.pop();
                continue;
            };
            let mut below = rest.children.next();
            while let Some(node) = below {
                self.path.push(Rest::of(node));
                below = node.children.first();
            }
            return Some((key, value));
        }
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self {
            root: Arc::clone(&self.root),
        }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self {
            root: Arc::default(),
        }
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

    use super::{Map, Node, WIDTH};

    /// How deep it is, if all leaves are equally deep and every node is as full as it should be.
    fn depth(node: &Node<u16, u8>, is_root: bool) -> Option<usize> {
        let (entries, children) = (node.entries.len(), node.children.len());
        let is_full = entries <= WIDTH && (is_root || entries >= WIDTH / 2);
        let fits = is_full && (children == 0 || children == entries + 1);
        let mut depths = node.children.iter().map(|child| depth(child, false));
        let first = depths.next().unwrap_or(Some(0)).filter(|_| fits)?;
        depths.all(|one| one == Some(first)).then_some(first + 1)
    }

    proptest! {
        #[test]
        fn it_holds_what_an_ordinary_map_holds_and_stays_balanced(
            entries in vec((0_u16..3_000, any::<u8>()), 0..3_000),
        ) {
            let mut map = Map::default();
            let mut model = BTreeMap::new();
            for (key, value) in entries {
                map.insert(key, value);
                model.insert(key, value);
            }
            prop_assert!(depth(&map.root, true).is_some_and(|depth| depth <= 3));
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!((0..3_000).all(|key| map.get(&key) == model.get(&key)));
        }

        #[test]
        fn a_copy_keeps_what_it_held(
            before in vec((0_u16..2_000, any::<u8>()), 0..1_000),
            after in vec((0_u16..2_000, any::<u8>()), 0..1_000),
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
