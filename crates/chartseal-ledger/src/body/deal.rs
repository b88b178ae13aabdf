use chartseal_codec::canonical_struct;
use chartseal_wire::{HeaderDigest, RecordId, RequestId};

use super::CustodianSet;

/// The key of a record's newest version is dealt anew to this epoch's committee, by the patient or a
/// reader whose permitted read is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redealt {
    /// The record.
    pub record: RecordId,
    /// Its newest version's envelope header.
    pub header: HeaderDigest,
    /// The deal's number: from 1, without gaps. The deal that the header names has 0.
    pub deal: u64,
    /// To whom: this epoch's committee.
    pub custodians: CustodianSet,
    /// The root of the commitments to the shares.
    pub root: [u8; 32],
    /// The permitted read by which the dealer has the key; `None`: the patient.
    pub request: Option<RequestId>,
}

canonical_struct!(Redealt {
    record,
    header,
    deal,
    custodians,
    root,
    request
});

/// A custodian has checked its share of a re-deal and keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedealAcknowledged {
    /// The record.
    pub record: RecordId,
    /// The version's envelope header.
    pub header: HeaderDigest,
    /// The deal's number.
    pub deal: u64,
    /// The custodian's index, from 1.
    pub index: u64,
}

canonical_struct!(RedealAcknowledged {
    record,
    header,
    deal,
    index
});
