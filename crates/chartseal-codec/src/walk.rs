//! Walks over canonical items where they stand: nothing is copied, nothing allocated.
//!
//! Each function reads what `input` begins with, and gives it with what follows; `None` where no such item
//! stands, or not in its one form. Why not, a [`Decoder`](crate::Decoder) tells.

use crate::encoder::{ARRAY, BYTES, FALSE, NULL, TEXT, TRUE, UINT};

/// An unsigned integer.
#[inline]
pub fn uint(input: &[u8]) -> Option<(u64, &[u8])> {
    head(UINT, input)
}

/// A byte string.
#[inline]
pub fn bytes(input: &[u8]) -> Option<(&[u8], &[u8])> {
    string(BYTES, input)
}

/// A byte string of exactly `N` bytes.
#[inline]
pub fn bytes_exact<const N: usize>(input: &[u8]) -> Option<(&[u8; N], &[u8])> {
    let (bytes, rest) = bytes(input)?;
    Some((bytes.try_into().ok()?, rest))
}

/// The bytes of a text string. Whether they are UTF-8 is not looked at.
#[inline]
pub fn text(input: &[u8]) -> Option<(&[u8], &[u8])> {
    string(TEXT, input)
}

/// The head of an array: the number of its items, which follow.
#[inline]
pub fn array(input: &[u8]) -> Option<(u64, &[u8])> {
    head(ARRAY, input)
}

/// What follows the head of an array of exactly `len` items.
#[inline]
pub fn array_exact(input: &[u8], len: usize) -> Option<&[u8]> {
    let (found, rest) = array(input)?;
    (found == len as u64).then_some(rest)
}

/// The front of an enum's variant: the number of its items, and its tag.
#[inline]
pub fn variant(input: &[u8]) -> Option<((u64, u64), &[u8])> {
    let (len, rest) = array(input)?;
    let (tag, rest) = uint(rest)?;
    Some(((len, tag), rest))
}

/// `true` or `false`.
#[inline]
pub fn bool(input: &[u8]) -> Option<(bool, &[u8])> {
    match input {
        [TRUE, rest @ ..] => Some((true, rest)),
        [FALSE, rest @ ..] => Some((false, rest)),
        _ => None,
    }
}

/// What follows `null`.
#[inline]
pub fn null(input: &[u8]) -> Option<&[u8]> {
    input.strip_prefix(&[NULL])
}

#[inline]
fn string(major: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = head(major, input)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// The number in an item's head, and what follows the head.
#[inline]
fn head(major: u8, input: &[u8]) -> Option<(u64, &[u8])> {
    let major = major << 5;
    match input {
        [first, rest @ ..] if *first ^ major < 24 => Some((u64::from(*first ^ major), rest)),
        [first, value, rest @ ..] if *first ^ major == 24 && *value >= 24 => {
            Some((u64::from(*value), rest))
        }
        _ => long_head(major, input),
    }
}

/// The same of a number that takes two bytes or more.
#[inline(never)]
fn long_head(major: u8, input: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = input.split_first()?;
    let (value, rest, least) = match first ^ major {
        25 => {
            let (be, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*be)), rest, 0x100)
        }
        26 => {
            let (be, rest) = rest.split_first_chunk()?;
            (u64::from(u32::from_be_bytes(*be)), rest, 0x1_0000)
        }
        27 => {
            let (be, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*be), rest, 0x1_0000_0000)
        }
        _ => return None,
    };
    (value >= least).then_some((value, rest))
}
