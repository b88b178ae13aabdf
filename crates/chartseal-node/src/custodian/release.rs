//! Giving shares and ciphertext out, on a final permit.

use std::collections::BTreeMap;

use chartseal_api::{Envelope, EnvelopeFront};
use chartseal_envelope::{HeldShare, KemPublicKey, Release, ShareIndex, release};
use chartseal_ledger::body::Released;
use chartseal_ledger::{Releasable, SignedTransaction, releasable};
use chartseal_vault::{BlobId, BlobStore, ShareKey, SideKey};
use chartseal_wire::{HeaderDigest, RecordId, RequestId};

use super::{MAX_LAG_MS, read_front};
use crate::conduct::Conduct;
use crate::error::NodeError;
use crate::node::Node;

/// What a custodian gives for a request: its shares under one index.
#[derive(Debug)]
pub struct ReleasedShares {
    /// The shares, sealed to the request's ephemeral key.
    pub release: Release,
    /// The receipt to put on the chain, unless it is there.
    pub receipt: Option<SignedTransaction>,
}

/// A sealed record whole, with its body from the vault.
pub(crate) fn with_body(
    front: EnvelopeFront,
    blobs: &dyn BlobStore,
) -> Result<Envelope, NodeError> {
    let body = blobs.get(&BlobId(front.seal.body_digest().0))?;
    let header = HeaderDigest(front.header.digest().0);
    let body = body.ok_or(NodeError::NoShare(header))?;
    Ok(Envelope { front, body })
}

impl Node {
    /// Releases this custodian's shares for a request, on nobody's word but its own newest state:
    /// the permit is final, in its window, and would still be given now.
    ///
    /// Records may have been dealt to several committees, in which it has several indices: one release for each. A
    /// record of which it has no share, or a damaged one, is left out if it has others.
    ///
    /// # Errors
    /// [`NodeError`]; nothing is released then.
    pub fn release(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<Vec<ReleasedShares>, NodeError> {
        self.check_running()?;
        let may = releasable(&self.head, request, self.clock.now(), MAX_LAG_MS).map_err(|why| {
            NodeError::NotReleasable {
                request: *request,
                why,
            }
        })?;
        let asked = self.state().request(request);
        let asked = asked.filter(|asked| asked.reader == reader.key_id().0);
        let asked = asked.ok_or(NodeError::WrongReader(*request))?;
        let mut by_index: BTreeMap<ShareIndex, Vec<(RecordId, HeldShare)>> = BTreeMap::new();
        let mut missing = None;
        for item in &may {
            match self.share_of(item) {
                Ok(share) => {
                    let shares = by_index.entry(share.index()).or_default();
                    shares.push((item.record, share));
                }
                Err(why) => {
                    tracing::error!(header = %item.header, %why, "a share can't be released");
                    missing = missing.or(Some(why));
                }
            }
        }
        if let Some(missing) = missing.filter(|_| by_index.is_empty()) {
            return Err(missing);
        }
        let mut released = Vec::with_capacity(by_index.len());
        for (index, shares) in by_index {
            let held: Vec<&HeldShare> = shares.iter().map(|(_, share)| share).collect();
            let release = release(&held, chartseal_envelope::RequestId(request.0), reader)?;
            // What is receipted already is not receipted again, whatever else is released now.
            let bit = 1 << (index.get() - 1);
            let is_receipted = |record: &RecordId| {
                let permit = asked.permit(record);
                permit.is_some_and(|permit| permit.released & bit != 0)
            };
            let records = shares.iter().map(|(record, _)| *record);
            let records: Vec<RecordId> = records.filter(|it| !is_receipted(it)).collect();
            let receipt = (!records.is_empty()).then(|| {
                self.transaction(Released {
                    request: *request,
                    records,
                })
            });
            released.push(ReleasedShares { release, receipt });
        }
        Ok(released)
    }

    /// This custodian's share of what may be released, as it behaves.
    fn share_of(&self, item: &Releasable) -> Result<HeldShare, NodeError> {
        let key = ShareKey::of_deal(&item.header.0, item.deal);
        let share = self.stores.shares.get(&key)?;
        let share = share.ok_or(NodeError::NoShare(item.header))?;
        let share = HeldShare::from_storage_bytes(share.expose());
        let share = share.map_err(|why| NodeError::Damaged {
            what: "a share",
            why,
        })?;
        Ok(if self.conduct == Conduct::LiesAboutShares {
            share.lying()
        } else {
            share
        })
    }

    /// The sealed record of a request that was permitted, for its reader.
    ///
    /// # Errors
    /// [`NodeError`] if the request gives no right to it, or it is damaged or gone.
    pub fn envelope(&self, request: &RequestId, record: &RecordId) -> Result<Envelope, NodeError> {
        let front = self.front_for(request, record)?;
        with_body(front, self.stores.blobs.as_ref())
    }

    /// The header and seal of a sealed record of a request that was permitted; they name its body.
    pub(crate) fn front_for(
        &self,
        request: &RequestId,
        record: &RecordId,
    ) -> Result<EnvelopeFront, NodeError> {
        self.check_running()?;
        let may = releasable(&self.head, request, self.clock.now(), MAX_LAG_MS).map_err(|why| {
            NodeError::NotReleasable {
                request: *request,
                why,
            }
        })?;
        let item = may.iter().find(|item| item.record == *record);
        let item = item.ok_or(NodeError::NoShare(HeaderDigest([0; 32])))?;
        let gone = NodeError::NoShare(item.header);
        let front = self.stores.side.get(&SideKey(item.header.0))?.ok_or(gone)?;
        read_front(front.expose())
    }
}
