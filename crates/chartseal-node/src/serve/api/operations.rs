//! What operators ask: is it alive, does it serve, and its numbers for Prometheus. No id of anybody, no key but validators'.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use chartseal_consensus::engine::Status;

use super::answers::{Asked, text_answer};
use super::failure::Failure;
use super::{Api, work};
use crate::custodian::MAX_LAG_MS;
use crate::serve::scrubbed::Scrubbed;

/// How many answers were given, by the path's pattern and the status. Patterns are this program's own: a path that does
/// not exist counts as one.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<BTreeMap<(String, u16), u64>>);

impl Answers {
    pub(super) fn count(&self, path: &str, status: StatusCode) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry((path.to_owned(), status.as_u16())).or_default();
        *count = count.saturating_add(1);
    }

    fn read(&self) -> BTreeMap<(String, u16), u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operations",
    responses(
        (status = 204, description = "it is alive"),
        Failure,
    ),
)]
pub(super) async fn health() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Clients can be sent here: the validator runs, the ledger can be read, and it is near enough to the clock for a
/// custodian to release.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "operations",
    responses(
        (status = 204, description = "clients can be sent here"),
        Failure,
    ),
)]
pub(super) async fn ready(State(api): Asked) -> Result<StatusCode, Failure> {
    work(&api, |api| {
        if api.handle.status().fatal.is_some() {
            return Err(Failure::not_ready(
                "the validator stopped; its log says why",
            ));
        }
        let node = api.keeper.node();
        let apart = node.clock.now().0.abs_diff(node.head().head().time.0);
        if apart > MAX_LAG_MS {
            return Err(Failure::not_ready(
                "the newest block is too far from the clock",
            ));
        }
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// The version of the node's program.
#[utoipa::path(
    get,
    path = "/v1/version",
    tag = "operations",
    responses(
        (status = 200, description = "such as `0.1.0`", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn version() -> Response {
    text_answer(env!("CARGO_PKG_VERSION").into())
}

/// Numbers for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses(
        (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"),
        Failure,
    ),
)]
pub(super) async fn metrics(State(api): Asked) -> Result<Response, Failure> {
    work(&api, |api| {
        let kind = [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )];
        Ok((kind, page(api)).into_response())
    })
    .await
}

/// The text format that Prometheus reads.
fn page(api: &Api) -> String {
    let status = api.handle.status();
    let (metrics, clock) = {
        let node = api.keeper.node();
        (node.metrics(), node.clock.now())
    };
    let head = &status.head;
    let (pooled, speculative) = (status.pooled as u64, status.speculative as u64);
    let evidence = status.evidence as u64;
    let (connections, turned_away) = api.doors.count();
    let numbers = [
        (
            "height",
            GAUGE,
            "The newest final block.",
            float(head.height),
        ),
        (
            "block_time_seconds",
            GAUGE,
            "Its time.",
            seconds(head.time.0),
        ),
        (
            "clock_seconds",
            GAUGE,
            "This machine's time.",
            seconds(clock.0),
        ),
        (
            "view",
            GAUGE,
            "The newest view that ended.",
            float(status.view),
        ),
        (
            "skipped_views_total",
            COUNTER,
            "Views without a block.",
            float(status.skipped),
        ),
        (
            "pool_transactions",
            GAUGE,
            "Transactions that wait.",
            float(pooled),
        ),
        (
            "pool_bytes",
            GAUGE,
            "Their bytes.",
            float(status.pooled_bytes as u64),
        ),
        (
            "speculative_blocks",
            GAUGE,
            "Executed, not final.",
            float(speculative),
        ),
        (
            "double_votes_total",
            COUNTER,
            "Two votes in one view.",
            float(status.double_votes),
        ),
        (
            "connections",
            GAUGE,
            "Of clients, open.",
            float(connections),
        ),
        (
            "refused_connections_total",
            COUNTER,
            "Closed at once: too many.",
            float(turned_away),
        ),
        (
            "evidence",
            GAUGE,
            "Pieces of it against others.",
            float(evidence),
        ),
    ];
    let mut page = metrics.to_string();
    for (name, kind, help, value) in numbers {
        family(&mut page, name, kind, help, [(String::new(), value)]);
    }
    labelled(&mut page, api, &status);
    page
}

/// The numbers of which there is one for each of something.
fn labelled(page: &mut String, api: &Api, status: &Status) {
    if let Some(found) = api.scrub.last() {
        scrubbed(page, &found);
    }
    let votes = status.heard.iter();
    let votes = votes.map(|(key, at)| (format!("{{validator=\"{key}\"}}"), seconds(at.0)));
    let help = "When a validator's last vote came.";
    family(page, "last_vote_seconds", GAUGE, help, votes);
    let refused = api.handle.refusals().into_iter();
    let refused = refused.map(|(rule, count)| (format!("{{rule=\"{rule}\"}}"), float(count)));
    let help = "Blocks that it voted against.";
    family(page, "refused_proposals_total", COUNTER, help, refused);
    let answers = api.answers.read().into_iter();
    let answers = answers.map(|((path, status), count)| {
        let labels = format!("{{path=\"{path}\",status=\"{status}\"}}");
        (labels, float(count))
    });
    let help = "Answers to clients.";
    family(page, "answers_total", COUNTER, help, answers);
}

/// What the newest pass over the vault found: nothing before there was one, for zeros would look healthy.
fn scrubbed(page: &mut String, found: &Scrubbed) {
    let rows = [
        ("expected", found.expected),
        ("mended", found.mended),
        ("lost", found.lost),
        ("missing_shares", found.missing_shares),
        ("damaged_shares", found.damaged_shares),
        ("former_shares", found.former_shares()),
        ("garbage", found.garbage),
    ];
    let rows = rows.map(|(what, count)| (format!("{{what=\"{what}\"}}"), float(count)));
    let help = "What the newest pass over the vault found.";
    family(page, "vault_scrubbed", GAUGE, help, rows);
    let former = found.former.iter();
    let former = former.map(|it| (format!("{{epoch=\"{}\"}}", it.epoch), float(it.shares)));
    let help = "Shares that records rest on, dealt to the committee of an epoch that is over.";
    family(page, "vault_former_shares", GAUGE, help, former);
    let ended = [(String::new(), seconds(found.at.0))];
    family(
        page,
        "vault_scrubbed_seconds",
        GAUGE,
        "When it ended.",
        ended,
    );
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// A number, or one for each set of labels.
fn family(
    page: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    rows: impl IntoIterator<Item = (String, f64)>,
) {
    // Writing to a string does not fail.
    let _ = writeln!(
        page,
        "# HELP chartseal_{name} {help}\n# TYPE chartseal_{name} {kind}"
    );
    for (labels, value) in rows {
        let _ = writeln!(page, "chartseal_{name}{labels} {value}");
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
fn float(number: u64) -> f64 {
    number as f64
}

fn seconds(ms: u64) -> f64 {
    float(ms) / 1_000.0
}
