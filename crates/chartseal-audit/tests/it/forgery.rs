//! Attacks: none of these files is ever proved, and none makes the verifier panic.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chartseal_audit::{Doubt, History, Kept, Options, Report, Rule, TrustPolicy, Verdict, verify};
use chartseal_codec::to_hex;
use chartseal_codec::{Bytes, from_bytes, to_bytes};
use chartseal_merkle::{Hash, leaf_hash};
use chartseal_testkit::python::Python;
use chartseal_wire::export::Growth;
use chartseal_wire::history::Access;
use chartseal_wire::note::KeyKind;
use chartseal_wire::{
    BlockHeader, Entry, Event, Export, PublicKey, Signature, Subject, TxId, VerifierKey,
};
use proptest::prelude::*;

use crate::fixture::*;
use crate::mutate::{Random, Whole};

const VISIT_LEN: usize = 13;

/// An honest export, changed; it must break `rule`.
fn breaks(rule: Rule, change: impl FnOnce(&Network, &mut Parts)) {
    let net = Network::visit();
    let mut parts = net.export();
    change(&net, &mut parts);
    assert_breaks(net.verify(&parts), rule);
}

#[test]
fn an_entry_dropped_is_noticed_wherever_it_was() {
    for at in 0..VISIT_LEN {
        breaks(Rule::Count, |_, parts| {
            parts.entries().remove(at);
        });
    }
}

#[test]
fn a_history_cut_off_at_its_end_is_noticed() {
    for keep in 0..VISIT_LEN {
        breaks(Rule::Count, |_, parts| parts.entries().truncate(keep));
    }
}

#[test]
fn an_entry_added_is_noticed_wherever_it_is() {
    for at in 0..=VISIT_LEN {
        breaks(Rule::Count, |_, parts| {
            let mut entry: Entry = from_bytes(parts.entries()[0].as_ref()).unwrap();
            entry.tx = TxId([0xee; 32]);
            parts.entries().insert(at, Bytes(to_bytes(&entry)));
        });
    }
}

#[test]
fn an_entry_altered_is_noticed() {
    breaks(Rule::Complete, |_, parts| {
        let mut entry: Entry = from_bytes(parts.entries()[4].as_ref()).unwrap();
        let Event::Access(Access { records, .. }) = &mut entry.event else {
            panic!()
        };
        records[0].permitted = false;
        parts.entries()[4] = Bytes(to_bytes(&entry));
    });
}

#[test]
fn entries_swapped_or_repeated_are_noticed() {
    for at in 0..VISIT_LEN - 1 {
        breaks(Rule::Complete, |_, parts| parts.entries().swap(at, at + 1));
        breaks(Rule::Count, |_, parts| {
            let again = parts.entries()[at].clone();
            parts.entries().insert(at, again);
        });
    }
}

#[test]
fn another_patients_history_is_not_this_ones() {
    let other = Subject::Patient(OTHER);
    // Under this patient's name, with the other's proof.
    breaks(Rule::Slot, |net, parts| {
        *parts = net.export_of(&[(other, 0)], net.headers.len() - 1);
        parts.export.histories[0].subject = subject();
    });
    // And with this patient's.
    breaks(Rule::Count, |net, parts| {
        let strange = net.export_of(&[(other, 0)], net.headers.len() - 1);
        parts.export.histories[0].entries = strange.export.histories[0].entries.clone();
        parts.export.texts.clear();
    });
    // A patient's history is not that of an actor with the same id.
    breaks(Rule::Slot, |_, parts| {
        parts.export.histories[0].subject = Subject::Actor(PATIENT.into());
    });
}

#[test]
fn a_shadow_log_that_the_state_does_not_have_is_refuted() {
    // A complete, consistent history of this patient, on a chain that the signers didn't sign.
    breaks(Rule::Inclusion, |net, parts| {
        let mut shadow = Network::new(0xcc);
        shadow.event(subject(), PATIENT.into(), enrolled(PATIENT));
        while shadow.headers.len() < net.headers.len() {
            shadow.seal();
        }
        parts.export = shadow.export().export;
        parts.proof = shadow.export().proof;
    });
}

