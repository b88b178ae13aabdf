use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use chartseal_codec::{Bytes, DecodeError, canonical_enum, canonical_struct, from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Log, Map, MapKey};
use chartseal_wire::block::HEADER_VERSION;
use chartseal_wire::{BlockHeader, Entry, Subject};
use thiserror::Error;

use super::subjects::missing_histories;
use super::{LedgerStore, Reloaded};
use crate::overlay::Overlay;
use crate::state::Shared;

/// The version of the chunks' format.
pub const SNAPSHOT_VERSION: u64 = 1;

/// The most bytes of one chunk of a snapshot.
pub const MAX_CHUNK_BYTES: usize = 8 << 20;

/// A chunk is closed once it holds so much.
const FULL: usize = 1 << 18;

/// Most items of one chunk.
const MAX_ITEMS: usize = 4_096;

/// How many entries of a history are read from a store at a time.
const ENTRIES_AT_ONCE: usize = 256;

/// A snapshot is such chunks in this order: one `Start`, then headers, state and histories.
#[derive(Debug)]
enum Chunk {
    /// The version.
    Start(u64),
    /// Headers from genesis on, without gaps.
    Headers(Vec<BlockHeader>),
    /// Values of the state map, by key, increasing.
    State(Vec<StateValue>),
    /// Entries of one history, in order; subjects are increasing.
    History(HistoryPart),
}

canonical_enum!(Chunk {
    1 => Start(_),
    2 => Headers(_),
    3 => State(_),
    4 => History(_),
});

#[derive(Debug)]
struct StateValue {
    key: MapKey,
    value: Bytes,
}

canonical_struct!(StateValue { key, value });

#[derive(Debug)]
struct HistoryPart {
    subject: Subject,
    entries: Vec<Bytes>,
}

canonical_struct!(HistoryPart { subject, entries });

/// Writes what a store holds at its head, but for transactions, as chunks of at most
/// [`MAX_CHUNK_BYTES`] each. `sink` gets them one by one.
///
/// # Errors
/// What the store or `sink` says; nothing is written of a store without blocks.
pub fn export_snapshot<S, E>(
    store: &S,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E>
where
    S: LedgerStore,
    E: From<S::Error>,
{
    let Some(head) = store.head()? else {
        return Ok(());
    };
    let mut put = |chunk: Chunk| sink(&to_bytes(&chunk));
    put(Chunk::Start(SNAPSHOT_VERSION))?;
    let mut headers = Vec::new();
    for height in 0..=head.height {
        let bytes = store.header(height)?.unwrap_or_default();
        // A header that is missing or no header leaves a gap, which whoever imports will name.
        headers.extend(from_bytes::<BlockHeader>(&bytes));
        if headers.len() == MAX_ITEMS / 8 || height == head.height {
            put(Chunk::Headers(mem::take(&mut headers)))?;
        }
    }
    let mut state = store.state()?;
    state.sort_unstable();
    let (mut values, mut size) = (Vec::new(), 0);
    for (key, value) in state {
        size += value.len() + MapKey::LEN;
        let value = Bytes(value);
        values.push(StateValue { key, value });
        if size > FULL || values.len() == MAX_ITEMS {
            put(Chunk::State(mem::take(&mut values)))?;
            size = 0;
        }
    }
    if !values.is_empty() {
        put(Chunk::State(values))?;
    }
    for subject in store.subjects()? {
        let mut from = 0;
        loop {
            let read = store.history(&subject, from, ENTRIES_AT_ONCE)?;
            if read.is_empty() {
                break;
            }
            from += read.len() as u64;
            let (mut entries, mut size) = (Vec::new(), 0);
            for entry in read {
                size += entry.len();
                entries.push(Bytes(entry));
                if size > FULL {
                    let entries = mem::take(&mut entries);
                    put(Chunk::History(HistoryPart { subject, entries }))?;
                    size = 0;
                }
            }
            if !entries.is_empty() {
                put(Chunk::History(HistoryPart { subject, entries }))?;
            }
        }
    }
    Ok(())
}

/// What a snapshot held, all of it found to be what a trusted header names.
/// [`LedgerStore::keep`] makes a new store of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The state after the trusted header's block: the next block is executed on it.
    pub reloaded: Reloaded,
    /// Every header, by height.
    pub headers: Vec<BlockHeader>,
    /// The entries of every history that the state names, complete; after
    /// [`Import::finish_partial`], of those that were in the snapshot.
    pub histories: BTreeMap<Subject, Vec<Vec<u8>>>,
}

