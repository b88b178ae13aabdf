//! The state map on disk: chunks of neighbouring values, and the changes of the newest blocks.
//!
//! The map's keys are hashes, so a block changes values all over it, and to write each in its place would
//! write a page for each. Instead a block's changes are kept as they come, as one row. Then some chunks
//! are written anew with all changes since they were written last: one after the other and round again,
//! [`RATE`] times as many bytes as the block's changes have. A block's changes go once each chunk was
//! written after it.
//!
//! What is read is the chunks, with all changes that are kept, in order. A chunk may be given a change
//! that it has: changes say what a value is, and later ones come later.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use chartseal_codec::{DecodeError, Decoder, Encoder};
use chartseal_merkle::{MapChanges, MapKey};
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::{LedgerStoreError, damaged};

/// Height → what its block changed: keys, increasing, each with its value, or `null` if it is gone.
pub(super) const CHANGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("state_changes");
/// A key → at which height the chunk was written, and the values from that key up to the next
/// chunk's, each after its key, increasing. The first chunk's key is zero.
pub(super) const CHUNKS: TableDefinition<'_, &[u8; 32], &[u8]> =
    TableDefinition::new("state_chunks");
/// The key of the chunk that is written next, as all others were written later.
pub(super) const CURSOR: TableDefinition<'_, (), &[u8; 32]> = TableDefinition::new("state_cursor");

/// How many bytes of chunks are written for each byte of changes. The more, the fewer changes are kept: about
/// as many bytes as the chunks have, divided by this.
const RATE: usize = 2;
/// The most bytes of a chunk, unless one value has more: with its place in a page 64 KiB, as redb's
/// pages are powers of two.
const FULL: usize = 60 << 10;
/// What a value takes in a chunk beside its own bytes, at most.
const OVERHEAD: usize = 40;
const FIRST: MapKey = MapKey([0; 32]);

/// The changes that are not in every chunk.
#[derive(Debug)]
pub(super) struct Pending {
    changes: MapChanges,
    /// How many bytes of chunks may be written.
    credit: usize,
}

impl Pending {
    /// Those of a file, before the next block.
    pub(super) fn of(write: &WriteTransaction) -> Result<Self, LedgerStoreError> {
        Ok(Self {
            changes: read_changes(&write.open_table(CHANGES)?)?,
            credit: 0,
        })
    }

    /// Keeps a block's changes, and writes the chunks whose turn it is.
    pub(super) fn write(
        &mut self,
        write: &WriteTransaction,
        height: u64,
        new: &MapChanges,
    ) -> Result<(), LedgerStoreError> {
        let row = encode_changes(new);
        let mut changes = write.open_table(CHANGES)?;
        changes.insert(height, row.as_slice())?;
        self.credit = self.credit.saturating_add(row.len() * RATE);
        let new = new.iter().map(|(key, value)| (*key, value.clone()));
        self.changes.extend(new);

        let mut chunks = write.open_table(CHUNKS)?;
        let mut cursor = write.open_table(CURSOR)?;
        let start = cursor.get(())?.map_or(FIRST, |key| MapKey(*key.value()));
        let (mut next, mut is_round) = (Chunk::at(&chunks, start)?, false);
        while next.bytes.len() <= self.credit && !(is_round && next.key >= start) {
            self.credit -= next.bytes.len();
            let after = self.write_chunk(&mut chunks, height, next)?;
            is_round |= after.is_none();
            next = Chunk::at(&chunks, after.unwrap_or(FIRST))?;
        }
        if is_round {
            // Who writes all chunks after each block saves nothing for later.
            self.credit = 0;
        }
        cursor.insert((), &next.key.0)?;
        if let Some(written) = next.written()? {
            changes.retain_in(..=written, |_, _| false)?;
        }
        Ok(())
    }

