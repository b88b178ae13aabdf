use alloc::vec::Vec;

use chartseal_wire::{ActorId, Event, PatientId, PublicKey, history};

use super::context::Context;
use super::enrolment::{check_key, replace_key};
use super::guardian::check_person;
use super::key;
use crate::admission::AdmissionError;
use crate::body::{
    KeyRotated, RecoveryCompleted, RecoveryPlanned, RecoveryStarted, RecoveryVetoed,
};
use crate::state::{Holder, PendingRecovery, RecoveryState, Reserved, Restored, State, table};

/// The most guardians of a plan.
const MAX_GUARDIANS: usize = 16;

pub(super) fn plan(cx: &mut Context<'_, '_>, body: &RecoveryPlanned) -> Result<(), AdmissionError> {
    let patient = cx.capable()?;
    let before = cx.state().recovery(&patient);
    if before.as_ref().is_some_and(|plan| plan.pending.is_some()) {
        return Err(AdmissionError::RecoveryPending);
    }
    let n = body.guardians.len();
    if n > MAX_GUARDIANS || !body.guardians.is_sorted_by(|a, b| a < b) {
        return Err(AdmissionError::RecoveryPlan(
            "has at most 16 distinct guardians, in the order of their ids",
        ));
    }
    if n > 0 && !(1..=n as u64).contains(&body.k) {
        return Err(AdmissionError::RecoveryPlan(
            "takes 1 to all of its guardians",
        ));
    }
    if n > 0 && body.delay_ms < cx.shared.params.min_recovery_delay_ms {
        return Err(AdmissionError::RecoveryPlan(
            "waits less than the network asks",
        ));
    }
    for guardian in &body.guardians {
        check_person(cx, patient, guardian)?;
    }
    let plan = RecoveryState {
        bundle: body.bundle,
        guardians: body.guardians.clone(),
        k: body.k,
        delay_ms: body.delay_ms,
        number: before.as_ref().map_or(0, |plan| plan.number),
        pending: None,
        restored: before.and_then(|plan| plan.restored),
    };
    cx.scratch.put(table::recovery(&patient), &plan);
    let event = Event::RecoveryPlanned(history::RecoveryPlanned {
        bundle: (n > 0).then_some(body.bundle),
        guardians: body.guardians.clone(),
        k: body.k,
        delay_ms: body.delay_ms,
    });
    cx.enter_for(patient, event);
    Ok(())
}

pub(super) fn start(
    cx: &mut Context<'_, '_>,
    body: &RecoveryStarted,
) -> Result<(), AdmissionError> {
    let mut plan = plan_of(cx, &body.patient)?;
    if cx.state().care(&body.patient).dead {
        return Err(AdmissionError::Capacity);
    }
    if plan.pending.is_some() {
        return Err(AdmissionError::RecoveryPending);
    }
    check_key(cx, &body.key)?;
    let message = KeyRotated::to_possess(&cx.chain(), &body.patient.into(), &body.key);
    let possessed = body.key.verify_raw(&message, &body.possession);
    possessed.map_err(|_| AdmissionError::Possession)?;
    let message = body.to_approve(&cx.chain(), &plan.bundle, plan.number);
    let mut approving: Vec<ActorId> = Vec::new();
    for approval in &body.approvals {
        let is_new = !approving.contains(&approval.guardian);
        let key = key_of(cx.state(), &approval.guardian)
            .filter(|_| is_new && plan.guardians.contains(&approval.guardian));
        let signed = key.is_some_and(|key| key.verify_raw(&message, &approval.signature).is_ok());
        if !signed {
            return Err(AdmissionError::RecoveryApproval);
        }
        approving.push(approval.guardian);
    }
    let found = approving.len() as u64;
    if found < plan.k {
        let needed = plan.k;
        return Err(AdmissionError::RecoveryApprovals { found, needed });
    }
    let due = cx.now().plus_ms(plan.delay_ms);
    plan.number = plan.number.saturating_add(1);
    plan.pending = Some(PendingRecovery {
        tx: cx.tx,
        key: body.key,
        kem: body.kem,
        due,
    });
    cx.scratch.put(table::recovery(&body.patient), &plan);
    // All see the key while it waits. Whoever had it enrolled meanwhile could block the patient for ever.
    let reserved = Reserved::Recovery(body.patient);
    cx.scratch.put(table::reserved_key(&body.key), &reserved);
    let event = Event::RecoveryStarted(history::RecoveryStarted {
        key: body.key,
        guardians: approving,
        due,
    });
    cx.enter_for(body.patient, event);
    Ok(())
}