#[test]
fn an_old_state_root_proves_nothing_about_now() {
    breaks(Rule::Count, |net, parts| {
        // An old block's header and proof with the newest entries.
        let old = net.export_of(&[(subject(), 0)], 8);
        let entries = parts.entries().clone();
        *parts = old;
        *parts.entries() = entries;
    });
    breaks(Rule::Inclusion, |net, parts| {
        parts.export.header.state_root = net.headers[8].state_root;
    });
}

#[test]
fn a_leaf_of_one_tree_is_no_leaf_of_another() {
    let net = Network::visit();
    let header = net.headers[3].bytes();
    // Nowhere does the same content give the same leaf.
    assert_ne!(Entry::leaf(&header), net.headers[3].leaf());
    assert_ne!(leaf_hash(&header), net.headers[3].leaf());
    // An inner node of the block log, passed off as a header's leaf, one level up.
    breaks(Rule::Height, |_, parts| parts.index /= 2);
    breaks(Rule::Inclusion, |_, parts| {
        parts.proof.remove(0);
    });
}

#[test]
fn a_wrong_tree_size_is_refuted() {
    for size in [0, 1, 14, 16, 1 << 40, u64::MAX] {
        breaks(Rule::Inclusion, |net, parts| {
            assert_ne!(net.log.size(), size);
            parts.checkpoint.size = size;
        });
    }
}

#[test]
fn missing_and_extra_proof_nodes_are_refuted() {
    let net = Network::visit();
    let nodes = net.export().proof.len();
    assert!(nodes > 1);
    for at in 0..nodes {
        breaks(Rule::Inclusion, |_, parts| {
            parts.proof.remove(at);
        });
        breaks(Rule::Inclusion, |_, parts| {
            parts.proof.insert(at, Hash::ZERO);
        });
    }
    breaks(Rule::File, |_, parts| parts.proof = vec![Hash::ZERO; 66]);
}

#[test]
fn a_signature_by_a_wrong_key_is_refuted() {
    breaks(Rule::LogSignature, |_, parts| parts.proposer = None);
    breaks(Rule::LogSignature, |_, parts| parts.proposer = Some(4));
    breaks(Rule::KnownWitness, |_, parts| {
        parts.cosigners = vec![0, 1, 4];
    });
    breaks(Rule::SignatureOrder, |_, parts| {
        parts.cosigners = vec![0, 1, 1];
    });
    breaks(Rule::SignatureOrder, |_, parts| {
        parts.cosigners = vec![0, 1, 2, 2];
    });
    breaks(Rule::Quorum, |_, parts| parts.cosigners = vec![]);
}

#[test]
fn a_key_that_takes_a_validators_name_is_refuted() {
    let net = Network::visit();
    let parts = net.export();
    let mut file = parts.file();
    let (name, kind) = (cosigner(2).0, KeyKind::Cosigner);
    let imposter = named(name.name(), kind, 0x99);
    file.checkpoint.signatures[3] = sign(imposter, &file.checkpoint.text, parts.signed_at);
    let verdict = verify(&file.to_string(), &net.policy(), None, &Options::default());
    assert_breaks(verdict, Rule::KnownWitness);
}

#[test]
fn a_second_log_signature_is_one_too_many() {
    let net = Network::visit();
    let parts = net.export();
    let mut file = parts.file();
    let second = sign(
        proposer(&parts.checkpoint.origin, 2),
        &file.checkpoint.text,
        0,
    );
    file.checkpoint.signatures.insert(1, second);
    let verdict = verify(&file.to_string(), &net.policy(), None, &Options::default());
    assert_breaks(verdict, Rule::KnownWitness);
}

