mod certificates;
#[cfg(test)]
mod content;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod faulty_disk;
mod histories;
mod migration;
mod places;
mod state;

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use chartseal_codec::{Decode, Encoder, from_bytes, to_bytes};
use chartseal_ledger::store::{
    Commit, Counts, Damage, Imported, Kept, LedgerStore, Refused, TxPlace,
};
use chartseal_ledger::{Block, SignedTransaction, State};
use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Certificate, Hash, Subject, TxId};
use redb::backends::InMemoryBackend;
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageBackend, TableDefinition, WriteTransaction,
};
use thiserror::Error;

use crate::files::sync_folder_of;

/// The version of the tables below. A later program opens it, or says what to do.
const VERSION: u64 = 3;

/// What redb may keep of the file in memory. A block changes pages all over it: with less, a commit
/// reads them from the system and writes them twice.
const CACHE_BYTES: usize = 16 << 20;

/// The version, and from which heights on there are blocks and leaves.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const VERSION_KEY: &str = "version";
const BLOCKS_FROM: &str = "blocks_from";
const LEAVES_FROM: &str = "leaves_from";
/// Height → a header's canonical bytes.
const HEADERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("headers");
/// Height → the canonical bytes of the list of transactions.
const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
/// Height of a pruned block → the leaf hashes of its transactions, one after the other.
const LEAVES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("leaves");
/// A chain in one redb file: one durable commit a block.
#[derive(Debug)]
pub struct RedbLedger {
    db: Database,
    /// What the next commit needs of the file; read when there is none.
    newest: Option<Newest>,
}

/// What a commit reads of the file, and leaves for the next one.
#[derive(Debug)]
struct Newest {
    pending: state::Pending,
    runs: places::Runs,
}

/// Why a chain can't be kept or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerStoreError {
    /// `CS-LST-01`: the database refused: the file is in use, no database, or damaged, or the disk failed.
    #[error("ledger store: {0}{remedy}", remedy = if_damaged(.0))]
    Database(Box<redb::Error>),
    /// `CS-LST-02`: the file is of a version that this program neither reads nor can bring up to its own.
    #[error("ledger store has version {found}; this program reads versions 1 to 3: {}", remedy(*found))]
    Version {
        /// The version that the file names.
        found: u64,
    },
    /// `CS-LST-03`: a database of something else.
    #[error(
        "the file is a database, but not of a ledger; give the node's folder its own ledger.redb"
    )]
    Foreign,
    /// `CS-LST-04`: what is stored can't be read back.
    #[error("ledger store is damaged: {row} of table {table}: {why}")]
    Damaged {
        /// Which table.
        table: &'static str,
        /// Which row.
        row: String,
        /// What the decoder said.
        why: String,
    },
    /// The store keeps no such thing, or not now; with a rule id of its own.
    #[error("ledger store: {0}")]
    Refused(#[source] Refused),
}

impl LedgerStoreError {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Database(_) => "CS-LST-01",
            Self::Version { .. } => "CS-LST-02",
            Self::Foreign => "CS-LST-03",
            Self::Damaged { .. } => "CS-LST-04",
            Self::Refused(refused) => refused.rule(),
        }
    }
}

/// What to do about a damaged file.
fn if_damaged(error: &redb::Error) -> &'static str {
    let is_damaged = match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    };
    if is_damaged {
        "; ledger.redb is damaged: put it back from a backup, or remove it, and the node fetches the chain from the others"
    } else {
        ""
    }
}

/// What to do about a file of another version.
fn remedy(found: u64) -> &'static str {
    if found > VERSION {
        "open it with the newer program that wrote it"
    } else {
        "no release wrote it; start a new folder from another node's snapshot"
    }
}

impl<E: Into<redb::Error>> From<E> for LedgerStoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl RedbLedger {
    /// The chain in a file, made if it is missing. A file of an earlier version is brought up to this
    /// one, in one commit.
    ///
    /// # Errors
    /// [`LedgerStoreError`] if the file is in use, damaged, of another version or of something else, or
    /// can't be written.
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

