//! This custodian's receipts that wait for a block. Who asks again before it comes is answered by the same ones: a new one
//! with each question would fill this custodian's place in the pool, and keep its own transactions out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chartseal_consensus::engine::{Handle, Outcome};
use chartseal_ledger::{Body, SignedTransaction};
use chartseal_wire::{RecordId, RequestId, TxId};

/// What a receipt says: of one index, these records of a request.
type Said = (RequestId, Vec<RecordId>);

/// Those that wait, at most as many as the pool takes of one key.
#[derive(Default)]
pub(super) struct Receipts(Mutex<BTreeMap<Said, TxId>>);

impl Receipts {
    /// Hands in those of which none waits that says the same. Gives those to wait for.
    pub(super) fn submit(&self, handle: &Handle, made: Vec<SignedTransaction>) -> Vec<TxId> {
        // Until all are handed in: who asks at the same time finds them.
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, id| handle.outcome(id) == Outcome::Waiting);
        let mut ids = Vec::with_capacity(made.len());
        for receipt in made {
            let said = said(&receipt);
            if let Some(id) = said.as_ref().and_then(|said| waiting.get(said)) {
                ids.push(*id);
                continue;
            }
            let id = receipt.id();
            match handle.submit(receipt) {
                Ok(_) => waiting.extend(said.map(|said| (said, id))),
                // It is made again when it is asked for again.
                Err(why) => tracing::warn!(%why, "the pool refuses a receipt of this node's own"),
            }
            ids.push(id);
        }
        ids
    }
}

fn said(receipt: &SignedTransaction) -> Option<Said> {
    match receipt.parse().ok()?.body {
        Body::Released(released) => Some((released.request, released.records)),
        _ => None,
    }
}
