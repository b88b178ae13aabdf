//! Each rule is broken alone: the rest of the file is as an honest network signs it.

use chartseal_audit::{Kept, Options, Rule, Verdict, verify};
use chartseal_codec::{Bytes, to_bytes};
use chartseal_merkle::Log;
use chartseal_wire::checkpoint::origin;
use chartseal_wire::export::{Finality, Growth};
use chartseal_wire::{ChainId, Entry, Hash, SealedText, Time};

use crate::fixture::*;

/// A rule, and a file that breaks it.
pub(crate) type Case = (Rule, fn() -> Question);

pub(crate) const CASES: &[Case] = &[
    (Rule::File, || {
        let net = Network::visit();
        let file = net.export().text() + "\n";
        net.ask_text(file, None)
    }),
    (Rule::Export, || {
        let net = Network::visit();
        let mut file = net.export().file();
        file.extra.push(0xf6);
        net.ask_text(file.to_string(), None)
    }),
    (Rule::Checkpoint, || {
        let net = Network::visit();
        let mut parts = net.export();
        // A valid note of the log, with an extension line.
        let text = format!("{}extension\n", parts.checkpoint);
        parts.cosigners.clear();
        let mut file = parts.file();
        let log = proposer(&parts.checkpoint.origin, 1);
        file.checkpoint.signatures = [sign(log, &text, 0)]
            .into_iter()
            .chain((0..3).map(|i| sign(cosigner(i), &text, parts.signed_at)))
            .collect();
        file.checkpoint.text = text;
        net.ask_text(file.to_string(), None)
    }),
    (Rule::Origin, || {
        // The validators of another chain vouch for this chain's log under their own name.
        let other = Network::new(0xdd);
        let mut parts = Network::visit().export();
        parts.checkpoint.origin = origin(&other.chain);
        other.ask(&parts, None)
    }),
    (Rule::LogSignature, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.proposer = Some(7);
        net.ask(&parts, None)
    }),
    (Rule::KnownWitness, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.cosigners.push(5);
        net.ask(&parts, None)
    }),
    (Rule::SignatureOrder, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.cosigners = vec![1, 0, 2];
        net.ask(&parts, None)
    }),
    (Rule::Cosignature, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.cosigners.push(3);
        let mut file = parts.file();
        // Three good ones are left, but a bad one is no detail.
        *file.checkpoint.signatures.last_mut().unwrap() = sign(cosigner(3), "another text\n", 1);
        net.ask_text(file.to_string(), None)
    }),
    (Rule::Handover, || {
        certified(2, |net, finality| {
            // The committee of an epoch is left out.
            let last = finality.handovers.remove(1);
            finality.handovers[0].next = last.next;
            assert_eq!(net.headers.last().unwrap().epoch, 2);
        })
    }),
    (Rule::Certificate, || {
        certified(1, |net, finality| {
            // A good one, of the block before.
            let before = &net.headers[net.headers.len() - 2];
            finality.certificate = sign_off(before, &committee(1), 1, &[0, 1, 2]);
        })
    }),
    (Rule::CertificateQuorum, || {
        certified(1, |net, finality| {
            let newest = net.headers.last().unwrap();
            finality.certificate = certify(newest, &[1, 3]);
        })
    }),
    (Rule::CertificateSignature, || {
        certified(1, |net, finality| {
            // Retired validators sign for the epoch after theirs.
            let newest = net.headers.last().unwrap();
            finality.certificate = sign_off(newest, &committee(0), 1, &[0, 1, 2]);
        })
    }),
    (Rule::HandoverInclusion, || {
        certified(1, |_, finality| {
            finality.handovers[0].proof[0] = Hash([1; 32]);
        })
    }),
    (Rule::CertifiedLog, || {
        // The log of the checkpoint has another block before the certified one.
        let mut net = Network::certified(0);
        let mut log: Log = [Hash([1; 32])].into_iter().collect();
        let leaves: Vec<_> = net
            .headers
            .iter()
            .map(chartseal_wire::BlockHeader::leaf)
            .collect();
        log.extend(leaves[1..].iter().copied());
        net.log = log;
        Question {
            policy: net.committee_policy(0),
            ..net.ask(&net.certified_export(), None)
        }
    }),
    (Rule::Quorum, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.cosigners = vec![0, 3];
        net.ask(&parts, None)
    }),
    (Rule::Needed, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.cosigners.push(3);
        net.ask(&parts, None)
    }),
    (Rule::Height, || {
        let mut net = Network::visit();
        let mut header = net.headers.last().unwrap().clone();
        header.height += 1;
        header.log_size += 2;
        net.log.append(header.leaf());
        net.headers.push(header);
        net.states.push(net.states.last().unwrap().clone());
        net.ask(&net.export(), None)
    }),
    (Rule::Inclusion, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.proof[0] = Hash([1; 32]);
        net.ask(&parts, None)
    }),
    (Rule::Slot, || {
        let net = Network::visit();
        let mut parts = net.export();
        // The right slot, in the state of a block before.
        parts.export.histories[0].proof = net.states[8].prove(&subject().slot());
        net.ask(&parts, None)
    }),
    (Rule::Count, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.entries().remove(0);
        net.ask(&parts, None)
    }),
    (Rule::Complete, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.entries().swap(0, 1);
        net.ask(&parts, None)
    }),
    (Rule::Entry, || {
        let mut net = Network::visit();
        // Signed by everybody, and not an entry: one byte too many.
        let entry = net.entry(DOCTOR, enrolled(PATIENT));
        let mut bytes = to_bytes(&entry);
        bytes.push(0);
        net.raw(subject(), bytes);
        net.seal();
        net.ask(&net.export(), None)
    }),
    (Rule::EntryHeight, || {
        let mut net = Network::visit();
        let mut entry = net.entry(DOCTOR, enrolled(PATIENT));
        entry.height += 1;
        net.raw(subject(), to_bytes(&entry));
        net.seal();
        net.ask(&net.export(), None)
    }),
    (Rule::Text, || {
        let net = Network::visit();
        let mut parts = net.export();
        parts.export.texts.push(SealedText {
            salt: [0; 32],
            sealed: Bytes(vec![]),
        });
        net.ask(&parts, None)
    }),
    (Rule::RolledBack, || {
        let old = Network::visit();
        let mut net = Network::visit();
        net.seal();
        let kept = net.report(&net.export()).kept;
        net.ask(&old.export(), Some(&kept))
    }),
    (Rule::Fork, || {
        let (a, b) = forked();
        let kept = a.report(&a.export()).kept;
        b.ask(&b.export(), Some(&kept))
    }),
    (Rule::Growth, || {
        let mut net = Network::visit();
        let kept = net.report(&net.export()).kept;
        net.access(DOCTOR, &[]);
        let mut parts = net.export_since(VISIT, kept.log_size());
        parts.export.growth.as_mut().unwrap().proof[0] = Hash([1; 32]);
        net.ask(&parts, Some(&kept))
    }),
    (Rule::Continues, || {
        let mut net = Network::visit();
        let kept = net.report(&net.export()).kept;
        // The chain goes on, and the history was rewritten.
        let entries = net.histories.get_mut(&subject()).unwrap();
        entries.remove(8);
        net.access(DOCTOR, &[]);
        net.event(subject(), DOCTOR, enrolled(PATIENT));
        let parts = net.export_since(0, kept.log_size());
        net.ask(&parts, Some(&kept))
    }),
];

