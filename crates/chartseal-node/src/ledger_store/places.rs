//! Where transactions are, by their ids.
//!
//! Ids are hashes, so a table by id would write a page for each. Instead the transactions of neighbouring
//! blocks are a *run*, sorted by id: each block makes one, and as soon as there are [`TOGETHER`] of
//! about a size, they become one. So an id is written a few times, among its neighbours, and looked for in a few
//! dozens of runs.

use chartseal_ledger::store::TxPlace;
use chartseal_wire::TxId;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::LedgerStoreError;

/// A run's first height and the first id of a part of it → the part's places, by id.
pub(super) const PLACES: TableDefinition<'_, (u64, &[u8; 32]), &[u8]> =
    TableDefinition::new("places");

/// An id, a height and an index, big-endian.
const PLACE: usize = 32 + 8 + 4;
/// Places of a part: with its place in a page less than 64 KiB, as redb's pages are powers of two.
const PART: usize = 1_400;
/// How many runs of about a size become one.
const TOGETHER: usize = 8;
/// The most places of a run that was made of others, so that no block waits long for it.
const MAX_RUN: usize = 1 << 20;

type Place = [u8; PLACE];

/// The runs of a file: first heights, increasing, with the number of places.
#[derive(Debug)]
pub(super) struct Runs(Vec<(u64, usize)>);

impl Runs {
    /// Those of a file, before the next block.
    pub(super) fn of(write: &WriteTransaction) -> Result<Self, LedgerStoreError> {
        let mut runs: Vec<(u64, usize)> = Vec::new();
        for row in write.open_table(PLACES)?.iter()? {
            let (key, places) = row?;
            let (run, count) = (key.value().0, places.value().len() / PLACE);
            match runs.last_mut().filter(|(last, _)| *last == run) {
                Some((_, places)) => *places += count,
                None => runs.push((run, count)),
            }
        }
        Ok(Self(runs))
    }

    /// Keeps where a block's transactions are.
    pub(super) fn write(
        &mut self,
        write: &WriteTransaction,
        height: u64,
        ids: impl Iterator<Item = TxId>,
    ) -> Result<(), LedgerStoreError> {
        let ids = ids.zip(0..);
        let mut places: Vec<Place> = ids.map(|(id, index)| place(&id, height, index)).collect();
        if places.is_empty() {
            return Ok(());
        }
        let mut table = write.open_table(PLACES)?;
        let (mut first, together) = (height, self.together(places.len()));
        for (run, _) in self.0.drain(self.0.len() - together..).rev() {
            take(&mut table, run, &mut places)?;
            first = run;
        }
        // Runs are sorted, and a stable sort merges what is.
        places.sort_by(Place::cmp);
        self.0.push((first, places.len()));
        put(&mut table, first, &places)
    }

    /// How many of the newest runs a new one of so many places is put together with.
    fn together(&self, mut places: usize) -> usize {
        let mut together = 0;
        loop {
            let size = places.max(1).ilog(TOGETHER);
            let older = self.0.iter().rev().skip(together);
            let same = older.take_while(|(_, count)| (*count).max(1).ilog(TOGETHER) <= size);
            let (n, more) = same.fold((0, 0), |(n, more), (_, count)| (n + 1, more + count));
            if n + 1 < TOGETHER || places + more > MAX_RUN {
                return together;
            }
            together += n;
            places += more;
        }
    }
}

/// Takes out the places below a height. The runs of the file are others then.
pub(super) fn prune(write: &WriteTransaction, below: u64) -> Result<(), LedgerStoreError> {
    let runs = Runs::of(write)?.0.into_iter().map(|(run, _)| run);
    let mut table = write.open_table(PLACES)?;
    for run in runs.filter(|run| *run < below) {
        let mut places = Vec::new();
        take(&mut table, run, &mut places)?;
        places.retain(|place| read_place(place).is_some_and(|one| one.height >= below));
        put(&mut table, below, &places)?;
    }
    Ok(())
}

/// How many places there are.
pub(super) fn count(read: &ReadTransaction) -> Result<u64, LedgerStoreError> {
    let mut places = 0;
    for row in read.open_table(PLACES)?.iter()? {
        places += row?.1.value().len() / PLACE;
    }
    Ok(places as u64)
}

