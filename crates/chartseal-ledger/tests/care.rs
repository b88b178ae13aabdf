//! Guardians, status, capacity and recovery: who acts for a patient, and what decisions make of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    Adopted, Countersignature, Erased, Ground, GuardianAppointed, GuardianRemoved, KeyRevoked,
    KeyRotated, OrganizationEnrolled, QuorumGranted, QuorumSet, RecordAdded, RecoveryApproval,
    RecoveryCompleted, RecoveryPlanned, RecoveryStarted, RecoveryVetoed, Relabelled, Relabelling,
    SlotAdded, Status, StatusChanged,
};
use chartseal_ledger::{Body, Labels, Params};
use chartseal_policy::{
    Approval, Confidentiality, Quorum, Restriction, Revocation, Symbol, Terms, Time as PolicyTime,
    Window,
};
use chartseal_wire::history::Outcome;
use chartseal_wire::{Event, Hash, PatientId, Subject, Time, TxId};
use common::*;

/// Long after everything.
const MAX: PolicyTime = PolicyTime(u64::MAX);
const DAY: u64 = 24 * 3_600_000;
/// 2023-12-01, the month after the chain's first.
const MONTH: Time = Time(1_701_388_800_000);

/// Patients 1 and 2, a child 3, records 20 (of 1) and 30 (of 3) by practitioner 10.
fn family() -> Chain {
    let (mut chain, _) = with_record();
    chain.ok(&office(1), enrol_child(&chain.head, 3));
    chain.ok(&actor_key(10), record(30, 3, chain.now));
    chain
}

fn appoint(of: u8, guardian: u8, ground: Ground) -> GuardianAppointed {
    GuardianAppointed {
        patient: patient(of),
        guardian: actor(guardian),
        ground,
        window: Window::ALWAYS,
        countersignature: None,
    }
}

fn remove(of: u8, guardian: u8) -> GuardianRemoved {
    GuardianRemoved {
        patient: patient(of),
        guardian: actor(guardian),
        countersignature: None,
    }
}

fn status(of: u8, status: Status) -> StatusChanged {
    StatusChanged {
        patient: patient(of),
        status,
        countersignature: None,
    }
}

/// Something that a body's countersignature can be set of.
trait Countersigned: Clone + Into<Body> {
    fn set(&mut self, by: Countersignature);
}

macro_rules! countersigned {
    ($($body:ident),+) => {$(
        impl Countersigned for $body {
            fn set(&mut self, by: Countersignature) {
                self.countersignature = Some(by);
            }
        }
    )+};
}
countersigned!(GuardianAppointed, GuardianRemoved, QuorumSet, StatusChanged);

/// What office 1 sends next, countersigned by another office.
fn countersign<B: Countersigned>(chain: &Chain, body: &B, by: u8) -> B {
    let plain: Body = body.clone().into();
    let id = chain.head.head().chain;
    let message = plain.to_countersign(&id, &office(1).public(), chain.next_seq(&office(1)));
    let signature = office(by).sign(&message);
    let mut body = body.clone();
    body.set(Countersignature {
        org: org(by),
        signature,
    });
    body
}

fn ok<B: Countersigned>(chain: &mut Chain, body: &B) -> TxId {
    let body = countersign(chain, body, 2);
    chain.ok(&office(1), body)
}

fn code(chain: &mut Chain, key: &Key, of: u8, record: u8, purpose: &str) -> String {
    let (_, outcomes): (TxId, Vec<Outcome>) = chain.ask(key, ask(of, &[record], purpose));
    outcomes[0].code.to_string()
}

fn quorum(of: u8, k: u32, members: &[u8]) -> QuorumSet {
    let members = members.iter().map(|id| Symbol::new([*id; 16]).unwrap());
    let members = chartseal_policy::Set::new(members).unwrap();
    QuorumSet {
        patient: patient(of),
        quorum: Some(Quorum {
            k,
            members,
            ttl: None,
        }),
        countersignature: None,
    }
}

