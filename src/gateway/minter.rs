//! Mints tokens and fetches keys, on the task that runs the gateway.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use url::Url;

use super::kept::Fetched;
use super::state::{Gateway, Mint, OwnToken, random_part};
use crate::app::tokens::Tokens;
use crate::domain::client::environment::is_loopback;
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::{AccessToken, ClientSecret};
use crate::domain::corti::request::Request;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::gateway::config::Issuer;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::token::grant::Token;
use crate::domain::token::jwks::KeySet;
use crate::domain::token::scope::ScopeRequest;
use crate::failure::{Failure, Kind};

/// A token is not used in the last seconds of its life.
const MARGIN: Duration = Duration::from_secs(10);

/// The shortest time between two tokens of a kind.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// How many tokens are minted at once for frontends.
const AT_ONCE: usize = 16;

/// How long no token is asked for after the secret was refused: Keycloak may lock the client out.
const AFTER_REJECTION: Duration = Duration::from_secs(30);

/// How long keys of an identity provider are used before they are fetched again.
const KEYS_LIVE: Duration = Duration::from_secs(600);

/// Mints tokens and fetches keys.
pub(super) struct Minter<'a> {
    tokens: &'a Tokens<'a>,
    plan: &'a Plan,
    /// Read again after it was refused: it may have been rotated.
    secret: RefCell<ClientSecret>,
    /// When it was refused last.
    rejected: Cell<Option<Instant>>,
    gateway: &'a Gateway,
}

impl<'a> Minter<'a> {
    pub(super) fn new(
        tokens: &'a Tokens<'a>,
        plan: &'a Plan,
        secret: ClientSecret,
        gateway: &'a Gateway,
    ) -> Self {
        Self { tokens, plan, secret: secret.into(), rejected: None.into(), gateway }
    }

    /// Keeps all tokens and keys fresh.
    pub(super) async fn keep_all(&self) -> Infallible {
        let tokens = self.gateway.tokens.iter().map(|(token, kept)| {
            let failed = move |failure: Failure| {
                self.warn(&format!("no {} token from Corti, trying again", token.as_str()), &failure);
            };
            kept.keep(async move || self.ahead(*token).await, failed).boxed_local()
        });
        let keys = self.gateway.issuers.iter().map(|(issuer, kept)| {
            let failed = move |failure: Failure| {
                self.warn(&format!("no keys of {}, trying again", issuer.url), &failure);
            };
            kept.keep(async move || self.keys(issuer).await, failed).boxed_local()
        });
        let mut all: FuturesUnordered<_> = tokens.chain(keys).collect();
        match all.next().await {
            Some(never) => never,
            None => std::future::pending().await,
        }
    }

    fn warn(&self, what: &str, failure: &Failure) {
        self.tokens.context.warn(format!("{what}: {}", failure.in_one_line()), None);
    }

    /// Answers the broker. Several mints may be under way.
    pub(super) async fn answer_all(&self, asked: &mut mpsc::Receiver<Mint>) {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                mint = asked.recv(), if under_way.len() < AT_ONCE => {
                    let Some(Mint { scopes, reply }) = mint else { return };
                    // The caller is gone.
                    if reply.is_closed() {
                        continue;
                    }
                    under_way.push(async move {
                        let minted = self.mint(&scopes).await.map_err(|failure| {
                            self.warn("no token for a frontend", &failure);
                            let detail = "the authorization server gave no token";
                            match failure.kind {
                                // Corti gives other scopes than were asked for.
                                Kind::Scope => Refusal::new(Code::UPSTREAM_INVALID, detail),
                                _ => Refusal::later(Code::TOKEN_UNAVAILABLE, detail, Duration::from_secs(1)),
                            }
                        });
                        // Fails if the caller is gone.
                        let _ = reply.send(minted);
                    });
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    async fn ahead(&self, token: OwnToken) -> Result<Fetched<AccessToken>, Failure> {
        let minted = self.mint(&token.scopes()).await?;
        let life = Duration::from_secs(u64::try_from(minted.expires_in).unwrap_or_default());
        Ok(Fetched {
            expires_at: Some(minted.expires_at - MARGIN.min(life / 2)),
            // Replicas that start together should not mint together for ever.
            renew_after: (life.mul_f64(0.55) + random_part(life / 10)).max(SHORTEST_PAUSE),
            value: minted.access_token,
        })
    }

    async fn mint(&self, scopes: &ScopeRequest) -> Result<Token, Failure> {
        if self.rejected.get().is_some_and(|at| at.elapsed() < AFTER_REJECTION) {
            return Err(Failure::new(Kind::Unavailable, "the client secret was refused less than 30 s ago"));
        }
        let secret = self.secret.borrow().clone();
        let minted = self.tokens.mint_with(&secret, &self.plan.client, self.plan.origin(), scopes).await;
        let outcome = if minted.is_ok() { "ok" } else { "failed" };
        let metrics = &self.gateway.journal.metrics;
        let own =
            [OwnToken::Full, OwnToken::Socket(SocketKind::Transcribe), OwnToken::Socket(SocketKind::Streams)];
        let same = own.into_iter().find(|token| token.scopes() == *scopes);
        let scope = same.map_or("both", OwnToken::as_str);
        metrics.mints.get_or_create(&[("scope", scope), ("outcome", outcome)]).inc();
        if minted.as_ref().is_err_and(|failure| failure.kind == Kind::Rejected) {
            self.rejected.set(Some(Instant::now()));
            if let Ok(newer) = self.tokens.secret(self.plan).await {
                self.secret.replace(newer);
            }
        }
        minted
    }

    /// The keys of an identity provider, as its discovery document leads to them (OpenID Connect Discovery 1.0, section 4).
    async fn keys(&self, issuer: &Issuer) -> Result<Fetched<KeySet>, Failure> {
        let fetched = self.fetch_keys(issuer).await;
        let outcome = if fetched.is_ok() { "ok" } else { "failed" };
        self.gateway.journal.metrics.key_fetches.get_or_create(&[("outcome", outcome)]).inc();
        Ok(Fetched { value: fetched?, expires_at: None, renew_after: KEYS_LIVE })
    }

    async fn fetch_keys(&self, issuer: &Issuer) -> Result<KeySet, Failure> {
        let wrong = |reason: &str| Failure::new(Kind::Network, reason.to_owned());
        let get = async |url: String| {
            let response = self.tokens.http.send(&Request::public(url)).await?;
            let is_good = response.is_success();
            if is_good { Ok(response) } else { Err(wrong(&format!("it answered {}", response.status))) }
        };
        let discovery =
            get(format!("{}/.well-known/openid-configuration", issuer.url.trim_end_matches('/'))).await?;
        let document: serde_json::Value = serde_json::from_slice(&discovery.body).unwrap_or_default();
        if document["issuer"].as_str() != Some(&issuer.url) {
            return Err(wrong("its discovery document names another issuer"));
        }
        let keys = document["jwks_uri"].as_str().and_then(|it| Url::parse(it).ok());
        // An issuer that is reached by https has its keys there, too.
        let is_plain = issuer.url.starts_with("http:");
        let keys = keys.filter(|url| url.scheme() == "https" || is_plain && is_loopback(url));
        let keys = keys.ok_or_else(|| wrong("its discovery document names no usable jwks_uri"))?;
        KeySet::parse(&get(keys.into()).await?.body).map_err(|error| wrong(&error.to_string()))
    }
}
