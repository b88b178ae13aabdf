//! A network whose nodes are processes of their own, reached over their service. Nobody's word is taken: this process
//! follows the chain itself, by its committees' certificates, or asks for what is proved under one.

mod histories;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chartseal_api::{
    KemKey, MAX_PART, Outline, Redeal, ReleaseAsk, StateAsk, Submission, TxOutcome,
};
use chartseal_client::{ClientError, Follower, Held, HeldState, Histories, Remote};
use chartseal_envelope::KemPublicKey;
use chartseal_ledger::state::Permit;
use chartseal_ledger::{Genesis, SignedTransaction, State};
use chartseal_node::serve::Config;
use chartseal_node::{DepositFault, Deposited, Envelope, NodeError, share_index};
use chartseal_vault::GROUP;
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{
    ActorId, BlockHeader, ChainId, Hash, HeaderDigest, OrgId, PublicKey, RecordId, RequestId,
    SealedText, TxId, VerifierKey,
};

use crate::asked::{Asked, log_key_of};
use crate::custody::Given;
use crate::error::Error;
use crate::filing::{Parcel, Sealed};
use crate::reading::Expected;
use crate::several::{Answers, GRACE, ask_in_turn, ask_in_turn_until, ask_within};

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
/// How long custodians wait for a request of which they heard before it was final.
const EARLY: Duration = Duration::from_secs(10);
/// How much longer custodians may take that may be faulty, once all others have done something.
pub(crate) const LATE: Duration = Duration::from_secs(10);
/// How long a node may take to get as far as this process.
pub(crate) const LEVEL: Duration = Duration::from_secs(10);
/// How many KEM keys are remembered: some 1.2 kB each.
const MAX_KEM_KEYS: usize = 1_024;
/// How many transactions wait at a time: fewer than a pool takes of one key.
const AT_ONCE: usize = 128;

/// For how long what is known of the chain is new enough to act by.
const FRESH: Duration = Duration::from_secs(2);
/// The code of a pool that has another transaction of the same key and number.
const OCCUPIED: &str = "CS-POOL-03";
/// How long a transaction may wait before it is handed in again, to another node: who took it may have dropped it.
const DROPPED: Duration = Duration::from_secs(3);

/// The nodes of a network, and the chain as this process knows it.
#[derive(Debug)]
pub(crate) struct There {
    nodes: Vec<Remote>,
    id: ChainId,
    log_keys: BTreeMap<OrgId, VerifierKey>,
    chain: Chain,
    /// When that was the newest, as some node said; never, since an earlier run of the app held it.
    known_at: Option<Instant>,
    /// Histories that were read, each as the state had it then.
    histories: Mutex<Histories>,
    /// How many nodes may be down, hang or lie.
    faulty: usize,
    /// Keys that were asked for. Their ids name them for good.
    kem_keys: Mutex<BTreeMap<[u8; 32], KemPublicKey>>,
    /// Which node is asked first: who answered last, and had something new.
    source: AtomicUsize,
    /// Custodians' answers for a request for which they were asked before it was final.
    early: Option<(RequestId, Answers<Given>)>,
    /// Whether what waits here is to end.
    ending: Arc<AtomicBool>,
}

/// A transaction that waits, whose it is, and its number.
type Numbered = (TxId, PublicKey, u64);

/// How a process knows what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knows {
    /// By executing every block.
    Blocks,
    /// By asking for values with their proofs.
    Values,
}

/// The chain as a process knows it.
#[derive(Debug)]
enum Chain {
    Followed(Box<Follower>),
    Asked(Box<Mutex<Asked>>),
}

impl There {
    /// The nodes of the network that `net init` made in a directory, with the newest state.
    pub(crate) fn connect(dir: &Path, genesis: &Genesis, knows: Knows) -> Result<Self, Error> {
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
        Self::new(nodes, genesis, knows)
    }

