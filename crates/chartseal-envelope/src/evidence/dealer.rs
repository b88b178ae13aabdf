//! Evidence against a dealer: shares that it committed to, and that are of no use.

use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use subtle::ConstantTimeEq;

use super::NoProof;
use crate::ContentKey;
use crate::author::AuthorKey;
use crate::cobblestone::{self, ChunkOpener};
use crate::custodian::Release;
use crate::deal::ItemId;
use crate::dealing::{Commitment, Dealing};
use crate::header::{Header, read_format};
use crate::id::{HeaderDigest, MAX_CUSTODIANS, RequestId, ShareIndex};
use crate::kem::KemKeyPair;
use crate::package::by_name;
use crate::record::Seal;
use crate::sharing::{self, SHARE_LEN, SaltedShare};

/// Shares that a dealer committed to, and that don't give the record's key.
///
/// *t* of them show it together with the body, whose first bytes are a commitment to its key;
/// *t*+1 show by themselves that not all lie on one polynomial. Everybody checks that without any secret.
///
/// **It reveals these shares.** The *t* of [`find`](Self::find) don't give the key, but all but one of them
/// may be good, so that whoever has one more good share opens the record. Where it still opens, deal
/// again first, and let the old shares be destroyed. The *t*+1 of
/// [`find_without_body`](Self::find_without_body) may give the key away at once.
///
/// Two faults of a dealer need no evidence or have none. That its root is not what the body's coins
/// give is seen by whoever may read the record ([`audit_deal`](crate::audit_deal)); to show it to an
/// auditor who may read, add a slot for them ([`Slots::add`](crate::Slots::add)). That it sealed a
/// custodian a share other than the committed one can't be shown: deals are not signed, and the custodian
/// would have to reveal its epoch key. It doesn't acknowledge such a share, which costs the dealer
/// the deposit.
pub struct DealerEvidence {
    item: ItemId,
    commitments: Vec<Commitment>,
    /// In ascending order of index, each once.
    shares: Vec<Revealed>,
}

struct Revealed {
    index: ShareIndex,
    share: SaltedShare,
}

impl DealerEvidence {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    /// *t* shares among those in `releases` that give another key than the body's, if there are such.
    ///
    /// To look for after [`CombineError::Inconsistent`](crate::CombineError::Inconsistent), or when the body
    /// refuses the combined key.
    pub fn find(
        reader: &KemKeyPair,
        request: RequestId,
        dealing: &Dealing,
        releases: &[Release],
        body: &[u8],
    ) -> Option<Self> {
        let (mut evidence, last) = Self::gather(reader, request, dealing, releases)?;
        // All t−1 first and one more: if each gives the key, all shares lie on one polynomial.
        let fixed = evidence.shares.len();
        for share in last {
            evidence.shares.push(share);
            if !commits_to(body, dealing.header(), &combine(&evidence.shares)?) {
                evidence.shares.sort_by_key(|share| share.index);
                return Some(evidence);
            }
            evidence.shares.truncate(fixed);
        }
        None
    }

    /// *t*+1 shares among those in `releases` that are not of one polynomial, if there are such: for who
    /// has no body.
    pub fn find_without_body(
        reader: &KemKeyPair,
        request: RequestId,
        dealing: &Dealing,
        releases: &[Release],
    ) -> Option<Self> {
        let (mut evidence, last) = Self::gather(reader, request, dealing, releases)?;
        let mut last = last.into_iter();
        evidence.shares.push(last.next()?);
        let enough = evidence.shares.len();
        for share in last {
            evidence.shares.push(share);
            if evidence.is_of_two_keys()? {
                evidence.shares.sort_by_key(|share| share.index);
                return Some(evidence);
            }
            evidence.shares.truncate(enough);
        }
        None
    }

    /// Which deal of which record it is about.
    pub fn item(&self) -> ItemId {
        self.item
    }

    /// Whether these *t* shares, to which the dealer committed, give another key than the body's.
    ///
    /// For the first deal the dealer is the author; who made a later one is known by whose anchor it is.
    /// Take `dealing` and `seal` **as they are anchored**: an author who signs a second body under one
    /// header could else blame whoever dealt the first one again.
    ///
    /// # Errors
    /// [`NoProof`]: it is no evidence.
    pub fn check(
        &self,
        dealing: &Dealing,
        header: &Header,
        body: &[u8],
        seal: &Seal,
        author: impl Into<AuthorKey>,
    ) -> Result<(), NoProof> {
        seal.verify(header, body, author)?;
        if dealing.header() != header.digest() {
            return Err(NoProof::Foreign);
        }
        self.check_committed(dealing, 0)?;
        let key = combine(&self.shares).ok_or(NoProof::GoodShares)?;
        if commits_to(body, dealing.header(), &key) {
            return Err(NoProof::GoodShares);
        }
        Ok(())
    }

    /// Whether these *t*+1 shares, to which the dealer committed, are of no one polynomial.
    ///
    /// Take `dealing` as it is anchored.
    ///
    /// # Errors
    /// [`NoProof`]: it is no evidence.
    pub fn check_without_body(&self, dealing: &Dealing) -> Result<(), NoProof> {
        self.check_committed(dealing, 1)?;
        if self.is_of_two_keys() != Some(true) {
            return Err(NoProof::GoodShares);
        }
        Ok(())
    }

