use alloc::vec::Vec;
use core::slice;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::PolicyError;

/// A selector's list: distinct values in order, at most 4,096.
///
/// Order and repetition say nothing in a selector, so a set has one form, and one encoding.
///
/// ```
/// use chartseal_policy::{Purpose, Set};
///
/// let set = Set::new([Purpose::Etreat, Purpose::Treat, Purpose::Etreat])?;
/// assert_eq!(set, Set::new([Purpose::Treat, Purpose::Etreat])?);
/// # Ok::<(), chartseal_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set<T>(Vec<T>);

impl<T> Set<T> {
    /// The most values that one holds.
    pub const MAX_LEN: usize = 4096;

    /// The values, in order.
    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Ord> Set<T> {
    /// The set of these values.
    ///
    /// # Errors
    /// [`PolicyError::ListTooLong`] if there are more than 4,096, repetitions included.
    pub fn new(values: impl IntoIterator<Item = T>) -> Result<Self, PolicyError> {
        let mut values: Vec<T> = values.into_iter().take(Self::MAX_LEN + 1).collect();
        if values.len() > Self::MAX_LEN {
            return Err(PolicyError::ListTooLong);
        }
        values.sort_unstable();
        values.dedup();
        Ok(Self(values))
    }

    /// The set of one value.
    pub fn one(value: T) -> Self {
        Self(Vec::from([value]))
    }

    /// Whether it holds `value`.
    pub fn contains(&self, value: &T) -> bool {
        self.0.binary_search(value).is_ok()
    }

    /// Whether `other` holds every value of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|value| other.contains(value))
    }

    /// Whether some value is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.iter().any(|value| other.contains(value))
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Encode> Encode for Set<T> {
    fn encode(&self, e: &mut Encoder) {
        self.0.encode(e);
    }
}

impl<T: Decode + Ord> Decode for Set<T> {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let values: Vec<T> = d.list(Self::MAX_LEN)?;
        if values.is_sorted_by(|a, b| a < b) {
            return Ok(Self(values));
        }
        Err(d.invalid("list is not in strictly increasing order"))
    }
}
