use chartseal_codec::{Bytes, canonical_struct};
use chartseal_ledger::SignedTransaction;
use chartseal_merkle::MapProof;
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
