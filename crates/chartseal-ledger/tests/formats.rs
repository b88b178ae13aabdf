//! The formats: frozen to the byte, read in one form only, and total on any bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::too_many_lines, reason = "a table of one body of each kind")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chartseal_codec::{Decode, Encode, from_bytes, to_bytes};
use chartseal_ledger::body::{
    Adopted, CommitteeChanged, Countersignature, CustodianReplaced, DepositAcknowledged, Destroyed,
    DirectiveIssued, DirectiveRelabelling, DisputeAnswered, Disputed, DuplicateOf,
    EmergencyDeclared, EmergencyReviewed, Erased, Ground, GuardianAppointed, GuardianRemoved,
    HoldLifted, HoldPlaced, KeyRevoked, KeyRotated, NextMember, Organization, OrganizationEnrolled,
    PractitionerReinstated, QuorumGranted, QuorumSet, RecoveryApproval, RecoveryCompleted,
    RecoveryPlanned, RecoveryStarted, RecoveryVetoed, RedealAcknowledged, Redealt, Relabelled,
    Relabelling, Released, SlotAdded, SlotRemoved, Status, StatusChanged,
};
use chartseal_ledger::state::{
    ActorState, CareState, Counted, DealState, Deals, Declared, Denials, DepositState,
    DisputeState, GuardianTerm, HoldState, KeyState, NextCommittee, OpenEmergency, OpenFlood,
    OrgDenials, PatientState, PendingRecovery, Permit, RecordState, RecoveryState, RequestState,
    Reserved, Restored, Shared, SlotState, StoredDirective,
};
use chartseal_ledger::{
    Block, Body, Committee, Genesis, Label, Labels, Params, SignedTransaction, Transaction,
};
use chartseal_merkle::Frontier;
use chartseal_policy::{Grant, Grantee, Purpose, Quorum, Symbol, Window};
use chartseal_wire::history::state_key;
use chartseal_wire::{
    ActorId, Hash, PatientId, PublicKey, RecordId, Signature, Subject, Time, TxId,
};
use common::*;
use proptest::prelude::*;

