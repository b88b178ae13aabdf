use alloc::vec::Vec;

use chartseal_policy::Terms;
use chartseal_wire::history::{self, Token};
use chartseal_wire::{ActorId, Event, PatientId, Time};

use super::context::Context;
use super::directive::grant_by_quorum;
use crate::admission::AdmissionError;
use crate::body::{
    Body, Countersignature, Ground, GuardianAppointed, GuardianRemoved, QuorumGranted, QuorumSet,
};
use crate::state::{CareState, GuardianTerm, table};
use crate::world::{policy_time, symbol};

/// The most terms of guardians that one patient ever has.
const MAX_TERMS: usize = 64;
/// The most members of a quorum.
const MAX_MEMBERS: usize = 16;

pub(super) fn appoint(
    cx: &mut Context<'_, '_>,
    body: &GuardianAppointed,
) -> Result<(), AdmissionError> {
    let stripped = GuardianAppointed {
        countersignature: None,
        ..body.clone()
    };
    let own = check_decider(
        cx,
        body.patient,
        body.countersignature.as_ref(),
        &stripped.into(),
    )?;
    let care = cx.state().care(&body.patient);
    let expected = match (own, care.is_without_capacity()) {
        (true, _) => Ground::Proxy,
        (false, true) => Ground::Incapacity,
        (false, false) => Ground::Minority,
    };
    if body.ground != expected {
        return Err(AdmissionError::Guardian(
            "of another ground than the patient's status gives",
        ));
    }
    check_person(cx, body.patient, &body.guardian)?;
    let now = policy_time(cx.now());
    let mut window = body.window;
    window.from = Some(window.from.map_or(now, |from| from.max(now)));
    if window.until.is_some_and(|until| Some(until) <= window.from) {
        return Err(AdmissionError::Guardian("whose term has ended"));
    }
    if care.guardians.len() >= MAX_TERMS {
        return Err(AdmissionError::Guardian("beyond 64 terms"));
    }
    let mut care = care;
    care.guardians.push(GuardianTerm {
        guardian: body.guardian,
        ground: body.ground,
        window,
    });
    cx.scratch.put(table::care(&body.patient), &care);
    let event = history::GuardianAppointed {
        guardian: body.guardian,
        ground: word(body.ground.as_str()),
        from: window.from.map(|time| Time(time.0)),
        until: window.until.map(|time| Time(time.0)),
    };
    enter(
        cx,
        body.patient,
        body.guardian,
        Event::GuardianAppointed(event),
    );
    Ok(())
}

pub(super) fn remove(
    cx: &mut Context<'_, '_>,
    body: &GuardianRemoved,
) -> Result<(), AdmissionError> {
    if cx.actor != body.guardian {
        let stripped = GuardianRemoved {
            countersignature: None,
            ..body.clone()
        };
        check_decider(
            cx,
            body.patient,
            body.countersignature.as_ref(),
            &stripped.into(),
        )?;
    }
    let mut care = cx.state().care(&body.patient);
    let now = cx.now();
    let mut terms = care.guardians.iter_mut();
    let is_open = |term: &&mut GuardianTerm| term.guardian == body.guardian && term.is_open(now);
    let open: Vec<_> = terms.by_ref().filter(is_open).collect();
    if open.is_empty() {
        return Err(AdmissionError::UnknownGuardian);
    }
    for term in open {
        term.end(now);
    }
    cx.scratch.put(table::care(&body.patient), &care);
    let guardian = body.guardian;
    let event = Event::GuardianRemoved(history::GuardianRemoved { guardian });
    enter(cx, body.patient, guardian, event);
    Ok(())
}

