//! Requests, releases and floods.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chartseal_ledger::INBOX;
use chartseal_ledger::body::{AccessRequested, Ground, Released};
use chartseal_ledger::state::{
    Counted, Denials, OpenEmergency, OpenFlood, OrgDenials, Permit, RequestState,
};
use chartseal_merkle::Frontier;
use chartseal_policy::{
    Actor, Code, Directive, Effect, Guardian, Issuer, Network, Obligation, Patient, Record,
    Request, Set, Symbol, Terms, World, decide,
};
use chartseal_wire::history::{self, Access, OwnAccess, OwnOutcome, outcome_commitment};
use chartseal_wire::{ActorId, Entry, Event, OrgId, PatientId, RecordId, Subject, Time, TxId};

use crate::access::{id16, id32, symbol};
use crate::common::token;
use crate::plain::{By, Entered, Outcome, Plain, refuse};
use crate::records::check_list;

impl Plain {
    pub fn ask(&mut self, by: &By, body: &AccessRequested) -> Outcome {
        check_list(body.records.iter().copied())?;
        let named = self.owner(&body.patient);
        let window = Time(self.time + self.params.release_window_ms);
        let (mut outcomes, mut permits, mut emergency) = (Vec::new(), Vec::new(), None);
        for record in &body.records {
            let decision = decide(
                &Eyes {
                    plain: self,
                    asker: by.actor,
                },
                &Request {
                    actor: symbol(by.actor.0),
                    patient: symbol(named.0),
                    record: symbol(record.0),
                    action: body.action.as_str().parse().ok(),
                    purpose: body.purpose.as_str().parse().ok(),
                    time: self.policy_time(),
                    position: self.position(),
                },
            );
            let head = self.records.get(record);
            let header = head.map(|head| head.header);
            let permitted = decision.effect == Effect::Permit;
            if let Some(header) = header
                && permitted
                && ["read", "export"].contains(&body.action.as_str())
            {
                let end = decision.valid_until.map_or(window, |end| Time(end.0));
                permits.push(Permit {
                    record: *record,
                    header,
                    until: end.min(window),
                    released: 0,
                    deal: self.durable(&header),
                });
            }
            if decision.code == Code::Emergency {
                emergency = emergency.or(decision.by.first().and_then(id32));
            }
            let outcome = history::Outcome {
                record: *record,
                header,
                permitted,
                code: token(decision.code.as_str()),
                basis: decision.by.iter().map(|id| token(&word(id))).collect(),
                obligations: decision.obligations.iter().map(obligation).collect(),
            };
            outcomes.push((head.map(|head| self.owner(&head.patient)), outcome));
        }
        let until = permits.iter().map(|one| one.until).max();
        let (entered, is_listed) = self.enter_access(by, body, &outcomes, until);
        let emergency = emergency.map(TxId);
        if let Some(declaration) = emergency {
            self.change_unreviewed(by.org, declaration, 1);
        }
        if is_listed {
            let request = RequestState {
                actor: by.actor,
                org: by.org,
                patient: body.patient,
                action: body.action.clone(),
                purpose: body.purpose.clone(),
                reader: body.reader,
                decided: Time(self.time),
                position: self.position(),
                permits,
                emergency,
                reviewed: false,
            };
            self.requests.insert(by.tx, request);
        }
        Ok(entered)
    }

