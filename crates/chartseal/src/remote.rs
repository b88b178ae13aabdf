//! A network whose nodes are processes of their own, reached over their service. Nobody's word is taken: this process
//! follows the chain itself, by its committees' certificates.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chartseal_api::{
    ExportAsk, HistoryAsk, KemKey, MAX_PART, Outline, Redeal, ReleaseAsk, Section, Signed,
    Submission, TxOutcome,
};
use chartseal_client::{ClientError, Follower, Remote};
use chartseal_envelope::{KemPublicKey, RecordId as RandomId};
use chartseal_ledger::state::Permit;
use chartseal_ledger::{Genesis, SignedTransaction, State};
use chartseal_merkle::Frontier;
use chartseal_node::serve::Config;
use chartseal_node::{DepositFault, Deposited, Envelope, ExportRequest, NodeError};
use chartseal_vault::GROUP;
use chartseal_wire::{
    ActorId, Entry, Hash, HeaderDigest, OrgId, RecordId, RequestId, SealedText, SignedNote,
    Subject, Time, TxId,
};

use crate::custody::{Given, index_for};
use crate::error::Error;
use crate::filing::{Parcel, Sealed};
use crate::person::Person;
use crate::reading::Expected;
use crate::several::{Answers, GRACE, ask_in_turn};
use crate::watch::Watch;

/// How often a part of a body is sent without anything coming of it.
const UPLOADS_AGAIN: usize = 3;
/// How long something may take that the network does by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may wait for a block before it answers that there is none. One that hangs is missed after it.
const WAIT: Duration = Duration::from_millis(300);
/// The same while custodians wait for their receipts.
const SHORT_WAIT: Duration = Duration::from_millis(20);
/// How long a node may take over a part of a body, which is 4 MiB at most, before another one is asked too.
const PART_GRACE: Duration = Duration::from_secs(2);
/// How long a node may take to get as far as this process.
const LEVEL: Duration = Duration::from_secs(10);
/// How many transactions wait at a time: fewer than a pool takes of one key.
const AT_ONCE: usize = 128;

/// The nodes of a network, and the chain as this process follows it.
#[derive(Debug)]
pub(crate) struct There {
    nodes: Vec<Remote>,
    log_keys: Vec<String>,
    follower: Follower,
    /// Which node is asked first: who answered last.
    source: AtomicUsize,
}

