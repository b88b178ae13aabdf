//! One organization's server: a replica of the ledger, a custodian of key shares, a vault of
//! ciphertext. It runs inside a process ([`Node`]), or as one of its own in a network ([`serve`]).
//!
//! A [`Node`] trusts its own final state and nothing else. It applies every block itself; it releases
//! a share only on a permit in that state, and only if it would decide the same now; it signs only
//! checkpoints of its own chain.
//!
//! | module | what |
//! |---|---|
//! | `node` | [`Node`]: opening, reading, sealed texts |
//! | `replica` | the node as a [`Replica`](chartseal_consensus::Replica): propose, execute, commit |
//! | [`serve`] | the node as a process: configuration, validator, control socket |
//! | [`custodian`] | deposit, re-deal, release, destroy |
//! | [`export`] | checkpoints, cosignatures, exports |
//! | `proof` | [`Certified`]: single facts with their proofs |
//! | `publish` | [`publish`]: the block log as C2SP tlog-tiles, for witnesses and monitors |
//! | [`keys`] | [`NodeKeys`]; the organization's enrolment key is not among them |
//! | `stores`, `ledger_store` | [`Stores`]: what is kept, and where; [`RedbLedger`] |
//! | `vault` | what lies in the stores, for who looks after them |
//! | `committee` | [`Proposal`]: the next committee, until a quorum agrees to it |
//! | `accused` | [`Accusation`]: evidence against validators, kept and judged |
//! | `vouchers` | [`Vouchers`]: what vouches for a snapshot from which a newcomer goes on |
//! | `metrics` | [`Metrics`]: what was refused, by rule |
//! | `clock`, `conduct` | [`Clock`]; [`Conduct`], for demonstrations and tests |
//!
//! # Limits
//! The block log's leaves and the state map are held in memory. Deposits are checked on the record's
//! newest version only: who amends before every custodian has the old version leaves that one to those
//! who do.

mod accused;
mod clock;
mod committee;
mod conduct;
pub mod custodian;
mod error;
pub mod export;
mod files;
pub mod keys;
mod ledger_store;
mod metrics;
mod node;
mod proof;
mod publish;
mod record_index;
mod replica;
pub mod serve;
mod stores;
mod vault;
mod vouchers;

pub use accused::{Accusation, EvidenceGround, evidence_files};
pub use chartseal_api::{Envelope, EnvelopeFront};
pub use clock::Clock;
pub use committee::{CommitteeView, KnownOrganization, MemberChange, Proposal, ProposalError};
pub use conduct::Conduct;
pub use custodian::{
    Deposited, MAX_LAG_MS, author_key, author_keys, custodian_set, dealing_of, dealt_in,
    share_index,
};
pub use error::{DepositFault, NodeError};
pub use export::ExportRequest;
pub use keys::NodeKeys;
pub use ledger_store::{LedgerStoreError, RedbLedger};
pub use metrics::Metrics;
pub use node::Node;
pub use proof::Certified;
pub use publish::{PublishError, publish};
pub use stores::Stores;
pub use vouchers::{VoucherError, Vouchers};
