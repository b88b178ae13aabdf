use chartseal_codec::{Bytes, canonical_struct};
use chartseal_ledger::SignedTransaction;
use chartseal_merkle::{MapKey, MapProof};
use chartseal_wire::{BlockHeader, Hash};

/// A value of the state after the newest block, with what proves it to who does not follow the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueProof {
    /// The newest block's header as the network certified it: an export file without histories.
    pub head: String,
    /// The value; `None`: there is nothing under the key.
    pub value: Option<Bytes>,
    /// That it is that.
    pub proof: MapProof,
}

canonical_struct!(ValueProof { head, value, proof });

/// The most keys of a [`StateAsk`].
pub const MAX_KEYS: usize = 4_096;

/// Asks what the state has under some keys, at most [`MAX_KEYS`], after one and the same block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateAsk {
    /// The keys.
    pub keys: Vec<MapKey>,
}

canonical_struct!(StateAsk { keys });

/// What the state has under them, with what proves it to who does not follow the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// As in [`ValueProof`].
    pub head: String,
    /// For each key, in the order of the question.
    pub values: Vec<ProvedValue>,
}

canonical_struct!(StateProof { head, values });

/// A value with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedValue {
    /// The value; `None`: there is nothing under the key.
    pub value: Option<Bytes>,
    /// That it is that.
    pub proof: MapProof,
}

canonical_struct!(ProvedValue { value, proof });

/// A final transaction, with what proves that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionProof {
    /// As in [`ValueProof`].
    pub head: String,
    /// The header of the transaction's block.
    pub header: BlockHeader,
    /// That this is the header of an earlier block of the chain, or the newest one's.
    pub in_log: Vec<Hash>,
    /// The transaction.
    pub transaction: SignedTransaction,
    /// Where in the block it stands.
    pub index: u64,
    /// How many transactions the block has.
    pub transactions: u64,
    /// That the block has it there.
    pub in_block: Vec<Hash>,
}

canonical_struct!(TransactionProof {
    head,
    header,
    in_log,
    transaction,
    index,
    transactions,
    in_block
});
