//! Destroying what was erased, and shares that a newer deal has replaced.

use std::collections::BTreeSet;

use chartseal_ledger::SignedTransaction;
use chartseal_ledger::body::Destroyed;
use chartseal_ledger::state::Deposited;
use chartseal_vault::{BlobId, ShareKey, SideKey, VaultError};
use chartseal_wire::{ActorId, HeaderDigest, RecordId};

use super::body_of;
use super::deposit::body_key;
use crate::error::NodeError;
use crate::node::{Node, side_key};
use crate::vault::{StoredFront, StoredShare};

/// What an erasure of a record destroys.
pub(crate) struct Held {
    shares: Vec<ShareKey>,
    /// Of these some may not be here.
    pub(crate) bodies: Vec<BlobId>,
    side: Vec<SideKey>,
}

impl Held {
    /// Whether something is in the node's own databases.
    fn has_rows(&self) -> bool {
        !self.shares.is_empty() || !self.side.is_empty()
    }
}

impl Node {
    /// Destroys everything of an erased record: shares, ciphertext, headers, reason texts with their
    /// salts, of all its versions. Gives the attestation to put on the chain.
    ///
    /// # Errors
    /// [`NodeError`] unless the chain says that the patient erased it.
    pub fn destroy(&mut self, record: &RecordId) -> Result<SignedTransaction, NodeError> {
        let begun = self.begin_destruction(record)?;
        self.stores.blobs.delete(&begun.bodies)?;
        self.end_destruction(record, &begun)
    }

    /// Destroys an erased record's shares. Its bodies are deleted next, for which the node is not needed.
    pub(crate) fn begin_destruction(&mut self, record: &RecordId) -> Result<Held, NodeError> {
        self.check_running()?;
        if !self
            .state()
            .record(record)
            .is_some_and(|record| record.erased)
        {
            return Err(NodeError::NotErased(*record));
        }
        let held = self.held_of(record)?;
        self.stores.shares.destroy(&held.shares)?;
        Ok(held)
    }

    /// Destroys the rest, and attests. Fronts last: they name the bodies, should this be cut short.
    pub(crate) fn end_destruction(
        &mut self,
        record: &RecordId,
        held: &Held,
    ) -> Result<SignedTransaction, NodeError> {
        self.stores.side.destroy(&held.side)?;
        Ok(self.transaction(Destroyed { record: *record }))
    }

    /// Whether anything of a record is left here that an erasure destroys.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses.
    pub fn holds_anything_of(&self, record: &RecordId) -> Result<bool, NodeError> {
        let held = self.held_of(record)?;
        if held.has_rows() {
            return Ok(true);
        }
        for body in &held.bodies {
            if self.stores.blobs.contains(body)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether its share of a version's deal is here; 0 is the deal that the header names.
    ///
    /// # Errors
    /// [`NodeError`] if the store refuses.
    pub fn holds_share(&self, header: &HeaderDigest, deal: u64) -> Result<bool, NodeError> {
        Ok(!matches!(
            self.stored_share(header, deal)?,
            StoredShare::Missing
        ))
    }

    /// What [`holds_anything_of`](Self::holds_anything_of) says, of what is in the node's own databases, so that the vault is not waited for.
    pub(crate) fn holds_rows_of(&self, record: &RecordId) -> Result<bool, NodeError> {
        Ok(self.held_of(record)?.has_rows())
    }

    /// What is here of a record. The newest body is known from the state, earlier ones from their fronts.
    ///
    /// An author anchors whatever they like as a header and a body: another record's, or what is made of them. So nothing
    /// counts that does not itself say that it is this record's, and no body that was taken for another.
    fn held_of(&self, record: &RecordId) -> Result<Held, NodeError> {
        let belongings = self.belongings(record)?;
        let newest = self.state().record(record).map(|record| record.body);
        let (mut shares, mut side, mut bodies) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (header, _) in belongings.versions.values() {
            match self.stored_front(header)? {
                StoredFront::Good(front) => {
                    let body = body_of(&front);
                    // Of one that was taken before it was kept whose a body is, the front says so.
                    if self.record_of_body(&body)?.is_none_or(|of| of == *record) {
                        bodies.insert(body);
                    }
                    side.push(SideKey(header.0));
                }
                StoredFront::Damaged => side.push(SideKey(header.0)),
                StoredFront::Missing => {}
            }
            for deal in 0..=self.state().deals(header).newest {
                if self.holds_share(header, deal)? {
                    shares.push(ShareKey::of_deal(&header.0, deal));
                }
            }
        }
        if let Some(body) = newest.map(BlobId)
            && self.record_of_body(&body)? == Some(*record)
        {
            bodies.insert(body);
        }
        for body in bodies.iter().map(body_key) {
            if self.is_in_side(&body)? {
                side.push(body);
            }
        }
        for (tx, commitment) in &belongings.reasons {
            let key = side_key(tx, commitment);
            if self.is_in_side(&key)? {
                side.push(key);
            }
            if self.older_text(commitment)?.is_some() {
                side.push(SideKey(commitment.0));
            }
        }
        Ok(Held {
            shares,
            side,
            bodies: bodies.into_iter().collect(),
        })
    }

    /// Whether a row of the side store is there, be it damaged.
    fn is_in_side(&self, key: &SideKey) -> Result<bool, NodeError> {
        match self.stores.side.get(key) {
            Ok(row) => Ok(row.is_some()),
            Err(VaultError::Damaged { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Destroys this custodian's shares of deals that newer ones have replaced, of these versions. Gives how many there
    /// were.
    ///
    /// # Errors
    /// [`NodeError`] if the node is stopped or its store refuses.
    pub fn destroy_replaced(
        &mut self,
        headers: impl IntoIterator<Item = HeaderDigest>,
    ) -> Result<usize, NodeError> {
        self.check_running()?;
        let mut replaced = Vec::new();
        for header in headers {
            let before = 0..self.state().deals(&header).durable;
            for deal in before.filter(|deal| self.is_replaced(&header, *deal)) {
                if self.holds_share(&header, deal)? {
                    replaced.push(ShareKey::of_deal(&header.0, deal));
                }
            }
        }
        if replaced.is_empty() {
            return Ok(0);
        }
        Ok(self.stores.shares.destroy(&replaced)?)
    }

    /// Whether a later deal by the patient is durable. Of a reader's only who opens the record knows whether it is any
    /// good, so the shares that it would replace stay.
    pub(crate) fn is_replaced(&self, header: &HeaderDigest, deal: u64) -> bool {
        let state = self.state();
        let mut later = deal + 1..=state.deals(header).durable;
        later.any(|number| {
            let later = state.deal(header, number);
            later.is_some_and(|later| {
                let record = state.record(&later.record);
                let owner = record.map(|record| state.owner(&record.patient));
                later.status() == Deposited::Durable && owner.map(ActorId::from) == Some(later.by)
            })
        })
    }
}
