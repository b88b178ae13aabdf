use std::sync::Arc;

use chartseal_wire::PublicKey;
use commonware_actor::Feedback;
use commonware_codec::{Copying, Encode as _, ReadExt as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Attributable as _;
use commonware_consensus::{Reporter, Viewable as _};
use commonware_cryptography::certificate::{Attestation, Scheme as _};
use commonware_parallel::Sequential;
use commonware_utils::Participant;
use commonware_utils::ordered::Quorum as _;

use super::shared::Shared;
use super::{Activity, Notarization, Notarize};
use crate::certificate::rng;
use crate::evidence::leader;

/// Watches what the engine sees: how far it is, and who breaks the protocol.
#[derive(Clone)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    scheme: Scheme,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, scheme: Scheme) -> Self {
        Self { shared, scheme }
    }

    /// A leader's vote for its own proposal says who proposed it.
    fn vote(&self, vote: &Notarize) {
        if vote.signer() != leader(self.scheme.participants(), vote) {
            return;
        }
        if let Some(by) = self.whose(vote) {
            let mut core = self.shared.core();
            core.misconduct.proposed(by, vote.clone());
        }
    }

    /// Two votes of one validator that the engine takes for conflicting.
    fn votes(&self, one: &Notarize, other: &Notarize) {
        if let Some(by) = self.whose(one).filter(|by| self.whose(other) == Some(*by)) {
            self.shared.core().misconduct.twice(by, one, other);
        }
    }

    /// Who signed a vote, if its signature verifies: reported votes are not all verified.
    fn whose(&self, vote: &Notarize) -> Option<PublicKey> {
        let mut rng = rng().ok()?;
        let is_signed = vote.verify(&mut rng, &self.scheme, &Sequential);
        is_signed.then(|| self.key(vote.signer())).flatten()
    }

    fn key(&self, signer: Participant) -> Option<PublicKey> {
        let key = self.scheme.participants().key(signer)?;
        key.as_ref().try_into().ok().map(PublicKey)
    }

    /// A leader's vote out of a certificate: an equivocator sends each half of the validators one of its
    /// votes, and certificates reach them all.
    fn notarization(&self, certificate: &Notarization) {
        let signers = certificate.certificate.signers.iter();
        for (signer, signature) in signers.zip(&certificate.certificate.signatures) {
            let attestation = Attestation {
                signer,
                signature: signature.clone(),
            };
            self.vote(&Notarize {
                proposal: certificate.proposal.clone(),
                attestation,
            });
        }
    }

    /// Notes that somebody voted twice.
    fn double_vote(&self) {
        let mut core = self.shared.core();
        core.double_votes = core.double_votes.saturating_add(1);
    }

    /// Notes that somebody's vote came.
    fn heard(&self, signer: Participant) {
        if let Some(key) = self.key(signer) {
            let now = self.shared.now();
            self.shared.core().heard.insert(key, now);
        }
    }
}

impl Reporter for Watch {
    type Activity = Activity;

    fn report(&mut self, activity: Activity) -> Feedback {
        self.shared.core().seen.note(&activity);
        match &activity {
            Activity::Notarize(vote) => {
                self.heard(vote.signer());
                self.vote(vote);
            }
            Activity::Finalize(vote) => self.heard(vote.signer()),
            Activity::Nullify(vote) => self.heard(vote.signer()),
            Activity::Notarization(certificate) => self.notarization(certificate),
            Activity::Finalization(certificate) => {
                let mut core = self.shared.core();
                core.view = core.view.max(certificate.view().get());
                core.final_view = core.final_view.max(certificate.view().get());
            }
            Activity::Certification(certificate) => {
                let mut core = self.shared.core();
                core.view = core.view.max(certificate.view().get());
            }
            Activity::Nullification(certificate) => {
                let mut core = self.shared.core();
                if certificate.view().get() > core.view {
                    core.view = certificate.view().get();
                    // A leader that has nothing to propose holds its view until it ends.
                    let waited = u64::from(!core.pool.is_empty());
                    core.skipped = core.skipped.saturating_add(waited);
                }
            }
            // The engine saw two votes itself.
            Activity::ConflictingNotarize(both) => {
                self.double_vote();
                if let Some((one, other)) = halves(&both.encode()) {
                    self.votes(&one, &other);
                }
            }
            Activity::ConflictingFinalize(_) | Activity::NullifyFinalize(_) => self.double_vote(),
        }
        Feedback::Ok
    }
}

/// The two votes of a conflicting pair.
fn halves(bytes: &[u8]) -> Option<(Notarize, Notarize)> {
    let mut buf = Copying(bytes);
    let one = Notarize::read(&mut buf).ok()?;
    let other = Notarize::read(&mut buf).ok()?;
    Some((one, other))
}
