use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chartseal_codec::{
    Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct, from_bytes, to_bytes,
};
use chartseal_merkle::{Hash, leaf_hash_of_parts};
use chartseal_wire::domain::{
    TRANSACTION, TRANSACTION_ID, TRANSACTION_LEAF, tagged, tagged_sha256,
};
use chartseal_wire::{ChainId, DecompressedKey, PublicKey, Signature, TxId};

use crate::body::Body;

/// The version of [`Transaction`]'s format.
pub const TRANSACTION_VERSION: u64 = 1;
/// The most bytes of a transaction, its signature left out.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// One signed statement about one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// [`TRANSACTION_VERSION`].
    pub version: u64,
    /// The chain that it is for.
    pub chain: ChainId,
    /// The key that signs it.
    pub actor_key: PublicKey,
    /// Above the key's last; gaps are fine. So no transaction counts twice.
    pub seq: u64,
    /// The last height at which it may be in a block.
    pub expires: u64,
    /// What it says.
    pub body: Body,
}

canonical_struct!(Transaction {
    version,
    chain,
    actor_key,
    seq,
    expires,
    body
});

impl Transaction {
    /// Signs it: `signer` gets the exact message to sign with Ed25519, its domain included.
    pub fn sign(&self, signer: impl FnOnce(&[u8]) -> Signature) -> SignedTransaction {
        let bytes = to_bytes(self);
        let signature = signer(&tagged(TRANSACTION, &bytes));
        SignedTransaction { bytes, signature }
    }
}

/// Keys whose points were found before; `None`: they are none.
pub(crate) type Keys = BTreeMap<PublicKey, Option<DecompressedKey>>;

/// A transaction as it was received: the bytes that were signed, and the signature. Only these bytes
/// are ever hashed or verified, never an encoding made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The canonical bytes of a [`Transaction`], if it is well-formed.
    pub bytes: Vec<u8>,
    /// Over these bytes, under the domain of transactions.
    pub signature: Signature,
}

impl SignedTransaction {
    /// Whether the signature is that of the key that the transaction names, by the strict rule of
    /// [`PublicKey::verify`]. Of the rest nothing is read. `keys` are those that were seen before.
    pub(crate) fn is_signed(&self, keys: &mut Keys) -> bool {
        let Ok(key) = self.actor_key() else {
            return false;
        };
        let key = keys.entry(key).or_insert_with(|| key.decompress().ok());
        key.as_ref().is_some_and(|key| {
            key.verify(TRANSACTION, &self.bytes, &self.signature)
                .is_ok()
        })
    }

    fn actor_key(&self) -> Result<PublicKey, DecodeError> {
        let mut d = Decoder::new(&self.bytes);
        d.array_exact(6)?;
        let _version: u64 = Decode::decode(&mut d)?;
        let _chain: ChainId = Decode::decode(&mut d)?;
        PublicKey::decode(&mut d)
    }

    /// Its id: of what was signed, whatever the signature.
    pub fn id(&self) -> TxId {
        TxId(tagged_sha256(TRANSACTION_ID, &self.bytes))
    }

    /// Its leaf in the block's transaction tree, which covers the signature too.
    pub fn leaf(&self) -> Hash {
        let mut e = Encoder::with_capacity(self.bytes.len() + 128);
        e.item(self);
        leaf_hash_of_parts(&[TRANSACTION_LEAF.as_bytes(), &[0], &e.finish()])
    }

    /// The transaction that the bytes are.
    ///
    /// # Errors
    /// Anything but the canonical bytes of a transaction.
    pub fn parse(&self) -> Result<Transaction, DecodeError> {
        from_bytes(&self.bytes)
    }
}

impl Encode for SignedTransaction {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).bytes(&self.bytes).item(&self.signature);
    }
}

impl Decode for SignedTransaction {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("SignedTransaction").array_exact(2)?;
        let bytes = d.at("bytes").bytes(MAX_TRANSACTION_BYTES)?.into();
        let signature = Signature::decode(d.at("signature"))?;
        Ok(Self { bytes, signature })
    }
}
