//! Reads `serve.toml`, and refuses every combination that would open the gateway to people whom nobody let in.

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
    /// Whether other machines may reach it without an engine in between.
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
    /// What is handed out.
    #[serde(default)]
    pub broker: Broker,
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
    /// The `aud` that stands for the gateway.
    pub audience: String,
    /// The algorithms of its signatures.
    pub algorithms: Vec<Algorithm>,
    /// The claim with the user's groups, such as `realm_access.roles`.
    pub groups: String,
    /// Whether its subjects are users at Corti as they are. Of several issuers, one could name the users of another.
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

/// What is handed out.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Whether several callers get the same token while it lives long enough.
    pub share: bool,
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

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Config {
    /// Reads the text of a `serve.toml`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut config: Self = toml_edit::de::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            Invalid::new(format!("line {line}: {}", error.message()))
        })?;
        config.check()?;
        let is_only = config.issuers.len() == 1;
        config.issuers.iter_mut().for_each(|issuer| issuer.names_users = is_only);
        Ok(config)
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
        let is_local = |listen: &Listen| match listen {
            Listen::Tcp(address) => address.ip().is_loopback(),
            Listen::Unix(_) => true,
        };
        for listen in self.listen.iter().chain(&self.metrics) {
            refuse_if(!self.trust_network && !is_local(listen), || {
                format!(
                    "{listen} can be reached by other machines, and the gateway has no TLS: listen on 127.0.0.1 or a unix \
                     socket behind an engine with TLS, or set trust_network = true"
                )
            })?;
        }
        refuse_if(self.listen.is_empty(), || "`listen` names no address".to_owned())?;
        refuse_if(self.issuers.is_empty() && self.keys.is_empty(), || {
            "nobody could call: add an [[issuer]], or a key by `corti-auth serve --new-key NAME`".to_owned()
        })?;
        refuse_if(self.rules.is_empty(), || "no [[rule]] allows anything".to_owned())?;
        let urls: BTreeSet<&str> = self.issuers.iter().map(|it| it.url.as_str()).collect();
        refuse_if(urls.len() < self.issuers.len(), || "two [[issuer]] have the same url".to_owned())?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        for (name, ApiKey { sha256, .. }) in &self.keys {
            refuse_if(sha256.len() != 64 || !sha256.bytes().all(is_digit), || {
                format!("the sha256 of key `{name}` is not 64 lower-case hex digits")
            })?;
        }
        self.origins.iter().try_for_each(|origin| check_origin(origin))?;
        self.issuers.iter().try_for_each(check_issuer)?;
        self.groups().into_iter().try_for_each(|group| {
            let operations = self.permissions(&[group.to_owned()].into()).operations;
            let is_own = operations.values().any(|is_own| *is_own);
            refuse_if(is_own && operations.contains_key("token.streams"), || {
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

/// Whether what goes there can be read or changed on the way.
fn is_open(url: &Url) -> bool {
    url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url))
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = Url::parse(&text).ok();
    let url = url.filter(|url| url.path() == "/" && url.query().is_none() && url.has_host());
    let wrong = || Invalid::new(format!("public_url `{text}` is not `https://host` without a path"));
    let url = url.ok_or_else(wrong).map_err(de::Error::custom)?;
    let open = || format!("public_url `{text}` is plain http: credentials would be readable on the way");
    refuse_if(is_open(&url), open).map_err(de::Error::custom)?;
    Ok(url)
}

/// An origin must be as browsers write it (RFC 6454, section 6.2).
fn check_origin(text: &str) -> Result<(), Invalid> {
    refuse_if(text == "*" || text == "null", || {
        format!("origin `{text}` would let any page in: list each page's own origin")
    })?;
    let origin = Url::parse(text).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
    let is_exact = origin.is_some_and(|origin| origin.ascii_serialization() == text);
    refuse_if(!is_exact, || format!("origin `{text}` is not one such as https://app.example.org"))
}

fn check_issuer(issuer: &Issuer) -> Result<(), Invalid> {
    let Issuer { url, audience, algorithms, .. } = issuer;
    let parsed = Url::parse(url).map_err(|_| Invalid::new(format!("issuer `{url}` is not a URL")))?;
    refuse_if(is_open(&parsed), || {
        format!("issuer `{url}` is not https: anybody on the way could make its keys")
    })?;
    refuse_if(audience.is_empty(), || {
        format!("issuer `{url}` has an empty audience: tokens for anything would be accepted")
    })?;
    refuse_if(algorithms.is_empty(), || format!("issuer `{url}` has no algorithms"))?;
    algorithms.iter().try_for_each(|algorithm| {
        let name = format!("{algorithm:?}");
        refuse_if(name.starts_with("HS"), || {
            format!("`{name}` is not an algorithm with a public key, such as RS256 or ES256")
        })
    })
}

#[cfg(test)]
mod tests;