#[test]
fn another_logs_key_signs_nothing_here_although_the_policy_lists_it() {
    let net = Network::visit();
    let other = named("chartseal/chain/other", KeyKind::Log, 0x77);
    let text = format!("log {}\n{}", other.0, net.policy_text());
    let policy = TrustPolicy::parse(&text).unwrap();
    let mut file = net.export().file();
    assert!(is_proved(&file.to_string(), &policy));
    file.checkpoint.signatures[0] = sign(other, &file.checkpoint.text, 0);
    let verdict = verify(&file.to_string(), &policy, None, &Options::default());
    assert_breaks(verdict, Rule::LogSignature);
}

#[test]
fn a_log_signature_is_no_cosignature() {
    // The same secret, wrongly used for both: what it signs as the one is not valid as the other.
    let net = Network::visit();
    let text = net.export().checkpoint.to_string();
    let (vkey, key) = cosigner(0);
    let log = named(vkey.name(), KeyKind::Log, 0x60);
    assert_eq!(log.0.key(), vkey.key());
    let line = sign((log.0.clone(), key), &text, 0);
    assert!(log.0.verify(&text, &line).is_ok());
    assert!(vkey.verify(&text, &line).is_err());
}

#[test]
fn a_time_that_the_cosigner_did_not_sign_is_refuted() {
    let net = Network::visit();
    let text = net.export().text();
    let mut later = net.export();
    later.signed_at += 60;
    // The id and time of the later signature, the signature of the earlier one.
    let parts: Vec<String> = [text.clone(), later.text()]
        .map(|file| file.lines().last().unwrap().to_owned())
        .into();
    let mixed = format!("{}{}", &parts[1][..36], &parts[0][36..]);
    assert_ne!(mixed, parts[0]);
    let forged = text.replace(&parts[0], &mixed);
    assert!(!matches!(
        verify(&forged, &net.policy(), None, &Options::default()),
        Verdict::Proved(_)
    ));
}

/// A small honest file, its policy, and that the file is proved.
static SMALL: LazyLock<(String, TrustPolicy)> = LazyLock::new(|| {
    let mut net = Network::new(0xcc);
    net.event(subject(), PATIENT.into(), enrolled(PATIENT));
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let (file, policy) = (net.export().text(), net.policy());
    assert!(matches!(
        verify(&file, &policy, None, &Options::default()),
        Verdict::Proved(_)
    ));
    (file, policy)
});

/// A larger one.
static LARGE: LazyLock<(String, TrustPolicy)> = LazyLock::new(|| {
    let net = Network::visit();
    let both = [(subject(), 0), (Subject::Patient(OTHER), 0)];
    let file = net.export_of(&both, net.headers.len() - 1).text();
    (file, net.policy())
});

fn is_proved(file: &str, policy: &TrustPolicy) -> bool {
    matches!(
        verify(file, policy, None, &Options::default()),
        Verdict::Proved(_)
    )
}

#[test]
fn every_single_bit_flip_of_a_small_export_is_refused() {
    let (file, policy) = &*SMALL;
    for bit in 0..8 * file.len() {
        let mut bytes = file.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // A file that is no text any more is refused before it comes here.
        let Ok(flipped) = String::from_utf8(bytes) else {
            continue;
        };
        let verdict = verify(&flipped, policy, None, &Options::default());
        // The one field that only a kept state contradicts is where a part starts.
        let refused = match &verdict {
            Verdict::Proved(_) => false,
            Verdict::Refuted(_) => true,
            Verdict::CannotTell(doubt) => doubt.code() == "earlier_part_missing",
        };
        assert!(refused, "bit {bit}: {verdict}");
    }
}

