//! A committee hands over while the visit goes on, and an export shows it.

use chartseal::{Options, TrustPolicy, Verdict, verify};
use chartseal_audit::Doubt;
use chartseal_wire::ProofFile;

use crate::fixture::Visit;

#[test]
fn an_export_shows_how_the_committee_came_into_office() {
    let mut visit = Visit::new();
    let record = visit.file_result("before");
    visit.grant();
    let sudden = visit.change(visit.network.head().unwrap().height() + 2);
    assert!(visit.network.submit(sudden, &[]).is_err(), "without notice");
    visit.hand_over();
    assert_eq!(visit.network.head().unwrap().head().epoch, 1);
    // What was dealt to the first committee is released as before.
    assert_eq!(visit.read(&[record]).unwrap().records.len(), 1);

    let export = visit
        .patient
        .export_certified(&visit.network, None)
        .unwrap();
    let options = Options::default();
    let policy = TrustPolicy::parse(&visit.network.committee_policy()).unwrap();
    let Verdict::Proved(report) = verify(&export, &policy, None, &options) else {
        panic!("not proved");
    };
    let certified = report.certified.unwrap();
    assert_eq!((certified.epoch, certified.handovers), (1, 1));
    // Without a witness nobody vouches for what the retired committee signed.
    let mut file = ProofFile::parse(&export).unwrap();
    file.checkpoint.signatures.truncate(1);
    let verdict = verify(&file.to_string(), &policy, None, &options);
    assert!(
        matches!(
            &verdict,
            Verdict::CannotTell(Doubt::RetiredCommittee { epoch: 0, now: 1 })
        ),
        "{verdict}"
    );
}

/// Every node of a network that starts again goes on from its newest block and that one's certificate.
#[test]
fn a_network_that_starts_again_goes_on_from_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let mut visit = Visit::in_dir(dir.path());
    visit.file_result("before");
    let height = visit.network.head().unwrap().height();
    let mut visit = visit.restarted(dir.path());
    assert_eq!(visit.network.head().unwrap().height(), height);
    visit.grant();
    assert_eq!(visit.network.head().unwrap().height(), height + 1);
    let alone = TrustPolicy::parse(&visit.network.committee_policy()).unwrap();
    let export = visit
        .patient
        .export_certified(&visit.network, None)
        .unwrap();
    let verdict = verify(&export, &alone, None, &Options::default());
    assert!(matches!(verdict, Verdict::Proved(_)), "{verdict}");
}
