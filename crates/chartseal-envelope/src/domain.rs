//! Every domain-separation string of this crate.
//!
//! Each names one use of a hash, a signature, a key derivation or an HPKE context. None is a prefix
//! of another, and a zero byte follows each where it is hashed or signed, so no input of one use is
//! an input of another.

/// Digest of a [`Header`](crate::Header).
pub const HEADER: &str = "chartseal/envelope/header/1";
/// Digest of the header fields that a share commitment is bound to.
pub const SCOPE: &str = "chartseal/envelope/scope/1";
/// What an author's signature covers.
pub const SEAL: &str = "chartseal/envelope/seal/1";
/// What both signatures of an author of suite 2 cover: neither is a signature of suite 1.
pub const HYBRID_SEAL: &str = "chartseal/envelope/seal/ed25519-ml-dsa-65/1";
/// FIPS 204 context of every ML-DSA-65 signature.
pub const ML_DSA: &str = "chartseal/envelope/ml-dsa-65/1";
/// Salted hash of one share.
pub const SHARE: &str = "chartseal/envelope/share/1";
/// Hash of the list of one deal's share commitments.
pub const COMMITMENTS: &str = "chartseal/envelope/commitments/1";
/// Derivation of a polynomial's coefficients from the dealing coins.
pub const COEFFICIENTS: &str = "chartseal/envelope/coefficients/1";
/// Derivation of the commitments' salts from the dealing coins.
pub const SALTS: &str = "chartseal/envelope/salts/1";
/// HPKE context of a [`Deal`](crate::Deal).
pub const DEAL: &str = "chartseal/envelope/deal/1";
/// HPKE context of a [`Release`](crate::Release).
pub const RELEASE: &str = "chartseal/envelope/release/1";
/// Digest of a [`Release`](crate::Release).
pub const RELEASE_DIGEST: &str = "chartseal/envelope/release-digest/1";
/// What a custodian's signature under a release covers.
pub const RELEASE_SIGNATURE: &str = "chartseal/envelope/release-signature/1";
/// HPKE context of a slot in [`Slots`](crate::Slots).
pub const SLOT: &str = "chartseal/envelope/slot/1";
/// HPKE context of a [`SealedText`](crate::SealedText).
pub const TEXT: &str = "chartseal/envelope/text/1";
/// Id of an Ed25519 public key.
pub const SIGNING_KEY_ID: &str = "chartseal/envelope/key-id/ed25519/1";
/// Id of a public key of suite 2, an Ed25519 key and an ML-DSA-65 key.
pub const HYBRID_KEY_ID: &str = "chartseal/envelope/key-id/ed25519-ml-dsa-65/1";
/// Id of a KEM public key.
pub const KEM_KEY_ID: &str = "chartseal/envelope/key-id/kem/1";
/// Fingerprint of a [`PublicIdentity`](crate::PublicIdentity).
pub const IDENTITY: &str = "chartseal/envelope/identity/1";
/// Derivation of a signing key from a person's seed.
pub const SIGNING_KEY: &str = "chartseal/envelope/seed/ed25519/1";
/// Derivation of an ML-DSA-65 key from a person's seed.
pub const ML_DSA_KEY: &str = "chartseal/envelope/seed/ml-dsa-65/1";
/// Derivation of a KEM key from a person's seed.
pub const KEM_KEY: &str = "chartseal/envelope/seed/kem/1";

/// All of them.
pub const ALL: &[&str] = &[
    HEADER,
    SCOPE,
    SEAL,
    HYBRID_SEAL,
    ML_DSA,
    SHARE,
    COMMITMENTS,
    COEFFICIENTS,
    SALTS,
    DEAL,
    RELEASE,
    RELEASE_DIGEST,
    RELEASE_SIGNATURE,
    SLOT,
    TEXT,
    SIGNING_KEY_ID,
    HYBRID_KEY_ID,
    KEM_KEY_ID,
    IDENTITY,
    SIGNING_KEY,
    ML_DSA_KEY,
    KEM_KEY,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_domain_is_a_prefix_of_another() {
        for (i, a) in ALL.iter().enumerate() {
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{a} and {b}");
            }
        }
    }
}