#[test]
fn every_single_bit_flip_inside_the_export_is_refused() {
    // The bits of the binary export, which base64 spreads.
    let net = Network::visit();
    let file = net.export().file();
    for bit in 0..8 * file.extra.len() {
        let mut flipped = file.clone();
        flipped.extra[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_proved(&flipped.to_string(), &net.policy()), "bit {bit}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let (file, policy) = &*SMALL;
    for end in (0..file.len()).filter(|end| file.is_char_boundary(*end)) {
        assert!(!is_proved(&file[..end], policy), "{end} bytes");
    }
}

#[test]
fn any_line_dropped_repeated_or_moved_is_refused() {
    let (file, policy) = &*LARGE;
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        for to in 0..lines.len() {
            let mut moved = lines.clone();
            let line = moved.remove(at);
            if to == 0 {
                assert!(!is_proved(&moved.concat(), policy), "line {at} dropped");
            }
            moved.insert(to, line);
            assert!(
                at == to || !is_proved(&moved.concat(), policy),
                "line {at} moved to {to}"
            );
            moved.insert(to, line);
            assert!(
                !is_proved(&moved.concat(), policy),
                "line {at} repeated at {to}"
            );
        }
    }
}

#[test]
fn a_retired_validators_signature_counts_no_more() {
    // The policy of today lists no keys of a validator that left, or is suspended.
    let net = Network::visit();
    let retired = |kind: &str, vkey: &VerifierKey, group: &str| {
        let line = format!("{kind}{vkey}\n");
        let text = net.policy_text();
        assert!(text.contains(&line));
        let text = text.replace(&line, "");
        text.replace("group validators 3 v1 v2 v3 v4", group)
    };
    let ask = |policy: String| Question {
        policy,
        ..net.ask(&net.export(), None)
    };
    let rest = "group validators 2 v2 v3 v4";
    let policy = retired("witness v1 ", &cosigner(0).0, rest);
    assert_breaks(ask(policy).verdict(), Rule::KnownWitness);
    let log = proposer(&net.export().checkpoint.origin, 1).0;
    let policy = retired("log ", &log, "group validators 3 v1 v2 v3 v4");
    assert_breaks(ask(policy).verdict(), Rule::LogSignature);
}

#[test]
fn growth_from_an_empty_log_proves_nothing() {
    // Every log begins with the empty one, so `from` 0 would be no check.
    let mut net = Network::visit();
    let kept = net.report(&net.export()).kept;
    net.seal();
    for proof in [vec![], vec![kept_root(&net, 15)], vec![Hash::ZERO; 4]] {
        let mut parts = net.export_since(VISIT, 15);
        parts.export.growth = Some(Growth { from: 0, proof });
        for kept in [Some(&kept), None] {
            let verdict = net.ask(&parts, kept).verdict();
            assert!(matches!(verdict, Verdict::CannotTell(_)), "{verdict}");
        }
    }
}

fn kept_root(net: &Network, size: u64) -> Hash {
    net.log.root_at(size).unwrap()
}

/// immudb's CVE-2022-36111, "linear fake": the older state's chain had another block in its middle than the
/// log has now, and only its two ends were compared.
#[test]
fn a_block_exchanged_in_the_middle_of_what_was_verified_is_noticed() {
    let honest = Network::visit();
    let mut fake = Network::visit();
    let mut exchanged = fake.headers[8].clone();
    exchanged.state_root = fake.headers[7].state_root;
    let leaf = |(at, header): (usize, &BlockHeader)| {
        if at == 8 {
            exchanged.leaf()
        } else {
            header.leaf()
        }
    };
    fake.log = fake.headers.iter().enumerate().map(leaf).collect();
    // First and last block are those of the honest log, and the file is valid by itself.
    let kept = fake.report(&fake.export()).kept;
    assert_breaks(
        honest.ask(&honest.export(), Some(&kept)).verdict(),
        Rule::Fork,
    );
    let mut grown = Network::visit();
    grown.seal();
    let honest_proof = grown.export_since(VISIT, 15);
    assert_breaks(
        grown.ask(&honest_proof, Some(&kept)).verdict(),
        Rule::Growth,
    );
    // Nor do the fake log's own hashes lead to the honest root.
    let mut mixed = honest_proof;
    fake.seal();
    let proof = fake.log.prove_consistency(15, 16).unwrap();
    mixed.export.growth = Some(Growth { from: 15, proof });
    assert_breaks(grown.ask(&mixed, Some(&kept)).verdict(), Rule::Growth);
}

#[test]
fn a_verifiers_state_that_was_rolled_back_makes_no_old_export_fresh() {
    let mut net = Network::visit();
    let (old_file, old_state) = (net.export(), net.report(&net.export()).kept);
    net.access(DOCTOR, &[]);
    let newer = net.report(&net.export()).kept;
    net.access(DOCTOR, &[]);
    // What continues the newer state doesn't continue the old one.
    let continued = net.export_since(VISIT + 1, newer.log_size());
    assert!(matches!(
        net.ask(&continued, Some(&newer)).verdict(),
        Verdict::Proved(_)
    ));
    let verdict = net.ask(&continued, Some(&old_state)).verdict();
    assert!(matches!(verdict, Verdict::CannotTell(_)), "{verdict}");
    // The old file is as old as it always was.
    let report = proved(net.ask(&old_file, Some(&old_state)).verdict());
    assert_eq!(report.fresh_as_of.0, old_file.signed_at * 1000);
    let question = Question {
        options: fresh(net.now().0, 1),
        ..net.ask(&old_file, Some(&old_state))
    };
    let verdict = question.verdict();
    assert!(
        matches!(verdict, Verdict::CannotTell(Doubt::Stale { .. })),
        "{verdict}"
    );
}

#[test]
fn a_signature_that_only_another_ed25519_rule_accepts_is_refused() {
    // A key and an R of small order, and S = 0: ZIP-215 accepts them for any text.
    let net = Network::visit();
    let neutral = {
        let mut point = [0; 32];
        point[0] = 1;
        point
    };
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&neutral);
    let weak = VerifierKey::new("v3.example", KeyKind::Cosigner, PublicKey(neutral)).unwrap();
    let parts = net.export();
    let mut file = parts.file();
    let text = file.checkpoint.text.clone();
    let mut signed = Vec::new();
    file.checkpoint.signatures[3] = weak.line(&text, parts.signed_at, |bytes| {
        signed.extend_from_slice(bytes);
        Signature(signature)
    });
    let policy = net.policy_text();
    let policy = policy.replace(&cosigner(2).0.to_string(), &weak.to_string());
    let question = Question {
        policy,
        ..net.ask_text(file.to_string(), None)
    };
    assert_breaks(question.verdict(), Rule::Cosignature);
    if let Some(mut python) = Python::start() {
        let words = [&neutral[..], &signed, &signature].map(to_hex).join(" ");
        assert_eq!(python.ask(&format!("cofactored {words}")).unwrap(), "true");
        assert_eq!(python.ask(&format!("strict {words}")).unwrap(), "false");
    }
}

