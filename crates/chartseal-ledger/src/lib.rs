//! Chartseal's deterministic state machine: transactions, blocks, state and proofs.
//!
//! **The promise:** [`execute`] is pure. The same parent and the same block give the same state, the same
//! histories and the same decisions on every machine, or the same refusal with nothing changed. Every
//! access attempt, permitted or denied, is in the histories that it concerns.
//!
//! ```
//! use chartseal_ledger::body::{Organization, PatientEnrolled};
//! use chartseal_ledger::{Genesis, Params, TRANSACTION_VERSION, Transaction, execute, propose};
//! use chartseal_wire::{OrgId, PatientId, PublicKey, Signature, Subject, Time};
//! use ed25519_dalek::{Signer, SigningKey};
//!
//! let key = |seed: u8| SigningKey::from_bytes(&[seed; 32]);
//! let public = |seed| PublicKey(key(seed).verifying_key().to_bytes());
//! let sign = |seed, message: &[u8]| Signature(key(seed).sign(message).to_bytes());
//!
//! // One organization is enough for a committee that tolerates no faults.
//! let clinic = Organization {
//!     id: OrgId([1; 16]),
//!     enrolment_key: public(1),
//!     custodian_key: public(2),
//!     custodian_kem: [0; 32],
//!     validator: public(3),
//! };
//! let genesis =
//!     Genesis::new(Time(1_000), [7; 32], Params::default(), vec![clinic], &[clinic.id])?;
//! let parent = genesis.overlay();
//!
//! // Its office enrols a patient, who agrees.
//! let mut enrolment = PatientEnrolled {
//!     patient: PatientId([9; 16]),
//!     key: public(9),
//!     kem: [0; 32],
//!     history_salt: [8; 32],
//!     agreement: None,
//!     adult_from: Time(0),
//!     minor_consent_from: None,
//! };
//! enrolment.agreement = Some(sign(9, &enrolment.to_agree(&genesis.chain_id())));
//! let transaction = Transaction {
//!     version: TRANSACTION_VERSION,
//!     chain: genesis.chain_id(),
//!     actor_key: public(1),
//!     seq: 1,
//!     expires: 100,
//!     body: enrolment.into(),
//! };
//! let signed = transaction.sign(|message| sign(1, message));
//!
//! // One node proposes, every node executes, and all have the same state root.
//! let block = propose(&parent, Time(2_000), [signed]).block;
//! let executed = execute(&parent, &block)?;
//! assert_eq!(executed.overlay.map().root(), block.header.state_root);
//!
//! // The enrolment is the first entry of the patient's history.
//! let history = executed.overlay.state().frontier(&Subject::Patient(PatientId([9; 16])));
//! assert_eq!(history.size(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item | what |
//! |---|---|
//! | [`Genesis`], [`Params`], [`Committee`] | what a chain starts from |
//! | [`Transaction`], [`Body`], [`body`] | what may be written; [`AdmissionError`]: each rule with its id |
//! | [`Block`], [`execute`], [`propose`] | what orders it; [`BlockError`]: each rule with its id |
//! | [`Overlay`], [`State`], [`state`] | what is known after a block, and its proofs |
//! | [`Executed`], [`Receipt`] | what a block changed, what enters which history, what was decided |
//! | [`releasable`] | what a custodian may release, judged anew at the newest height |
//! | [`LedgerStore`], [`store`] | where it lasts; [`store::conformance`] for implementors |
//!
//! # Limits
//! The state lives in memory. Time is the proposer's: monotone here, and bounded by who has a clock
//! ([`Params::is_timely`]). A receipt and a stored request hold reasons that a practitioner must not be
//! served.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod admission;
mod apply;
mod block;
pub mod body;
mod committee;
mod custody;
mod execute;
mod genesis;
mod label;
mod overlay;
mod params;
mod receipt;
mod scratch;
mod signatures;
pub mod state;
pub mod store;
mod transaction;
mod world;

pub use admission::AdmissionError;
pub use block::{Block, tx_root};
pub use body::Body;
pub use committee::{Committee, Member};
pub use custody::{NotReleasable, Releasable, releasable};
pub use execute::{BlockError, Executed, Proposed, execute, execute_on, propose};
pub use genesis::{GENESIS_VERSION, Genesis, GenesisError};
pub use label::{INBOX, Label, Labels};
pub use overlay::Overlay;
pub use params::{EMERGENCY_ROLE, PRIVACY_ROLE, Params};
pub use receipt::{Decided, Effect, Receipt};
pub use state::State;
pub use store::{Commit, LedgerStore, MemoryStore};
pub use transaction::{MAX_TRANSACTION_BYTES, SignedTransaction, TRANSACTION_VERSION, Transaction};
