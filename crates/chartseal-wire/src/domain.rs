//! Domain-separation strings: what keeps one kind of signed or hashed bytes from passing for another.
//!
//! The input of a hash or signature is `domain ‖ 0x00 ‖ bytes` ([`tagged`]). Signatures on C2SP
//! notes follow their own specifications instead.

use alloc::vec::Vec;

/// A transaction's signature.
pub const TRANSACTION: &str = "chartseal/transaction/1";
/// A transaction's id.
pub const TRANSACTION_ID: &str = "chartseal/transaction-id/1";
/// A leaf of a block's transaction tree.
pub const TRANSACTION_LEAF: &str = "chartseal/transaction-leaf/1";
/// A leaf of the block log.
pub const BLOCK_LEAF: &str = "chartseal/block-leaf/1";
/// A leaf of a patient's or an actor's history.
pub const ENTRY_LEAF: &str = "chartseal/entry-leaf/1";
/// The id of a chain: the hash of its genesis.
pub const CHAIN_ID: &str = "chartseal/chain-id/1";
/// The hash of a committee in a header.
pub const COMMITTEE: &str = "chartseal/committee/1";
/// A patient's agreement to an enrolment.
pub const ENROLMENT: &str = "chartseal/enrolment/1";
/// A second organization's countersignature under an emergency role.
pub const COUNTERSIGNATURE: &str = "chartseal/countersignature/1";
/// The new key's agreement to replace an old one.
pub const KEY_POSSESSION: &str = "chartseal/key-possession/1";
/// The commitment to a sealed text (a reason, a label table) in the side store.
pub const SEALED_TEXT: &str = "chartseal/sealed-text/1";
/// The commitment in an actor's history to the code and basis of a decision.
pub const OUTCOME: &str = "chartseal/outcome/1";
/// A key of the state map.
pub const STATE_KEY: &str = "chartseal/state-key/1";
/// A leaf of the log of attempts that are counted, not listed.
pub const FLOOD_LEAF: &str = "chartseal/flood-leaf/1";
/// A second organization's agreement to a guardian, a status or a legal hold.
pub const SECOND_OFFICE: &str = "chartseal/second-office/1";
/// A guardian's agreement to the recovery of a patient's key.
pub const RECOVERY: &str = "chartseal/recovery/1";
/// The agreement to an adoption, of who speaks for the adopted id.
pub const ADOPTION: &str = "chartseal/adoption/1";
/// A committee member's agreement to the next committee.
pub const NEXT_COMMITTEE: &str = "chartseal/next-committee/1";
/// The commitment to a requester's ephemeral key.
pub const EPHEMERAL_KEY: &str = "chartseal/ephemeral-key/1";
/// What the consensus engine's votes and certificates of a chain are bound to.
pub const CONSENSUS: &str = "chartseal/consensus/1";
/// Where the side store keeps a text: by the transaction that commits to it, and the commitment.
pub const SIDE_TEXT: &str = "chartseal/side-text/1";
/// Where a node keeps whose record a ciphertext is.
pub const SIDE_BODY: &str = "chartseal/side-body/1";

/// Every string of this table.
pub const ALL: &[&str] = &[
    TRANSACTION,
    TRANSACTION_ID,
    TRANSACTION_LEAF,
    BLOCK_LEAF,
    ENTRY_LEAF,
    CHAIN_ID,
    COMMITTEE,
    ENROLMENT,
    COUNTERSIGNATURE,
    KEY_POSSESSION,
    SEALED_TEXT,
    OUTCOME,
    STATE_KEY,
    FLOOD_LEAF,
    SECOND_OFFICE,
    RECOVERY,
    ADOPTION,
    NEXT_COMMITTEE,
    EPHEMERAL_KEY,
    CONSENSUS,
    SIDE_TEXT,
    SIDE_BODY,
];

/// `domain ‖ 0x00 ‖ bytes`: no domain contains a zero byte, so two domains never meet.
pub fn tagged(domain: &str, bytes: &[u8]) -> Vec<u8> {
    [domain.as_bytes(), &[0], bytes].concat()
}

/// The SHA-256 of [`tagged`] bytes.
pub fn tagged_sha256(domain: &str, bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    hasher.update([0]);
    hasher.update(bytes);
    hasher.finalize().into()
}
