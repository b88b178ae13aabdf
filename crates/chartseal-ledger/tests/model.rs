//! Random transactions against a plain model in memory: the same ones are admitted, the same is
//! decided, and every history has exactly the model's entries.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::panic, clippy::too_many_lines, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use chartseal_ledger::body::{
    Countersignature, DepositAcknowledged, Destroyed, DirectiveIssued, DisputeAnswered, Disputed,
    DuplicateOf, EmergencyDeclared, EmergencyReviewed, Erased, Ground, GuardianAppointed,
    GuardianRemoved, HoldLifted, HoldPlaced, RecordAdded, Released, SlotAdded, Status,
    StatusChanged,
};
use chartseal_ledger::{Body, Params, SignedTransaction, execute, propose};
use chartseal_policy::{
    Actor, Confidentiality, Declaration, Directive, Effect, Guardian, Issuer, MemoryWorld, Patient,
    Position, Record, Request, Restriction, Revocation, Symbol, Terms, Window, decide,
};
use chartseal_wire::history::{
    self, Access, Outcome, OwnAccess, OwnOutcome, Token, outcome_commitment,
};
use chartseal_wire::{
    ActorId, Entry, Event, Hash, HeaderDigest, OrgId, PatientId, RecordId, Subject, Time, TxId,
};
use common::*;
use proptest::prelude::*;
use proptest::sample::select;

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Office,
    Custodian(u8),
    Practitioner(u8),
    Patient(u8),
}

impl Who {
    fn key(self) -> Key {
        match self {
            Self::Office => office(1),
            Self::Custodian(id) => custodian(id),
            Self::Practitioner(id) => actor_key(id),
            Self::Patient(id) => patient_key(id),
        }
    }

    fn actor(self) -> ActorId {
        match self {
            Self::Office => org(1).into(),
            Self::Custodian(id) => org(id).into(),
            Self::Practitioner(id) => actor(id),
            Self::Patient(id) => patient(id).into(),
        }
    }

    fn org(self) -> OrgId {
        match self {
            Self::Practitioner(11) => org(2),
            Self::Practitioner(_) | Self::Office => org(1),
            Self::Custodian(id) => org(id),
            Self::Patient(id) => OrgId([id; 16]),
        }
    }
}

/// A transaction to try. Numbers that count something wrap around what there is.
#[derive(Clone, Debug)]
enum Try {
    Add {
        record: u8,
        owner: u8,
    },
    Amend {
        record: u8,
    },
    Acknowledge {
        record: u8,
    },
    Grant {
        owner: u8,
        to: u8,
    },
    Restrict {
        owner: u8,
    },
    Revoke {
        owner: u8,
        nth: usize,
    },
    Ask {
        named: u8,
        records: Vec<u8>,
        purpose: &'static str,
    },
    Declare {
        owner: u8,
    },
    Review {
        nth: usize,
    },
    Release {
        nth: usize,
        record: u8,
    },
    Erase {
        record: u8,
    },
    Destroy {
        record: u8,
    },
    Slot {
        record: u8,
    },
    Dispute {
        record: u8,
    },
    Answer {
        record: u8,
        rectified: bool,
    },
    Hold {
        record: u8,
    },
    Lift {
        record: u8,
    },
    Duplicate {
        record: u8,
        of: u8,
    },
    Appoint {
        owner: u8,
        guardian: u8,
    },
    Remove {
        owner: u8,
        guardian: u8,
    },
    Change {
        owner: u8,
        lost: bool,
    },
}

fn anybody() -> impl Strategy<Value = Who> {
    let practitioners = select(vec![10, 11, 12, 13]).prop_map(Who::Practitioner);
    prop_oneof![
        4 => practitioners,
        4 => (1u8..3).prop_map(Who::Patient),
        3 => (1u8..5).prop_map(Who::Custodian),
        4 => Just(Who::Office),
    ]
}

