//! One value of every published type.

use chartseal_codec::{Bytes, to_bytes};
use chartseal_merkle::{Frontier, Hash, Map, MapProof};
use chartseal_wire::export::{Finality, Growth, Handover};
use chartseal_wire::history::{
    Access, Adopted, CommitteeChanged, Destroyed, DirectiveIssued, DirectivesRelabelled,
    DisputeAnswered, Disputed, DuplicateOf, EmergencyDeclared, Enrolled, Erased, Flood,
    GuardianAppointed, GuardianRemoved, HoldLifted, HoldPlaced, KeyChanged, Outcome, OwnAccess,
    OwnOutcome, QuorumSet, RecordAdded, RecoveryCompleted, RecoveryPlanned, RecoveryStarted,
    RecoveryVetoed, Redealt, Relabelled, Released, Reviewed, SlotAdded, SlotRemoved, StatusChanged,
    Token,
};
use chartseal_wire::{
    ActorId, BlockHeader, Certificate, ChainId, Committee, Entry, Event, Export, HeaderDigest,
    HistorySection, Member, OrgId, PatientId, PublicKey, RecordId, SealedText, Signature, Subject,
    Time, TxId,
};

const PATIENT: PatientId = PatientId([0xa1; 16]);
const DOCTOR: ActorId = ActorId([0xd1; 16]);
const RECORD: RecordId = RecordId([0x11; 16]);
const REASON: Hash = Hash([0x44; 32]);

fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

pub(crate) fn header() -> BlockHeader {
    BlockHeader {
        version: 1,
        chain: ChainId([0xcc; 32]),
        epoch: 2,
        height: 300,
        parent: Hash([1; 32]),
        time: Time(1_795_305_600_000),
        tx_root: Hash([2; 32]),
        state_root: Hash([3; 32]),
        log_root: Hash([4; 32]),
        log_size: 300,
        next_committee: Hash([5; 32]),
    }
}

/// Every event, under its name.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn events() -> Vec<(&'static str, Event)> {
    let outcome = Outcome {
        record: RECORD,
        header: Some(HeaderDigest([0x33; 32])),
        permitted: true,
        code: token("granted"),
        basis: vec![token(&"5".repeat(64))],
        obligations: vec![token("log"), token("review")],
    };
    let unknown = Outcome {
        header: None,
        permitted: false,
        code: token("not_visible"),
        basis: vec![],
        obligations: vec![],
        ..outcome.clone()
    };
    let key = PublicKey([0x66; 32]);
    vec![
        (
            "enrolled",
            Event::Enrolled(Enrolled {
                subject: PATIENT.into(),
                provisional: true,
            }),
        ),
        (
            "record_added",
            Event::RecordAdded(RecordAdded {
                record: RECORD,
                version: 2,
                header: HeaderDigest([0x33; 32]),
                supersedes: Some(HeaderDigest([0x32; 32])),
            }),
        ),
        (
            "directive",
            Event::Directive(DirectiveIssued {
                kind: token("revoke"),
                target: Some(TxId([0x55; 32])),
                from: None,
                until: Some(Time(24)),
            }),
        ),
        (
            "emergency",
            Event::Emergency(EmergencyDeclared {
                reason_code: token("trauma"),
                reason: REASON,
                until: Time(256),
            }),
        ),
        (
            "access",
            Event::Access(Access {
                action: token("read"),
                purpose: token("TREAT"),
                reason_code: token("follow-up"),
                reason: REASON,
                foreign_claim: false,
                records: vec![outcome, unknown],
                release_until: Some(Time(65_536)),
            }),
        ),
        (
            "own_access",
            Event::OwnAccess(OwnAccess {
                action: token("read"),
                purpose: token("BTG"),
                reason_code: token("trauma"),
                patient: PATIENT,
                records: vec![OwnOutcome {
                    record: RECORD,
                    permitted: false,
                    outcome: Hash([0x77; 32]),
                }],
            }),
        ),
        (
            "released",
            Event::Released(Released {
                request: TxId([0x55; 32]),
                custodian: 4,
                records: vec![RECORD],
            }),
        ),
        (
            "reviewed",
            Event::Reviewed(Reviewed {
                request: TxId([0x55; 32]),
                justified: true,
            }),
        ),
        ("erased", Event::Erased(Erased { record: RECORD })),
        (
            "destroyed",
            Event::Destroyed(Destroyed {
                record: RECORD,
                custodian: 1,
            }),
        ),
        (
            "key_changed",
            Event::KeyChanged(KeyChanged {
                subject: DOCTOR,
                old: key,
                new: None,
            }),
        ),
        (
            "relabelled",
            Event::Relabelled(Relabelled {
                records: vec![RECORD, RecordId([0x12; 16])],
            }),
        ),
        (
            "slot_added",
            Event::SlotAdded(SlotAdded {
                record: RECORD,
                header: HeaderDigest([0x33; 32]),
                kem: [0x34; 32],
                request: Some(TxId([0x55; 32])),
            }),
        ),
        (
            "slot_removed",
            Event::SlotRemoved(SlotRemoved {
                record: RECORD,
                header: HeaderDigest([0x33; 32]),
            }),
        ),
        (
            "redealt",
            Event::Redealt(Redealt {
                record: RECORD,
                header: HeaderDigest([0x33; 32]),
                deal: 1,
                request: None,
            }),
        ),
        (
            "guardian_appointed",
            Event::GuardianAppointed(GuardianAppointed {
                guardian: DOCTOR,
                ground: token("minority"),
                from: Some(Time(24)),
                until: None,
            }),
        ),
        (
            "guardian_removed",
            Event::GuardianRemoved(GuardianRemoved { guardian: DOCTOR }),
        ),
        (
            "quorum_set",
            Event::QuorumSet(QuorumSet {
                k: 2,
                members: vec![DOCTOR, PATIENT.into()],
            }),
        ),
        (
            "status_changed",
            Event::StatusChanged(StatusChanged {
                status: token("majority"),
                from: Some(Time(1_795_305_600_000)),
            }),
        ),
        (
            "recovery_planned",
            Event::RecoveryPlanned(RecoveryPlanned {
                bundle: Some(REASON),
                guardians: vec![DOCTOR],
                k: 1,
                delay_ms: 86_400_000,
            }),
        ),
        (
            "recovery_started",
            Event::RecoveryStarted(RecoveryStarted {
                key,
                guardians: vec![DOCTOR],
                due: Time(256),
            }),
        ),
        (
            "recovery_vetoed",
            Event::RecoveryVetoed(RecoveryVetoed {
                recovery: TxId([0x55; 32]),
            }),
        ),
        (
            "recovery_completed",
            Event::RecoveryCompleted(RecoveryCompleted {
                recovery: TxId([0x55; 32]),
                bundle: REASON,
            }),
        ),
        (
            "adopted",
            Event::Adopted(Adopted {
                adopted: PatientId([0xa2; 16]),
                by: PATIENT,
            }),
        ),
        (
            "duplicate_of",
            Event::DuplicateOf(DuplicateOf {
                record: RECORD,
                of: RecordId([0x12; 16]),
            }),
        ),
        (
            "flood",
            Event::Flood(Flood {
                patient: PATIENT,
                foreign_claim: true,
                from: Time(0),
                until: Time(3_600_000),
                count: 1_000,
                root: Hash([0x77; 32]),
            }),
        ),
        (
            "disputed",
            Event::Disputed(Disputed {
                record: RECORD,
                version: 2,
                reason: REASON,
            }),
        ),
        (
            "dispute_answered",
            Event::DisputeAnswered(DisputeAnswered {
                record: RECORD,
                dispute: TxId([0x55; 32]),
                rectified: Some(3),
                reason: REASON,
            }),
        ),
        (
            "hold_placed",
            Event::HoldPlaced(HoldPlaced {
                record: RECORD,
                reason_code: token("litigation"),
            }),
        ),
        (
            "hold_lifted",
            Event::HoldLifted(HoldLifted {
                record: RECORD,
                hold: TxId([0x55; 32]),
            }),
        ),
        (
            "committee_changed",
            Event::CommitteeChanged(CommitteeChanged {
                epoch: 1,
                from: 500,
                members: vec![OrgId([0x01; 16])],
            }),
        ),
        (
            "directives_relabelled",
            Event::DirectivesRelabelled(DirectivesRelabelled {
                directives: vec![TxId([0x55; 32])],
                private: true,
            }),
        ),
    ]
}

