//! Each admission rule, broken alone: the same transaction without the fault is admitted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    CustodianSet, DepositAcknowledged, Destroyed, DirectiveIssued, EmergencyDeclared,
    EmergencyReviewed, Erased, KeyRevoked, KeyRotated, OrganizationEnrolled, RecordAdded,
    Relabelled, Relabelling, Released,
};
use chartseal_ledger::{
    AdmissionError, Body, Labels, MAX_TRANSACTION_BYTES, Params, SignedTransaction,
};
use chartseal_policy::{
    Approval, Confidentiality, Declaration, Effect, Exception, Exceptions, Restriction, Revocation,
    Scope, Symbol, Terms, Window,
};
use chartseal_wire::domain::{TRANSACTION, tagged};
use chartseal_wire::{ChainId, Hash, HeaderDigest, PatientId, Signature, Time, TxId};
use common::*;

/// A body that is refused by `rule`, and is admitted with the fault taken out.
fn check(
    chain: &mut Chain,
    key: &Key,
    rule: &str,
    bad: impl Into<Body>,
    (good_key, good): (&Key, impl Into<Body>),
) {
    assert_eq!(chain.refused(key, bad), rule);
    chain.ok(good_key, good);
}

fn directive(terms: Terms) -> DirectiveIssued {
    common::directive(1, terms)
}

fn declare(owner: u8) -> EmergencyDeclared {
    EmergencyDeclared {
        patient: patient(owner),
        reason_code: token("unconscious"),
        reason: Hash([9; 32]),
        has_reason: true,
    }
}

fn emergency() -> (Chain, TxId) {
    let (mut chain, _) = with_record();
    chain.ok(&actor_key(12), declare(1));
    let (request, outcomes) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    assert!(outcomes[0].permitted);
    (chain, request)
}

fn enrol(chain: &Chain, id: u8, roles: &[&str]) -> chartseal_ledger::body::PractitionerEnrolled {
    enrol_practitioner(chain.head.head().chain, id, 1, roles)
}

#[test]
fn cs_led_01_a_transaction_is_not_too_large() {
    let mut chain = Chain::populated();
    let bytes = vec![0; MAX_TRANSACTION_BYTES + 1];
    let large = SignedTransaction {
        bytes,
        signature: Signature([0; 64]),
    };
    assert_eq!(chain.refused_raw(large).rule(), "CS-LED-01");
    let bytes = vec![0; MAX_TRANSACTION_BYTES];
    let just = SignedTransaction {
        bytes,
        signature: Signature([0; 64]),
    };
    assert_eq!(chain.refused_raw(just).rule(), "CS-LED-02");
}

#[test]
fn cs_led_02_a_transaction_is_canonical() {
    let mut chain = Chain::populated();
    let key = actor_key(10);
    let transaction = chain.transaction(&key, 24, chain.record(20));
    let good = chartseal_codec::to_bytes(&transaction);
    // Sequence 24 is `18 18`; in three bytes it is the same number, signed with the right key.
    let at = 2 + 34 + 34;
    assert_eq!(good[at..at + 2], [0x18, 24]);
    let bad = [&good[..at], &[0x19, 0, 24], &good[at + 2..]].concat();
    let sign = |bytes: Vec<u8>| {
        let signature = key.sign(&tagged(TRANSACTION, &bytes));
        SignedTransaction { bytes, signature }
    };
    let error = chain.refused_raw(sign(bad));
    assert_eq!(error.rule(), "CS-LED-02");
    assert!(error.to_string().contains("shortest"), "{error}");
    chain.block(vec![sign(good)]);
}

/// A transaction that differs from an admitted one in a single field of its own, correctly signed.
fn check_field(rule: &str, spoil: impl FnOnce(&mut chartseal_ledger::Transaction)) {
    let mut chain = Chain::populated();
    let key = actor_key(10);
    chain.ok(&key, chain.record(20));
    let good = chain.transaction(&key, chain.next_seq(&key), chain.record(21));
    let mut bad = good.clone();
    spoil(&mut bad);
    let bad = bad.sign(|message| key.sign(message));
    assert_eq!(chain.refused_raw(bad).rule(), rule);
    chain.block(vec![good.sign(|message| key.sign(message))]);
}

#[test]
fn cs_led_03_a_transaction_has_this_version() {
    check_field("CS-LED-03", |one| one.version = 2);
}

#[test]
fn cs_led_04_a_transaction_is_for_this_chain() {
    check_field("CS-LED-04", |one| one.chain = ChainId([1; 32]));
}

#[test]
fn cs_led_05_a_transaction_has_not_expired() {
    let mut chain = Chain::populated();
    let key = actor_key(10);
    let mut transaction = chain.transaction(&key, 1, chain.record(20));
    transaction.expires = chain.head.height();
    let bad = transaction.sign(|message| key.sign(message));
    assert_eq!(chain.refused_raw(bad).rule(), "CS-LED-05");
    transaction.expires += 1;
    chain.block(vec![transaction.sign(|message| key.sign(message))]);
}

#[test]
fn cs_led_06_a_key_is_enrolled() {
    let mut chain = Chain::populated();
    let record = chain.record(20);
    check(
        &mut chain,
        &actor_key(99),
        "CS-LED-06",
        record.clone(),
        (&actor_key(10), record),
    );
}

