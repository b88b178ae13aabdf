use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};
use chartseal_wire::domain::tagged;
use chartseal_wire::{ChainId, OrgId, PublicKey, Signature, Time};

use crate::domain;

/// A question that only its subject may ask: signed, for one node, for a short time, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// Who asks. The node looks up whether the subject is theirs.
    pub key: PublicKey,
    /// When. A node takes it within a minute of its own clock.
    pub at: Time,
    /// Drawn anew for each question: a node takes none twice.
    pub nonce: [u8; 16],
    /// The question.
    pub ask: T,
    /// The signature over all of it, the chain and the node.
    pub signature: Signature,
}

/// Why a signed question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedError {
    /// The signature is not the key's, or for another node or chain.
    Signature,
    /// It was made too long ago, or in the future.
    Time,
}

/// How far the asker's clock may be off, and how long an answer is worth giving, in ms.
const WINDOW_MS: u64 = 60_000;

impl<T: Encode> Signed<T> {
    /// Signs a question for a node.
    pub fn new(
        (chain, node): (&ChainId, &OrgId),
        key: PublicKey,
        at: Time,
        nonce: [u8; 16],
        ask: T,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Self {
        let signature = sign(&message(chain, node, &key, at, &nonce, &ask));
        Self {
            key,
            at,
            nonce,
            ask,
            signature,
        }
    }

    /// Whether the key signed it for this node, at about this time. That it comes once, and that the key may ask it, the
    /// node sees to.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn check(&self, chain: &ChainId, node: &OrgId, now: Time) -> Result<(), SignedError> {
        if self.at.0.abs_diff(now.0) > WINDOW_MS {
            return Err(SignedError::Time);
        }
        let message = message(chain, node, &self.key, self.at, &self.nonce, &self.ask);
        let verified = self.key.verify_raw(&message, &self.signature);
        verified.map_err(|_| SignedError::Signature)
    }
}

fn message<T: Encode>(
    chain: &ChainId,
    node: &OrgId,
    key: &PublicKey,
    at: Time,
    nonce: &[u8; 16],
    ask: &T,
) -> Vec<u8> {
    let mut e = Encoder::new();
    e.array(6).item(chain).item(node).item(key).item(&at);
    e.bytes(nonce).item(ask);
    tagged(domain::ASK, &e.finish())
}

impl<T: Encode> Encode for Signed<T> {
    fn encode(&self, e: &mut Encoder) {
        e.array(5).item(&self.key).item(&self.at).bytes(&self.nonce);
        e.item(&self.ask).item(&self.signature);
    }
}

impl<T: Decode> Decode for Signed<T> {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("signed").array_exact(5)?;
        Ok(Self {
            key: Decode::decode(d.at("key"))?,
            at: Decode::decode(d.at("at"))?,
            nonce: d.at("nonce").bytes_exact()?,
            ask: T::decode(d.at("ask"))?,
            signature: Decode::decode(d.at("signature"))?,
        })
    }
}

impl<T: Encode> Signed<T> {
    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}
