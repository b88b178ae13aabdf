//! Checkpoints and exports: what a patient takes away and has verified elsewhere.

use chartseal_codec::{Bytes, from_bytes, to_bytes};
use chartseal_ledger::Block;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_merkle::Hash;
use chartseal_wire::checkpoint::origin;
use chartseal_wire::export::{Finality, Growth, Handover, MAX_HANDOVERS};
use chartseal_wire::note::NoteSignature;
use chartseal_wire::{
    BlockHeader, Certificate, Checkpoint, Entry, Event, Export, HistorySection, ProofFile,
    SealedText, SignedNote, Subject, Time, TxId,
};

use crate::error::NodeError;
use crate::keys::sign;
use crate::node::Node;

/// What an export shall hold.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// The histories, and how many entries of each the verifier has checked before.
    pub histories: Vec<(Subject, u64)>,
    /// The size of the block log that the verifier has checked before, if any.
    pub log_size: Option<u64>,
}

impl Node {
    /// The checkpoint of the newest block, without signatures.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: origin(&self.chain()),
            size: self.headers.size(),
            root: self.headers.root(),
        }
    }

    /// Signs a checkpoint as the log that issues it.
    ///
    /// # Errors
    /// [`NodeError::Checkpoint`] unless it is one of this node's own chain.
    pub fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<NoteSignature, NodeError> {
        self.check_checkpoint(checkpoint)?;
        let key = self
            .keys
            .log_vkey(&checkpoint.origin)
            .ok_or(NodeError::Checkpoint)?;
        Ok(key.line(&checkpoint.to_string(), 0, |message| {
            sign(&self.keys.log, message)
        }))
    }

    /// Cosigns a checkpoint as a validator: "at this time, this was my whole chain". The time of one that is not the
    /// newest is that of its last block: who hides what came since gets no time of today for it.
    ///
    /// # Errors
    /// [`NodeError::Checkpoint`] unless it is one of this node's own chain, and of a block at least.
    pub fn cosign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<NoteSignature, NodeError> {
        self.check_checkpoint(checkpoint)?;
        let key = self
            .keys
            .cosigner_vkey(&self.org)
            .ok_or(NodeError::Checkpoint)?;
        let seconds = self.complete_until(checkpoint.size)?.0 / 1_000;
        Ok(key.line(&checkpoint.to_string(), seconds, |message| {
            sign(&self.keys.cosigner, message)
        }))
    }

    /// Histories after the newest block, with what proves them, under a signed checkpoint of it.
    ///
    /// # Errors
    /// [`NodeError::Checkpoint`] unless the checkpoint is this node's newest.
    pub fn export(
        &self,
        request: &ExportRequest,
        checkpoint: SignedNote,
    ) -> Result<ProofFile, NodeError> {
        self.check_running()?;
        if checkpoint.text != self.checkpoint().to_string() {
            return Err(NodeError::Checkpoint);
        }
        let size = self.headers.size();
        let index = self.head.height();
        let proof = self
            .headers
            .prove_inclusion(index, size)
            .ok_or(NodeError::Checkpoint)?;
        let growth = match request.log_size {
            None => None,
            Some(from) => {
                let proof = self.headers.prove_consistency(from, size);
                Some(Growth {
                    from,
                    proof: proof.ok_or(NodeError::Checkpoint)?,
                })
            }
        };
        let mut histories = Vec::with_capacity(request.histories.len());
        let mut texts: Vec<SealedText> = Vec::new();
        for (subject, first) in &request.histories {
            let entries = self.history(subject, *first)?;
            for (tx, commitment) in entries.iter().filter_map(|entry| text_of(entry)) {
                texts.extend(self.text(&tx, &commitment)?);
            }
            let entries = entries.into_iter().map(Bytes).collect();
            let proof = self.head.prove_history(subject);
            histories.push(HistorySection {
                subject: *subject,
                first: *first,
                log: self.head.state().frontier(subject),
                entries,
                proof,
            });
        }
        histories.sort_by_key(|section| section.subject);
        let export = Export {
            header: self.head.head().clone(),
            histories,
            growth,
            texts,
            finality: self.finality()?,
        };
        Ok(ProofFile {
            extra: to_bytes(&export),
            index,
            proof,
            checkpoint,
        })
    }

    /// The certificate of the newest block; `None` if only a later block's will vouch for it, or there was no engine.
    ///
    /// # Errors
    /// [`NodeError`] if its store refuses.
    pub fn certificate(&self) -> Result<Option<Certificate>, NodeError> {
        let certificate = self.stores.ledger.certificate(self.head.height())?;
        Ok(certificate.filter(|certificate| certificate.block == self.head.head().leaf()))
    }

    /// How the committee certified the newest block, and how it came into office. `None` if this node lacks one of the
    /// certificates: the checkpoint's signatures vouch for the block as before.
    fn finality(&self) -> Result<Option<Finality>, NodeError> {
        let Some(certificate) = self.certificate()? else {
            return Ok(None);
        };
        let (state, present) = (self.head.state(), self.head.head().epoch);
        let begin = present.saturating_sub(MAX_HANDOVERS as u64);
        let Some(first) = state.committee_of(begin) else {
            return Ok(None);
        };
        let mut handovers = Vec::new();
        for epoch in begin..present {
            let Some(handover) = self.handover(epoch)? else {
                return Ok(None);
            };
            handovers.push(handover);
        }
        Ok(Some(Finality {
            first,
            handovers,
            certificate,
        }))
    }

    /// The end of an epoch that is over.
    fn handover(&self, epoch: u64) -> Result<Option<Handover>, NodeError> {
        let Some(header) = self.last_header(epoch)? else {
            return Ok(None);
        };
        let certificate = self.stores.ledger.certificate(header.height)?;
        let proof = self
            .headers
            .prove_inclusion(header.height, self.headers.size());
        let next = self.head.state().committee_of(epoch + 1);
        let (Some(certificate), Some(proof), Some(next)) = (certificate, proof, next) else {
            return Ok(None);
        };
        Ok(Some(Handover {
            header,
            proof,
            certificate,
            next,
        }))
    }

    /// The last header of an epoch that is over: epochs rise with heights.
    fn last_header(&self, epoch: u64) -> Result<Option<BlockHeader>, NodeError> {
        let (mut low, mut high) = (0, self.head.height());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self
                .header(middle)?
                .is_some_and(|header| header.epoch > epoch)
            {
                high = middle - 1;
            } else {
                low = middle;
            }
        }
        Ok(self.header(low)?.filter(|header| header.epoch == epoch))
    }

    fn header(&self, height: u64) -> Result<Option<BlockHeader>, NodeError> {
        let bytes = self.stores.ledger.header(height)?;
        let what = "a header";
        bytes
            .map(|bytes| from_bytes(&bytes).map_err(|why| NodeError::Damaged { what, why }))
            .transpose()
    }

    /// A block with its transactions, unless they are pruned.
    pub(crate) fn kept_block(&self, height: u64) -> Result<Option<Block>, NodeError> {
        let ledger = &self.stores.ledger;
        let is_kept = height >= ledger.kept()?.blocks_from;
        Ok(is_kept.then(|| ledger.block(height)).transpose()?.flatten())
    }

    /// Up to when nothing is missing in the own chain's first blocks, so many.
    fn complete_until(&self, size: u64) -> Result<Time, NodeError> {
        let now = self.clock.now();
        if size == self.headers.size() {
            return Ok(now);
        }
        let last = size.checked_sub(1).ok_or(NodeError::Checkpoint)?;
        let header = self.header(last)?.ok_or(NodeError::Checkpoint)?;
        Ok(header.time.min(now))
    }

    fn check_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), NodeError> {
        self.check_running()?;
        let own = self.headers.root_at(checkpoint.size);
        let is_own = checkpoint.origin == origin(&self.chain()) && own == Some(checkpoint.root);
        if is_own {
            Ok(())
        } else {
            Err(NodeError::Checkpoint)
        }
    }
}

/// The transaction and the commitment of the sealed text that an entry speaks of, if it speaks of one.
fn text_of(entry: &[u8]) -> Option<(TxId, Hash)> {
    let entry: Entry = from_bytes(entry).ok()?;
    let commitment = match entry.event {
        Event::Access(access) => access.reason,
        Event::Emergency(declared) => declared.reason,
        Event::Disputed(disputed) => disputed.reason,
        Event::DisputeAnswered(answer) => answer.reason,
        _ => return None,
    };
    Some((entry.tx, commitment))
}
