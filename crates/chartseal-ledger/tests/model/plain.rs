//! The chain in plain collections: what it knows, and the admission of a transaction.
//!
//! Nothing here is a tree, an overlay or a scratch: a transaction is tried on a copy, which replaces the
//! original if it ends well.

use std::collections::BTreeMap;

use chartseal_codec::{Encode, Encoder, to_bytes};
use chartseal_ledger::body::{CustodianSet, Organization};
use chartseal_ledger::state::{
    ActorState, CareState, DealState, Deals, Declared, Denials, DepositState, DisputeState,
    HoldState, Holder, KeyState, NextCommittee, OpenEmergency, OpenFlood, OrgDenials, PatientState,
    RecordState, RecoveryState, RequestState, Reserved, SlotState, StoredDirective,
};
use chartseal_ledger::{Body, Committee, Genesis, Params, SignedTransaction, Transaction};
use chartseal_merkle::{Frontier, MapKey};
use chartseal_policy::Position;
use chartseal_wire::history::state_key;
use chartseal_wire::{
    ActorId, ChainId, Entry, Event, HeaderDigest, OrgId, PatientId, PublicKey, RecordId, RequestId,
    Signature, Subject, Time, TxId,
};

/// The number of an admission rule.
pub type Rule = u8;
pub type Entered = Vec<(Subject, Event)>;
pub type Outcome = Result<Entered, Rule>;

/// A transaction on its way, and what was done to its bytes after it was made.
pub struct Sent {
    pub signed: SignedTransaction,
    pub transaction: Transaction,
    pub is_garbled: bool,
    pub is_forged: bool,
}

/// Who sent an admitted transaction.
#[derive(Clone)]
pub struct By {
    pub tx: TxId,
    pub key: PublicKey,
    pub seq: u64,
    pub holder: Holder,
    pub actor: ActorId,
    pub org: OrgId,
}

#[derive(Clone)]
pub struct Plain {
    pub chain: ChainId,
    pub salt: [u8; 32],
    pub params: Params,
    pub committee: Committee,
    pub next: Option<NextCommittee>,
    /// Decided on in this block: it counts from the next block on.
    pub former: BTreeMap<u64, Committee>,
    pub orgs: BTreeMap<OrgId, Organization>,
    pub actors: BTreeMap<ActorId, ActorState>,
    pub patients: BTreeMap<PatientId, PatientState>,
    pub adopted_by: BTreeMap<PatientId, PatientId>,
    pub adopted: BTreeMap<PatientId, Vec<PatientId>>,
    pub care: BTreeMap<PatientId, CareState>,
    pub recoveries: BTreeMap<PatientId, RecoveryState>,
    pub keys: BTreeMap<PublicKey, KeyState>,
    pub former_keys: BTreeMap<PublicKey, PublicKey>,
    pub reserved_keys: BTreeMap<PublicKey, Reserved>,
    pub records: BTreeMap<RecordId, RecordState>,
    pub deposits: BTreeMap<HeaderDigest, DepositState>,
    pub deals: BTreeMap<HeaderDigest, Deals>,
    pub deal: BTreeMap<(HeaderDigest, u64), DealState>,
    pub slots: BTreeMap<HeaderDigest, SlotState>,
    pub fingerprints: BTreeMap<(ActorId, PatientId, [u8; 32]), RecordId>,
    pub destroyed: BTreeMap<(RecordId, OrgId), u64>,
    pub duplicates: BTreeMap<RecordId, RecordId>,
    pub disputes: BTreeMap<RecordId, DisputeState>,
    pub holds: BTreeMap<RecordId, HoldState>,
    pub directives: BTreeMap<PatientId, Vec<StoredDirective>>,
    pub issued: BTreeMap<(ActorId, PatientId), u64>,
    /// At which height somebody first revoked a directive of theirs.
    pub revoked: BTreeMap<(TxId, ActorId), u64>,
    pub declared: BTreeMap<(OrgId, PatientId), Vec<Declared>>,
    /// Which member enrolled an organization.
    pub enrolled_by: BTreeMap<OrgId, OrgId>,
    /// Whose custodian gave a KEM key up.
    pub former_kems: BTreeMap<[u8; 32], OrgId>,
    pub emergencies: BTreeMap<OrgId, Vec<OpenEmergency>>,
    pub requests: BTreeMap<RequestId, RequestState>,
    pub denials: BTreeMap<(ActorId, PatientId, bool), Denials>,
    pub org_denials: BTreeMap<OrgId, OrgDenials>,
    pub floods: Vec<OpenFlood>,
    pub height: u64,
    pub index: u32,
    pub time: u64,
}

