use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct};

/// An instant, in milliseconds since the Unix epoch; on a chain, block time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Time {
    /// How long after `earlier` it is; `None` if it is before.
    pub fn since(self, earlier: Self) -> Option<Millis> {
        self.0.checked_sub(earlier.0).map(Millis)
    }

    /// The instant `length` later; `None` beyond what a `u64` holds, so never.
    pub fn after(self, length: Millis) -> Option<Self> {
        self.0.checked_add(length.0).map(Self)
    }
}

/// Where a directive or a request stands in the order of all: block height, then index within it.
///
/// ```
/// # use chartseal_policy::Position;
/// assert!(Position { height: 50, index: 1 } < Position { height: 50, index: 2 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Block height.
    pub height: u64,
    /// Index of the transaction in its block.
    pub index: u32,
}

impl Position {
    /// The next one; the last has none.
    pub(crate) fn next(self) -> Option<Self> {
        let (height, index) = match self.index.checked_add(1) {
            Some(index) => (self.height, index),
            None => (self.height.checked_add(1)?, 0),
        };
        Some(Self { height, index })
    }
}

/// When an analysis looks: as a request of that time and position would. One in the past replays it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// The time at which windows, ages and standing are judged.
    pub time: Time,
    /// The position; directives count that come strictly before it.
    pub position: Position,
}

/// The half-open window `[from, until)`; a missing bound is unbounded.
///
/// ```
/// # use chartseal_policy::{Time, Window};
/// let visit = Window { from: Some(Time(900)), until: Some(Time(1_000)) };
/// assert!(visit.contains(Time(900)) && !visit.contains(Time(1_000)));
/// assert!(Window::ALWAYS.contains(Time(0)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first instant inside.
    pub from: Option<Time>,
    /// The first instant after it.
    pub until: Option<Time>,
}

impl Window {
    /// The window without bounds.
    pub const ALWAYS: Self = Self {
        from: None,
        until: None,
    };

    /// Whether `time` is inside.
    pub fn contains(&self, time: Time) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Whether no instant is inside.
    pub(crate) fn is_empty(&self) -> bool {
        let from = self.from.unwrap_or_default();
        self.until.is_some_and(|until| until <= from)
    }

    /// Whether nothing of it lies outside `outer`, bound by bound.
    pub(crate) fn is_within(&self, outer: &Self) -> bool {
        let starts = self.from.unwrap_or_default() >= outer.from.unwrap_or_default();
        let ends = match (self.until, outer.until) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(inner), Some(outer)) => inner <= outer,
        };
        starts && ends
    }
}

canonical_struct!(Position { height, index });
canonical_struct!(Window { from, until });

macro_rules! uint_newtype {
    ($($name:ident),+) => {$(
        impl Encode for $name {
            fn encode(&self, e: &mut Encoder) {
                e.uint(self.0);
            }
        }

        impl Decode for $name {
            fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                d.uint().map(Self)
            }
        }
    )+};
}

uint_newtype!(Time, Millis);
