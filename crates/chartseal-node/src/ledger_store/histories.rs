//! The entries of histories: those of one block and subject are one row, so that a page is written for
//! each history that a block adds to, and not for each entry.

use chartseal_codec::{DecodeError, Decoder, Encoder, from_bytes, to_bytes};
use chartseal_ledger::store::Refused;
use chartseal_wire::Subject;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::{LedgerStoreError, META, damaged, number};

/// A history's subject in canonical bytes and an entry's index → that entry and some that follow it: up to
/// the next row's index.
pub(super) const HISTORY: TableDefinition<'_, (&[u8], u64), &[u8]> =
    TableDefinition::new("histories");

/// How many histories and entries there are, so that it is noticed if one is gone as a whole.
pub(super) const HISTORIES: &str = "histories";
pub(super) const ENTRIES: &str = "entries";

/// How many entries of a history that is kept as a whole make a row.
pub(super) const PART: usize = 256;

/// Keeps a block's entries, each the next of its history.
pub(super) fn write(
    write: &WriteTransaction,
    entries: &[(Subject, u64, Vec<u8>)],
) -> Result<(), LedgerStoreError> {
    let mut table = write.open_table(HISTORY)?;
    let (mut histories, total) = (0, entries.len());
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(subject, ..)| *subject);
    for entries in entries.chunk_by(|(a, ..), (b, ..)| a == b) {
        let Some((subject, ..)) = entries.first() else {
            continue;
        };
        let subject = to_bytes(subject);
        let first = len(&table, &subject)?;
        histories += u64::from(first == 0);
        for ((_, found, _), expected) in entries.iter().zip(first..) {
            if *found != expected {
                let found = *found;
                let refused = Refused::EntryIndex { expected, found };
                return Err(LedgerStoreError::Refused(refused));
            }
        }
        let entries = entries.iter().map(|(_, _, entry)| entry.as_slice());
        put(&mut table, &subject, first, entries)?;
    }
    add(write, histories, total as u64)
}

/// Keeps that there are more histories and entries.
pub(super) fn add(
    write: &WriteTransaction,
    histories: u64,
    entries: u64,
) -> Result<(), LedgerStoreError> {
    let mut meta = write.open_table(META)?;
    for (key, more) in [(HISTORIES, histories), (ENTRIES, entries)] {
        let sum = number(&meta, key)?.saturating_add(more);
        meta.insert(key, sum)?;
    }
    Ok(())
}

/// Keeps some entries of a history, from an index on, as one row.
pub(super) fn put<'a>(
    table: &mut Table<'_, (&'static [u8], u64), &'static [u8]>,
    subject: &[u8],
    first: u64,
    entries: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Result<(), LedgerStoreError> {
    let mut row = Encoder::new();
    row.array(entries.len());
    for entry in entries {
        row.bytes(entry);
    }
    table.insert((subject, first), row.finish().as_slice())?;
    Ok(())
}

/// How many entries a history has.
pub(super) fn len(
    table: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
    subject: &[u8],
) -> Result<u64, LedgerStoreError> {
    let last = table.range((subject, 0)..=(subject, u64::MAX))?.next_back();
    let Some((key, row)) = last.transpose()? else {
        return Ok(0);
    };
    let (_, first) = key.value();
    let entries = count(row.value()).map_err(|why| damaged_row(first, why))?;
    Ok(first.saturating_add(entries))
}

/// Entries of a history from an index on.
pub(super) fn read(
    table: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
    subject: &[u8],
    from: u64,
    limit: usize,
) -> Result<Vec<Vec<u8>>, LedgerStoreError> {
    let holds = table.range((subject, 0)..=(subject, from))?.next_back();
    let start = holds.transpose()?.map_or(from, |(key, _)| key.value().1);
    let mut all = Vec::new();
    for row in table.range((subject, start)..=(subject, u64::MAX))? {
        let (key, row) = row?;
        let (_, first) = key.value();
        let entries = decode(row.value()).map_err(|why| damaged_row(first, why))?;
        let wanted = (first..).zip(entries).filter(|(index, _)| *index >= from);
        let wanted = wanted.take(limit - all.len());
        all.extend(wanted.map(|(_, entry)| entry.to_vec()));
        if all.len() == limit {
            break;
        }
    }
    Ok(all)
}

/// Whose histories there are.
pub(super) fn subjects(
    table: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
) -> Result<Vec<Subject>, LedgerStoreError> {
    let mut subjects: Vec<Subject> = Vec::new();
    let mut next = table.first()?;
    while let Some((key, _)) = next {
        let (subject, first) = key.value();
        subjects.push(from_bytes(subject).map_err(|why| damaged_row(first, why))?);
        let others = table.range((subject, u64::MAX)..)?;
        let mut others = others.filter(|row| {
            let same = row.as_ref().map(|(key, _)| key.value().0 == subject);
            !same.unwrap_or(false)
        });
        next = others.next().transpose()?;
    }
    Ok(subjects)
}

fn count(row: &[u8]) -> Result<u64, DecodeError> {
    let entries = Decoder::new(row).at("entries").array(usize::MAX)?;
    Ok(entries as u64)
}

fn decode(row: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut d = Decoder::new(row);
    let entries = d.at("entries").array(usize::MAX)?;
    let entries = (0..entries).map(|_| d.at("entry").bytes(usize::MAX));
    let entries = entries.collect::<Result<_, _>>()?;
    d.finish()?;
    Ok(entries)
}

/// The subject is in no error: it says whose history.
fn damaged_row(first: u64, why: DecodeError) -> LedgerStoreError {
    damaged("histories", format!("entry {first} and later"), why)
}

#[cfg(test)]
mod tests {
    use chartseal_wire::ActorId;
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    use super::*;

    #[test]
    fn entries_are_read_from_any_index_and_to_any_limit() {
        let db = Database::builder();
        let db = db.create_with_backend(InMemoryBackend::new()).unwrap();
        let subjects = [1, 2, 3].map(|n| Subject::Actor(ActorId([n; 16])));
        let mut expected = [const { Vec::new() }; 3];
        for block in 0..9u8 {
            let mut new = Vec::new();
            for (at, (subject, all)) in (0..).zip(subjects.iter().zip(&mut expected)) {
                for n in 0..(block * 5 + at) % 4 {
                    new.push((*subject, all.len() as u64, vec![block, n]));
                    all.push(vec![block, n]);
                }
            }
            let transaction = db.begin_write().unwrap();
            write(&transaction, &new).unwrap();
            transaction.commit().unwrap();
        }
        let table = db.begin_read().unwrap().open_table(HISTORY).unwrap();
        assert_eq!(super::subjects(&table).unwrap(), subjects);
        for (subject, all) in subjects.iter().zip(&expected) {
            let subject = to_bytes(subject);
            assert_eq!(len(&table, &subject).unwrap(), all.len() as u64);
            for from in 0..all.len() + 2 {
                for limit in 0..all.len() + 2 {
                    let part: Vec<_> = all.iter().skip(from).take(limit).cloned().collect();
                    assert_eq!(read(&table, &subject, from as u64, limit).unwrap(), part);
                }
            }
        }
    }
}
