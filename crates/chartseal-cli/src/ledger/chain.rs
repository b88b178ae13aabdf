//! Opening a ledger.

use std::path::{Path, PathBuf};

use chartseal_ledger::store::{LedgerStore, ReloadError, Reloaded, reload};
use chartseal_ledger::{Block, Overlay, SignedTransaction, Transaction};
use chartseal_node::{LedgerStoreError, RedbLedger};
use chartseal_wire::{BlockHeader, Entry, Subject};

use crate::failure::Failure;

/// The chain's file in a node's directory.
pub const FILE: &str = "ledger.redb";

/// A ledger whose headers and state were found to agree with their roots.
pub struct Chain {
    pub dir: PathBuf,
    pub store: RedbLedger,
    pub loaded: Reloaded,
}

impl Chain {
    /// Reads a ledger back. Damage of headers and state is named, so that nothing is shown that the
    /// newest header doesn't vouch for.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let store = open(dir)?;
        let loaded = reload(&store).map_err(|error| Failure::bad(dir, unusable(&error)))?;
        Ok(Self {
            dir: dir.into(),
            store,
            loaded,
        })
    }

    /// The state after the newest block.
    pub fn head(&self) -> &Overlay {
        &self.loaded.overlay
    }

    /// The header of a block.
    pub fn header(&self, height: u64) -> Result<BlockHeader, Failure> {
        let newest = self.head().height();
        if height > newest {
            let why = format!("no block of height {height}; the newest has {newest}");
            return Err(Failure::bad(&self.dir, why));
        }
        let header = self.store.header(height);
        let header = header.map_err(|error| self.bad(&error))?;
        let header = header.and_then(|bytes| chartseal_codec::from_bytes(&bytes).ok());
        header.ok_or_else(|| {
            let why = format!("damaged: header {height} is missing; {RESTORE}");
            Failure::bad(&self.dir, why)
        })
    }

    /// A block whose transactions are kept.
    pub fn block(&self, height: u64) -> Result<Block, Failure> {
        let block = self.store.block(height).map_err(|error| self.bad(&error))?;
        block.ok_or_else(|| {
            let why = format!("damaged: block {height} is missing; {RESTORE}");
            Failure::bad(&self.dir, why)
        })
    }

    /// A stored transaction as what it says.
    pub fn parse(&self, signed: &SignedTransaction) -> Result<Transaction, Failure> {
        signed.parse().map_err(|why| {
            let why = format!("damaged: transaction {}: {why}; {RESTORE}", signed.id());
            Failure::bad(&self.dir, why)
        })
    }

    /// Entries of a history.
    pub fn entries(
        &self,
        subject: &Subject,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, Failure> {
        let entries = self.store.history(subject, from, limit);
        let entries = entries.map_err(|error| self.bad(&error))?;
        let decode = |(index, bytes): (u64, Vec<u8>)| {
            chartseal_codec::from_bytes(&bytes).map_err(|why| {
                let whose = super::words::subject(subject);
                let why = format!("damaged: entry {index} of {whose}: {why}; {RESTORE}");
                Failure::bad(&self.dir, why)
            })
        };
        (from..).zip(entries).map(decode).collect()
    }

    /// How many entries a history has.
    pub fn history_len(&self, subject: &Subject) -> u64 {
        self.head().state().frontier(subject).size()
    }

    /// The first entry of a history from the block of `height` or a later one on.
    pub fn first_entry_from(&self, subject: &Subject, height: u64) -> Result<u64, Failure> {
        // Heights never fall from one entry to the next.
        let (mut low, mut high) = (0, self.history_len(subject));
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.entries(subject, middle, 1)?;
            if entry.first().is_some_and(|entry| entry.height < height) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// An error of the store.
    pub fn bad(&self, error: &LedgerStoreError) -> Failure {
        Failure::bad(&self.dir, unopened(error))
    }
}

/// What to do with a damaged ledger.
pub const RESTORE: &str = "restore the directory from a copy, or start anew from a snapshot";

/// The store in a node's directory, which must be there.
pub fn open(dir: &Path) -> Result<RedbLedger, Failure> {
    let bad = |why: &str| Err(Failure::bad(dir, why));
    if !dir.exists() {
        return bad("no such directory; name a node's, such as DIR/nodes/1 of a demo");
    }
    if !dir.is_dir() {
        return bad("a file; a node's directory is needed, with ledger.redb in it");
    }
    let file = dir.join(FILE);
    if !file.is_file() {
        return bad(if dir.join("nodes").is_dir() {
            "a demo's directory; name one of its nodes, such as DIR/nodes/1"
        } else {
            "no ledger in it; a node's directory is needed, with ledger.redb in it"
        });
    }
    RedbLedger::open(&file).map_err(|error| Failure::bad(dir, unopened(&error)))
}

/// Why a file could not be opened or read, and what to do.
pub fn unopened(error: &LedgerStoreError) -> String {
    let LedgerStoreError::Database(database) = error else {
        return match error {
            LedgerStoreError::Damaged { .. } => format!("{error}; {RESTORE}"),
            _ => error.to_string(),
        };
    };
    match &**database {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            "in use: a node or another command has it open; stop that, or wait".into()
        }
        redb::Error::UpgradeRequired(_) => {
            "written in an older format of the database; use the program that wrote it".into()
        }
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            "ledger.redb is no ledger, or its beginning is damaged; restore it from a copy".into()
        }
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "no permission to read and write ledger.redb".into()
        }
        redb::Error::Io(error) => format!("cannot read ledger.redb: {error}"),
        error => format!("damaged: ledger.redb: {error}; {RESTORE}"),
    }
}

pub fn unusable(error: &ReloadError<LedgerStoreError>) -> String {
    match error {
        ReloadError::Empty => "the ledger has no blocks; start a node on it first".into(),
        ReloadError::Store(error) => unopened(error),
        ReloadError::Damaged(damage) => format!("damaged: {damage}; {RESTORE}"),
        other => other.to_string(),
    }
}
