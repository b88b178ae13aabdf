//! What an honest export proves.

use chartseal_audit::{Doubt, Rule, Verdict, verify};
use chartseal_codec::to_bytes;
use chartseal_wire::{Subject, Time};

use crate::fixture::*;

#[test]
fn an_honest_history_is_proved_complete_with_who_signed_and_how_fresh() {
    let net = Network::visit();
    let report = net.report(&net.export());
    let signers: Vec<&str> = report.witnesses.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(signers, ["v1", "v2", "v3"]);
    let quorum = &report.quorum;
    assert_eq!((quorum.signed, quorum.needed, quorum.of), (3, 3, 4));
    assert_eq!(report.log_size, net.headers.len() as u64);
    assert_eq!(report.height, report.log_size - 1);
    assert_eq!(report.fresh_as_of, Time(net.export().signed_at * 1000));
    let history = &report.histories[0];
    assert_eq!((history.subject, history.first), (subject(), 0));
    assert_eq!(history.total(), VISIT);
    assert_eq!(history.entries.len() as u64, VISIT);
    assert_eq!((history.permitted, history.denied), (2, 1));
    assert_eq!(
        (history.declarations, history.emergencies, history.releases),
        (1, 1, 3)
    );
    assert_eq!(report.texts.len(), 4);
    assert_eq!(report.anomalies, []);
}

#[test]
fn any_three_of_four_signatures_are_accepted_and_named_and_all_four_are_one_too_many() {
    let net = Network::visit();
    let mut parts = net.export();
    for cosigners in [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]] {
        parts.cosigners = cosigners.to_vec();
        let report = net.report(&parts);
        let names: Vec<_> = report.witnesses.iter().map(|one| &one.name).collect();
        assert_eq!(names, cosigners.map(|at| format!("v{}", at + 1)).each_ref());
    }
    parts.cosigners = vec![0, 1, 2, 3];
    assert_breaks(net.verify(&parts), Rule::Needed);
}

#[test]
fn a_history_that_is_proved_empty_says_so() {
    let net = Network::visit();
    let nobody = Subject::Actor(DOCTOR);
    let report = net.report(&net.export_of(&[(nobody, 0)], net.headers.len() - 1));
    let history = &report.histories[0];
    assert_eq!((history.total(), history.entries.len()), (0, 0));
    assert!(history.entries.is_empty() && history.entries.iter().next().is_none());
    assert!(report.to_string().contains("empty: nothing has happened"));
}

#[test]
fn a_reports_entries_are_those_of_the_export_and_equal_to_no_others() {
    let net = Network::visit();
    let mut parts = net.export();
    let exported: Vec<Vec<u8>> = parts.entries().iter().map(|one| one.0.clone()).collect();
    let report = net.report(&parts);
    let entries = &report.histories[0].entries;
    assert!(!entries.is_empty() && entries.bytes().eq(&exported));
    assert!(entries.iter().map(|entry| to_bytes(&entry)).eq(exported));
    assert!(format!("{entries:?}").starts_with("[Entry {"));

    let again = net.report(&parts);
    assert_eq!(*entries, again.histories[0].entries);
    let mut longer = Network::visit();
    longer.event(subject(), DOCTOR, added(NOTE));
    let longer = longer.report(&longer.export());
    assert_ne!(*entries, longer.histories[0].entries);
}

#[test]
fn two_histories_are_proved_in_one_export() {
    let net = Network::visit();
    let both = [(subject(), 0), (Subject::Patient(OTHER), 0)];
    let report = net.report(&net.export_of(&both, net.headers.len() - 1));
    assert_eq!(report.histories.len(), 2);
}

#[test]
fn an_old_block_under_a_new_checkpoint_is_only_as_fresh_as_the_block() {
    let net = Network::visit();
    let report = net.report(&net.export_of(&[(subject(), 0)], 5));
    assert_eq!(report.fresh_as_of, net.headers[5].time);
    assert_eq!(report.time, net.headers[5].time);
}

#[test]
fn a_stale_export_is_not_proved_however_valid() {
    let net = Network::visit();
    let parts = net.export();
    let signed = parts.signed_at * 1000;
    let judge = |now, max| verify(&parts.text(), &net.policy(), None, &fresh(now, max));
    assert!(matches!(judge(signed + 500, 500), Verdict::Proved(_)));
    let stale = judge(signed + 501, 500);
    assert!(
        matches!(&stale, Verdict::CannotTell(doubt) if doubt.code() == "stale"),
        "{stale}"
    );
    // Nor one that claims to be from the future.
    assert!(matches!(
        judge(signed - 501, 500),
        Verdict::CannotTell(Doubt::Stale { .. })
    ));
}

#[test]
fn one_witness_with_a_clock_ahead_makes_an_export_no_fresher() {
    let net = Network::visit();
    let mut parts = net.export();
    let mut file = parts.file();
    parts.signed_at += 1_000_000;
    file.checkpoint.signatures[3] = parts.file().checkpoint.signatures[3].clone();
    let verdict = verify(&file.to_string(), &net.policy(), None, &fresh(0, u64::MAX));
    assert_eq!(
        proved(verdict).fresh_as_of,
        Time(net.export().signed_at * 1000)
    );
}

#[test]
fn a_policy_that_does_not_know_the_log_gives_no_verdict() {
    let net = Network::visit();
    let other = Network::new(0xdd);
    let verdict = verify(
        &net.export().text(),
        &other.policy(),
        None,
        &fresh(0, u64::MAX),
    );
    assert!(matches!(
        verdict,
        Verdict::CannotTell(Doubt::UnknownLog { .. })
    ));
}

#[test]
fn an_export_without_a_history_proves_nothing_about_anybody() {
    let net = Network::visit();
    let verdict = net.verify(&net.export_of(&[], 3));
    assert!(matches!(verdict, Verdict::CannotTell(Doubt::NoHistory)));
}

#[test]
fn the_verdict_says_its_assumptions_in_words() {
    let net = Network::visit();
    let text = net.verify(&net.export()).to_string();
    assert!(text.contains("Proved"), "{text}");
    assert!(
        text.contains("Fewer than 2 of the 4 members of \"validators\" are corrupt"),
        "{text}"
    );
}
