//! Dealing: one share for each custodian, sealed to it.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::dealing::{Dealing, Scope};
use crate::header::Header;
use crate::id::{CommitmentRoot, CustodianSet, ShareIndex};
use crate::kem::KemPublicKey;
use crate::keys::KeyId;
use crate::package::{Item, Package, Packer, Use};
use crate::sharing::{self, Coins, SaltedShare};
use crate::{ContentKey, Suite};

/// The secrets of one deal of one record: key and coins. Whoever has them reads the record.
pub struct Dealer {
    pub(crate) dealing: Dealing,
    pub(crate) key: ContentKey,
    pub(crate) coins: Coins,
}

impl Dealer {
    pub(crate) fn again(
        header: &Header,
        epoch: NonZeroU64,
        custodians: CustodianSet,
        key: ContentKey,
        coins: Coins,
    ) -> Self {
        let unrooted = Dealing::later(header, epoch, custodians, CommitmentRoot([0; 32]));
        let root = expected_root(unrooted.scope(), &key, &coins);
        Self {
            dealing: Dealing::later(header, epoch, custodians, root),
            key,
            coins,
        }
    }

    /// The deal as everybody sees it.
    pub fn dealing(&self) -> &Dealing {
        &self.dealing
    }

    fn shares(&self) -> Vec<SaltedShare> {
        let scope = self.dealing.scope();
        sharing::split(
            &self.key,
            &self.coins,
            &scope.to_bytes(),
            scope.custodians().threshold,
        )
    }
}

impl fmt::Debug for Dealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dealer({}, secret)", self.dealing.header())
    }
}

/// The commitment root that an honest dealer of this key and these coins publishes.
pub(crate) fn expected_root(scope: &Scope, key: &ContentKey, coins: &Coins) -> CommitmentRoot {
    let shares = sharing::split(key, coins, &scope.to_bytes(), scope.custodians().threshold);
    scope.root(&scope.commit_all(&shares))
}

/// Deals one or many records to one set of custodians: one [`Deal`] for each, in order of index.
///
/// All records of a call share one HPKE context a custodian, so dealing a thousand costs little
/// more than dealing one. `custodians` are the set's KEM keys of its current epoch.
///
/// # Errors
/// [`DealError`].
pub fn deal_with_rng(
    dealers: &[&Dealer],
    custodians: &[KemPublicKey],
    rng: &mut impl CryptoRng,
) -> Result<Vec<Deal>, DealError> {
    let first = dealers.first().ok_or(DealError::Records(0))?.dealing();
    if dealers.len() > MAX_RECORDS {
        return Err(DealError::Records(dealers.len()));
    }
    if dealers
        .iter()
        .any(|dealer| dealer.dealing.custodians() != first.custodians())
    {
        return Err(DealError::Sets);
    }
    let suite = first.suite();
    let mut records = dealers.iter().map(|dealer| dealer.dealing.suite());
    let mut keys = custodians.iter().map(KemPublicKey::kem);
    if records.any(|other| other != suite) || keys.any(|kem| kem != suite.kem()) {
        return Err(DealError::Suites);
    }
    let total = first.custodians().threshold.total();
    if custodians.len() != usize::from(total) {
        return Err(DealError::Custodians {
            found: custodians.len(),
            expected: total,
        });
    }

    let indices = first.custodians().threshold.indices();
    let mut packers = Vec::with_capacity(custodians.len());
    for (index, to) in indices.zip(custodians) {
        let packer = Packer::new(suite, Use::Deal, index, to, rng).map_err(|_| DealError::Hpke)?;
        packers.push(packer);
    }
    for dealer in dealers {
        let shares = dealer.shares();
        let commitments = dealer.dealing.scope().commit_all(&shares);
        for (packer, share) in packers.iter_mut().zip(&shares) {
            packer
                .push(&dealer.dealing, share, &commitments)
                .map_err(|_| DealError::Hpke)?;
        }
    }
    Ok(packers
        .into_iter()
        .map(|packer| Deal(packer.finish()))
        .collect())
}

/// As [`deal_with_rng`], with the operating system's randomness.
///
/// # Errors
/// [`DealError`].
#[cfg(feature = "getrandom")]
pub fn deal(dealers: &[&Dealer], custodians: &[KemPublicKey]) -> Result<Vec<Deal>, DealError> {
    deal_with_rng(dealers, custodians, &mut crate::SystemRng::new()?)
}

/// The most records in one deal or release.
pub const MAX_RECORDS: usize = 65_536;

/// Shares of one or many records, sealed to one custodian.
///
/// Sent, never stored with the record or anchored: else destroying a share would mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deal(pub(crate) Package);

impl Deal {
    /// The suite of all its records.
    pub fn suite(&self) -> Suite {
        self.0.suite
    }

    /// Whose share it is.
    pub fn index(&self) -> ShareIndex {
        self.0.index
    }

    /// The KEM key that it is sealed to.
    pub fn recipient(&self) -> KeyId {
        self.0.recipient
    }

    /// Which deals of which records it is about, in order.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ItemId> {
        self.0.items.iter().map(Item::id)
    }
}

/// Names one deal of one record inside a [`Deal`] or a [`Release`](crate::Release).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The record's header.
    pub header: crate::HeaderDigest,
    /// Which of its deals, from 0.
    pub deal_epoch: u64,
}

impl Encode for Deal {
    fn encode(&self, e: &mut Encoder) {
        self.0.encode(e);
    }
}

impl Decode for Deal {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let package = Package::read(d)?;
        match package.usage {
            Use::Deal => Ok(Self(package)),
            Use::Release(_) => Err(d.invalid("deal names a request (CS-ENV-40)")),
        }
    }
}

/// Why records were not dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DealError {
    /// No record, or too many.
    #[error("{0} records in one deal, should be 1 to 65536 (CS-ENV-41)")]
    Records(usize),
    /// The records are for different sets or thresholds.
    #[error("records of one deal are for different custodian sets (CS-ENV-42)")]
    Sets,
    /// Records of different suites, or keys of another KEM.
    #[error("records and custodian keys are of different suites (CS-ENV-06)")]
    Suites,
    /// The number of keys is not the set's.
    #[error("{found} custodian keys, should be {expected} (CS-ENV-43)")]
    Custodians {
        /// How many keys were given.
        found: usize,
        /// How many custodians the set has.
        expected: u8,
    },
    /// HPKE refused to seal, which it does after 2⁹⁶ messages.
    #[error("HPKE refused to seal")]
    Hpke,
    /// No randomness.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    Randomness(#[from] crate::RandomnessError),
}