    /// These nodes, with the newest state.
    pub(crate) fn new(nodes: Vec<Remote>, genesis: &Genesis, knows: Knows) -> Result<Self, Error> {
        let nodes = in_order(nodes, genesis);
        let origin = origin(&genesis.chain_id());
        let founders = genesis.committee();
        let is_founder = |node: &&Remote| founders.index_of(&node.org()).is_some();
        let of_founders: Vec<Remote> = nodes.iter().filter(is_founder).cloned().collect();
        // A node that is down now has no key in the trust policy: its exports are not asked for.
        let keys = Answers::of(&of_founders, Remote::log_key).gather(|came| {
            let count = came.iter().filter(|(_, key)| key.is_ok()).count() as u64;
            count >= founders.quorum()
        });
        let keys = keys.into_iter().filter_map(|(place, key)| {
            let org = of_founders.get(place)?.org();
            Some((org, log_key_of(&origin, &key.ok()?)?))
        });
        let log_keys: BTreeMap<OrgId, VerifierKey> = keys.collect();
        let chain = match knows {
            Knows::Blocks => Chain::Followed(Box::new(Follower::new(genesis))),
            Knows::Values => {
                let asked = Asked::new(genesis, log_keys.clone())?;
                Chain::Asked(Box::new(Mutex::new(asked)))
            }
        };
        let mut there = Self::of(nodes, genesis, log_keys, chain, Histories::new());
        there.refresh()?;
        Ok(there)
    }

    /// These nodes, with what an earlier run of the app held of the chain. None of them is asked.
    pub(crate) fn from_held(
        nodes: Vec<Remote>,
        genesis: &Genesis,
        held: &[u8],
    ) -> Result<Self, Error> {
        let held = Held::read(held, &genesis.chain_id())?;
        let origin = origin(&genesis.chain_id());
        let keys = held.log_keys.iter();
        let keys = keys.filter_map(|(org, key)| Some((*org, log_key_of(&origin, key)?)));
        let log_keys: BTreeMap<OrgId, VerifierKey> = keys.collect();
        let (chain, histories) = match held.state {
            HeldState::Followed(chain) => {
                let (follower, histories) = Follower::from_held(genesis, &chain)?;
                (Chain::Followed(Box::new(follower)), histories)
            }
            HeldState::Asked(values) => {
                let mut asked = Asked::new(genesis, log_keys.clone())?;
                let histories = asked.take_held(&values)?;
                (Chain::Asked(Box::new(Mutex::new(asked))), histories)
            }
        };
        let nodes = in_order(nodes, genesis);
        Ok(Self::of(nodes, genesis, log_keys, chain, histories))
    }

    fn of(
        nodes: Vec<Remote>,
        genesis: &Genesis,
        log_keys: BTreeMap<OrgId, VerifierKey>,
        chain: Chain,
        histories: Histories,
    ) -> Self {
        Self {
            nodes,
            id: genesis.chain_id(),
            log_keys,
            chain,
            known_at: None,
            histories: Mutex::new(histories),
            faulty: usize::try_from(genesis.committee().f()).unwrap_or(usize::MAX),
            kem_keys: Mutex::default(),
            source: AtomicUsize::new(0),
            early: None,
            ending: Arc::default(),
        }
    }

    /// What is known of the chain, as bytes for the app's next run.
    pub(crate) fn held(&self) -> Result<Vec<u8>, Error> {
        let histories = lock(&self.histories);
        let (state, log_keys) = match &self.chain {
            Chain::Followed(follower) => {
                let state = HeldState::Followed(follower.held(&histories)?);
                (state, self.log_keys.clone())
            }
            Chain::Asked(asked) => asking(&self.source, |first| {
                let mut asked = lock(asked);
                let values = asked.held(&self.nodes, first, &histories)?;
                Ok::<_, Error>((HeldState::Asked(values), asked.log_keys().clone()))
            })?,
        };
        let log_keys = log_keys.iter().map(|(org, key)| (*org, key.to_string()));
        Ok(Held::new(self.id, log_keys.collect(), state).bytes())
    }

    /// Has what waits here end with [`Error::Ended`] once this is set.
    pub(crate) fn end_with(&mut self, ending: Arc<AtomicBool>) {
        self.ending = ending;
    }

    fn go_on(&self) -> Result<(), Error> {
        if self.ending.load(Ordering::Relaxed) {
            return Err(Error::Ended);
        }
        Ok(())
    }

    /// Gets to know all that is final, as more nodes say than may be keeping something back.
    pub(crate) fn refresh(&mut self) -> Result<(), Error> {
        let mut in_agreement = 0;
        while in_agreement <= self.faulty.min(self.nodes.len().saturating_sub(1)) {
            // Who has nothing new is not asked again the next time.
            let is_new = self.follow(Duration::ZERO)?;
            in_agreement = if is_new { 0 } else { in_agreement + 1 };
        }
        Ok(())
    }