#[test]
fn cs_led_57_ages_are_told_by_the_month() {
    let mut chain = family();
    let mut bad = enrol_child(&chain.head, 4);
    bad.adult_from.0 += 86_400_000;
    bad.agreement = None;
    assert_eq!(chain.refused(&office(1), bad), "CS-LED-57");
    let mut bad = enrol_child(&chain.head, 4);
    bad.minor_consent_from = Some(Time(MONTH.0 + 1));
    bad.agreement = None;
    assert_eq!(chain.refused(&office(1), bad), "CS-LED-57");
    let odd = countersign(&chain, &status(3, Status::Majority(Time(MONTH.0 + DAY))), 2);
    assert_eq!(chain.refused(&office(1), odd), "CS-LED-57");
    ok(&mut chain, &status(3, Status::Majority(MONTH)));
}

#[test]
fn cs_led_58_a_second_office_agrees_to_just_this() {
    let mut chain = family();
    let body = appoint(3, 1, Ground::Minority);
    assert_eq!(chain.refused(&office(1), body.clone()), "CS-LED-58");
    // By the same office; by one outside the committee; for another guardian; for another moment.
    for by in [1, 5] {
        let bad = countersign(&chain, &body, by);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-58");
    }
    let mut other = countersign(&chain, &body, 2);
    other.guardian = actor(2);
    assert_eq!(chain.refused(&office(1), other), "CS-LED-58");
    let early = countersign(&chain, &body, 2);
    ok(&mut chain, &status(3, Status::MinorConsent(MONTH)));
    assert_eq!(chain.refused(&office(1), early), "CS-LED-58");
    ok(&mut chain, &body);
}

#[test]
fn cs_led_59_the_office_that_enrolled_a_patient_speaks_of_their_status() {
    let mut chain = family();
    let body = status(1, Status::Incapacity);
    assert_eq!(chain.refused(&office(2), body.clone()), "CS-LED-59");
    let guardian = appoint(3, 1, Ground::Minority);
    assert_eq!(chain.refused(&office(2), guardian), "CS-LED-59");
    ok(&mut chain, &body);
}

#[test]
fn cs_led_60_a_guardian_is_somebody_else_on_the_right_ground() {
    let mut chain = family();
    let mut ended = appoint(1, 2, Ground::Proxy);
    ended.window.until = Some(PolicyTime(chain.now));
    let far = appoint(1, 99, Ground::Proxy);
    for bad in [
        appoint(1, 1, Ground::Proxy),
        far,
        ended,
        appoint(1, 2, Ground::Minority),
        appoint(1, 2, Ground::Incapacity),
    ] {
        assert_eq!(chain.refused(&patient_key(1), bad), "CS-LED-60");
    }
    for ground in [Ground::Proxy, Ground::Incapacity] {
        let bad = countersign(&chain, &appoint(3, 1, ground), 2);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-60");
    }
    for _ in 0..64 {
        chain.ok(&patient_key(1), appoint(1, 2, Ground::Proxy));
    }
    let one_more = appoint(1, 2, Ground::Proxy);
    assert_eq!(chain.refused(&patient_key(1), one_more), "CS-LED-60");
}

#[test]
fn cs_led_61_a_guardian_who_is_removed_is_one() {
    let mut chain = family();
    assert_eq!(chain.refused(&patient_key(1), remove(1, 2)), "CS-LED-61");
    chain.ok(&patient_key(1), appoint(1, 2, Ground::Proxy));
    chain.ok(&patient_key(2), remove(1, 2));
    assert_eq!(chain.refused(&patient_key(1), remove(1, 2)), "CS-LED-61");
}

