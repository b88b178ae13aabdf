//! A node as a process of its own: one configuration file, one data directory, one validator of a network.
//!
//! | module | what |
//! |---|---|
//! | `backup` | the data directory copied while the node runs, and put back |
//! | `doctor` | [`examine`]: what is wrong with a node, and what to do |
//! | `reload` | what of a configuration can change while the node runs |
//! | `authority` | certificates for a new network's services |
//! | `api` | what it answers to clients, over HTTP |
//! | `config` | [`Config`]: the configuration file, and everything that is refused before a node starts |
//! | `control` | [`Control`]: how the node's own machine asks it, hands it transactions and stops it |
//! | `duties` | what a custodian does by itself when a block is final |
//! | `found` | [`found`]: keys, genesis and configurations of a new network |
//! | `keeper` | the node's ledger as the validator's disk |
//! | `missed` | blocks that it missed, fetched from them before its validator starts |
//! | `others` | what it asks other organizations' services |
//! | `texts` | sealed texts that did not come: others are asked for them |
//! | `scrub` | the vault looked at, mended, cleared of garbage |
//! | `scrubbed` | [`Scrubbed`]: what the newest look at it found, kept |
//! | `copies` | other organizations' copies of what is not here |
//! | `uploads` | bodies that come in parts |
//! | `tls` | the service's certificate |

mod api;
mod authority;
mod backup;
mod config;
mod control;
mod copies;
mod doctor;
mod duties;
mod found;
mod keeper;
mod missed;
mod others;
mod reload;
mod scrub;
mod scrubbed;
mod texts;
mod tls;
mod uploads;

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use chartseal_client::ClientError;
use chartseal_codec::to_bytes;
use chartseal_consensus::Evidence;
use chartseal_consensus::engine::{Handle, Keys, Settings};
use chartseal_consensus::validator::{Place, ValidatorError, run};
use chartseal_ledger::Genesis;
use chartseal_ledger::store::Imported;
use chartseal_wire::{Certificate, Time};
use thiserror::Error;
use zeroize::Zeroizing;

pub use authority::CertificateError;
pub use backup::{Backup, BackupError, Manifest, backup, restore};
pub use chartseal_api::TxOutcome;
pub use config::{Config, ConfigError, Peer, Service, Tls};
pub use control::{Control, ControlError, Heard, NodeStatus};
pub use doctor::{Finding, Health, examine};
pub use found::{FoundError, Founded, Plan, ServicePlan, found};
pub use reload::Reloaded;
pub use scrubbed::{FormerShares, Scrubbed};

use crate::accused::EvidenceFolder;
use crate::clock::Clock;
use crate::error::NodeError;
use crate::node::Node;
use duties::Duties;
use keeper::NodeKeeper;
use others::Others;
use reload::Reload;
use scrub::Scrub;
use texts::Texts;
use uploads::Uploads;

/// How many requests of one address its service takes in a second, if the configuration does not say.
const REQUESTS_PER_SECOND: u32 = 2_000;

/// Why a node does not start, or stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Its configuration does not fit its files, its machine or its network.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system makes no connections.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its own stores.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Its validator.
    #[error(transparent)]
    Validator(#[from] ValidatorError),
}

impl ServeError {
    /// The id of the configuration's rule, if it is one.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Config(error) => error.rule(),
            _ => "",
        }
    }
}

/// Says that the chain has the node's custodian under other keys than it holds. The node runs all the same: it is a validator,
/// and has what others lack.
fn warn_of_other_keys(node: &Node) {
    let known = node.head().state().org(&node.org());
    if let Some(Err(why)) = known.map(|known| node.keys().check_custodian(&known)) {
        tracing::warn!(
            %why,
            "the custodian's keys are not those that the chain has: nothing that it signs counts; see `chartseal committee custodian`"
        );
    }
}

