//! What all requests to a gateway share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::LengthLimitError;
use reqwest::StatusCode;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::kept::{Kept, Missing};
use super::page::Page;
use super::recent::Recent;
use super::record::Journal;
use super::throttle::Throttle;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::request::{Request, Response};
use crate::domain::corti::websocket::SocketKind;
use crate::domain::gateway::caller::Caller;
use crate::domain::gateway::config::{Config, Issuer};
use crate::domain::gateway::operation::Call;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules::Permissions;
use crate::domain::gateway::ticket::Keys;
use crate::domain::token::grant::Token;
use crate::domain::token::jwks::KeySet;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::clock::Clock;
use crate::edge::http;

/// How long a request of the gateway's own may take.
const OWN_CALL: Duration = Duration::from_secs(10);

/// A token that the gateway uses itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnToken {
    Full,
    Socket(SocketKind),
}

impl OwnToken {
    /// The token that Corti needs for this operation.
    pub(super) fn of(call: &Call) -> Self {
        match (call.operation.is_socket(), call.interaction) {
            (false, _) => Self::Full,
            (true, Some(_)) => Self::Socket(SocketKind::Streams),
            (true, None) => Self::Socket(SocketKind::Transcribe),
        }
    }

    /// The scopes of its token.
    pub(super) fn scopes(self) -> ScopeRequest {
        match self {
            Self::Full => ScopeRequest::Full,
            Self::Socket(kind) => kind.scope_request(),
        }
    }

    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Socket(kind) => kind.as_str(),
        }
    }
}

/// The phases of stopping.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Phase {
    Serving,
    /// `/readyz` says no, and everything is served.
    Draining,
    /// No connection is accepted, and WebSockets are cut one after the other.
    Cutting,
    /// All WebSockets are cut.
    Ended,
}

/// Who sent a request, and what the rules allow this caller.
pub(super) struct Authenticated {
    pub(super) caller: Caller,
    pub(super) permissions: Arc<Permissions>,
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

pub(super) struct Gateway {
    pub(super) config: Config,
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
    /// Corti's host, as `https://api.eu.corti.app`.
    pub(super) api: String,
    pub(super) client: reqwest::Client,
    pub(super) clock: Clock,
    /// The `Host` headers that name this gateway.
    pub(super) hosts: Vec<String>,
    pub(super) page: Option<Page>,
    pub(super) ticket_keys: Keys,
    /// The SHA-256 of the engine's key.
    pub(super) engine_key_hash: Option<[u8; 32]>,
    pub(super) issuers: Vec<(Issuer, Kept<KeySet>)>,
    /// The callers by the SHA-256 of their JWTs, which need not be verified again.
    pub(super) verified: Recent<[u8; 32], Caller>,
    /// What the rules allow, by the groups of callers.
    pub(super) permitted: Recent<BTreeSet<String>, Arc<Permissions>>,
    /// The tokens that some rule needs.
    pub(super) tokens: Vec<(OwnToken, Kept<AccessToken>)>,
    pub(super) mints: mpsc::Sender<Mint>,
    /// The users whom interactions are assigned to.
    pub(super) owners: Recent<Uuid, Option<Uuid>>,
    pub(super) throttle: Throttle,
    pub(super) journal: Arc<Journal>,
    pub(super) phase: watch::Sender<Phase>,
}

/// The tokens that some rule needs.
pub(super) fn needed(config: &Config) -> Vec<OwnToken> {
    let allows = |wanted: &dyn Fn(&str) -> bool| {
        config.rules.iter().flat_map(|rule| &rule.allow).any(|name| wanted(name))
    };
    let of_rest =
        |name: &str| name.contains('.') && !name.starts_with("token.") && name != "session.transcribe";
    // To find out whose an interaction is.
    let owns_streams = config.rules.iter().any(|rule| rule.own && rule.allow.contains("streams"));
    let is_full = owns_streams || allows(&of_rest);
    let sockets = [SocketKind::Transcribe, SocketKind::Streams].into_iter();
    let sockets = sockets.filter(|kind| config.opens_sockets() && allows(&|name| name == kind.as_str()));
    is_full.then_some(OwnToken::Full).into_iter().chain(sockets.map(OwnToken::Socket)).collect()
}

impl Gateway {
    /// What callers of these groups may do.
    pub(super) fn permissions(&self, groups: &BTreeSet<String>) -> Arc<Permissions> {
        self.permitted.get(groups).unwrap_or_else(|| {
            let permissions = Arc::new(self.config.permissions(groups));
            self.permitted.insert(groups.clone(), Arc::clone(&permissions));
            permissions
        })
    }

