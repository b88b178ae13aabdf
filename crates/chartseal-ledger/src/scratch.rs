use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};

use chartseal_codec::{Encode, Encoder, from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Map, MapChanges, MapKey};
use chartseal_wire::{Entry, Subject, Time};
use hashbrown::HashMap;

use crate::state::Source;

/// By key: hashed, as each transaction looks up a dozen; whoever chose all keys of a block to fall together
/// would make it slower by milliseconds.
type Changes = HashMap<MapKey, Option<Arc<[u8]>>, BuildHasherDefault<KeyHasher>>;
type Entries = Vec<(Subject, u64, Vec<u8>)>;

/// A state that a block is changing, one transaction at a time. What a transaction overwrote is kept
/// until it is [`settled`](Self::settle), so a refused one leaves no trace.
pub(crate) struct Scratch<'a> {
    base: &'a Map,
    height: u64,
    time: Time,
    changes: Changes,
    entries: Entries,
    /// Where values are encoded.
    encoder: Encoder,
    /// What the transaction changed, in order.
    overwritten: Vec<(MapKey, Before)>,
    /// How many entries there were before the transaction.
    settled_entries: usize,
}

/// Of a key, which is a hash, its first bytes.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What there was before a change.
enum Before {
    /// Another change of the block.
    Changed(Option<Arc<[u8]>>),
    /// The parent's value.
    Base,
}

impl<'a> Scratch<'a> {
    pub(crate) fn new(base: &'a Map, height: u64, time: Time) -> Self {
        Self {
            base,
            height,
            time,
            changes: Changes::default(),
            entries: Entries::new(),
            encoder: Encoder::new(),
            overwritten: Vec::new(),
            settled_entries: 0,
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.height
    }

    pub(crate) fn time(&self) -> Time {
        self.time
    }

    pub(crate) fn put<T: Encode + ?Sized>(&mut self, key: MapKey, value: &T) {
        self.encoder.clear();
        value.encode(&mut self.encoder);
        let value = Arc::from(self.encoder.as_bytes());
        self.change(key, Some(value));
    }

    pub(crate) fn remove(&mut self, key: MapKey) {
        self.change(key, None);
    }

    fn change(&mut self, key: MapKey, value: Option<Arc<[u8]>>) {
        let before = self.changes.insert(key, value);
        let before = before.map_or(Before::Base, Before::Changed);
        self.overwritten.push((key, before));
    }

    /// Appends an entry to histories, one after the other.
    pub(crate) fn enter(&mut self, subjects: &[Subject], entry: &Entry) {
        let bytes = to_bytes(entry);
        let leaf = Entry::leaf(&bytes);
        for subject in subjects {
            let slot = subject.slot();
            let frontier = self.value(&slot).and_then(|bytes| from_bytes(bytes).ok());
            let mut frontier: Frontier = frontier.unwrap_or_default();
            let index = frontier.size();
            frontier.append(leaf);
            self.put(slot, &frontier);
            self.entries.push((*subject, index, bytes.clone()));
        }
    }

    /// Ends a transaction: keeps what it wrote, or undoes it.
    pub(crate) fn settle(&mut self, keep: bool) {
        if keep {
            self.settled_entries = self.entries.len();
            self.overwritten.clear();
            return;
        }
        self.entries.truncate(self.settled_entries);
        for (key, before) in self.overwritten.drain(..).rev() {
            match before {
                Before::Changed(value) => self.changes.insert(key, value),
                Before::Base => self.changes.remove(&key),
            };
        }
    }

    pub(crate) fn finish(self) -> (MapChanges, Entries) {
        (self.changes.into_iter().collect(), self.entries)
    }
}

impl Source for Scratch<'_> {
    fn value(&self, key: &MapKey) -> Option<&[u8]> {
        match self.changes.get(key) {
            Some(change) => change.as_deref(),
            None => self.base.get(key),
        }
    }
}
