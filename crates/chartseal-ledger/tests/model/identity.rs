//! Recovery, adoption and committees.

use chartseal_ledger::body::{
    Adopted, CommitteeChanged, KeyRotated, RecoveryCompleted, RecoveryPlanned, RecoveryStarted,
    RecoveryVetoed,
};
use chartseal_ledger::state::{
    Holder, NextCommittee, PendingRecovery, RecoveryState, Reserved, Restored,
};
use chartseal_ledger::{Committee, Member};
use chartseal_policy::Set;
use chartseal_wire::{ActorId, Event, OrgId, PatientId, Subject, Time, history};

use crate::plain::{By, Entered, Outcome, Plain, Rule, fresh, is_signed, refuse};

impl Plain {
    pub fn plan_recovery(&mut self, by: &By, body: &RecoveryPlanned) -> Outcome {
        let patient = self.capable_patient(by)?;
        let before = self.recoveries.get(&patient).cloned();
        refuse(
            66,
            before.as_ref().is_some_and(|plan| plan.pending.is_some()),
        )?;
        let mut sorted = body.guardians.clone();
        sorted.sort();
        sorted.dedup();
        refuse(64, sorted != body.guardians || sorted.len() > 16)?;
        if !sorted.is_empty() {
            refuse(64, body.k == 0 || body.k > sorted.len() as u64)?;
            refuse(64, body.delay_ms < self.params.min_recovery_delay_ms)?;
        }
        for guardian in &sorted {
            self.check_person(patient, guardian)?;
        }
        let bundle = (!sorted.is_empty()).then_some(body.bundle);
        let plan = RecoveryState {
            bundle: body.bundle,
            guardians: sorted.clone(),
            k: body.k,
            delay_ms: body.delay_ms,
            number: before.as_ref().map_or(0, |plan| plan.number),
            pending: None,
            restored: before.and_then(|plan| plan.restored),
        };
        self.recoveries.insert(patient, plan);
        let event = history::RecoveryPlanned {
            bundle,
            guardians: sorted,
            k: body.k,
            delay_ms: body.delay_ms,
        };
        Ok(self.both(by, patient, Event::RecoveryPlanned(event)))
    }

    fn plan_of(&self, by: &By, patient: &PatientId) -> Result<RecoveryState, Rule> {
        self.known_patient(patient)?;
        let plan = self.recoveries.get(patient).ok_or(65)?;
        refuse(65, !plan.guardians.contains(&by.actor))?;
        Ok(plan.clone())
    }

    pub fn start_recovery(&mut self, by: &By, body: &RecoveryStarted) -> Outcome {
        let mut plan = self.plan_of(by, &body.patient)?;
        refuse(51, self.care_of(&body.patient).dead)?;
        refuse(66, plan.pending.is_some())?;
        self.check_key(&body.key)?;
        let message = KeyRotated::to_possess(&self.chain, &body.patient.into(), &body.key);
        refuse(18, !is_signed(&body.key, &message, &body.possession))?;
        let message = body.to_approve(&self.chain, &plan.bundle, plan.number);
        let mut guardians: Vec<ActorId> = Vec::new();
        for approval in &body.approvals {
            let guardian = approval.guardian;
            let is_new = plan.guardians.contains(&guardian) && !guardians.contains(&guardian);
            refuse(68, !is_new)?;
            let of_practitioner = self.actors.get(&guardian).map(|one| one.key);
            let of_patient = || self.patients.get(&PatientId(guardian.0)).map(|one| one.key);
            let key = of_practitioner.or_else(of_patient).ok_or(68)?;
            refuse(68, self.keys[&key].revoked)?;
            refuse(68, !is_signed(&key, &message, &approval.signature))?;
            guardians.push(guardian);
        }
        refuse(67, (guardians.len() as u64) < plan.k)?;
        let due = Time(self.time + plan.delay_ms);
        plan.number += 1;
        plan.pending = Some(PendingRecovery {
            tx: by.tx,
            key: body.key,
            kem: body.kem,
            due,
        });
        self.recoveries.insert(body.patient, plan);
        let key = body.key;
        self.reserved_keys
            .insert(key, Reserved::Recovery(body.patient));
        let event = history::RecoveryStarted {
            key,
            guardians,
            due,
        };
        Ok(self.both(by, body.patient, Event::RecoveryStarted(event)))
    }

