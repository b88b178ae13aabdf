//! The engine and the executable model agree on generated states, and the states reach everything.
//!
//! It tries 5,000 states with five requests each, or with `CHARTSEAL_LONG=1` a million.
//! `CHARTSEAL_MODEL_STATES` sets another number, `CHARTSEAL_MODEL_SEED` from which number they grow.
#![cfg(feature = "json")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod model;
mod states;

use std::cell::RefCell;
use std::collections::BTreeMap;

use chartseal_policy::{Code, Decision, MemoryWorld, Request, Time, decide, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// How often something was reached.
type Coverage = BTreeMap<String, u64>;

#[derive(Clone, Debug)]
struct State {
    world: Value,
    directives: Vec<Value>,
    requests: Vec<Value>,
}

impl State {
    fn any() -> impl Strategy<Value = Self> {
        let request = (states::request(), any::<bool>()).prop_map(|(request, own)| {
            if own {
                states::plausible(request)
            } else {
                request
            }
        });
        (states::world(), states::directives(), vec(request, 5)).prop_map(
            |(world, directives, requests)| Self {
                world,
                directives,
                requests,
            },
        )
    }

    /// The world with its directives, and the requests.
    fn read(&self) -> (MemoryWorld, Vec<Request>) {
        let cases = self.requests.iter().enumerate().map(|(n, request)| {
            let directives: &[Value] = if n == 0 { &self.directives } else { &[] };
            json!({"n": n, "directives": directives, "overrides": {}, "request": request})
        });
        let document = json!({"world": self.world, "cases": cases.collect::<Vec<_>>()});
        let cases = json::read(document.to_string().as_bytes()).unwrap();
        let requests = cases.iter().map(|case| case.request.clone()).collect();
        (cases[0].world.clone(), requests)
    }

    fn model(&self, request: &Value) -> model::Answer {
        model::Model {
            world: &self.world,
            directives: &self.directives,
            request,
        }
        .decide()
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

fn note(coverage: &mut Coverage, what: impl Into<String>) {
    *coverage.entry(what.into()).or_default() += 1;
}

fn compare(state: &State, coverage: &RefCell<Coverage>) -> Result<(), TestCaseError> {
    let coverage = &mut *coverage.borrow_mut();
    for directive in &state.directives {
        note(
            coverage,
            format!("kind {}", directive["kind"].as_str().unwrap()),
        );
    }
    let (world, requests) = state.read();
    for (asked, request) in requests.iter().zip(&state.requests) {
        let decision = decide(&world, asked);
        let answer = state.model(request);
        prop_assert_eq!(said(&decision), meant(&answer), "{:#}", request);
        note(coverage, format!("code {}", answer.code));
        note(coverage, format!("chain {}", answer.chain));
        for finding in &decision.explanation {
            let status = format!("{:?}", finding.status);
            let name = status.split([' ', '{']).next().unwrap();
            note(coverage, format!("status {name}"));
        }

        // Until `valid_until` the answer stays: the model is asked at round times before it, all of
        // them in a long run, and at its last instant.
        let now = asked.time.0;
        let until = decision.valid_until.map_or(4_100, |until| until.0);
        let step = if states::is_long() { 100 } else { 500 };
        for t in (now..until).step_by(step).skip(1).chain([until - 1]) {
            let later = states::merge(request.clone(), &json!({"t": t}));
            prop_assert_eq!(
                meant(&state.model(&later)),
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
            let changed = said(&decide(&world, &then)) != said(&decision);
            note(
                coverage,
                if changed {
                    "until, changes"
                } else {
                    "until, stays"
                },
            );
        }
    }
    Ok(())
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn the_engine_and_the_model_agree_and_everything_is_reached() {
    let seed = [number("CHARTSEAL_MODEL_SEED").unwrap_or(1).to_le_bytes(); 8].concat();
    let mut config = states::config(5_000, 1_000_000);
    config.cases = number("CHARTSEAL_MODEL_STATES").unwrap_or(config.cases);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let coverage = RefCell::new(Coverage::new());
    TestRunner::new_with_rng(config, rng)
        .run(&State::any(), |state| compare(&state, &coverage))
        .unwrap_or_else(|failure| panic!("{failure}"));

    let coverage = coverage.into_inner();
    for (what, count) in &coverage {
        println!("{count:>8}  {what}");
    }
    let codes = Code::ALL.iter().map(|code| format!("code {code}"));
    let kinds =
        ["grant", "restrict", "revoke", "approve", "emergency"].map(|k| format!("kind {k}"));
    let chains = ["chain 1", "chain 2", "chain 3"].map(String::from);
    let statuses = STATUSES.map(|status| format!("status {status}"));
    for what in codes.chain(kinds).chain(chains).chain(statuses) {
        let count = coverage.get(&what).copied().unwrap_or(0);
        assert!(count >= 5, "{what} was reached {count} times only");
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
