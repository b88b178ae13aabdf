use alloc::collections::{BTreeMap, btree_map};
use core::marker::PhantomData;

/// A number for each of some ids of one kind, in the order of the ids; or, by whether there is one, a set of them.
/// Ids of every kind are one type inside, so that a map's code, which is long, is there once.
#[derive(Clone)]
pub(crate) struct Ids<K> {
    numbers: Numbers,
    kind: PhantomData<fn(K)>,
}

/// Ids of 16 bytes have zeros behind them.
type Key = [u8; 32];

#[derive(Clone, Default)]
struct Numbers(BTreeMap<Key, u64>);

impl<K> Default for Ids<K> {
    fn default() -> Self {
        Self {
            numbers: Numbers::default(),
            kind: PhantomData,
        }
    }
}

impl<K: AsRef<[u8]>> Ids<K> {
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.0.is_empty()
    }

    pub(crate) fn insert(&mut self, id: &K, number: u64) {
        self.numbers.insert(id.as_ref(), number);
    }

    pub(crate) fn get(&self, id: &K) -> Option<u64> {
        self.numbers.get(id.as_ref())
    }

    /// The same of a number that is a place in a list.
    pub(crate) fn place(&self, id: &K) -> Option<usize> {
        self.get(id).and_then(|at| usize::try_from(at).ok())
    }

    pub(crate) fn contains(&self, id: &K) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn remove(&mut self, id: &K) -> Option<u64> {
        self.numbers.remove(id.as_ref())
    }

    /// The bytes of each id, with zeros behind them, and its number.
    pub(crate) fn iter(&self) -> btree_map::Iter<'_, Key, u64> {
        self.numbers.0.iter()
    }
}

impl Numbers {
    #[inline(never)]
    fn insert(&mut self, id: &[u8], number: u64) {
        self.0.insert(key(id), number);
    }

    #[inline(never)]
    fn get(&self, id: &[u8]) -> Option<u64> {
        self.0.get(&key(id)).copied()
    }

    #[inline(never)]
    fn remove(&mut self, id: &[u8]) -> Option<u64> {
        self.0.remove(&key(id))
    }
}

fn key(id: &[u8]) -> Key {
    let mut key = [0; 32];
    key.iter_mut().zip(id).for_each(|(to, from)| *to = *from);
    key
}

/// The bytes of an id of 16 bytes.
pub(crate) fn short(key: &[u8; 32]) -> [u8; 16] {
    key.first_chunk().copied().unwrap_or_default()
}