fn attempt() -> impl Strategy<Value = Try> {
    let (record, owner, nth) = (|| 20u8..25, || 1u8..4, || 0usize..8);
    let purpose = select(vec![
        "TREAT", "BTG", "PATRQT", "FAMRQT", "HPAYMT", "NONSENSE",
    ]);
    let records = prop::collection::vec(20u8..26, 0..4);
    prop_oneof![
        4 => (record(), owner()).prop_map(|(record, owner)| Try::Add { record, owner }),
        2 => record().prop_map(|record| Try::Amend { record }),
        2 => record().prop_map(|record| Try::Acknowledge { record }),
        3 => (owner(), 10u8..13).prop_map(|(owner, to)| Try::Grant { owner, to }),
        1 => owner().prop_map(|owner| Try::Restrict { owner }),
        2 => (owner(), nth()).prop_map(|(owner, nth)| Try::Revoke { owner, nth }),
        10 => (owner(), records, purpose)
            .prop_map(|(named, records, purpose)| Try::Ask { named, records, purpose }),
        3 => owner().prop_map(|owner| Try::Declare { owner }),
        2 => nth().prop_map(|nth| Try::Review { nth }),
        3 => (nth(), record()).prop_map(|(nth, record)| Try::Release { nth, record }),
        1 => record().prop_map(|record| Try::Erase { record }),
        2 => record().prop_map(|record| Try::Destroy { record }),
        2 => record().prop_map(|record| Try::Slot { record }),
        2 => record().prop_map(|record| Try::Dispute { record }),
        2 => (record(), any::<bool>())
            .prop_map(|(record, rectified)| Try::Answer { record, rectified }),
        2 => record().prop_map(|record| Try::Hold { record }),
        2 => record().prop_map(|record| Try::Lift { record }),
        1 => (record(), record()).prop_map(|(record, of)| Try::Duplicate { record, of }),
        2 => (owner(), select(vec![1, 2, 11]))
            .prop_map(|(owner, guardian)| Try::Appoint { owner, guardian }),
        1 => (owner(), select(vec![1, 2, 11]))
            .prop_map(|(owner, guardian)| Try::Remove { owner, guardian }),
        2 => (owner(), any::<bool>()).prop_map(|(owner, lost)| Try::Change { owner, lost }),
    ]
}

#[derive(Clone)]
struct ModelRecord {
    owner: u8,
    author: Who,
    version: u8,
    acknowledged: BTreeSet<(u8, u8)>,
    erased: bool,
    destroyed: BTreeSet<u8>,
    filed_by: OrgId,
    /// The versions that have a slot.
    slots: BTreeSet<u8>,
    dispute: Option<(TxId, u8)>,
    hold: Option<TxId>,
    duplicate_of: Option<u8>,
}

/// One actor's denials on one patient in a window.
#[derive(Default)]
struct ModelDenials {
    until: u64,
    listed: u64,
    counted: Vec<TxId>,
}

struct ModelRequest {
    id: TxId,
    by: Who,
    named: u8,
    /// Permitted records, and which custodians gave receipts.
    permits: BTreeMap<u8, BTreeSet<u8>>,
    emergency: bool,
    reviewed: bool,
}

/// What should be, in plain collections.
struct Model {
    histories: BTreeMap<Subject, Vec<Entry>>,
    records: BTreeMap<u8, ModelRecord>,
    directives: Vec<(TxId, u8)>,
    restrictions: BTreeSet<TxId>,
    requests: Vec<ModelRequest>,
    incapacitated: BTreeSet<u8>,
    /// An office and its custodian are one actor.
    denials: BTreeMap<(ActorId, u8, bool), ModelDenials>,
    /// The counts that are open, in the order in which they began.
    floods: Vec<(Who, u8, bool)>,
    world: MemoryWorld,
    height: u64,
    index: u32,
    time: u64,
}

type Entered = Vec<(Subject, Event)>;

impl Model {
    fn new(chain: &Chain) -> Self {
        let mut world = MemoryWorld::new();
        for label in labels().as_slice() {
            world.gated.insert(Symbol::new(label.0).unwrap());
        }
        world.network = params().network;
        for id in [1, 2] {
            world.patients.insert(sym(id), Patient::default());
            world.actors.insert(sym(id), Actor::default());
        }
        let roles = [(10, &["doctor"][..]), (11, &["doctor"]), (13, &["privacy"])];
        for (id, roles) in roles
            .into_iter()
            .chain([(12, &["doctor", "emergency"][..])])
        {
            let org = Some(Symbol::new(Who::Practitioner(id).org().0).unwrap());
            world.actors.insert(
                sym(id),
                Actor {
                    org,
                    roles: symbols(roles),
                    ..Actor::default()
                },
            );
        }
        let subjects = [1, 2].map(|id| Subject::Patient(patient(id))).into_iter();
        let actors = subjects.chain(everybody().map(|who| Subject::Actor(who.actor())));
        let histories = actors
            .map(|subject| (subject, chain.history(subject)))
            .collect();
        Self {
            histories,
            records: BTreeMap::new(),
            directives: Vec::new(),
            restrictions: BTreeSet::new(),
            requests: Vec::new(),
            incapacitated: BTreeSet::new(),
            denials: BTreeMap::new(),
            floods: Vec::new(),
            world,
            height: 0,
            index: 0,
            time: 0,
        }
    }