#[test]
fn cs_led_07_a_key_is_not_revoked() {
    let mut chain = Chain::populated();
    chain.ok(
        &office(1),
        KeyRevoked {
            key: actor_key(10).public(),
        },
    );
    let record = chain.record(20);
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-07",
        record.clone(),
        (&actor_key(12), record),
    );
}

#[test]
fn cs_led_08_sequence_numbers_rise_so_nothing_counts_twice() {
    check_field("CS-LED-08", |one| one.seq -= 1);
    let mut chain = Chain::populated();
    let signed = chain.sign(&actor_key(10), chain.record(20));
    chain.block(vec![signed.clone()]);
    assert_eq!(chain.refused_raw(signed).rule(), "CS-LED-08");
}

#[test]
fn cs_led_09_a_signature_verifies() {
    let mut chain = Chain::populated();
    let good = chain.sign(&actor_key(10), chain.record(20));
    let mut flipped = good.clone();
    flipped.signature.0[3] ^= 1;
    assert_eq!(chain.refused_raw(flipped).rule(), "CS-LED-09");
    let mut without_domain = good.clone();
    without_domain.signature = actor_key(10).sign(&good.bytes);
    assert_eq!(chain.refused_raw(without_domain).rule(), "CS-LED-09");
    chain.block(vec![good]);
}

#[test]
fn cs_led_10_each_body_is_for_its_own_kind_of_key() {
    let (mut chain, record) = with_record();
    chain.ok(&patient_key(1), directive(grant(11, None)));
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    let records = vec![record_id(20)];
    let relabelling = Relabelling {
        record: record_id(20),
        labels: Labels::inbox(),
    };
    let new = Key::new("office 1, new");
    let actor_id = org(1).into();
    let message = KeyRotated::to_possess(&chain.head.head().chain, &actor_id, &new.public());
    let possession = new.sign(&message);
    let rotation = |kem| KeyRotated {
        key: new.public(),
        kem,
        possession,
    };
    let bodies: Vec<(Key, Body)> = vec![
        (
            actor_key(10),
            OrganizationEnrolled {
                organization: organization(9),
            }
            .into(),
        ),
        (custodian(1), enrol(&chain, 50, &["doctor"]).into()),
        (patient_key(1), enrol_patient(&chain.head, 51).into()),
        (office(1), rotation(Some([1; 32])).into()),
        (office(1), amended(&record).into()),
        (custodian(1), amended(&record).into()),
        (
            office(1),
            DepositAcknowledged {
                record: record_id(20),
                header: header(20, 1),
                index: 1,
            }
            .into(),
        ),
        (actor_key(10), Relabelled::of(vec![relabelling]).into()),
        (office(1), directive(grant(11, None)).into()),
        (patient_key(1), declare(1).into()),
        (
            patient_key(1),
            EmergencyReviewed {
                request,
                justified: true,
            }
            .into(),
        ),
        (actor_key(10), Released { request, records }.into()),
        (
            actor_key(10),
            Erased {
                record: record_id(20),
            }
            .into(),
        ),
        (
            patient_key(1),
            Destroyed {
                record: record_id(20),
            }
            .into(),
        ),
    ];
    for (key, body) in bodies {
        assert_eq!(chain.refused(&key, body.clone()), "CS-LED-10", "{body:?}");
    }
    chain.ok(&office(1), rotation(None));
}

#[test]
fn cs_led_11_a_practitioner_is_in_good_standing() {
    let mut chain = Chain::populated();
    let until = Some(chartseal_policy::Time(chain.now + 2_500));
    let mut body = enrol(&chain, 14, &["doctor", "privacy"]);
    body.credential = Window { from: None, until };
    chain.ok(&office(1), body);
    chain.ok(&actor_key(14), chain.record(20));
    let late = chain.record(21);
    assert_eq!(chain.refused(&actor_key(14), late.clone()), "CS-LED-11");
    assert_eq!(chain.refused(&actor_key(14), declare(1)), "CS-LED-11");
    chain.ok(&actor_key(10), late);
    // Asking is never refused for that: it is decided, and on the chain.
    let (_, outcomes) = chain.ask(&actor_key(14), ask(1, &[20], "TREAT"));
    assert_eq!(outcomes[0].code, token("actor_standing"));
}

#[test]
fn cs_led_12_ids_are_new_across_organizations_practitioners_and_patients() {
    let mut chain = Chain::populated();
    let good = enrol_patient(&chain.head, 50);
    for taken in [org(1).0, [1; 16], [10; 16]] {
        let mut bad = good.clone();
        bad.patient = PatientId(taken);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-12");
        let mut bad = enrol(&chain, 50, &[]);
        bad.actor.0 = taken;
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-12");
        let mut bad = organization(9);
        bad.id.0 = taken;
        assert_eq!(
            chain.refused(&office(1), OrganizationEnrolled { organization: bad }),
            "CS-LED-12"
        );
    }
    chain.ok(&office(1), good);
}

