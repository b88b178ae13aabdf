//! The two main verbs: seal a record, open a record.

use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::author::{Author, AuthorKey, AuthorSignature};
use crate::body::{self, BodyError, Content, ContentError};
use crate::deal::Dealer;
use crate::dealing::{Dealing, Scope};
use crate::header::{Header, RecordInfo, read_format};
use crate::id::BodyDigest;
use crate::opened::Opened;
use crate::sharing::{self, Coins};
use crate::{ContentKey, Suite, domain};

/// A record as its author has it right after sealing.
#[derive(Debug)]
pub struct SealedRecord {
    /// What everybody may see.
    pub header: Header,
    /// The ciphertext.
    pub body: Vec<u8>,
    /// The author's signature over both.
    pub seal: Seal,
    /// The secrets to deal to the custodians; whoever has them reads the record.
    pub dealer: Dealer,
}

/// Seals `content` under a fresh key, for which `sealed.dealer` makes deals.
///
/// `author` is a [`SigningKeyPair`](crate::SigningKeyPair), or in suite 2 a `HybridSigningKeyPair`.
///
/// # Errors
/// [`SealError`].
pub fn seal_with_rng<'a>(
    info: &RecordInfo,
    content: &Content<'_>,
    author: impl Into<Author<'a>>,
    rng: &mut impl CryptoRng,
) -> Result<SealedRecord, SealError> {
    let author = author.into();
    if !author.is_of(info.suite) {
        return Err(SealError::Suite);
    }
    body::check(content.media_type, content.attributes)?;
    let (header, dealer) = prepare(info, author, rng);
    let body = body::seal(content, &dealer.coins, header.digest(), &dealer.key, rng);
    let seal = Seal::sign(&header, &body, author, rng);
    Ok(SealedRecord {
        header,
        body,
        seal,
        dealer,
    })
}

/// The header of a record under a fresh key, and the secrets to deal.
pub(crate) fn prepare(
    info: &RecordInfo,
    author: Author<'_>,
    rng: &mut impl CryptoRng,
) -> (Header, Dealer) {
    let key = ContentKey::generate_with_rng(rng);
    let coins = Coins::generate(rng);
    let scope = Scope::of_new(info, author.key_id());
    let shares = sharing::split(&key, &coins, &scope.to_bytes(), info.custodians.threshold);
    let root = scope.root(&scope.commit_all(&shares));
    let header = Header::new(info, author.key_id(), root);
    let dealer = Dealer {
        dealing: Dealing::initial(&header),
        key,
        coins,
    };
    (header, dealer)
}

/// As [`seal_with_rng`], with the operating system's randomness.
///
/// # Errors
/// [`SealError`].
#[cfg(feature = "getrandom")]
pub fn seal<'a>(
    info: &RecordInfo,
    content: &Content<'_>,
    author: impl Into<Author<'a>>,
) -> Result<SealedRecord, SealError> {
    seal_with_rng(info, content, author, &mut crate::SystemRng::new()?)
}

/// Why a record was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The content doesn't fit.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The author's key is not of the kind that the record's suite asks for.
    #[error("record and author's key are of different suites (CS-ENV-06)")]
    Suite,
    /// No randomness.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    Randomness(#[from] crate::RandomnessError),
}

/// Checks the author's seal and opens the body.
///
/// `author` is the key that the caller trusts under the id in the header; `key` is what
/// [`combine`](crate::combine) gave.
///
/// # Errors
/// [`OpenError`]. Nothing of the content is given out then.
pub fn open(
    header: &Header,
    body: &[u8],
    seal: &Seal,
    author: impl Into<AuthorKey>,
    key: &ContentKey,
) -> Result<Opened, OpenError> {
    seal.verify(header, body, author)?;
    let plain = body::open(body, header.digest(), key)?;
    Ok(Opened::new(header, plain, key))
}

/// Why a record was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The seal refuses header, body or author.
    #[error(transparent)]
    Seal(#[from] BadSeal),
    /// The key refuses the body, or the author sealed what is no body.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A call came after one that failed.
    #[error("opening failed before and can't go on (CS-ENV-38)")]
    Aborted,
}

/// The author's signature over header and body, in suite 2 both signatures. Anyone verifies it, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    suite: Suite,
    body_digest: BodyDigest,
    body_len: u64,
    signature: AuthorSignature,
}

impl Seal {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    /// BLAKE3 of the body.
    pub fn body_digest(&self) -> BodyDigest {
        self.body_digest
    }

    /// The body's length in bytes.
    pub fn body_len(&self) -> u64 {
        self.body_len
    }

