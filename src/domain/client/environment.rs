//! A Corti environment and its addresses.
//!
//! A label (`eu`, `us` or another) is put into the vendor's host names, as `src/environments.ts` of the vendor's SDK does
//! it. A URL is for a sandbox, a proxy or a private installation.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::identity::Tenant;
use super::invalid::Invalid;

/// The labels that Corti documents.
pub const KNOWN_LABELS: [&str; 2] = ["eu", "us"];

/// The path of the WebSockets on the API's host.
const SOCKET_PATH: &str = "/audio-bridge/v2";

/// Where requests go: a label in lower case, or a normalised URL without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment(String);

impl FromStr for Environment {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains("://") {
            return Self::from_url(text);
        }
        let label = text.to_ascii_lowercase();
        let is_label = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-');
        if is_label && (1..=63).contains(&label.len()) { Ok(Self(label)) } else { Err(refused(text)) }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Environment {
    fn from_url(text: &str) -> Result<Self, Invalid> {
        // Checked first, because the other message repeats the text: an `@` may follow a password. Hints repeat the URL as
        // an argument, so it must have no character that a shell interprets.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&byte)) {
            return Err(Invalid::new("the environment URL may have only letters, digits and -._~:/[]%"));
        }
        let url = Url::parse(text).map_err(|_| refused(text))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(refused(text)),
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The environment and tenant that an issuer names, to show them. Nothing is sent there because of it.
    ///
    /// The vendor's hosts (`auth.`, and `keycloak.` before) give the label, as in the SDK's `decodeToken.ts`.
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

    /// The URL of Corti's host `name`: `https://api.eu.corti.app`; the environment's own URL if it is one.
    fn host(&self, name: &str) -> String {
        if self.is_url() { self.0.clone() } else { format!("https://{name}.{}.corti.app", self.0) }
    }

    fn is_url(&self) -> bool {
        self.0.contains("://")
    }

    /// The `iss` of this environment's tokens: `https://auth.eu.corti.app/realms/base`.
    pub fn issuer(&self, tenant: &Tenant) -> String {
        format!("{}/realms/{tenant}", self.host("auth"))
    }

    /// The realm's discovery document (OpenID Connect Discovery 1.0, section 4).
    pub fn discovery_url(&self, tenant: &Tenant) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer(tenant))
    }

    /// The OpenID Connect token endpoint.
    pub fn token_url(&self, tenant: &Tenant) -> String {
        format!("{}/protocol/openid-connect/token", self.issuer(tenant))
    }

    /// The host of the REST API and of the WebSockets: `https://api.eu.corti.app`.
    pub fn api_host(&self) -> String {
        self.host("api")
    }

    /// The REST API: `https://api.eu.corti.app/v2`.
    pub fn api_url(&self) -> String {
        format!("{}/v2", self.api_host())
    }

    /// The WebSockets: `wss://api.eu.corti.app/audio-bridge/v2`.
    pub fn socket_url(&self) -> String {
        format!("{}{SOCKET_PATH}", self.host("api").replacen("http", "ws", 1))
    }

    /// Whether `url` belongs to this environment: the same scheme, host and port as its WebSockets, and a path below the
    /// environment's own. Several environments may share one host.
    pub fn serves_socket(&self, url: &Url) -> bool {
        Url::parse(&self.socket_url()).is_ok_and(|own| {
            let path = own.path().strip_suffix(SOCKET_PATH).and_then(|base| url.path().strip_prefix(base));
            own.scheme() == url.scheme()
                && own.host() == url.host()
                && own.port_or_known_default() == url.port_or_known_default()
                && path.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// A warning about a label that Corti does not document. It may be mistyped, or newer than this tool. URLs get none: nobody
    /// mistypes a label as a URL.
    pub fn warning(&self) -> Option<String> {
        let is_known = self.is_url() || KNOWN_LABELS.contains(&self.0.as_str());
        (!is_known).then(|| format!("Corti does not document the environment `{self}`"))
    }
}

fn refused(text: &str) -> Invalid {
    Invalid::new(format!("`{text}` is not a Corti environment: use eu, us or an https:// URL"))
}

/// The names of this machine, the second one with the DNS root. They mean the loopback addresses (RFC 6761, section 6.3) and
/// are never looked up, because a hosts file may map them to another address.
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
