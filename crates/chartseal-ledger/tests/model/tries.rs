//! What is tried: random transactions, most of them such that they could be admitted.

mod access;
mod people;
mod records;

use chartseal_ledger::body::{
    AccessRequested, Adopted, CommitteeChanged, Countersignature, CustodianReplaced,
    DepositAcknowledged, Destroyed, DirectiveRelabelling, DisputeAnswered, Disputed, DuplicateOf,
    EmergencyDeclared, EmergencyReviewed, Erased, Ground, GuardianAppointed, GuardianRemoved,
    HoldLifted, HoldPlaced, KeyRevoked, KeyRotated, NextMember, Organization, OrganizationEnrolled,
    PatientEnrolled, PractitionerEnrolled, PractitionerReinstated, QuorumGranted, QuorumSet,
    RecordAdded, RecoveryApproval, RecoveryCompleted, RecoveryPlanned, RecoveryStarted,
    RecoveryVetoed, RedealAcknowledged, Redealt, Relabelled, Relabelling, Released, SlotAdded,
    SlotRemoved, Status, StatusChanged,
};
use chartseal_ledger::state::{RecordState, RequestState};
use chartseal_ledger::{Body, Label, Labels, TRANSACTION_VERSION, Transaction};
use chartseal_policy::{
    Approval, Confidentiality, Declaration, Effect, Exception, Exceptions, Grantee, Override,
    Purpose, Quorum, Restriction, Revocation, Scope, Set, Symbol, Terms, Window,
};
use chartseal_wire::{
    ActorId, Hash, HeaderDigest, OrgId, PatientId, RecordId, Signature, Time, TxId,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::Run;
use crate::access::symbol;
use crate::common::*;

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Office(u8),
    Custodian(u8),
    Practitioner(u8),
    Patient(u8),
}

/// A transaction to try. The numbers choose among what there is; a flaw makes a body that some rule
/// may refuse, and `spoil` the same for what is around the body.
#[derive(Clone, Debug)]
pub struct Try {
    pub kind: &'static str,
    a: u8,
    b: u8,
    c: u8,
    flaw: u8,
    by: Option<Who>,
    pub spoil: u8,
}

const KINDS: [(usize, &str); 36] = [
    (6, "add"),
    (6, "amend"),
    (6, "acknowledge"),
    (3, "relabel"),
    (5, "grant"),
    (5, "restrict"),
    (3, "revoke"),
    (1, "approve"),
    (4, "declare"),
    (5, "review"),
    (22, "ask"),
    (9, "release"),
    (2, "erase"),
    (3, "destroy"),
    (5, "slot"),
    (2, "unslot"),
    (6, "redeal"),
    (5, "acknowledge redeal"),
    (3, "appoint"),
    (2, "remove"),
    (2, "quorum"),
    (2, "grant by quorum"),
    (4, "status"),
    (3, "plan"),
    (4, "start"),
    (1, "veto"),
    (4, "complete"),
    (2, "adopt"),
    (2, "duplicate"),
    (3, "dispute"),
    (3, "answer"),
    (3, "hold"),
    (2, "lift"),
    (4, "key"),
    (4, "enrol"),
    (2, "committee"),
];

fn anybody() -> impl Strategy<Value = Who> {
    prop_oneof![
        4 => (10u8..16).prop_map(Who::Practitioner),
        4 => (1u8..8).prop_map(Who::Patient),
        2 => (1u8..7).prop_map(Who::Custodian),
        3 => (1u8..7).prop_map(Who::Office),
    ]
}

pub fn attempt() -> impl Strategy<Value = Try> {
    let kinds = KINDS
        .iter()
        .flat_map(|(weight, kind)| std::iter::repeat_n(*kind, *weight));
    let kind = select(kinds.collect::<Vec<_>>());
    let flaw = prop_oneof![6 => Just(0u8), 4 => 1u8..9];
    let spoil = prop_oneof![30 => Just(0u8), 1 => 1u8..10];
    let by = prop::option::weighted(0.1, anybody());
    (kind, any::<[u8; 3]>(), flaw, by, spoil).prop_map(|(kind, [a, b, c], flaw, by, spoil)| Try {
        kind,
        a,
        b,
        c,
        flaw,
        by,
        spoil,
    })
}

/// A body, whose key signs it, and with which number.
pub type Prepared = (Key, u64, Body);

fn some<T>(all: impl IntoIterator<Item = T>, nth: u8) -> Option<T> {
    let mut all: Vec<_> = all.into_iter().collect();
    let nth = usize::from(nth) % all.len().max(1);
    (!all.is_empty()).then(|| all.swap_remove(nth))
}

fn number(org: &OrgId) -> u8 {
    org.0[0] & 0x0f
}

