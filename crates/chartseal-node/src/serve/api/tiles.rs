//! The block log as C2SP tlog-tiles: with `GET /v1/checkpoint`, `/v1` is the prefix of a log that any monitor follows.

use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::IntoResponse as _;
use chartseal_tiles::{NoTile, Tile};

use super::answers::{Answer, Asked};
use super::failure::Failure;
use super::work;

/// A full tile of the block log, or a full bundle of its entries. From the 1,000th on, the index is in several parts: `x001/067`.
#[utoipa::path(
    get,
    path = "/v1/tile/{level}/{index}",
    tag = "chain",
    params(
        ("level" = String, Path, description = "0 to 7, or `entries`", pattern = "^([0-7]|entries)$"),
        ("index" = String, Path, description = "the tile's place in its level", pattern = "^[0-9]{3}$"),
    ),
    responses(
        (status = 200, description = "256 hashes of 32 bytes; or 256 headers as the log hashes them, each behind its length in two bytes", body = String, content_type = "application/octet-stream"),
        Failure,
    ),
)]
pub(super) async fn full_tile(state: Asked, uri: Uri) -> Answer {
    tile(state, uri).await
}

/// A tile, or a bundle of entries, of which the log has only some. It may be of any width that the log has.
#[utoipa::path(
    get,
    path = "/v1/tile/{level}/{index}/{width}",
    tag = "chain",
    params(
        ("level" = String, Path, description = "0 to 7, or `entries`", pattern = "^([0-7]|entries)$"),
        ("index" = String, Path, description = "the tile's place in its level, and `.p`", pattern = "^[0-9]{3}[.]p$"),
        ("width" = String, Path, description = "how many it has, 1 to 255", pattern = "^[1-9][0-9]{0,2}$"),
    ),
    responses(
        (status = 200, description = "so many", body = String, content_type = "application/octet-stream"),
        Failure,
    ),
)]
pub(super) async fn partial_tile(state: Asked, uri: Uri) -> Answer {
    tile(state, uri).await
}

/// Whatever path it has.
pub(super) async fn tile(State(api): Asked, uri: Uri) -> Answer {
    let tile = uri.path().strip_prefix("/v1/").ok_or(NoTile);
    let tile: Result<Tile, NoTile> = tile.and_then(str::parse);
    let tile = tile.map_err(|why| Failure::malformed("a path", why))?;
    work(&api, move |api| {
        let bytes = api.keeper.node().tile(tile)?;
        let bytes = bytes.ok_or_else(|| Failure::not_found("this tile"))?;
        let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
        Ok((kind, bytes).into_response())
    })
    .await
}
