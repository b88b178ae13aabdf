use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use chartseal_codec::from_bytes;
use chartseal_merkle::{Frontier, Log, Map};
use chartseal_wire::BlockHeader;
use chartseal_wire::block::header_leaf;
use thiserror::Error;

use super::LedgerStore;
use crate::overlay::Overlay;
use crate::state::{Shared, table};

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

/// Where a store contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// A header below the head is gone.
    #[error("the header of height {height} is missing")]
    MissingHeader {
        /// Its height.
        height: u64,
    },
    /// A header's bytes are none, or another height's or chain's.
    #[error("the header of height {height} is not that block's header")]
    BadHeader {
        /// Its height.
        height: u64,
    },
    /// A header names another log than the headers before it make.
    #[error("the headers before height {height} are not those that its log root names")]
    LogRoot {
        /// The height of the header that names the log.
        height: u64,
    },
    /// The state map is not the one that the head names.
    #[error("the state is not the one that the head's state root names")]
    StateRoot,
    /// The state has no parameters, though its root is right: another program made it.
    #[error("the state has no parameters in a format of this version")]
    NoParameters,
}

/// Reads a chain back: the same head and state as when it was committed.
///
/// Every header is read and compared with the log roots, and the whole state with the head's state
/// root, so that damage is found here and not in some later block.
///
/// # Errors
/// [`ReloadError`].
pub fn reload<S: LedgerStore>(store: &S) -> Result<Reloaded, ReloadError<S::Error>> {
    let head = store
        .head()
        .map_err(ReloadError::Store)?
        .ok_or(ReloadError::Empty)?;
    let (frontier, log) = read_log(store, &head)?;
    let entries = store.state().map_err(ReloadError::Store)?;
    let entries: BTreeMap<_, _> = entries.into_iter().map(|(key, v)| (key, Some(v))).collect();
    let state = Map::new().update(entries);
    if state.root() != head.state_root {
        return Err(ReloadError::Damaged(Damage::StateRoot));
    }
    let shared = state
        .get(&table::shared())
        .and_then(|bytes| from_bytes::<Shared>(bytes).ok());
    let shared = shared.ok_or(ReloadError::Damaged(Damage::NoParameters))?;
    Ok(Reloaded {
        overlay: Overlay::new(state, frontier, head, Arc::new(shared)),
        log,
    })
}

/// The block log before the head, and with it.
fn read_log<S: LedgerStore>(
    store: &S,
    head: &BlockHeader,
) -> Result<(Frontier, Log), ReloadError<S::Error>> {
    let (mut frontier, mut log) = (Frontier::new(), Log::new());
    for height in 0..=head.height {
        let damaged = |damage| Err(ReloadError::Damaged(damage));
        let Some(bytes) = store.header(height).map_err(ReloadError::Store)? else {
            return damaged(Damage::MissingHeader { height });
        };
        let header = from_bytes::<BlockHeader>(&bytes).ok();
        let header = header.filter(|one| one.height == height && one.chain == head.chain);
        let Some(header) = header.filter(|one| height < head.height || one == head) else {
            return damaged(Damage::BadHeader { height });
        };
        if (header.log_size, header.log_root) != (log.size(), log.root()) {
            return damaged(Damage::LogRoot { height });
        }
        let leaf = header_leaf(&bytes);
        if height < head.height {
            frontier.append(leaf);
        }
        log.append(leaf);
    }
    Ok((frontier, log))
}