    /// The body to try.
    fn body(&self, what: &Try, unique: u8, chain: &Chain) -> Body {
        let now = chain.now;
        let directive = |owner, terms| DirectiveIssued {
            patient: patient(owner),
            terms,
            sealed: None,
        };
        match what {
            Try::Add { record: id, owner } => {
                let mut body = record(*id, *owner, now);
                body.header = HeaderDigest([unique; 32]);
                body.fingerprint = [unique; 32];
                body.into()
            }
            Try::Amend { record: id } => {
                let head = self.records.get(id);
                let version = head.map_or(1, |head| head.version);
                let owner = head.map_or(1, |head| head.owner);
                RecordAdded {
                    version: u64::from(version) + 1,
                    header: head_of(*id, version + 1),
                    supersedes: Some(head_of(*id, version)),
                    fingerprint: [unique; 32],
                    ..record(*id, owner, now)
                }
                .into()
            }
            Try::Acknowledge { record } => {
                let version = self.records.get(record).map_or(1, |head| head.version);
                let (record, header) = (record_id(*record), head_of(*record, version));
                DepositAcknowledged {
                    record,
                    header,
                    index: 0,
                }
                .into()
            }
            Try::Grant { owner, to } => directive(*owner, grant(*to, None)).into(),
            Try::Restrict { owner } => {
                directive(*owner, Terms::Restrict(Restriction::default())).into()
            }
            Try::Revoke { owner, nth } => {
                let target = self.directive(*nth).map_or(TxId([0; 32]), |(id, _)| id);
                let target = Symbol::new(target.0).unwrap();
                directive(*owner, Terms::Revoke(Revocation { target })).into()
            }
            Try::Ask {
                named,
                records,
                purpose,
            } => ask(*named, records, purpose).into(),
            Try::Declare { owner } => EmergencyDeclared {
                patient: patient(*owner),
                reason_code: token("unconscious"),
                reason: Hash([9; 32]),
                has_reason: true,
            }
            .into(),
            Try::Review { nth } => EmergencyReviewed {
                request: self.request_id(*nth),
                justified: true,
            }
            .into(),
            Try::Release { nth, record } => {
                let records = vec![record_id(*record)];
                Released {
                    request: self.request_id(*nth),
                    records,
                }
                .into()
            }
            Try::Erase { record } => Erased {
                record: record_id(*record),
            }
            .into(),
            Try::Destroy { record } => Destroyed {
                record: record_id(*record),
            }
            .into(),
            Try::Slot { record } => {
                let head = self.records.get(record);
                SlotAdded {
                    record: record_id(*record),
                    header: head_of(*record, head.map_or(1, |head| head.version)),
                    kem: [head.map_or(1, |head| head.owner); 32],
                    slot: [unique; 32],
                    request: None,
                }
                .into()
            }
            Try::Dispute { record } => Disputed {
                record: record_id(*record),
                reason: Hash([unique; 32]),
            }
            .into(),
            Try::Answer { record, rectified } => DisputeAnswered {
                record: record_id(*record),
                rectified: rectified.then(|| self.version(*record).into()),
                reason: Hash([unique; 32]),
            }
            .into(),
            Try::Hold { record } => {
                let mut body = HoldPlaced {
                    record: record_id(*record),
                    reason_code: token("litigation"),
                    countersignature: None,
                };
                body.countersignature = Some(second(chain, body.clone()));
                body.into()
            }
            Try::Lift { record } => HoldLifted {
                record: record_id(*record),
            }
            .into(),
            Try::Duplicate { record, of } => DuplicateOf {
                record: record_id(*record),
                of: record_id(*of),
            }
            .into(),
            Try::Appoint { owner, guardian } => GuardianAppointed {
                patient: patient(*owner),
                guardian: actor(*guardian),
                ground: Ground::Proxy,
                window: Window::ALWAYS,
                countersignature: None,
            }
            .into(),
            Try::Remove { owner, guardian } => GuardianRemoved {
                patient: patient(*owner),
                guardian: actor(*guardian),
                countersignature: None,
            }
            .into(),
            Try::Change { owner, lost } => {
                let mut body = StatusChanged {
                    patient: patient(*owner),
                    status: if *lost {
                        Status::Incapacity
                    } else {
                        Status::Capacity
                    },
                    countersignature: None,
                };
                body.countersignature = Some(second(chain, body.clone()));
                body.into()
            }
        }
    }

    fn version(&self, record: u8) -> u8 {
        self.records.get(&record).map_or(1, |head| head.version)
    }

