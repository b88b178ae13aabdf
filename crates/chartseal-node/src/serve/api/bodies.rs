//! Bodies that travel in parts, both ways.

use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chartseal_api::{BlobAsk, Fronts, FrontsAsk, MAX_PART, Outline, Redeal, Signed};
use chartseal_vault::{BlobId, Outboard};
use chartseal_wire::{HeaderDigest, RecordId, RequestId};
use futures::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;

use super::answers::{Answer, Asked, check, deposited, encoded, hex, id, read};
use super::asked::{Cbor, Named, Sent};
use super::failure::Failure;
use super::{Api, work};
use crate::custodian::body_of;
use crate::error::NodeError;
use crate::vault::StoredFront;

/// How many bytes of a body are read at a time.
const STEP: u64 = 1 << 20;

/// Begins to take a sealed record's body in parts, or goes on where that was cut short.
#[utoipa::path(
    post,
    path = "/v1/uploads",
    tag = "records",
    request_body(content = Cbor, description = "`Outline` of chartseal-api; its record is anchored", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Uploaded` of chartseal-api: which group is next", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn begin_upload(State(api): Asked, Sent(body): Sent) -> Answer {
    let _turn = api.deposits.try_acquire().map_err(|_| Failure::busy())?;
    let outline: Outline = read("an outline", &body)?;
    work(&api, move |api| Ok(encoded(&api.uploads.begin(outline)?))).await
}

/// Some groups of 256 KiB of a body, the next ones. With the last, the body is stored.
#[utoipa::path(
    put,
    path = "/v1/uploads/{header}/{group}",
    tag = "records",
    params(
        ("header" = String, Path, description = "the digest of the record's header", pattern = "^[0-9a-f]{64}$"),
        ("group" = u64, Path, description = "the first group's number, from 0"),
    ),
    request_body(content = String, description = "the groups, at most 4 MiB", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "`Uploaded` of chartseal-api: which group is next", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn upload(
    State(api): Asked,
    Named((header, group)): Named<(String, String)>,
    Sent(body): Sent,
) -> Answer {
    let header = HeaderDigest(hex(&header)?);
    let group: u64 = id(&group)?;
    work(&api, move |api| {
        Ok(encoded(&api.uploads.take(&header, group, &body)?))
    })
    .await
}

/// This custodian's shares of the keys of records whose bodies are here, or at another node.
#[utoipa::path(
    post,
    path = "/v1/deposits/uploaded",
    tag = "records",
    request_body(content = Cbor, description = "`Redeal` of chartseal-api, of the deals that the headers name", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Deposited` of chartseal-api: what was not taken, and why", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn deposit_uploaded(State(api): Asked, Sent(body): Sent) -> Answer {
    let _turn = api.deposits.try_acquire().map_err(|_| Failure::busy())?;
    let Redeal { fronts, deal } = read("a deposit", &body)?;
    drop(body);
    work(&api, move |api| {
        // A body goes to one custodian; the others have it from there. What does not come is named below.
        if let Err(error) = api.scrub.fetch_anchored(&fronts) {
            tracing::warn!(%error, "bodies that were uploaded elsewhere can't be fetched");
        }
        let done = api.keeper.deposit_uploaded(&fronts, &deal)?;
        Ok(encoded(&deposited(api, done)))
    })
    .await
}

