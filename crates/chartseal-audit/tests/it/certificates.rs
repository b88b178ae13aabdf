//! The engine's certificates: what they prove alone, and across changes of the committee.

use chartseal_audit::{
    Contradiction, Doubt, Equivocation, Kept, Report, Rule, Verdict, verify_certificate,
};
use chartseal_wire::{Certificate, Hash, OrgId, Signature};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

use crate::fixture::*;

/// An export under the policy of the committee of an epoch.
fn ask(net: &Network, epoch: u64, parts: &Parts, kept: Option<&Kept>) -> Verdict {
    Question {
        policy: net.committee_policy(epoch),
        ..net.ask(parts, kept)
    }
    .verdict()
}

fn doubt(verdict: Verdict) -> Doubt {
    match verdict {
        Verdict::CannotTell(doubt) => doubt,
        other => panic!("{other}"),
    }
}

/// A verified export of the newest block; for handovers one witness vouches.
fn witnessed(net: &Network) -> Report {
    let mut parts = net.certified_export();
    let has_handovers = !net.finality().handovers.is_empty();
    parts.cosigners = Vec::from_iter(has_handovers.then_some(0));
    proved(ask(net, 0, &parts, None))
}

/// The same that grew since, cosigned by nobody.
fn grown(net: &Network, kept: &Kept) -> Parts {
    let mut parts = net.export_since(0, kept.log_size());
    parts.export.finality = Some(net.finality());
    parts.cosigners.clear();
    parts
}

#[test]
fn a_committees_certificate_alone_is_a_quorum() {
    let net = Network::certified(0);
    let report = proved(ask(&net, 0, &net.certified_export(), None));
    assert!(report.witnesses.is_empty());
    assert_eq!((report.quorum.signed, report.quorum.needed), (1, 1));
    // As fresh as the block's own time, to the second.
    assert_eq!(report.fresh_as_of.0, report.time.0 / 1000 * 1000);
    let certified = report.certified.unwrap();
    let numbers = (certified.epoch, certified.of, certified.tolerates);
    assert_eq!((numbers, certified.handovers), ((0, 4, 1), 0));
    assert_eq!(certified.view, report.height + 300);
    let signed: Vec<OrgId> = committee(0).validators()[..3]
        .iter()
        .map(|m| m.org)
        .collect();
    assert_eq!(certified.signers, signed);
    assert!(report.assumptions[0].contains("1 of the 4 validators of epoch 0"));
    assert!(report.assumptions[1].contains("whoever chose its keys"));
    let text = ask(&net, 0, &net.certified_export(), None).to_string();
    assert!(
        text.contains("certified  3 of 4 of epoch 0, 0 handovers"),
        "{text}"
    );
}

#[test]
fn a_committees_certificate_stands_in_a_nested_quorum() {
    let net = Network::certified(0);
    let policy = |quorum: &str| {
        net.committee_policy(0)
            .replace("quorum network", &format!("{quorum}\nquorum q"))
    };
    for (quorum, cosigners, is_met) in [
        ("group q all network v1", &[][..], false),
        ("group q all network v1", &[0], true),
        ("group q all network v1", &[1], false),
        ("group q any network v1", &[], true),
        ("group w 2 v1 v2 v3\ngroup q all network w", &[0, 2], true),
        ("group w 2 v1 v2 v3\ngroup q all network w", &[0], false),
    ] {
        let mut parts = net.certified_export();
        parts.cosigners = cosigners.to_vec();
        let question = Question {
            policy: policy(quorum),
            ..net.ask(&parts, None)
        };
        match question.verdict() {
            Verdict::Proved(report) if is_met => assert!(report.certified.is_some()),
            verdict => {
                assert!(!is_met, "{quorum} {cosigners:?}: {verdict}");
                assert_breaks(verdict, Rule::Quorum);
            }
        }
    }
    // A file without a certificate does not meet a policy that asks for one.
    let mut plain = net.export();
    plain.cosigners = vec![0, 1, 2];
    assert_breaks(ask(&net, 0, &plain, None), Rule::Quorum);
}

