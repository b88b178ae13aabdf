//! What a vault does by itself: every ciphertext that should be here, by what this custodian put on the chain, is read and
//! mended from another organization's copy, shares are counted, and what belongs to no record is thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use chartseal_api::{EnvelopeFront, MAX_FRONTS, Outline};
use chartseal_vault::{BlobId, BlobStore, GROUP, Outboard, VaultError};
use chartseal_wire::{HeaderDigest, Time};
use tokio::sync::oneshot;

use super::copies::Copies;
use super::keeper::NodeKeeper;
use super::others::Others;
use super::scrubbed::{FormerShares, Scrubbed};
use super::uploads::{UploadFault, Uploads};
use crate::custodian::{MAX_LAG_MS, body_of};
use crate::error::NodeError;
use crate::vault::{KeptShare, StoredFront, Version, records_of};

/// How often everything is looked at, if the configuration does not say.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How soon again, at the latest, if something is lost or a pass failed: others may be back by then.
const AGAIN: Duration = Duration::from_secs(3_600);
/// How often, at the latest, it is looked whether that is due. So soon after the start others are there too.
const LOOK: Duration = Duration::from_secs(300);
/// How long a pass rests after each ciphertext, so that it is in nobody's way.
const REST: Duration = Duration::from_millis(2);

/// What came of looking for another organization's copy of a ciphertext.
#[derive(Clone, Copy)]
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
    /// Where what the newest pass found is kept.
    directory: PathBuf,
    last: Arc<Mutex<Option<Scrubbed>>>,
    ended: Arc<AtomicBool>,
    turn: Arc<Mutex<()>>,
}

impl Scrub {
    pub(super) fn new(
        keeper: NodeKeeper,
        others: Others,
        uploads: Uploads,
        directory: PathBuf,
    ) -> Self {
        let last = Scrubbed::read(&directory);
        Self {
            keeper,
            others,
            uploads,
            directory,
            last: Arc::new(Mutex::new(last)),
            ended: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// The bodies that come in parts.
    pub(super) fn uploads(&self) -> Uploads {
        self.uploads.clone()
    }

    /// What the newest pass found, be it of an earlier process; `None` before the first one.
    pub(super) fn last(&self) -> Option<Scrubbed> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A pass whenever one is due, so long after the one before, whichever process made that.
    pub(super) async fn run(self, every: Option<Duration>) {
        let every = every.unwrap_or(EVERY);
        let mut failed = None;
        loop {
            tokio::time::sleep(every.min(LOOK)).await;
            let now = self.keeper.node().clock.now();
            let last = self.last();
            let is_due = last.is_none_or(|last| {
                let pause = if last.lost > 0 { AGAIN } else { every };
                !is_within(last.at, pause.min(every), now)
            });
            if !is_due || failed.is_some_and(|at| is_within(at, AGAIN.min(every), now)) {
                continue;
            }
            let (pass, (tell, told)) = (self.clone(), oneshot::channel());
            // A thread of its own: a node that stops does not wait for who is asked.
            let begun = thread::Builder::new().spawn(move || drop(tell.send(pass.pass())));
            let passed = match begun {
                Ok(_) => told.await,
                Err(error) => {
                    tracing::error!(%error, "no thread can be begun to look at the vault");
                    continue;
                }
            };
            failed = match passed {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the vault can't be looked at");
                    Some(now)
                }
                Err(_) => return,
            };
        }
    }

    /// Ends a pass that is under way; what it mended stays mended.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Looks at everything now.
    ///
    /// # Errors
    /// [`NodeError`] if a store refuses; what is damaged is no error.
    pub(super) fn pass(&self) -> Result<Scrubbed, NodeError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pass = Pass {
            scrub: self,
            copies: Copies::patient(&self.others, &self.keeper),
            blobs: self.keeper.node().blobs(),
            found: Scrubbed::default(),
            former: BTreeMap::new(),
            known: Known::default(),
        };
        pass.run()?;
        let mut found = pass.found;
        if self.is_ended() {
            return Ok(found);
        }
        let former = pass.former.into_iter();
        let former = former.map(|(epoch, shares)| FormerShares { epoch, shares });
        found.former = former.collect();
        found.at = self.keeper.node().clock.now();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        if let Err(error) = found.write(&self.directory) {
            tracing::warn!(%error, "what the pass found can't be kept: the next process looks again");
        }
        tracing::info!(
            expected = found.expected,
            mended = found.mended,
            lost = found.lost,
            missing_shares = found.missing_shares,
            damaged_shares = found.damaged_shares,
            former_shares = found.former_shares(),
            garbage = found.garbage,
            "the vault was looked at"
        );
        Ok(found)
    }

    /// Fetches the ciphertexts of these records that are not here.
    pub(super) fn fetch(&self, fronts: &[EnvelopeFront]) -> Result<(), NodeError> {
        let blobs = self.keeper.node().blobs();
        let mut copies = Copies::hurried(&self.others, &self.keeper);
        for front in fronts {
            if !blobs.contains(&body_of(front))? {
                self.mend(&mut copies, blobs.as_ref(), front)?;
            }
        }
        Ok(())
    }

