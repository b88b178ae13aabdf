//! A snapshot as a file: one line that says what it is, chunks with their lengths before them (four
//! bytes, big-endian), and a length of 0. So a file that was cut off, wherever, is not taken for whole.

use std::io::{self, Read, Write};

use chartseal_ledger::store::MAX_CHUNK_BYTES;
use thiserror::Error;

/// The first line.
const MAGIC: &[u8] = b"chartseal snapshot 1\n";

/// Why a file is no snapshot.
#[derive(Debug, Error)]
pub enum SnapshotFileError {
    /// The system refused.
    #[error("cannot read it: {0}")]
    Io(io::Error),
    /// It begins otherwise.
    #[error("no snapshot of a ledger, as `chartseal ledger snapshot export` writes it")]
    Magic,
    /// It ends too early.
    #[error("cut off after chunk {0}; fetch it again")]
    CutOff(u64),
    /// A length that no chunk has.
    #[error("chunk {0} has {1} bytes, more than 8 MiB")]
    TooLarge(u64, u32),
    /// It goes on after its end.
    #[error("bytes after the end; fetch it again")]
    Trailing,
}

/// Writes chunks.
pub struct Writer<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let bytes = MAGIC.len() as u64;
        Ok(Self { out, bytes })
    }

    pub fn chunk(&mut self, chunk: &[u8]) -> io::Result<()> {
        let len = u32::try_from(chunk.len()).map_err(io::Error::other)?;
        self.out.write_all(&len.to_be_bytes())?;
        self.out.write_all(chunk)?;
        self.bytes += 4 + chunk.len() as u64;
        Ok(())
    }

    /// Ends the file; gives it, and its length in bytes.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.out.write_all(&[0; 4])?;
        self.out.flush()?;
        Ok((self.out, self.bytes + 4))
    }
}

/// Reads chunks, one at a time.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    read: u64,
}

impl<R: Read> Reader<R> {
    /// Begins to read a file.
    pub fn new(mut from: R) -> Result<Self, SnapshotFileError> {
        let mut magic = [0; MAGIC.len()];
        let len = fill(&mut from, &mut magic)?;
        if len < magic.len() || magic != MAGIC {
            return Err(SnapshotFileError::Magic);
        }
        Ok(Self { from, read: 0 })
    }

    /// The next chunk; `None` at the file's proper end.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, SnapshotFileError> {
        let mut len = [0; 4];
        if fill(&mut self.from, &mut len)? < len.len() {
            return Err(SnapshotFileError::CutOff(self.read));
        }
        let len = u32::from_be_bytes(len);
        if len == 0 {
            let more = fill(&mut self.from, &mut [0])?;
            return if more == 0 {
                Ok(None)
            } else {
                Err(SnapshotFileError::Trailing)
            };
        }
        if len as usize > MAX_CHUNK_BYTES {
            return Err(SnapshotFileError::TooLarge(self.read, len));
        }
        let mut chunk = Vec::new();
        let got = (&mut self.from)
            .take(u64::from(len))
            .read_to_end(&mut chunk)
            .map_err(SnapshotFileError::Io)?;
        if got < len as usize {
            return Err(SnapshotFileError::CutOff(self.read));
        }
        self.read += 1;
        Ok(Some(chunk))
    }
}

/// Reads until `to` is full or the file is at its end.
fn fill(from: &mut impl Read, to: &mut [u8]) -> Result<usize, SnapshotFileError> {
    let mut got = 0;
    while let Some(room) = to.get_mut(got..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(len) => got += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SnapshotFileError::Io(error)),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<Vec<Vec<u8>>, SnapshotFileError> {
        let mut reader = Reader::new(file)?;
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next()? {
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    fn file() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.chunk(b"one").unwrap();
        writer.chunk(b"three").unwrap();
        let (file, len) = writer.finish().unwrap();
        assert_eq!(len, file.len() as u64);
        file
    }

    #[test]
    fn chunks_come_back() {
        let chunks = read(&file()).unwrap();
        assert_eq!(chunks, [b"one".to_vec(), b"three".to_vec()]);
    }

    #[test]
    fn a_file_that_is_cut_off_or_goes_on_is_refused() {
        let file = file();
        for len in 0..file.len() {
            let cut = file.get(..len).unwrap();
            assert!(read(cut).is_err(), "the first {len} bytes");
        }
        let longer = [&file[..], b"x"].concat();
        assert!(matches!(read(&longer), Err(SnapshotFileError::Trailing)));
    }

    #[test]
    fn a_length_is_judged_before_it_is_read() {
        let file = [MAGIC, &[0xff; 4], b"x"].concat();
        assert!(matches!(
            read(&file),
            Err(SnapshotFileError::TooLarge(0, u32::MAX))
        ));
    }
}
