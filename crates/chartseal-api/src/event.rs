use std::io::{self, BufRead};

use chartseal_codec::from_hex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most bytes of a line: an entry in hex.
const MAX_LINE: usize = 1 << 20;

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
    from: R,
    decoder: EntryDecoder,
    ended: bool,
}

/// The same for whoever reads by other means: it is given bytes as they come, and gives entries.
///
/// ```
/// let mut decoder = chartseal_api::EntryDecoder::default();
/// decoder.take(b"id: 7\nda");
/// assert_eq!(decoder.entry().unwrap(), None);
/// decoder.take(b"ta: 0a0b\n");
/// assert_eq!(decoder.entry().unwrap(), Some((7, vec![0x0a, 0x0b])));
/// decoder.end().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct EntryDecoder {
    /// What came and was not read yet: the rest of a line, and whole ones.
    bytes: Vec<u8>,
    /// Where the first line begins that was not read.
    next: usize,
    /// How much from there on is known to have no line's end.
    searched: usize,
    index: Option<u64>,
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

impl EntryDecoder {
    /// Takes what came next. Whoever gives more asks for the entries first, or this holds all of it.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.next);
        self.next = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next entry of what came, its index and canonical bytes; `None`: more has to come.
    ///
    /// # Errors
    /// [`EventError`]; nothing that comes after it means anything.
    pub fn entry(&mut self) -> Result<Option<(u64, Vec<u8>)>, EventError> {
        loop {
            let rest = self.bytes.get(self.next..).unwrap_or_default();
            let end = rest.iter().skip(self.searched).position(|b| *b == b'\n');
            let length = end.map_or(rest.len(), |end| self.searched + end);
            if length >= MAX_LINE {
                return Err(EventError::Line);
            }
            if end.is_none() {
                self.searched = length;
                return Ok(None);
            }
            self.searched = 0;
            self.next += length + 1;
            let found = line(&mut self.index, rest.get(..length).unwrap_or_default())?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// That nothing more comes.
    ///
    /// # Errors
    /// [`EventError::Line`] if it is within a line.
    pub fn end(&self) -> Result<(), EventError> {
        if self.next < self.bytes.len() {
            return Err(EventError::Line);
        }
        Ok(())
    }
}

/// What a line says, without its end: an entry, if it is one's last.
fn line(index: &mut Option<u64>, line: &[u8]) -> Result<Option<(u64, Vec<u8>)>, EventError> {
    let line = std::str::from_utf8(line).map_err(|_| EventError::NotText)?;
    // An empty line ends an event, a comment begins with the colon.
    let Some((field, value)) = line.split_once(':') else {
        return Ok(None);
    };
    let value = value.strip_prefix(' ').unwrap_or(value);
    match field {
        "id" => *index = value.parse().ok(),
        "data" => {
            let index = index.take().ok_or(EventError::Entry)?;
            let entry = from_hex(value).map_err(|_| EventError::Entry)?;
            return Ok(Some((index, entry)));
        }
        _ => {}
    }
    Ok(None)
}

impl<R: BufRead> EntryEvents<R> {
    /// The events of a body.
    pub fn new(from: R) -> Self {
        Self {
            from,
            decoder: EntryDecoder::default(),
            ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<(u64, Vec<u8>)>, EventError> {
        loop {
            if let Some(entry) = self.decoder.entry()? {
                return Ok(Some(entry));
            }
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() {
                self.decoder.end()?;
                return Ok(None);
            }
            let taken = bytes.len();
            self.decoder.take(bytes);
            self.from.consume(taken);
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
        for (longer, fits) in [(0, true), (1, false)] {
            let line = [vec![b'a'; MAX_LINE - 1 + longer], b"\n".to_vec()].concat();
            assert_eq!(read(&line).is_empty(), fits);
            // Nobody waits for the end of one that is too long already.
            let mut decoder = EntryDecoder::default();
            decoder.take(line.strip_suffix(b"\n").unwrap());
            assert_eq!(decoder.entry().is_ok(), fits);
        }
    }

    #[test]
    fn however_it_is_cut_the_same_is_read() {
        let text = b": hello\nid: 7\ndata: 0a0b\n\nid: 8\ndata:\nid: 9\ndata:ff\n";
        let whole: Vec<_> = read(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(whole.len(), 3);
        for at in 1..text.len() {
            let mut decoder = EntryDecoder::default();
            let mut entries = Vec::new();
            for part in text.chunks(at) {
                decoder.take(part);
                while let Some(entry) = decoder.entry().unwrap() {
                    entries.push(entry);
                }
            }
            decoder.end().unwrap();
            assert_eq!(entries, whole);
        }
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let text = b": hello\n\nevent: other\nretry: 5\nid\nid:3\ndata:\n\n";
        let read = read(text);
        assert!(matches!(&read[..], [Ok((3, entry))] if entry.is_empty()));
    }
}
