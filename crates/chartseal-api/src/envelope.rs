use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use chartseal_envelope::{Header, Seal};
use chartseal_wire::RecordId;

/// The small part of a sealed record: header and author's seal. The body is a blob beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeFront {
    /// What everybody may see.
    pub header: Header,
    /// The author's signature over header and body.
    pub seal: Seal,
}

impl EnvelopeFront {
    /// Which record it is of.
    pub fn record(&self) -> RecordId {
        RecordId(self.header.record_id().0)
    }
}

impl Encode for EnvelopeFront {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.header).item(&self.seal);
    }
}

impl Decode for EnvelopeFront {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("envelope").array_exact(2)?;
        Ok(Self {
            header: Header::decode(d)?,
            seal: Seal::decode(d)?,
        })
    }
}

/// A sealed record, as it travels to a node and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Header and seal.
    pub front: EnvelopeFront,
    /// The ciphertext.
    pub body: Vec<u8>,
}

impl Envelope {
    /// Which record it is.
    pub fn record(&self) -> RecordId {
        self.front.record()
    }
}

impl Encode for Envelope {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.front).bytes(&self.body);
    }
}

impl Decode for Envelope {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("envelope").array_exact(2)?;
        Ok(Self {
            front: EnvelopeFront::decode(d)?,
            body: d.at("body").bytes(crate::MAX_BODY)?.to_vec(),
        })
    }
}