/// Reads a snapshot chunk by chunk, against a header that is trusted beforehand.
///
/// Nothing of it is to be used before [`finish`](Self::finish), which finds a history that was left out too.
#[derive(Debug)]
pub struct Import {
    trusted: BlockHeader,
    has_begun: bool,
    headers: Vec<BlockHeader>,
    /// Over the headers but the trusted one.
    frontier: Frontier,
    log: Log,
    state: BTreeMap<MapKey, Option<Vec<u8>>>,
    histories: BTreeMap<Subject, (Frontier, Vec<Vec<u8>>)>,
}

/// Why a snapshot is not the one of a header.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// `CS-SNP-01`: a chunk over [`MAX_CHUNK_BYTES`].
    #[error("a chunk has {0} bytes, more than 8 MiB")]
    TooLarge(usize),
    /// `CS-SNP-02`: bytes that are no chunk.
    #[error("a chunk is not one: {0}")]
    Chunk(DecodeError),
    /// `CS-SNP-03`: another version.
    #[error("the snapshot has version {0}; this program reads version 1")]
    Version(u64),
    /// `CS-SNP-04`: chunks, keys or histories in another order.
    #[error("the snapshot's parts are not in order: {0}")]
    Order(&'static str),
    /// `CS-SNP-05`: a header that does not follow from those before it, or is not the trusted one.
    #[error("the header of height {0} does not lead to the trusted one")]
    Header(u64),
    /// `CS-SNP-06`: another state than the trusted header names.
    #[error("the state is not the one that the trusted header names")]
    StateRoot,
    /// `CS-SNP-07`: a history that is not the one that the state names.
    #[error("the history of {0:?} is not the one that the state names")]
    History(Box<Subject>),
    /// `CS-SNP-08`: the state is right and yet not of this version.
    #[error("the state has no parameters in a format of this version")]
    NoParameters,
    /// `CS-SNP-09`: a header, and so state and histories, of another version.
    #[error("the header of height {height} has version {found}; this program reads version 1")]
    HeaderVersion {
        /// Its height.
        height: u64,
        /// The version that it names.
        found: u64,
    },
    /// `CS-SNP-10`: a history that the state names, and the snapshot leaves out.
    #[error(
        "the history of {subject:?}, of {entries} entries by the state, is not in the snapshot"
    )]
    MissingHistory {
        /// Whose history.
        subject: Box<Subject>,
        /// The entries that the state names.
        entries: u64,
    },
}

impl SnapshotError {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "CS-SNP-01",
            Self::Chunk(_) => "CS-SNP-02",
            Self::Version(_) => "CS-SNP-03",
            Self::Order(_) => "CS-SNP-04",
            Self::Header(_) => "CS-SNP-05",
            Self::StateRoot => "CS-SNP-06",
            Self::History(_) => "CS-SNP-07",
            Self::NoParameters => "CS-SNP-08",
            Self::HeaderVersion { .. } => "CS-SNP-09",
            Self::MissingHistory { .. } => "CS-SNP-10",
        }
    }
}

