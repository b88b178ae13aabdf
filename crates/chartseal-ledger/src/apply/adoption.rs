use chartseal_policy::Set;
use chartseal_wire::{Event, Subject, history};

use super::context::Context;
use super::labels::MAX_PRIVATE;
use super::{key, recovery};
use crate::admission::AdmissionError;
use crate::body::{Adopted, DuplicateOf};
use crate::state::{Holder, table};

/// The most ids that one patient adopts: with the patient's own, all fit into one export.
const MAX_ADOPTED: usize = 31;

pub(super) fn adopt(cx: &mut Context<'_, '_>, body: &Adopted) -> Result<(), AdmissionError> {
    let by = cx.capable()?;
    let adopted = body.adopted;
    if adopted == by {
        return Err(AdmissionError::Adoption("is of another id than one's own"));
    }
    let patient = cx.known_patient(&adopted)?;
    let state = cx.state();
    // Whom others speak for is not taken from under them by a key alone.
    if !patient.provisional && !state.has_capacity(&adopted, cx.now()) {
        return Err(AdmissionError::Capacity);
    }
    let theirs = state.adopted(&adopted);
    let mut ids = state.adopted(&by);
    if ids.len() + theirs.len() >= MAX_ADOPTED {
        return Err(AdmissionError::Adoption("makes 31 ids at most"));
    }
    let speaker = if patient.provisional {
        let office = state.org(&patient.enrolled_by);
        office.map(|org| org.enrolment_key)
    } else {
        Some(patient.key)
    };
    let speaker = speaker.and_then(|key| Some((key, state.key(&key)?)));
    let message = Adopted::to_agree(&cx.chain(), &adopted, &by);
    speaker
        .filter(|(_, state)| !state.revoked)
        .and_then(|(key, _)| key.verify_raw(&message, &body.agreement).ok())
        .ok_or(AdmissionError::AdoptionAgreement)?;

    let mut care = state.care(&by);
    let private = state.care(&adopted).private_labels;
    let merged = care.private_labels.iter().chain(private.iter()).cloned();
    let merged = Set::new(merged).unwrap_or_default();
    if merged.len() > MAX_PRIVATE {
        return Err(AdmissionError::Adoption("makes 64 private labels at most"));
    }
    let is_active = state.key(&patient.key).is_some_and(|key| !key.revoked);
    if is_active {
        key::end(cx, patient.key, Holder::Patient(adopted), None)?;
    }
    if !private.is_empty() {
        care.private_labels = merged;
        cx.scratch.put(table::care(&by), &care);
    }
    recovery::drop_pending(cx, &adopted);
    let event = Event::Adopted(history::Adopted { adopted, by });
    cx.enter(Subject::Patient(adopted), event.clone());
    if patient.provisional {
        cx.enter(Subject::Actor(patient.enrolled_by.into()), event.clone());
    }
    cx.enter_for(by, event);
    for id in core::iter::once(adopted).chain(theirs) {
        cx.scratch.put(table::adopted_by(&id), &by);
        ids.push(id);
    }
    cx.scratch.put(table::adopted(&by), &ids);
    cx.scratch.remove(table::adopted(&adopted));
    Ok(())
}

pub(super) fn duplicate(
    cx: &mut Context<'_, '_>,
    body: &DuplicateOf,
) -> Result<(), AdmissionError> {
    let patient = cx.patient()?;
    cx.own_record(patient, &body.record)?;
    cx.own_record(patient, &body.of)?;
    let is_one = |record| cx.state().duplicate_of(record).is_some();
    if body.record == body.of || is_one(&body.record) || is_one(&body.of) {
        return Err(AdmissionError::Duplicate);
    }
    cx.scratch.put(table::duplicate(&body.record), &body.of);
    let (record, of) = (body.record, body.of);
    let event = Event::DuplicateOf(history::DuplicateOf { record, of });
    cx.enter_for(patient, event);
    Ok(())
}
