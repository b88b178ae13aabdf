//! Two statements that can't both be true, as a file that anybody checks.

use chartseal_audit::{Contradiction, Doubt, Equivocation, NoEquivocation, Rule, TrustPolicy};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::{Hash, ProofFile};

use crate::fixture::*;
use crate::rules::forked;
use crate::vectors::POLICY;

fn between(a: &Parts, b: &Parts) -> Equivocation {
    Equivocation::between(&a.text(), &b.text()).unwrap()
}

fn why(evidence: &Equivocation) -> NoEquivocation {
    let policy = Network::visit().policy();
    evidence.verify(&policy).unwrap_err()
}

fn breaks(evidence: &Equivocation, rule: Rule) {
    match why(evidence) {
        NoEquivocation::Refuted(refutation) => assert_eq!(refutation.rule, rule),
        other => panic!("{other}"),
    }
}

#[test]
fn two_blocks_of_one_height_are_evidence_that_anybody_can_check() {
    let (a, mut b) = forked();
    // Under checkpoints of different sizes, which alone contradict nothing.
    b.seal();
    let block = b.export_of(&[(subject(), 0)], 15);
    let evidence = between(&a.export(), &block);
    let proof = evidence.verify(&a.policy()).unwrap();
    assert_eq!(proof.contradiction, Contradiction::Block { height: 15 });
    assert_eq!(proof.both, ["v1", "v2", "v3"]);
    let sent: Equivocation = from_bytes(&to_bytes(&evidence)).unwrap();
    assert_eq!(sent, evidence);
    // The other way round it is the same.
    let turned = between(&block, &a.export());
    assert_eq!(turned.verify(&a.policy()).unwrap(), proof);
    assert!(proof.to_string().contains("two blocks have the height 15"));
}

#[test]
fn evidence_names_only_who_signed_both() {
    let (mut a, mut b) = (forked().0.export(), forked().1.export());
    (a.cosigners, b.cosigners) = (vec![0, 1, 2], vec![1, 2, 3]);
    let proof = between(&a, &b).verify(&Network::visit().policy()).unwrap();
    assert_eq!(proof.both, ["v2", "v3"]);
}

/// In an export a fourth signature is one too many; as evidence it is one more who signed both.
#[test]
fn evidence_may_carry_more_signatures_than_the_policy_needs() {
    let (a, b) = forked();
    let (mut one, mut other) = (a.export(), b.export());
    one.cosigners = vec![0, 1, 2, 3];
    other.cosigners = vec![0, 1, 2, 3];
    assert_breaks(a.verify(&one), Rule::Needed);
    let proof = between(&one, &other).verify(&a.policy()).unwrap();
    assert_eq!(proof.both, ["v1", "v2", "v3", "v4"]);
}

#[test]
fn two_logs_of_one_size_are_evidence_too() {
    let (a, b) = forked();
    let kept = a.report(&a.export()).kept;
    let refutation = refuted(b.ask(&b.export(), Some(&kept)).verdict());
    assert_eq!(refutation.rule, Rule::Fork);
    let evidence = *refutation.equivocation.unwrap();
    let proof = evidence.verify(&a.policy()).unwrap();
    assert_eq!(proof.contradiction, Contradiction::Log { size: 16 });
    let sent: Equivocation = from_bytes(&to_bytes(&evidence)).unwrap();
    assert_eq!(sent, evidence);
}

#[test]
fn a_header_that_commits_to_another_log_than_a_checkpoint_is_evidence() {
    let (a, mut b) = forked();
    b.seal();
    // The log of 16 blocks, once under a checkpoint and once in a header.
    let checkpoint = a.export().file().checkpoint.to_string();
    let block = between(&b.export(), &b.export()).first;
    let evidence = Equivocation {
        first: checkpoint,
        second: block,
    };
    let proof = evidence.verify(&a.policy()).unwrap();
    assert_eq!(proof.contradiction, Contradiction::Log { size: 16 });
    // Without the logs of both nobody can tell whether a witness saw them grow apart.
    assert_eq!(proof.both, [""; 0]);
    assert!(proof.to_string().contains("nobody is named"), "{proof}");
}

/// A witness checks that a log grows, and reads no header in it. So a quorum that writes a header with a root of no
/// log makes no liar of the witness who signed the log before and after it.
#[test]
fn a_witness_answers_for_the_log_and_not_for_what_a_header_says() {
    let mut net = Network::visit();
    let before = net.export().file().checkpoint.to_string();
    net.seal();
    let mut lie = net.headers.pop().unwrap();
    lie.log_root = Hash([0xee; 32]);
    let leaves = net.headers.iter().map(chartseal_wire::BlockHeader::leaf);
    net.log = leaves.chain([lie.leaf()]).collect();
    net.headers.push(lie);
    let evidence = Equivocation {
        first: before,
        second: between(&net.export(), &net.export()).first,
    };
    let turned = Equivocation {
        first: evidence.second.clone(),
        second: evidence.first.clone(),
    };
    for evidence in [evidence, turned] {
        let proof = evidence.verify(&net.policy()).unwrap();
        assert_eq!(proof.contradiction, Contradiction::Log { size: 15 });
        assert_eq!(proof.both, [""; 0]);
    }
}

