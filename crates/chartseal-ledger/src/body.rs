//! What a transaction says: one body about one subject, a file for each concern.

mod access;
mod adoption;
mod committee;
mod deal;
mod directive;
mod dispute;
mod emergency;
mod erasure;
mod guardian;
mod hold;
mod key;
mod organization;
mod patient;
mod practitioner;
mod record;
mod recovery;
mod slot;
mod status;

use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_enum};
use chartseal_wire::domain::{SECOND_OFFICE, tagged};
use chartseal_wire::{ChainId, PublicKey};

pub use access::{AccessRequested, Released};
pub use adoption::{Adopted, DuplicateOf};
pub use committee::{CommitteeChanged, NextMember};
pub use deal::{RedealAcknowledged, Redealt};
pub use directive::DirectiveIssued;
pub use dispute::{DisputeAnswered, Disputed};
pub use emergency::{EmergencyDeclared, EmergencyReviewed};
pub use erasure::{Destroyed, Erased};
pub use guardian::{Ground, GuardianAppointed, GuardianRemoved, QuorumGranted, QuorumSet};
pub use hold::{HoldLifted, HoldPlaced};
pub use key::{CustodianReplaced, KeyRevoked, KeyRotated};
pub use organization::{Organization, OrganizationEnrolled};
pub use patient::PatientEnrolled;
pub use practitioner::{Countersignature, PractitionerEnrolled, PractitionerReinstated};
pub use record::{
    CustodianSet, DepositAcknowledged, DirectiveRelabelling, RecordAdded, Relabelled, Relabelling,
};
pub use recovery::{
    RecoveryApproval, RecoveryCompleted, RecoveryPlanned, RecoveryStarted, RecoveryVetoed,
};
pub use slot::{SlotAdded, SlotRemoved};
pub use status::{Status, StatusChanged};

/// What a transaction says. Its signer is whose key signed; no body names its own author.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// By a committee member's office.
    OrganizationEnrolled(OrganizationEnrolled),
    /// By the practitioner's organization's office.
    PractitionerEnrolled(PractitionerEnrolled),
    /// By an organization's office.
    PatientEnrolled(PatientEnrolled),
    /// By the key that it replaces.
    KeyRotated(KeyRotated),
    /// By the key itself, or by the office of its practitioner's organization.
    KeyRevoked(KeyRevoked),
    /// By the record's author.
    RecordAdded(RecordAdded),
    /// By a custodian.
    DepositAcknowledged(DepositAcknowledged),
    /// By the patient.
    Relabelled(Relabelled),
    /// By anybody; whether it counts is judged at each decision.
    DirectiveIssued(DirectiveIssued),
    /// By a practitioner.
    EmergencyDeclared(EmergencyDeclared),
    /// By another practitioner of the same organization.
    EmergencyReviewed(EmergencyReviewed),
    /// By anybody who is enrolled.
    AccessRequested(AccessRequested),
    /// By a custodian.
    Released(Released),
    /// By the patient.
    Erased(Erased),
    /// By a custodian.
    Destroyed(Destroyed),
    /// By the patient, the author, or a reader whose permitted read is logged.
    SlotAdded(SlotAdded),
    /// By the patient.
    SlotRemoved(SlotRemoved),
    /// By the patient, or a reader whose permitted read is logged.
    Redealt(Redealt),
    /// By a custodian.
    RedealAcknowledged(RedealAcknowledged),
    /// By the patient, or the office that enrolled them.
    GuardianAppointed(GuardianAppointed),
    /// By the patient, the guardian, or the office that enrolled the patient.
    GuardianRemoved(GuardianRemoved),
    /// By the patient, or the office that enrolled them.
    QuorumSet(QuorumSet),
    /// By a member of the quorum.
    QuorumGranted(QuorumGranted),
    /// By the office that enrolled the patient.
    StatusChanged(StatusChanged),
    /// By the patient.
    RecoveryPlanned(RecoveryPlanned),
    /// By a guardian of the plan.
    RecoveryStarted(RecoveryStarted),
    /// By the patient.
    RecoveryVetoed(RecoveryVetoed),
    /// By a guardian of the plan.
    RecoveryCompleted(RecoveryCompleted),
    /// By the patient.
    Adopted(Adopted),
    /// By the patient.
    DuplicateOf(DuplicateOf),
    /// By the patient.
    Disputed(Disputed),
    /// By the author, or a practitioner of their organization.
    DisputeAnswered(DisputeAnswered),
    /// By the office of the organization that filed the record.
    HoldPlaced(HoldPlaced),
    /// By the office that placed it.
    HoldLifted(HoldLifted),
    /// By the practitioner's organization's office.
    PractitionerReinstated(PractitionerReinstated),
    /// By a committee member's office.
    CommitteeChanged(CommitteeChanged),
    /// By the custodian's organization's office.
    CustodianReplaced(CustodianReplaced),
}

