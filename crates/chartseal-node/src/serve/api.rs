//! The node's service to clients, over HTTP. Paths, messages and codes: `chartseal-api`, docs/api.md.
//!
//! A node answers from its own newest final state, and acts on nobody's word: it acknowledges, receipts and attests by
//! transactions of its own.
//!
//! | module | what |
//! |---|---|
//! | `answers` | what answers each path |
//! | `asked` | what a request brings |
//! | `bodies` | bodies that travel in parts |
//! | `doors` | how many connections are open |
//! | `events` | blocks and entries as they come |
//! | `failure` | what goes wrong, as problem details |
//! | `limits` | how often an address and a key may ask |
//! | `nonces` | that a signed question is answered once |
//! | `operations` | health, readiness, numbers for Prometheus |
//! | `receipts` | receipts for shares that wait for a block |
//! | `room` | how much memory bodies take that are on their way |
//! | `tiles` | the block log as C2SP tlog-tiles |

mod answers;
mod asked;
mod bodies;
mod doors;
mod events;
mod failure;
mod limits;
mod nonces;
mod operations;
mod receipts;
mod room;
mod tiles;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{ConnectInfo, MatchedPath, Request, State as FromState};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use chartseal_api::{MAX_BODY, MAX_PART, Problem};
use chartseal_consensus::engine::Handle;
use chartseal_ledger::{SignedTransaction, State};
use chartseal_vault::{BlobId, Outboard};
use chartseal_wire::{ActorId, OrgId, PatientId, PublicKey, Subject};
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::keeper::NodeKeeper;
use super::scrub::Scrub;
use super::uploads::Uploads;
use crate::proof::Certified;
use asked::{BodyLimit, Cbor};
use doors::Doors;
use failure::Failure;
use limits::Limits;
use nonces::Nonces;
use operations::Answers;
use receipts::Receipts;
use room::Room;

/// The most bytes of a body that is no deposit.
const MAX_SMALL_BODY: usize = 1 << 20;
/// How many requests are served at a time, and how many deposits among them.
const AT_ONCE: usize = 128;
const DEPOSITS_AT_ONCE: usize = 4;
/// How many streams of events are open at a time.
const STREAMS_AT_ONCE: usize = 256;
/// How many answers of more than so many bytes wait in memory until their clients have taken them.
const BULKS_AT_ONCE: usize = 32;
const BULK: u64 = 256 * 1024;
/// How many bodies are remembered with what verifies them in parts: at most 1 MB each.
const MAX_OUTBOARDS: usize = 64;
/// How many signed questions a key may ask in a second, and at once.
const QUESTIONS_PER_SECOND: u32 = 20;
const QUESTIONS_AT_ONCE: u32 = 200;
/// How long a connection may take until a request's head is there: its first one's, or after an answer the next one's.
const HEAD: Duration = Duration::from_secs(20);
/// How long a request may take to come and be answered; of a stream of events until it begins.
const LONGEST: Duration = Duration::from_secs(120);

/// What answers.
pub(super) struct Api {
    keeper: NodeKeeper,
    handle: Handle,
    genesis: Vec<u8>,
    requests: Semaphore,
    deposits: Semaphore,
    streams: Arc<Semaphore>,
    bulks: Arc<Semaphore>,
    addresses: RwLock<Limits<IpAddr>>,
    keys: Limits<PublicKey>,
    answers: Answers,
    scrub: Scrub,
    uploads: Uploads,
    outboards: Mutex<BTreeMap<BlobId, Arc<Outboard>>>,
    doors: Doors,
    room: Room,
    nonces: Mutex<Nonces>,
    receipts: Receipts,
    /// The newest block that is certified.
    certified: RwLock<Option<Arc<Certified>>>,
}

/// So many requests of an address in a second, and twice as many at once.
fn of_address(per_second: u32) -> Limits<IpAddr> {
    Limits::new(per_second, per_second.saturating_mul(2))
}

impl Api {
    /// Of one address so many requests are taken in a second, and twice as many at once.
    pub(super) fn new(
        keeper: NodeKeeper,
        handle: Handle,
        genesis: Vec<u8>,
        requests_per_second: u32,
        scrub: Scrub,
    ) -> Self {
        let now = keeper.node().clock.now();
        Self {
            keeper,
            handle,
            genesis,
            requests: Semaphore::new(AT_ONCE),
            deposits: Semaphore::new(DEPOSITS_AT_ONCE),
            streams: Arc::new(Semaphore::new(STREAMS_AT_ONCE)),
            bulks: Arc::new(Semaphore::new(BULKS_AT_ONCE)),
            addresses: RwLock::new(of_address(requests_per_second)),
            keys: Limits::new(QUESTIONS_PER_SECOND, QUESTIONS_AT_ONCE),
            answers: Answers::default(),
            uploads: scrub.uploads(),
            scrub,
            outboards: Mutex::default(),
            doors: Doors::default(),
            room: Room::default(),
            nonces: Mutex::new(Nonces::new(now)),
            receipts: Receipts::default(),
            certified: RwLock::default(),
        }
    }

