use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use chartseal_ledger::Genesis;
use chartseal_wire::PublicKey;
use commonware_broadcast::buffered;
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::marshal::core::{Actor, Processed};
use commonware_consensus::marshal::resolver::p2p as backfill;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::marshal::store::Blocks;
use commonware_consensus::marshal::{Config as MarshalConfig, Start, max_payload_size};
use commonware_consensus::simplex;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::ViewDelta;
use commonware_cryptography::certificate::Verifier as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};
use commonware_cryptography::sha256::Digest;
use commonware_cryptography::{Digested, Digestible as _, Signer as _};
use commonware_p2p::utils::mux::prefixed;
use commonware_p2p::{Blocker, Provider, Receiver, Sender, max_message_size};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle as Task, Metrics, Spawner, Storage};
use commonware_storage::archive::{immutable, prunable};
use commonware_storage::translator::EightCap;
use commonware_utils::NonZeroDuration;
use rand_core::CryptoRng;
use thiserror::Error;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::archive::{Archive, Recent};
use super::block::EngineBlock;
use super::epochs::Epochs;
use super::handle::Handle;
use super::recall::Asking;
use super::shared::{Settings, Shared};
use super::terms::{TermChannels, Terms};
use super::{finality, gossip, recall};
use crate::certificate::{CertificateError, to_engine};
use crate::keeper::Keeper;

/// The bytes of a page of stored data. This is a storage format: files that were written with another
/// size read as cut off, silently. So it is one constant, never a setting.
const PAGE_BYTES: NonZeroU16 = NonZeroU16::MIN.saturating_add(4_095);
/// How many messages an actor's queue holds before its overflow rules apply.
pub(super) const MAILBOX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// How many final blocks may wait to be kept.
const PENDING_BLOCKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);
/// How many missing blocks are fetched at a time.
const FETCHED_BLOCKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);
/// How many blocks of one peer are held before they are needed.
const BLOCKS_PER_PEER: usize = 16;
/// For how many views behind finality votes and unverified blocks are kept.
pub(super) const VIEWS_KEPT: u64 = 256;
/// The bytes that journals buffer for reading and for writing.
pub(super) const BUFFER: NonZeroUsize = NonZeroUsize::MIN.saturating_add(64 * 1024 - 1);
/// How many entries a section of a stored table has.
const SECTION: NonZeroU64 = NonZeroU64::MIN.saturating_add(4_095);
/// How many blocks are dropped at a time of those that the engine keeps.
pub(super) const PRUNED_AT_ONCE: u64 = 256;
const BLOCK_SECTION: NonZeroU64 = NonZeroU64::MIN.saturating_add(PRUNED_AT_ONCE - 1);

/// A validator's key.
pub struct Keys(PrivateKey);

/// The channels to the other validators: a sender and a receiver each.
#[derive(Debug)]
pub struct Channels<S, R> {
    /// Votes.
    pub votes: (S, R),
    /// Certificates.
    pub certificates: (S, R),
    /// Requests for certificates.
    pub resolver: (S, R),
    /// Requests for blocks.
    pub backfill: (S, R),
    /// Proposed blocks.
    pub blocks: (S, R),
    /// Transactions.
    pub transactions: (S, R),
    /// Votes that a validator is reminded of.
    pub recall: (S, R),
}

/// A running validator.
pub struct Running {
    /// To ask it.
    pub handle: Handle,
    /// The engine; it ends if the validator can't go on.
    pub engine: Task<()>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Running").field(&self.handle).finish()
    }
}

/// Why a validator can't start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A key of the committee is none.
    #[error(transparent)]
    Committee(#[from] CertificateError),
    /// The ledger does not say who makes its blocks final.
    #[error("the ledger's committees can't be told: {0}")]
    Committees(String),
    /// Its files can't be used.
    #[error("the engine's {what} can't be opened: {why}")]
    Storage {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Its ledger and the engine's files don't belong together.
    #[error(
        "the engine kept blocks up to height {engine}, the ledger up to {ledger}: they are of different \
         days; restore both from one backup, or start from empty ones"
    )]
    Behind {
        /// Up to which height the engine's files say blocks were kept.
        engine: u64,
        /// The ledger's height.
        ledger: u64,
    },
}

impl Keys {
    /// The key of an RFC 8032 seed.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Option<Self> {
        PrivateKey::decode(Copying(seed.as_slice())).ok().map(Self)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let key = self.0.public_key();
        key.as_ref()
            .try_into()
            .map_or(PublicKey([0; 32]), PublicKey)
    }

    /// Its name among the engine's peers.
    #[cfg(feature = "embedded")]
    pub(crate) fn name(&self) -> EngineKey {
        self.0.public_key()
    }

    pub(crate) fn engine(&self) -> &PrivateKey {
        &self.0
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keys").field(&self.public()).finish()
    }
}

