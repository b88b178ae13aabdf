//! What a custodian does: accept a share, keep it, release it to a reader.

use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Suite;
use crate::deal::{Deal, ItemId, MAX_RECORDS};
use crate::dealing::{Commitment, Dealing};
use crate::header::read_format;
use crate::id::{HeaderDigest, RequestId, ShareIndex};
use crate::kem::{KemKeyPair, KemPublicKey};
use crate::keys::KeyId;
use crate::package::{Item, Package, Packer, ShareFault, Use, by_name};
use crate::sharing::{SHARE_LEN, SaltedShare};

/// What came of a deal.
#[derive(Debug)]
pub struct Acceptance {
    /// Shares that match their commitments: store them, then acknowledge.
    pub held: Vec<HeldShare>,
    /// Records whose share was refused, and why. That is the dealer's fault.
    pub refused: Vec<(ItemId, ShareFault)>,
}

/// Opens a deal and checks every share against its record's commitments.
///
/// `keys` are the custodian's of the current epoch, `index` is its own place in the set, and
/// `dealings` holds the deal of every record in `deal.items()`, in any order.
///
/// # Errors
/// [`ShareFault`] if the deal as a whole is not for this custodian.
pub fn accept_all(
    keys: &KemKeyPair,
    index: ShareIndex,
    dealings: &[&Dealing],
    deal: &Deal,
) -> Result<Acceptance, ShareFault> {
    if deal.index() != index {
        return Err(ShareFault::Index);
    }
    let dealings = by_name(dealings);
    let mut acceptance = Acceptance {
        held: Vec::new(),
        refused: Vec::new(),
    };
    for (id, opened) in deal.items().zip(deal.0.open(keys, &dealings)?) {
        match (opened, dealings.get(&id)) {
            (Ok(checked), Some(dealing)) => acceptance.held.push(HeldShare {
                dealing: (*dealing).clone(),
                index,
                share: checked.share,
                commitments: checked.commitments,
            }),
            (Err(why), _) => acceptance.refused.push((id, why)),
            (Ok(_), None) => acceptance.refused.push((id, ShareFault::Foreign)),
        }
    }
    Ok(acceptance)
}

/// As [`accept_all`], for a deal of one record.
///
/// # Errors
/// [`ShareFault`]: the dealer's fault, or the deal is for somebody else.
pub fn accept(
    keys: &KemKeyPair,
    index: ShareIndex,
    dealing: &Dealing,
    deal: &Deal,
) -> Result<HeldShare, ShareFault> {
    let mut acceptance = accept_all(keys, index, &[dealing], deal)?;
    if let Some((_, why)) = acceptance.refused.pop() {
        return Err(why);
    }
    acceptance.held.pop().ok_or(ShareFault::Foreign)
}

/// A custodian's share of one record, checked; overwritten when it is dropped.
pub struct HeldShare {
    dealing: Dealing,
    index: ShareIndex,
    pub(crate) share: SaltedShare,
    commitments: Vec<Commitment>,
}

impl HeldShare {
    /// The deal that it is of.
    pub fn dealing(&self) -> &Dealing {
        &self.dealing
    }

    /// Whose share it is.
    pub fn index(&self) -> ShareIndex {
        self.index
    }

    /// Its bytes, to keep them on disk and out of general backups: **they hold the share**.
    pub fn to_storage_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut e = Encoder::new();
        e.array(5)
            .uint(FORMAT)
            .item(&self.dealing)
            .item(&self.index);
        e.bytes(self.commitments.as_flattened());
        // The encoder's buffer grows, which leaves copies behind: the secrets go in afterwards.
        e.bytes(&[0; 2 * SHARE_LEN]);
        let mut bytes = Zeroizing::new(e.finish());
        if let Some(place) = bytes.last_chunk_mut::<{ 2 * SHARE_LEN }>() {
            let secrets = self.share.share.iter().chain(self.share.salt.iter());
            place
                .iter_mut()
                .zip(secrets)
                .for_each(|(to, from)| *to = *from);
        }
        bytes
    }

    /// The share that [`to_storage_bytes`](Self::to_storage_bytes) wrote.
    ///
    /// # Errors
    /// [`DecodeError`] if a byte of it moved: it is checked against its commitments again.
    pub fn from_storage_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        d.at("HeldShare").array_exact(5)?;
        read_format(&mut d, FORMAT)?;
        let dealing = Dealing::decode(&mut d)?;
        let index = ShareIndex::decode(&mut d)?;
        let list = d.at("commitments").bytes(SHARE_LEN * 64)?;
        let (list, rest) = list.as_chunks::<SHARE_LEN>();
        let secrets = d.at("share").bytes(2 * SHARE_LEN)?;
        let share = match secrets.as_chunks::<SHARE_LEN>() {
            ([share, salt], []) if rest.is_empty() => SaltedShare::copy_of(share, salt),
            _ => return Err(d.invalid("not a share, a salt and commitments (CS-ENV-56)")),
        };
        d.finish()?;
        if list.len() != usize::from(dealing.custodians().threshold.total()) {
            return Err(d.invalid("not one commitment for each custodian (CS-ENV-56)"));
        }
        if dealing.check(index, &share, list).is_err() {
            return Err(d.invalid("share does not match its commitment (CS-ENV-58)"));
        }
        Ok(Self {
            dealing,
            index,
            share,
            commitments: list.to_vec(),
        })
    }

    /// A share that is not the one that was dealt: what a lying custodian would release.
    #[cfg(feature = "fault-injection")]
    #[must_use]
    pub fn lying(mut self) -> Self {
        if let Some(first) = self.share.share.first_mut() {
            *first ^= 1;
        }
        self
    }

    /// What this custodian states by acknowledging the share.
    pub fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement {
            header: self.dealing.header(),
            deal_epoch: self.dealing.epoch(),
            index: self.index,
        }
    }
}

