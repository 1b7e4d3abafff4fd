//! How the API client proves who it is at the token endpoint: RFC 6749, section 2.3.1, in the header, in the form or in
//! both. The only file of the sandbox that looks at a secret.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::SandboxError;
use super::form::{Form, decode, is_escaped};
use crate::domain::identity::ClientId;
use crate::domain::secret::{ClientSecret, Secret};
use crate::edge::loopback;

/// Base64 as Keycloak takes it in the header: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client presented.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    id: Option<String>,
    secret: Option<Secret>,
}

/// Why a client is not let in; Keycloak tells the two apart by the `error` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// No such client.
    Client,
    /// The secret is wrong or missing.
    Secret,
    /// What the header holds is not form-encoded: Keycloak stumbles over a percent sign that starts no escape.
    Undecodable,
}

impl Credentials {
    /// Reads them from the header, and whatever the form has over that.
    ///
    /// # Errors
    /// [`Rejected::Undecodable`], even where the form has all.
    pub(super) fn read(headers: &HeaderMap, form: &Form<'_>) -> Result<Self, Rejected> {
        let mut given = basic(headers)?.unwrap_or_default();
        if let Some(id) = form.first("client_id") {
            given.id = Some(id.to_owned());
        }
        if let Some(secret) = form.first("client_secret") {
            given.secret = Some(Secret::new(secret.to_owned()));
        }
        Ok(given)
    }

    /// Compares them with the one client there is.
    pub(super) fn check(&self, id: &ClientId, secret: &ClientSecret) -> Result<(), Rejected> {
        if self.id.as_deref() != Some(id.as_str()) {
            return Err(Rejected::Client);
        }
        match &self.secret {
            Some(given) if given.is_same(secret.secret()) => Ok(()),
            _ => Err(Rejected::Secret),
        }
    }
}

/// The header's pair. A header that is malformed before its encoding is looked at is no header.
fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, Rejected> {
    let Some((id, secret)) = pair(headers) else { return Ok(None) };
    if !is_escaped(id.as_bytes()) || !is_escaped(secret.as_bytes()) {
        return Err(Rejected::Undecodable);
    }
    Ok(Some(Credentials { id: Some(decode(&id)), secret: Some(Secret::new(decode(&secret))) }))
}

fn pair(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// A random client secret, of 32 characters as Keycloak's are.
pub(super) fn random_secret() -> Result<ClientSecret, SandboxError> {
    let text = loopback::random_text().map_err(SandboxError::Random)?;
    // Base64 is never empty, too long or with control characters, so the other error cannot happen.
    ClientSecret::parse(text.expose()).map_err(|_| SandboxError::Random(getrandom::Error::UNEXPECTED))
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::read;
    use super::*;

    fn header(pair: &str) -> HeaderMap {
        let value = format!("Basic {}", BASE64.encode(pair));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn check(headers: &HeaderMap, form: &str) -> Result<(), Rejected> {
        let secret = ClientSecret::parse("p:w &=%+ü").unwrap();
        Credentials::read(headers, &read(form).unwrap())?.check(&"a/b".parse().unwrap(), &secret)
    }

    const ENCODED: &str = "p%3Aw+%26%3D%25%2B%C3%BC";

    #[test]
    fn both_ways_to_authenticate_are_form_decoded() {
        let none = HeaderMap::new();
        assert_eq!(check(&header(&format!("a%2Fb:{ENCODED}")), ""), Ok(()));
        assert_eq!(check(&none, &format!("client_id=a%2Fb&client_secret={ENCODED}")), Ok(()));
        assert_eq!(check(&none, "client_id=a%2Fb"), Err(Rejected::Secret));
        assert_eq!(check(&none, "client_id=x&client_secret=y"), Err(Rejected::Client));
        assert_eq!(check(&none, "client_secret=y"), Err(Rejected::Client));
    }

    #[test]
    fn the_form_wins_word_by_word() {
        let (form, right) =
            (format!("client_id=a%2Fb&client_secret={ENCODED}"), header(&format!("a%2Fb:{ENCODED}")));
        assert_eq!(check(&header("a%2Fb:wrong"), &form), Ok(()));
        assert_eq!(check(&right, "client_secret=wrong"), Err(Rejected::Secret));
        assert_eq!(check(&right, "client_secret="), Err(Rejected::Secret));
        assert_eq!(check(&right, "client_id=x"), Err(Rejected::Client));
        assert_eq!(check(&right, "client_id=a%2Fb"), Ok(()));
    }

    #[test]
    fn a_malformed_header_is_no_header_and_a_raw_percent_sign_is_fatal() {
        let form = format!("client_id=a%2Fb&client_secret={ENCODED}");
        assert_eq!(check(&header("no colon"), &form), Ok(()));
        assert_eq!(check(&header("a%2Fb:100%"), &form), Err(Rejected::Undecodable));
        assert_eq!(check(&header("100%:x"), ""), Err(Rejected::Undecodable));
    }

    #[test]
    fn random_secrets_differ() {
        let (one, other) = (random_secret().unwrap(), random_secret().unwrap());
        assert_eq!(one.secret().expose().len(), 32);
        assert_ne!(one.secret().expose(), other.secret().expose());
    }
}
