//! Shares of many records under one HPKE context: what a deal and a release have in common.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::deal::{ItemId, MAX_RECORDS};
use crate::dealing::{Commitment, Dealing, NotCommitted};
use crate::header::read_format;
use crate::hpke::{Refused, Sender, TAG_LEN};
use crate::id::{HeaderDigest, MAX_CUSTODIANS, RequestId, ShareIndex};
use crate::kem::{KemKeyPair, KemPublicKey};
use crate::keys::KeyId;
use crate::sharing::{SHARE_LEN, SaltedShare};
use crate::{Suite, domain};

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Deal,
    Release(RequestId),
}

impl Use {
    fn domain(self) -> &'static str {
        match self {
            Self::Deal => domain::DEAL,
            Self::Release(_) => domain::RELEASE,
        }
    }

    fn request(self) -> Option<RequestId> {
        match self {
            Self::Deal => None,
            Self::Release(request) => Some(request),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) suite: Suite,
    pub(crate) usage: Use,
    pub(crate) index: ShareIndex,
    pub(crate) recipient: KeyId,
    enc: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    id: ItemId,
    ciphertext: Vec<u8>,
}

impl Item {
    pub(crate) fn id(&self) -> ItemId {
        self.id
    }
}

/// What one item holds, once it was opened and checked.
pub(crate) struct Checked {
    pub(crate) share: SaltedShare,
    pub(crate) commitments: Vec<Commitment>,
}

/// Why a share that somebody sent is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShareFault {
    /// Package and record are of different suites, or the key is of another KEM.
    #[error("share, record and key are of different suites (CS-ENV-06)")]
    Suite,
    /// It is sealed to another key, a past epoch's for example.
    #[error("sealed to another key (CS-ENV-50)")]
    Recipient,
    /// It answers another request.
    #[error("answers another request (CS-ENV-51)")]
    Request,
    /// It is the share of another custodian, or of one outside of the set.
    #[error("share of another custodian, or of none of the set (CS-ENV-52)")]
    Index,
    /// It is about a record or a deal that was not asked for.
    #[error("about a record or a deal that was not asked for (CS-ENV-53)")]
    Foreign,
    /// HPKE refused it: altered, for another header, another deal, threshold or place.
    #[error("not what was sealed for this record and deal (CS-ENV-54)")]
    Sealing,
    /// An item before it in the same package was refused, so this one can't be opened.
    #[error("behind a refused share in the same package (CS-ENV-55)")]
    Behind,
    /// The plaintext's length is not a share, a salt and *n* commitments.
    #[error("not a share, a salt and one commitment for each custodian (CS-ENV-56)")]
    Layout,
    /// The list of commitments is not the one under the deal's root.
    #[error("commitments are not those of this deal (CS-ENV-57)")]
    Commitments,
    /// The share is not the one that was committed to.
    #[error("share does not match its commitment (CS-ENV-58)")]
    Share,
    /// This custodian's share of this record was already given.
    #[error("this custodian gave its share already (CS-ENV-59)")]
    Duplicate,
}

impl From<NotCommitted> for ShareFault {
    fn from(what: NotCommitted) -> Self {
        match what {
            NotCommitted::List => Self::Commitments,
            NotCommitted::Share => Self::Share,
        }
    }
}

/// Makes a package.
pub(crate) struct Packer {
    package: Package,
    sender: Sender,
}

impl Packer {
    pub(crate) fn new(
        suite: Suite,
        usage: Use,
        index: ShareIndex,
        to: &KemPublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Refused> {
        let (enc, sender) = to.sender(usage.domain(), &context(usage, index), rng)?;
        let package = Package {
            suite,
            usage,
            index,
            recipient: to.key_id(),
            enc,
            items: Vec::new(),
        };
        Ok(Self { package, sender })
    }

    pub(crate) fn push(
        &mut self,
        dealing: &Dealing,
        share: &SaltedShare,
        commitments: &[Commitment],
    ) -> Result<(), Refused> {
        let mut plaintext = Zeroizing::new(Vec::with_capacity(max_plaintext()));
        plaintext.extend_from_slice(share.share.as_slice());
        plaintext.extend_from_slice(share.salt.as_slice());
        plaintext.extend_from_slice(commitments.as_flattened());
        let ciphertext = self.sender.seal(&plaintext, &self.package.aad(dealing))?;
        let id = dealing.item();
        self.package.items.push(Item { id, ciphertext });
        Ok(())
    }

    pub(crate) fn finish(self) -> Package {
        self.package
    }
}

impl Package {
    /// Opens every item and checks it against the deal of `dealings` that it is about.
    ///
    /// HPKE opens in order: what stands behind a refused item can't be opened.
    pub(crate) fn open(
        &self,
        keys: &KemKeyPair,
        dealings: &BTreeMap<ItemId, &Dealing>,
    ) -> Result<Vec<Result<Checked, ShareFault>>, ShareFault> {
        if keys.kem() != self.suite.kem() {
            return Err(ShareFault::Suite);
        }
        if keys.key_id() != self.recipient {
            return Err(ShareFault::Recipient);
        }
        let context = context(self.usage, self.index);
        let mut receiver = keys
            .receiver(self.usage.domain(), &context, &self.enc)
            .map_err(|_| ShareFault::Sealing)?;
        let mut in_step = true;
        let opened = self.items.iter().map(|item| {
            if !in_step {
                return Err(ShareFault::Behind);
            }
            in_step = false;
            let dealing = dealings.get(&item.id).ok_or(ShareFault::Foreign)?;
            if dealing.suite() != self.suite {
                return Err(ShareFault::Suite);
            }
            if !dealing.custodians().threshold.has(self.index) {
                return Err(ShareFault::Index);
            }
            let plaintext = receiver
                .open(&item.ciphertext, &self.aad(dealing))
                .map_err(|_| ShareFault::Sealing)?;
            in_step = true;
            self.check(dealing, &plaintext)
        });
        Ok(opened.collect())
    }

