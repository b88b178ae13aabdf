//! Sealed texts of final transactions that a node was not given: it asks others for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chartseal_ledger::{Body, State};
use chartseal_wire::{Hash, RecordId, TxId};

use super::keeper::NodeKeeper;
use super::others::Others;
use crate::error::NodeError;

/// How often a text is asked for, each time after four times as many blocks. Then nobody has it: its author gave none,
/// or it was destroyed.
const TRIES: u32 = 5;
/// The most texts that are looked for; who gives none with their requests costs no more than that.
const MOST: usize = 4_096;
/// How long others may be asked at a time, so that other duties don't wait.
const TIME: Duration = Duration::from_secs(5);

/// Texts to which final transactions commit and that are not here.
pub(super) struct Texts {
    keeper: NodeKeeper,
    others: Others,
    missing: BTreeMap<(u64, TxId), Missing>,
}

struct Missing {
    commitment: Hash,
    /// With one of these it is erased.
    records: Vec<RecordId>,
    tries: u32,
    /// The height at which it is asked for next.
    due: u64,
}

impl Texts {
    pub(super) fn new(keeper: NodeKeeper, others: Others) -> Self {
        Self {
            keeper,
            others,
            missing: BTreeMap::new(),
        }
    }

    /// Takes note of a final transaction.
    pub(super) fn note(&mut self, height: u64, tx: TxId, body: &Body) {
        if self.missing.len() >= MOST || self.others.is_empty() {
            return;
        }
        if let Some(commitment) = commitment(body) {
            let missing = Missing {
                commitment,
                records: records(body),
                tries: 0,
                // It may be on its way still.
                due: height + 1,
            };
            self.missing.insert((height, tx), missing);
        }
    }

    /// The height of the oldest transaction whose text is missing.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.missing.keys().next().map(|(height, _)| *height)
    }

    /// Asks for what is missing, at a height.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub(super) fn look(&mut self, head: u64) -> Result<(), NodeError> {
        let end = Instant::now() + TIME;
        let (mut due, later) = std::mem::take(&mut self.missing)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, missing)| missing.due <= head);
        self.missing = later;
        let mut failed = None;
        while let Some(((height, tx), mut missing)) = due.pop_first() {
            if Instant::now() > end {
                self.missing.insert((height, tx), missing);
                continue;
            }
            match missing.look(&self.keeper, &self.others, &tx) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
            missing.tries += 1;
            missing.due = head + 4_u64.pow(missing.tries);
            if missing.tries < TRIES {
                self.missing.insert((height, tx), missing);
            } else {
                tracing::warn!(%tx, "nobody has the text to which a transaction commits");
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Missing {
    /// Whether nothing is missing any more: it is here, was erased, or comes from another node.
    fn look(&self, keeper: &NodeKeeper, others: &Others, tx: &TxId) -> Result<bool, NodeError> {
        {
            let node = keeper.node();
            if self.is_erased(node.state()) || node.text(tx, &self.commitment)?.is_some() {
                return Ok(true);
            }
        }
        let others = others.all();
        let mut texts = others.iter().map(|it| it.text(tx, &self.commitment));
        let Some(text) = texts.find_map(|text| text.ok().flatten()) else {
            return Ok(false);
        };
        let node = keeper.node();
        if !self.is_erased(node.state()) {
            node.put_texts(tx, &[text])?;
        }
        Ok(true)
    }

    fn is_erased(&self, state: State<'_>) -> bool {
        let mut records = self.records.iter();
        records.any(|record| state.record(record).is_some_and(|record| record.erased))
    }
}

/// The text to which a transaction commits.
pub(super) fn commitment(body: &Body) -> Option<Hash> {
    match body {
        Body::AccessRequested(body) => Some(body.reason),
        Body::EmergencyDeclared(body) => Some(body.reason),
        Body::DirectiveIssued(body) => body.sealed,
        Body::QuorumGranted(body) => body.sealed,
        Body::Disputed(body) => Some(body.reason),
        Body::DisputeAnswered(body) => Some(body.reason),
        _ => None,
    }
}

/// The records with which a transaction's text is erased.
fn records(body: &Body) -> Vec<RecordId> {
    match body {
        Body::AccessRequested(body) => body.records.clone(),
        Body::Disputed(body) => vec![body.record],
        Body::DisputeAnswered(body) => vec![body.record],
        _ => Vec::new(),
    }
}
