//! All validators of a network in one process, each with its own ledger: an [`Ordering`] on the engine.
//!
//! Every validator runs simplex, marshal, pool and gossip as on a real network, with its own key. Their links, clock and
//! files are the engine's deterministic runtime's: its time passes only while somebody waits for transactions, so
//! nothing happens in between, and a leader that is stopped costs no real time. What lasts is the replicas' own
//! stores: a network that starts again goes on from their newest block and its certificate. That is sound here, and
//! only here, because all validators start and end together: no vote of theirs is left anywhere.

use std::collections::VecDeque;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use chartseal_ledger::{Block, Executed, Genesis, Overlay, SignedTransaction, execute_on};
use chartseal_wire::{Certificate, Time, TxId};
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_p2p::Recipients;
use commonware_p2p::simulated::{Config, Link, Network, Oracle, SplitOrigin, SplitTarget};
use commonware_runtime::{Clock as _, IoBuf, Quota, Runner as _, Supervisor as _, deterministic};
use commonware_utils::Probability;
use thiserror::Error;

use crate::certificate::{CertificateError, engine_key, rng};
use crate::engine::{Channels, Handle, Keys, Outcome, Settings, max_message_bytes};
use crate::keeper::{Anchor, Keeper, KeeperError};
use crate::ordering::{Finalized, Ordering, OrderingError, Rejection, Replica};
use crate::pool::PoolError;
use crate::simulation::{Forward, SimulatedReceiver, SimulatedSender, start};

/// How long transactions may take, by the runtime's clock: many times what a stopped leader costs.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether they are final.
const LOOK: Duration = Duration::from_millis(1);
/// The channels of a validator.
const CHANNELS: u64 = 7;
/// Between two validators.
const LATENCY: Duration = Duration::from_millis(1);

/// A replica whose validator is on the engine.
pub trait Validating: Replica {
    /// The state after the newest committed block.
    fn overlay(&self) -> Overlay;

    /// Makes a final block the new head, with its effect and its certificate, if it has one: durably.
    fn keep(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), Self::Error>;

    /// A committed header's bytes.
    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The head's certificate.
    fn certificate(&self) -> Result<Option<Certificate>, Self::Error>;
}

/// Orders on the engine, in one process.
pub struct Embedded<R> {
    replicas: Vec<R>,
    pool: Vec<SignedTransaction>,
    /// The thread of the runtime; it ends with this.
    engine: Option<Engine>,
}

struct Engine {
    asks: Sender<Ask>,
    tells: Receiver<Tell>,
    thread: JoinHandle<()>,
}

/// Why a network can't start in a process.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddedError<E: std::error::Error + 'static> {
    /// A replica's store.
    #[error(transparent)]
    Ordering(#[from] OrderingError<E>),
    /// The newest block has no certificate: another program ordered it, or it is of an earlier version.
    #[error(
        "no organization has a certificate of the newest block, {height}: it was ordered without the engine"
    )]
    NoCertificate {
        /// Its height.
        height: u64,
    },
    /// A validator did not start.
    #[error("the engine does not start: {0}")]
    Engine(String),
    /// No randomness, or a key that is none.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// What the engine is asked: to order these; who runs.
struct Ask(Vec<SignedTransaction>, Vec<bool>);

/// What the engine says.
enum Tell {
    /// A block is final for a validator.
    Keep {
        at: usize,
        block: Box<Block>,
        executed: Box<Executed>,
        certificate: Option<Certificate>,
        done: SyncSender<Result<(), String>>,
    },
    /// A validator looks up a header.
    Header {
        at: usize,
        height: u64,
        found: SyncSender<Result<Option<Vec<u8>>, String>>,
    },
    /// A validator looks up a block.
    Block {
        at: usize,
        height: u64,
        found: SyncSender<Result<Option<Block>, String>>,
    },
    /// All that was asked is done: what was not admitted.
    Done(Result<Vec<Rejection>, String>),
}

