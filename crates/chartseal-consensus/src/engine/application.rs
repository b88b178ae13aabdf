use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chartseal_ledger::{Block, Executed, Overlay};
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::{Application as EngineApplication, Epochable as _};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_macros::select;
use commonware_runtime::{Clock, Metrics, Spawner};
use futures::StreamExt as _;

use super::Context;
use super::block::EngineBlock;
use super::shared::Shared;
use super::terms::sleep_until;
use crate::refusal::{Refusal, Timeliness, is_sudden, judge, timeliness};

/// How many ancestors that are not final a proposal may have here, before it waits for finality.
const MAX_DEPTH: usize = 32;

/// Proposes and verifies on behalf of the engine.
#[derive(Clone)]
pub(crate) struct Application {
    shared: Arc<Shared>,
}

impl Application {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The state after `block`: known, or executed from the nearest known ancestor. Never returns while
    /// the block can't descend from what is final here: to wait is not to vote.
    async fn overlay_after<E: Clock + Spawner>(
        &self,
        context: &E,
        block: &EngineBlock,
        ancestry: &mut impl Ancestry<EngineBlock>,
    ) -> Overlay {
        let mut path = vec![block.clone()];
        let mut finals = self.shared.finals.subscribe();
        loop {
            let known = {
                let core = self.shared.core();
                let below = core.speculation.head().height();
                let find = |block: &EngineBlock| core.speculation.overlay(&block.leaf());
                let known = path
                    .iter()
                    .enumerate()
                    .find_map(|(at, block)| Some((at, find(block)?)));
                known.ok_or(below)
            };
            match known {
                Ok((at, mut overlay)) => {
                    path.truncate(at);
                    let mut failed = false;
                    for block in path.iter().rev() {
                        // What is certified is of its own epoch, whatever view it is looked at from.
                        let view = block.block().header.epoch;
                        match self.execute(context, &overlay, block.block(), view).await {
                            Ok(executed) => {
                                overlay = executed.overlay.clone();
                                self.keep(context, block, executed);
                            }
                            // A certified ancestor that this node refuses: it has no state to go on from.
                            Err(_) => failed = true,
                        }
                        if failed {
                            break;
                        }
                    }
                    if !failed {
                        return overlay;
                    }
                    return pending().await;
                }
                Err(head) => {
                    let oldest = path.last().map_or(0, |block| block.block().header.height);
                    if oldest <= head {
                        // Its branch left the final chain, or this node went past it meanwhile.
                        return pending().await;
                    }
                    if path.len() > MAX_DEPTH {
                        // This node is behind; finality, not speculation, brings it forward.
                        if finals.changed().await.is_err() {
                            return pending().await;
                        }
                        continue;
                    }
                    match ancestry.next().await {
                        Some(parent) => path.push(parent.inner().clone()),
                        None => return pending().await,
                    }
                }
            }
        }
    }

    /// Executes a block of an epoch's view where it may take its time.
    async fn execute<E: Spawner>(
        &self,
        context: &E,
        parent: &Overlay,
        block: &Arc<Block>,
        view: u64,
    ) -> Result<Executed, Refusal> {
        let (parent, block) = (parent.clone(), Arc::clone(block));
        let threads = self.shared.settings.threads;
        let verified = self.shared.core().pool.verified(&block.transactions);
        let task = context.child("execute").shared(true);
        let judged =
            task.spawn(move |_| async move { judge(&parent, &block, view, &verified, threads) });
        match judged.await {
            Ok(judged) => judged,
            // The runtime is going down.
            Err(_) => pending().await,
        }
    }

    fn keep<E: Clock>(&self, context: &E, block: &EngineBlock, executed: Executed) {
        self.shared.epochs.guess(&executed.overlay);
        self.shared.keep(block, executed, context.current());
    }