pub(super) fn set_quorum(cx: &mut Context<'_, '_>, body: &QuorumSet) -> Result<(), AdmissionError> {
    let stripped = QuorumSet {
        countersignature: None,
        ..body.clone()
    };
    check_decider(
        cx,
        body.patient,
        body.countersignature.as_ref(),
        &stripped.into(),
    )?;
    let mut members: Vec<ActorId> = Vec::new();
    for member in body.quorum.iter().flat_map(|quorum| quorum.members.iter()) {
        let member = member.as_bytes().try_into().map(ActorId);
        let member = member.map_err(|_| AdmissionError::Guardian("who is nobody here"))?;
        check_person(cx, body.patient, &member)?;
        members.push(member);
    }
    let k = body.quorum.as_ref().map_or(0, |quorum| quorum.k as usize);
    let needed = usize::from(body.quorum.is_some());
    if members.len() > MAX_MEMBERS || !(needed..=members.len()).contains(&k) {
        return Err(AdmissionError::Quorum(
            "has 1 to 16 members, of whom 1 to all approve",
        ));
    }
    let mut care = cx.state().care(&body.patient);
    care.quorum.clone_from(&body.quorum);
    cx.scratch.put(table::care(&body.patient), &care);
    let k = k as u64;
    let event = Event::QuorumSet(history::QuorumSet { k, members });
    cx.enter_for(body.patient, event);
    Ok(())
}

pub(super) fn grant(cx: &mut Context<'_, '_>, body: &QuorumGranted) -> Result<(), AdmissionError> {
    cx.known_patient(&body.patient)?;
    let care: CareState = cx.state().care(&body.patient);
    let quorum = care.quorum.as_ref();
    let is_member = quorum.is_some_and(|quorum| quorum.members.contains(&symbol(&cx.actor.0)));
    if !is_member {
        return Err(AdmissionError::Quorum(
            "is not one that the signer belongs to",
        ));
    }
    let terms = Terms::Grant(body.grant.clone());
    grant_by_quorum(cx, body.patient, terms, body.sealed)
}

/// Who decides on a patient's guardians: the patient, if of age and capable; else the office that
/// enrolled them, countersigned. Whether it was the patient.
fn check_decider(
    cx: &Context<'_, '_>,
    id: PatientId,
    countersignature: Option<&Countersignature>,
    stripped: &Body,
) -> Result<bool, AdmissionError> {
    let patient = cx.known_patient(&id)?;
    let is_of_age = patient.adult_from <= cx.now();
    let decides = is_of_age && cx.state().has_capacity(&id, cx.now());
    if cx.actor == id.into() {
        return if decides {
            Ok(true)
        } else {
            Err(AdmissionError::Capacity)
        };
    }
    let org = cx.office()?;
    if org != patient.enrolled_by {
        return Err(AdmissionError::Enroller);
    }
    // Somebody whose enrolment is provisional is nobody's ward for that alone.
    if is_of_age && !cx.state().care(&id).is_without_capacity() {
        return Err(AdmissionError::PatientDecides);
    }
    cx.check_second_office(countersignature, stripped)?;
    Ok(false)
}

/// A guardian is somebody else who is enrolled.
pub(super) fn check_person(
    cx: &Context<'_, '_>,
    patient: PatientId,
    guardian: &ActorId,
) -> Result<(), AdmissionError> {
    if *guardian == patient.into() {
        return Err(AdmissionError::Guardian("who is the patient"));
    }
    let state = cx.state();
    if state.actor(guardian).is_none() && state.patient(&PatientId(guardian.0)).is_none() {
        return Err(AdmissionError::Guardian("who is nobody here"));
    }
    Ok(())
}

/// With the patient, who did it, and whom it is about.
fn enter(cx: &mut Context<'_, '_>, patient: PatientId, guardian: ActorId, event: Event) {
    if guardian != cx.actor {
        cx.enter(chartseal_wire::Subject::Actor(guardian), event.clone());
    }
    cx.enter_for(patient, event);
}

/// A word of a table of this crate.
pub(super) fn word(text: &str) -> Token {
    #[expect(clippy::expect_used, reason = "a word of a table")]
    Token::new(text).expect("a short word")
}