impl There {
    /// The nodes of the network that `net init` made in a directory, with the newest state.
    pub(crate) fn connect(dir: &Path, genesis: &Genesis) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        let founders = genesis.committee().members().len();
        for number in 1_usize.. {
            let file = dir.join(format!("node-{number}")).join("node.conf");
            // After the founders come those that joined.
            if number > founders && !file.exists() {
                break;
            }
            let config = Config::read(&file)?;
            let asking = config.asking(PATIENCE)?;
            let service = config.own_service().ok_or(Error::NoService(file))?;
            nodes.push(Remote::new(config.organization, &service.url, &asking)?);
        }
        let mut there = Self {
            nodes,
            log_keys: Vec::new(),
            follower: Follower::new(genesis),
            source: AtomicUsize::new(0),
        };
        while there.follow(Duration::ZERO)? {}
        // A node that is down now has no key in the trust policy: its exports are not asked for.
        let founders = there.nodes.get(..founders).unwrap_or_default();
        let keys = Answers::of(founders, Remote::log_key).gather(|came| {
            let known = came.iter().filter(|(_, key)| key.is_ok()).count() as u64;
            known >= genesis.committee().quorum()
        });
        there.log_keys = keys.into_iter().filter_map(|(_, key)| key.ok()).collect();
        Ok(there)
    }

    pub(crate) fn follower(&self) -> &Follower {
        &self.follower
    }

    pub(crate) fn log_keys(&self) -> &[String] {
        &self.log_keys
    }

    /// Takes the next blocks, from the first node that has some that are certified. Whether there were any.
    fn follow(&mut self, wait: Duration) -> Result<bool, Error> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let mut failed = None;
        for _ in 0..self.nodes.len() {
            let next = self.follower.next();
            let blocks = self.ask(wait + GRACE, move |node| node.blocks(next, wait))?;
            match self.follower.take(&blocks, threads) {
                Ok(_) => return Ok(self.follower.next() > next),
                // Lying: another one may do better.
                Err(error) => {
                    failed = Some(error);
                    self.source.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Err(failed.map_or(Error::NobodyThere, Error::from))
    }

    fn first_asked(&self) -> usize {
        self.source.load(Ordering::Relaxed) % self.nodes.len().max(1)
    }

    /// The answer of the node that answered last, or of the next one if it is down or hangs.
    fn ask<T: Send + 'static>(
        &self,
        within: Duration,
        ask: impl Fn(&Remote) -> Result<T, ClientError> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let (source, found) = ask_in_turn(&self.nodes, self.first_asked(), within, ask)
            .map_err(|mut why| why.pop().map_or(Error::NobodyThere, Error::from))?;
        self.source.store(source, Ordering::Relaxed);
        Ok(found)
    }

    /// The same, of the first node whose answer is what was asked for.
    fn ask_for<T: Send + 'static, U>(
        &self,
        within: Duration,
        ask: impl Fn(&Remote) -> Result<T, ClientError> + Clone + Send + Sync + 'static,
        checked: impl Fn(T) -> Option<U>,
    ) -> Option<U> {
        for _ in 0..self.nodes.len() {
            if let Some(found) = checked(self.ask(within, ask.clone()).ok()?) {
                return Some(found);
            }
            self.source.fetch_add(1, Ordering::Relaxed);
        }
        None
    }

    /// What a sealed record's body is made of, from the first node that gives the right one.
    pub(crate) fn outline<T>(
        &self,
        request: &RequestId,
        record: &RecordId,
        checked: impl Fn(Outline) -> Option<T>,
    ) -> Option<T> {
        let (request, record) = (*request, *record);
        let ask = move |node: &Remote| node.outline(&request, &record);
        self.ask_for(PART_GRACE, ask, checked)
    }

    /// A part of a body, from the first node that gives the right bytes.
    pub(crate) fn body_part(
        &self,
        request: &RequestId,
        record: &RecordId,
        part: Range<u64>,
        is_it: impl Fn(&Vec<u8>) -> bool,
    ) -> Option<Vec<u8>> {
        let (request, record) = (*request, *record);
        let ask = move |node: &Remote| node.body_part(&request, &record, part.clone());
        self.ask_for(PART_GRACE, ask, |bytes| Some(bytes).filter(&is_it))
    }

    /// Follows the chain until something holds, or not for long.
    pub(crate) fn until(&mut self, holds: impl Fn(State<'_>) -> bool) -> Result<bool, Error> {
        let end = Instant::now() + PATIENCE;
        while !holds(self.follower.head().state()) {
            if Instant::now() >= end {
                return Ok(false);
            }
            self.follow(WAIT)?;
        }
        Ok(true)
    }

    /// Hands transactions in and waits until all are final.
    pub(crate) fn submit(
        &mut self,
        transactions: &[SignedTransaction],
        texts: &[SealedText],
    ) -> Result<(), Error> {
        for some in transactions.chunks(AT_ONCE) {
            for transaction in some {
                let submission = Submission {
                    transaction: transaction.clone(),
                    texts: texts.to_vec(),
                };
                self.hand_in(submission)?;
            }
            let open = some.iter().map(SignedTransaction::id).collect();
            self.settle(open)?;
        }
        Ok(())
    }

    /// Texts go to every node; a transaction alone to one that takes it, for nodes pass it on.
    fn hand_in(&self, submission: Submission) -> Result<(), Error> {
        let is_alone = submission.texts.is_empty();
        let submit = move |node: &Remote| node.submit(&submission);
        if is_alone {
            return self.ask(GRACE, submit);
        }
        let answers = Answers::of(&self.nodes, submit).gather(is_one_good);
        first_good(answers)
    }

    fn settle(&mut self, mut open: Vec<TxId>) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            // What is final is in the state that is followed: a transaction's own record of it.
            let known = self.final_ids(&open)?;
            open.retain(|id| !known.contains(id));
            if open.is_empty() {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(Error::NotFinal(open.len()));
            }
            self.follow(WAIT)?;
        }
    }

    /// Which of these are final, at heights that are followed.
    fn final_ids(&self, ids: &[TxId]) -> Result<Vec<TxId>, Error> {
        let mut known = Vec::new();
        for id in ids {
            let asked = *id;
            match self.ask(GRACE, move |node| node.outcome(&asked))? {
                TxOutcome::Final(height) if height <= self.follower.height() => known.push(*id),
                TxOutcome::Refused(why) => return Err(Error::RefusedThere(why)),
                _ => {}
            }
        }
        Ok(known)
    }

    pub(crate) fn put_kem_key(&self, of: ActorId, key: &KemPublicKey) -> Result<(), Error> {
        let key = KemKey {
            of,
            key: key.clone(),
        };
        let height = self.follower.height();
        let put = move |node: &Remote| level(node, height).and_then(|()| node.put_kem_key(&key));
        // One node that has it is enough for whoever asks all.
        first_good(Answers::of(&self.nodes, put).gather(is_one_good))
    }

    pub(crate) fn kem_key(&self, id: &[u8; 32]) -> Result<Option<KemPublicKey>, Error> {
        let id = *id;
        self.first(move |node| node.kem_key(&id))
    }

    pub(crate) fn text(&self, tx: &TxId, commitment: &Hash) -> Result<Option<SealedText>, Error> {
        let (tx, commitment) = (*tx, *commitment);
        self.first(move |node| node.text(&tx, &commitment))
    }

    /// The first answer that is one; nothing, if no node has any.
    fn first<T: Send + 'static>(
        &self,
        ask: impl Fn(&Remote) -> Result<Option<T>, ClientError> + Send + Sync + 'static,
    ) -> Result<Option<T>, Error> {
        // Who has none gives no answer, so that the next one is asked.
        let found = ask_in_turn(&self.nodes, self.first_asked(), GRACE, move |node| {
            ask(node).map_err(Some)?.ok_or(None::<ClientError>)
        });
        match found {
            Ok((_, found)) => Ok(Some(found)),
            Err(why) => match why.into_iter().flatten().next() {
                Some(error) => Err(error.into()),
                None => Ok(None),
            },
        }
    }

    pub(crate) fn nodes(&self) -> &[Remote] {
        &self.nodes
    }

    pub(crate) fn deposit(&self, parcel: &Parcel) -> Option<Result<Deposited, NodeError>> {
        let to = &parcel.to;
        let node = self.nodes.iter().find(|node| node.org() == *to)?;
        let done = self.level(node).and_then(|()| match &parcel.sealed {
            Sealed::Whole(envelopes) => node.deposit(envelopes, &parcel.deal),
            Sealed::Uploaded(front) => node.deposit_uploaded(&Redeal {
                fronts: vec![front.as_ref().clone()],
                deal: parcel.deal.clone(),
            }),
        });
        Some(taken(to, done))
    }

    pub(crate) fn upload(
        &self,
        to: &OrgId,
        outline: &Outline,
        mut body: impl Read + Seek,
    ) -> Result<(), Error> {
        let node = self.nodes.iter().find(|node| node.org() == *to);
        let node = node.ok_or(Error::NoOffice(*to))?;
        self.level(node)?;
        let header = HeaderDigest(outline.front.header.digest().0);
        let mut done = node.begin_upload(outline)?;
        let mut again = 0;
        while !done.is_whole {
            let at = done.groups.saturating_mul(GROUP as u64);
            body.seek(SeekFrom::Start(at)).map_err(Error::Scratch)?;
            let mut part = Vec::with_capacity(MAX_PART);
            let read = body.by_ref().take(MAX_PART as u64).read_to_end(&mut part);
            read.map_err(Error::Scratch)?;
            let sent = node.upload(&header, done.groups, part);
            // A node that comes back knows how far it was.
            let now = sent.or_else(|why| node.begin_upload(outline).map_err(|_| why))?;
            again = if now.groups > done.groups {
                0
            } else {
                again + 1
            };
            if again > UPLOADS_AGAIN && !now.is_whole {
                return Err(Error::Malformed("an upload's answer"));
            }
            done = now;
        }
        Ok(())
    }

    pub(crate) fn redeposit(
        &self,
        to: &OrgId,
        redeal: &Redeal,
    ) -> Option<Result<Deposited, NodeError>> {
        let node = self.nodes.iter().find(|node| node.org() == *to)?;
        let done = self.level(node);
        Some(taken(to, done.and_then(|()| node.redeal(redeal))))
    }

    /// Every custodian's answer; once enough are there, of those that take no longer than `grace`. Their receipts are on the
    /// chain when this ends, as far as it is followed here.
    pub(crate) fn releases(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
        grace: Duration,
    ) -> Vec<Given> {
        let ask = ReleaseAsk {
            request: *request,
            reader: reader.clone(),
        };
        let height = self.follower.height();
        let state = self.follower.head().state();
        let mut answers = Answers::of(&self.nodes, move |node| {
            // One that is behind might not know yet that the permit was revoked, and would file a receipt for nothing.
            let done = node.release(&ask, height);
            (node.org(), done.map_err(node_error))
        })
        .with_grace(grace);
        let needed = needed(state, request).unwrap_or(self.nodes.len());
        let are_enough = |came: &[(usize, Given)]| {
            came.iter().filter(|(_, (_, given))| given.is_ok()).count() >= needed
        };
        // Each waits for its receipt. What is final meanwhile is followed, so that nothing is left to follow afterwards.
        let mut wait = Duration::ZERO;
        while answers.are_open(wait, are_enough) {
            let state = self.follower.head().state();
            let permits = permits(state, request);
            let mut nodes = self.nodes.iter().enumerate();
            let is_some_due = nodes.any(|(place, node)| {
                !answers.has(place) && !is_receipted(state, &permits, &node.org())
            });
            let is_followed = is_some_due && self.follow(SHORT_WAIT).is_ok();
            wait = if is_followed {
                Duration::ZERO
            } else {
                SHORT_WAIT
            };
        }
        let given: Vec<Given> = answers.end().into_iter().map(|(_, given)| given).collect();
        let released = given.iter().filter_map(|(_, given)| given.as_ref().ok());
        // Which index released which version.
        let released = released.flatten().flat_map(|release| {
            let index = u64::from(release.index().get());
            release.items().map(move |item| (item.header.0, index))
        });
        let released: BTreeSet<([u8; 32], u64)> = released.collect();
        // Who gives shares without one is for the patient's verifier to find, not a reason to open nothing.
        let _ = self.until(|state| {
            let permits = permits(state, request);
            released.iter().all(|(header, index)| {
                let mut of_it = permits.iter().filter(|permit| permit.header.0 == *header);
                of_it.any(|permit| permit.is_released_by(*index))
            })
        });
        given
    }

    /// A history's entries up to the state that is followed, which says whether they are all.
    pub(crate) fn history(
        &self,
        person: &Person,
        subject: &Subject,
        now: Time,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let frontier = self.follower.head().state().frontier(subject);
        let mut failed = None;
        for node in &self.nodes {
            match self.history_of(node, person, subject, now, frontier.size()) {
                Ok(entries) if root(&entries) == frontier.root() => return Ok(entries),
                Ok(_) => failed = Some(Error::Malformed("a history")),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or(Error::NobodyThere))
    }

    /// A history as it grows, told by the first node that does.
    pub(crate) fn watch(
        &self,
        person: &Person,
        subject: &Subject,
        from: u64,
        now: Time,
    ) -> Result<Watch, Error> {
        let mut failed = Error::NobodyThere;
        for node in &self.nodes {
            let ask = HistoryAsk {
                subject: *subject,
                from,
            };
            let asked = self.signed(node, person, now, ask)?;
            match self.level(node).and_then(|()| node.watch(&asked)) {
                Ok(entries) => return Ok(Watch::of(entries)),
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    }

    fn history_of(
        &self,
        node: &Remote,
        person: &Person,
        subject: &Subject,
        now: Time,
        size: u64,
    ) -> Result<Vec<Vec<u8>>, Error> {
        self.level(node)?;
        let mut entries: Vec<Vec<u8>> = Vec::new();
        while (entries.len() as u64) < size {
            let ask = HistoryAsk {
                subject: *subject,
                from: entries.len() as u64,
            };
            let some = node.history(&self.signed(node, person, now, ask)?)?.entries;
            if some.is_empty() {
                break;
            }
            entries.extend(some.into_iter().map(|entry| entry.0));
        }
        entries.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(entries)
    }

    /// An export under a checkpoint that so many validators have cosigned, the first ones of those that answer.
    pub(crate) fn export(
        &self,
        person: &Person,
        request: &ExportRequest,
        now: Time,
        cosigners: usize,
    ) -> Result<String, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut failed = None;
            for node in &self.nodes {
                match self.export_of(node, person, request, now, cosigners) {
                    Ok(export) => return Ok(export),
                    Err(error) => failed = Some(error),
                }
            }
            // The newest block has no certificate yet, or another one came in between.
            if Instant::now() >= end {
                return Err(failed.unwrap_or(Error::NobodyThere));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn export_of(
        &self,
        node: &Remote,
        person: &Person,
        request: &ExportRequest,
        now: Time,
        cosigners: usize,
    ) -> Result<String, Error> {
        self.level(node)?;
        let issued = node.checkpoint()?;
        let mut signed_note =
            SignedNote::parse(&issued).map_err(|_| Error::Malformed("a checkpoint"))?;
        for other in &self.nodes {
            // The log's own signature is the first.
            if signed_note.signatures.len() > cosigners {
                break;
            }
            // One that has not got so far, or is down, does not sign.
            let Ok(line) = other.cosign(&signed_note.text) else {
                continue;
            };
            let signed = SignedNote::parse(&format!("{}\n{line}", signed_note.text));
            signed_note
                .signatures
                .extend(signed.into_iter().flat_map(|it| it.signatures));
        }
        if signed_note.signatures.len() <= cosigners {
            return Err(Error::TooFewSigners {
                needed: cosigners,
                found: signed_note.signatures.len().saturating_sub(1),
            });
        }
        let sections = request.histories.iter();
        let sections = sections.map(|(subject, first)| Section {
            subject: *subject,
            first: *first,
        });
        let ask = ExportAsk {
            sections: sections.collect(),
            log_size: request.log_size,
            note: signed_note.to_string(),
        };
        Ok(node.export(&self.signed(node, person, now, ask)?)?)
    }

    fn signed<T: chartseal_codec::Encode>(
        &self,
        node: &Remote,
        person: &Person,
        now: Time,
        ask: T,
    ) -> Result<Signed<T>, Error> {
        let chain = self.follower.head().head().chain;
        let nonce = RandomId::random()?.0;
        let sign = |message: &[u8]| person.sign(message);
        let key = person.public_key();
        Ok(Signed::new(
            (&chain, &node.org()),
            key,
            now,
            nonce,
            ask,
            sign,
        ))
    }

    fn level(&self, node: &Remote) -> Result<(), ClientError> {
        level(node, self.follower.height())
    }
}

/// Waits until a node has the newest block that is followed here: before, it can't know what it is asked about.
fn level(node: &Remote, height: u64) -> Result<(), ClientError> {
    if height > 0 {
        node.blocks(height, LEVEL)?;
    }
    Ok(())
}

/// A sealed record of a request, from the node at `first` or one that gives the right one; `first` is then that one's place.
pub(crate) fn envelope_of(
    nodes: &[Remote],
    first: &mut usize,
    request: &RequestId,
    record: &RecordId,
    expected: &Expected,
) -> Option<Envelope> {
    let (request, record, expected) = (*request, *record, expected.clone());
    let found = ask_in_turn(nodes, *first, GRACE, move |node| {
        let given = node.envelope(&request, &record).ok();
        given.filter(|given| expected.is(given)).ok_or(())
    });
    let (place, found) = found.ok()?;
    *first = place;
    Some(found)
}

/// What a request was permitted.
fn permits(state: State<'_>, request: &RequestId) -> Vec<Permit> {
    let asked = state.request(request);
    asked.map(|asked| asked.permits).unwrap_or_default()
}

/// How many custodians' shares open every record of a request; `None` if nothing is known of one.
fn needed(state: State<'_>, request: &RequestId) -> Option<usize> {
    let permits = permits(state, request);
    let records = permits.iter().map(|permit| state.record(&permit.record));
    let needed = records.map(|record| record.map(|record| record.custodians.t));
    needed.max().flatten().and_then(|t| usize::try_from(t).ok())
}

/// Whether there is a custodian's receipt for some record of a request.
fn is_receipted(state: State<'_>, permits: &[Permit], org: &OrgId) -> bool {
    permits.iter().any(|permit| {
        let index = index_for(state, org, &permit.record);
        index.is_some_and(|index| permit.is_released_by(index.get().into()))
    })
}

fn is_one_good<T>(came: &[(usize, Result<T, ClientError>)]) -> bool {
    came.iter().any(|(_, answer)| answer.is_ok())
}

/// The first answer that is good; else why not, where a refusal says more than silence.
fn first_good<T>(answers: Vec<(usize, Result<T, ClientError>)>) -> Result<T, Error> {
    let mut failed = None;
    for (_, answer) in answers {
        match answer {
            Ok(good) => return Ok(good),
            Err(error @ ClientError::Refused { .. }) => failed = Some(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.map_or(Error::NobodyThere, Error::from))
}

/// What a custodian in another process took, as one in this process would say it.
fn taken(
    by: &OrgId,
    done: Result<chartseal_api::Deposited, ClientError>,
) -> Result<Deposited, NodeError> {
    let mut refused = Vec::new();
    for one in done.map_err(node_error)?.refused {
        if !one.is_outdated {
            return Err(NodeError::Remote {
                org: *by,
                code: NodeError::NOT_ANCHORED.into(),
                why: one.why,
            });
        }
        refused.push((one.record, DepositFault::NotAnchored));
    }
    Ok(Deposited {
        acknowledgements: Vec::new(),
        refused,
    })
}

/// The root of a history of these entries.
fn root(entries: &[Vec<u8>]) -> Hash {
    let mut log = Frontier::new();
    Entry::append(&mut log, entries);
    log.root()
}

/// What another process' node says, as one in this process would.
fn node_error(error: ClientError) -> NodeError {
    let (org, why) = (error.org(), error.to_string());
    match error {
        ClientError::Refused { problem, .. } => NodeError::Remote {
            org,
            code: problem.code,
            why: problem.detail,
        },
        ClientError::Unreachable { .. } => NodeError::Stopped(org),
        _ => NodeError::Remote {
            org,
            code: NodeError::INTERNAL.into(),
            why,
        },
    }
}
