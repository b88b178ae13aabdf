//! Publishing the block log as static files.

use chartseal_codec::from_bytes;
use chartseal_ledger::LedgerStore;
use chartseal_merkle::Hash;
use chartseal_tiles::{Kind, Publisher, Sink, Tile, TileError, TileLog, WIDTH, push_entry};
use chartseal_wire::block::header_entry;
use chartseal_wire::{BlockHeader, Checkpoint, SignedNote};
use thiserror::Error;

use crate::error::NodeError;
use crate::node::Node;

/// Why a block log was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError<E: core::error::Error + 'static> {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(E),
    /// The ledger lacks a header below its newest block.
    #[error("the ledger has no header {0}, or a damaged one")]
    NoHeader(u64),
    /// The ledger is behind what it, or somebody, published.
    #[error("{published} headers are published, and the ledger has {here}: is it an old copy?")]
    Behind {
        /// Headers that are published.
        published: u64,
        /// Headers that the ledger has.
        here: u64,
    },
    /// Other headers are published than the ledger has.
    #[error("the {0} headers that are published are not those of this ledger")]
    Forked(u64),
    /// What is published can't be read, is another log, or could not be written.
    #[error(transparent)]
    Tiles(#[from] TileError),
}

/// Publishes the headers of a ledger's blocks as C2SP tlog-tiles, going on where the published
/// checkpoint ends. Each entry is a header behind its tag, as the block log hashes it, and names no person.
///
/// `sign` puts signatures under the new checkpoint. Nothing that was published changes; if the ledger has
/// another block than was published, nothing is.
///
/// # Errors
/// [`PublishError`].
pub fn publish<L: LedgerStore>(
    ledger: &L,
    origin: &str,
    files: impl Sink,
    sign: impl FnOnce(&Checkpoint) -> SignedNote,
) -> Result<Checkpoint, PublishError<L::Error>> {
    let head = ledger.head().map_err(PublishError::Ledger)?;
    let size = head.map_or(0, |head| head.height + 1);
    let header = |height| {
        let header = ledger.header(height).map_err(PublishError::Ledger)?;
        header.ok_or(PublishError::NoHeader(height))
    };
    let mut publisher = Publisher::open(&files, origin)?;
    let before = publisher.checkpoint();
    let done = before.size;
    if done > size {
        return Err(PublishError::Behind {
            published: done,
            here: size,
        });
    }
    // A header fixes all before it: the next one by the log's root, the last one by its own bytes.
    let is_ours = match done.checked_sub(1) {
        _ if done < size => {
            let next: Result<BlockHeader, _> = from_bytes(&header(done)?);
            next.is_ok_and(|next| next.log_root == before.root)
        }
        Some(last) => {
            let entries = TileLog::open(&files, before.clone())?.entries(last)?;
            entries.first() == Some(&header_entry(&header(last)?))
        }
        None => true,
    };
    if !is_ours {
        return Err(PublishError::Forked(done));
    }
    for height in done..size {
        publisher.append(&header_entry(&header(height)?))?;
    }
    let checkpoint = publisher.checkpoint();
    publisher.publish(&sign(&checkpoint))?;
    Ok(checkpoint)
}

impl Node {
    /// A file of its block log, as [`publish`] writes it; `None` if the log does not reach so far.
    ///
    /// # Errors
    /// [`NodeError`] if the ledger can't be read.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, NodeError> {
        let width = u64::from(tile.width());
        let Some(first) = tile.index().checked_mul(u64::from(WIDTH)) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        for at in first..first.saturating_add(width) {
            match tile.kind() {
                Kind::Hashes { level } => match self.headers.subtree(8 * u32::from(level), at) {
                    Some(Hash(hash)) => bytes.extend(hash),
                    None => return Ok(None),
                },
                Kind::Entries => {
                    let Some(header) = self.stores.ledger.header(at)? else {
                        return Ok(None);
                    };
                    if push_entry(&mut bytes, &header_entry(&header)).is_err() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(bytes))
    }
}
