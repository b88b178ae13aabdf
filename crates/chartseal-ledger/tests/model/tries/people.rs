//! Of people: guardians, status, recovery, adoption, keys, enrolments, committees.

use super::*;

impl Run {
    pub(super) fn care_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let now = self.model.now.clone();
        let owner = self.person(b);
        let id = patient(owner);
        let (care, decider) = (now.care_of(&id), self.decider(owner));
        let guardian = [10, 11, 13, 1, 2, 12][usize::from(a % 6)];
        match one.kind {
            "appoint" => {
                let ground = match decider {
                    Who::Patient(_) => Ground::Proxy,
                    _ if care.incapacitated || care.dead => Ground::Incapacity,
                    _ => Ground::Minority,
                };
                let until = |at| Some(chartseal_policy::Time(at));
                let body = GuardianAppointed {
                    patient: id,
                    guardian: match flaw {
                        1 => actor(owner),
                        2 => actor(3),
                        _ => actor(guardian),
                    },
                    ground: if flaw == 3 { Ground::Minority } else { ground },
                    window: Window {
                        from: None,
                        until: match flaw {
                            4 => until(now.time),
                            _ if c % 3 == 0 => until(now.time + 4_000),
                            _ => None,
                        },
                    },
                    countersignature: None,
                };
                (decider, body.into())
            }
            "remove" => {
                let owner = self.patient_who(b, |id| !now.care_of(id).guardians.is_empty());
                let term = some(now.care_of(&patient(owner)).guardians, a);
                let guardian = term.map_or(actor(guardian), |term| term.guardian);
                let body = GuardianRemoved {
                    patient: patient(owner),
                    guardian,
                    countersignature: None,
                };
                let by = if c % 4 == 0 {
                    self.who(&guardian)
                } else {
                    self.decider(owner)
                };
                (by, body.into())
            }
            "quorum" => {
                let members = [10, 11, guardian].map(|id| symbol([id; 16]));
                let extra = match flaw {
                    1 => Some(symbol(id.0)),
                    2 => Some(symbol("nobody")),
                    3 => Some(symbol([3; 16])),
                    _ => None,
                };
                let members = Set::new(members.into_iter().chain(extra)).unwrap();
                let k = match flaw {
                    4 => 0,
                    6 => 9,
                    _ => 1 + u32::from(c % 2),
                };
                let ttl = None;
                let quorum = (c % 8 != 0).then_some(Quorum { k, members, ttl });
                let body = QuorumSet {
                    patient: id,
                    quorum,
                    countersignature: None,
                };
                (decider, body.into())
            }
            _ => {
                let is_without = care.incapacitated || care.dead;
                let is_minor = now
                    .patients
                    .get(&id)
                    .is_some_and(|one| now.time < one.adult_from.0);
                let status = match (flaw, c % 4) {
                    (1, _) => Status::Majority(Time(MONTHS[1].0 + 1)),
                    (2, _) => Status::Majority(MONTHS[0]),
                    (3, _) => Status::Capacity,
                    (4, _) => Status::Incapacity,
                    (_, 0 | 1) if is_without => Status::Capacity,
                    (_, 0) if is_minor => Status::Majority(MONTHS[1 + usize::from(a % 2)]),
                    (_, 1) if is_minor => Status::MinorConsent(MONTHS[1 + usize::from(a % 2)]),
                    (_, 2) if a % 2 == 0 => Status::Death,
                    _ => Status::Incapacity,
                };
                let enroller = now.patients.get(&id).map_or(org(1), |one| one.enrolled_by);
                let body = StatusChanged {
                    patient: id,
                    status,
                    countersignature: None,
                };
                (Who::Office(number(&enroller)), body.into())
            }
        }
    }

    pub(super) fn identity_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let (unique, now) = (self.unique(), self.model.now.clone());
        let owner = self.patient_who(b, |id| {
            let plan = now.recoveries.get(id);
            let is_pending = plan.is_some_and(|plan| plan.pending.is_some());
            match one.kind {
                "start" => plan.is_some_and(|plan| !plan.guardians.is_empty()) && !is_pending,
                "veto" | "complete" => is_pending,
                _ => now.is_capable(id) && !now.adopted_by.contains_key(id),
            }
        });
        let id = patient(owner);
        let plan = now.recoveries.get(&id).cloned();
        let guardians = plan
            .as_ref()
            .map(|plan| plan.guardians.clone())
            .unwrap_or_default();
        let guardian =
            some(guardians.clone(), a).map_or(Who::Practitioner(10), |one| self.who(&one));
        match one.kind {
            "plan" => {
                let mut guardians = vec![actor(2), actor(10), actor(11)];
                guardians.retain(|one| *one != id.into());
                let (mut k, mut delay_ms) = (1 + u64::from(c % 2), 3_000 + u64::from(a % 2));
                match flaw {
                    1 => guardians.reverse(),
                    2 => k = 0,
                    3 => k = 4,
                    4 => delay_ms = 2_999,
                    5 => guardians = vec![id.into()],
                    6 => {
                        guardians.clear();
                        delay_ms = 0;
                    }
                    8 => guardians.insert(0, guardians[0]),
                    7 => guardians.push(actor(0x70)),
                    _ => {}
                }
                let bundle = Hash(unique);
                let body = RecoveryPlanned {
                    bundle,
                    guardians,
                    k,
                    delay_ms,
                };
                (Who::Patient(owner), body.into())
            }
            "start" => {
                let new = if flaw == 1 { office(1) } else { self.new_key() };
                let message = KeyRotated::to_possess(&now.chain, &id.into(), &new.public());
                let mut body = RecoveryStarted {
                    patient: id,
                    key: new.public(),
                    kem: unique,
                    possession: new.sign(if flaw == 2 { b"another" } else { &message }),
                    approvals: vec![],
                };
                let (bundle, number, k) =
                    plan.map_or((Hash::ZERO, 0, 1), |one| (one.bundle, one.number, one.k));
                let message = body.to_approve(&now.chain, &bundle, number + u64::from(flaw == 3));
                let take = usize::try_from(k).unwrap() - usize::from(flaw == 4 || flaw == 6);
                let approvals = guardians
                    .iter()
                    .take(take)
                    .map(|guardian| RecoveryApproval {
                        guardian: *guardian,
                        signature: self.key_of(self.who(guardian)).sign(&message),
                    });
                body.approvals = approvals.collect();
                if flaw == 5 {
                    body.approvals.extend(body.approvals.first().copied());
                }
                (guardian, body.into())
            }
            "veto" => {
                let of = if flaw == 1 {
                    patient(self.person(a))
                } else {
                    id
                };
                (Who::Patient(owner), RecoveryVetoed { patient: of }.into())
            }
            "complete" => (guardian, RecoveryCompleted { patient: id }.into()),
            _ => {
                let provisional = self.patient_who(a, |other| {
                    now.patients[other].provisional && !now.adopted_by.contains_key(other)
                });
                let adopted = if c % 4 == 0 {
                    self.person(c)
                } else {
                    provisional
                };
                let adopted = if flaw == 1 {
                    some(now.adopted_by.keys(), a).map_or(adopted, |id| id.0[0])
                } else {
                    adopted
                };
                let state = now.patients.get(&patient(adopted));
                let speaker = match state {
                    Some(state) if state.provisional => Who::Office(number(&state.enrolled_by)),
                    _ => Who::Patient(adopted),
                };
                let message = Adopted::to_agree(&now.chain, &patient(adopted), &id);
                let speaker = if flaw == 2 {
                    Who::Patient(owner)
                } else {
                    speaker
                };
                let body = Adopted {
                    adopted: patient(adopted),
                    agreement: self.key_of(speaker).sign(&message),
                };
                (Who::Patient(owner), body.into())
            }
        }
    }

    pub(super) fn office_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let now = self.model.now.clone();
        let used = office(1).public();
        match (one.kind, c % 4) {
            ("key", 1) if b % 2 == 0 => {
                let of = 1 + a % 4;
                let new = self.new_key();
                let holder = org(of + u8::from(flaw == 2)).into();
                let message = KeyRotated::to_possess(&now.chain, &holder, &new.public());
                let rotation = KeyRotated {
                    key: if flaw == 1 { used } else { new.public() },
                    kem: (a % 3 == 0).then_some([a; 32]),
                    possession: new.sign(&message),
                };
                let by = match flaw {
                    3 => Who::Custodian(of),
                    _ => Who::Office(of),
                };
                (by, CustodianReplaced { rotation }.into())
            }
            ("key", 0..2) => {
                let who = [
                    Who::Practitioner(10 + a % 4),
                    Who::Patient(self.person(b)),
                    Who::Custodian(1 + a % 4),
                    Who::Office(1 + a % 3),
                ][usize::from(b % 4)];
                let by = one.by.unwrap_or(who);
                let holder = now
                    .keys
                    .get(&self.key_of(by).public())
                    .map(|key| key.holder.actor());
                let new = self.new_key();
                let message =
                    KeyRotated::to_possess(&now.chain, &holder.unwrap_or(actor(0)), &new.public());
                let is_office = matches!(by, Who::Office(_));
                let body = KeyRotated {
                    key: if flaw == 1 { used } else { new.public() },
                    kem: (is_office == (flaw == 2)).then_some([a; 32]),
                    possession: new.sign(if flaw == 3 { b"another" } else { &message }),
                };
                (who, body.into())
            }
            ("key", 2) => {
                let who = Who::Practitioner(10 + a % 6);
                let key = match flaw {
                    1 => some(now.keys.keys().copied(), b).unwrap_or(used),
                    2 => Key::new("nobody").public(),
                    3 => self.key_of(Who::Patient(self.person(b))).public(),
                    _ => self.key_of(who).public(),
                };
                let of = now
                    .actors
                    .get(&actor(10 + a % 6))
                    .map_or(1, |one| number(&one.org));
                let by = if flaw == 3 && b % 2 == 0 {
                    Who::Patient(self.person(b))
                } else {
                    Who::Office(of)
                };
                (by, KeyRevoked { key }.into())
            }
            ("key", _) => {
                let suspended = now
                    .actors
                    .iter()
                    .filter(|(_, one)| one.suspended_from.is_some());
                let id = some(suspended, a).map_or(10, |(id, _)| id.0[0]);
                let of = now.actors.get(&actor(id)).map_or(1, |one| number(&one.org));
                let enrolment = self.practitioner(one, id, of);
                (Who::Office(of), PractitionerReinstated { enrolment }.into())
            }
            ("enrol", 0) => {
                let of = 1 + b % 3;
                let enrolment =
                    self.practitioner(one, if flaw == 6 { a % 8 } else { 14 + a % 3 }, of);
                (Who::Office(of), enrolment.into())
            }
            ("enrol", 1) => {
                let mut body = Organization {
                    id: if flaw == 1 { org(1) } else { org(5 + a % 3) },
                    enrolment_key: self.new_key().public(),
                    custodian_key: self.new_key().public(),
                    custodian_kem: [a; 32],
                    validator: self.new_key().public(),
                };
                match flaw {
                    2 => body.custodian_key = used,
                    3 => body.validator = body.enrolment_key,
                    5 => body.validator = now.orgs[&org(1 + a % 5)].validator,
                    6 => body.custodian_key = now.orgs[&org(1 + a % 5)].validator,
                    7 => body.validator = used,
                    4 => body.enrolment_key = used,
                    _ => {}
                }
                let body = OrganizationEnrolled { organization: body };
                (Who::Office(1 + b % 5), body.into())
            }
            ("enrol", _) => {
                let id = 6 + a % 2;
                let (key, kem) = (self.new_key(), [id; 32]);
                let mut body = PatientEnrolled {
                    patient: patient(if flaw == 1 { a % 16 } else { id }),
                    key: match flaw {
                        2 => used,
                        6 => self.waiting_key().map_or(used, |key| key.public()),
                        _ => key.public(),
                    },
                    kem,
                    history_salt: [id ^ 0xff; 32],
                    agreement: None,
                    adult_from: if b % 3 == 0 { MAJORITY } else { Time(0) },
                    minor_consent_from: (b % 6 == 0).then_some(MONTHS[2]),
                };
                match flaw {
                    3 => body.adult_from.0 += 1,
                    4 => body.minor_consent_from = Some(Time(1)),
                    _ => {}
                }
                if b % 4 != 1 {
                    body.agreement = Some(key.sign(&body.to_agree(&now.chain)));
                }
                if flaw == 5 || flaw == 6 {
                    body.kem = [0; 32];
                }
                (Who::Office(1 + b % 3), body.into())
            }
            _ => {
                let first = a % 3;
                let n = match (flaw, c / 4 % 8) {
                    (1, _) => 3,
                    (_, 0) => 1,
                    (_, 1) => 7,
                    _ => 4,
                };
                let members = (0..n).map(|nth| {
                    let org = if flaw == 2 {
                        org(9)
                    } else {
                        org(1 + (first + nth) % if n == 7 { 7 } else { 5 })
                    };
                    NextMember {
                        org,
                        validator: match (flaw, c % 3) {
                            (3, 0) => used,
                            // Another organization's, or its own.
                            (3, 1) => now.orgs[&super::org(1 + a % 5)].validator,
                            (_, 1) => {
                                let own = now.orgs.get(&org).map(|one| one.validator);
                                own.unwrap_or(used)
                            }
                            _ => self.new_key().public(),
                        },
                        custodian_kem: some(now.former_kems.keys().copied(), b)
                            .filter(|_| c % 4 == 0)
                            .unwrap_or([c; 32]),
                    }
                });
                let mut body = CommitteeChanged {
                    epoch: now.committee.epoch() + 1 + u64::from(flaw == 4),
                    from: match flaw {
                        5 => now.height,
                        6 => now.height + 100_001,
                        8 if a % 4 == 0 => now.height + 100_000,
                        _ => now.height + u64::from(1 + b % 3),
                    },
                    members: members.collect(),
                    approvals: vec![],
                };
                let message = body.to_approve(&now.chain);
                let present = now.committee.members().iter().map(|one| one.org);
                let skipped = match flaw {
                    7 => 2,
                    // Just enough agree.
                    _ if b % 4 == 0 => now.committee.members().len() / 3,
                    _ => 0,
                };
                let present: Vec<_> = present.skip(skipped).collect();
                let approvals = present.iter().map(|org| Countersignature {
                    org: *org,
                    signature: self.key_of(Who::Office(number(org))).sign(&message),
                });
                body.approvals = approvals.collect();
                if flaw == 7 {
                    body.approvals.extend(body.approvals.clone());
                }
                (
                    Who::Office(number(&now.committee.members()[0].org)),
                    body.into(),
                )
            }
        }
    }

    /// The key of a recovery that waits: all see it.
    fn waiting_key(&self) -> Option<Key> {
        let mut plans = self.model.now.recoveries.values();
        let public = plans.find_map(|plan| Some(plan.pending?.key))?;
        self.ring.get(&public).cloned()
    }

    /// A practitioner with a new key.
    pub(super) fn practitioner(&mut self, one: &Try, id: u8, of: u8) -> PractitionerEnrolled {
        let Try { b, flaw, .. } = *one;
        let now = &self.model.now;
        let roles = if b % 2 == 0 {
            symbols(&["doctor", "emergency"])
        } else {
            symbols(&["privacy"])
        };
        let many = (0..17u8).map(|role| symbol([b'a' + role]));
        let until = chartseal_policy::Time(now.time + 4_000);
        let (chain, second) = (now.chain, org(of % 4 + 1));
        let key = match flaw {
            1 if b % 2 == 0 => self.waiting_key().unwrap_or(office(1)),
            1 => office(1),
            _ => self.new_key(),
        };
        let mut body = PractitionerEnrolled {
            actor: actor(id),
            key: key.public(),
            kem: [id; 32],
            roles: if flaw == 2 || flaw == 7 {
                Set::new(many).unwrap()
            } else {
                roles
            },
            credential: Window {
                from: None,
                until: (b % 3 == 0).then_some(until),
            },
            countersignature: None,
        };
        let message = body.to_countersign(&chain, &org(if flaw == 3 { 5 } else { of }));
        let signature = self.key_of(Who::Office(number(&second))).sign(&message);
        if flaw != 4 {
            let org = if flaw == 5 { org(of) } else { second };
            body.countersignature = Some(Countersignature { org, signature });
        }
        body
    }
}
