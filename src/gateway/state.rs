//! What all requests to a gateway share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::header::HeaderValue;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use uuid::Uuid;

use super::kept::{Kept, Missing};
use super::page::Page;
use super::record::{Journal, OfScope};
use super::throttle::{Throttle, lock};
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::request::{Request, Response};
use crate::domain::corti::websocket::SocketKind;
use crate::domain::gateway::caller::{Caller, Issuer};
use crate::domain::gateway::config::Config;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules::Permissions;
use crate::domain::gateway::ticket::Keys;
use crate::domain::token::grant::Token;
use crate::domain::token::jwks::KeySet;
use crate::domain::token::scope::{ScopeRequest, ScopeSet};
use crate::edge::clock::Clock;
use crate::edge::http;

/// How long a request of the gateway's own may take.
const OWN_CALL: Duration = Duration::from_secs(10);

/// A token that the gateway uses itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upstream {
    Full,
    Transcribe,
    Streams,
}

impl Upstream {
    /// The scopes of its token.
    pub(super) fn scopes(self) -> ScopeRequest {
        match self {
            Self::Full => ScopeRequest::Full,
            Self::Transcribe => SocketKind::Transcribe.scope_request(),
            Self::Streams => SocketKind::Streams.scope_request(),
        }
    }

    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Transcribe => "transcribe",
            Self::Streams => "streams",
        }
    }
}

/// How far the gateway is on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// `/readyz` says no, and everything is served.
    Draining,
    /// No connection is accepted, and WebSockets are cut.
    Cutting,
}

/// A request that may be answered.
pub(super) struct Allowed {
    pub(super) caller: Caller,
    pub(super) permissions: Permissions,
    /// The page that asks, if it is one.
    pub(super) origin: Option<String>,
    /// The protocol to accept.
    pub(super) protocol: Option<&'static str>,
    /// How long a WebSocket may stay open.
    pub(super) session: Duration,
}

/// A request for a token, and where the answer goes.
pub(super) struct Mint {
    pub(super) scopes: ScopeRequest,
    pub(super) reply: oneshot::Sender<Result<Token, Refusal>>,
}

/// The JWTs that were verified lately, by their SHA-256.
pub(super) type Verified = Mutex<HashMap<[u8; 32], (Caller, Instant)>>;

/// The answers, by interaction.
pub(super) type Owners = Mutex<HashMap<Uuid, (Option<Uuid>, Instant)>>;

pub(super) struct Gateway {
    pub(super) config: Config,
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
    /// Corti's host, as `https://api.eu.corti.app`.
    pub(super) api: String,
    pub(super) client: reqwest::Client,
    pub(super) clock: Clock,
    pub(super) hosts: Vec<String>,
    pub(super) page: Option<Page>,
    pub(super) ticket_keys: Keys,
    pub(super) issuers: Vec<(Issuer, Kept<KeySet>)>,
    pub(super) verified: Verified,
    /// By [`Upstream`].
    pub(super) tokens: [Kept<AccessToken>; 3],
    pub(super) mints: mpsc::Sender<Mint>,
    pub(super) shared: Mutex<HashMap<String, Token>>,
    pub(super) owners: Owners,
    pub(super) throttle: Throttle,
    pub(super) journal: Arc<Journal>,
    pub(super) phase: watch::Sender<Phase>,
}

impl Gateway {
    pub(super) fn kept(&self, token: Upstream) -> &Kept<AccessToken> {
        match token {
            Upstream::Full => &self.tokens[0],
            Upstream::Transcribe => &self.tokens[1],
            Upstream::Streams => &self.tokens[2],
        }
    }

