//! P5: revocation and expiry are enforced, for decisions and for releases.

use chartseal::{Class, Error, Offer};
use chartseal_ledger::NotReleasable;
use chartseal_node::NodeError;
use chartseal_policy::Code;

use crate::fixture::*;

const NO_GRANT: NotReleasable = NotReleasable::Withdrawn {
    code: Code::NoGrant,
};

fn assert_withheld(visit: &mut Visit, request: &chartseal::Request, expected: NotReleasable) {
    assert_eq!(visit.refusals(&request.id()), [expected; 4]);
    match visit.open(request) {
        Err(Error::NotReleased { request: id, why }) => {
            assert_eq!(id, request.id());
            assert!(matches!(*why, NodeError::NotReleasable { why, .. } if why == expected));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn p5_revocation_stops_custodians_even_on_an_older_permit() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let grant = visit.grant();
    let request = visit.request(&[record]);
    assert_eq!(request.permitted(), [record]);
    visit
        .patient
        .revoke(&mut visit.network, grant.grant)
        .unwrap();
    assert_withheld(&mut visit, &request, NO_GRANT);
    for node in visit.network.nodes() {
        assert!(
            node.envelope(&request.id(), &record).is_err(),
            "nor is ciphertext served"
        );
    }
    // The same read again is denied, and both attempts are in the history.
    assert!(matches!(visit.read(&[record]), Err(Error::Denied(_))));
    let codes: Vec<_> = visit
        .attempts()
        .iter()
        .map(|(_, access)| codes(access).concat())
        .collect();
    assert_eq!(codes, ["granted", "no_grant"]);
}

#[test]
fn p5_a_revoked_grant_never_counts_again() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let grant = visit.grant();
    let revocation = visit
        .patient
        .revoke(&mut visit.network, grant.grant)
        .unwrap();
    // Not even by revoking the revocation.
    let _ = visit.patient.revoke(&mut visit.network, revocation);
    assert!(visit.request(&[record]).permitted().is_empty());
}

#[test]
fn p5_an_expired_grant_is_denied() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    visit.wait(HOUR - 1);
    assert!(visit.read(&[record]).is_ok(), "in its last millisecond");
    visit.wait(1);
    assert!(matches!(visit.read(&[record]), Err(Error::Denied(_))));
    let last = visit.attempts().pop().unwrap().1;
    assert_eq!(codes(&last), ["no_grant"]);
}

#[test]
fn p5_a_permit_ends_with_its_grant() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let until = visit.network.now().plus_ms(MINUTE);
    visit.grant_until(until);
    let request = visit.request(&[record]);
    visit.wait(MINUTE - 1);
    assert!(visit.open(&request).is_ok());
    visit.wait(1);
    assert_withheld(&mut visit, &request, NotReleasable::TooLate { until });
}

#[test]
fn p5_a_grant_does_not_count_before_it_begins() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    let now = visit.network.now();
    let offer = Offer {
        from: Some(now.plus_ms(HOUR)),
        ..Offer::of(Class::LABORATORY, now.plus_ms(2 * HOUR))
    };
    visit
        .patient
        .grant(&mut visit.network, &visit.doctor, &offer)
        .unwrap();
    visit.wait(HOUR - 1);
    assert!(matches!(visit.read(&[record]), Err(Error::Denied(_))));
    visit.wait(1);
    assert!(visit.read(&[record]).is_ok());
}

#[test]
fn p5_erasure_stops_custodians_even_on_an_older_permit() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let request = visit.request(&[record]);
    visit.patient.erase(&mut visit.network, record).unwrap();
    assert_withheld(&mut visit, &request, NotReleasable::Erased);
}

#[test]
fn p5_a_restriction_stops_custodians_even_on_an_older_permit() {
    let mut visit = Visit::new();
    let record = visit.file_result("HbA1c 6.1 %");
    visit.grant();
    let request = visit.request(&[record]);
    visit
        .patient
        .restrict(&mut visit.network, &[Class::LABORATORY], &[])
        .unwrap();
    let restricted = NotReleasable::Withdrawn {
        code: Code::Restricted,
    };
    assert_withheld(&mut visit, &request, restricted);
}

#[test]
fn p5_what_is_still_permitted_opens_though_another_record_of_the_request_does_not() {
    let mut visit = Visit::new();
    let (kept, erased) = (visit.file_result("kept"), visit.file_result("erased"));
    visit.grant();
    let request = visit.request(&[erased, kept]);
    visit.patient.erase(&mut visit.network, erased).unwrap();
    let opening = visit.open(&request).unwrap();
    assert_eq!(contents(&opening), [b"kept"]);
    assert_eq!(opening.records[0].record, kept);
}
