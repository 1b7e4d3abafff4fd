//! Reads `serve.toml`, and refuses every combination that would let in callers that the rules do not name.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::domain::client::environment::is_loopback;
use crate::domain::client::invalid::Invalid;

use super::limits::{GivenLimits, duration};
use super::rules::{Permissions, Rule, permissions};

/// The largest burst. At the slowest rate, 1/h, a much larger one would be a time that overflows.
const LARGEST_BURST: u32 = 100_000;

/// The configuration of a gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose secret is used; `None` for the client that every command would use.
    pub profile: Option<String>,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// Where metrics and health are served.
    pub metrics: Option<Listen>,
    /// Where callers find it.
    #[serde(deserialize_with = "public_url")]
    pub public_url: Url,
    /// The pages that may call it.
    #[serde(default)]
    pub origins: BTreeSet<String>,
    /// Whether other machines may reach it: a TLS proxy on one of them.
    #[serde(default)]
    trust_network: bool,
    /// Identity providers, each with another `iss`.
    #[serde(default, rename = "issuer")]
    pub issuers: Vec<Issuer>,
    /// API keys, by name.
    #[serde(default)]
    pub keys: BTreeMap<String, ApiKey>,
    /// The keys of tickets. Without them, a random one is made, which other replicas do not know.
    pub ticket: Option<TicketKeys>,
    /// What is forwarded.
    #[serde(default)]
    pub proxy: Proxy,
    /// Forward-auth: engines ask whether a request may pass, and forward it to Corti themselves.
    pub decide: Option<Decide>,
    /// What log lines have.
    #[serde(default)]
    pub log: Log,
    /// How the gateway stops.
    #[serde(default)]
    pub drain: Drain,
    /// The limits where a rule says nothing.
    #[serde(default)]
    pub limits: GivenLimits,
    /// What each group may do. Their order has no meaning.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// An identity provider whose users may call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its `iss`, and where its discovery document is.
    pub url: String,
    /// The `aud` of tokens for the gateway.
    pub audience: String,
    /// The algorithms of its signatures.
    #[serde(deserialize_with = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The claim with the user's groups, such as `realm_access.roles`.
    pub groups: String,
    /// Whether a `sub` is used as `assignedUserId` unchanged. Of several issuers, one could name the users of another.
    #[serde(skip)]
    pub names_users: bool,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Its SHA-256, in 64 lower-case hex digits.
    pub sha256: String,
    /// The groups of its caller.
    pub groups: BTreeSet<String>,
}

/// The files with the keys of tickets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketKeys {
    /// This one signs.
    pub key_file: PathBuf,
    /// This one verifies tickets that it signed before.
    pub old_key_file: Option<PathBuf>,
}

/// What is forwarded.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Whether calls are. Otherwise only the broker answers.
    pub enabled: bool,
}

impl Default for Proxy {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Forward-auth, by `/decide`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The file with the key that proves that the engine asks: an answer holds a token.
    pub engine_key_file: PathBuf,
    /// Whether an answer may hold a full token, which the REST API needs. Otherwise only WebSockets are allowed.
    #[serde(default)]
    pub full: bool,
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

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl TryFrom<String> for Listen {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let unix = text.strip_prefix("unix:").filter(|path| path.starts_with('/'));
        let tcp = || text.parse().ok().map(Self::Tcp);
        unix.map(|path| Self::Unix(path.into())).or_else(tcp).ok_or_else(|| {
            Invalid::new(format!("`{text}` is not an address such as 127.0.0.1:8744 or unix:/run/x.sock"))
        })
    }
}