#[test]
fn cs_led_62_a_quorum_has_members_and_grants_by_one_of_them() {
    let mut chain = family();
    let many: Vec<u8> = (10..14).collect();
    for (k, members) in [(0, &many[..]), (5, &many), (1, &[])] {
        assert_eq!(
            chain.refused(&patient_key(1), quorum(1, k, members)),
            "CS-LED-62"
        );
    }
    let Terms::Grant(grant) = grant(11, None) else {
        unreachable!()
    };
    let granted = QuorumGranted {
        patient: patient(1),
        grant,
        sealed: None,
    };
    assert_eq!(chain.refused(&actor_key(10), granted.clone()), "CS-LED-62");
    chain.ok(&patient_key(1), quorum(1, 2, &many));
    assert_eq!(chain.refused(&patient_key(2), granted.clone()), "CS-LED-62");
    chain.ok(&actor_key(10), granted);
}

#[test]
fn cs_led_63_a_status_follows_from_the_one_before() {
    let mut chain = family();
    let long_ago = Time(1_696_118_400_000);
    for bad in [
        status(1, Status::Majority(MONTH)),
        status(1, Status::MinorConsent(MONTH)),
        status(1, Status::Capacity),
        status(3, Status::Majority(long_ago)),
    ] {
        let bad = countersign(&chain, &bad, 2);
        assert_eq!(
            chain.refused(&office(1), bad.clone()),
            "CS-LED-63",
            "{bad:?}"
        );
    }
    for good in [Status::Incapacity, Status::Death, Status::Capacity] {
        ok(&mut chain, &status(1, good));
    }
    ok(&mut chain, &status(1, Status::Death));
    for bad in [Status::Death, Status::Incapacity] {
        let bad = countersign(&chain, &status(1, bad), 2);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-63");
    }
}

#[test]
fn a_minor_is_of_age_in_the_first_moment_of_a_month_which_is_of_now_for_31_days() {
    let mut chain = Chain::populated();
    let month = Time(1_701_388_800_000);
    assert_eq!(month.to_string(), "2023-12-01T00:00:00.000Z");
    let mut child = enrol_child(&chain.head, 3);
    child.adult_from = month;
    child.agreement = Some(patient_key(3).sign(&child.to_agree(&chain.head.head().chain)));
    chain.ok(&office(1), child);
    let other = enrol_child(&chain.head, 4);
    chain.ok(&office(1), other);

    let consents = status(3, Status::MinorConsent(month));
    chain.now = month.0 - 1_000;
    let late = countersign(&chain, &consents, 2);
    assert_eq!(chain.refused(&office(1), late), "CS-LED-63");
    chain.now -= 1;
    ok(&mut chain, &consents);

    let of_age = status(4, Status::Majority(month));
    let last = month.0 + 31 * 24 * 3_600_000;
    chain.now = last + 1 - 1_000;
    let late = countersign(&chain, &of_age, 2);
    assert_eq!(chain.refused(&office(1), late), "CS-LED-63");
    chain.now -= 1;
    ok(&mut chain, &of_age);
}

#[test]
fn cs_led_104_what_the_patient_decides_no_office_does() {
    let mut chain = family();
    let bad = countersign(&chain, &appoint(1, 2, Ground::Proxy), 2);
    assert_eq!(chain.refused(&office(1), bad), "CS-LED-104");
    let bad = countersign(&chain, &quorum(1, 1, &[10]), 2);
    assert_eq!(chain.refused(&office(1), bad), "CS-LED-104");
    ok(&mut chain, &status(1, Status::Incapacity));
    ok(&mut chain, &appoint(1, 2, Ground::Incapacity));
}

