//! What brings the file of an earlier version up to the present one, inside the one commit that then
//! names the new version: until it is whole, the file is the old one.

use chartseal_codec::to_bytes;
use chartseal_ledger::Block;
use chartseal_ledger::store::TxPlace;
use chartseal_merkle::MapKey;
use chartseal_wire::TxId;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::{
    BLOCKS_FROM, BODIES, HEADERS, LedgerStoreError, META, decode, histories, number, places, state,
};

/// Version 1: height → a block's canonical bytes, header and transactions in one.
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");

/// Version 2: key of the state map → value.
const STATE: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("state");
/// Version 2: a history's subject and an entry's index → the entry.
const HISTORY: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("history");
/// Version 2: a history's subject → its number of entries.
const LENGTHS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("lengths");
/// Version 2: transaction → height and index.
const TRANSACTIONS: TableDefinition<'_, &[u8; 32], (u64, u32)> =
    TableDefinition::new("transactions");

/// Version 2 keeps headers apart, so that transactions can go.
pub(super) fn from_1(write: &WriteTransaction) -> Result<(), LedgerStoreError> {
    {
        let blocks = write.open_table(BLOCKS)?;
        let mut headers = write.open_table(HEADERS)?;
        let mut bodies = write.open_table(BODIES)?;
        for row in blocks.iter()? {
            let (height, bytes) = row?;
            let height = height.value();
            let block: Block = decode("blocks", || format!("height {height}"), bytes.value())?;
            headers.insert(height, block.header.bytes().as_slice())?;
            bodies.insert(height, to_bytes(&block.transactions).as_slice())?;
        }
    }
    write.delete_table(BLOCKS)?;
    Ok(())
}

/// Version 3 keeps neighbouring values of the state together, and places of neighbouring blocks' transactions.
pub(super) fn from_2(write: &WriteTransaction) -> Result<(), LedgerStoreError> {
    let blocks = write.open_table(HEADERS)?.len()?;
    let from = number(&write.open_table(META)?, BLOCKS_FROM)?;
    {
        let values = write.open_table(STATE)?;
        let mut all = Vec::new();
        for row in values.iter()? {
            let (key, value) = row?;
            all.push((MapKey(*key.value()), value.value().to_vec()));
        }
        if let Some(head) = blocks.checked_sub(1) {
            state::put_all(
                write,
                head,
                all.iter().map(|(key, value)| (*key, value.as_slice())),
            )?;
        }
        let transactions = write.open_table(TRANSACTIONS)?;
        let rows = transactions.iter()?.map(|row| {
            let (id, place) = row?;
            let (height, index) = place.value();
            Ok((TxId(*id.value()), TxPlace { height, index }))
        });
        places::put_all(write, from, rows)?;
    }
    histories_of_2(write)?;
    write.delete_table(STATE)?;
    write.delete_table(TRANSACTIONS)?;
    Ok(())
}

fn histories_of_2(write: &WriteTransaction) -> Result<(), LedgerStoreError> {
    {
        let old = write.open_table(HISTORY)?;
        let mut new = write.open_table(histories::HISTORY)?;
        let mut part: Vec<(Vec<u8>, u64, Vec<u8>)> = Vec::new();
        let mut put = |part: &mut Vec<(Vec<u8>, u64, Vec<u8>)>| {
            let Some((subject, first, _)) = part.first() else {
                return Ok(());
            };
            let entries = part.iter().map(|(_, _, entry)| entry.as_slice());
            histories::put(&mut new, subject, *first, entries)?;
            part.clear();
            Ok::<(), LedgerStoreError>(())
        };
        for row in old.iter()? {
            let (key, entry) = row?;
            let (subject, index) = key.value();
            let is_same = part.first().is_some_and(|(of, ..)| of == subject);
            if !is_same || part.len() == histories::PART {
                put(&mut part)?;
            }
            part.push((subject.to_vec(), index, entry.value().to_vec()));
        }
        put(&mut part)?;
    }
    let histories = write.open_table(LENGTHS)?.len()?;
    let entries = write.open_table(HISTORY)?.len()?;
    histories::add(write, histories, entries)?;
    write.delete_table(HISTORY)?;
    write.delete_table(LENGTHS)?;
    Ok(())
}