    /// Waits until there is something to propose, or until the heartbeat: a chain without work is quiet. If the view ends
    /// before, the engine drops this, and the next leader waits for the rest of the time.
    async fn build<E: Clock>(&self, context: &E, parent: &Overlay) -> EngineBlock {
        let settings = &self.shared.settings;
        let mut arrivals = self.shared.arrivals.subscribe();
        let now = context.current();
        let heartbeat = self.shared.core().known_since(parent.height(), now) + settings.heartbeat;
        // What is due so late that the others may give this leader up is the next one's.
        let heartbeat = Some(heartbeat).filter(|at| *at <= now + settings.leader_timeout * 3 / 4);
        loop {
            arrivals.mark_unchanged();
            let candidates = {
                let mut core = self.shared.core();
                let (transactions, bytes) = (settings.max_transactions, settings.max_bytes);
                let mut candidates = core.pool.candidates(parent, transactions, bytes);
                // What came too late for its own first height: the ledger refuses it then.
                let sudden = candidates.extract_if(.., |candidate| {
                    let parsed = candidate.parse();
                    parsed.is_ok_and(|parsed| is_sudden(&parsed.body, parent.height()))
                });
                let sudden: Vec<_> = sudden.map(|sudden| sudden.id()).collect();
                core.pool.suspect(sudden);
                candidates
            };
            let is_due = heartbeat.is_some_and(|at| context.current() >= at);
            if !candidates.is_empty() || is_due {
                let until = context.current() + settings.build_budget;
                let mut candidates = candidates
                    .into_iter()
                    .take_while(|_| context.current() <= until);
                let time = self.shared.now();
                let proposed = settings.builder.build(parent, time, &mut candidates);
                // Even what is refused ends the wait: the block that follows settles it.
                let block = EngineBlock::new(proposed.block);
                let rejected = proposed.rejected.into_iter().map(|(id, _)| id);
                self.shared.core().pool.suspect(rejected);
                self.keep(context, &block, proposed.executed);
                return block;
            }
            select! {
                changed = arrivals.changed() => {
                    if changed.is_err() {
                        return pending().await;
                    }
                },
                () = sleep_until(context, heartbeat) => {},
            }
        }
    }

    /// Waits until a block's time is no longer ahead of this validator's clock.
    async fn await_its_time<E: Clock>(
        &self,
        context: &E,
        parent: &Overlay,
        block: &EngineBlock,
    ) -> Result<(), Refusal> {
        let params = parent.params();
        let time = block.block().header.time;
        loop {
            let clock = self.shared.now();
            match timeliness(params, time, clock) {
                Timeliness::Timely => return Ok(()),
                Timeliness::Early(ms) => {
                    context
                        .sleep(Duration::from_millis(ms.clamp(1, 60_000)))
                        .await;
                }
                Timeliness::Late => {
                    return Err(Refusal::Backdated {
                        block: time,
                        clock,
                        max_ms: params.max_time_drift_ms,
                    });
                }
            }
        }
    }
}

impl<E: Clock + Spawner + Metrics> EngineApplication<E> for Application {
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = EngineBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (context, round): (E, Context),
        mut ancestry: impl Ancestry<EngineBlock>,
        (): (),
    ) -> Option<Digested<EngineBlock>> {
        let parent = ancestry.next().await?;
        let parent = self
            .overlay_after(&context, parent.inner(), &mut ancestry)
            .await;
        if parent.committee().epoch() != round.epoch().get() {
            // The epoch is over. That is known here now, and the parent is proposed again until it is final.
            self.shared.epochs.guess(&parent);
            return None;
        }
        let block = self.build(&context, &parent).await;
        let digest = block.digest();
        Some(Digested::precomputed(block, digest))
    }

    async fn verify(
        &mut self,
        (context, round): (E, Context),
        mut ancestry: impl Ancestry<EngineBlock>,
    ) -> bool {
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            return pending().await;
        };
        let block = block.inner().clone();
        let parent = self
            .overlay_after(&context, parent.inner(), &mut ancestry)
            .await;
        let epoch = round.epoch().get();
        let judged = match self.execute(&context, &parent, block.block(), epoch).await {
            Ok(executed) => {
                let timely = self.await_its_time(&context, &parent, &block).await;
                timely.map(|()| executed)
            }
            Err(refusal) => Err(refusal),
        };
        match judged {
            Ok(executed) => {
                self.keep(&context, &block, executed);
                true
            }
            Err(refusal) => {
                tracing::warn!(rule = refusal.rule(), %refusal, "block refused");
                let view = round.round.view().get();
                self.shared
                    .core()
                    .refuse(view, Arc::clone(block.block()), refusal);
                false
            }
        }
    }
}
