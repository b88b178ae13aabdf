use chartseal_wire::{Event, history};

use super::context::Context;
use crate::admission::AdmissionError;
use crate::body::{HoldLifted, HoldPlaced};
use crate::state::{HoldState, table};

pub(super) fn place(cx: &mut Context<'_, '_>, body: &HoldPlaced) -> Result<(), AdmissionError> {
    let org = cx.office()?;
    let record = cx.state().record(&body.record);
    let record = record.ok_or(AdmissionError::UnknownRecord)?;
    if record.erased {
        return Err(AdmissionError::ErasedRecord);
    }
    if record.filed_by != org {
        return Err(AdmissionError::HoldPlacer);
    }
    if cx.state().hold(&body.record).is_some() {
        return Err(AdmissionError::UnderHold);
    }
    let stripped = HoldPlaced {
        countersignature: None,
        ..body.clone()
    };
    cx.check_second_office(body.countersignature.as_ref(), &stripped.into())?;
    let hold = HoldState { org, tx: cx.tx };
    cx.scratch.put(table::hold(&body.record), &hold);
    let event = Event::HoldPlaced(history::HoldPlaced {
        record: body.record,
        reason_code: body.reason_code.clone(),
    });
    cx.enter_for(record.patient, event);
    Ok(())
}

pub(super) fn lift(cx: &mut Context<'_, '_>, body: &HoldLifted) -> Result<(), AdmissionError> {
    let org = cx.office()?;
    let record = cx.state().record(&body.record);
    let record = record.ok_or(AdmissionError::UnknownRecord)?;
    let hold = cx.state().hold(&body.record).filter(|hold| hold.org == org);
    let hold = hold.ok_or(AdmissionError::UnknownHold)?.tx;
    cx.scratch.remove(table::hold(&body.record));
    let record_id = body.record;
    let event = Event::HoldLifted(history::HoldLifted {
        record: record_id,
        hold,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}
