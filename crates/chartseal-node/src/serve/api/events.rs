//! What comes as it happens, as server-sent events (the HTML standard, section 9.2): blocks for anybody, and a history's
//! new entries for whom it concerns.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use chartseal_api::{BlockEvent, HistoryAsk, Signed};
use chartseal_codec::to_hex;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_wire::{PublicKey, Subject};
use futures::stream::{Stream, unfold};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::answers::{Asked, check, read};
use super::asked::{Cbor, Queried, Sent};
use super::failure::Failure;
use super::{Api, work};

/// How many entries are read at a time.
const ENTRIES: usize = 256;
/// After how long a stream without news says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
pub(super) struct After {
    after: u64,
}

/// Each final block above a height, as it comes.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "chain",
    params(
        ("after" = u64, Query, format = "uint64", description = "the height above which blocks are told of"),
    ),
    responses(
        (status = 200, description = "server-sent events `block`: `BlockEvent` as JSON, `id` its height", body = String, content_type = "text/event-stream"),
        Failure,
    ),
)]
pub(super) async fn blocks(
    State(api): Asked,
    Queried(After { after }): Queried<After>,
) -> Result<Response, Failure> {
    let turn = turn(&api)?;
    Ok(sse(unfold(
        (api, after, turn),
        |(api, height, turn)| async move {
            api.handle.wait_above(height).await?;
            let next = height + 1;
            let shared = Arc::clone(&api);
            let event = tokio::task::spawn_blocking(move || block(&shared, next)).await;
            let event = event.ok()??;
            Some((Ok(event), (api, next, turn)))
        },
    )))
}

/// `None` ends the stream: the block was pruned, or the store fails.
fn block(api: &Api, height: u64) -> Option<Event> {
    let node = api.keeper.node();
    let block = node.kept_block(height).ok()??;
    let event = BlockEvent {
        height,
        header: block.header.leaf().to_string(),
        time_ms: block.header.time.0,
        transactions: block.transactions.len() as u64,
    };
    let event = Event::default()
        .event("block")
        .id(height.to_string())
        .json_data(event);
    event.ok()
}

/// A history's entries from one on, and each that comes, for as long as the client listens and its key may.
#[utoipa::path(
    post,
    path = "/v1/histories/events",
    tag = "histories",
    request_body(content = Cbor, description = "`Signed<HistoryAsk>` of chartseal-api", content_type = "application/cbor"),
    responses(
        (status = 200, description = "server-sent events `entry`: an entry in hex, `id` its index", body = String, content_type = "text/event-stream"),
        Failure,
    ),
)]
pub(super) async fn history(State(api): Asked, Sent(body): Sent) -> Result<Response, Failure> {
    let turn = turn(&api)?;
    let asked: Signed<HistoryAsk> = read("a question for a history", &body)?;
    let asked = work(&api, move |api| {
        check(api, &asked, Api::may_ask([&asked.ask.subject]))?;
        Ok(asked)
    });
    let Signed { key, ask, .. } = asked.await?;
    let entries = Entries {
        api,
        key,
        subject: ask.subject,
        next: ask.from,
        read: VecDeque::new(),
        turn,
    };
    Ok(sse(unfold(entries, |mut entries| async move {
        let event = entries.next().await?;
        Some((Ok(event), entries))
    })))
}

struct Entries {
    api: Arc<Api>,
    /// Whose right is judged again before entries are read: it may be lost while the stream is open.
    key: PublicKey,
    subject: Subject,
    /// The index of the first entry in `read`, or of the next that will come.
    next: u64,
    read: VecDeque<Vec<u8>>,
    #[expect(dead_code, reason = "held while the stream is")]
    turn: OwnedSemaphorePermit,
}

impl Entries {
    /// Waits for the next entry; `None` when the key may hear no more, the validator stops, or the store fails.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                let event = Event::default().event("entry").id(self.next.to_string());
                let event = event.data(to_hex(&entry));
                self.next += 1;
                return Some(event);
            }
            // The height first: what comes after it wakes.
            let height = self.api.handle.status().head.height;
            let api = Arc::clone(&self.api);
            let (key, subject, next) = (self.key, self.subject, self.next);
            let read = move || {
                let node = api.keeper.node();
                let may = Api::may(node.state(), &key, Api::may_ask([&subject]));
                may.then(|| node.ledger().history(&subject, next, ENTRIES).ok())?
            };
            self.read = tokio::task::spawn_blocking(read).await.ok()??.into();
            if self.read.is_empty() {
                self.api.handle.wait_above(height).await?;
            }
        }
    }
}

fn turn(api: &Arc<Api>) -> Result<OwnedSemaphorePermit, Failure> {
    let streams = Arc::clone(&api.streams);
    streams.try_acquire_owned().map_err(|_| Failure::busy())
}

fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(events).keep_alive(alive).into_response()
}
