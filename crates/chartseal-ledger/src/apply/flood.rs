//! Denied attempts that are too many to be listed one by one: counted exactly, never dropped.

use chartseal_wire::history::Flood;
use chartseal_wire::{Entry, Event, PatientId, Subject, Time};

use super::context::Context;
use crate::scratch::Scratch;
use crate::state::{Counted, Denials, NOBODY, OpenFlood, OrgDenials, Shared, State, table};

/// The most counts that are open at a time. One more has the oldest entered before its window is over.
const MAX_OPEN: usize = 1_024;

/// Takes note that an attempt was denied for which an organization answers: whether it is over its quota.
pub(super) fn is_over_quota(cx: &mut Context<'_, '_>) -> bool {
    let key = table::org_denials(&cx.answerable());
    let mut denials: OrgDenials = cx.state().read(&key).unwrap_or_default();
    let until = window_end(cx.now(), cx.shared);
    if denials.until != until {
        denials = OrgDenials { until, count: 0 };
    }
    denials.count = denials.count.saturating_add(1);
    cx.scratch.put(key, &denials);
    denials.count > cx.shared.params.max_listed_denials_per_org
}

/// Takes note of a denied attempt that named a patient, or asked for their records under another
/// name: whether it is listed, or counted.
pub(super) fn is_listed(
    cx: &mut Context<'_, '_>,
    patient: PatientId,
    foreign_claim: bool,
    over_quota: bool,
) -> bool {
    // However many ids an actor invents, what is counted of them is one count.
    let is_somebody = cx.state().patient(&cx.state().owner(&patient)).is_some();
    let patient = if is_somebody { patient } else { NOBODY };
    let key = table::denials(&cx.actor, &patient, foreign_claim);
    let mut denials: Denials = cx.state().read(&key).unwrap_or_default();
    let until = window_end(cx.now(), cx.shared);
    if denials.until != until {
        denials = Denials {
            until,
            ..Denials::default()
        };
    }
    let max = cx.shared.params.max_listed_denials;
    let has_room = !over_quota && denials.listed < max;
    let is_listed = match &mut denials.counted {
        None if has_room || !can_open(cx) => {
            denials.listed = denials.listed.saturating_add(1);
            true
        }
        Some(counted) => {
            counted.log.append(Flood::leaf(&cx.tx));
            counted.last = cx.tx;
            false
        }
        None => {
            let mut log = chartseal_merkle::Frontier::new();
            log.append(Flood::leaf(&cx.tx));
            denials.counted = Some(Counted { log, last: cx.tx });
            open(
                cx,
                OpenFlood {
                    until,
                    actor: cx.actor,
                    org: cx.org,
                    patient,
                    foreign_claim,
                },
            );
            false
        }
    };
    cx.scratch.put(key, &denials);
    is_listed
}

/// Whether there is room for a count, or one that is open can be entered now: a count is of some time.
fn can_open(cx: &Context<'_, '_>) -> bool {
    let floods = cx.state().floods();
    let is_of_some_time = |flood: &OpenFlood| begin(flood, cx.shared) < cx.now();
    floods.len() < MAX_OPEN || floods.first().is_some_and(is_of_some_time)
}

/// Opens a count. Where there are too many, the oldest is entered now, and goes on as another one if need be: whoever
/// would end others' counts sends a transaction for each of them, and no attempts come to be listed one by one again.
fn open(cx: &mut Context<'_, '_>, flood: OpenFlood) {
    let mut floods = cx.state().floods();
    if floods.len() >= MAX_OPEN {
        let oldest = floods.remove(0);
        enter_count(cx.scratch, cx.shared, &oldest);
    }
    floods.push(flood);
    cx.scratch.put(table::floods(), &floods);
}

/// Enters the counts whose window is over: before anything else in the first block after it.
pub(crate) fn enter_counts(scratch: &mut Scratch<'_>, shared: &Shared) {
    let state = State {
        source: &*scratch,
        shared,
    };
    let now = scratch.time();
    let (over, open): (alloc::vec::Vec<_>, alloc::vec::Vec<_>) = state
        .floods()
        .into_iter()
        .partition(|flood| flood.until <= now);
    if over.is_empty() {
        return;
    }
    for flood in &over {
        enter_count(scratch, shared, flood);
    }
    if open.is_empty() {
        scratch.remove(table::floods());
    } else {
        scratch.put(table::floods(), &open);
    }
    scratch.settle(true);
}

fn enter_count(scratch: &mut Scratch<'_>, shared: &Shared, flood: &OpenFlood) {
    let state = State {
        source: &*scratch,
        shared,
    };
    let key = table::denials(&flood.actor, &flood.patient, flood.foreign_claim);
    let denials: Option<Denials> = state.read(&key);
    let Some((denials, counted)) = denials.and_then(|mut denials| {
        let counted = denials.counted.take()?;
        Some((denials, counted))
    }) else {
        return;
    };
    let until = flood.until.min(scratch.time());
    let owner = state.owner(&flood.patient);
    let is_somebody = state.patient(&owner).is_some();
    let event = Event::Flood(Flood {
        patient: flood.patient,
        foreign_claim: flood.foreign_claim,
        from: begin(flood, shared),
        until,
        count: counted.log.size(),
        root: counted.log.root(),
    });
    let entry = Entry {
        height: scratch.height(),
        time: scratch.time(),
        tx: counted.last,
        actor: flood.actor,
        org: flood.org,
        event,
    };
    if is_somebody {
        scratch.enter(&[Subject::Patient(owner)], &entry);
    }
    // The actor must not learn whose records they asked for under another name.
    if !flood.foreign_claim {
        scratch.enter(&[Subject::Actor(flood.actor)], &entry);
    }
    if until == flood.until {
        scratch.remove(key);
    } else {
        // What was listed stays so: the rest of the window has no more of it.
        scratch.put(key, &denials);
    }
}

/// When a count's window began.
fn begin(flood: &OpenFlood, shared: &Shared) -> Time {
    Time(flood.until.0.saturating_sub(window(shared)))
}

fn window(shared: &Shared) -> u64 {
    shared.params.denial_window_ms.max(1)
}

/// The end of the window that a moment lies in: windows begin at 1970 and leave no gap.
fn window_end(now: Time, shared: &Shared) -> Time {
    let window = window(shared);
    Time((now.0 / window).saturating_add(1).saturating_mul(window))
}