#[test]
fn beside_a_certificate_only_the_witnesses_that_are_needed_sign() {
    let asked = |handovers, quorum: &str, cosigners: &[u8], kept: Option<&Kept>| {
        let net = Network::certified(handovers);
        let mut parts = match kept {
            Some(kept) => grown(&net, kept),
            None => net.certified_export(),
        };
        parts.cosigners = cosigners.to_vec();
        let policy = net.committee_policy(0).replace("quorum network", quorum);
        Question {
            policy,
            ..net.ask(&parts, kept)
        }
        .verdict()
    };
    let alone = "quorum network";
    proved(asked(0, alone, &[], None));
    assert_breaks(asked(0, alone, &[0], None), Rule::Needed);
    // One vouches for handovers, whoever it is; two are one too many.
    proved(asked(2, alone, &[0], None));
    proved(asked(2, alone, &[3], None));
    assert_breaks(asked(2, alone, &[0, 3], None), Rule::Needed);
    // Also where what was kept makes it unnecessary: that is not in the file.
    let kept = witnessed(&Network::certified(2)).kept;
    proved(asked(2, alone, &[0], Some(&kept)));
    proved(asked(2, alone, &[], Some(&kept)));
    // What is needed without the certificate may stand beside it.
    let either = "group q any network v1\nquorum q";
    proved(asked(0, either, &[0], None));
    assert_breaks(asked(0, either, &[1], None), Rule::Needed);
    assert_breaks(asked(0, either, &[0, 1], None), Rule::Needed);
    let both = "group q all network v1\nquorum q";
    proved(asked(0, both, &[0], None));
    assert_breaks(asked(0, both, &[0, 2], None), Rule::Needed);
    assert_breaks(asked(2, both, &[0, 2], None), Rule::Needed);
}

#[test]
fn a_certificate_that_the_policy_does_not_ask_for_says_nothing() {
    let net = Network::certified(1);
    let mut parts = net.certified_export();
    parts.cosigners = vec![0, 1, 2];
    let report = net.report(&parts);
    assert_eq!(report.certified, None);
    parts.cosigners.clear();
    assert_breaks(net.verify(&parts), Rule::Quorum);
}

#[test]
fn a_changed_committee_is_followed_if_a_witness_vouches() {
    for handovers in 0..4 {
        let net = Network::certified(handovers);
        let certified = witnessed(&net).certified.unwrap();
        assert_eq!(certified.epoch, handovers as u64);
        assert_eq!(certified.handovers, handovers as u64);
    }
}

#[test]
fn a_retired_committee_proves_nothing_without_a_witness() {
    let net = Network::certified(2);
    let found = doubt(ask(&net, 0, &net.certified_export(), None));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 0, now: 2 });
    assert_eq!(found.code(), "retired_committee");
    // A broken rule counts for more than that.
    let mut parts = net.certified_export();
    parts.entries().pop();
    assert_breaks(ask(&net, 0, &parts, None), Rule::Count);
}

#[test]
fn a_fork_by_a_retired_committees_leaked_keys_proves_nothing() {
    // Who has the keys of epoch 0 makes another chain from there on, and a committee of their own.
    let honest = Network::certified(1);
    let kept = witnessed(&honest).kept;
    let mut fork = Network::certified(0);
    fork.event(subject(), SURGEON, added(NOTE));
    fork.event(subject(), SURGEON, added(NOTE));
    fork.hand_over();
    fork.event(subject(), SURGEON, added(NOTE));
    assert!(fork.log.size() > honest.log.size());
    let parts = fork.certified_export();
    let is_doubt = |verdict| matches!(doubt(verdict), Doubt::RetiredCommittee { .. });
    assert!(is_doubt(ask(&fork, 0, &parts, None)));
    // To whoever verified the honest one it is not even the same committee.
    let mut other = fork.finality();
    let newest = fork.headers.last().unwrap();
    other.handovers.clear();
    other.certificate = sign_off(newest, &committee(0), 1, &[0, 1, 2]);
    let mut stale = parts.clone();
    stale.export.finality = Some(other);
    assert_breaks(ask(&fork, 0, &stale, Some(&kept)), Rule::Certificate);
    let mut old = Network::certified(0);
    for _ in 0..4 {
        old.event(subject(), SURGEON, added(NOTE));
    }
    let found = doubt(ask(&old, 0, &grown(&old, &kept), Some(&kept)));
    assert_eq!(found, Doubt::UnknownCommittee { epoch: 0 });
}