#[test]
fn a_guardian_of_a_minor_sees_grants_and_restricts_until_majority() {
    let mut chain = family();
    let parent = patient_key(1);
    assert_eq!(code(&mut chain, &parent, 3, 30, "FAMRQT"), "no_grant");
    ok(&mut chain, &appoint(3, 1, Ground::Minority));
    assert_eq!(code(&mut chain, &parent, 3, 30, "FAMRQT"), "guardian");
    // The child can't, the guardian can.
    chain.ok(&patient_key(3), directive(3, grant(11, None)));
    assert_eq!(code(&mut chain, &actor_key(11), 3, 30, "TREAT"), "no_grant");
    chain.ok(&parent, directive(3, grant(11, None)));
    assert_eq!(code(&mut chain, &actor_key(11), 3, 30, "TREAT"), "granted");
    assert_eq!(
        code(&mut chain, &patient_key(3), 3, 30, "PATRQT"),
        "minor_no_capacity"
    );
    // Of age: the guardian's term is over, what was granted in it stays.
    ok(&mut chain, &status(3, Status::Majority(MONTH)));
    assert_eq!(code(&mut chain, &parent, 3, 30, "FAMRQT"), "guardian");
    chain.now = MONTH.0;
    assert_eq!(code(&mut chain, &parent, 3, 30, "FAMRQT"), "no_grant");
    assert_eq!(code(&mut chain, &patient_key(3), 3, 30, "PATRQT"), "self");
    assert_eq!(code(&mut chain, &actor_key(11), 3, 30, "TREAT"), "granted");
    chain.ok(
        &parent,
        directive(3, Terms::Restrict(Restriction::default())),
    );
    assert_eq!(code(&mut chain, &actor_key(11), 3, 30, "TREAT"), "granted");
}

#[test]
fn a_guardian_is_none_before_the_appointment_nor_after_the_removal() {
    let mut chain = family();
    // What somebody restricted before does not come to count.
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    chain.ok(
        &patient_key(2),
        directive(1, Terms::Restrict(Restriction::default())),
    );
    chain.ok(&patient_key(1), appoint(1, 2, Ground::Proxy));
    assert_eq!(code(&mut chain, &actor_key(11), 1, 20, "TREAT"), "granted");
    assert_eq!(
        code(&mut chain, &patient_key(2), 1, 20, "PWATRNY"),
        "guardian"
    );
    let restricted = directive(1, Terms::Restrict(Restriction::default()));
    chain.ok(&patient_key(2), restricted.clone());
    assert_eq!(
        code(&mut chain, &actor_key(11), 1, 20, "TREAT"),
        "restricted"
    );
    chain.ok(&patient_key(1), remove(1, 2));
    // What was said in the term stays, also for who said it, until the patient ends it.
    assert_eq!(
        code(&mut chain, &patient_key(2), 1, 20, "PWATRNY"),
        "restricted"
    );
    assert_eq!(
        code(&mut chain, &actor_key(11), 1, 20, "TREAT"),
        "restricted"
    );
}

#[test]
fn without_capacity_a_patient_neither_reads_nor_decides() {
    let mut chain = family();
    chain.ok(&actor_key(10), record(21, 1, chain.now));
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    for lost in [Status::Incapacity, Status::Death] {
        ok(&mut chain, &status(1, lost));
        assert_eq!(
            code(&mut chain, &patient_key(1), 1, 20, "PATRQT"),
            "minor_no_capacity"
        );
        let slot = SlotAdded {
            record: record_id(20),
            header: header(20, 1),
            kem: [1; 32],
            slot: [2; 32],
            request: None,
        };
        assert_eq!(chain.refused(&actor_key(10), slot), "CS-LED-51");
        let own: [Body; 3] = [
            directive(1, grant(12, None)).into(),
            appoint(1, 2, Ground::Proxy).into(),
            Erased {
                record: record_id(21),
            }
            .into(),
        ];
        for own in own {
            assert_eq!(chain.refused(&patient_key(1), own), "CS-LED-51");
        }
        // Restricting and taking back stay possible; what would open something does not.
        let restriction = Terms::Restrict(Restriction {
            window: Window {
                from: Some(MAX),
                until: None,
            },
            ..Restriction::default()
        });
        let restricted = chain.ok(&patient_key(1), directive(1, restriction));
        let target = Symbol::new(restricted.0).unwrap();
        let narrower = Terms::Restrict(Restriction {
            supersedes: chartseal_policy::Set::one(target.clone()),
            ..Restriction::default()
        });
        let relabelling = Relabelling {
            record: record_id(20),
            labels: Labels::inbox(),
        };
        let opening: [Body; 4] = [
            directive(1, Terms::Revoke(Revocation { target })).into(),
            directive(1, narrower).into(),
            Relabelled::of(vec![relabelling]).into(),
            amended(&record(21, 1, chain.now)).into(),
        ];
        for opening in opening {
            assert_eq!(chain.refused(&patient_key(1), opening), "CS-LED-51");
        }
        // What was granted before stays, and can be taken back.
        assert_eq!(code(&mut chain, &actor_key(11), 1, 20, "TREAT"), "granted");
        ok(&mut chain, &appoint(1, 2, Ground::Incapacity));
        assert_eq!(
            code(&mut chain, &patient_key(2), 1, 20, "PWATRNY"),
            "guardian"
        );
        ok(&mut chain, &status(1, Status::Capacity));
        assert_eq!(
            code(&mut chain, &patient_key(2), 1, 20, "PWATRNY"),
            "no_grant"
        );
        assert_eq!(code(&mut chain, &patient_key(1), 1, 20, "PATRQT"), "self");
    }
    chain.ok(&patient_key(1), amended(&record(21, 1, chain.now)));
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(21),
        },
    );
}

