//! Two authenticated structures over SHA-256, with proofs that a few lines can check.
//!
//! - A **log** (RFC 6962, RFC 9162 §2.1): entries in order. [`Frontier`] appends and knows the root,
//!   [`Log`] also proves, [`verify_inclusion`] and [`verify_consistency`] check.
//! - A **map** (a binary prefix tree): one value for a 32-byte key. [`Map`] is persistent: a clone
//!   costs nothing and shares what did not change, so that many states are held side by side.
//!   [`MapProof`] shows that a key has exactly this value, or none.
//!
//! Callers hash their own leaves ([`leaf_hash`]), so an entry that was pruned or redacted is still
//! proved by its hash.
//!
//! ```
//! use chartseal_merkle::{Log, leaf_hash, verify_inclusion};
//!
//! let mut log = Log::new();
//! for entry in ["enrolled", "granted", "read"] {
//!     log.append(leaf_hash(entry.as_bytes()));
//! }
//! let proof = log.prove_inclusion(1, 3).unwrap();
//! assert!(verify_inclusion(leaf_hash(b"granted"), 1, 3, &proof, log.root()).is_ok());
//! assert!(verify_inclusion(leaf_hash(b"denied"), 1, 3, &proof, log.root()).is_err());
//! ```
//!
//! | module | what |
//! |---|---|
//! | `hash` | [`struct@Hash`], and the one-byte prefixes that keep leaves and nodes apart |
//! | `batch` | leaf hashes of many entries at a time |
//! | `frontier` | [`Frontier`]: append and root in O(log n) memory |
//! | `log` | [`Log`]: all leaf hashes, and proofs from them |
//! | `path` | [`inclusion_path`], [`consistency_path`]: which subtrees a proof takes, wherever their hashes lie |
//! | `proof` | [`verify_inclusion`], [`verify_consistency`] |
//! | `map` | [`Map`], [`MapChanges`], [`MapProof`] |
//!
//! # Limits
//! A [`Log`] and a [`Map`] live in memory. Keys of a [`Map`] must be hashes: who may choose a key's
//! bits may make one path up to 256 nodes long (never longer).
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
mod frontier;
mod hash;
mod log;
mod map;
mod path;
mod proof;

pub use frontier::Frontier;
pub use hash::{Hash, empty_root, leaf_hash, leaf_hash_of_parts, node_hash};
pub use log::Log;
pub use map::{Map, MapChanges, MapKey, MapProof};
pub use path::{consistency_path, inclusion_path, subtree_root};
pub use proof::{MAX_PROOF, ProofError, root_from_inclusion, verify_consistency, verify_inclusion};
