use chartseal_wire::{Event, history};

use super::context::Context;
use crate::admission::AdmissionError;
use crate::body::{DisputeAnswered, Disputed};
use crate::state::{DisputeState, table};

pub(super) fn dispute(cx: &mut Context<'_, '_>, body: &Disputed) -> Result<(), AdmissionError> {
    let patient = cx.patient()?;
    let record = cx.own_record(patient, &body.record)?;
    if cx.state().dispute(&body.record).is_some() {
        return Err(AdmissionError::DisputeOpen);
    }
    let (tx, version) = (cx.tx, record.version);
    let dispute = DisputeState { tx, version };
    cx.scratch.put(table::dispute(&body.record), &dispute);
    let event = Event::Disputed(history::Disputed {
        record: body.record,
        version,
        reason: body.reason,
    });
    cx.enter_for(patient, event);
    Ok(())
}

pub(super) fn answer(
    cx: &mut Context<'_, '_>,
    body: &DisputeAnswered,
) -> Result<(), AdmissionError> {
    let org = cx.practitioner()?.org;
    let record = cx.state().record(&body.record);
    let record = record.ok_or(AdmissionError::UnknownRecord)?;
    if record.author != cx.actor && record.filed_by != org {
        return Err(AdmissionError::Amender);
    }
    let dispute = cx.state().dispute(&body.record);
    let dispute = dispute.ok_or(AdmissionError::UnknownDispute)?;
    let is_later = |version: u64| dispute.version < version && version <= record.version;
    if !body.rectified.is_none_or(is_later) {
        return Err(AdmissionError::Rectification);
    }
    cx.scratch.remove(table::dispute(&body.record));
    let event = Event::DisputeAnswered(history::DisputeAnswered {
        record: body.record,
        dispute: dispute.tx,
        rectified: body.rectified,
        reason: body.reason,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}
