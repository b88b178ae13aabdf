//! What can't be told is said of every file, also of a refuted one: nobody takes a rule for checked that was not.

use chartseal_audit::{Doubt, Kept, Rule, TrustPolicy, Verdict, examine};
use chartseal_wire::Subject;

use crate::fixture::*;
use crate::rules::CASES;

/// A verdict, and everything that could not be told.
fn examined(question: &Question) -> (Verdict, Vec<Doubt>) {
    let policy = TrustPolicy::parse(&question.policy).unwrap();
    let kept = question.kept.as_ref();
    examine(&question.file, &policy, kept, &question.options)
}

fn codes(doubts: &[Doubt]) -> Vec<&'static str> {
    doubts.iter().map(Doubt::code).collect()
}

/// A question that is in doubt, and the same of a file whose histories are spoilt, or whose log.
fn refuted_in_doubt(question: &Question, spoil: &dyn Fn(&mut Parts), parts: &Parts, rule: Rule) {
    let (verdict, doubts) = examined(question);
    assert!(
        matches!(&verdict, Verdict::CannotTell(doubt) if doubts.first() == Some(doubt)),
        "{verdict}"
    );
    let mut spoilt = parts.clone();
    spoil(&mut spoilt);
    let file = spoilt.text();
    let (verdict, also) = examined(&Question {
        file,
        ..question.clone()
    });
    assert_breaks(verdict, rule);
    assert_eq!(codes(&also), codes(&doubts));
}

/// A state of two patients after the visit.
fn of_both(net: &Network) -> Kept {
    let other = (Subject::Patient(OTHER), 0);
    let last = net.headers.len() - 1;
    net.report(&net.export_of(&[(subject(), 0), other], last))
        .kept
}

#[test]
fn a_refuted_file_tells_what_was_not_checked_of_it() {
    let net = Network::visit();
    let parts = net.export();
    let mut other = Network::new(0xdd);
    other.event(subject(), PATIENT.into(), enrolled(PATIENT));
    let strange = other.report(&other.export()).kept;
    let drop_entry = |parts: &mut Parts| {
        parts.entries().pop();
    };
    let no_inclusion = |parts: &mut Parts| parts.proof.clear();
    let unknown_log = Question {
        policy: "quorum none\n".into(),
        ..net.ask(&parts, None)
    };
    refuted_in_doubt(&unknown_log, &drop_entry, &parts, Rule::Count);
    refuted_in_doubt(&unknown_log, &no_inclusion, &parts, Rule::Inclusion);
    let other_chain = net.ask(&parts, Some(&strange));
    refuted_in_doubt(&other_chain, &drop_entry, &parts, Rule::Count);
    let missing = net.ask(&parts, Some(&of_both(&net)));
    refuted_in_doubt(&missing, &drop_entry, &parts, Rule::Count);

    // A committee that can't be placed.
    let net = Network::certified(1);
    let parts = net.certified_export();
    for (epoch, code) in [(0, "retired_committee"), (3, "unknown_committee")] {
        let question = Question {
            policy: net.committee_policy(epoch),
            ..net.ask(&parts, None)
        };
        assert_eq!(codes(&examined(&question).1), [code]);
        refuted_in_doubt(&question, &drop_entry, &parts, Rule::Count);
    }
}

#[test]
fn all_that_is_missing_is_told_and_the_first_is_the_verdict() {
    let mut net = Network::visit();
    let kept = of_both(&net);
    net.event(subject(), DOCTOR, added(LAB));
    let strange = Network::new(0xdd);
    let part = net.export_since(VISIT, 3);
    // Of another chain, so that a part begins nowhere, and grew from nothing.
    let mut other = Network::new(0xdd);
    other.event(subject(), PATIENT.into(), enrolled(PATIENT));
    let of_other = other.report(&other.export()).kept;
    for (policy, kept, expected) in [
        (
            net.policy_text(),
            Some(&of_other),
            &[
                "other_chain",
                "earlier_part_missing",
                "growth_from_elsewhere",
            ][..],
        ),
        (
            net.policy_text(),
            Some(&kept),
            &["history_missing", "growth_from_elsewhere"],
        ),
        (
            strange.policy_text(),
            Some(&kept),
            &[
                "unknown_log",
                "earlier_part_missing",
                "growth_from_elsewhere",
            ],
        ),
        (
            net.policy_text(),
            None,
            &["earlier_part_missing", "growth_from_elsewhere"],
        ),
    ] {
        let question = Question {
            policy,
            ..net.ask(&part, kept)
        };
        let (verdict, doubts) = examined(&question);
        assert_eq!(codes(&doubts), expected);
        assert!(matches!(verdict, Verdict::CannotTell(doubt) if doubt == doubts[0]));
    }
}

/// A file for each rule that it alone breaks: who signed it is unknown, so the rules that ask for that say nothing, and all others do.
#[test]
fn a_doubt_leaves_out_just_the_rules_that_it_names() {
    let unknown = Doubt::UnknownLog {
        origin: String::new(),
    };
    for (rule, case) in CASES {
        let question = Question {
            policy: "quorum none\n".into(),
            ..case()
        };
        let (verdict, doubts) = examined(&question);
        let is_refuted = matches!(&verdict, Verdict::Refuted(found) if found.rule == *rule);
        let is_left_out = unknown.leaves_out().contains(rule);
        assert_eq!(is_refuted, !is_left_out, "{rule}: {verdict}");
        // Before the log is looked up nothing is in doubt.
        assert_eq!(doubts.is_empty(), *rule <= Rule::Origin, "{rule}");
    }
}
