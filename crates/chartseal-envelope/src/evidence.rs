//! Blame that a third party checks, with what is public and what the accuser reveals.

mod dealer;

use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};
use thiserror::Error;
use zeroize::Zeroizing;

pub use dealer::DealerEvidence;

use crate::custodian::Release;
use crate::dealing::Dealing;
use crate::domain;
use crate::hash::sha256;
use crate::header::read_format;
use crate::id::ShareIndex;
use crate::kem::KemKeyPair;
use crate::package::{ShareFault, by_name};
use crate::reader::Fault;
use crate::record::BadSeal;
use crate::signing::{BadSignature, Signature, SigningKeyPair, VerifyingKey};

/// A release that its custodian answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRelease {
    release: Release,
    signature: Signature,
}

impl Release {
    /// SHA-256 of the canonical bytes, under its domain: what a receipt may name.
    pub fn digest(&self) -> [u8; 32] {
        sha256(domain::RELEASE_DIGEST, &[&to_bytes(self)])
    }

    /// The custodian's signature over all of it. Without one a false share can be refused, but not
    /// blamed on anybody.
    #[must_use]
    pub fn sign(self, custodian: &SigningKeyPair) -> SignedRelease {
        let signature = custodian.sign(&message(&self));
        SignedRelease {
            release: self,
            signature,
        }
    }
}

impl SignedRelease {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    /// The release, if `custodian` signed it.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, custodian: &VerifyingKey) -> Result<&Release, BadSignature> {
        custodian.verify_strict(&message(&self.release), &self.signature)?;
        Ok(&self.release)
    }

    /// The release, whoever signed it: to show it, or to find the key to verify it with.
    pub fn unverified(&self) -> &Release {
        &self.release
    }
}

fn message(release: &Release) -> alloc::vec::Vec<u8> {
    let domain = domain::RELEASE_SIGNATURE.as_bytes();
    [domain, &[0], &release.digest()].concat()
}

impl Encode for SignedRelease {
    fn encode(&self, e: &mut Encoder) {
        e.array(3)
            .uint(Self::FORMAT)
            .item(&self.release)
            .item(&self.signature);
    }
}

impl Decode for SignedRelease {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("SignedRelease").array_exact(3)?;
        read_format(d, Self::FORMAT)?;
        Ok(Self {
            release: Release::decode(d)?,
            signature: Signature::decode(d.at("signature"))?,
        })
    }
}

/// Shows that a custodian signed a release that no honest custodian makes.
///
/// **It reveals the request's secret key, and with it everything that was ever sealed to that key.**
/// So a reader who is given a false share asks that custodian alone once more, under a fresh key that no
/// other custodian seals to, and reveals the fresh one. A custodian who answers well the second time
/// gave the share, and there is nothing left to prove.
///
/// What can't be proved this way: silence, a release without a signature, and a release to another key
/// or for another request, which may be an honest answer to somebody else.
///
/// ```
/// use chartseal_codec::{from_bytes, to_bytes};
/// # use chartseal_envelope::*;
/// # let author = SigningKeyPair::generate()?;
/// # let set = CustodianSet { id: SetId([1; 32]), epoch: 1, threshold: Threshold::new(2, 2)? };
/// # let info = RecordInfo { suite: Suite::default(), record_id: RecordId::random()?,
/// #     subject: SubjectId([2; 16]), version: RecordVersion::FIRST, custodians: set };
/// # let content = Content { media_type: "text/plain", attributes: b"", bytes: b"HbA1c 5.4 %" };
/// # let SealedRecord { header, body, seal, dealer } = seal(&info, &content, &author)?;
/// # let custodians = [KemKeyPair::generate()?, KemKeyPair::generate()?];
/// # let keys = custodians.each_ref().map(|keys| keys.public_key().clone());
/// # let deal = deal(&[&dealer], &keys)?.remove(0);
/// # let held = accept(&custodians[0], deal.index(), dealer.dealing(), &deal)?;
/// let dealing = Dealing::initial(&header);
/// let signing = SigningKeyPair::generate()?;
///
/// // Custodian 1 gives something false to the reader, and signs it.
/// let lie = |request, to: &KemKeyPair| {
///     let mut bytes = to_bytes(&release(&[&held], request, to.public_key()).unwrap());
///     *bytes.last_mut().unwrap() ^= 1;
///     from_bytes::<Release>(&bytes).unwrap().sign(&signing)
/// };
/// let (reader, request) = (KemKeyPair::generate()?, RequestId([3; 32]));
/// let signed = lie(request, &reader);
/// let release = signed.verify(&signing.verifying_key())?.clone();
/// let CombineError::NotEnough(shortage) = combine(&reader, request, &dealing, &[release]).unwrap_err()
/// else { unreachable!() };
/// assert_eq!(shortage.faults[0].custodian.get(), 1);
///
/// // The other custodians sealed good shares to that key. So: a fresh one, for custodian 1 alone.
/// let fresh = KemKeyPair::generate()?;
/// let again = lie(RequestId([4; 32]), &fresh);
/// let evidence = to_bytes(&ReleaseEvidence::new(again, &fresh));
///
/// // Anybody who knows the deal and the custodian's key finds the fault.
/// let evidence: ReleaseEvidence = from_bytes(&evidence)?;
/// let fault = evidence.check(ShareIndex::new(1)?, &signing.verifying_key(), &[&dealing])?;
/// assert_eq!(fault.why, ShareFault::Sealing);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReleaseEvidence {
    signed: SignedRelease,
    request_key: Zeroizing<[u8; 32]>,
}

