//! The node's service to clients, over HTTP. Paths, messages and codes: `chartseal-api`, docs/api.md.
//!
//! A node answers from its own newest final state, and acts on nobody's word: it acknowledges, receipts and attests by
//! transactions of its own.
//!
//! | module | what |
//! |---|---|
//! | `answers` | what answers each path |
//! | `events` | blocks and entries as they come |
//! | `failure` | what goes wrong, as problem details |
//! | `limits` | how often an address and a key may ask |
//! | `operations` | health, readiness, numbers for Prometheus |

mod answers;
mod events;
mod failure;
mod limits;
mod operations;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State as FromState};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use chartseal_api::MAX_BODY;
use chartseal_consensus::engine::Handle;
use chartseal_ledger::{SignedTransaction, State};
use chartseal_wire::{ActorId, OrgId, PatientId, PublicKey, Subject, Time};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::keeper::NodeKeeper;
use failure::Failure;
use limits::Limits;
use operations::Answers;

/// The most bytes of a body that is no deposit.
const MAX_SMALL_BODY: usize = 1 << 20;
/// How many requests are served at a time, and how many deposits among them.
const AT_ONCE: usize = 128;
const DEPOSITS_AT_ONCE: usize = 4;
/// How many streams of events are open at a time.
const STREAMS_AT_ONCE: usize = 256;
/// How many signed questions a key may ask in a second, and at once.
const QUESTIONS_PER_SECOND: u32 = 20;
const QUESTIONS_AT_ONCE: u32 = 200;
/// How long a request may take to come and be answered; of a stream of events until it begins.
const LONGEST: Duration = Duration::from_secs(120);
/// How many nonces are remembered of those that are still in their window.
const MAX_NONCES: usize = 65_536;
/// For how long a nonce is remembered, in ms: twice the window in which a question is taken.
const NONCE_MS: u64 = 120_000;

/// What answers.
pub(super) struct Api {
    keeper: NodeKeeper,
    handle: Handle,
    genesis: Vec<u8>,
    requests: Semaphore,
    deposits: Semaphore,
    streams: Arc<Semaphore>,
    addresses: Limits<IpAddr>,
    keys: Limits<PublicKey>,
    answers: Answers,
    nonces: Mutex<Nonces>,
}

/// The nonces of signed questions, by when they came.
#[derive(Default)]
struct Nonces {
    seen: BTreeMap<(PublicKey, [u8; 16]), Time>,
}

impl Nonces {
    /// Whether a nonce is new; it is not any more after this.
    fn take(&mut self, key: PublicKey, nonce: [u8; 16], now: Time) -> Result<bool, Failure> {
        if self.seen.len() >= MAX_NONCES {
            self.seen
                .retain(|_, at| now.0.saturating_sub(at.0) <= NONCE_MS);
        }
        if self.seen.len() >= MAX_NONCES {
            return Err(Failure::busy());
        }
        Ok(self.seen.insert((key, nonce), now).is_none())
    }
}

impl Api {
    /// Of one address so many requests are taken in a second, and twice as many at once.
    pub(super) fn new(
        keeper: NodeKeeper,
        handle: Handle,
        genesis: Vec<u8>,
        requests_per_second: u32,
    ) -> Self {
        Self {
            keeper,
            handle,
            genesis,
            requests: Semaphore::new(AT_ONCE),
            deposits: Semaphore::new(DEPOSITS_AT_ONCE),
            streams: Arc::new(Semaphore::new(STREAMS_AT_ONCE)),
            addresses: Limits::new(requests_per_second, requests_per_second.saturating_mul(2)),
            keys: Limits::new(QUESTIONS_PER_SECOND, QUESTIONS_AT_ONCE),
            answers: Answers::default(),
            nonces: Mutex::default(),
        }
    }

    /// Hands in this node's own transactions. One that the pool refuses is made again when it is asked for again.
    fn submit_own(&self, transactions: impl IntoIterator<Item = SignedTransaction>) {
        for transaction in transactions {
            if let Err(why) = self.handle.submit(transaction) {
                tracing::warn!(%why, "the pool refuses a transaction of this node's own");
            }
        }
    }

