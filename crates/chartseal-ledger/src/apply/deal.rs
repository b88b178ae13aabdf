use chartseal_wire::{Event, HeaderDigest, RecordId, RequestId, history};

use super::context::Context;
use crate::admission::AdmissionError;
use crate::body::{RedealAcknowledged, Redealt, SlotAdded, SlotRemoved};
use crate::state::{DealState, Deposited, Holder, RecordState, SlotState, bit, table};

pub(super) fn add_slot(cx: &mut Context<'_, '_>, body: &SlotAdded) -> Result<(), AdmissionError> {
    let record = newest_version(cx, &body.record, &body.header)?;
    let owner = cx.state().owner(&record.patient);
    let patient = cx
        .state()
        .patient(&owner)
        .ok_or(AdmissionError::UnknownPatient)?;
    if patient.kem != body.kem {
        return Err(AdmissionError::SlotKey);
    }
    if record.release_at.is_some_and(|at| cx.now() < at) {
        return Err(AdmissionError::ReleasePending);
    }
    if !cx.state().has_capacity(&owner, cx.now()) {
        return Err(AdmissionError::Capacity);
    }
    let is_author = record.author == cx.actor && body.request.is_none();
    if is_author && matches!(cx.holder, Holder::Practitioner(_)) {
        cx.practitioner()?;
    } else {
        check_has_key(cx, &record, body.request.as_ref())?;
    }
    let before = cx.state().slot(&body.header);
    if before.is_some_and(|slot| slot.kem == body.kem) {
        return Err(AdmissionError::SlotInUse);
    }
    let slot = SlotState {
        record: body.record,
        header: body.header,
        kem: body.kem,
        slot: body.slot,
        by: cx.actor,
    };
    cx.scratch.put(table::slot(&body.header), &slot);
    let event = Event::SlotAdded(history::SlotAdded {
        record: body.record,
        header: body.header,
        kem: body.kem,
        request: body.request,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}

pub(super) fn remove_slot(
    cx: &mut Context<'_, '_>,
    body: &SlotRemoved,
) -> Result<(), AdmissionError> {
    let patient = cx.patient()?;
    let record = cx.own_record(patient, &body.record)?;
    let slot = cx.state().slot(&body.header);
    slot.filter(|slot| slot.record == body.record)
        .ok_or(AdmissionError::UnknownSlot)?;
    cx.scratch.remove(table::slot(&body.header));
    let (record_id, header) = (body.record, body.header);
    let event = Event::SlotRemoved(history::SlotRemoved {
        record: record_id,
        header,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}

pub(super) fn redeal(cx: &mut Context<'_, '_>, body: &Redealt) -> Result<(), AdmissionError> {
    let record = newest_version(cx, &body.record, &body.header)?;
    check_has_key(cx, &record, body.request.as_ref())?;
    if body.custodians != cx.custodians() {
        return Err(AdmissionError::Custodians);
    }
    let mut deals = cx.state().deals(&body.header);
    let newest = cx.state().deal(&body.header, deals.newest);
    let newest = newest.map_or(record.custodians, |deal| deal.custodians);
    // A reader's deal is for when the custodians changed, and no way to spoil a good one.
    if body.request.is_some() && newest.epoch >= body.custodians.epoch {
        return Err(AdmissionError::RedealNotNeeded);
    }
    let expected = deals.newest.saturating_add(1);
    if body.deal != expected {
        return Err(AdmissionError::DealNumber {
            expected,
            found: body.deal,
        });
    }
    deals.newest = expected;
    let deal = DealState {
        record: body.record,
        custodians: body.custodians,
        root: body.root,
        by: cx.actor,
        acknowledged: 0,
    };
    cx.scratch.put(table::deals(&body.header), &deals);
    cx.scratch.put(table::deal(&body.header, body.deal), &deal);
    let event = Event::Redealt(history::Redealt {
        record: body.record,
        header: body.header,
        deal: body.deal,
        request: body.request,
    });
    cx.enter_for(record.patient, event);
    Ok(())
}

/// As with a first deal, this enters no history.
pub(super) fn acknowledge(
    cx: &mut Context<'_, '_>,
    body: &RedealAcknowledged,
) -> Result<(), AdmissionError> {
    cx.custodian()?;
    let deal = cx.state().deal(&body.header, body.deal);
    let deal = deal.filter(|deal| deal.record == body.record);
    let mut deal = deal.ok_or(AdmissionError::UnknownDeal)?;
    let expected = cx.custodian_of(deal.custodians.epoch)?;
    if body.index != expected {
        return Err(AdmissionError::CustodianIndex {
            expected,
            found: body.index,
        });
    }
    let record = cx.state().record(&body.record);
    if record.is_none_or(|record| record.erased) {
        return Err(AdmissionError::ErasedRecord);
    }
    if deal.is_acknowledged_by(expected) {
        return Err(AdmissionError::AlreadyAcknowledged);
    }
    deal.acknowledged |= bit(expected);
    cx.scratch.put(table::deal(&body.header, body.deal), &deal);
    let mut deals = cx.state().deals(&body.header);
    if deal.status() == Deposited::Durable && body.deal > deals.durable {
        deals.durable = body.deal;
        cx.scratch.put(table::deals(&body.header), &deals);
    }
    Ok(())
}

/// The record, if this is its newest version and it is not erased.
fn newest_version(
    cx: &Context<'_, '_>,
    record: &RecordId,
    header: &HeaderDigest,
) -> Result<RecordState, AdmissionError> {
    let state = cx.state().record(record);
    let state = state.ok_or(AdmissionError::UnknownRecord)?;
    if state.erased {
        return Err(AdmissionError::ErasedRecord);
    }
    if state.header != *header {
        return Err(AdmissionError::UnknownHeader);
    }
    Ok(state)
}

/// The signer has the record's key by right: a patient who may decide, or a practitioner whose
/// permitted read of this version so many custodians answered that it opened.
fn check_has_key(
    cx: &Context<'_, '_>,
    record: &RecordState,
    request: Option<&RequestId>,
) -> Result<(), AdmissionError> {
    let Some(request) = request else {
        let owner = cx.state().owner(&record.patient);
        if cx.actor != owner.into() {
            return Err(AdmissionError::NoKey);
        }
        return cx.capable().map(|_| ());
    };
    cx.practitioner()?;
    let request = cx.state().request(request);
    let request = request.filter(|request| request.actor == cx.actor);
    let permit = request.and_then(|request| {
        let permits = request.permits.into_iter();
        permits.into_iter().find(|one| one.header == record.header)
    });
    let permit = permit.ok_or(AdmissionError::NoKey)?;
    // As many as the set needs that was released from, which may not be the first one.
    let set = cx.state().dealt_to(&permit.header, permit.deal);
    let needed = set.ok_or(AdmissionError::NoKey)?.t;
    if u64::from(permit.released.count_ones()) < needed {
        return Err(AdmissionError::NoKey);
    }
    Ok(())
}
