use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
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
#[derive(Clone)]
pub struct Set<T>(Form<T>);

/// Most selectors name one value: it lies in the set itself. Copies share more than one.
#[derive(Clone)]
enum Form<T> {
    Empty,
    One(T),
    More(Arc<[T]>),
}

impl<T> Set<T> {
    /// The most values that one holds.
    pub const MAX_LEN: usize = 4096;

    /// The values, in order.
    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Form::Empty)
    }

    fn as_slice(&self) -> &[T] {
        match &self.0 {
            Form::Empty => &[],
            Form::One(value) => slice::from_ref(value),
            Form::More(values) => values,
        }
    }

    /// Of values in strictly increasing order.
    fn of_sorted(mut values: Vec<T>) -> Self {
        Self(match (values.len(), values.pop()) {
            (1, Some(value)) => Form::One(value),
            (_, Some(last)) => {
                values.push(last);
                Form::More(values.into())
            }
            (_, None) => Form::Empty,
        })
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
        Ok(Self::of_sorted(values))
    }

    /// The set of one value.
    pub fn one(value: T) -> Self {
        Self(Form::One(value))
    }

    /// Whether it holds `value`.
    pub fn contains(&self, value: &T) -> bool {
        match &self.0 {
            Form::Empty => false,
            Form::One(one) => one == value,
            Form::More(values) => values.binary_search(value).is_ok(),
        }
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
        Self(Form::Empty)
    }
}

impl<T: PartialEq> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Eq> Eq for Set<T> {}

impl<T: PartialOrd> PartialOrd for Set<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.as_slice().partial_cmp(other.as_slice())
    }
}

impl<T: Ord> Ord for Set<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl<T: Hash> Hash for Set<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
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
        self.as_slice().encode(e);
    }
}

impl<T: Decode + Ord> Decode for Set<T> {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let values: Vec<T> = d.list(Self::MAX_LEN)?;
        if values.is_sorted_by(|a, b| a < b) {
            return Ok(Self::of_sorted(values));
        }
        Err(d.invalid("list is not in strictly increasing order"))
    }
}