impl Listen {
    /// Whether only this machine can reach it.
    fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
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

/// serde's message in plain words.
fn in_plain_words(message: &str) -> String {
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    let mismatch = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "));
    mismatch
        .map_or_else(|| message.to_owned(), |(found, expected)| format!("write {expected}, not the {found}"))
}

impl Config {
    /// Reads the text of a `serve.toml`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut config: Self = toml_edit::de::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            let message = error.message().replace("a sequence", "a list, such as [\"a\", \"b\"]");
            Invalid::new(format!("line {line}: {}", in_plain_words(&message)))
        })?;
        config.check()?;
        let is_only = config.issuers.len() == 1;
        config.issuers.iter_mut().for_each(|issuer| issuer.names_users = is_only);
        Ok(config)
    }

    /// Whether callers reach Corti's WebSockets, through this gateway or an engine.
    pub fn opens_sockets(&self) -> bool {
        self.proxy.enabled || self.decide.is_some()
    }

    /// Whether an engine's questions come from the network, and the answers, with tokens, go there without TLS.
    pub fn decides_on_the_network(&self) -> bool {
        self.decide.is_some() && !self.listen.iter().all(Listen::is_local)
    }

    /// What the rules of these groups allow together.
    pub fn permissions(&self, groups: &BTreeSet<String>) -> Permissions {
        permissions(&self.rules, &self.limits, groups)
    }

    /// The groups that rules name.
    pub fn groups(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|rule| &rule.groups).map(String::as_str).collect()
    }

    /// Refuses what would let strangers in.
    fn check(&self) -> Result<(), Invalid> {
        for listen in self.listen.iter().chain(&self.metrics) {
            refuse_if(!self.trust_network && !listen.is_local(), || {
                format!(
                    "other machines can reach {listen}, and the gateway has no TLS: listen on 127.0.0.1 or a unix socket behind a \
                     TLS proxy, or set trust_network = true for a proxy on another machine"
                )
            })?;
        }
        refuse_if(self.listen.is_empty(), || "`listen` is empty".to_owned())?;
        refuse_if(self.issuers.is_empty() && self.keys.is_empty(), || {
            "no caller is allowed: add an [[issuer]], or a key with `corti-auth serve --new-key NAME`"
                .to_owned()
        })?;
        refuse_if(self.rules.is_empty(), || "no [[rule]] allows anything".to_owned())?;
        let limits = std::iter::once(&self.limits).chain(self.rules.iter().map(|rule| &rule.limits));
        refuse_if(limits.filter_map(|limits| limits.burst).any(|burst| burst.get() > LARGEST_BURST), || {
            format!("a burst is at most {LARGEST_BURST}")
        })?;
        let urls: BTreeSet<&str> = self.issuers.iter().map(|it| it.url.as_str()).collect();
        refuse_if(urls.len() < self.issuers.len(), || "two [[issuer]] have the same url".to_owned())?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        for (name, ApiKey { sha256, groups }) in &self.keys {
            refuse_if(!groups.iter().any(|group| self.groups().contains(group.as_str())), || {
                format!("key `{name}` is in no group that a [[rule]] names")
            })?;
            refuse_if(sha256.len() != 64 || !sha256.bytes().all(is_digit), || {
                format!("the sha256 of key `{name}` is not 64 lower-case hex digits")
            })?;
        }
        let hashes: BTreeSet<&str> = self.keys.values().map(|key| key.sha256.as_str()).collect();
        refuse_if(hashes.len() < self.keys.len(), || "two keys have the same sha256".to_owned())?;
        for text in &self.origins {
            refuse_if(is_plain_text(&origin(text)?), || {
                format!("origin `{text}` is plain http: anybody on the network could change the page")
            })?;
        }
        refuse_if(self.rules.iter().any(|rule| rule.groups.is_empty() || rule.allow.is_empty()), || {
            "a [[rule]] has no `groups` or no `allow`".to_owned()
        })?;
        self.issuers.iter().try_for_each(check_issuer)?;
        self.groups().into_iter().try_for_each(|group| {
            let operations = self.permissions(&[group.to_owned()].into()).operations;
            let is_own = operations.values().any(|is_own| *is_own);
            let has_streams =
                |rule: &Rule| rule.groups.contains(group) && rule.allow.contains("token.streams");
            refuse_if(is_own && self.rules.iter().any(has_streams), || {
                format!(
                    "group `{group}` has `token.streams` and a rule with own = true: such a token opens every user's \
                     interaction; allow session.streams instead"
                )
            })
        })
    }
}

fn refuse_if(is_dangerous: bool, reason: impl FnOnce() -> String) -> Result<(), Invalid> {
    if is_dangerous { Err(Invalid::new(reason())) } else { Ok(()) }
}

/// Whether requests to it can be read or changed on the network.
fn is_plain_text(url: &Url) -> bool {
    url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url))
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = origin(text.trim_end_matches('/')).map_err(de::Error::custom)?;
    let reason =
        || format!("public_url `{text}` is plain http: anybody on the network could read credentials");
    refuse_if(is_plain_text(&url), reason).map_err(de::Error::custom)?;
    Ok(url)
}

/// Reads an origin, which must be as browsers write it (RFC 6454, section 6.2).
fn origin(text: &str) -> Result<Url, Invalid> {
    refuse_if(text == "*" || text == "null", || {
        format!("origin `{text}` would let any page in: list each page's own origin")
    })?;
    let url = Url::parse(text).ok().filter(|url| url.origin().is_tuple());
    let wrong = || Invalid::new(format!("`{text}` is not an origin such as https://app.example.org"));
    let url = url.ok_or_else(wrong)?;
    let usual = url.origin().ascii_serialization();
    refuse_if(usual != text, || format!("`{text}` is not an origin: write `{usual}`"))?;
    Ok(url)
}

fn check_issuer(issuer: &Issuer) -> Result<(), Invalid> {
    let Issuer { url, audience, algorithms, groups, .. } = issuer;
    let parsed = Url::parse(url).ok().filter(|url| url.query().is_none() && url.username().is_empty());
    let parsed = parsed
        .ok_or_else(|| Invalid::new(format!("issuer `{url}` must be a URL without a query or user name")))?;
    refuse_if(is_plain_text(&parsed), || {
        format!("issuer `{url}` is not https: anybody on the network could replace its keys")
    })?;
    refuse_if(audience.trim().is_empty(), || {
        format!("issuer `{url}` has an empty audience: tokens for anything would be accepted")
    })?;
    refuse_if(groups.is_empty(), || {
        format!(
            "issuer `{url}` has no `groups`: name the claim with the user's groups, such as groups = \"realm_access.roles\""
        )
    })?;
    refuse_if(algorithms.is_empty(), || format!("issuer `{url}` has no algorithms"))
}

fn algorithms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Algorithm>, D::Error> {
    let read = |name: String| {
        // Whoever can verify an HS256 token can also make one.
        let known = name.parse().ok().filter(|_| !name.starts_with("HS"));
        let wrong = || format!("`{name}` is not an algorithm with a public key, such as RS256 or ES256");
        known.ok_or_else(|| de::Error::custom(wrong()))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests;
