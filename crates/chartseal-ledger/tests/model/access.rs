//! Directives and emergencies.

use chartseal_ledger::Body;
use chartseal_ledger::body::{
    Countersignature, DirectiveIssued, EmergencyDeclared, EmergencyReviewed, QuorumGranted,
};
use chartseal_ledger::state::{Declared, OpenEmergency, StoredDirective};
use chartseal_policy::{Declaration, Directive, Issuer, Revocation, Symbol, Terms};
use chartseal_wire::{Event, Hash, OrgId, PatientId, Time, TxId, history};

use crate::common::token;
use crate::plain::{By, Outcome, Plain, Rule, is_signed, refuse};

pub fn symbol(bytes: impl AsRef<[u8]>) -> Symbol {
    Symbol::new(bytes).unwrap()
}

pub fn id16(symbol: &Symbol) -> Option<[u8; 16]> {
    symbol.as_bytes().try_into().ok()
}

pub fn id32(symbol: &Symbol) -> Option<[u8; 32]> {
    symbol.as_bytes().try_into().ok()
}

impl Plain {
    /// Where a directive is.
    pub fn place(&self, id: &[u8]) -> Option<(PatientId, usize)> {
        let mut all = self.directives.iter();
        all.find_map(|(patient, list)| {
            let mut ids = list.iter().map(|one| one.directive.id.as_bytes());
            Some((*patient, ids.position(|one| one == id)?))
        })
    }

    fn directive(&self, id: &Symbol) -> Option<&StoredDirective> {
        let (patient, at) = self.place(id.as_bytes())?;
        Some(&self.directives[&patient][at])
    }

    pub fn issue(&mut self, by: &By, body: &DirectiveIssued) -> Outcome {
        let is_person = self.patients.contains_key(&PatientId(by.actor.0))
            || self.actors.contains_key(&by.actor);
        refuse(10, !is_person)?;
        self.known_patient(&body.patient)?;
        let opens = match &body.terms {
            Terms::Grant(_) => true,
            Terms::Restrict(one) => one.nested_grants || !one.supersedes.is_empty(),
            Terms::Revoke(one) => self
                .directive(&one.target)
                .is_some_and(|one| matches!(one.directive.terms, Terms::Restrict(_))),
            Terms::Approve(_) | Terms::Emergency(_) => false,
        };
        let is_own = by.actor == body.patient.into();
        refuse(51, is_own && opens && self.is_without(&body.patient))?;
        let event = self.check_terms(body.patient, &body.terms)?;
        if !self.is_first_revocation(by, body) {
            self.count_directive(by, body.patient)?;
        }
        let issuer = Issuer::Actor(symbol(by.actor.0));
        self.store(by, body.patient, issuer, body.terms.clone(), body.sealed);
        Ok(self.both(by, body.patient, Event::Directive(event)))
    }

    /// The first by the patient, or by who issued the target, of a grant or restriction is not counted.
    fn is_first_revocation(&mut self, by: &By, body: &DirectiveIssued) -> bool {
        let Terms::Revoke(Revocation { target }) = &body.terms else {
            return false;
        };
        let of = &self.directive(target).unwrap().directive;
        let ends = matches!(of.terms.kind(), "grant" | "restrict");
        let is_own = of.issuer == Issuer::Actor(symbol(by.actor.0));
        let counts = ends && (is_own || by.actor == body.patient.into());
        let key = (TxId(id32(target).unwrap()), by.actor);
        if !counts || self.revoked.contains_key(&key) {
            return false;
        }
        self.revoked.insert(key, self.height);
        true
    }

    pub fn grant_by_quorum(&mut self, by: &By, body: &QuorumGranted) -> Outcome {
        self.known_patient(&body.patient)?;
        let quorum = self.care_of(&body.patient).quorum;
        let is_in = quorum.is_some_and(|one| one.members.contains(&symbol(by.actor.0)));
        refuse(62, !is_in)?;
        let terms = Terms::Grant(body.grant.clone());
        let mut event = self.check_terms(body.patient, &terms)?;
        event.kind = token("quorum_grant");
        self.count_directive(by, body.patient)?;
        self.store(by, body.patient, Issuer::Quorum, terms, body.sealed);
        Ok(self.both(by, body.patient, Event::Directive(event)))
    }