#[test]
fn cs_led_13_a_key_is_nobody_elses_and_never_was() {
    let mut chain = Chain::populated();
    chain.ok(
        &office(1),
        KeyRevoked {
            key: actor_key(13).public(),
        },
    );
    for taken in [
        office(2),
        custodian(3),
        actor_key(10),
        actor_key(13),
        patient_key(1),
    ] {
        let mut bad = enrol(&chain, 50, &[]);
        bad.key = taken.public();
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-13");
        let rotation = KeyRotated {
            key: taken.public(),
            kem: None,
            possession: Signature([0; 64]),
        };
        assert_eq!(chain.refused(&actor_key(10), rotation), "CS-LED-13");
        let mut bad = enrol_patient(&chain.head, 50);
        bad.key = taken.public();
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-13");
    }
    let good = organization(9);
    let mut same = good;
    same.validator = same.custodian_key;
    let body = |organization| OrganizationEnrolled { organization };
    // Organization 5 is in no committee, 2 is in the present one.
    let validators = [2, 5].map(|id| organization(id).validator);
    for taken in [office(2).public(), actor_key(10).public()]
        .into_iter()
        .chain(validators)
    {
        let mut validator = good;
        validator.validator = taken;
        assert_eq!(chain.refused(&office(1), body(validator)), "CS-LED-13");
    }
    for taken in validators {
        let mut custodian = good;
        custodian.custodian_key = taken;
        assert_eq!(chain.refused(&office(1), body(custodian)), "CS-LED-13");
        let mut doctor = enrol(&chain, 50, &[]);
        doctor.key = taken;
        assert_eq!(chain.refused(&office(1), doctor), "CS-LED-13");
    }
    check(
        &mut chain,
        &office(1),
        "CS-LED-13",
        body(same),
        (&office(1), body(good)),
    );
}

#[test]
fn cs_led_14_committee_members_alone_enrol_organizations_and_keep_shares() {
    let (mut chain, _) = with_record();
    let body = OrganizationEnrolled {
        organization: organization(9),
    };
    check(
        &mut chain,
        &office(5),
        "CS-LED-14",
        body,
        (&office(4), body),
    );
    let body = |index| DepositAcknowledged {
        record: record_id(20),
        header: header(20, 1),
        index,
    };
    check(
        &mut chain,
        &custodian(5),
        "CS-LED-14",
        body(5),
        (&custodian(4), body(4)),
    );
}

#[test]
fn cs_led_15_a_practitioner_has_sixteen_roles_at_most() {
    let mut chain = Chain::populated();
    let names: Vec<String> = (0..17).map(|i| format!("role{i}")).collect();
    let roles: Vec<&str> = names.iter().map(String::as_str).collect();
    let (bad, good) = (enrol(&chain, 50, &roles), enrol(&chain, 50, &roles[..16]));
    check(&mut chain, &office(1), "CS-LED-15", bad, (&office(1), good));
}

#[test]
fn cs_led_16_an_emergency_role_is_countersigned_by_another_member_of_the_committee() {
    let mut chain = Chain::populated();
    let id = chain.head.head().chain;
    let good = enrol(&chain, 50, &["emergency"]);
    let mut missing = good.clone();
    missing.countersignature = None;
    let mut own = good.clone();
    let signature = office(1).sign(&own.to_countersign(&id, &org(1)));
    own.countersignature = Some(chartseal_ledger::body::Countersignature {
        org: org(1),
        signature,
    });
    let mut unknown = good.clone();
    unknown.countersignature.as_mut().unwrap().org = org(9);
    // Enrolled by one member's office, and no member itself.
    let organization = organization(9);
    let mut puppet = good.clone();
    puppet.countersignature = Some(chartseal_ledger::body::Countersignature {
        org: org(9),
        signature: office(9).sign(&puppet.to_countersign(&id, &org(1))),
    });
    let mut forged = good.clone();
    forged.countersignature.as_mut().unwrap().signature.0[0] ^= 1;
    let mut moved = good.clone();
    moved.kem = [0; 32];
    for bad in [missing, own, unknown, forged, moved] {
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-16");
    }
    chain.ok(&office(1), OrganizationEnrolled { organization });
    assert_eq!(chain.refused(&office(1), puppet), "CS-LED-16");
    // Signed for organization 1, so no other one enrols by it.
    assert_eq!(chain.refused(&office(3), good.clone()), "CS-LED-16");
    chain.ok(&office(1), good);
}

#[test]
fn cs_led_17_a_patients_agreement_verifies() {
    let mut chain = Chain::populated();
    let good = enrol_patient(&chain.head, 50);
    let mut bad = good.clone();
    bad.adult_from = MAJORITY;
    check(&mut chain, &office(1), "CS-LED-17", bad, (&office(1), good));
    let mut provisional = enrol_patient(&chain.head, 51);
    provisional.agreement = None;
    chain.ok(&office(1), provisional);
    let provisional = |id| {
        chain
            .head
            .state()
            .patient(&patient(id))
            .unwrap()
            .provisional
    };
    assert_eq!((provisional(50), provisional(51)), (false, true));
}

#[test]
fn cs_led_18_a_new_key_proves_that_somebody_has_it() {
    let mut chain = Chain::populated();
    let new = Key::new("new");
    let message = |holder| KeyRotated::to_possess(&chain.head.head().chain, &holder, &new.public());
    let [bad, good] = [actor(11), actor(10)].map(|holder| new.sign(&message(holder)));
    let body = |possession| KeyRotated {
        key: new.public(),
        kem: None,
        possession,
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-18",
        body(bad),
        (&actor_key(10), body(good)),
    );
}

