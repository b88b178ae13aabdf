//! What clients and nodes say to each other over HTTP.
//!
//! Bodies are canonical CBOR of the types here (`application/cbor`), or C2SP's texts (keys, checkpoints, exports); what goes wrong is a [`Problem`]
//! (`application/problem+json`, RFC 9457) with a stable code. A node's answers need not be believed: blocks come with
//! certificates, exports with proofs, releases are checked against the record's own header.
//!
//! | method and path | asks | answers |
//! |---|---|---|
//! | `GET /v1/genesis` | | the genesis |
//! | `GET /v1/blocks?from=H&wait_ms=W` | final blocks from a height on; waits if there is none yet | [`Blocks`] |
//! | `POST /v1/transactions` | [`Submission`] | nothing: it waits for a block |
//! | `GET /v1/transactions/{id}` | | [`TxOutcome`] |
//! | `GET /v1/transactions/{id}/proof` | | [`TransactionProof`] |
//! | `GET /v1/state/{key}` | | [`ValueProof`] |
//! | `POST /v1/state?height=H&wait_ms=W` | [`StateAsk`]; waits for a block of that height | [`StateProof`] |
//! | `GET /v1/head` | | the newest block's header as the network certified it: an export file without histories |
//! | `PUT /v1/kem-keys` | [`KemKey`] | nothing |
//! | `GET /v1/kem-keys/{id}` | | a KEM public key |
//! | `GET /v1/texts/{tx}/{commitment}` | | a sealed text |
//! | `POST /v1/deposits` | [`Deposit`] | [`Deposited`] |
//! | `POST /v1/redeals` | [`Redeal`] | [`Deposited`] |
//! | `POST /v1/releases` | [`ReleaseAsk`] | [`Releases`] |
//! | `POST /v1/uploads` | [`Outline`] | [`Uploaded`]: begins an upload, or goes on with it |
//! | `PUT /v1/uploads/{header}/{group}` | some groups of the body | [`Uploaded`] |
//! | `POST /v1/deposits/uploaded` | [`Redeal`], of the deals that the headers name | [`Deposited`] |
//! | `POST /v1/envelopes/{request}` | [`EnvelopesAsk`] | [`Envelopes`] |
//! | `GET /v1/envelopes/{request}/{record}` | | an [`Envelope`] |
//! | `GET /v1/envelopes/{request}/{record}/outline` | | an [`Outline`] |
//! | `GET /v1/envelopes/{request}/{record}/body` | a `Range`, or nothing | the envelope's body, or that part of it |
//! | `POST /v1/blobs` | [`Signed`] [`BlobAsk`] | at most [`MAX_PART`] bytes of a ciphertext, as it lies in the vault |
//! | `POST /v1/blobs/groups` | [`Signed`] [`BlobAsk`] | the hashes of a ciphertext's groups, 32 bytes each |
//! | `POST /v1/fronts` | [`Signed`] [`FrontsAsk`] | [`Fronts`] |
//! | `POST /v1/histories` | [`Signed`] [`HistoryAsk`] | [`History`] |
//! | `GET /v1/log-key` | | the verifier key under which the node issues checkpoints |
//! | `GET /v1/checkpoint` | | the newest block's checkpoint, signed under it |
//! | `POST /v1/cosignatures` | a checkpoint | the validator's cosignature |
//! | `POST /v1/exports` | [`Signed`] [`ExportAsk`] | an export |
//! | `GET /v1/time` | | the node's clock, a [`Time`](chartseal_wire::Time) |
//! | `GET /v1/version` | | the version of the node's program |
//! | `GET /openapi.json`, `GET /docs` | | this as OpenAPI 3.1, and a page to try it |
//! | `GET /v1/events?after=H` | | server-sent events `block`: [`BlockEvent`] as JSON, `id` the height |
//! | `POST /v1/histories/events` | [`Signed`] [`HistoryAsk`] | server-sent events `entry`: an entry in hex, `id` its index |
//! | `GET /health`, `GET /ready` | | 204, or a problem |
//! | `GET /metrics` | | numbers for Prometheus |
//!
//! ```
//! use chartseal_api::TxOutcome;
//!
//! let bytes = chartseal_codec::to_bytes(&TxOutcome::Final(7));
//! assert_eq!(bytes, [0x82, 2, 7]);
//! assert_eq!(chartseal_codec::from_bytes::<TxOutcome>(&bytes), Ok(TxOutcome::Final(7)));
//! ```
//!
//! | module | what |
//! |---|---|
//! | `envelope` | [`Envelope`], [`EnvelopeFront`]: a sealed record as it travels |
//! | `chain` | [`Submission`], [`TxOutcome`], [`Blocks`], [`FinalBlock`] |
//! | `custody` | [`KemKey`], [`BlobAsk`], [`FrontsAsk`], [`Fronts`], [`EnvelopesAsk`], [`Envelopes`], [`Deposit`], [`Redeal`], [`Deposited`], [`ReleaseAsk`], [`Releases`] |
//! | `event` | [`BlockEvent`], [`EntryEvents`], [`EntryDecoder`]: what comes as it happens |
//! | `outline` | [`Outline`], [`Uploaded`]: bodies that travel in parts |
//! | `history` | [`HistoryAsk`], [`History`], [`ExportAsk`] |
//! | `signed` | [`Signed`]: a question that only its subject may ask, for one node, once |
//! | `proof` | [`ValueProof`], [`StateAsk`], [`StateProof`], [`TransactionProof`]: single facts for who does not follow the chain |
//! | `problem` | [`Problem`] |
//! | [`domain`] | domain-separation strings |
//!
//! # Limits
//! A body is at most [`MAX_BODY`]. A larger ciphertext travels in parts.

pub mod domain;

mod chain;
mod custody;
mod envelope;
mod event;
mod history;
mod outline;
mod problem;
mod proof;
mod signed;

pub use chain::{Blocks, FinalBlock, Submission, TxOutcome};
pub use custody::{
    BlobAsk, Deposit, Deposited, Envelopes, EnvelopesAsk, Fronts, FrontsAsk, KemKey, MAX_FRONTS,
    Redeal, Refused, ReleaseAsk, Releases,
};
pub use envelope::{Envelope, EnvelopeFront};
pub use event::{BlockEvent, EntryDecoder, EntryEvents, EventError};
pub use history::{ExportAsk, History, HistoryAsk, Section};
pub use outline::{Outline, Uploaded};
pub use problem::Problem;
pub use proof::{MAX_KEYS, ProvedValue, StateAsk, StateProof, TransactionProof, ValueProof};
pub use signed::{Signed, SignedError};

/// The most bytes of a body.
pub const MAX_BODY: usize = 64 << 20;

/// The most bytes of a body's part.
pub const MAX_PART: usize = 4 << 20;
