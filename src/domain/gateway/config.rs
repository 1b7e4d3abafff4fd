//! Reads `serve.toml`, and refuses every combination that would open the gateway to people whom nobody let in.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use url::Url;

use crate::domain::client::environment::is_loopback;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::invalid::Invalid;

use super::caller::Issuer;
use super::limits::{GivenLimits, Limits, duration};
use super::operation;
use super::rules::{Rule, Rules};

/// The configuration of a gateway.
#[derive(Debug)]
pub struct Config {
    /// Whose secret is used; `None` for the client that every command would use.
    pub profile: Option<ProfileName>,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// Where metrics and health are served.
    pub metrics: Option<Listen>,
    /// Where callers find it.
    pub public_url: Url,
    /// The pages that may call it.
    pub origins: BTreeSet<String>,
    /// Identity providers, each with another `iss`.
    pub issuers: Vec<Issuer>,
    /// API keys.
    pub keys: Vec<ApiKey>,
    /// The files with the keys of tickets. With none, a random key is made, which other replicas do not know.
    pub ticket_key_files: Vec<PathBuf>,
    /// Whether calls are forwarded. Otherwise only the broker answers.
    pub proxy: bool,
    /// Whether tokens of the broker are shared while they live long enough.
    pub share_tokens: bool,
    /// What log lines have.
    pub log: Log,
    /// How the gateway stops.
    pub drain: Drain,
    /// What each group may do.
    pub rules: Rules,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// The groups of its caller.
    pub groups: BTreeSet<String>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let unix = text.strip_prefix("unix:").filter(|path| path.starts_with('/'));
        match (unix, text.parse()) {
            (Some(path), _) => Ok(Self::Unix(path.into())),
            (None, Ok(address)) => Ok(Self::Tcp(address)),
            (None, Err(_)) => Err(Invalid::new(format!(
                "`{text}` is not an address such as 127.0.0.1:8744 or unix:/run/x.sock"
            ))),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listen {
    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    profile: Option<String>,
    listen: Vec<String>,
    metrics: Option<String>,
    public_url: String,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    trust_network: bool,
    #[serde(default)]
    issuer: Vec<WireIssuer>,
    #[serde(default)]
    keys: BTreeMap<String, WireKey>,
    ticket: Option<WireTicket>,
    #[serde(default)]
    proxy: WireProxy,
    #[serde(default)]
    broker: WireBroker,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    drain: Drain,
    #[serde(default)]
    limits: GivenLimits,
    #[serde(default)]
    rule: Vec<WireRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireIssuer {
    url: String,
    audience: String,
    algorithms: Vec<String>,
    groups: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    sha256: String,
    groups: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireTicket {
    key_file: PathBuf,
    old_key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireProxy {
    enabled: bool,
}

impl Default for WireProxy {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBroker {
    share: bool,
}

/// What log lines have.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A hash of the caller's id instead of the id.
    pub hash_callers: bool,
}

/// How the gateway stops.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// How long everything is still served while `/readyz` says no.
    #[serde(deserialize_with = "duration")]
    pub delay: Duration,
    /// The time over which open WebSockets are cut.
    #[serde(deserialize_with = "duration")]
    pub spread: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRule {
    groups: BTreeSet<String>,
    allow: Vec<String>,
    #[serde(default)]
    own: bool,
    #[serde(default)]
    limits: GivenLimits,
}

impl Config {
    /// Reads the text of a `serve.toml`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wire: Wire = toml_edit::de::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            Invalid::new(format!("line {line}: {}", error.message()))
        })?;
        let public_url = public_url(&wire.public_url)?;
        let listen = wire.listen.iter().map(|it| it.parse()).collect::<Result<Vec<Listen>, _>>()?;
        let metrics = wire.metrics.as_deref().map(str::parse::<Listen>).transpose()?;
        if listen.is_empty() {
            return Err(Invalid::new("`listen` names no address"));
        }
        let far = listen.iter().chain(&metrics).find(|it| !it.is_local());
        if let Some(far) = far.filter(|_| !wire.trust_network) {
            return Err(Invalid::new(format!(
                "{far} can be reached by other machines, and the gateway has no TLS: listen on 127.0.0.1 or a unix \
                 socket behind an engine with TLS, or set trust_network = true"
            )));
        }
        let is_only = wire.issuer.len() == 1;
        let issuers =
            wire.issuer.into_iter().map(|wire| issuer(wire, is_only)).collect::<Result<Vec<_>, _>>()?;
        let keys = wire.keys.into_iter().map(api_key).collect::<Result<Vec<_>, _>>()?;
        if issuers.is_empty() && keys.is_empty() {
            return Err(Invalid::new(
                "nobody could call: add an [[issuer]], or a key by `corti-auth serve --new-key NAME`",
            ));
        }
        let urls: BTreeSet<&str> = issuers.iter().map(|it| it.url.as_str()).collect();
        if urls.len() < issuers.len() {
            return Err(Invalid::new("two [[issuer]] have the same url"));
        }
        let ticket_key_files =
            wire.ticket.into_iter().flat_map(|it| [Some(it.key_file), it.old_key_file]).flatten();
        let rules = wire.rule.into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err(Invalid::new("no [[rule]] allows anything"));
        }
        let rules = Rules { rules, limits: Limits::DEFAULT.with(&wire.limits) };
        for group in rules.groups() {
            let operations = rules.permissions(&[group.to_owned()].into()).operations;
            if operations.contains_key("token.streams") && operations.values().any(|is_own| *is_own) {
                return Err(Invalid::new(format!(
                    "group `{group}` has `token.streams` and a rule with own = true: such a token opens every user's \
                     interaction; allow session.streams instead"
                )));
            }
        }
        Ok(Self {
            profile: wire.profile.as_deref().map(str::parse).transpose()?,
            listen,
            metrics,
            public_url,
            origins: wire.origins.into_iter().map(origin).collect::<Result<_, _>>()?,
            issuers,
            keys,
            ticket_key_files: ticket_key_files.collect(),
            proxy: wire.proxy.enabled,
            share_tokens: wire.broker.share,
            log: wire.log,
            drain: wire.drain,
            rules,
        })
    }
}

fn public_url(text: &str) -> Result<Url, Invalid> {
    let url =
        Url::parse(text).ok().filter(|url| url.path() == "/" && url.query().is_none() && url.has_host());
    match url {
        Some(url) if url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url) => Ok(url),
        Some(url) if url.scheme() == "http" => Err(Invalid::new(format!(
            "public_url `{text}` is plain http: credentials would be readable on the way"
        ))),
        _ => Err(Invalid::new(format!("public_url `{text}` is not `https://host` without a path"))),
    }
}