/// How many forgeries each of the two tests tries.
fn forgeries() -> usize {
    if std::env::var_os("CHARTSEAL_LONG").is_some() {
        500_000
    } else {
        50_000
    }
}

/// What is proved of a forgery may be less than what the honest file says, or that somebody unknown has
/// no history; it is never anything else.
fn forge(seed: u64, honest: &str, donor: &str, policy: &TrustPolicy, kept: Option<&Kept>) {
    let ask = |file: &str| verify(file, policy, kept, &Options::default());
    let truth = proved(ask(honest));
    let (whole, donor) = (Whole::parse(honest), Whole::parse(donor));
    let mut random = Random(seed);
    let mut broken = BTreeSet::new();
    for number in 0..forgeries() {
        let forged = whole.mutated(&mut random, &donor).text();
        match ask(&forged) {
            Verdict::Refuted(refutation) => drop(broken.insert(refutation.rule)),
            Verdict::CannotTell(_) => {}
            Verdict::Proved(report) => {
                let block = (report.log_root, report.height, report.time);
                assert_eq!(
                    block,
                    (truth.log_root, truth.height, truth.time),
                    "{number}"
                );
                assert_eq!(report.witnesses, truth.witnesses, "{number}");
                // Of anybody whom the network doesn't know, an empty history is the truth.
                let is_true = |history: &History| {
                    let mut known = truth.histories.iter();
                    match known.find(|h| h.subject == history.subject) {
                        Some(h) => (h.first, &h.entries) == (history.first, &history.entries),
                        None => history.total() == 0,
                    }
                };
                assert!(report.histories.iter().all(is_true), "{number}");
                assert!(
                    report.texts.iter().all(|t| truth.texts.contains(t)),
                    "{number}"
                );
                let said = |report: &Report| {
                    let entries = report.histories.iter().map(|h| h.entries.len());
                    (entries.sum::<usize>(), report.texts.len())
                };
                let is_same = report.histories == truth.histories && said(&report) == said(&truth);
                assert!(forged == honest || !is_same, "{number}");
            }
        }
    }
    assert!(broken.len() >= 13, "{broken:?}");
}