    pub fn veto_recovery(&mut self, by: &By, body: &RecoveryVetoed) -> Outcome {
        let patient = Self::patient(by)?;
        refuse(23, patient != body.patient)?;
        let plan = self.recoveries.get_mut(&patient).ok_or(65)?;
        let pending = plan.pending.take().ok_or(65)?;
        self.reserved_keys.remove(&pending.key);
        let recovery = pending.tx;
        let event = Event::RecoveryVetoed(history::RecoveryVetoed { recovery });
        Ok(self.both(by, patient, event))
    }

    pub fn complete_recovery(&mut self, by: &By, body: &RecoveryCompleted) -> Outcome {
        let mut plan = self.plan_of(by, &body.patient)?;
        let pending = plan.pending.take().ok_or(65)?;
        refuse(69, self.time < pending.due.0)?;
        self.reserved_keys.remove(&pending.key);
        let (bundle, key) = (plan.bundle, pending.key);
        plan.restored = Some(Restored { bundle, key });
        self.recoveries.insert(body.patient, plan);
        let patient = self.patients.get_mut(&body.patient).ok_or(20)?;
        let old = std::mem::replace(&mut patient.key, key);
        patient.kem = pending.kem;
        self.keys.insert(key, fresh(Holder::Patient(body.patient)));
        self.former_keys.insert(key, old);
        let mut entered = self.end_key(by, old, Some(key));
        let recovery = pending.tx;
        let event = Event::RecoveryCompleted(history::RecoveryCompleted { recovery, bundle });
        entered.extend(self.both(by, body.patient, event));
        Ok(entered)
    }

    // Two ids, one person.

    pub fn adopt(&mut self, by: &By, body: &Adopted) -> Outcome {
        let patient = self.capable_patient(by)?;
        let adopted = body.adopted;
        refuse(70, adopted == patient)?;
        let ended = self.known_patient(&adopted)?;
        refuse(51, !ended.provisional && !self.is_capable(&adopted))?;
        let theirs = self.adopted.get(&adopted).cloned().unwrap_or_default();
        let mut ids = self.adopted.get(&patient).cloned().unwrap_or_default();
        refuse(70, ids.len() + theirs.len() + 1 > 31)?;
        let office = self.orgs[&ended.enrolled_by].enrolment_key;
        let speaker = if ended.provisional { office } else { ended.key };
        refuse(71, self.keys[&speaker].revoked)?;
        let message = Adopted::to_agree(&self.chain, &adopted, &patient);
        refuse(71, !is_signed(&speaker, &message, &body.agreement))?;
        let private = self.care_of(&adopted).private_labels;
        if !private.is_empty() {
            let mut care = self.care_of(&patient);
            let mut all: Vec<_> = care.private_labels.iter().cloned().collect();
            all.extend(private.iter().cloned());
            care.private_labels = Set::new(all).unwrap();
            refuse(70, care.private_labels.len() > 64)?;
            self.care.insert(patient, care);
        }
        let mut entered = Entered::new();
        if !self.keys[&ended.key].revoked {
            entered.extend(self.end_key(by, ended.key, None));
        }
        if let Some(plan) = self.recoveries.get_mut(&adopted)
            && let Some(dropped) = plan.pending.take()
        {
            self.reserved_keys.remove(&dropped.key);
        }
        let event = Event::Adopted(history::Adopted {
            adopted,
            by: patient,
        });
        entered.push((Subject::Patient(adopted), event.clone()));
        if ended.provisional {
            entered.push((Subject::Actor(ended.enrolled_by.into()), event.clone()));
        }
        entered.extend(self.both(by, patient, event));
        ids.push(adopted);
        ids.extend(&theirs);
        for id in theirs.into_iter().chain([adopted]) {
            self.adopted_by.insert(id, patient);
        }
        self.adopted.remove(&adopted);
        self.adopted.insert(patient, ids);
        Ok(entered)
    }

