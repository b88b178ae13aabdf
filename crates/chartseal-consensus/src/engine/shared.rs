use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chartseal_ledger::{Block, Executed, Overlay, Proposed, SignedTransaction, propose_verified};
use chartseal_wire::{PublicKey, Time, TxId};
use tokio::sync::watch;

use super::block::EngineBlock;
use super::epochs::Epochs;
use super::handle::Outcome;
use super::misconduct::Misconduct;
use super::votes::Votes;
use crate::keeper::Keeper;
use crate::pool::{Candidate, Limits, Points, Pool, PoolError, Settled};
use crate::refusal::Refusal;
use crate::speculation::Speculation;

/// How many outcomes are remembered.
const MAX_OUTCOMES: usize = 65_536;

/// How one validator runs.
#[derive(Clone)]
pub struct Settings {
    /// How long after the last block a chain without transactions makes another one.
    pub heartbeat: Duration,
    /// How long the others wait for a leader's proposal: the most that a leader costs that is down, hangs, or proposes late
    /// on purpose. One without transactions that holds its proposal for so long is followed by the next one.
    pub leader_timeout: Duration,
    /// How long they wait for a view to be certified, before they vote to skip it.
    pub certification_timeout: Duration,
    /// How long until a vote to skip is sent again.
    pub retry: Duration,
    /// After how long without a sign of life a leader is skipped at once.
    pub skip_after: Duration,
    /// How long a fetch of a block or certificate may take, before another peer is asked.
    pub fetch_timeout: Duration,
    /// How often this node sends its clients' transactions again that are not final.
    pub gossip_again: Duration,
    /// How long a proposer may execute candidates; the others wait for the next block.
    pub build_budget: Duration,
    /// The most transactions of a proposal of this node.
    pub max_transactions: usize,
    /// The most bytes of them.
    pub max_bytes: usize,
    /// How much may wait.
    pub pool: Limits,
    /// How many threads check a block's signatures.
    pub threads: NonZeroUsize,
    /// How many pages of stored certificates and journals are held in memory, of 4 KiB each.
    pub cached_pages: NonZeroUsize,
    /// How many entries the table of stored certificates has room for at first.
    pub table_size: u32,
    /// How many of the newest blocks the engine keeps for others that ask. Older ones come out of the ledger.
    pub kept_blocks: u64,
    /// The prefix of everything that the engine stores.
    pub partition: String,
    /// The validator's clock, for the times of blocks.
    pub clock: Arc<dyn Fn() -> Time + Send + Sync>,
    /// What makes its proposals.
    pub builder: Arc<dyn Builder>,
}

impl Settings {
    /// What a node on a real network runs with: a heartbeat every 8 s, leaders given up after 2 s.
    pub fn recommended(clock: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self {
            heartbeat: Duration::from_secs(8),
            leader_timeout: Duration::from_secs(2),
            certification_timeout: Duration::from_secs(3),
            retry: Duration::from_secs(1),
            skip_after: Duration::from_secs(6),
            fetch_timeout: Duration::from_secs(2),
            gossip_again: Duration::from_secs(1),
            build_budget: Duration::from_millis(500),
            max_transactions: 2_048,
            max_bytes: 2 * 1024 * 1024,
            pool: Limits::default(),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            cached_pages: NonZeroUsize::MIN.saturating_add(2_047),
            table_size: 65_536,
            kept_blocks: 1_024,
            partition: "chartseal".into(),
            clock,
            builder: Arc::new(Honest),
        }
    }

    /// After how long without a block a validator asks whether the others have some: a quiet chain makes one sooner.
    pub(crate) fn silence(&self) -> Duration {
        self.heartbeat + self.skip_after
    }

