use alloc::vec::Vec;

use chartseal_policy::{Declaration, Issuer, Terms};
use chartseal_wire::history;
use chartseal_wire::{DirectiveId, Event, OrgId, PatientId, Time};

use super::context::Context;
use super::directive::{add_place, store_at};
use crate::admission::AdmissionError;
use crate::body::{EmergencyDeclared, EmergencyReviewed};
use crate::params::PRIVACY_ROLE;
use crate::state::{Declared, OpenEmergency, table};
use crate::world::{policy_time, symbol};

pub(super) fn declare(
    cx: &mut Context<'_, '_>,
    body: &EmergencyDeclared,
) -> Result<(), AdmissionError> {
    let org = cx.practitioner()?.org;
    cx.known_patient(&body.patient)?;
    let params = &cx.shared.params;
    let policy = params
        .network
        .emergency
        .as_ref()
        .ok_or(AdmissionError::NoEmergencies)?;
    let until = cx.now().plus_ms(policy.ttl.0);
    let mut live = live_emergencies(cx, &org);
    let by_actor = live.iter().filter(|one| one.actor == cx.actor).count();
    let caps = [
        (by_actor, params.max_emergencies_per_actor),
        (live.len(), params.max_emergencies_per_org),
    ];
    if let Some((_, max)) = caps
        .into_iter()
        .find(|(count, max)| *count >= *max as usize)
    {
        return Err(AdmissionError::TooManyEmergencies { max });
    }
    live.push(OpenEmergency {
        declaration: cx.tx,
        actor: cx.actor,
        until,
        unreviewed: 0,
    });
    put_emergencies(cx, &org, &live);
    let (from, has_reason) = (policy_time(cx.now()), body.has_reason);
    let terms = Terms::Emergency(Declaration {
        from,
        has_reason,
        closed: None,
    });
    let issuer = Issuer::Actor(symbol(&cx.actor.0));
    let place = place_of(cx, &org, body.patient, until);
    store_at(cx, place, body.patient, issuer, terms, Some(body.reason));
    let event = Event::Emergency(history::EmergencyDeclared {
        reason_code: body.reason_code.clone(),
        reason: body.reason,
        until,
    });
    cx.enter_for(body.patient, event);
    Ok(())
}

/// Where a declaration goes that is open until then: in the place of one of the same organization's on which nothing
/// rests any more, or in a new one. Each decision reads whatever is said about a patient, and no emergency is refused
/// for how many there were before: so what has ended makes room.
fn place_of(cx: &mut Context<'_, '_>, org: &OrgId, patient: PatientId, until: Time) -> u64 {
    let key = table::declared(org, &patient);
    let mut declared: Vec<Declared> = cx.state().read(&key).unwrap_or_default();
    let window = cx.shared.params.release_window_ms;
    let now = cx.now();
    let has_ended = |one: &&mut Declared| one.until.plus_ms(window) < now;
    let mut one = Declared {
        id: cx.tx,
        place: 0,
        until,
    };
    if let Some(ended) = declared.iter_mut().find(has_ended) {
        one.place = ended.place;
        let former = core::mem::replace(ended, one);
        cx.scratch.remove(table::directive_place(&former.id));
    } else {
        one.place = add_place(cx, &patient);
        declared.push(one);
    }
    cx.scratch.put(key, &declared);
    one.place
}

pub(super) fn review(
    cx: &mut Context<'_, '_>,
    body: &EmergencyReviewed,
) -> Result<(), AdmissionError> {
    let reviewer = cx.practitioner()?;
    let mut request = cx
        .state()
        .request(&body.request)
        .ok_or(AdmissionError::UnknownRequest)?;
    let declaration = request.emergency.filter(|_| !request.reviewed);
    let declaration = declaration.ok_or(AdmissionError::NothingToReview)?;
    let is_colleague = reviewer.org == request.org && cx.actor != request.actor;
    if !is_colleague || !reviewer.roles.contains(&symbol(PRIVACY_ROLE.as_bytes())) {
        return Err(AdmissionError::Reviewer);
    }
    request.reviewed = true;
    cx.scratch.put(table::request(&body.request), &request);
    change_unreviewed(cx, &request.org, &declaration, |count| {
        count.saturating_sub(1)
    });
    let (request_id, justified) = (body.request, body.justified);
    let event = Event::Reviewed(history::Reviewed {
        request: request_id,
        justified,
    });
    cx.enter_for(request.patient, event);
    Ok(())
}

/// Changes how many accesses under a declaration wait for a review.
pub(super) fn change_unreviewed(
    cx: &mut Context<'_, '_>,
    org: &OrgId,
    declaration: &DirectiveId,
    change: impl Fn(u64) -> u64,
) {
    let mut emergencies = cx.state().emergencies(org);
    for one in emergencies
        .iter_mut()
        .filter(|one| one.declaration == *declaration)
    {
        one.unreviewed = change(one.unreviewed);
    }
    put_emergencies(cx, org, &keep_live(emergencies, cx.now()));
}

fn live_emergencies(cx: &Context<'_, '_>, org: &OrgId) -> Vec<OpenEmergency> {
    keep_live(cx.state().emergencies(org), cx.now())
}

fn keep_live(mut emergencies: Vec<OpenEmergency>, now: Time) -> Vec<OpenEmergency> {
    emergencies.retain(|one| one.is_live(now));
    emergencies
}

fn put_emergencies(cx: &mut Context<'_, '_>, org: &OrgId, emergencies: &[OpenEmergency]) {
    let key = table::emergencies(org);
    if emergencies.is_empty() {
        cx.scratch.remove(key);
    } else {
        cx.scratch.put(key, emergencies);
    }
}
