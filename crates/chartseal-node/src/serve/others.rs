//! What a node asks other organizations' services: the time, before it starts, and custodians' KEM keys that it lacks.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_client::Remote;
use chartseal_envelope::KemPublicKey;
use chartseal_ledger::Genesis;
use chartseal_wire::Time;

use super::ServeError;
use super::config::{Config, ConfigError, Service};
use super::keeper::NodeKeeper;
use crate::clock::Clock;
use crate::error::NodeError;

/// How long another node may take to answer, before this one starts and while it runs.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before it is looked again whether a key is missing.
const AGAIN: Duration = Duration::from_secs(2);

/// The other organizations' services that the configuration names.
#[derive(Clone, Debug)]
pub(super) struct Others(Arc<Mutex<Vec<Remote>>>);

impl Others {
    pub(super) fn of(config: &Config) -> Result<Self, ServeError> {
        Ok(Self(Arc::new(Mutex::new(Self::remotes(config)?))))
    }

    pub(super) fn remotes(config: &Config) -> Result<Vec<Remote>, ServeError> {
        let asking = config.asking(PATIENCE)?;
        let others = config.services.iter();
        let others = others.filter(|it| it.organization != config.organization);
        let remote = |it: &Service| Remote::new(it.organization, &it.url, &asking);
        Ok(others.map(remote).collect::<Result<_, _>>()?)
    }

    /// Asks these from now on.
    pub(super) fn replace(&self, others: Vec<Remote>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = others;
    }

    /// Whether the configuration names none.
    pub(super) fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Remote> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What they say that the time is, those that answer.
    pub(super) fn told(&self, clock: &Clock) -> Vec<Told> {
        let others = self.all();
        thread::scope(|scope| {
            let asked: Vec<_> = others
                .iter()
                .map(|node| scope.spawn(|| Told::by(node, clock)))
                .collect();
            let told = asked.into_iter().filter_map(|it| it.join().ok().flatten());
            told.collect()
        })
    }

    /// Whether the clock can be right, as far as others tell: more of them than may lie would have to say that it is
    /// ahead, or that it is behind, by more than the network allows. Nobody answers while a whole network starts.
    pub(super) fn check_clock(&self, clock: &Clock, genesis: &Genesis) -> Result<(), ConfigError> {
        let drift = genesis.params().max_time_drift_ms;
        let committee = genesis.committee();
        let liars = committee.n().saturating_sub(committee.quorum());
        let told = self.told(clock);
        for (side, off) in [
            ("after", Told::ahead as fn(&Told) -> u64),
            ("before", Told::behind),
        ] {
            let mut off: Vec<u64> = told.iter().map(off).filter(|ms| *ms > drift).collect();
            off.sort_unstable();
            // The one that says least is honest, or some who say more are.
            if let Some(ms) = off.first().filter(|_| off.len() as u64 > liars) {
                return Err(ConfigError::Clock {
                    clock: clock.now(),
                    ms: *ms,
                    side,
                    what: "the clocks of other organizations' nodes",
                });
            }
        }
        Ok(())
    }

    /// Keeps looking for custodians' KEM keys that are not here, so that a record can be sealed to a custodian that is
    /// down. Whoever gives one: its id is on the chain.
    pub(super) async fn fetch_keys(self, keeper: NodeKeeper) {
        // Keys that are here: they stay, and are not read again.
        let mut here = BTreeSet::new();
        loop {
            let (others, node) = (self.clone(), keeper.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let looked = others.look_for_keys(&node, &mut here);
                (here, looked)
            });
            let Ok((known, looked)) = looked.await else {
                return;
            };
            here = known;
            if let Err(error) = looked {
                tracing::warn!(%error, "custodians' keys can't be kept");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn look_for_keys(
        &self,
        keeper: &NodeKeeper,
        here: &mut BTreeSet<[u8; 32]>,
    ) -> Result<(), NodeError> {
        for id in missing(keeper, here)? {
            if let Some(key) = self.key(&id) {
                keeper.node().put_kem_key(&key)?;
            }
        }
        Ok(())
    }

    fn key(&self, id: &[u8; 32]) -> Option<KemPublicKey> {
        let others = self.all();
        others
            .iter()
            .find_map(|node| node.kem_key(id).ok().flatten())
    }
}

/// The ids of the committee's KEM keys that the node has not; those that it has are noted.
fn missing(keeper: &NodeKeeper, here: &mut BTreeSet<[u8; 32]>) -> Result<Vec<[u8; 32]>, NodeError> {
    let node = keeper.node();
    let state = node.state();
    let members = state.committee().members().iter();
    let ids = members.filter_map(|member| Some(state.org(&member.org)?.custodian_kem));
    let mut missing = Vec::new();
    for id in ids.filter(|id| !here.contains(id)).collect::<Vec<_>>() {
        if node.kem_key(&id)?.is_some() {
            here.insert(id);
        } else {
            missing.push(id);
        }
    }
    Ok(missing)
}

/// What another node says that the time is, and between which times of ours it said so.
pub(super) struct Told {
    theirs: Time,
    before: Time,
    after: Time,
}

impl Told {
    fn by(node: &Remote, clock: &Clock) -> Option<Self> {
        let (before, begun) = (clock.now(), Instant::now());
        let theirs = node.time().ok()?;
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let after = Time(before.0.saturating_add(took));
        Some(Self {
            theirs,
            before,
            after,
        })
    }

    /// By how much our clock is off at least, in ms.
    pub(super) fn off(&self) -> u64 {
        self.ahead().max(self.behind())
    }

    /// By how much our clock is ahead at least, in ms.
    fn ahead(&self) -> u64 {
        self.before.0.saturating_sub(self.theirs.0)
    }

    /// By how much it is behind at least.
    fn behind(&self) -> u64 {
        self.theirs.0.saturating_sub(self.after.0)
    }
}
