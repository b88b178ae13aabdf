//! One deal of a record's shares, and the commitments that every share is checked against.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};

use crate::deal::ItemId;
use crate::hash::sha256;
use crate::header::{Header, RecordInfo};
use crate::id::{CommitmentRoot, CustodianSet, HeaderDigest, ShareIndex};
use crate::keys::KeyId;
use crate::secret::{SHALLOW, wiped};
use crate::sharing::SaltedShare;
use crate::{Suite, domain};

/// One deal of one record, as everybody sees it: what a share is checked against.
///
/// The header names the first deal, epoch 0. Each later one is anchored outside of the header, by
/// its epoch, set and root. Shares of two deals never combine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealing {
    scope: Scope,
    header: HeaderDigest,
    root: CommitmentRoot,
}

impl Dealing {
    /// The deal that the header names.
    pub fn initial(header: &Header) -> Self {
        Self {
            scope: Scope::of_header(header, 0, header.custodians()),
            header: header.digest(),
            root: header.commitments(),
        }
    }

    /// A later deal, from what is anchored about it.
    pub fn later(
        header: &Header,
        epoch: NonZeroU64,
        custodians: CustodianSet,
        root: CommitmentRoot,
    ) -> Self {
        let scope = Scope::of_header(header, epoch.get(), custodians);
        Self {
            scope,
            header: header.digest(),
            root,
        }
    }

    /// The suite of the record.
    pub fn suite(&self) -> Suite {
        self.scope.suite
    }

    /// The record's header.
    pub fn header(&self) -> HeaderDigest {
        self.header
    }

    /// 0 for the deal in the header, then 1, 2, ….
    pub fn epoch(&self) -> u64 {
        self.scope.epoch
    }

    /// Who gets shares.
    pub fn custodians(&self) -> CustodianSet {
        self.scope.custodians
    }

    /// The root of the share commitments.
    pub fn root(&self) -> CommitmentRoot {
        self.root
    }

    /// Its name inside a [`Deal`](crate::Deal) or a [`Release`](crate::Release).
    pub fn item(&self) -> ItemId {
        ItemId {
            header: self.header,
            deal_epoch: self.scope.epoch,
        }
    }

    /// Whether `commitments` are this deal's, and `share` is the one that they hold at `index`.
    pub(crate) fn check(
        &self,
        index: ShareIndex,
        share: &SaltedShare,
        commitments: &[Commitment],
    ) -> Result<(), NotCommitted> {
        if self.scope.root(commitments) != self.root {
            return Err(NotCommitted::List);
        }
        if commitments.get(index.place()) != Some(&self.scope.commit(index, share)) {
            return Err(NotCommitted::Share);
        }
        Ok(())
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// What doesn't match a deal's commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCommitted {
    List,
    Share,
}

impl Encode for Dealing {
    fn encode(&self, e: &mut Encoder) {
        e.array(6)
            .item(&self.scope.suite)
            .item(&self.header)
            .bytes(&self.scope.record);
        e.uint(self.scope.epoch)
            .item(&self.scope.custodians)
            .item(&self.root);
    }
}

impl Decode for Dealing {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Dealing").array_exact(6)?;
        let suite = Suite::decode(d)?;
        let header = HeaderDigest::decode(d.at("header"))?;
        let record = d.at("scope").bytes_exact()?;
        let epoch = d.at("epoch").uint()?;
        let custodians = CustodianSet::decode(d.at("custodians"))?;
        let root = CommitmentRoot::decode(d.at("root"))?;
        Ok(Self {
            scope: Scope {
                suite,
                record,
                epoch,
                custodians,
            },
            header,
            root,
        })
    }
}

/// A salted hash of one share.
pub(crate) type Commitment = [u8; 32];

/// Everything that a commitment is bound to: the header but for its root, which is made of
/// commitments, and the deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    suite: Suite,
    record: [u8; 32],
    epoch: u64,
    custodians: CustodianSet,
}

impl Scope {
    /// The scope of a record's first deal, before its header exists.
    pub(crate) fn of_new(info: &RecordInfo, author: KeyId) -> Self {
        Self::of_header(
            &Header::new(info, author, CommitmentRoot([0; 32])),
            0,
            info.custodians,
        )
    }

    fn of_header(header: &Header, epoch: u64, custodians: CustodianSet) -> Self {
        let version = header.version();
        let mut e = Encoder::new();
        e.array(6)
            .item(&header.suite())
            .item(&header.record_id())
            .item(&header.subject());
        e.uint(version.number())
            .item(&version.supersedes())
            .item(&header.author());
        let record = sha256(domain::SCOPE, &[&e.finish()]);
        Self {
            suite: header.suite(),
            record,
            epoch,
            custodians,
        }
    }

    pub(crate) fn custodians(&self) -> CustodianSet {
        self.custodians
    }

    /// Canonical bytes, the context from which a deal's coins are derived.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(4)
            .item(&self.suite)
            .bytes(&self.record)
            .uint(self.epoch)
            .item(&self.custodians);
        e.finish()
    }

    pub(crate) fn commit(&self, index: ShareIndex, salted: &SaltedShare) -> Commitment {
        let place = to_bytes(&index);
        let context = self.to_bytes();
        wiped::<SHALLOW, _>(|| {
            let parts: [&[u8]; 4] = [&context, &place, &*salted.salt, &*salted.share];
            sha256(domain::SHARE, &parts)
        })
    }

    pub(crate) fn commit_all(&self, shares: &[SaltedShare]) -> Vec<Commitment> {
        let indices = self.custodians.threshold.indices();
        indices
            .zip(shares)
            .map(|(index, share)| self.commit(index, share))
            .collect()
    }

    pub(crate) fn root(&self, commitments: &[Commitment]) -> CommitmentRoot {
        let list = commitments.as_flattened();
        CommitmentRoot(sha256(domain::COMMITMENTS, &[&self.to_bytes(), list]))
    }
}