fn labels_of(n: u8) -> Labels {
    match n % 8 {
        0..4 => labels(),
        4 | 5 => Labels::new([2, 3, 4, 5, 6, 7].map(|label| Label([label; 16]))),
        6 => Labels::new([1, 2, 3, 4, 5, 9].map(|label| Label([label; 16]))),
        _ => Labels::inbox(),
    }
}

fn tags_of(labels: Labels) -> Set<Symbol> {
    Set::new(labels.as_slice().iter().map(|label| symbol(label.0))).unwrap()
}

/// The first of September, November and December of 2023; the chain begins between the last two.
pub const MONTHS: [Time; 3] = [
    Time(1_693_526_400_000),
    Time(1_698_796_800_000),
    Time(1_701_388_800_000),
];

impl Run {
    fn unique(&mut self) -> [u8; 32] {
        self.unique += 1;
        let mut bytes = [0xab; 32];
        bytes[..4].copy_from_slice(&self.unique.to_be_bytes());
        bytes
    }

    /// A key that nobody has.
    fn new_key(&mut self) -> Key {
        self.unique += 1;
        let key = Key::new(&format!("key {}", self.unique));
        self.ring.insert(key.public(), key.clone());
        key
    }

    pub(crate) fn key_of(&self, who: Who) -> Key {
        let now = &self.model.now;
        let public = match who {
            Who::Office(id) => now.orgs.get(&org(id)).map(|one| one.enrolment_key),
            Who::Custodian(id) => now.orgs.get(&org(id)).map(|one| one.custodian_key),
            Who::Practitioner(id) => now.actors.get(&actor(id)).map(|one| one.key),
            Who::Patient(id) => now.patients.get(&patient(id)).map(|one| one.key),
        };
        let key = public.and_then(|public| self.ring.get(&public).cloned());
        key.unwrap_or_else(|| Key::new("nobody"))
    }

    fn who(&self, id: &ActorId) -> Who {
        if self.model.now.actors.contains_key(id) {
            Who::Practitioner(id.0[0])
        } else if self.model.now.patients.contains_key(&PatientId(id.0)) {
            Who::Patient(id.0[0])
        } else {
            Who::Office(id.0[0] & 0x0f)
        }
    }

    fn next_seq(&self, key: &Key) -> u64 {
        let state = self.model.now.keys.get(&key.public());
        state.map_or(1, |state| state.seq + 1)
    }

    pub(crate) fn transaction(&self, (key, seq, body): &Prepared) -> Transaction {
        Transaction {
            version: TRANSACTION_VERSION,
            chain: self.model.now.chain,
            actor_key: key.public(),
            seq: *seq,
            // A few just reach the block.
            expires: self.model.now.height + if seq % 4 == 0 { 0 } else { 100 },
            body: body.clone(),
        }
    }

    /// A record of the wanted kind, if there is one and for most numbers; else any.
    fn record(&self, nth: u8, is_wanted: impl Fn(&RecordId, &RecordState) -> bool) -> RecordId {
        let all = &self.model.now.records;
        let wanted = all
            .iter()
            .filter(|(id, one)| is_wanted(id, one))
            .map(|(id, _)| *id);
        let wanted = some(wanted, nth).filter(|_| nth < 225);
        let any = || some(all.keys().copied(), nth).filter(|_| nth < 250);
        wanted.or_else(any).unwrap_or(record_id(0x7f))
    }

    /// Somebody who is enrolled, or with the last number nobody.
    fn person(&self, nth: u8) -> u8 {
        let all = self.model.now.patients.keys().map(|id| id.0[0]);
        let going_on = all.filter(|id| !self.model.now.adopted_by.contains_key(&patient(*id)));
        some(going_on, nth).filter(|_| nth < 245).unwrap_or(3)
    }

    /// A patient of whom something is true; else anybody.
    fn patient_who(&self, nth: u8, is_one: impl Fn(&PatientId) -> bool) -> u8 {
        let all = self.model.now.patients.keys();
        let wanted = some(all.filter(|id| is_one(id)), nth).filter(|_| nth < 230);
        wanted.map_or_else(|| self.person(nth), |id| id.0[0])
    }

    fn owner_of(&self, record: &RecordId) -> u8 {
        let owner = self.model.now.records.get(record).map(|one| one.patient);
        owner.map_or(1, |owner| self.model.now.owner(&owner).0[0])
    }

