use chartseal_wire::history::{Enrolled, KeyChanged};
use chartseal_wire::{ActorId, Event, OrgId, PublicKey, Subject};

use super::context::Context;
use super::status::check_month;
use crate::admission::AdmissionError;
use crate::body::{
    OrganizationEnrolled, PatientEnrolled, PractitionerEnrolled, PractitionerReinstated,
};
use crate::state::{ActorState, Holder, KeyState, PatientState, Reserved, table};

pub(super) fn organization(
    cx: &mut Context<'_, '_>,
    body: &OrganizationEnrolled,
) -> Result<(), AdmissionError> {
    let org = body.organization;
    let signer = cx.office()?;
    cx.shared
        .committee
        .index_of(&signer)
        .ok_or(AdmissionError::NotInCommittee)?;
    check_id(cx, org.id.0)?;
    check_key(cx, &org.enrolment_key)?;
    check_key(cx, &org.custodian_key)?;
    check_key(cx, &org.validator)?;
    let [office, custodian, validator] = [org.enrolment_key, org.custodian_key, org.validator];
    if office == custodian || office == validator || custodian == validator {
        return Err(AdmissionError::KeyInUse);
    }
    cx.scratch.put(table::org(&org.id), &org);
    cx.scratch.put(table::enrolled_by(&org.id), &signer);
    put_key(cx, &office, Holder::Office(org.id));
    put_key(cx, &custodian, Holder::Custodian(org.id));
    reserve_validator(cx, &validator, org.id);
    enter_actor(cx, org.id.into());
    Ok(())
}

pub(super) fn practitioner(
    cx: &mut Context<'_, '_>,
    body: &PractitionerEnrolled,
) -> Result<(), AdmissionError> {
    let org = cx.office()?;
    check_id(cx, body.actor.0)?;
    let actor = enrolled(cx, org, body)?;
    cx.scratch.put(table::actor(&body.actor), &actor);
    put_key(cx, &body.key, Holder::Practitioner(body.actor));
    enter_actor(cx, body.actor);
    Ok(())
}

/// Their id goes on, under a new key.
pub(super) fn reinstate(
    cx: &mut Context<'_, '_>,
    body: &PractitionerReinstated,
) -> Result<(), AdmissionError> {
    let (org, body) = (cx.office()?, &body.enrolment);
    let before = cx.state().actor(&body.actor);
    let before = before.filter(|before| before.org == org && before.suspended_from.is_some());
    let old = before.ok_or(AdmissionError::NotSuspended)?.key;
    let actor = enrolled(cx, org, body)?;
    cx.scratch.put(table::actor(&body.actor), &actor);
    replace_key(cx, old, body.key, Holder::Practitioner(body.actor));
    let (subject, new) = (body.actor, Some(body.key));
    let event = Event::KeyChanged(KeyChanged { subject, old, new });
    cx.enter(Subject::Actor(subject), event.clone());
    cx.enter(Subject::Actor(cx.actor), event);
    Ok(())
}

/// The practitioner whom an office's body makes, if it may.
fn enrolled(
    cx: &Context<'_, '_>,
    org: OrgId,
    body: &PractitionerEnrolled,
) -> Result<ActorState, AdmissionError> {
    check_key(cx, &body.key)?;
    let found = body.roles.len();
    if found > PractitionerEnrolled::MAX_ROLES {
        return Err(AdmissionError::Roles { found });
    }
    let params = &cx.shared.params;
    let emergency = params.network.emergency.as_ref();
    let is_emergency = emergency.is_some_and(|policy| policy.roles.intersects(&body.roles));
    if is_emergency {
        check_countersignature(cx, body)?;
    }
    let emergency_from = cx.now().plus_ms(params.emergency_role_delay_ms);
    Ok(ActorState {
        org,
        key: body.key,
        kem: body.kem,
        roles: body.roles.clone(),
        credential: body.credential,
        emergency_from: is_emergency.then_some(emergency_from),
        suspended_from: None,
    })
}

