//! Chartseal's policy engine beside Cedar and regorus, in one run and in turns: the same grants, the same
//! requests, the same answers. Prints each figure as one line of JSON: all, or the one that is named.

mod cedar;
#[path = "../../src/figure.rs"]
#[allow(dead_code, reason = "shared with the other figures")]
mod figure;
mod rego;
#[path = "../../src/policy/workload.rs"]
#[allow(dead_code, reason = "shared with the other figures")]
mod workload;

use anyhow::{Result, ensure};
use chartseal_policy::{Code, Decision, MemoryWorld, Request, decide};

use crate::figure::{Figure, Required, in_turns};
use crate::workload::{Size, requests, world};

const CEDAR: &str = "peers/policy-cedar";
const CEDAR_ONE_SET: &str = "peers/policy-cedar-one-set";
const CEDAR_ANSWERS: &str = "peers/policy-cedar-answers";
const REGORUS: &str = "peers/policy-regorus";

const REQUESTS: usize = 2_000;
/// What the others are asked in a round: so much that a round takes about as long as ours, and a busy
/// machine meets both alike.
const ASKED_IN_A_ROUND: usize = 100;
/// Of one set of 10,000 policies, which takes Cedar milliseconds a request.
const ASKED_OF_ONE_SET: usize = 1;

type Measure = (&'static str, fn() -> Result<Figure>);

const MEASURES: [Measure; 4] = [
    (CEDAR_ANSWERS, cedar_answers),
    (CEDAR, || {
        cedar(CEDAR, cedar::Sets::OfPatients, REQUESTS, ASKED_IN_A_ROUND)
    }),
    (CEDAR_ONE_SET, || {
        cedar(CEDAR_ONE_SET, cedar::Sets::One, 31, ASKED_OF_ONE_SET)
    }),
    (REGORUS, regorus),
];

fn main() -> Result<()> {
    let only = std::env::args().nth(1);
    for (id, measure) in MEASURES {
        if only.as_deref().is_none_or(|only| only == id) {
            println!("{}", measure()?.entry());
        }
    }
    Ok(())
}

/// What an engine says of a request: the ids of the directives that it rests on, sorted, or that
/// nothing permits it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    permits: bool,
    by: Vec<String>,
}

impl Answer {
    fn of(permits: bool, by: impl IntoIterator<Item = String>) -> Self {
        let mut by: Vec<String> = by.into_iter().collect();
        by.sort();
        Self { permits, by }
    }
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        let by = decision.by.iter().map(ToString::to_string);
        Self::of(decision.code == Code::Granted, by)
    }
}

fn cedar(id: &'static str, sets: cedar::Sets, count: usize, in_a_round: usize) -> Result<Figure> {
    let (world, asked) = usual(count)?;
    let cedar = cedar::Engine::of(&world, sets)?;
    let theirs = asked.iter().map(|one| cedar.request(one));
    let theirs = theirs.collect::<Result<Vec<_>>>()?;
    for (request, translated) in asked.iter().zip(&theirs) {
        is_same(&world, request, &cedar.answer(translated)?)?;
    }
    let mut theirs = theirs.chunks_exact(in_a_round).cycle();
    let theirs = || {
        let some = theirs.next().unwrap_or_default();
        some.iter().filter(|one| cedar.permits(one)).count()
    };
    let (ours, theirs) = in_turns(1, || ask(&world, &asked), theirs);
    Ok(Figure {
        id,
        ours: ours / count as f64,
        theirs: theirs / in_a_round as f64,
        other: "Cedar 4.14",
        unit: "ns/decision",
        required: Some(Required::Faster(15.0)),
    })
}

fn regorus() -> Result<Figure> {
    let (world, asked) = usual(REQUESTS)?;
    let mut regorus = rego::Engine::of(&world)?;
    let inputs: Vec<_> = asked.iter().map(rego::input).collect();
    for (request, input) in asked.iter().zip(&inputs) {
        is_same(&world, request, &regorus.answer(input)?)?;
    }
    let mut theirs = inputs.chunks_exact(ASKED_IN_A_ROUND).cycle();
    let theirs = || {
        let some = theirs.next().unwrap_or_default();
        some.iter().filter(|one| regorus.permits(one)).count()
    };
    let (ours, theirs) = in_turns(1, || ask(&world, &asked), theirs);
    Ok(Figure {
        id: REGORUS,
        ours: ours / REQUESTS as f64,
        theirs: theirs / ASKED_IN_A_ROUND as f64,
        other: "regorus 0.14's VM",
        unit: "ns/decision",
        required: Some(Required::Faster(5.0)),
    })
}

fn usual(count: usize) -> Result<(MemoryWorld, Vec<Request>)> {
    let world = world(Size::USUAL)?;
    let asked = requests(&world, Size::USUAL.patients, count, 1)?;
    Ok((world, asked))
}

/// How many are permitted, each with its explanation.
fn ask(world: &MemoryWorld, requests: &[Request]) -> usize {
    let decisions = requests.iter().map(|request| decide(world, request));
    decisions.filter(|one| one.code == Code::Granted).count()
}

fn is_same(world: &MemoryWorld, request: &Request, theirs: &Answer) -> Result<()> {
    let ours = Answer::from(decide(world, request));
    ensure!(ours == *theirs, "{request:?}: {ours:?} is not {theirs:?}");
    Ok(())
}

/// Grants and restrictions, each asked by both engines: not one answer may differ.
fn cedar_answers() -> Result<Figure> {
    const ASKED: usize = 100_000;
    let compared = cedar::compare(ASKED)?;
    eprintln!("{CEDAR_ANSWERS}: {compared}");
    Ok(Figure {
        id: CEDAR_ANSWERS,
        ours: f64::from(compared.differ),
        theirs: f64::from(compared.asked()),
        other: "the requests asked",
        unit: "differences",
        required: Some(Required::Within(0.0)),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn cedar_answers_as_we_do_wherever_it_can_say_what_we_say() {
        let compared = super::cedar::compare(100_000).unwrap();
        println!("{compared}");
        assert_eq!(compared.differ, 0);
        for count in [compared.granted, compared.restricted, compared.no_grant] {
            assert!(count > 4_000, "{compared}");
        }
    }
}