impl<R: Validating> Embedded<R> {
    /// Starts the validators of these replicas, which have these keys, in the same order. All start from the same block:
    /// who lacks some is given them first.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn start(
        genesis: &Genesis,
        mut replicas: Vec<R>,
        keys: Vec<Keys>,
        clock: impl Fn() -> Time + Send + Sync + 'static,
    ) -> Result<Self, EmbeddedError<R::Error>> {
        catch_up(&mut replicas)?;
        let anchor = anchor(&replicas)?;
        let heads = replicas.iter().map(Validating::overlay).collect();
        let (asks, asked) = channel();
        let (tell, tells) = channel();
        let world = World {
            genesis: genesis.clone(),
            keys,
            heads,
            anchor,
            clock: Arc::new(clock),
        };
        let runtime =
            deterministic::Config::new().with_rng(Box::new(rng()?) as deterministic::BoxDynRng);
        let thread = std::thread::Builder::new().name("engine".into());
        let thread = thread.spawn(move || {
            deterministic::Runner::new(runtime).start(|context| world.run(context, asked, tell));
        });
        let thread = thread.map_err(|why| EmbeddedError::Engine(why.to_string()))?;
        let mut embedded = Self {
            replicas,
            pool: Vec::new(),
            engine: Some(Engine {
                asks,
                tells,
                thread,
            }),
        };
        // It says so once all validators run.
        embedded.listen(&mut Finalized::default())?;
        Ok(embedded)
    }

    /// Does what validators ask of their replicas, until everything is done.
    fn listen(&mut self, finalized: &mut Finalized) -> Result<(), OrderingError<R::Error>> {
        let mut failed = None;
        let mut newest = self.newest();
        loop {
            let Some(tell) = self
                .engine
                .as_ref()
                .and_then(|engine| engine.tells.recv().ok())
            else {
                return Err(OrderingError::Engine("its thread ended".into()));
            };
            match tell {
                Tell::Keep {
                    at,
                    block,
                    executed,
                    certificate,
                    done,
                } => {
                    let Some(replica) = self.replicas.get_mut(at) else {
                        continue;
                    };
                    let org = replica.organization();
                    let kept = replica.keep(&block, &executed, certificate.as_ref());
                    let _ = done.send(kept.as_ref().copied().map_err(ToString::to_string));
                    match kept {
                        Err(source) => failed = Some(OrderingError::Replica { org, source }),
                        Ok(()) if block.header.height > newest => {
                            newest = block.header.height;
                            finalized.headers.push(block.header);
                        }
                        Ok(()) => {}
                    }
                }
                Tell::Header { at, height, found } => {
                    let header = self.replicas.get(at).map(|replica| replica.header(height));
                    let header = header.transpose().map(Option::flatten);
                    let _ = found.send(header.map_err(|why| why.to_string()));
                }
                Tell::Block { at, height, found } => {
                    let block = self.replicas.get(at).map(|replica| replica.block(height));
                    let block = block.transpose().map(Option::flatten);
                    let _ = found.send(block.map_err(|why| why.to_string()));
                }
                Tell::Done(done) => {
                    if let Some(failed) = failed {
                        return Err(failed);
                    }
                    let rejected = done.map_err(OrderingError::Engine)?;
                    finalized.rejected.extend(rejected);
                    return Ok(());
                }
            }
        }
    }

    fn newest(&self) -> u64 {
        let heights = self.replicas.iter().map(|replica| replica.head().height);
        heights.max().unwrap_or(0)
    }

    fn order(
        &mut self,
        transactions: Vec<SignedTransaction>,
    ) -> Result<Finalized, OrderingError<R::Error>> {
        let running: Vec<bool> = self.replicas.iter().map(Replica::is_running).collect();
        let count = running.iter().filter(|runs| **runs).count();
        if count < self.quorum() {
            let (running, quorum) = (count, self.quorum());
            return Err(OrderingError::NoQuorum { running, quorum });
        }
        let ask = Ask(transactions, running);
        let asked = self.engine.as_ref().map(|engine| engine.asks.send(ask));
        if !matches!(asked, Some(Ok(()))) {
            return Err(OrderingError::Engine("its thread ended".into()));
        }
        let mut finalized = Finalized::default();
        self.listen(&mut finalized)?;
        Ok(finalized)
    }
}

