//! One validator on the BFT engine: what proposes, verifies, keeps and gossips.

mod application;
mod archive;
mod block;
mod epochs;
mod finality;
mod gossip;
mod handle;
mod misconduct;
mod recall;
mod shared;
mod start;
mod terms;
mod votes;
mod watch;

pub use epochs::NOTICE;
pub use gossip::{MAX_FRAME_BYTES, read_frame};
pub use handle::{Handle, Outcome, Status};
pub use recall::{Answer, Recall};
pub use shared::{Builder, Honest, Settings};
pub(crate) use start::start;
pub use start::{Channels, Keys, Running, StartError, max_message_bytes};

use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types;
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_cryptography::sha256::Digest;

use block::EngineBlock;

/// A vote to notarize.
pub(crate) type Notarize = types::Notarize<Scheme, Digest>;
/// A vote to skip a view.
type Nullify = types::Nullify<Scheme>;
/// The signatures of a quorum.
type EngineCertificate = <Scheme as commonware_cryptography::certificate::Verifier>::Certificate;
/// A quorum's votes to notarize.
type Notarization = types::Notarization<Scheme, Digest>;
/// What the engine reports.
type Activity = types::Activity<Scheme, Digest>;
/// Where a proposal belongs.
type Context = types::Context<Digest, EngineKey>;
/// Who has blocks and certificates.
type Marshal = Mailbox<Scheme, Standard<EngineBlock>>;
