use chartseal_api::{EntryDecoder, EventError};
use chartseal_wire::OrgId;
use reqwest::Response;
use tokio::runtime::Runtime;

use crate::error::{ClientError, unreachable};

/// A history's entries as they come: their indices and canonical bytes. It ends when the node does, or with an error.
#[derive(Debug)]
pub struct AsyncEntries {
    org: OrgId,
    answer: Response,
    decoder: EntryDecoder,
    ended: bool,
}

impl AsyncEntries {
    pub(crate) fn of(org: OrgId, answer: Response) -> Self {
        Self {
            org,
            answer,
            decoder: EntryDecoder::default(),
            ended: false,
        }
    }

    /// The next entry; it waits for it. A call that is dropped before its end loses none.
    pub async fn next(&mut self) -> Option<Result<(u64, Vec<u8>), ClientError>> {
        if self.ended {
            return None;
        }
        let next = self.read().await.transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    async fn read(&mut self) -> Result<Option<(u64, Vec<u8>)>, ClientError> {
        let org = self.org;
        let told = |why: EventError| ClientError::Events { org, why };
        loop {
            if let Some(entry) = self.decoder.entry().map_err(told)? {
                return Ok(Some(entry));
            }
            let some = self.answer.chunk().await;
            let Some(some) = some.map_err(|why| unreachable(org, &why))? else {
                self.decoder.end().map_err(told)?;
                return Ok(None);
            };
            self.decoder.take(&some);
        }
    }
}

/// [`AsyncEntries`] for who waits.
#[derive(Debug)]
pub struct Entries {
    entries: AsyncEntries,
    carrier: &'static Runtime,
}

impl Entries {
    pub(crate) fn of(entries: AsyncEntries, carrier: &'static Runtime) -> Self {
        Self { entries, carrier }
    }
}

impl Iterator for Entries {
    type Item = Result<(u64, Vec<u8>), ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.carrier.block_on(self.entries.next())
    }
}