/// The attack that freshness does not show: no handover, and a time that the thieves choose.
#[test]
fn leaked_keys_of_a_retired_committee_make_a_block_of_today_that_only_a_witness_or_a_later_state_refuses()
 {
    let kept = witnessed(&Network::certified(1)).kept;
    let mut fork = Network::certified(0);
    for _ in 0..4 {
        fork.event(subject(), SURGEON, added(NOTE));
    }
    let today = fork.headers.last().unwrap().time.0;
    let judge = |quorum: &str, kept: Option<&Kept>| {
        let parts = kept.map_or_else(|| fork.certified_export(), |kept| grown(&fork, kept));
        Question {
            policy: fork.committee_policy(0).replace("quorum network", quorum),
            options: fresh(today + 1000, 2000),
            ..fork.ask(&parts, kept)
        }
        .verdict()
    };
    // Whoever knows nothing but the first committee can't tell, and is told so.
    let report = proved(judge("quorum network", None));
    let says = "its time is the committee's own word";
    assert!(report.assumptions[0].contains(says), "{report}");
    assert_breaks(
        judge("group both all network v1\nquorum both", None),
        Rule::Quorum,
    );
    let found = doubt(judge("quorum network", Some(&kept)));
    assert_eq!(found, Doubt::UnknownCommittee { epoch: 0 });
    // With a witness it is the witness who says when.
    let mut parts = fork.certified_export();
    parts.cosigners = vec![0];
    let policy = fork.committee_policy(0);
    let question = Question {
        policy: policy.replace("quorum network", "group both all network v1\nquorum both"),
        ..fork.ask(&parts, None)
    };
    let report = proved(question.verdict());
    assert!(!report.assumptions[0].contains(says), "{report}");
}

#[test]
fn a_kept_checkpoint_vouches_for_the_committee_that_it_names() {
    let mut net = Network::certified(1);
    let kept = witnessed(&net).kept;
    assert_eq!(Kept::from_bytes(&kept.to_bytes()), Ok(kept.clone()));
    net.event(subject(), DOCTOR, added(NOTE));
    // The same epoch needs nobody else: handovers before it were verified then.
    let report = proved(ask(&net, 0, &grown(&net, &kept), Some(&kept)));
    assert_eq!(report.certified.unwrap().handovers, 0);
    // The next one does.
    net.hand_over();
    let newest = grown(&net, &kept);
    let report = proved(ask(&net, 0, &newest, Some(&kept)));
    assert_eq!(
        report.certified.unwrap().epoch,
        1,
        "the last block of epoch 1"
    );
    net.event(subject(), DOCTOR, added(LAB));
    let found = doubt(ask(&net, 0, &grown(&net, &kept), Some(&kept)));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 1, now: 2 });
    // Kept after the block that named it, it is known already.
    let report = proved(ask(&net, 0, &grown(&net, &report.kept), Some(&report.kept)));
    assert_eq!(report.certified.unwrap().handovers, 0);
}

#[test]
fn a_pinned_later_committee_needs_no_earlier_one() {
    let net = Network::certified(2);
    let parts = net.certified_export();
    let report = proved(ask(&net, 2, &parts, None));
    assert_eq!(report.certified.unwrap().handovers, 0);
    let found = doubt(ask(&net, 1, &parts, None));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 1, now: 2 });
    let found = doubt(ask(&net, 3, &parts, None));
    assert_eq!(found, Doubt::UnknownCommittee { epoch: 0 });
    assert_eq!(found.code(), "unknown_committee");
    // Nor need the file show it.
    let mut short = parts.clone();
    let finality = short.export.finality.as_mut().unwrap();
    finality.handovers.clear();
    finality.first = committee(2);
    proved(ask(&net, 2, &short, None));
    // A pin that is older than what was kept makes that no weaker, a newer one does.
    let kept = witnessed(&Network::certified(0)).kept;
    let mut newer = Network::certified(0);
    newer.hand_over();
    newer.event(subject(), DOCTOR, added(LAB));
    newer.hand_over();
    newer.event(subject(), DOCTOR, added(LAB));
    let grown = grown(&newer, &kept);
    let found = doubt(ask(&newer, 0, &grown, Some(&kept)));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 0, now: 2 });
    proved(ask(&newer, 2, &grown, Some(&kept)));
    // The committee after the kept epoch is the kept one, whatever was pinned.
    let found = doubt(ask(&newer, 1, &grown, Some(&kept)));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 0, now: 2 });
}

