//! What should lie in the node's stores, by the chain, and what does.

use std::sync::Arc;

use chartseal_api::EnvelopeFront;
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::HeldShare;
use chartseal_ledger::Overlay;
use chartseal_ledger::state::RecordState;
use chartseal_vault::{BlobId, BlobStore, ShareKey, SideKey, VaultError};
use chartseal_wire::{ActorId, HeaderDigest, RecordId};

use crate::custodian::{author_key, body_of, dealt_in, keys_of, read_front, share_index};
use crate::error::NodeError;
use crate::node::Node;

/// A version of a record that is not erased, as the chain has it for this custodian.
pub(crate) struct Version {
    pub(crate) record: RecordId,
    pub(crate) header: HeaderDigest,
    author: ActorId,
    /// The ciphertext of the newest version; the chain no longer knows that of an older one.
    body: Option<BlobId>,
    /// Its header and seal, as they lie here.
    pub(crate) front: StoredFront,
    /// How the shares are that this custodian acknowledged and that no newer deal has replaced.
    pub(crate) shares: Vec<KeptShare>,
    /// Whether it is the one that is read from now on.
    pub(crate) is_newest: bool,
}

impl Version {
    /// Whether front and ciphertext should be here: this custodian put on the chain that they are, and still counts.
    pub(crate) fn is_due(&self) -> bool {
        !self.shares.is_empty()
    }

    /// Its ciphertext, if that is known.
    pub(crate) fn body(&self) -> Option<BlobId> {
        self.body.or_else(|| match &self.front {
            StoredFront::Good(front) => Some(body_of(front)),
            _ => None,
        })
    }
}

/// A record's header and seal in the side store.
pub(crate) enum StoredFront {
    /// As they should be.
    Good(Box<EnvelopeFront>),
    /// Not as they were stored.
    Damaged,
    /// Not here.
    Missing,
}

/// A share in the share store.
pub(crate) enum StoredShare {
    /// As it should be.
    Good(Box<HeldShare>),
    /// Not as it was stored.
    Damaged,
    /// Not here.
    Missing,
}

/// How a share is that this custodian acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptShare {
    /// As it should be.
    Good,
    /// Good too, and the record rests on it, though it was dealt to the former committee of this epoch.
    Former(u64),
    /// Not as it was stored.
    Damaged,
    /// Not here.
    Missing,
}

/// The ids of a state's records that are not erased.
pub(crate) fn records_of(head: &Overlay) -> Vec<RecordId> {
    let state = head.state();
    let id_of = |value: &[u8]| {
        let record: RecordState = from_bytes(value).ok()?;
        // A record's value does not name it; its newest version's deposit does.
        let id = state.deposit(&record.header)?.record;
        let is_it = !record.erased && state.record(&id).as_ref() == Some(&record);
        is_it.then_some(id)
    };
    let values = head.map().iter();
    values.filter_map(|(_, value)| id_of(value)).collect()
}

