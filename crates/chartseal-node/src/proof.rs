//! Single facts with their proofs, for who does not follow the chain.

use chartseal_api::{ProvedValue, StateProof, TransactionProof, ValueProof};
use chartseal_codec::Bytes;
use chartseal_ledger::Overlay;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_merkle::{Log, MapKey};
use chartseal_wire::{SignedNote, TxId};

use crate::error::NodeError;
use crate::export::ExportRequest;
use crate::node::Node;

/// A block that the network certified, and the state after it.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Its header, for who does not follow the chain: an export file without histories.
    pub file: String,
    /// The state.
    pub state: Overlay,
}

impl Node {
    /// The newest block, with its header under this log's checkpoint and the committee's certificate. `None` if there is
    /// no certificate of that very block: a later one's will vouch for it.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub fn certified(&self) -> Result<Option<Certified>, NodeError> {
        if self.certificate()?.is_none() {
            return Ok(None);
        }
        let checkpoint = self.checkpoint();
        let mut signatures = vec![self.sign_checkpoint(&checkpoint)?];
        // Where the committee changed, one validator vouches for the handovers.
        if self.head().head().epoch > 0 {
            signatures.push(self.cosign_checkpoint(&checkpoint)?);
        }
        let text = checkpoint.to_string();
        let file = self.export(&ExportRequest::default(), SignedNote { text, signatures })?;
        Ok(Some(Certified {
            file: file.to_string(),
            state: self.head().clone(),
        }))
    }

    /// A final transaction, proved under a header that this node had; `None` if there is none of this id up to there, or
    /// its block is pruned.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub fn prove_transaction(
        &self,
        at: &Certified,
        id: &TxId,
    ) -> Result<Option<TransactionProof>, NodeError> {
        let place = self.ledger().transaction(id)?;
        let Some(place) = place.filter(|place| place.height <= at.state.height()) else {
            return Ok(None);
        };
        let Some(block) = self.kept_block(place.height)? else {
            return Ok(None);
        };
        let mut leaves = Log::new();
        for transaction in &block.transactions {
            leaves.append(transaction.leaf());
        }
        let (index, transactions) = (u64::from(place.index), leaves.size());
        let Some(transaction) = block.transactions.get(place.index as usize) else {
            return Ok(None);
        };
        // A header's log has the headers before it: the newest block needs no place in it.
        let size = at.state.head().log_size;
        let in_log = self.headers.prove_inclusion(place.height, size);
        let in_block = leaves.prove_inclusion(index, transactions);
        Ok(Some(TransactionProof {
            head: at.file.clone(),
            in_log: in_log.unwrap_or_default(),
            transaction: transaction.clone(),
            index,
            transactions,
            in_block: in_block.unwrap_or_default(),
            header: block.header,
        }))
    }
}

impl Certified {
    /// What the state has under a key, with its proof.
    pub fn prove_value(&self, key: &MapKey) -> ValueProof {
        let ProvedValue { value, proof } = self.proved(key);
        ValueProof {
            head: self.file.clone(),
            value,
            proof,
        }
    }

    /// What the state has under each of these keys, with its proof; `None` if the values come to more than so many bytes.
    pub fn prove_values(&self, keys: &[MapKey], max_bytes: usize) -> Option<StateProof> {
        let mut left = max_bytes;
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let proved = self.proved(key);
            left = left.checked_sub(proved.value.as_ref().map_or(0, |value| value.0.len()))?;
            values.push(proved);
        }
        let head = self.file.clone();
        Some(StateProof { head, values })
    }

    fn proved(&self, key: &MapKey) -> ProvedValue {
        let state = self.state.map();
        ProvedValue {
            value: state.get(key).map(|value| Bytes(value.to_vec())),
            proof: state.prove(key),
        }
    }
}