#[test]
fn cs_led_19_keys_are_revoked_by_their_holder_or_the_holders_office() {
    let mut chain = Chain::populated();
    let body = |key: Key| KeyRevoked { key: key.public() };
    for (signer, key) in [
        (office(2), actor_key(10)),
        (office(1), patient_key(1)),
        (office(1), custodian(2)),
        (actor_key(11), actor_key(10)),
        (actor_key(10), Key::new("nobody")),
    ] {
        assert_eq!(chain.refused(&signer, body(key)), "CS-LED-19");
    }
    chain.ok(&office(1), body(actor_key(10)));
    assert_eq!(chain.refused(&office(1), body(actor_key(10))), "CS-LED-19");
    chain.ok(&office(1), body(custodian(1)));
    chain.ok(&patient_key(2), body(patient_key(2)));
    assert!(
        chain
            .head
            .state()
            .actor(&actor(10))
            .unwrap()
            .suspended_from
            .is_some()
    );
}

#[test]
fn cs_led_20_a_patient_is_enrolled() {
    let mut chain = Chain::populated();
    let (bad, good) = (record(20, 77, chain.now), record(20, 1, chain.now));
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-20",
        bad,
        (&actor_key(10), good),
    );
    let mut bad = directive(grant(11, None));
    bad.patient = patient(77);
    let good = directive(grant(11, None));
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-20",
        bad,
        (&actor_key(10), good),
    );
    check(
        &mut chain,
        &actor_key(12),
        "CS-LED-20",
        declare(77),
        (&actor_key(12), declare(1)),
    );
}

#[test]
fn cs_led_21_a_record_exists() {
    let (mut chain, _) = with_record();
    let ack = |id| DepositAcknowledged {
        record: record_id(id),
        header: header(20, 1),
        index: 1,
    };
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-21",
        ack(21),
        (&custodian(1), ack(20)),
    );
    let label = |id| {
        let one = Relabelling {
            record: record_id(id),
            labels: labels(),
        };
        Relabelled::of(vec![one])
    };
    check(
        &mut chain,
        &patient_key(1),
        "CS-LED-21",
        label(21),
        (&patient_key(1), label(20)),
    );
    let erase = |id| Erased {
        record: record_id(id),
    };
    check(
        &mut chain,
        &patient_key(1),
        "CS-LED-21",
        erase(21),
        (&patient_key(1), erase(20)),
    );
    let destroy = |id| Destroyed {
        record: record_id(id),
    };
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-21",
        destroy(21),
        (&custodian(1), destroy(20)),
    );
}

#[test]
fn cs_led_22_an_erased_record_stays_erased() {
    let (mut chain, record) = with_record();
    chain.ok(&actor_key(10), chain.record(21));
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(20),
        },
    );
    let ack = |id| DepositAcknowledged {
        record: record_id(id),
        header: header(id, 1),
        index: 1,
    };
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-22",
        ack(20),
        (&custodian(1), ack(21)),
    );
    let erase = |id| Erased {
        record: record_id(id),
    };
    assert_eq!(chain.refused(&patient_key(1), erase(20)), "CS-LED-22");
    assert_eq!(chain.refused(&actor_key(10), amended(&record)), "CS-LED-22");
    assert_eq!(
        chain.refused(&patient_key(1), amended(&record)),
        "CS-LED-22"
    );
    let one = Relabelling {
        record: record_id(20),
        labels: labels(),
    };
    assert_eq!(
        chain.refused(&patient_key(1), Relabelled::of(vec![one])),
        "CS-LED-22"
    );
}

#[test]
fn cs_led_23_a_record_stays_with_its_patient() {
    let (mut chain, record) = with_record();
    let next = amended(&record);
    let moved = RecordAdded {
        patient: patient(2),
        ..next.clone()
    };
    assert_eq!(chain.refused(&actor_key(10), moved.clone()), "CS-LED-23");
    assert_eq!(chain.refused(&patient_key(2), moved), "CS-LED-23");
    assert_eq!(chain.refused(&patient_key(2), next.clone()), "CS-LED-23");
    assert_eq!(
        chain.refused(
            &patient_key(2),
            Erased {
                record: record_id(20)
            }
        ),
        "CS-LED-23"
    );
    let one = Relabelling {
        record: record_id(20),
        labels: labels(),
    };
    assert_eq!(
        chain.refused(&patient_key(2), Relabelled::of(vec![one])),
        "CS-LED-23"
    );
    chain.ok(&patient_key(1), next);
}

#[test]
fn cs_led_24_versions_have_no_gaps() {
    let (mut chain, record) = with_record();
    let next = amended(&record);
    for version in [0, 1, 3, u64::MAX] {
        let bad = RecordAdded {
            version,
            ..next.clone()
        };
        assert_eq!(chain.refused(&actor_key(10), bad), "CS-LED-24");
    }
    let first = chain.record(21);
    let bad = RecordAdded {
        version: 2,
        ..first.clone()
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-24",
        bad,
        (&actor_key(10), first),
    );
    chain.ok(&actor_key(10), next);
}

