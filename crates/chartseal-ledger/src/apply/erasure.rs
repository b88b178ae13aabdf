use chartseal_wire::Event;
use chartseal_wire::history;

use super::context::Context;
use crate::admission::AdmissionError;
use crate::body::{Destroyed, Erased};
use crate::state::{bit, table};

pub(super) fn erase(cx: &mut Context<'_, '_>, body: &Erased) -> Result<(), AdmissionError> {
    let patient = cx.capable()?;
    let mut record = cx.own_record(patient, &body.record)?;
    if cx.state().hold(&body.record).is_some() {
        return Err(AdmissionError::UnderHold);
    }
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
    let org = cx.custodian()?;
    let mut record = cx
        .state()
        .record(&body.record)
        .ok_or(AdmissionError::UnknownRecord)?;
    if !record.erased {
        return Err(AdmissionError::NotErased);
    }
    let custodian = if let Ok(index) = cx.custodian_of(record.custodians.epoch) {
        if record.destroyed & bit(index) != 0 {
            return Err(AdmissionError::AlreadyDestroyed);
        }
        record.destroyed |= bit(index);
        cx.scratch.put(table::record(&body.record), &record);
        index
    } else {
        // A custodian of a later deal, or of now, which may have been dealt an earlier version.
        let key = table::destroyed(&body.record, &org);
        if cx.state().read::<u64>(&key).is_some() {
            return Err(AdmissionError::AlreadyDestroyed);
        }
        let (_, set) = cx.releasing(&record.header);
        let dealt = set.and_then(|set| cx.custodian_of(set.epoch).ok());
        let now = || cx.custodian_of(cx.shared.committee.epoch());
        let index = dealt.map_or_else(now, Ok)?;
        cx.scratch.put(key, &cx.scratch.height());
        index
    };
    let event = Event::Destroyed(history::Destroyed {
        record: body.record,
        custodian,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}