    /// What enters which history; `None`: the transaction is refused.
    fn expect(&mut self, by: Who, what: &Try, body: &Body, tx: TxId) -> Option<Entered> {
        let enrolled = |owner: &u8| [1, 2].contains(owner);
        let is_practitioner = matches!(by, Who::Practitioner(_));
        let is_person = is_practitioner || matches!(by, Who::Patient(_));
        let own = |owner: u8| Some(owner).filter(|owner| by == Who::Patient(*owner));
        match (what, body) {
            (Try::Add { record, owner }, Body::RecordAdded(added)) => {
                let may = is_practitioner && enrolled(owner) || own(*owner).is_some();
                if !may || self.records.contains_key(record) {
                    return None;
                }
                let fresh = ModelRecord {
                    owner: *owner,
                    author: by,
                    version: 1,
                    acknowledged: BTreeSet::new(),
                    erased: false,
                    destroyed: BTreeSet::new(),
                    filed_by: by.org(),
                    slots: BTreeSet::new(),
                    dispute: None,
                    hold: None,
                    duplicate_of: None,
                };
                self.records.insert(*record, fresh);
                self.put_record(added);
                Some(both(by, *owner, added_event(added)))
            }
            (Try::Amend { record }, Body::RecordAdded(added)) => {
                let head = self.records.get_mut(record).filter(|head| !head.erased)?;
                let is_colleague = is_practitioner
                    && matches!(head.author, Who::Practitioner(_))
                    && head.author.org() == by.org();
                if !is_colleague && own(head.owner).is_none() {
                    return None;
                }
                (head.version, head.author) = (head.version + 1, by);
                let owner = head.owner;
                self.put_record(added);
                Some(both(by, owner, added_event(added)))
            }
            (Try::Acknowledge { record }, _) => {
                let Who::Custodian(index) = by else {
                    return None;
                };
                let head = self.records.get_mut(record).filter(|head| !head.erased)?;
                head.acknowledged
                    .insert((head.version, index))
                    .then(Vec::new)
            }
            (_, Body::DirectiveIssued(issued)) => {
                let (Try::Grant { owner, .. }
                | Try::Restrict { owner }
                | Try::Revoke { owner, .. }) = what
                else {
                    return None;
                };
                let target = match what {
                    Try::Revoke { nth, .. } => {
                        Some(self.directive(*nth).filter(|(_, of)| of == owner)?.0)
                    }
                    _ => None,
                };
                let opens = match what {
                    Try::Grant { .. } => true,
                    _ => target.is_some_and(|target| self.restrictions.contains(&target)),
                };
                let is_without = own(*owner).is_some() && self.incapacitated.contains(owner);
                if !is_person || !enrolled(owner) || opens && is_without {
                    return None;
                }
                self.put_directive(by, *owner, tx, issued.terms.clone());
                let kind = token(issued.terms.kind());
                let event = history::DirectiveIssued {
                    kind,
                    target,
                    from: None,
                    until: None,
                };
                Some(both(by, *owner, Event::Directive(event)))
            }
            (
                Try::Ask {
                    named,
                    records,
                    purpose,
                },
                _,
            ) => self.ask(by, *named, records, purpose, tx),
            (Try::Declare { owner }, Body::EmergencyDeclared(declared)) => {
                if !is_practitioner || !enrolled(owner) {
                    return None;
                }
                let from = chartseal_policy::Time(self.time);
                let terms = Declaration {
                    from,
                    has_reason: true,
                    closed: None,
                };
                self.put_directive(by, *owner, tx, Terms::Emergency(terms));
                let event = history::EmergencyDeclared {
                    reason_code: declared.reason_code.clone(),
                    reason: declared.reason,
                    until: Time(self.time + 4 * 3_600_000),
                };
                Some(both(by, *owner, Event::Emergency(event)))
            }
            (Try::Review { nth }, _) => {
                let nth = nth % self.requests.len().max(1);
                let request = self.requests.get_mut(nth)?;
                let may = by == Who::Practitioner(13) && request.by.org() == org(1);
                if !may || request.by == by || !request.emergency || request.reviewed {
                    return None;
                }
                request.reviewed = true;
                let event = history::Reviewed {
                    request: request.id,
                    justified: true,
                };
                Some(both(by, request.named, Event::Reviewed(event)))
            }
            (Try::Release { nth, record }, _) => {
                let Who::Custodian(index) = by else {
                    return None;
                };
                let nth = nth % self.requests.len().max(1);
                let request = self.requests.get_mut(nth)?;
                if !request.permits.get_mut(record)?.insert(index) {
                    return None;
                }
                let event = history::Released {
                    request: request.id,
                    custodian: index.into(),
                    records: vec![record_id(*record)],
                };
                Some(both(by, request.named, Event::Released(event)))
            }
            (Try::Erase { record }, _) => {
                let head = self.records.get_mut(record).filter(|head| !head.erased)?;
                own(head.owner)?;
                if head.hold.is_some() || self.incapacitated.contains(&head.owner) {
                    return None;
                }
                head.erased = true;
                self.world.records.remove(&sym(*record));
                let event = history::Erased {
                    record: record_id(*record),
                };
                Some(both(by, head.owner, Event::Erased(event)))
            }
            (Try::Destroy { record }, _) => {
                let Who::Custodian(index) = by else {
                    return None;
                };
                let head = self.records.get_mut(record).filter(|head| head.erased)?;
                if !head.destroyed.insert(index) {
                    return None;
                }
                let custodian = index.into();
                let event = history::Destroyed {
                    record: record_id(*record),
                    custodian,
                };
                Some(both(by, head.owner, Event::Destroyed(event)))
            }
            (Try::Slot { record }, Body::SlotAdded(slot)) => {
                let head = self.records.get_mut(record).filter(|head| !head.erased)?;
                let may = by == head.author || own(head.owner).is_some();
                if !may || self.incapacitated.contains(&head.owner) {
                    return None;
                }
                if !head.slots.insert(head.version) {
                    return None;
                }
                let event = history::SlotAdded {
                    record: slot.record,
                    header: slot.header,
                    kem: slot.kem,
                    request: None,
                };
                Some(both(by, head.owner, Event::SlotAdded(event)))
            }
            (Try::Dispute { record }, Body::Disputed(disputed)) => {
                let head = self.records.get_mut(record).filter(|head| !head.erased)?;
                own(head.owner)?;
                if head.dispute.is_some() {
                    return None;
                }
                head.dispute = Some((tx, head.version));
                let event = history::Disputed {
                    record: disputed.record,
                    version: head.version.into(),
                    reason: disputed.reason,
                };
                Some(both(by, head.owner, Event::Disputed(event)))
            }
            (Try::Answer { record, .. }, Body::DisputeAnswered(answer)) => {
                let head = self.records.get_mut(record)?;
                let may = is_practitioner && (by == head.author || by.org() == head.filed_by);
                let (dispute, disputed) = head.dispute.filter(|_| may)?;
                if answer.rectified.is_some() && head.version == disputed {
                    return None;
                }
                head.dispute = None;
                let event = history::DisputeAnswered {
                    record: answer.record,
                    dispute,
                    rectified: answer.rectified,
                    reason: answer.reason,
                };
                Some(both(by, head.owner, Event::DisputeAnswered(event)))
            }
            (Try::Hold { record }, Body::HoldPlaced(hold)) => {
                let head = self.records.get_mut(record).filter(|head| !head.erased)?;
                if by != Who::Office || head.filed_by != by.org() || head.hold.is_some() {
                    return None;
                }
                head.hold = Some(tx);
                let event = history::HoldPlaced {
                    record: hold.record,
                    reason_code: hold.reason_code.clone(),
                };
                Some(both(by, head.owner, Event::HoldPlaced(event)))
            }
            (Try::Lift { record }, _) => {
                let head = self.records.get_mut(record)?;
                if by != Who::Office {
                    return None;
                }
                let hold = head.hold.take()?;
                let record = record_id(*record);
                let event = history::HoldLifted { record, hold };
                Some(both(by, head.owner, Event::HoldLifted(event)))
            }
            (Try::Duplicate { record, of }, _) => {
                for id in [record, of] {
                    let head = self.records.get(id).filter(|head| !head.erased)?;
                    own(head.owner)?;
                    if record == of || head.duplicate_of.is_some() {
                        return None;
                    }
                }
                let head = self.records.get_mut(record)?;
                head.duplicate_of = Some(*of);
                let (record, of) = (record_id(*record), record_id(*of));
                let event = history::DuplicateOf { record, of };
                Some(both(by, head.owner, Event::DuplicateOf(event)))
            }
            (Try::Appoint { owner, guardian }, _) => {
                own(*owner)?;
                if owner == guardian || self.incapacitated.contains(owner) {
                    return None;
                }
                let from = Some(chartseal_policy::Time(self.time));
                let window = Window { from, until: None };
                let terms = self.terms(*owner).chain([(*guardian, window)]);
                self.set_terms(*owner, terms.collect());
                let event = history::GuardianAppointed {
                    guardian: actor(*guardian),
                    ground: token("proxy"),
                    from: Some(Time(self.time)),
                    until: None,
                };
                let event = Event::GuardianAppointed(event);
                Some(with_guardian(by, *owner, *guardian, event))
            }
            (Try::Remove { owner, guardian }, _) => {
                let resigns = by.actor() == actor(*guardian) && is_person;
                let may = own(*owner).is_some() && !self.incapacitated.contains(owner);
                if !enrolled(owner) || !resigns && !may {
                    return None;
                }
                let now = chartseal_policy::Time(self.time);
                let is_open = |(who, window): &(u8, Window)| {
                    who == guardian && window.until.is_none_or(|until| now < until)
                };
                if !self.terms(*owner).any(|term| is_open(&term)) {
                    return None;
                }
                let terms = self.terms(*owner).map(|mut term| {
                    if is_open(&term) {
                        term.1.until = Some(now);
                    }
                    term
                });
                self.set_terms(*owner, terms.collect());
                let guardian_id = actor(*guardian);
                let event = Event::GuardianRemoved(history::GuardianRemoved {
                    guardian: guardian_id,
                });
                Some(with_guardian(by, *owner, *guardian, event))
            }
            (Try::Change { owner, lost }, _) => {
                if by != Who::Office || !enrolled(owner) {
                    return None;
                }
                let changed = if *lost {
                    self.incapacitated.insert(*owner)
                } else {
                    self.incapacitated.remove(owner)
                };
                let status = token(if *lost { "incapacity" } else { "capacity" });
                let event = history::StatusChanged { status, from: None };
                changed.then(|| both(by, *owner, Event::StatusChanged(event)))
            }
            other => panic!("{other:?}"),
        }
    }

