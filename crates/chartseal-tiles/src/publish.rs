//! Appending entries, and publishing what a checkpoint signs.

use chartseal_merkle::{Hash, leaf_hash};
use chartseal_wire::note::MAX_NOTE;
use chartseal_wire::{Checkpoint, SignedNote};

use crate::edge::{Edge, bytes_of, root_over};
use crate::error::TileError;
use crate::files::{Sink, read, write};
use crate::read::{CHECKPOINT, MAX_BUNDLE, note, push_entry, split_bundle};
use crate::tile::{Tile, WIDTH, hashes_at, partial_width};

/// Writes a log's files. What was published never changes: entries are written when their tile is full or
/// a checkpoint signs them, and the checkpoint last.
pub struct Publisher<F> {
    files: F,
    origin: String,
    size: u64,
    edge: Edge,
    /// Entries of the last bundle, each behind its length.
    bundle: Vec<u8>,
}

impl<F: Sink> Publisher<F> {
    /// Goes on where the published checkpoint ends, or begins a log. The files at its right edge are
    /// checked against the checkpoint's root; its signatures are not.
    ///
    /// # Errors
    /// [`TileError`] if the checkpoint is unreadable or of another log, or the files are not its own.
    pub fn open(files: F, origin: &str) -> Result<Self, TileError> {
        let mut publisher = Self {
            files,
            origin: origin.into(),
            size: 0,
            edge: Edge::default(),
            bundle: Vec::new(),
        };
        let Some(checkpoint) = published(&publisher.files)? else {
            return Ok(publisher);
        };
        if checkpoint.origin != origin {
            return Err(TileError::Origin {
                found: checkpoint.origin,
                expected: origin.into(),
            });
        }
        publisher.size = checkpoint.size;
        publisher.edge = Edge::read(&publisher.files, &checkpoint)?;
        publisher.bundle = publisher.read_bundle()?;
        Ok(publisher)
    }

    /// The entries of the last bundle, if it is a partial one.
    fn read_bundle(&self) -> Result<Vec<u8>, TileError> {
        let width = partial_width(0, self.size);
        let Some(tile) = Tile::entries(self.size / u64::from(WIDTH), width) else {
            return Ok(Vec::new());
        };
        let path = tile.to_string();
        let Some(bundle) = read(&self.files, &path, MAX_BUNDLE)? else {
            return Err(TileError::Missing { path });
        };
        let leaves = split_bundle(&bundle).map(|entries| {
            let leaves = entries.into_iter().map(leaf_hash);
            leaves.collect::<Vec<_>>()
        });
        if leaves.as_deref() != Some(self.edge.level(0)) {
            let what = "its entries are others than its hashes";
            return Err(TileError::Damaged { path, what });
        }
        Ok(bundle)
    }

    /// Entries that were appended, published or not.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What a checkpoint of all that was appended says, to be signed.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size: self.size,
            root: self.edge.root(self.size),
        }
    }

    /// Appends an entry; its leaf hash is that of RFC 6962 over its bytes.
    ///
    /// # Errors
    /// [`TileError::EntryTooLong`], [`TileError::Changed`] and [`TileError::Io`]; the entry is not appended then.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), TileError> {
        let kept = self.bundle.len();
        push_entry(&mut self.bundle, entry)?;
        if self.edge.level(0).len() + 1 < usize::from(WIDTH) {
            self.edge.push(0, leaf_hash(entry));
        } else {
            let mut edge = self.edge.clone();
            if let Err(error) = self.fill(&mut edge, leaf_hash(entry)) {
                self.bundle.truncate(kept);
                return Err(error);
            }
            self.edge = edge;
            self.bundle.clear();
        }
        self.size += 1;
        Ok(())
    }

    /// Adds the leaf that fills a tile, and writes each tile that is full now.
    fn fill(&self, edge: &mut Edge, leaf: Hash) -> Result<(), TileError> {
        let mut hash = leaf;
        for level in 0.. {
            let Some(full) = edge.push(level, hash) else {
                return Ok(());
            };
            let index = hashes_at(level, self.size) / u64::from(WIDTH);
            if level == 0
                && let Some(tile) = Tile::entries(index, WIDTH)
            {
                self.write(tile, &self.bundle)?;
            }
            if let Some(tile) = Tile::hashes(level, index, WIDTH) {
                self.write(tile, &bytes_of(&full))?;
            }
            hash = root_over(&full);
        }
        Ok(())
    }

    /// Writes what the note's checkpoint signs and is not there yet, and then the note as the checkpoint.
    ///
    /// # Errors
    /// [`TileError::OtherTree`] if it is not exactly [`checkpoint`](Self::checkpoint), and whatever files give;
    /// what was published before stands then.
    pub fn publish(&self, note: &SignedNote) -> Result<(), TileError> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != self.origin {
            return Err(TileError::Origin {
                found: checkpoint.origin,
                expected: self.origin.clone(),
            });
        }
        if checkpoint != self.checkpoint() {
            return Err(TileError::OtherTree {
                found: checkpoint.size,
                here: self.size,
            });
        }
        let last = |level| hashes_at(level, self.size) / u64::from(WIDTH);
        if let Some(tile) = Tile::entries(last(0), partial_width(0, self.size)) {
            self.write(tile, &self.bundle)?;
        }
        for (level, hashes) in self.edge.levels() {
            let width = partial_width(level, self.size);
            if let Some(tile) = Tile::hashes(level, last(level), width) {
                self.write(tile, &bytes_of(hashes))?;
            }
        }
        write(&self.files, CHECKPOINT, note.to_string().as_bytes())
    }

    /// Writes a tile, unless it is there.
    fn write(&self, tile: Tile, bytes: &[u8]) -> Result<(), TileError> {
        let path = tile.to_string();
        match read(&self.files, &path, MAX_BUNDLE)? {
            Some(there) if there == bytes => Ok(()),
            Some(_) => Err(TileError::Changed { path }),
            None => write(&self.files, &path, bytes),
        }
    }
}

/// The checkpoint that is published.
fn published(files: &impl Sink) -> Result<Option<Checkpoint>, TileError> {
    let Some(bytes) = read(files, CHECKPOINT, MAX_NOTE)? else {
        return Ok(None);
    };
    Ok(Some(Checkpoint::parse(&note(&bytes)?.text)?))
}