/// Where a transaction is.
pub(super) fn find(read: &ReadTransaction, id: &TxId) -> Result<Option<TxPlace>, LedgerStoreError> {
    let table = read.open_table(PLACES)?;
    let mut newer = None;
    loop {
        // The last run before those where it is not.
        let older = match newer {
            Some(run) => table.range(..(run, &[0; 32]))?.next_back(),
            None => table.last()?.map(Ok),
        };
        let Some(row) = older else {
            return Ok(None);
        };
        let run = row?.0.value().0;
        let part = table.range((run, &[0; 32])..=(run, &id.0))?.next_back();
        if let Some(part) = part {
            let (_, places) = part?;
            let (places, _) = places.value().as_chunks::<PLACE>();
            let at = places.binary_search_by(|place| place.as_slice().cmp(&id.0));
            let (Ok(at) | Err(at)) = at;
            let found = places.get(at).filter(|place| place.starts_with(&id.0));
            if let Some(place) = found {
                return Ok(read_place(place));
            }
        }
        newer = Some(run);
    }
}

/// Moves the places of a run out of the table.
fn take(
    table: &mut Table<'_, (u64, &'static [u8; 32]), &'static [u8]>,
    run: u64,
    places: &mut Vec<Place>,
) -> Result<(), LedgerStoreError> {
    let all = (run, &[0; 32])..=(run, &[0xff; 32]);
    table.retain_in(all, |_, part| {
        places.extend_from_slice(part.as_chunks().0);
        false
    })?;
    Ok(())
}

/// Keeps the places of a run, sorted.
fn put(
    table: &mut Table<'_, (u64, &'static [u8; 32]), &'static [u8]>,
    run: u64,
    places: &[Place],
) -> Result<(), LedgerStoreError> {
    for part in places.chunks(PART) {
        if let Some(first) = part.first().and_then(|place| place.first_chunk()) {
            table.insert((run, first), part.as_flattened())?;
        }
    }
    Ok(())
}

/// Keeps places that come in the order of their ids as one run.
pub(super) fn put_all(
    write: &WriteTransaction,
    run: u64,
    places: impl Iterator<Item = Result<(TxId, TxPlace), LedgerStoreError>>,
) -> Result<(), LedgerStoreError> {
    let mut table = write.open_table(PLACES)?;
    let mut part = Vec::new();
    for found in places {
        let (id, at) = found?;
        part.push(place(&id, at.height, at.index));
        if part.len() == PART {
            put(&mut table, run, &part)?;
            part.clear();
        }
    }
    put(&mut table, run, &part)
}

fn place(id: &TxId, height: u64, index: u32) -> Place {
    let mut place = [0; PLACE];
    let bytes = id.0.into_iter().chain(height.to_be_bytes());
    let bytes = bytes.chain(index.to_be_bytes());
    place
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, byte)| *to = byte);
    place
}

fn read_place(place: &Place) -> Option<TxPlace> {
    let (height, index) = place.get(TxId::LEN..)?.split_first_chunk()?;
    Some(TxPlace {
        height: u64::from_be_bytes(*height),
        index: u32::from_be_bytes(*index.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stay_few_and_a_place_is_written_a_few_times() {
        for (blocks, size) in [(5_000, 1), (3_000, 2_048), (2_000, 9)] {
            let (mut runs, mut written, mut most) = (Runs(Vec::new()), 0, 0);
            for height in 0..blocks {
                // Every third block has one transaction.
                let size = if height % 3 == 2 { 1 } else { size };
                let together = runs.together(size);
                let merged: Vec<_> = runs.0.drain(runs.0.len() - together..).collect();
                let places = size + merged.iter().map(|(_, count)| count).sum::<usize>();
                let first = merged.first().map_or(height, |(first, _)| *first);
                runs.0.push((first, places));
                written += places;
                most = most.max(runs.0.len());
                assert!(places <= MAX_RUN && runs.0.is_sorted());
            }
            let places: usize = runs.0.iter().map(|(_, places)| places).sum();
            // 8 of each size, and what is too large to be put together.
            assert!(
                most <= 8 * 7 + places / (MAX_RUN / 8),
                "{size}: {most} runs"
            );
            assert!(written <= 7 * places, "{size}: {written} of {places}");
        }
    }
}
