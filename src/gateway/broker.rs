//! Hands out what a frontend may hold: limited tokens, and sessions for one WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::recent::lock;
use super::record::Record;
use super::state::{Allowed, Gateway, Mint};
use crate::domain::corti::interaction::{self, Api, Fields, Interaction, InteractionError};
use crate::domain::corti::websocket::SocketKind;
use crate::domain::gateway::place::TICKET;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules;
use crate::domain::gateway::ticket::Ticket;
use crate::domain::token::grant::Token;
use crate::domain::token::jwt;
use crate::domain::token::scope::{ScopeRequest, ScopeSet, TokenClass};

/// The longest body of a request, in bytes: an interaction with a patient's data.
const BODY: usize = 32 * 1024;

/// How long a body may take.
const BODY_LIMIT: Duration = Duration::from_secs(10);

/// How long a mint may take.
const MINT_LIMIT: Duration = Duration::from_secs(20);

/// A shared token must live this long: the SDK asks for the next one 120 s before the expiry.
const SHARED_LIFE: i64 = 150;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    scopes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRequest {
    kind: SocketKind,
    interaction: Option<Value>,
    #[serde(default)]
    via: Via,
}

/// How the browser reaches the WebSocket.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Via {
    /// Through the gateway, with a ticket.
    #[default]
    Gateway,
    /// At Corti, with a limited token.
    Direct,
}

/// Answers a request to `/broker/v1/`.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    request: Request,
    allowed: &Allowed,
    record: &Record,
) -> Result<Response, Refusal> {
    let (status, body) = match (request.method().as_str(), request.uri().path()) {
        ("GET", "/broker/v1/me") => {
            record.entry().operation = "me";
            (StatusCode::OK, me(allowed))
        }
        ("POST", "/broker/v1/token") => {
            let TokenRequest { scopes } = json_body(request).await?;
            (StatusCode::OK, token(gateway, &scopes, allowed, record).await?)
        }
        ("POST", "/broker/v1/sessions") => {
            let asked = json_body(request).await?;
            (StatusCode::CREATED, session(gateway, asked, allowed, record).await?)
        }
        _ => return Err(Refusal::new(Code::ROUTE_UNKNOWN, "the broker has token, sessions and me")),
    };
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((status, headers, body.to_string()).into_response())
}

/// Only JSON: a page can send a form to another site without asking first.
async fn json_body<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    let invalid = |detail: String| Refusal::new(Code::REQUEST_INVALID, detail);
    if !is_json(request.headers()) {
        return Err(invalid("send Content-Type: application/json".to_owned()));
    }
    let body = timeout(BODY_LIMIT, Limited::new(request.into_body(), BODY).collect()).await;
    let body = body.ok().and_then(Result::ok);
    let body = body
        .ok_or_else(|| Refusal::new(Code::BODY_TOO_LARGE, format!("the body has more than {BODY} bytes")))?;
    // serde's own words may repeat the text.
    serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        invalid(format!("the body is wrong at line {}, column {}", error.line(), error.column()))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn me(allowed: &Allowed) -> Value {
    let limits = &allowed.permissions.limits;
    json!({
        "caller": allowed.caller.id,
        "assignedUserId": allowed.caller.user,
        "groups": allowed.caller.groups,
        "operations": allowed.permissions.operations.iter()
            .map(|(name, own)| json!({ "name": name, "own": own })).collect::<Vec<_>>(),
        "limits": {
            "rate": limits.rate.to_string(),
            "burst": limits.burst,
            "sockets": limits.sockets,
            "session": SignedDuration::try_from(limits.session).unwrap_or_default().to_string(),
            "body": limits.body.to_string(),
            "tokens": limits.tokens.to_string(),
        },
    })
}

/// A limited token, in the form of the SDK's `refreshAccessToken`.
async fn token(
    gateway: &Gateway,
    scopes: &[String],
    allowed: &Allowed,
    record: &Record,
) -> Result<Value, Refusal> {
    record.entry().operation = "token";
    let names: Vec<&str> = scopes.iter().map(String::as_str).filter(|it| *it != "openid").collect();
    let is_limited = !names.is_empty() && names.iter().all(|it| ["transcribe", "streams"].contains(it));
    if !is_limited {
        let detail = "scopes can be transcribe, streams or both; other tokens stay on the backend";
        return Err(Refusal::new(Code::OPERATION_DENIED, detail));
    }
    for name in &names {
        allowed.permissions.of_broker(&format!("token.{name}"))?;
    }
    gateway.throttle.token(&allowed.caller.id, &allowed.permissions.limits)?;
    let token = minted(gateway, &names.join(" "), record).await?;
    Ok(json!({
        "accessToken": token.access_token.secret().expose(),
        "tokenType": "Bearer",
        "expiresIn": token.expires_at.duration_since(gateway.clock.now()).as_secs(),
        "scope": token.granted.to_strings().join(" "),
    }))
}