    /// With the named patient, each other owner, and the actor; or counted.
    fn enter_access(
        &mut self,
        by: &By,
        body: &AccessRequested,
        outcomes: &[(Option<PatientId>, history::Outcome)],
        release_until: Option<Time>,
    ) -> (Entered, bool) {
        let named = self.owner(&body.patient);
        let salt_of = |id: &PatientId| self.patients.get(id).map(|one| one.history_salt);
        let fallback = salt_of(&named).unwrap_or(self.salt);
        let own = outcomes.iter().map(|(owner, one)| {
            let salt = owner.as_ref().and_then(salt_of).unwrap_or(fallback);
            OwnOutcome {
                record: one.record,
                permitted: one.permitted,
                outcome: outcome_commitment(&salt, &by.tx, one),
            }
        });
        let own = OwnAccess {
            action: body.action.clone(),
            purpose: body.purpose.clone(),
            reason_code: body.reason_code.clone(),
            patient: body.patient,
            records: own.collect(),
        };
        let access = |foreign_claim, records, release_until| {
            Event::Access(Access {
                action: body.action.clone(),
                purpose: body.purpose.clone(),
                reason_code: body.reason_code.clone(),
                reason: body.reason,
                foreign_claim,
                records,
                release_until,
            })
        };
        // Each patient's part is judged apart: who does not exist is the named one's.
        let mut others: BTreeMap<PatientId, Vec<history::Outcome>> = BTreeMap::new();
        let mut is_named_permitted = false;
        for (owner, one) in outcomes {
            match owner.filter(|owner| *owner != named) {
                Some(owner) => others.entry(owner).or_default().push(one.clone()),
                None => is_named_permitted |= one.permitted,
            }
        }
        let is_permitted = |part: &[history::Outcome]| part.iter().any(|one| one.permitted);
        let is_any_denied = !is_named_permitted || others.values().any(|part| !is_permitted(part));
        let is_over = is_any_denied && self.is_over_quota(by);
        let is_listed = is_named_permitted || self.lists(by, body.patient, false, is_over);
        let mut entered = Entered::new();
        if is_listed && self.patients.contains_key(&named) {
            let seen = outcomes.iter().map(|(owner, one)| history::Outcome {
                header: one.header.filter(|_| *owner == Some(named)),
                ..one.clone()
            });
            let event = access(false, seen.collect(), release_until);
            entered.push((Subject::Patient(named), event));
        }
        for (owner, theirs) in others {
            if is_permitted(&theirs) || self.lists(by, owner, true, is_over) {
                entered.push((Subject::Patient(owner), access(true, theirs, None)));
            }
        }
        if is_listed {
            entered.push((Subject::Actor(by.actor), Event::OwnAccess(own)));
        }
        (entered, is_listed)
    }

    pub fn release(&mut self, by: &By, body: &Released) -> Outcome {
        let org = Self::custodian(by)?;
        check_list(body.records.iter().copied())?;
        let mut request = self.requests.get(&body.request).cloned().ok_or(42)?;
        let mut index = None;
        for record in &body.records {
            let mut permits = request.permits.iter_mut();
            let permit = permits.find(|one| one.record == *record).ok_or(45)?;
            let epoch = self.releasing_set(&permit.header).epoch;
            let custodian = self.index_in(epoch, &org)?;
            refuse(34, index.is_some_and(|index| index != custodian))?;
            index = Some(custodian);
            let bit = 1 << (custodian - 1);
            let deal = self.durable(&permit.header);
            let before = if permit.deal == deal {
                permit.released
            } else {
                0
            };
            refuse(46, before & bit != 0)?;
            (permit.deal, permit.released) = (deal, before | bit);
        }
        let patient = request.patient;
        self.requests.insert(body.request, request);
        let event = history::Released {
            request: body.request,
            custodian: index.unwrap_or(0),
            records: body.records.clone(),
        };
        Ok(self.both(by, patient, Event::Released(event)))
    }

    // Floods.

    fn window_end(&self) -> Time {
        let window = self.params.denial_window_ms;
        Time((self.time / window + 1) * window)
    }

    fn is_over_quota(&mut self, by: &By) -> bool {
        let org = self.answerable(by);
        let until = self.window_end();
        let denials = self.org_denials.entry(org).or_default();
        if denials.until != until {
            *denials = OrgDenials { until, count: 0 };
        }
        denials.count += 1;
        denials.count > self.params.max_listed_denials_per_org
    }

    /// Whether a denied attempt is listed one by one, and not counted.
    fn lists(&mut self, by: &By, patient: PatientId, foreign_claim: bool, is_over: bool) -> bool {
        // All that nobody has are one id.
        let is_somebody = self.patients.contains_key(&patient);
        let patient = if is_somebody {
            patient
        } else {
            PatientId([0; 16])
        };
        let until = self.window_end();
        let denials = self
            .denials
            .entry((by.actor, patient, foreign_claim))
            .or_default();
        if denials.until != until {
            *denials = Denials {
                until,
                ..Denials::default()
            };
        }
        let is_room = !is_over && denials.listed < self.params.max_listed_denials;
        if denials.counted.is_none() && is_room {
            denials.listed += 1;
            return true;
        }
        if denials.counted.is_none() {
            self.floods.push(OpenFlood {
                until,
                actor: by.actor,
                org: by.org,
                patient,
                foreign_claim,
            });
        }
        let counted = denials.counted.get_or_insert(Counted {
            log: Frontier::new(),
            last: by.tx,
        });
        counted.log.append(history::Flood::leaf(&by.tx));
        counted.last = by.tx;
        false
    }