pub(super) fn patient(
    cx: &mut Context<'_, '_>,
    body: &PatientEnrolled,
) -> Result<(), AdmissionError> {
    let enrolled_by = cx.office()?;
    check_id(cx, body.patient.0)?;
    check_key(cx, &body.key)?;
    check_month(body.adult_from)?;
    body.minor_consent_from.map_or(Ok(()), check_month)?;
    if let Some(agreement) = &body.agreement {
        let agreed = body.key.verify_raw(&body.to_agree(&cx.chain()), agreement);
        agreed.map_err(|_| AdmissionError::Agreement)?;
    }
    let provisional = body.agreement.is_none();
    let patient = PatientState {
        key: body.key,
        kem: body.kem,
        history_salt: body.history_salt,
        provisional,
        enrolled_by,
        adult_from: body.adult_from,
        minor_consent_from: body.minor_consent_from,
    };
    cx.scratch.put(table::patient(&body.patient), &patient);
    put_key(cx, &body.key, Holder::Patient(body.patient));
    let subject = body.patient.into();
    cx.enter_for(
        body.patient,
        Event::Enrolled(Enrolled {
            subject,
            provisional,
        }),
    );
    Ok(())
}

/// A new signing key is one that nobody ever had, no validator either, and that is kept for nobody.
pub(super) fn check_key(cx: &Context<'_, '_>, key: &PublicKey) -> Result<(), AdmissionError> {
    let (state, mut members) = (cx.state(), cx.shared.committee.members().iter());
    let is_enrolled = state.key(key).is_some();
    let is_kept = state.reserved(key).is_some();
    if is_enrolled || is_kept || members.any(|member| member.validator == *key) {
        Err(AdmissionError::KeyInUse)
    } else {
        Ok(())
    }
}

/// A validator's key of an organization is one that it had before, or a new one.
pub(super) fn check_validator(
    cx: &Context<'_, '_>,
    key: &PublicKey,
    org: OrgId,
) -> Result<(), AdmissionError> {
    let mut members = cx.shared.committee.members().iter();
    let is_own = cx.state().reserved(key) == Some(Reserved::Validator(org));
    if is_own || members.any(|member| member.org == org && member.validator == *key) {
        Ok(())
    } else {
        check_key(cx, key)
    }
}

/// From now on the key is this organization's validator's, and nobody else's.
pub(super) fn reserve_validator(cx: &mut Context<'_, '_>, key: &PublicKey, org: OrgId) {
    let reserved = Reserved::Validator(org);
    cx.scratch.put(table::reserved_key(key), &reserved);
}

/// A key in another one's place. The chain still knows which one that was, for what it has signed is still read.
pub(super) fn replace_key(
    cx: &mut Context<'_, '_>,
    old: PublicKey,
    key: PublicKey,
    holder: Holder,
) {
    put_key(cx, &key, holder);
    cx.scratch.put(table::former_key(&key), &old);
}

fn put_key(cx: &mut Context<'_, '_>, key: &PublicKey, holder: Holder) {
    cx.scratch.put(
        table::key(key),
        &KeyState {
            holder,
            seq: 0,
            revoked: false,
        },
    );
}

/// An emergency role needs the office of another member of the committee: an organization that one
/// office alone enrolled would be no second opinion.
fn check_countersignature(
    cx: &Context<'_, '_>,
    body: &PractitionerEnrolled,
) -> Result<(), AdmissionError> {
    let refused = AdmissionError::Countersignature;
    let by = body
        .countersignature
        .as_ref()
        .filter(|by| by.org != cx.org && cx.shared.committee.index_of(&by.org).is_some())
        .ok_or(refused.clone())?;
    let office = cx
        .state()
        .org(&by.org)
        .ok_or(refused.clone())?
        .enrolment_key;
    let message = body.to_countersign(&cx.chain(), &cx.org);
    office
        .verify_raw(&message, &by.signature)
        .map_err(|_| refused)
}

/// Organizations, practitioners and patients share one space of ids.
fn check_id(cx: &Context<'_, '_>, id: [u8; 16]) -> Result<(), AdmissionError> {
    if cx.state().is_id_taken(id) {
        Err(AdmissionError::IdInUse)
    } else {
        Ok(())
    }
}

fn enter_actor(cx: &mut Context<'_, '_>, subject: ActorId) {
    let event = Event::Enrolled(Enrolled {
        subject,
        provisional: false,
    });
    cx.enter(Subject::Actor(subject), event.clone());
    cx.enter(Subject::Actor(cx.actor), event);
}
