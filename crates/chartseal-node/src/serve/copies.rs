//! Other organizations' copies of headers and ciphertext. Nobody is believed: a header's digest is on the chain, and every
//! part of a ciphertext is held against the hash that the header's seal names.

use std::thread;
use std::time::{Duration, Instant};

use chartseal_api::{BlobAsk, EnvelopeFront, FrontsAsk, Signed};
use chartseal_client::{ClientError, Remote};
use chartseal_codec::Encode;
use chartseal_envelope::RecordId as RandomId;
use chartseal_vault::{BlobId, GROUP, Outboard};
use chartseal_wire::HeaderDigest;

use super::keeper::NodeKeeper;
use super::others::Others;
use crate::error::NodeError;
use crate::keys::{public, sign};

/// How long a node that is there may take for one part of a ciphertext, or for the hashes of its groups, for which it may
/// have to read all of it. What takes longer its service gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait before those are asked again who were silent.
const PAUSE: Duration = Duration::from_secs(1);
/// How often somebody who is silent is asked the same, by who has time.
const TRIES: u32 = 3;
/// For how long a client that waits has others asked. What came until then stays.
const HURRY: Duration = Duration::from_secs(30);
/// After how many failures in a row a node is let alone, and for how long.
const FAILURES: u32 = 3;
const LET_ALONE: Duration = Duration::from_secs(60);

/// The other organizations' nodes, as they are asked for what is not here: who gave something last is asked first.
pub(super) struct Copies<'a> {
    keeper: &'a NodeKeeper,
    sources: Vec<Source>,
    tries: u32,
    /// When nobody is asked any more.
    end: Option<Instant>,
}

struct Source {
    node: Remote,
    /// Whether it answered its last question.
    is_there: bool,
    /// How often in a row it did not.
    failures: u32,
    /// Until when it is let alone.
    until: Option<Instant>,
}

impl<'a> Copies<'a> {
    /// Asks as long as it takes.
    pub(super) fn patient(others: &Others, keeper: &'a NodeKeeper) -> Self {
        let sources = others.all().into_iter().map(Source::new);
        Self {
            keeper,
            sources: sources.collect(),
            tries: TRIES,
            end: None,
        }
    }

    /// Asks while a client waits.
    pub(super) fn hurried(others: &Others, keeper: &'a NodeKeeper) -> Self {
        Self {
            tries: 1,
            end: Some(Instant::now() + HURRY),
            ..Self::patient(others, keeper)
        }
    }

    /// Gives `take` headers and seals of these, whatever others have, until it took one of each: it says whether one is
    /// what it should be.
    ///
    /// # Errors
    /// What `take` gives.
    pub(super) fn fronts(
        &mut self,
        mut missing: Vec<HeaderDigest>,
        mut take: impl FnMut(EnvelopeFront) -> Result<bool, NodeError>,
    ) -> Result<(), NodeError> {
        let (keeper, mut failed) = (self.keeper, None);
        if missing.is_empty() {
            return Ok(());
        }
        // Whoever has some of them leaves the rest to the next one.
        self.ask(|node| {
            let headers = missing.clone();
            let Some(ask) = signed(keeper, node, FrontsAsk { headers }) else {
                return Ok(None);
            };
            for front in node.fronts(&ask)? {
                let header = HeaderDigest(front.header.digest().0);
                // One that was not asked for is none.
                let Some(at) = missing.iter().position(|it| *it == header) else {
                    continue;
                };
                match take(front) {
                    Ok(true) => {
                        missing.swap_remove(at);
                    }
                    Ok(false) => {}
                    Err(error) => failed = Some(error),
                }
            }
            let is_done = missing.is_empty() || failed.is_some();
            Ok(is_done.then_some(()))
        });
        failed.map_or(Ok(()), Err)
    }

    /// A ciphertext that is one group.
    pub(super) fn whole(&mut self, id: &BlobId) -> Option<Vec<u8>> {
        self.part(id, 0, |bytes| BlobId::of(bytes) == *id)
    }

    /// What verifies a ciphertext of several groups in parts.
    pub(super) fn outboard(&mut self, id: &BlobId, len: u64) -> Option<Outboard> {
        self.of_blob(id, 0, Remote::blob_groups, |told| {
            let groups = told.chunks(32).filter_map(|hash| hash.try_into().ok());
            Outboard::new(*id, len, groups.collect())
        })
    }