/// An export after changes of the committee, of which all is signed but something in the finality.
pub(crate) fn certified(
    handovers: usize,
    change: impl FnOnce(&Network, &mut Finality),
) -> Question {
    let net = Network::certified(handovers);
    let mut parts = net.certified_export();
    parts.cosigners = vec![0];
    change(&net, parts.export.finality.as_mut().unwrap());
    Question {
        policy: net.committee_policy(0),
        ..net.ask(&parts, None)
    }
}

#[test]
fn every_rule_is_triggered_alone() {
    for (rule, case) in CASES {
        assert_breaks(case().verdict(), *rule);
    }
}

#[test]
fn every_rule_has_its_case_its_own_id_and_its_row_in_the_docs() {
    let tested: Vec<Rule> = CASES.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(tested, Rule::ALL);
    let docs = include_str!("../../../../docs/audit.md");
    let mut ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    ids.sort_unstable();
    for (id, number) in ids.iter().zip(1..) {
        assert_eq!(*id, format!("CS-AUD-{number:02}"));
    }
    let mut before = docs;
    for rule in Rule::ALL {
        let row = format!("| `{}` | `{rule:?}` | {} |", rule.id(), rule.says());
        // In the order in which they are checked.
        let Some((_, behind)) = before.split_once(&row) else {
            panic!("docs/audit.md lacks: {row}");
        };
        before = behind;
    }
}

