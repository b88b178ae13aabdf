use chartseal_codec::canonical_struct;
use chartseal_merkle::Frontier;
use chartseal_wire::{ActorId, OrgId, PatientId, Time, TxId};

/// Nobody's id: what is counted of attempts on patients who don't exist is under it.
pub const NOBODY: PatientId = PatientId([0; 16]);

/// One actor's denied attempts on one patient in the window that ends at `until`: those that named the
/// patient, or those that asked for the patient's records under another name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denials {
    /// The end of the window, exclusive.
    pub until: Time,
    /// How many are listed one by one.
    pub listed: u64,
    /// Those that are counted.
    pub counted: Option<Counted>,
}

canonical_struct!(Denials {
    until,
    listed,
    counted
});

/// Attempts that are counted and not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The log of their transactions' ids.
    pub log: Frontier,
    /// The last of them.
    pub last: TxId,
}

canonical_struct!(Counted { log, last });

/// A count that is entered at the end of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlood {
    /// The end of the window, exclusive.
    pub until: Time,
    /// Who.
    pub actor: ActorId,
    /// For which organization.
    pub org: OrgId,
    /// Whom they named, or [`NOBODY`] if there is no such patient; or whose records they were.
    pub patient: PatientId,
    /// Whether they named another patient.
    pub foreign_claim: bool,
}

canonical_struct!(OpenFlood {
    until,
    actor,
    org,
    patient,
    foreign_claim
});

/// The denied attempts for which an organization answers, in the window that ends at `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrgDenials {
    /// The end of the window, exclusive.
    pub until: Time,
    /// How many there were, listed or counted.
    pub count: u64,
}

canonical_struct!(OrgDenials { until, count });