    /// The groups of a ciphertext after so many, as many as come at a time.
    pub(super) fn groups_after(&mut self, outboard: &Outboard, group: u64) -> Option<Vec<u8>> {
        let from = outboard.place(group).start;
        self.part(&outboard.id(), from, |bytes| {
            let end = group + bytes.len().div_ceil(GROUP) as u64;
            !bytes.is_empty() && outboard.are_groups(group..end, bytes)
        })
    }

    fn part(&mut self, id: &BlobId, from: u64, is_it: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        self.of_blob(id, from, Remote::blob, |part| is_it(&part).then_some(part))
    }

    /// Something of a ciphertext, by a question that is signed.
    fn of_blob<T>(
        &mut self,
        id: &BlobId,
        from: u64,
        question: impl Fn(&Remote, &Signed<BlobAsk>) -> Result<Vec<u8>, ClientError>,
        checked: impl Fn(Vec<u8>) -> Option<T>,
    ) -> Option<T> {
        let keeper = self.keeper;
        self.ask(|node| {
            let Some(ask) = signed(keeper, node, BlobAsk { id: id.0, from }) else {
                return Ok(None);
            };
            question(node, &ask).map(&checked)
        })
    }

    /// Asks one after the other until one gives what it should be, and those that were silent once more.
    fn ask<T>(
        &mut self,
        mut question: impl FnMut(&Remote) -> Result<Option<T>, ClientError>,
    ) -> Option<T> {
        let mut open: Vec<usize> = (0..self.sources.len()).collect();
        for attempt in 0..self.tries {
            let mut silent = Vec::new();
            open.retain(|at| self.sources.get(*at).is_some_and(|it| !it.is_let_alone()));
            if attempt > 0 && !open.is_empty() {
                thread::sleep(PAUSE);
            }
            for at in open {
                let left = self
                    .end
                    .map(|it| it.saturating_duration_since(Instant::now()));
                let patience = left.map_or(PATIENCE, |left| left.min(PATIENCE));
                if patience.is_zero() {
                    return None;
                }
                match self.sources.get_mut(at)?.ask(patience, &mut question) {
                    Ok(Some(given)) => {
                        self.sources.get_mut(..=at)?.rotate_right(1);
                        return Some(given);
                    }
                    // It has it not, or something else.
                    Ok(None) => {}
                    Err(Silent) => silent.push(at),
                }
            }
            open = silent;
        }
        None
    }
}

/// A node did not answer, this time.
struct Silent;

impl Source {
    fn new(node: Remote) -> Self {
        Self {
            node,
            is_there: false,
            failures: 0,
            until: None,
        }
    }

    fn is_let_alone(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    fn ask<T>(
        &mut self,
        patience: Duration,
        mut question: impl FnMut(&Remote) -> Result<Option<T>, ClientError>,
    ) -> Result<Option<T>, Silent> {
        // One that hangs shows by a small question; one that is only slow is waited for.
        let is_there = self.is_there || self.node.time().is_ok();
        let told = is_there.then(|| question(&self.node.patiently(patience)));
        let told = match told {
            Some(Ok(told)) => Ok(told),
            Some(Err(error)) if !error.is_passing() => {
                tracing::debug!(%error, "another organization does not give what it was asked for");
                Ok(None)
            }
            Some(Err(_)) | None => Err(Silent),
        };
        self.is_there = told.is_ok();
        if told.is_ok() {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            let is_enough = self.failures >= FAILURES;
            self.until = is_enough.then(|| Instant::now() + LET_ALONE);
        }
        told
    }
}

/// A question of this custodian to a node, new each time; `None` if the system has no randomness.
fn signed<T: Encode>(keeper: &NodeKeeper, node: &Remote, ask: T) -> Option<Signed<T>> {
    let nonce = RandomId::random().ok()?.0;
    let here = keeper.node();
    let (chain, now, keys) = (here.chain(), here.clock.now(), &here.keys().custodian);
    let signer = |message: &[u8]| sign(keys, message);
    let to = (&chain, &node.org());
    Some(Signed::new(to, public(keys), now, nonce, ask, signer))
}
