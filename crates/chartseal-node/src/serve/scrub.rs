//! What a vault does by itself: every ciphertext that should be here is read and mended from another organization's copy,
//! and what belongs to no record is thrown away.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chartseal_api::{BlobAsk, EnvelopeFront, MAX_PART, Signed};
use chartseal_client::Remote;
use chartseal_codec::canonical_struct;
use chartseal_envelope::RecordId as RandomId;
use chartseal_vault::{BlobId, BlobStore, GROUP, Outboard, SideKey, VaultError};
use chartseal_wire::Time;

use super::keeper::NodeKeeper;
use super::others::Others;
use super::uploads::Uploads;
use crate::custodian::body_of;
use crate::error::NodeError;
use crate::keys::{public, sign};
use crate::vault::KeptShare;

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How long a pass rests after each ciphertext, so that it is in nobody's way.
const REST: Duration = Duration::from_millis(2);

/// What a pass over a vault found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// When it ended.
    pub at: Time,
    /// How many ciphertexts should be here.
    pub expected: u64,
    /// How many of them were damaged or missing, and are here again.
    pub mended: u64,
    /// How many are damaged or missing, and nobody who was asked has them.
    pub lost: u64,
    /// How many shares are damaged. Nobody else has them: a key holder has to deal anew.
    pub damaged_shares: u64,
    /// How many shares records rest on that were dealt to a former committee: their patients' apps have not dealt anew
    /// yet.
    pub former_shares: u64,
    /// How many ciphertexts belonged to no record, and are gone.
    pub garbage: u64,
}

canonical_struct!(Scrubbed {
    at,
    expected,
    mended,
    lost,
    damaged_shares,
    former_shares,
    garbage
});

/// What came of looking for another organization's copy of a ciphertext.
enum Mended {
    /// It is here.
    Yes,
    /// Its record was erased meanwhile, or is not this node's.
    Erased,
    /// Nobody gives it.
    NoCopy,
}

/// Passes over a vault, one at a time.
#[derive(Clone)]
pub(super) struct Scrub {
    keeper: NodeKeeper,
    others: Others,
    uploads: Uploads,
    last: Arc<Mutex<Option<Scrubbed>>>,
    ended: Arc<AtomicBool>,
    turn: Arc<Mutex<()>>,
}

impl Scrub {
    pub(super) fn new(keeper: NodeKeeper, others: Others, uploads: Uploads) -> Self {
        Self {
            keeper,
            others,
            uploads,
            last: Arc::default(),
            ended: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// The bodies that come in parts.
    pub(super) fn uploads(&self) -> Uploads {
        self.uploads.clone()
    }

    /// What the newest pass found.
    pub(super) fn last(&self) -> Option<Scrubbed> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass a day, from one day after the start on.
    pub(super) async fn run(self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let pass = self.clone();
            match tokio::task::spawn_blocking(move || pass.pass()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "the vault can't be looked at"),
                Err(_) => return,
            }
        }
    }

