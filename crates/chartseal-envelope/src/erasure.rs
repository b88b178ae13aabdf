//! What must be destroyed so that nobody ever opens a record again.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::dealing::Dealing;
use crate::header::Header;
use crate::id::{CustodianSet, HeaderDigest, ShareIndex};
use crate::keys::KeyId;

/// One thing to destroy, restored backups included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErasureItem {
    /// The share that a custodian of a deal holds.
    Share {
        /// Which deal of the record, from 0.
        deal_epoch: u64,
        /// Which custodian.
        custodian: ShareIndex,
    },
    /// Deals of this record that their dealer kept to resend them.
    KeptDeals {
        /// Which deal of the record, from 0.
        deal_epoch: u64,
    },
    /// The slot of a recipient, wherever it was copied to, or that recipient's secret key.
    Slot {
        /// The KEM key that the record's key is sealed to.
        recipient: KeyId,
    },
    /// The body's ciphertext, in every store.
    Body,
    /// Sealed texts about the record.
    SealedTexts,
    /// Salts of commitments to anything about the record.
    Salts,
}

/// What must be destroyed for one header, and what was attested to be.
///
/// That something was destroyed is attested, never proved. The key is gone when no slot is left and,
/// for every deal, fewer than *t* shares: *n*−*t*+1 custodians are enough. The rest is so that no leak
/// of shares brings it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureChecklist {
    header: HeaderDigest,
    deals: BTreeMap<u64, CustodianSet>,
    items: BTreeMap<ErasureItem, bool>,
}

impl ErasureChecklist {
    /// The list for one record version: the deal in its header, **all** later ones, and the recipient of
    /// **every** slot that it ever had.
    ///
    /// Deals of other records are ignored.
    pub fn new(
        header: &Header,
        later: &[&Dealing],
        slots: impl IntoIterator<Item = KeyId>,
    ) -> Self {
        let (first, header) = ((0, header.custodians()), header.digest());
        let own = later.iter().filter(|dealing| dealing.header() == header);
        let own = own.map(|deal| (deal.epoch(), deal.custodians()));
        let deals: BTreeMap<_, _> = core::iter::once(first).chain(own).collect();
        let mut items: BTreeMap<_, _> = [
            ErasureItem::Body,
            ErasureItem::SealedTexts,
            ErasureItem::Salts,
        ]
        .map(|item| (item, false))
        .into();
        let slots = slots.into_iter();
        items.extend(slots.map(|recipient| (ErasureItem::Slot { recipient }, false)));
        for (&deal_epoch, set) in &deals {
            items.insert(ErasureItem::KeptDeals { deal_epoch }, false);
            for custodian in set.threshold.indices() {
                items.insert(
                    ErasureItem::Share {
                        deal_epoch,
                        custodian,
                    },
                    false,
                );
            }
        }
        Self {
            header,
            deals,
            items,
        }
    }

    /// The record version.
    pub fn header(&self) -> HeaderDigest {
        self.header
    }

    /// Notes that `item` was destroyed. Whether it is on the list.
    pub fn attest(&mut self, item: ErasureItem) -> bool {
        self.items.get_mut(&item).map(|done| *done = true).is_some()
    }

    /// What is not attested yet.
    pub fn outstanding(&self) -> Vec<ErasureItem> {
        self.items
            .iter()
            .filter(|(_, done)| !**done)
            .map(|(item, _)| *item)
            .collect()
    }

    /// Whether, if the attestations are true, no slot and too few shares of every deal are left.
    pub fn key_is_gone(&self) -> bool {
        let is_slot = |item: &ErasureItem| matches!(item, ErasureItem::Slot { .. });
        if self.items.iter().any(|(item, done)| is_slot(item) && !done) {
            return false;
        }
        self.deals.iter().all(|(&deal_epoch, set)| {
            let left = set.threshold.indices().filter(|&custodian| {
                self.items.get(&ErasureItem::Share {
                    deal_epoch,
                    custodian,
                }) == Some(&false)
            });
            let kept = self.items.get(&ErasureItem::KeptDeals { deal_epoch }) == Some(&false);
            !kept && left.count() < usize::from(set.threshold.needed())
        })
    }

    /// Whether everything is attested.
    pub fn is_complete(&self) -> bool {
        self.items.values().all(|done| *done)
    }
}
