//! Single facts with their proofs, for who does not follow the chain.

use chartseal_api::{TransactionProof, ValueProof};
use chartseal_codec::Bytes;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_merkle::{Log, MapKey};
use chartseal_wire::{SignedNote, TxId};

use crate::error::NodeError;
use crate::export::ExportRequest;
use crate::node::Node;

impl Node {
    /// The newest block's header, under this log's checkpoint, with the committee's certificate: an export file without
    /// histories. `None` until there is a certificate of that very block, or of a later one.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub fn head_file(&self) -> Result<Option<String>, NodeError> {
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
        Ok(Some(file.to_string()))
    }

    /// What the state has under a key, proved under the header of `head`, which is this node's newest.
    pub fn prove_value(&self, head: String, key: &MapKey) -> ValueProof {
        let state = self.head().map();
        ValueProof {
            head,
            value: state.get(key).map(|value| Bytes(value.to_vec())),
            proof: state.prove(key),
        }
    }

    /// A final transaction, proved in the same way; `None` if there is none of this id, or its block is pruned.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub fn prove_transaction(
        &self,
        head: String,
        id: &TxId,
    ) -> Result<Option<TransactionProof>, NodeError> {
        let Some(place) = self.ledger().transaction(id)? else {
            return Ok(None);
        };
        let Some(block) = self.kept_block(place.height)? else {
            return Ok(None);
        };
        let mut leaves = Log::new();
        for transaction in &block.transactions {
            leaves.append(transaction.leaf());
        }
        let transactions = leaves.size();
        let mut all = (0..).zip(&block.transactions);
        let Some((index, transaction)) = all.find(|(_, it)| it.id() == *id) else {
            return Ok(None);
        };
        // A header's log has the headers before it: the newest block needs no place in it.
        let size = self.head().head().log_size;
        let in_log = self.headers.prove_inclusion(place.height, size);
        Ok(Some(TransactionProof {
            head,
            in_log: in_log.unwrap_or_default(),
            transaction: transaction.clone(),
            index,
            transactions,
            in_block: leaves
                .prove_inclusion(index, transactions)
                .unwrap_or_default(),
            header: block.header,
        }))
    }
}
