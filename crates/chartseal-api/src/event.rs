use std::io::{self, BufRead, Read as _};

use chartseal_codec::from_hex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most bytes of a line: an entry in hex.
const MAX_LINE: u64 = 1 << 20;

/// A final block, as `GET /v1/events` tells of it: a hint to ask for it, no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEvent {
    /// Its height.
    pub height: u64,
    /// Its header's leaf hash, in hex.
    pub header: String,
    /// Its time, in ms since 1970.
    pub time_ms: u64,
    /// How many transactions it has.
    pub transactions: u64,
}

/// Reads the server-sent events `entry` of `POST /v1/histories/events`: indices and canonical bytes of entries. Other
/// events, and comments, are passed over. It ends with the stream, or with an error.
///
/// ```
/// let text = "event: entry\nid: 7\ndata: 0a0b\n\n: nothing new\n\n";
/// let mut entries = chartseal_api::EntryEvents::new(text.as_bytes());
/// assert_eq!(entries.next().unwrap().unwrap(), (7, vec![0x0a, 0x0b]));
/// assert!(entries.next().is_none());
/// ```
#[derive(Debug)]
pub struct EntryEvents<R> {
    lines: R,
    index: Option<u64>,
    ended: bool,
}

/// Why no more events can be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EventError {
    /// The stream broke off.
    #[error(transparent)]
    Stream(#[from] io::Error),
    /// A line is no UTF-8.
    #[error("a line is not UTF-8")]
    NotText,
    /// A line is too long, or the stream ends within it.
    #[error("a line is longer than {MAX_LINE} bytes, or has no end")]
    Line,
    /// An entry has no index, or is not in hex.
    #[error("an entry has no `id` before it, or is not lower-case hex")]
    Entry,
}

impl<R: BufRead> EntryEvents<R> {
    /// The events of a body.
    pub fn new(lines: R) -> Self {
        Self {
            lines,
            index: None,
            ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<(u64, Vec<u8>)>, EventError> {
        loop {
            let mut line = Vec::new();
            let mut lines = (&mut self.lines).take(MAX_LINE);
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            let line = std::str::from_utf8(&line).map_err(|_| EventError::NotText)?;
            let line = line.strip_suffix('\n').ok_or(EventError::Line)?;
            // An empty line ends an event, a comment begins with the colon.
            let Some((field, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.index = value.parse().ok(),
                "data" => {
                    let index = self.index.take().ok_or(EventError::Entry)?;
                    let entry = from_hex(value).map_err(|_| EventError::Entry)?;
                    return Ok(Some((index, entry)));
                }
                _ => {}
            }
        }
    }
}

impl<R: BufRead> Iterator for EntryEvents<R> {
    type Item = Result<(u64, Vec<u8>), EventError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Result<(u64, Vec<u8>), EventError>> {
        EntryEvents::new(text).collect()
    }

    #[test]
    fn bad_lines_end_the_stream_with_their_error() {
        let good: &[u8] = b"id: 1\ndata: ff\n\n";
        for (bad, is_it) in [
            (&b"data: ff\n"[..], "no `id`"),
            (b"id: 2\ndata: FF\n", "not lower-case"),
            (b"id: x\ndata: ff\n", "no `id`"),
            (b"id: 2\ndata: ff", "no end"),
            (b"\xff\n", "UTF-8"),
        ] {
            // Nothing is read after it.
            let after: &[u8] = if bad.ends_with(b"\n") { good } else { b"" };
            let read = read(&[good, bad, after].concat());
            let [Ok(first), Err(error)] = &read[..] else {
                panic!("{read:?}");
            };
            assert_eq!(first, &(1, vec![0xff]));
            assert!(error.to_string().contains(is_it), "{error}");
        }
        let long = vec![b'a'; 2 << 20];
        assert!(matches!(read(&long)[..], [Err(EventError::Line)]));
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let text = b": hello\n\nevent: other\nretry: 5\nid\nid:3\ndata:\n\n";
        let read = read(text);
        assert!(matches!(&read[..], [Ok((3, entry))] if entry.is_empty()));
    }
}
