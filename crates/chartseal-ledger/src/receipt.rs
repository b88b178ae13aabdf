use alloc::vec::Vec;

use chartseal_wire::history::Outcome;
use chartseal_wire::{ActorId, PatientId, Time, TxId};

/// What became of a transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub tx: TxId,
    /// Who signed it.
    pub actor: ActorId,
    /// Its effect.
    pub effect: Effect,
}

/// A transaction's effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// It did what it says.
    Applied,
    /// It asked for records, and this was decided.
    Decided(Decided),
}

/// A request's decision, with the reasons. For the patient and the auditor: a requester is told
/// [`Outcome::permitted`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The patient whom the request named.
    pub patient: PatientId,
    /// Each record asked for, in the request's order.
    pub records: Vec<Outcome>,
    /// Until when custodians may release, if anything was permitted to be read or exported.
    pub release_until: Option<Time>,
}
