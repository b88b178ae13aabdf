//! A committee hands over while the visit goes on, and an export shows it.

use chartseal::{Options, TrustPolicy, Verdict, verify};
use chartseal_audit::Doubt;
use chartseal_consensus::engine::NOTICE;
use chartseal_ledger::body::{CommitteeChanged, Countersignature, NextMember};
use chartseal_ledger::{Body, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_wire::ProofFile;

use crate::fixture::{MINUTE, Visit};

/// The same organizations in another order: another committee, whose custodians have other places.
fn change(visit: &Visit, from: u64) -> chartseal_ledger::SignedTransaction {
    let network = &visit.network;
    let state = network.head().unwrap().state();
    let mut body = CommitteeChanged {
        epoch: state.committee().epoch() + 1,
        from,
        members: network
            .nodes()
            .iter()
            .rev()
            .map(|node| NextMember {
                org: node.org(),
                validator: public(&node.keys().cosigner),
                custodian_kem: node.keys().kem.public_key().key_id().0,
            })
            .collect(),
        approvals: Vec::new(),
    };
    let message = body.to_approve(&network.chain());
    let offices = network.nodes().iter().take(3).map(|node| Countersignature {
        org: node.org(),
        signature: sign(network.enrolment_key(&node.org()).unwrap(), &message),
    });
    body.approvals = offices.collect();
    let office = network.enrolment_key(&network.nodes()[3].org()).unwrap();
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: network.chain(),
        actor_key: public(office),
        seq: state.sequence(&public(office)) + 1,
        expires: network.head().unwrap().height() + 10,
        body: Body::from(body),
    };
    transaction.sign(|message| sign(office, message))
}

#[test]
fn an_export_shows_how_the_committee_came_into_office() {
    let mut visit = Visit::new();
    let record = visit.file_result("before");
    visit.grant();
    let sudden = change(&visit, visit.network.head().unwrap().height() + 2);
    assert!(visit.network.submit(sudden, &[]).is_err(), "without notice");
    let from = visit.network.head().unwrap().height() + 1 + NOTICE + 3;
    visit.network.submit(change(&visit, from), &[]).unwrap();
    while visit.network.head().unwrap().height() < from + 2 {
        visit.wait(1_000);
    }
    visit.network.clock().advance_ms(MINUTE);
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
