//! The committee's certificate of a header, and how that committee came into office.
//!
//! Everything that a file shows is checked, whoever trusts it ([`check`]). Whether it is the network's
//! committee, and whether somebody vouches for the epochs that are over, is another question ([`judge`]).

use alloc::format;
use alloc::vec::Vec;

use chartseal_merkle::{node_hash, verify_inclusion};
use chartseal_wire::export::{Finality, Handover};
use chartseal_wire::{BlockHeader, Certificate, Checkpoint, Committee, Hash, Member, ProofFile};

use crate::kept::Kept;
use crate::policy::TrustPolicy;
use crate::report::Certified;
use crate::rules::Rule;
use crate::verdict::{Doubt, Stop};

/// Checks every certificate of a file, every handover, and that the checkpoint is of just the certified
/// block.
pub(crate) fn check(
    finality: &Finality,
    file: &ProofFile,
    checkpoint: &Checkpoint,
    header: &BlockHeader,
) -> Result<(), Stop> {
    let mut committee = &finality.first;
    let mut lowest = 0;
    for (handover, at) in finality.handovers.iter().zip(1..) {
        let refute = |rule, found: &str| Stop::refute(rule, format!("handover {at}: {found}"));
        let Handover {
            header: last,
            proof,
            certificate,
            next,
        } = handover;
        if last.chain != header.chain {
            return Err(refute(Rule::Handover, "another chain"));
        }
        if last.height < lowest || last.height >= header.height || last.log_size != last.height {
            let found = format!("height {} in a log of {}", last.height, last.log_size);
            return Err(refute(Rule::Handover, &found));
        }
        lowest = last.height + 1;
        let is_next = committee.epoch().checked_add(1) == Some(next.epoch());
        if !is_next || last.next_committee != next.hash() {
            return Err(refute(Rule::Handover, "not to the committee that it names"));
        }
        check_certificate(certificate, last, committee).map_err(|(rule, e)| refute(rule, e))?;
        verify_inclusion(
            last.leaf(),
            last.height,
            checkpoint.size,
            proof,
            checkpoint.root,
        )
        .map_err(|e| refute(Rule::HandoverInclusion, &format!("{e}")))?;
        committee = next;
    }
    check_certificate(&finality.certificate, header, committee)
        .map_err(|(rule, found)| Stop::refute(rule, found))?;
    check_log(file, checkpoint, header)
}

/// Whether a quorum of the committee certified the header: for whoever follows a chain and knows its committees.
///
/// # Errors
/// What is wrong with the certificate, in words.
pub fn verify_certificate(
    certificate: &Certificate,
    header: &BlockHeader,
    committee: &Committee,
) -> Result<(), &'static str> {
    check_certificate(certificate, header, committee).map_err(|(_, found)| found)
}

/// Whether a quorum of the committee certified the header.
fn check_certificate(
    certificate: &Certificate,
    header: &BlockHeader,
    committee: &Committee,
) -> Result<(), (Rule, &'static str)> {
    if certificate.block != header.leaf() {
        return Err((Rule::Certificate, "the certificate of another block"));
    }
    if header.epoch != committee.epoch() || certificate.epoch != committee.epoch() {
        return Err((Rule::Certificate, "a certificate of another epoch"));
    }
    let signed = certificate.signed().count() as u64;
    if certificate.members() != committee.n() || signed < committee.quorum() {
        return Err((Rule::CertificateQuorum, "fewer than a quorum signed"));
    }
    let message = certificate.message(&header.chain);
    for (validator, signature) in signers(certificate, committee) {
        if validator
            .validator
            .verify_zip215(&message, signature)
            .is_err()
        {
            return Err((
                Rule::CertificateSignature,
                "an invalid signature in a certificate",
            ));
        }
    }
    Ok(())
}

/// The validators that signed, each with its signature.
fn signers<'a>(
    certificate: &'a Certificate,
    committee: &Committee,
) -> impl Iterator<Item = (Member, &'a chartseal_wire::Signature)> {
    let validators = committee.validators();
    let signed = certificate.signed();
    signed.filter_map(move |(at, signature)| Some((*validators.get(at)?, signature)))
}

/// A certificate vouches for a header, not for a checkpoint: so the checkpoint's log has to be the
/// header's own with the header as its last leaf. Its proof then lists that log's peaks.
fn check_log(file: &ProofFile, checkpoint: &Checkpoint, header: &BlockHeader) -> Result<(), Stop> {
    let smallest_first = file.proof.iter().copied();
    let before = smallest_first.reduce(|right, left| node_hash(left, right));
    let before = before.unwrap_or_else(chartseal_merkle::empty_root);
    if Some(checkpoint.size) != header.height.checked_add(1) || before != header.log_root {
        let found = "a checkpoint of another log than the certified header's";
        return Err(Stop::refute(Rule::CertifiedLog, found));
    }
    Ok(())
}

/// Whether the policy's committee, or the one that was in office after what was kept, certified the
/// header; or why that can't be told.
///
/// A committee that is no longer in office may lose its keys, and whoever finds them can hand office over
/// to anybody. So for handovers since the trusted committee some witness has to vouch: `is_witnessed`.
pub(crate) fn judge(
    finality: &Finality,
    policy: &TrustPolicy,
    kept: Option<&Kept>,
    is_witnessed: bool,
) -> Result<Certified, Doubt> {
    let next = finality.handovers.iter().map(|handover| &handover.next);
    let committees: Vec<&Committee> = core::iter::once(&finality.first).chain(next).collect();
    let place = |hash: Hash| committees.iter().rposition(|one| one.hash() == hash);
    let kept = kept.and_then(|kept| kept.committee);
    let is_later = |at: &usize| {
        let epoch = committees.get(*at).map(|one| one.epoch());
        // The next epoch's committee is the one that was kept.
        kept.is_none_or(|(over, _)| epoch.is_some_and(|epoch| epoch > over.saturating_add(1)))
    };
    let pinned = policy.committee().and_then(place).filter(is_later);
    let Some(trusted) = kept.and_then(|(_, next)| place(next)).max(pinned) else {
        return Err(Doubt::UnknownCommittee {
            epoch: finality.first.epoch(),
        });
    };
    let Some((committee, _)) = committees.split_last() else {
        return Err(Doubt::UnknownCommittee { epoch: 0 });
    };
    let handovers = committees.len() - 1 - trusted;
    if handovers > 0 && !is_witnessed {
        return Err(Doubt::RetiredCommittee {
            epoch: committees.get(trusted).map_or(0, |one| one.epoch()),
            now: committee.epoch(),
        });
    }
    let certificate = &finality.certificate;
    let signers = signers(certificate, committee);
    // Each committee after the first is named in a header of the certified log; the first one by who trusts it.
    let is_trusted = trusted == 0 || policy.committee() == Some(finality.first.hash());
    let is_whole = is_trusted && finality.first.epoch() == 0;
    let largest = committees.iter().map(|one| one.n()).max();
    Ok(Certified {
        epoch: committee.epoch(),
        view: certificate.view,
        signers: signers.map(|(member, _)| member.org).collect(),
        of: committee.n(),
        tolerates: committee.f(),
        handovers: handovers as u64,
        custodians: largest.filter(|_| is_whole),
    })
}
