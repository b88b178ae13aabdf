//! How far a record's shares are known to have arrived.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use thiserror::Error;

use crate::custodian::Acknowledgement;
use crate::dealing::Dealing;
use crate::id::ShareIndex;

/// Collects acknowledgements of one deal.
#[derive(Clone, Debug)]
pub struct Deposit {
    dealing: Dealing,
    acknowledged: BTreeSet<ShareIndex>,
}

impl Deposit {
    /// None yet.
    pub fn new(dealing: &Dealing) -> Self {
        Self {
            dealing: dealing.clone(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// Counts one; the same one twice counts once.
    ///
    /// # Errors
    /// [`ForeignAcknowledgement`] if it is of another record or deal, or from outside of the set.
    pub fn add(&mut self, ack: &Acknowledgement) -> Result<(), ForeignAcknowledgement> {
        let same = ack.header == self.dealing.header() && ack.deal_epoch == self.dealing.epoch();
        if !same || !self.dealing.custodians().threshold.has(ack.index) {
            return Err(ForeignAcknowledgement);
        }
        self.acknowledged.insert(ack.index);
        Ok(())
    }

    /// Custodians that did not acknowledge yet: resend them their deals.
    pub fn missing(&self) -> Vec<ShareIndex> {
        let all = self.dealing.custodians().threshold.indices();
        all.filter(|index| !self.acknowledged.contains(index))
            .collect()
    }

    /// Whether all but `faulty` (*f*) custodians acknowledged: the record is *deposited*.
    pub fn is_deposited(&self, faulty: u8) -> bool {
        self.missing().len() <= faulty.into()
    }

    /// Whether all acknowledged: the record is *durable*.
    pub fn is_durable(&self) -> bool {
        self.missing().is_empty()
    }
}

/// An acknowledgement of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("acknowledgement is of another record, deal or set (CS-ENV-47)")]
pub struct ForeignAcknowledgement;