    fn terms(&self, owner: u8) -> impl Iterator<Item = (u8, Window)> + use<> {
        let guardians = self.world.patients[&sym(owner)].guardians.clone();
        let terms: Vec<_> = guardians
            .iter()
            .map(|one| (one.actor.as_bytes()[0], one.window))
            .collect();
        terms.into_iter()
    }

    fn set_terms(&mut self, owner: u8, terms: Vec<(u8, Window)>) {
        let guardians = terms.into_iter().map(|(guardian, window)| Guardian {
            actor: sym(guardian),
            window,
        });
        let patient = self.world.patients.get_mut(&sym(owner)).unwrap();
        patient.guardians = chartseal_policy::Set::new(guardians).unwrap();
    }

    /// Whether a denied attempt is listed one by one, and not counted.
    fn lists(&mut self, by: Who, owner: u8, foreign: bool, tx: TxId) -> bool {
        let denials = self
            .denials
            .entry((by.actor(), owner, foreign))
            .or_default();
        let until = (self.time / WINDOW + 1) * WINDOW;
        if denials.until != until {
            *denials = ModelDenials {
                until,
                ..ModelDenials::default()
            };
        }
        if denials.listed < LISTED {
            denials.listed += 1;
            return true;
        }
        if denials.counted.is_empty() {
            self.floods.push((by, owner, foreign));
        }
        denials.counted.push(tx);
        false
    }

