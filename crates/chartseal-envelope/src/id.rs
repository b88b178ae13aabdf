//! Ids, digests and the numbers of a deal.

use core::fmt;

use chartseal_codec::{
    Decode, DecodeError, Decoder, Encode, Encoder, byte_newtype, canonical_struct,
};
use rand_core::CryptoRng;
use thiserror::Error;

byte_newtype! {
    /// Names a record over all its versions: 16 random bytes.
    pub struct RecordId([u8; 16]);
}

byte_newtype! {
    /// Names whom a record is about: 16 bytes, a pseudonym that means nothing by itself.
    pub struct SubjectId([u8; 16]);
}

byte_newtype! {
    /// Names a set of custodians: 32 bytes, for example the digest of a committee.
    pub struct SetId([u8; 32]);
}

byte_newtype! {
    /// Names the request that a release answers: 32 bytes, for example a transaction's digest.
    pub struct RequestId([u8; 32]);
}

byte_newtype! {
    /// SHA-256 of a header's canonical bytes, under its domain.
    pub struct HeaderDigest([u8; 32]);
}

byte_newtype! {
    /// BLAKE3 of a body's bytes.
    pub struct BodyDigest([u8; 32]);
}

byte_newtype! {
    /// Hash of the list of one deal's share commitments.
    pub struct CommitmentRoot([u8; 32]);
}

impl RecordId {
    /// A new record's id.
    pub fn random_with_rng(rng: &mut impl CryptoRng) -> Self {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Self(id)
    }

    /// A new record's id, from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomnessError`](crate::RandomnessError) if there is none.
    #[cfg(feature = "getrandom")]
    pub fn random() -> Result<Self, crate::RandomnessError> {
        Ok(Self::random_with_rng(&mut crate::SystemRng::new()?))
    }
}

/// The most custodians that a set may have.
pub const MAX_CUSTODIANS: u8 = 64;

/// A custodian's place in its set, from 1: the x-coordinate of its shares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareIndex(u8);

impl ShareIndex {
    /// # Errors
    /// [`ThresholdError::Index`] unless it is in `1..=64`.
    pub const fn new(index: u8) -> Result<Self, ThresholdError> {
        if index == 0 || index > MAX_CUSTODIANS {
            return Err(ThresholdError::Index(index));
        }
        Ok(Self(index))
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Its place in a list of the set, from 0.
    pub(crate) fn place(self) -> usize {
        usize::from(self.0) - 1
    }
}

impl fmt::Display for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareIndex({})", self.0)
    }
}

impl Encode for ShareIndex {
    fn encode(&self, e: &mut Encoder) {
        e.uint(self.0.into());
    }
}

impl Decode for ShareIndex {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let index = u8::try_from(d.at("index").uint()?)
            .ok()
            .and_then(|i| Self::new(i).ok());
        index.ok_or_else(|| d.invalid("custodian index should be in 1..=64 (CS-ENV-05)"))
    }
}

/// How many custodians hold a share (*n*) and how many shares give the key (*t*): `1 < t ≤ n ≤ 64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold {
    needed: u8,
    total: u8,
}

impl Threshold {
    /// `needed` of `total`.
    ///
    /// # Errors
    /// [`ThresholdError::Numbers`] unless `1 < needed ≤ total ≤ 64`.
    pub const fn new(needed: u8, total: u8) -> Result<Self, ThresholdError> {
        if needed < 2 || needed > total || total > MAX_CUSTODIANS {
            return Err(ThresholdError::Numbers { needed, total });
        }
        Ok(Self { needed, total })
    }

    /// *t*, the number of shares that give the key.
    pub const fn needed(self) -> u8 {
        self.needed
    }

    /// *n*, the number of custodians.
    pub const fn total(self) -> u8 {
        self.total
    }

    /// The indices of all custodians, 1 to *n*.
    pub fn indices(self) -> impl Iterator<Item = ShareIndex> {
        (1..=self.total).map(ShareIndex)
    }

    /// Whether `index` is one of them.
    pub const fn has(self, index: ShareIndex) -> bool {
        index.0 <= self.total
    }
}

impl Encode for Threshold {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).uint(self.needed.into()).uint(self.total.into());
    }
}

impl Decode for Threshold {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("threshold").array_exact(2)?;
        let (needed, total) = (d.uint()?, d.uint()?);
        let threshold = match (u8::try_from(needed), u8::try_from(total)) {
            (Ok(needed), Ok(total)) => Self::new(needed, total).ok(),
            _ => None,
        };
        threshold.ok_or_else(|| d.invalid("threshold should be 1 < t <= n <= 64 (CS-ENV-04)"))
    }
}

/// A set of custodians as a deal names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CustodianSet {
    /// Which set.
    pub id: SetId,
    /// Which of its epochs: its custodians have other KEM keys in the next one.
    pub epoch: u64,
    /// How many there are, and how many are needed.
    pub threshold: Threshold,
}

canonical_struct!(CustodianSet {
    id,
    epoch,
    threshold
});

/// Numbers that no sharing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// *t* and *n* don't go together.
    #[error("threshold {needed} of {total}: should be 1 < t <= n <= 64 (CS-ENV-04)")]
    Numbers {
        /// *t* as given.
        needed: u8,
        /// *n* as given.
        total: u8,
    },
    /// A custodian's index is 0 or above 64.
    #[error("custodian index {0}: should be in 1..=64 (CS-ENV-05)")]
    Index(u8),
}