impl<R: Validating> Ordering for Embedded<R> {
    type Replica = R;

    fn replicas(&self) -> &[R] {
        &self.replicas
    }

    fn replicas_mut(&mut self) -> &mut [R] {
        &mut self.replicas
    }

    fn catch_up(&mut self) -> Result<(), OrderingError<R::Error>> {
        let newest = self.newest();
        let behind = |replica: &R| replica.is_running() && replica.head().height < newest;
        if self.replicas.iter().any(behind) {
            self.order(Vec::new())?;
        }
        Ok(())
    }

    fn submit(&mut self, transaction: SignedTransaction) -> TxId {
        let id = transaction.id();
        self.pool.push(transaction);
        id
    }

    /// `now` is not looked at: validators have a clock.
    fn finalize(&mut self, _: Time) -> Result<Finalized, OrderingError<R::Error>> {
        let transactions = std::mem::take(&mut self.pool);
        if transactions.is_empty() {
            return Ok(Finalized::default());
        }
        self.order(transactions)
    }
}

impl<R> Drop for Embedded<R> {
    fn drop(&mut self) {
        if let Some(Engine {
            asks,
            tells,
            thread,
        }) = self.engine.take()
        {
            // Without anybody who asks it ends.
            drop((asks, tells));
            let _ = thread.join();
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for Embedded<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas = &self.replicas;
        f.debug_struct("Embedded")
            .field("replicas", replicas)
            .finish_non_exhaustive()
    }
}

/// Gives replicas the blocks that others have. Each executes them on its own.
fn catch_up<R: Validating>(replicas: &mut [R]) -> Result<(), OrderingError<R::Error>> {
    let newest = replicas.iter().map(|replica| replica.head().height).max();
    let newest = newest.unwrap_or(0);
    for at in 0..replicas.len() {
        while let Some(replica) = replicas.get(at) {
            let (org, height) = (replica.organization(), replica.head().height + 1);
            if height > newest {
                break;
            }
            let failed = |source| OrderingError::Replica { org, source };
            let mut found = None;
            for other in replicas.iter() {
                if let Some(block) = other.block(height).map_err(failed)? {
                    let is_head = other.head().height == height;
                    let certificate = is_head.then(|| other.certificate()).transpose();
                    found = Some((block, certificate.map_err(failed)?.flatten()));
                    break;
                }
            }
            let (block, certificate) = found.ok_or(OrderingError::MissingBlock(height))?;
            let executed = execute_on(&replica.overlay(), &block, NonZeroUsize::MIN);
            let executed = executed.map_err(|_| OrderingError::Disagreement { org, height })?;
            if let Some(replica) = replicas.get_mut(at) {
                replica
                    .keep(&block, &executed, certificate.as_ref())
                    .map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// The newest block and its certificate; `None` at genesis.
fn anchor<R: Validating>(replicas: &[R]) -> Result<Option<Anchor>, EmbeddedError<R::Error>> {
    let height = replicas.first().map_or(0, |replica| replica.head().height);
    if height == 0 {
        return Ok(None);
    }
    for replica in replicas {
        let org = replica.organization();
        let failed = |source| OrderingError::Replica { org, source };
        if let Some(certificate) = replica.certificate().map_err(failed)? {
            return Ok(Some((replica.block(height).map_err(failed)?, certificate)));
        }
    }
    Err(EmbeddedError::NoCertificate { height })
}

/// What the runtime's thread starts with.
struct World {
    genesis: Genesis,
    keys: Vec<Keys>,
    heads: Vec<Overlay>,
    anchor: Option<Anchor>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
}

type Wires = Oracle<EngineKey, deterministic::Context>;

impl World {
    async fn run(self, context: deterministic::Context, asks: Receiver<Ask>, tells: Sender<Tell>) {
        let names: Result<Vec<EngineKey>, _> = self
            .keys
            .iter()
            .map(|keys| engine_key(&keys.public()))
            .collect();
        let started = match names {
            Ok(names) => self.start(&context, names, &tells).await,
            Err(why) => Err(why.to_string()),
        };
        let mut running = match started {
            Ok(running) => running,
            Err(why) => {
                let _ = tells.send(Tell::Done(Err(why)));
                return;
            }
        };
        let _ = tells.send(Tell::Done(Ok(Vec::new())));
        // This waits with the whole runtime: its time stands still until somebody asks.
        while let Ok(Ask(transactions, up)) = asks.recv() {
            running.connect(&up).await;
            let done = running.order(&context, transactions.into(), &up).await;
            if tells.send(Tell::Done(done)).is_err() {
                return;
            }
        }
    }

    async fn start(
        self,
        context: &deterministic::Context,
        names: Vec<EngineKey>,
        tells: &Sender<Tell>,
    ) -> Result<Validators, String> {
        let validators = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let config = Config {
            max_size: max_message_bytes(validators),
            max_peers_per_set: NonZeroUsize::new(names.len()).unwrap_or(NonZeroUsize::MIN),
            disconnect_on_block: true,
            tracked_peer_sets: NonZeroUsize::MIN,
        };
        let (network, wires) =
            Network::new_with_peers(context.child("network"), config, names.clone()).await;
        network.start();
        let mut handles = Vec::with_capacity(names.len());
        for (at, (keys, head)) in self.keys.into_iter().zip(self.heads).enumerate() {
            let name = names.get(at).ok_or("a validator has no name")?;
            let context = context.child("validator").with_attribute("at", at);
            let channels = register(&context, &wires, name).await?;
            let keeper = Teller {
                at,
                head,
                anchor: self.anchor.clone(),
                tells: tells.clone(),
            };
            let settings = Settings {
                table_size: 256,
                cached_pages: NonZeroUsize::MIN.saturating_add(63),
                kept_blocks: 64,
                partition: format!("validator-{at}"),
                ..Settings::recommended(Arc::clone(&self.clock))
            };
            let running = start(
                context,
                settings,
                self.genesis.clone(),
                keys,
                Box::new(keeper),
                channels,
                wires.clone(),
            );
            handles.push(running.await.map_err(|why| why.to_string())?.handle);
        }
        let mut validators = Validators {
            linked: vec![false; names.len()],
            names,
            handles,
            wires,
        };
        let all = vec![true; validators.names.len()];
        validators.connect(&all).await;
        Ok(validators)
    }
}

/// A validator's channels.
async fn register(
    context: &deterministic::Context,
    wires: &Wires,
    name: &EngineKey,
) -> Result<Channels<SimulatedSender, SimulatedReceiver>, String> {
    let control = wires.control(name.clone());
    // Queues have as many places, and are all touched in time.
    let quota = Quota::per_second(NonZeroU32::MIN.saturating_add(4_095));
    let mut ends = VecDeque::new();
    for channel in 0..CHANNELS {
        let registered = control.register(channel, quota).await;
        let (sender, receiver) = registered.map_err(|why| why.to_string())?;
        let (sender, _) = sender.split_with(to_all as Forward);
        let context = context.child("split").with_attribute("channel", channel);
        let (receiver, _) =
            receiver.split_with(context, |_: &(EngineKey, IoBuf)| SplitTarget::Primary);
        ends.push_back((sender, receiver));
    }
    let mut next = || ends.pop_front().ok_or("a channel is missing");
    Ok(Channels {
        votes: next()?,
        certificates: next()?,
        resolver: next()?,
        backfill: next()?,
        blocks: next()?,
        transactions: next()?,
        recall: next()?,
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "one type with routes that lead nowhere"
)]
fn to_all(_: SplitOrigin, to: &Recipients<EngineKey>, _: &IoBuf) -> Option<Recipients<EngineKey>> {
    Some(to.clone())
}

/// The validators that run.
struct Validators {
    names: Vec<EngineKey>,
    handles: Vec<Handle>,
    wires: Wires,
    linked: Vec<bool>,
}

impl Validators {
    /// Links those that run with each other, and nobody with the others.
    async fn connect(&mut self, up: &[bool]) {
        let Some(success_rate) = Probability::new(1, 1) else {
            return;
        };
        let link = Link {
            latency: LATENCY,
            jitter: Duration::ZERO,
            success_rate,
        };
        let was = |at: usize| self.linked.get(at).copied().unwrap_or(false);
        let is = |at: usize| up.get(at).copied().unwrap_or(false);
        for (i, one) in self.names.iter().enumerate() {
            for (j, other) in self.names.iter().enumerate() {
                let (old, new) = (was(i) && was(j), is(i) && is(j));
                let (one, other) = (one.clone(), other.clone());
                if i != j && new && !old {
                    let _ = self.wires.add_link(one, other, link.clone()).await;
                } else if i != j && old && !new {
                    let _ = self.wires.remove_link(one, other).await;
                }
            }
        }
        self.linked = up.to_vec();
    }

    /// Hands transactions in, in their order, and waits until all are settled and all who run are equally far. Gives
    /// those that were not admitted.
    async fn order(
        &self,
        context: &deterministic::Context,
        mut waiting: VecDeque<SignedTransaction>,
        up: &[bool],
    ) -> Result<Vec<Rejection>, String> {
        let until = context.current() + PATIENCE;
        let running = self.handles.iter().zip(up).filter(|(_, up)| **up);
        let running: Vec<&Handle> = running.map(|(handle, _)| handle).collect();
        let home = running.first().ok_or("nobody runs")?;
        let (mut open, mut rejected): (Vec<TxId>, Vec<Rejection>) = (Vec::new(), Vec::new());
        loop {
            open.retain(|tx| match home.outcome(tx) {
                Outcome::Refused { why } => {
                    rejected.push(Rejection { tx: *tx, why });
                    false
                }
                Outcome::Waiting => true,
                _ => false,
            });
            while let Some(transaction) = waiting.front() {
                let tx = transaction.id();
                match home.submit(transaction.clone()) {
                    Ok(id) => open.push(id),
                    // What breaks a rule now may not do so behind those that wait.
                    Err(PoolError::Refused(why)) if open.is_empty() => {
                        rejected.push(Rejection { tx, why });
                    }
                    Err(PoolError::Known(_)) => {}
                    Err(_) if !open.is_empty() => break,
                    Err(why) => return Err(why.to_string()),
                }
                waiting.pop_front();
            }
            if let Some(why) = running.iter().find_map(|handle| handle.status().fatal) {
                return Err(why);
            }
            let heights = running.iter().map(|handle| handle.status().head.height);
            let newest = self
                .handles
                .iter()
                .map(|handle| handle.status().head.height)
                .max();
            let are_level = heights.min() == newest;
            if open.is_empty() && waiting.is_empty() && are_level {
                return Ok(rejected);
            }
            if context.current() >= until {
                return Err(format!(
                    "{} transactions are not final",
                    open.len() + waiting.len()
                ));
            }
            context.sleep(LOOK).await;
        }
    }
}

/// A validator's way to its replica, which is on the thread of whoever waits.
struct Teller {
    at: usize,
    head: Overlay,
    anchor: Option<Anchor>,
    tells: Sender<Tell>,
}

impl Teller {
    /// Asks, and waits for the answer with the whole runtime.
    fn ask<T>(
        &self,
        tell: impl FnOnce(SyncSender<Result<T, String>>) -> Tell,
    ) -> Result<T, KeeperError> {
        let (answer, answered) = sync_channel(1);
        self.tells.send(tell(answer))?;
        Ok(answered.recv()??)
    }
}

impl Keeper for Teller {
    fn head(&self) -> Overlay {
        self.head.clone()
    }

    fn commit(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), KeeperError> {
        let at = self.at;
        self.ask(|done| Tell::Keep {
            at,
            block: Box::new(block.clone()),
            executed: Box::new(executed.clone()),
            certificate: certificate.cloned(),
            done,
        })?;
        self.head = executed.overlay.clone();
        Ok(())
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, KeeperError> {
        let at = self.at;
        self.ask(|found| Tell::Header { at, height, found })
    }

    fn block(&self, height: u64) -> Result<Option<Block>, KeeperError> {
        let at = self.at;
        self.ask(|found| Tell::Block { at, height, found })
    }

    fn anchor(&self) -> Result<Option<Anchor>, KeeperError> {
        Ok(self.anchor.clone())
    }
}
