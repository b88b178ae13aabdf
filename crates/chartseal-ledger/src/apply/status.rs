use alloc::format;

use chartseal_wire::{Event, Time, history};

use super::context::Context;
use super::guardian::word;
use crate::admission::AdmissionError;
use crate::body::{Ground, Status, StatusChanged};
use crate::state::table;

/// A month that began longer ago is no change of now: it would undo what was decided since.
const MONTH_MS: u64 = 31 * 24 * 3_600_000;

pub(super) fn change(cx: &mut Context<'_, '_>, body: &StatusChanged) -> Result<(), AdmissionError> {
    let mut patient = cx.known_patient(&body.patient)?;
    if cx.office()? != patient.enrolled_by {
        return Err(AdmissionError::Enroller);
    }
    let now = cx.now();
    let mut care = cx.state().care(&body.patient);
    let is_minor = now < patient.adult_from;
    if let Some(from) = body.status.from() {
        check_month(from)?;
        if from.plus_ms(MONTH_MS) < now {
            return Err(AdmissionError::Status);
        }
    }
    let follows = match body.status {
        Status::Majority(_) | Status::MinorConsent(_) => is_minor,
        Status::Incapacity => !care.is_without_capacity(),
        Status::Capacity => care.is_without_capacity(),
        Status::Death => !care.dead,
    };
    if !follows {
        return Err(AdmissionError::Status);
    }
    let stripped = StatusChanged {
        countersignature: None,
        ..body.clone()
    };
    cx.check_second_office(body.countersignature.as_ref(), &stripped.into())?;
    match body.status {
        Status::Majority(from) => patient.adult_from = from,
        Status::MinorConsent(from) => patient.minor_consent_from = Some(from),
        Status::Incapacity => care.incapacitated = true,
        Status::Death => care.dead = true,
        Status::Capacity => {
            (care.incapacitated, care.dead) = (false, false);
            let terms = care.guardians.iter_mut();
            for term in terms.filter(|term| term.ground == Ground::Incapacity) {
                term.end(now);
            }
        }
    }
    cx.scratch.put(table::patient(&body.patient), &patient);
    cx.scratch.put(table::care(&body.patient), &care);
    let event = history::StatusChanged {
        status: word(body.status.as_str()),
        from: body.status.from(),
    };
    cx.enter_for(body.patient, Event::StatusChanged(event));
    Ok(())
}

/// Ages are told by the month: a birth date is not on the chain.
pub(super) fn check_month(time: Time) -> Result<(), AdmissionError> {
    if format!("{time}").ends_with("-01T00:00:00.000Z") {
        Ok(())
    } else {
        Err(AdmissionError::Month)
    }
}