    /// Checks the signature and the body.
    ///
    /// # Errors
    /// [`BadSeal`].
    pub fn verify(
        &self,
        header: &Header,
        body: &[u8],
        author: impl Into<AuthorKey>,
    ) -> Result<(), BadSeal> {
        self.verify_signature(header, author)?;
        if body.len() as u64 != self.body_len || digest(body) != self.body_digest {
            return Err(BadSeal::Body);
        }
        Ok(())
    }

    /// Checks the signature only, for who has no body.
    ///
    /// # Errors
    /// [`BadSeal`], but never [`BadSeal::Body`].
    pub fn verify_signature(
        &self,
        header: &Header,
        author: impl Into<AuthorKey>,
    ) -> Result<(), BadSeal> {
        let author = author.into();
        if self.suite != header.suite() || !author.is_of(self.suite) {
            return Err(BadSeal::Suite);
        }
        if author.key_id() != header.author() {
            return Err(BadSeal::Author);
        }
        let message = message(header, self.body_digest, self.body_len);
        author
            .verify(&message, &self.signature)
            .map_err(|_| BadSeal::Signature)
    }

    /// `author` is of the header's suite.
    pub(crate) fn sign(
        header: &Header,
        body: &[u8],
        author: Author<'_>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self::sign_digest(header, digest(body), body.len() as u64, author, rng)
    }

    /// `author` is of the header's suite.
    pub(crate) fn sign_digest(
        header: &Header,
        body_digest: BodyDigest,
        body_len: u64,
        author: Author<'_>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let signature = author.sign(&message(header, body_digest, body_len), rng);
        Self {
            suite: header.suite(),
            body_digest,
            body_len,
            signature,
        }
    }
}

impl Encode for Seal {
    fn encode(&self, e: &mut Encoder) {
        e.array(5)
            .uint(Self::FORMAT)
            .item(&self.suite)
            .item(&self.body_digest);
        e.uint(self.body_len).item(&self.signature);
    }
}

impl Decode for Seal {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Seal").array_exact(5)?;
        read_format(d, Self::FORMAT)?;
        let suite = Suite::decode(d)?;
        Ok(Self {
            suite,
            body_digest: BodyDigest::decode(d.at("body_digest"))?,
            body_len: d.at("body_len").uint()?,
            signature: AuthorSignature::read(suite, d.at("signature"))?,
        })
    }
}

/// What a seal refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadSeal {
    /// Seal and header are of different suites, or the author's key is of another kind.
    #[error("seal, header and author's key are of different suites (CS-ENV-06)")]
    Suite,
    /// The key that was given is not the one that the header names.
    #[error("header names another author key (CS-ENV-30)")]
    Author,
    /// The signature is not the author's over this header, body digest and length.
    #[error("author's signature does not verify for this header (CS-ENV-31)")]
    Signature,
    /// The body is not the one that was signed.
    #[error("body is not the one that the author signed (CS-ENV-32)")]
    Body,
}

fn digest(body: &[u8]) -> BodyDigest {
    BodyDigest(blake3::hash(body).into())
}

fn message(header: &Header, body: BodyDigest, len: u64) -> Vec<u8> {
    let len = len.to_be_bytes();
    let domain = if header.suite().is_hybrid() {
        domain::HYBRID_SEAL
    } else {
        domain::SEAL
    };
    [
        domain.as_bytes(),
        &[0],
        header.digest().as_bytes(),
        body.as_bytes(),
        &len,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::{
        CommitmentRoot, CustodianSet, RecordId, RecordVersion, SetId, SigningKeyPair, SubjectId,
        Threshold,
    };

    #[test]
    fn a_seal_with_another_length_than_its_body_has_is_refused() {
        let keys = SigningKeyPair::from_secret_bytes(&[1; 32]);
        let (author, mut rng) = (Author::from(&keys), ChaCha20Rng::from_seed([2; 32]));
        let info = RecordInfo {
            suite: Suite::default(),
            record_id: RecordId([1; 16]),
            subject: SubjectId([2; 16]),
            version: RecordVersion::FIRST,
            custodians: CustodianSet {
                id: SetId([3; 32]),
                epoch: 0,
                threshold: Threshold::new(2, 2).unwrap(),
            },
        };
        let header = Header::new(&info, author.key_id(), CommitmentRoot([4; 32]));
        let public = author.key();
        let mut seal = Seal::sign(&header, b"body", author, &mut rng);
        assert_eq!(seal.verify(&header, b"body", &public), Ok(()));
        seal.body_len = 5;
        assert_eq!(
            seal.verify(&header, b"body", &public),
            Err(BadSeal::Signature)
        );
        let message = message(&header, seal.body_digest, seal.body_len);
        seal.signature = author.sign(&message, &mut rng);
        assert_eq!(seal.verify(&header, b"body", &public), Err(BadSeal::Body));
    }
}
