//! What a verifier remembers, and what contradicts it.

use chartseal_audit::{Doubt, Kept, Options, Report, Rule, Verdict, verify};
use chartseal_codec::{Encoder, from_bytes};
use chartseal_merkle::Frontier;
use chartseal_wire::Subject;
use proptest::prelude::*;

use crate::fixture::*;
use crate::rules::forked;

fn judge(net: &Network, parts: &Parts, kept: &Kept) -> Verdict {
    verify(
        &parts.text(),
        &net.policy(),
        Some(kept),
        &Options::default(),
    )
}

/// A network after a visit, and what its verifier kept.
fn visited() -> (Network, Kept) {
    let net = Network::visit();
    let kept = net.report(&net.export()).kept;
    (net, kept)
}

#[test]
fn an_export_of_the_newer_entries_alone_continues_the_kept_one() {
    let (mut net, kept) = visited();
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let Report {
        histories,
        kept: later,
        ..
    } = proved(judge(
        &net,
        &net.export_since(VISIT, kept.log_size()),
        &kept,
    ));
    assert_eq!(
        (
            histories[0].first,
            histories[0].entries.len(),
            histories[0].total()
        ),
        (VISIT, 1, VISIT + 1)
    );
    assert_eq!(
        later.histories().collect::<Vec<_>>(),
        [(subject(), VISIT + 1)]
    );
    assert_eq!(later.log_size(), net.log.size());

    // And on from there; the state that it leaves is that of a full export.
    net.event(subject(), DOCTOR, added(LAB));
    let later = proved(judge(
        &net,
        &net.export_since(VISIT + 1, later.log_size()),
        &later,
    ))
    .kept;
    assert_eq!(later, net.report(&net.export()).kept);
}

#[test]
fn a_full_export_continues_the_kept_one_too() {
    let (mut net, kept) = visited();
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let report = proved(judge(&net, &net.export_since(0, kept.log_size()), &kept));
    assert_eq!(
        (report.histories[0].first, report.histories[0].total()),
        (0, VISIT + 1)
    );
}

#[test]
fn the_same_export_is_proved_again() {
    let (net, kept) = visited();
    assert_eq!(proved(judge(&net, &net.export(), &kept)).kept, kept);
}

#[test]
fn nothing_new_is_proved_to_be_nothing_new() {
    let (mut net, kept) = visited();
    net.seal();
    let report = proved(judge(
        &net,
        &net.export_since(VISIT, kept.log_size()),
        &kept,
    ));
    assert!(
        report.to_string().contains("nothing new since entry 13"),
        "{report}"
    );
    // But not if something was.
    net.access(DOCTOR, &[]);
    let mut parts = net.export_since(VISIT, kept.log_size());
    parts.entries().clear();
    parts.export.texts.clear();
    assert_breaks(judge(&net, &parts, &kept), Rule::Count);
}

#[test]
fn a_replayed_old_export_is_refuted_by_that_name() {
    let (mut net, _) = visited();
    let old = net.export();
    net.seal();
    let kept = net.report(&net.export()).kept;
    assert_breaks(judge(&net, &old, &kept), Rule::RolledBack);
    // Also where the checkpoint is new and only the block is old.
    let old_block = net.export_of(&[(subject(), 0)], 9);
    assert_breaks(judge(&net, &old_block, &kept), Rule::RolledBack);
}

#[test]
fn a_forked_chain_that_grew_is_refuted_too() {
    let (a, mut b) = forked();
    let kept = a.report(&a.export()).kept;
    b.seal();
    assert_breaks(
        judge(&b, &b.export_since(0, kept.log_size()), &kept),
        Rule::Growth,
    );
}

#[test]
fn a_part_that_does_not_start_where_the_kept_one_ends_gives_no_verdict() {
    let (mut net, kept) = visited();
    net.access(DOCTOR, &[]);
    net.access(DOCTOR, &[]);
    for first in [1, VISIT - 1, VISIT + 1] {
        let verdict = judge(&net, &net.export_since(first, kept.log_size()), &kept);
        assert!(
            matches!(
                verdict,
                Verdict::CannotTell(Doubt::EarlierPartMissing { kept: VISIT, .. })
            ),
            "{verdict}"
        );
    }
}

#[test]
fn a_history_that_was_verified_before_can_not_silently_disappear() {
    let net = Network::visit();
    let last = net.headers.len() - 1;
    let other = (Subject::Patient(OTHER), 0);
    let kept = net
        .report(&net.export_of(&[(subject(), 0), other], last))
        .kept;
    let verdict = judge(&net, &net.export_of(&[other], last), &kept);
    assert!(
        matches!(verdict, Verdict::CannotTell(Doubt::HistoryMissing { subject: s }) if s == subject())
    );
    // A further one may be added.
    let kept = net.report(&net.export_of(&[other], last)).kept;
    assert_eq!(
        proved(judge(
            &net,
            &net.export_of(&[(subject(), 0), other], last),
            &kept
        ))
        .histories
        .len(),
        2
    );
}

#[test]
fn a_kept_state_of_another_chain_gives_no_verdict() {
    let (net, _) = visited();
    let mut other = Network::new(0xdd);
    other.event(subject(), PATIENT.into(), enrolled(PATIENT));
    let kept = other.report(&other.export()).kept;
    assert!(matches!(
        judge(&net, &net.export(), &kept),
        Verdict::CannotTell(Doubt::OtherChain { .. })
    ));
}

#[test]
fn a_log_that_the_policy_does_not_list_contradicts_nothing() {
    let (a, b) = forked();
    let kept = a.report(&a.export()).kept;
    let policy = Network::new(0xdd).policy_text();
    let ask = |parts: &Parts| Question {
        policy: policy.clone(),
        ..b.ask(parts, Some(&kept))
    };
    // Anybody can write a fork of a log without its keys.
    let verdict = ask(&b.export()).verdict();
    assert!(
        matches!(verdict, Verdict::CannotTell(Doubt::UnknownLog { .. })),
        "{verdict}"
    );
    // But a file that contradicts itself is refuted, whoever signed it.
    let mut parts = b.export();
    parts.entries().swap(0, 1);
    assert_breaks(ask(&parts).verdict(), Rule::Complete);
}

#[test]
fn kept_states_are_stored_in_one_form_only() {
    let (_, kept) = visited();
    let bytes = kept.to_bytes();
    assert_eq!(Kept::from_bytes(&bytes).unwrap(), kept);
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = Kept::from_bytes(&flipped) {
            assert_eq!(other.to_bytes(), flipped);
            assert_ne!(other, kept);
        }
    }
}

#[test]
fn a_kept_state_can_not_make_a_count_overflow() {
    let (net, kept) = visited();
    let note = net.export().file().checkpoint.to_string();
    let write = |size: u64, height: u64| {
        let mut e = Encoder::new();
        e.array(2).uint(size).array(size.count_ones() as usize);
        (0..size.count_ones()).for_each(|_| {
            e.bytes(&[1; 32]);
        });
        let log: Frontier = from_bytes(&e.finish()).unwrap();
        let mut e = Encoder::new();
        e.array(5).uint(1).text(&note).uint(height).uint(0);
        e.item(&vec![(subject(), log)]);
        Kept::from_bytes(&e.finish())
    };
    let (height, _) = kept.height();
    assert!(write(12, height).is_ok());
    assert!(write(u64::MAX, height).is_err());
    assert!(write(12, height + 1).is_err(), "a block beyond the log");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_kept_state_or_exactly_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(kept) = Kept::from_bytes(&bytes) {
            prop_assert_eq!(kept.to_bytes(), bytes);
        }
    }
}
