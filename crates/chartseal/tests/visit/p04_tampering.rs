//! P4: the patient checks offline that the history is authentic and complete.

use std::path::Path;

use chartseal::{Kept, Network, Options, Verdict, verify};
use chartseal_audit::Rule;
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_node::{ExportRequest, NodeError, NodeKeys};
use chartseal_wire::{Checkpoint, Export, ProofFile, SignedNote, Subject};

use crate::fixture::*;

/// A visit with a permitted and a denied attempt.
fn a_visit(mut visit: Visit) -> Visit {
    let record = visit.file_result("HbA1c 6.1 %");
    visit.request(&[record]);
    visit.grant();
    visit.read(&[record]).unwrap();
    visit
}

fn judge(visit: &Visit, file: &str, kept: Option<&Kept>) -> Verdict {
    verify(file, &visit.policy(), kept, &Options::default())
}

fn assert_breaks(verdict: &Verdict, rule: Rule, what: &str) {
    match verdict {
        Verdict::Refuted(refutation) => assert_eq!(refutation.rule, rule, "{what}: {verdict}"),
        other => panic!("{what}: {other}"),
    }
}

/// The honest file, changed.
fn changed(file: &str, change: impl FnOnce(&mut ProofFile, &mut Export)) -> String {
    let mut file = ProofFile::parse(file).unwrap();
    let mut export: Export = from_bytes(&file.extra).unwrap();
    change(&mut file, &mut export);
    file.extra = to_bytes(&export);
    file.to_string()
}