#[test]
fn a_provisional_enrolment_decides_nothing() {
    let mut chain = family();
    let mut body = enrol_patient(&chain.head, 4);
    body.agreement = None;
    chain.ok(&office(1), body);
    chain.ok(&actor_key(10), record(40, 4, chain.now));
    let granted = directive(4, grant(11, None));
    assert_eq!(chain.refused(&patient_key(4), granted), "CS-LED-51");
    // Whoever has the key, the office perhaps, takes nothing away from what others filed.
    let kept = record(40, 4, chain.now);
    for lower in [
        amended(&kept),
        RecordAdded {
            labels: Labels::inbox(),
            confidentiality: Confidentiality::M,
            ..amended(&kept)
        },
    ] {
        assert_eq!(chain.refused(&patient_key(4), lower), "CS-LED-51");
    }
    chain.ok(&actor_key(10), amended(&kept));
    assert_eq!(
        code(&mut chain, &patient_key(4), 4, 40, "PATRQT"),
        "minor_no_capacity"
    );
}

#[test]
fn a_quorum_of_guardians_grants_by_its_approvals() {
    let mut chain = family();
    let set = countersign(&chain, &quorum(3, 2, &[1, 2, 10]), 2);
    chain.ok(&office(1), set);
    let Terms::Grant(grant) = grant(11, None) else {
        unreachable!()
    };
    let granted = QuorumGranted {
        patient: patient(3),
        grant,
        sealed: None,
    };
    // The grant is made, approved by its id, and sent; one approval is not enough.
    for (approving, expected) in [(&[1u8][..], "no_grant"), (&[1, 2], "granted")] {
        let sender = actor_key(10);
        let seq = chain.next_seq(&sender) + 10;
        let signed = chain.transaction(&sender, seq, granted.clone());
        let signed = signed.sign(|message| sender.sign(message));
        let target = Symbol::new(signed.id().0).unwrap();
        for member in approving {
            let at = PolicyTime(chain.now);
            let target = target.clone();
            let approval = Terms::Approve(Approval { target, at });
            chain.ok(&patient_key(*member), directive(3, approval));
        }
        chain.skip_to(&sender, seq);
        chain.block(vec![signed]);
        assert_eq!(code(&mut chain, &actor_key(11), 3, 30, "TREAT"), expected);
    }
    let history = chain.history(Subject::Patient(patient(3)));
    let kinds = history.iter().filter_map(|entry| match &entry.event {
        Event::Directive(directive) => Some(directive.kind.to_string()),
        _ => None,
    });
    let kinds: Vec<String> = kinds.collect();
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "quorum_grant").count(),
        2
    );
    // Nobody approves ahead of time: an approval's age would be too young.
    let target = Symbol::new([1; 32]).unwrap();
    let at = PolicyTime(chain.now + DAY);
    let ahead = directive(3, Terms::Approve(Approval { target, at }));
    assert_eq!(chain.refused(&patient_key(1), ahead), "CS-LED-37");
}