    /// Checks that there are *t* shares and `more`, and that each is the one that was committed to.
    fn check_committed(&self, dealing: &Dealing, more: usize) -> Result<(), NoProof> {
        if self.item != dealing.item() {
            return Err(NoProof::Foreign);
        }
        let expected = usize::from(dealing.custodians().threshold.needed()) + more;
        let found = self.shares.len();
        if found != expected {
            return Err(NoProof::Shares { found, expected });
        }
        self.shares.iter().try_for_each(|revealed| {
            dealing
                .check(revealed.index, &revealed.share, &self.commitments)
                .map_err(|_| NoProof::NotCommitted)
        })
    }

    /// Whether *t*+1 shares give two keys, the last one and the one before it exchanged: so they do exactly if
    /// not all lie on one polynomial of degree *t*−1.
    fn is_of_two_keys(&self) -> Option<bool> {
        let [fixed @ .., one, other] = self.shares.as_slice() else {
            return None;
        };
        let (one, other) = (
            combine(fixed.iter().chain([one]))?,
            combine(fixed.iter().chain([other]))?,
        );
        Some(!bool::from(one.expose_bytes().ct_eq(other.expose_bytes())))
    }

    /// Evidence with the first *t*−1 good shares of the releases, and all others; `None` if there are
    /// fewer than *t*.
    fn gather(
        reader: &KemKeyPair,
        request: RequestId,
        dealing: &Dealing,
        releases: &[Release],
    ) -> Option<(Self, Vec<Revealed>)> {
        let names = by_name(&[dealing]);
        let (mut shares, mut commitments) = (Vec::<Revealed>::new(), Vec::new());
        for release in releases.iter().filter(|r| r.request() == request) {
            let index = release.index();
            for checked in release.package.open(reader, &names).into_iter().flatten() {
                let Ok(checked) = checked else { continue };
                if shares.iter().all(|known| known.index != index) {
                    commitments = checked.commitments;
                    let share = checked.share;
                    shares.push(Revealed { index, share });
                }
            }
        }
        let needed = usize::from(dealing.custodians().threshold.needed());
        if shares.len() < needed {
            return None;
        }
        let last = shares.split_off(needed - 1);
        let item = dealing.item();
        let evidence = Self {
            item,
            commitments,
            shares,
        };
        Some((evidence, last))
    }
}

fn combine<'a>(shares: impl IntoIterator<Item = &'a Revealed>) -> Option<ContentKey> {
    let points: Vec<_> = shares.into_iter().map(|s| (s.index, &s.share)).collect();
    sharing::combine(&points)
}

/// Whether the body's first bytes are a commitment to `key`.
fn commits_to(body: &[u8], header: HeaderDigest, key: &ContentKey) -> bool {
    body.first_chunk::<{ cobblestone::PREFIX_LEN }>()
        .is_some_and(|prefix| ChunkOpener::new(key, header.as_bytes(), prefix).is_ok())
}

impl fmt::Debug for DealerEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shares, header) = (self.shares.len(), self.item.header);
        write!(f, "DealerEvidence({shares} shares of {header}, secret)")
    }
}

impl Encode for DealerEvidence {
    fn encode(&self, e: &mut Encoder) {
        e.array(5)
            .uint(Self::FORMAT)
            .item(&self.item.header)
            .uint(self.item.deal_epoch);
        e.bytes(self.commitments.as_flattened()).item(&self.shares);
    }
}

impl Decode for DealerEvidence {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("DealerEvidence").array_exact(5)?;
        read_format(d, Self::FORMAT)?;
        let header = HeaderDigest::decode(d.at("header"))?;
        let deal_epoch = d.at("deal_epoch").uint()?;
        let most = usize::from(MAX_CUSTODIANS);
        let list = d.at("commitments").bytes(SHARE_LEN * most)?;
        let (commitments, []) = list.as_chunks::<SHARE_LEN>() else {
            return Err(d.invalid("commitments should have 32 bytes each (CS-ENV-56)"));
        };
        let commitments = commitments.to_vec();
        let shares: Vec<Revealed> = d.at("shares").list(most)?;
        if !shares.is_sorted_by(|a, b| a.index < b.index) {
            return Err(d.invalid("shares are not in ascending order of index (CS-ENV-69)"));
        }
        Ok(Self {
            item: ItemId { header, deal_epoch },
            commitments,
            shares,
        })
    }
}

impl Encode for Revealed {
    fn encode(&self, e: &mut Encoder) {
        e.array(3)
            .item(&self.index)
            .bytes(self.share.share.as_slice())
            .bytes(self.share.salt.as_slice());
    }
}

impl Decode for Revealed {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("revealed").array_exact(3)?;
        let index = ShareIndex::decode(d)?;
        let (share, salt) = (d.at("share").bytes_exact()?, d.at("salt").bytes_exact()?);
        Ok(Self {
            index,
            share: SaltedShare::copy_of(&share, &salt),
        })
    }
}
