//! What Chartseal publishes: the formats that are hashed, signed, proved and exported.
//!
//! The ledger writes these types and the verifier reads them; neither needs the other. Everything
//! binary is canonical CBOR ([`chartseal_codec`]); notes, checkpoints and proof files are C2SP text.
//!
//! | module | what | source |
//! |---|---|---|
//! | [`id`] | ids, keys' ids, [`Time`] | |
//! | [`key`] | [`PublicKey`], [`Signature`]: one rule, `verify_strict` | RFC 8032 |
//! | [`domain`] | every domain-separation string of this crate and the ledger | |
//! | [`block`] | [`BlockHeader`], the leaves of the block log | |
//! | [`history`] | [`Entry`] and its events, the slots of histories in the state map | |
//! | [`note`] | signed notes, verifier keys, cosignatures | C2SP signed-note, tlog-cosignature |
//! | [`checkpoint`] | checkpoints | C2SP tlog-checkpoint |
//! | [`proof_file`] | `.tlog-proof` files | C2SP tlog-proof |
//! | [`export`] | what a proof file's `extra` line holds: a history with its proofs | |
//!
//! ```
//! use chartseal_wire::{Checkpoint, Hash};
//!
//! let text = "chartseal/chain/00\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
//! let checkpoint = Checkpoint::parse(text).unwrap();
//! assert_eq!((checkpoint.size, checkpoint.root), (0, chartseal_merkle::empty_root()));
//! assert_eq!(checkpoint.to_string(), text);
//! ```
//!
//! # Limits
//! Every decoder has caps (see each type) and refuses what is not the one canonical form. Nothing
//! here decides whether a thing is *true*: that is `chartseal-audit`.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod base64;
pub mod block;
pub mod certificate;
pub mod checkpoint;
pub mod committee;
pub mod domain;
mod error;
pub mod export;
pub mod history;
pub mod id;
pub mod key;
#[cfg(feature = "ml-dsa")]
mod ml_dsa_44;
pub mod note;
pub mod proof_file;

pub use block::BlockHeader;
pub use certificate::{BadCertificate, Certificate};
pub use chartseal_merkle::Hash;
pub use checkpoint::Checkpoint;
pub use committee::{Committee, Member};
pub use error::{FormatError, Line};
pub use export::{Export, HistorySection, SealedText};
pub use history::{Entry, Event, Subject};
pub use id::{
    ActorId, ChainId, DirectiveId, HeaderDigest, OrgId, PatientId, RecordId, RequestId, Time, TxId,
};
pub use key::{DecompressedKey, PublicKey, Signature};
#[cfg(feature = "ml-dsa")]
pub use ml_dsa_44::MlDsaKey;
pub use note::{SignedNote, VerifierKey};
pub use proof_file::ProofFile;
