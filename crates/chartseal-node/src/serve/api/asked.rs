//! What a request brings. Whatever is wrong with it is a problem with a code, like everything else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};
use utoipa::{PartialSchema, ToSchema};

use super::failure::Failure;
use super::limits::network;
use super::room::Share;
use super::{Api, Kept};

/// How many bytes the bodies of some paths have at most.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit(pub(super) usize);

/// The body, whole.
pub(super) struct Sent(pub(super) Bytes);

impl FromRequest<Arc<Api>> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Failure> {
        let extensions = request.extensions();
        // A path without a limit takes none.
        let longest = extensions.get().map_or(0, |BodyLimit(longest)| *longest);
        let from = extensions.get::<ConnectInfo<SocketAddr>>();
        let from = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.ip());
        let mut share = api.room.of(network(from));
        let bytes = whole(request.into_body(), longest, &mut share).await?;
        Ok(Self(Bytes::from_owner(Kept {
            bytes,
            _place: share,
        })))
    }
}

async fn whole(body: Body, longest: usize, share: &mut Share) -> Result<Vec<u8>, Failure> {
    // Of what is announced to be too long nothing is kept.
    let mut is_too_long = body.size_hint().lower() > longest as u64;
    let (mut bytes, mut len) = (Vec::new(), 0);
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|why| Failure::malformed("the body", why))?;
        len += part.len();
        is_too_long |= len > longest;
        if is_too_long {
            // Somebody who still sends when the connection ends might not see why.
            bytes = Vec::new();
            if len > longest.saturating_mul(2) {
                break;
            }
        } else if share.grow(part.len()) {
            bytes.extend_from_slice(&part);
        } else {
            return Err(Failure::busy());
        }
    }
    if is_too_long {
        return Err(Failure::too_long());
    }
    Ok(bytes)
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
