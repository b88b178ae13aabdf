use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use chartseal_ledger::Committee;
use chartseal_wire::domain::CONSENSUS;
use chartseal_wire::{Certificate, ChainId, PublicKey};
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types;
use commonware_cryptography::ed25519;
use commonware_cryptography::sha256::Digest;
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use thiserror::Error;

/// The engine's own form of a certificate.
pub(crate) type Finalization = types::Finalization<Scheme, Digest>;

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

/// The certificate whose bytes these are, verified: a quorum of the committee signed it.
///
/// Two nodes may hold different certificates of one block (other signers, another view), and of some
/// blocks only a descendant has one. So a certificate is evidence for whoever asks, and is never hashed
/// into anything.
///
/// # Errors
/// [`CertificateError`].
pub fn verified_certificate(
    bytes: &[u8],
    chain: &ChainId,
    committee: &Committee,
) -> Result<Certificate, CertificateError> {
    let members = committee.members().len();
    let malformed = CertificateError::Malformed { members };
    let finalization = Finalization::decode_cfg(Copying(bytes), &members).map_err(|_| malformed)?;
    // One certificate, one encoding: whatever a lenient decoder might let pass is refused here.
    let certificate = Certificate::parse(bytes).map_err(|_| malformed)?;
    if certificate.bytes() != bytes {
        return Err(malformed);
    }
    let (expected, found) = (committee.epoch(), certificate.epoch);
    if expected != found {
        return Err(CertificateError::Epoch { expected, found });
    }
    let keys = committee.members().iter().map(|member| member.validator);
    let scheme = Scheme::verifier(&namespace(chain), participants(keys)?);
    if finalization.verify(&mut rng()?, &scheme, &Sequential) {
        Ok(certificate)
    } else {
        let quorum = committee.quorum();
        Err(CertificateError::Signatures { quorum })
    }
}

/// A certificate without the engine; `None` of a committee that no chain has.
pub(crate) fn from_engine(finalization: &Finalization) -> Option<Certificate> {
    Certificate::parse(&finalization.encode()).ok()
}

/// A certificate as the engine has it, which checks it before it builds on it.
pub(crate) fn to_engine(certificate: &Certificate) -> Option<Finalization> {
    let members = usize::try_from(certificate.members()).ok()?;
    Finalization::decode_cfg(Copying(certificate.bytes().as_slice()), &members).ok()
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