    /// A token for Corti and its generation. `refused` is the generation that Corti refused.
    pub(super) async fn token(
        &self,
        token: OwnToken,
        refused: Option<u64>,
    ) -> Result<(Arc<AccessToken>, u64), Refusal> {
        let kept = self.tokens.iter().find(|(it, _)| *it == token).map(|(_, kept)| kept);
        let got = match (kept, refused) {
            (Some(kept), Some(generation)) => kept.after(generation).await,
            (Some(kept), None) => kept.get().await,
            (None, _) => Err(Missing(OWN_CALL)),
        };
        got.map_err(|Missing(after)| match refused {
            Some(_) => rejected_us(),
            None => {
                Refusal::later(Code::TOKEN_UNAVAILABLE, "the gateway has no Corti token at the moment", after)
            }
        })
    }

    /// Sends a request with a token, and again with a new one if Corti refuses ours. `request` makes the request; `None` says that
    /// its body is gone and cannot be sent again. The answer must begin within `limit`.
    pub(super) async fn send(
        &self,
        token: OwnToken,
        limit: Duration,
        mut request: impl FnMut(&AccessToken) -> Option<reqwest::Request> + Send,
    ) -> Result<reqwest::Response, Refusal> {
        let mut refused = None;
        loop {
            let (access, generation) = self.token(token, refused).await?;
            let request = request(&access).ok_or_else(|| {
                let detail = "the token was renewed while the body was sent: send it again";
                Refusal::later(Code::TOKEN_UNAVAILABLE, detail, Duration::from_secs(1))
            })?;
            let sent = timeout(limit, self.client.execute(request)).await;
            let answer = sent.map_err(|_| unreachable("did not answer in time"))?.map_err(broken)?;
            match (answer.status(), refused) {
                (StatusCode::UNAUTHORIZED, None) => refused = Some(generation),
                (StatusCode::UNAUTHORIZED, Some(_)) => return Err(rejected_us()),
                _ => return Ok(answer),
            }
        }
    }

    /// Sends a request of the gateway's own.
    pub(super) async fn call(
        &self,
        request: impl Fn(&AccessToken) -> Request + Send,
    ) -> Result<Response, Refusal> {
        let build = move |token: &AccessToken| http::built(&self.client, &request(token));
        let answer = self.send(OwnToken::Full, OWN_CALL, build).await?;
        let whole = timeout(OWN_CALL, http::whole(answer)).await.ok().flatten();
        whole.ok_or_else(|| unreachable("did not answer"))
    }

    /// Whether it has all tokens and keys, and is not about to stop.
    pub(super) fn is_ready(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
            && self.tokens.iter().all(|(_, kept)| kept.is_ready())
            && self.issuers.iter().all(|(_, keys)| keys.is_ready())
    }

    /// Completes when this WebSocket is to be cut. Each waits for another part of the time, so that clients do not all connect
    /// again at once.
    pub(super) async fn cut(&self) {
        self.reached(Phase::Cutting).await;
        let turn = random_part(self.config.drain.spread);
        drop(timeout(turn, self.reached(Phase::Ended)).await);
    }

    /// Completes in this phase.
    pub(super) fn reached(&self, wanted: Phase) -> impl Future<Output = ()> + Send + 'static {
        let mut phases = self.phase.subscribe();
        async move { drop(phases.wait_for(|phase| *phase >= wanted).await) }
    }

    /// Cuts the WebSockets that are still open, and lets every task end, so that the log has all requests.
    pub(super) async fn end(&self) {
        self.phase.send_replace(Phase::Ended);
        loop {
            sleep(Duration::from_millis(1)).await;
            // Each request holds it.
            if Arc::strong_count(&self.journal) == 1 {
                return;
            }
        }
    }

    pub(super) fn measured(&self) -> String {
        let metrics = &self.journal.metrics;
        for (token, kept) in &self.tokens {
            let left = kept.seconds_left().unwrap_or_default();
            metrics.token_seconds_left.get_or_create(&[("scope", token.as_str())]).set(left);
        }
        metrics.text()
    }
}

/// The body of a caller's request ended in an error.
#[derive(Debug, thiserror::Error)]
#[error("the caller's body ended too early")]
pub(super) struct CallersBody(#[source] pub(super) axum::BoxError);

/// Why a request or its answer ended.
pub(super) fn broken(error: reqwest::Error) -> Refusal {
    // Its own words name the URL, which may hold a token.
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let is_by = |is_it: fn(&(dyn std::error::Error + 'static)) -> bool| causes.clone().any(is_it);
    if is_by(<dyn std::error::Error>::is::<LengthLimitError>) {
        return Refusal::new(Code::BODY_TOO_LARGE, "the body is longer than your limit");
    }
    if is_by(<dyn std::error::Error>::is::<CallersBody>) {
        return Refusal::new(Code::REQUEST_INVALID, "the body ended too early");
    }
    unreachable(if error.is_connect() { "cannot be reached" } else { "closed the connection too early" })
}

pub(super) fn unreachable(what: &str) -> Refusal {
    Refusal::new(Code::UPSTREAM_UNREACHABLE, format!("Corti {what}"))
}

fn rejected_us() -> Refusal {
    Refusal::new(Code::UPSTREAM_REJECTED_US, "Corti refuses the gateway's own token")
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
