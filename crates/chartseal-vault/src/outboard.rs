use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};

use crate::blob::{BlobId, BlobStore};
use crate::error::VaultError;

/// How many bytes are verified at a time: a power of two of BLAKE3's chunks.
pub const GROUP: usize = 256 * 1024;
/// How many bytes of a stored blob are asked for at a time, when much of it is read.
const STEP: usize = 16 * GROUP;

/// The nodes of a blob's BLAKE3 tree that stand over its groups of [`GROUP`] bytes: with them, each group is verified by
/// itself, so that a part of a large blob can be read, sent and taken without the rest.
///
/// The technique is Bao's (<https://github.com/oconnor663/bao>), with one level of the tree in place of all.
///
/// ```
/// use chartseal_vault::{GROUP, Outboard};
///
/// let blob = vec![7; 2 * GROUP + 1];
/// let made = Outboard::of(blob.as_slice())?;
/// // Whoever knows the id and the length believes the rest of nobody.
/// let outboard = Outboard::new(made.id(), made.len(), made.groups().to_vec()).unwrap();
/// assert!(outboard.is_group(2, &[7]));
/// assert!(!outboard.is_group(2, &[8]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outboard {
    id: BlobId,
    len: u64,
    groups: Vec<ChainingValue>,
}

impl Outboard {
    /// The outboard of what `blob` gives, in one pass.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of(mut blob: impl Read) -> io::Result<Self> {
        let (mut whole, mut len, mut groups) = (Hasher::new(), 0, Vec::new());
        let mut group = Vec::with_capacity(GROUP);
        loop {
            group.clear();
            blob.by_ref().take(GROUP as u64).read_to_end(&mut group)?;
            if group.is_empty() {
                break;
            }
            whole.update(&group);
            groups.push(group_hash(len, &group));
            len += group.len() as u64;
        }
        if groups.len() < 2 {
            groups.clear();
        }
        let id = BlobId(whole.finalize().into());
        Ok(Self { id, len, groups })
    }

    /// These hashes, if they are those of the groups of the blob of this id. Whether the last group has the length that
    /// is left for it comes out with its bytes.
    pub fn new(id: BlobId, len: u64, groups: Vec<ChainingValue>) -> Option<Self> {
        let this = Self { id, len, groups };
        let count = match this.count() {
            1 => 0,
            count => count,
        };
        if this.groups.len() as u64 != count {
            return None;
        }
        let is_it = this.groups.is_empty() || root(&this.groups, len)? == id.0;
        is_it.then_some(this)
    }

    /// The blob.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The groups' hashes; none if there is one group, which the id is the hash of.
    pub fn groups(&self) -> &[ChainingValue] {
        &self.groups
    }

    /// How many groups there are: one at least.
    pub fn count(&self) -> u64 {
        self.len.div_ceil(GROUP as u64).max(1)
    }

    /// Where a group lies in the blob; empty behind the last.
    pub fn place(&self, group: u64) -> Range<u64> {
        let at = |group: u64| group.saturating_mul(GROUP as u64).min(self.len);
        at(group)..at(group.saturating_add(1))
    }

    /// Whether these bytes are that group.
    pub fn is_group(&self, group: u64, bytes: &[u8]) -> bool {
        let place = self.place(group);
        if group >= self.count() || bytes.len() as u64 != place.end - place.start {
            return false;
        }
        if self.groups.is_empty() {
            return BlobId::of(bytes) == self.id;
        }
        let hash = usize::try_from(group)
            .ok()
            .and_then(|at| self.groups.get(at));
        hash.is_some_and(|hash| *hash == group_hash(place.start, bytes))
    }

    /// Whether these bytes are those groups, one after the other.
    pub fn are_groups(&self, groups: Range<u64>, bytes: &[u8]) -> bool {
        let len = self.place(groups.end).start - self.place(groups.start).start;
        let mut pieces = bytes.chunks(GROUP);
        // The one group of an empty blob has no piece.
        let mut groups = groups.map(|group| (group, pieces.next().unwrap_or_default()));
        bytes.len() as u64 == len && groups.all(|(group, bytes)| self.is_group(group, bytes))
    }

    /// The outboard of a stored blob: all of it is read, unless it is one group.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if the bytes are not the ones that were stored.
    pub fn read(store: &dyn BlobStore, id: &BlobId) -> Result<Option<Self>, VaultError> {
        let Some(len) = store.len(id)? else {
            return Ok(None);
        };
        let one = Self {
            id: *id,
            len,
            groups: Vec::new(),
        };
        if one.count() == 1 {
            return Ok(Some(one));
        }
        let mut stored = Stored {
            store,
            id,
            at: 0,
            failed: None,
        };
        // Fewer questions to the store than there are groups.
        let made = Self::of(BufReader::with_capacity(STEP, &mut stored));
        if let Some(error) = stored.failed {
            return Err(error);
        }
        match made {
            Ok(made) if made.id == *id => Ok(Some(made)),
            _ => Err(damaged(id)),
        }
    }

    /// A part of the blob, verified; as much of it as the blob has. Only the groups in which it lies are read.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if the bytes are not the ones that were stored.
    pub fn range(
        &self,
        store: &dyn BlobStore,
        range: Range<u64>,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let range = self.within(range);
        if range.is_empty() {
            return Ok(store.len(&self.id)?.map(|_| Vec::new()));
        }
        let stored = self.stored(store, &range)?;
        stored.map(|bytes| self.verified(&range, bytes)).transpose()
    }

    /// The same of a part of any length, some MiB at a time: while one is verified and used, the next is read. Whether the
    /// blob is there.
    ///
    /// ```
    /// use chartseal_vault::{BlobStore as _, MemoryBlobStore, Outboard, VaultError};
    ///
    /// let vault = MemoryBlobStore::new();
    /// let id = vault.put(&vec![7; 10_000_000])?;
    /// let outboard = Outboard::read(&vault, &id)?.expect("it was put there");
    /// let mut sum = 0;
    /// outboard.for_each(&vault, 5..9_000_000, |part| {
    ///     sum += part.len();
    ///     Ok::<_, VaultError>(())
    /// })?;
    /// assert_eq!(sum, 8_999_995);
    /// # Ok::<(), VaultError>(())
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range), and what `each` gives. What came before it was verified.
    pub fn for_each<E: From<VaultError>>(
        &self,
        store: &dyn BlobStore,
        range: Range<u64>,
        mut each: impl FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let range = self.within(range);
        if range.is_empty() {
            return Ok(store.contains(&self.id)?);
        }
        thread::scope(|scope| {
            let (send, stored) = sync_channel(1);
            let ahead = thread::Builder::new().spawn_scoped(scope, move || {
                for part in steps(range) {
                    let bytes = self.stored(store, &part);
                    // Whoever gave up hears no more.
                    if send.send((part, bytes)).is_err() {
                        return;
                    }
                }
            });
            ahead.map_err(VaultError::io("read", "a blob ahead", Path::new("")))?;
            for (part, bytes) in stored {
                let Some(bytes) = bytes? else {
                    return Ok(false);
                };
                each(self.verified(&part, bytes)?)?;
            }
            Ok(true)
        })
    }

    /// As much of a part as the blob has.
    fn within(&self, part: Range<u64>) -> Range<u64> {
        part.start.min(self.len)..part.end.min(self.len)
    }

    /// The whole groups in which a part lies that is not empty, as they are stored.
    fn stored(
        &self,
        store: &dyn BlobStore,
        part: &Range<u64>,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let groups = groups_of(part);
        let (start, end) = (self.place(groups.start).start, self.place(groups.end).start);
        let wanted = usize::try_from(end - start).unwrap_or(usize::MAX);
        store.read_unverified(&self.id, start, wanted)
    }

    /// That part of those groups, if they are the blob's.
    fn verified(&self, part: &Range<u64>, mut bytes: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        let groups = groups_of(part);
        let start = self.place(groups.start).start;
        if !self.are_groups(groups, &bytes) {
            return Err(damaged(&self.id));
        }
        let skipped = usize::try_from(part.start - start).unwrap_or(usize::MAX);
        let len = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
        bytes.drain(..skipped.min(bytes.len()));
        bytes.truncate(len);
        Ok(bytes)
    }
}