    /// Takes so many requests of one address from now on. Everybody begins anew.
    pub(super) fn set_rate(&self, per_second: u32) {
        let mut limits = self
            .addresses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *limits = of_address(per_second);
    }

    fn may_come(&self, from: IpAddr) -> bool {
        let limits = self
            .addresses
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        limits.take(limits::network(from))
    }

    /// What was certified at this height, if it is known already: a signature and a look at the disk are saved.
    fn certified(&self, height: u64) -> Option<Arc<Certified>> {
        let certified = self
            .certified
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let certified = certified.as_ref();
        certified.filter(|it| it.state.height() == height).cloned()
    }

    fn put_certified(&self, made: Certified) -> Arc<Certified> {
        let made = Arc::new(made);
        let mut certified = self
            .certified
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *certified = Some(Arc::clone(&made));
        made
    }

    /// Hands in this node's own transactions. One that the pool refuses is made again when it is asked for again.
    fn submit_own(&self, transactions: impl IntoIterator<Item = SignedTransaction>) {
        for transaction in transactions {
            if let Err(why) = self.handle.submit(transaction) {
                tracing::warn!(%why, "the pool refuses a transaction of this node's own");
            }
        }
    }

    /// Whether a key may ask something: the chain counts it, and so does who may ask that.
    fn may(
        state: State<'_>,
        key: &PublicKey,
        of: impl FnOnce(State<'_>, &PublicKey) -> bool,
    ) -> bool {
        // A key that was revoked is still named as its holder's.
        let is_active = state.key(key).is_some_and(|it| !it.revoked);
        is_active && of(state, key)
    }

    /// Whether a key may ask for these subjects' histories.
    fn may_ask<'a>(
        subjects: impl IntoIterator<Item = &'a Subject>,
    ) -> impl FnOnce(State<'_>, &PublicKey) -> bool {
        move |state, key| {
            let mut subjects = subjects.into_iter();
            subjects.all(|subject| Self::is_theirs(state, key, subject))
        }
    }

    /// Whether a key is that of a custodian of the committee.
    fn is_custodian(state: State<'_>, key: &PublicKey) -> bool {
        let mut members = state.committee().members().iter();
        members.any(|member| {
            let org = state.org(&member.org);
            org.is_some_and(|org| org.custodian_key == *key)
        })
    }

