use alloc::vec::Vec;

use crate::encoder::{ARRAY, BYTES, FALSE, NULL, TEXT, TRUE, UINT};
use crate::{Decode, DecodeError, DecodeErrorKind};

/// Reads canonical CBOR items from a slice.
///
/// Total: any input gives a value or a [`DecodeError`]. Borrowed items point into the input, and
/// nothing is allocated before the bytes that justify it were seen.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    input: &'a [u8],
    pos: usize,
    field: &'static str,
}

impl<'a> Decoder<'a> {
    /// Reads `input` from its start.
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            pos: 0,
            field: "item",
        }
    }

    /// Names the field that is read next, for errors.
    #[inline]
    pub fn at(&mut self, field: &'static str) -> &mut Self {
        self.field = field;
        self
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// An error at this place, for a type's own rules: `d.invalid("height is zero")`.
    #[cold]
    #[inline(never)]
    pub fn invalid(&self, why: &'static str) -> DecodeError {
        self.error(self.pos, DecodeErrorKind::Invalid(why))
    }

    /// # Errors
    /// [`DecodeErrorKind::TrailingBytes`] unless the whole input was read.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.pos == self.input.len() {
            return Ok(());
        }
        Err(self.error(self.pos, DecodeErrorKind::TrailingBytes))
    }

    /// An unsigned integer.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        self.head(UINT, "an unsigned integer")
    }

    /// An unsigned integer in `min..=max`.
    #[inline]
    pub fn uint_in(&mut self, min: u64, max: u64) -> Result<u64, DecodeError> {
        let start = self.pos;
        let value = self.uint()?;
        self.check_range(start, value, min, max)?;
        Ok(value)
    }

    /// A byte string of at most `max` bytes.
    #[inline]
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8], DecodeError> {
        self.string(BYTES, "a byte string", max)
    }

    /// A byte string of exactly `N` bytes.
    #[inline]
    pub fn bytes_exact<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        if let Some(bytes) = self.short() {
            return Ok(bytes);
        }
        let bytes = self.bytes_of(N)?;
        bytes
            .try_into()
            .map_err(|_| self.invalid("a byte string of another length"))
    }

    /// A text string of at most `max` bytes.
    #[inline]
    pub fn text(&mut self, max: usize) -> Result<&'a str, DecodeError> {
        let start = self.pos;
        let bytes = self.string(TEXT, "a text string", max)?;
        core::str::from_utf8(bytes).map_err(|_| self.error(start, DecodeErrorKind::InvalidUtf8))
    }

    /// The head of an array of at most `max` items; gives the count.
    #[inline]
    pub fn array(&mut self, max: usize) -> Result<usize, DecodeError> {
        let start = self.pos;
        let len = self.head(ARRAY, "an array")?;
        // Every item takes a byte at least, so a count beyond the rest is a lie.
        let left = self.input.len() - self.pos;
        self.check_range(start, len, 0, max as u64)?;
        usize::try_from(len)
            .ok()
            .filter(|len| *len <= left)
            .ok_or_else(|| self.error(start, DecodeErrorKind::UnexpectedEnd))
    }

    /// The head of an array of exactly `len` items.
    #[inline]
    pub fn array_exact(&mut self, len: usize) -> Result<(), DecodeError> {
        let start = self.pos;
        let found = self.head(ARRAY, "an array")?;
        self.check_range(start, found, len as u64, len as u64)
    }

    /// An array of at most `max` items of one type.
    #[inline]
    pub fn list<T: Decode>(&mut self, max: usize) -> Result<Vec<T>, DecodeError> {
        self.list_of(max, T::decode)
    }

    /// An array of at most `max` items, each read by `read`: for items that borrow from the input.
    #[inline]
    pub fn list_of<T>(
        &mut self,
        max: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let len = self.array(max)?;
        // A hostile count costs no more memory than the bytes that came with it.
        let left = self.input.len() - self.pos;
        let room = left / core::mem::size_of::<T>().max(1);
        let mut items = Vec::with_capacity(len.min(room));
        for _ in 0..len {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// The front of an enum's variant: its tag, and the number of items with it.
    #[doc(hidden)]
    #[inline]
    pub fn variant(&mut self) -> Result<(u64, usize), DecodeError> {
        let len = self.array(2)?;
        if len == 0 {
            return Err(self.invalid("tag is missing"));
        }
        Ok((self.uint()?, len))
    }

    /// That an enum has no such variant.
    #[doc(hidden)]
    #[cold]
    pub fn no_variant(&self) -> DecodeError {
        self.invalid("no such tag, or another number of items than it has")
    }

    /// `true` or `false`.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        let byte = self.peek()?;
        if byte != TRUE && byte != FALSE {
            return Err(self.wrong_type("true or false"));
        }
        self.pos += 1;
        Ok(byte == TRUE)
    }

    /// Reads `null` if it stands here.
    #[inline]
    pub fn null(&mut self) -> Result<bool, DecodeError> {
        let is_null = self.peek()? == NULL;
        self.pos += usize::from(is_null);
        Ok(is_null)
    }

    /// A byte string of exactly `N` bytes, if one stands here and `N` is below 256: most of what is
    /// decoded are ids and digests, and this takes a comparison and a copy.
    #[inline]
    fn short<const N: usize>(&mut self) -> Option<[u8; N]> {
        let length = u8::try_from(N).ok()?;
        let rest = self.input.get(self.pos..)?;
        let (head, body) = if length < 24 {
            let (head, body) = rest.split_first()?;
            (*head == (BYTES << 5 | length), body)
        } else {
            let ([head, info], body) = rest.split_first_chunk()?;
            (*head == (BYTES << 5 | 0x18) && *info == length, body)
        };
        let bytes = body.first_chunk::<N>().filter(|_| head)?;
        self.pos += rest.len() - body.len() + N;
        Some(*bytes)
    }

    /// A byte string of exactly `len` bytes, however its head is written.
    #[inline(never)]
    pub(crate) fn bytes_of(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let start = self.pos;
        let bytes = self.bytes(usize::MAX)?;
        let (found, len) = (bytes.len() as u64, len as u64);
        self.check_range(start, found, len, len)?;
        Ok(bytes)
    }

    #[inline]
    fn string(
        &mut self,
        major: u8,
        expected: &'static str,
        max: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let start = self.pos;
        let len = self.head(major, expected)?;
        self.check_range(start, len, 0, max as u64)?;
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| self.pos.checked_add(len));
        let bytes = end
            .and_then(|end| self.input.get(self.pos..end))
            .ok_or_else(|| self.error(start, DecodeErrorKind::UnexpectedEnd))?;
        self.pos += bytes.len();
        Ok(bytes)
    }

    /// The number in an item's head. Most are below 24: only that much is in every decoder.
    #[inline]
    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, DecodeError> {
        match self.input.get(self.pos) {
            Some(first) if *first ^ major << 5 < 24 => {
                self.pos += 1;
                Ok(u64::from(*first ^ major << 5))
            }
            _ => self.long_head(major, expected),
        }
    }

    #[inline(never)]
    fn long_head(&mut self, major: u8, expected: &'static str) -> Result<u64, DecodeError> {
        let first = self.peek()?;
        if first >> 5 != major {
            return Err(self.wrong_type(expected));
        }
        let rest = self.input.get(self.pos + 1..).unwrap_or_default();
        let (value, width, least) = match first & 0x1f {
            info @ 0..=23 => (Some(u64::from(info)), 0, 0),
            24 => (rest.first().map(|byte| u64::from(*byte)), 1, 24),
            25 => (
                rest.first_chunk()
                    .map(|be| u64::from(u16::from_be_bytes(*be))),
                2,
                0x100,
            ),
            26 => (
                rest.first_chunk()
                    .map(|be| u64::from(u32::from_be_bytes(*be))),
                4,
                0x1_0000,
            ),
            27 => (
                rest.first_chunk().map(|be| u64::from_be_bytes(*be)),
                8,
                0x1_0000_0000,
            ),
            _ => return Err(self.wrong_type(expected)),
        };
        let value = value.ok_or_else(|| self.error(self.pos, DecodeErrorKind::UnexpectedEnd))?;
        if value < least {
            return Err(self.error(self.pos, DecodeErrorKind::NotShortest));
        }
        self.pos += 1 + width;
        Ok(value)
    }

    #[inline]
    fn peek(&self) -> Result<u8, DecodeError> {
        let byte = self.input.get(self.pos).copied();
        byte.ok_or_else(|| self.error(self.pos, DecodeErrorKind::UnexpectedEnd))
    }

    #[inline]
    fn check_range(&self, at: usize, value: u64, min: u64, max: u64) -> Result<(), DecodeError> {
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(self.out_of_range(at, value, min, max))
    }

    #[cold]
    #[inline(never)]
    fn out_of_range(&self, at: usize, value: u64, min: u64, max: u64) -> DecodeError {
        self.error(at, DecodeErrorKind::OutOfRange { value, min, max })
    }

    #[cold]
    #[inline(never)]
    fn wrong_type(&self, expected: &'static str) -> DecodeError {
        self.error(self.pos, DecodeErrorKind::WrongType { expected })
    }

    #[cold]
    #[inline(never)]
    fn error(&self, offset: usize, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            field: self.field,
            offset,
            kind,
        }
    }
}