#[test]
fn cs_led_25_an_amendment_names_the_version_before() {
    let (mut chain, record) = with_record();
    let next = amended(&record);
    let without = RecordAdded {
        supersedes: None,
        ..next.clone()
    };
    assert_eq!(chain.refused(&actor_key(10), without), "CS-LED-25");
    let other = RecordAdded {
        supersedes: Some(HeaderDigest([1; 32])),
        ..next.clone()
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-25",
        other,
        (&actor_key(10), next),
    );
    let first = chain.record(21);
    let bad = RecordAdded {
        supersedes: Some(record.header),
        ..first.clone()
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-25",
        bad,
        (&actor_key(10), first),
    );
}

#[test]
fn cs_led_26_strangers_amend_nothing() {
    let (mut chain, record) = with_record();
    let second = amended(&record);
    let third = amended(&second);
    check(
        &mut chain,
        &actor_key(11),
        "CS-LED-26",
        second.clone(),
        (&actor_key(12), second),
    );
    chain.ok(&patient_key(1), third);
}

#[test]
fn cs_led_27_only_the_patient_drops_a_label() {
    let (mut chain, record) = with_record();
    let bad = RecordAdded {
        labels: Labels::inbox(),
        ..amended(&record)
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-27",
        bad.clone(),
        (&patient_key(1), bad),
    );
}

#[test]
fn cs_led_28_only_the_patient_lowers_a_confidentiality() {
    let (mut chain, record) = with_record();
    let bad = RecordAdded {
        confidentiality: Confidentiality::M,
        ..amended(&record)
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-28",
        bad.clone(),
        (&patient_key(1), bad),
    );
}

#[test]
fn cs_led_106_only_the_patient_changes_an_encounter() {
    let mut chain = Chain::populated();
    let mut first = chain.record(20);
    first.encounter = Some([6; 16]);
    chain.ok(&actor_key(10), first.clone());
    for encounter in [None, Some([7; 16])] {
        let bad = RecordAdded {
            encounter,
            ..amended(&first)
        };
        assert_eq!(chain.refused(&actor_key(10), bad.clone()), "CS-LED-106");
        assert_eq!(chain.refused(&actor_key(13), bad), "CS-LED-106");
    }
    let second = amended(&first);
    chain.ok(&actor_key(10), second.clone());
    let third = RecordAdded {
        encounter: None,
        ..amended(&second)
    };
    chain.ok(&patient_key(1), third.clone());
    // Nor is a record put into an encounter, whose grants would open it.
    let bad = RecordAdded {
        encounter: Some([6; 16]),
        ..amended(&third)
    };
    assert_eq!(chain.refused(&actor_key(10), bad), "CS-LED-106");
}

#[test]
fn cs_led_107_what_the_patient_may_see_is_not_held_back_again() {
    let mut chain = Chain::populated();
    let mut first = chain.record(20);
    first.release_at = Some(Time(chain.now + 10_000));
    chain.ok(&actor_key(10), first.clone());
    // As long as it waits it may wait longer, or less.
    let second = RecordAdded {
        release_at: Some(Time(chain.now + 20_000)),
        ..amended(&first)
    };
    chain.ok(&actor_key(10), second.clone());
    chain.now = second.release_at.unwrap().0 - 1_000;
    let bad = |chain: &Chain, before: &RecordAdded| RecordAdded {
        release_at: Some(Time(chain.now + 1_001)),
        ..amended(before)
    };
    let again = bad(&chain, &second);
    assert_eq!(chain.refused(&actor_key(10), again), "CS-LED-107");
    let third = amended(&second);
    chain.ok(&actor_key(10), third.clone());
    let never = RecordAdded {
        release_at: None,
        ..amended(&third)
    };
    chain.ok(&actor_key(10), never.clone());
    let again = bad(&chain, &never);
    assert_eq!(chain.refused(&actor_key(10), again), "CS-LED-107");
}

#[test]
fn cs_led_29_nothing_was_written_in_the_future() {
    let mut chain = Chain::populated();
    let good = record(20, 1, chain.now + 1_000);
    let bad = record(20, 1, chain.now + 1_001);
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-29",
        bad,
        (&actor_key(10), good),
    );
}

#[test]
fn cs_led_30_shares_are_dealt_to_the_committee() {
    let mut chain = Chain::populated();
    let good = chain.record(20);
    for (epoch, t, n) in [(1, 3, 4), (0, 2, 4), (0, 3, 5)] {
        let bad = RecordAdded {
            custodians: CustodianSet { epoch, t, n },
            ..good.clone()
        };
        assert_eq!(chain.refused(&actor_key(10), bad), "CS-LED-30");
    }
    chain.ok(&actor_key(10), good);
}

#[test]
fn cs_led_31_an_envelope_header_is_anchored_once() {
    let (mut chain, record) = with_record();
    let good = chain.record(21);
    let bad = RecordAdded {
        header: record.header,
        ..good.clone()
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-31",
        bad,
        (&actor_key(10), good),
    );
}