/// Refuses by a rule.
pub fn refuse(rule: Rule, when: bool) -> Result<(), Rule> {
    if when { Err(rule) } else { Ok(()) }
}

pub fn is_signed(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    ed25519_dalek::VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

impl Plain {
    pub fn of(genesis: &Genesis, salt: [u8; 32]) -> Self {
        let orgs = genesis.organizations().iter();
        let keys = orgs.clone().flat_map(|org| {
            let holders = [Holder::Office(org.id), Holder::Custodian(org.id)];
            [org.enrolment_key, org.custodian_key]
                .into_iter()
                .zip(holders.map(fresh))
        });
        let is_member = |id: &OrgId| genesis.committee().index_of(id).is_some();
        let others = orgs.clone().filter(|org| !is_member(&org.id));
        let others = others.map(|org| (org.validator, Reserved::Validator(org.id)));
        Self {
            chain: genesis.chain_id(),
            salt,
            params: genesis.params().clone(),
            committee: genesis.committee().clone(),
            next: None,
            former: BTreeMap::new(),
            keys: keys.collect(),
            former_keys: BTreeMap::new(),
            reserved_keys: others.collect(),
            orgs: orgs.map(|org| (org.id, *org)).collect(),
            actors: BTreeMap::new(),
            patients: BTreeMap::new(),
            adopted_by: BTreeMap::new(),
            adopted: BTreeMap::new(),
            care: BTreeMap::new(),
            recoveries: BTreeMap::new(),
            records: BTreeMap::new(),
            deposits: BTreeMap::new(),
            deals: BTreeMap::new(),
            deal: BTreeMap::new(),
            slots: BTreeMap::new(),
            fingerprints: BTreeMap::new(),
            destroyed: BTreeMap::new(),
            duplicates: BTreeMap::new(),
            disputes: BTreeMap::new(),
            holds: BTreeMap::new(),
            directives: BTreeMap::new(),
            issued: BTreeMap::new(),
            revoked: BTreeMap::new(),
            declared: BTreeMap::new(),
            enrolled_by: BTreeMap::new(),
            former_kems: BTreeMap::new(),
            emergencies: BTreeMap::new(),
            requests: BTreeMap::new(),
            denials: BTreeMap::new(),
            org_denials: BTreeMap::new(),
            floods: Vec::new(),
            height: 0,
            index: 0,
            time: genesis.time().0,
        }
    }

    fn admit(&self, sent: &Sent) -> Result<By, Rule> {
        let one = &sent.transaction;
        refuse(1, sent.signed.bytes.len() > 131_072)?;
        refuse(2, sent.is_garbled)?;
        refuse(3, one.version != 1)?;
        refuse(4, one.chain != self.chain)?;
        refuse(5, one.expires < self.height)?;
        let key = self.keys.get(&one.actor_key).ok_or(6)?;
        refuse(7, key.revoked)?;
        refuse(8, one.seq <= key.seq)?;
        refuse(9, sent.is_forged)?;
        let (actor, org) = match key.holder {
            Holder::Office(org) | Holder::Custodian(org) => (org.into(), org),
            Holder::Practitioner(actor) => (actor, self.actors[&actor].org),
            Holder::Patient(patient) => (patient.into(), OrgId(patient.0)),
        };
        Ok(By {
            tx: sent.signed.id(),
            key: one.actor_key,
            seq: one.seq,
            holder: key.holder,
            actor,
            org,
        })
    }

    fn act(&mut self, by: &By, body: &Body) -> Outcome {
        match body {
            Body::OrganizationEnrolled(body) => self.enrol_organization(by, body),
            Body::PractitionerEnrolled(body) => self.enrol_practitioner(by, body),
            Body::PractitionerReinstated(body) => self.reinstate(by, body),
            Body::PatientEnrolled(body) => self.enrol_patient(by, body),
            Body::KeyRotated(body) => self.rotate(by, body),
            Body::KeyRevoked(body) => self.revoke_key(by, body),
            Body::RecordAdded(body) => self.add(by, body),
            Body::DepositAcknowledged(body) => self.acknowledge(by, body),
            Body::Relabelled(body) => self.relabel(by, body),
            Body::DirectiveIssued(body) => self.issue(by, body),
            Body::EmergencyDeclared(body) => self.declare(by, body),
            Body::EmergencyReviewed(body) => self.review(by, body),
            Body::AccessRequested(body) => self.ask(by, body),
            Body::Released(body) => self.release(by, body),
            Body::Erased(body) => self.erase(by, body),
            Body::Destroyed(body) => self.destroy(by, body),
            Body::SlotAdded(body) => self.add_slot(by, body),
            Body::SlotRemoved(body) => self.remove_slot(by, body),
            Body::Redealt(body) => self.redeal(by, body),
            Body::RedealAcknowledged(body) => self.acknowledge_redeal(by, body),
            Body::GuardianAppointed(body) => self.appoint(by, body),
            Body::GuardianRemoved(body) => self.remove_guardian(by, body),
            Body::QuorumSet(body) => self.set_quorum(by, body),
            Body::QuorumGranted(body) => self.grant_by_quorum(by, body),
            Body::StatusChanged(body) => self.change_status(by, body),
            Body::RecoveryPlanned(body) => self.plan_recovery(by, body),
            Body::RecoveryStarted(body) => self.start_recovery(by, body),
            Body::RecoveryVetoed(body) => self.veto_recovery(by, body),
            Body::RecoveryCompleted(body) => self.complete_recovery(by, body),
            Body::Adopted(body) => self.adopt(by, body),
            Body::DuplicateOf(body) => self.link_duplicate(by, body),
            Body::Disputed(body) => self.dispute(by, body),
            Body::DisputeAnswered(body) => self.answer(by, body),
            Body::HoldPlaced(body) => self.place_hold(by, body),
            Body::HoldLifted(body) => self.lift_hold(by, body),
            Body::CommitteeChanged(body) => self.change_committee(by, body),
            Body::CustodianReplaced(body) => self.replace_custodian(by, body),
            other => panic!("the model has no {other:?}"),
        }
    }

    // What several rules ask.

    pub fn practitioner(&self, by: &By) -> Result<&ActorState, Rule> {
        let Holder::Practitioner(id) = by.holder else {
            return Err(10);
        };
        let actor = &self.actors[&id];
        let is_suspended = actor.suspended_from.is_some_and(|from| from.0 <= self.time);
        let is_good = actor.credential.contains(chartseal_policy::Time(self.time));
        refuse(11, is_suspended || !is_good)?;
        Ok(actor)
    }

    pub fn office(by: &By) -> Result<OrgId, Rule> {
        match by.holder {
            Holder::Office(org) => Ok(org),
            _ => Err(10),
        }
    }

    pub fn custodian(by: &By) -> Result<OrgId, Rule> {
        match by.holder {
            Holder::Custodian(org) => Ok(org),
            _ => Err(10),
        }
    }

    pub fn patient(by: &By) -> Result<PatientId, Rule> {
        match by.holder {
            Holder::Patient(patient) => Ok(patient),
            _ => Err(10),
        }
    }

    pub fn capable_patient(&self, by: &By) -> Result<PatientId, Rule> {
        let patient = Self::patient(by)?;
        refuse(51, !self.is_capable(&patient))?;
        Ok(patient)
    }

    pub fn known_patient(&self, id: &PatientId) -> Result<PatientState, Rule> {
        let patient = self.patients.get(id).ok_or(20)?;
        refuse(72, self.adopted_by.contains_key(id))?;
        Ok(patient.clone())
    }

    pub fn owner(&self, id: &PatientId) -> PatientId {
        self.adopted_by.get(id).copied().unwrap_or(*id)
    }

    pub fn care_of(&self, id: &PatientId) -> CareState {
        self.care.get(id).cloned().unwrap_or_default()
    }

    /// Provisional, incapacitated or dead.
    pub fn is_without(&self, id: &PatientId) -> bool {
        let care = self.care_of(id);
        let is_provisional = self.patients.get(id).is_some_and(|one| one.provisional);
        is_provisional || care.incapacitated || care.dead
    }

    pub fn is_capable(&self, id: &PatientId) -> bool {
        let now = Time(self.time);
        self.patients.get(id).is_some_and(|one| {
            let consents = one.minor_consent_from.is_some_and(|from| from <= now);
            !self.is_without(id) && (one.adult_from <= now || consents)
        })
    }

    /// The member that answers for a signer: whose office enrolled them, or their organization.
    pub fn answerable(&self, by: &By) -> OrgId {
        let org = match by.holder {
            Holder::Patient(one) => self.patients[&one].enrolled_by,
            _ => by.org,
        };
        let enroller = self.enrolled_by.get(&org).filter(|_| !self.is_member(&org));
        enroller.copied().unwrap_or(org)
    }

    pub fn is_member(&self, org: &OrgId) -> bool {
        self.committee.members().iter().any(|one| one.org == *org)
    }

    /// A custodian's index in the committee of an epoch.
    pub fn index_in(&self, epoch: u64, org: &OrgId) -> Result<u64, Rule> {
        let committee = if epoch == self.committee.epoch() {
            Some(&self.committee)
        } else {
            self.former.get(&epoch)
        };
        let mut members = committee.ok_or(14u8)?.members().iter();
        let place = members.position(|one| one.org == *org).ok_or(14u8)?;
        Ok(place as u64 + 1)
    }

    pub fn custodians(&self) -> CustodianSet {
        let n = self.committee.members().len() as u64;
        let (epoch, t) = (self.committee.epoch(), 2 * ((n - 1) / 3) + 1);
        CustodianSet { epoch, t, n }
    }

    pub fn position(&self) -> Position {
        let (height, index) = (self.height, self.index);
        Position { height, index }
    }

    pub fn policy_time(&self) -> chartseal_policy::Time {
        chartseal_policy::Time(self.time)
    }

    /// With the patient, or whoever adopted that id, and the actor.
    pub fn both(&self, by: &By, patient: PatientId, event: Event) -> Entered {
        let patient = Subject::Patient(self.owner(&patient));
        vec![(patient, event.clone()), (Subject::Actor(by.actor), event)]
    }

    /// Everything that the state map should hold.
    pub fn values(&self, histories: &BTreeMap<Subject, Vec<Entry>>) -> BTreeMap<MapKey, Vec<u8>> {
        let mut all = Values::default();
        let mut shared = Encoder::new();
        shared.array(5).item(&self.chain).item(&self.salt);
        shared
            .item(&self.params)
            .item(&self.committee)
            .item(&self.next);
        all.0.insert(state_key("shared", &[]), shared.finish());
        all.put("committee", &self.former, |epoch| {
            epoch.to_be_bytes().to_vec()
        });
        all.put("org", &self.orgs, |id| id.0.to_vec());
        all.put("actor", &self.actors, |id| id.0.to_vec());
        all.put("patient", &self.patients, |id| id.0.to_vec());
        all.put("adopted-by", &self.adopted_by, |id| id.0.to_vec());
        all.put("adopted", &self.adopted, |id| id.0.to_vec());
        all.put("care", &self.care, |id| id.0.to_vec());
        all.put("recovery", &self.recoveries, |id| id.0.to_vec());
        all.put("key", &self.keys, |key| key.0.to_vec());
        all.put("former-key", &self.former_keys, |key| key.0.to_vec());
        all.put("reserved-key", &self.reserved_keys, |key| key.0.to_vec());
        all.put("record", &self.records, |id| id.0.to_vec());
        all.put("deposit", &self.deposits, |header| header.0.to_vec());
        all.put("deals", &self.deals, |header| header.0.to_vec());
        all.put("deal", &self.deal, |(header, number)| {
            [&header.0[..], &number.to_be_bytes()].concat()
        });
        all.put("slot", &self.slots, |header| header.0.to_vec());
        all.put(
            "fingerprint",
            &self.fingerprints,
            |(author, patient, print)| [&author.0[..], &patient.0, print].concat(),
        );
        all.put("destroyed", &self.destroyed, |(record, org)| {
            [record.0, org.0].concat()
        });
        all.put("duplicate", &self.duplicates, |id| id.0.to_vec());
        all.put("dispute", &self.disputes, |id| id.0.to_vec());
        all.put("hold", &self.holds, |id| id.0.to_vec());
        for (patient, directives) in &self.directives {
            let count = directives.len() as u64;
            all.one("directive-count", &patient.0, &count);
            for (at, stored) in (0u64..).zip(directives) {
                let place = [&patient.0[..], &at.to_be_bytes()].concat();
                all.one("directive", &place, stored);
                all.one(
                    "directive-place",
                    stored.directive.id.as_bytes(),
                    &(*patient, at),
                );
            }
        }
        all.put("directives-by", &self.issued, |(by, patient)| {
            [by.0, patient.0].concat()
        });
        all.put("revoked", &self.revoked, |(target, by)| {
            [&target.0[..], &by.0].concat()
        });
        all.put("declared", &self.declared, |(by, patient)| {
            [by.0, patient.0].concat()
        });
        all.put("enrolled-by", &self.enrolled_by, |org| org.0.to_vec());
        all.put("former-kem", &self.former_kems, |kem| kem.to_vec());
        all.put("emergencies", &self.emergencies, |org| org.0.to_vec());
        all.put("request", &self.requests, |id| id.0.to_vec());
        all.put("denials", &self.denials, |(actor, patient, foreign)| {
            [&actor.0[..], &patient.0, &[u8::from(*foreign)]].concat()
        });
        all.put("org-denials", &self.org_denials, |org| org.0.to_vec());
        if !self.floods.is_empty() {
            all.one("floods", &[], &self.floods);
        }
        for (subject, entries) in histories {
            let mut log = Frontier::new();
            for entry in entries {
                log.append(Entry::leaf(&to_bytes(entry)));
            }
            all.one("history", &to_bytes(subject), &log);
        }
        all.0
    }
}

/// A key or whatever it is that nobody used.
pub fn fresh(holder: Holder) -> KeyState {
    KeyState {
        holder,
        seq: 0,
        revoked: false,
    }
}

#[derive(Default)]
struct Values(BTreeMap<MapKey, Vec<u8>>);

impl Values {
    fn one(&mut self, table: &str, id: &[u8], value: &impl Encode) {
        self.0.insert(state_key(table, id), to_bytes(value));
    }

    fn put<K, V: Encode>(&mut self, table: &str, of: &BTreeMap<K, V>, id: impl Fn(&K) -> Vec<u8>) {
        for (key, value) in of {
            self.one(table, &id(key), value);
        }
    }
}

/// The plain state, and every history.
pub struct Model {
    pub now: Plain,
    pub histories: BTreeMap<Subject, Vec<Entry>>,
}

impl Model {
    pub fn begin_block(&mut self, height: u64, time: u64) {
        (self.now.height, self.now.index, self.now.time) = (height, 0, time);
        for (subject, entry) in self.now.end_floods() {
            self.histories.entry(subject).or_default().push(entry);
        }
    }

    /// Changes everything that the transaction changes, or nothing.
    pub fn apply(&mut self, sent: &Sent) -> Result<(), Rule> {
        let by = self.now.admit(sent)?;
        let mut after = self.now.clone();
        let key = after.keys.get_mut(&by.key).ok_or(6)?;
        key.seq = by.seq;
        let entered = after.act(&by, &sent.transaction.body)?;
        after.index += 1;
        self.now = after;
        for (subject, event) in entered {
            let entry = Entry {
                height: self.now.height,
                time: Time(self.now.time),
                tx: by.tx,
                actor: by.actor,
                org: by.org,
                event,
            };
            self.histories.entry(subject).or_default().push(entry);
        }
        Ok(())
    }
}
