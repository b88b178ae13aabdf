//! Of records: filing, deals and slots, what patients and offices say of them.

use super::*;

impl Run {
    pub(super) fn record_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let (unique, now) = (self.unique(), self.model.now.clone());
        match one.kind {
            "add" => {
                let owner = self.person(b);
                let mut body = RecordAdded {
                    record: RecordId(unique[..16].try_into().unwrap()),
                    header: HeaderDigest(unique),
                    fingerprint: unique,
                    labels: labels_of(a),
                    custodians: now.custodians(),
                    ..record(20, owner, now.time)
                };
                if a % 3 == 0 {
                    body.confidentiality = Confidentiality::R;
                }
                match flaw {
                    1 => {
                        if let Some((author, of, print)) = some(now.fingerprints.keys(), a) {
                            (body.patient, body.fingerprint) = (*of, *print);
                            return (self.who(author), body.into());
                        }
                    }
                    2 => body.authored = Time(now.time + 1),
                    3 => body.custodians.epoch += 1,
                    4 => body.header = some(now.deposits.keys().copied(), a).unwrap_or(body.header),
                    5 => body.version = 2,
                    6 => body.supersedes = Some(HeaderDigest([1; 32])),
                    7 | 8 => {
                        let ms = 1_000 * u64::from(1 + a % 6);
                        body.release_at = Some(Time(now.time + ms));
                    }
                    _ => {}
                }
                let by = [10, 10, 11, 12, 14, 15].get(usize::from(c % 7));
                let by = by.map_or(Who::Patient(owner), |id| Who::Practitioner(*id));
                (by, body.into())
            }
            "amend" => {
                let id = self.record(a, |_, one| !one.erased || a % 8 == 0);
                let Some(head) = now.records.get(&id).cloned() else {
                    return (Who::Practitioner(10), record(20, 1, now.time).into());
                };
                let mut body = RecordAdded {
                    record: id,
                    patient: head.patient,
                    version: head.version + 1,
                    header: HeaderDigest(unique),
                    supersedes: Some(head.header),
                    confidentiality: head.confidentiality,
                    labels: head.labels,
                    encounter: head.encounter,
                    custodians: now.custodians(),
                    fingerprint: unique,
                    ..record(20, 1, now.time)
                };
                match flaw {
                    1 => body.labels = labels_of(b),
                    2 => body.confidentiality = Confidentiality::L,
                    3 => body.supersedes = Some(HeaderDigest([2; 32])),
                    4 => body.version += 1,
                    5 => body.patient = patient(self.person(b)),
                    6 => body.confidentiality = Confidentiality::V,
                    7 => body.encounter = Some([b % 2; 16]),
                    8 => body.release_at = Some(Time(now.time + 3_000)),
                    _ => {}
                }
                let by = match c % 6 {
                    0..3 => self.who(&head.author),
                    3 => Who::Patient(self.owner_of(&id)),
                    4 => Who::Practitioner(10),
                    _ => Who::Practitioner(11),
                };
                (by, body.into())
            }
            "acknowledge" => {
                let record = self.record(a, |_, one| {
                    let deposit = now.deposits.get(&one.header);
                    !one.erased && deposit.is_none_or(|one| one.acknowledged.count_ones() < 4)
                });
                let head = now.records.get(&record);
                let mut header = head.map_or(HeaderDigest(unique), |head| head.header);
                let epoch = head.map_or(0, |head| head.custodians.epoch);
                let (by, mut index) = self.custodian_in(epoch, c);
                match flaw {
                    1 => index += 1,
                    2 => header = HeaderDigest(unique),
                    _ => {}
                }
                let body = DepositAcknowledged {
                    record,
                    header,
                    index,
                };
                (by, body.into())
            }
            "erase" => {
                let record = self.record(a, |id, _| now.holds.contains_key(id) || a % 2 == 0);
                (
                    Who::Patient(self.owner_of(&record)),
                    Erased { record }.into(),
                )
            }
            "destroy" => {
                let record = self.record(a, |_, one| one.erased);
                let epoch = now
                    .records
                    .get(&record)
                    .map_or(0, |one| one.custodians.epoch);
                let epoch = if b % 3 == 0 {
                    now.committee.epoch()
                } else {
                    epoch
                };
                (self.custodian_in(epoch, c).0, Destroyed { record }.into())
            }
            _ => self.deal_body(one, unique),
        }
    }

    /// What is done with a version's key.
    pub(super) fn deal_body(&mut self, one: &Try, unique: [u8; 32]) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let now = self.model.now.clone();
        let answered = |one: &RequestState| {
            one.permits
                .iter()
                .any(|permit| permit.released.count_ones() > 2)
        };
        let request = self.request(b, answered).filter(|_| c % 2 == 0);
        let read = request.and_then(|id| now.requests.get(&id));
        let permitted = read
            .and_then(|one| some(&one.permits, a))
            .map(|one| one.record);
        let record = permitted.unwrap_or_else(|| {
            self.record(a, |_, record| match one.kind {
                "unslot" => now.slots.contains_key(&record.header),
                "acknowledge redeal" => now.deals.contains_key(&record.header),
                _ if c % 8 == 5 => record.release_at.is_some_and(|at| now.time < at.0),
                _ => !record.erased,
            })
        });
        let head = now.records.get(&record);
        let header = head.map_or(HeaderDigest(unique), |head| head.header);
        let header = if flaw == 1 {
            HeaderDigest(unique)
        } else {
            header
        };
        let owner = self.owner_of(&record);
        let reader = read.map(|one| self.who(&one.actor));
        let author = head
            .map(|head| self.who(&head.author))
            .filter(|_| c % 3 == 1);
        let deals = now.deals.get(&header).copied().unwrap_or_default();
        match one.kind {
            "slot" => {
                let kem = now
                    .patients
                    .get(&patient(owner))
                    .map_or([0; 32], |one| one.kem);
                let body = SlotAdded {
                    record,
                    header,
                    kem: if flaw == 2 { [0xcc; 32] } else { kem },
                    slot: unique,
                    request,
                };
                (
                    reader.or(author).unwrap_or(Who::Patient(owner)),
                    body.into(),
                )
            }
            "unslot" => (Who::Patient(owner), SlotRemoved { record, header }.into()),
            "redeal" => {
                let mut custodians = now.custodians();
                custodians.t += u64::from(flaw == 2);
                let body = Redealt {
                    record,
                    header,
                    deal: deals.newest + 1 + u64::from(flaw == 3),
                    custodians,
                    root: unique,
                    request,
                };
                (reader.unwrap_or(Who::Patient(owner)), body.into())
            }
            _ => {
                let deal = deals.newest + u64::from(flaw == 2);
                let state = now.deal.get(&(header, deal));
                let epoch = state.map_or(0, |one| one.custodians.epoch);
                let waits =
                    (0..4).find(|at| state.is_some_and(|one| one.acknowledged >> at & 1 == 0));
                let (by, index) =
                    self.custodian_in(epoch, waits.filter(|_| c % 8 != 0).unwrap_or(c));
                let index = index + u64::from(flaw == 3);
                let body = RedealAcknowledged {
                    record,
                    header,
                    deal,
                    index,
                };
                (by, body.into())
            }
        }
    }

    pub(super) fn standing_body(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let (reason, now) = (Hash(self.unique()), self.model.now.clone());
        let record = self.record(a, |id, record| match one.kind {
            "answer" => now.disputes.contains_key(id),
            "lift" => now.holds.contains_key(id),
            _ => !record.erased,
        });
        let owner = self.owner_of(&record);
        let head = now.records.get(&record);
        let filed_by = head.map_or(org(1), |head| head.filed_by);
        match one.kind {
            "relabel" => self.relabelling(one),
            "duplicate" => {
                let of = self.record(b, |_, other| {
                    head.is_some_and(|head| other.patient == head.patient)
                });
                (Who::Patient(owner), DuplicateOf { record, of }.into())
            }
            "dispute" => (Who::Patient(owner), Disputed { record, reason }.into()),
            "answer" => {
                let version = head.map_or(1, |head| head.version);
                let body = DisputeAnswered {
                    record,
                    rectified: (c % 2 == 0).then_some(version + u64::from(flaw == 1)),
                    reason,
                };
                let author = head.map_or(Who::Practitioner(10), |head| self.who(&head.author));
                let colleague = if filed_by == org(2) { 11 } else { 13 };
                let by = if b % 2 == 0 {
                    author
                } else {
                    Who::Practitioner(colleague)
                };
                (by, body.into())
            }
            "hold" => {
                let body = HoldPlaced {
                    record,
                    reason_code: token("litigation"),
                    countersignature: None,
                };
                (Who::Office(number(&filed_by)), body.into())
            }
            _ => (Who::Office(number(&filed_by)), HoldLifted { record }.into()),
        }
    }

    pub(super) fn relabelling(&mut self, one: &Try) -> (Who, Body) {
        let Try { a, b, c, flaw, .. } = *one;
        let now = self.model.now.clone();
        let is_minor = |id: &PatientId| now.time < now.patients[id].adult_from.0;
        let owner = self.patient_who(b, |id| {
            now.directives.contains_key(id) && (c % 2 == 0 || is_minor(id))
        });
        let records = (0..=c % 3).map(|nth| {
            let is_theirs = |_: &RecordId, one: &RecordState| {
                now.owner(&one.patient) == patient(owner) && !one.erased
            };
            let record = self.record(a.wrapping_add(nth), is_theirs);
            let labels = labels_of(c / 3);
            Relabelling { record, labels }
        });
        let mut records: Vec<_> = records.collect();
        if flaw == 1 {
            records.extend(records.first().copied());
        }
        let of = if flaw == 2 {
            some(now.directives.keys(), a)
        } else {
            None
        };
        let theirs = now.directives.get(of.unwrap_or(&patient(owner)));
        let theirs = theirs.into_iter().flatten();
        let directives = theirs
            .skip(usize::from(a % 4))
            .take(usize::from(b % 3))
            .map(|stored| {
                let mut terms = stored.directive.terms.clone();
                let tags = |old: &mut Option<Set<Symbol>>| {
                    if old.is_some() {
                        *old = Some(tags_of(labels_of(b)));
                    }
                };
                match &mut terms {
                    Terms::Grant(grant) => {
                        tags(&mut grant.scope.tags);
                        grant.delegable += u32::from(flaw == 3);
                    }
                    Terms::Restrict(restriction) => {
                        tags(&mut restriction.scope.tags);
                        if flaw == 5 {
                            restriction.except = Exceptions::default();
                        }
                    }
                    _ => {}
                }
                DirectiveRelabelling {
                    directive: TxId(stored.directive.id.as_bytes().try_into().unwrap()),
                    terms,
                }
            });
        let mut directives: Vec<_> = directives.collect();
        if flaw == 4 {
            directives.extend(directives.first().cloned());
        }
        let private = (a % 3 == 0).then(|| tags_of(labels_of(a / 4)));
        let body = Relabelled {
            records,
            directives,
            private,
        };
        (Who::Patient(owner), body.into())
    }
}
