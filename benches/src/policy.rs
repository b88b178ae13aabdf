//! The policy engine: against itself in a larger network, with more directives, and while it changes.

use std::error::Error;
use std::fs;

use chartseal_codec::to_bytes;
use chartseal_policy::{Directive, MemoryWorld, PolicyState, Request, decide};

use crate::{Figure, Required, in_turns, median, time};

use self::workload::{Size, directives, network, of_patient, requests, world};

#[path = "policy/workload.rs"]
pub mod workload;

/// The names of what [`growth`] measures.
pub const GROWTH: [&str; 2] = ["policy/decide-million", "policy/memory"];
/// The name of [`own`].
pub const OWN: &str = "policy/decide-own-1000";
/// The names of what [`changes`] measures.
pub const CHANGES: [&str; 2] = ["policy/apply", "policy/apply-after-snapshot"];

const REQUESTS: usize = 2_000;
const CHANGED: u64 = 200;

/// The same requests in a network of 10,000 grants and in one of a million; and what those take in
/// memory.
///
/// # Errors
/// If the network can't be made, or the system doesn't tell how much memory is in use.
pub fn growth() -> Result<Vec<Figure>, Box<dyn Error>> {
    const MILLION: Size = Size {
        patients: 100_000,
        ..Size::USUAL
    };
    // The same people and records; in one of them the others have said nothing.
    let mut large = network(MILLION)?;
    let mut small = large.clone();
    small.policy = world(Size::USUAL)?.policy;
    let before = resident()?;
    // As a node meets them: block by block, each patient now and then.
    for patient in 0..MILLION.patients {
        for directive in of_patient(MILLION, patient)? {
            large.apply(directive)?;
        }
    }
    let taken = resident()?.saturating_sub(before);
    let grants = number(large.policy.len());
    let encoded = to_bytes(&large.policy).len();

    let asked = requests(&small, Size::USUAL.patients, REQUESTS, 1)?;
    for request in &asked {
        if decide(&small, request) != decide(&large, request) {
            return Err("another patient's grants change an answer".into());
        }
    }
    let (ours, theirs) = in_turns(
        u32::try_from(asked.len())?,
        || ask(&large, &asked),
        || ask(&small, &asked),
    );
    Ok(vec![
        Figure {
            id: GROWTH[0],
            ours,
            theirs,
            other: "the same among 10,000 grants",
            unit: "ns/decision",
            required: Some(Required::Within(1.5)),
        },
        Figure {
            id: GROWTH[1],
            ours: number(taken) / grants,
            theirs: number(encoded) / grants,
            other: "its canonical bytes",
            unit: "bytes/grant",
            required: None,
        },
    ])
}

/// A decision about a patient with 1,000 grants against one with ten, for each grant.
///
/// # Errors
/// If the network can't be made.
pub fn own() -> Result<Figure, Box<dyn Error>> {
    let large = Size {
        patients: 10,
        grants_each: 1_000,
        ..Size::USUAL
    };
    let (many, few) = (world(large)?, world(Size::USUAL)?);
    let ask_many = requests(&many, large.patients, 100, 1)?;
    let ask_few = requests(&few, Size::USUAL.patients, REQUESTS, 1)?;
    let (ours, theirs) = in_turns(1, || ask(&many, &ask_many), || ask(&few, &ask_few));
    Ok(Figure {
        id: OWN,
        ours: ours / number(ask_many.len()) / 1_000.0,
        theirs: theirs / number(ask_few.len()) / 10.0,
        other: "the same with ten",
        unit: "ns/own grant",
        required: Some(Required::Within(1.0)),
    })
}

/// A change against a decision: in a state that nobody else holds, and with a snapshot before each.
///
/// # Errors
/// If the network can't be made.
pub fn changes() -> Result<Vec<Figure>, Box<dyn Error>> {
    const ROUNDS: usize = 31;
    let world = world(Size::USUAL)?;
    let asked = requests(&world, Size::USUAL.patients, REQUESTS, 1)?;
    let new = new_directives()?;
    let held = directives(Size::USUAL)?;
    let (mut plain, mut kept, mut asking) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (mut state, added) = (state(&held)?, new.clone());
        plain.push(time(|| apply(&mut state, added, |_| ())));
        let (mut state, added) = (self::state(&held)?, new.clone());
        let mut snapshots = Vec::with_capacity(new.len());
        kept.push(time(|| {
            apply(&mut state, added, |state| snapshots.push(state.clone()))
        }));
        drop(snapshots);
        asking.push(time(|| ask(&world, &asked)));
    }
    let decision = median(asking) / number(asked.len());
    let figure = |id, times| Figure {
        id,
        ours: median(times) / number(new.len()),
        theirs: decision,
        other: "a decision",
        unit: "ns/change",
        required: Some(Required::Within(5.0)),
    };
    Ok(vec![figure(CHANGES[0], plain), figure(CHANGES[1], kept)])
}

/// One more grant for each of the patients, in no order of theirs.
fn new_directives() -> Result<Vec<Directive>, Box<dyn Error>> {
    let longer = Size {
        grants_each: Size::USUAL.grants_each + 1,
        ..Size::USUAL
    };
    let mut new = Vec::new();
    for n in 0..CHANGED {
        let patient = n * 617 % Size::USUAL.patients;
        new.extend(of_patient(longer, patient)?.pop());
    }
    Ok(new)
}

fn state(directives: &[Directive]) -> Result<PolicyState, Box<dyn Error>> {
    let mut state = PolicyState::new();
    for directive in directives {
        state.apply(directive.clone())?;
    }
    Ok(state)
}

/// How many were applied.
fn apply(
    state: &mut PolicyState,
    directives: Vec<Directive>,
    mut before: impl FnMut(&PolicyState),
) -> usize {
    let mut applied = 0;
    for directive in directives {
        before(state);
        applied += usize::from(state.apply(directive).is_ok());
    }
    applied
}

/// How many of the requests are permitted.
fn ask(world: &MemoryWorld, requests: &[Request]) -> usize {
    let decisions = requests.iter().map(|request| decide(world, request));
    decisions.map(|one| one.obligations.len().min(1)).sum()
}

/// The bytes of memory that this process holds.
pub(crate) fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    let kib: usize = kib.ok_or("/proc/self/status has no VmRSS")?.parse()?;
    Ok(kib * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "a size")]
fn number(n: usize) -> f64 {
    n as f64
}
