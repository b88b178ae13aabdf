//! What a record says in the clear.

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};
use thiserror::Error;

use crate::hash::sha256;
use crate::id::{CommitmentRoot, CustodianSet, HeaderDigest, RecordId, SubjectId};
use crate::keys::KeyId;
use crate::{Suite, domain};

/// What a caller decides about a record before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordInfo {
    /// The algorithms.
    pub suite: Suite,
    /// The record, the same over all its versions.
    pub record_id: RecordId,
    /// Whom it is about.
    pub subject: SubjectId,
    /// Which version, and which header it supersedes.
    pub version: RecordVersion,
    /// Who gets the shares of the first deal.
    pub custodians: CustodianSet,
}

/// A record's version: 1 supersedes nothing, every later one supersedes a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordVersion {
    number: u64,
    supersedes: Option<HeaderDigest>,
}

impl RecordVersion {
    /// The first version.
    pub const FIRST: Self = Self {
        number: 1,
        supersedes: None,
    };

    /// The version after `header`'s.
    ///
    /// # Errors
    /// [`VersionError`] after version 2⁶⁴−1.
    pub fn after(header: &Header) -> Result<Self, VersionError> {
        let number = header.version.number.checked_add(1).ok_or(VersionError)?;
        Ok(Self {
            number,
            supersedes: Some(header.digest()),
        })
    }

    /// The number, from 1.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// The header that it supersedes.
    pub const fn supersedes(self) -> Option<HeaderDigest> {
        self.supersedes
    }

    const fn is_valid(self) -> bool {
        match self.supersedes {
            None => self.number == 1,
            Some(_) => self.number > 1,
        }
    }
}

/// A version that contradicts what it supersedes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("version 1 supersedes nothing, a later one supersedes a header (CS-ENV-03)")]
pub struct VersionError;

/// What a record says in the clear: canonical CBOR, signed by its author's [`Seal`](crate::Seal).
///
/// Its digest is the context of the body's encryption, and in the associated data of every share,
/// so nothing of one record is of any use under another header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    suite: Suite,
    record_id: RecordId,
    subject: SubjectId,
    version: RecordVersion,
    author: KeyId,
    custodians: CustodianSet,
    commitments: CommitmentRoot,
}

impl Header {
    /// The format's version.
    pub const FORMAT: u64 = 1;

    pub(crate) fn new(info: &RecordInfo, author: KeyId, commitments: CommitmentRoot) -> Self {
        Self {
            suite: info.suite,
            record_id: info.record_id,
            subject: info.subject,
            version: info.version,
            author,
            custodians: info.custodians,
            commitments,
        }
    }

    /// The algorithms.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The record.
    pub fn record_id(&self) -> RecordId {
        self.record_id
    }

    /// Whom it is about.
    pub fn subject(&self) -> SubjectId {
        self.subject
    }

    /// Which version, and which header it supersedes.
    pub fn version(&self) -> RecordVersion {
        self.version
    }

    /// The id of the author's signing key.
    pub fn author(&self) -> KeyId {
        self.author
    }

    /// Who got the shares of the first deal. A re-deal is not in the header.
    pub fn custodians(&self) -> CustodianSet {
        self.custodians
    }

    /// The root of the first deal's share commitments.
    pub fn commitments(&self) -> CommitmentRoot {
        self.commitments
    }

    /// SHA-256 of the canonical bytes, under its domain.
    pub fn digest(&self) -> HeaderDigest {
        HeaderDigest(sha256(domain::HEADER, &[&to_bytes(self)]))
    }
}

impl Encode for Header {
    fn encode(&self, e: &mut Encoder) {
        e.array(9)
            .uint(Self::FORMAT)
            .item(&self.suite)
            .item(&self.record_id)
            .item(&self.subject);
        e.uint(self.version.number).item(&self.version.supersedes);
        e.item(&self.author)
            .item(&self.custodians)
            .item(&self.commitments);
    }
}

impl Decode for Header {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Header").array_exact(9)?;
        read_format(d, Self::FORMAT)?;
        let suite = Suite::decode(d)?;
        let record_id = RecordId::decode(d.at("record_id"))?;
        let subject = SubjectId::decode(d.at("subject"))?;
        let number = d.at("record_version").uint()?;
        let supersedes = Option::decode(d.at("supersedes"))?;
        let version = RecordVersion { number, supersedes };
        if !version.is_valid() {
            return Err(d.invalid(
                "version 1 supersedes nothing, a later one supersedes a header (CS-ENV-03)",
            ));
        }
        Ok(Self {
            suite,
            record_id,
            subject,
            version,
            author: KeyId::decode(d.at("author"))?,
            custodians: CustodianSet::decode(d.at("custodians"))?,
            commitments: CommitmentRoot::decode(d.at("commitments"))?,
        })
    }
}

/// The format's version, which stands first in every object.
pub(crate) fn read_format(d: &mut Decoder<'_>, known: u64) -> Result<(), DecodeError> {
    if d.at("format").uint()? == known {
        return Ok(());
    }
    Err(d.invalid("format version is not known, should be 1 (CS-ENV-01)"))
}