    /// Writes a chunk with the changes to it, as one or several; small neighbours become one.
    /// Gives the key of the chunk after it; `None`: it is the last one.
    fn write_chunk(
        &mut self,
        chunks: &mut Table<'_, &'static [u8; 32], &'static [u8]>,
        height: u64,
        chunk: Chunk,
    ) -> Result<Option<MapKey>, LedgerStoreError> {
        let (key, mut end) = (chunk.key, chunk.end);
        let mut old = vec![chunk];
        let mut size = old.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        while let Some(next) = end.filter(|_| size < FULL / 2) {
            let next = Chunk::at(chunks, next)?;
            size += next.bytes.len();
            if size > FULL {
                break;
            }
            chunks.remove(&next.key.0)?;
            end = next.end;
            old.push(next);
        }
        let mut values = Vec::new();
        for chunk in &old {
            let kept = chunk.values()?.into_iter();
            values.extend(kept.map(|(key, value)| (key, Some(value))));
        }
        let changed = self.changes.range(key..);
        let changed = changed.take_while(|(key, _)| end.is_none_or(|end| **key < end));
        let changed: Vec<_> = changed
            .map(|(key, value)| (*key, value.as_deref()))
            .collect();
        let written: Vec<MapKey> = changed.iter().map(|(key, _)| *key).collect();
        // A stable sort merges the two, and leaves what is new behind what was.
        values.extend(changed);
        values.sort_by_key(|(key, _)| *key);
        let newest = values.chunk_by(|(a, _), (b, _)| a == b);
        let newest =
            newest.filter_map(|same| same.last().and_then(|(key, value)| Some((*key, (*value)?))));
        write_values(chunks, height, key, newest)?;
        for key in written {
            self.changes.remove(&key);
        }
        Ok(end)
    }
}

/// Keeps the whole state after the block of this height.
pub(super) fn put_all<'a>(
    write: &WriteTransaction,
    height: u64,
    values: impl Iterator<Item = (MapKey, &'a [u8])>,
) -> Result<(), LedgerStoreError> {
    write_values(&mut write.open_table(CHUNKS)?, height, FIRST, values)
}

/// Writes values as chunks, the first of them with the key `first`.
fn write_values<'a>(
    chunks: &mut Table<'_, &'static [u8; 32], &'static [u8]>,
    height: u64,
    first: MapKey,
    values: impl Iterator<Item = (MapKey, &'a [u8])>,
) -> Result<(), LedgerStoreError> {
    let (mut values, mut key) = (values.peekable(), first);
    loop {
        let (mut piece, mut size) = (Vec::new(), 0);
        while let Some((key, value)) = values.next_if(|(_, value)| {
            size += value.len() + OVERHEAD;
            size <= FULL || piece.is_empty()
        }) {
            piece.push((key, value));
        }
        let mut row = Encoder::with_capacity(size + OVERHEAD);
        row.array(1 + 2 * piece.len()).uint(height);
        for (key, value) in &piece {
            row.bytes(&key.0).bytes(value);
        }
        chunks.insert(&key.0, row.finish().as_slice())?;
        match values.peek() {
            Some((next, _)) => key = *next,
            None => return Ok(()),
        }
    }
}

/// Every value of the state.
pub(super) fn read(read: &ReadTransaction) -> Result<BTreeMap<MapKey, Vec<u8>>, LedgerStoreError> {
    let chunks = read.open_table(CHUNKS)?;
    let mut all = Vec::new();
    for row in chunks.iter()? {
        let (key, bytes) = row?;
        let chunk = Chunk {
            key: MapKey(*key.value()),
            bytes: bytes.value().to_vec(),
            end: None,
        };
        let values = chunk.values()?.into_iter();
        all.extend(values.map(|(key, value)| (key, value.to_vec())));
    }
    // Sorted already, unless somebody changed the file: this takes as long as to copy it then.
    let mut all: BTreeMap<_, _> = all.into_iter().collect();
    for (key, value) in read_changes(&read.open_table(CHANGES)?)? {
        match value {
            Some(value) => all.insert(key, value.to_vec()),
            None => all.remove(&key),
        };
    }
    Ok(all)
}

/// How many values the state has. No value is copied for it: a state is large.
pub(super) fn count(read: &ReadTransaction) -> Result<u64, LedgerStoreError> {
    let changes = read_changes(&read.open_table(CHANGES)?)?;
    let mut values = changes.values().flatten().count();
    for row in read.open_table(CHUNKS)?.iter()? {
        let (key, bytes) = row?;
        let chunk = decode_chunk(bytes.value());
        let chunk = chunk.map_err(|why| damaged_chunk(MapKey(*key.value()), why))?;
        let unchanged = chunk.iter().filter(|(key, _)| !changes.contains_key(key));
        values += unchanged.count();
    }
    Ok(values as u64)
}

