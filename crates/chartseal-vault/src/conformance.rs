//! What every implementation of the stores' traits has to hold.
//!
//! An implementor runs these in a test; each check names the rule that was broken:
//!
//! ```
//! use chartseal_vault::{MemoryBlobStore, MemorySecretStore, ShareKey, conformance};
//!
//! # fn main() -> Result<(), conformance::Violation> {
//! conformance::blob_store(&MemoryBlobStore::new())?;
//! conformance::secret_store::<ShareKey>(&MemorySecretStore::new())?;
//! # Ok(())
//! # }
//! ```
//!
//! What needs a look behind the trait stays with the implementation's own tests: that damage on the
//! medium is named, that destroyed bytes are gone from it, that a killed process leaves nothing half.

use std::io::Read;

use thiserror::Error;

use crate::blob::{BlobId, BlobStore};
use crate::error::VaultError;
use crate::outboard::{GROUP, Outboard};
use crate::secret::{Secret, SecretId, SecretStore};

/// A store breaks a rule.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Violation {
    /// The rule does not hold.
    #[error("the store breaks a rule: {0}")]
    Rule(&'static str),
    /// The store failed where it may not.
    #[error("the store failed while it was checked")]
    Failed(#[from] VaultError),
}

/// Checks an empty [`BlobStore`]; it is empty again afterwards.
///
/// # Errors
/// The first [`Violation`].
pub fn blob_store(store: &dyn BlobStore) -> Result<(), Violation> {
    let large = vec![7; 100_000];
    let blobs: [&[u8]; 4] = [b"", b"a", b"b", &large];
    let absent = BlobId::of(b"absent");
    rule("a new store is empty", store.ids()?.is_empty())?;

    let ids = store.put_batch(&blobs)?;
    let expected: Vec<BlobId> = blobs.iter().map(|blob| BlobId::of(blob)).collect();
    rule(
        "a put gives the hash of each blob, in order",
        ids == expected,
    )?;
    for (id, blob) in ids.iter().zip(blobs) {
        let held = store.get(id)?;
        rule(
            "a blob is given back as it was put",
            held.as_deref() == Some(blob),
        )?;
        rule("a stored blob is contained", store.contains(id)?)?;
    }
    rule("an absent blob is none", store.get(&absent)?.is_none())?;
    rule("an absent blob is not contained", !store.contains(&absent)?)?;

    for (id, blob) in ids.iter().zip(blobs) {
        parts(store, id, blob)?;
    }
    rule(
        "an absent blob has no length",
        store.len(&absent)?.is_none(),
    )?;
    let none = store.read_unverified(&absent, 0, 1)?;
    rule("an absent blob has no bytes", none.is_none())?;

    let mut sorted = ids.clone();
    sorted.sort_unstable();
    rule("all ids are listed, ascending", store.ids()? == sorted)?;
    let again = store.put_batch(&[b"a", b"a"])?;
    let a = BlobId::of(b"a");
    rule("a repeated put gives the same id", again == [a, a])?;
    rule("one blob is stored once", store.ids()? == sorted)?;
    rule("one blob alone can be put", store.put(b"a")? == a)?;
    rule(
        "an empty batch is no error",
        store.put_batch(&[])?.is_empty(),
    )?;

    rule(
        "a delete counts what was there",
        store.delete(&[a, absent, a])? == 1,
    )?;
    rule("a deleted blob is none", store.get(&a)?.is_none())?;
    rule("a deleted blob is not contained", !store.contains(&a)?)?;
    let others = sorted.iter().filter(|id| **id != a);
    rule("a delete leaves the others", store.ids()?.iter().eq(others))?;
    store.put(b"a")?;
    rule("a deleted blob can come back", store.contains(&a)?)?;
    streams(store, &absent)?;
    store.delete(&ids)?;
    rule("an emptied store is empty", store.ids()?.is_empty())
}

/// What a stored blob gives of itself in parts.
fn parts(store: &dyn BlobStore, id: &BlobId, blob: &[u8]) -> Result<(), Violation> {
    let len = blob.len() as u64;
    rule("a blob has its length", store.len(id)? == Some(len))?;
    let outboard = Outboard::read(store, id)?;
    let outboard = outboard.ok_or(Violation::Rule("a stored blob has an outboard"))?;
    for (from, to) in [
        (0, len),
        (0, 1),
        (1, len),
        (len / 2, len + 9),
        (len, len),
        (len + 1, len + 2),
    ] {
        let at = |place: u64| usize::try_from(place.min(len)).unwrap_or(usize::MAX);
        let some = outboard.range(store, from..to)?;
        let expected = blob.get(at(from)..at(to).max(at(from)));
        rule("a range is a part of the blob", some.as_deref() == expected)?;
        let mut all = Vec::new();
        let there = outboard.for_each(store, from..to, |part| {
            all.extend(part);
            Ok::<_, VaultError>(())
        });
        let whole = Some(all.as_slice()) == expected.or(Some(&[]));
        rule("a range is its parts", there? && whole)?;
    }
    Ok(())
}

/// What a store does with blobs that come as streams.
fn streams(store: &dyn BlobStore, absent: &BlobId) -> Result<(), Violation> {
    let long: Vec<u8> = (0..=u8::MAX).cycle().take(2 * GROUP + 77).collect();
    let id = BlobId::of(&long);
    let before = store.ids()?;
    let other = store.put_stream(absent, &mut long.as_slice());
    rule(
        "a stream of another blob is refused",
        matches!(other, Err(VaultError::Other { .. })),
    )?;
    let mut cut = long.as_slice().take(GROUP as u64 + 1).chain(Broken);
    let cut = store.put_stream(&id, &mut cut);
    rule(
        "a stream that breaks is refused",
        matches!(cut, Err(VaultError::Source(_))),
    )?;
    rule("nothing of a refused stream stays", store.ids()? == before)?;
    store.put_stream(&id, &mut long.as_slice())?;
    store.put_stream(&id, &mut long.as_slice())?;
    let held = store.get(&id)?;
    rule("a stream is one blob", held.as_ref() == Some(&long))?;
    parts(store, &id, &long)?;
    rule(
        "a stream's blob is deleted as others are",
        store.delete(&[id])? == 1,
    )
}

/// A stream that can't be read.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("broken"))
    }
}