    /// Ends a pass that is under way; what it mended stays mended.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Looks at everything now.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses; what is damaged is no error.
    pub(super) fn pass(&self) -> Result<Scrubbed, NodeError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Scrubbed::default();
        let blobs = self.keeper.node().blobs();
        // In this order: a deposit writes its front before its body, and an erasure deletes the body first.
        let here = blobs.ids()?;
        let expected = self.expected()?;
        for (id, front) in &expected {
            if self.ended.load(Ordering::SeqCst) {
                return Ok(found);
            }
            std::thread::sleep(REST);
            found.expected += 1;
            match Self::look_at(blobs.as_ref(), id) {
                Ok(Some(())) => continue,
                Ok(None) | Err(VaultError::Damaged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match self.mend(blobs.as_ref(), id, front)? {
                Mended::Yes => found.mended += 1,
                Mended::Erased => {}
                Mended::NoCopy => {
                    tracing::error!(%id, "a ciphertext is damaged or missing, and no other organization gives it");
                    found.lost += 1;
                }
            }
        }
        let garbage: Vec<BlobId> = here
            .into_iter()
            .filter(|id| !expected.contains_key(id))
            .collect();
        found.garbage = blobs.delete(&garbage)? as u64;
        let is_expected = |id: &BlobId| expected.contains_key(id);
        let swept = self.uploads.sweep(is_expected);
        found.garbage += swept.map_err(NodeError::Uploads)?;
        self.look_at_shares(&mut found)?;
        found.at = self.keeper.node().clock.now();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        tracing::info!(
            expected = found.expected,
            mended = found.mended,
            lost = found.lost,
            damaged_shares = found.damaged_shares,
            former_shares = found.former_shares,
            garbage = found.garbage,
            "the vault was looked at"
        );
        Ok(found)
    }

    /// Reads all of a ciphertext, a large one in parts.
    fn look_at(blobs: &dyn BlobStore, id: &BlobId) -> Result<Option<()>, VaultError> {
        match blobs.len(id)? {
            Some(len) if len > GROUP as u64 => Ok(Outboard::read(blobs, id)?.map(drop)),
            _ => Ok(blobs.get(id)?.map(drop)),
        }
    }

    /// Every ciphertext that should be here, by the header that names it.
    fn expected(&self) -> Result<BTreeMap<BlobId, SideKey>, NodeError> {
        let keys = self.keeper.node().side_keys()?;
        let mut expected = BTreeMap::new();
        for key in keys {
            // One at a time: blocks go on being committed in between.
            if let Some(body) = self.keeper.node().body_of(&key)? {
                expected.insert(body, key);
            }
        }
        Ok(expected)
    }

    fn look_at_shares(&self, found: &mut Scrubbed) -> Result<(), NodeError> {
        let keys = self.keeper.node().share_keys()?;
        for key in keys {
            match self.keeper.node().kept_share(&key)? {
                KeptShare::Good => {}
                KeptShare::Former => found.former_shares += 1,
                KeptShare::Damaged => {
                    tracing::error!(%key, "a share is damaged: a holder of the record's key has to deal anew");
                    found.damaged_shares += 1;
                }
            }
        }
        Ok(())
    }

    /// Fetches the ciphertexts of these records that are not here.
    pub(super) fn fetch(&self, fronts: &[EnvelopeFront]) -> Result<(), NodeError> {
        let blobs = self.keeper.node().blobs();
        for front in fronts {
            let id = body_of(front);
            if !blobs.contains(&id)? {
                self.mend(blobs.as_ref(), &id, &SideKey(front.header.digest().0))?;
            }
        }
        Ok(())
    }

    /// The same of records that this node has not heard of yet, if they are anchored.
    pub(super) fn fetch_anchored(&self, fronts: &[EnvelopeFront]) -> Result<(), NodeError> {
        let blobs = self.keeper.node().blobs();
        for front in fronts {
            if blobs.contains(&body_of(front))? {
                continue;
            }
            let begun = self.keeper.node().begin_upload(front);
            match begun {
                Ok(()) => {
                    let key = SideKey(front.header.digest().0);
                    self.mend(blobs.as_ref(), &body_of(front), &key)?;
                }
                // The deposit says so of each.
                Err(NodeError::Deposit { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn mend(
        &self,
        blobs: &dyn BlobStore,
        id: &BlobId,
        front: &SideKey,
    ) -> Result<Mended, NodeError> {
        if !self.keeper.node().has_front(front)? {
            return Ok(Mended::Erased);
        }
        // Whoever gives it: its id is its hash.
        let others = self.others.all();
        let mut copies = others.iter().map(|node| {
            let mut copy = Copy::of(&self.keeper, node, id);
            blobs.put_stream(id, &mut copy)
        });
        let stored = copies.find_map(|stored| match stored {
            Ok(()) => Some(Ok(())),
            Err(VaultError::Source(_) | VaultError::Other { .. }) => None,
            Err(error) => Some(Err(error)),
        });
        let Some(stored) = stored else {
            return Ok(Mended::NoCopy);
        };
        stored?;
        // Its record may have been erased meanwhile.
        if !self.keeper.node().has_front(front)? {
            blobs.delete(&[*id])?;
            return Ok(Mended::Erased);
        }
        Ok(Mended::Yes)
    }
}

/// Another organization's copy of a ciphertext, asked for in parts.
struct Copy<'a> {
    keeper: &'a NodeKeeper,
    node: &'a Remote,
    id: &'a BlobId,
    /// How much came.
    at: u64,
    part: Cursor<Vec<u8>>,
}

impl<'a> Copy<'a> {
    fn of(keeper: &'a NodeKeeper, node: &'a Remote, id: &'a BlobId) -> Self {
        Self {
            keeper,
            node,
            id,
            at: 0,
            part: Cursor::default(),
        }
    }

    fn ask(&self) -> io::Result<Vec<u8>> {
        let nonce = RandomId::random().map_err(io::Error::other)?.0;
        let ask = {
            let here = self.keeper.node();
            let (chain, now, keys) = (here.chain(), here.clock.now(), &here.keys().custodian);
            let signer = |message: &[u8]| sign(keys, message);
            let ask = BlobAsk {
                id: self.id.0,
                from: self.at,
            };
            let to = (&chain, &self.node.org());
            Signed::new(to, public(keys), now, nonce, ask, signer)
        };
        self.node.blob(&ask).map_err(io::Error::other)
    }
}

impl Read for Copy<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let is_taken = self.part.position() == self.part.get_ref().len() as u64;
        // A part that is not full is the last.
        if is_taken && self.at.is_multiple_of(MAX_PART as u64) {
            let part = self.ask()?;
            self.at += part.len() as u64;
            self.part = Cursor::new(part);
        }
        self.part.read(to)
    }
}