impl Node {
    /// The ciphertexts.
    pub(crate) fn blobs(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.stores.blobs)
    }

    /// A record's versions, oldest first; none of one that is erased.
    pub(crate) fn versions_of(&self, id: &RecordId) -> Result<Vec<Version>, NodeError> {
        let record = self.state().record(id).filter(|record| !record.erased);
        let Some(record) = record else {
            return Ok(Vec::new());
        };
        let mut versions = Vec::with_capacity(1);
        // Most records have one, and the state knows it.
        if record.version > 1 {
            for (header, author) in self.belongings(id)?.versions.into_values() {
                if header != record.header {
                    versions.push(self.version(*id, header, author, None)?);
                }
            }
        }
        let body = Some(BlobId(record.body));
        versions.push(self.version(*id, record.header, record.author, body)?);
        Ok(versions)
    }

    fn version(
        &self,
        record: RecordId,
        header: HeaderDigest,
        author: ActorId,
        newest: Option<BlobId>,
    ) -> Result<Version, NodeError> {
        Ok(Version {
            record,
            header,
            author,
            body: newest,
            front: self.stored_front(&header)?,
            shares: self.kept_shares(&header)?,
            is_newest: newest.is_some(),
        })
    }

    /// A record's header and seal, by the header's digest.
    pub(crate) fn stored_front(&self, header: &HeaderDigest) -> Result<StoredFront, NodeError> {
        let side = match self.stores.side.get(&SideKey(header.0)) {
            Ok(Some(side)) => side,
            Ok(None) => return Ok(StoredFront::Missing),
            Err(VaultError::Damaged { .. }) => return Ok(StoredFront::Damaged),
            Err(error) => return Err(error.into()),
        };
        // What is whole and of another kind lies there by right: whoever anchored this header named its place.
        let front = read_front(side.expose()).ok();
        let front = front.filter(|front| front.header.digest().0 == header.0);
        Ok(front.map_or(StoredFront::Missing, |front| {
            StoredFront::Good(Box::new(front))
        }))
    }

    /// How this custodian's shares of a version are, of every deal that it acknowledged and that counts.
    fn kept_shares(&self, header: &HeaderDigest) -> Result<Vec<KeptShare>, NodeError> {
        let state = self.state();
        let (deals, present) = (state.deals(header), state.committee().epoch());
        let mut kept = Vec::new();
        for number in 0..=deals.newest {
            let Some(epoch) = self.acknowledged(header, number) else {
                continue;
            };
            if self.is_replaced(header, number) {
                continue;
            }
            let rests_on_former = number == deals.durable && epoch < present;
            kept.push(match self.stored_share(header, number)? {
                StoredShare::Good(_) if rests_on_former => KeptShare::Former(epoch),
                StoredShare::Good(_) => KeptShare::Good,
                StoredShare::Damaged => KeptShare::Damaged,
                StoredShare::Missing => KeptShare::Missing,
            });
        }
        Ok(kept)
    }

    /// The epoch to whose committee a deal was dealt of which this custodian acknowledged its share.
    fn acknowledged(&self, header: &HeaderDigest, deal: u64) -> Option<u64> {
        let state = self.state();
        let epoch = dealt_in(state, header, deal)?;
        let index = u64::from(share_index(state, &self.org, epoch)?.get());
        let is_acknowledged = match deal {
            0 => state.deposit(header)?.is_acknowledged_by(index),
            later => state.deal(header, later)?.is_acknowledged_by(index),
        };
        is_acknowledged.then_some(epoch)
    }

    /// This custodian's share of a version's deal; 0 is the deal that the header names.
    pub(crate) fn stored_share(
        &self,
        header: &HeaderDigest,
        deal: u64,
    ) -> Result<StoredShare, NodeError> {
        let stored = match self.stores.shares.get(&ShareKey::of_deal(&header.0, deal)) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(StoredShare::Missing),
            Err(VaultError::Damaged { .. }) => return Ok(StoredShare::Damaged),
            Err(error) => return Err(error.into()),
        };
        let Ok(share) = HeldShare::from_storage_bytes(stored.expose()) else {
            return Ok(StoredShare::Damaged);
        };
        // An author may anchor as their header the place of another record's later deal, which is no secret: the share
        // that lies there is the other's, to be neither released nor destroyed.
        let dealing = share.dealing();
        let is_it = dealing.header().0 == header.0 && dealing.epoch() == deal;
        Ok(if is_it {
            StoredShare::Good(Box::new(share))
        } else {
            StoredShare::Missing
        })
    }

    /// Keeps a version's header and seal that somebody else gave, in the place of damaged ones, if they are the ones that
    /// the chain names and the record is not erased. Whether that is so.
    pub(crate) fn put_found_front(
        &self,
        version: &Version,
        front: &EnvelopeFront,
    ) -> Result<bool, NodeError> {
        if self.is_erased(&version.record) || !self.is_front_of(version, front) {
            return Ok(false);
        }
        let key = SideKey(version.header.0);
        if matches!(version.front, StoredFront::Damaged) {
            self.stores.side.destroy(&[key])?;
        }
        self.put_side(&[(key, to_bytes(front))])?;
        Ok(true)
    }

    /// What its header says beside its digest this custodian compared with the anchor when it acknowledged it.
    fn is_front_of(&self, version: &Version, front: &EnvelopeFront) -> bool {
        let EnvelopeFront { header, seal } = front;
        let is_named = header.digest().0 == version.header.0
            && front.record() == version.record
            && version.body.is_none_or(|body| body == body_of(front));
        let keys = keys_of(self.state(), &version.author);
        let author = author_key(&keys, header);
        is_named && author.is_some_and(|author| seal.verify_signature(header, author).is_ok())
    }

    /// Whether the ciphertext of a front that is here should be here.
    pub(crate) fn is_wanted(&self, front: &EnvelopeFront) -> Result<bool, NodeError> {
        let header = HeaderDigest(front.header.digest().0);
        let is_here = match self.stored_front(&header)? {
            StoredFront::Good(here) => *here == *front,
            _ => false,
        };
        Ok(is_here && !self.is_erased(&front.record()))
    }
}
