use std::sync::Arc;

use chartseal_ledger::{AdmissionError, Overlay, SignedTransaction, State};
use chartseal_wire::{BlockHeader, Certificate, Hash, PublicKey, Time, TxId};
use commonware_consensus::types::Height;
use tokio::sync::mpsc;

use super::Marshal;
use super::shared::Shared;
use crate::certificate::from_engine;
use crate::evidence::Evidence;
use crate::pool::PoolError;

/// What clients and the node's other parts ask a running validator.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    gossip: mpsc::UnboundedSender<SignedTransaction>,
    marshal: Marshal,
}

/// How far a validator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The newest block that is final and durable here.
    pub head: BlockHeader,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The newest view that ended.
    pub view: u64,
    /// The newest view that is known to be final.
    pub final_view: u64,
    /// Views that were skipped since this validator started, while transactions waited here.
    pub skipped: u64,
    /// How often a validator was seen to vote twice in one view, since this one started.
    pub double_votes: u64,
    /// How many pieces of evidence there are against others.
    pub evidence: usize,
    /// About how many bytes that and what may become evidence take.
    pub misconduct_bytes: usize,
    /// How many transactions wait.
    pub pooled: usize,
    /// Their bytes.
    pub pooled_bytes: usize,
    /// How many blocks are executed and not final.
    pub speculative: usize,
    /// When each validator's last vote came, by this validator's clock. Only those that were heard.
    pub heard: Vec<(PublicKey, Time)>,
    /// Why it stopped, if it did.
    pub fatal: Option<String>,
}

/// What became of a transaction, as far as this validator remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It waits for a block.
    Waiting,
    /// It is in a block that is final and durable here.
    Final {
        /// The block's.
        height: u64,
    },
    /// The ledger refuses it at a final state.
    Refused {
        /// Why.
        why: AdmissionError,
    },
    /// It was in no block up to its last height.
    Expired,
    /// It never came, or that is long ago: the ledger knows.
    Unknown,
}

impl Handle {
    pub(crate) fn new(
        shared: Arc<Shared>,
        gossip: mpsc::UnboundedSender<SignedTransaction>,
        marshal: Marshal,
    ) -> Self {
        Self {
            shared,
            gossip,
            marshal,
        }
    }

    /// Says that the validator is about to end.
    pub(crate) fn end(&self) {
        self.shared.end();
    }

    /// Takes a client's transaction, and sends it to the other validators. It is final once
    /// [`outcome`](Self::outcome) says so.
    ///
    /// # Errors
    /// [`PoolError`].
    pub fn submit(&self, transaction: SignedTransaction) -> Result<TxId, PoolError> {
        let id = self.shared.pool(transaction.clone(), true)?;
        self.shared.arrived();
        // Without a task that gossips the validator is stopping; the client hears that another way.
        let _ = self.gossip.send(transaction);
        Ok(id)
    }

    /// What became of a transaction.
    pub fn outcome(&self, id: &TxId) -> Outcome {
        let core = self.shared.core();
        match core.outcome(id) {
            Some(outcome) => outcome.clone(),
            None if core.pool.contains(id) => Outcome::Waiting,
            None => Outcome::Unknown,
        }
    }

    /// The newest final state.
    pub fn head(&self) -> Overlay {
        self.shared.core().speculation.head().clone()
    }

    /// A state in which something is so: the highest of the newest final one and those after blocks that were executed
    /// here. These may never become final: whoever acts by one has to bear that.
    pub fn foreseen(&self, is_so: impl Fn(State<'_>) -> bool) -> Option<Overlay> {
        let states: Vec<Overlay> = self.shared.core().speculation.states().cloned().collect();
        let so = states.into_iter().filter(|it| is_so(it.state()));
        so.max_by_key(Overlay::height)
    }

    /// Waits until there is such a state. `None` if the validator stopped.
    pub async fn foresee(&self, is_so: impl Fn(State<'_>) -> bool + Sync) -> Option<Overlay> {
        let mut executed = self.shared.executed.subscribe();
        loop {
            executed.mark_unchanged();
            if self.shared.core().fatal.is_some() {
                return None;
            }
            if let Some(found) = self.foreseen(&is_so) {
                return Some(found);
            }
            executed.changed().await.ok()?;
        }
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        let core = self.shared.core();
        Status {
            head: core.speculation.head().head().clone(),
            leaf: core.speculation.leaf(),
            view: core.view,
            final_view: core.final_view,
            skipped: core.skipped,
            double_votes: core.double_votes,
            evidence: core.misconduct.evidence().len(),
            misconduct_bytes: core.misconduct.bytes(),
            pooled: core.pool.len(),
            pooled_bytes: core.pool.bytes(),
            speculative: core.speculation.len(),
            heard: core.heard.iter().map(|(key, time)| (*key, *time)).collect(),
            fatal: core.fatal.clone(),
        }
    }

    /// How many blocks it voted against since it started, by the rule that they broke.
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        let core = self.shared.core();
        core.refusals
            .iter()
            .map(|(rule, count)| (*rule, *count))
            .collect()
    }

    /// What it can show of others' faults, oldest first: one piece for each validator, epoch and rule, 256 at most.
    pub fn evidence(&self) -> Vec<Arc<Evidence>> {
        let core = self.shared.core();
        core.misconduct.evidence().map(Arc::clone).collect()
    }

    /// A certificate of the block at a height, if this validator has one: many blocks are only vouched
    /// for by a later one's.
    pub async fn certificate(&self, height: u64) -> Option<Certificate> {
        let finalization = self.marshal.get_finalization(Height::new(height)).await;
        finalization.as_ref().and_then(from_engine)
    }

    /// Waits for a final block above a height. Gives the new height; `None` if the validator stopped.
    pub async fn wait_above(&self, height: u64) -> Option<u64> {
        let mut finals = self.shared.finals.subscribe();
        loop {
            if self.shared.core().fatal.is_some() {
                return None;
            }
            let now = *finals.borrow_and_update();
            if now > height {
                return Some(now);
            }
            finals.changed().await.ok()?;
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.status()).finish()
    }
}