    /// What a block enters before its transactions: the counts whose window is over.
    pub fn end_floods(&mut self) -> Vec<(Subject, Entry)> {
        let mut entered = Vec::new();
        let floods = std::mem::take(&mut self.floods);
        for flood in floods {
            if flood.until.0 > self.time {
                self.floods.push(flood);
                continue;
            }
            let key = (flood.actor, flood.patient, flood.foreign_claim);
            let counted = self.denials.remove(&key).unwrap().counted.unwrap();
            let from = Time(flood.until.0 - self.params.denial_window_ms);
            let entry = Entry {
                height: self.height,
                time: Time(self.time),
                tx: counted.last,
                actor: flood.actor,
                org: flood.org,
                event: Event::Flood(history::Flood {
                    patient: flood.patient,
                    foreign_claim: flood.foreign_claim,
                    from,
                    until: flood.until,
                    count: counted.log.size(),
                    root: counted.log.root(),
                }),
            };
            let owner = self.owner(&flood.patient);
            if self.patients.contains_key(&owner) {
                entered.push((Subject::Patient(owner), entry.clone()));
            }
            if !flood.foreign_claim {
                entered.push((Subject::Actor(flood.actor), entry));
            }
        }
        entered
    }
}

impl Plain {
    /// The guardians of one id, with the ends that its majority gives them.
    pub fn guardians_of(&self, id: &PatientId) -> Vec<Guardian> {
        let majority = self.patients.get(id).map(|one| one.adult_from.0);
        let majority = chartseal_policy::Time(majority.unwrap_or(0));
        let terms = self.care_of(id).guardians;
        let terms = terms.iter().map(|term| {
            let mut window = term.window;
            if term.ground == Ground::Minority {
                window.until = Some(window.until.map_or(majority, |until| until.min(majority)));
            }
            let actor = symbol(term.guardian.0);
            Guardian { actor, window }
        });
        terms.collect()
    }

    /// What nobody could say about this id when it was said has ended, now that others' guardians and age are
    /// looked at too.
    fn judge_as_of(&self, id: &PatientId, one: &mut Directive) {
        let (Issuer::Actor(issuer), Some(at)) = (&one.issuer, one.issued) else {
            return;
        };
        let of = &self.patients[id];
        let (is_self, is_adult) = (*issuer == symbol(id.0), of.adult_from.0 <= at.0);
        let consents = of.minor_consent_from.is_some_and(|from| from.0 <= at.0);
        let guards = self.guardians_of(id).into_iter();
        let guards = guards.filter(|one| one.actor == *issuer).any(|one| {
            let begun = one.window.from.is_none_or(|from| from <= at);
            begun && one.window.until.is_none_or(|until| at < until)
        });
        let ended = Some(chartseal_policy::Time(0));
        match &mut one.terms {
            Terms::Restrict(one) => {
                if is_self && !is_adult {
                    one.nested_grants = false;
                }
                if !is_self && !guards {
                    one.window.until = ended;
                }
            }
            Terms::Grant(one) if one.parent.is_none() => {
                let labels = one.scope.tags.as_ref().map_or(0, Set::len);
                let grants = is_self && (is_adult || (consents && labels > 0));
                if !grants && !guards {
                    one.window.until = ended;
                }
            }
            _ => {}
        }
    }
}

/// The plain state as the policy engine sees it for one request.
struct Eyes<'a> {
    plain: &'a Plain,
    asker: ActorId,
}