    fn check_terms(
        &self,
        patient: PatientId,
        terms: &Terms,
    ) -> Result<history::DirectiveIssued, Rule> {
        let (scopes, window, target) = match terms {
            Terms::Grant(one) => (Some((&one.scope, &one.except)), Some(one.window), None),
            Terms::Restrict(one) => (Some((&one.scope, &one.except)), Some(one.window), None),
            Terms::Revoke(one) => {
                let of = self
                    .directive(&one.target)
                    .ok_or(38)?
                    .directive
                    .patient
                    .clone();
                let of = id16(&of).map(PatientId).ok_or(38)?;
                refuse(38, self.owner(&of) != patient)?;
                (None, None, id32(&one.target))
            }
            Terms::Approve(one) => {
                refuse(37, one.at.0 > self.time)?;
                (None, None, Some(id32(&one.target).ok_or(37)?))
            }
            Terms::Emergency(_) => return Err(37),
        };
        if let Some((scope, except)) = scopes {
            let below = except
                .nodes()
                .iter()
                .any(|node| node.scope.classes.is_some());
            refuse(37, scope.classes.is_some() || below)?;
        }
        let (from, until) = window.map_or((None, None), |window| (window.from, window.until));
        Ok(history::DirectiveIssued {
            kind: token(terms.kind()),
            target: target.map(TxId),
            from: from.map(|time| Time(time.0)),
            until: until.map(|time| Time(time.0)),
        })
    }

    fn count_directive(&mut self, by: &By, patient: PatientId) -> Result<(), Rule> {
        let mut counted = Vec::new();
        if by.actor == patient.into() {
            counted.push((by.actor, self.params.max_directives_by_patient));
        } else {
            let max = self.params.max_directives_by_other;
            let (me, now) = (symbol(by.actor.0), self.policy_time());
            let mut guardians = self.guardians_of(&patient).into_iter();
            let guards = guardians.any(|one| one.actor == me && one.window.contains(now));
            let quorum = self.care_of(&patient).quorum;
            if !guards && !quorum.is_some_and(|quorum| quorum.members.contains(&me)) {
                counted.push((self.answerable(by).into(), 16 * max));
            }
            counted.push((by.actor, max));
        }
        for (issuer, max) in &counted {
            let count = self.issued.get(&(*issuer, patient));
            refuse(39, count.is_some_and(|count| *count >= u64::from(*max)))?;
        }
        for (issuer, _) in counted {
            *self.issued.entry((issuer, patient)).or_default() += 1;
        }
        Ok(())
    }

    fn store(
        &mut self,
        by: &By,
        patient: PatientId,
        issuer: Issuer,
        terms: Terms,
        sealed: Option<Hash>,
    ) {
        let directive = Directive {
            id: symbol(by.tx.0),
            position: self.position(),
            issuer,
            patient: symbol(patient.0),
            issued: Some(self.policy_time()),
            terms,
        };
        let stored = StoredDirective { directive, sealed };
        self.directives.entry(patient).or_default().push(stored);
    }

    /// The second office's agreement to this body in this transaction.
    pub fn check_second(
        &self,
        by: &By,
        second: Option<&Countersignature>,
        stripped: &Body,
    ) -> Result<(), Rule> {
        let second = second.ok_or(58)?;
        refuse(58, second.org == by.org || !self.is_member(&second.org))?;
        let key = self.orgs.get(&second.org).ok_or(58)?.enrolment_key;
        let message = stripped.to_countersign(&self.chain, &by.key, by.seq);
        refuse(58, !is_signed(&key, &message, &second.signature))
    }

    // Emergencies.