#[test]
fn cs_led_32_an_author_stores_nothing_twice_for_a_patient() {
    let (mut chain, record) = with_record();
    let again = RecordAdded {
        fingerprint: record.fingerprint,
        ..chain.record(21)
    };
    let signed = chain.transaction(&actor_key(10), 2, again.clone());
    let error = chain.refused_raw(signed.sign(|message| actor_key(10).sign(message)));
    assert_eq!(
        error,
        AdmissionError::DuplicateRecord {
            existing: record_id(20)
        }
    );
    let other_patient = RecordAdded {
        patient: patient(2),
        ..again.clone()
    };
    check(
        &mut chain,
        &actor_key(10),
        "CS-LED-32",
        again,
        (&actor_key(10), other_patient),
    );
    let other_author = RecordAdded {
        fingerprint: record.fingerprint,
        ..chain.record(22)
    };
    chain.ok(&actor_key(11), other_author);
}

#[test]
fn cs_led_33_a_deposit_is_of_a_version_of_that_record() {
    let (mut chain, record) = with_record();
    chain.ok(&actor_key(10), chain.record(21));
    chain.ok(&actor_key(10), amended(&record));
    let ack = |header| DepositAcknowledged {
        record: record_id(20),
        header,
        index: 1,
    };
    let (unknown, other) = (ack(header(20, 9)), ack(header(21, 1)));
    assert_eq!(chain.refused(&custodian(1), other), "CS-LED-33");
    let good = ack(header(20, 1));
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-33",
        unknown,
        (&custodian(1), good),
    );
}

#[test]
fn cs_led_34_a_custodian_speaks_for_its_own_index() {
    let (mut chain, _) = with_record();
    let ack = |index| DepositAcknowledged {
        record: record_id(20),
        header: header(20, 1),
        index,
    };
    for index in [0, 1, 3, u64::MAX] {
        assert_eq!(chain.refused(&custodian(2), ack(index)), "CS-LED-34");
    }
    chain.ok(&custodian(2), ack(2));
}

#[test]
fn cs_led_35_a_custodian_acknowledges_once() {
    let (mut chain, record) = with_record();
    let ack = |header| DepositAcknowledged {
        record: record_id(20),
        header,
        index: 1,
    };
    chain.ok(&custodian(1), ack(header(20, 1)));
    chain.ok(&actor_key(10), amended(&record));
    let (again, next) = (ack(header(20, 1)), ack(header(20, 2)));
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-35",
        again,
        (&custodian(1), next),
    );
}

#[test]
fn cs_led_36_a_list_of_records_has_one_to_512_distinct_ones() {
    let (mut chain, request) = permitted();
    let mut none = ask(1, &[], "TREAT");
    let twice = ask(1, &[20, 21, 20], "TREAT");
    assert_eq!(chain.refused(&actor_key(11), none.clone()), "CS-LED-36");
    assert_eq!(chain.refused(&actor_key(11), twice), "CS-LED-36");
    let id = |i: u16| {
        let mut id = [0x77; 16];
        id[..2].copy_from_slice(&i.to_be_bytes());
        chartseal_wire::RecordId(id)
    };
    none.records = (0..513).map(id).collect();
    assert_eq!(chain.refused(&actor_key(11), none.clone()), "CS-LED-36");
    none.records.truncate(512);
    chain.ok(&actor_key(11), none);
    for records in [vec![], vec![record_id(20); 2]] {
        let body = Released {
            request,
            records: records.clone(),
        };
        assert_eq!(chain.refused(&custodian(1), body), "CS-LED-36");
        let one = |record: &_| Relabelling {
            record: *record,
            labels: labels(),
        };
        let body = Relabelled::of(records.iter().map(one).collect());
        assert_eq!(chain.refused(&patient_key(1), body), "CS-LED-36");
    }
}

#[test]
fn cs_led_37_a_directive_means_something() {
    let mut chain = Chain::populated();
    let classes = Scope {
        classes: Some(symbols(&["Observation"])),
        ..Scope::default()
    };
    let restriction = |scope| {
        Terms::Restrict(Restriction {
            scope,
            ..Restriction::default()
        })
    };
    let Terms::Grant(mut with_class) = grant(11, None) else {
        panic!()
    };
    with_class.scope.classes.clone_from(&classes.classes);
    let Terms::Grant(mut with_exception) = grant(11, None) else {
        panic!()
    };
    let node = Exception {
        depth: 1,
        effect: Effect::Deny,
        scope: classes.clone(),
    };
    with_exception.except = Exceptions::new([node]).unwrap();
    let at = chartseal_policy::Time(1);
    for bad in [
        restriction(classes),
        Terms::Grant(with_class),
        Terms::Grant(with_exception),
        Terms::Emergency(Declaration {
            from: at,
            has_reason: true,
            closed: None,
        }),
        Terms::Approve(Approval {
            target: Symbol::new("short").unwrap(),
            at,
        }),
    ] {
        assert_eq!(chain.refused(&patient_key(1), directive(bad)), "CS-LED-37");
    }
    let target = Symbol::new([5; 32]).unwrap();
    chain.ok(
        &patient_key(1),
        directive(Terms::Approve(Approval { target, at })),
    );
    chain.ok(&patient_key(1), directive(restriction(Scope::default())));
}