    /// Over how many views without a final block a leader without a sign of life is skipped at once, of so many validators: as
    /// many as there are, as the engine recommends, and those that an idle chain has between two blocks, twice.
    pub(crate) fn skips(&self, validators: usize) -> NonZeroU64 {
        let idle = self.heartbeat.as_millis() / self.leader_timeout.as_millis().max(1) + 1;
        let idle = u64::try_from(idle).unwrap_or(u64::MAX);
        let skips = idle.saturating_mul(2).saturating_add(validators as u64);
        NonZeroU64::MIN.saturating_add(skips)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("heartbeat", &self.heartbeat)
            .field("leader_timeout", &self.leader_timeout)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

/// Makes a validator's proposals, of candidates out of its pool, which verified their signatures. Nodes use [`Honest`]; a simulation's Byzantine validators use others.
pub trait Builder: Send + Sync + 'static {
    /// A block on `parent` from those of the candidates that are admissible, in their order.
    fn build(
        &self,
        parent: &Overlay,
        time: Time,
        candidates: &mut dyn Iterator<Item = SignedTransaction>,
    ) -> Proposed;
}

/// Proposes what the ledger's rules say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Honest;

impl Builder for Honest {
    fn build(
        &self,
        parent: &Overlay,
        time: Time,
        candidates: &mut dyn Iterator<Item = SignedTransaction>,
    ) -> Proposed {
        propose_verified(parent, time, candidates)
    }
}

/// What a validator's tasks share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    core: Mutex<Core>,
    keeper: Mutex<Box<dyn Keeper>>,
    points: Points,
    pub(crate) epochs: Epochs,
    /// Whether the validator was asked to stop: then its tasks end, and nothing is wrong.
    ending: AtomicBool,
    /// Counts transactions that came into the pool.
    pub(crate) arrivals: watch::Sender<u64>,
    /// The height of the newest final block.
    pub(crate) finals: watch::Sender<u64>,
    /// Counts blocks that were executed here, final or not.
    pub(crate) executed: watch::Sender<u64>,
}