    /// The tokens that some rule may need.
    pub(super) fn needed(&self) -> impl Iterator<Item = Upstream> {
        let allows = |wanted: fn(&str) -> bool| {
            self.config.rules.rules.iter().flat_map(|rule| &rule.allow).any(|name| wanted(name))
        };
        let rest =
            |name: &str| name.contains('.') && !name.starts_with("token.") && name != "session.transcribe";
        let owns = self.config.rules.rules.iter().any(|rule| rule.own);
        [
            (Upstream::Full, owns || allows(rest)),
            (Upstream::Transcribe, self.config.proxy && allows(|name| name == "transcribe")),
            (Upstream::Streams, self.config.proxy && allows(|name| name == "streams")),
        ]
        .into_iter()
        .filter_map(|(token, is_needed)| is_needed.then_some(token))
    }

    /// A token for Corti and its generation. `refused` is the generation that Corti refused.
    pub(super) async fn token(
        &self,
        token: Upstream,
        refused: Option<u64>,
    ) -> Result<(Arc<AccessToken>, u64), Refusal> {
        let kept = self.kept(token);
        let got = match refused {
            Some(generation) => kept.after(generation).await,
            None => kept.get().await,
        };
        got.map_err(|Missing(after)| match refused {
            Some(_) => rejected_us(),
            None => Refusal::later(Code::TokenUnavailable, "there is no token for Corti now", after),
        })
    }

    /// Sends a request of the gateway's own, and again with a new token if Corti refuses ours.
    pub(super) async fn call(&self, request: impl Fn(&AccessToken) -> Request) -> Result<Response, Refusal> {
        let mut generation = None;
        loop {
            let (token, current) = self.token(Upstream::Full, generation).await?;
            let response = http::send_by(&self.client, &request(&token), OWN_CALL).await;
            let response = response.ok_or_else(|| unreachable("did not answer"))?;
            match (response.status, generation) {
                (401, None) => generation = Some(current),
                (401, Some(_)) => return Err(rejected_us()),
                _ => return Ok(response),
            }
        }
    }

    /// A token that was handed out before and lives for `seconds` more.
    pub(super) fn shared(&self, scopes: &ScopeSet, seconds: i64) -> Option<Token> {
        let shared = lock(&self.shared);
        let token = shared.get(&scopes.to_strings().join(" "))?;
        let left = token.expires_at.duration_since(self.clock.now()).as_secs();
        (left >= seconds).then(|| token.clone())
    }

    pub(super) fn share(&self, scopes: &ScopeSet, token: &Token) {
        lock(&self.shared).insert(scopes.to_strings().join(" "), token.clone());
    }

    pub(super) fn accepts_origin(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.config.origins.contains(origin))
    }

    /// Completes when this WebSocket is to be cut. Each waits for another part of the time, so that clients do not all connect
    /// again at once.
    pub(super) async fn cut(&self) {
        drop(self.phase.subscribe().wait_for(|phase| *phase == Phase::Cutting).await);
        sleep(random_part(self.config.drain.spread)).await;
    }

    pub(super) fn measured(&self) -> String {
        let metrics = &self.journal.metrics;
        for token in self.needed() {
            let left = self.kept(token).seconds_left().unwrap_or_default();
            metrics.token_seconds_left.get_or_create(&OfScope { scope: token.as_str() }).set(left);
        }
        metrics.text()
    }
}

pub(super) fn broken(error: reqwest::Error) -> Refusal {
    // Its own words name the URL, which may hold a token.
    let error = error.without_url();
    unreachable(if error.is_connect() { "cannot be reached" } else { "broke the connection off" })
}

pub(super) fn unreachable(what: &str) -> Refusal {
    Refusal::new(Code::UpstreamUnreachable, format!("Corti {what}"))
}

pub(super) fn rejected_us() -> Refusal {
    Refusal::new(Code::UpstreamRejectedUs, "Corti refuses the gateway's own token")
}

/// A random part of a time.
pub(super) fn random_part(whole: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without random bytes, the end of the time does.
    if getrandom::fill(&mut bytes).is_err() {
        return whole;
    }
    whole.mul_f64(f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX))
}
