//! What a reader does with releases: check them, name the liars, combine the rest.

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::ContentKey;
use crate::custodian::Release;
use crate::deal::{ItemId, expected_root};
use crate::dealing::Dealing;
use crate::id::{RequestId, ShareIndex};
use crate::kem::KemKeyPair;
use crate::opened::OpenedInfo;
use crate::package::{ShareFault, by_name};
use crate::sharing::{self, SaltedShare};

/// A key, and who lied on the way to it.
#[derive(Debug)]
pub struct Combined {
    /// The key, from shares that all match their commitments.
    pub key: ContentKey,
    /// Releases that were refused.
    pub faults: Vec<Fault>,
}

/// One release that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("custodian {custodian}: {why}")]
pub struct Fault {
    /// Whose release it said it was. Only its transport can prove that.
    pub custodian: ShareIndex,
    /// What was wrong with it.
    pub why: ShareFault,
}

/// Opens the releases for one request and combines the shares of one record.
///
/// `reader` is the request's ephemeral key. Any *t* shares that match their commitments give the
/// key, however many others are wrong; if there are more than *t*, they must all agree.
///
/// A release names its custodian, and nothing in it proves that: the caller drops, or takes as its
/// sender's fault, a release whose [`index`](Release::index) is not its sender's.
///
/// # Errors
/// [`CombineError`], which counts what is missing and names who lied.
pub fn combine(
    reader: &KemKeyPair,
    request: RequestId,
    dealing: &Dealing,
    releases: &[Release],
) -> Result<Combined, CombineError> {
    let mut all = combine_all(reader, request, &[dealing], releases);
    all.pop()
        .unwrap_or_else(|| Err(Gathered::default().shortage(dealing)))
}

/// As [`combine`], for many records: one result for each of `dealings`, in their order.
pub fn combine_all(
    reader: &KemKeyPair,
    request: RequestId,
    dealings: &[&Dealing],
    releases: &[Release],
) -> Vec<Result<Combined, CombineError>> {
    let names = by_name(dealings);
    let mut gathered: alloc::collections::BTreeMap<ItemId, Gathered> =
        names.keys().map(|id| (*id, Gathered::default())).collect();
    for release in releases {
        let index = release.index();
        let opened = if release.request() == request {
            release.package.open(reader, &names)
        } else {
            Err(ShareFault::Request)
        };
        match opened {
            Ok(items) => {
                for (id, item) in release.items().zip(items) {
                    // What nobody asked for is a fault of the items behind it only.
                    if let Some(gathered) = gathered.get_mut(&id) {
                        gathered.add(index, item.map(|checked| checked.share));
                    }
                }
            }
            // A fault of the records that it names alone: in another committee the index is somebody else's.
            Err(why) => {
                for id in release.items() {
                    if let Some(gathered) = gathered.get_mut(&id) {
                        gathered.add(index, Err(why));
                    }
                }
            }
        }
    }
    let results = dealings.iter().map(|dealing| {
        gathered
            .get(&dealing.item())
            .unwrap_or(&Gathered::default())
            .combine(dealing)
    });
    results.collect()
}

/// What came in for one record.
#[derive(Default)]
struct Gathered {
    shares: Vec<(ShareIndex, SaltedShare)>,
    faults: Vec<Fault>,
}

impl Gathered {
    fn add(&mut self, custodian: ShareIndex, share: Result<SaltedShare, ShareFault>) {
        let known = self.shares.iter().any(|(index, _)| *index == custodian);
        match share {
            Ok(_) if known => self.faults.push(Fault {
                custodian,
                why: ShareFault::Duplicate,
            }),
            Ok(share) => self.shares.push((custodian, share)),
            Err(why) => self.faults.push(Fault { custodian, why }),
        }
    }

    fn combine(&self, dealing: &Dealing) -> Result<Combined, CombineError> {
        let needed = usize::from(dealing.custodians().threshold.needed());
        let shares: Vec<_> = self
            .shares
            .iter()
            .map(|(index, share)| (*index, share))
            .collect();
        let Some((enough, more)) = shares.split_at_checked(needed) else {
            return Err(self.shortage(dealing));
        };
        let key = sharing::combine(enough).ok_or(CombineError::Inconsistent)?;
        // Exchanging the last share for another one gives the same key exactly if that one lies on
        // the same polynomial: two that agree on t-1 shares and at zero are the same.
        let fixed = enough.get(..needed - 1).unwrap_or_default();
        for extra in more {
            let other = sharing::combine(&[fixed, &[*extra]].concat());
            let agrees = |other: ContentKey| other.expose_bytes().ct_eq(key.expose_bytes()).into();
            if !other.is_some_and(agrees) {
                return Err(CombineError::Inconsistent);
            }
        }
        Ok(Combined {
            key,
            faults: self.faults.clone(),
        })
    }

    fn shortage(&self, dealing: &Dealing) -> CombineError {
        let threshold = dealing.custodians().threshold;
        let given = |index: &ShareIndex| self.shares.iter().any(|(known, _)| known == index);
        CombineError::NotEnough(Shortage {
            have: self.shares.len(),
            need: threshold.needed().into(),
            missing: threshold.indices().filter(|index| !given(index)).collect(),
            faults: self.faults.clone(),
        })
    }
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CombineError {
    /// Fewer than *t* good shares.
    #[error("{0} (CS-ENV-60)")]
    NotEnough(Shortage),
    /// Shares that match their commitments don't lie on one polynomial: the **dealer** cheated.
    #[error("committed shares are not of one key: the dealer cheated (CS-ENV-61)")]
    Inconsistent,
}

/// How many good shares there are, and why not more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Good shares.
    pub have: usize,
    /// *t*.
    pub need: usize,
    /// Custodians of which there is no good share.
    pub missing: Vec<ShareIndex>,
    /// Releases that were refused.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} needed shares; none from custodian ",
            self.have, self.need
        )?;
        for (i, index) in self.missing.iter().enumerate() {
            write!(f, "{}{index}", if i == 0 { "" } else { ", " })?;
        }
        self.faults
            .iter()
            .try_for_each(|fault| write!(f, "; {fault}"))
    }
}

/// Whether the dealer dealt what an honest dealer of this record deals.
///
/// The coins in the body fix every share, salt and commitment, so whoever opened a record can deal
/// again and compare roots. If the root is right, a release that was refused for its share is its
/// custodian's fault: a custodian checks its share before it acknowledges it.
///
/// A cheating dealer can also make a record that nobody opens: [`CombineError::Inconsistent`], or a
/// key from *t* committed shares that the body refuses, say so.
pub fn audit_deal(opened: &OpenedInfo, dealing: &Dealing) -> DealVerdict {
    if expected_root(dealing.scope(), opened.key(), opened.coins()) == dealing.root() {
        DealVerdict::Honest
    } else {
        DealVerdict::DealerCheated
    }
}

/// What [`audit_deal`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealVerdict {
    /// Every share and commitment is what the body says.
    Honest,
    /// The dealer committed to something else.
    DealerCheated,
}