#[test]
fn a_state_that_was_kept_without_a_committee_is_read_and_used() {
    let net = Network::certified(1);
    let mut parts = net.export();
    parts.cosigners = vec![0, 1, 2];
    let plain = older(&net.report(&parts).kept);
    assert_eq!(plain.to_bytes()[..2], [0x85, 1]);
    let found = doubt(ask(&net, 0, &net.certified_export(), Some(&plain)));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 0, now: 1 });
    let newest = witnessed(&net).kept;
    assert_eq!(newest.to_bytes()[..2], [0x86, 3]);
    let kept = older(&newest);
    assert_eq!(kept.to_bytes()[..2], [0x86, 2]);
    let first = proved(ask(&net, 0, &net.certified_export(), Some(&kept)));
    assert_eq!(first.kept.to_bytes()[..2], [0x86, 3]);
    for head in [[0x85, 2], [0x86, 1], [0x86, 3], [0x86, 4], [0x86, 0]] {
        for kept in [&plain, &kept] {
            assert!(Kept::from_bytes(&[&head, &kept.to_bytes()[2..]].concat()).is_err());
        }
    }
    for head in [[0x85, 1], [0x86, 2], [0x86, 4]] {
        assert!(Kept::from_bytes(&[&head, &newest.to_bytes()[2..]].concat()).is_err());
    }
}

/// A verification that asks for no committee forgets none: else an old pin would count again.
#[test]
fn the_kept_committee_outlasts_a_policy_without_one() {
    let net = Network::certified(1);
    let kept = witnessed(&net).kept;
    let mut parts = grown(&net, &kept);
    parts.export.growth = None;
    parts.cosigners = vec![0, 1, 2];
    let by_witnesses = proved(net.ask(&parts, Some(&kept)).verdict()).kept;
    let mut old = Network::certified(0);
    for _ in 0..4 {
        old.event(subject(), SURGEON, added(NOTE));
    }
    for kept in [&kept, &by_witnesses] {
        let found = doubt(ask(&old, 0, &grown(&old, kept), Some(kept)));
        assert_eq!(found, Doubt::UnknownCommittee { epoch: 0 });
    }
    // Nor does it learn of one: whom such a policy trusts need not be trusted to name committees.
    let mut parts = net.certified_export();
    parts.cosigners = vec![0, 1, 2];
    let plain = net.report(&parts).kept;
    let found = doubt(ask(&net, 0, &net.certified_export(), Some(&plain)));
    assert_eq!(found, Doubt::RetiredCommittee { epoch: 0, now: 1 });
}

/// What was kept under a committee's policy is one half of the evidence, with its certificate.
#[test]
fn a_fork_of_what_a_committee_certified_is_evidence() {
    let (mut a, mut b) = (Network::certified(0), Network::certified(0));
    a.event(subject(), DOCTOR, added(NOTE));
    b.event(subject(), SURGEON, added(NOTE));
    let kept = proved(ask(&a, 0, &a.certified_export(), None)).kept;
    let refutation = refuted(ask(&b, 0, &b.certified_export(), Some(&kept)));
    assert_eq!(refutation.rule, Rule::Fork);
    assert!(refutation.to_string().contains("two statements are proof"));
    let evidence = *refutation.equivocation.unwrap();
    let bytes = chartseal_codec::to_bytes(&evidence);
    let evidence: Equivocation = chartseal_codec::from_bytes(&bytes).unwrap();
    let policy = chartseal_audit::TrustPolicy::parse(&a.committee_policy(0)).unwrap();
    let proof = evidence.verify(&policy).unwrap();
    let height = a.headers.last().unwrap().height;
    assert_eq!(proof.contradiction, Contradiction::Block { height });
    assert_eq!(proof.both.len(), 3);
    // Half of it by witnesses, or without its certificate, convinces nobody who trusts the committee alone.
    let mut parts = a.certified_export();
    parts.cosigners = vec![0, 1, 2];
    for kept in [a.report(&parts).kept, older(&kept)] {
        let refutation = refuted(ask(&b, 0, &b.certified_export(), Some(&kept)));
        assert_eq!(refutation.rule, Rule::Fork);
        assert_eq!(refutation.equivocation, None);
        assert!(!refutation.to_string().contains("two statements are proof"));
    }
}

