use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct};
use chartseal_policy::Position;
use chartseal_wire::history::Token;
use chartseal_wire::{ActorId, DirectiveId, HeaderDigest, OrgId, PatientId, RecordId, Time};

use super::record::bit;

/// An access request, as custodians and reviewers need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestState {
    /// Who asked.
    pub actor: ActorId,
    /// For which organization.
    pub org: OrgId,
    /// The patient whom they named.
    pub patient: PatientId,
    /// The action.
    pub action: Token,
    /// The purpose of use.
    pub purpose: Token,
    /// The digest of the ephemeral KEM public key to which custodians release.
    pub reader: [u8; 32],
    /// The block time of the decision.
    pub decided: Time,
    /// Its position.
    pub position: Position,
    /// The records that were permitted to be read or exported, in the request's order. A permit to
    /// search, create or amend releases nothing.
    pub permits: Vec<Permit>,
    /// The declaration on which a permit rests, if one rests on any.
    pub emergency: Option<DirectiveId>,
    /// Whether that emergency access was reviewed.
    pub reviewed: bool,
}

canonical_struct!(RequestState {
    actor,
    org,
    patient,
    action,
    purpose,
    reader,
    decided,
    position,
    permits,
    emergency,
    reviewed,
});

impl RequestState {
    /// The permit for a record.
    pub fn permit(&self, record: &RecordId) -> Option<&Permit> {
        self.permits.iter().find(|permit| permit.record == *record)
    }

    /// Until when something may be released; `None` if nothing may.
    pub fn release_until(&self) -> Option<Time> {
        self.permits.iter().map(|permit| permit.until).max()
    }
}

/// The permit for one record of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The record.
    pub record: RecordId,
    /// The version that was its head.
    pub header: HeaderDigest,
    /// Custodians release before this moment: the decision's own end, or the release window's.
    pub until: Time,
    /// The custodians whose receipts for shares of `deal` came: bit *i* − 1 for index *i* in its set.
    pub released: u64,
    /// The deal that was released from last, at first the one of the decision; 0 is the one that the
    /// header names. Another deal's receipts are of another set, so they are not counted together.
    pub deal: u64,
}

impl Encode for Permit {
    /// The first deal is left out: values from before deals were named stay as they are.
    fn encode(&self, e: &mut Encoder) {
        e.array(if self.deal == 0 { 4 } else { 5 });
        e.item(&self.record)
            .item(&self.header)
            .item(&self.until)
            .uint(self.released);
        if self.deal != 0 {
            e.uint(self.deal);
        }
    }
}

impl Decode for Permit {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let len = d.at("Permit").array(5)?;
        if len < 4 {
            return Err(d.invalid("a permit has four items, or five with a later deal's number"));
        }
        Ok(Self {
            record: RecordId::decode(d.at("record"))?,
            header: HeaderDigest::decode(d.at("header"))?,
            until: Time::decode(d.at("until"))?,
            released: d.at("released").uint()?,
            deal: if len == 5 {
                d.at("deal").uint_in(1, u64::MAX)?
            } else {
                0
            },
        })
    }
}

impl Permit {
    /// Whether there is the receipt of the custodian with this index in the set of a deal.
    pub fn is_released_by(&self, deal: u64, index: u64) -> bool {
        self.deal == deal && self.released & bit(index) != 0
    }

    /// Takes note of a receipt: one of another deal than before begins anew.
    pub(crate) fn release(&mut self, deal: u64, index: u64) {
        if self.deal != deal {
            (self.deal, self.released) = (deal, 0);
        }
        self.released |= bit(index);
    }
}

/// An emergency that may still be open, or whose accesses wait for a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenEmergency {
    /// The declaration.
    pub declaration: DirectiveId,
    /// Who declared it.
    pub actor: ActorId,
    /// When it ends.
    pub until: Time,
    /// How many accesses under it wait for a review.
    pub unreviewed: u64,
}

canonical_struct!(OpenEmergency {
    declaration,
    actor,
    until,
    unreviewed
});

/// An organization's declaration about a patient, as it lies among that patient's directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The declaration.
    pub id: DirectiveId,
    /// Its place.
    pub place: u64,
    /// When it ends.
    pub until: Time,
}

canonical_struct!(Declared { id, place, until });

impl OpenEmergency {
    /// Whether it counts towards the caps: still open, or not reviewed.
    pub fn is_live(&self, now: Time) -> bool {
        now < self.until || self.unreviewed > 0
    }

    /// Whether its reviews are late: they are due `review_within_ms` after its end.
    pub fn is_overdue(&self, now: Time, review_within_ms: u64) -> bool {
        self.unreviewed > 0 && self.until.plus_ms(review_within_ms) < now
    }
}