/// The most bytes that any part of a validator sends: networks must admit it, as sending more panics.
pub fn max_message_bytes(validators: u32) -> u32 {
    let marshal = max_payload_size::<Standard<EngineBlock>, Scheme>(validators, &());
    // Every epoch has its own part of the channels of votes.
    let votes = prefixed(simplex::max_payload_size::<Scheme, Digest>(validators));
    max_message_size(&[marshal, votes, gossip::MAX_FRAME_BYTES])
}

/// Starts a validator of a network: it goes on where its keeper and its files say.
///
/// # Errors
/// [`StartError`].
#[expect(
    clippy::too_many_lines,
    reason = "one list of parts and how they are joined"
)]
pub(crate) async fn start<E, S, R, P, B>(
    context: E,
    settings: Settings,
    genesis: &Genesis,
    keys: &Keys,
    keeper: Box<dyn Keeper>,
    channels: Channels<S, R>,
    peers: P,
    blocker: B,
) -> Result<Running, StartError>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
    P: Provider<PublicKey = EngineKey>,
    B: Blocker<PublicKey = EngineKey>,
{
    let epochs = Epochs::of(&*keeper, keys.engine())
        .map_err(|why| StartError::Committees(why.to_string()))?;
    let me = keys.engine().public_key();
    let ledger = keeper.head().height();
    let anchor = keeper
        .anchor()
        .map_err(|why| storage("ledger", &why.to_string()))?;
    let shared = Arc::new(Shared::new(settings.clone(), keeper, epochs.clone()));
    let cache = CacheRef::new(PAGE_BYTES, settings.cached_pages);
    let partition = |name: &str| format!("{}-{name}", settings.partition);

    let (finalizations, mut blocks) = {
        let config = |name: &str| immutable::Config {
            metadata_partition: partition(&format!("{name}-metadata")),
            freezer_table_partition: partition(&format!("{name}-table")),
            freezer_table_initial_size: settings.table_size,
            freezer_table_resize_frequency: 4,
            freezer_table_resize_chunk_size: settings.table_size / 4,
            freezer_key_partition: partition(&format!("{name}-keys")),
            freezer_key_page_cache: cache.clone(),
            freezer_value_partition: partition(&format!("{name}-values")),
            freezer_value_target_size: 64 * 1024 * 1024,
            freezer_value_compression: None,
            ordinal_partition: partition(&format!("{name}-ordinal")),
            items_per_section: SECTION,
            freezer_key_write_buffer: BUFFER,
            freezer_value_write_buffer: BUFFER,
            ordinal_write_buffer: BUFFER,
            replay_buffer: BUFFER,
            codec_config: (),
        };
        let certificates = with_codec(
            config("certificates"),
            Scheme::certificate_codec_config_unbounded(),
        );
        let finalizations = immutable::Archive::init(context.child("certificates"), certificates)
            .await
            .map_err(|why| storage("certificates", &why))?;
        let blocks = prunable::Config {
            translator: EightCap,
            metadata_partition: partition("recent-metadata"),
            key_partition: partition("recent-keys"),
            key_page_cache: cache.clone(),
            value_partition: partition("recent-values"),
            compression: None,
            codec_config: (),
            items_per_section: BLOCK_SECTION,
            key_write_buffer: BUFFER,
            value_write_buffer: BUFFER,
            replay_buffer: BUFFER,
        };
        let blocks: Recent<E> = prunable::Archive::init(context.child("blocks"), blocks)
            .await
            .map_err(|why| storage("blocks", &why))?;
        let blocks = Archive::new(blocks, Arc::clone(&shared));
        (finalizations, blocks)
    };

    // The engine keeps a block before the ledger does. So a ledger with a later one got it elsewhere: a snapshot, or what was
    // fetched before this start. The validator goes on from there, and the engine fetches none of what is before.
    let anchor = anchor.filter(|_| blocks.newest().is_none_or(|newest| newest < ledger));
    let floor = anchor
        .as_ref()
        .and_then(|(_, certificate)| to_engine(certificate));
    let from = if let (Some(floor), Some((block, _))) = (&floor, anchor) {
        if let Some(block) = block {
            blocks = put(blocks, EngineBlock::new(block)).await?;
        }
        Start::Floor(floor.clone())
    } else {
        let first = EngineBlock::new(genesis.block());
        if blocks.newest().is_none() {
            blocks = put(blocks, first.clone()).await?;
        }
        let leaf = first.digest();
        Start::Genesis(Digested::precomputed(first, leaf))
    };
    let (actor, marshal, kept) = Actor::init(
        context.child("marshal"),
        finalizations,
        blocks,
        MarshalConfig {
            provider: epochs.clone(),
            epocher: epochs,
            start: from,
            partition_prefix: partition("marshal"),
            mailbox_size: MAILBOX,
            view_retention: ViewDelta::new(VIEWS_KEPT),
            prunable_items_per_section: SECTION,
            page_cache: cache.clone(),
            replay_buffer: BUFFER,
            key_write_buffer: BUFFER,
            value_write_buffer: BUFFER,
            block_codec_config: (),
            max_repair: FETCHED_BLOCKS,
            max_pending_acks: PENDING_BLOCKS,
            strategy: Sequential,
        },
    )
    .await;
    let engine = kept
        .processed()
        .map_or(0, |kept: Processed| kept.height().get());
    if engine > ledger {
        return Err(StartError::Behind { engine, ledger });
    }

    let resolver = backfill::init(
        context.child("backfill"),
        backfill::Config {
            public_key: me.clone(),
            peer_provider: peers.clone(),
            blocker: blocker.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: non_zero(settings.fetch_timeout),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        channels.backfill,
    );
    let (broadcast, buffer) = buffered::Engine::new(
        context.child("broadcast"),
        buffered::Config {
            public_key: me,
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_PER_PEER,
            priority: true,
            codec_config: (),
            peer_provider: peers,
            strategy: Sequential,
        },
    );
    broadcast.start(channels.blocks);
    let finality = finality::start(
        context.child("finality"),
        Arc::clone(&shared),
        marshal.clone(),
    );
    actor.start(finality, buffer, resolver);

    let (submit, submitted) = mpsc::unbounded_channel();
    gossip::start(
        context.child("gossip"),
        Arc::clone(&shared),
        submitted,
        channels.transactions,
        blocker.clone(),
    );

    let asking = Asking::new(channels.recall.0.clone());
    let answers = recall::start(
        context.child("recall"),
        Arc::clone(&shared),
        channels.recall,
        blocker.clone(),
    );

    let terms = Terms {
        shared: Arc::clone(&shared),
        marshal: marshal.clone(),
        blocker,
        cache,
        floor,
        attempts: 0,
    };
    let engine = terms.start(
        context.child("terms"),
        TermChannels {
            votes: channels.votes,
            certificates: channels.certificates,
            resolver: channels.resolver,
        },
        asking,
        answers,
    );
    let handle = Handle::new(shared, submit, marshal);
    Ok(Running { handle, engine })
}

/// Keeps a block that the engine starts from.
async fn put<E: Storage + Metrics + Clock>(
    blocks: Archive<E>,
    block: EngineBlock,
) -> Result<Archive<E>, StartError> {
    let block = Arc::new(block);
    let blocks = Blocks::put(blocks, block.digest(), &block).await;
    let blocks = blocks.map_err(|why| storage("blocks", &why))?;
    let blocks = Blocks::sync(blocks).await;
    blocks.map_err(|why| storage("blocks", &why))
}

fn with_codec<C>(config: immutable::Config<()>, codec_config: C) -> immutable::Config<C> {
    immutable::Config {
        metadata_partition: config.metadata_partition,
        freezer_table_partition: config.freezer_table_partition,
        freezer_table_initial_size: config.freezer_table_initial_size,
        freezer_table_resize_frequency: config.freezer_table_resize_frequency,
        freezer_table_resize_chunk_size: config.freezer_table_resize_chunk_size,
        freezer_key_partition: config.freezer_key_partition,
        freezer_key_page_cache: config.freezer_key_page_cache,
        freezer_value_partition: config.freezer_value_partition,
        freezer_value_target_size: config.freezer_value_target_size,
        freezer_value_compression: config.freezer_value_compression,
        ordinal_partition: config.ordinal_partition,
        items_per_section: config.items_per_section,
        freezer_key_write_buffer: config.freezer_key_write_buffer,
        freezer_value_write_buffer: config.freezer_value_write_buffer,
        ordinal_write_buffer: config.ordinal_write_buffer,
        replay_buffer: config.replay_buffer,
        codec_config,
    }
}

fn storage(what: &'static str, why: &dyn std::fmt::Display) -> StartError {
    let why = why.to_string();
    StartError::Storage { what, why }
}

pub(super) fn non_zero(duration: Duration) -> NonZeroDuration {
    NonZeroDuration::new_panic(duration.max(Duration::from_millis(1)))
}
