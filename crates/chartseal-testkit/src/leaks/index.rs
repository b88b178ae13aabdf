//! Where in bytes one of very many forms may begin.

use std::collections::HashMap;

use super::form::Form;

/// A form is found by as many of its first bytes as the largest of these that it has.
pub(super) const WINDOWS: [usize; 6] = [5, 6, 7, 8, 16, 32];

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
const FILTER_BITS: u32 = 25;

/// Forms by a hash of their first bytes.
pub(super) struct Index {
    window: usize,
    /// `BASE` to the power of the window's length less one.
    top: u64,
    /// A bit for each hash that occurs, modulo 2^[`FILTER_BITS`].
    filter: Vec<u64>,
    by_hash: HashMap<u64, Vec<(u32, Form)>>,
}

impl Index {
    pub(super) fn new(window: usize) -> Self {
        let top = (1..window).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        Self {
            window,
            top,
            filter: vec![0; 1 << (FILTER_BITS - 6)],
            by_hash: HashMap::new(),
        }
    }

    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// Takes in a form that is at least a window long.
    pub(super) fn add(&mut self, bytes: &[u8], form: (u32, Form)) {
        let hash = hash(bytes.get(..self.window).unwrap_or_default());
        let (word, bit) = place(hash);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= bit;
        }
        self.by_hash.entry(hash).or_default().push(form);
    }

    /// Calls `each` with every form that may begin somewhere, and the bytes from there on.
    pub(super) fn scan<'b>(&self, bytes: &'b [u8], mut each: impl FnMut(&'b [u8], &(u32, Form))) {
        let (Some(first), Some(later)) = (bytes.get(..self.window), bytes.get(self.window..))
        else {
            return;
        };
        if self.by_hash.is_empty() {
            return;
        }
        let mut hash = hash(first);
        self.look(hash, bytes, &mut each);
        for (at, (old, new)) in (1..).zip(bytes.iter().zip(later)) {
            let without = hash.wrapping_sub(value(*old).wrapping_mul(self.top));
            hash = without.wrapping_mul(BASE).wrapping_add(value(*new));
            let (word, bit) = place(hash);
            if self.filter.get(word).is_some_and(|word| word & bit != 0) {
                self.look(hash, bytes.get(at..).unwrap_or_default(), &mut each);
            }
        }
    }

    fn look<'b>(&self, hash: u64, rest: &'b [u8], each: &mut impl FnMut(&'b [u8], &(u32, Form))) {
        for form in self.by_hash.get(&hash).into_iter().flatten() {
            each(rest, form);
        }
    }
}

fn hash(window: &[u8]) -> u64 {
    window.iter().fold(0, |hash: u64, byte| {
        hash.wrapping_mul(BASE).wrapping_add(value(*byte))
    })
}

fn value(byte: u8) -> u64 {
    u64::from(byte) + 1
}

fn place(hash: u64) -> (usize, u64) {
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(BASE) >> (64 - FILTER_BITS);
    (usize::try_from(mixed >> 6).unwrap_or(0), 1 << (mixed & 63))
}
