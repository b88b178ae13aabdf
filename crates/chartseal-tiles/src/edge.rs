//! The hashes at a log's right edge: what appending and the root need.

use chartseal_merkle::{Hash, Log, subtree_root};
use chartseal_wire::Checkpoint;

use crate::error::TileError;
use crate::files::{Source, read};
use crate::read::CHECKPOINT;
use crate::tile::{MAX_LEVEL, Tile, WIDTH, hashes_at, partial_width, place};

/// Bytes of a hash.
pub(crate) const HASH_LEN: usize = 32;
/// Bytes of a full tile of hashes.
pub(crate) const MAX_TILE: usize = WIDTH as usize * HASH_LEN;

/// The partial tile of each level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge(Vec<Vec<Hash>>);

impl Edge {
    /// Reads the partial tiles of a checkpoint's log, which have to give its root.
    pub(crate) fn read(files: &impl Source, checkpoint: &Checkpoint) -> Result<Self, TileError> {
        let mut edge = Self::default();
        for level in 0..=MAX_LEVEL {
            let width = partial_width(level, checkpoint.size);
            let index = hashes_at(level, checkpoint.size) / u64::from(WIDTH);
            let hashes = match Tile::hashes(level, index, width) {
                Some(tile) => read_tile(files, tile)?,
                None => Vec::new(),
            };
            edge.0.push(hashes);
        }
        if edge.root(checkpoint.size) != checkpoint.root {
            return Err(TileError::Damaged {
                path: CHECKPOINT.into(),
                what: "the last tiles of its size give another root",
            });
        }
        Ok(edge)
    }

    /// The hashes of the partial tile of a level, maybe none.
    pub(crate) fn level(&self, level: u8) -> &[Hash] {
        let hashes = self.0.get(usize::from(level));
        hashes.map(Vec::as_slice).unwrap_or_default()
    }

    /// The partial tiles, lowest level first.
    pub(crate) fn levels(&self) -> impl Iterator<Item = (u8, &[Hash])> {
        (0..).zip(self.0.iter().map(Vec::as_slice))
    }

    /// Adds a hash to a level; gives the tile's hashes if that fills it, and is empty there then.
    pub(crate) fn push(&mut self, level: u8, hash: Hash) -> Option<Vec<Hash>> {
        let level = usize::from(level);
        if self.0.len() <= level {
            self.0.resize(level + 1, Vec::new());
        }
        let hashes = self.0.get_mut(level)?;
        hashes.push(hash);
        (hashes.len() == usize::from(WIDTH)).then(|| core::mem::take(hashes))
    }

    /// The root of a log of `size` entries that ends here.
    pub(crate) fn root(&self, size: u64) -> Hash {
        let node = |height: u32, index: u64| {
            let (level, within) = split_height(height);
            Ok::<_, std::convert::Infallible>(in_tile(self.level(level), within, index))
        };
        match subtree_root(0..size, node) {
            Ok(root) => root,
            Err(never) => match never {},
        }
    }
}

/// The level whose tiles hold the subtrees of a height, and how much higher than its hashes they are.
pub(crate) fn split_height(height: u32) -> (u8, u32) {
    (place((height / 8).into()), height % 8)
}

/// The root of the `index`-th subtree of a level that spans 2^`within` hashes, from the tile that holds it;
/// zeros if the tile is too short, which no root matches.
pub(crate) fn in_tile(tile: &[Hash], within: u32, index: u64) -> Hash {
    let first = usize::from(place(index << within));
    let hashes = tile.get(first..first + (1 << within)).unwrap_or_default();
    if hashes.is_empty() {
        return Hash::ZERO;
    }
    root_over(hashes)
}

/// The root over a power of two of hashes.
pub(crate) fn root_over(hashes: &[Hash]) -> Hash {
    hashes.iter().copied().collect::<Log>().root()
}

/// A tile's hashes; a partial one also from the full one that took its place.
pub(crate) fn read_tile(files: &impl Source, tile: Tile) -> Result<Vec<Hash>, TileError> {
    let path = tile.to_string();
    let bytes = match read(files, &path, MAX_TILE)? {
        None if !tile.is_full() => read(files, &tile.full().to_string(), MAX_TILE)?,
        bytes => bytes,
    };
    let Some(bytes) = bytes else {
        return Err(TileError::Missing { path });
    };
    let (hashes, rest) = bytes.as_chunks::<HASH_LEN>();
    let hashes = hashes.get(..usize::from(tile.width()));
    match hashes {
        Some(hashes) if rest.is_empty() => Ok(hashes.iter().copied().map(Hash).collect()),
        _ => Err(TileError::Damaged {
            path,
            what: "its length is not that of its hashes",
        }),
    }
}

/// A tile's bytes.
pub(crate) fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