    /// Keeps a block as [`commit`](LedgerStore::commit) does, with a quorum's certificate of it. Those of the newest
    /// block, of each epoch's last one, and of one among 64 are kept.
    ///
    /// # Errors
    /// [`LedgerStoreError`] as [`commit`](LedgerStore::commit).
    pub fn commit_certified(
        &mut self,
        commit: &Commit<'_>,
        certificate: Option<&Certificate>,
    ) -> Result<(), LedgerStoreError> {
        self.commit_all(&[(*commit, certificate)])
    }

    /// The same of blocks that follow one another, with one durable commit: all of them or none.
    ///
    /// # Errors
    /// [`LedgerStoreError`] as [`commit`](LedgerStore::commit).
    pub fn commit_all(
        &mut self,
        commits: &[(Commit<'_>, Option<&Certificate>)],
    ) -> Result<(), LedgerStoreError> {
        let write = self.begin()?;
        // An early return drops the transaction, which undoes it; and what it read, which may be half changed.
        let mut newest = match self.newest.take() {
            Some(newest) => newest,
            None => Newest {
                pending: state::Pending::of(&write)?,
                runs: places::Runs::of(&write)?,
            },
        };
        let mut is_changed = false;
        for (commit, certificate) in commits {
            is_changed |= add(&write, &mut newest, commit, *certificate)?;
        }
        if is_changed {
            write.commit()?;
        }
        self.newest = Some(newest);
        Ok(())
    }

    /// Keeps a snapshot as [`keep`](LedgerStore::keep) does, with certificates of its newest block and of each epoch's
    /// last one, by their heights.
    ///
    /// # Errors
    /// [`LedgerStoreError`] as [`keep`](LedgerStore::keep).
    pub fn keep_certified(
        &mut self,
        snapshot: &Imported,
        certificates: &[(u64, Certificate)],
    ) -> Result<(), LedgerStoreError> {
        self.newest = None;
        self.write_snapshot(snapshot, certificates)
    }

    /// Gives the disk space of what was pruned back to the file system: pruning alone leaves it to the
    /// blocks to come. Pages are moved to the front and the file is cut, in commits of their own, so a failure
    /// in between loses nothing. Whether anything was moved.
    ///
    /// # Errors
    /// [`LedgerStoreError::Database`].
    pub fn compact(&mut self) -> Result<bool, LedgerStoreError> {
        Ok(self.db.compact()?)
    }

    /// What the file's pages hold, free ones left out: rows, and what redb keeps beside them, in bytes. It waits
    /// for a commit that is under way.
    ///
    /// # Errors
    /// [`LedgerStoreError::Database`].
    pub fn bytes_in_use(&self) -> Result<u64, LedgerStoreError> {
        let stats = self.db.begin_write()?.stats()?;
        let pages = [
            stats.stored_bytes(),
            stats.metadata_bytes(),
            stats.fragmented_bytes(),
        ];
        Ok(pages.iter().sum())
    }

    fn over(backend: impl StorageBackend) -> Result<Self, LedgerStoreError> {
        Self::with(builder().create_with_backend(backend)?)
    }

    fn with(db: Database) -> Result<Self, LedgerStoreError> {
        let ledger = Self { db, newest: None };
        let write = ledger.begin()?;
        let is_new = write.list_tables()?.next().is_none();
        let meta = write.open_table(META)?;
        let found = meta.get(VERSION_KEY)?.map(|version| version.value());
        let is_counted = meta.get(certificates::COUNT)?.is_some();
        drop(meta);
        match found {
            Some(VERSION) if is_counted => return Ok(ledger),
            Some(VERSION) => {}
            Some(1) => {
                migration::from_1(&write)?;
                migration::from_2(&write)?;
            }
            Some(2) => migration::from_2(&write)?,
            Some(found) => return Err(LedgerStoreError::Version { found }),
            None if is_new => {}
            None => return Err(LedgerStoreError::Foreign),
        }
        make_tables(&write)?;
        write.commit()?;
        Ok(ledger)
    }

    /// Every change is one of these: it lasts once its commit returns, and is undone if it is dropped.
    fn begin(&self) -> Result<WriteTransaction, LedgerStoreError> {
        let mut write = self.db.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        Ok(write)
    }

    fn write_snapshot(
        &self,
        snapshot: &Imported,
        certificates: &[(u64, Certificate)],
    ) -> Result<(), LedgerStoreError> {
        let write = self.begin()?;
        certificates::keep_all(&write, certificates)?;
        {
            let mut headers = write.open_table(HEADERS)?;
            let blocks = headers.len()?;
            if blocks > 0 {
                return Err(LedgerStoreError::Refused(Refused::NotEmpty { blocks }));
            }
            let mut next = 0;
            for header in &snapshot.headers {
                headers.insert(next, header.bytes().as_slice())?;
                next += 1;
            }
            let mut meta = write.open_table(META)?;
            meta.insert(BLOCKS_FROM, next)?;
            meta.insert(LEAVES_FROM, next)?;
            let values = snapshot.reloaded.overlay.map().iter();
            let values = values.map(|(key, value)| (*key, value));
            state::put_all(&write, next.saturating_sub(1), values)?;
            let mut table = write.open_table(histories::HISTORY)?;
            let mut total = 0;
            for (subject, entries) in &snapshot.histories {
                let subject = to_bytes(subject);
                let mut first = 0;
                for part in entries.chunks(histories::PART) {
                    let entries = part.iter().map(Vec::as_slice);
                    histories::put(&mut table, &subject, first, entries)?;
                    first += part.len() as u64;
                }
                total += first;
            }
            drop(meta);
            histories::add(&write, snapshot.histories.len() as u64, total)?;
        }
        Ok(write.commit()?)
    }

    fn write_pruned(&self, below: u64) -> Result<u64, LedgerStoreError> {
        let write = self.begin()?;
        let pruned = {
            let Some(newest) = write.open_table(HEADERS)?.len()?.checked_sub(1) else {
                return Ok(0);
            };
            if below > newest {
                return Err(LedgerStoreError::Refused(Refused::Newest { below, newest }));
            }
            let mut meta = write.open_table(META)?;
            let from = number(&meta, BLOCKS_FROM)?;
            if below <= from {
                return Ok(0);
            }
            meta.insert(BLOCKS_FROM, below)?;
            let mut bodies = write.open_table(BODIES)?;
            let mut leaves = write.open_table(LEAVES)?;
            for height in from..below {
                let body = bodies.remove(height)?;
                let body = body.map(|bytes| read_body(height, bytes.value()));
                let mut hashes = Vec::new();
                for transaction in body.transpose()?.unwrap_or_default() {
                    hashes.extend_from_slice(&transaction.leaf().0);
                }
                leaves.insert(height, hashes.as_slice())?;
            }
            places::prune(&write, below)?;
            below - from
        };
        write.commit()?;
        Ok(pruned)
    }
}

impl LedgerStore for RedbLedger {
    type Error = LedgerStoreError;

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), LedgerStoreError> {
        self.commit_certified(commit, None)
    }

    fn keep(&mut self, snapshot: &Imported) -> Result<(), LedgerStoreError> {
        self.newest = None;
        self.write_snapshot(snapshot, &[])
    }

    fn prune(&mut self, below: u64) -> Result<u64, LedgerStoreError> {
        self.newest = None;
        self.write_pruned(below)
    }

    fn kept(&self) -> Result<Kept, LedgerStoreError> {
        kept(&self.db.begin_read()?)
    }

    fn counts(&self) -> Result<Counts, LedgerStoreError> {
        let read = self.db.begin_read()?;
        let meta = read.open_table(META)?;
        Ok(Counts {
            headers: read.open_table(HEADERS)?.len()?,
            blocks: read.open_table(BODIES)?.len()?,
            pruned: read.open_table(LEAVES)?.len()?,
            transactions: places::count(&read)?,
            state: state::count(&read)?,
            histories: number(&meta, histories::HISTORIES)?,
            entries: number(&meta, histories::ENTRIES)?,
        })
    }

    fn head(&self) -> Result<Option<BlockHeader>, LedgerStoreError> {
        let headers = self.db.begin_read()?.open_table(HEADERS)?;
        let last = headers.last()?;
        let read = |bytes: &[u8]| decode("headers", || "the last row".into(), bytes);
        last.map(|(_, bytes)| read(bytes.value())).transpose()
    }

    fn block(&self, height: u64) -> Result<Option<Block>, LedgerStoreError> {
        let read = self.db.begin_read()?;
        let Some(header) = read.open_table(HEADERS)?.get(height)? else {
            return Ok(None);
        };
        let header = decode("headers", || format!("height {height}"), header.value())?;
        let refused = kept(&read)?.check_block(height);
        refused.map_err(LedgerStoreError::Refused)?;
        let Some(body) = read.open_table(BODIES)?.get(height)? else {
            return Ok(None);
        };
        let transactions = read_body(height, body.value())?;
        Ok(Some(Block {
            header,
            transactions,
        }))
    }

    fn leaves(&self, height: u64) -> Result<Option<Vec<Hash>>, LedgerStoreError> {
        let read = self.db.begin_read()?;
        if read.open_table(HEADERS)?.get(height)?.is_none() {
            return Ok(None);
        }
        let refused = kept(&read)?.check_leaves(height);
        refused.map_err(LedgerStoreError::Refused)?;
        if let Some(body) = read.open_table(BODIES)?.get(height)? {
            let body = read_body(height, body.value())?;
            return Ok(Some(body.iter().map(SignedTransaction::leaf).collect()));
        }
        let leaves = read.open_table(LEAVES)?.get(height)?;
        let leaves = leaves.map(|bytes| {
            // A part of a hash at the end gives another root than the header's, as any damage does.
            let hashes = bytes.value().chunks(Hash::LEN);
            let hash = |bytes: &[u8]| bytes.try_into().map_or(Hash::ZERO, Hash);
            hashes.map(hash).collect()
        });
        Ok(leaves)
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, LedgerStoreError> {
        let headers = self.db.begin_read()?.open_table(HEADERS)?;
        Ok(headers.get(height)?.map(|bytes| bytes.value().to_vec()))
    }

    fn state(&self) -> Result<Vec<(MapKey, Vec<u8>)>, LedgerStoreError> {
        Ok(state::read(&self.db.begin_read()?)?.into_iter().collect())
    }

    fn subjects(&self) -> Result<Vec<Subject>, LedgerStoreError> {
        histories::subjects(&self.db.begin_read()?.open_table(histories::HISTORY)?)
    }

    fn history_len(&self, subject: &Subject) -> Result<u64, LedgerStoreError> {
        let table = self.db.begin_read()?.open_table(histories::HISTORY)?;
        histories::len(&table, &to_bytes(subject))
    }

    fn history(
        &self,
        subject: &Subject,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, LedgerStoreError> {
        let table = self.db.begin_read()?.open_table(histories::HISTORY)?;
        histories::read(&table, &to_bytes(subject), from, limit)
    }

    fn transaction(&self, id: &TxId) -> Result<Option<TxPlace>, LedgerStoreError> {
        places::find(&self.db.begin_read()?, id)
    }

    fn damage_beside(&self, state: &State<'_>) -> Result<Vec<Damage>, LedgerStoreError> {
        certificates::damage(&self.db.begin_read()?, state)
    }
}

/// Adds a block with its effect to what is written; `false`: it is the newest one again.
fn add(
    write: &WriteTransaction,
    newest: &mut Newest,
    commit: &Commit<'_>,
    certificate: Option<&Certificate>,
) -> Result<bool, LedgerStoreError> {
    let height = commit.block.header.height;
    {
        let mut headers = write.open_table(HEADERS)?;
        let mut bodies = write.open_table(BODIES)?;
        let expected = headers.len()?;
        let header = commit.block.header.bytes();
        let body = body_row(&commit.block.transactions);
        if height.checked_add(1) == Some(expected) {
            let same_header = headers
                .get(height)?
                .is_some_and(|kept| kept.value() == header);
            let same_body = bodies.get(height)?.is_none_or(|kept| kept.value() == body);
            return if same_header && same_body {
                Ok(false)
            } else {
                Err(LedgerStoreError::Refused(Refused::OtherBlock { height }))
            };
        }
        if height != expected {
            return Err(LedgerStoreError::Refused(Refused::Height {
                expected,
                found: height,
            }));
        }
        headers.insert(height, header.as_slice())?;
        bodies.insert(height, body.as_slice())?;
    }
    histories::write(write, commit.entries)?;
    newest.pending.write(write, height, commit.changes)?;
    newest.runs.write(write, height, commit.ids())?;
    certificates::keep(write, &commit.block.header, certificate)?;
    Ok(true)
}

fn make_tables(write: &WriteTransaction) -> Result<(), LedgerStoreError> {
    write.open_table(HEADERS)?;
    write.open_table(BODIES)?;
    write.open_table(LEAVES)?;
    write.open_table(state::CHANGES)?;
    write.open_table(state::CHUNKS)?;
    write.open_table(state::CURSOR)?;
    write.open_table(histories::HISTORY)?;
    write.open_table(places::PLACES)?;
    certificates::count_once(write)?;
    let mut meta = write.open_table(META)?;
    meta.insert(VERSION_KEY, VERSION)?;
    for key in [BLOCKS_FROM, LEAVES_FROM] {
        // Version 1 had neither.
        let from = number(&meta, key)?;
        meta.insert(key, from)?;
    }
    Ok(())
}

fn kept(read: &ReadTransaction) -> Result<Kept, LedgerStoreError> {
    let meta = read.open_table(META)?;
    Ok(Kept {
        blocks_from: number(&meta, BLOCKS_FROM)?,
        leaves_from: number(&meta, LEAVES_FROM)?,
    })
}

fn number(
    meta: &impl ReadableTable<&'static str, u64>,
    key: &str,
) -> Result<u64, LedgerStoreError> {
    Ok(meta.get(key)?.map_or(0, |number| number.value()))
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
    sync_folder_of(file).map_err(redb::Error::Io)?;
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

/// A block's transactions as a row: 80 bytes are more than what stands beside each one's own.
fn body_row(transactions: &[SignedTransaction]) -> Vec<u8> {
    let sizes = transactions.iter().map(|it| it.bytes.len() + 80);
    let mut row = Encoder::with_capacity(16 + sizes.sum::<usize>());
    row.item(transactions);
    row.finish()
}

fn read_body(height: u64, bytes: &[u8]) -> Result<Vec<SignedTransaction>, LedgerStoreError> {
    decode("bodies", || format!("height {height}"), bytes)
}

fn decode<T: Decode>(
    table: &'static str,
    row: impl FnOnce() -> String,
    bytes: &[u8],
) -> Result<T, LedgerStoreError> {
    from_bytes(bytes).map_err(|why| damaged(table, row(), why))
}

fn damaged(table: &'static str, row: String, why: impl Display) -> LedgerStoreError {
    let why = why.to_string();
    LedgerStoreError::Damaged { table, row, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract_of_ledger_stores() {
        chartseal_ledger::store::conformance::run(|| RedbLedger::in_memory().unwrap());
    }
}