/// Checks a durable [`BlobStore`]: `open` opens the same, at first empty, place each time.
///
/// # Errors
/// The first [`Violation`].
pub fn durable_blob_store<S: BlobStore>(
    mut open: impl FnMut() -> Result<S, VaultError>,
) -> Result<(), Violation> {
    blob_store(&open()?)?;
    let id = open()?.put(b"kept")?;
    let store = open()?;
    let kept = store.get(&id)?.as_deref() == Some(b"kept");
    rule("what was put is there after reopening", kept)?;
    let second = matches!(open(), Err(VaultError::InUse { .. }));
    rule("an open store is not opened again", second)?;
    store.delete(&[id])?;
    drop(store);
    rule("what was deleted stays so", open()?.ids()?.is_empty())
}

/// Checks an empty [`SecretStore`]; it is empty again afterwards.
///
/// # Errors
/// The first [`Violation`].
pub fn secret_store<K: SecretId>(store: &dyn SecretStore<K>) -> Result<(), Violation> {
    let [a, b, c, absent] = [[1; 32], [2; 32], [3; 32], [9; 32]].map(K::from);
    let is = |key: &K, bytes: Option<&[u8]>| -> Result<bool, Violation> {
        let held = store.get(key)?;
        Ok(held.as_ref().map(Secret::expose) == bytes)
    };
    rule("a new store is empty", store.keys()?.is_empty())?;

    store.put_batch(&[(b, b"bb"), (a, b"a"), (a, b"a")])?;
    rule(
        "a secret is given back as it was put",
        is(&a, Some(b"a"))? && is(&b, Some(b"bb"))?,
    )?;
    rule("an absent secret is none", is(&absent, None)?)?;
    rule("all keys are listed, ascending", store.keys()? == [a, b])?;

    let refused =
        |batch: &[(K, &[u8])]| matches!(store.put_batch(batch), Err(VaultError::Conflict { .. }));
    rule(
        "other bytes under a stored key are refused",
        refused(&[(c, b"c"), (a, b"x")]),
    )?;
    rule(
        "two values for one key are refused",
        refused(&[(c, b"c"), (c, b"x")]),
    )?;
    rule(
        "a refused batch stores nothing",
        is(&c, None)? && is(&a, Some(b"a"))?,
    )?;
    store.put_batch(&[(a, b"a")])?;
    store.put_batch(&[])?;
    rule("a repeated put changes nothing", store.keys()? == [a, b])?;

    rule(
        "a destruction counts what was there",
        store.destroy(&[a, absent, a])? == 1,
    )?;
    rule("a destroyed secret is none", is(&a, None)?)?;
    rule(
        "a destruction leaves the others",
        is(&b, Some(b"bb"))? && store.keys()? == [b],
    )?;
    rule("nothing to destroy is no error", store.destroy(&[])? == 0)?;
    store.put_batch(&[(a, b"new")])?;
    rule("a destroyed key can be used again", is(&a, Some(b"new"))?)?;
    rule("a batch is destroyed whole", store.destroy(&[a, b])? == 2)?;
    rule("an emptied store is empty", store.keys()?.is_empty())
}

/// Checks a durable [`SecretStore`]: `open` opens the same, at first empty, place each time.
///
/// # Errors
/// The first [`Violation`].
pub fn durable_secret_store<K: SecretId, S: SecretStore<K>>(
    mut open: impl FnMut() -> Result<S, VaultError>,
) -> Result<(), Violation> {
    secret_store(&open()?)?;
    let (kept, gone) = (K::from([1; 32]), K::from([2; 32]));
    open()?.put_batch(&[(kept, b"kept"), (gone, b"gone")])?;
    open()?.destroy(&[gone])?;
    let store = open()?;
    let held = store.get(&kept)?;
    let same = held.is_some_and(|secret| secret.expose() == b"kept");
    rule("what was put is there after reopening", same)?;
    rule("what was destroyed stays so", store.get(&gone)?.is_none())?;
    let second = matches!(open(), Err(VaultError::InUse { .. }));
    rule("an open store is not opened again", second)?;
    store.destroy(&[kept])?;
    drop(store);
    rule("an emptied store stays so", open()?.keys()?.is_empty())
}

fn rule(text: &'static str, holds: bool) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation::Rule(text))
    }
}