/// A sealed record of a request that was permitted, without its body, and what verifies that in parts.
#[utoipa::path(
    get,
    path = "/v1/envelopes/{request}/{record}/outline",
    tag = "records",
    params(
        ("request" = String, Path, description = "the request's id", pattern = "^[0-9a-f]{64}$"),
        ("record" = String, Path, description = "the record's id", pattern = "^[0-9a-f]{32}$"),
    ),
    responses(
        (status = 200, description = "`Outline` of chartseal-api", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn outline(
    State(api): Asked,
    Named((request, record)): Named<(String, String)>,
) -> Answer {
    let (request, record) = (id::<RequestId>(&request)?, id::<RecordId>(&record)?);
    work(&api, move |api| {
        let front = api.keeper.node().front_for(&request, &record)?;
        let groups = outboard(api, &body_of(&front))?.groups().to_vec();
        Ok(encoded(&Outline { front, groups }))
    })
    .await
}

/// The body of a sealed record of a request that was permitted, or a range of its bytes (RFC 9110, section 14).
#[utoipa::path(
    get,
    path = "/v1/envelopes/{request}/{record}/body",
    tag = "records",
    params(
        ("request" = String, Path, description = "the request's id", pattern = "^[0-9a-f]{64}$"),
        ("record" = String, Path, description = "the record's id", pattern = "^[0-9a-f]{32}$"),
        ("Range" = Option<String>, Header, description = "one range of bytes: `bytes=0-1023`, `bytes=1024-`, `bytes=-512`"),
    ),
    responses(
        (status = 200, description = "the body", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "that range of it", body = String, content_type = "application/octet-stream"),
        Failure,
    ),
)]
pub(super) async fn body(
    State(api): Asked,
    Named((request, record)): Named<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let (request, record) = (id::<RequestId>(&request)?, id::<RecordId>(&record)?);
    let turn = Arc::clone(&api.bulks).try_acquire_owned();
    let turn = turn.map_err(|_| Failure::busy())?;
    let outboard = work(&api, move |api| {
        let front = api.keeper.node().front_for(&request, &record)?;
        outboard(api, &body_of(&front))
    });
    let outboard = outboard.await?;
    let len = outboard.len();
    let tag = format!("\"{}\"", outboard.id());
    let told = |name| {
        headers
            .get(name)
            .and_then(|it: &header::HeaderValue| it.to_str().ok())
    };
    // A range of something else than what the client has the rest of is of no use to it.
    let is_same = told(header::IF_RANGE).is_none_or(|it| it == tag);
    let range = told(header::RANGE).filter(|_| is_same);
    let (status, range) = match range.and_then(|it| Wanted::of(it, len)) {
        None => (StatusCode::OK, 0..len),
        Some(Wanted::Part(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Wanted::Nothing) => return Err(Failure::no_such_range(len)),
    };
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, tag);
    if status == StatusCode::PARTIAL_CONTENT {
        let place = format!("bytes {}-{}/{len}", range.start, range.end - 1);
        answer = answer.header(header::CONTENT_RANGE, place);
    }
    let sent = Sending {
        api,
        outboard,
        left: range,
        _turn: turn,
    };
    let sent = unfold(sent, Sending::next);
    let answer = answer.body(Body::from_stream(sent));
    answer.map_err(|why| Failure::malformed("the answer", why))
}

/// What a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Part(Range<u64>),
    /// There is nothing there.
    Nothing,
}

impl Wanted {
    /// Of something of this length. `None` if it is none that is understood, which is the same as no range: several at a
    /// time, say.
    fn of(range: &str, len: u64) -> Option<Self> {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
        };
        let part = match (first.trim(), last.trim()) {
            ("", "") => return None,
            ("", last) => len.saturating_sub(number(last)?)..len,
            (first, "") => number(first)?..len,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                first..last.saturating_add(1).min(len)
            }
        };
        Some(if part.is_empty() {
            Self::Nothing
        } else {
            Self::Part(part)
        })
    }
}

/// A body on its way. Each step is read when the client has taken the one before.
struct Sending {
    api: Arc<Api>,
    outboard: Arc<Outboard>,
    left: Range<u64>,
    _turn: OwnedSemaphorePermit,
}

impl Sending {
    async fn next(mut self) -> Option<(Result<Bytes, NodeError>, Self)> {
        if self.left.is_empty() {
            return None;
        }
        // To the next whole step, so that no group is read twice.
        let end = (self.left.start / STEP + 1).saturating_mul(STEP);
        let step = self.left.start..end.min(self.left.end);
        self.left.start = step.end;
        let (api, outboard) = (Arc::clone(&self.api), Arc::clone(&self.outboard));
        let read = tokio::task::spawn_blocking(move || {
            let blobs = api.keeper.node().blobs();
            let bytes = outboard.range(blobs.as_ref(), step)?;
            bytes.ok_or(NodeError::NoBody)
        });
        let read = read.await.unwrap_or(Err(NodeError::NoBody));
        if read.is_err() {
            self.left = 0..0;
        }
        Some((read.map(Bytes::from), self))
    }
}