    /// Somebody to whom a patient granted something.
    fn grantee(&self, of: u8, nth: u8) -> Who {
        let all = self
            .model
            .now
            .directives
            .get(&patient(of))
            .into_iter()
            .flatten();
        let grantees = all.filter_map(|stored| match &stored.directive.terms {
            Terms::Grant(grant) => match grant.scope.to.as_ref()?.iter().next()? {
                Grantee::Actor(id) => Some(Who::Practitioner(id.as_bytes()[0])),
                _ => Some(Who::Practitioner(11)),
            },
            _ => None,
        });
        some(grantees, nth).unwrap_or(Who::Practitioner(10 + nth % 4))
    }

    fn request(&self, nth: u8, is_wanted: impl Fn(&RequestState) -> bool) -> Option<TxId> {
        let all = &self.model.now.requests;
        let wanted = all
            .iter()
            .filter(|(_, one)| is_wanted(one))
            .map(|(id, _)| *id);
        let any = || some(all.keys().copied(), nth);
        some(wanted, nth).filter(|_| nth < 235).or_else(any)
    }

    /// A member of the committee of an epoch.
    fn custodian_in(&self, epoch: u64, nth: u8) -> (Who, u64) {
        let now = &self.model.now;
        let committee = now.former.get(&epoch).unwrap_or(&now.committee);
        let at = usize::from(nth) % committee.members().len();
        let org = &committee.members()[at].org;
        (Who::Custodian(number(org)), at as u64 + 1)
    }

    /// Who decides on a patient's guardians: the patient, or the office that enrolled them.
    fn decider(&self, of: u8) -> Who {
        let (now, id) = (&self.model.now, patient(of));
        let Some(state) = now.patients.get(&id) else {
            return Who::Office(1);
        };
        if state.adult_from.0 <= now.time && now.is_capable(&id) {
            Who::Patient(of)
        } else {
            Who::Office(number(&state.enrolled_by))
        }
    }

    /// The agreement of another office, or with flaws 6 to 8 one that is none.
    fn second(&self, key: &Key, flaw: u8, body: impl Into<Body>) -> Option<Countersignature> {
        let now = &self.model.now;
        let holder = now.keys.get(&key.public())?.holder;
        let own = holder.actor();
        let members = now.committee.members().iter().map(|one| one.org);
        let others = members.filter(|org| ActorId::from(*org) != own);
        let other = some(others, 0).unwrap_or(org(5));
        let by = match flaw {
            6 => OrgId(own.0),
            7 => some(
                now.orgs.keys().copied().filter(|org| !now.is_member(org)),
                0,
            )?,
            _ => other,
        };
        let seq = self.next_seq(key) + u64::from(flaw == 8);
        let message = body.into().to_countersign(&now.chain, &key.public(), seq);
        Some(Countersignature {
            org: by,
            signature: self.key_of(Who::Office(number(&by))).sign(&message),
        })
    }

    /// What a try sends, now.
    pub(crate) fn prepare(&mut self, one: &Try) -> Vec<Prepared> {
        if one.kind == "grant by quorum" {
            return self.quorum_grant(one);
        }
        let (by, body) = match one.kind {
            "add" | "amend" | "acknowledge" | "erase" | "destroy" | "slot" | "unslot"
            | "redeal" | "acknowledge redeal" => self.record_body(one),
            "relabel" | "duplicate" | "dispute" | "answer" | "hold" | "lift" => {
                self.standing_body(one)
            }
            "grant" | "restrict" | "revoke" | "approve" => self.directive_body(one),
            "declare" | "review" | "ask" | "release" => self.access_body(one),
            "appoint" | "remove" | "quorum" | "status" => self.care_body(one),
            "plan" | "start" | "veto" | "complete" | "adopt" => self.identity_body(one),
            _ => self.office_body(one),
        };
        let key = self.key_of(one.by.unwrap_or(by));
        let seq = self.next_seq(&key) + u64::from(one.a.is_multiple_of(8) && !needs_second(&body));
        let body = self.countersigned(&key, one.flaw, body);
        vec![(key, seq, body)]
    }

    pub(crate) fn countersigned(&self, key: &Key, flaw: u8, mut body: Body) -> Body {
        if flaw == 5 {
            return body;
        }
        let second = self.second(key, flaw, body.clone());
        match &mut body {
            Body::HoldPlaced(body) => body.countersignature = second,
            Body::GuardianAppointed(body) => body.countersignature = second,
            Body::GuardianRemoved(body) => body.countersignature = second,
            Body::QuorumSet(body) => body.countersignature = second,
            Body::StatusChanged(body) => body.countersignature = second,
            _ => {}
        }
        body
    }
}

fn needs_second(body: &Body) -> bool {
    matches!(
        body,
        Body::HoldPlaced(_)
            | Body::GuardianAppointed(_)
            | Body::GuardianRemoved(_)
            | Body::QuorumSet(_)
            | Body::StatusChanged(_)
    )
}
