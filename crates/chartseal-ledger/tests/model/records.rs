//! Records, their deals and slots, and what patients and offices say of them.

use chartseal_ledger::body::{
    CustodianSet, DepositAcknowledged, Destroyed, DisputeAnswered, Disputed, DuplicateOf, Erased,
    HoldLifted, HoldPlaced, RecordAdded, RedealAcknowledged, Redealt, Relabelled, SlotAdded,
    SlotRemoved,
};
use chartseal_ledger::state::{
    DealState, Deals, DepositState, DisputeState, HoldState, Holder, RecordState, SlotState,
};
use chartseal_policy::{Exception, Exceptions, Issuer, Scope, Set, Symbol, Terms};
use chartseal_wire::{Event, HeaderDigest, PatientId, RecordId, RequestId, TxId, history};

use crate::plain::{By, Entered, Outcome, Plain, Rule, refuse};

impl Plain {
    pub fn add(&mut self, by: &By, body: &RecordAdded) -> Outcome {
        match by.holder {
            Holder::Patient(patient) => refuse(23, patient != self.owner(&body.patient))?,
            Holder::Practitioner(_) => {
                self.practitioner(by)?;
                refuse(20, !self.patients.contains_key(&body.patient))?;
            }
            _ => return Err(10),
        }
        refuse(29, body.authored.0 > self.time)?;
        refuse(30, body.custodians != self.custodians())?;
        let head = self.records.get(&body.record).cloned();
        if let Some(head) = &head {
            refuse(23, head.patient != body.patient)?;
            refuse(22, head.erased)?;
            refuse(24, body.version != head.version + 1)?;
            refuse(25, body.supersedes != Some(head.header))?;
            if let Holder::Patient(patient) = by.holder {
                refuse(51, self.is_without(&patient))?;
            } else {
                let sides = [head.org, head.filed_by];
                refuse(26, head.author != by.actor && !sides.contains(&by.org))?;
                let new = body.labels.as_slice();
                let drops = head.labels.as_slice().iter().any(|one| !new.contains(one));
                refuse(27, drops)?;
                refuse(28, body.confidentiality < head.confidentiality)?;
                refuse(106, body.encounter != head.encounter)?;
                let (old, new) = (head.release_at, body.release_at);
                let was_released = old.is_none_or(|at| at.0 <= self.time);
                refuse(107, was_released && new.is_some_and(|at| at.0 > self.time))?;
            }
        } else {
            refuse(72, self.adopted_by.contains_key(&body.patient))?;
            refuse(24, body.version != 1)?;
            refuse(25, body.supersedes.is_some())?;
        }
        refuse(31, self.deposits.contains_key(&body.header))?;
        let print = (by.actor, body.patient, body.fingerprint);
        refuse(32, self.fingerprints.contains_key(&print))?;
        let record = RecordState {
            patient: body.patient,
            author: by.actor,
            org: by.org,
            filed_by: head.map_or(by.org, |head| head.filed_by),
            version: body.version,
            header: body.header,
            body: body.body,
            length: body.length,
            confidentiality: body.confidentiality,
            labels: body.labels,
            encounter: body.encounter,
            authored: body.authored,
            release_at: body.release_at,
            custodians: body.custodians,
            erased: false,
            destroyed: 0,
        };
        let deposit = DepositState {
            record: body.record,
            version: body.version,
            custodians: body.custodians,
            acknowledged: 0,
        };
        self.records.insert(body.record, record);
        self.deposits.insert(body.header, deposit);
        self.fingerprints.insert(print, body.record);
        let event = history::RecordAdded {
            record: body.record,
            version: body.version,
            header: body.header,
            supersedes: body.supersedes,
        };
        Ok(self.both(by, body.patient, Event::RecordAdded(event)))
    }

    pub fn acknowledge(&mut self, by: &By, body: &DepositAcknowledged) -> Outcome {
        let org = Self::custodian(by)?;
        let record = self.records.get(&body.record).ok_or(21)?;
        refuse(22, record.erased)?;
        let deposit = self.deposits.get(&body.header).ok_or(33)?;
        refuse(33, deposit.record != body.record)?;
        let index = self.index_in(deposit.custodians.epoch, &org)?;
        refuse(34, body.index != index)?;
        let bit = 1 << (index - 1);
        refuse(35, deposit.acknowledged & bit != 0)?;
        let deposit = self.deposits.get_mut(&body.header).ok_or(33)?;
        deposit.acknowledged |= bit;
        Ok(Entered::new())
    }

    fn own(&self, patient: PatientId, record: &RecordId) -> Result<RecordState, Rule> {
        let record = self.records.get(record).ok_or(21)?;
        refuse(23, self.owner(&record.patient) != patient)?;
        refuse(22, record.erased)?;
        Ok(record.clone())
    }

