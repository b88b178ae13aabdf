use chartseal_wire::history::KeyChanged;
use chartseal_wire::{Event, PublicKey, Subject};

use super::context::{Context, wrong_signer};
use super::enrolment::{check_key, replace_key};
use crate::admission::AdmissionError;
use crate::body::{CustodianReplaced, KeyRevoked, KeyRotated, Organization};
use crate::scratch::Scratch;
use crate::state::{Holder, table};

pub(super) fn rotate(cx: &mut Context<'_, '_>, body: &KeyRotated) -> Result<(), AdmissionError> {
    check_new(cx, body)?;
    let state = cx.state();
    match cx.holder {
        Holder::Office(org) | Holder::Custodian(org) => {
            let mut organization = state.org(&org).ok_or(AdmissionError::UnknownKey)?;
            if matches!(cx.holder, Holder::Custodian(_)) {
                give_custodian(cx, &mut organization, body);
            } else if body.kem.is_some() {
                return Err(wrong_signer(
                    "a person or custodian: an office has no kem key",
                ));
            } else {
                organization.enrolment_key = body.key;
            }
            cx.scratch.put(table::org(&org), &organization);
        }
        Holder::Practitioner(id) => {
            let mut actor = state.actor(&id).ok_or(AdmissionError::UnknownKey)?;
            actor.key = body.key;
            actor.kem = body.kem.unwrap_or(actor.kem);
            cx.scratch.put(table::actor(&id), &actor);
        }
        Holder::Patient(id) => {
            let mut patient = state.patient(&id).ok_or(AdmissionError::UnknownKey)?;
            patient.key = body.key;
            patient.kem = body.kem.unwrap_or(patient.kem);
            cx.scratch.put(table::patient(&id), &patient);
        }
    }
    replace_key(cx, cx.key, body.key, cx.holder);
    end(cx, cx.key, cx.holder, Some(body.key))
}

/// The office is not on the node: who has that one's keys can't keep the office from ending them.
pub(super) fn replace_custodian(
    cx: &mut Context<'_, '_>,
    body: &CustodianReplaced,
) -> Result<(), AdmissionError> {
    let (org, body) = (cx.office()?, &body.rotation);
    check_new(cx, body)?;
    let mut organization = cx.state().org(&org).ok_or(AdmissionError::UnknownKey)?;
    let (old, holder) = (organization.custodian_key, Holder::Custodian(org));
    give_custodian(cx, &mut organization, body);
    cx.scratch.put(table::org(&org), &organization);
    replace_key(cx, old, body.key, holder);
    end(cx, old, holder, Some(body.key))
}

/// The new key is nobody's, and whoever has it agrees to be this holder's.
fn check_new(cx: &Context<'_, '_>, body: &KeyRotated) -> Result<(), AdmissionError> {
    check_key(cx, &body.key)?;
    let message = KeyRotated::to_possess(&cx.chain(), &cx.actor, &body.key);
    let possessed = body.key.verify_raw(&message, &body.possession);
    possessed.map_err(|_| AdmissionError::Possession)
}

fn give_custodian(cx: &mut Context<'_, '_>, organization: &mut Organization, body: &KeyRotated) {
    organization.custodian_key = body.key;
    if let Some(kem) = body.kem {
        give_kem(cx.scratch, organization, kem);
        // What is decided on was so before this: the key that was given up does not come back with the next epoch.
        let mut shared = cx.state().shared_now();
        if let Some(next) = &mut shared.next {
            next.give_kem(&organization.id, kem);
            cx.scratch.put(table::shared(), &shared);
        }
    }
}

/// Gives a custodian another KEM key; the one that it gave up is no next committee's.
pub(super) fn give_kem(scratch: &mut Scratch<'_>, organization: &mut Organization, kem: [u8; 32]) {
    let old = core::mem::replace(&mut organization.custodian_kem, kem);
    if old != kem {
        scratch.put(table::former_kem(&old), &organization.id);
    }
}

pub(super) fn revoke(cx: &mut Context<'_, '_>, body: &KeyRevoked) -> Result<(), AdmissionError> {
    let key = cx.state().key(&body.key).filter(|key| !key.revoked);
    let holder = key.ok_or(AdmissionError::NotTheirKey)?.holder;
    let is_theirs = match (cx.holder, holder) {
        (Holder::Office(office), Holder::Practitioner(_) | Holder::Custodian(_)) => {
            cx.state().org_of(&holder) == Some(office)
        }
        (signer, holder) => signer == holder,
    };
    if !is_theirs {
        return Err(AdmissionError::NotTheirKey);
    }
    if let Holder::Practitioner(id) = holder {
        let mut actor = cx.state().actor(&id).ok_or(AdmissionError::NotTheirKey)?;
        actor.suspended_from = Some(cx.now());
        cx.scratch.put(table::actor(&id), &actor);
    }
    end(cx, body.key, holder, None)
}

/// Marks a key as revoked and enters that for whose it was and for who did it.
pub(super) fn end(
    cx: &mut Context<'_, '_>,
    old: PublicKey,
    holder: Holder,
    new: Option<PublicKey>,
) -> Result<(), AdmissionError> {
    let mut key = cx.state().key(&old).ok_or(AdmissionError::UnknownKey)?;
    key.revoked = true;
    cx.scratch.put(table::key(&old), &key);
    let subject = holder.actor();
    let event = Event::KeyChanged(KeyChanged { subject, old, new });
    if let Holder::Patient(patient) = holder {
        cx.enter(Subject::Patient(patient), event.clone());
    }
    if subject != cx.actor {
        cx.enter(Subject::Actor(subject), event.clone());
    }
    cx.enter(Subject::Actor(cx.actor), event);
    Ok(())
}
