//! How a log is cut into files, and what they are called.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Hashes, or entries, of a full tile.
pub const WIDTH: u16 = 256;
/// The highest level that a log of 64-bit size has.
pub const MAX_LEVEL: u8 = 7;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes of complete subtrees of 256^level entries.
    Hashes {
        /// 0 to [`MAX_LEVEL`].
        level: u8,
    },
    /// The entries themselves, each behind its length in two bytes.
    Entries,
}

/// One file of a published log; its `Display` is its path.
///
/// ```
/// use chartseal_tiles::Tile;
///
/// let tile = Tile::hashes(0, 1_234_067, 256).unwrap();
/// assert_eq!(tile.to_string(), "tile/0/x001/x234/067");
/// assert_eq!(Tile::entries(0, 17).unwrap().to_string(), "tile/entries/000.p/17");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: Kind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The `index`-th tile of a level; `None` if the level is above [`MAX_LEVEL`], or the width not within
    /// 1 to 256.
    pub fn hashes(level: u8, index: u64, width: u16) -> Option<Self> {
        let kind = Kind::Hashes { level };
        (level <= MAX_LEVEL && is_width(width)).then_some(Self { kind, index, width })
    }

    /// The `index`-th bundle of entries; `None` if the width is not within 1 to 256.
    pub fn entries(index: u64, width: u16) -> Option<Self> {
        let kind = Kind::Entries;
        is_width(width).then_some(Self { kind, index, width })
    }

    /// What it holds.
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// Its place in its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it holds all that its place can.
    pub fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// The full tile at its place.
    pub(crate) fn full(self) -> Self {
        Self {
            width: WIDTH,
            ..self
        }
    }
}

fn is_width(width: u16) -> bool {
    (1..=WIDTH).contains(&width)
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// Not the path of a tile, as [`Tile`]'s `Display` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the path of a tile")]
pub struct NoTile;

/// The longest path: an index of twenty digits is in seven groups.
const MAX_PATH: usize = 64;

impl FromStr for Tile {
    type Err = NoTile;

    /// Reads a path. Each tile has exactly one.
    fn from_str(path: &str) -> Result<Self, NoTile> {
        let place = path
            .strip_prefix("tile/")
            .filter(|_| path.len() <= MAX_PATH);
        let (kind, rest) = place.and_then(|it| it.split_once('/')).ok_or(NoTile)?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| NoTile)?),
            None => (rest, WIDTH),
        };
        let mut number = 0_u64;
        for group in index.split('/') {
            let digits: u64 = group.trim_start_matches('x').parse().map_err(|_| NoTile)?;
            let above = number.checked_mul(1000);
            number = above.and_then(|it| it.checked_add(digits)).ok_or(NoTile)?;
        }
        let tile = match kind {
            "entries" => Self::entries(number, width),
            level => Self::hashes(level.parse().map_err(|_| NoTile)?, number, width),
        };
        // What is written another way is no path.
        tile.filter(|tile| tile.to_string() == path).ok_or(NoTile)
    }
}

/// Hashes that the last tile of a level has in a log of `size` entries; 0 if it has no partial one.
pub(crate) fn partial_width(level: u8, size: u64) -> u16 {
    u16::from(place(hashes_at(level, size)))
}

/// An index's place in its tile: the index modulo [`WIDTH`].
pub(crate) fn place(index: u64) -> u8 {
    let [place, ..] = index.to_le_bytes();
    place
}

/// Hashes of a level in a log of `size` entries.
pub(crate) fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or_default()
}