    pub fn erase(&mut self, by: &By, body: &Erased) -> Outcome {
        let patient = self.capable_patient(by)?;
        self.own(patient, &body.record)?;
        refuse(78, self.holds.contains_key(&body.record))?;
        self.records.get_mut(&body.record).ok_or(21)?.erased = true;
        let record = body.record;
        Ok(self.both(by, patient, Event::Erased(history::Erased { record })))
    }

    pub fn destroy(&mut self, by: &By, body: &Destroyed) -> Outcome {
        let org = Self::custodian(by)?;
        let record = self.records.get(&body.record).cloned().ok_or(21)?;
        refuse(47, !record.erased)?;
        let custodian = if let Ok(index) = self.index_in(record.custodians.epoch, &org) {
            let bit = 1 << (index - 1);
            refuse(48, record.destroyed & bit != 0)?;
            self.records.get_mut(&body.record).ok_or(21)?.destroyed |= bit;
            index
        } else {
            refuse(48, self.destroyed.contains_key(&(body.record, org)))?;
            let epoch = self.releasing_set(&record.header).epoch;
            let dealt = self.index_in(epoch, &org);
            let index = dealt.or_else(|_| self.index_in(self.committee.epoch(), &org))?;
            self.destroyed.insert((body.record, org), self.height);
            index
        };
        let record_id = body.record;
        let event = history::Destroyed {
            record: record_id,
            custodian,
        };
        Ok(self.both(by, record.patient, Event::Destroyed(event)))
    }

    /// The deal from which releases of a version come.
    pub fn durable(&self, header: &HeaderDigest) -> u64 {
        self.deals.get(header).map_or(0, |deals| deals.durable)
    }

    /// To whom it was dealt.
    pub fn releasing_set(&self, header: &HeaderDigest) -> CustodianSet {
        self.set_of(header, self.durable(header))
    }

    fn set_of(&self, header: &HeaderDigest, deal: u64) -> CustodianSet {
        let later = self.deal.get(&(*header, deal));
        later.map_or(self.deposits[header].custodians, |deal| deal.custodians)
    }

    fn newest(&self, record: &RecordId, header: &HeaderDigest) -> Result<RecordState, Rule> {
        let record = self.records.get(record).ok_or(21)?;
        refuse(22, record.erased)?;
        refuse(33, record.header != *header)?;
        Ok(record.clone())
    }

    /// The patient, or a reader whose permitted read of this version `t` custodians answered.
    fn check_has_key(
        &self,
        by: &By,
        record: &RecordState,
        request: Option<&RequestId>,
    ) -> Result<(), Rule> {
        let Some(request) = request else {
            refuse(52, by.actor != self.owner(&record.patient).into())?;
            return self.capable_patient(by).map(|_| ());
        };
        self.practitioner(by)?;
        let request = self.requests.get(request).ok_or(52)?;
        refuse(52, request.actor != by.actor)?;
        let mut permits = request.permits.iter();
        let permit = permits.find(|one| one.header == record.header).ok_or(52)?;
        let released = (0..64).filter(|at| permit.released >> at & 1 == 1).count();
        let set = self.set_of(&permit.header, permit.deal);
        refuse(52, (released as u64) < set.t)
    }

    pub fn add_slot(&mut self, by: &By, body: &SlotAdded) -> Outcome {
        let record = self.newest(&body.record, &body.header)?;
        let owner = self.owner(&record.patient);
        refuse(49, self.patients[&owner].kem != body.kem)?;
        refuse(50, record.release_at.is_some_and(|at| self.time < at.0))?;
        refuse(51, !self.is_capable(&owner))?;
        let is_practitioner = matches!(by.holder, Holder::Practitioner(_));
        if is_practitioner && record.author == by.actor && body.request.is_none() {
            self.practitioner(by)?;
        } else {
            self.check_has_key(by, &record, body.request.as_ref())?;
        }
        let before = self.slots.get(&body.header);
        refuse(53, before.is_some_and(|slot| slot.kem == body.kem))?;
        let slot = SlotState {
            record: body.record,
            header: body.header,
            kem: body.kem,
            slot: body.slot,
            by: by.actor,
        };
        self.slots.insert(body.header, slot);
        let event = history::SlotAdded {
            record: body.record,
            header: body.header,
            kem: body.kem,
            request: body.request,
        };
        Ok(self.both(by, record.patient, Event::SlotAdded(event)))
    }

