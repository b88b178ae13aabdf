//! Histories: a world in which directives are made one after another. After each of them it is
//! another state, so that one history tries many.

use chartseal_policy::{Directive, MemoryWorld, Request, Symbol, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::states;

#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) world: Value,
    pub(crate) directives: Vec<Value>,
    pub(crate) requests: Vec<Value>,
}

/// A history as the engine reads it.
pub(crate) struct Read {
    /// Before the first directive.
    pub(crate) world: MemoryWorld,
    /// `None` for one that speaks of a directive that is never made: it has no patient.
    pub(crate) directives: Vec<Option<Directive>>,
    pub(crate) requests: Vec<Request>,
}

impl History {
    /// Any, with so many requests: some like any, some plausible, some about a directive.
    pub(crate) fn any(requests: usize) -> impl Strategy<Value = Self> {
        let request = (states::request(), 0..3, any::<prop::sample::Index>());
        let parts = (
            states::world(),
            states::directives(),
            vec(request, requests),
        );
        parts.prop_map(|(world, directives, requests)| {
            let aim = |(request, how, which): (Value, i32, prop::sample::Index)| match how {
                0 => request,
                1 => states::plausible(request),
                _ if directives.is_empty() => request,
                _ => about(request, which.get(&directives)),
            };
            Self {
                requests: requests.into_iter().map(aim).collect(),
                world,
                directives,
            }
        })
    }

    pub(crate) fn read(&self) -> Read {
        let cases = self.requests.iter().enumerate().map(|(n, request)| {
            let directives: &[Value] = if n == 0 { &self.directives } else { &[] };
            json!({"n": n, "directives": directives, "request": request})
        });
        let document = json!({"world": self.world, "cases": cases.collect::<Vec<_>>()});
        let mut cases = json::read(document.to_string().as_bytes()).unwrap();
        let requests = cases.iter().map(|case| case.request.clone()).collect();
        let mut world = cases.swap_remove(0).world;
        let all = std::mem::take(&mut world.policy);
        let directives = self.directives.iter().map(|written| {
            let id: Symbol = written["id"].as_str().unwrap().parse().unwrap();
            all.patients()
                .find_map(|patient| all.directive(patient, &id).cloned())
        });
        Read {
            directives: directives.collect(),
            world,
            requests,
        }
    }
}

/// A request that comes after a directive, and that it speaks of as far as its lists go.
fn about(mut request: Value, directive: &Value) -> Value {
    let actor = match directive["to"][0].as_str() {
        Some("any:*" | "org:H1" | "role:physician" | "orgrole:H1/physician") => "dr1",
        Some("orgrole:H1/nurse") => "nurse",
        Some(named) => named.strip_prefix("actor:").unwrap(),
        None => directive["actor"].as_str().unwrap_or("er"),
    };
    let purpose = directive["purposes"][0].as_str().unwrap_or("BTG");
    request["actor"] = json!(actor);
    request["purpose"] = json!(purpose);
    request["patient"] = json!("P");
    request["action"] = json!(directive["actions"][0].as_str().unwrap_or("read"));
    if directive["records"][0].is_string() {
        request["record"] = directive["records"][0].clone();
    }
    request["pos"] = json!([50, 0]);
    request
}

/// How many histories somebody asks for by `CHARTSEAL_MODEL_HISTORIES`.
pub(crate) fn asked() -> Option<u32> {
    number("CHARTSEAL_MODEL_HISTORIES")
}

/// What tries so many cases, always the same; `CHARTSEAL_MODEL_SEED` asks for others.
pub(crate) fn runner(cases: u32, shard: u32) -> TestRunner {
    let seed = number("CHARTSEAL_MODEL_SEED").unwrap_or(1);
    let seed = [seed, shard].map(u32::to_le_bytes).concat().repeat(4);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(states::config(cases, cases), rng)
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}