/// One row of [`CHUNKS`].
struct Chunk {
    key: MapKey,
    /// Empty: there is no such row.
    bytes: Vec<u8>,
    /// The key of the next one.
    end: Option<MapKey>,
}

impl Chunk {
    fn at(
        chunks: &impl ReadableTable<&'static [u8; 32], &'static [u8]>,
        key: MapKey,
    ) -> Result<Self, LedgerStoreError> {
        let bytes = chunks.get(&key.0)?;
        let mut after = chunks.range::<&[u8; 32]>((Excluded(&key.0), Unbounded))?;
        Ok(Self {
            key,
            bytes: bytes.map_or_else(Vec::new, |bytes| bytes.value().to_vec()),
            end: after
                .next()
                .transpose()?
                .map(|(key, _)| MapKey(*key.value())),
        })
    }

    /// At which height; `None`: there is no such row.
    fn written(&self) -> Result<Option<u64>, LedgerStoreError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let mut d = Decoder::new(&self.bytes);
        let written = d.array(usize::MAX).and_then(|_| d.at("height").uint());
        written.map(Some).map_err(|why| self.damaged(why))
    }

    fn values(&self) -> Result<Vec<(MapKey, &[u8])>, LedgerStoreError> {
        if self.bytes.is_empty() {
            return Ok(Vec::new());
        }
        decode_chunk(&self.bytes).map_err(|why| self.damaged(why))
    }

    fn damaged(&self, why: DecodeError) -> LedgerStoreError {
        damaged_chunk(self.key, why)
    }
}

fn damaged_chunk(key: MapKey, why: DecodeError) -> LedgerStoreError {
    damaged("state_chunks", format!("key {key}"), why)
}

fn decode_chunk(bytes: &[u8]) -> Result<Vec<(MapKey, &[u8])>, DecodeError> {
    let mut d = Decoder::new(bytes);
    let items = d.array(usize::MAX)?;
    d.at("height").uint()?;
    if items % 2 == 0 {
        return Err(d.invalid("a key has no value"));
    }
    let mut values: Vec<(MapKey, &[u8])> = Vec::new();
    for _ in 0..items / 2 {
        let key = MapKey(d.at("key").bytes_exact()?);
        if values.last().is_some_and(|(last, _)| *last >= key) {
            return Err(d.invalid("keys are not increasing"));
        }
        values.push((key, d.at("value").bytes(usize::MAX)?));
    }
    d.finish()?;
    Ok(values)
}

fn encode_changes(changes: &MapChanges) -> Vec<u8> {
    let sizes = changes.values().flatten().map(|value| value.len());
    let mut row = Encoder::with_capacity(changes.len() * OVERHEAD + sizes.sum::<usize>());
    row.array(2 * changes.len());
    for (key, value) in changes {
        row.bytes(&key.0);
        match value {
            Some(value) => row.bytes(value),
            None => row.null(),
        };
    }
    row.finish()
}