// Recovery.

fn delay() -> u64 {
    Params::default().min_recovery_delay_ms
}

fn plan(guardians: &[u8], k: u64, delay_ms: u64) -> RecoveryPlanned {
    RecoveryPlanned {
        bundle: Hash([0xb0; 32]),
        guardians: guardians.iter().copied().map(actor).collect(),
        k,
        delay_ms,
    }
}

fn new_key() -> Key {
    Key::new("patient 1, new")
}

fn guardian_key(id: u8) -> Key {
    if id < 10 {
        patient_key(id)
    } else {
        actor_key(id)
    }
}

/// The `number`th recovery of patient 1, approved by these.
fn start(chain: &Chain, approving: &[u8], number: u64) -> RecoveryStarted {
    let id = chain.head.head().chain;
    let new = new_key();
    let message = KeyRotated::to_possess(&id, &patient(1).into(), &new.public());
    let mut body = RecoveryStarted {
        patient: patient(1),
        key: new.public(),
        kem: [0x77; 32],
        possession: new.sign(&message),
        approvals: vec![],
    };
    let message = body.to_approve(&id, &Hash([0xb0; 32]), number);
    let approvals = approving.iter().map(|by| RecoveryApproval {
        guardian: actor(*by),
        signature: guardian_key(*by).sign(&message),
    });
    body.approvals = approvals.collect();
    body
}

const VETO: RecoveryVetoed = RecoveryVetoed {
    patient: PatientId([1; 16]),
};
const COMPLETE: RecoveryCompleted = RecoveryCompleted {
    patient: PatientId([1; 16]),
};

fn planned() -> Chain {
    let mut chain = family();
    chain.ok(&patient_key(1), plan(&[2, 10, 11], 2, delay()));
    chain
}

#[test]
fn cs_led_64_a_recovery_plan_can_work_and_waits() {
    let mut chain = family();
    for bad in [
        plan(&[2, 10], 3, delay()),
        plan(&[2, 10], 0, delay()),
        plan(&[2, 10], 1, delay() - 1),
        plan(&[10, 2], 1, delay()),
        plan(&[2, 2], 1, delay()),
    ] {
        assert_eq!(chain.refused(&patient_key(1), bad), "CS-LED-64");
    }
    assert_eq!(
        chain.refused(&patient_key(1), plan(&[1], 1, delay())),
        "CS-LED-60"
    );
    chain.ok(&patient_key(1), plan(&[2, 10], 2, delay()));
    chain.ok(&patient_key(1), plan(&[], 0, 0));
}

#[test]
fn cs_led_65_a_recovery_is_one_that_was_planned_and_begun_by_its_guardians() {
    let mut chain = planned();
    assert_eq!(
        chain.refused(&actor_key(12), start(&chain, &[2, 10], 0)),
        "CS-LED-65"
    );
    assert_eq!(chain.refused(&patient_key(1), VETO), "CS-LED-65");
    assert_eq!(chain.refused(&patient_key(2), COMPLETE), "CS-LED-65");
    chain.ok(&actor_key(10), start(&chain, &[2, 10], 0));
    chain.now += delay();
    assert_eq!(chain.refused(&actor_key(12), COMPLETE), "CS-LED-65");
    chain.ok(&actor_key(11), COMPLETE);
    assert_eq!(chain.refused(&actor_key(11), COMPLETE), "CS-LED-65");
}

#[test]
fn cs_led_66_one_recovery_waits_at_a_time() {
    let mut chain = planned();
    chain.ok(&actor_key(10), start(&chain, &[2, 10], 0));
    assert_eq!(
        chain.refused(&actor_key(10), start(&chain, &[2, 10], 1)),
        "CS-LED-66"
    );
    assert_eq!(
        chain.refused(&patient_key(1), plan(&[2], 1, delay())),
        "CS-LED-66"
    );
    chain.ok(&patient_key(1), VETO);
    chain.ok(&patient_key(1), plan(&[2], 1, delay()));
}

