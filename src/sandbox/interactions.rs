//! The handlers of `/v2/interactions/`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::interaction::{Interaction, parse_id};
use super::listing::Listing;
use super::problem::Problem;
use super::state::Shared;

type Body = Result<Bytes, BytesRejection>;
type Id = Result<Path<String>, PathRejection>;

/// `POST /v2/interactions/`.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (body, now) = (parse(body)?, shared.now());
    let id = shared.interactions().create(&body, now)?;
    let created = json!({ "interactionId": id, "websocketUrl": shared.streams_url(id) });
    Ok((StatusCode::CREATED, Json(created)))
}

/// `GET /v2/interactions/`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::parse(&query.unwrap_or_default()).map_err(Problem::query)?;
    let interactions = shared.interactions();
    let page: Vec<Value> =
        listing.page(interactions.iter()).into_iter().map(|one| show(&shared, one)).collect();
    Ok(Json(json!({ "interactions": page })))
}

/// `GET /v2/interactions/{id}`.
pub(super) async fn get(State(shared): State<Arc<Shared>>, id: Id) -> Result<Json<Value>, Problem> {
    let id = parse_uuid(id)?;
    let interactions = shared.interactions();
    interactions.get(id).map(|one| Json(show(&shared, one)))
}

/// `PATCH /v2/interactions/{id}`.
pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    id: Id,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let (id, patch, now) = (parse_uuid(id)?, parse(body)?, shared.now());
    let mut interactions = shared.interactions();
    interactions.patch(id, &patch, now).map(|one| Json(show(&shared, one)))
}

/// `DELETE /v2/interactions/{id}`.
pub(super) async fn delete(State(shared): State<Arc<Shared>>, id: Id) -> Result<StatusCode, Problem> {
    let id = parse_uuid(id)?;
    shared.interactions().delete(id).map(|()| StatusCode::NO_CONTENT)
}

fn parse(body: Body) -> Result<Value, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection))?;
    serde_json::from_slice(&body).map_err(|_| Problem::NOT_JSON)
}

fn parse_uuid(id: Id) -> Result<Uuid, Problem> {
    id.ok().and_then(|Path(id)| parse_id(&id)).ok_or(Problem::NOT_A_UUID)
}

fn show(shared: &Shared, one: &Interaction) -> Value {
    one.show(&shared.streams_url(one.id))
}