impl fmt::Debug for HeldShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HeldShare({} of {}, secret)",
            self.index,
            self.dealing.header()
        )
    }
}

/// "I hold the share at `index` of this deal, and it matches its commitment."
///
/// Its transport (a transaction, a signed answer) says who states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acknowledgement {
    /// The record's header.
    pub header: HeaderDigest,
    /// Which of its deals.
    pub deal_epoch: u64,
    /// Which custodian.
    pub index: ShareIndex,
}

chartseal_codec::canonical_struct!(Acknowledgement {
    header,
    deal_epoch,
    index
});

/// Shares of one or many records, resealed by one custodian to one reader for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub(crate) package: Package,
    request: RequestId,
}

impl Release {
    /// The suite of all its records.
    pub fn suite(&self) -> Suite {
        self.package.suite
    }

    /// Which custodian's it says it is. Its transport says who sent it.
    pub fn index(&self) -> ShareIndex {
        self.package.index
    }

    /// The request that it answers.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The reader's KEM key.
    pub fn recipient(&self) -> KeyId {
        self.package.recipient
    }

    /// Which deals of which records it is about, in order.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ItemId> {
        self.package.items.iter().map(Item::id)
    }
}

impl Encode for Release {
    fn encode(&self, e: &mut Encoder) {
        self.package.encode(e);
    }
}

impl Decode for Release {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let package = Package::read(d)?;
        match package.usage {
            Use::Release(request) => Ok(Self { package, request }),
            Use::Deal => Err(d.invalid("release has no request (CS-ENV-40)")),
        }
    }
}

/// Reseals shares to the reader of one request, all under one HPKE context.
///
/// The caller has decided that the request is permitted. `reader` is the request's own ephemeral
/// key, so the release is of no use to anybody else or later.
///
/// # Errors
/// [`ReleaseError`].
pub fn release_with_rng(
    held: &[&HeldShare],
    request: RequestId,
    reader: &KemPublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Release, ReleaseError> {
    let first = held.first().ok_or(ReleaseError::Records(0))?;
    let (index, suite) = (first.index, first.dealing.suite());
    if held.len() > MAX_RECORDS {
        return Err(ReleaseError::Records(held.len()));
    }
    if held.iter().any(|held| held.index != index) {
        return Err(ReleaseError::Indices);
    }
    let mixed = held.iter().any(|held| held.dealing.suite() != suite);
    if mixed || reader.kem() != suite.kem() {
        return Err(ReleaseError::Suites);
    }
    let packer = Packer::new(suite, Use::Release(request), index, reader, rng);
    let mut packer = packer.map_err(|_| ReleaseError::Hpke)?;
    for held in held {
        let pushed = packer.push(&held.dealing, &held.share, &held.commitments);
        pushed.map_err(|_| ReleaseError::Hpke)?;
    }
    Ok(Release {
        package: packer.finish(),
        request,
    })
}

/// As [`release_with_rng`], with the operating system's randomness.
///
/// # Errors
/// [`ReleaseError`].
#[cfg(feature = "getrandom")]
pub fn release(
    held: &[&HeldShare],
    request: RequestId,
    reader: &KemPublicKey,
) -> Result<Release, ReleaseError> {
    release_with_rng(held, request, reader, &mut crate::SystemRng::new()?)
}

/// Why shares were not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// No record, or too many.
    #[error("{0} records in one release, should be 1 to 65536 (CS-ENV-41)")]
    Records(usize),
    /// The shares are of different custodians.
    #[error("shares of one release have different indices (CS-ENV-46)")]
    Indices,
    /// Shares of different suites, or a reader's key of another KEM.
    #[error("shares and reader's key are of different suites (CS-ENV-06)")]
    Suites,
    /// HPKE refused to seal, which it does after 2⁹⁶ messages.
    #[error("HPKE refused to seal")]
    Hpke,
    /// No randomness.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    Randomness(#[from] crate::RandomnessError),
}

/// The format's version.
const FORMAT: u64 = 1;
