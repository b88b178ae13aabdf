//! Padding a stream of content, and taking the padding away again.

use crate::ContentKey;
use crate::batch::Batch;
use crate::body::{BodyError, ContentError, Prefix, TAIL_LEN, padded_len, zeros};
use crate::cobblestone::MAX_LEN;
use crate::header::Header;
use crate::opened::OpenedInfo;
use crate::record::OpenError;

/// Counts content, and says what follows it.
pub(crate) struct Padder {
    prefix: u64,
    announced: Option<u64>,
    given: u64,
}

impl Padder {
    /// For a prefix of so many bytes, and content of so many if that is known.
    pub(crate) fn new(prefix: u64, announced: Option<u64>) -> Result<Self, ContentError> {
        let padder = Self {
            prefix,
            announced,
            given: 0,
        };
        padder.check(announced.unwrap_or_default())?;
        Ok(padder)
    }

    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// Counts `more` bytes of content.
    pub(crate) fn count(&mut self, more: usize) -> Result<(), ContentError> {
        let given = self.given.saturating_add(more as u64);
        if let Some(announced) = self.announced.filter(|announced| given > *announced) {
            return Err(ContentError::Length { announced, given });
        }
        self.check(given)?;
        self.given = given;
        Ok(())
    }

    /// What follows the content.
    pub(crate) fn padding(&self) -> Result<Padding, ContentError> {
        let given = self.given;
        let (len, tail) = match self.announced {
            Some(announced) if announced != given => {
                return Err(ContentError::Length { announced, given });
            }
            Some(_) => (self.prefix + given, None),
            None => (self.prefix + given + TAIL_LEN, Some(given.to_be_bytes())),
        };
        Ok(Padding {
            zeros: padded_len(len) - len,
            tail,
            tail_given: 0,
        })
    }

    fn check(&self, given: u64) -> Result<(), ContentError> {
        let len = given.saturating_add(self.prefix + TAIL_LEN);
        if padded_len(len) > MAX_LEN {
            return Err(ContentError::TooLong);
        }
        Ok(())
    }
}

/// Zeros, then the content's length if the prefix does not tell it.
pub(crate) struct Padding {
    zeros: u64,
    tail: Option<[u8; 8]>,
    tail_given: usize,
}

impl Padding {
    /// Puts the next of it into a batch; whether the batch is full and there may be more.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> bool {
        while self.zeros > 0 && !batch.is_full() {
            self.zeros -= batch.take_text(&mut zeros(self.zeros)) as u64;
        }
        let tail = self.tail.as_ref().map_or(&[][..], <[u8; 8]>::as_slice);
        while self.tail_given < tail.len() && !batch.is_full() {
            let mut rest = tail.get(self.tail_given..).unwrap_or_default();
            self.tail_given += batch.take_text(&mut rest);
        }
        batch.is_full()
    }
}

/// Takes a plaintext piece by piece, and gives its content.
///
/// Where the plaintext's end tells the content's length, zeros that may be padding are held back, as
/// their number.
pub(crate) struct Unpadder {
    /// Bytes of the whole plaintext.
    total: u64,
    /// Bytes that came.
    at: u64,
    prefix: Option<Prefix>,
    /// Where the content ends, if the prefix tells.
    announced_end: Option<u64>,
    /// Zeros before `at` that were held back.
    held: u64,
    tail: [u8; 8],
}

impl Unpadder {
    pub(crate) fn new(total: u64) -> Self {
        Self {
            total,
            at: 0,
            prefix: None,
            announced_end: None,
            held: 0,
            tail: [0; 8],
        }
    }

    /// What stands before the content, once the first chunk came.
    pub(crate) fn prefix(&self) -> Option<&Prefix> {
        self.prefix.as_ref()
    }

    /// Takes the next of the plaintext: its first chunk, then any piece.
    pub(crate) fn put<E: From<OpenError>>(
        &mut self,
        text: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.at;
        self.at += text.len() as u64;
        if self.prefix.is_none() {
            let prefix = Prefix::read(text).map_err(OpenError::from)?;
            self.announced_end = prefix.announced_end(self.total).map_err(OpenError::from)?;
            let len = prefix.len;
            self.prefix = Some(prefix);
            return self.put_behind_prefix(len as u64, text.get(len..).unwrap_or_default(), out);
        }
        self.put_behind_prefix(start, text, out)
    }

    fn put_behind_prefix<E: From<OpenError>>(
        &mut self,
        start: u64,
        text: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(end) = self.announced_end {
            let (content, padding) = split_at(text, end.saturating_sub(start));
            if padding.iter().any(|byte| *byte != 0) {
                return Err(OpenError::from(BodyError::Padding).into());
            }
            return give(content, out);
        }
        let tail_start = self.total.saturating_sub(TAIL_LEN);
        let (text, tail) = split_at(text, tail_start.saturating_sub(start));
        let tail_at = start.saturating_sub(tail_start);
        let place = self.tail.iter_mut().skip(tail_at.try_into().unwrap_or(8));
        place.zip(tail).for_each(|(to, from)| *to = *from);
        let zeros = text.iter().rev().take_while(|byte| **byte == 0).count();
        let (content, _) = text.split_at(text.len() - zeros);
        if !content.is_empty() {
            give_zeros(self.held, out)?;
            self.held = 0;
            give(content, out)?;
        }
        self.held += zeros as u64;
        Ok(())
    }

    /// Gives the zeros that are content, and says what was opened. All of the plaintext came.
    pub(crate) fn finish<E: From<OpenError>>(
        self,
        header: &Header,
        key: &ContentKey,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<OpenedInfo, E> {
        let Some(prefix) = self.prefix else {
            return Err(OpenError::from(BodyError::Padding).into());
        };
        let end = if let Some(end) = self.announced_end {
            end
        } else {
            let end = prefix.told_end(self.total, self.tail);
            let end = end.map_err(OpenError::from)?;
            // What is held stands right before the tail.
            let given = self.total - TAIL_LEN - self.held;
            let zeros = end.checked_sub(given);
            give_zeros(
                zeros.ok_or(BodyError::Padding).map_err(OpenError::from)?,
                out,
            )?;
            end
        };
        let content_len = end - prefix.len as u64;
        Ok(OpenedInfo::new(header, prefix, content_len, key))
    }
}

fn give_zeros<E>(mut len: u64, out: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    while len > 0 {
        let some = zeros(len);
        out(some)?;
        len -= some.len() as u64;
    }
    Ok(())
}

fn give<E>(some: &[u8], out: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    if some.is_empty() { Ok(()) } else { out(some) }
}

/// Splits at a place that may lie behind the end.
fn split_at(text: &[u8], place: u64) -> (&[u8], &[u8]) {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    text.split_at(place.min(text.len()))
}
