//! Who may act for a patient, and what a patient may do: guardians, status, recovery, adoption.

use alloc::vec::Vec;

use chartseal_codec::canonical_struct;
use chartseal_merkle::Hash;

use super::Token;
use crate::id::{ActorId, PatientId, Time, TxId};
use crate::key::PublicKey;

/// Somebody became a guardian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianAppointed {
    /// Who.
    pub guardian: ActorId,
    /// On what ground: `proxy`, `minority` or `incapacity`.
    pub ground: Token,
    /// The start of the term.
    pub from: Option<Time>,
    /// The end of the term, exclusive.
    pub until: Option<Time>,
}
canonical_struct!(GuardianAppointed {
    guardian,
    ground,
    from,
    until
});

/// Somebody is a guardian no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianRemoved {
    /// Who.
    pub guardian: ActorId,
}
canonical_struct!(GuardianRemoved { guardian });

/// Which guardians grant together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumSet {
    /// How many approvals a grant needs; 0: there is no quorum any more.
    pub k: u64,
    /// Whose approvals count.
    pub members: Vec<ActorId>,
}
canonical_struct!(QuorumSet { k, members });

/// What a patient may do by themselves changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChanged {
    /// `majority`, `minor_consent`, `incapacity`, `capacity` or `death`.
    pub status: Token,
    /// From which month on, for majority and the age of minor consent.
    pub from: Option<Time>,
}
canonical_struct!(StatusChanged { status, from });

/// The patient said who restores a lost key, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryPlanned {
    /// The commitment to the sealed, escrowed bundle of secrets; `None`: there is no plan any more.
    pub bundle: Option<Hash>,
    /// Who.
    pub guardians: Vec<ActorId>,
    /// How many of them.
    pub k: u64,
    /// How long the old key can object, in ms.
    pub delay_ms: u64,
}
canonical_struct!(RecoveryPlanned {
    bundle,
    guardians,
    k,
    delay_ms
});

/// Guardians began to replace a lost key; it is this transaction's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryStarted {
    /// The new key.
    pub key: PublicKey,
    /// Who agreed.
    pub guardians: Vec<ActorId>,
    /// It may be completed from then on.
    pub due: Time,
}
canonical_struct!(RecoveryStarted {
    key,
    guardians,
    due
});

/// The old key objected: the recovery is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryVetoed {
    /// The transaction that started it.
    pub recovery: TxId,
}
canonical_struct!(RecoveryVetoed { recovery });

/// The new key counts, and the escrowed bundle may be handed out to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryCompleted {
    /// The transaction that started it.
    pub recovery: TxId,
    /// The commitment to the bundle.
    pub bundle: Hash,
}
canonical_struct!(RecoveryCompleted { recovery, bundle });

/// Two ids are one person. It is the last entry of the adopted id's history: what comes later is in
/// the other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The id that ends.
    pub adopted: PatientId,
    /// The id that goes on.
    pub by: PatientId,
}
canonical_struct!(Adopted { adopted, by });