#[test]
fn every_attack_of_the_docs_has_its_test() {
    let docs = include_str!("../../../../docs/audit.md");
    let (_, table) = docs.split_once("## Attacks").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let tests = [
        include_str!("anomalies.rs"),
        include_str!("certificates.rs"),
        include_str!("equivocation.rs"),
        include_str!("forgery.rs"),
        include_str!("kept.rs"),
        include_str!("memory.rs"),
        include_str!("policy.rs"),
        include_str!("proof.rs"),
        include_str!("rules.rs"),
    ]
    .concat();
    let rows: Vec<&str> = table
        .lines()
        .filter(|row| row.starts_with("| "))
        .skip(1)
        .collect();
    assert!(rows.len() > 30);
    for row in rows {
        let name = row.split('`').nth(1).unwrap();
        assert!(tests.contains(&format!("#[test]\nfn {name}()")), "{row}");
    }
}

#[test]
fn heights_that_fall_are_refuted() {
    let mut net = Network::visit();
    let mut entry = net.entry(DOCTOR, enrolled(PATIENT));
    entry.height = 3;
    net.raw(subject(), to_bytes(&entry));
    net.seal();
    assert_breaks(net.verify(&net.export()), Rule::EntryHeight);
}

#[test]
fn new_entries_from_before_the_kept_block_are_refuted() {
    let mut net = Network::visit();
    net.seal();
    let kept: Kept = net.report(&net.export()).kept;
    let mut entry = net.entry(DOCTOR, enrolled(PATIENT));
    entry.height -= 1;
    net.raw(subject(), to_bytes(&entry));
    net.seal();
    for first in [0, VISIT] {
        let parts = net.export_since(first, kept.log_size());
        let verdict = verify(
            &parts.text(),
            &net.policy(),
            Some(&kept),
            &Options::default(),
        );
        assert_breaks(verdict, Rule::Continues);
    }
    // Without the kept state nobody can know.
    assert!(matches!(net.verify(&net.export()), Verdict::Proved(_)));
}

#[test]
fn a_file_that_breaks_a_rule_is_refuted_even_where_something_is_missing() {
    let mut net = Network::visit();
    net.seal();
    // A part without the kept state, and a wrong map proof.
    let mut parts = net.export_since(VISIT, 4);
    parts.export.histories[0].proof = net.states[8].prove(&subject().slot());
    assert_breaks(net.verify(&parts), Rule::Slot);
}

/// Two chains that are one up to the visit, and then differ, with the same keys.
pub(crate) fn forked() -> (Network, Network) {
    let (mut a, mut b) = (Network::visit(), Network::visit());
    a.access(DOCTOR, &[]);
    b.access(SURGEON, &[]);
    assert_eq!((a.chain, a.log.size()), (ChainId([0xcc; 32]), b.log.size()));
    (a, b)
}

#[test]
fn entries_are_compared_as_bytes_not_as_values() {
    // A second spelling of an entry would be another leaf; here the codec refuses it as well.
    let entry = Network::visit().entry(DOCTOR, enrolled(PATIENT));
    assert_ne!(
        Entry::leaf(&to_bytes(&entry)),
        Entry::leaf(&to_bytes(&Entry {
            time: Time(0),
            ..entry
        }))
    );
}

#[test]
fn growth_is_never_skipped() {
    let mut net = Network::visit();
    let kept = net.report(&net.export()).kept;
    net.access(DOCTOR, &[]);
    let judge = |parts: &Parts, kept: Option<&Kept>| match verify(
        &parts.text(),
        &net.policy(),
        kept,
        &Options::default(),
    ) {
        Verdict::CannotTell(doubt) => doubt.code(),
        other => panic!("{other}"),
    };
    // Kept a state, and the export doesn't show how the log grew from it.
    assert_eq!(judge(&net.export(), Some(&kept)), "growth_from_elsewhere");
    assert_eq!(
        judge(&net.export_since(0, 3), Some(&kept)),
        "growth_from_elsewhere"
    );
    // The export shows it, and there is nothing to compare it with.
    assert_eq!(
        judge(&net.export_since(0, kept.log_size()), None),
        "growth_from_elsewhere"
    );
    let mut parts = net.export();
    parts.export.growth = Some(Growth {
        from: 0,
        proof: vec![],
    });
    assert_eq!(judge(&parts, Some(&kept)), "growth_from_elsewhere");
}
