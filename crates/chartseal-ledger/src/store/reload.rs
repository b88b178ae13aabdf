use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::from_bytes;
use chartseal_merkle::{Frontier, Log, Map};
use chartseal_wire::block::{HEADER_VERSION, header_leaf};
use chartseal_wire::{BlockHeader, Hash, Subject};
use thiserror::Error;

use super::subjects::missing_histories;
use super::{Damage, LedgerStore, Table};
use crate::overlay::Overlay;
use crate::state::Shared;

/// What a node starts again from.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The state after the newest block.
    pub overlay: Overlay,
    /// The leaves of all headers, the newest included, for proofs.
    pub log: Log,
}

/// Why a store can't be started from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReloadError<E> {
    /// There is no block: commit genesis first.
    #[error("the store has no blocks; commit genesis first")]
    Empty,
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Store(E),
    /// It was read, and contradicts itself.
    #[error("the store is damaged: {0}")]
    Damaged(Damage),
}

/// Reads a chain back: the same head and state as when it was committed.
///
/// Every header is read and compared with the log roots, the whole state with the head's state root,
/// each history's length with the state, which has to be there if the state names it, and the numbers of rows with each other. Transactions and
/// entries are not read: that is for [`verify`](super::verify).
///
/// # Errors
/// [`ReloadError`].
pub fn reload<S: LedgerStore>(store: &S) -> Result<Reloaded, ReloadError<S::Error>> {
    let head = store
        .head()
        .map_err(ReloadError::Store)?
        .ok_or(ReloadError::Empty)?;
    let (frontier, log) = read_log(store, &head, |_| ())?;
    let state = read_state(store)?;
    let shared = check_state(&state, &head).map_err(ReloadError::Damaged)?;
    let mut wrong = wrong_counts(store, &head).map_err(ReloadError::Store)?;
    let subjects = store.subjects().map_err(ReloadError::Store)?;
    for subject in &subjects {
        wrong.extend(wrong_length(store, &state, subject).map_err(ReloadError::Store)?);
    }
    wrong.extend(missing(&state, &subjects, 1));
    if let Some(damage) = wrong.into_iter().next() {
        return Err(ReloadError::Damaged(damage));
    }
    Ok(Reloaded {
        overlay: Overlay::new(state, frontier, head, Arc::new(shared)),
        log,
    })
}

/// The block log before the head, and with it.
pub(super) fn read_log<S: LedgerStore>(
    store: &S,
    head: &BlockHeader,
    mut each: impl FnMut(&BlockHeader),
) -> Result<(Frontier, Log), ReloadError<S::Error>> {
    let (mut frontier, mut log, mut parent) = (Frontier::new(), Log::new(), Hash::ZERO);
    for height in 0..=head.height {
        let damaged = |damage| Err(ReloadError::Damaged(damage));
        let Some(bytes) = store.header(height).map_err(ReloadError::Store)? else {
            return damaged(Damage::MissingHeader { height });
        };
        let header = from_bytes::<BlockHeader>(&bytes).ok();
        if let Some(found) = header.as_ref().map(|header| header.version)
            && found != HEADER_VERSION
        {
            return damaged(Damage::Version { height, found });
        }
        let header = header.filter(|one| one.height == height && one.chain == head.chain);
        let Some(header) = header.filter(|one| height < head.height || one == head) else {
            return damaged(Damage::BadHeader { height });
        };
        if (header.log_size, header.log_root) != (log.size(), log.root()) {
            return damaged(Damage::LogRoot { height });
        }
        if header.parent != parent {
            return damaged(Damage::BadHeader { height });
        }
        let leaf = header_leaf(&bytes);
        if height < head.height {
            frontier.append(leaf);
        }
        log.append(leaf);
        parent = leaf;
        each(&header);
    }
    Ok((frontier, log))
}

pub(super) fn read_state<S: LedgerStore>(store: &S) -> Result<Map, ReloadError<S::Error>> {
    let entries = store.state().map_err(ReloadError::Store)?;
    let entries: BTreeMap<_, _> = entries.into_iter().map(|(key, v)| (key, Some(v))).collect();
    Ok(Map::new().update(entries))
}

pub(super) fn check_state(state: &Map, head: &BlockHeader) -> Result<Shared, Damage> {
    if state.root() != head.state_root {
        return Err(Damage::StateRoot);
    }
    let shared = Shared::of(state).ok_or(Damage::NoParameters)?;
    // No later header vouches for the newest one, but the state knows the committee.
    let committee = &shared.committee;
    let epochs = [head.epoch, head.epoch.saturating_add(1)];
    if committee.hash() != head.next_committee || !epochs.contains(&committee.epoch()) {
        let height = head.height;
        return Err(Damage::BadHeader { height });
    }
    Ok(shared)
}

/// The tables whose numbers of rows are not as the others say.
pub(super) fn wrong_counts<S: LedgerStore>(
    store: &S,
    head: &BlockHeader,
) -> Result<Vec<Damage>, S::Error> {
    let (kept, found) = (store.kept()?, store.counts()?);
    let headers = head.height.saturating_add(1);
    let blocks = headers.saturating_sub(kept.blocks_from);
    let pruned = kept.blocks_from.saturating_sub(kept.leaves_from);
    let rows = [
        (Table::Headers, headers, found.headers),
        (Table::Blocks, blocks, found.blocks),
        (Table::Leaves, pruned, found.pruned),
    ];
    let wrong = rows
        .into_iter()
        .filter(|(_, expected, found)| expected != found);
    Ok(wrong
        .map(|(table, expected, found)| Damage::Count {
            table,
            expected,
            found,
        })
        .collect())
}

/// Whether a history is as long as the state says.
pub(super) fn wrong_length<S: LedgerStore>(
    store: &S,
    state: &Map,
    subject: &Subject,
) -> Result<Option<Damage>, S::Error> {
    let found = store.history_len(subject)?;
    let frontier = state.get(&subject.slot());
    let frontier = frontier.and_then(|bytes| from_bytes::<Frontier>(bytes).ok());
    let expected = frontier.map_or(0, |frontier| frontier.size());
    Ok((found != expected).then_some(Damage::HistoryLength {
        subject: *subject,
        expected,
        found,
    }))
}

/// The histories that the state names and the store does not, the first `most` that are met.
pub(super) fn missing(
    state: &Map,
    subjects: &[Subject],
    most: usize,
) -> impl Iterator<Item = Damage> {
    let missing = missing_histories(state, most, |one| subjects.binary_search(one).is_ok());
    missing
        .into_iter()
        .map(|(subject, expected)| Damage::HistoryLength {
            subject,
            expected,
            found: 0,
        })
}
