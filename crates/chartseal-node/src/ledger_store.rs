#[cfg(test)]
mod crash;
#[cfg(test)]
mod faulty_disk;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use chartseal_codec::{DecodeError, from_bytes, to_bytes};
use chartseal_ledger::Block;
use chartseal_ledger::store::{Commit, LedgerStore, OutOfOrder, TxPlace};
use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Subject, TxId};
use redb::backends::InMemoryBackend;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend,
    TableDefinition,
};
use thiserror::Error;

/// The version of the tables below. A later program opens it, or says what to do.
const VERSION: u64 = 1;

/// What redb may keep of the file in memory. The state map is in memory anyway.
const CACHE_BYTES: usize = 8 << 20;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Height → a block's canonical bytes.
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
/// Key of the state map → value.
const STATE: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("state");
/// A history's subject in canonical bytes and an entry's index → the entry.
const HISTORY: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("history");
/// A history's subject → its number of entries.
const LENGTHS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("lengths");
/// Transaction → height and index.
const TRANSACTIONS: TableDefinition<'_, &[u8; 32], (u64, u32)> =
    TableDefinition::new("transactions");

/// A chain in one redb file: one durable commit a block.
#[derive(Debug)]
pub struct RedbLedger {
    db: Database,
}

/// Why a chain can't be kept or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerStoreError {
    /// The database refused.
    #[error("ledger store: {0}")]
    Database(Box<redb::Error>),
    /// The file is of another program version.
    #[error("ledger store has version {found}; this program reads version 1")]
    Version {
        /// The version that the file names.
        found: u64,
    },
    /// What is stored can't be read back.
    #[error("ledger store is damaged: {what} {why}")]
    Damaged {
        /// Which item.
        what: &'static str,
        /// What the decoder said.
        why: DecodeError,
    },
    /// The commit is not the next.
    #[error(transparent)]
    OutOfOrder(OutOfOrder),
}

impl<E: Into<redb::Error>> From<E> for LedgerStoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl RedbLedger {
    /// The chain in a file, made if it is missing.
    ///
    /// # Errors
    /// [`LedgerStoreError`] if the file is in use, damaged, of another version, or can't be written.
    pub fn open(file: &Path) -> Result<Self, LedgerStoreError> {
        if !file.try_exists().map_err(redb::Error::Io)? {
            create(file)?;
        }
        Self::with(builder().open(file)?)
    }

    /// A chain that ends with the process.
    ///
    /// # Errors
    /// [`LedgerStoreError::Database`].
    pub fn in_memory() -> Result<Self, LedgerStoreError> {
        Self::over(InMemoryBackend::new())
    }

    fn over(backend: impl StorageBackend) -> Result<Self, LedgerStoreError> {
        Self::with(builder().create_with_backend(backend)?)
    }

    fn with(db: Database) -> Result<Self, LedgerStoreError> {
        let write = db.begin_write()?;
        let found = {
            let mut meta = write.open_table(META)?;
            let found = meta.get("version")?.map(|version| version.value());
            if found.is_none() {
                meta.insert("version", VERSION)?;
            }
            write.open_table(BLOCKS)?;
            write.open_table(STATE)?;
            write.open_table(HISTORY)?;
            write.open_table(LENGTHS)?;
            write.open_table(TRANSACTIONS)?;
            found.unwrap_or(VERSION)
        };
        if found != VERSION {
            return Err(LedgerStoreError::Version { found });
        }
        write.commit()?;
        Ok(Self { db })
    }

    fn write(&self, commit: &Commit<'_>) -> Result<(), LedgerStoreError> {
        let height = commit.block.header.height;
        let write = self.db.begin_write()?;
        {
            let mut blocks = write.open_table(BLOCKS)?;
            let expected = blocks.len()?;
            if height.checked_add(1) == Some(expected) {
                let kept = blocks
                    .get(height)?
                    .map(|bytes| bytes.value() == commit.block.bytes());
                let again = kept == Some(true);
                return if again {
                    Ok(())
                } else {
                    Err(LedgerStoreError::OutOfOrder(OutOfOrder::OtherBlock {
                        height,
                    }))
                };
            }
            if height != expected {
                return Err(LedgerStoreError::OutOfOrder(OutOfOrder::Height {
                    expected,
                    found: height,
                }));
            }
            blocks.insert(height, commit.block.bytes().as_slice())?;

            let mut state = write.open_table(STATE)?;
            for (key, value) in commit.changes {
                match value {
                    Some(value) => state.insert(&key.0, value.as_slice())?,
                    None => state.remove(&key.0)?,
                };
            }
            let mut history = write.open_table(HISTORY)?;
            let mut lengths = write.open_table(LENGTHS)?;
            for (subject, found, entry) in commit.entries {
                let subject = to_bytes(subject);
                let expected = lengths
                    .get(subject.as_slice())?
                    .map_or(0, |length| length.value());
                if *found != expected {
                    return Err(LedgerStoreError::OutOfOrder(OutOfOrder::EntryIndex {
                        expected,
                        found: *found,
                    }));
                }
                history.insert((subject.as_slice(), *found), entry.as_slice())?;
                lengths.insert(subject.as_slice(), *found + 1)?;
            }
            let mut transactions = write.open_table(TRANSACTIONS)?;
            for (index, transaction) in (0..).zip(&commit.block.transactions) {
                transactions.insert(&transaction.id().0, (height, index))?;
            }
        }
        // An early return above drops the transaction, which undoes it.
        Ok(write.commit()?)
    }
}

