//! Who may ask a server of this tool's on loopback. Every program of this machine reaches it, and so do the pages of a
//! browser: they are told by their `Origin`, and by another name for the same address in `Host`.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::client::secret::Secret;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A page in a browser asks.
    Page,
    /// The `Host` is another than the server's own.
    Host,
    /// The bearer is missing or wrong.
    Bearer,
}

/// Lets in whoever knows `bearer` and means `host`, an address with its port.
///
/// # Errors
/// [`Refusal`], the first that holds.
pub fn judge(headers: &HeaderMap, host: &str, bearer: &Secret) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::Page);
    }
    if text(HOST) != Some(host) {
        return Err(Refusal::Host);
    }
    // RFC 9110, section 11.1: a scheme is the same in any case.
    let given = text(AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token);
    if Secret::new(given.to_owned()).is_same(bearer) { Ok(()) } else { Err(Refusal::Bearer) }
}

/// A text that nobody guesses: 192 random bits, in base64url.
///
/// # Errors
/// Where the operating system gives no random bytes.
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
