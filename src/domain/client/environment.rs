//! A Corti environment and the addresses that follow from it.
//!
//! A label (`eu`, `us`, any other) is put into the vendor's host names; a URL stands for a sandbox, a proxy or a
//! private installation. The templates are those of the vendor's SDK, `src/environments.ts`.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::identity::Tenant;

/// The labels that Corti documents.
pub const KNOWN_LABELS: [&str; 2] = ["eu", "us"];

/// The path of the WebSockets on the API's host.
const SOCKET_PATH: &str = "/audio-bridge/v2";

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Label(String),
    /// Normalised, without a trailing slash.
    Url(Url, String),
}

/// Why a text is not an environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing was given.
    #[error("the environment is empty")]
    Empty,
    /// Neither a label nor a URL.
    #[error("the environment `{0}` is neither a label such as `eu` nor a URL")]
    NotALabel(String),
    /// It has `://`, but is no URL.
    #[error("the environment `{0}` is not a valid URL")]
    NotAUrl(String),
    /// Plain http to a host that is not this machine.
    #[error("the environment `{0}` uses {1} to a host that is not this machine; only https may leave it")]
    NotEncrypted(String, String),
    /// A query, a fragment or a user name would end up in every request.
    #[error("the environment URL must not have a {0}")]
    Part(&'static str),
}

impl FromStr for Environment {
    type Err = EnvironmentError;

    fn from_str(text: &str) -> Result<Self, EnvironmentError> {
        if text.is_empty() {
            return Err(EnvironmentError::Empty);
        }
        if text.contains("://") {
            return Self::from_url(text);
        }
        let label = text.to_ascii_lowercase();
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !letters || label.starts_with('-') || label.ends_with('-') || label.len() > 63 {
            return Err(EnvironmentError::NotALabel(text.to_owned()));
        }
        Ok(Self(Place::Label(label)))
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Label(label) => f.write_str(label),
            Place::Url(_, text) => f.write_str(text),
        }
    }
}

impl Environment {
    fn from_url(text: &str) -> Result<Self, EnvironmentError> {
        // First: every other message repeats the text, and this one may hold a password.
        if text.contains('@') {
            return Err(EnvironmentError::Part("user name, a password or an `@`"));
        }
        let url = Url::parse(text).map_err(|_| EnvironmentError::NotAUrl(text.to_owned()))?;
        if url.query().is_some() {
            return Err(EnvironmentError::Part("query"));
        }
        if url.fragment().is_some() {
            return Err(EnvironmentError::Part("fragment"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            scheme => return Err(EnvironmentError::NotEncrypted(text.to_owned(), scheme.to_owned())),
        }
        if url.cannot_be_a_base() {
            return Err(EnvironmentError::NotAUrl(text.to_owned()));
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        // It may be a token's issuer, and hints repeat it as an argument: no shell may read more into it.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&byte)) {
            return Err(EnvironmentError::Part("character but letters, digits and -._~:/[]%"));
        }
        Ok(Self(Place::Url(url, text)))
    }

    /// The environment and tenant that an issuer names, for showing them; nothing is ever sent there because of it.
    ///
    /// The vendor's own hosts (`auth.` and the older `keycloak.`) give the label, as in the SDK's `decodeToken.ts`.
    pub fn from_issuer(issuer: &str) -> Option<(Self, Tenant)> {
        let (place, realm) = issuer.rsplit_once("/realms/")?;
        let tenant = realm.parse().ok()?;
        let host = place.strip_prefix("https://");
        let label = host
            .and_then(|host| host.strip_suffix(".corti.app"))
            .and_then(|host| host.strip_prefix("auth.").or_else(|| host.strip_prefix("keycloak.")));
        let environment = label.map_or_else(|| Self::from_url(place).ok(), |label| label.parse().ok())?;
        Some((environment, tenant))
    }

    /// The `iss` of this environment's tokens: `https://auth.eu.corti.app/realms/base`.
    pub fn issuer(&self, tenant: &Tenant) -> String {
        match &self.0 {
            Place::Label(label) => format!("https://auth.{label}.corti.app/realms/{tenant}"),
            Place::Url(_, base) => format!("{base}/realms/{tenant}"),
        }
    }

    /// The realm's discovery document (OpenID Connect Discovery 1.0, section 4).
    pub fn discovery_url(&self, tenant: &Tenant) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer(tenant))
    }

    /// The OpenID Connect token endpoint.
    pub fn token_url(&self, tenant: &Tenant) -> String {
        format!("{}/protocol/openid-connect/token", self.issuer(tenant))
    }

    /// The REST API: `https://api.eu.corti.app/v2`.
    pub fn api_url(&self) -> String {
        match &self.0 {
            Place::Label(label) => format!("https://api.{label}.corti.app/v2"),
            Place::Url(_, base) => format!("{base}/v2"),
        }
    }

