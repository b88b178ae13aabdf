//! Enrolments, keys, guardians and status.

use chartseal_ledger::Body;
use chartseal_ledger::body::{
    Countersignature, CustodianReplaced, Ground, GuardianAppointed, GuardianRemoved, KeyRevoked,
    KeyRotated, OrganizationEnrolled, PatientEnrolled, PractitionerEnrolled,
    PractitionerReinstated, QuorumSet, Status, StatusChanged,
};
use chartseal_ledger::state::{ActorState, GuardianTerm, Holder, PatientState, Reserved};
use chartseal_wire::{ActorId, Event, OrgId, PatientId, PublicKey, Subject, Time, history};

use crate::common::token;
use crate::plain::{By, Entered, Outcome, Plain, Rule, fresh, is_signed, refuse};

impl Plain {
    fn check_id(&self, id: [u8; 16]) -> Result<(), Rule> {
        let taken = self.orgs.contains_key(&OrgId(id))
            || self.actors.contains_key(&ActorId(id))
            || self.patients.contains_key(&PatientId(id))
            || id == [0; 16];
        refuse(12, taken)
    }

    pub fn check_key(&self, key: &PublicKey) -> Result<(), Rule> {
        let is_kept = self.reserved_keys.contains_key(key);
        let mut members = self.committee.members().iter();
        let validates = members.any(|one| one.validator == *key);
        refuse(13, self.keys.contains_key(key) || is_kept || validates)
    }

    pub fn enrol_organization(&mut self, by: &By, body: &OrganizationEnrolled) -> Outcome {
        let org = body.organization;
        refuse(14, !self.is_member(&Self::office(by)?))?;
        self.check_id(org.id.0)?;
        self.check_key(&org.enrolment_key)?;
        self.check_key(&org.custodian_key)?;
        self.check_key(&org.validator)?;
        let mut own = [org.enrolment_key, org.custodian_key, org.validator];
        own.sort();
        refuse(13, own[0] == own[1] || own[1] == own[2])?;
        self.orgs.insert(org.id, org);
        self.enrolled_by.insert(org.id, by.org);
        self.keys
            .insert(org.enrolment_key, fresh(Holder::Office(org.id)));
        self.keys
            .insert(org.custodian_key, fresh(Holder::Custodian(org.id)));
        self.reserved_keys
            .insert(org.validator, Reserved::Validator(org.id));
        Ok(enrolled(by, org.id.into()))
    }

    pub fn enrol_practitioner(&mut self, by: &By, body: &PractitionerEnrolled) -> Outcome {
        Self::office(by)?;
        self.check_id(body.actor.0)?;
        self.put_practitioner(by, body)?;
        Ok(enrolled(by, body.actor))
    }

    pub fn reinstate(&mut self, by: &By, body: &PractitionerReinstated) -> Outcome {
        let (org, body) = (Self::office(by)?, &body.enrolment);
        let before = self.actors.get(&body.actor).ok_or(103)?;
        refuse(103, before.org != org || before.suspended_from.is_none())?;
        let old = before.key;
        self.put_practitioner(by, body)?;
        self.former_keys.insert(body.key, old);
        let (subject, new) = (body.actor, Some(body.key));
        let event = Event::KeyChanged(history::KeyChanged { subject, old, new });
        Ok(vec![
            (Subject::Actor(subject), event.clone()),
            (Subject::Actor(by.actor), event),
        ])
    }

    fn put_practitioner(&mut self, by: &By, body: &PractitionerEnrolled) -> Result<(), Rule> {
        self.check_key(&body.key)?;
        refuse(15, body.roles.len() > 16)?;
        let policy = self.params.network.emergency.as_ref();
        let breaks = policy.is_some_and(|policy| policy.roles.intersects(&body.roles));
        if breaks {
            let second = body.countersignature.as_ref().ok_or(16)?;
            refuse(16, second.org == by.org || !self.is_member(&second.org))?;
            let key = self.orgs[&second.org].enrolment_key;
            let message = body.to_countersign(&self.chain, &by.org);
            refuse(16, !is_signed(&key, &message, &second.signature))?;
        }
        let from = Time(self.time + self.params.emergency_role_delay_ms);
        let actor = ActorState {
            org: by.org,
            key: body.key,
            kem: body.kem,
            roles: body.roles.clone(),
            credential: body.credential,
            emergency_from: breaks.then_some(from),
            suspended_from: None,
        };
        self.actors.insert(body.actor, actor);
        self.keys
            .insert(body.key, fresh(Holder::Practitioner(body.actor)));
        Ok(())
    }