    /// What a block enters before its transactions: the counts whose window is over.
    fn begin_block(&mut self) {
        let floods = std::mem::take(&mut self.floods);
        for (by, owner, foreign) in floods {
            let denials = &self.denials[&(by.actor(), owner, foreign)];
            if denials.until > self.time {
                self.floods.push((by, owner, foreign));
                continue;
            }
            let mut log = chartseal_merkle::Frontier::new();
            for tx in &denials.counted {
                log.append(history::Flood::leaf(tx));
            }
            let event = Event::Flood(history::Flood {
                patient: patient(owner),
                foreign_claim: foreign,
                from: Time(denials.until - WINDOW),
                until: Time(denials.until),
                count: denials.counted.len() as u64,
                root: log.root(),
            });
            let tx = *denials.counted.last().unwrap();
            self.denials.remove(&(by.actor(), owner, foreign));
            let with_patient = (owner != 3).then(|| Subject::Patient(patient(owner)));
            let subjects = with_patient
                .into_iter()
                .chain((!foreign).then(|| Subject::Actor(by.actor())));
            let entered = subjects.map(|subject| (subject, event.clone()));
            self.enter(by, tx, entered.collect());
        }
    }

    fn ask(
        &mut self,
        by: Who,
        named: u8,
        records: &[u8],
        purpose: &str,
        tx: TxId,
    ) -> Option<Entered> {
        let distinct: BTreeSet<_> = records.iter().collect();
        if records.is_empty() || distinct.len() != records.len() {
            return None;
        }
        let mut request = ModelRequest {
            id: tx,
            by,
            named,
            permits: BTreeMap::new(),
            emergency: false,
            reviewed: false,
        };
        // Policy knows no loss of capacity: who lost it asks as a child.
        let is_without = self.incapacitated.contains(&named) && by == Who::Patient(named);
        if is_without {
            let patient = self.world.patients.get_mut(&sym(named)).unwrap();
            patient.adult_from = chartseal_policy::Time(u64::MAX);
        }
        let (mut outcomes, mut until) = (Vec::new(), None);
        for id in records {
            let decision = decide(
                &self.world,
                &Request {
                    actor: Symbol::new(by.actor().0).unwrap(),
                    patient: sym(named),
                    record: sym(*id),
                    action: "read".parse().ok(),
                    purpose: purpose.parse().ok(),
                    time: chartseal_policy::Time(self.time),
                    position: Position {
                        height: self.height,
                        index: self.index,
                    },
                },
            );
            let permitted = decision.effect == Effect::Permit;
            if permitted {
                request.permits.insert(*id, BTreeSet::new());
                request.emergency |= decision.code.as_str() == "emergency";
                let end = decision.valid_until.map_or(u64::MAX, |end| end.0);
                until = until.max(Some(Time(end.min(self.time + 600_000))));
            }
            let basis = decision.by.iter().map(|id| token(&hex(id))).collect();
            let obligations = decision.obligations.iter().map(obligation).collect();
            let header = self.records.get(id).map(|head| head_of(*id, head.version));
            let code = token(decision.code.as_str());
            let record = record_id(*id);
            outcomes.push(Outcome {
                record,
                header,
                permitted,
                code,
                basis,
                obligations,
            });
        }
        if is_without {
            let patient = self.world.patients.get_mut(&sym(named)).unwrap();
            patient.adult_from = chartseal_policy::Time(0);
        }
        let owners: BTreeMap<u8, u8> = self
            .records
            .iter()
            .map(|(id, head)| (*id, head.owner))
            .collect();
        let owner_of = |one: &Outcome| owners.get(&one.record.0[0]).copied();
        let is_denied = !outcomes.iter().any(|one| one.permitted);
        let is_listed = !is_denied || self.lists(by, named, false, tx);
        if is_listed {
            self.requests.push(request);
        }
        let access = |foreign_claim, records, release_until| {
            Event::Access(Access {
                action: token("read"),
                purpose: token(purpose),
                reason_code: token("care"),
                reason: Hash([7; 32]),
                foreign_claim,
                records,
                release_until,
            })
        };
        let mut entered = Entered::new();
        if named != 3 && is_listed {
            let mut seen = outcomes.clone();
            let foreign = seen.iter_mut().filter(|one| owner_of(one) != Some(named));
            foreign.for_each(|one| one.header = None);
            entered.push((Subject::Patient(patient(named)), access(false, seen, until)));
        }
        for owner in [1, 2].into_iter().filter(|owner| *owner != named) {
            let theirs = outcomes.iter().filter(|one| owner_of(one) == Some(owner));
            let theirs: Vec<_> = theirs.cloned().collect();
            if !theirs.is_empty() && (!is_denied || self.lists(by, owner, true, tx)) {
                entered.push((Subject::Patient(patient(owner)), access(true, theirs, None)));
            }
        }
        let salt = |one: &Outcome| match owner_of(one).unwrap_or(named) {
            3 => [0x5a; 32],
            owner => [owner ^ 0xff; 32],
        };
        let own = outcomes.iter().map(|one| OwnOutcome {
            record: one.record,
            permitted: one.permitted,
            outcome: outcome_commitment(&salt(one), &tx, one),
        });
        let own = OwnAccess {
            action: token("read"),
            purpose: token(purpose),
            reason_code: token("care"),
            patient: patient(named),
            records: own.collect(),
        };
        if is_listed {
            entered.push((Subject::Actor(by.actor()), Event::OwnAccess(own)));
        }
        Some(entered)
    }

