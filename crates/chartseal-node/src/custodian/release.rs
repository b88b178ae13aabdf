//! Giving shares and ciphertext out, on a final permit.

use std::collections::BTreeMap;
use std::ops::Range;
use std::slice;

use chartseal_api::{Envelope, EnvelopeFront, MAX_BODY, Outline};
use chartseal_envelope::{HeldShare, KemPublicKey, Release, ShareIndex, release};
use chartseal_ledger::body::Released;
use chartseal_ledger::state::RequestState;
use chartseal_ledger::{Overlay, Releasable, SignedTransaction, releasable, releasable_of};
use chartseal_vault::{BlobStore, Outboard};
use chartseal_wire::{HeaderDigest, RecordId, RequestId};

use super::{MAX_LAG_MS, body_of};
use crate::conduct::Conduct;
use crate::error::NodeError;
use crate::node::Node;
use crate::vault::{StoredFront, StoredShare};

/// A custodian's shares for a request, by the index that it has in the committee that was dealt to.
type Shares = BTreeMap<ShareIndex, Vec<(Releasable, HeldShare)>>;

/// The most bytes of a body that is given in one message, with its front beside it.
const MAX_WHOLE: u64 = MAX_BODY as u64 - 64 * 1024;

/// A sealed record whole, with its body from the vault.
pub(crate) fn with_body(
    front: EnvelopeFront,
    blobs: &dyn BlobStore,
) -> Result<Envelope, NodeError> {
    if front.seal.body_len() > MAX_WHOLE {
        return Err(NodeError::TooLong(front.record()));
    }
    let body = blobs.get(&body_of(&front))?;
    let header = HeaderDigest(front.header.digest().0);
    let body = body.ok_or(NodeError::NoShare(header))?;
    Ok(Envelope { front, body })
}