/// All changes that are kept: the last one to each value.
fn read_changes(
    changes: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<MapChanges, LedgerStoreError> {
    let mut all = MapChanges::new();
    for row in changes.iter()? {
        let (height, bytes) = row?;
        let read = decode_changes(bytes.value(), &mut all);
        read.map_err(|why| damaged("state_changes", format!("height {}", height.value()), why))?;
    }
    Ok(all)
}

fn decode_changes(bytes: &[u8], all: &mut MapChanges) -> Result<(), DecodeError> {
    let mut d = Decoder::new(bytes);
    let items = d.array(usize::MAX)?;
    if items % 2 != 0 {
        return Err(d.invalid("a key has no value"));
    }
    for _ in 0..items / 2 {
        let key = MapKey(d.at("key").bytes_exact()?);
        let is_gone = d.at("value").null()?;
        let value = (!is_gone).then(|| d.bytes(usize::MAX)).transpose()?;
        all.insert(key, value.map(Arc::from));
    }
    d.finish()
}

#[cfg(test)]
mod tests {
    use chartseal_merkle::leaf_hash;
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase, ReadableTableMetadata};

    use super::*;

    fn database() -> Database {
        let db = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        let write = db.begin_write().unwrap();
        write.open_table(CHANGES).unwrap();
        write.open_table(CHUNKS).unwrap();
        write.open_table(CURSOR).unwrap();
        write.commit().unwrap();
        db
    }

    /// As spread as the state map's keys are.
    fn key(n: u64) -> MapKey {
        MapKey(leaf_hash(&n.to_be_bytes()).0)
    }

    /// A block's changes: values of many lengths, some gone again.
    fn changes(block: u64, n: u64, keys: u64) -> MapChanges {
        let number = |at: u64| u64::from_be_bytes(*key(block << 32 | at).0.first_chunk().unwrap());
        let change = |at: u64| {
            let number = number(at);
            let length = usize::try_from(number >> 40 & 0x1ff).unwrap();
            let value = (number % 5 > 0).then(|| vec![number.to_be_bytes()[7]; length].into());
            (key(number % keys), value)
        };
        (0..n).map(change).collect()
    }

    #[test]
    fn any_blocks_leave_the_state_that_they_make() {
        // Few and many keys, with blocks that change few and many of them.
        for (keys, sizes) in [
            (9, [1, 0, 9]),
            (3_000, [3, 900, 40]),
            (20_000, [20, 2_000, 0]),
        ] {
            let db = database();
            let (mut expected, mut pending, mut most) = (BTreeMap::new(), None, 0);
            for height in 0..90 {
                let n = sizes[usize::try_from(height % 3).unwrap()];
                let new = changes(height, n, keys);
                let write = db.begin_write().unwrap();
                // Every seventh block comes after the program was started again.
                let mut newest: Pending = match pending.take().filter(|_| height % 7 > 0) {
                    Some(pending) => pending,
                    None => Pending::of(&write).unwrap(),
                };
                newest.write(&write, height, &new).unwrap();
                write.commit().unwrap();
                pending = Some(newest);
                for (key, value) in new {
                    match value {
                        Some(value) => expected.insert(key, value.to_vec()),
                        None => expected.remove(&key),
                    };
                }
                let transaction = db.begin_read().unwrap();
                let found = read(&transaction).unwrap();
                assert!(found == expected, "{keys} keys, height {height}");
                assert_eq!(count(&transaction).unwrap(), expected.len() as u64);
                most = most.max(transaction.open_table(CHANGES).unwrap().len().unwrap());
            }
            let chunks = db.begin_read().unwrap().open_table(CHUNKS).unwrap();
            let (mut rows, mut bytes) = (0, 0);
            for row in chunks.iter().unwrap() {
                let (_, chunk) = row.unwrap();
                assert!(chunk.value().len() <= FULL + 16, "{}", chunk.value().len());
                (rows, bytes) = (rows + 1, bytes + chunk.value().len());
            }
            // Small neighbours became one, and the changes of old blocks are gone.
            assert!(
                rows <= 2 + 3 * bytes / FULL,
                "{rows} chunks of {bytes} bytes"
            );
            assert!(most < 60, "changes of {most} blocks");
        }
    }

    #[test]
    fn a_value_larger_than_a_chunk_has_one_of_its_own() {
        let db = database();
        let values: BTreeMap<_, _> = (0..40)
            .map(|n| (key(n), vec![7; 3 * FULL * usize::from(n == 9)]))
            .collect();
        let write = db.begin_write().unwrap();
        let all = values.iter().map(|(key, value)| (*key, value.as_slice()));
        put_all(&write, 3, all).unwrap();
        write.commit().unwrap();
        assert_eq!(read(&db.begin_read().unwrap()).unwrap(), values);
    }

    #[test]
    fn rows_that_are_none_are_named() {
        let chunk = |bytes: &[u8]| decode_chunk(bytes).map(|_| ()).unwrap_err().to_string();
        assert!(chunk(&[0x82, 3, 0x41]).contains("has no value"));
        let twice = [
            &[0x85, 3, 0x58, 32][..],
            &[1; 32],
            &[0x40, 0x58, 32],
            &[1; 32],
            &[0x40],
        ];
        assert!(chunk(&twice.concat()).contains("not increasing"));
        let mut all = MapChanges::new();
        let row = decode_changes(&[0x81, 0xf6], &mut all).unwrap_err();
        assert!(row.to_string().contains("has no value"), "{row}");
    }
}