impl ReleaseEvidence {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    /// Of a release to `request_key`, which whoever gets the evidence has from then on.
    pub fn new(signed: SignedRelease, request_key: &KemKeyPair) -> Self {
        Self {
            signed,
            request_key: request_key.expose_secret_bytes(),
        }
    }

    /// The release in question.
    pub fn signed(&self) -> &SignedRelease {
        &self.signed
    }

    /// What the custodian with this `index` and signing `key` did wrong: its first false item.
    ///
    /// `dealings` are those of all records in the release, **as they are anchored**: under a dealing that
    /// the accuser made up, every release is false.
    ///
    /// # Errors
    /// [`NoProof`]: it is no evidence, so the accuser is wrong.
    pub fn check(
        &self,
        index: ShareIndex,
        key: &VerifyingKey,
        dealings: &[&Dealing],
    ) -> Result<Fault, NoProof> {
        let signed = self.signed.verify(key);
        let release = signed.map_err(|_| NoProof::Signature)?;
        let keys = KemKeyPair::from_secret_bytes(release.suite(), &self.request_key);
        if keys.key_id() != release.recipient() {
            return Err(NoProof::RequestKey);
        }
        let fault = |why| Fault {
            custodian: index,
            why,
        };
        if release.index() != index {
            return Ok(fault(ShareFault::Index));
        }
        let items = match release.package.open(&keys, &by_name(dealings)) {
            Ok(items) => items,
            Err(why) => return Ok(fault(why)),
        };
        match items.into_iter().find_map(Result::err) {
            None => Err(NoProof::GoodRelease),
            Some(ShareFault::Foreign) => Err(NoProof::Foreign),
            Some(why) => Ok(fault(why)),
        }
    }
}

impl fmt::Debug for ReleaseEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = self.signed.release.index();
        write!(f, "ReleaseEvidence(custodian {index}, secret)")
    }
}

impl Encode for ReleaseEvidence {
    fn encode(&self, e: &mut Encoder) {
        e.array(3)
            .uint(Self::FORMAT)
            .item(&self.signed)
            .bytes(self.request_key.as_slice());
    }
}

impl Decode for ReleaseEvidence {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("ReleaseEvidence").array_exact(3)?;
        read_format(d, Self::FORMAT)?;
        Ok(Self {
            signed: SignedRelease::decode(d)?,
            request_key: Zeroizing::new(d.at("request_key").bytes_exact()?),
        })
    }
}

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoProof {
    /// The custodian did not sign the release.
    #[error("release is not signed by this custodian (CS-ENV-62)")]
    Signature,
    /// The release is sealed to another key than the one that is revealed.
    #[error("release is not sealed to the revealed key (CS-ENV-63)")]
    RequestKey,
    /// It is about a record or a deal that was not given.
    #[error("about a record or a deal that was not given (CS-ENV-64)")]
    Foreign,
    /// The release is as an honest custodian makes it.
    #[error("release is good, so it proves nothing (CS-ENV-65)")]
    GoodRelease,
    /// Another number of shares than this proof takes.
    #[error("{found} shares, should be {expected} (CS-ENV-66)")]
    Shares {
        /// How many there are.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// The dealer didn't commit to these shares.
    #[error("dealer did not commit to these shares (CS-ENV-67)")]
    NotCommitted,
    /// The shares are as an honest dealer makes them.
    #[error("shares are good, so they prove nothing (CS-ENV-68)")]
    GoodShares,
    /// The author's seal refuses header or body.
    #[error(transparent)]
    Seal(#[from] BadSeal),
}