impl Node {
    /// The receipts that have to be final before this custodian gives its shares for a request: one for each index that
    /// it has in the committees to which the records were dealt, of the records of which the chain has none yet. A share
    /// that left before could be combined, and a crash could take its receipt away.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn receipts(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<Vec<SignedTransaction>, NodeError> {
        self.receipts_at(&self.head.clone(), request, reader)
    }

    /// The same by the state after a block that is not final yet, so that the next one can have the receipts. If that
    /// block never becomes final, the chain refuses them. Nothing is released by such a state.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn receipts_at(
        &mut self,
        state: &Overlay,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<Vec<SignedTransaction>, NodeError> {
        let (asked, shares) = self.may_release(state, request, reader)?;
        let mut receipts = Vec::new();
        for (index, shares) in shares {
            let items = shares.into_iter().map(|(item, _)| item);
            let items = items.filter(|item| !is_receipted(&asked, item, index));
            let records: Vec<RecordId> = items.map(|item| item.record).collect();
            if !records.is_empty() {
                receipts.push(self.transaction(Released {
                    request: *request,
                    records,
                }));
            }
        }
        Ok(receipts)
    }

    /// Releases this custodian's shares for a request, on nobody's word but its own newest state: the permit and this
    /// custodian's receipt are final, it is in its window, and would still be given now. There is one release for each
    /// index, as with [`receipts`](Self::receipts).
    ///
    /// A record that has no receipt yet, or of which there is no share, or a damaged one, is left out if there are
    /// others.
    ///
    /// # Errors
    /// [`NodeError`]; nothing is released then.
    pub fn release(
        &self,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<Vec<Release>, NodeError> {
        let (asked, shares) = self.may_release(&self.head, request, reader)?;
        let mut releases = Vec::with_capacity(shares.len());
        for (index, shares) in shares {
            let shares = shares.iter();
            let shares = shares.filter(|(item, _)| is_receipted(&asked, item, index));
            let held: Vec<&HeldShare> = shares.map(|(_, share)| share).collect();
            if !held.is_empty() {
                let request = chartseal_envelope::RequestId(request.0);
                releases.push(release(&held, request, reader)?);
            }
        }
        if releases.is_empty() {
            return Err(NodeError::NoReceipt(*request));
        }
        Ok(releases)
    }

    /// The request, and this custodian's shares of what a state would let it release.
    fn may_release(
        &self,
        state: &Overlay,
        request: &RequestId,
        reader: &KemPublicKey,
    ) -> Result<(RequestState, Shares), NodeError> {
        self.check_running()?;
        let may = releasable(state, request, self.clock.now(), MAX_LAG_MS).map_err(|why| {
            NodeError::NotReleasable {
                request: *request,
                why,
            }
        })?;
        let asked = state.state().request(request);
        let asked = asked.filter(|asked| asked.reader == reader.key_id().0);
        let asked = asked.ok_or(NodeError::WrongReader(*request))?;
        let mut by_index = Shares::new();
        let mut missing = None;
        for item in &may {
            match self.share_of(item) {
                Ok(share) => {
                    let shares = by_index.entry(share.index()).or_default();
                    shares.push((*item, share));
                }
                Err(why) => {
                    tracing::error!(header = %item.header, %why, "a share can't be released");
                    missing = missing.or(Some(why));
                }
            }
        }
        match missing {
            Some(missing) if by_index.is_empty() => Err(missing),
            _ => Ok((asked, by_index)),
        }
    }

    /// This custodian's share of what may be released, as it behaves.
    fn share_of(&self, item: &Releasable) -> Result<HeldShare, NodeError> {
        let share = match self.stored_share(&item.header, item.deal)? {
            StoredShare::Good(share) => *share,
            StoredShare::Damaged => return Err(NodeError::DamagedShare(item.header)),
            StoredShare::Missing => return Err(NodeError::NoShare(item.header)),
        };
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

    /// The same without the body, with what verifies that in parts. A large body is read whole once for it.
    ///
    /// # Errors
    /// As [`envelope`](Self::envelope).
    pub fn outline(&self, request: &RequestId, record: &RecordId) -> Result<Outline, NodeError> {
        let front = self.front_for(request, record)?;
        let read = Outboard::read(self.stores.blobs.as_ref(), &body_of(&front))?;
        let groups = read.ok_or(NodeError::NoBody)?.groups().to_vec();
        Ok(Outline { front, groups })
    }

    /// A part of its body, verified.
    ///
    /// # Errors
    /// As [`envelope`](Self::envelope).
    pub fn body_part(
        &self,
        request: &RequestId,
        record: &RecordId,
        outboard: &Outboard,
        part: Range<u64>,
    ) -> Result<Vec<u8>, NodeError> {
        let front = self.front_for(request, record)?;
        if body_of(&front) != outboard.id() {
            return Err(NodeError::NoBody);
        }
        let part = outboard.range(self.stores.blobs.as_ref(), part)?;
        part.ok_or(NodeError::NoBody)
    }

    /// The header and seal of a sealed record of a request that was permitted; they name its body.
    pub(crate) fn front_for(
        &self,
        request: &RequestId,
        record: &RecordId,
    ) -> Result<EnvelopeFront, NodeError> {
        self.check_running()?;
        let asked = self.state().request(request);
        if asked.is_some_and(|it| !it.permits.is_empty() && it.permit(record).is_none()) {
            return Err(NodeError::NoShare(HeaderDigest([0; 32])));
        }
        let fronts = self.fronts_for(request, slice::from_ref(record))?;
        match fronts.into_iter().next() {
            Some((_, Some(front))) => Ok(front),
            Some((header, None)) => Err(NodeError::NoShare(header)),
            None => Err(NodeError::NoShare(HeaderDigest([0; 32]))),
        }
    }

    /// The same of several records, of those that may be given: each with its header's digest, and nothing more if it is not
    /// here.
    pub(crate) fn fronts_for(
        &self,
        request: &RequestId,
        records: &[RecordId],
    ) -> Result<Vec<(HeaderDigest, Option<EnvelopeFront>)>, NodeError> {
        self.check_running()?;
        let now = self.clock.now();
        let items = releasable_of(&self.head, request, records, now, MAX_LAG_MS);
        let items = items.map_err(|why| NodeError::NotReleasable {
            request: *request,
            why,
        })?;
        let front = |header: HeaderDigest| {
            let front = match self.stored_front(&header)? {
                StoredFront::Good(front) => Some(*front),
                // One that is damaged keeps nobody from the others, nor from asking elsewhere.
                StoredFront::Damaged | StoredFront::Missing => None,
            };
            Ok((header, front))
        };
        items.into_iter().map(|item| front(item.header)).collect()
    }
}

/// Whether the chain has the receipt of a custodian for a record of a request: one for this deal, for an
/// index of an earlier one is another custodian.
fn is_receipted(asked: &RequestState, item: &Releasable, index: ShareIndex) -> bool {
    let permit = asked.permit(&item.record);
    permit.is_some_and(|permit| permit.is_released_by(item.deal, index.get().into()))
}