/// What changes from block to block.
pub(crate) struct Core {
    pub(crate) speculation: Speculation,
    /// The height of the newest block that was executed here, final or not, and since when it is known.
    newest: (u64, Option<SystemTime>),
    pub(crate) pool: Pool,
    /// What can be shown of others' misconduct.
    pub(crate) misconduct: Misconduct,
    /// Everybody's votes that may still matter.
    pub(crate) seen: Votes,
    /// How often somebody was seen to vote twice in one view.
    pub(crate) double_votes: u64,
    /// What became of transactions, and in which order they are forgotten.
    outcomes: BTreeMap<TxId, Outcome>,
    remembered: VecDeque<TxId>,
    /// The newest view that was certified or skipped.
    pub(crate) view: u64,
    /// The newest view with a certificate of finality.
    pub(crate) final_view: u64,
    /// Views that were skipped while transactions waited here.
    pub(crate) skipped: u64,
    /// How many blocks this validator refused, by the rule.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    /// When each validator's last vote came.
    pub(crate) heard: BTreeMap<PublicKey, Time>,
    /// Why it stopped, if it did.
    pub(crate) fatal: Option<String>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, keeper: Box<dyn Keeper>, epochs: Epochs) -> Self {
        let head = keeper.head();
        let height = head.height();
        let core = Core {
            speculation: Speculation::new(head),
            newest: (height, None),
            pool: Pool::new(settings.pool),
            misconduct: Misconduct::default(),
            seen: Votes::of(epochs.present().map_or(0, |term| term.epoch)),
            double_votes: 0,
            outcomes: BTreeMap::new(),
            remembered: VecDeque::new(),
            view: 0,
            final_view: 0,
            skipped: 0,
            refusals: BTreeMap::new(),
            heard: BTreeMap::new(),
            fatal: None,
        };
        Self {
            settings,
            core: Mutex::new(core),
            keeper: Mutex::new(keeper),
            points: Points::default(),
            epochs,
            ending: AtomicBool::new(false),
            arrivals: watch::Sender::new(0),
            finals: watch::Sender::new(height),
            executed: watch::Sender::new(0),
        }
    }

    /// What changes. A task that panicked left it as it was between two whole changes.
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keeper(&self) -> MutexGuard<'_, Box<dyn Keeper>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Time {
        (self.settings.clock)()
    }

    /// Takes a transaction into the pool; `own`: a client handed it in here. Nothing is locked while its signature is verified,
    /// which takes most of the time: whoever proposes, judges or votes does not wait for that.
    ///
    /// # Errors
    /// [`PoolError`].
    pub(crate) fn pool(
        &self,
        transaction: SignedTransaction,
        own: bool,
    ) -> Result<TxId, PoolError> {
        let head = self.core().speculation.head().clone();
        let candidate = Candidate::read(transaction, &head, own)?;
        self.core().pool.check(&candidate)?;
        let verified = candidate.verify(&self.points)?;
        let mut core = self.core();
        let Core {
            speculation, pool, ..
        } = &mut *core;
        pool.take(verified, speculation.head())
    }

    /// Tells a proposer who has nothing that there is something.
    pub(crate) fn arrived(&self) {
        self.arrivals
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps what executing a block gave, and tells whoever waits for what it foretells.
    pub(crate) fn keep(&self, block: &EngineBlock, executed: Executed, now: SystemTime) {
        self.core().keep(block, executed, now);
        self.is_executed();
    }

    /// Tells whoever waits for what blocks foretell that there is another one.
    pub(crate) fn is_executed(&self) {
        self.executed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Says that it is about to end.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    /// Stops everything that depends on this validator's state, and says why.
    pub(crate) fn fail(&self, why: String) {
        if self.ending.load(Ordering::SeqCst) {
            tracing::debug!(%why, "a task of the validator ended");
        } else {
            tracing::error!(%why, "validator stops");
        }
        self.core().fatal.get_or_insert(why);
        // Whoever waits for blocks looks again, and finds the reason.
        self.finals.send_modify(|_| ());
        self.is_executed();
    }
}

impl Core {
    /// Views are counted anew in each epoch.
    pub(crate) fn begin_epoch(&mut self, epoch: u64) {
        self.seen = Votes::of(epoch);
        self.misconduct.begin_epoch();
        (self.view, self.final_view) = (0, 0);
    }

    /// Notes a block that this validator votes against.
    pub(crate) fn refuse(&mut self, view: u64, block: Arc<Block>, refusal: Refusal) {
        let count = self.refusals.entry(refusal.rule()).or_default();
        *count = count.saturating_add(1);
        self.misconduct.refuse(view, block, refusal);
    }

    fn keep(&mut self, block: &EngineBlock, executed: Executed, now: SystemTime) {
        self.known_since(block.block().header.height, now);
        self.speculation
            .keep(block.leaf(), Arc::clone(block.block()), executed);
    }

    /// Since when a block of a height, or of a greater one, is known here; since now, if none is.
    pub(crate) fn known_since(&mut self, height: u64, now: SystemTime) -> SystemTime {
        let (newest, since) = &mut self.newest;
        if height > *newest {
            (*newest, *since) = (height, None);
        }
        *since.get_or_insert(now)
    }

    pub(crate) fn outcome(&self, id: &TxId) -> Option<&Outcome> {
        self.outcomes.get(id)
    }

    /// Remembers what a final block settled.
    pub(crate) fn remember(&mut self, block: &Block, settled: Settled) {
        let height = block.header.height;
        for transaction in &block.transactions {
            self.note(transaction.id(), Outcome::Final { height });
        }
        for (id, why) in settled.refused {
            self.note(id, Outcome::Refused { why });
        }
        for id in settled.expired {
            self.note(id, Outcome::Expired);
        }
    }

    fn note(&mut self, id: TxId, outcome: Outcome) {
        if self.outcomes.insert(id, outcome).is_none() {
            self.remembered.push_back(id);
        }
        while self.remembered.len() > MAX_OUTCOMES {
            if let Some(oldest) = self.remembered.pop_front() {
                self.outcomes.remove(&oldest);
            }
        }
    }
}
