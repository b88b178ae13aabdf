//! P3: every attempt is on the chain with who, when, which records, purpose, code and reason.

use chartseal::{Ask, Class, Purpose, RecordId};
use chartseal_codec::from_bytes;
use chartseal_wire::history::outcome_commitment;
use chartseal_wire::{Entry, Event, Subject};

use crate::fixture::*;

#[test]
fn p3_every_attempt_is_in_the_history_with_its_code() {
    let mut visit = Visit::new();
    let result = visit.file_result("HbA1c 6.1 %");
    let condition = visit.file(Class::CONDITION, "a diagnosis");
    let unknown = RecordId([9; 16]);
    let patient = visit.patient.id();
    let mut expected = Vec::new();
    let mut ask = |visit: &mut Visit, records: &[RecordId], purpose, codes: &[&str]| {
        let reason = format!("attempt {}", expected.len());
        let ask = Ask::read(patient, records, purpose).because("follow-up", &reason);
        let request = visit.doctor.request(&mut visit.network, &ask).unwrap();
        let codes: Vec<String> = codes.iter().map(|&code| code.into()).collect();
        let time = visit.network.now();
        expected.push((
            request.id(),
            request.height(),
            time,
            records.to_vec(),
            purpose,
            codes,
            reason,
        ));
    };
    ask(&mut visit, &[result], Purpose::Treat, &["no_grant"]);
    let grant = visit.grant();
    visit.wait(MINUTE);
    ask(&mut visit, &[result], Purpose::Treat, &["granted"]);
    ask(&mut visit, &[condition], Purpose::Treat, &["no_grant"]);
    ask(
        &mut visit,
        &[condition, result],
        Purpose::Treat,
        &["no_grant", "granted"],
    );
    ask(&mut visit, &[result], Purpose::Hresch, &["no_grant"]);
    ask(&mut visit, &[unknown], Purpose::Treat, &["not_visible"]);
    ask(
        &mut visit,
        &[result],
        Purpose::Btg,
        &["emergency_not_declared"],
    );
    visit.wait(HOUR - MINUTE);
    ask(&mut visit, &[result], Purpose::Treat, &["no_grant"]);
    let again = visit.grant();
    visit
        .patient
        .revoke(&mut visit.network, again.grant)
        .unwrap();
    ask(&mut visit, &[result], Purpose::Treat, &["no_grant"]);

    let attempts = visit.attempts();
    assert_eq!(attempts.len(), expected.len());
    for ((entry, access), expected) in attempts.iter().zip(expected) {
        let (id, height, time, records, purpose, expected_codes, reason) = expected;
        assert_eq!((entry.tx, entry.height, entry.time), (id, height, time));
        assert_eq!(
            (entry.actor, entry.org),
            (visit.doctor.id(), visit.hospital)
        );
        let asked: Vec<RecordId> = access
            .records
            .iter()
            .map(|outcome| outcome.record)
            .collect();
        assert_eq!(asked, records);
        assert_eq!(access.action.as_str(), "read");
        assert_eq!(access.purpose.as_str(), purpose.as_str());
        assert_eq!(access.reason_code.as_str(), "follow-up");
        assert_eq!(codes(access), expected_codes);
        for outcome in &access.records {
            let says_permit = ["granted"].contains(&outcome.code.as_str());
            assert_eq!(outcome.permitted, says_permit);
        }
        assert_eq!(
            visit.patient.reason(&visit.network, entry).unwrap(),
            Some(reason)
        );
    }
    let basis = &attempts[1].1.records[0].basis;
    assert_eq!(
        basis[0].as_str(),
        grant.grant.to_string(),
        "which grant permitted it"
    );
    let report = visit.report();
    assert_eq!(
        (report.histories[0].permitted, report.histories[0].denied),
        (2, 7)
    );
    assert!(report.anomalies.is_empty());
}

#[test]
fn p3_an_attempt_under_another_patients_name_is_in_the_owners_history_and_hides_that_name() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let hospital = visit.hospital;
    let other = visit.network.enrol_patient(&hospital).unwrap();
    let records = [record];
    let ask = Ask::read(other.id(), &records, Purpose::Treat);
    let request = visit.doctor.request(&mut visit.network, &ask).unwrap();
    assert!(request.permitted().is_empty());

    let (entry, access) = visit.attempts().remove(0);
    assert_eq!((entry.tx, entry.actor), (request.id(), visit.doctor.id()));
    assert!(access.foreign_claim);
    assert_eq!(codes(&access), ["malformed"]);
    let claimed = other.history(&visit.network).unwrap();
    let Event::Access(access) = &claimed.last().unwrap().event else {
        panic!("the patient who was named sees the attempt too")
    };
    assert_eq!(
        access.records[0].header, None,
        "and nothing of another's record"
    );
}

#[test]
fn p3_the_requesters_own_history_has_the_effect_and_no_code() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let request = visit.request(&[record]);
    let subject = Subject::Actor(visit.doctor.id());
    let node = &visit.network.nodes()[0];
    let bytes = node.history(&subject, 0).unwrap().pop().unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"no_grant"));
    let entry: Entry = from_bytes(&bytes).unwrap();
    let Event::OwnAccess(own) = &entry.event else {
        panic!("{:?}", entry.event)
    };
    assert_eq!((entry.tx, own.patient), (request.id(), visit.patient.id()));
    assert!(!own.records[0].permitted);
    // With the patient's salt, the code can be shown to be the one.
    let outcome = &visit.attempts()[0].1.records[0];
    let salt = node
        .state()
        .patient(&visit.patient.id())
        .unwrap()
        .history_salt;
    let shown = outcome_commitment(&salt, &request.id(), outcome);
    assert_eq!(own.records[0].outcome, shown);
}

#[test]
fn p3_a_reason_is_readable_by_the_patient_alone() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let records = [record];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Treat).because("visit", "a cough");
    visit.doctor.request(&mut visit.network, &ask).unwrap();
    let (entry, _) = visit.attempts().remove(0);
    let hospital = visit.hospital;
    let other = visit.network.enrol_patient(&hospital).unwrap();
    assert_eq!(other.reason(&visit.network, &entry).unwrap(), None);
    let reason = visit.patient.reason(&visit.network, &entry).unwrap();
    assert_eq!(reason.as_deref(), Some("a cough"));
}
