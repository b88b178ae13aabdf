use chartseal_client::Entries;
use chartseal_codec::from_bytes;
use chartseal_wire::Entry;

use crate::error::Error;

/// A history's entries as a node tells of them, each within a moment of being final; it waits for the next one. A node
/// may lie, or leave one out: an export shows it.
#[derive(Debug)]
pub struct Watch(Entries);

impl Watch {
    pub(crate) fn of(entries: Entries) -> Self {
        Self(entries)
    }
}

impl Iterator for Watch {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next()?.map_err(Error::from);
        Some(next.and_then(|(_, bytes)| {
            from_bytes(&bytes).map_err(|_| Error::Malformed("an entry of the history"))
        }))
    }
}
