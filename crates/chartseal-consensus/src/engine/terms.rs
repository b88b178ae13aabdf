//! One run of the engine for each epoch, and what hands over from one to the next.
//!
//! The last block of an epoch is the first parent of the next one. Once it is final here, the old engine ends and
//! the new one starts on it, if this validator is of the new committee. Who is behind, or of no committee, has no
//! engine that tells it of newer blocks: it asks those that it hears of, or in silence everybody, for the next ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use commonware_consensus::Reporters;
use commonware_consensus::marshal::standard::Inline;
use commonware_consensus::simplex::Engine;
use commonware_consensus::simplex::config::{Config, Floor, ForwardPolicy, SkipBudget, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, Height, ViewDelta};
use commonware_consensus::{Epochable as _, Viewable as _};
use commonware_cryptography::Sha256;
use commonware_cryptography::certificate::Scheme as _;
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_cryptography::sha256::Digest;
use commonware_macros::select;
use commonware_p2p::utils::mux::{Builder as _, MuxHandle, Muxer};
use commonware_p2p::{Blocker, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle as Task, Metrics, Spawner, Storage};
use commonware_utils::vec::NonEmptyVec;
use rand_core::CryptoRng;
use std::future::pending;
use tokio::sync::mpsc;

use super::Marshal;
use super::application::Application;
use super::block::digest;
use super::epochs::{Open, Term, header};
use super::recall::{Answer, Asking, Told};
use super::shared::Shared;
use super::start::{BUFFER, MAILBOX, VIEWS_KEPT, non_zero};
use super::watch::Watch;
use crate::certificate::Finalization;

/// How many of the next blocks are asked for at a time: any one's certificate vouches for those before it.
const ASKED: u64 = 32;
/// How long at least between two times of asking one validator.
const ASKING: Duration = Duration::from_millis(200);

/// What every epoch's engine is made of.
pub(crate) struct Terms<B> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) marshal: Marshal,
    pub(crate) blocker: B,
    pub(crate) cache: CacheRef,
    /// The certified block from which this validator goes on, if its ledger is ahead of the engine's files.
    pub(crate) floor: Option<Finalization>,
    /// How often an engine was to be started: each time under another name in the metrics.
    pub(crate) attempts: u64,
}

/// An engine that runs.
struct Run {
    epoch: u64,
    task: Task<()>,
}

impl<B: Blocker<PublicKey = EngineKey>> Terms<B> {
    /// Starts the task that runs the engines; it ends if one can't go on.
    ///
    /// The first one waits until the others have told this validator of its votes.
    pub(crate) fn start<E, S, R>(
        mut self,
        context: E,
        channels: TermChannels<S, R>,
        asking: Asking<S>,
        answers: mpsc::Receiver<(EngineKey, Answer)>,
    ) -> Task<()>
    where
        E: Clock + CryptoRng + Spawner + Storage + Metrics,
        S: Sender<PublicKey = EngineKey>,
        R: Receiver<PublicKey = EngineKey>,
    {
        context.spawn(move |context| async move {
            if let Err(why) = self.run(context, channels, asking, answers).await {
                self.shared.fail(why);
            }
        })
    }

