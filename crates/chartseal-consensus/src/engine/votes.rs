//! What this validator has seen of the others' votes, for those that have to be reminded of their own.

use std::collections::BTreeMap;

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{self, Attributable as _};
use commonware_consensus::{Epochable as _, Viewable as _};
use commonware_cryptography::certificate::Attestation;
use commonware_cryptography::sha256::Digest;
use commonware_utils::Participant;

use super::start::VIEWS_KEPT;
use super::{Activity, Notarize, Nullify};
use crate::certificate::Finalization;

/// Any vote.
pub(crate) type Vote = types::Vote<Scheme, Digest>;

/// Every validator's votes of one epoch, above the newest view that is final.
#[derive(Default)]
pub(crate) struct Votes {
    epoch: u64,
    newest: Option<Finalization>,
    /// By signer and view: at most one of each kind, in the newest [`VIEWS_KEPT`] views of the signer.
    seen: BTreeMap<(Participant, u64), Vec<Vote>>,
}

impl Votes {
    /// None of this epoch.
    pub(crate) fn of(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// The newest certificate of finality.
    pub(crate) fn newest(&self) -> Option<&Finalization> {
        self.newest.as_ref()
    }

    /// A validator's votes, by their views.
    pub(crate) fn by(&self, signer: Participant) -> impl Iterator<Item = &Vote> {
        let range = (signer, 0)..=(signer, u64::MAX);
        self.seen.range(range).flat_map(|(_, votes)| votes)
    }

    /// Notes what the engine reports: votes that came by themselves, and those that certificates hold.
    pub(crate) fn note(&mut self, activity: &Activity) {
        match activity {
            Activity::Notarize(vote) => self.vote(Vote::Notarize(vote.clone())),
            Activity::Nullify(vote) => self.vote(Vote::Nullify(vote.clone())),
            Activity::Finalize(vote) => self.vote(Vote::Finalize(vote.clone())),
            Activity::Notarization(of) => {
                for attestation in attestations(&of.certificate) {
                    let proposal = of.proposal.clone();
                    self.vote(Vote::Notarize(Notarize {
                        proposal,
                        attestation,
                    }));
                }
            }
            Activity::Nullification(of) => {
                for attestation in attestations(&of.certificate) {
                    let round = of.round;
                    self.vote(Vote::Nullify(Nullify { round, attestation }));
                }
            }
            Activity::Finalization(of) => self.finalized(of),
            _ => {}
        }
    }

    fn finalized(&mut self, certificate: &Finalization) {
        let view = certificate.view();
        let is_newer = self.newest.as_ref().is_none_or(|old| old.view() < view);
        if certificate.epoch().get() != self.epoch || !is_newer {
            return;
        }
        // Nobody votes at or below a view that is known to be final.
        self.seen.retain(|(_, seen), _| *seen > view.get());
        self.newest = Some(certificate.clone());
    }

    fn vote(&mut self, vote: Vote) {
        let (signer, view) = (signer(&vote), vote.view());
        let is_over = self.newest.as_ref().is_some_and(|of| view <= of.view());
        if vote.epoch().get() != self.epoch || is_over {
            return;
        }
        let votes = self.seen.entry((signer, view.get())).or_default();
        if !votes.iter().any(|seen| is_same_kind(seen, &vote)) {
            votes.push(vote);
        }
        let range = (signer, 0)..=(signer, u64::MAX);
        let views = self.seen.range(range.clone()).count();
        if views as u64 > VIEWS_KEPT
            && let Some(oldest) = self.seen.range(range).next().map(|(key, _)| *key)
        {
            self.seen.remove(&oldest);
        }
    }
}

/// Whose vote it is.
pub(crate) fn signer(vote: &Vote) -> Participant {
    match vote {
        Vote::Notarize(vote) => vote.signer(),
        Vote::Nullify(vote) => vote.signer(),
        Vote::Finalize(vote) => vote.signer(),
    }
}

/// Whether both notarize, nullify or finalize.
pub(crate) fn is_same_kind(one: &Vote, other: &Vote) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Each signer's signature out of a certificate.
fn attestations(
    certificate: &super::EngineCertificate,
) -> impl Iterator<Item = Attestation<Scheme>> {
    let signers = certificate.signers.iter();
    signers
        .zip(&certificate.signatures)
        .map(|(signer, signature)| Attestation {
            signer,
            signature: signature.clone(),
        })
}
