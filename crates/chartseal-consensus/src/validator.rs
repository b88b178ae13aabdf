//! A validator on a real network: TCP connections to the others, authenticated and encrypted under their
//! validator keys, and files in a directory.

use std::future::Future;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use chartseal_ledger::{Committee, Genesis};
use chartseal_wire::PublicKey;
use commonware_cryptography::ChaCha20Poly1305;
use commonware_p2p::authenticated::lookup::{Config, Network as Connections};
use commonware_p2p::{Address, AddressableManager as _};
use commonware_runtime::{Quota, Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::ordered::Map;
use thiserror::Error;

use crate::certificate::{CertificateError, engine_key, namespace};
use crate::engine::{
    Channels, Handle, Keys, Running, Settings, StartError, max_message_bytes, start,
};
use crate::keeper::Keeper;

/// Where a validator and its peers are.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Every validator's key and address, its own included, and those of validators of later epochs. Private addresses are fine: hospitals
    /// meet in a private network.
    pub peers: Vec<(PublicKey, SocketAddr)>,
    /// The folder of the engine's files. They are backed up together with the ledger, or not at all.
    pub files: PathBuf,
    /// How many threads run it.
    pub threads: usize,
}

/// Why a validator ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ValidatorError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A peer's key is none.
    #[error("a peer's key can't be used: {0}")]
    Peer(#[from] CertificateError),
    /// Two peers have one key.
    #[error("two peers have the same validator key")]
    SamePeer,
    /// It can't go on, for this reason.
    #[error("the validator stopped: {0}")]
    Stopped(String),
}

/// How many messages of one kind a peer may send in a second, before it is slowed down, and with it all that it sends.
const MESSAGES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(1_023);
/// How many of them at once. Of each kind as many are held for each peer, and each may have the largest message's size: so
/// there are fewer of the kinds of which large ones are read slowly.
const VOTES_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);
const FRAMES_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);
const FETCHED_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
const BLOCKS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(15);
const RECALLS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
/// How long a stopping validator's tasks may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far two validators' clocks may be apart when they connect.
const SYNCHRONY: Duration = Duration::from_secs(30);
/// For how long a peer that sent what no honest validator sends is not spoken to.
const BLOCKED_FOR: Duration = Duration::from_secs(600);

/// Runs a validator until `stop` is done, SIGTERM or SIGINT comes, or it can't go on. `ready` is called
/// once, when it can be asked.
/// Nothing here is generic, so that the engine is made concrete in this crate and not in whoever calls this.
///
/// # Errors
/// [`ValidatorError`].
pub fn run(
    settings: Settings,
    genesis: &Genesis,
    keys: &Keys,
    keeper: Box<dyn Keeper>,
    place: &Place,
    ready: Box<dyn FnOnce(Handle) + '_>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
) -> Result<(), ValidatorError> {
    let config = runtime::Config::new()
        .with_storage_directory(&place.files)
        .with_worker_threads(place.threads)
        .with_tcp_nodelay(Some(true));
    runtime::Runner::new(config).start(async move |context| {
        let Running { handle, mut engine } =
            connect(&context, settings, genesis, keys, keeper, place).await?;
        ready(handle.clone());
        let mut stop = stop;
        let failed = commonware_macros::select! {
            () = &mut stop => None,
            () = terminated() => None,
            ended = &mut engine => Some(match handle.status().fatal {
                Some(why) => why,
                None => format!("the engine ended: {ended:?}"),
            }),
            why = failure(&handle) => Some(why),
        };
        if failed.is_none() {
            handle.end();
        }
        // Every task hears of it, and what is half done is finished or undone by the next start.
        let _ = context.stop(0, Some(PATIENCE)).await;
        failed.map_or(Ok(()), |why| Err(ValidatorError::Stopped(why)))
    })
}

/// Waits for SIGTERM or SIGINT.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        // Without handlers the process ends at once, which a node outlives as it does a crash.
        return std::future::pending().await;
    };
    commonware_macros::select! {
        _ = terminate.recv() => {},
        _ = interrupt.recv() => {},
    }
}

/// Waits until the validator can't go on. Never done otherwise.
async fn failure(handle: &Handle) -> String {
    let mut height = 0;
    while let Some(next) = handle.wait_above(height).await {
        height = next;
    }
    let fatal = handle.status().fatal;
    fatal.unwrap_or_else(|| "its tasks ended".to_owned())
}

/// Connects to the peers, and starts.
async fn connect(
    context: &runtime::Context,
    settings: Settings,
    genesis: &Genesis,
    keys: &Keys,
    keeper: Box<dyn Keeper>,
    place: &Place,
) -> Result<Running, ValidatorError> {
    // Committees grow, and the bound may not shrink: it is that of the largest one.
    let validators = u32::try_from(Committee::MAX).unwrap_or(u32::MAX);
    let peers = NonZeroUsize::new(place.peers.len()).unwrap_or(NonZeroUsize::MIN);
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: keys.engine().clone(),
            synchrony_bound: SYNCHRONY,
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    // Connections of another chain don't authenticate.
    let namespace = namespace(&genesis.chain_id());
    let mailbox = NonZeroUsize::MIN.saturating_add(1_023);
    let mut config = Config::local(
        handshake,
        &namespace,
        place.listen,
        peers,
        max_message_bytes(validators),
        mailbox,
    );
    config.allow_private_ips = true;
    config.allow_dns = false;
    config.block_duration = BLOCKED_FOR;
    // There is one set, for good: with more there would be room for as many peers' messages again.
    config.tracked_peer_sets = NonZeroUsize::MIN;
    let (mut network, mut oracle) = Connections::new(context.child("network"), config);

    let quota = |at_once| Quota::per_second(MESSAGES_PER_SECOND).allow_burst(at_once);
    let channels = Channels {
        votes: network.register(0, quota(VOTES_AT_ONCE)),
        certificates: network.register(1, quota(VOTES_AT_ONCE)),
        resolver: network.register(2, quota(FETCHED_AT_ONCE)),
        backfill: network.register(3, quota(FETCHED_AT_ONCE)),
        blocks: network.register(4, quota(BLOCKS_AT_ONCE)),
        transactions: network.register(5, quota(FRAMES_AT_ONCE)),
        recall: network.register(6, quota(RECALLS_AT_ONCE)),
    };
    let mut addresses = Vec::with_capacity(place.peers.len());
    for (key, address) in &place.peers {
        addresses.push((engine_key(key)?, Address::Symmetric(*address)));
    }
    let addresses: Map<_, _> = addresses.try_into().map_err(|_| ValidatorError::SamePeer)?;
    let _ = oracle.track(0, addresses);
    network.start();
    let blocker = oracle.clone();
    let validator = context.child("validator");
    Ok(start(
        validator, settings, genesis, keys, keeper, channels, oracle, blocker,
    )
    .await?)
}