/// Runs the node of a configuration file until somebody asks it to stop, or it can't go on. `ready` is
/// called once, when it can be asked.
///
/// # Errors
/// [`ServeError`]: with the key of the configuration, what is wrong, and what would be right.
pub fn serve(file: &Path, ready: impl FnOnce()) -> Result<(), ServeError> {
    let clock = Clock::System;
    let config = Config::read(file)?;
    let genesis = config.genesis()?;
    let keys = config.keys(&genesis)?;
    config.claim_directory(&genesis)?;
    config.check_port()?;
    let seed = Zeroizing::new(*keys.cosigner.expose_secret_bytes());
    let stores = config.stores(&keys)?;
    let mut node = Node::follow(&genesis, config.organization, keys, stores, clock.clone())?;
    config.check_members(&genesis, node.head().state())?;
    config.check_clock(clock.now(), node.head().head().time, &genesis)?;
    let others = Others::of(&config)?;
    others.check_clock(&clock, &genesis)?;
    let validator = Keys::from_seed(&seed).ok_or(ConfigError::Keys {
        file: config.keys_file(),
        why: "its validator key is no Ed25519 key".into(),
    })?;

    let place = Place {
        listen: config.listen,
        peers: config
            .validators
            .iter()
            .chain(&config.later)
            .map(|peer| (peer.key, peer.address))
            .collect(),
        files: config.directory.join("engine"),
        threads: config.threads,
    };
    let now = move || -> Time { clock.now() };
    let mut settings = Settings::recommended(Arc::new(now));
    if let Some(ms) = config.heartbeat_ms {
        settings.heartbeat = Duration::from_millis(ms);
    }
    // A client needs the custodian's KEM key to seal shares to it.
    node.put_kem_key(node.keys().kem.public_key())?;
    let threads = NonZeroUsize::new(config.threads).unwrap_or(NonZeroUsize::MIN);
    let fetched = missed::fetch(&mut node, &others.all(), threads)?;
    let height = node.head().height();
    if fetched > 0 {
        tracing::info!(
            blocks = fetched,
            height,
            "fetched what became final meanwhile"
        );
    }
    warn_of_other_keys(&node);
    let keeper = NodeKeeper::new(node);
    let services = Services::start(&config, &genesis, others)?;
    let uploads = Uploads::open(keeper.clone(), config.directory.join("uploads"));
    let uploads = uploads.map_err(NodeError::Uploads)?;
    let scrub = Scrub::new(
        keeper.clone(),
        services.others.clone(),
        uploads,
        config.directory.clone(),
    );
    // A node that can't be asked does not start.
    let socket = control::bind(&config.directory)?;
    if services.others.is_empty() {
        tracing::warn!(
            "no `service` line names another organization's: nobody tells whether this clock is ahead"
        );
    }
    let stop = Stop::default();
    let mut control = None;
    let ended = {
        let stop = stop.clone();
        let control = &mut control;
        let keeper = keeper.clone();
        let directory = config.directory.clone();
        run(
            settings,
            &genesis,
            &validator,
            Box::new(keeper.clone()),
            &place,
            Box::new(|handle| {
                let asked = stop.clone();
                let reload = services.serve(file, config, &keeper, &handle, scrub.clone());
                let orders = control::Orders {
                    scrub: scrub.clone(),
                    stop: Box::new(move || {
                        tracing::info!("the node is asked to stop");
                        asked.ask();
                    }),
                    reload,
                    directory: directory.clone(),
                };
                *control = Some(control::listen(socket, &keeper, handle, orders));
                tracing::info!(version = env!("CARGO_PKG_VERSION"), height, "the node runs");
                ready();
            }),
            Box::pin(stop.clone().asked()),
        )
    };
    // Whoever is looking at the vault stops with the first file after this.
    scrub.end();
    if let Some(listening) = control {
        listening.end();
    }
    Ok(ended?)
}

/// What runs beside the validator: the service to clients, and the custodian's duties.
struct Services {
    runtime: tokio::runtime::Runtime,
    /// Where clients ask, if they may.
    api: Option<TcpListener>,
    tls: Option<RustlsConfig>,
    genesis: Vec<u8>,
    others: Others,
}

