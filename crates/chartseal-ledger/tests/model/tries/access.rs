//! Of access: directives, grants by quorum, emergencies, requests, releases.

use super::*;

impl Run {
    pub(super) fn directive_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let now = self.model.now.clone();
        let with_record = self.owner_of(&self.record(b, |_, one| !one.erased));
        let owner = if a % 4 == 0 {
            self.person(b)
        } else {
            with_record
        };
        let record = self.record(a, |_, one| one.patient == patient(owner));
        let soon = Some(chartseal_policy::Time(now.time + 3_000));
        let theirs = now.directives.get(&patient(owner)).into_iter().flatten();
        let nth = some(theirs, a).map(|stored| stored.directive.id.clone());
        let of_other = || some(now.directives.values().flatten(), a);
        let target = match flaw {
            1 => None,
            2 => of_other().map(|stored| stored.directive.id.clone()),
            _ => nth,
        };
        let target = target.unwrap_or(symbol([0xdd; 32]));
        let terms = match one.kind {
            "grant" => {
                let Terms::Grant(mut grant) = grant(10 + c % 4, None) else {
                    unreachable!()
                };
                match flaw {
                    1 => grant.scope.classes = Some(Set::one(symbol("record"))),
                    2 | 3 => grant.window.until = soon,
                    4 => grant.scope.to = Some(Set::one(Grantee::Any)),
                    5 => grant.scope.conf = Some(Confidentiality::V),
                    6 => grant.scope.tags = Some(tags_of(Labels::inbox())),
                    7 => {
                        let purposes = [Purpose::Treat, Purpose::Btg, Purpose::Hpaymt];
                        grant.scope.purposes = Some(Set::new(purposes).unwrap());
                    }
                    _ => {}
                }
                Terms::Grant(grant)
            }
            "restrict" => {
                let mut restriction = Restriction::default();
                match c % 6 {
                    0..4 => restriction.scope.records = Some(Set::one(symbol(record.0))),
                    4 if a % 2 == 0 => {
                        restriction.scope.tags = Some(tags_of(labels_of(a)));
                    }
                    4 => restriction.nested_grants = true,
                    _ => restriction.supersedes = Set::one(target),
                }
                match flaw {
                    1 => restriction.scope.classes = Some(Set::default()),
                    2 | 3 => restriction.window.until = soon,
                    4..8 => restriction.overridable = Override::Never,
                    8 => {
                        restriction.except = Exceptions::new([Exception {
                            depth: 1,
                            effect: Effect::Permit,
                            scope: Scope {
                                tags: Some(tags_of(labels_of(b))),
                                ..Scope::default()
                            },
                        }])
                        .unwrap();
                    }
                    _ => {}
                }
                Terms::Restrict(restriction)
            }
            "revoke" => Terms::Revoke(Revocation { target }),
            _ => match flaw {
                3 => Terms::Emergency(Declaration {
                    from: chartseal_policy::Time(now.time),
                    has_reason: true,
                    closed: None,
                }),
                4 => Terms::Approve(Approval {
                    target: symbol("short"),
                    at: chartseal_policy::Time(now.time),
                }),
                _ => Terms::Approve(Approval {
                    target,
                    at: chartseal_policy::Time(now.time + u64::from(flaw == 5)),
                }),
            },
        };
        let by = match c / 6 % 6 {
            0 => {
                let guardians = now.care_of(&patient(owner)).guardians;
                let guardian = some(guardians, a).map(|term| self.who(&term.guardian));
                guardian.unwrap_or(Who::Patient(owner))
            }
            1 => Who::Practitioner(10 + a % 4),
            _ => Who::Patient(owner),
        };
        (by, directive(owner, terms).into())
    }

    pub(super) fn quorum_grant(&mut self, one: &Try) -> Vec<Prepared> {
        let Try { a, b, c, .. } = *one;
        let now = self.model.now.clone();
        let owner = self.patient_who(b, |id| now.care_of(id).quorum.is_some());
        let quorum = now.care_of(&patient(owner)).quorum;
        let members: Vec<u8> = quorum
            .iter()
            .flat_map(|one| one.members.iter())
            .map(|one| one.as_bytes()[0])
            .collect();
        let sender = some(members.iter().copied(), a).unwrap_or(10);
        let key = self.key_of(one.by.unwrap_or(self.who(&actor(sender))));
        let Terms::Grant(mut terms) = grant(10 + c % 4, None) else {
            unreachable!()
        };
        if one.flaw == 1 {
            terms.scope.classes = Some(Set::default());
        }
        let body = QuorumGranted {
            patient: patient(owner),
            grant: terms,
            sealed: None,
        };
        let granted = (key.clone(), self.next_seq(&key) + 1, body.into());
        let id = self.transaction(&granted).sign(|_| Signature([0; 64])).id();
        let approving = members
            .iter()
            .take(members.len() - usize::from(one.flaw == 2 && !members.is_empty()));
        let approvals = approving.map(|by| {
            let key = self.key_of(self.who(&actor(*by)));
            let terms = Terms::Approve(Approval {
                target: symbol(id.0),
                at: chartseal_policy::Time(now.time),
            });
            (
                key.clone(),
                self.next_seq(&key),
                directive(owner, terms).into(),
            )
        });
        approvals.chain([granted.clone()]).collect()
    }

    pub(super) fn access_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let (reason, now) = (Hash(self.unique()), self.model.now.clone());
        match one.kind {
            "declare" => {
                let body = EmergencyDeclared {
                    patient: patient(self.owner_of(&self.record(b, |_, one| !one.erased))),
                    reason_code: token("unconscious"),
                    reason,
                    has_reason: flaw != 1,
                };
                let by = if c % 4 == 0 { 10 } else { 12 };
                (Who::Practitioner(by), body.into())
            }
            "review" => {
                let request = self.request(a, |one| {
                    one.emergency.is_some() && (!one.reviewed || c % 4 == 0)
                });
                let body = EmergencyReviewed {
                    request: request.filter(|_| flaw != 1).unwrap_or(TxId(reason.0)),
                    justified: b % 2 == 0,
                };
                let by = [13, 10, 14, 13, 13, 12][usize::from(c % 6)];
                (Who::Practitioner(by), body.into())
            }
            "release" => {
                let request = self.request(a, |one| !one.permits.is_empty());
                let permits = request
                    .and_then(|id| now.requests.get(&id))
                    .map(|one| one.permits.clone());
                let permits = permits.unwrap_or_default();
                let mut records: Vec<_> = permits.iter().map(|one| one.record).collect();
                let epoch = permits
                    .first()
                    .map_or(0, |one| now.releasing_set(&one.header).epoch);
                let mut receipts = permits.first().map_or(0, |one| {
                    let is_same = one.deal == now.durable(&one.header);
                    if is_same { one.released } else { 0 }
                });
                match flaw {
                    1 => records.push(record_id(20)),
                    2 => records.extend(records.first().copied()),
                    3 => records.truncate(1),
                    4 => receipts = 0,
                    _ => {}
                }
                let waits = (0..4).find(|at| receipts >> at & 1 == 0);
                let by = self.custodian_in(epoch, waits.unwrap_or(c)).0;
                let body = Released {
                    request: request.filter(|_| flaw != 5).unwrap_or(TxId(reason.0)),
                    records,
                };
                (by, body.into())
            }
            _ => {
                let asker = c % 8;
                let emergency = now.directives.iter().filter(|(_, all)| {
                    let mut all = all.iter().map(|stored| &stored.directive.terms);
                    all.any(|terms| matches!(terms, Terms::Emergency(_)))
                });
                let emergency = some(emergency, b).filter(|_| asker < 3).map(|(id, _)| *id);
                let first = self.record(a, |_, one| {
                    let is_pending = one.release_at.is_some_and(|at| now.time < at.0);
                    !one.erased
                        && emergency.is_none_or(|id| one.patient == id)
                        && (asker != 3 || is_pending || b % 2 == 0)
                });
                let named = if flaw == 8 {
                    self.person(b)
                } else {
                    self.owner_of(&first)
                };
                let mut records = vec![first];
                if b % 4 == 0 {
                    records.push(
                        self.record(a.wrapping_add(1), |_, one| one.patient == patient(named)),
                    );
                    records.push(self.record(c, |_, _| true));
                    records.dedup();
                }
                match flaw {
                    1 => records.clear(),
                    2 => records.extend(records.first().copied()),
                    _ => {}
                }
                let guardian = some(now.care_of(&patient(named)).guardians, a);
                let by = match asker {
                    0 | 1 => Who::Practitioner(12),
                    2 => Who::Practitioner(10),
                    3 => Who::Patient(named),
                    4 => guardian.map_or(Who::Practitioner(15), |term| self.who(&term.guardian)),
                    5 => Who::Practitioner(10 + b % 6),
                    _ => self.grantee(named, b),
                };
                let purpose = match (asker, flaw) {
                    (_, 3) => "NONSENSE",
                    (_, 4) => "HPAYMT",
                    (0..3, _) => "BTG",
                    (3, _) => "PATRQT",
                    (4, _) => "FAMRQT",
                    _ => "TREAT",
                };
                let action = match flaw {
                    5 => "nonsense",
                    6 => "export",
                    7 => ["create", "search"][usize::from(b % 2)],
                    _ => "read",
                };
                let body = AccessRequested {
                    records,
                    action: token(action),
                    ..ask(named, &[], purpose)
                };
                (by, body.into())
            }
        }
    }
}
