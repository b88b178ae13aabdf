//! A network without validators, for apps' own tests: the same verbs, and the same history.

use chartseal::{Options, TrustPolicy, Verdict, verify};

use crate::fixture::*;

#[test]
fn a_network_that_one_process_orders_does_all_but_certify() {
    let mut visit = Visit::sequenced();
    let record = visit.file_result("HbA1c 6.1 %");
    let grant = visit.grant();
    let opening = visit.read(&[record]).unwrap();
    assert_eq!(contents(&opening), [b"HbA1c 6.1 %"]);
    visit
        .patient
        .revoke(&mut visit.network, grant.grant)
        .unwrap();
    assert!(visit.read(&[record]).is_err());
    assert_eq!(visit.attempts().len(), 2, "one permitted, one denied");
    let export = visit.patient.export(&visit.network, None).unwrap();
    let committee = TrustPolicy::parse(&visit.network.committee_policy()).unwrap();
    let verdict = verify(&export, &committee, None, &Options::default());
    assert!(!matches!(verdict, Verdict::Proved(_)), "{verdict}");
}