/// A token that is limited to `scopes`, by the server's answer and by its own claim.
async fn minted(gateway: &Gateway, scopes: &str, record: &Record) -> Result<Token, Refusal> {
    let scopes = ScopeSet::from_wire(scopes);
    let name = scopes.to_strings().join(" ");
    let shared = gateway.config.broker.share.then(|| lock(&gateway.shared).get(&name).cloned()).flatten();
    let lives = |token: &Token| token.expires_at.duration_since(gateway.clock.now()).as_secs() >= SHARED_LIFE;
    let token = if let Some(token) = shared.filter(lives) {
        token
    } else {
        let (reply, minted) = oneshot::channel();
        let late =
            || Refusal::later(Code::TOKEN_UNAVAILABLE, "no token came in time", Duration::from_secs(1));
        let mint = Mint { scopes: ScopeRequest::Scopes(scopes.clone()), reply };
        gateway.mints.try_send(mint).map_err(|_| late())?;
        timeout(MINT_LIMIT, minted).await.ok().and_then(Result::ok).ok_or_else(late)??
    };
    let text = token.access_token.secret().expose();
    let claimed = jwt::claimed(text).ok().and_then(|it| it.scope).map(|it| ScopeSet::from_wire(&it));
    let is_ours = |given: &ScopeSet| {
        let limited = |name: &str| given.contains(name) == scopes.contains(name);
        given.class() == TokenClass::Limited && limited("transcribe") && limited("streams")
    };
    if !is_ours(&token.granted) || !claimed.is_some_and(|claimed| is_ours(&claimed)) {
        return Err(Refusal::new(
            Code::UPSTREAM_INVALID,
            "the authorization server gave a token that is not limited",
        ));
    }
    record.entry().token = jwt::Jwt::decode(text).ok().and_then(|it| it.claims.jti);
    if gateway.config.broker.share {
        lock(&gateway.shared).insert(name, token.clone());
    }
    Ok(token)
}

/// What a page needs to open a WebSocket: where, and a ticket or a limited token.
async fn session(
    gateway: &Arc<Gateway>,
    asked: SessionRequest,
    allowed: &Allowed,
    record: &Record,
) -> Result<Value, Refusal> {
    let (name, operation) = match asked.kind {
        SocketKind::Transcribe => ("transcribe", "session.transcribe"),
        SocketKind::Streams => ("streams", "session.streams"),
    };
    record.entry().operation = operation;
    let permissions = &allowed.permissions;
    let own = permissions.of_broker(operation)?;
    if asked.via == Via::Direct {
        permissions.of_broker(&format!("token.{name}"))?;
    } else if !gateway.config.proxy.enabled || !permissions.operations.contains_key(name) {
        let detail = format!("a session through the gateway needs a rule that allows `{name}`");
        return Err(Refusal::new(Code::OPERATION_DENIED, detail));
    }
    gateway.throttle.token(&allowed.caller.id, &permissions.limits)?;
    // Before the interaction, which would otherwise be left behind.
    let token = match asked.via {
        Via::Direct => Some(minted(gateway, name, record).await?),
        Via::Gateway => None,
    };
    let interaction = match asked.kind {
        SocketKind::Streams => {
            let fields = asked.interaction.unwrap_or_else(|| json!({}));
            Some(create(gateway, &fields, own.then_some(allowed.caller.user)).await?)
        }
        SocketKind::Transcribe => None,
    };
    let id = interaction.as_ref().map(|it| it.id);
    let mut answer = match token {
        Some(token) => json!({
            "accessToken": token.access_token.secret().expose(),
            "expiresAt": format!("{:.0}", token.expires_at),
            "tenantName": gateway.tenant.as_str(),
            "environment": gateway.environment.to_string(),
            "websocketUrl": interaction.map_or_else(
                || format!("{}/transcribe?tenant-name={}", gateway.environment.socket_url(), gateway.tenant),
                |it| it.websocket_url.to_string(),
            ),
        }),
        None => ticket(gateway, name, id, allowed)?,
    };
    if let Some(id) = id {
        answer["interactionId"] = id.to_string().into();
    }
    Ok(answer)
}

fn ticket(
    gateway: &Gateway,
    name: &str,
    interaction: Option<Uuid>,
    allowed: &Allowed,
) -> Result<Value, Refusal> {
    let life = SignedDuration::try_from(allowed.permissions.limits.session).unwrap_or_default();
    let expires_at = gateway.clock.now() + life;
    let keys = &gateway.ticket_keys;
    let ticket = Ticket::new(keys, &allowed.caller, name, interaction, allowed.origin.as_deref(), expires_at);
    let ticket = ticket.sign(keys);
    let ticket =
        ticket.ok_or_else(|| Refusal::new(Code::TOKEN_UNAVAILABLE, "there is no key for tickets"))?;
    let path = interaction.map_or_else(|| "transcribe".to_owned(), |id| format!("interactions/{id}/streams"));
    let base = gateway.config.public_url.as_str().replacen("http", "ws", 1);
    Ok(json!({
        "websocketUrl": format!("{base}corti/audio-bridge/v2/{path}"),
        "expiresAt": format!("{expires_at:.0}"),
        "protocols": { TICKET: ticket.expose() },
    }))
}

/// Creates an interaction, of `owner` if there is one.
async fn create(gateway: &Gateway, fields: &Value, owner: Option<Uuid>) -> Result<Interaction, Refusal> {
    let body = Fields::default().body(Some(fields.to_string().as_bytes()), &Uuid::new_v4().to_string());
    let mut body =
        body.map_err(|error| Refusal::new(Code::REQUEST_INVALID, format!("`interaction`: {error}")))?;
    if let (Some(owner), Some(body)) = (owner, body.as_object_mut()) {
        rules::assign(body, owner);
    }
    let Gateway { environment, tenant, .. } = gateway;
    let response = gateway.call(|token| Api { environment, tenant, token }.create(&body)).await?;
    interaction::parse(&response, environment, tenant).map_err(|error| match error {
        InteractionError::Refused(problem) if (400..500).contains(&problem.status) => Refusal::new(
            Code::REQUEST_INVALID,
            format!("Corti refused the interaction with {}", problem.status),
        ),
        _ => Refusal::new(Code::UPSTREAM_INVALID, "Corti's answer is not a created interaction"),
    })
}
