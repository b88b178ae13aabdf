use alloc::vec::Vec;

use chartseal_codec::canonical_struct;
use chartseal_policy::{Guardian, Quorum, Set, Symbol, Window};
use chartseal_wire::{ActorId, Hash, PublicKey, Time, TxId};

use crate::body::Ground;
use crate::world::{policy_time, symbol};

/// Who acts for a patient, and what keeps the patient from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CareState {
    /// Guardians' terms, ended ones included.
    pub guardians: Vec<GuardianTerm>,
    /// Guardians who grant together.
    pub quorum: Option<Quorum>,
    /// The labels of a minor's own matter.
    pub private_labels: Set<Symbol>,
    /// Whether the patient can't decide for themselves.
    pub incapacitated: bool,
    /// Whether the patient is dead.
    pub dead: bool,
}

canonical_struct!(CareState {
    guardians,
    quorum,
    private_labels,
    incapacitated,
    dead
});

impl CareState {
    /// Whether the patient can't decide for themselves, or is dead.
    pub fn is_without_capacity(&self) -> bool {
        self.incapacitated || self.dead
    }
}

/// One term of a guardian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianTerm {
    /// Who.
    pub guardian: ActorId,
    /// On what ground.
    pub ground: Ground,
    /// When.
    pub window: Window,
}

canonical_struct!(GuardianTerm {
    guardian,
    ground,
    window
});

impl GuardianTerm {
    /// The term as policy reads it: one for a minor ends with majority.
    pub(crate) fn effective(&self, adult_from: Time) -> Guardian {
        let mut window = self.window;
        if self.ground == Ground::Minority {
            let majority = policy_time(adult_from);
            window.until = Some(window.until.map_or(majority, |until| until.min(majority)));
        }
        Guardian {
            actor: symbol(&self.guardian.0),
            window,
        }
    }

    /// Ends it at `now`, if it has not ended.
    pub(crate) fn end(&mut self, now: Time) {
        let now = policy_time(now);
        self.window.until = Some(self.window.until.map_or(now, |until| until.min(now)));
    }

    /// Whether it is not over at `now`.
    pub(crate) fn is_open(&self, now: Time) -> bool {
        self.window
            .until
            .is_none_or(|until| policy_time(now) < until)
    }
}

/// A patient's plan for a lost key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryState {
    /// The commitment to the bundle in escrow.
    pub bundle: Hash,
    /// Who restores the key.
    pub guardians: Vec<ActorId>,
    /// How many of them it takes.
    pub k: u64,
    /// How long the old key can veto, in ms.
    pub delay_ms: u64,
    /// How many recoveries were started.
    pub number: u64,
    /// The one that waits.
    pub pending: Option<PendingRecovery>,
    /// The bundle that a completed recovery may be handed, to the key that it gave the patient.
    pub restored: Option<Restored>,
}

canonical_struct!(RecoveryState {
    bundle,
    guardians,
    k,
    delay_ms,
    number,
    pending,
    restored
});

/// A recovery that waits for its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRecovery {
    /// The transaction that started it.
    pub tx: TxId,
    /// The new signing key.
    pub key: PublicKey,
    /// The digest of the new KEM public key.
    pub kem: [u8; 32],
    /// It may be completed from then on.
    pub due: Time,
}

canonical_struct!(PendingRecovery { tx, key, kem, due });

/// What a completed recovery restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The commitment to the bundle.
    pub bundle: Hash,
    /// The key to whose holder it may be handed.
    pub key: PublicKey,
}

canonical_struct!(Restored { bundle, key });
