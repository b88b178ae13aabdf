use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use chartseal_ledger::{Committee, Genesis};
use chartseal_wire::{ChainId, PublicKey};
use commonware_broadcast::buffered;
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::Reporters;
use commonware_consensus::marshal::core::{Actor, Processed};
use commonware_consensus::marshal::resolver::p2p as backfill;
use commonware_consensus::marshal::standard::{Inline, Standard};
use commonware_consensus::marshal::{Config as MarshalConfig, Start, max_payload_size};
use commonware_consensus::simplex::config::{Config, Floor, ForwardPolicy, SkipBudget, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::{self, Engine};
use commonware_consensus::types::{Epoch, FixedEpocher, ViewDelta};
use commonware_cryptography::certificate::{ConstantProvider, Verifier as _};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};
use commonware_cryptography::sha256::Digest;
use commonware_cryptography::{Digested, Digestible as _, Sha256, Signer as _};
use commonware_p2p::{Blocker, Provider, Receiver, Sender, max_message_size};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle as Task, Metrics, Spawner, Storage};
use commonware_storage::archive::immutable;
use commonware_utils::NonZeroDuration;
use rand_core::CryptoRng;
use thiserror::Error;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::application::Application;
use super::block::EngineBlock;
use super::handle::Handle;
use super::shared::{Settings, Shared};
use super::watch::Watch;
use super::{finality, gossip};
use crate::certificate::{CertificateError, namespace, participants};
use crate::keeper::Keeper;

/// The bytes of a page of stored data. This is a storage format: files that were written with another
/// size read as cut off, silently. So it is one constant, never a setting.
const PAGE_BYTES: NonZeroU16 = NonZeroU16::MIN.saturating_add(4_095);
/// How many messages an actor's queue holds before its overflow rules apply.
const MAILBOX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// How many final blocks may wait to be kept.
const PENDING_BLOCKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);
/// How many missing blocks are fetched at a time.
const FETCHED_BLOCKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);
/// How many blocks of one peer are held before they are needed.
const BLOCKS_PER_PEER: usize = 16;
/// For how many views behind finality votes and unverified blocks are kept.
const VIEWS_KEPT: u64 = 256;
/// The bytes that journals buffer for reading and for writing.
const BUFFER: NonZeroUsize = NonZeroUsize::MIN.saturating_add(64 * 1024 - 1);
/// How many entries a section of a stored table has.
const SECTION: NonZeroU64 = NonZeroU64::MIN.saturating_add(4_095);
/// How many views of one epoch there may be.
const EPOCH: NonZeroU64 = NonZeroU64::MAX;

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
    /// It has another key than the committee's.
    #[error("this node's validator key {0} is not in the committee of genesis")]
    NotAValidator(PublicKey),
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
    #[cfg(feature = "simulation")]
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
    let votes = simplex::max_payload_size::<Scheme, Digest>(validators);
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
    let scheme = scheme(&genesis.chain_id(), genesis.committee(), keys)?;
    let me = keys.engine().public_key();
    let ledger = keeper.head().height();
    let shared = Arc::new(Shared::new(settings.clone(), keeper));
    let cache = CacheRef::new(PAGE_BYTES, settings.cached_pages);
    let partition = |name: &str| format!("{}-{name}", settings.partition);

    let (finalizations, blocks) = {
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
        let blocks = config("blocks");
        let certificates = with_codec(
            config("certificates"),
            Scheme::certificate_codec_config_unbounded(),
        );
        let finalizations = immutable::Archive::init(context.child("certificates"), certificates)
            .await
            .map_err(|why| storage("certificates", &why))?;
        let blocks = immutable::Archive::<_, Digest, Arc<EngineBlock>>::init(
            context.child("blocks"),
            blocks,
        )
        .await
        .map_err(|why| storage("blocks", &why))?;
        (finalizations, blocks)
    };

    let first = EngineBlock::new(genesis.block());
    let floor = first.digest();
    let epocher = FixedEpocher::new(EPOCH);
    let (actor, marshal, kept) = Actor::init(
        context.child("marshal"),
        finalizations,
        blocks,
        MarshalConfig {
            provider: ConstantProvider::new(scheme.clone()),
            epocher: epocher.clone(),
            start: Start::Genesis(Digested::precomputed(first, floor)),
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
    let finality = finality::start(context.child("finality"), Arc::clone(&shared));
    actor.start(finality, buffer, resolver);

    let (submit, submitted) = mpsc::unbounded_channel();
    gossip::start(
        context.child("gossip"),
        Arc::clone(&shared),
        submitted,
        channels.transactions,
        blocker.clone(),
    );

    let application = Application::new(Arc::clone(&shared));
    let inline = Inline::new(
        context.child("application"),
        application,
        marshal.clone(),
        epocher,
    );
    let watch = Watch::new(Arc::clone(&shared), scheme.clone());
    let engine = Engine::new(
        context.child("consensus"),
        Config {
            scheme,
            elector: RoundRobin::<Sha256>::default(),
            blocker,
            automaton: inline.clone(),
            relay: inline.clone(),
            reporter: Reporters::from((inline, watch)),
            track_historical_votes: false,
            strategy: Sequential,
            partition: partition("votes"),
            mailbox_size: MAILBOX,
            epoch: Epoch::new(genesis.committee().epoch()),
            floor: Floor::Genesis(floor),
            replay_buffer: BUFFER,
            write_buffer: BUFFER,
            page_cache: cache,
            leader_timeout: settings.leader_timeout,
            certification_timeout: settings.certification_timeout,
            timeout_retry: settings.retry,
            view_retention: ViewDelta::new(VIEWS_KEPT),
            skip: SkipPolicy::Enabled {
                timeout: settings.skip_after,
                budget: SkipBudget::Participants,
            },
            fetch_timeout: non_zero(settings.fetch_timeout),
            fetch_retry_delay: Duration::from_millis(100),
            forward: ForwardPolicy::SilentVoters,
        },
    );
    let engine = engine.start(channels.votes, channels.certificates, channels.resolver);
    let handle = Handle::new(shared, submit, marshal);
    Ok(Running { handle, engine })
}

/// The signing scheme of a member of the committee.
fn scheme(chain: &ChainId, committee: &Committee, keys: &Keys) -> Result<Scheme, StartError> {
    let members = committee.members().iter().map(|member| member.validator);
    let members = participants(members)?;
    Scheme::signer(&namespace(chain), members, keys.engine().clone())
        .ok_or_else(|| StartError::NotAValidator(keys.public()))
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

fn non_zero(duration: Duration) -> NonZeroDuration {
    NonZeroDuration::new_panic(duration.max(Duration::from_millis(1)))
}
