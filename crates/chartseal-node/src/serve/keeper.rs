use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartseal_api::{Envelope, EnvelopeFront, TxOutcome};
use chartseal_consensus::engine::{Handle, Outcome};
use chartseal_consensus::{Anchor, Keeper, KeeperError};
use chartseal_envelope::Deal;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_ledger::{Block, Executed, Overlay, SignedTransaction};
use chartseal_wire::{Certificate, RecordId, RequestId, TxId};

use crate::custodian::{Deposited, bodies_there, with_body};
use crate::error::NodeError;
use crate::node::Node;

/// Of how many records headers and seals are read while the node waits.
const FRONTS: usize = 64;

/// A node's ledger as its validator's disk. Clones share the node.
#[derive(Clone, Debug)]
pub(crate) struct NodeKeeper(Arc<Mutex<Node>>);

impl NodeKeeper {
    pub(crate) fn new(node: Node) -> Self {
        Self(Arc::new(Mutex::new(node)))
    }

    /// The node. A commit that panicked left it as it was between two whole blocks.
    pub(crate) fn node(&self) -> MutexGuard<'_, Node> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NodeKeeper {
    /// What became of a transaction. The ledger remembers what the validator forgot.
    pub(crate) fn outcome(&self, handle: &Handle, id: &TxId) -> TxOutcome {
        match handle.outcome(id) {
            Outcome::Waiting => TxOutcome::Waiting,
            Outcome::Final { height } => TxOutcome::Final(height),
            Outcome::Refused { why } => TxOutcome::Refused(why.to_string()),
            Outcome::Expired => TxOutcome::Refused("in no block up to its last height".into()),
            _ => match self.node().ledger().transaction(id) {
                Ok(Some(place)) => TxOutcome::Final(place.height),
                _ => TxOutcome::Unknown,
            },
        }
    }
}

/// What waits for the vault does so without the node: blocks are committed meanwhile.
impl NodeKeeper {
    /// As [`Node::deposit`].
    pub(crate) fn deposit(
        &self,
        envelopes: &[Envelope],
        deal: &Deal,
    ) -> Result<Deposited, NodeError> {
        let (begun, blobs) = {
            let mut node = self.node();
            (node.begin_deposit(envelopes, deal)?, node.blobs())
        };
        blobs.put_batch(&begun.bodies())?;
        self.node().end_deposit(begun)
    }

    /// As [`Node::deposit_uploaded`].
    pub(crate) fn deposit_uploaded(
        &self,
        fronts: &[EnvelopeFront],
        deal: &Deal,
    ) -> Result<Deposited, NodeError> {
        let blobs = self.node().blobs();
        let there = bodies_there(blobs.as_ref(), fronts)?;
        let mut node = self.node();
        let begun = node.begin_uploaded(fronts, &there, deal)?;
        node.end_deposit(begun)
    }

    /// As [`Node::envelope`].
    pub(crate) fn envelope(
        &self,
        request: &RequestId,
        record: &RecordId,
    ) -> Result<Envelope, NodeError> {
        let (front, blobs) = {
            let node = self.node();
            (node.front_for(request, record)?, node.blobs())
        };
        with_body(front, blobs.as_ref())
    }

    /// The same of several records, those that are here and may be given: as many as have so many bytes in all, and the first
    /// one at least.
    pub(crate) fn envelopes(
        &self,
        request: &RequestId,
        records: &[RecordId],
        most: usize,
    ) -> Result<Vec<Envelope>, NodeError> {
        let (mut envelopes, mut bytes) = (Vec::new(), 0);
        for some in records.chunks(FRONTS) {
            let (fronts, blobs) = {
                let node = self.node();
                (node.fronts_for(request, some)?, node.blobs())
            };
            for front in fronts.into_iter().filter_map(|(_, front)| front) {
                let Ok(envelope) = with_body(front, blobs.as_ref()) else {
                    continue;
                };
                bytes += envelope.body.len();
                if bytes > most && !envelopes.is_empty() {
                    return Ok(envelopes);
                }
                envelopes.push(envelope);
            }
        }
        Ok(envelopes)
    }

    /// As [`Node::destroy`].
    pub(crate) fn destroy(&self, record: &RecordId) -> Result<SignedTransaction, NodeError> {
        let (begun, blobs) = {
            let mut node = self.node();
            (node.begin_destruction(record)?, node.blobs())
        };
        blobs.delete(&begun.bodies)?;
        self.node().end_destruction(record, &begun)
    }
}

impl Keeper for NodeKeeper {
    fn head(&self) -> Overlay {
        self.node().head().clone()
    }

    fn commit(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), KeeperError> {
        Ok(self.node().keep_final(block, executed, certificate)?)
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, KeeperError> {
        Ok(self.node().ledger().header(height)?)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, KeeperError> {
        Ok(self.node().kept_block(height)?)
    }

    fn anchor(&self) -> Result<Option<Anchor>, KeeperError> {
        let node = self.node();
        let certificate = node.certificate()?;
        let block = node.kept_block(node.head().height())?;
        Ok(certificate.map(|certificate| (block, certificate)))
    }
}