impl LedgerStore for RedbLedger {
    type Error = LedgerStoreError;

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), LedgerStoreError> {
        self.write(commit)
    }

    fn head(&self) -> Result<Option<BlockHeader>, LedgerStoreError> {
        let blocks = self.db.begin_read()?.open_table(BLOCKS)?;
        let last = blocks.last()?;
        last.map(|(_, bytes)| Ok(read_block(bytes.value())?.header))
            .transpose()
    }

    fn block(&self, height: u64) -> Result<Option<Block>, LedgerStoreError> {
        let blocks = self.db.begin_read()?.open_table(BLOCKS)?;
        let bytes = blocks.get(height)?;
        bytes.map(|bytes| read_block(bytes.value())).transpose()
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, LedgerStoreError> {
        Ok(self.block(height)?.map(|block| block.header.bytes()))
    }

    fn state(&self) -> Result<Vec<(MapKey, Vec<u8>)>, LedgerStoreError> {
        let state = self.db.begin_read()?.open_table(STATE)?;
        let mut all = Vec::new();
        for row in state.iter()? {
            let (key, value) = row?;
            all.push((MapKey(*key.value()), value.value().to_vec()));
        }
        Ok(all)
    }

    fn subjects(&self) -> Result<Vec<Subject>, LedgerStoreError> {
        let lengths = self.db.begin_read()?.open_table(LENGTHS)?;
        let mut subjects = Vec::new();
        for row in lengths.iter()? {
            let subject = from_bytes(row?.0.value());
            subjects.push(subject.map_err(|why| LedgerStoreError::Damaged {
                what: "subject of a history",
                why,
            })?);
        }
        Ok(subjects)
    }

    fn history(
        &self,
        subject: &Subject,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, LedgerStoreError> {
        let history = self.db.begin_read()?.open_table(HISTORY)?;
        let subject = to_bytes(subject);
        let mut entries = Vec::new();
        let all = (subject.as_slice(), from)..=(subject.as_slice(), u64::MAX);
        for row in history.range(all)?.take(limit) {
            entries.push(row?.1.value().to_vec());
        }
        Ok(entries)
    }

    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, LedgerStoreError> {
        let transactions = self.db.begin_read()?.open_table(TRANSACTIONS)?;
        let place = transactions.get(&id.0)?;
        Ok(place.map(|place| {
            let (height, index) = place.value();
            TxPlace { height, index }
        }))
    }
}

/// Makes an empty store under another name and renames it, so that a file of this name is never half
/// made: redb could not open one, and nobody could tell it from a damaged chain.
fn create(file: &Path) -> Result<(), LedgerStoreError> {
    let new = file.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(redb::Error::Io(error).into());
        }
        _ => {}
    }
    drop(RedbLedger::with(builder().create(&new)?)?);
    fs::rename(&new, file).map_err(redb::Error::Io)?;
    // The name lasts once its folder is synced; not every system lets a folder be opened.
    #[cfg(unix)]
    if let Some(dir) = std::path::absolute(file)
        .ok()
        .as_deref()
        .and_then(Path::parent)
    {
        fs::File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(redb::Error::Io)?;
    }
    Ok(())
}

/// Every page's checksum is compared when a file is opened: a node reads the whole file then anyway, and
/// redb may panic over damage that it meets later.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

fn read_block(bytes: &[u8]) -> Result<Block, LedgerStoreError> {
    from_bytes(bytes).map_err(|why| LedgerStoreError::Damaged { what: "block", why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract_of_ledger_stores() {
        chartseal_ledger::store::conformance::run(|| RedbLedger::in_memory().unwrap());
    }
}