pub(super) fn veto(cx: &mut Context<'_, '_>, body: &RecoveryVetoed) -> Result<(), AdmissionError> {
    let patient = cx.patient()?;
    if patient != body.patient {
        return Err(AdmissionError::OtherPatient);
    }
    let plan = cx.state().recovery(&patient);
    let mut plan = plan.ok_or(AdmissionError::NoRecovery)?;
    let pending = plan.pending.take().ok_or(AdmissionError::NoRecovery)?;
    cx.scratch.put(table::recovery(&patient), &plan);
    cx.scratch.remove(table::reserved_key(&pending.key));
    let recovery = pending.tx;
    let event = Event::RecoveryVetoed(history::RecoveryVetoed { recovery });
    cx.enter_for(patient, event);
    Ok(())
}

pub(super) fn complete(
    cx: &mut Context<'_, '_>,
    body: &RecoveryCompleted,
) -> Result<(), AdmissionError> {
    let mut plan = plan_of(cx, &body.patient)?;
    let pending = plan.pending.take().ok_or(AdmissionError::NoRecovery)?;
    if cx.now() < pending.due {
        return Err(AdmissionError::RecoveryEarly { due: pending.due });
    }
    let mut patient = cx.known_patient(&body.patient)?;
    let old = patient.key;
    (patient.key, patient.kem) = (pending.key, pending.kem);
    plan.restored = Some(Restored {
        bundle: plan.bundle,
        key: pending.key,
    });
    cx.scratch.put(table::patient(&body.patient), &patient);
    cx.scratch.put(table::recovery(&body.patient), &plan);
    cx.scratch.remove(table::reserved_key(&pending.key));
    let holder = Holder::Patient(body.patient);
    replace_key(cx, old, pending.key, holder);
    key::end(cx, old, holder, Some(pending.key))?;
    let event = Event::RecoveryCompleted(history::RecoveryCompleted {
        recovery: pending.tx,
        bundle: plan.bundle,
    });
    cx.enter_for(body.patient, event);
    Ok(())
}

/// The recovery of an id that ends waits for nothing any more: its key is free again.
pub(super) fn drop_pending(cx: &mut Context<'_, '_>, ended: &PatientId) {
    let Some(mut plan) = cx.state().recovery(ended) else {
        return;
    };
    if let Some(pending) = plan.pending.take() {
        cx.scratch.remove(table::reserved_key(&pending.key));
        cx.scratch.put(table::recovery(ended), &plan);
    }
}

/// The plan, if the signer is one of its guardians.
fn plan_of(cx: &Context<'_, '_>, patient: &PatientId) -> Result<RecoveryState, AdmissionError> {
    cx.known_patient(patient)?;
    let plan = cx.state().recovery(patient);
    plan.filter(|plan| plan.guardians.contains(&cx.actor))
        .ok_or(AdmissionError::NoRecovery)
}

/// The active key of a person.
fn key_of(state: State<'_>, person: &ActorId) -> Option<PublicKey> {
    let practitioner = state.actor(person).map(|actor| actor.key);
    let key = practitioner.or_else(|| Some(state.patient(&PatientId(person.0))?.key))?;
    state.key(&key).filter(|key| !key.revoked).map(|_| key)
}