    fn check(&self, dealing: &Dealing, plaintext: &[u8]) -> Result<Checked, ShareFault> {
        let total = usize::from(dealing.custodians().threshold.total());
        let (parts, rest) = plaintext.as_chunks::<SHARE_LEN>();
        let ([share, salt, commitments @ ..], []) = (parts, rest) else {
            return Err(ShareFault::Layout);
        };
        if commitments.len() != total {
            return Err(ShareFault::Layout);
        }
        let share = SaltedShare::copy_of(share, salt);
        dealing.check(self.index, &share, commitments)?;
        Ok(Checked {
            share,
            commitments: commitments.to_vec(),
        })
    }

    /// Request, custodian, recipient, and everything about the deal: record, epoch, set, *t*, *n*.
    fn aad(&self, dealing: &Dealing) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(4)
            .item(&self.usage.request())
            .item(&self.index)
            .item(&self.recipient);
        e.item(dealing);
        e.finish()
    }

    /// Reads a deal or a release; only the second names a request.
    pub(crate) fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("package").array_exact(7)?;
        read_format(d, FORMAT)?;
        let suite = Suite::decode(d)?;
        let request: Option<RequestId> = Option::decode(d.at("request"))?;
        let usage = request.map_or(Use::Deal, Use::Release);
        let index = ShareIndex::decode(d.at("index"))?;
        let recipient = KeyId::decode(d.at("recipient"))?;
        let enc = d.at("enc").bytes(suite.encapsulated_len())?;
        if enc.len() != suite.encapsulated_len() {
            return Err(d.invalid("encapsulated key is not of the suite's length (CS-ENV-07)"));
        }
        let enc = enc.to_vec();
        let items = d.at("items").list(MAX_RECORDS)?;
        if items.is_empty() {
            return Err(d.invalid("no record, should be 1 to 65536 (CS-ENV-41)"));
        }
        Ok(Self {
            suite,
            usage,
            index,
            recipient,
            enc,
            items,
        })
    }
}

/// The format's version.
const FORMAT: u64 = 1;

fn context(usage: Use, index: ShareIndex) -> Vec<u8> {
    to_bytes(&(usage.request(), index))
}

/// A share, a salt, and a commitment for each of 64 custodians.
const fn max_plaintext() -> usize {
    (2 + MAX_CUSTODIANS as usize) * SHARE_LEN
}

impl Encode for Package {
    fn encode(&self, e: &mut Encoder) {
        e.array(7)
            .uint(FORMAT)
            .item(&self.suite)
            .item(&self.usage.request())
            .item(&self.index);
        e.item(&self.recipient).bytes(&self.enc).item(&self.items);
    }
}

impl Encode for Item {
    fn encode(&self, e: &mut Encoder) {
        e.array(3)
            .item(&self.id.header)
            .uint(self.id.deal_epoch)
            .bytes(&self.ciphertext);
    }
}

impl Decode for Item {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("item").array_exact(3)?;
        let header = HeaderDigest::decode(d.at("header"))?;
        let deal_epoch = d.at("deal_epoch").uint()?;
        let ciphertext = d
            .at("ciphertext")
            .bytes(max_plaintext() + TAG_LEN)?
            .to_vec();
        Ok(Self {
            id: ItemId { header, deal_epoch },
            ciphertext,
        })
    }
}

/// The deals that a package may be about, by name.
pub(crate) fn by_name<'a>(dealings: &[&'a Dealing]) -> BTreeMap<ItemId, &'a Dealing> {
    let named = dealings.iter().map(|dealing| (dealing.item(), *dealing));
    named.collect()
}