impl Import {
    /// Begins. `trusted` comes from a certified block, never from the snapshot.
    pub fn new(trusted: BlockHeader) -> Self {
        Self {
            trusted,
            has_begun: false,
            headers: Vec::new(),
            frontier: Frontier::new(),
            log: Log::new(),
            state: BTreeMap::new(),
            histories: BTreeMap::new(),
        }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`SnapshotError`]; the import is of no use then.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        if bytes.len() > MAX_CHUNK_BYTES {
            return Err(SnapshotError::TooLarge(bytes.len()));
        }
        match from_bytes(bytes).map_err(SnapshotError::Chunk)? {
            Chunk::Start(_) if self.has_begun => Err(SnapshotError::Order("a second start")),
            Chunk::Start(SNAPSHOT_VERSION) => {
                self.has_begun = true;
                Ok(())
            }
            Chunk::Start(version) => Err(SnapshotError::Version(version)),
            _ if !self.has_begun => Err(SnapshotError::Order("no start")),
            Chunk::Headers(headers) => headers.into_iter().try_for_each(|one| self.header(one)),
            Chunk::State(_) | Chunk::History(_) if !self.has_headers() => {
                Err(SnapshotError::Order("headers are missing"))
            }
            Chunk::State(_) if !self.histories.is_empty() => {
                Err(SnapshotError::Order("state after histories"))
            }
            Chunk::State(values) => values.into_iter().try_for_each(|one| self.value(one)),
            Chunk::History(part) => self.history(part),
        }
    }

    fn has_headers(&self) -> bool {
        self.headers.last() == Some(&self.trusted)
    }

    fn header(&mut self, header: BlockHeader) -> Result<(), SnapshotError> {
        let (height, trusted) = (self.headers.len() as u64, &self.trusted);
        if header.version != HEADER_VERSION {
            let found = header.version;
            return Err(SnapshotError::HeaderVersion { height, found });
        }
        let is_next = header.height == height
            && header.chain == trusted.chain
            && (header.log_size, header.log_root) == (self.log.size(), self.log.root())
            && (height < trusted.height || header == *trusted);
        if !is_next {
            return Err(SnapshotError::Header(height));
        }
        let leaf = header.leaf();
        if height < trusted.height {
            self.frontier.append(leaf);
        }
        self.log.append(leaf);
        self.headers.push(header);
        Ok(())
    }

    fn value(&mut self, StateValue { key, value }: StateValue) -> Result<(), SnapshotError> {
        let last = self.state.last_key_value();
        if last.is_some_and(|(last, _)| *last >= key) {
            return Err(SnapshotError::Order("keys of the state do not increase"));
        }
        self.state.insert(key, Some(value.0));
        Ok(())
    }

    fn history(&mut self, part: HistoryPart) -> Result<(), SnapshotError> {
        let last = self.histories.last_key_value();
        if last.is_some_and(|(last, _)| *last > part.subject) {
            return Err(SnapshotError::Order("histories do not increase"));
        }
        let (frontier, entries) = self.histories.entry(part.subject).or_default();
        for entry in part.entries {
            frontier.append(Entry::leaf(&entry.0));
            entries.push(entry.0);
        }
        Ok(())
    }

    /// Compares the whole with what the trusted header names: it has every history that the state names.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn finish(self) -> Result<Imported, SnapshotError> {
        let imported = self.finish_partial()?;
        let state = imported.reloaded.overlay.map();
        let is_here = |one: &Subject| imported.histories.contains_key(one);
        if let Some((subject, entries)) = missing_histories(state, 1, is_here).into_iter().next() {
            let subject = Box::new(subject);
            return Err(SnapshotError::MissingHistory { subject, entries });
        }
        Ok(imported)
    }

    /// The same for who keeps some histories alone, as a patient's app does: each that is here is whole, and others may
    /// be left out. A ledger is never to be made of it.
    ///
    /// # Errors
    /// [`SnapshotError`], but for `CS-SNP-10`.
    pub fn finish_partial(self) -> Result<Imported, SnapshotError> {
        if !self.has_headers() {
            return Err(SnapshotError::Header(self.headers.len() as u64));
        }
        let state = Map::new().update(self.state);
        if state.root() != self.trusted.state_root {
            return Err(SnapshotError::StateRoot);
        }
        let mut histories = BTreeMap::new();
        for (subject, (frontier, entries)) in self.histories {
            if state.get(&subject.slot()) != Some(to_bytes(&frontier).as_slice()) {
                return Err(SnapshotError::History(Box::new(subject)));
            }
            histories.insert(subject, entries);
        }
        let shared = Shared::of(&state).ok_or(SnapshotError::NoParameters)?;
        Ok(Imported {
            reloaded: Reloaded {
                overlay: Overlay::new(state, self.frontier, self.trusted, Arc::new(shared)),
                log: self.log,
            },
            headers: self.headers,
            histories,
        })
    }
}
