//! What brings the file of an earlier version up to the present one, inside the one commit that then
//! names the new version: until it is whole, the file is the old one.

use chartseal_codec::to_bytes;
use chartseal_ledger::Block;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::{BODIES, HEADERS, LedgerStoreError, decode};

/// Version 1: height → a block's canonical bytes, header and transactions in one.
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");

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