impl World for Eyes<'_> {
    fn actor(&self, id: &Symbol) -> Option<Cow<'_, Actor>> {
        let (id, plain) = (id16(id)?, self.plain);
        if plain.patients.contains_key(&PatientId(id)) {
            return Some(Cow::Owned(Actor::default()));
        }
        let actor = plain.actors.get(&ActorId(id))?;
        let breaks = |role: &Symbol| {
            let policy = plain.params.network.emergency.as_ref();
            policy.is_some_and(|policy| policy.roles.contains(role))
        };
        let counts = actor
            .emergency_from
            .is_some_and(|from| from.0 <= plain.time);
        let roles = actor.roles.iter().filter(|role| counts || !breaks(role));
        Some(Cow::Owned(Actor {
            org: Some(symbol(actor.org.0)),
            roles: Set::new(roles.cloned()).unwrap(),
            credential: Some(Set::one(actor.credential)),
            suspended_from: actor
                .suspended_from
                .map(|from| chartseal_policy::Time(from.0)),
        }))
    }

    fn patient(&self, id: &Symbol) -> Option<Cow<'_, Patient>> {
        let id = PatientId(id16(id)?);
        let (patient, care) = (self.plain.patients.get(&id)?, self.plain.care_of(&id));
        let majority = chartseal_policy::Time(patient.adult_from.0);
        let mut guardians = self.plain.guardians_of(&id);
        // Of an id that ended they are guardians no more, but were.
        for ended in self.plain.adopted.get(&id).into_iter().flatten() {
            guardians.extend(self.plain.guardians_of(ended).into_iter().map(|mut one| {
                let now = self.plain.policy_time();
                one.window.until = one.window.until.min(Some(now)).or(Some(now));
                one
            }));
        }
        // Who lost capacity, or never agreed, asks for themselves as a child does.
        let is_child = self.asker == id.into() && self.plain.is_without(&id);
        let consent = patient.minor_consent_from.filter(|_| !is_child);
        Some(Cow::Owned(Patient {
            adult_from: if is_child {
                chartseal_policy::Time(u64::MAX)
            } else {
                majority
            },
            minor_consent_from: consent.map(|from| chartseal_policy::Time(from.0)),
            minor_private_tags: care.private_labels.clone(),
            guardians: Set::new(guardians).unwrap(),
            quorum: care.quorum,
        }))
    }

    fn record(&self, id: &Symbol) -> Option<Cow<'_, Record>> {
        let record = self.plain.records.get(&RecordId(id16(id)?))?;
        if record.erased {
            return None;
        }
        let tag = |label: &chartseal_ledger::Label| {
            if *label == INBOX {
                symbol("INBOX")
            } else {
                symbol(label.0)
            }
        };
        Some(Cow::Owned(Record {
            patient: symbol(self.plain.owner(&record.patient).0),
            class: symbol("record"),
            conf: record.confidentiality,
            tags: Set::new(record.labels.as_slice().iter().map(tag)).unwrap(),
            author: Some(symbol(record.author.0)),
            encounter: record.encounter.map(symbol),
            authored: chartseal_policy::Time(record.authored.0),
            release_at: record.release_at.map(|at| chartseal_policy::Time(at.0)),
        }))
    }

    fn network(&self) -> &Network {
        &self.plain.params.network
    }

    fn is_gated(&self, _: &Symbol) -> bool {
        true
    }

    fn overdue_reviews(&self, org: &Symbol) -> u32 {
        let all = id16(org).and_then(|org| self.plain.emergencies.get(&OrgId(org)));
        let within = self.plain.params.review_within_ms;
        let is_late =
            |one: &&OpenEmergency| one.unreviewed > 0 && one.until.0 + within < self.plain.time;
        let late = all.map_or(0, |all| all.iter().filter(is_late).count());
        u32::try_from(late).unwrap()
    }

    fn directives(&self, patient: &Symbol) -> Cow<'_, [Directive]> {
        let Some(id) = id16(patient).map(PatientId) else {
            return Cow::Owned(Vec::new());
        };
        let adopted = self.plain.adopted.get(&id).into_iter().flatten();
        let mut all = Vec::new();
        let is_alone = adopted.clone().next().is_none();
        for of in std::iter::once(&id).chain(adopted) {
            for stored in self.plain.directives.get(of).into_iter().flatten() {
                let mut one = stored.directive.clone();
                if !is_alone {
                    self.plain.judge_as_of(of, &mut one);
                }
                if one.issuer == Issuer::Actor(symbol(of.0)) {
                    one.issuer = Issuer::Actor(patient.clone());
                }
                one.patient = patient.clone();
                all.push(one);
            }
        }
        Cow::Owned(all)
    }
}

/// A directive's id in hex, or a rule's name.
fn word(id: &Symbol) -> String {
    id32(id).map_or_else(|| id.to_string(), |id| TxId(id).to_string())
}

fn obligation(one: &Obligation) -> history::Token {
    match one {
        Obligation::Overrides(id) => token(&format!("overrides:{}", word(id))),
        other => token(&other.to_string()),
    }
}
