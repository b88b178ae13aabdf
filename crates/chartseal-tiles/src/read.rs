//! Entries and proofs under one checkpoint.

use chartseal_merkle::{Hash, consistency_path, inclusion_path, leaf_hash, subtree_root};
use chartseal_wire::{Checkpoint, FormatError, SignedNote};

use crate::edge::{Edge, in_tile, read_tile, root_over, split_height};
use crate::error::TileError;
use crate::files::{Source, read};
use crate::tile::{MAX_LEVEL, Tile, WIDTH, hashes_at, place};

/// The path of the newest checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The most bytes of a bundle of entries.
pub(crate) const MAX_BUNDLE: usize = WIDTH as usize * (2 + u16::MAX as usize);

/// A published log, as one checkpoint signs it. Whatever is read is checked against the checkpoint's root;
/// who signed the checkpoint is the caller's question.
pub struct TileLog<F> {
    files: F,
    checkpoint: Checkpoint,
    edge: Edge,
    /// The full tile that was read last, of each level.
    tiles: [Option<(u64, Vec<Hash>)>; MAX_LEVEL as usize + 1],
}

impl<F: Source> TileLog<F> {
    /// Reads the right edge of a log.
    ///
    /// # Errors
    /// [`TileError`] if files are missing, or do not give the checkpoint's root.
    pub fn open(files: F, checkpoint: Checkpoint) -> Result<Self, TileError> {
        let edge = Edge::read(&files, &checkpoint)?;
        let tiles = core::array::from_fn(|_| None);
        Ok(Self {
            files,
            checkpoint,
            edge,
            tiles,
        })
    }

    /// What all is checked against.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The entries from `index` on to the end of their bundle, at most 256: the way to read all of them.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn entries(&mut self, index: u64) -> Result<Vec<Vec<u8>>, TileError> {
        let size = self.checkpoint.size;
        if index >= size {
            return Err(TileError::Beyond { asked: index, size });
        }
        let tile = index / u64::from(WIDTH);
        let width = match size - tile * u64::from(WIDTH) {
            left @ 0..256 => u16::from(place(left)),
            _ => WIDTH,
        };
        let leaves = self.tile(0, tile)?.to_vec();
        let Some(bundle) = Tile::entries(tile, width) else {
            return Ok(Vec::new());
        };
        let path = bundle.to_string();
        let mut bytes = read(&self.files, &path, MAX_BUNDLE)?;
        if bytes.is_none() && !bundle.is_full() {
            bytes = read(&self.files, &bundle.full().to_string(), MAX_BUNDLE)?;
        }
        let Some(bytes) = bytes else {
            return Err(TileError::Missing { path });
        };
        let Some(mut entries) = split_bundle(&bytes) else {
            let what = "it does not end where an entry does";
            return Err(TileError::Damaged { path, what });
        };
        entries.truncate(leaves.len());
        let hashes = entries.iter().map(|entry| leaf_hash(entry));
        if !hashes.eq(leaves) {
            let what = "an entry has another hash than the log has there";
            return Err(TileError::Damaged { path, what });
        }
        let asked = entries.into_iter().skip(usize::from(place(index)));
        Ok(asked.map(<[u8]>::to_vec).collect())
    }

    /// The hashes that lead from entry `index` to the checkpoint's root, for
    /// [`verify_inclusion`](chartseal_merkle::verify_inclusion).
    ///
    /// # Errors
    /// [`TileError`].
    pub fn prove_inclusion(&mut self, index: u64) -> Result<Vec<Hash>, TileError> {
        let size = self.checkpoint.size;
        let path = inclusion_path(index, size);
        let path = path.ok_or(TileError::Beyond { asked: index, size })?;
        self.roots(path)
    }

    /// The hashes that show that the log begins with the one that had `old` entries, for
    /// [`verify_consistency`](chartseal_merkle::verify_consistency); none if that was empty.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn prove_consistency(&mut self, old: u64) -> Result<Vec<Hash>, TileError> {
        let size = self.checkpoint.size;
        if old == 0 {
            return Ok(Vec::new());
        }
        let path = consistency_path(old, size);
        let path = path.ok_or(TileError::Beyond { asked: old, size })?;
        self.roots(path)
    }

    /// The root that the log had at `size`.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn root_at(&mut self, size: u64) -> Result<Hash, TileError> {
        if size > self.checkpoint.size {
            let (asked, size) = (size, self.checkpoint.size);
            return Err(TileError::Beyond { asked, size });
        }
        subtree_root(0..size, |height, index| self.node(height, index))
    }

    fn roots(&mut self, path: Vec<std::ops::Range<u64>>) -> Result<Vec<Hash>, TileError> {
        let roots = path.into_iter();
        roots
            .map(|range| subtree_root(range, |height, index| self.node(height, index)))
            .collect()
    }

    /// The root of the `index`-th complete subtree of a height.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, TileError> {
        let (level, within) = split_height(height);
        let tile = (index << within) / u64::from(WIDTH);
        Ok(in_tile(self.tile(level, tile)?, within, index))
    }

    /// A tile of the log: at its right edge, or full and checked against the tile above.
    fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], TileError> {
        if index == hashes_at(level, self.checkpoint.size) / u64::from(WIDTH) {
            return Ok(self.edge.level(level));
        }
        // Up to a tile that is known, and down again, each checked against the one above it.
        let mut unknown = Vec::new();
        let (mut at, mut tile) = (level, index);
        while tile != hashes_at(at, self.checkpoint.size) / u64::from(WIDTH)
            && self.known(at, tile).is_none()
        {
            unknown.push((at, tile));
            (at, tile) = (at + 1, tile / u64::from(WIDTH));
        }
        while let Some((at, index)) = unknown.pop() {
            let above = (at + 1, index / u64::from(WIDTH));
            let expected = match self.known(above.0, above.1) {
                Some(tile) => in_tile(tile, 0, index),
                None => in_tile(self.edge.level(above.0), 0, index),
            };
            let Some(tile) = Tile::hashes(at, index, WIDTH) else {
                break;
            };
            let hashes = read_tile(&self.files, tile)?;
            if root_over(&hashes) != expected {
                return Err(TileError::Damaged {
                    path: tile.to_string(),
                    what: "its hashes give another one than stands in the tile above it",
                });
            }
            if let Some(kept) = self.tiles.get_mut(usize::from(at)) {
                *kept = Some((index, hashes));
            }
        }
        Ok(self.known(level, index).unwrap_or_default())
    }

    /// A full tile that was read last.
    fn known(&self, level: u8, index: u64) -> Option<&[Hash]> {
        let (place, hashes) = self.tiles.get(usize::from(level))?.as_ref()?;
        (*place == index).then_some(hashes.as_slice())
    }
}

/// A bundle's entries; `None` if it does not end where one does.
pub(crate) fn split_bundle(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut entries, mut rest) = (Vec::new(), bundle);
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let (entry, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        entries.push(entry);
        rest = behind;
    }
    rest.is_empty().then_some(entries)
}

/// Adds an entry to a bundle, behind its length.
///
/// # Errors
/// [`TileError::EntryTooLong`]; the bundle is as before then.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let too_long = |_| TileError::EntryTooLong { len: entry.len() };
    let len = u16::try_from(entry.len()).map_err(too_long)?;
    bundle.extend(len.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// Reads a note.
pub(crate) fn note(bytes: &[u8]) -> Result<SignedNote, FormatError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FormatError::Line {
        line: 1,
        expected: "text in UTF-8",
    })?;
    SignedNote::parse(text)
}
