//! What a request brings. Whatever is wrong with it is a problem with a code, like everything else.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};
use utoipa::{PartialSchema, ToSchema};

use super::failure::Failure;

/// The body, whole.
pub(super) struct Sent(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = Bytes::from_request(request, state).await;
        body.map(Self).map_err(|why| match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::too_long(),
            _ => Failure::malformed("the body", why.body_text()),
        })
    }
}

/// What stands behind the question mark.
pub(super) struct Queried<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Queried<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::from_request_parts(parts, state).await;
        let query = query.map(|Query(query)| Self(query));
        query.map_err(|why| Failure::malformed("the query", why.body_text()))
    }
}

/// The variable parts of the path.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::from_request_parts(parts, state).await;
        let path = path.map(|Path(path)| Self(path));
        path.map_err(|why| Failure::malformed("the path", why.body_text()))
    }
}

/// Canonical CBOR: OpenAPI's schemas are JSON's, so the description names the type, and its documentation the bytes.
pub(super) struct Cbor;

impl PartialSchema for Cbor {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let schema = schema.content_media_type("application/cbor");
        let schema = schema.description(Some(
            "Deterministic CBOR (RFC 8949, section 4.2.1). The types are documented in chartseal-api, with their CDDL in \
             docs/.",
        ));
        schema.into()
    }
}

impl ToSchema for Cbor {}
