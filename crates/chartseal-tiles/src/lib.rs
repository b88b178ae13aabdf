//! An append-only log as C2SP tlog-tiles: published, read and witnessed.
//!
//! A log is published as static files: `checkpoint`, a signed tree head; `tile/…`, its hashes in pieces
//! of 256; `tile/entries/…`, its entries. Any web server serves them, any monitor and any witness of the
//! C2SP family follows them without our code.
//!
//! ```
//! use chartseal_tiles::{Directory, Publisher, TileLog, Witness};
//! use chartseal_wire::{Checkpoint, PublicKey, Signature, SignedNote, VerifierKey, note::KeyKind};
//! # use ed25519_dalek::{Signer, SigningKey};
//! # let dir = tempfile::tempdir()?;
//! # let (log_key, witness_key) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
//! # let vkey = |name, kind, key: &SigningKey| VerifierKey::new(name, kind, PublicKey(key.verifying_key().to_bytes())).unwrap();
//! # let log = vkey("example.org/log", KeyKind::Log, &log_key);
//! # let witness = vkey("example.org/witness", KeyKind::Cosigner, &witness_key);
//! # let files = Directory::new(dir.path().join("log"));
//! // The log appends, signs what it has, and publishes.
//! let mut publisher = Publisher::open(files.clone(), "example.org/log")?;
//! publisher.append(b"first")?;
//! publisher.append(b"second")?;
//! let text = publisher.checkpoint().to_string();
//! let signature = log.line(&text, 0, |bytes| Signature(log_key.sign(bytes).to_bytes()));
//! publisher.publish(&SignedNote { text, signatures: vec![signature] })?;
//!
//! // A witness cosigns it, if it continues what it cosigned before.
//! let sign = |bytes: &[u8]| Signature(witness_key.sign(bytes).to_bytes());
//! let mut witness = Witness::open(witness, dir.path().join("witness"), sign)?;
//! witness.trust(log);
//! let cosigned = witness.follow(&files, 1_800_000_000)?;
//! assert_eq!(cosigned.size, 2);
//!
//! // Anybody reads and proves.
//! let mut tiles = TileLog::open(files, Checkpoint::parse(&cosigned.note.text)?)?;
//! assert_eq!(tiles.entries(1)?, [b"second"]);
//! let proof = tiles.prove_inclusion(1)?;
//! chartseal_merkle::verify_inclusion(chartseal_merkle::leaf_hash(b"second"), 1, 2, &proof, tiles.checkpoint().root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `tile` | [`Tile`]: how a log is cut, and what its files are called |
//! | `edge` | the hashes at a log's right edge, which give its root |
//! | `files` | [`Source`] and [`Sink`]: where files lie; [`Directory`] |
//! | `publish` | [`Publisher`]: appends entries, and publishes what a checkpoint signs |
//! | `read` | [`TileLog`]: entries and proofs under one checkpoint, every file checked against it |
//! | `request` | [`AddCheckpoint`]: what a log asks a witness |
//! | `witness` | [`Witness`]: cosigns consistent growth, and never rolls back |
//!
//! # Limits
//! An entry has at most 65,535 bytes, for its length stands in two. Old partial tiles are never removed. A
//! reader holds a tile of each level in memory (64 KiB) and, while it reads entries, one bundle.

mod edge;
mod error;
mod files;
mod publish;
mod read;
mod request;
mod tile;
mod witness;

pub use error::TileError;
pub use files::{Directory, Sink, Source};
pub use publish::Publisher;
pub use read::{TileLog, push_entry};
pub use request::{AddCheckpoint, MAX_PROOF_LINES};
pub use tile::{Kind, MAX_LEVEL, NoTile, Tile, WIDTH};
pub use witness::{Cosigned, Refusal, Response, Witness};