#[test]
fn cs_led_67_a_recovery_takes_enough_guardians() {
    let mut chain = planned();
    assert_eq!(
        chain.refused(&actor_key(10), start(&chain, &[10], 0)),
        "CS-LED-67"
    );
    chain.ok(&actor_key(10), start(&chain, &[10, 11], 0));
}

#[test]
fn cs_led_68_each_guardian_signs_for_this_recovery_once() {
    let mut chain = planned();
    let twice = start(&chain, &[10, 10], 0);
    let stranger = start(&chain, &[10, 12], 0);
    let later = start(&chain, &[10, 11], 1);
    let mut other_key = start(&chain, &[10, 11], 0);
    other_key.kem = [1; 32];
    for bad in [twice, stranger, later, other_key] {
        assert_eq!(chain.refused(&actor_key(10), bad), "CS-LED-68");
    }
    let good = start(&chain, &[10, 11], 0);
    chain.ok(
        &office(2),
        KeyRevoked {
            key: actor_key(11).public(),
        },
    );
    assert_eq!(chain.refused(&actor_key(10), good), "CS-LED-68");
    let good = start(&chain, &[2, 10], 0);
    chain.ok(&actor_key(10), good.clone());
    // A vetoed one can't be sent again.
    chain.ok(&patient_key(1), VETO);
    assert_eq!(chain.refused(&actor_key(10), good), "CS-LED-68");
}

#[test]
fn cs_led_69_a_recovery_waits_for_the_old_keys_veto() {
    let mut chain = planned();
    chain.ok(&actor_key(10), start(&chain, &[2, 10], 0));
    let due = chain.now + delay();
    chain.now = due - 2_000;
    assert_eq!(chain.refused(&patient_key(2), COMPLETE), "CS-LED-69");
    chain.now = due;
    chain.ok(&patient_key(2), COMPLETE);
}

#[test]
fn a_recovered_key_is_the_patients_and_the_old_one_nobodys() {
    let mut chain = planned();
    chain.ok(&actor_key(10), start(&chain, &[2, 10], 0));
    assert_eq!(chain.refused(&patient_key(2), VETO), "CS-LED-23");
    chain.now += delay();
    chain.ok(&actor_key(10), COMPLETE);
    assert_eq!(
        chain.refused(&patient_key(1), directive(1, grant(11, None))),
        "CS-LED-07"
    );
    chain.ok(&new_key(), directive(1, grant(11, None)));
    assert_eq!(code(&mut chain, &actor_key(11), 1, 20, "TREAT"), "granted");
    let state = chain.head.state();
    assert_eq!(state.patient(&patient(1)).unwrap().kem, [0x77; 32]);
    let restored = state.recovery(&patient(1)).unwrap().restored.unwrap();
    assert_eq!(
        (restored.bundle, restored.key),
        (Hash([0xb0; 32]), new_key().public())
    );
    let history = chain.history(Subject::Patient(patient(1)));
    let tags = history.iter().filter_map(|entry| match &entry.event {
        Event::RecoveryPlanned(_) => Some("planned"),
        Event::RecoveryStarted(_) => Some("started"),
        Event::KeyChanged(_) => Some("changed"),
        Event::RecoveryCompleted(_) => Some("completed"),
        _ => None,
    });
    assert_eq!(
        tags.collect::<Vec<_>>(),
        ["planned", "started", "changed", "completed"]
    );
}