    fn put_live(&mut self, org: OrgId, mut all: Vec<OpenEmergency>) {
        all.retain(|one| self.time < one.until.0 || one.unreviewed > 0);
        self.emergencies.remove(&org);
        if !all.is_empty() {
            self.emergencies.insert(org, all);
        }
    }

    pub fn declare(&mut self, by: &By, body: &EmergencyDeclared) -> Outcome {
        let org = self.practitioner(by)?.org;
        self.known_patient(&body.patient)?;
        let ttl = self.params.network.emergency.as_ref().ok_or(40)?.ttl.0;
        let until = Time(self.time + ttl);
        let mut live = self.emergencies.remove(&org).unwrap_or_default();
        live.retain(|one| self.time < one.until.0 || one.unreviewed > 0);
        let own = live.iter().filter(|one| one.actor == by.actor).count();
        let (of_actor, of_org) = (
            self.params.max_emergencies_per_actor as usize,
            self.params.max_emergencies_per_org as usize,
        );
        refuse(41, own >= of_actor || live.len() >= of_org)?;
        live.push(OpenEmergency {
            declaration: by.tx,
            actor: by.actor,
            until,
            unreviewed: 0,
        });
        self.emergencies.insert(org, live);
        let terms = Terms::Emergency(Declaration {
            from: self.policy_time(),
            has_reason: body.has_reason,
            closed: None,
        });
        let issuer = Issuer::Actor(symbol(by.actor.0));
        self.store(by, body.patient, issuer, terms, Some(body.reason));
        self.make_room(by, org, body.patient, until);
        let event = history::EmergencyDeclared {
            reason_code: body.reason_code.clone(),
            reason: body.reason,
            until,
        };
        Ok(self.both(by, body.patient, Event::Emergency(event)))
    }

    /// The newest of a patient's directives is a declaration: it takes the place of one of the organization's that ended
    /// a release window ago.
    fn make_room(&mut self, by: &By, org: OrgId, patient: PatientId, until: Time) {
        let directives = self.directives.get_mut(&patient).unwrap();
        let declared = self.declared.entry((org, patient)).or_default();
        let window = self.params.release_window_ms;
        let is_over = |one: &Declared| one.until.0 + window < self.time;
        let mut place = directives.len() as u64 - 1;
        if let Some(at) = declared.iter().position(is_over) {
            place = declared[at].place;
            let newest = directives.pop().unwrap();
            directives[usize::try_from(place).unwrap()] = newest;
        }
        let id = by.tx;
        let one = Declared { id, place, until };
        match declared.iter_mut().find(|one| one.place == place) {
            Some(ended) => *ended = one,
            None => declared.push(one),
        }
    }

    pub fn review(&mut self, by: &By, body: &EmergencyReviewed) -> Outcome {
        let reviewer = self.practitioner(by)?.clone();
        let mut request = self.requests.get(&body.request).cloned().ok_or(42)?;
        let declaration = request.emergency.ok_or(43)?;
        refuse(43, request.reviewed)?;
        let is_colleague = reviewer.org == request.org && by.actor != request.actor;
        let is_officer = reviewer.roles.contains(&symbol("privacy"));
        refuse(44, !is_colleague || !is_officer)?;
        request.reviewed = true;
        let (org, patient) = (request.org, request.patient);
        self.requests.insert(body.request, request);
        self.change_unreviewed(org, declaration, -1);
        let (request, justified) = (body.request, body.justified);
        let event = Event::Reviewed(history::Reviewed { request, justified });
        Ok(self.both(by, patient, event))
    }

    pub fn change_unreviewed(&mut self, org: OrgId, declaration: TxId, by: i64) {
        let mut all = self.emergencies.get(&org).cloned().unwrap_or_default();
        for one in all.iter_mut().filter(|one| one.declaration == declaration) {
            one.unreviewed = one.unreviewed.saturating_add_signed(by);
        }
        self.put_live(org, all);
    }
}