pub(crate) fn entry(event: Event) -> Entry {
    Entry {
        height: 300,
        time: Time(1_795_305_600_000),
        tx: TxId([0x55; 32]),
        actor: DOCTOR,
        org: OrgId([0x01; 16]),
        event,
    }
}

pub(crate) fn proof() -> MapProof {
    let slots = [Subject::Patient(PATIENT), Subject::Actor(DOCTOR)].map(|subject| subject.slot());
    let map = Map::new().update(slots.map(|slot| (slot, Some(vec![1]))).into());
    map.prove(&slots[0])
}

fn log() -> Frontier {
    let mut log = Frontier::new();
    for leaf in 0..3 {
        log.append(Hash([leaf; 32]));
    }
    log
}

pub(crate) fn export() -> Export {
    let entries = events()
        .into_iter()
        .map(|(_, event)| Bytes(to_bytes(&entry(event))));
    Export {
        header: header(),
        histories: vec![HistorySection {
            subject: Subject::Patient(PATIENT),
            first: 7,
            log: log(),
            entries: entries.collect(),
            proof: proof(),
        }],
        growth: Some(Growth {
            from: 250,
            proof: vec![Hash([8; 32]), Hash([9; 32])],
        }),
        texts: vec![SealedText {
            salt: [0x40; 32],
            sealed: Bytes(vec![1, 2, 3]),
        }],
        finality: None,
    }
}

pub(crate) fn committee(epoch: u64) -> Committee {
    let member = |n| Member {
        org: OrgId([n; 16]),
        validator: PublicKey([0x90 - n; 32]),
    };
    Committee::new(epoch, (1..=4).map(member).collect()).unwrap()
}

/// By three of four.
pub(crate) fn certificate(epoch: u64) -> Certificate {
    let signed = [0, 1, 3].map(|at: u8| (u64::from(at), Signature([0xb0 + at; 64])));
    let views = (epoch, 300, 298);
    Certificate::new(views, header().leaf(), 4, &signed).unwrap()
}

/// An export of epoch 1, from the committee of epoch 0 on.
pub(crate) fn certified() -> Export {
    Export {
        finality: Some(Finality {
            first: committee(0),
            handovers: vec![Handover {
                header: header(),
                proof: vec![Hash([0x0b; 32])],
                certificate: certificate(0),
                next: committee(1),
            }],
            certificate: certificate(1),
        }),
        ..export()
    }
}