#[test]
fn a_recoverys_key_is_nobody_elses_while_it_waits() {
    let mut chain = planned();
    chain.ok(&actor_key(10), start(&chain, &[2, 10], 0));
    // All see it, and who enrols somebody needs no proof of possession.
    let key = new_key().public();
    let mut doctor = enrol_practitioner(chain.head.head().chain, 14, 2, &["doctor"]);
    doctor.key = key;
    let mut unconscious = enrol_patient(&chain.head, 4);
    (unconscious.key, unconscious.agreement) = (key, None);
    let mut as_office = organization(6);
    as_office.enrolment_key = key;
    let mut as_custodian = organization(6);
    as_custodian.custodian_key = key;
    let taking: [Body; 4] = [
        doctor.clone().into(),
        unconscious.into(),
        OrganizationEnrolled {
            organization: as_office,
        }
        .into(),
        OrganizationEnrolled {
            organization: as_custodian,
        }
        .into(),
    ];
    for taken in &taking {
        assert_eq!(chain.refused(&office(2), taken.clone()), "CS-LED-13");
    }
    // What is vetoed keeps nothing.
    chain.ok(&patient_key(1), VETO);
    chain.ok(&actor_key(10), start(&chain, &[2, 10], 1));
    chain.now += delay();
    chain.ok(&patient_key(2), COMPLETE);
    assert_eq!(chain.head.state().reserved(&key), None);
    chain.ok(&new_key(), directive(1, grant(11, None)));
    assert_eq!(chain.refused(&office(2), doctor), "CS-LED-13");
}

#[test]
fn a_recovery_that_is_over_keeps_no_key() {
    for is_vetoed in [true, false] {
        let mut chain = planned();
        chain.ok(&actor_key(10), start(&chain, &[2, 10], 0));
        if is_vetoed {
            chain.ok(&patient_key(1), VETO);
        } else {
            let id = chain.head.head().chain;
            let message = Adopted::to_agree(&id, &patient(1), &patient(2));
            let adopted = Adopted {
                adopted: patient(1),
                agreement: patient_key(1).sign(&message),
            };
            chain.ok(&patient_key(2), adopted);
            let plan = chain.head.state().recovery(&patient(1)).unwrap();
            assert_eq!(plan.pending, None);
        }
        let mut doctor = enrol_practitioner(chain.head.head().chain, 14, 2, &["doctor"]);
        doctor.key = new_key().public();
        chain.ok(&office(2), doctor);
    }
}

/// However many one organization enrols, what they say about a patient is bounded; who speaks for the patient says more.
#[test]
fn whom_one_organization_enrolled_have_a_share_of_directives_about_a_patient() {
    let mut chain = Chain::populated_with(Params {
        max_directives_by_other: 1,
        ..params()
    });
    let id = chain.head.head().chain;
    chain.ok(&office(1), enrol_child(&chain.head, 3));
    for more in 50..66 {
        chain.ok(&office(1), enrol_practitioner(id, more, 1, &["doctor"]));
    }
    let one = || directive(3, grant(11, None));
    for more in 50..66 {
        chain.ok(&actor_key(more), one());
    }
    // A colleague, and a patient of the same organization; another organization's practitioner has a share of its own.
    assert_eq!(chain.refused(&actor_key(10), one()), "CS-LED-39");
    assert_eq!(chain.refused(&patient_key(1), one()), "CS-LED-39");
    chain.ok(&actor_key(11), one());
    // An organization that the same office enrolled brings no other share.
    let more = organization(9);
    chain.ok(&office(1), OrganizationEnrolled { organization: more });
    chain.ok(&office(9), enrol_practitioner(id, 70, 9, &["doctor"]));
    assert_eq!(chain.refused(&actor_key(70), one()), "CS-LED-39");
    // A guardian and a quorum's member aren't shut out by that, nor the patient.
    ok(&mut chain, &appoint(3, 1, Ground::Minority));
    chain.ok(&patient_key(1), one());
    assert_eq!(
        chain.refused(&patient_key(1), one()),
        "CS-LED-39",
        "its own cap"
    );
    assert_eq!(chain.refused(&patient_key(2), one()), "CS-LED-39");
    ok(&mut chain, &quorum(3, 1, &[2]));
    chain.ok(&patient_key(2), one());
    chain.ok(&patient_key(3), one());
}