canonical_enum!(Body {
    1 => OrganizationEnrolled(_),
    2 => PractitionerEnrolled(_),
    3 => PatientEnrolled(_),
    4 => KeyRotated(_),
    5 => KeyRevoked(_),
    6 => RecordAdded(_),
    7 => DepositAcknowledged(_),
    8 => Relabelled(_),
    9 => DirectiveIssued(_),
    10 => EmergencyDeclared(_),
    11 => EmergencyReviewed(_),
    12 => AccessRequested(_),
    13 => Released(_),
    14 => Erased(_),
    15 => Destroyed(_),
    16 => SlotAdded(_),
    17 => SlotRemoved(_),
    18 => Redealt(_),
    19 => RedealAcknowledged(_),
    20 => GuardianAppointed(_),
    21 => GuardianRemoved(_),
    22 => QuorumSet(_),
    23 => QuorumGranted(_),
    24 => StatusChanged(_),
    25 => RecoveryPlanned(_),
    26 => RecoveryStarted(_),
    27 => RecoveryVetoed(_),
    28 => RecoveryCompleted(_),
    29 => Adopted(_),
    30 => DuplicateOf(_),
    31 => Disputed(_),
    32 => DisputeAnswered(_),
    33 => HoldPlaced(_),
    34 => HoldLifted(_),
    35 => PractitionerReinstated(_),
    36 => CommitteeChanged(_),
    37 => CustodianReplaced(_),
});

impl Body {
    /// The message that a second organization's office signs under a body that asks for it: the tagged
    /// `[chain, key, seq, body]`. `key` and `seq` are those of the transaction, so that it counts once;
    /// the body's `countersignature` is still `None`.
    pub fn to_countersign(&self, chain: &ChainId, key: &PublicKey, seq: u64) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(4).item(chain).item(key).uint(seq).item(self);
        tagged(SECOND_OFFICE, &e.finish())
    }
}

macro_rules! from_variant {
    ($($variant:ident),+ $(,)?) => {$(
        impl From<$variant> for Body {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        }
    )+};
}

from_variant!(
    OrganizationEnrolled,
    PractitionerEnrolled,
    PatientEnrolled,
    KeyRotated,
    KeyRevoked,
    RecordAdded,
    DepositAcknowledged,
    Relabelled,
    DirectiveIssued,
    EmergencyDeclared,
    EmergencyReviewed,
    AccessRequested,
    Released,
    Erased,
    Destroyed,
    SlotAdded,
    SlotRemoved,
    Redealt,
    RedealAcknowledged,
    GuardianAppointed,
    GuardianRemoved,
    QuorumSet,
    QuorumGranted,
    StatusChanged,
    RecoveryPlanned,
    RecoveryStarted,
    RecoveryVetoed,
    RecoveryCompleted,
    Adopted,
    DuplicateOf,
    Disputed,
    DisputeAnswered,
    HoldPlaced,
    HoldLifted,
    PractitionerReinstated,
    CommitteeChanged,
    CustodianReplaced,
);
