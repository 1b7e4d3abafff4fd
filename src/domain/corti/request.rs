//! HTTP requests and responses as plain data. `edge/http.rs` sends them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::{AccessToken, Secret};

/// A body without anything, in words.
pub const EMPTY_BODY: &str = "an empty body";

/// An HTML page, in words.
pub const HTML_PAGE: &str = "an HTML page";

/// JSON that ends too early, in words.
pub const CUT_OFF_JSON: &str = "a broken or cut-off JSON text";

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or asks for a token.
    Post,
    /// Removes.
    Delete,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// `application/x-www-form-urlencoded`; it holds a client secret.
    Form(Secret),
    /// `application/json`; it may hold patient data and is never logged.
    Json(String),
}

/// A request to Corti.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address, without secrets.
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<AccessToken>,
    /// Sent as `Tenant-Name`: every REST call needs it, the token endpoint must not get it.
    pub tenant: Option<Tenant>,
    /// The body and its content type.
    pub body: Body,
    /// Whether it may be sent again: after 429 and 503 it is, once.
    pub repeatable: bool,
}

impl Request {
    /// A GET without credentials.
    pub fn public(url: String) -> Self {
        Self { method: Method::Get, url, bearer: None, tenant: None, body: Body::Empty, repeatable: true }
    }

    /// A GET to the REST API.
    pub fn get(url: String, bearer: &AccessToken, tenant: &Tenant) -> Self {
        Self { bearer: Some(bearer.clone()), tenant: Some(tenant.clone()), ..Self::public(url) }
    }
}

/// An HTTP response. The body may hold a token or patient data, so `Debug` leaves it out.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case and their values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, up to the limit of the client.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body is an HTML page: it comes from a proxy, not from an API.
    pub fn is_html(&self) -> bool {
        let start = self.body.trim_ascii_start();
        let is_called_html = || self.header("content-type").is_some_and(|kind| kind.contains("html"));
        start.starts_with(b"<") || !start.is_empty() && is_called_html()
    }

    /// What an unexpected body looks like, in words.
    pub fn appearance(&self) -> &'static str {
        let start = self.body.trim_ascii_start();
        if start.is_empty() {
            EMPTY_BODY
        } else if self.is_html() {
            HTML_PAGE
        } else if !start.starts_with(b"{") {
            "a body that is not JSON or HTML"
        } else if serde_json::from_slice::<serde::de::IgnoredAny>(start).is_err() {
            CUT_OFF_JSON
        } else {
            "an unexpected JSON object"
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response {{ status: {}, body: {} bytes }}", self.status, self.body.len())
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// Scheme, host and path: a query may hold a token or patient data.
pub fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_left_out() {
        let url = Url::parse("wss://h/a/b?token=Bearer%20x").unwrap();
        assert_eq!(without_query(&url), "wss://h/a/b");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 12:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 11:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
