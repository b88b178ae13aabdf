//! A quorum's certificates of blocks: of the newest one, of each epoch's last one, and of one among 64.

use chartseal_codec::from_bytes;
use chartseal_consensus::verified_certificate;
use chartseal_ledger::State;
use chartseal_ledger::store::{Damage, MAX_DAMAGE, Table};
use chartseal_wire::{BlockHeader, Certificate};
use redb::{
    ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction,
};

use super::{HEADERS, LedgerStoreError, META, RedbLedger, damaged, number};

/// Among so many heights one certificate is kept, if there is any.
const EVERY: u64 = 64;

/// Height → a quorum's certificate that the block is final.
pub(super) const CERTIFICATES: TableDefinition<'_, u64, &[u8]> =
    TableDefinition::new("certificates");

/// How many certificates there are, so that it is noticed if one is gone: not every block has one.
pub(super) const COUNT: &str = "certificates";

impl RedbLedger {
    /// All certificates that are kept, with their heights, in order.
    ///
    /// # Errors
    /// [`LedgerStoreError`], also if one can't be read back.
    pub fn certificates(&self) -> Result<Vec<(u64, Certificate)>, LedgerStoreError> {
        let table = self.db.begin_read()?.open_table(CERTIFICATES)?;
        let mut certificates = Vec::new();
        for row in table.iter()? {
            let (height, bytes) = row?;
            certificates.push((height.value(), read(height.value(), bytes.value())?));
        }
        Ok(certificates)
    }

    /// The certificate of the block at a height, if one is kept.
    ///
    /// # Errors
    /// [`LedgerStoreError`], also if it can't be read back.
    pub fn certificate(&self, height: u64) -> Result<Option<Certificate>, LedgerStoreError> {
        let table = self.db.begin_read()?.open_table(CERTIFICATES)?;
        let bytes = table.get(height)?;
        bytes.map(|bytes| read(height, bytes.value())).transpose()
    }
}

fn read(height: u64, bytes: &[u8]) -> Result<Certificate, LedgerStoreError> {
    Certificate::parse(bytes).map_err(|why| {
        let why = format!("expected {why}");
        damaged("certificates", format!("height {height}"), why)
    })
}

/// Keeps the newest block's certificate, and lets the one before go, unless that ended an epoch, or is the first of its
/// 64 heights: clients that follow the chain need one now and then.
pub(super) fn keep(
    write: &WriteTransaction,
    header: &BlockHeader,
    certificate: Option<&Certificate>,
) -> Result<(), LedgerStoreError> {
    let mut certificates = write.open_table(CERTIFICATES)?;
    let (mut gone, mut more) = (0, 0);
    if let Some(before) = header.height.checked_sub(1) {
        let headers = write.open_table(HEADERS)?;
        let bytes = headers.get(before)?;
        let bytes = bytes.as_ref().map_or(&[][..], |bytes| bytes.value());
        let last: Option<BlockHeader> = from_bytes(bytes).ok();
        let is_in_office = last.is_none_or(|last| last.epoch == header.epoch);
        let others = before - before % EVERY..before;
        if is_in_office && certificates.range(others)?.next().is_some() {
            gone = u64::from(certificates.remove(before)?.is_some());
        }
    }
    if let Some(certificate) = certificate {
        let replaced = certificates.insert(header.height, certificate.bytes().as_slice())?;
        more = u64::from(replaced.is_none());
    }
    // Not what the table counts by itself: that would hide a row that was lost.
    if gone != more {
        let mut meta = write.open_table(META)?;
        let count = number(&meta, COUNT)?;
        meta.insert(COUNT, count.saturating_add(more).saturating_sub(gone))?;
    }
    Ok(())
}

/// Keeps those of a snapshot, in a store that has none.
pub(super) fn keep_all(
    write: &WriteTransaction,
    all: &[(u64, Certificate)],
) -> Result<(), LedgerStoreError> {
    let mut certificates = write.open_table(CERTIFICATES)?;
    for (height, certificate) in all {
        certificates.insert(*height, certificate.bytes().as_slice())?;
    }
    let count = certificates.len()?;
    write.open_table(META)?.insert(COUNT, count)?;
    Ok(())
}

/// Makes the table, and counts what it has if nobody did: programs before kept no count, or no certificates at all.
pub(super) fn count_once(write: &WriteTransaction) -> Result<(), LedgerStoreError> {
    let found = write.open_table(CERTIFICATES)?.len()?;
    let mut meta = write.open_table(META)?;
    let count = meta.get(COUNT)?.map(|count| count.value());
    meta.insert(COUNT, count.unwrap_or(found))?;
    Ok(())
}

/// What is no certificate of its block by the committee of the block's epoch, and whether one is gone.
pub(super) fn damage(
    read: &ReadTransaction,
    state: &State<'_>,
) -> Result<Vec<Damage>, LedgerStoreError> {
    let certificates = read.open_table(CERTIFICATES)?;
    let headers = read.open_table(HEADERS)?;
    let mut damage = Vec::new();
    let (expected, found) = (number(&read.open_table(META)?, COUNT)?, certificates.len()?);
    if expected != found {
        damage.push(Damage::Count {
            table: Table::Certificates,
            expected,
            found,
        });
    }
    for row in certificates.iter()? {
        let (height, bytes) = row?;
        let height = height.value();
        let header = headers.get(height)?;
        let header = header.and_then(|bytes| from_bytes::<BlockHeader>(bytes.value()).ok());
        let why = match header {
            Some(header) => wrong(bytes.value(), &header, state),
            None => Some("there is no such block".into()),
        };
        if let Some(why) = why {
            damage.push(Damage::Certificate { height, why });
        }
        if damage.len() >= MAX_DAMAGE {
            break;
        }
    }
    Ok(damage)
}

/// Why these bytes are no certificate of a block.
fn wrong(bytes: &[u8], header: &BlockHeader, state: &State<'_>) -> Option<String> {
    let Some(committee) = state.committee_of(header.epoch) else {
        return Some(format!(
            "the state has no committee of epoch {}",
            header.epoch
        ));
    };
    match verified_certificate(bytes, &header.chain, &committee) {
        Ok(certificate) if certificate.block == header.leaf() => None,
        Ok(_) => Some("it is of another block".into()),
        Err(why) => Some(why.to_string()),
    }
}
