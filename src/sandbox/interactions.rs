//! The handlers of `/v2/interactions/`. Each needs a full token; what the bodies may be is in `record.rs`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::guard::FullAccess;
use super::ledger::Refused;
use super::listing::Listing;
use super::problem::Problem;
use super::record::{Draft, Interaction, parse_id};
use super::state::Shared;

type Body = Result<Bytes, BytesRejection>;
type Id = Result<Path<String>, PathRejection>;

/// `POST /v2/interactions/`.
pub(super) async fn create(
    _: FullAccess,
    State(shared): State<Arc<Shared>>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let draft = Draft::check(&parse(body)?).map_err(Problem::invalid)?;
    let now = shared.now();
    let id = shared.ledger().create(draft, now).map_err(refuse)?;
    let made = json!({ "interactionId": id, "websocketUrl": shared.streams_url(id) });
    Ok((StatusCode::CREATED, Json(made)))
}

/// `GET /v2/interactions/`.
pub(super) async fn list(
    _: FullAccess,
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::parse(&query.unwrap_or_default()).map_err(Problem::query)?;
    let ledger = shared.ledger();
    let page: Vec<Value> = listing.page(ledger.iter()).into_iter().map(|one| show(&shared, one)).collect();
    Ok(Json(json!({ "interactions": page })))
}

/// `GET /v2/interactions/{id}`.
pub(super) async fn show_one(
    _: FullAccess,
    State(shared): State<Arc<Shared>>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    let id = known_form(id)?;
    let ledger = shared.ledger();
    ledger.get(id).map(|one| Json(show(&shared, one))).ok_or_else(Problem::no_interaction)
}

/// `PATCH /v2/interactions/{id}`.
pub(super) async fn update(
    _: FullAccess,
    State(shared): State<Arc<Shared>>,
    id: Id,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let id = known_form(id)?;
    let patch = parse(body)?;
    let now = shared.now();
    let mut ledger = shared.ledger();
    ledger.patch(id, &patch, now).map(|one| Json(show(&shared, one))).map_err(refuse)
}

/// `DELETE /v2/interactions/{id}`.
pub(super) async fn remove(
    _: FullAccess,
    State(shared): State<Arc<Shared>>,
    id: Id,
) -> Result<StatusCode, Problem> {
    let id = known_form(id)?;
    shared.ledger().delete(id).map(|()| StatusCode::NO_CONTENT).map_err(refuse)
}

fn parse(body: Body) -> Result<Value, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection))?;
    serde_json::from_slice(&body).map_err(|_| Problem::not_json())
}

fn known_form(id: Id) -> Result<Uuid, Problem> {
    id.ok().and_then(|Path(id)| parse_id(&id)).ok_or_else(Problem::not_a_uuid)
}

fn show(shared: &Shared, one: &Interaction) -> Value {
    one.show(&shared.streams_url(one.id))
}

fn refuse(refused: Refused) -> Problem {
    match refused {
        Refused::Missing => Problem::no_interaction(),
        Refused::Duplicate(identifier) => Problem::duplicate(&identifier),
        Refused::Invalid(faults) => Problem::invalid(faults),
    }
}
