//! Issues limited tokens to frontends, and sessions for one WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::record::Record;
use super::state::{Authenticated, Gateway, Mint};
use crate::domain::corti::interaction::{self, Api, Fields, Interaction, InteractionError};
use crate::domain::corti::websocket::{self, SocketKind};
use crate::domain::gateway::credential::TICKET;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules;
use crate::domain::gateway::ticket::Ticket;
use crate::domain::token::grant::Token;
use crate::domain::token::scope::{ScopeRequest, ScopeSet};
use crate::domain::token::{jwt, limited_only};

/// The longest body of a request, in bytes: an interaction with a patient's data.
const BODY: usize = 32 * 1024;

/// How long a body may take.
const BODY_LIMIT: Duration = Duration::from_secs(10);

/// How long a mint may take.
const MINT_LIMIT: Duration = Duration::from_secs(20);

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
    authenticated: &Authenticated,
    record: &Record,
) -> Result<Response, Refusal> {
    let (status, body) = match (request.method().as_str(), request.uri().path()) {
        ("GET", "/broker/v1/me") => {
            record.entry().operation = "me";
            (StatusCode::OK, me(gateway, authenticated))
        }
        ("POST", "/broker/v1/token") => {
            let TokenRequest { scopes } = json_body(request, r#"{"scopes":["transcribe"]}"#).await?;
            (StatusCode::OK, token(gateway, &scopes, authenticated, record).await?)
        }
        ("POST", "/broker/v1/sessions") => {
            let asked = json_body(request, r#"{"kind":"transcribe"}"#).await?;
            (StatusCode::CREATED, session(gateway, asked, authenticated, record).await?)
        }
        _ => {
            return Err(Refusal::new(
                Code::ROUTE_UNKNOWN,
                "the broker serves only: POST /broker/v1/token, POST /broker/v1/sessions, GET /broker/v1/me",
            ));
        }
    };
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((status, headers, body.to_string()).into_response())
}

/// Reads a body such as `example`. Only JSON: a page can send a form to another site without asking first.
async fn json_body<T: DeserializeOwned>(request: Request, example: &str) -> Result<T, Refusal> {
    let invalid = |detail: String| Refusal::new(Code::REQUEST_INVALID, detail);
    if !is_json(request.headers()) {
        return Err(invalid("send Content-Type: application/json".to_owned()));
    }
    let body = timeout(BODY_LIMIT, Limited::new(request.into_body(), BODY).collect()).await;
    let body = body.map_err(|_| invalid("the body did not arrive in time".to_owned()))?;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Refusal::new(Code::BODY_TOO_LARGE, format!("the body has more than {BODY} bytes")),
        None => invalid("the body ended too early".to_owned()),
    })?;
    // serde's own words may repeat the text.
    serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        invalid(format!("send a body such as {example}: this one is wrong at line {line}, column {column}"))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn me(gateway: &Gateway, authenticated: &Authenticated) -> Value {
    let Authenticated { caller, permissions, .. } = authenticated;
    let mut me = permissions.to_json();
    me["environment"] = gateway.environment.to_string().into();
    me["tenantName"] = gateway.tenant.as_str().into();
    me["caller"] = caller.id.as_str().into();
    me["assignedUserId"] = caller.user.to_string().into();
    me["groups"] = caller.groups.iter().map(String::as_str).collect();
    me
}

/// A limited token, in the form of the SDK's `refreshAccessToken`.
async fn token(
    gateway: &Gateway,
    scopes: &[String],
    authenticated: &Authenticated,
    record: &Record,
) -> Result<Value, Refusal> {
    record.entry().operation = "token";
    let kind = |name: &str| match name {
        "transcribe" => Some(SocketKind::Transcribe),
        "streams" => Some(SocketKind::Streams),
        _ => None,
    };
    let names = scopes.iter().map(String::as_str).filter(|name| *name != "openid");
    let kinds = names.map(kind).collect::<Option<Vec<_>>>().filter(|kinds| !kinds.is_empty());
    let kinds = kinds.ok_or_else(|| {
        let detail = "scopes can be transcribe, streams or both; other tokens stay on the backend";
        Refusal::new(Code::OPERATION_DENIED, detail)
    })?;
    for kind in &kinds {
        authenticated.permissions.of_broker(&format!("token.{}", kind.as_str()))?;
    }
    gateway.throttle.token(&authenticated.caller.id, &authenticated.permissions.limits)?;
    let token = minted(gateway, &kinds, record).await?;
    Ok(json!({
        "accessToken": token.access_token.secret().expose(),
        "tokenType": "Bearer",
        "expiresIn": token.expires_at.duration_since(gateway.clock.now()).as_secs(),
        "scope": token.granted.to_strings().join(" "),
    }))
}

/// A new token that opens these WebSockets and nothing else, by the server's answer and by its own claim. New for each caller, so
/// the log says who has which token.
async fn minted(gateway: &Gateway, kinds: &[SocketKind], record: &Record) -> Result<Token, Refusal> {
    let scopes = ScopeSet::from_wire(&kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" "));
    let (reply, minted) = oneshot::channel();
    let late =
        || Refusal::later(Code::TOKEN_UNAVAILABLE, "got no token from Corti in time", Duration::from_secs(1));
    gateway.mints.try_send(Mint { scopes: ScopeRequest::Scopes(scopes), reply }).map_err(|_| late())?;
    let token = timeout(MINT_LIMIT, minted).await.ok().and_then(Result::ok).ok_or_else(late)??;
    for kind in kinds {
        let detail = "the authorization server gave a token that is not limited";
        limited_only::check(&token, *kind).map_err(|_| Refusal::new(Code::UPSTREAM_INVALID, detail))?;
    }
    let text = token.access_token.secret().expose();
    record.entry().token = jwt::Jwt::decode(text).ok().and_then(|it| it.claims.jti);
    Ok(token)
}

