use chartseal_wire::{Event, Time, history};

use super::context::{Context, wrong_signer};
use crate::admission::AdmissionError;
use crate::body::{DepositAcknowledged, RecordAdded};
use crate::state::{DepositState, Holder, RecordState, bit, table};

pub(super) fn add(cx: &mut Context<'_, '_>, body: &RecordAdded) -> Result<(), AdmissionError> {
    check_author(cx, body)?;
    if body.authored > cx.now() {
        return Err(AdmissionError::FutureRecord);
    }
    if body.custodians != cx.custodians() {
        return Err(AdmissionError::Custodians);
    }
    match cx.state().record(&body.record) {
        Some(head) => check_amendment(cx, &head, body)?,
        None if cx.state().owner(&body.patient) != body.patient => {
            return Err(AdmissionError::AdoptedId);
        }
        None => check_version(body, 1, None)?,
    }
    let filed_by = cx.state().record(&body.record).map(|head| head.filed_by);
    if cx.state().deposit(&body.header).is_some() {
        return Err(AdmissionError::HeaderInUse);
    }
    let author = cx.actor;
    if let Some(existing) = cx
        .state()
        .fingerprint(&author, &body.patient, &body.fingerprint)
    {
        return Err(AdmissionError::DuplicateRecord { existing });
    }
    let record = RecordState {
        patient: body.patient,
        author,
        org: cx.org,
        filed_by: filed_by.unwrap_or(cx.org),
        version: body.version,
        header: body.header,
        body: body.body,
        length: body.length,
        confidentiality: body.confidentiality,
        labels: body.labels,
        encounter: body.encounter,
        authored: body.authored,
        release_at: body.release_at,
        custodians: body.custodians,
        erased: false,
        destroyed: 0,
    };
    let deposit = DepositState {
        record: body.record,
        version: body.version,
        custodians: body.custodians,
        acknowledged: 0,
    };
    let fingerprint = table::fingerprint(&author, &body.patient, &body.fingerprint);
    cx.scratch.put(table::record(&body.record), &record);
    cx.scratch.put(table::deposit(&body.header), &deposit);
    cx.scratch.put(fingerprint, &body.record);
    let event = Event::RecordAdded(history::RecordAdded {
        record: body.record,
        version: body.version,
        header: body.header,
        supersedes: body.supersedes,
    });
    cx.enter_for(body.patient, event);
    Ok(())
}

/// Custodians acknowledge for every record, so this enters no history.
pub(super) fn acknowledge(
    cx: &mut Context<'_, '_>,
    body: &DepositAcknowledged,
) -> Result<(), AdmissionError> {
    cx.custodian()?;
    let record = cx
        .state()
        .record(&body.record)
        .ok_or(AdmissionError::UnknownRecord)?;
    if record.erased {
        return Err(AdmissionError::ErasedRecord);
    }
    let deposit = cx
        .state()
        .deposit(&body.header)
        .filter(|one| one.record == body.record);
    let mut deposit = deposit.ok_or(AdmissionError::UnknownHeader)?;
    let expected = cx.custodian_of(deposit.custodians.epoch)?;
    if body.index != expected {
        return Err(AdmissionError::CustodianIndex {
            expected,
            found: body.index,
        });
    }
    if deposit.is_acknowledged_by(expected) {
        return Err(AdmissionError::AlreadyAcknowledged);
    }
    deposit.acknowledged |= bit(expected);
    cx.scratch.put(table::deposit(&body.header), &deposit);
    Ok(())
}

fn check_author(cx: &Context<'_, '_>, body: &RecordAdded) -> Result<(), AdmissionError> {
    match cx.holder {
        Holder::Patient(patient) if patient == cx.state().owner(&body.patient) => return Ok(()),
        Holder::Patient(_) => return Err(AdmissionError::OtherPatient),
        Holder::Practitioner(_) => cx.practitioner()?,
        _ => return Err(wrong_signer("a practitioner or the patient")),
    };
    let patient = cx.state().patient(&body.patient);
    patient.map(|_| ()).ok_or(AdmissionError::UnknownPatient)
}

fn check_amendment(
    cx: &Context<'_, '_>,
    head: &RecordState,
    body: &RecordAdded,
) -> Result<(), AdmissionError> {
    if head.patient != body.patient {
        return Err(AdmissionError::OtherPatient);
    }
    if head.erased {
        return Err(AdmissionError::ErasedRecord);
    }
    check_version(body, head.version.saturating_add(1), Some(head))?;
    if let Holder::Patient(patient) = &cx.holder {
        // As with a relabelling: another version may take a record away from under a restriction.
        return if cx.state().is_without_capacity(patient) {
            Err(AdmissionError::Capacity)
        } else {
            Ok(())
        };
    }
    // The patient's own version takes the record from nobody's files, and a dispute of it waits for an answer.
    if head.author != cx.actor && head.org != cx.org && head.filed_by != cx.org {
        return Err(AdmissionError::Amender);
    }
    if !head.labels.is_kept_by(&body.labels) {
        return Err(AdmissionError::DropsLabel);
    }
    if body.confidentiality < head.confidentiality {
        return Err(AdmissionError::LowersConfidentiality);
    }
    // A grant or restriction may be of an encounter, and a grant may not come to cover more either.
    if body.encounter != head.encounter {
        return Err(AdmissionError::MovesEncounter);
    }
    let is_held_back = |at: Option<Time>| at.is_some_and(|at| cx.now() < at);
    if is_held_back(body.release_at) && !is_held_back(head.release_at) {
        return Err(AdmissionError::HoldsBack);
    }
    Ok(())
}

fn check_version(
    body: &RecordAdded,
    expected: u64,
    head: Option<&RecordState>,
) -> Result<(), AdmissionError> {
    if body.version != expected {
        return Err(AdmissionError::RecordVersion {
            expected,
            found: body.version,
        });
    }
    if body.supersedes != head.map(|head| head.header) {
        return Err(AdmissionError::Supersedes);
    }
    Ok(())
}