    // Committees.

    pub fn change_committee(&mut self, by: &By, body: &CommitteeChanged) -> Outcome {
        refuse(14, !self.is_member(&Self::office(by)?))?;
        refuse(100, body.epoch != self.committee.epoch() + 1)?;
        refuse(
            100,
            body.from <= self.height || body.from > self.height + 100_000,
        )?;
        refuse(100, self.next.is_some())?;
        let mut members = Vec::new();
        for member in &body.members {
            let org = self.orgs.get(&member.org).ok_or(100)?;
            let gave_up = self.former_kems.get(&member.custodian_kem) == Some(&member.org);
            refuse(100, gave_up && org.custodian_kem != member.custodian_kem)?;
            // Its own validator's, now or before, or a new one.
            let own = Some(&Reserved::Validator(member.org));
            let mut present = self.committee.members().iter();
            let is_present =
                present.any(|one| (one.org, one.validator) == (member.org, member.validator));
            if self.reserved_keys.get(&member.validator) != own && !is_present {
                self.check_key(&member.validator)?;
            }
        }
        for member in &body.members {
            let (org, validator) = (member.org, member.validator);
            let is_new = members
                .iter()
                .all(|one: &Member| one.org != org && one.validator != validator);
            refuse(100, !is_new)?;
            members.push(Member { org, validator });
        }
        refuse(100, ![1, 4, 7, 10].contains(&members.len()))?;
        let message = body.to_approve(&self.chain);
        let mut agreeing: Vec<OrgId> = Vec::new();
        for approval in &body.approvals {
            let office = self.orgs.get(&approval.org).map(|org| org.enrolment_key);
            let signed = office.is_some_and(|key| is_signed(&key, &message, &approval.signature));
            if signed && self.is_member(&approval.org) {
                agreeing.push(approval.org);
            }
        }
        agreeing.sort();
        agreeing.dedup();
        refuse(101, (agreeing.len() as u64) < self.custodians().t)?;
        for one in self.committee.members().iter().chain(&members) {
            self.reserved_keys
                .insert(one.validator, Reserved::Validator(one.org));
        }
        let mut concerned: Vec<OrgId> =
            self.committee.members().iter().map(|one| one.org).collect();
        concerned.extend(members.iter().map(|one| one.org));
        concerned.sort();
        concerned.dedup();
        self.next = Some(NextCommittee {
            from: body.from,
            committee: Committee::new(body.epoch, members).unwrap(),
            custodian_kems: body.members.iter().map(|one| one.custodian_kem).collect(),
        });
        let event = Event::CommitteeChanged(history::CommitteeChanged {
            epoch: body.epoch,
            from: body.from,
            members: body.members.iter().map(|one| one.org).collect(),
        });
        let subjects = concerned.into_iter().map(|org| Subject::Actor(org.into()));
        Ok(subjects.map(|subject| (subject, event.clone())).collect())
    }

    /// The next epoch begins with the next block: after everything else in this one.
    pub fn end_block(&mut self) {
        let Some(next) = self.next.take_if(|next| next.from == self.height + 1) else {
            return;
        };
        for (member, kem) in next.committee.members().iter().zip(next.custodian_kems) {
            let org = self.orgs.get_mut(&member.org).unwrap();
            org.validator = member.validator;
            self.give_kem(member.org, Some(kem));
        }
        let old = std::mem::replace(&mut self.committee, next.committee);
        self.former.insert(old.epoch(), old);
    }
}
