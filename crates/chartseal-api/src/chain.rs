use chartseal_codec::{Bytes, canonical_enum, canonical_struct};
use chartseal_ledger::SignedTransaction;
use chartseal_wire::SealedText;

/// A transaction, with the sealed texts to which it commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The transaction.
    pub transaction: SignedTransaction,
    /// The texts; the node keeps them beside the chain.
    pub texts: Vec<SealedText>,
}

canonical_struct!(Submission { transaction, texts });

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxOutcome {
    /// It waits for a block.
    Waiting,
    /// It is final and durable on this node, in the block at this height.
    Final(u64),
    /// It never will be, for this reason.
    Refused(String),
    /// The node does not know it.
    Unknown,
}

canonical_enum!(TxOutcome { 1 => Waiting, 2 => Final(_), 3 => Refused(_), 4 => Unknown });

/// A final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalBlock {
    /// The block's canonical bytes.
    pub block: Bytes,
    /// Its certificate, if the node has one: many blocks are only vouched for by a later one's.
    pub certificate: Option<Bytes>,
}

canonical_struct!(FinalBlock { block, certificate });

/// Final blocks, one height after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// At most 256 of them, and 4 MiB.
    pub blocks: Vec<FinalBlock>,
}

canonical_struct!(Blocks { blocks });