    /// The WebSockets: `wss://api.eu.corti.app/audio-bridge/v2`.
    pub fn socket_url(&self) -> String {
        match &self.0 {
            Place::Label(label) => format!("wss://api.{label}.corti.app{SOCKET_PATH}"),
            Place::Url(_, base) => {
                let rest = base.strip_prefix("http").unwrap_or(base);
                format!("ws{rest}{SOCKET_PATH}")
            }
        }
    }

    /// Whether `url` belongs to this environment: the same scheme, host and port as its sockets, and below the
    /// environment's own path, which several on one host may differ by.
    pub fn serves_socket(&self, url: &Url) -> bool {
        Url::parse(&self.socket_url()).is_ok_and(|own| {
            let path = own.path().strip_suffix(SOCKET_PATH).and_then(|base| url.path().strip_prefix(base));
            own.scheme() == url.scheme()
                && own.host() == url.host()
                && own.port_or_known_default() == url.port_or_known_default()
                && path.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// Whether a label is one that Corti documents. URLs are always known: somebody typed them in full.
    pub fn is_documented(&self) -> bool {
        match &self.0 {
            Place::Label(label) => KNOWN_LABELS.contains(&label.as_str()),
            Place::Url(..) => true,
        }
    }
}

/// The names of this machine, the second with DNS's root. They mean the loopback addresses (RFC 6761, section 6.3), and are
/// never looked up: a hosts file may say otherwise.
pub const LOOPBACK_NAMES: [&str; 2] = ["localhost", "localhost."];

/// Whether the host of `url` is this machine: 127.0.0.0/8, `::1` or one of [`LOOPBACK_NAMES`].
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => LOOPBACK_NAMES.contains(&name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Environment {
        text.parse().unwrap()
    }

    #[test]
    fn a_label_gives_the_vendors_hosts() {
        let (eu, base) = (environment("eu"), Tenant::default());
        assert_eq!(
            eu.token_url(&base),
            "https://auth.eu.corti.app/realms/base/protocol/openid-connect/token"
        );
        assert_eq!(eu.api_url(), "https://api.eu.corti.app/v2");
        assert_eq!(eu.socket_url(), "wss://api.eu.corti.app/audio-bridge/v2");
        assert_eq!(environment("EU"), eu);
    }

    #[test]
    fn a_url_keeps_its_path_and_drops_its_trailing_slash() {
        let place = environment("http://127.0.0.1:8080/corti/");
        assert_eq!(place.to_string(), "http://127.0.0.1:8080/corti");
        assert_eq!(place.issuer(&Tenant::default()), "http://127.0.0.1:8080/corti/realms/base");
        assert_eq!(place.socket_url(), "ws://127.0.0.1:8080/corti/audio-bridge/v2");
        assert_eq!(environment("https://h").socket_url(), "wss://h/audio-bridge/v2");
    }

    #[test]
    fn what_would_send_a_secret_elsewhere_is_refused() {
        for bad in [
            "",
            "eu.corti.app",
            "eu/evil",
            "eu@evil",
            "-eu",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://x.localhost",
            "http://localhost..",
            "ftp://127.0.0.1",
            "https://user:hunter2@h",
            "https://h?x=1",
            "https://h#x",
            "https://",
            "https://h/$(id)",
            "https://h/a;b",
            "https://a&b.example",
            "file:///etc/passwd",
        ] {
            assert!(bad.parse::<Environment>().is_err(), "{bad}");
        }
        for bad in ["https://user:hunter2@h", "https://user:hunter2@h:99999", "https://user:hunter2@"] {
            let error = bad.parse::<Environment>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn loopback_may_be_plain() {
        for good in [
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost:1",
            "http://LOCALHOST:1",
            "http://localhost.:1",
        ] {
            assert!(good.parse::<Environment>().is_ok(), "{good}");
        }
    }

    #[test]
    fn an_issuer_names_its_environment_and_tenant() {
        for host in ["auth", "keycloak"] {
            let issuer = format!("https://{host}.eu.corti.app/realms/base");
            assert_eq!(Environment::from_issuer(&issuer), Some((environment("eu"), Tenant::default())));
        }
        let local = Environment::from_issuer("http://127.0.0.1:9/realms/t").unwrap();
        assert_eq!((local.0.to_string(), local.1.as_str()), ("http://127.0.0.1:9".into(), "t"));
        assert_eq!(Environment::from_issuer("https://example.com/no-realm"), None);
    }

    #[test]
    fn a_socket_belongs_to_one_environment() {
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(environment("eu").serves_socket(&url("wss://api.eu.corti.app:443/audio-bridge/v2/x?a=b")));
        for other in ["wss://api.us.corti.app/x", "ws://api.eu.corti.app/x", "wss://api.eu.corti.app:8443/x"]
        {
            assert!(!environment("eu").serves_socket(&url(other)), "{other}");
        }
        let one_of_several = environment("https://h/eu");
        assert!(one_of_several.serves_socket(&url("wss://h/eu/audio-bridge/v2/transcribe")));
        for other in ["wss://h/us/audio-bridge/v2/transcribe", "wss://h/eu2/x", "wss://h/eu/../us/x"] {
            assert!(!one_of_several.serves_socket(&url(other)), "{other}");
        }
    }
}