    pub fn remove_slot(&mut self, by: &By, body: &SlotRemoved) -> Outcome {
        let patient = Self::patient(by)?;
        self.own(patient, &body.record)?;
        let slot = self.slots.get(&body.header).ok_or(54)?;
        refuse(54, slot.record != body.record)?;
        self.slots.remove(&body.header);
        let (record, header) = (body.record, body.header);
        let event = Event::SlotRemoved(history::SlotRemoved { record, header });
        Ok(self.both(by, patient, event))
    }

    pub fn redeal(&mut self, by: &By, body: &Redealt) -> Outcome {
        let record = self.newest(&body.record, &body.header)?;
        self.check_has_key(by, &record, body.request.as_ref())?;
        refuse(30, body.custodians != self.custodians())?;
        let before = self.deals.get(&body.header).copied().unwrap_or_default();
        let newest = self.deal.get(&(body.header, before.newest));
        let epoch = newest.map_or(record.custodians.epoch, |deal| deal.custodians.epoch);
        refuse(
            105,
            body.request.is_some() && epoch >= self.committee.epoch(),
        )?;
        refuse(55, body.deal != before.newest + 1)?;
        let newest = body.deal;
        self.deals.insert(body.header, Deals { newest, ..before });
        let deal = DealState {
            record: body.record,
            custodians: body.custodians,
            root: body.root,
            by: by.actor,
            acknowledged: 0,
        };
        self.deal.insert((body.header, body.deal), deal);
        let event = history::Redealt {
            record: body.record,
            header: body.header,
            deal: body.deal,
            request: body.request,
        };
        Ok(self.both(by, record.patient, Event::Redealt(event)))
    }

    pub fn acknowledge_redeal(&mut self, by: &By, body: &RedealAcknowledged) -> Outcome {
        let org = Self::custodian(by)?;
        let at = (body.header, body.deal);
        let mut deal = *self.deal.get(&at).ok_or(56)?;
        refuse(56, deal.record != body.record)?;
        let index = self.index_in(deal.custodians.epoch, &org)?;
        refuse(34, body.index != index)?;
        refuse(22, self.records[&body.record].erased)?;
        let bit = 1 << (index - 1);
        refuse(35, deal.acknowledged & bit != 0)?;
        deal.acknowledged |= bit;
        self.deal.insert(at, deal);
        let is_durable = deal.acknowledged + 1 == 1 << deal.custodians.n;
        let deals = self.deals.get_mut(&body.header).ok_or(56)?;
        if is_durable {
            deals.durable = deals.durable.max(body.deal);
        }
        Ok(Entered::new())
    }

    pub fn link_duplicate(&mut self, by: &By, body: &DuplicateOf) -> Outcome {
        let patient = Self::patient(by)?;
        for record in [&body.record, &body.of] {
            self.own(patient, record)?;
        }
        let is_one = |record| self.duplicates.contains_key(record);
        let is_wrong = body.record == body.of || is_one(&body.record) || is_one(&body.of);
        refuse(73, is_wrong)?;
        self.duplicates.insert(body.record, body.of);
        let (record, of) = (body.record, body.of);
        let event = Event::DuplicateOf(history::DuplicateOf { record, of });
        Ok(self.both(by, patient, event))
    }

    pub fn dispute(&mut self, by: &By, body: &Disputed) -> Outcome {
        let patient = Self::patient(by)?;
        let record = self.own(patient, &body.record)?;
        refuse(74, self.disputes.contains_key(&body.record))?;
        let (tx, version) = (by.tx, record.version);
        let dispute = DisputeState { tx, version };
        self.disputes.insert(body.record, dispute);
        let event = history::Disputed {
            record: body.record,
            version,
            reason: body.reason,
        };
        Ok(self.both(by, patient, Event::Disputed(event)))
    }

    pub fn answer(&mut self, by: &By, body: &DisputeAnswered) -> Outcome {
        let org = self.practitioner(by)?.org;
        let record = self.records.get(&body.record).ok_or(21)?;
        refuse(26, record.author != by.actor && record.filed_by != org)?;
        let dispute = *self.disputes.get(&body.record).ok_or(75)?;
        let later = dispute.version + 1..=record.version;
        let rectifies = body
            .rectified
            .is_none_or(|version| later.contains(&version));
        refuse(76, !rectifies)?;
        let patient = record.patient;
        self.disputes.remove(&body.record);
        let event = history::DisputeAnswered {
            record: body.record,
            dispute: dispute.tx,
            rectified: body.rectified,
            reason: body.reason,
        };
        Ok(self.both(by, patient, Event::DisputeAnswered(event)))
    }