    /// Whether what is known here may be far from the newest: on a busy chain a transaction that was made by it would have
    /// expired.
    pub(crate) fn is_old(&self) -> bool {
        self.known_at.is_none_or(|at| at.elapsed() > FRESH)
    }

    /// The chain, if it is followed.
    pub(crate) fn follower(&self) -> Option<&Follower> {
        match &self.chain {
            Chain::Followed(follower) => Some(follower),
            Chain::Asked(_) => None,
        }
    }

    pub(crate) fn log_keys(&self) -> &BTreeMap<OrgId, VerifierKey> {
        &self.log_keys
    }

    /// The height of the newest block that is known.
    fn height(&self) -> u64 {
        match &self.chain {
            Chain::Followed(follower) => follower.height(),
            Chain::Asked(asked) => lock(asked).height(),
        }
    }

    /// Its header.
    pub(crate) fn tip(&self) -> Result<BlockHeader, Error> {
        match &self.chain {
            Chain::Followed(follower) => Ok(follower.head().head().clone()),
            Chain::Asked(asked) => {
                asking(&self.source, |first| lock(asked).head(&self.nodes, first))
            }
        }
    }

    /// Reads the state after it. What is not known is asked for, so `read` may look at nothing else, and is called again.
    pub(crate) fn read<T>(&self, read: impl Fn(State<'_>) -> T) -> Result<T, Error> {
        match &self.chain {
            Chain::Followed(follower) => Ok(read(follower.head().state())),
            Chain::Asked(asked) => asking(&self.source, |first| {
                lock(asked).read(&self.nodes, first, read)
            }),
        }
    }

    /// Gets to know what is newer, from the first node that has something that is certified. Whether there was anything.
    fn follow(&mut self, wait: Duration) -> Result<bool, Error> {
        Ok(self.follow_settling(wait, &[])?.0)
    }

    /// The same, with which of these transactions are final now.
    fn follow_settling(
        &mut self,
        wait: Duration,
        open: &[TxId],
    ) -> Result<(bool, BTreeSet<TxId>), Error> {
        self.go_on()?;
        let found = match &mut self.chain {
            Chain::Followed(follower) => follow(&self.nodes, &self.source, follower, wait)?,
            Chain::Asked(asked) => asking(&self.source, |first| {
                let mut asked = lock(asked);
                let is_new = asked.wait(&self.nodes, first, wait)?;
                let mut settled = BTreeSet::new();
                for id in open {
                    if asked.is_final(&self.nodes, first, id)? {
                        settled.insert(*id);
                    }
                }
                Ok::<_, Error>((is_new, settled))
            })?,
        };
        if !found.0 {
            self.pass_over();
        }
        self.known_at = Some(Instant::now());
        Ok(found)
    }

    /// Asks another node first from now on: this one has nothing new, or what it says is of no use.
    fn pass_over(&self) {
        self.source.fetch_add(1, Ordering::Relaxed);
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
        ask_last(&self.nodes, &self.source, within, ask)
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
            self.pass_over();
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

    /// Waits until `of` are so, as `count` counts them; for those that may be down or lie, no longer than `late`.
    pub(crate) fn until_all(
        &mut self,
        of: usize,
        late: Duration,
        count: impl Fn(State<'_>) -> usize,
    ) -> Result<(), Error> {
        if of == 0 {
            return Ok(());
        }
        let since = Cell::new(None);
        let faulty = self.faulty;
        self.until(|state| {
            let count = count(state);
            if count + faulty < of {
                return false;
            }
            let enough_since = since.get().unwrap_or_else(Instant::now);
            since.set(Some(enough_since));
            count >= of || enough_since.elapsed() >= late
        })?;
        Ok(())
    }

    /// Waits until something holds, or not for long.
    pub(crate) fn until(&mut self, holds: impl Fn(State<'_>) -> bool) -> Result<bool, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.go_on()?;
            let held = match &self.chain {
                Chain::Followed(follower) => holds(follower.head().state()),
                // What it looks at comes with the next block.
                Chain::Asked(asked) => asking(&self.source, |first| {
                    let mut asked = lock(asked);
                    asked.holds_or_wait(&self.nodes, first, &holds, WAIT)
                })?,
            };
            if held || Instant::now() >= end {
                return Ok(held);
            }
            if let Chain::Followed(_) = &self.chain {
                self.follow(WAIT)?;
            }
        }
    }

    /// Hands transactions in and waits until all are final.
    pub(crate) fn submit(
        &mut self,
        transactions: &[SignedTransaction],
        texts: &[SealedText],
    ) -> Result<(), Error> {
        for some in transactions.chunks(AT_ONCE) {
            let submissions = some.iter().map(|transaction| Submission {
                transaction: transaction.clone(),
                texts: texts.to_vec(),
            });
            let submissions: Vec<Submission> = submissions.collect();
            let numbered: Vec<Numbered> = some.iter().filter_map(numbered).collect();
            for submission in &submissions {
                match self.hand_in(submission.clone()) {
                    // Perhaps another one of the same key came first. What is final tells.
                    Err(Error::Client(ClientError::Refused { problem, .. }))
                        if problem.code == OCCUPIED => {}
                    Err(error @ Error::Client(ClientError::Refused { .. })) => {
                        self.refresh()?;
                        if self.outrun(&numbered)?.is_empty() {
                            return Err(error);
                        }
                    }
                    handed_in => handed_in?,
                }
            }
            self.settle(submissions, &numbered)?;
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

    /// Waits until all are final, as is followed or proved here: nobody's word counts for it. Those that some node took and
    /// does not pass on are handed in to another one.
    fn settle(&mut self, mut open: Vec<Submission>, numbered: &[Numbered]) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        let mut handed_in = Instant::now();
        let mut outrun = BTreeSet::new();
        loop {
            let ids: Vec<TxId> = open.iter().map(|it| it.transaction.id()).collect();
            let (_, settled) = self.follow_settling(WAIT, &ids)?;
            open.retain(|it| !settled.contains(&it.transaction.id()));
            if open.is_empty() {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(Error::NotFinal(open.len()));
            }
            // Their numbers were used in a block that is known since before the last question, and not by them.
            open = self.unless_outrun(open, &outrun)?;
            if open.is_empty() {
                return Ok(());
            }
            outrun = self.outrun(numbered)?;
            for submission in &open {
                let id = submission.transaction.id();
                if let TxOutcome::Refused(why) = self.ask(GRACE, move |node| node.outcome(&id))? {
                    self.pass_over();
                    return Err(Error::RefusedThere(why));
                }
            }
            if handed_in.elapsed() >= DROPPED {
                self.pass_over();
                for submission in &open {
                    // One that is final by now is not taken once more.
                    let _ = self.hand_in(submission.clone());
                }
                handed_in = Instant::now();
            }
        }
    }

    /// Those whose numbers are used: final already, or they never will be.
    fn outrun(&self, numbered: &[Numbered]) -> Result<BTreeSet<TxId>, Error> {
        self.read(|state| {
            let used = numbered.iter();
            let used = used.map(|(id, key, number)| (*id, state.sequence(key) >= *number));
            let used: Vec<(TxId, bool)> = used.collect();
            used.into_iter()
                .filter(|(_, is)| *is)
                .map(|(id, _)| id)
                .collect()
        })
    }

    /// What is open, if nothing of it was outrun: who asks for proofs asks every node for them first, for one may keep it
    /// back that something is final.
    fn unless_outrun(
        &mut self,
        mut open: Vec<Submission>,
        outrun: &BTreeSet<TxId>,
    ) -> Result<Vec<Submission>, Error> {
        for _ in 0..self.nodes.len() {
            let ids = open.iter().map(|it| it.transaction.id());
            let ids: Vec<TxId> = ids.filter(|id| outrun.contains(id)).collect();
            if ids.is_empty() {
                return Ok(open);
            }
            self.pass_over();
            let (_, settled) = self.follow_settling(Duration::ZERO, &ids)?;
            open.retain(|it| !settled.contains(&it.transaction.id()));
        }
        let is_outrun = |it: &Submission| outrun.contains(&it.transaction.id());
        if open.iter().any(is_outrun) {
            return Err(Error::Outrun);
        }
        Ok(open)
    }

    pub(crate) fn put_kem_key(&self, of: ActorId, key: &KemPublicKey) -> Result<(), Error> {
        let key = KemKey {
            of,
            key: key.clone(),
        };
        let height = self.height();
        let put = move |node: &Remote| level(node, height).and_then(|()| node.put_kem_key(&key));
        // One node that has it is enough for whoever asks all.
        first_good(Answers::of(&self.nodes, put).gather(is_one_good))
    }

    pub(crate) fn kem_key(&self, id: &[u8; 32]) -> Result<Option<KemPublicKey>, Error> {
        let id = *id;
        if let Some(key) = lock(&self.kem_keys).get(&id) {
            return Ok(Some(key.clone()));
        }
        let found = self.first(move |node| node.kem_key(&id))?;
        if let Some(key) = &found {
            let mut known = lock(&self.kem_keys);
            if known.len() >= MAX_KEM_KEYS {
                known.clear();
            }
            known.insert(id, key.clone());
        }
        Ok(found)
    }

    pub(crate) fn text(&self, tx: &TxId, commitment: &Hash) -> Result<Option<SealedText>, Error> {
        let (tx, commitment) = (*tx, *commitment);
        self.first(move |node| node.text(&tx, &commitment))
    }

    /// The first answer that is one; nothing, if no node has any, of those that say so in time: what others say beside it
    /// may be a lie.
    fn first<T: Send + 'static>(
        &self,
        ask: impl Fn(&Remote) -> Result<Option<T>, ClientError> + Send + Sync + 'static,
    ) -> Result<Option<T>, Error> {
        // Who has none gives no answer, so that the next one is asked.
        let found = ask_in_turn_until(&self.nodes, self.first_asked(), GRACE, LATE, move |node| {
            ask(node).map_err(Some)?.ok_or(None::<ClientError>)
        });
        found.map(|(_, found)| Some(found)).or_else(|why| {
            let failed: Option<Vec<ClientError>> = why.into_iter().collect();
            failed.map_or(Ok(None), |failed| Err(last(failed)))
        })
    }

    pub(crate) fn nodes(&self) -> &[Remote] {
        &self.nodes
    }

    /// Gives custodians their parcels, all at a time; of those that may be down or hang, nobody is waited for for long. What
    /// came of each, as far as it is known.
    pub(crate) fn deposit(
        &self,
        parcels: &[Arc<Parcel>],
    ) -> Vec<Option<Result<Deposited, NodeError>>> {
        let height = self.height();
        let to = parcels.iter().map(|parcel| {
            let mut nodes = self.nodes.iter();
            let node = nodes.find(|node| node.org() == parcel.to).cloned();
            (node, Arc::clone(parcel))
        });
        let to: Vec<(Option<Remote>, Arc<Parcel>)> = to.collect();
        let answers = Answers::of(&to, move |(node, parcel)| {
            let node = node.as_ref()?;
            let done = level(node, height).and_then(|()| match &parcel.sealed {
                Sealed::Whole(envelopes) => node.deposit(envelopes, &parcel.deal),
                Sealed::Uploaded(front) => node.deposit_uploaded(&Redeal {
                    fronts: vec![front.as_ref().clone()],
                    deal: parcel.deal.clone(),
                }),
            });
            Some(taken(&parcel.to, done))
        });
        let faulty = self.faulty;
        let came = answers.with_grace(LATE).gather(|came| {
            let came: BTreeSet<usize> = came.iter().map(|(place, _)| *place).collect();
            let parcels = parcels.iter().enumerate();
            let open = parcels.filter(|(place, _)| !came.contains(place));
            let waited_for: BTreeSet<OrgId> = open.map(|(_, parcel)| parcel.to).collect();
            waited_for.len() <= faulty
        });
        let mut came: BTreeMap<usize, _> = came.into_iter().collect();
        (0..parcels.len())
            .map(|place| came.remove(&place).flatten())
            .collect()
    }

    pub(crate) fn upload(
        &self,
        to: &OrgId,
        outline: &Outline,
        mut body: impl Read + Seek,
    ) -> Result<(), Error> {
        let node = self.nodes.iter().find(|node| node.org() == *to);
        let node = node.ok_or(Error::NoOffice(*to))?;
        if !self.is_level(node) {
            return Err(NodeError::Stopped(*to).into());
        }
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
        if !self.is_level(node) {
            return Some(Err(NodeError::Stopped(*to)));
        }
        Some(taken(to, node.redeal(redeal)))
    }

    /// Every custodian's answer; once enough are there, of those that take no longer than `grace`. Their receipts are on the
    /// chain when this ends, as far as it is followed here.
    pub(crate) fn releases(
        &mut self,
        request: &RequestId,
        reader: &KemPublicKey,
        grace: Duration,
    ) -> Vec<Given> {
        let early = self.early.take().filter(|(asked, _)| asked == request);
        if let Some((_, answers)) = early {
            let (given, are_enough) = self.gather(request, answers.with_grace(grace));
            if are_enough {
                return given;
            }
            // Some may have waited in vain for a request that took long to be final.
        }
        let answers = self.ask_for_shares(request, reader, Duration::ZERO);
        self.gather(request, answers.with_grace(grace)).0
    }

    /// Asks every custodian for its shares for a request that is about to be handed in: each gives them as soon as it knows
    /// that it is permitted.
    pub(crate) fn ask_early(&mut self, request: &RequestId, reader: &KemPublicKey) {
        let answers = self.ask_for_shares(request, reader, EARLY);
        self.early = Some((*request, answers));
    }

    fn ask_for_shares(
        &self,
        request: &RequestId,
        reader: &KemPublicKey,
        wait: Duration,
    ) -> Answers<Given> {
        let ask = ReleaseAsk {
            request: *request,
            reader: reader.clone(),
        };
        let height = self.height();
        Answers::of(&self.nodes, move |node| {
            // One that is behind might not know yet that the permit was revoked, and would file a receipt for nothing.
            let done = node.release(&ask, height, wait);
            (node.org(), done.map_err(node_error))
        })
    }

    /// What custodians answer, and whether it is enough.
    fn gather(&mut self, request: &RequestId, mut answers: Answers<Given>) -> (Vec<Given>, bool) {
        let needed = self.read(|state| needed(state, request));
        let needed = needed.ok().flatten().unwrap_or(self.nodes.len());
        let are_enough = |came: &[(usize, Given)]| {
            came.iter().filter(|(_, (_, given))| given.is_ok()).count() >= needed
        };
        // Each waits for its receipt. What is final meanwhile is followed, so that nothing is left to follow afterwards.
        let mut wait = Duration::ZERO;
        while answers.are_open(wait, are_enough) {
            // Who asks for values asks once, afterwards; and once there are enough, what is left to follow is no more than that.
            let follower = self.follower().filter(|_| !answers.are_enough());
            let is_some_due = follower.is_some_and(|follower| {
                let state = follower.head().state();
                let permits = permits(state, request);
                let mut nodes = self.nodes.iter().enumerate();
                nodes.any(|(place, node)| {
                    !answers.has(place) && !is_receipted(state, &permits, &node.org())
                })
            });
            let is_followed = is_some_due && self.follow(SHORT_WAIT).is_ok();
            wait = if is_followed {
                Duration::ZERO
            } else {
                SHORT_WAIT
            };
        }
        let were_enough = answers.are_enough();
        let given: Vec<Given> = answers.end().into_iter().map(|(_, given)| given).collect();
        let released = given.iter().filter_map(|(_, given)| given.as_ref().ok());
        // Which index released which versions.
        let mut by_index: BTreeMap<u64, BTreeSet<[u8; 32]>> = BTreeMap::new();
        for release in released.flatten() {
            let of_it = by_index.entry(release.index().get().into()).or_default();
            of_it.extend(release.items().map(|item| item.header.0));
        }
        // Who gives shares without a receipt is for the patient's verifier to find, not a reason to wait or to open nothing.
        let _ = self.until_all(by_index.len(), GRACE, |state| {
            let permits = permits(state, request);
            let is_receipted = |index: u64, header: &[u8; 32]| {
                let mut of_it = permits.iter().filter(|permit| permit.header.0 == *header);
                of_it.any(|permit| permit.is_released_by(permit.deal, index))
            };
            let all = by_index.iter();
            all.filter(|(index, of_it)| of_it.iter().all(|header| is_receipted(**index, header)))
                .count()
        });
        (given, were_enough)
    }

    /// Whether a node has the newest block that is known here, or gets it soon.
    fn is_level(&self, node: &Remote) -> bool {
        let height = self.height();
        let told = ask_within(node, LATE, move |node| level(node, height));
        told.is_some_and(|told| told.is_ok())
    }
}

/// Founders first, in the committee's order, in which they sign.
fn in_order(mut nodes: Vec<Remote>, genesis: &Genesis) -> Vec<Remote> {
    let founders = genesis.committee();
    nodes.sort_by_key(|node| founders.index_of(&node.org()).unwrap_or(u64::MAX));
    nodes
}

/// Whose a transaction is, and its number.
fn numbered(signed: &SignedTransaction) -> Option<Numbered> {
    let transaction = signed.parse().ok()?;
    Some((signed.id(), transaction.actor_key, transaction.seq))
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks, beginning with the node that is asked first, and remembers which one that is now.
fn asking<T>(source: &AtomicUsize, ask: impl FnOnce(&mut usize) -> T) -> T {
    let mut first = source.load(Ordering::Relaxed);
    let told = ask(&mut first);
    source.store(first, Ordering::Relaxed);
    told
}

/// Why several nodes have no answer: what the last one said, or that nobody is there.
pub(crate) fn last(mut why: Vec<ClientError>) -> Error {
    let says = |why: &ClientError| !matches!(why, ClientError::Unreachable { .. });
    match why.iter().rposition(says) {
        Some(at) => why.swap_remove(at).into(),
        None => match why.pop() {
            Some(why) => Error::NobodyAnswers(Box::new(why)),
            None => Error::NobodyThere,
        },
    }
}

/// Takes the next blocks, from the first node that has some that are certified. Whether there were any, and the transactions
/// that are final by them.
fn follow(
    nodes: &[Remote],
    source: &AtomicUsize,
    follower: &mut Follower,
    wait: Duration,
) -> Result<(bool, BTreeSet<TxId>), Error> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut failed = None;
    for _ in 0..nodes.len() {
        let next = follower.next();
        let blocks = ask_last(nodes, source, wait + GRACE, move |node| {
            node.blocks(next, wait)
        })?;
        match follower.take(&blocks, threads) {
            Ok(settled) => {
                let settled = settled.transactions.into_iter().map(|(id, _)| id);
                return Ok((follower.next() > next, settled.collect()));
            }
            // Lying: another one may do better.
            Err(error) => {
                failed = Some(error);
                source.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Err(failed.map_or(Error::NobodyThere, Error::from))
}

/// The answer of the node that answered last, or of the next one if it is down or hangs; that one answered last then.
fn ask_last<T: Send + 'static>(
    nodes: &[Remote],
    source: &AtomicUsize,
    within: Duration,
    ask: impl Fn(&Remote) -> Result<T, ClientError> + Send + Sync + 'static,
) -> Result<T, Error> {
    let first = source.load(Ordering::Relaxed) % nodes.len().max(1);
    let (place, found) = ask_in_turn(nodes, first, within, ask).map_err(last)?;
    source.store(place, Ordering::Relaxed);
    Ok(found)
}

/// Waits until a node has the newest block that is known here: before, it can't know what it is asked about.
fn level(node: &Remote, height: u64) -> Result<(), ClientError> {
    if height > 0 {
        node.state_proof(&StateAsk::default(), height, LEVEL)?;
    }
    Ok(())
}

/// Sealed records of a request that one node gives, beginning with the one at `first`: of these, those that are the right
/// ones.
pub(crate) fn envelopes_of(
    nodes: &[Remote],
    first: usize,
    request: &RequestId,
    records: &[(&RecordId, &Expected)],
) -> Vec<(RecordId, Envelope)> {
    let request = *request;
    let asked: Vec<RecordId> = records.iter().map(|(record, _)| **record).collect();
    let given = ask_in_turn(nodes, first, PART_GRACE, move |node| {
        node.envelopes(&request, &asked)
    });
    let Ok((_, given)) = given else {
        return Vec::new();
    };
    let right = given.into_iter().filter(|given| {
        let of_it = records
            .iter()
            .find(|(record, _)| **record == given.record());
        of_it.is_some_and(|(_, expected)| expected.is(given))
    });
    right.map(|given| (given.record(), given)).collect()
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
    let needed = permits.iter().map(|permit| match permit.deal {
        0 => Some(state.record(&permit.record)?.custodians.t),
        later => Some(state.dealt_to(&permit.header, later)?.t),
    });
    needed.max().flatten().and_then(|t| usize::try_from(t).ok())
}

/// Whether there is a custodian's receipt for some record of a request.
fn is_receipted(state: State<'_>, permits: &[Permit], org: &OrgId) -> bool {
    permits.iter().any(|permit| {
        let set = state.dealt_to(&permit.header, permit.deal);
        let index = set.and_then(|set| share_index(state, org, set.epoch));
        index.is_some_and(|index| permit.is_released_by(permit.deal, index.get().into()))
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
    Err(last(Vec::from_iter(failed)))
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
