//! The engine and the executable model agree on generated states, and the states reach everything.
//!
//! It asks a million requests of 250,000 states, or with `CHARTSEAL_LONG` of more than a million
//! states. `CHARTSEAL_MODEL_HISTORIES` sets the number of histories in each of the 16 shards,
//! `CHARTSEAL_MODEL_SEED` from which number they grow.
#![cfg(feature = "json")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod histories;
mod model;
mod states;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use chartseal_policy::{Code, Decision, Request, Time, decide};
use proptest::prelude::*;
use serde_json::{Value, json};

use histories::History;

/// What was tried.
#[derive(Default)]
struct Tried {
    /// How often something was reached.
    reached: BTreeMap<String, u64>,
    /// A hash of each state.
    states: HashSet<u64>,
    requests: u64,
}

impl Tried {
    fn note(&mut self, what: impl Into<String>) {
        *self.reached.entry(what.into()).or_default() += 1;
    }

    fn join(&mut self, other: Self) {
        for (what, count) in other.reached {
            *self.reached.entry(what).or_default() += count;
        }
        self.states.extend(other.states);
        self.requests += other.requests;
    }
}

/// The answer without what the model does not have.
fn said(decision: &Decision) -> (String, String, Vec<String>, Vec<String>) {
    (
        decision.effect.to_string(),
        decision.code.to_string(),
        decision.by.iter().map(ToString::to_string).collect(),
        decision
            .obligations
            .iter()
            .map(ToString::to_string)
            .collect(),
    )
}

fn meant(answer: &model::Answer) -> (String, String, Vec<String>, Vec<String>) {
    (
        answer.effect.into(),
        answer.code.into(),
        answer.by.clone(),
        answer.obligations.clone(),
    )
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn compare(history: &History, tried: &mut Tried) -> Result<(), TestCaseError> {
    let read = history.read();
    let mut world = read.world;
    let mut state = hash(&history.world);
    for made in 0..=history.directives.len() {
        if let Some(last) = made.checked_sub(1) {
            let directive = &history.directives[last];
            if let Some(directive) = &read.directives[last] {
                world.apply(directive.clone()).unwrap();
            }
            // Addition: a state is the same in whatever order its directives came.
            state = state.wrapping_add(hash(directive));
            tried.note(format!("kind {}", directive["kind"].as_str().unwrap()));
        }
        tried.states.insert(state);
        for (asked, request) in read.requests.iter().zip(&history.requests) {
            let model = |request: &Value| {
                let model = model::Model {
                    world: &history.world,
                    directives: &history.directives[..made],
                    request,
                };
                model.decide()
            };
            let decision = decide(&world, asked);
            let answer = model(request);
            prop_assert_eq!(said(&decision), meant(&answer), "{:#}", request);
            tried.requests += 1;
            tried.note(format!("code {}", answer.code));
            tried.note(format!("chain {}", answer.chain));
            for finding in &decision.explanation {
                let status = format!("{:?}", finding.status);
                let name = status.split([' ', '{']).next().unwrap();
                tried.note(format!("status {name}"));
            }
            if made < history.directives.len() {
                continue;
            }

            // Until `valid_until` the answer stays: the model is asked at round times before it, all
            // of them in a long run, and at its last instant.
            let now = asked.time.0;
            let until = decision.valid_until.map_or(4_100, |until| until.0);
            let step = if states::is_long() { 100 } else { 500 };
            for t in (now..until).step_by(step).skip(1).chain([until - 1]) {
                let later = states::merge(request.clone(), &json!({"t": t}));
                prop_assert_eq!(
                    meant(&model(&later)),
                    meant(&answer),
                    "at {} before {}",
                    t,
                    until
                );
            }
            if until < 4_100 {
                let then = Request {
                    time: Time(until),
                    ..asked.clone()
                };
                let changes = said(&decide(&world, &then)) != said(&decision);
                tried.note(if changes {
                    "until, changes"
                } else {
                    "until, stays"
                });
            }
        }
    }
    Ok(())
}

/// Each shard tries the same on every machine, whatever number of threads shares them.
const SHARDS: u32 = 16;

#[test]
fn the_engine_and_the_model_agree_and_everything_is_reached() {
    let ordinary = if states::is_long() { 12_000 } else { 2_000 };
    let histories = histories::asked().unwrap_or(ordinary);
    let all = Mutex::new(Tried::default());
    let next = AtomicU32::new(0);
    let work = || {
        loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            if shard >= SHARDS {
                break;
            }
            let tried = RefCell::new(Tried::default());
            histories::runner(histories, shard)
                .run(&History::any(5), |history| {
                    compare(&history, &mut tried.borrow_mut())
                })
                .unwrap_or_else(|failure| panic!("{failure}"));
            all.lock().unwrap().join(tried.into_inner());
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });

    let tried = all.into_inner().unwrap();
    println!("{:>9}  requests", tried.requests);
    println!("{:>9}  states", tried.states.len());
    for (what, count) in &tried.reached {
        println!("{count:>9}  {what}");
    }
    if histories >= ordinary {
        assert!(tried.requests >= 1_000_000, "{} requests", tried.requests);
        let least = if states::is_long() {
            1_000_000
        } else {
            200_000
        };
        assert!(tried.states.len() >= least, "{} states", tried.states.len());
    }
    let codes = Code::ALL.iter().map(|code| format!("code {code}"));
    let kinds =
        ["grant", "restrict", "revoke", "approve", "emergency"].map(|k| format!("kind {k}"));
    let chains = ["chain 1", "chain 2", "chain 3"].map(String::from);
    let statuses = STATUSES.map(|status| format!("status {status}"));
    for what in codes.chain(kinds).chain(chains).chain(statuses) {
        let count = tried.reached.get(&what).copied().unwrap_or(0);
        assert!(
            count >= tried.requests / 20_000,
            "{what} was reached {count} times only"
        );
    }
}

const STATUSES: [&str; 32] = [
    "Permits",
    "Denies",
    "Lifted",
    "Declares",
    "NoAnswer",
    "Later",
    "NoGrantee",
    "NoPurpose",
    "OtherActor",
    "OtherPurpose",
    "OtherAction",
    "OtherRecord",
    "OtherEncounter",
    "OtherAuthor",
    "OtherPeriod",
    "OtherClass",
    "OtherConfidentiality",
    "OtherTags",
    "Expired",
    "NotYet",
    "Revoked",
    "Superseded",
    "NoAuthority",
    "Approvals",
    "NoParent",
    "NotDelegable",
    "WiderThanParent",
    "AncestorInactive",
    "DelegatorStanding",
    "OtherDeclarer",
    "NoReason",
    "Closed",
];
