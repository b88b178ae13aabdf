//! The chain of an app that does not execute it: values of the state, asked for as they are needed, each proved under a
//! header that the committee certified.

use std::collections::BTreeMap;
use std::time::Duration;

use chartseal_api::{MAX_KEYS, StateAsk};
use chartseal_audit::TrustPolicy;
use chartseal_client::{
    ClientError, HeldValues, Histories, Light, LightError, NodeFault, PartialState, ProvedValues,
    ReadError, Reading, Remote,
};
use chartseal_ledger::state::Shared;
use chartseal_ledger::{Genesis, State};
use chartseal_merkle::MapKey;
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{BlockHeader, Committee, OrgId, TxId, VerifierKey};

use crate::error::Error;
use crate::remote::{LEVEL, last};
use crate::several::{GRACE, ask_in_turn};
use crate::trust::committee_policy;

/// What is known of the chain.
#[derive(Debug)]
pub(crate) struct Asked {
    believed: Believed,
    state: PartialState,
}

/// What is believed, and whom.
#[derive(Debug)]
struct Believed {
    light: Light,
    origin: String,
    /// The committee that is trusted, from the genesis on: it hands over to the next one.
    committee: Committee,
    /// The genesis' own, by which the next run of the app judges what it holds.
    founders: Committee,
    /// The keys that were asked for, each with the number of the last question for it: what the app looks at.
    keys: BTreeMap<MapKey, u64>,
    questions: u64,
    /// Under which key each node issues checkpoints, as it says: nothing rests on it.
    log_keys: BTreeMap<OrgId, VerifierKey>,
}

impl Asked {
    pub(crate) fn new(
        genesis: &Genesis,
        log_keys: BTreeMap<OrgId, VerifierKey>,
    ) -> Result<Self, Error> {
        let origin = origin(&genesis.chain_id());
        let committee = genesis.committee().clone();
        let light = Light::new(policy(&origin, &log_keys, &committee)?);
        Ok(Self {
            believed: Believed {
                light,
                origin,
                founders: committee.clone(),
                committee,
                log_keys,
                keys: BTreeMap::new(),
                questions: 0,
            },
            state: PartialState::default(),
        })
    }

    /// Goes on from what an earlier run of the app held. Gives the histories with it.
    pub(crate) fn take_held(&mut self, held: &HeldValues) -> Result<Histories, Error> {
        self.believed.remember(&held.keys);
        let (proved, histories) = held.judged(&mut self.believed.light)?;
        self.state.take(proved);
        self.follow_committee()?;
        Ok(histories)
    }

    /// What the newest block's state has of all that was asked for here, with its proofs; and the histories that are as it
    /// has them.
    pub(crate) fn held(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        histories: &Histories,
    ) -> Result<HeldValues, Error> {
        let held = self.believed.held(nodes, first, histories)?;
        self.state.take(held.values(&mut self.believed.light)?);
        self.follow_committee()?;
        Ok(held)
    }

    /// Under which keys nodes issue checkpoints, as they say.
    pub(crate) fn log_keys(&self) -> &BTreeMap<OrgId, VerifierKey> {
        &self.believed.log_keys
    }

    /// The height of the newest header that was seen.
    pub(crate) fn height(&self) -> u64 {
        self.believed.light.height()
    }