/// Some of a ciphertext, for the vault of another organization of the committee. Who asks verifies it.
#[utoipa::path(
    post,
    path = "/v1/blobs",
    tag = "records",
    request_body(content = Cbor, description = "`Signed<BlobAsk>` of chartseal-api, by the custodian's key", content_type = "application/cbor"),
    responses(
        (status = 200, description = "at most 4 MiB from that byte on", body = String, content_type = "application/octet-stream"),
        Failure,
    ),
)]
pub(super) async fn blob(State(api): Asked, Sent(body): Sent) -> Answer {
    let signed: Signed<BlobAsk> = read("a question for a ciphertext", &body)?;
    work(&api, move |api| {
        let BlobAsk { id, from } = *check(api, &signed, Api::is_custodian)?;
        let blobs = api.keeper.node().blobs();
        let part = blobs.read_unverified(&BlobId(id), from, MAX_PART);
        let part = part.map_err(NodeError::from)?.ok_or(NodeError::NoBody)?;
        Ok(octets(part))
    })
    .await
}

/// The hashes that verify a ciphertext in groups, for the vault of another organization of the committee.
#[utoipa::path(
    post,
    path = "/v1/blobs/groups",
    tag = "records",
    request_body(content = Cbor, description = "`Signed<BlobAsk>` of chartseal-api, by the custodian's key; its `from` counts for nothing", content_type = "application/cbor"),
    responses(
        (status = 200, description = "32 bytes for each group, none if there is one", body = String, content_type = "application/octet-stream"),
        Failure,
    ),
)]
pub(super) async fn blob_groups(State(api): Asked, Sent(body): Sent) -> Answer {
    let signed: Signed<BlobAsk> = read("a question for a ciphertext's groups", &body)?;
    work(&api, move |api| {
        let BlobAsk { id, .. } = *check(api, &signed, Api::is_custodian)?;
        let outboard = outboard(api, &BlobId(id))?;
        Ok(octets(outboard.groups().concat()))
    })
    .await
}

/// Headers and seals of records, for the vault of another organization of the committee.
#[utoipa::path(
    post,
    path = "/v1/fronts",
    tag = "records",
    request_body(content = Cbor, description = "`Signed<FrontsAsk>` of chartseal-api, by the custodian's key: at most 256", content_type = "application/cbor"),
    responses(
        (status = 200, description = "`Fronts` of chartseal-api: those that are here", body = Cbor, content_type = "application/cbor"),
        Failure,
    ),
)]
pub(super) async fn fronts(State(api): Asked, Sent(body): Sent) -> Answer {
    let signed: Signed<FrontsAsk> = read("a question for headers", &body)?;
    work(&api, move |api| {
        let FrontsAsk { headers } = check(api, &signed, Api::is_custodian)?;
        let mut fronts = Vec::with_capacity(headers.len());
        for header in headers {
            if let StoredFront::Good(front) = api.keeper.node().stored_front(header)? {
                fronts.push(*front);
            }
        }
        Ok(encoded(&Fronts { fronts }))
    })
    .await
}

fn octets(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// What verifies a ciphertext in parts. To know it, a large one is read whole once; it is remembered then.
fn outboard(api: &Api, id: &BlobId) -> Result<Arc<Outboard>, Failure> {
    if let Some(known) = api.outboards().get(id) {
        return Ok(Arc::clone(known));
    }
    let blobs = api.keeper.node().blobs();
    let read = Outboard::read(blobs.as_ref(), id).map_err(NodeError::from)?;
    let read = Arc::new(read.ok_or(NodeError::NoBody)?);
    let mut known = api.outboards();
    if known.len() >= super::MAX_OUTBOARDS {
        known.pop_first();
    }
    known.insert(*id, Arc::clone(&read));
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_rfc_9110_says() {
        let part = |range| Some(Wanted::Part(range));
        for (range, len, expected) in [
            ("bytes=0-0", 10, part(0..1)),
            ("bytes=2-5", 10, part(2..6)),
            ("bytes=2-", 10, part(2..10)),
            ("bytes=-3", 10, part(7..10)),
            ("bytes=-30", 10, part(0..10)),
            ("bytes=9-99", 10, part(9..10)),
            ("bytes=0-99999999999999999999", 10, part(0..10)),
            ("bytes=10-", 10, Some(Wanted::Nothing)),
            ("bytes=99999999999999999999-", 10, Some(Wanted::Nothing)),
            ("bytes=-0", 10, Some(Wanted::Nothing)),
            ("bytes=0-", 0, Some(Wanted::Nothing)),
            ("bytes=5-2", 10, None),
            ("bytes=-", 10, None),
            ("bytes=1-2,4-5", 10, None),
            ("bytes=+1-2", 10, None),
            ("bytes=a-b", 10, None),
            ("lines=0-1", 10, None),
            ("", 10, None),
        ] {
            assert_eq!(Wanted::of(range, len), expected, "{range}");
        }
    }
}
