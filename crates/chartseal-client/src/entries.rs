use std::io::{BufRead as _, BufReader, Read as _};

use chartseal_codec::from_hex;
use chartseal_wire::OrgId;
use reqwest::blocking::Response;

use crate::remote::ClientError;

/// The most bytes of a line: an entry in hex.
const MAX_LINE: u64 = 1 << 20;

/// A history's entries as they come: their indices and canonical bytes. It ends when the node does, or with an error.
#[derive(Debug)]
pub struct Entries {
    org: OrgId,
    lines: BufReader<Response>,
    index: Option<u64>,
    ended: bool,
}

impl Entries {
    pub(crate) fn of(org: OrgId, answer: Response) -> Self {
        Self {
            org,
            lines: BufReader::new(answer),
            index: None,
            ended: false,
        }
    }

    /// The next entry that the stream holds, or its end.
    fn read(&mut self) -> Result<Option<(u64, Vec<u8>)>, ClientError> {
        let org = self.org;
        loop {
            let mut line = Vec::new();
            let read = (&mut self.lines)
                .take(MAX_LINE)
                .read_until(b'\n', &mut line);
            let read = read.map_err(|why| ClientError::Unreachable {
                org,
                why: why.to_string(),
            })?;
            if read == 0 {
                return Ok(None);
            }
            let line = std::str::from_utf8(&line).map_err(|_| ClientError::NoText { org })?;
            let line = line
                .strip_suffix('\n')
                .ok_or(ClientError::TooLong { org })?;
            // Comments keep the connection alive; `event` says `entry`; an empty line ends an event.
            let Some((field, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.index = value.parse().ok(),
                "data" => {
                    let index = self.index.take().ok_or(ClientError::NoText { org })?;
                    let entry = from_hex(value).map_err(|_| ClientError::NoText { org })?;
                    return Ok(Some((index, entry)));
                }
                _ => {}
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<(u64, Vec<u8>), ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