#[test]
fn cs_led_38_what_is_revoked_is_a_directive_about_this_patient() {
    let mut chain = Chain::populated();
    let mut for_two = directive(grant(11, None));
    for_two.patient = patient(2);
    let other = chain.ok(&patient_key(2), for_two);
    let own = chain.ok(&patient_key(1), directive(grant(11, None)));
    let revoke = |target: &[u8]| {
        directive(Terms::Revoke(Revocation {
            target: Symbol::new(target).unwrap(),
        }))
    };
    for bad in [revoke(b"G"), revoke(&[1; 32]), revoke(&other.0)] {
        assert_eq!(chain.refused(&patient_key(1), bad), "CS-LED-38");
    }
    chain.ok(&patient_key(1), revoke(&own.0));
}

#[test]
fn cs_led_39_directives_are_capped_for_each_issuer_and_patient() {
    let caps = Params {
        max_directives_by_patient: 3,
        max_directives_by_other: 2,
        ..params()
    };
    let mut chain = Chain::populated_with(caps);
    for (key, cap) in [(patient_key(1), 3), (actor_key(10), 2), (patient_key(2), 2)] {
        for _ in 0..cap {
            chain.ok(&key, directive(grant(11, None)));
        }
        assert_eq!(chain.refused(&key, directive(grant(11, None))), "CS-LED-39");
    }
    let mut about_two = directive(grant(11, None));
    about_two.patient = patient(2);
    chain.ok(&actor_key(10), about_two);
}

/// Whoever had a key for a while and said as much with it as they could keeps nobody from taking that back.
#[test]
fn revocations_that_count_are_not_used_up() {
    let mut chain = Chain::populated_with(Params {
        max_directives_by_patient: 3,
        max_directives_by_other: 1,
        ..params()
    });
    let revoke = |target: TxId| {
        directive(Terms::Revoke(Revocation {
            target: Symbol::new(target.0).unwrap(),
        }))
    };
    let granted: Vec<_> = (0..3)
        .map(|_| chain.ok(&patient_key(1), directive(grant(11, None))))
        .collect();
    let of_other = chain.ok(&actor_key(10), directive(grant(11, None)));
    let more = directive(grant(11, None));
    assert_eq!(chain.refused(&patient_key(1), more.clone()), "CS-LED-39");
    for target in granted.iter().chain([&of_other]) {
        chain.ok(&patient_key(1), revoke(*target));
        assert_eq!(
            chain.refused(&patient_key(1), revoke(*target)),
            "CS-LED-39",
            "one is enough"
        );
    }
    // Who issued it too; who neither did nor is the patient revokes nothing, and is counted.
    chain.ok(&actor_key(10), revoke(of_other));
    assert_eq!(
        chain.refused(&actor_key(10), revoke(granted[0])),
        "CS-LED-39"
    );
    let first = chain.ok(&actor_key(11), revoke(granted[0]));
    assert_eq!(chain.refused(&actor_key(11), more), "CS-LED-39");
    // A revocation is none that can be revoked.
    assert_eq!(chain.refused(&actor_key(11), revoke(first)), "CS-LED-39");
    assert_eq!(chain.refused(&patient_key(1), revoke(first)), "CS-LED-39");
}

/// Each decision reads what was declared about a patient: what has ended makes room, and no emergency is refused for it.
#[test]
fn declarations_that_have_ended_make_room_for_others() {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    let params = chain.head.state().params().clone();
    let ttl = params.network.emergency.unwrap().ttl.0;
    let first = chain.ok(&actor_key(12), declare(1));
    let until = Time(chain.head.head().time.0 + ttl);
    let (_, outcomes) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    assert!(outcomes[0].permitted);
    chain.now = until.0 + params.release_window_ms - 10_000;
    // What was permitted at the last moment may be released still.
    let second = chain.ok(&actor_key(12), declare(1));
    assert_eq!(chain.head.state().directive_count(&patient(1)), 2);
    chain.now += 20_000;
    let third = chain.ok(&actor_key(12), declare(1));
    let state = chain.head.state();
    assert_eq!(state.directive_count(&patient(1)), 2);
    assert!(state.directive(&first).is_none());
    for id in [second, third] {
        let is_it = state.directive(&id).unwrap().directive.id;
        assert_eq!(is_it.as_bytes(), id.0);
    }
    // Another organization's keep their own places.
    chain.ok(&actor_key(11), declare(1));
    assert_eq!(chain.head.state().directive_count(&patient(1)), 3);
    let (_, outcomes) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    assert!(outcomes[0].permitted);
}

#[test]
fn cs_led_40_emergencies_need_a_policy() {
    let mut params = params();
    params.network.emergency = None;
    let mut chain = Chain::populated_with(params);
    assert_eq!(chain.refused(&actor_key(12), declare(1)), "CS-LED-40");
    Chain::populated().ok(&actor_key(12), declare(1));
}