/// One body of every kind, with each optional field there at least once.
fn bodies() -> Vec<(&'static str, Body)> {
    let chain = genesis().chain_id();
    let head = genesis().overlay();
    let new = Key::new("new");
    let message = KeyRotated::to_possess(&chain, &actor(10), &new.public());
    let possession = new.sign(&message);
    let first = record(20, 1, START);
    let mut second = amended(&first);
    second.encounter = Some([6; 16]);
    second.release_at = Some(Time(START + 1));
    let request = TxId([3; 32]);
    let (reason_code, reason) = (token("unconscious"), Hash([9; 32]));
    let relabelling = Relabelling {
        record: record_id(20),
        labels: Labels::inbox(),
    };
    let countersignature = Some(Countersignature {
        org: org(2),
        signature: Signature([6; 64]),
    });
    let status = |status| StatusChanged {
        patient: patient(1),
        status,
        countersignature: countersignature.clone(),
    };
    vec![
        (
            "organization enrolled",
            OrganizationEnrolled {
                organization: organization(9),
            }
            .into(),
        ),
        (
            "practitioner enrolled",
            enrol_practitioner(chain, 10, 1, &["emergency"]).into(),
        ),
        ("patient enrolled", enrol_patient(&head, 1).into()),
        (
            "key rotated",
            KeyRotated {
                key: new.public(),
                kem: Some([3; 32]),
                possession,
            }
            .into(),
        ),
        ("key revoked", KeyRevoked { key: new.public() }.into()),
        ("record added", first.into()),
        ("record amended", second.into()),
        (
            "deposit acknowledged",
            DepositAcknowledged {
                record: record_id(20),
                header: header(20, 1),
                index: 4,
            }
            .into(),
        ),
        ("relabelled", Relabelled::of(vec![relabelling]).into()),
        (
            "directive issued",
            DirectiveIssued {
                patient: patient(1),
                terms: grant(11, Some(START)),
                sealed: Some(Hash([4; 32])),
            }
            .into(),
        ),
        (
            "emergency declared",
            EmergencyDeclared {
                patient: patient(1),
                reason_code,
                reason,
                has_reason: true,
            }
            .into(),
        ),
        (
            "emergency reviewed",
            EmergencyReviewed {
                request,
                justified: false,
            }
            .into(),
        ),
        ("access requested", ask(1, &[20, 21], "TREAT").into()),
        (
            "released",
            Released {
                request,
                records: vec![record_id(20)],
            }
            .into(),
        ),
        (
            "erased",
            Erased {
                record: record_id(20),
            }
            .into(),
        ),
        (
            "destroyed",
            Destroyed {
                record: record_id(20),
            }
            .into(),
        ),
        (
            "slot added",
            SlotAdded {
                record: record_id(20),
                header: header(20, 1),
                kem: [1; 32],
                slot: [2; 32],
                request: Some(request),
            }
            .into(),
        ),
        (
            "slot removed",
            SlotRemoved {
                record: record_id(20),
                header: header(20, 1),
            }
            .into(),
        ),
        (
            "redealt",
            Redealt {
                record: record_id(20),
                header: header(20, 1),
                deal: 1,
                custodians: record(20, 1, START).custodians,
                root: [3; 32],
                request: None,
            }
            .into(),
        ),
        (
            "redeal acknowledged",
            RedealAcknowledged {
                record: record_id(20),
                header: header(20, 1),
                deal: 1,
                index: 4,
            }
            .into(),
        ),
        (
            "guardian appointed",
            GuardianAppointed {
                patient: patient(1),
                guardian: actor(2),
                ground: Ground::Incapacity,
                window: Window {
                    from: None,
                    until: Some(chartseal_policy::Time(START)),
                },
                countersignature: countersignature.clone(),
            }
            .into(),
        ),
        (
            "guardian removed",
            GuardianRemoved {
                patient: patient(1),
                guardian: actor(2),
                countersignature: None,
            }
            .into(),
        ),
        (
            "quorum set",
            QuorumSet {
                patient: patient(1),
                quorum: Some(Quorum {
                    k: 2,
                    members: chartseal_policy::Set::new(
                        [2, 3].map(|id| Symbol::new([id; 16]).unwrap()),
                    )
                    .unwrap(),
                    ttl: Some(chartseal_policy::Millis(1_000)),
                }),
                countersignature: countersignature.clone(),
            }
            .into(),
        ),
        (
            "quorum granted",
            QuorumGranted {
                patient: patient(1),
                grant: Grant::to(Grantee::actor([11; 16]).unwrap(), Purpose::Treat),
                sealed: Some(Hash([4; 32])),
            }
            .into(),
        ),
        ("majority", status(Status::Majority(MAJORITY)).into()),
        (
            "minor consent",
            status(Status::MinorConsent(MAJORITY)).into(),
        ),
        ("incapacity", status(Status::Incapacity).into()),
        ("capacity", status(Status::Capacity).into()),
        ("death", status(Status::Death).into()),
        (
            "recovery planned",
            RecoveryPlanned {
                bundle: Hash([5; 32]),
                guardians: vec![actor(2), actor(10)],
                k: 2,
                delay_ms: 259_200_000,
            }
            .into(),
        ),
        (
            "recovery started",
            RecoveryStarted {
                patient: patient(1),
                key: new.public(),
                kem: [3; 32],
                possession,
                approvals: vec![RecoveryApproval {
                    guardian: actor(2),
                    signature: Signature([7; 64]),
                }],
            }
            .into(),
        ),
        (
            "recovery vetoed",
            RecoveryVetoed {
                patient: patient(1),
            }
            .into(),
        ),
        (
            "recovery completed",
            RecoveryCompleted {
                patient: patient(1),
            }
            .into(),
        ),
        (
            "directives relabelled",
            Relabelled {
                records: vec![],
                directives: vec![DirectiveRelabelling {
                    directive: request,
                    terms: grant(11, None),
                }],
                private: Some(chartseal_policy::Set::one(Symbol::new([5; 16]).unwrap())),
            }
            .into(),
        ),
        (
            "adopted",
            Adopted {
                adopted: patient(4),
                agreement: Signature([7; 64]),
            }
            .into(),
        ),
        (
            "duplicate of",
            DuplicateOf {
                record: record_id(21),
                of: record_id(20),
            }
            .into(),
        ),
        (
            "disputed",
            Disputed {
                record: record_id(20),
                reason,
            }
            .into(),
        ),
        (
            "dispute answered",
            DisputeAnswered {
                record: record_id(20),
                rectified: Some(2),
                reason,
            }
            .into(),
        ),
        (
            "hold placed",
            HoldPlaced {
                record: record_id(20),
                reason_code: token("litigation"),
                countersignature: countersignature.clone(),
            }
            .into(),
        ),
        (
            "hold lifted",
            HoldLifted {
                record: record_id(20),
            }
            .into(),
        ),
        (
            "practitioner reinstated",
            PractitionerReinstated {
                enrolment: enrol_practitioner(chain, 10, 1, &["doctor"]),
            }
            .into(),
        ),
        (
            "committee changed",
            CommitteeChanged {
                epoch: 1,
                from: 500,
                members: vec![NextMember {
                    org: org(1),
                    validator: organization(1).validator,
                    custodian_kem: [8; 32],
                }],
                approvals: countersignature.iter().cloned().collect(),
            }
            .into(),
        ),
        (
            "custodian replaced",
            CustodianReplaced {
                rotation: KeyRotated {
                    key: new.public(),
                    kem: Some([3; 32]),
                    possession,
                },
            }
            .into(),
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn visit() -> Chain {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let issued = DirectiveIssued {
        patient: patient(1),
        terms: grant(11, None),
        sealed: None,
    };
    chain.ok(&patient_key(1), issued);
    chain.ask(&actor_key(11), ask(1, &[20, 21], "TREAT"));
    chain
}

#[test]
fn no_byte_of_any_format_moves() {
    let mut found = String::new();
    let mut add = |name: &str, bytes: &[u8]| writeln!(found, "{name}\n{}", hex(bytes)).unwrap();
    add("genesis", &to_bytes(&genesis()));
    add("chain id", &genesis().chain_id().0);
    add("committee hash", &genesis().committee().hash().0);
    add("genesis header", &genesis().header().bytes());
    for (name, body) in bodies() {
        add(name, &to_bytes(&body));
    }
    let chain = visit();
    let block = chain.blocks.last().unwrap();
    add("block", &block.bytes());
    add("transaction id", &block.transactions[0].id().0);
    add("transaction leaf", &block.transactions[0].leaf().0);
    for (key, value) in chain.last.changes.values().enumerate() {
        add(
            &format!("state value {key}"),
            value.as_deref().unwrap_or_default(),
        );
    }
    for (index, (_, _, bytes)) in chain.last.entries.iter().enumerate() {
        add(&format!("history entry {index}"), bytes);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/formats.txt");
    if std::env::var_os("CHARTSEAL_BLESS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    for (found, kept) in found.lines().zip(kept.lines()) {
        assert_eq!(
            found, kept,
            "a format moved: that is a new version of it, not a new vector"
        );
    }
    assert_eq!(found.lines().count(), kept.lines().count());
}

/// The values of some tables, by name, each read in one form only.
#[derive(Default)]
struct Values(Vec<(&'static str, Vec<u8>)>);

impl Values {
    fn add<T: Encode + Decode + PartialEq + std::fmt::Debug>(
        &mut self,
        name: &'static str,
        value: &T,
    ) {
        one_form(value);
        self.0.push((name, to_bytes(value)));
    }

    /// As a chain has it.
    fn found<T: Encode + Decode + PartialEq + std::fmt::Debug>(
        &mut self,
        name: &'static str,
        chain: &Chain,
        id: &[u8],
    ) {
        let value = chain.head.map().get(&state_key(name, id)).unwrap();
        self.add(name, &from_bytes::<T>(value).unwrap());
        assert_eq!(self.0.last().unwrap().1, value, "{name}");
    }
}

/// A value of every table of the state, with each optional field there at least once. A name is the table's, and behind a
/// comma what is special. Most are of a chain, so that a field more needs no change here.
fn state_values() -> Values {
    let mut values = Values::default();
    let (mut chain, request) = permitted();
    let record = record(20, 1, chain.now);
    chain.ok(
        &actor_key(12),
        EmergencyDeclared {
            patient: patient(1),
            reason_code: token("unconscious"),
            reason: Hash([9; 32]),
            has_reason: true,
        },
    );
    let (declared, outcomes) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    assert!(outcomes[0].permitted, "{outcomes:?}");
    // A denied attempt that named another patient.
    chain.ask(&actor_key(13), ask(2, &[20], "TREAT"));
    let new = Key::new("new");
    let possession = new.sign(&KeyRotated::to_possess(
        &chain.head.head().chain,
        &actor(13),
        &new.public(),
    ));
    let (key, kem) = (new.public(), None);
    chain.ok(
        &actor_key(13),
        KeyRotated {
            key,
            kem,
            possession,
        },
    );
    let (one, ten, eleven) = (patient(1).0, actor(10).0, actor(11).0);
    values.found::<Shared>("shared", &chain, &[]);
    values.found::<Organization>("org", &chain, &org(1).0);
    values.found::<KeyState>("key", &chain, &actor_key(13).public().0);
    values.found::<PublicKey>("former-key", &chain, &key.0);
    values.found::<ActorState>("actor", &chain, &actor(12).0);
    values.found::<PatientState>("patient", &chain, &one);
    values.found::<RecordState>("record", &chain, &record.record.0);
    values.found::<DepositState>("deposit", &chain, &record.header.0);
    let print = [&ten[..], &one, &record.fingerprint].concat();
    values.found::<RecordId>("fingerprint", &chain, &print);
    values.found::<StoredDirective>("directive", &chain, &[&one[..], &[0; 8]].concat());
    values.found::<u64>("directive-count", &chain, &one);
    values.found::<u64>("directives-by", &chain, &[one, one].concat());
    values.found::<RequestState>("request", &chain, &request.0);
    values.found::<Vec<Declared>>("declared", &chain, &[org(1).0, one].concat());
    values.found::<Vec<OpenEmergency>>("emergencies", &chain, &org(1).0);
    let denied = [&actor(13).0[..], &patient(2).0, &[0]].concat();
    values.found::<Denials>("denials", &chain, &denied);
    values.found::<OrgDenials>("org-denials", &chain, &org(1).0);
    values.found::<Frontier>("history", &chain, &to_bytes(&Subject::Patient(patient(1))));
    let place = chain.head.map().iter().map(|(_, value)| value);
    let place = place.filter_map(|value| from_bytes::<(PatientId, u64)>(value).ok());
    values.add("directive-place", &place.min().unwrap());
    let emergency = chain.head.state().request(&declared).unwrap();
    assert!(emergency.emergency.is_some());
    values.add("request, in an emergency", &emergency);

    let committee = genesis().committee().clone();
    let next = NextCommittee {
        from: 500,
        custodian_kems: vec![[8; 32]; 4],
        committee: committee.clone(),
    };
    let shared = values.0.iter().find(|(name, _)| *name == "shared");
    let (null, before) = shared.unwrap().1.split_last().unwrap();
    assert_eq!(*null, 0xf6);
    let shared = [before, &to_bytes(&next)].concat();
    values.add(
        "shared, with a next committee",
        &from_bytes::<Shared>(&shared).unwrap(),
    );
    values.add("committee", &committee);
    let window = Window {
        from: Some(chartseal_policy::Time(START)),
        until: Some(chartseal_policy::Time(START + 1)),
    };
    let symbols = |ids: &[u8]| {
        let symbols = ids.iter().map(|id| Symbol::new([*id; 16]).unwrap());
        chartseal_policy::Set::new(symbols).unwrap()
    };
    values.add(
        "actor, suspended",
        &ActorState {
            emergency_from: Some(Time(START)),
            suspended_from: Some(Time(START + 1)),
            credential: window,
            ..chain.head.state().actor(&actor(10)).unwrap()
        },
    );
    values.add(
        "patient, a minor",
        &PatientState {
            minor_consent_from: Some(MAJORITY),
            provisional: true,
            ..chain.head.state().patient(&patient(1)).unwrap()
        },
    );
    values.add(
        "record, with all there may be",
        &RecordState {
            encounter: Some([6; 16]),
            release_at: Some(Time(START)),
            erased: true,
            destroyed: 3,
            ..chain.head.state().record(&record.record).unwrap()
        },
    );
    values.add(
        "care",
        &CareState {
            guardians: vec![GuardianTerm {
                guardian: actor(2),
                ground: Ground::Minority,
                window,
            }],
            quorum: Some(Quorum {
                k: 2,
                members: symbols(&[2, 3]),
                ttl: Some(chartseal_policy::Millis(1_000)),
            }),
            private_labels: symbols(&[5]),
            incapacitated: true,
            dead: false,
        },
    );
    values.add(
        "recovery",
        &RecoveryState {
            bundle: Hash([5; 32]),
            guardians: vec![actor(2), actor(10)],
            k: 2,
            delay_ms: 259_200_000,
            number: 1,
            pending: Some(PendingRecovery {
                tx: TxId([3; 32]),
                key,
                kem: [3; 32],
                due: Time(START),
            }),
            restored: Some(Restored {
                bundle: Hash([6; 32]),
                key,
            }),
        },
    );
    values.add("reserved-key", &Reserved::Recovery(patient(1)));
    values.add("reserved-key, of a validator", &Reserved::Validator(org(1)));
    values.add("adopted-by", &patient(1));
    values.add("adopted", &vec![patient(4), patient(5)]);
    values.add("duplicate", &record_id(20));
    let tx = TxId([3; 32]);
    values.add("dispute", &DisputeState { tx, version: 2 });
    values.add("hold", &HoldState { org: org(1), tx });
    values.add("destroyed", &500_u64);
    values.add("revoked", &500_u64);
    values.add("enrolled-by", &org(1));
    values.add("former-kem", &org(1));
    let mut log = Frontier::new();
    log.append(Hash([1; 32]));
    let counted = Counted { log, last: tx };
    values.add(
        "denials, some of them counted",
        &Denials {
            until: Time(START),
            listed: 3,
            counted: Some(counted),
        },
    );
    let flood = OpenFlood {
        until: Time(START),
        actor: actor(11),
        org: org(2),
        patient: patient(1),
        foreign_claim: true,
    };
    values.add("floods", &vec![flood]);
    let (newest, durable) = (2, 1);
    values.add("deals", &Deals { newest, durable });
    values.add(
        "deal",
        &DealState {
            record: record_id(20),
            custodians: record.custodians,
            root: [3; 32],
            by: ActorId(eleven),
            acknowledged: 5,
        },
    );
    values.add(
        "slot",
        &SlotState {
            record: record_id(20),
            header: record.header,
            kem: [1; 32],
            slot: [2; 32],
            by: ActorId(ten),
        },
    );
    values
}

/// A table's name, of a vector's.
fn table_of(name: &str) -> &str {
    name.split(',').next().unwrap_or_default()
}

#[test]
fn no_byte_of_any_value_of_the_state_moves_and_every_table_has_one() {
    let Values(values) = state_values();
    let mut found = String::new();
    for (name, bytes) in &values {
        writeln!(found, "{name}\n{}", hex(bytes)).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/state.txt");
    if std::env::var_os("CHARTSEAL_BLESS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap());

    // The tables are made in one place.
    let code = include_str!("../src/state/key.rs")
        .split("state_key(")
        .skip(1);
    let named = code.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let tables: BTreeSet<_> = named.chain(["history"]).collect();
    assert!(tables.len() > 30, "{tables:?}");
    let shown: BTreeSet<_> = values.iter().map(|(name, _)| table_of(name)).collect();
    assert_eq!(shown, tables);
}

/// Reads one thing, and nothing that differs from it by a bit or in length.
fn one_form<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = to_bytes(value);
    assert_eq!(&from_bytes::<T>(&bytes).unwrap(), value);
    for end in 0..bytes.len() {
        assert!(from_bytes::<T>(&bytes[..end]).is_err(), "a prefix was read");
    }
    assert!(
        from_bytes::<T>(&[&bytes[..], &[0]].concat()).is_err(),
        "a longer one was read"
    );
}

#[test]
fn every_format_is_read_back_whole_or_not_at_all() {
    for (_, body) in bodies() {
        one_form(&body);
    }
    one_form(&genesis());
    one_form(genesis().committee());
    one_form(&Params::default());
    let chain = visit();
    let block = chain.blocks.last().unwrap();
    one_form(block);
    one_form(&block.transactions[0]);
    one_form(&block.transactions[0].parse().unwrap());
}

/// Whatever the bytes are, a decoder gives an error or a value that encodes to just these bytes.
fn total<T: Encode + Decode>(bytes: &[u8]) {
    if let Ok(value) = from_bytes::<T>(bytes) {
        assert_eq!(to_bytes(&value), bytes);
    }
}

fn total_all(bytes: &[u8]) {
    total::<Genesis>(bytes);
    total::<Committee>(bytes);
    total::<Params>(bytes);
    total::<Body>(bytes);
    total::<Transaction>(bytes);
    total::<SignedTransaction>(bytes);
    total::<Block>(bytes);
    total::<Labels>(bytes);
    total::<Label>(bytes);
    total::<KeyState>(bytes);
    total::<Reserved>(bytes);
    total::<ActorState>(bytes);
    total::<PatientState>(bytes);
    total::<RecordState>(bytes);
    total::<DepositState>(bytes);
    total::<RequestState>(bytes);
    total::<Permit>(bytes);
    total::<Vec<OpenEmergency>>(bytes);
    total::<StoredDirective>(bytes);
    total::<Denials>(bytes);
    total::<Vec<OpenFlood>>(bytes);
    total::<OrgDenials>(bytes);
    total::<DisputeState>(bytes);
    total::<HoldState>(bytes);
    total::<NextCommittee>(bytes);
    total::<CareState>(bytes);
    total::<RecoveryState>(bytes);
    total::<DealState>(bytes);
    total::<Deals>(bytes);
    total::<SlotState>(bytes);
}

proptest! {
    #[test]
    fn decoders_are_total_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        total_all(&bytes);
    }

    #[test]
    fn decoders_are_total_on_nearly_good_bytes(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = to_bytes(&which.get(&bodies()).1);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        total_all(&bytes);
    }

    #[test]
    fn executing_arbitrary_transactions_is_total(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut chain = visit();
        let key = actor_key(10);
        let good = to_bytes(&chain.transaction(&key, 100, which.get(&bodies()).1.clone()));
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let signature = key.sign(&chartseal_wire::domain::tagged(
            chartseal_wire::domain::TRANSACTION, &bytes,
        ));
        let signed = [bytes, good].map(|bytes| SignedTransaction { bytes, signature });
        chain.now += 1;
        let _ = chartseal_ledger::propose(&chain.head, Time(chain.now), signed);
    }
}

#[test]
fn a_permit_names_its_deal_unless_it_is_the_first() {
    one_form(&permit(0));
    one_form(&permit(1));
    let (first, later) = (to_bytes(&permit(0)), to_bytes(&permit(1)));
    assert_eq!((first[0], later[0]), (0x84, 0x85));
    assert_eq!(later[1..later.len() - 1], first[1..]);
    // The first one's number is written in one way.
    let named = [&[0x85], &first[1..], &[0]].concat();
    assert!(from_bytes::<Permit>(&named).is_err());
}

fn permit(deal: u64) -> Permit {
    Permit {
        record: record_id(20),
        header: header(20, 1),
        until: Time(START),
        released: 5,
        deal,
    }
}

#[test]
fn a_genesis_is_consistent_or_is_none() {
    use chartseal_ledger::GenesisError as E;
    let build = |orgs: Vec<_>, committee: &[u8]| {
        let committee: Vec<_> = committee.iter().copied().map(org).collect();
        Genesis::new(Time(START), [0; 32], Params::default(), orgs, &committee)
    };
    let orgs = || (1..=4).map(organization).collect::<Vec<_>>();
    assert!(build(orgs(), &[1, 2, 3, 4]).is_ok());
    assert!(build(orgs(), &[4]).is_ok());
    assert_eq!(build(orgs(), &[1, 2, 3]), Err(E::Committee { members: 3 }));
    assert_eq!(build(orgs(), &[]), Err(E::Committee { members: 0 }));
    assert_eq!(
        build(orgs(), &[1, 2, 3, 3]),
        Err(E::Committee { members: 4 })
    );
    assert_eq!(
        build(orgs(), &[1, 2, 3, 5]),
        Err(E::UnknownMember { place: 3 })
    );
    let mut twice = orgs();
    twice[0].id = twice[1].id;
    assert_eq!(build(twice, &[2]), Err(E::DuplicateOrganization));
    let mut shared = orgs();
    shared[0].validator = shared[1].custodian_key;
    assert_eq!(build(shared, &[1]), Err(E::DuplicateKey));
    let mut params = Params::default();
    for (name, good) in [("part2", true), ("a name", false)] {
        params.network.law = vec![chartseal_policy::LawRule {
            id: name.parse().unwrap(),
            tags: None,
            purposes: None,
            unless: chartseal_policy::Set::default(),
        }];
        let genesis = Genesis::new(Time(0), [0; 32], params.clone(), orgs(), &[org(1)]);
        assert_eq!(genesis.is_ok(), good);
    }
}

#[test]
fn a_committee_of_n_tolerates_f() {
    for (n, f, quorum) in [(1, 0, 1), (4, 1, 3), (7, 2, 5), (64, 21, 43)] {
        let member = |id: u8| chartseal_ledger::Member {
            org: chartseal_wire::OrgId([id; 16]),
            validator: chartseal_wire::PublicKey([id; 32]),
        };
        let committee = Committee::new(0, (0..n).map(member).collect()).unwrap();
        assert_eq!(
            (committee.n(), committee.f(), committee.quorum()),
            (n.into(), f, quorum)
        );
        assert_eq!(committee.index_of(&member(n - 1).org), Some(n.into()));
    }
}

#[test]
fn a_transaction_id_is_of_what_was_signed() {
    let mut chain = Chain::populated();
    let one = chain.sign(&actor_key(10), chain.record(20));
    let mut other = one.clone();
    other.signature = Signature([1; 64]);
    assert_eq!(one.id(), other.id());
    assert_ne!(
        one.leaf(),
        other.leaf(),
        "the block's root covers the signature too"
    );
}