#[test]
fn an_honest_network_gives_no_evidence() {
    let mut net = Network::visit();
    let mut files = vec![net.export(), net.export_of(&[], 3), net.export_of(&[], 14)];
    let mut again = net.export();
    (again.cosigners, again.signed_at) = (vec![1, 2, 3], again.signed_at + 9);
    files.push(again);
    for _ in 0..3 {
        net.seal();
        files.push(net.export());
        files.push(net.export_of(&[], 3));
        files.push(net.export_of(&[], 14));
    }
    for a in &files {
        for b in &files {
            assert_eq!(why(&between(a, b)), NoEquivocation::NoContradiction);
            let notes = [a, b].map(|parts| parts.file().checkpoint.to_string());
            let [first, second] = notes;
            assert_eq!(
                why(&Equivocation { first, second }),
                NoEquivocation::NoContradiction
            );
        }
    }
    // Nor do two chains contradict each other.
    let other = Network::new(0xdd);
    let mut strange = other.export_of(&[], 0);
    strange.proposer = Some(7);
    let log = proposer(&strange.checkpoint.origin, 7).0;
    let policy = TrustPolicy::parse(&format!("log {log}\n{}", net.policy_text())).unwrap();
    let proof = between(&net.export_of(&[], 0), &strange).verify(&policy);
    assert_eq!(proof, Err(NoEquivocation::NoContradiction));
}

type Change<'a> = &'a dyn Fn(&mut Parts);

#[test]
fn nobody_is_accused_of_what_they_did_not_sign() {
    let (a, b) = forked();
    let (honest, fork) = (a.export(), b.export());
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = fork.clone();
        change(&mut parts);
        [between(&honest, &parts), between(&parts, &honest)]
    };
    let cases: [(Rule, Change<'_>); 6] = [
        (Rule::LogSignature, &|parts| parts.proposer = Some(9)),
        (Rule::KnownWitness, &|parts| parts.cosigners[2] = 9),
        (Rule::SignatureOrder, &|parts| {
            parts.cosigners = vec![0, 1, 1];
        }),
        (Rule::Quorum, &|parts| parts.cosigners = vec![0, 1]),
        (Rule::Height, &|parts| parts.index = 3),
        (Rule::Inclusion, &|parts| {
            parts.export.header.state_root = Hash::ZERO;
        }),
    ];
    for (rule, change) in cases {
        for evidence in with(change) {
            breaks(&evidence, rule);
        }
    }
    // A header of another chain under this chain's checkpoint.
    for evidence in with(&|parts| parts.export.header.chain.0[0] ^= 1) {
        breaks(&evidence, Rule::Origin);
    }
    let evidence = between(&honest, &fork);
    let strange = evidence.verify(&Network::new(0xdd).policy()).unwrap_err();
    assert!(
        matches!(
            strange,
            NoEquivocation::CannotTell(Doubt::UnknownLog { .. })
        ),
        "{strange}"
    );
}

#[test]
fn evidence_holds_no_history_and_has_one_form() {
    let (a, b) = forked();
    let evidence = between(&a.export(), &b.export());
    let bytes = to_bytes(&evidence);
    let patient = |bytes: &[u8]| bytes.windows(16).any(|w| w == PATIENT.0);
    let file = ProofFile::parse(&evidence.first).unwrap();
    assert!(patient(&a.export().file().extra) && !patient(&file.extra));
    // Every bit counts, except those of the times, which are signed, and are no part of what is proved.
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = from_bytes::<Equivocation>(&flipped) {
            assert_eq!(to_bytes(&other), flipped);
            assert!(other.verify(&a.policy()).is_err(), "bit {bit}");
        }
    }
    let whole = Equivocation {
        first: a.export().text(),
        second: b.export().text(),
    };
    assert!(
        from_bytes::<Equivocation>(&to_bytes(&whole)).is_err(),
        "an export is no statement"
    );
    assert!(Equivocation::between("", &a.export().text()).is_err());
}

#[test]
fn the_stored_evidence_is_evidence() {
    let stored = include_bytes!("../vectors/fork.equivocation");
    let evidence: Equivocation = from_bytes(stored).unwrap();
    let policy = TrustPolicy::parse(POLICY).unwrap();
    let proof = evidence.verify(&policy).unwrap();
    assert_eq!(proof.contradiction, Contradiction::Block { height: 15 });
}