#[test]
fn cs_led_41_emergencies_are_capped_while_open_or_unreviewed() {
    let caps = Params {
        max_emergencies_per_actor: 1,
        max_emergencies_per_org: 2,
        ..params()
    };
    let mut chain = Chain::populated_with(caps);
    chain.ok(&actor_key(10), chain.record(20));
    chain.ok(&actor_key(12), declare(1));
    let (request, _) = chain.ask(&actor_key(12), ask(1, &[20], "BTG"));
    assert_eq!(
        chain.refused(&actor_key(12), declare(2)),
        "CS-LED-41",
        "its own is open"
    );
    chain.ok(&actor_key(13), declare(1));
    assert_eq!(
        chain.refused(&actor_key(10), declare(2)),
        "CS-LED-41",
        "two of its organization"
    );
    chain.ok(&actor_key(11), declare(2));
    chain.now += 4 * 3_600_000;
    assert_eq!(
        chain.refused(&actor_key(12), declare(2)),
        "CS-LED-41",
        "its own is unreviewed"
    );
    chain.ok(&actor_key(10), declare(2));
    chain.ok(
        &actor_key(13),
        EmergencyReviewed {
            request,
            justified: true,
        },
    );
    chain.ok(&actor_key(12), declare(2));
}

#[test]
fn cs_led_42_a_request_exists() {
    let (mut chain, request) = permitted();
    let body = |request| Released {
        request,
        records: vec![record_id(20)],
    };
    let unknown = body(TxId([1; 32]));
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-42",
        unknown,
        (&custodian(1), body(request)),
    );
    let (mut chain, request) = emergency();
    let body = |request| EmergencyReviewed {
        request,
        justified: true,
    };
    let unknown = body(TxId([1; 32]));
    check(
        &mut chain,
        &actor_key(13),
        "CS-LED-42",
        unknown,
        (&actor_key(13), body(request)),
    );
}

#[test]
fn cs_led_43_a_review_is_of_an_emergency_access_and_once() {
    let (mut chain, request) = emergency();
    let (denied, _) = chain.ask(&actor_key(12), ask(2, &[20], "BTG"));
    let body = |request| EmergencyReviewed {
        request,
        justified: true,
    };
    check(
        &mut chain,
        &actor_key(13),
        "CS-LED-43",
        body(denied),
        (&actor_key(13), body(request)),
    );
    assert_eq!(chain.refused(&actor_key(13), body(request)), "CS-LED-43");
}

#[test]
fn cs_led_44_a_reviewer_is_a_colleague_for_privacy() {
    let (mut chain, request) = emergency();
    chain.ok(
        &office(2),
        enrol_practitioner(chain.head.head().chain, 14, 2, &["privacy"]),
    );
    let body = EmergencyReviewed {
        request,
        justified: true,
    };
    assert_eq!(
        chain.refused(&actor_key(10), body.clone()),
        "CS-LED-44",
        "not for privacy"
    );
    assert_eq!(
        chain.refused(&actor_key(14), body.clone()),
        "CS-LED-44",
        "elsewhere"
    );
    chain.ok(&actor_key(13), body);

    let both = enrol_practitioner(chain.head.head().chain, 15, 1, &["emergency", "privacy"]);
    chain.ok(&office(1), both);
    chain.now += DELAY;
    chain.ok(&actor_key(15), declare(1));
    let (request, _) = chain.ask(&actor_key(15), ask(1, &[20], "BTG"));
    let own = EmergencyReviewed {
        request,
        justified: true,
    };
    check(
        &mut chain,
        &actor_key(15),
        "CS-LED-44",
        own.clone(),
        (&actor_key(13), own),
    );
}

#[test]
fn cs_led_45_a_receipt_is_for_what_was_permitted() {
    let (mut chain, request) = permitted();
    chain.ok(&actor_key(10), chain.record(21));
    let body = |records: &[u8]| Released {
        request,
        records: records.iter().copied().map(record_id).collect(),
    };
    let (bad, good) = (body(&[20, 21]), body(&[20]));
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-45",
        bad,
        (&custodian(1), good),
    );
    let (denied, _) = chain.ask(&actor_key(11), ask(1, &[20], "HPAYMT"));
    let bad = Released {
        request: denied,
        records: vec![record_id(20)],
    };
    assert_eq!(chain.refused(&custodian(2), bad), "CS-LED-45");
}

#[test]
fn cs_led_46_a_custodian_gives_one_receipt_for_a_record() {
    let (mut chain, request) = permitted();
    let body = Released {
        request,
        records: vec![record_id(20)],
    };
    chain.ok(&custodian(1), body.clone());
    // Also long after the release window: a receipt is evidence.
    chain.now += 86_400_000;
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-46",
        body.clone(),
        (&custodian(2), body),
    );
}

#[test]
fn cs_led_47_only_what_was_erased_is_destroyed() {
    let (mut chain, _) = with_record();
    let body = Destroyed {
        record: record_id(20),
    };
    assert_eq!(chain.refused(&custodian(1), body.clone()), "CS-LED-47");
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(20),
        },
    );
    chain.ok(&custodian(1), body);
}

#[test]
fn cs_led_48_a_custodian_attests_destruction_once() {
    let (mut chain, _) = with_record();
    chain.ok(
        &patient_key(1),
        Erased {
            record: record_id(20),
        },
    );
    let body = Destroyed {
        record: record_id(20),
    };
    chain.ok(&custodian(1), body.clone());
    check(
        &mut chain,
        &custodian(1),
        "CS-LED-48",
        body.clone(),
        (&custodian(2), body),
    );
}