impl Services {
    /// Takes the port, so that a node that can't have it does not start.
    fn start(config: &Config, genesis: &Genesis, others: Others) -> Result<Self, ServeError> {
        let listen = |address| {
            let failed = |source| ConfigError::Port {
                key: "api",
                address,
                source,
            };
            TcpListener::bind(address).map_err(failed)
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(16)
            .thread_name("service")
            .enable_all()
            .build();
        Ok(Self {
            runtime: runtime.map_err(|source| ConfigError::File {
                file: config.directory.clone(),
                source,
            })?,
            api: config.api.map(listen).transpose()?,
            tls: config.tls.as_ref().map(tls::shown).transpose()?,
            genesis: to_bytes(genesis),
            others,
        })
    }

    /// Begins to serve; gives what a changed configuration applies to.
    fn serve(
        &self,
        file: &Path,
        config: Config,
        keeper: &NodeKeeper,
        handle: &Handle,
        scrub: Scrub,
    ) -> Reload {
        let every = config.scrub_seconds.map(Duration::from_secs);
        self.runtime.spawn(scrub.clone().run(every));
        self.runtime
            .spawn(keep_evidence(config.directory.clone(), handle.clone()));
        let texts = Texts::new(keeper.clone(), self.others.clone());
        let duties = Duties::new(&config.directory, keeper.clone(), handle.clone(), texts);
        self.runtime.spawn(duties.run());
        self.runtime
            .spawn(self.others.clone().fetch_keys(keeper.clone()));
        let api = self.api.as_ref().and_then(|it| it.try_clone().ok());
        let api = api.map(|listener| {
            let rate = config.requests_per_second.unwrap_or(REQUESTS_PER_SECOND);
            let api = api::Api::new(
                keeper.clone(),
                handle.clone(),
                self.genesis.clone(),
                rate,
                scrub,
            );
            let api = Arc::new(api);
            let serving = api::serve(listener, self.tls.clone(), Arc::clone(&api));
            self.runtime.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the service to clients ended");
                }
            });
            api
        });
        let (tls, others) = (self.tls.clone(), self.others.clone());
        Reload::new(file, config, tls, api, others)
    }
}

/// How often the node looks for evidence that its disk does not have.
const EVIDENCE_PAUSE: Duration = Duration::from_secs(2);

/// Keeps what shows others' faults, as long as the node runs: the validator forgets it when it ends.
async fn keep_evidence(directory: PathBuf, handle: Handle) {
    let mut folder = None;
    // What was kept or seen to be there before: a piece may have a block's size.
    let mut known: Vec<Arc<Evidence>> = Vec::new();
    loop {
        tokio::time::sleep(EVIDENCE_PAUSE).await;
        let evidence = handle.evidence();
        let is_new = |piece: &&Arc<Evidence>| !known.iter().any(|old| Arc::ptr_eq(old, piece));
        let fresh: Vec<_> = evidence.iter().filter(is_new).map(Arc::clone).collect();
        if fresh.is_empty() {
            continue;
        }
        let (directory, opened) = (directory.clone(), folder.take());
        let kept = tokio::task::spawn_blocking(move || -> io::Result<_> {
            let mut folder = match opened {
                Some(folder) => folder,
                None => EvidenceFolder::open(&directory)?,
            };
            folder.keep(fresh.iter().map(Arc::as_ref))?;
            Ok(Some(folder))
        });
        match kept.await {
            Ok(Ok(opened)) => (folder, known) = (opened, evidence),
            // A disk that is full now may have room later.
            Ok(Err(error)) => tracing::error!(%error, "evidence can't be kept"),
            Err(_) => return,
        }
    }
}

/// Begins a node's ledger with a snapshot for which its network's committees vouch
/// ([`Vouchers::check`](crate::Vouchers::check)). The node then runs from its newest block on.
///
/// # Errors
/// [`ServeError`] if the directory is another node's, a ledger is there already, or it can't be written.
pub fn begin(
    config: &Config,
    genesis: &Genesis,
    snapshot: &Imported,
    certificates: &[(u64, Certificate)],
) -> Result<(), ServeError> {
    let keys = config.keys(genesis)?;
    config.claim_directory(genesis)?;
    let mut stores = config.stores(&keys)?;
    stores
        .ledger
        .keep_certified(snapshot, certificates)
        .map_err(NodeError::from)?;
    Ok(())
}

/// Whether a node is to stop; whoever waits is woken.
#[derive(Clone, Debug, Default)]
struct Stop(Arc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    asked: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Stop {
    fn ask(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        let waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    async fn asked(self) {
        poll_fn(|context| {
            let mut waiting = self
                .0
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if self.0.asked.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            *waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
