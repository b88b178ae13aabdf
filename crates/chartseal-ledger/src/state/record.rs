use chartseal_codec::canonical_struct;
use chartseal_policy::Confidentiality;
use chartseal_wire::{ActorId, HeaderDigest, OrgId, PatientId, RecordId, Time};

use crate::body::CustodianSet;
use crate::label::Labels;

/// A record's newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordState {
    /// Whose it is.
    pub patient: PatientId,
    /// Who wrote this version.
    pub author: ActorId,
    /// For which organization; the patient's id if it was the patient.
    pub org: OrgId,
    /// The organization that filed its first version; the patient's id if it was the patient.
    pub filed_by: OrgId,
    /// From 1.
    pub version: u64,
    /// The digest of its envelope header.
    pub header: HeaderDigest,
    /// The BLAKE3 digest of its sealed body.
    pub body: [u8; 32],
    /// The sealed body's length in bytes.
    pub length: u64,
    /// How confidential it is.
    pub confidentiality: Confidentiality,
    /// Its labels.
    pub labels: Labels,
    /// The encounter that it is from, blinded.
    pub encounter: Option<[u8; 16]>,
    /// When it was written.
    pub authored: Time,
    /// Not shown to the patient before.
    pub release_at: Option<Time>,
    /// To whom its shares were dealt.
    pub custodians: CustodianSet,
    /// Whether the patient had it erased.
    pub erased: bool,
    /// The custodians that attested destruction: bit *i* − 1 for index *i*.
    pub destroyed: u64,
}

canonical_struct!(RecordState {
    patient,
    author,
    org,
    filed_by,
    version,
    header,
    body,
    length,
    confidentiality,
    labels,
    encounter,
    authored,
    release_at,
    custodians,
    erased,
    destroyed,
});

/// How far the key shares of one version are deposited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositState {
    /// The record.
    pub record: RecordId,
    /// Its version.
    pub version: u64,
    /// To whom its shares were dealt.
    pub custodians: CustodianSet,
    /// The custodians that acknowledged: bit *i* − 1 for index *i*.
    pub acknowledged: u64,
}

canonical_struct!(DepositState {
    record,
    version,
    custodians,
    acknowledged
});

/// How safe a version's key is against custodians that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deposited {
    /// Fewer than *n* − *f* custodians acknowledged: the author still has to resend.
    NotYet,
    /// At least *n* − *f* did: it opens although *f* of all fail.
    Deposited,
    /// All *n* did.
    Durable,
}

impl DepositState {
    /// Whether the custodian of this index did.
    pub fn is_acknowledged_by(&self, index: u64) -> bool {
        self.acknowledged & bit(index) != 0
    }

    /// How many custodians acknowledged.
    pub fn count(&self) -> u64 {
        u64::from(self.acknowledged.count_ones())
    }

    /// What that number means. As *t* = 2*f* + 1 of *n* = 3*f* + 1, *n* − *f* is *t*.
    pub fn status(&self) -> Deposited {
        status(self.acknowledged, self.custodians)
    }
}

/// The bit of a custodian's index, from 1, in a set of custodians.
pub(crate) fn bit(index: u64) -> u64 {
    u32::try_from(index.saturating_sub(1))
        .ok()
        .and_then(|by| 1u64.checked_shl(by))
        .unwrap_or(0)
}

pub(super) fn status(acknowledged: u64, custodians: CustodianSet) -> Deposited {
    match u64::from(acknowledged.count_ones()) {
        count if count >= custodians.n => Deposited::Durable,
        count if count >= custodians.t => Deposited::Deposited,
        _ => Deposited::NotYet,
    }
}