#[test]
fn no_forgery_of_a_full_export_proves_what_is_not_so() {
    let (file, policy) = &*LARGE;
    let mut net = Network::visit();
    net.seal();
    forge(11, file, &net.export().text(), policy, None);
}

#[test]
fn no_forgery_of_a_continued_export_proves_what_is_not_so() {
    let mut net = Network::visit();
    let kept = net.report(&net.export()).kept;
    net.event(subject(), PATIENT.into(), erased(NOTE));
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let newer = net.export_since(VISIT, kept.log_size()).text();
    let policy = net.policy();
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let later = net.export_since(0, kept.log_size()).text();
    forge(12, &newer, &later, &policy, Some(&kept));
}

#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, new)| Change::Insert(at, new)),
        (at(), 1..80usize).prop_map(|(at, len)| Change::Remove(at, len)),
        (at(), at(), 1..200usize).prop_map(|(from, to, len)| Change::Copy(from, to, len)),
    ]
}

fn apply(changes: &[Change], bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Insert(at, new) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Remove(at, len) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Change::Copy(from, to, len) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let copied = bytes[from..(from + len).min(bytes.len())].to_vec();
                bytes.splice(to..to, copied);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_mutated_file_is_never_proved_and_never_panics(changes in prop::collection::vec(change(), 1..6)) {
        let (file, policy) = &*LARGE;
        let mutated = apply(&changes, file.as_bytes());
        if let Ok(mutated) = std::str::from_utf8(&mutated) {
            prop_assert!(mutated == file || !is_proved(mutated, policy));
        }
    }

    /// The same inside the binary export, so that the text around it is whole.
    #[test]
    fn a_mutated_export_is_never_proved_and_never_panics(changes in prop::collection::vec(change(), 1..6)) {
        let (file, policy) = &*LARGE;
        let mut file = chartseal_wire::ProofFile::parse(file).unwrap();
        let mutated = apply(&changes, &file.extra);
        prop_assume!(mutated != file.extra);
        file.extra = mutated;
        prop_assert!(!is_proved(&file.to_string(), policy));
    }

    /// Structured: a well-formed export with other entries is another history.
    #[test]
    fn other_entries_are_never_proved(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..16), growth in any::<bool>(),
    ) {
        let (file, policy) = &*LARGE;
        let mut file = chartseal_wire::ProofFile::parse(file).unwrap();
        let mut export: Export = from_bytes(&file.extra).unwrap();
        let all: Vec<Bytes> = export.histories.iter().flat_map(|h| h.entries.clone()).collect();
        let picked: Vec<Bytes> = picks.iter().map(|at| at.get(&all).clone()).collect();
        let history = &mut export.histories[usize::from(growth)];
        prop_assume!(history.entries != picked);
        history.entries = picked;
        file.extra = to_bytes(&export);
        prop_assert!(!is_proved(&file.to_string(), policy));
    }

    #[test]
    fn arbitrary_text_is_never_proved_and_never_panics(text in ".*") {
        prop_assert!(!is_proved(&text, &SMALL.1));
    }
}
