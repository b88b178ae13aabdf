//! Numbers at the end of their range: each is refused by a rule, or admitted and nothing wraps.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    CommitteeChanged, DisputeAnswered, Disputed, QuorumSet, RecoveryPlanned, RedealAcknowledged,
    Redealt, Status, StatusChanged,
};
use chartseal_ledger::{BlockError, Body, execute, propose};
use chartseal_policy::{Quorum, Revocation, Symbol, Terms, Window};
use chartseal_wire::{Hash, PatientId, RequestId, Time};
use common::*;

const MAX: u64 = u64::MAX;

fn check(chain: &mut Chain, key: &Key, rule: &str, body: impl Into<Body>) {
    assert_eq!(chain.refused(key, body), rule);
}

#[test]
fn counts_at_their_end_are_refused_by_the_rule_of_their_place() {
    let (mut chain, record) = with_record();
    let (patient_1, custodian_1) = (patient_key(1), custodian(1));
    chain.ok(
        &patient_1,
        Disputed {
            record: record.record,
            reason: Hash([1; 32]),
        },
    );
    let answer = DisputeAnswered {
        record: record.record,
        rectified: Some(MAX),
        reason: Hash([1; 32]),
    };
    check(&mut chain, &actor_key(10), "CS-LED-76", answer);

    let mut later = amended(&record);
    later.version = MAX;
    check(&mut chain, &actor_key(10), "CS-LED-24", later);
    let mut written = chain.record(21);
    written.authored = Time(MAX);
    check(&mut chain, &actor_key(10), "CS-LED-29", written);
    let mut dealt = chain.record(21);
    (dealt.custodians.t, dealt.custodians.n) = (MAX, MAX);
    check(&mut chain, &actor_key(10), "CS-LED-30", dealt);

    let deal = Redealt {
        record: record.record,
        header: record.header,
        deal: MAX,
        custodians: record.custodians,
        root: [1; 32],
        request: None::<RequestId>,
    };
    check(&mut chain, &patient_1, "CS-LED-55", deal);
    chain.ok(&patient_1, Redealt { deal: 1, ..deal });
    let acknowledged = RedealAcknowledged {
        record: record.record,
        header: record.header,
        deal: 1,
        index: MAX,
    };
    check(&mut chain, &custodian_1, "CS-LED-34", acknowledged);

    let plan = RecoveryPlanned {
        bundle: Hash([1; 32]),
        guardians: vec![actor(10)],
        k: MAX,
        delay_ms: MAX,
    };
    check(&mut chain, &patient_1, "CS-LED-64", plan);
    let quorum = QuorumSet {
        patient: patient(1),
        quorum: Some(Quorum {
            k: u32::MAX,
            members: symbols(&[]),
            ttl: None,
        }),
        countersignature: None,
    };
    check(&mut chain, &patient_1, "CS-LED-62", quorum);
    for (epoch, from) in [(MAX, 10), (1, MAX)] {
        let body = CommitteeChanged {
            epoch,
            from,
            members: vec![],
            approvals: vec![],
        };
        check(&mut chain, &office(1), "CS-LED-100", body);
    }
    let of_age = StatusChanged {
        patient: patient(1),
        status: Status::Majority(Time(MAX)),
        countersignature: None,
    };
    check(&mut chain, &office(1), "CS-LED-57", of_age);
    let mut child = enrol_patient(&chain.head, 3);
    child.adult_from = Time(MAX);
    check(&mut chain, &office(1), "CS-LED-57", child);
}

#[test]
fn the_last_sequence_number_is_the_keys_last() {
    let mut chain = Chain::populated();
    let key = patient_key(1);
    chain.skip_to(&key, MAX - 1);
    chain.ok(&key, directive(1, grant(10, None)));
    let again = chain.transaction(&key, MAX, directive(1, grant(11, None)));
    let again = again.sign(|message| key.sign(message));
    assert_eq!(chain.refused_raw(again).rule(), "CS-LED-08");
}

#[test]
fn ends_that_never_come_are_kept_and_wrap_to_no_earlier_time() {
    let (mut chain, _) = with_record();
    let mut enrolment = enrol_practitioner(chain.head.head().chain, 14, 1, &["doctor"]);
    enrolment.credential = Window {
        from: Some(chartseal_policy::Time(0)),
        until: Some(chartseal_policy::Time(MAX)),
    };
    chain.ok(&office(1), enrolment);
    chain.ok(&patient_key(1), directive(1, grant(14, Some(MAX))));
    let (_, outcomes) = chain.ask(&actor_key(14), ask(1, &[20], "TREAT"));
    assert!(outcomes[0].permitted);
    let plan = RecoveryPlanned {
        bundle: Hash([1; 32]),
        guardians: vec![actor(10)],
        k: 1,
        delay_ms: MAX,
    };
    chain.ok(&patient_key(1), plan);
    let target = Symbol::new([0xff; 32]).unwrap();
    let revoke = directive(1, Terms::Revoke(Revocation { target }));
    check(&mut chain, &patient_key(1), "CS-LED-38", revoke);
}

#[test]
fn a_header_at_the_end_of_every_count_is_refused() {
    let chain = Chain::populated();
    let good = propose(&chain.head, Time(chain.now + 1_000), []).block;
    let rule = |spoil: fn(&mut chartseal_wire::BlockHeader)| {
        let mut block = good.clone();
        spoil(&mut block.header);
        execute(&chain.head, &block)
            .map(|_| ())
            .map_err(|error: BlockError| error.rule())
    };
    assert_eq!(rule(|header| header.version = MAX), Err("CS-LED-81"));
    assert_eq!(rule(|header| header.epoch = MAX), Err("CS-LED-83"));
    assert_eq!(rule(|header| header.height = MAX), Err("CS-LED-84"));
    assert_eq!(rule(|header| header.log_size = MAX), Err("CS-LED-87"));

    // Time may go on to its last millisecond, and then stands still.
    let last = propose(&chain.head, Time(MAX), []);
    let head = execute(&chain.head, &last.block).unwrap().overlay;
    let next = propose(&head, Time(0), []);
    assert_eq!(next.block.header.time, Time(MAX));
    execute(&head, &next.block).unwrap();
    assert!(head.state().patient(&PatientId([1; 16])).is_some());
}
