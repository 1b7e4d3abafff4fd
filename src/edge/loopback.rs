//! Decides who may use a server on loopback. Every program of this machine can connect to it, and so can browser pages, which
//! send an `Origin`, or another name for the same address in `Host`.

use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::client::secret::Secret;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It comes from a web page.
    #[error("requests from browser pages are refused")]
    Page,
    /// Its `Host` is not the server's own.
    #[error("the Host header is not this server's")]
    Host,
    /// The bearer is missing or wrong.
    #[error("the bearer token is missing or wrong")]
    Bearer,
}

impl Refusal {
    /// 401 for the bearer, 403 for the others.
    pub fn status(self) -> StatusCode {
        if self == Self::Bearer { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN }
    }
}

/// Accepts requests with `bearer` for `host`, an address with its port.
pub fn judge(headers: &HeaderMap, host: &str, bearer: &Secret) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::Page);
    }
    if text(HOST) != Some(host) {
        return Err(Refusal::Host);
    }
    // RFC 9110, section 11.1: the scheme is case-insensitive.
    let given = text(AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token);
    if Secret::new(given.to_owned()).is_same(bearer) { Ok(()) } else { Err(Refusal::Bearer) }
}

/// A text that cannot be guessed: 192 random bits in base64url.
pub fn random_text() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_whoever_knows_the_bearer_and_means_this_server() {
        let judge = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            super::judge(&headers.collect(), "127.0.0.1:80", &Secret::new("abc".into()))
        };
        let (host, bearer) = ((HOST, "127.0.0.1:80"), (AUTHORIZATION, "Bearer abc"));
        assert_eq!(judge(&[host.clone(), bearer.clone()]), Ok(()));
        assert_eq!(judge(&[host.clone(), (AUTHORIZATION, "bearer abc")]), Ok(()));
        for origin in ["null", "http://127.0.0.1:80", ""] {
            assert_eq!(judge(&[host.clone(), bearer.clone(), (ORIGIN, origin)]), Err(Refusal::Page));
        }
        for name in ["localhost:80", "127.0.0.1", "127.0.0.1:81", "evil.example:80"] {
            assert_eq!(judge(&[(HOST, name), bearer.clone()]), Err(Refusal::Host));
        }
        assert_eq!(judge(&[bearer]), Err(Refusal::Host));
        for wrong in ["Bearer abd", "Bearer ", "Bearer", "abc", "Basic abc", "Bearer  abc", "Bearer abcd"] {
            assert_eq!(judge(&[host.clone(), (AUTHORIZATION, wrong)]), Err(Refusal::Bearer), "{wrong}");
        }
        assert_eq!(judge(&[host]), Err(Refusal::Bearer));
    }

    #[test]
    fn random_texts_differ() {
        let (one, other) = (random_text().unwrap(), random_text().unwrap());
        assert!(one.length() == 32 && !one.is_same(&other));
    }
}