/// The file with one digit in the middle of a line changed for another one.
fn flipped_line(file: &str, line: usize) -> String {
    let mut lines: Vec<String> = file.split('\n').map(str::to_owned).collect();
    let middle = lines[line].len() - 40;
    let digit = if &lines[line][middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    lines[line].replace_range(middle..=middle, digit);
    lines.join("\n")
}

type Case = (&'static str, Rule, String);

/// What is wrong with the file, its checkpoint and signatures.
fn checkpoint_cases(file: &str) -> Vec<Case> {
    let signatures = file
        .split('\n')
        .position(|line| line.starts_with('\u{2014}'))
        .unwrap();
    let other = {
        let mut visit = a_visit(Visit::new());
        visit.file_result("another chain's");
        visit.patient.export(&visit.network, None).unwrap()
    };
    vec![
        (
            "a byte of the first line",
            Rule::File,
            file.replacen("c2sp", "c2sq", 1),
        ),
        ("a byte of the export's version", Rule::Export, {
            let mut parts = ProofFile::parse(file).unwrap();
            parts.extra[1] ^= 1;
            parts.to_string()
        }),
        (
            "an extension line",
            Rule::Checkpoint,
            changed(file, |file, _| {
                file.checkpoint.text.push_str("and more\n");
            }),
        ),
        (
            "another chain's header",
            Rule::Origin,
            changed(file, |_, export| {
                let other = ProofFile::parse(&other).unwrap();
                export.header = from_bytes::<Export>(&other.extra).unwrap().header;
            }),
        ),
        (
            "the checkpoint's root",
            Rule::LogSignature,
            changed(file, |file, _| {
                let mut checkpoint = Checkpoint::parse(&file.checkpoint.text).unwrap();
                checkpoint.root.0[5] ^= 1;
                file.checkpoint.text = checkpoint.to_string();
            }),
        ),
        (
            "the log's signature",
            Rule::LogSignature,
            flipped_line(file, signatures),
        ),
        (
            "a validator's signature",
            Rule::Cosignature,
            flipped_line(file, signatures + 2),
        ),
        (
            "two signatures swapped",
            Rule::SignatureOrder,
            changed(file, |file, _| {
                file.checkpoint.signatures.swap(1, 2);
            }),
        ),
        (
            "a signature dropped",
            Rule::Quorum,
            changed(file, |file, _| {
                file.checkpoint.signatures.truncate(3);
            }),
        ),
    ]
}

/// What is wrong with the proofs below the checkpoint.
fn proof_cases(file: &str) -> Vec<Case> {
    vec![
        (
            "the index",
            Rule::Height,
            changed(file, |file, _| file.index -= 1),
        ),
        (
            "the inclusion proof under a certificate",
            Rule::CertifiedLog,
            changed(file, |file, _| file.proof[0].0[9] ^= 1),
        ),
        (
            "the inclusion proof",
            Rule::Inclusion,
            changed(file, |file, export| {
                export.finality = None;
                file.proof[0].0[9] ^= 1;
            }),
        ),
        (
            "the state root under a certificate",
            Rule::Certificate,
            changed(file, |_, export| {
                export.header.state_root.0[0] ^= 1;
            }),
        ),
        (
            "the state root",
            Rule::Inclusion,
            changed(file, |_, export| {
                export.finality = None;
                export.header.state_root.0[0] ^= 1;
            }),
        ),
        (
            "the block's time",
            Rule::Inclusion,
            changed(file, |_, export| {
                export.finality = None;
                export.header.time.0 += 1;
            }),
        ),
        (
            "the map proof",
            Rule::Slot,
            changed(file, |_, export| {
                let proof = &mut export.histories[0].proof;
                let mut bytes = to_bytes(proof);
                *bytes.last_mut().unwrap() ^= 1;
                *proof = from_bytes(&bytes).unwrap();
            }),
        ),
        (
            "a sealed text",
            Rule::Text,
            changed(file, |_, export| export.texts[0].salt[3] ^= 1),
        ),
    ]
}

#[test]
fn p4_each_tampering_is_refused_for_its_own_rule() {
    let visit = a_visit(Visit::new());
    let file = visit.patient.export(&visit.network, None).unwrap();
    proved(judge(&visit, &file, None));
    let cases = [checkpoint_cases(&file), proof_cases(&file)].concat();
    for (what, rule, tampered) in cases {
        assert_ne!(tampered, file, "{what}");
        assert_breaks(&judge(&visit, &tampered, None), rule, what);
    }
}

#[test]
fn p4_a_flipped_byte_of_any_entry_is_refused_as_altered() {
    let visit = a_visit(Visit::new());
    let file = visit.patient.export(&visit.network, None).unwrap();
    let export: Export = from_bytes(&ProofFile::parse(&file).unwrap().extra).unwrap();
    for (at, entry) in export.histories[0].entries.iter().enumerate() {
        for byte in 0..entry.0.len() {
            let flipped = changed(&file, |_, export| {
                export.histories[0].entries[at].0[byte] ^= 1;
            });
            let what = format!("byte {byte} of entry {at}");
            assert_breaks(&judge(&visit, &flipped, None), Rule::Complete, &what);
        }
    }
}

#[test]
fn p4_dropping_or_adding_an_entry_is_refused_by_its_count_and_swapping_two_as_altered() {
    let visit = a_visit(Visit::new());
    let file = visit.patient.export(&visit.network, None).unwrap();
    let count = visit.history().len();
    assert!(count >= 8);
    for at in 0..count {
        let dropped = changed(&file, |_, export| {
            export.histories[0].entries.remove(at);
        });
        assert_breaks(&judge(&visit, &dropped, None), Rule::Count, "dropped");
        let added = changed(&file, |_, export| {
            let entry = export.histories[0].entries[at].clone();
            export.histories[0].entries.push(entry);
        });
        assert_breaks(&judge(&visit, &added, None), Rule::Count, "added");
        for other in at + 1..count {
            let swapped = changed(&file, |_, export| {
                export.histories[0].entries.swap(at, other);
            });
            assert_breaks(&judge(&visit, &swapped, None), Rule::Complete, "swapped");
        }
    }
}

#[test]
fn p4_a_signature_by_anybody_elses_key_is_refused() {
    let visit = a_visit(Visit::new());
    let file = visit.patient.export(&visit.network, None).unwrap();
    let (forger, org) = (
        NodeKeys::generate().unwrap(),
        visit.network.nodes()[1].org(),
    );
    let signed_at = |at: usize| {
        changed(&file, |file, _| {
            let text = &file.checkpoint.text;
            let origin = Checkpoint::parse(text).unwrap().origin;
            let (key, own) = if at == 0 {
                (forger.log_vkey(&origin).unwrap(), &forger.log)
            } else {
                (forger.cosigner_vkey(&org).unwrap(), &forger.cosigner)
            };
            let line = key.line(text, 1_772_442_000, |message| {
                chartseal_node::keys::sign(own, message)
            });
            file.checkpoint.signatures[at] = line;
        })
    };
    assert_breaks(
        &judge(&visit, &signed_at(0), None),
        Rule::LogSignature,
        "the log's name",
    );
    assert_breaks(
        &judge(&visit, &signed_at(2), None),
        Rule::KnownWitness,
        "a validator's name",
    );
}

#[test]
fn p4_an_old_export_replayed_against_what_was_verified_is_refused() {
    let mut visit = a_visit(Visit::new());
    let old = visit.patient.export(&visit.network, None).unwrap();
    let first = proved(judge(&visit, &old, None));
    visit.file_result("a new result");
    let new = visit
        .patient
        .export(&visit.network, Some(&first.kept))
        .unwrap();
    let second = proved(judge(&visit, &new, Some(&first.kept)));
    assert_eq!(second.histories[0].first, first.histories[0].total());
    assert_eq!(second.histories[0].entries.len(), 1, "only what is new");
    assert_breaks(
        &judge(&visit, &old, Some(&second.kept)),
        Rule::RolledBack,
        "replayed",
    );
    // Without kept state it is what it is: authentic, and old.
    let replayed = proved(judge(&visit, &old, None));
    assert!(replayed.height < second.height);
}

#[test]
fn p4_another_patients_history_is_not_taken_for_this_ones() {
    let mut visit = a_visit(Visit::new());
    let hospital = visit.hospital;
    let other = visit.network.enrol_patient(&hospital).unwrap();
    let own = visit.patient.export(&visit.network, None).unwrap();
    let strange = other.export(&visit.network, None).unwrap();
    let kept = proved(judge(&visit, &own, None)).kept;

    let report = proved(judge(&visit, &strange, None));
    assert_eq!(
        report.histories[0].subject,
        Subject::Patient(other.id()),
        "its name is its own"
    );
    let missing = judge(&visit, &strange, Some(&kept));
    assert!(
        matches!(&missing, Verdict::CannotTell(doubt) if doubt.code() == "history_missing"),
        "{missing}"
    );
    let subject = Subject::Patient(visit.patient.id());
    let renamed = changed(&strange, |_, export| export.histories[0].subject = subject);
    assert_breaks(
        &judge(&visit, &renamed, None),
        Rule::Slot,
        "under this patient's name",
    );
    let entries = from_bytes::<Export>(&ProofFile::parse(&strange).unwrap().extra).unwrap();
    let entries = &entries.histories[0].entries;
    let inside = changed(&own, |_, export| {
        export.histories[0].entries.clone_from(entries);
        export.texts.clear();
    });
    assert_breaks(
        &judge(&visit, &inside, None),
        Rule::Count,
        "under this patient's proof",
    );
}

/// Two copies of one chain, with all keys, that went on differently: only one has the doctor's
/// attempt.
fn fork(honest: &Path, shadow: &Path) -> (Visit, Network) {
    let mut visit = a_visit(Visit::in_dir(honest));
    let record = visit.file_result("another result");
    let clock = visit.network.clock().clone();
    drop(visit.network);
    copy(honest, shadow);
    visit.network = Network::open(honest, clock.clone()).unwrap();
    let mut other = Network::open(shadow, clock).unwrap();
    assert_eq!(
        other.head().unwrap().head(),
        visit.network.head().unwrap().head()
    );
    visit.request(&[record]);
    visit
        .patient
        .restrict(&mut other, &[chartseal::Class::CONDITION], &[])
        .unwrap();
    (visit, other)
}

fn copy(from: &Path, to: &Path) {
    for file in crate::leaks::files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

#[test]
fn p4_a_shadow_history_of_one_corrupt_node_lacks_a_quorum() {
    let (honest, shadow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (visit, shadow) = fork(honest.path(), shadow.path());
    let liar = &shadow.nodes()[0];
    let checkpoint = liar.checkpoint();
    for node in &visit.network.nodes()[1..] {
        assert!(matches!(
            node.cosign_checkpoint(&checkpoint),
            Err(NodeError::Checkpoint)
        ));
    }
    let note = SignedNote {
        text: checkpoint.to_string(),
        signatures: vec![
            liar.sign_checkpoint(&checkpoint).unwrap(),
            liar.cosign_checkpoint(&checkpoint).unwrap(),
        ],
    };
    let request = ExportRequest {
        histories: vec![(Subject::Patient(visit.patient.id()), 0)],
        log_size: None,
    };
    let file = liar.export(&request, note).unwrap().to_string();
    assert_breaks(&judge(&visit, &file, None), Rule::Quorum, "one of three");
}

#[test]
fn p4_a_shadow_history_of_all_nodes_is_refused_by_who_verified_the_true_one() {
    let (honest, shadow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut visit, mut shadow) = fork(honest.path(), shadow.path());
    let kept = visit.report().kept;
    let same_size = visit.patient.export(&shadow, None).unwrap();
    let verdict = judge(&visit, &same_size, Some(&kept));
    assert_breaks(&verdict, Rule::Fork, "as long as the true one");
    let Verdict::Refuted(refutation) = verdict else {
        unreachable!()
    };
    assert!(
        refutation.equivocation.is_some(),
        "and the two checkpoints prove it to anybody"
    );

    visit
        .patient
        .restrict(&mut shadow, &[chartseal::Class::EXAM], &[])
        .unwrap();
    let request = ExportRequest {
        histories: vec![(Subject::Patient(visit.patient.id()), 0)],
        log_size: Some(kept.log_size()),
    };
    let longer = shadow.export(visit.patient.person(), &request).unwrap();
    let verdict = judge(&visit, &longer, Some(&kept));
    assert_breaks(&verdict, Rule::Growth, "longer than the true one");
    // And its newer entries alone don't continue the history that was verified.
    let newer = visit.patient.export(&shadow, Some(&kept)).unwrap();
    assert!(matches!(
        judge(&visit, &newer, Some(&kept)),
        Verdict::Refuted(_)
    ));
}