/// An origin as browsers write it (RFC 6454, section 6.2).
fn origin(text: String) -> Result<String, Invalid> {
    if text == "*" || text == "null" {
        return Err(Invalid::new(format!(
            "origin `{text}` would let any page in: list each page's own origin"
        )));
    }
    let is_exact = Url::parse(&text)
        .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == text);
    if is_exact {
        Ok(text)
    } else {
        Err(Invalid::new(format!("origin `{text}` is not one such as https://app.example.org")))
    }
}

fn issuer(wire: WireIssuer, names_users: bool) -> Result<Issuer, Invalid> {
    let WireIssuer { url, audience, algorithms, groups } = wire;
    let parsed = Url::parse(&url).map_err(|_| Invalid::new(format!("issuer `{url}` is not a URL")))?;
    if parsed.scheme() != "https" && !(parsed.scheme() == "http" && is_loopback(&parsed)) {
        return Err(Invalid::new(format!(
            "issuer `{url}` is not https: anybody on the way could make its keys"
        )));
    }
    if audience.is_empty() {
        return Err(Invalid::new(format!(
            "issuer `{url}` has an empty audience: tokens for anything would be accepted"
        )));
    }
    let algorithm = |name: &String| {
        let known = name.parse::<Algorithm>().ok().filter(|it| !format!("{it:?}").starts_with("HS"));
        known.ok_or_else(|| {
            Invalid::new(format!("`{name}` is not an algorithm with a public key, such as RS256 or ES256"))
        })
    };
    let algorithms = algorithms.iter().map(algorithm).collect::<Result<Vec<_>, _>>()?;
    if algorithms.is_empty() {
        return Err(Invalid::new(format!("issuer `{url}` has no algorithms")));
    }
    Ok(Issuer { url, audience, algorithms, names_users, groups })
}

fn api_key((name, key): (String, WireKey)) -> Result<ApiKey, Invalid> {
    let wrong = || Invalid::new(format!("the sha256 of key `{name}` is not 64 hex digits"));
    let digits = key.sha256.as_bytes();
    let mut sha256 = [0; 32];
    if digits.len() != 64 {
        return Err(wrong());
    }
    for (byte, pair) in sha256.iter_mut().zip(digits.chunks_exact(2)) {
        let text = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(text, 16).map_err(|_| wrong())?;
    }
    Ok(ApiKey { name, sha256, groups: key.groups })
}

fn rule(wire: WireRule) -> Result<Rule, Invalid> {
    let mut allow = BTreeSet::new();
    for name in &wire.allow {
        let is_named = |known: &str| match name.strip_suffix(".*") {
            Some(resource) => known.split_once('.').is_some_and(|(first, _)| first == resource),
            None => known == name,
        };
        let named: Vec<&str> = operation::names().into_iter().filter(|known| is_named(known)).collect();
        if named.is_empty() {
            return Err(Invalid::new(format!(
                "`{name}` is not an operation; the operations are {}",
                operation::names().join(", ")
            )));
        }
        allow.extend(named);
    }
    Ok(Rule { groups: wire.groups, allow, own: wire.own, limits: wire.limits })
}

#[cfg(test)]
mod tests;
