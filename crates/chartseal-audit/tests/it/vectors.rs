//! Files of this format that were written once: a verifier of any age must prove them.

use chartseal_audit::{Equivocation, Kept, Options, TrustPolicy, verify};
use chartseal_codec::to_bytes;

use crate::fixture::*;
use crate::rules::forked;

pub(crate) const FULL: &str = include_str!("../vectors/visit.tlog-proof");
pub(crate) const NEWER: &str = include_str!("../vectors/visit-newer.tlog-proof");
pub(crate) const POLICY: &str = include_str!("../vectors/trust.policy");
pub(crate) const KEPT: &[u8] = include_bytes!("../vectors/visit.kept");
pub(crate) const CERTIFIED: &str = include_str!("../vectors/certified.tlog-proof");
pub(crate) const COMMITTEE: &str = include_str!("../vectors/committee.policy");
/// What versions 1 and 2 of its format were.
pub(crate) const OLD_KEPT: &[u8] = include_bytes!("../vectors/visit-1.kept");
pub(crate) const OLD_CERTIFIED_KEPT: &[u8] = include_bytes!("../vectors/certified-2.kept");
pub(crate) const CERTIFIED_KEPT: &[u8] = include_bytes!("../vectors/certified.kept");
const FORK: &[u8] = include_bytes!("../vectors/fork.equivocation");
const FORK_ONE: &str = include_str!("../vectors/fork-one.tlog-proof");
const FORK_OTHER: &str = include_str!("../vectors/fork-other.tlog-proof");
const VERDICT: &str = include_str!("../vectors/visit.verdict.txt");

/// The visit, and what came after it.
fn written() -> [Vec<u8>; 11] {
    let mut net = Network::visit();
    let full = net.export();
    let report = net.report(&full);
    let verdict = net.verify(&full).to_string();
    net.event(subject(), PATIENT.into(), erased(NOTE));
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let newer = net.export_since(VISIT, report.log_size);
    let (one, other) = fork();
    let (certified, committee) = certified();
    [
        full.text().into(),
        newer.text().into(),
        net.policy_text().into(),
        report.kept.to_bytes(),
        verdict.into(),
        to_bytes(&Equivocation::between(&one, &other).unwrap()),
        one.into(),
        other.into(),
        certified.text().into(),
        committee.policy.clone().into(),
        proved(committee.verdict()).kept.to_bytes(),
    ]
}

/// An export of epoch 2, certified by its committee, with one witness for the handovers since epoch 0.
fn certified() -> (Parts, Question) {
    let net = Network::certified(2);
    let mut parts = net.certified_export();
    parts.cosigners = vec![0];
    let policy = net.committee_policy(0);
    let policy = policy.replace("quorum network", "group both all network v1\nquorum both");
    let question = Question {
        policy,
        ..net.ask(&parts, None)
    };
    (parts, question)
}

/// Two blocks of height 15.
fn fork() -> (String, String) {
    let (a, b) = forked();
    (a.export().text(), b.export().text())
}

#[test]
fn no_byte_of_a_published_format_has_moved() {
    let names = [
        "visit.tlog-proof",
        "visit-newer.tlog-proof",
        "trust.policy",
        "visit.kept",
        "visit.verdict.txt",
        "fork.equivocation",
        "fork-one.tlog-proof",
        "fork-other.tlog-proof",
        "certified.tlog-proof",
        "committee.policy",
        "certified.kept",
    ];
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        for (name, bytes) in names.iter().zip(written()) {
            std::fs::write(
                format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR")),
                bytes,
            )
            .unwrap();
        }
    }
    let stored = [
        FULL.as_bytes(),
        NEWER.as_bytes(),
        POLICY.as_bytes(),
        KEPT,
        VERDICT.as_bytes(),
        FORK,
        FORK_ONE.as_bytes(),
        FORK_OTHER.as_bytes(),
        CERTIFIED.as_bytes(),
        COMMITTEE.as_bytes(),
        CERTIFIED_KEPT,
    ];
    for ((name, bytes), stored) in names.iter().zip(written()).zip(stored) {
        assert!(bytes == stored, "{name} is written otherwise than it was");
    }
}

#[test]
fn the_stored_files_are_proved() {
    let policy = TrustPolicy::parse(POLICY).unwrap();
    let first = verify(FULL, &policy, None, &Options::default());
    assert_eq!(first.to_string(), VERDICT);
    let kept = Kept::from_bytes(KEPT).unwrap();
    assert_eq!(proved(first).kept, kept);
    let report = proved(verify(NEWER, &policy, Some(&kept), &Options::default()));
    assert_eq!(
        (report.histories[0].first, report.histories[0].total()),
        (VISIT, VISIT + 2)
    );
}

/// What an older version kept is read, and used as before.
#[test]
fn the_stored_states_of_older_versions_are_read() {
    let policy = TrustPolicy::parse(POLICY).unwrap();
    let kept = Kept::from_bytes(OLD_KEPT).unwrap();
    assert_eq!((kept.to_bytes().as_slice(), OLD_KEPT[1]), (OLD_KEPT, 1));
    let report = proved(verify(NEWER, &policy, Some(&kept), &Options::default()));
    assert!(report.histories[0].is_unremembered);
    let report = proved(verify(FULL, &policy, Some(&kept), &Options::default()));
    assert_eq!(report.kept.to_bytes(), KEPT);
    let policy = TrustPolicy::parse(COMMITTEE).unwrap();
    let kept = Kept::from_bytes(OLD_CERTIFIED_KEPT).unwrap();
    assert_eq!(kept.to_bytes(), OLD_CERTIFIED_KEPT);
    let report = proved(verify(CERTIFIED, &policy, Some(&kept), &Options::default()));
    assert_eq!(report.kept.to_bytes(), CERTIFIED_KEPT);
}

#[test]
fn the_stored_certificates_are_proved() {
    let policy = TrustPolicy::parse(COMMITTEE).unwrap();
    let report = proved(verify(CERTIFIED, &policy, None, &Options::default()));
    assert_eq!(report.kept.to_bytes(), CERTIFIED_KEPT);
    let certified = report.certified.unwrap();
    assert_eq!((certified.epoch, certified.handovers), (2, 2));
}