/// The groups in which a part lies.
fn groups_of(part: &Range<u64>) -> Range<u64> {
    part.start / GROUP as u64..part.end.div_ceil(GROUP as u64)
}

/// A part in steps, each of which ends where a group does.
fn steps(part: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let step = STEP as u64;
    let first = part.start / step;
    (first..part.end.div_ceil(step)).map(move |at| {
        let (start, end) = (at * step, (at + 1).saturating_mul(step));
        start.max(part.start)..end.min(part.end)
    })
}

/// A stored blob from its beginning on.
struct Stored<'a> {
    store: &'a dyn BlobStore,
    id: &'a BlobId,
    at: u64,
    failed: Option<VaultError>,
}

impl Read for Stored<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.store.read_unverified(self.id, self.at, to.len()) {
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                let len = bytes.as_slice().read(to)?;
                self.at += len as u64;
                Ok(len)
            }
            Err(error) => {
                let why = io::Error::other(error.to_string());
                self.failed = Some(error);
                Err(why)
            }
        }
    }
}

/// The hash of a group that begins at this place of a blob of several.
fn group_hash(start: u64, group: &[u8]) -> ChainingValue {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(start);
    hasher.update(group).finalize_non_root()
}

/// The root over all groups of a blob of this length; there are two at least.
fn root(groups: &[ChainingValue], len: u64) -> Option<[u8; 32]> {
    let (left, right, left_len) = split(groups, len)?;
    let left = node(left, left_len)?;
    let right = node(right, len - left_len)?;
    Some(merge_subtrees_root(&left, &right, Mode::Hash).into())
}

/// A node of the tree, over some groups. As deep as the logarithm of their number.
fn node(groups: &[ChainingValue], len: u64) -> Option<ChainingValue> {
    if let [group] = groups {
        return Some(*group);
    }
    let (left, right, left_len) = split(groups, len)?;
    let (left, right) = (node(left, left_len)?, node(right, len - left_len)?);
    Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
}

/// The groups of the left and the right subtree, and the left one's length.
fn split(groups: &[ChainingValue], len: u64) -> Option<(&[ChainingValue], &[ChainingValue], u64)> {
    if len <= GROUP as u64 {
        return None;
    }
    let left_len = left_subtree_len(len);
    let at = usize::try_from(left_len / GROUP as u64).ok()?;
    let (left, right) = groups.split_at_checked(at)?;
    Some((left, right, left_len))
}

pub(crate) fn damaged(id: &BlobId) -> VaultError {
    VaultError::Damaged {
        what: "blob",
        id: id.to_string(),
    }
}
