//! Reads the form of a token request, and checks its client id and secret: in the `Authorization` header, in the form or in both
//! (RFC 6749, section 2.3.1). In the sandbox, only this file looks at a secret.

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use crate::domain::client::identity::ClientId;
use crate::domain::client::secret::{ClientSecret, Secret};
use crate::edge::loopback;

use super::oauth_error::OauthError;

/// The client does not exist. In Keycloak, only the `error` differs from that for a wrong secret.
const WRONG_CLIENT: OauthError = OauthError::unauthorized("invalid_client");

/// The secret is wrong or missing.
const WRONG_SECRET: OauthError = OauthError::unauthorized("unauthorized_client");

/// The header's id or secret was not encoded as a form's values are.
const BAD_ESCAPE: OauthError =
    OauthError::new(400, "unauthorized_client", "Unexpected error when authenticating client");

/// Compares id and secret with those of the only client. If header and form differ, the form wins.
pub(super) fn check(
    headers: &HeaderMap,
    form: &Form,
    client_id: &ClientId,
    client_secret: &ClientSecret,
) -> Result<(), OauthError> {
    let (mut id, mut secret) = basic(headers).map_err(|BadEscape| BAD_ESCAPE)?.unzip();
    if let Some(sent) = form.first("client_id") {
        id = Some(sent.to_owned());
    }
    if let Some(sent) = form.first("client_secret") {
        secret = Some(Secret::new(sent.to_owned()));
    }
    if id.as_deref() != Some(client_id.as_str()) {
        return Err(WRONG_CLIENT);
    }
    match secret {
        Some(sent) if sent.is_same(client_secret.secret()) => Ok(()),
        _ => Err(WRONG_SECRET),
    }
}

/// Id and secret of the header. A malformed header counts as none.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, BadEscape> {
    let Some(pair) = basic_pair(headers) else { return Ok(None) };
    let Some((id, secret)) = pair.split_once(':') else { return Ok(None) };
    Ok(Some((decode(id)?, Secret::new(decode(secret)?))))
}

fn basic_pair(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    Some(String::from_utf8_lossy(&pair).into_owned())
}

/// A random client secret of 32 characters, which is Keycloak's length.
pub(super) fn random_secret() -> Result<ClientSecret, getrandom::Error> {
    let text = loopback::random_text()?;
    // Cannot fail: base64 is not empty, not too long and has no control characters.
    ClientSecret::parse(text.expose()).map_err(|_| getrandom::Error::UNEXPECTED)
}

/// The parameters, decoded, in the order they were sent.
pub(super) struct Form(Vec<(String, String)>);

/// A percent sign without two hexadecimal digits after it. Keycloak answers it with 500: a client that does not encode its
/// secret must fail here as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEscape;

impl Form {
    /// Reads a body. Without a form's content type, such as in JSON, there are no parameters.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, BadEscape> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next() != Some("application/x-www-form-urlencoded") {
            return Ok(Self(Vec::new()));
        }
        if !is_escaped(body) {
            return Err(BadEscape);
        }
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The first value of `name`.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter was sent twice. RFC 6749, section 3.2, forbids that.
    pub(super) fn repeats(&self) -> bool {
        let names: BTreeSet<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.len() < self.0.len()
    }
}

fn is_escaped(text: &[u8]) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || is_hex(text.get(at + 1)) && is_hex(text.get(at + 2)))
}

/// Decodes one value. An `&` that was not encoded is kept.
pub(super) fn decode(text: &str) -> Result<String, BadEscape> {
    if !is_escaped(text.as_bytes()) {
        return Err(BadEscape);
    }
    let pair = format!("v={}", text.replace('&', "%26"));
    Ok(form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const ENCODED: &str = "p%3Aw+%26%3D%25%2B%C3%BC";

    fn header(pair: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(pair));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn check(headers: &HeaderMap, form: &str) -> Result<(), OauthError> {
        let kind = HeaderMap::from_iter([(CONTENT_TYPE, FORM.parse().unwrap())]);
        let form = Form::read(&kind, form.as_bytes()).ok().unwrap();
        let secret = ClientSecret::parse("p:w &=%+ü").unwrap();
        super::check(headers, &form, &"a/b".parse().unwrap(), &secret)
    }

    #[test]
    fn header_and_form_are_both_form_decoded() {
        let none = HeaderMap::new();
        assert_eq!(check(&header(&format!("a%2Fb:{ENCODED}")), ""), Ok(()));
        assert_eq!(check(&none, &format!("client_id=a%2Fb&client_secret={ENCODED}")), Ok(()));
        assert_eq!(check(&none, "client_id=a%2Fb"), Err(WRONG_SECRET));
        assert_eq!(check(&none, "client_id=x&client_secret=y"), Err(WRONG_CLIENT));
        assert_eq!(check(&none, "client_secret=y"), Err(WRONG_CLIENT));
    }

    #[test]
    fn the_form_wins_value_by_value() {
        let (form, right) =
            (format!("client_id=a%2Fb&client_secret={ENCODED}"), header(&format!("a%2Fb:{ENCODED}")));
        assert_eq!(check(&header("a%2Fb:wrong"), &form), Ok(()));
        assert_eq!(check(&right, "client_secret=wrong"), Err(WRONG_SECRET));
        assert_eq!(check(&right, "client_secret="), Err(WRONG_SECRET));
        assert_eq!(check(&right, "client_id=x"), Err(WRONG_CLIENT));
        assert_eq!(check(&right, "client_id=a%2Fb"), Ok(()));
    }

    #[test]
    fn a_malformed_header_counts_as_none_and_a_raw_percent_sign_is_refused() {
        let form = format!("client_id=a%2Fb&client_secret={ENCODED}");
        assert_eq!(check(&header("no colon"), &form), Ok(()));
        assert_eq!(check(&header("a%2Fb:100%"), &form), Err(BAD_ESCAPE));
        assert_eq!(check(&header("100%:x"), ""), Err(BAD_ESCAPE));
    }

    #[test]
    fn random_secrets_differ() {
        let (one, other) = (random_secret().unwrap(), random_secret().unwrap());
        assert_eq!(one.secret().expose().len(), 32);
        assert_ne!(one.secret().expose(), other.secret().expose());
    }

    fn read(kind: &str, body: &str) -> Result<Form, BadEscape> {
        Form::read(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]), body.as_bytes())
    }

    #[test]
    fn a_form_is_recognised_by_its_content_type() {
        for kind in [FORM, "application/x-www-form-urlencoded; charset=UTF-8"] {
            let form = read(kind, "%61=%c3%BC+%2b").ok().unwrap();
            assert_eq!(form.first("a"), Some("ü +"), "{kind}");
        }
        assert!(read("application/json", "a=%").ok().unwrap().first("a").is_none());
        assert!(Form::read(&HeaderMap::new(), b"a=b").ok().unwrap().first("a").is_none());
    }

    #[test]
    fn a_percent_sign_must_start_an_escape() {
        for bad in ["a=%", "a=%2", "a=%zz", "%=a"] {
            assert!(read(FORM, bad).is_err(), "{bad}");
            assert_eq!(decode(bad), Err(BadEscape));
        }
        assert_eq!(decode("a&b=c+d%26").unwrap(), "a&b=c d&");
    }

    #[test]
    fn a_repeated_parameter_is_noticed() {
        for (body, repeats) in [("", false), ("a=1&b=1", false), ("a=1&b=1&a=1", true)] {
            assert_eq!(read(FORM, body).ok().unwrap().repeats(), repeats, "{body}");
        }
    }
}
