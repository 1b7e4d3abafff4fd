//! Names Corti's two WebSockets, and builds and compares their URLs.

use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::invalid::Invalid;
use crate::domain::client::secret::{AccessToken, Secret};
use crate::domain::token::scope::ScopeRequest;
use crate::domain::token::scope::ScopeSet;

/// Which WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketKind {
    /// Dictation: `/transcribe`.
    Transcribe,
    /// A conversation, which belongs to an interaction: `/interactions/{id}/streams`.
    Streams,
}

impl SocketKind {
    /// Its name, which is also the scope that opens only it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transcribe => "transcribe",
            Self::Streams => "streams",
        }
    }

    /// The scopes of a token that opens only it.
    pub fn scope_request(self) -> ScopeRequest {
        ScopeRequest::Scopes(ScopeSet::from_wire(self.as_str()))
    }
}

/// The URL of `/transcribe`, without a token: `wss://api.eu.corti.app/audio-bridge/v2/transcribe?tenant-name=base`.
pub fn transcribe_url(environment: &Environment, tenant: &Tenant) -> Result<Url, Invalid> {
    // The characters of a tenant need no encoding in a query.
    parse(&format!("{}/transcribe?tenant-name={tenant}", environment.socket_url()))
}

/// The URL of the `/streams` session of an interaction, without a token: `websocketUrl` in Corti's answers.
pub fn streams_url(environment: &Environment, tenant: &Tenant, id: Uuid) -> Result<Url, Invalid> {
    parse(&format!("{}/interactions/{id}/streams?tenant-name={tenant}", environment.socket_url()))
}

/// The first part in which `given` and `expected` differ; `None` where they are the same.
pub fn difference(given: &Url, expected: &Url) -> Option<&'static str> {
    let parts = [
        ("host", given.host() == expected.host()),
        ("user name", given.username() == expected.username()),
        ("password", given.password() == expected.password()),
        ("scheme", given.scheme() == expected.scheme()),
        ("port", given.port_or_known_default() == expected.port_or_known_default()),
        ("path", given.path() == expected.path()),
        ("query", given.query() == expected.query()),
        ("fragment", given.fragment() == expected.fragment()),
    ];
    parts.into_iter().find(|(_, is_same)| !is_same).map(|(part, _)| part)
}

fn parse(text: &str) -> Result<Url, Invalid> {
    Url::parse(text).map_err(|_| Invalid::new(format!("`{text}` is not a valid URL")))
}

/// `url` with the token appended as Corti wants it: `token=Bearer%20…`.
pub fn connect_url(url: &Url, token: &AccessToken) -> Secret {
    let separator = if url.query().is_some() { '&' } else { '?' };
    // Of the characters of a bearer token, only these have a meaning in a query.
    let token = token.secret().expose().replace('+', "%2B").replace('=', "%3D").replace('/', "%2F");
    Secret::new(format!("{url}{separator}token=Bearer%20{token}"))
}

/// The URL of the HTTP request that opens a WebSocket: `ws` is http, `wss` is https. It may hold a token, as `url` may.
pub fn upgrade_url(url: &str) -> Option<Url> {
    Url::parse(&format!("http{}", url.strip_prefix("ws")?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_follow_the_environment() {
        let (eu, tenant): (Environment, _) = ("eu".parse().unwrap(), Tenant::default());
        let transcribe = transcribe_url(&eu, &tenant).unwrap();
        assert_eq!(transcribe.as_str(), "wss://api.eu.corti.app/audio-bridge/v2/transcribe?tenant-name=base");
        let local: Environment = "http://127.0.0.1:9/x".parse().unwrap();
        let streams = streams_url(&local, &tenant, Uuid::nil()).unwrap();
        assert_eq!(
            streams.as_str(),
            "ws://127.0.0.1:9/x/audio-bridge/v2/interactions/00000000-0000-0000-0000-000000000000/streams?tenant-name=base"
        );
        assert!(eu.serves_socket(&transcribe) && local.serves_socket(&streams));
    }

    #[test]
    fn a_websocket_opens_by_http() {
        let http = |url| upgrade_url(url).map(String::from);
        assert_eq!(http("wss://h/x?a=b").as_deref(), Some("https://h/x?a=b"));
        assert_eq!(http("ws://h:8/").as_deref(), Some("http://h:8/"));
        assert_eq!((http("https://h/"), http("ws")), (None, None));
    }

    #[test]
    fn a_url_is_compared_part_by_part() {
        let expected = streams_url(&"eu".parse().unwrap(), &Tenant::default(), Uuid::nil()).unwrap();
        let given = |from: &str, to: &str| Url::parse(&expected.as_str().replacen(from, to, 1)).unwrap();
        for (from, to, part) in [
            ("wss://", "ws://", "scheme"),
            ("wss://", "https://", "scheme"),
            ("wss://", "wss://u@", "user name"),
            ("wss://", "wss://:p@", "password"),
            (".eu.", ".us.", "host"),
            (".app", ".app.", "host"),
            (".app", ".app:8443", "port"),
            ("/v2/", "/v3/", "path"),
            ("/v2/", "/v2//", "path"),
            ("/streams", "/streams/", "path"),
            ("=base", "=base&tenant-name=base", "query"),
            ("=base", "=Base", "query"),
            ("?tenant-name=base", "", "query"),
            ("=base", "=base#", "fragment"),
        ] {
            assert_eq!(difference(&given(from, to), &expected), Some(part), "{from} {to}");
        }
        for (from, to) in [("", ""), (".app", ".app:443"), ("api.", "API."), ("/v2/", "/x/../v2/")] {
            assert_eq!(difference(&given(from, to), &expected), None, "{from} {to}");
        }
    }

    #[test]
    fn each_asks_for_its_own_scope() {
        assert_eq!(SocketKind::Streams.scope_request().to_wire(), "openid streams");
        assert_eq!(SocketKind::Transcribe.scope_request().to_wire(), "openid transcribe");
    }

    #[test]
    fn the_token_is_appended_encoded() {
        let token = AccessToken::parse("a+b/c=").unwrap();
        let append = |url| connect_url(&Url::parse(url).unwrap(), &token).expose().to_owned();
        assert_eq!(append("wss://h/x?tenant-name=t"), "wss://h/x?tenant-name=t&token=Bearer%20a%2Bb%2Fc%3D");
        assert_eq!(append("wss://h/x"), "wss://h/x?token=Bearer%20a%2Bb%2Fc%3D");
    }
}
