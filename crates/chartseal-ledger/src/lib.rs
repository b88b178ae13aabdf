//! Chartseal's deterministic state machine: transactions, blocks, state and proofs.
//!
//! **The promise:** [`execute`] is pure. The same parent and the same block give the same state, the same
//! histories and the same decisions on every machine, or the same refusal with nothing changed. Every
//! access attempt, permitted or denied, is in the histories that it concerns.
//!
//! # One visit
//! A patient is enrolled, a doctor files a record, asks for it, is denied, is granted it, reads it. All
//! of that is in the patient's history, under the root that every node comes to on its own.
//!
//! ```
//! use chartseal_ledger::body::{
//!     AccessRequested, CustodianSet, DirectiveIssued, Organization, PatientEnrolled,
//!     PractitionerEnrolled, RecordAdded, Released,
//! };
//! use chartseal_ledger::{
//!     BlockError, Body, Effect, Executed, Genesis, Labels, Params, TRANSACTION_VERSION, Transaction,
//!     execute, propose, releasable,
//! };
//! use chartseal_policy::{Grant, Grantee, Purpose, Set, Symbol, Terms, Window};
//! use chartseal_wire::history::Token;
//! use chartseal_wire::*;
//! use ed25519_dalek::{Signer, SigningKey};
//!
//! let [office, custodian, validator, doctor, patient] =
//!     [1, 2, 3, 4, 5].map(|seed| SigningKey::from_bytes(&[seed; 32]));
//! let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
//! let sign = |key: &SigningKey, message: &[u8]| Signature(key.sign(message).to_bytes());
//!
//! // One organization is enough for a committee that tolerates no faults.
//! let clinic = Organization {
//!     id: OrgId([0xc0; 16]),
//!     enrolment_key: public(&office),
//!     custodian_key: public(&custodian),
//!     custodian_kem: [0; 32],
//!     validator: public(&validator),
//! };
//! let genesis =
//!     Genesis::new(Time(1_000), [7; 32], Params::default(), vec![clinic], &[clinic.id])?;
//! let chain = genesis.chain_id();
//! let mut head = genesis.overlay();
//!
//! // Whoever has the turn proposes a block; every node executes it and has the same state root.
//! let mut say = |by: &SigningKey, seq, body: Body| -> Result<Executed, BlockError> {
//!     let (version, actor_key, expires) = (TRANSACTION_VERSION, public(by), 100);
//!     let transaction = Transaction { version, chain, actor_key, seq, expires, body };
//!     let signed = transaction.sign(|message| sign(by, message));
//!     let block = propose(&head, head.head().time.plus_ms(1_000), [signed]).block;
//!     let executed = execute(&head, &block)?;
//!     assert_eq!(executed.receipts.len(), 1);
//!     head = executed.overlay.clone();
//!     Ok(executed)
//! };
//!
//! // The office enrols the doctor, and the patient, who agrees.
//! let (doctor_id, patient_id) = (ActorId([4; 16]), PatientId([5; 16]));
//! let enrolment = PractitionerEnrolled {
//!     actor: doctor_id,
//!     key: public(&doctor),
//!     kem: [0; 32],
//!     roles: Set::default(),
//!     credential: Window::ALWAYS,
//!     countersignature: None,
//! };
//! say(&office, 1, enrolment.into())?;
//! let mut enrolment = PatientEnrolled {
//!     patient: patient_id,
//!     key: public(&patient),
//!     kem: [0; 32],
//!     history_salt: [8; 32],
//!     agreement: None,
//!     adult_from: Time(0),
//!     minor_consent_from: None,
//! };
//! enrolment.agreement = Some(sign(&patient, &enrolment.to_agree(&chain)));
//! say(&office, 2, enrolment.into())?;
//!
//! // The doctor files a record: what its envelope is, its blinded labels, who keeps its key's shares.
//! let record = RecordAdded {
//!     record: RecordId([6; 16]),
//!     patient: patient_id,
//!     version: 1,
//!     header: HeaderDigest([6; 32]),
//!     supersedes: None,
//!     body: [6; 32],
//!     length: 4_096,
//!     confidentiality: Default::default(),
//!     labels: Labels::inbox(),
//!     encounter: None,
//!     authored: Time(2_000),
//!     release_at: None,
//!     custodians: CustodianSet { epoch: 0, t: 1, n: 1 },
//!     fingerprint: [9; 32],
//! };
//! say(&doctor, 1, record.clone().into())?;
//!
//! // A request is decided in its block, from the state before it. A denial is an entry too.
//! let ask = AccessRequested {
//!     patient: patient_id,
//!     records: vec![record.record],
//!     action: Token::new("read").unwrap(),
//!     purpose: Token::new("TREAT").unwrap(),
//!     reason_code: Token::new("visit").unwrap(),
//!     reason: Hash([0; 32]),
//!     reader: [0; 32],
//! };
//! let code = |executed: &Executed| match &executed.receipts[0].effect {
//!     Effect::Decided(decided) => decided.records[0].code.to_string(),
//!     _ => unreachable!(),
//! };
//! assert_eq!(code(&say(&doctor, 2, ask.clone().into())?), "no_grant");
//!
//! // The patient grants it; now the same request is permitted, and the custodian may release.
//! let mut grant = Grant::to(Grantee::actor(doctor_id.0)?, Purpose::Treat);
//! grant.scope.tags = Some(Set::one(Symbol::new("INBOX")?));
//! let grant = DirectiveIssued {
//!     patient: patient_id,
//!     terms: Terms::Grant(grant),
//!     sealed: None,
//! };
//! say(&patient, 1, grant.into())?;
//! let permitted = say(&doctor, 3, ask.into())?;
//! assert_eq!(code(&permitted), "granted");
//! let (request, overlay) = (permitted.receipts[0].tx, &permitted.overlay);
//! assert_eq!(releasable(overlay, &request, overlay.head().time, 5_000)?.len(), 1);
//! let receipt = Released { request, records: vec![record.record] };
//! let last = say(&custodian, 1, receipt.into())?;
//!
//! // Enrolment, record, denied attempt, grant, permitted attempt, release: nothing else, and nothing
//! // less, as the size is under the root that the header names.
//! let subject = Subject::Patient(patient_id);
//! let history = last.overlay.state().frontier(&subject);
//! assert_eq!(history.size(), 6);
//! let proof = last.overlay.prove_history(&subject);
//! let value = chartseal_codec::to_bytes(&history);
//! proof.verify(last.overlay.head().state_root, &subject.slot(), Some(&value))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item | what |
//! |---|---|
//! | [`Genesis`], [`Params`], [`Committee`] | what a chain starts from |
//! | [`Transaction`], [`Body`], [`body`] | what may be written; [`AdmissionError`]: each rule with its id |
//! | [`Block`], [`execute`], [`execute_ahead`], [`propose`] | what orders it; [`BlockError`]: each rule with its id |
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
mod ahead;
mod apply;
mod block;
pub mod body;
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
pub use ahead::{AheadBlock, execute_ahead};
pub use block::{Block, tx_root};
pub use body::Body;
pub use chartseal_wire::{Committee, Member};
pub use custody::{NotReleasable, Releasable, releasable, releasable_of};
pub use execute::{
    BlockError, Executed, Proposed, execute, execute_on, execute_verified, propose,
    propose_verified,
};
pub use genesis::{GENESIS_VERSION, Genesis, GenesisError};
pub use label::{INBOX, Label, Labels};
pub use overlay::Overlay;
pub use params::{EMERGENCY_ROLE, PRIVACY_ROLE, Params};
pub use receipt::{Decided, Effect, Receipt};
pub use state::State;
pub use store::{Commit, LedgerStore, MemoryStore};
pub use transaction::{MAX_TRANSACTION_BYTES, SignedTransaction, TRANSACTION_VERSION, Transaction};