    /// The same of records that this node has not heard of yet, if they are anchored.
    pub(super) fn fetch_anchored(&self, fronts: &[EnvelopeFront]) -> Result<(), NodeError> {
        let blobs = self.keeper.node().blobs();
        let mut copies = Copies::hurried(&self.others, &self.keeper);
        for front in fronts {
            if blobs.contains(&body_of(front))? {
                continue;
            }
            let begun = self.keeper.node().begin_upload(front);
            match begun {
                Ok(()) => {
                    self.mend(&mut copies, blobs.as_ref(), front)?;
                }
                // The deposit says so of each.
                Err(NodeError::Deposit { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fetches the ciphertext of a front that is here, whatever lies in its place.
    fn mend(
        &self,
        copies: &mut Copies<'_>,
        blobs: &dyn BlobStore,
        front: &EnvelopeFront,
    ) -> Result<Mended, NodeError> {
        if !self.keeper.node().is_wanted(front)? {
            return Ok(Mended::Erased);
        }
        let id = body_of(front);
        let is_here = if front.seal.body_len() > GROUP as u64 {
            self.fetch_in_parts(copies, front)?
        } else if let Some(bytes) = copies.whole(&id) {
            blobs.put(&bytes)?;
            true
        } else {
            false
        };
        // Its record may have been erased meanwhile.
        if !self.keeper.node().is_wanted(front)? {
            blobs.delete(&[id])?;
            return Ok(Mended::Erased);
        }
        Ok(if is_here { Mended::Yes } else { Mended::NoCopy })
    }

    /// Fetches a large ciphertext as an upload: each part is verified, what came stays, and the next time goes on with it.
    /// Whether it is here.
    fn fetch_in_parts(
        &self,
        copies: &mut Copies<'_>,
        front: &EnvelopeFront,
    ) -> Result<bool, NodeError> {
        let (id, len) = (body_of(front), front.seal.body_len());
        let Some(outboard) = copies.outboard(&id, len) else {
            return Ok(false);
        };
        let outline = Outline {
            front: front.clone(),
            groups: outboard.groups().to_vec(),
        };
        let header = HeaderDigest(front.header.digest().0);
        let mut there = self.uploads.mend(outline);
        loop {
            let done = match there {
                Ok(done) => done,
                Err(UploadFault::Node(NodeError::Deposit { .. })) => return Ok(false),
                Err(UploadFault::Node(error)) => return Err(error),
                // Somebody else has a hand in it: another time.
                Err(_) => return Ok(false),
            };
            if done.is_whole || self.is_ended() {
                return Ok(done.is_whole);
            }
            let Some(part) = copies.groups_after(&outboard, done.groups) else {
                return Ok(false);
            };
            there = self.uploads.take(&header, done.groups, &part);
        }
    }
}

/// Whether less than this time has passed. A time that is to come says nothing.
fn is_within(at: Time, pause: Duration, now: Time) -> bool {
    let passed = now.0.checked_sub(at.0);
    passed.is_some_and(|ms| u128::from(ms) < pause.as_millis())
}

/// A pass that is under way.
struct Pass<'a> {
    scrub: &'a Scrub,
    copies: Copies<'a>,
    blobs: Arc<dyn BlobStore>,
    found: Scrubbed,
    former: BTreeMap<u64, u64>,
    known: Known,
}

impl Pass<'_> {
    fn run(&mut self) -> Result<(), NodeError> {
        let uploads = &self.scrub.uploads;
        // In this order: what is here is of a record that the chain has by then, or of none.
        let here = self.blobs.ids()?;
        let waiting = uploads.ids().map_err(NodeError::Uploads)?;
        self.known = Known::of(here, waiting);
        let (head, now) = {
            let node = self.scrub.keeper.node();
            (node.head().clone(), node.clock.now())
        };
        // Of a block that is not here yet there may be ciphertext: of a disk that was newer, or in a bucket.
        self.known.is_incomplete = now.0.saturating_sub(head.head().time.0) > MAX_LAG_MS;
        // Their ids alone: what the chain has of each is read when its turn comes, and blocks are committed meanwhile.
        let records = records_of(&head);
        drop(head);
        for some in records.chunks(MAX_FRONTS) {
            let mut versions = Vec::with_capacity(some.len());
            for record in some {
                versions.extend(self.scrub.keeper.node().versions_of(record)?);
            }
            let fetched = self.fetch_fronts(&mut versions)?;
            for version in &versions {
                if self.scrub.is_ended() {
                    return Ok(());
                }
                self.look_at(version, fetched.contains(&version.header))?;
            }
        }
        if self.known.is_incomplete {
            return Ok(());
        }
        self.found.garbage = self.blobs.delete(&self.known.garbage())? as u64;
        let swept = uploads.sweep(|id| self.known.has(id));
        self.found.garbage += swept.map_err(NodeError::Uploads)?;
        Ok(())
    }

    /// Fetches the fronts that should be here. Gives the digests of those that were fetched.
    fn fetch_fronts(
        &mut self,
        versions: &mut [Version],
    ) -> Result<BTreeSet<HeaderDigest>, NodeError> {
        let lacks = |it: &&Version| it.is_due() && !matches!(it.front, StoredFront::Good(_));
        let missing = versions.iter().filter(lacks).map(|it| it.header);
        let missing: Vec<HeaderDigest> = missing.collect();
        let mut fetched = BTreeSet::new();
        for some in missing.chunks(MAX_FRONTS) {
            let keeper = &self.scrub.keeper;
            self.copies.fronts(some.to_vec(), |front| {
                let header = HeaderDigest(front.header.digest().0);
                let Some(version) = versions.iter_mut().find(|it| it.header == header) else {
                    return Ok(false);
                };
                let is_it = keeper.node().put_found_front(version, &front)?;
                if is_it {
                    version.front = StoredFront::Good(Box::new(front));
                    fetched.insert(header);
                }
                Ok(is_it)
            })?;
        }
        Ok(fetched)
    }

    fn look_at(&mut self, version: &Version, is_front_fetched: bool) -> Result<(), NodeError> {
        match version.body() {
            Some(body) => self.known.note(&body),
            // An older version's, whose front nobody gives now.
            None => self.known.is_incomplete |= version.is_due(),
        }
        // No request is for an older version any more, and no deal.
        if version.is_newest {
            self.count_shares(version);
        }
        if !version.is_due() {
            return Ok(());
        }
        thread::sleep(REST);
        let mended = match &version.front {
            StoredFront::Good(front) => self.look_at_body(front, is_front_fetched)?,
            _ if self.scrub.keeper.node().is_erased(&version.record) => Some(Mended::Erased),
            _ => Some(Mended::NoCopy),
        };
        self.found.expected += 1;
        match mended {
            // What was erased meanwhile was expected when the pass came to it.
            None | Some(Mended::Erased) => {}
            Some(Mended::Yes) => self.found.mended += 1,
            Some(Mended::NoCopy) => {
                let header = &version.header;
                tracing::error!(%header, "a ciphertext or its header is damaged or missing, and no other organization gives it");
                self.found.lost += 1;
            }
        }
        Ok(())
    }

    /// Reads all of a ciphertext, a large one in parts, and mends it; `None` if there was nothing to do.
    fn look_at_body(
        &mut self,
        front: &EnvelopeFront,
        is_front_fetched: bool,
    ) -> Result<Option<Mended>, NodeError> {
        let (blobs, id) = (self.blobs.as_ref(), body_of(front));
        let read = match blobs.len(&id)? {
            Some(len) if len > GROUP as u64 => Outboard::read(blobs, &id).map(|it| it.is_some()),
            _ => blobs.get(&id).map(|it| it.is_some()),
        };
        match read {
            Ok(true) => Ok(is_front_fetched.then_some(Mended::Yes)),
            Ok(false) | Err(VaultError::Damaged { .. }) => {
                let mended = self.scrub.mend(&mut self.copies, blobs, front)?;
                Ok(Some(mended))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn count_shares(&mut self, version: &Version) {
        let header = &version.header;
        for share in &version.shares {
            match share {
                KeptShare::Good => {}
                KeptShare::Former(epoch) => *self.former.entry(*epoch).or_default() += 1,
                KeptShare::Damaged => {
                    tracing::error!(%header, "a share is damaged: a holder of the record's key has to deal anew");
                    self.found.damaged_shares += 1;
                }
                KeptShare::Missing => {
                    tracing::error!(%header, "a share that was acknowledged is missing: a holder of the record's key has to deal anew");
                    self.found.missing_shares += 1;
                }
            }
        }
    }
}

/// Which of the ciphertexts that were here when a pass began, whole or in part, are of a record.
#[derive(Default)]
struct Known {
    ids: Vec<BlobId>,
    of_records: Vec<bool>,
    /// Whether some may be of a record and are not known to be.
    is_incomplete: bool,
}

impl Known {
    fn of(mut ids: Vec<BlobId>, waiting: Vec<BlobId>) -> Self {
        ids.extend(waiting);
        ids.sort_unstable();
        ids.dedup();
        Self {
            of_records: vec![false; ids.len()],
            ids,
            is_incomplete: false,
        }
    }

    fn note(&mut self, id: &BlobId) {
        let at = self.ids.binary_search(id).ok();
        if let Some(known) = at.and_then(|at| self.of_records.get_mut(at)) {
            *known = true;
        }
    }

    /// What came since is not judged.
    fn has(&self, id: &BlobId) -> bool {
        let at = self.ids.binary_search(id).ok();
        at.is_none_or(|at| self.of_records.get(at).is_some_and(|known| *known))
    }

    fn garbage(&self) -> Vec<BlobId> {
        let ids = self.ids.iter().zip(&self.of_records);
        ids.filter_map(|(id, known)| (!known).then_some(*id))
            .collect()
    }
}
