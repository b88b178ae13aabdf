use chartseal_codec::canonical_struct;
use chartseal_wire::{ActorId, HeaderDigest, RecordId};

use super::record::{Deposited, bit, status};
use crate::body::CustodianSet;

/// A version's key, dealt anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DealState {
    /// The record.
    pub record: RecordId,
    /// To whom its shares were dealt.
    pub custodians: CustodianSet,
    /// The root of the commitments to the shares.
    pub root: [u8; 32],
    /// Who dealt it.
    pub by: ActorId,
    /// The custodians that acknowledged: bit *i* − 1 for index *i*.
    pub acknowledged: u64,
}

canonical_struct!(DealState {
    record,
    custodians,
    root,
    by,
    acknowledged
});

impl DealState {
    /// Whether the custodian of this index acknowledged.
    pub fn is_acknowledged_by(&self, index: u64) -> bool {
        self.acknowledged & bit(index) != 0
    }

    /// How safe the key is by this deal.
    pub fn status(&self) -> Deposited {
        status(self.acknowledged, self.custodians)
    }
}

/// The numbers of a version's deals; 0 is the one that its header names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deals {
    /// The newest one.
    pub newest: u64,
    /// The newest one that all its custodians acknowledged, else 0: the one that releases are of.
    pub durable: u64,
}

canonical_struct!(Deals { newest, durable });

/// A version's content key, sealed to the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// The record.
    pub record: RecordId,
    /// The version.
    pub header: HeaderDigest,
    /// The digest of the KEM public key that opens it.
    pub kem: [u8; 32],
    /// The digest of the sealed slot.
    pub slot: [u8; 32],
    /// Who sealed it.
    pub by: ActorId,
}

canonical_struct!(SlotState {
    record,
    header,
    kem,
    slot,
    by
});