    pub fn enrol_patient(&mut self, by: &By, body: &PatientEnrolled) -> Outcome {
        let enrolled_by = Self::office(by)?;
        self.check_id(body.patient.0)?;
        self.check_key(&body.key)?;
        for age in [Some(body.adult_from), body.minor_consent_from]
            .into_iter()
            .flatten()
        {
            refuse(57, !is_month(age))?;
        }
        if let Some(agreement) = &body.agreement {
            let message = body.to_agree(&self.chain);
            refuse(17, !is_signed(&body.key, &message, agreement))?;
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
        self.patients.insert(body.patient, patient);
        self.keys
            .insert(body.key, fresh(Holder::Patient(body.patient)));
        let subject = body.patient.into();
        let event = history::Enrolled {
            subject,
            provisional,
        };
        Ok(self.both(by, body.patient, Event::Enrolled(event)))
    }

    // Keys.

    pub fn rotate(&mut self, by: &By, body: &KeyRotated) -> Outcome {
        self.check_key(&body.key)?;
        let message = KeyRotated::to_possess(&self.chain, &by.actor, &body.key);
        refuse(18, !is_signed(&body.key, &message, &body.possession))?;
        let new_kem = |kem: &mut [u8; 32]| *kem = body.kem.unwrap_or(*kem);
        match by.holder {
            Holder::Office(org) => {
                refuse(10, body.kem.is_some())?;
                self.orgs.get_mut(&org).ok_or(6)?.enrolment_key = body.key;
            }
            Holder::Custodian(org) => {
                let org = self.orgs.get_mut(&org).ok_or(6)?;
                org.custodian_key = body.key;
                let id = org.id;
                self.give_kem(id, body.kem);
            }
            Holder::Practitioner(id) => {
                let actor = self.actors.get_mut(&id).ok_or(6)?;
                actor.key = body.key;
                new_kem(&mut actor.kem);
            }
            Holder::Patient(id) => {
                let patient = self.patients.get_mut(&id).ok_or(6)?;
                patient.key = body.key;
                new_kem(&mut patient.kem);
            }
        }
        self.keys.insert(body.key, fresh(by.holder));
        self.former_keys.insert(body.key, by.key);
        Ok(self.end_key(by, by.key, Some(body.key)))
    }

    pub fn replace_custodian(&mut self, by: &By, body: &CustodianReplaced) -> Outcome {
        let id = Self::office(by)?;
        let KeyRotated {
            key,
            kem,
            possession,
        } = body.rotation;
        self.check_key(&key)?;
        let message = KeyRotated::to_possess(&self.chain, &id.into(), &key);
        refuse(18, !is_signed(&key, &message, &possession))?;
        let org = self.orgs.get_mut(&id).ok_or(6)?;
        let old = std::mem::replace(&mut org.custodian_key, key);
        self.give_kem(id, kem);
        self.keys.insert(key, fresh(Holder::Custodian(id)));
        self.former_keys.insert(key, old);
        Ok(self.end_key(by, old, Some(key)))
    }

    /// A custodian's new KEM key, with which it begins the next epoch too, if that is decided on.
    pub fn give_kem(&mut self, org: OrgId, kem: Option<[u8; 32]>) {
        let Some(kem) = kem else {
            return;
        };
        let own = &mut self.orgs.get_mut(&org).unwrap().custodian_kem;
        if *own != kem {
            self.former_kems.insert(*own, org);
        }
        *own = kem;
        if let Some(next) = &mut self.next {
            let mut members = next.committee.members().iter();
            if let Some(at) = members.position(|one| one.org == org) {
                next.custodian_kems[at] = kem;
            }
        }
    }

    pub fn revoke_key(&mut self, by: &By, body: &KeyRevoked) -> Outcome {
        let key = *self.keys.get(&body.key).ok_or(19)?;
        refuse(19, key.revoked)?;
        let is_theirs = match key.holder {
            holder if holder == by.holder => true,
            Holder::Custodian(org) => by.holder == Holder::Office(org),
            Holder::Practitioner(id) => by.holder == Holder::Office(self.actors[&id].org),
            Holder::Office(_) | Holder::Patient(_) => false,
        };
        refuse(19, !is_theirs)?;
        if let Holder::Practitioner(id) = key.holder {
            let actor = self.actors.get_mut(&id).ok_or(19)?;
            actor.suspended_from = Some(Time(self.time));
        }
        Ok(self.end_key(by, body.key, None))
    }

    /// A key counts no more: for whose it was, and for who did it.
    pub fn end_key(&mut self, by: &By, old: PublicKey, new: Option<PublicKey>) -> Entered {
        let key = self.keys.get_mut(&old).unwrap();
        key.revoked = true;
        let subject = key.holder.actor();
        let event = Event::KeyChanged(history::KeyChanged { subject, old, new });
        let mut entered = vec![(Subject::Actor(by.actor), event.clone())];
        if subject != by.actor {
            entered.push((Subject::Actor(subject), event.clone()));
        }
        if let Holder::Patient(patient) = key.holder {
            entered.push((Subject::Patient(patient), event));
        }
        entered
    }

    // Guardians.

    /// Whether the patient decides; else it is their office with a second one.
    fn check_decider(
        &self,
        by: &By,
        id: PatientId,
        second: Option<&Countersignature>,
        stripped: &Body,
    ) -> Result<bool, Rule> {
        let patient = self.known_patient(&id)?;
        let is_of_age = patient.adult_from.0 <= self.time;
        if by.actor == id.into() {
            refuse(51, !is_of_age || !self.is_capable(&id))?;
            return Ok(true);
        }
        refuse(59, Self::office(by)? != patient.enrolled_by)?;
        let care = self.care_of(&id);
        refuse(104, is_of_age && !care.incapacitated && !care.dead)?;
        self.check_second(by, second, stripped)?;
        Ok(false)
    }

    pub fn check_person(&self, patient: PatientId, id: &ActorId) -> Result<(), Rule> {
        let is_somebody =
            self.actors.contains_key(id) || self.patients.contains_key(&PatientId(id.0));
        refuse(60, !is_somebody || *id == patient.into())
    }

    fn with_guardian(
        &self,
        by: &By,
        patient: PatientId,
        guardian: ActorId,
        event: Event,
    ) -> Entered {
        let mut entered = self.both(by, patient, event.clone());
        if guardian != by.actor {
            entered.push((Subject::Actor(guardian), event));
        }
        entered
    }

    pub fn appoint(&mut self, by: &By, body: &GuardianAppointed) -> Outcome {
        let mut stripped = body.clone();
        let second = stripped.countersignature.take();
        let is_own = self.check_decider(by, body.patient, second.as_ref(), &stripped.into())?;
        let mut care = self.care_of(&body.patient);
        let ground = match (is_own, care.incapacitated || care.dead) {
            (true, _) => Ground::Proxy,
            (false, true) => Ground::Incapacity,
            (false, false) => Ground::Minority,
        };
        refuse(60, body.ground != ground)?;
        self.check_person(body.patient, &body.guardian)?;
        let mut window = body.window;
        window.from = window.from.max(Some(self.policy_time()));
        refuse(
            60,
            window.until.is_some_and(|until| Some(until) <= window.from),
        )?;
        refuse(60, care.guardians.len() >= 64)?;
        care.guardians.push(GuardianTerm {
            guardian: body.guardian,
            ground: body.ground,
            window,
        });
        self.care.insert(body.patient, care);
        let event = history::GuardianAppointed {
            guardian: body.guardian,
            ground: token(body.ground.as_str()),
            from: window.from.map(|time| Time(time.0)),
            until: window.until.map(|time| Time(time.0)),
        };
        let event = Event::GuardianAppointed(event);
        Ok(self.with_guardian(by, body.patient, body.guardian, event))
    }

    pub fn remove_guardian(&mut self, by: &By, body: &GuardianRemoved) -> Outcome {
        if by.actor != body.guardian {
            let mut stripped = body.clone();
            let second = stripped.countersignature.take();
            self.check_decider(by, body.patient, second.as_ref(), &stripped.into())?;
        }
        let (now, mut care) = (self.policy_time(), self.care_of(&body.patient));
        let mut ended = 0;
        for term in &mut care.guardians {
            let is_open = term.window.until.is_none_or(|until| now < until);
            if term.guardian == body.guardian && is_open {
                term.window.until = Some(now);
                ended += 1;
            }
        }
        refuse(61, ended == 0)?;
        self.care.insert(body.patient, care);
        let guardian = body.guardian;
        let event = Event::GuardianRemoved(history::GuardianRemoved { guardian });
        Ok(self.with_guardian(by, body.patient, guardian, event))
    }

    pub fn set_quorum(&mut self, by: &By, body: &QuorumSet) -> Outcome {
        let mut stripped = body.clone();
        let second = stripped.countersignature.take();
        self.check_decider(by, body.patient, second.as_ref(), &stripped.into())?;
        let (mut k, mut members) = (0, Vec::new());
        if let Some(quorum) = &body.quorum {
            for member in &quorum.members {
                let id = ActorId(member.as_bytes().try_into().map_err(|_| 60u8)?);
                self.check_person(body.patient, &id)?;
                members.push(id);
            }
            k = quorum.k as usize;
            refuse(62, members.len() > 16 || k == 0 || k > members.len())?;
        }
        let mut care = self.care_of(&body.patient);
        care.quorum.clone_from(&body.quorum);
        self.care.insert(body.patient, care);
        let k = k as u64;
        let event = Event::QuorumSet(history::QuorumSet { k, members });
        Ok(self.both(by, body.patient, event))
    }

    pub fn change_status(&mut self, by: &By, body: &StatusChanged) -> Outcome {
        let mut patient = self.known_patient(&body.patient)?;
        refuse(59, Self::office(by)? != patient.enrolled_by)?;
        let mut care = self.care_of(&body.patient);
        let is_minor = self.time < patient.adult_from.0;
        if let Status::Majority(from) | Status::MinorConsent(from) = body.status {
            refuse(57, !is_month(from))?;
            refuse(63, from.0 + 31 * 86_400_000 < self.time || !is_minor)?;
        }
        let is_without = care.incapacitated || care.dead;
        match body.status {
            Status::Incapacity => refuse(63, is_without)?,
            Status::Capacity => refuse(63, !is_without)?,
            Status::Death => refuse(63, care.dead)?,
            _ => {}
        }
        let mut stripped = body.clone();
        let second = stripped.countersignature.take();
        self.check_second(by, second.as_ref(), &stripped.into())?;
        let (word, from) = match body.status {
            Status::Majority(from) => {
                patient.adult_from = from;
                ("majority", Some(from))
            }
            Status::MinorConsent(from) => {
                patient.minor_consent_from = Some(from);
                ("minor_consent", Some(from))
            }
            Status::Incapacity => {
                care.incapacitated = true;
                ("incapacity", None)
            }
            Status::Death => {
                care.dead = true;
                ("death", None)
            }
            Status::Capacity => {
                (care.incapacitated, care.dead) = (false, false);
                let now = self.policy_time();
                for term in &mut care.guardians {
                    if term.ground == Ground::Incapacity {
                        let until = term.window.until;
                        term.window.until = Some(until.map_or(now, |until| until.min(now)));
                    }
                }
                ("capacity", None)
            }
        };
        self.patients.insert(body.patient, patient);
        self.care.insert(body.patient, care);
        let status = token(word);
        let event = Event::StatusChanged(history::StatusChanged { status, from });
        Ok(self.both(by, body.patient, event))
    }
}

fn enrolled(by: &By, subject: ActorId) -> Entered {
    let provisional = false;
    let event = Event::Enrolled(history::Enrolled {
        subject,
        provisional,
    });
    vec![
        (Subject::Actor(subject), event.clone()),
        (Subject::Actor(by.actor), event),
    ]
}

/// A month's first moment.
fn is_month(time: Time) -> bool {
    time.to_string().ends_with("-01T00:00:00.000Z")
}