    async fn run<E, S, R>(
        &mut self,
        context: E,
        channels: TermChannels<S, R>,
        asking: Asking<S>,
        mut answers: mpsc::Receiver<(EngineKey, Answer)>,
    ) -> Result<(), String>
    where
        E: Clock + CryptoRng + Spawner + Storage + Metrics,
        S: Sender<PublicKey = EngineKey>,
        R: Receiver<PublicKey = EngineKey>,
    {
        let (sender, receiver) = channels.votes;
        let votes = Muxer::builder(context.child("votes"), sender, receiver).with_backup();
        let (mux, votes, mut strays) = votes.build();
        mux.start();
        let (sender, receiver) = channels.certificates;
        let (mux, certificates) = Muxer::new(context.child("certificates"), sender, receiver);
        mux.start();
        let (sender, receiver) = channels.resolver;
        let (mux, resolver) = Muxer::new(context.child("resolver"), sender, receiver);
        mux.start();
        let mut muxes = Muxes {
            votes,
            certificates,
            resolver,
        };

        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let mut finals = self.shared.finals.subscribe();
        let mut run: Option<Run> = None;
        // Until this validator knows its votes. Then it keeps its journal while it runs.
        let mut asking = Some(asking);
        let mut ask_at = context.current();
        // Whether there may be more to know than when it was looked at last: to look is to verify all that was answered.
        let mut is_due = true;
        let mut asked: BTreeMap<EngineKey, SystemTime> = BTreeMap::new();
        let mut silent_at = context.current() + settings.silence();
        loop {
            finals.mark_unchanged();
            let term = self
                .shared
                .epochs
                .present()
                .ok_or("the chain has no committee")?;
            if run.as_ref().is_none_or(|run| run.epoch != term.epoch) {
                if let Some(over) = run.take() {
                    over.task.abort();
                    let _ = over.task.await;
                    // Votes of an epoch that is over are of no use; so is a failure to delete them.
                    let _ = context.remove(&self.partition(over.epoch), None).await;
                }
                let told = match &asking {
                    Some(asking) if term.is_member && is_due => asking.told(&term),
                    Some(_) => None,
                    None => Some(Told::default()),
                };
                is_due = false;
                if let Some(told) = told.filter(|_| term.is_member) {
                    run = self.begin(&context, &term, &mut muxes, &told).await?;
                    if run.is_some() {
                        asking = None;
                        answers.close();
                    }
                }
            }
            let ended = async {
                match &mut run {
                    Some(run) => drop((&mut run.task).await),
                    None => pending().await,
                }
            };
            select! {
                () = ended => {
                    return Err(format!("the engine of epoch {} ended", term.epoch));
                },
                changed = finals.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    silent_at = context.current() + settings.silence();
                    is_due = true;
                },
                () = sleep_until(&context, asking.is_some().then_some(ask_at)) => {
                    ask_at = context.current() + ASKING;
                    is_due = true;
                    if let Some(asking) = asking.as_mut().filter(|_| term.is_member) {
                        asking.ask();
                    }
                },
                answer = next(&mut answers, asking.is_some()) => {
                    if let (Some(asking), Some((peer, answer))) = (&mut asking, answer) {
                        is_due |= asking.take(peer, answer);
                    }
                },
                () = context.sleep_until(silent_at) => {
                    silent_at = context.current() + settings.silence();
                    self.ask(self.shared.epochs.others());
                },
                // After all else: the branches are looked at in their order, and anybody can send these without end.
                stray = strays.recv() => {
                    let Some((epoch, (peer, _))) = stray else {
                        return Err("the channel of votes ended".into());
                    };
                    // Each for itself: who sends such votes without end keeps nobody else from being asked.
                    let now = context.current();
                    let is_early = asked.get(&peer).is_some_and(|at| now < *at + ASKING);
                    if epoch >= term.epoch && !is_early {
                        asked.insert(peer.clone(), now);
                        self.ask(vec![peer]);
                    }
                },
            }
        }
    }

    /// Asks for certificates of the next blocks.
    fn ask(&self, of: Vec<EngineKey>) {
        let Ok(of) = NonEmptyVec::try_from(of) else {
            return;
        };
        let head = self.shared.epochs.head();
        for height in head + 1..=head + ASKED {
            self.marshal.hint_finalized(Height::new(height), of.clone());
        }
    }

    fn partition(&self, epoch: u64) -> String {
        format!("{}-votes-{epoch}", self.shared.settings.partition)
    }

    /// Where a term's engine starts from, unless its files know a later view: a certified block of the term that the ledger
    /// was given, or else the last block of the term before.
    fn floor(&self, term: &Term) -> Result<Floor<Scheme, Digest>, String> {
        if let Some(floor) = self
            .floor
            .as_ref()
            .filter(|floor| floor.epoch() == Epoch::new(term.epoch))
        {
            return Ok(Floor::Finalized(floor.clone()));
        }
        let parent = header(&**self.shared.keeper(), term.first.saturating_sub(1));
        let parent = parent.map_err(|why| why.to_string())?;
        Ok(Floor::Genesis(digest(parent.leaf())))
    }

    /// Starts the engine of a term, unless votes are missing that can't be restored yet.
    async fn begin<E, S>(
        &mut self,
        context: &E,
        term: &Term,
        muxes: &mut Muxes<S>,
        told: &Told,
    ) -> Result<Option<Run>, String>
    where
        E: Clock + CryptoRng + Spawner + Storage + Metrics,
        S: Sender<PublicKey = EngineKey>,
    {
        let epoch = term.epoch;
        self.attempts += 1;
        let restored = told
            .restore(
                context
                    .child("restored")
                    .with_attribute("attempt", self.attempts),
                term.scheme.as_ref(),
                self.partition(epoch),
                self.cache.clone(),
            )
            .await
            .map_err(|why| format!("the journal of votes can't be opened: {why}"))?;
        let Some(restored) = restored else {
            return Ok(None);
        };
        if restored > 0 {
            tracing::warn!(
                restored,
                "these files are older than votes that this validator has cast; peers gave them back"
            );
        }
        let votes = muxes.votes.register(epoch).await;
        let certificates = muxes.certificates.register(epoch).await;
        let resolver = muxes.resolver.register(epoch).await;
        let (Ok(votes), Ok(certificates), Ok(resolver)) = (votes, certificates, resolver) else {
            return Err(format!("the channels of epoch {epoch} can't be opened"));
        };
        let context = context.child("term").with_attribute("epoch", epoch);
        let open = Open(self.shared.epochs.clone());
        let inline = Inline::new(
            context.child("application"),
            Application::new(Arc::clone(&self.shared)),
            self.marshal.clone(),
            open,
        );
        let scheme = term.scheme.as_ref().clone();
        let watch = Watch::new(Arc::clone(&self.shared), scheme.clone());
        let mut floor = self.floor(term)?;
        // Votes in views that are final may be lost too, and nobody gives those back: none is cast there. The engine also
        // has what was missed fetched up to this floor, at once, for the network may be quiet for a while.
        if let Some(newest) = &told.newest
            && !matches!(&floor, Floor::Finalized(floor) if floor.view() >= newest.view())
        {
            floor = Floor::Finalized(newest.clone());
        }
        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let validators = scheme.participants().len();
        let engine = Engine::new(
            context.child("consensus"),
            Config {
                scheme,
                elector: RoundRobin::<Sha256>::default(),
                blocker: self.blocker.clone(),
                automaton: inline.clone(),
                relay: inline.clone(),
                reporter: Reporters::from((inline, watch)),
                track_historical_votes: true,
                strategy: Sequential,
                partition: self.partition(epoch),
                mailbox_size: MAILBOX,
                epoch: Epoch::new(epoch),
                floor,
                replay_buffer: BUFFER,
                write_buffer: BUFFER,
                page_cache: self.cache.clone(),
                leader_timeout: settings.leader_timeout,
                certification_timeout: settings.certification_timeout,
                timeout_retry: settings.retry,
                view_retention: ViewDelta::new(VIEWS_KEPT),
                skip: SkipPolicy::Enabled {
                    timeout: settings.skip_after,
                    budget: SkipBudget::Fixed(settings.skips(validators)),
                },
                fetch_timeout: non_zero(settings.fetch_timeout),
                fetch_retry_delay: Duration::from_millis(100),
                forward: ForwardPolicy::SilentVoters,
            },
        );
        let task = engine.start(votes, certificates, resolver);
        Ok(Some(Run { epoch, task }))
    }
}

/// Waits until a time, if there is one.
pub(super) async fn sleep_until(context: &impl Clock, at: Option<SystemTime>) {
    match at {
        Some(at) => context.sleep_until(at).await,
        None => pending().await,
    }
}

/// The next answer, while somebody waits for it.
async fn next(
    answers: &mut mpsc::Receiver<(EngineKey, Answer)>,
    is_waiting: bool,
) -> Option<(EngineKey, Answer)> {
    match answers.recv().await.filter(|_| is_waiting) {
        Some(answer) => Some(answer),
        None => pending().await,
    }
}

/// The channels of which every epoch has its own part.
pub(crate) struct TermChannels<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
}

struct Muxes<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
}
