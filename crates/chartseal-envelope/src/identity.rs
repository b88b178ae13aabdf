//! What people give each other before they exchange records: their public keys.

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};
use thiserror::Error;

use crate::author::AuthorKey;
use crate::hash::sha256;
use crate::header::read_format;
use crate::kem::KemPublicKey;
use crate::keys::{Fingerprint, KeyId, KeySeed};
use crate::{Suite, domain};

/// The public keys of one person, as a `.pub` file holds them: whose seals to believe, and whom to seal to.
///
/// Whoever gives it says whose it is; nothing in it proves that. Two people who read its fingerprint to each
/// other know that both have the same.
///
/// ```
/// use chartseal_envelope::{Fingerprint, KeySeed, PublicIdentity, Suite};
/// # fn from_bytes(bytes: &[u8]) -> Result<PublicIdentity, Box<dyn std::error::Error>> {
/// #     Ok(chartseal_codec::from_bytes(bytes)?)
/// # }
///
/// let file = chartseal_codec::to_bytes(&KeySeed::from_bytes([7; 32]).identity(Suite::XWing));
///
/// // What came by mail is what its owner read out on the telephone.
/// let identity = from_bytes(&file)?;
/// let heard: Fingerprint = "ayrp-dyrt-gyeb-7c15-jvrv-pze7".parse()?;
/// assert_eq!(identity.fingerprint(), heard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicIdentity {
    suite: Suite,
    author: AuthorKey,
    kem: KemPublicKey,
}

impl PublicIdentity {
    /// The format's version.
    pub const FORMAT: u64 = 1;
    /// The longest encoding, in bytes: suite 2's.
    pub const MAX_LEN: usize = 3209;

    /// # Errors
    /// [`MixedIdentity`] if a key is not of the kind that the suite asks for.
    pub fn new(
        suite: Suite,
        author: impl Into<AuthorKey>,
        kem: KemPublicKey,
    ) -> Result<Self, MixedIdentity> {
        let author = author.into();
        if !author.is_of(suite) || kem.kem() != suite.kem() {
            return Err(MixedIdentity);
        }
        Ok(Self { suite, author, kem })
    }

    /// The suite of the records that they seal.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key that their seals verify with.
    pub fn author(&self) -> &AuthorKey {
        &self.author
    }

    /// The key that shares, slots and texts are sealed to.
    pub fn kem(&self) -> &KemPublicKey {
        &self.kem
    }

    /// Commits to every key, to read aloud.
    pub fn fingerprint(&self) -> Fingerprint {
        KeyId(sha256(domain::IDENTITY, &[&to_bytes(self)])).fingerprint()
    }
}

impl KeySeed {
    /// The public keys of the seed's pairs.
    pub fn identity(&self, suite: Suite) -> PublicIdentity {
        let author = match suite {
            #[cfg(feature = "pq-sign")]
            Suite::XWingMlDsa65 => self.hybrid_signing_key().verifying_key().into(),
            _ => AuthorKey::from(&self.signing_key().verifying_key()),
        };
        let kem = self.kem_key(suite).public_key().clone();
        PublicIdentity { suite, author, kem }
    }
}

impl Encode for PublicIdentity {
    fn encode(&self, e: &mut Encoder) {
        e.array(4).uint(Self::FORMAT).item(&self.suite);
        e.item(&self.author).item(&self.kem);
    }
}

impl Decode for PublicIdentity {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("PublicIdentity").array_exact(4)?;
        read_format(d, Self::FORMAT)?;
        let suite = Suite::decode(d)?;
        let author = AuthorKey::read(suite, d.at("author"))?;
        let kem = KemPublicKey::decode(d.at("kem"))?;
        Self::new(suite, author, kem)
            .map_err(|_| d.invalid("keys of an identity are of different suites (CS-ENV-06)"))
    }
}

/// Keys that no suite has together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("keys of an identity are of different suites (CS-ENV-06)")]
pub struct MixedIdentity;
