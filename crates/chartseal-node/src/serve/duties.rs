//! What a custodian does by itself when a block is final: it destroys what is erased, and attests it; and shares that a
//! newer deal has replaced. And it asks others for the texts that it was not given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chartseal_consensus::engine::Handle;
use chartseal_ledger::Body;
use chartseal_wire::{HeaderDigest, RecordId};

use super::keeper::NodeKeeper;
use super::texts::Texts;
use crate::error::NodeError;

/// The file that says up to which height everything is done.
pub(super) const FILE: &str = "duties";
/// After how many blocks without a sign of it an attestation is made again.
const AGAIN: u64 = 16;

/// Erasures that this node has to carry out.
pub(super) struct Duties {
    keeper: NodeKeeper,
    handle: Handle,
    file: PathBuf,
    /// The newest height that was looked at.
    seen: u64,
    /// Records whose destruction is not attested on the chain yet: by the height that erased them, and when it was last
    /// attested.
    open: BTreeMap<(u64, RecordId), u64>,
    /// Versions of which a custodian has acknowledged a newer deal.
    redealt: BTreeSet<HeaderDigest>,
    texts: Texts,
}

impl Duties {
    /// Goes on where the last process stopped: before a height is written down, all its duties are done.
    pub(super) fn new(directory: &Path, keeper: NodeKeeper, handle: Handle, texts: Texts) -> Self {
        let file = directory.join(FILE);
        let seen = std::fs::read_to_string(&file).ok();
        let seen = seen.and_then(|text| text.trim().parse().ok());
        Self {
            keeper,
            handle,
            file,
            seen: seen.unwrap_or(0),
            open: BTreeMap::new(),
            redealt: BTreeSet::new(),
            texts,
        }
    }

    /// Looks after every final block, until the validator stops.
    pub(super) async fn run(mut self) {
        let mut height = 0;
        while let Some(next) = self.handle.wait_above(height).await {
            height = next;
            let looked = tokio::task::spawn_blocking(move || {
                let done = self.look(next);
                (self, done)
            });
            let Ok((duties, done)) = looked.await else {
                return;
            };
            self = duties;
            if let Err(error) = done {
                // Whatever is not done is tried again with the next block.
                tracing::error!(%error, "what is erased or was dealt anew can't be destroyed");
            }
        }
    }

    fn due(&self, record: &RecordId, last: u64, head: u64) -> Result<Due, NodeError> {
        let node = self.keeper.node();
        let holds = node.holds_rows_of(record)?;
        // Who was dealt to attests, with or without a share; who came later, if it has something.
        let is_concerned = holds || last > 0 || node.index_for(record).is_ok();
        let is_attested = node.state().has_destroyed(record, &node.org());
        Ok(if !is_concerned {
            Due::Nothing
        } else if is_attested {
            if holds { Due::Again } else { Due::Nothing }
        } else if last == 0 || head >= last + AGAIN {
            Due::Now
        } else {
            Due::Later
        })
    }

    fn look(&mut self, head: u64) -> Result<(), NodeError> {
        while self.seen < head {
            let height = self.seen + 1;
            // What was pruned was looked after before: nodes prune below what they have done.
            let block = self.keeper.node().kept_block(height)?;
            let parsed = block.iter().flat_map(|block| &block.transactions);
            for signed in parsed {
                let Ok(transaction) = signed.parse() else {
                    continue;
                };
                self.texts.note(height, signed.id(), &transaction.body);
                match transaction.body {
                    Body::Erased(erased) => {
                        self.open.insert((height, erased.record), 0);
                    }
                    Body::RedealAcknowledged(acknowledged) => {
                        self.redealt.insert(acknowledged.header);
                    }
                    _ => {}
                }
            }
            self.seen = height;
        }
        // One that can't be destroyed now keeps no other one waiting.
        let mut failed = None;
        for (key, last) in self.open.clone() {
            if let Err(error) = self.look_after(key, last, head) {
                failed = Some(error);
            }
        }
        let redealt = self.redealt.iter().copied();
        self.keeper.node().destroy_replaced(redealt)?;
        self.redealt.clear();
        self.texts.look(head)?;
        let erasure = self.open.keys().next().map(|(height, _)| *height);
        let oldest = erasure.into_iter().chain(self.texts.oldest()).min();
        let done = oldest.map_or(self.seen, |height| height - 1);
        // Without this the next process looks at more blocks again, and does nothing twice.
        let _ = std::fs::write(&self.file, format!("{done}\n"));
        failed.map_or(Ok(()), Err)
    }

    fn look_after(&mut self, key: (u64, RecordId), last: u64, head: u64) -> Result<(), NodeError> {
        let (_, record) = key;
        match self.due(&record, last, head)? {
            Due::Nothing => {
                self.open.remove(&key);
            }
            Due::Later => {}
            Due::Again => {
                // The chain has the attestation; what is here came back with a backup.
                self.keeper.destroy(&record)?;
                self.open.remove(&key);
            }
            Due::Now => {
                let attestation = self.keeper.destroy(&record)?;
                self.open.insert(key, head);
                if let Err(why) = self.handle.submit(attestation) {
                    tracing::warn!(%why, "the pool refuses an attestation");
                }
            }
        }
        Ok(())
    }
}

/// What is to be done about an erased record.
enum Due {
    /// Nothing, for ever: it is destroyed and attested, or was never dealt to this node.
    Nothing,
    /// To be destroyed again, though that it was is on the chain.
    Again,
    /// To be destroyed and attested.
    Now,
    /// The attestation is on its way.
    Later,
}