/// What a page needs to open a WebSocket: where, and a ticket or a limited token.
async fn session(
    gateway: &Arc<Gateway>,
    asked: SessionRequest,
    authenticated: &Authenticated,
    record: &Record,
) -> Result<Value, Refusal> {
    let (name, operation) = match asked.kind {
        SocketKind::Transcribe => ("transcribe", "session.transcribe"),
        SocketKind::Streams => ("streams", "session.streams"),
    };
    record.entry().operation = operation;
    if asked.kind == SocketKind::Transcribe && asked.interaction.is_some() {
        return Err(Refusal::new(Code::REQUEST_INVALID, "`interaction` is only for `streams`"));
    }
    let permissions = &authenticated.permissions;
    let own = permissions.of_broker(operation)?;
    if asked.via == Via::Direct {
        permissions.of_broker(&format!("token.{name}"))?;
    } else if !gateway.config.proxy.enabled || !permissions.operations.contains_key(name) {
        let detail = format!("a session through the gateway needs a rule that allows `{name}`");
        return Err(Refusal::new(Code::OPERATION_DENIED, detail));
    }
    gateway.throttle.token(&authenticated.caller.id, &permissions.limits)?;
    // Before the interaction, which would otherwise be left behind.
    let token = match asked.via {
        Via::Direct => Some(minted(gateway, &[asked.kind], record).await?),
        Via::Gateway => None,
    };
    let (id, websocket_url) = match asked.kind {
        SocketKind::Streams => {
            let fields = asked.interaction.unwrap_or_else(|| json!({}));
            let created = create(gateway, &fields, own.then_some(authenticated.caller.user)).await?;
            (Some(created.id), created.websocket_url)
        }
        SocketKind::Transcribe => {
            let url = websocket::transcribe_url(&gateway.environment, &gateway.tenant);
            (None, url.map_err(|error| Refusal::new(Code::UPSTREAM_INVALID, error.to_string()))?)
        }
    };
    let mut answer = match token {
        Some(token) => json!({
            "accessToken": token.access_token.secret().expose(),
            "expiresAt": format!("{:.0}", token.expires_at),
            "tenantName": gateway.tenant.as_str(),
            "environment": gateway.environment.to_string(),
            "websocketUrl": websocket_url.as_str(),
        }),
        None => ticket(gateway, name, id, authenticated),
    };
    if let Some(id) = id {
        answer["interactionId"] = id.to_string().into();
    }
    Ok(answer)
}

fn ticket(gateway: &Gateway, name: &str, interaction: Option<Uuid>, authenticated: &Authenticated) -> Value {
    let expires_at = gateway.clock.now() + authenticated.permissions.limits.session();
    let keys = &gateway.ticket_keys;
    let ticket = Ticket::new(
        keys,
        &authenticated.caller,
        name,
        interaction,
        authenticated.origin.as_deref(),
        expires_at,
    );
    let ticket = ticket.sign(keys);
    let path = interaction.map_or_else(|| "transcribe".to_owned(), |id| format!("interactions/{id}/streams"));
    let base = gateway.config.public_url.as_str().replacen("http", "ws", 1);
    json!({
        "websocketUrl": format!("{base}corti/audio-bridge/v2/{path}"),
        "expiresAt": format!("{expires_at:.0}"),
        "protocols": { TICKET: ticket.expose() },
    })
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
        _ => Refusal::new(Code::UPSTREAM_INVALID, "Corti did not return the new interaction"),
    })
}