    fn put_record(&mut self, added: &RecordAdded) {
        let id = added.record.0[0];
        let tags = labels()
            .as_slice()
            .iter()
            .map(|label| Symbol::new(label.0).unwrap())
            .collect::<Vec<_>>();
        let record = Record {
            patient: sym(added.patient.0[0]),
            class: Symbol::new("record").unwrap(),
            conf: Confidentiality::N,
            tags: chartseal_policy::Set::new(tags).unwrap(),
            author: Some(Symbol::new(self.records[&id].author.actor().0).unwrap()),
            encounter: None,
            authored: chartseal_policy::Time(added.authored.0),
            release_at: None,
        };
        self.world.records.insert(sym(id), record);
    }

    fn put_directive(&mut self, by: Who, owner: u8, tx: TxId, terms: Terms) {
        if matches!(terms, Terms::Restrict(_)) {
            self.restrictions.insert(tx);
        }
        let directive = Directive {
            id: Symbol::new(tx.0).unwrap(),
            position: Position {
                height: self.height,
                index: self.index,
            },
            issuer: Issuer::Actor(Symbol::new(by.actor().0).unwrap()),
            patient: sym(owner),
            issued: Some(chartseal_policy::Time(self.time)),
            terms,
        };
        self.world.apply(directive).unwrap();
        self.directives.push((tx, owner));
    }

    fn directive(&self, nth: usize) -> Option<(TxId, u8)> {
        self.directives
            .get(nth % self.directives.len().max(1))
            .copied()
    }

    fn request_id(&self, nth: usize) -> TxId {
        let request = self.requests.get(nth % self.requests.len().max(1));
        request.map_or(TxId([0; 32]), |request| request.id)
    }

    fn enter(&mut self, by: Who, tx: TxId, entered: Entered) {
        for (subject, event) in entered {
            let (actor, org) = (by.actor(), by.org());
            let entry = Entry {
                height: self.height,
                time: Time(self.time),
                tx,
                actor,
                org,
                event,
            };
            self.histories.entry(subject).or_default().push(entry);
        }
    }
}

