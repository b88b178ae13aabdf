use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_struct};
use chartseal_wire::domain::{RECOVERY, tagged};
use chartseal_wire::{ActorId, ChainId, Hash, PatientId, PublicKey, Signature};

/// The patient says who restores a lost key: *k* of these guardians, after a delay in which the old
/// key can veto. No guardians: there is no plan any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryPlanned {
    /// The commitment to the sealed bundle of the patient's secrets that is in escrow.
    pub bundle: Hash,
    /// At most 16 distinct practitioners or other patients, in the order of their ids.
    pub guardians: Vec<ActorId>,
    /// How many of them it takes.
    pub k: u64,
    /// The delay in ms, at least the network's.
    pub delay_ms: u64,
}

canonical_struct!(RecoveryPlanned {
    bundle,
    guardians,
    k,
    delay_ms
});

/// Guardians begin to replace a patient's lost key. By one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryStarted {
    /// Whose.
    pub patient: PatientId,
    /// The new signing key: one that nobody ever had.
    pub key: PublicKey,
    /// The digest of the new KEM public key.
    pub kem: [u8; 32],
    /// The new key's signature over [`KeyRotated::to_possess`](super::KeyRotated::to_possess).
    pub possession: Signature,
    /// Of distinct guardians of the plan, at least as many as it says.
    pub approvals: Vec<RecoveryApproval>,
}

canonical_struct!(RecoveryStarted {
    patient,
    key,
    kem,
    possession,
    approvals
});

/// A guardian's agreement to a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryApproval {
    /// Who.
    pub guardian: ActorId,
    /// Over [`RecoveryStarted::to_approve`].
    pub signature: Signature,
}

canonical_struct!(RecoveryApproval {
    guardian,
    signature
});

impl RecoveryStarted {
    /// The message that guardians sign: the tagged `[chain, patient, key, kem, bundle, number]`, where
    /// `number` counts the recoveries that the plan has seen, so that no approval counts twice.
    pub fn to_approve(&self, chain: &ChainId, bundle: &Hash, number: u64) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(6)
            .item(chain)
            .item(&self.patient)
            .item(&self.key)
            .item(&self.kem);
        e.item(bundle).uint(number);
        tagged(RECOVERY, &e.finish())
    }
}

/// The patient's old key objects: the recovery is off. By the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryVetoed {
    /// Whose.
    pub patient: PatientId,
}

canonical_struct!(RecoveryVetoed { patient });

/// The delay is over: the new key replaces the old one. By a guardian of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryCompleted {
    /// Whose.
    pub patient: PatientId,
}

canonical_struct!(RecoveryCompleted { patient });