#[test]
fn every_part_of_a_handover_is_checked() {
    let net = Network::certified(3);
    let good = net.certified_export();
    let breaks = |rule, change: &dyn Fn(&mut Parts)| {
        let mut parts = good.clone();
        parts.cosigners = vec![0];
        change(&mut parts);
        assert_breaks(ask(&net, 0, &parts, None), rule);
    };
    let handovers = |parts: &mut Parts| parts.export.finality.as_ref().unwrap().handovers.clone();
    let set = |parts: &mut Parts, handovers| {
        parts.export.finality.as_mut().unwrap().handovers = handovers;
    };
    // Left out, swapped, repeated.
    for at in 0..3 {
        breaks(Rule::Handover, &|parts| {
            let mut all = handovers(parts);
            all.remove(at);
            // The last one left out: then the certificate is of an epoch that nobody came into.
            if at == 2 {
                all.push(all[1].clone());
            }
            set(parts, all);
        });
    }
    breaks(Rule::Handover, &|parts| {
        let mut all = handovers(parts);
        all.swap(0, 1);
        set(parts, all);
    });
    breaks(Rule::Certificate, &|parts| {
        let mut all = handovers(parts);
        all.pop();
        set(parts, all);
    });
    // Another chain, another size of its log, the height of the newest block; all of it certified.
    let certified = |change: &dyn Fn(&mut chartseal_wire::BlockHeader)| {
        let mut all = handovers(&mut good.clone());
        change(&mut all[2].header);
        all[2].certificate = certify(&all[2].header, &[0, 1, 2]);
        all
    };
    let newest = net.headers.last().unwrap().height;
    for all in [
        certified(&|header| header.chain.0[0] ^= 1),
        certified(&|header| header.log_size += 1),
        certified(&|header| (header.height, header.log_size) = (newest, newest)),
        certified(&|header| header.next_committee = Hash::ZERO),
    ] {
        breaks(Rule::Handover, &|parts| set(parts, all.clone()));
    }
    // A certified header that is not in the log, and one of another epoch.
    let all = certified(&|header| header.tx_root = Hash::ZERO);
    breaks(Rule::HandoverInclusion, &|parts| set(parts, all.clone()));
    breaks(Rule::Certificate, &|parts| {
        let mut all = handovers(parts);
        let header = &mut all[2].header;
        header.epoch = 1;
        let signed = sign_off(header, &committee(2), 2, &[0, 1, 2]);
        all[2].certificate = signed;
        set(parts, all);
    });
    // A certificate that says another epoch than it was made in.
    breaks(Rule::Certificate, &|parts| {
        let newest = net.headers.last().unwrap();
        let finality = parts.export.finality.as_mut().unwrap();
        finality.certificate = sign_off(newest, &committee(3), 2, &[0, 1, 2]);
    });
    // The members of the first committee are no detail: its hash is what is trusted.
    let mut parts = good.clone();
    parts.cosigners = vec![0];
    parts.export.finality.as_mut().unwrap().first = committee(1);
    assert_breaks(ask(&net, 0, &parts, None), Rule::Handover);
}

/// A certificate as one is, but of so many members and with its signatures changed.
fn resigned(
    one: &Certificate,
    members: u64,
    change: impl FnOnce(&mut Vec<(u64, Signature)>),
) -> Certificate {
    let signed = one.signed();
    let mut signed = signed
        .map(|(at, signature)| (at as u64, *signature))
        .collect();
    change(&mut signed);
    let views = (one.epoch, one.view, one.parent_view);
    Certificate::new(views, one.block, members, &signed).unwrap()
}