    pub fn place_hold(&mut self, by: &By, body: &HoldPlaced) -> Outcome {
        let org = Self::office(by)?;
        let record = self.records.get(&body.record).ok_or(21)?;
        refuse(22, record.erased)?;
        refuse(77, record.filed_by != org)?;
        refuse(78, self.holds.contains_key(&body.record))?;
        let mut stripped = body.clone();
        let second = stripped.countersignature.take();
        self.check_second(by, second.as_ref(), &stripped.into())?;
        let patient = record.patient;
        self.holds.insert(body.record, HoldState { org, tx: by.tx });
        let event = history::HoldPlaced {
            record: body.record,
            reason_code: body.reason_code.clone(),
        };
        Ok(self.both(by, patient, Event::HoldPlaced(event)))
    }

    pub fn lift_hold(&mut self, by: &By, body: &HoldLifted) -> Outcome {
        let org = Self::office(by)?;
        let patient = self.records.get(&body.record).ok_or(21)?.patient;
        let hold = *self.holds.get(&body.record).ok_or(79)?;
        refuse(79, hold.org != org)?;
        self.holds.remove(&body.record);
        let (record, hold) = (body.record, hold.tx);
        let event = Event::HoldLifted(history::HoldLifted { record, hold });
        Ok(self.both(by, patient, event))
    }

    pub fn relabel(&mut self, by: &By, body: &Relabelled) -> Outcome {
        let patient = Self::patient(by)?;
        refuse(51, self.is_without(&patient))?;
        let is_only_records = body.directives.is_empty() && body.private.is_none();
        if is_only_records || !body.records.is_empty() {
            check_list(body.records.iter().map(|one| one.record))?;
        }
        for one in &body.records {
            self.own(patient, &one.record)?;
            self.records.get_mut(&one.record).ok_or(21)?.labels = one.labels;
        }
        let mut entered = Entered::new();
        if !body.records.is_empty() {
            let records = body.records.iter().map(|one| one.record).collect();
            let event = Event::Relabelled(history::Relabelled { records });
            entered.extend(self.both(by, patient, event));
        }
        if is_only_records {
            return Ok(entered);
        }
        let mut ids: Vec<TxId> = body.directives.iter().map(|one| one.directive).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        refuse(102, ids.len() != count || count > 512)?;
        let is_of_age = self.patients[&patient].adult_from.0 <= self.time;
        let decides = is_of_age && self.is_capable(&patient);
        for one in &body.directives {
            let (of, at) = self.place(&one.directive.0).ok_or(38)?;
            refuse(38, self.owner(&of) != patient)?;
            let stored = &mut self.directives.get_mut(&of).ok_or(38)?[at];
            let own = Issuer::Actor(Symbol::new(of.0).unwrap());
            refuse(51, !decides && stored.directive.issuer != own)?;
            refuse(102, !same_but_labels(&stored.directive.terms, &one.terms))?;
            stored.directive.terms = one.terms.clone();
        }
        if let Some(labels) = &body.private {
            refuse(102, labels.len() > 64)?;
            let mut care = self.care_of(&patient);
            care.private_labels.clone_from(labels);
            self.care.insert(patient, care);
        }
        let event = history::DirectivesRelabelled {
            directives: body.directives.iter().map(|one| one.directive).collect(),
            private: body.private.is_some(),
        };
        entered.extend(self.both(by, patient, Event::DirectivesRelabelled(event)));
        Ok(entered)
    }
}

/// 1 to 512 distinct records.
pub fn check_list(records: impl Iterator<Item = RecordId>) -> Result<(), Rule> {
    let mut all: Vec<_> = records.collect();
    let count = all.len();
    all.sort();
    all.dedup();
    refuse(36, all.len() != count || !(1..=512).contains(&count))
}

/// Whether a grant or restriction differs from another in the labels of its lists alone, where "any
/// label", "no label" and "some labels" are three different things.
fn same_but_labels(old: &Terms, new: &Terms) -> bool {
    let blank = |scope: &Scope| {
        let some = |tags: &Set<Symbol>| {
            let one = Symbol::new("some").unwrap();
            Set::new((!tags.is_empty()).then_some(one)).unwrap()
        };
        Scope {
            tags: scope.tags.as_ref().map(some),
            ..scope.clone()
        }
    };
    let blank_tree = |tree: &Exceptions| {
        let nodes = tree.nodes().iter().map(|node| Exception {
            scope: blank(&node.scope),
            ..node.clone()
        });
        Exceptions::new(nodes).unwrap()
    };
    match (old.clone(), new.clone()) {
        (Terms::Grant(mut old), Terms::Grant(mut new)) => {
            for one in [&mut old, &mut new] {
                (one.scope, one.except) = (blank(&one.scope), blank_tree(&one.except));
            }
            old == new
        }
        (Terms::Restrict(mut old), Terms::Restrict(mut new)) => {
            for one in [&mut old, &mut new] {
                (one.scope, one.except) = (blank(&one.scope), blank_tree(&one.except));
            }
            old == new
        }
        _ => false,
    }
}
