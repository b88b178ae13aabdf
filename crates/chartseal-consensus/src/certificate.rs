use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use chartseal_ledger::Committee;
use chartseal_wire::domain::CONSENSUS;
use chartseal_wire::{ChainId, Hash, PublicKey};
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_cryptography::ed25519;
use commonware_cryptography::sha256::Digest;
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use thiserror::Error;

/// A quorum's proof that a block is final: the engine's, wrapped.
///
/// Two nodes may hold different certificates of one block (other signers, another view), and of some
/// blocks only a descendant has one. So a certificate is evidence for whoever asks, and is never hashed
/// into anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Finalization<Scheme, Digest>);

/// Why bytes are no certificate of a committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// `CS-BFT-01`: bytes that are none, or not in their one form.
    #[error("certificate's bytes are not in the engine's format for a committee of {members}")]
    Malformed {
        /// How many members the committee has.
        members: usize,
    },
    /// `CS-BFT-02`: another committee's term.
    #[error("certificate is of epoch {found}, expected {expected}")]
    Epoch {
        /// The committee's.
        expected: u64,
        /// The certificate's.
        found: u64,
    },
    /// `CS-BFT-03`: too few signatures, or one that does not verify.
    #[error("certificate is not signed by {quorum} of the committee's validators")]
    Signatures {
        /// How many must sign.
        quorum: u64,
    },
    /// `CS-BFT-04`: a member's validator key is no point of the curve.
    #[error("a committee member's validator key is not an ed25519 key")]
    Key,
    /// The system has no randomness, which checking signatures in a batch needs.
    #[error("system gives no randomness to check a certificate with")]
    Randomness,
}

impl CertificateError {
    /// The id of the rule that was broken; `CS-BFT-00` if it is not known.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "CS-BFT-01",
            Self::Epoch { .. } => "CS-BFT-02",
            Self::Signatures { .. } => "CS-BFT-03",
            Self::Key => "CS-BFT-04",
            Self::Randomness => "CS-BFT-00",
        }
    }
}

impl Certificate {
    pub(crate) fn new(finalization: Finalization<Scheme, Digest>) -> Self {
        Self(finalization)
    }

    /// The certificate whose bytes these are, verified: a quorum of the committee signed it.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verified(
        bytes: &[u8],
        chain: &ChainId,
        committee: &Committee,
    ) -> Result<Self, CertificateError> {
        let members = committee.members().len();
        let finalization: Finalization<Scheme, Digest> =
            Finalization::decode_cfg(Copying(bytes), &members)
                .map_err(|_| CertificateError::Malformed { members })?;
        let certificate = Self(finalization);
        // One certificate, one encoding: whatever a lenient decoder might let pass is refused here.
        if certificate.bytes() != bytes {
            return Err(CertificateError::Malformed { members });
        }
        let (expected, found) = (committee.epoch(), certificate.epoch());
        if expected != found {
            return Err(CertificateError::Epoch { expected, found });
        }
        let keys = committee.members().iter().map(|member| member.validator);
        let scheme = Scheme::verifier(&namespace(chain), participants(keys)?);
        if certificate.0.verify(&mut rng()?, &scheme, &Sequential) {
            Ok(certificate)
        } else {
            let quorum = committee.quorum();
            Err(CertificateError::Signatures { quorum })
        }
    }

    /// Its bytes, as docs/formats.md has them.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.encode().to_vec()
    }

    /// The final block: its header's leaf hash.
    pub fn block(&self) -> Hash {
        Hash(self.0.proposal.payload.0)
    }

    /// The term of the committee that signed it.
    pub fn epoch(&self) -> u64 {
        self.0.proposal.round.epoch().get()
    }

    /// The view in which it was signed: views count on through failed proposals, heights do not.
    pub fn view(&self) -> u64 {
        self.0.proposal.round.view().get()
    }

    /// The view of the block's parent; 0 if that is the epoch's first.
    pub fn parent_view(&self) -> u64 {
        self.0.proposal.parent.get()
    }
}

/// What the engine's signatures of a chain are bound to: `chartseal/consensus/1 ‖ 0x00 ‖ chain id`. The
/// engine itself appends what kind of vote it is.
pub fn namespace(chain: &ChainId) -> Vec<u8> {
    chartseal_wire::domain::tagged(CONSENSUS, &chain.0)
}

/// Validators' keys as the engine orders them: by their bytes.
pub(crate) fn participants(
    keys: impl IntoIterator<Item = PublicKey>,
) -> Result<Set<ed25519::PublicKey>, CertificateError> {
    let keys = keys.into_iter().map(|key| engine_key(&key));
    Ok(Set::from_iter_dedup(keys.collect::<Result<Vec<_>, _>>()?))
}

/// A key as the engine has it.
pub(crate) fn engine_key(key: &PublicKey) -> Result<ed25519::PublicKey, CertificateError> {
    ed25519::PublicKey::decode(Copying(key.0.as_slice())).map_err(|_| CertificateError::Key)
}

/// The weights with which a batch of signatures is checked: who made them can't foresee them.
pub(crate) fn rng() -> Result<ChaCha20Rng, CertificateError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| CertificateError::Randomness)?;
    Ok(ChaCha20Rng::from_seed(seed))
}