#[test]
fn a_quorum_is_counted_of_the_right_committee() {
    let net = Network::certified(1);
    let newest = net.headers.last().unwrap();
    let judged = |certificate| {
        let mut parts = net.certified_export();
        parts.cosigners = vec![0];
        parts.export.finality.as_mut().unwrap().certificate = certificate;
        ask(&net, 0, &parts, None)
    };
    for by in [&[0, 1, 2][..], &[1, 2, 3], &[0, 1, 2, 3]] {
        let report = proved(judged(certify(newest, by)));
        assert_eq!(report.certified.unwrap().signers.len(), by.len());
    }
    for by in [&[0][..], &[0, 3], &[2, 3]] {
        assert_breaks(judged(certify(newest, by)), Rule::CertificateQuorum);
    }
    // A larger committee that nobody named.
    let other = resigned(&certify(newest, &[0, 1, 2]), 7, |_| ());
    assert_breaks(judged(other), Rule::CertificateQuorum);
    // One bad signature of four is no detail.
    let all = certify(newest, &[0, 1, 2, 3]);
    let other = resigned(&all, 4, |all| all[3].1 = all[2].1);
    assert_breaks(judged(other), Rule::CertificateSignature);
}

/// What a client asks that follows the chain itself.
#[test]
fn a_followed_header_is_taken_on_its_committees_certificate_alone() {
    let net = Network::certified(1);
    let newest = net.headers.last().unwrap();
    let judged = |certificate: &Certificate, epoch| {
        verify_certificate(certificate, newest, &committee(epoch))
    };
    let good = certify(newest, &[0, 1, 2]);
    assert_eq!(judged(&good, 1), Ok(()));
    assert_eq!(judged(&good, 0), Err("a certificate of another epoch"));
    let few = certify(newest, &[0, 1]);
    assert_eq!(judged(&few, 1), Err("fewer than a quorum signed"));
    let other = certify(net.headers.first().unwrap(), &[0, 1, 2]);
    assert_eq!(judged(&other, 1), Err("the certificate of another block"));
    let forged = resigned(&good, 4, |all| all[0].1 = all[1].1);
    assert!(judged(&forged, 1).is_err());
}

#[test]
fn a_committee_of_clones_is_no_committee() {
    let net = Network::certified(0);
    let file = net.certified_export().file();
    // One organization, or one key, twice.
    for (from, to) in [
        (vec![0x02; 16], vec![0x01; 16]),
        (
            validator(0, 2).verifying_key().to_bytes().to_vec(),
            validator(0, 1).verifying_key().to_bytes().to_vec(),
        ),
    ] {
        let at = file
            .extra
            .windows(from.len())
            .rposition(|part| part == from);
        let at = at.unwrap();
        let mut cloned = file.clone();
        cloned.extra[at..at + to.len()].copy_from_slice(&to);
        let question = Question {
            policy: net.committee_policy(0),
            ..net.ask_text(cloned.to_string(), None)
        };
        assert_breaks(question.verdict(), Rule::Export);
    }
}

/// A signature whose R has a part of small order: valid under ZIP-215 alone.
fn with_torsion(seed: u8, message: &[u8]) -> Signature {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let nonce = Scalar::from_bytes_mod_order([0x5a; 32]);
    let r = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[1])
        .compress()
        .0;
    let public = key.verifying_key().to_bytes();
    let hash = Sha512::new().chain_update(r).chain_update(public);
    let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
    let s = nonce + k * key.to_scalar();
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.as_bytes());
    Signature(signature)
}

