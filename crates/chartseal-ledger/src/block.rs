use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Hash};
use chartseal_wire::BlockHeader;

use crate::transaction::SignedTransaction;

/// A header and the transactions whose effect it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What is certified.
    pub header: BlockHeader,
    /// In the order in which they count.
    pub transactions: Vec<SignedTransaction>,
}

impl Block {
    /// The most transactions of a block.
    pub const MAX_TRANSACTIONS: usize = 4_096;
    /// The most bytes of a block's encoding.
    pub const MAX_BYTES: usize = 4 * 1024 * 1024;

    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// The block whose canonical bytes these are, caps kept. Whether it is *true* is for
    /// [`execute`](crate::execute).
    ///
    /// # Errors
    /// Bytes that are no block's, or more than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Decoder::new(bytes).invalid("block is larger than 4 MiB"));
        }
        from_bytes(bytes)
    }
}

/// The RFC 6962 root of transactions, in order.
pub fn tx_root(transactions: &[SignedTransaction]) -> Hash {
    let mut tree = Frontier::new();
    for transaction in transactions {
        tree.append(transaction.leaf());
    }
    tree.root()
}

impl Encode for Block {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.header).item(&self.transactions);
    }
}

impl Decode for Block {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Block").array_exact(2)?;
        let header = BlockHeader::decode(d.at("header"))?;
        let transactions = d.at("transactions").list(Self::MAX_TRANSACTIONS)?;
        Ok(Self {
            header,
            transactions,
        })
    }
}