    /// Whether a key is the patient's, or that of who adopted them; or the actor's, who may be an organization.
    fn is_theirs(state: State<'_>, key: &PublicKey, subject: &Subject) -> bool {
        match subject {
            Subject::Patient(patient) => {
                let speaks = |id: &PatientId| state.patient(id).is_some_and(|it| it.key == *key);
                speaks(patient) || speaks(&state.owner(patient))
            }
            Subject::Actor(actor) => {
                let person = state.actor(actor).is_some_and(|it| it.key == *key);
                let patient = state.patient(&PatientId(actor.0));
                let office = state.org(&OrgId(actor.0));
                person
                    || patient.is_some_and(|it| it.key == *key)
                    || office.is_some_and(|it| it.enrolment_key == *key)
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

    fn outboards(&self) -> std::sync::MutexGuard<'_, BTreeMap<BlobId, Arc<Outboard>>> {
        self.outboards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn nonces(&self) -> std::sync::MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the runtime ends; over TLS if there is something to show.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    api: Arc<Api>,
) -> std::io::Result<()> {
    let doors = api.doors.clone();
    let small = Extension(BodyLimit(MAX_SMALL_BODY));
    let large = OpenApiRouter::new()
        .routes(routes!(answers::deposit))
        .routes(routes!(answers::redeal))
        .routes(routes!(bodies::begin_upload))
        .routes(routes!(bodies::deposit_uploaded))
        .layer(Extension(BodyLimit(MAX_BODY)));
    let parts = OpenApiRouter::new()
        .routes(routes!(bodies::upload))
        .layer(Extension(BodyLimit(MAX_PART)));
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(answers::genesis))
        .routes(routes!(answers::blocks))
        .routes(routes!(answers::submit))
        .routes(routes!(answers::outcome))
        .routes(routes!(answers::transaction_proof))
        .routes(routes!(answers::value))
        .routes(routes!(answers::values))
        .routes(routes!(answers::head))
        .routes(routes!(answers::put_kem_key))
        .routes(routes!(answers::kem_key))
        .routes(routes!(answers::text))
        .routes(routes!(answers::release))
        .routes(routes!(answers::envelopes))
        .routes(routes!(answers::envelope))
        .routes(routes!(bodies::outline))
        .routes(routes!(bodies::body))
        .routes(routes!(bodies::blob))
        .routes(routes!(bodies::blob_groups))
        .routes(routes!(bodies::fronts))
        .routes(routes!(answers::history))
        .routes(routes!(answers::log_key))
        .routes(routes!(answers::checkpoint))
        .routes(routes!(answers::cosign))
        .routes(routes!(tiles::full_tile))
        .routes(routes!(tiles::partial_tile))
        // An index of more digits, full and not.
        .route("/v1/tile/{level}/{index}/{width}/{more}", get(tiles::tile))
        .route(
            "/v1/tile/{level}/{index}/{width}/{more}/{rest}",
            get(tiles::tile),
        )
        .routes(routes!(answers::export))
        .routes(routes!(answers::time))
        .routes(routes!(operations::version))
        .routes(routes!(events::blocks))
        .routes(routes!(events::history))
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
        .layer(small)
        .merge(large)
        .merge(parts)
        .split_for_parts();
    let router = router
        .merge(SwaggerUi::new(PAGE).url(DESCRIPTION, description))
        .method_not_allowed_fallback(|| async { Failure::not_allowed() })
        .fallback(|| async { Failure::not_found("this path") })
        .layer(from_fn_with_state(Arc::clone(&api), guard))
        .with_state(api);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // HTTP/1.1 alone: a connection asks one thing at a time.
    let mut server = axum_server::from_tcp(listener)?
        .http1_only()
        .first_request_timeout(HEAD);
    server.http_builder().http1().header_read_timeout(HEAD);
    match tls {
        Some(tls) => {
            let over_tls = RustlsAcceptor::new(tls).handshake_timeout(HEAD);
            server
                .acceptor(over_tls.acceptor(doors))
                .serve(service)
                .await
        }
        None => server.acceptor(doors).serve(service).await,
    }
}

/// Where the service's description is, and the page that shows it and tries it.
const DESCRIPTION: &str = "/openapi.json";
const PAGE: &str = "/docs";
/// What a browser may load on that page, and nothing from elsewhere.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chartseal node",
        description = "What a node answers to clients. A node need not be believed: blocks come with certificates, \
                       exports with proofs, releases are checked against the record's own header."
    ),
    components(schemas(Problem, Cbor)),
    tags(
        (name = "chain", description = "blocks, transactions, checkpoints"),
        (name = "records", description = "sealed records, custodians' shares, keys, texts"),
        (name = "histories", description = "who accessed what, for its subject alone"),
        (name = "operations", description = "how the node is"),
    )
)]
struct Description;

/// Before and after every answer: how often this address asks, how long it takes, and that it is counted.
async fn guard(
    FromState(api): FromState<Arc<Api>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("", MatchedPath::as_str).to_owned();
    let mut answer = if api.may_come(from.ip()) {
        let answered = tokio::time::timeout(LONGEST, next.run(request)).await;
        answered.unwrap_or_else(|_| Failure::slow().into_response())
    } else {
        Failure::too_often("this address asks").into_response()
    };
    // A body that is read while it is sent has its turn already, and no size here.
    if answer.size_hint().exact().is_some_and(|size| size > BULK) {
        answer = in_turn(&api, answer).await;
    }
    let headers = answer.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    api.answers.count(&path, answer.status());
    answer
}

/// A long answer, which waits in memory until its client has taken it: so many at a time, and no more.
async fn in_turn(api: &Api, answer: Response) -> Response {
    let Ok(turn) = Arc::clone(&api.bulks).try_acquire_owned() else {
        return Failure::busy().into_response();
    };
    let (parts, body) = answer.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            let bytes = Bytes::from_owner(Kept {
                bytes,
                _place: turn,
            });
            Response::from_parts(parts, Body::from(bytes))
        }
        Err(_) => Failure::busy().into_response(),
    }
}

/// Bytes that have their turn, or take their room, until they are done with.
struct Kept<B, P> {
    bytes: B,
    _place: P,
}

impl<B: AsRef<[u8]>, P> AsRef<[u8]> for Kept<B, P> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
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
