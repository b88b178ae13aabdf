use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_codec::{Encode, from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Map, MapKey};
use chartseal_wire::{Entry, Subject, Time};

use crate::state::Source;

type Changes = BTreeMap<MapKey, Option<Vec<u8>>>;
type Entries = Vec<(Subject, u64, Vec<u8>)>;

/// A state that a block is changing, one transaction at a time. What a transaction wrote is kept
/// apart until it is [`settled`](Self::settle), so a refused one leaves no trace.
pub(crate) struct Scratch<'a> {
    base: &'a Map,
    height: u64,
    time: Time,
    changes: Changes,
    entries: Entries,
    pending: Changes,
    pending_entries: Entries,
}

impl<'a> Scratch<'a> {
    pub(crate) fn new(base: &'a Map, height: u64, time: Time) -> Self {
        Self {
            base,
            height,
            time,
            changes: Changes::new(),
            entries: Entries::new(),
            pending: Changes::new(),
            pending_entries: Entries::new(),
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.height
    }

    pub(crate) fn time(&self) -> Time {
        self.time
    }

    pub(crate) fn put<T: Encode + ?Sized>(&mut self, key: MapKey, value: &T) {
        self.pending.insert(key, Some(to_bytes(value)));
    }

    pub(crate) fn remove(&mut self, key: MapKey) {
        self.pending.insert(key, None);
    }

    /// Appends an entry to a history.
    pub(crate) fn enter(&mut self, subject: Subject, entry: &Entry) {
        let slot = subject.slot();
        let bytes = to_bytes(entry);
        let frontier = self.value(&slot).and_then(|bytes| from_bytes(bytes).ok());
        let mut frontier: Frontier = frontier.unwrap_or_default();
        let index = frontier.size();
        frontier.append(Entry::leaf(&bytes));
        self.put(slot, &frontier);
        self.pending_entries.push((subject, index, bytes));
    }

    /// Ends a transaction: keeps what it wrote, or forgets it.
    pub(crate) fn settle(&mut self, keep: bool) {
        let changes = core::mem::take(&mut self.pending);
        let mut entries = core::mem::take(&mut self.pending_entries);
        if keep {
            // Not `append`, which builds the whole map anew.
            self.changes.extend(changes);
            self.entries.append(&mut entries);
        }
    }

    pub(crate) fn finish(self) -> (Changes, Entries) {
        (self.changes, self.entries)
    }
}

impl Source for Scratch<'_> {
    fn value(&self, key: &MapKey) -> Option<&[u8]> {
        match self.pending.get(key).or_else(|| self.changes.get(key)) {
            Some(change) => change.as_deref(),
            None => self.base.get(key),
        }
    }
}
