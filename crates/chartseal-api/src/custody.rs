use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct};
use chartseal_envelope::{Deal, KemPublicKey, Release};
use chartseal_wire::{ActorId, HeaderDigest, RecordId, RequestId};

use crate::envelope::{Envelope, EnvelopeFront};

/// Asks for some of a ciphertext, between organizations: the key is a custodian's of the committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobAsk {
    /// Its BLAKE3.
    pub id: [u8; 32],
    /// From which byte on: at most [`MAX_PART`](crate::MAX_PART) of them come.
    pub from: u64,
}

canonical_struct!(BlobAsk { id, from });

/// Asks for the headers and seals of records, between organizations: the key is a custodian's of the committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontsAsk {
    /// The digests of their headers, as the chain has them.
    pub headers: Vec<HeaderDigest>,
}

impl Encode for FrontsAsk {
    fn encode(&self, e: &mut Encoder) {
        e.item(&self.headers);
    }
}

impl Decode for FrontsAsk {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            headers: d.at("headers").list(MAX_FRONTS)?,
        })
    }
}

/// Headers and seals of records, those that a node has of the ones that it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fronts {
    /// In any order: each names its record, and its digest is on the chain.
    pub fronts: Vec<EnvelopeFront>,
}

impl Encode for Fronts {
    fn encode(&self, e: &mut Encoder) {
        e.item(&self.fronts);
    }
}

impl Decode for Fronts {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            fronts: d.at("fronts").list(MAX_FRONTS)?,
        })
    }
}

/// Asks for sealed records of a request that was permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopesAsk {
    /// The records.
    pub records: Vec<RecordId>,
}

impl Encode for EnvelopesAsk {
    fn encode(&self, e: &mut Encoder) {
        e.item(&self.records);
    }
}

impl Decode for EnvelopesAsk {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            records: d.at("records").list(MAX_ENVELOPES)?,
        })
    }
}

/// Sealed records of those that were asked for, from the first on: as many as fit an answer, without those that the node
/// has not or may not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelopes {
    /// Each names its record.
    pub envelopes: Vec<Envelope>,
}

impl Encode for Envelopes {
    fn encode(&self, e: &mut Encoder) {
        e.item(&self.envelopes);
    }
}

impl Decode for Envelopes {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            envelopes: d.at("envelopes").list(MAX_ENVELOPES)?,
        })
    }
}

/// The most headers and seals that are asked for at a time.
pub const MAX_FRONTS: usize = 256;
/// The most records of a deposit, and that are asked for at a time.
const MAX_ENVELOPES: usize = 512;
/// The most releases of an answer: as many as there are indices.
const MAX_RELEASES: usize = 64;

/// The KEM public key of somebody who is enrolled. The chain has its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KemKey {
    /// Whose: a practitioner, a patient or an organization, by their id.
    pub of: ActorId,
    /// The key.
    pub key: KemPublicKey,
}

canonical_struct!(KemKey { of, key });

/// Sealed records, with one custodian's shares of their keys.
#[derive(Debug)]
pub struct Deposit {
    /// The records.
    pub envelopes: Vec<Envelope>,
    /// The shares, sealed to the custodian.
    pub deal: Deal,
}

impl Deposit {
    /// The canonical bytes of a deposit of these.
    pub fn bytes(envelopes: &[Envelope], deal: &Deal) -> Vec<u8> {
        let bodies = envelopes
            .iter()
            .map(|envelope| envelope.body.len() + 8 * 1_024);
        let mut e = Encoder::with_capacity(bodies.sum());
        e.array(2).array(envelopes.len());
        for envelope in envelopes {
            e.item(envelope);
        }
        e.item(deal);
        e.finish()
    }
}

impl Encode for Deposit {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.envelopes).item(&self.deal);
    }
}

impl Decode for Deposit {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("deposit").array_exact(2)?;
        Ok(Self {
            envelopes: d.at("envelopes").list(MAX_ENVELOPES)?,
            deal: Deal::decode(d)?,
        })
    }
}

/// One custodian's shares of keys that were dealt anew.
#[derive(Debug)]
pub struct Redeal {
    /// The headers and seals of their records.
    pub fronts: Vec<EnvelopeFront>,
    /// The shares, sealed to the custodian.
    pub deal: Deal,
}

impl Encode for Redeal {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.fronts).item(&self.deal);
    }
}

impl Decode for Redeal {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("re-deal").array_exact(2)?;
        Ok(Self {
            fronts: d.at("fronts").list(MAX_ENVELOPES)?,
            deal: Deal::decode(d)?,
        })
    }
}

/// What a custodian did with a deposit or a re-deal. It puts its acknowledgements on the chain itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// The records that it did not take.
    pub refused: Vec<Refused>,
}

canonical_struct!(Deposited { refused });

/// A record that a custodian did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub record: RecordId,
    /// Whether it was amended, erased or dealt anew since: then nobody needs its share any more.
    pub is_outdated: bool,
    /// Why, in words.
    pub why: String,
}

canonical_struct!(Refused {
    record,
    is_outdated,
    why
});

/// A request's reader asks for shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseAsk {
    /// The request.
    pub request: RequestId,
    /// The ephemeral key to which it commits.
    pub reader: KemPublicKey,
}

canonical_struct!(ReleaseAsk { request, reader });

/// A custodian's shares for a request, a release for each index that it has in the committees to which the records were
/// dealt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Releases {
    /// Sealed to the reader.
    pub releases: Vec<Release>,
}

impl Encode for Releases {
    fn encode(&self, e: &mut Encoder) {
        e.item(&self.releases);
    }
}

impl Decode for Releases {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            releases: d.at("releases").list(MAX_RELEASES)?,
        })
    }
}
