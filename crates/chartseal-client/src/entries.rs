use std::io::BufReader;

use chartseal_api::{EntryEvents, EventError};
use chartseal_wire::OrgId;
use reqwest::blocking::Response;

use crate::remote::ClientError;

/// A history's entries as they come: their indices and canonical bytes. It ends when the node does, or with an error.
#[derive(Debug)]
pub struct Entries {
    org: OrgId,
    events: EntryEvents<BufReader<Response>>,
}

impl Entries {
    pub(crate) fn of(org: OrgId, answer: Response) -> Self {
        let events = EntryEvents::new(BufReader::new(answer));
        Self { org, events }
    }
}

impl Iterator for Entries {
    type Item = Result<(u64, Vec<u8>), ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        let org = self.org;
        Some(self.events.next()?.map_err(|why| match why {
            EventError::Stream(why) => ClientError::Unreachable {
                org,
                why: why.to_string(),
            },
            why => ClientError::Events { org, why },
        }))
    }
}