#[test]
fn a_certificate_valid_under_zip_215_alone_is_valid_and_a_cosignature_is_not() {
    let net = Network::certified(0);
    let newest = net.headers.last().unwrap();
    let plain = certify(newest, &[0, 1, 2]);
    let message = plain.message(&net.chain);
    let first = committee(0).validators()[0];
    let odd = with_torsion(0x90 + first.org.0[0], &message);
    assert!(first.validator.verify_raw(&message, &odd).is_err());
    let mut parts = net.certified_export();
    let certificate = resigned(&plain, 4, |all| all[0].1 = odd);
    parts.export.finality.as_mut().unwrap().certificate = certificate;
    // The engine counts it, so whoever does not would refute what is final.
    proved(ask(&net, 0, &parts, None));
    // Under the one rule of everything else it is none.
    let mut parts = net.export();
    parts.cosigners = vec![0, 1, 2];
    let mut file = parts.file();
    let (vkey, _) = cosigner(0);
    let text = file.checkpoint.text.clone();
    let mut made = None;
    file.checkpoint.signatures[1] = vkey.line(&text, parts.signed_at, |bytes| {
        let signature = with_torsion(0x60, bytes);
        made = Some(vkey.key().unwrap().verify_zip215(bytes, &signature).is_ok());
        signature
    });
    assert_eq!(made, Some(true));
    assert_breaks(
        net.ask_text(file.to_string(), None).verdict(),
        Rule::Cosignature,
    );
}

#[test]
fn two_certified_blocks_of_one_height_are_evidence() {
    let (mut a, mut b) = (Network::certified(1), Network::certified(1));
    a.event(subject(), DOCTOR, added(NOTE));
    b.event(subject(), SURGEON, added(NOTE));
    let export = |net: &Network, by: &[usize], cosigners: Vec<u8>| {
        let mut parts = net.certified_export();
        let newest = net.headers.last().unwrap();
        parts.export.finality.as_mut().unwrap().certificate = certify(newest, by);
        parts.cosigners = cosigners;
        parts.text()
    };
    let (one, other) = (
        export(&a, &[0, 1, 2], vec![]),
        export(&b, &[1, 2, 3], vec![]),
    );
    let evidence = Equivocation::between(&one, &other).unwrap();
    let bytes = chartseal_codec::to_bytes(&evidence);
    assert_eq!(chartseal_codec::from_bytes(&bytes), Ok(evidence.clone()));
    let policy = chartseal_audit::TrustPolicy::parse(&a.committee_policy(1)).unwrap();
    let proof = evidence.verify(&policy).unwrap();
    let height = a.headers.last().unwrap().height;
    assert_eq!(proof.contradiction, Contradiction::Block { height });
    let validators = committee(1).validators();
    let both = [1, 2].map(|at: usize| format!("organization {}", validators[at].org));
    assert_eq!(proof.both, both);
    // No patient's data is in it.
    let entries = a.export().export.histories[0].entries.clone();
    for entry in entries {
        let at = bytes
            .windows(entry.0.len())
            .position(|part| part == entry.0);
        assert_eq!(at, None);
    }
    // Under a policy that needs a witness for the committee it is no proof yet.
    let policy = chartseal_audit::TrustPolicy::parse(&a.committee_policy(0)).unwrap();
    assert!(evidence.verify(&policy).is_err());
    let (one, other) = (
        export(&a, &[0, 1, 2], vec![0]),
        export(&b, &[1, 2, 3], vec![0]),
    );
    let evidence = Equivocation::between(&one, &other).unwrap();
    let proof = evidence.verify(&policy).unwrap();
    assert_eq!(proof.both, [&["v1".to_owned()][..], &both].concat());
    // Without the signatures nobody is accused: too few, and someone else's.
    let weak = export(&b, &[1, 2], vec![0]);
    let evidence = Equivocation::between(&one, &weak).unwrap();
    assert!(evidence.verify(&policy).is_err());
}

#[test]
fn every_single_bit_flip_of_a_small_certified_export_is_refused() {
    let net = Network::certified(1);
    let mut parts = net.certified_export();
    parts.cosigners = vec![0];
    let policy = net.committee_policy(0);
    let file = parts.file();
    let ask = |text: String| Question {
        policy: policy.clone(),
        ..net.ask_text(text, None)
    };
    proved(ask(file.to_string()).verdict());
    for bit in 0..8 * file.extra.len() {
        let mut flipped = file.clone();
        flipped.extra[bit / 8] ^= 1 << (bit % 8);
        let verdict = ask(flipped.to_string()).verdict();
        let refused = match &verdict {
            Verdict::Proved(_) => false,
            Verdict::Refuted(_) => true,
            Verdict::CannotTell(doubt) => {
                ["earlier_part_missing", "unknown_committee"].contains(&doubt.code())
            }
        };
        assert!(refused, "bit {bit}: {verdict}");
    }
}