fn everybody() -> impl Iterator<Item = Who> {
    let practitioners = (10..14).map(Who::Practitioner);
    let others = (1..5).map(Who::Custodian).chain((1..3).map(Who::Patient));
    practitioners.chain(others).chain([Who::Office])
}

/// Short enough that a few blocks flood, and that windows end.
const WINDOW: u64 = 5_000;
const LISTED: u64 = 1;

/// The second office's countersignature under what office 1 sends next.
fn second(chain: &Chain, body: impl Into<Body>) -> Countersignature {
    let (id, key) = (chain.head.head().chain, office(1));
    let message = body
        .into()
        .to_countersign(&id, &key.public(), chain.next_seq(&key));
    Countersignature {
        org: org(2),
        signature: office(2).sign(&message),
    }
}

fn with_guardian(by: Who, owner: u8, guardian: u8, event: Event) -> Entered {
    let mut entered = both(by, owner, event.clone());
    if by.actor() != actor(guardian) {
        entered.push((Subject::Actor(actor(guardian)), event));
    }
    entered
}

fn both(by: Who, owner: u8, event: Event) -> Entered {
    vec![
        (Subject::Patient(PatientId([owner; 16])), event.clone()),
        (Subject::Actor(by.actor()), event),
    ]
}

fn added_event(added: &RecordAdded) -> Event {
    Event::RecordAdded(history::RecordAdded {
        record: added.record,
        version: added.version,
        header: added.header,
        supersedes: added.supersedes,
    })
}

fn sym(id: u8) -> Symbol {
    Symbol::new([id; 16]).unwrap()
}

fn head_of(record: u8, version: u8) -> HeaderDigest {
    header(record, version)
}

/// A directive's id as text.
fn hex(id: &Symbol) -> String {
    TxId(id.as_bytes().try_into().unwrap()).to_string()
}

fn obligation(one: &chartseal_policy::Obligation) -> Token {
    match one {
        chartseal_policy::Obligation::Overrides(id) => token(&format!("overrides:{}", hex(id))),
        other => token(&other.to_string()),
    }
}

fn blocks() -> impl Strategy<Value = Vec<Vec<(Who, Try)>>> {
    prop::collection::vec(prop::collection::vec((anybody(), attempt()), 1..6), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_chain_admits_decides_and_enters_exactly_what_the_model_does(blocks in blocks()) {
        let caps = Params {
            max_emergencies_per_actor: 1_000,
            max_emergencies_per_org: 1_000,
            max_directives_by_other: 1_000,
            denial_window_ms: WINDOW,
            max_listed_denials: LISTED,
            ..params()
        };
        let mut chain = Chain::populated_with(caps);
        let mut model = Model::new(&chain);
        let mut unique = 100u8;
        for block in blocks {
            chain.now += 1_000;
            (model.height, model.index, model.time) = (chain.head.height() + 1, 0, chain.now);
            model.begin_block();
            let (mut candidates, mut admitted) = (Vec::new(), Vec::new());
            for (by, what) in block {
                unique += 1;
                let mut body = model.body(&what, unique, &chain);
                if let Body::RecordAdded(added) = &mut body {
                    added.header = head_of(added.record.0[0], u8::try_from(added.version).unwrap());
                }
                if let (Body::DepositAcknowledged(body), Who::Custodian(index)) = (&mut body, by) {
                    body.index = index.into();
                }
                let signed = chain.sign(&by.key(), body.clone());
                let tx = signed.id();
                candidates.push(signed);
                if let Some(entered) = model.expect(by, &what, &body, tx) {
                    model.enter(by, tx, entered);
                    model.index += 1;
                    admitted.push(tx);
                }
            }
            let proposed = propose(&chain.head, Time(chain.now), candidates);
            let found: Vec<_> = proposed.block.transactions.iter().map(SignedTransaction::id).collect();
            prop_assert_eq!(&found, &admitted, "rejected: {:?}", proposed.rejected);
            let executed = execute(&chain.head, &proposed.block).unwrap();
            chartseal_ledger::LedgerStore::commit(
                &mut chain.store,
                &chartseal_ledger::Commit::new(&proposed.block, &executed),
            ).unwrap();
            chain.head = executed.overlay;
            for (subject, entries) in &model.histories {
                prop_assert_eq!(&chain.history(*subject), entries);
            }
            for (id, head) in &model.records {
                let found = chain.head.state().record(&RecordId([*id; 16])).unwrap();
                prop_assert_eq!(found.version, u64::from(head.version));
                prop_assert_eq!(found.erased, head.erased);
                let deposit = chain.head.state().deposit(&found.header).unwrap();
                let acks = head.acknowledged.iter().filter(|(of, _)| *of == head.version).count();
                prop_assert_eq!(deposit.count(), acks as u64);
                prop_assert_eq!(found.destroyed.count_ones() as usize, head.destroyed.len());
            }
        }
    }
}