    /// Whether a key may ask for a subject's history: it is the patient's, or that of who adopted them; or the actor's.
    fn may_ask(state: State<'_>, key: &PublicKey, subject: &Subject) -> bool {
        match subject {
            Subject::Patient(patient) => {
                let speaks = |id: &PatientId| state.patient(id).is_some_and(|it| it.key == *key);
                speaks(patient) || speaks(&state.owner(patient))
            }
            Subject::Actor(actor) => {
                let is_theirs = state.actor(actor).is_some_and(|it| it.key == *key);
                is_theirs
                    || state
                        .patient(&PatientId(actor.0))
                        .is_some_and(|it| it.key == *key)
            }
        }
    }

    /// Whether the chain has this KEM key as somebody's.
    fn knows_kem(state: State<'_>, of: &ActorId, id: &[u8; 32]) -> bool {
        let person = state.actor(of).map(|it| it.kem);
        let patient = state.patient(&PatientId(of.0)).map(|it| it.kem);
        let org = state.org(&OrgId(of.0)).map(|it| it.custodian_kem);
        [person, patient, org]
            .into_iter()
            .flatten()
            .any(|kem| kem == *id)
    }

    fn nonces(&self) -> std::sync::MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the runtime ends.
pub(super) async fn serve(listener: std::net::TcpListener, api: Arc<Api>) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let small = DefaultBodyLimit::max(MAX_SMALL_BODY);
    let router = Router::new()
        .route("/v1/genesis", get(answers::genesis))
        .route("/v1/time", get(answers::time))
        .route("/v1/blocks", get(answers::blocks))
        .route("/v1/transactions", post(answers::submit))
        .route("/v1/transactions/{id}", get(answers::outcome))
        .route("/v1/kem-keys", put(answers::put_kem_key))
        .route("/v1/kem-keys/{id}", get(answers::kem_key))
        .route("/v1/texts/{tx}/{commitment}", get(answers::text))
        .route("/v1/releases", post(answers::release))
        .route("/v1/envelopes/{request}/{record}", get(answers::envelope))
        .route("/v1/histories", post(answers::history))
        .route("/v1/log-key", get(answers::log_key))
        .route("/v1/checkpoint", get(answers::checkpoint))
        .route("/v1/cosignatures", post(answers::cosign))
        .route("/v1/exports", post(answers::export))
        .route("/v1/events", get(events::blocks))
        .route("/v1/histories/events", post(events::history))
        .route("/health", get(operations::health))
        .route("/ready", get(operations::ready))
        .route("/metrics", get(operations::metrics))
        .layer(small)
        .route(
            "/v1/deposits",
            post(answers::deposit).layer(DefaultBodyLimit::max(MAX_BODY)),
        )
        .fallback(|| async { Failure::not_found("this path") })
        .layer(from_fn_with_state(Arc::clone(&api), guard))
        .with_state(api);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}

/// Before and after every answer: how often this address asks, how long it takes, and that it is counted.
async fn guard(
    FromState(api): FromState<Arc<Api>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("", MatchedPath::as_str).to_owned();
    let answer = if api.addresses.take(limits::network(from.ip())) {
        let answered = tokio::time::timeout(LONGEST, next.run(request)).await;
        answered.unwrap_or_else(|_| Failure::slow().into_response())
    } else {
        Failure::too_often("this address asks").into_response()
    };
    api.answers.count(&path, answer.status());
    answer
}

/// Does what waits for the disk where waiting is allowed.
async fn work<T: Send + 'static>(
    api: &Arc<Api>,
    job: impl FnOnce(&Api) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let _turn = api.requests.try_acquire().map_err(|_| Failure::busy())?;
    let api = Arc::clone(api);
    let done = tokio::task::spawn_blocking(move || job(&api)).await;
    done.unwrap_or_else(|_| Err(Failure::busy()))
}

/// How long a client may wait for a block, at most.
const MAX_WAIT: Duration = Duration::from_secs(20);
