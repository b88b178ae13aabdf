use chartseal_wire::Event;
use chartseal_wire::history;

use super::context::{Context, bit};
use crate::admission::AdmissionError;
use crate::body::{Destroyed, Erased};
use crate::state::table;

pub(super) fn erase(cx: &mut Context<'_, '_>, body: &Erased) -> Result<(), AdmissionError> {
    let patient = cx.capable()?;
    let mut record = cx.own_record(patient, &body.record)?;
    record.erased = true;
    cx.scratch.put(table::record(&body.record), &record);
    cx.enter_for(
        patient,
        Event::Erased(history::Erased {
            record: body.record,
        }),
    );
    Ok(())
}

pub(super) fn destroy(cx: &mut Context<'_, '_>, body: &Destroyed) -> Result<(), AdmissionError> {
    let custodian = cx.custodian()?;
    let mut record = cx
        .state()
        .record(&body.record)
        .ok_or(AdmissionError::UnknownRecord)?;
    if !record.erased {
        return Err(AdmissionError::NotErased);
    }
    if record.destroyed & bit(custodian) != 0 {
        return Err(AdmissionError::AlreadyDestroyed);
    }
    record.destroyed |= bit(custodian);
    cx.scratch.put(table::record(&body.record), &record);
    let event = Event::Destroyed(history::Destroyed {
        record: body.record,
        custodian,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}