    /// Reads the state of the newest header that was seen, or of a newer one if nodes have to be asked.
    pub(crate) fn read<T>(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        read: impl Fn(State<'_>) -> T,
    ) -> Result<T, Error> {
        let Self { believed, state } = self;
        let seen = believed.light.height();
        if state.head().is_some_and(|head| head.height < seen) {
            *state = PartialState::default();
        }
        let found = state.read_with(read, |keys| {
            believed.values(nodes, first, keys, (seen, LEVEL), GRACE)
        });
        let found = found.map_err(|error| match error {
            ReadError::Fetch(error) => error,
            _ => Error::Endless,
        })?;
        self.follow_committee()?;
        Ok(found)
    }

    /// The header of whose state the last reading was.
    pub(crate) fn head(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
    ) -> Result<BlockHeader, Error> {
        self.read(nodes, first, |_| ())?;
        self.state.head().cloned().ok_or(Error::NobodyThere)
    }

    /// Waits so long for a block after the newest that was seen. Whether there is one.
    pub(crate) fn wait(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        wait: Duration,
    ) -> Result<bool, Error> {
        self.wait_for(nodes, first, &[Shared::key()], wait)
    }

    /// The same, with what a reading looked at: then the next one needs no question.
    fn wait_for(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        keys: &[MapKey],
        wait: Duration,
    ) -> Result<bool, Error> {
        let seen = self.height();
        let next = (seen.saturating_add(1), wait);
        let proved = self.believed.values(nodes, first, keys, next, wait + GRACE);
        let Some(proved) = none_if_behind(proved)? else {
            return Ok(false);
        };
        self.state.take(proved);
        self.follow_committee()?;
        Ok(self.height() > seen)
    }

    /// Whether something holds; if not, waits so long for a block after which it may.
    pub(crate) fn holds_or_wait(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        holds: impl Fn(State<'_>) -> bool,
        wait: Duration,
    ) -> Result<bool, Error> {
        if self.read(nodes, first, &holds)? {
            return Ok(true);
        }
        let Reading { keys, .. } = self.state.read(&holds);
        self.wait_for(nodes, first, &keys, wait)?;
        Ok(false)
    }

    /// Whether a node proves that a transaction is final.
    pub(crate) fn is_final(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        id: &TxId,
    ) -> Result<bool, Error> {
        let id = *id;
        let ask = move |node: &Remote| node.transaction_proof(&id);
        let is_final = self.believed.ask(nodes, first, GRACE, ask, |light, found| {
            let found = found.map(|found| light.judge_transaction(&id, found));
            Ok(found.transpose()?.is_some())
        });
        Ok(none_if_behind(is_final)? == Some(true))
    }

    /// Trusts the committee in office from now on, as the one before did.
    fn follow_committee(&mut self) -> Result<(), Error> {
        let trusted = self.believed.committee.epoch();
        let Reading { answer, .. } = self.state.read(|state| {
            let now = state.committee();
            (now.epoch() > trusted).then(|| now.clone())
        });
        let Some(committee) = answer.flatten() else {
            return Ok(());
        };
        self.believed.committee = committee;
        self.believed.trust()
    }
}

impl Believed {
    /// Asks nodes for what is under keys after a block that is not before this height, for which they wait so long.
    fn values(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        keys: &[MapKey],
        (height, wait): (u64, Duration),
        within: Duration,
    ) -> Result<ProvedValues, Error> {
        self.remember(keys);
        let ask = StateAsk {
            keys: keys.to_vec(),
        };
        let ask = move |node: &Remote| node.state_proof(&ask, height, wait);
        self.ask(nodes, first, within, ask, |light, answer| {
            light.judge_values(keys, answer)
        })
    }

    /// Remembers what is asked for: as much as one question may ask for, those last that were asked for last.
    fn remember(&mut self, keys: &[MapKey]) {
        self.questions += 1;
        self.keys
            .extend(keys.iter().map(|key| (*key, self.questions)));
        while self.keys.len() > MAX_KEYS {
            let oldest = self.keys.values().min().copied();
            self.keys.retain(|_, question| Some(*question) != oldest);
        }
    }

    /// What is under all keys that are remembered, after the newest block, as whoever knows the genesis alone believes it.
    fn held(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        histories: &Histories,
    ) -> Result<HeldValues, Error> {
        let keys: Vec<MapKey> = self.keys.keys().copied().collect();
        let ask = StateAsk { keys: keys.clone() };
        let height = self.light.height();
        let ask = move |node: &Remote| node.state_proof(&ask, height, LEVEL);
        let founders = Light::new(policy(&self.origin, &self.log_keys, &self.founders)?);
        self.ask(nodes, first, LEVEL, ask, |light, proof| {
            let held = HeldValues::new(keys.clone(), proof);
            held.values(&mut founders.clone())?;
            let proved = held.values(light)?;
            Ok(held.with(histories, &proved))
        })
    }

    /// The first answer that is proved, of nodes in turn: the next one once a node fails, takes longer than `within`, or
    /// proves nothing.
    fn ask<A: Send + 'static, T>(
        &mut self,
        nodes: &[Remote],
        first: &mut usize,
        within: Duration,
        ask: impl Fn(&Remote) -> Result<A, ClientError> + Clone + Send + Sync + 'static,
        judge: impl Fn(&mut Light, A) -> Result<T, LightError>,
    ) -> Result<T, Error> {
        let mut failed = None;
        for _ in 0..nodes.len() {
            let known: Vec<OrgId> = self.log_keys.keys().copied().collect();
            let ask = ask.clone();
            let asked = ask_in_turn(nodes, *first % nodes.len(), within, move |node| {
                // Of a node that was down before it is not known how it signs.
                let log_key = if known.contains(&node.org()) {
                    None
                } else {
                    Some(node.log_key()?)
                };
                Ok((node.org(), log_key, ask(node)?))
            });
            let (place, (org, log_key, answer)) = asked.map_err(|mut why| match failed.take() {
                None => last(why),
                Some(failed) => why.pop().map_or(failed, LightError::Client).into(),
            })?;
            if let Some(log_key) = log_key {
                self.learn(org, &log_key)?;
            }
            *first = place;
            match judge(&mut self.light, answer) {
                Ok(found) => return Ok(found),
                Err(error) => {
                    failed = Some(error);
                    *first = place + 1;
                }
            }
        }
        Err(failed.map_or(Error::NobodyThere, Error::from))
    }

    /// Takes a node's word for how it signs, if it is a log's key of this chain.
    fn learn(&mut self, org: OrgId, log_key: &str) -> Result<(), Error> {
        if let Some(key) = log_key_of(&self.origin, log_key) {
            self.log_keys.insert(org, key);
            self.trust()?;
        }
        Ok(())
    }

    /// Judges by the committee and the keys that are known now.
    fn trust(&mut self) -> Result<(), Error> {
        let height = self.light.height();
        let policy = policy(&self.origin, &self.log_keys, &self.committee)?;
        self.light = Light::new(policy);
        self.light.seen(height);
        Ok(())
    }
}

/// Nothing, if those that answer are not as far as what was seen: they may come to it.
fn none_if_behind<T>(told: Result<T, Error>) -> Result<Option<T>, Error> {
    match told {
        Err(Error::Light(why)) if why.fault() == NodeFault::Behind => Ok(None),
        told => told.map(Some),
    }
}

fn policy(
    origin: &str,
    log_keys: &BTreeMap<OrgId, VerifierKey>,
    committee: &Committee,
) -> Result<TrustPolicy, Error> {
    let text = committee_policy(origin, log_keys.values(), committee);
    TrustPolicy::parse(&text).map_err(|_| Error::Malformed("a trust policy"))
}

/// The verifier key under which a node issues checkpoints of a log; `None` if what it says is none.
pub(crate) fn log_key_of(origin: &str, text: &str) -> Option<VerifierKey> {
    let key = VerifierKey::parse(text.trim_end()).ok()?;
    (key.name() == origin && !key.kind().is_cosigner()).then_some(key)
}
