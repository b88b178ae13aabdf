use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chartseal_api::Problem;
use chartseal_consensus::PoolError;
use utoipa::IntoResponses;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::error::NodeError;
use crate::serve::uploads::UploadFault;

/// The media type of a problem (RFC 9457).
const KIND: &str = "application/problem+json";

/// Why a request is not answered.
#[derive(Debug)]
pub(super) struct Failure(Problem);

impl Failure {
    fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self(Problem::new(status.as_u16(), title, code, detail))
    }

    /// Bytes, or a part of the path, that are not in their format.
    pub(super) fn malformed(what: &str, why: impl std::fmt::Display) -> Self {
        let detail = format!("{what} is not in its format: {why}");
        Self::new(StatusCode::BAD_REQUEST, "CS-API-01", detail)
    }

    pub(super) fn not_found(what: &str) -> Self {
        let detail = format!("{what} is not here");
        Self::new(StatusCode::NOT_FOUND, NodeError::NOT_HERE, detail)
    }

    /// The question is not signed by whom it concerns.
    pub(super) fn forbidden(why: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "CS-API-03", why)
    }

    /// The question was made at another time, or came before.
    pub(super) fn stale(why: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "CS-API-04", why)
    }

    pub(super) fn busy() -> Self {
        let detail = "too many requests at a time; ask again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "CS-API-05", detail)
    }

    /// More requests than one may make.
    pub(super) fn too_often(who: &str) -> Self {
        let detail = format!("{who} too often; ask again in a moment");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "CS-API-07", detail)
    }

    /// A body that is longer than this path takes.
    pub(super) fn too_long() -> Self {
        let detail = "the body is longer than this path takes";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "CS-API-20", detail)
    }

    /// More is asked for than an answer holds.
    pub(super) fn too_much(most: &str) -> Self {
        let detail = format!("more is asked for than {most}; ask for fewer");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "CS-API-29", detail)
    }

    /// A range of which there is nothing.
    pub(super) fn no_such_range(len: u64) -> Self {
        let detail = format!("there are {len} bytes, and none in this range");
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "CS-API-24", detail)
    }

    /// The path has other methods.
    pub(super) fn not_allowed() -> Self {
        let detail = "this path has other methods";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "CS-API-21", detail)
    }

    /// The client does not send what it began, or takes too long otherwise.
    pub(super) fn slow() -> Self {
        let detail = "the request took too long";
        Self::new(StatusCode::REQUEST_TIMEOUT, "CS-API-08", detail)
    }

    /// The node runs, and should not be asked.
    pub(super) fn not_ready(why: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "CS-API-09", why)
    }

    /// The node's chain does not come as far as what the question relies on.
    pub(super) fn behind() -> Self {
        let detail =
            "this node's chain is not as far as the height that was named; another one's may be";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "CS-API-28", detail)
    }

    /// The node itself fails: its disk, say. The log says more than the answer.
    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request can't be answered");
        let detail = "the node's own stores fail; another node may answer";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            NodeError::INTERNAL,
            detail,
        )
    }
}

/// What goes wrong in any operation, for its description.
impl IntoResponses for Failure {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = |what: &str| {
            let response = ResponseBuilder::new().description(what);
            response.content(KIND, problem.clone()).build().into()
        };
        BTreeMap::from([
            (
                "4XX".into(),
                response("the request is refused; `code` says by which rule"),
            ),
            (
                "5XX".into(),
                response("the node can't answer; another one may"),
            ),
        ])
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, error.rule(), error.to_string())
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error.code() {
            NodeError::NOT_HERE => Self::not_found("a share or ciphertext of this record"),
            NodeError::INTERNAL => Self::internal(&error),
            code @ NodeError::NO_RECEIPT => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
            }
            code => Self::new(StatusCode::FORBIDDEN, code, error.to_string()),
        }
    }
}

impl From<UploadFault> for Failure {
    fn from(fault: UploadFault) -> Self {
        match fault {
            UploadFault::Busy => Self::busy(),
            UploadFault::Outline => {
                Self::malformed("the outline", "its hashes are not those of its body")
            }
            UploadFault::NotBegun => Self::not_found("an upload of this header"),
            UploadFault::Next(next) => {
                let detail = format!("the upload's next group is {next}");
                Self::new(StatusCode::CONFLICT, "CS-API-25", detail)
            }
            UploadFault::Group(group) => {
                let detail = format!("the bytes are not group {group} of the body");
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "CS-API-26", detail)
            }
            UploadFault::Node(error) => error.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        let status = StatusCode::from_u16(self.0.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, KIND)];
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let passes = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let again = passes
            .contains(&status)
            .then_some([(header::RETRY_AFTER, "1")]);
        (status, kind, again, body).into_response()
    }
}
