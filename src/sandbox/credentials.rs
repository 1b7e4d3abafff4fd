//! How the API client proves who it is at the token endpoint: RFC 6749, section 2.3.1, in the header, in the form or in
//! both. The only file of the sandbox that looks at a secret.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};

use crate::domain::client::identity::ClientId;
use crate::domain::client::secret::{ClientSecret, Secret};
use crate::edge::loopback;

use super::SandboxError;
use super::form::{Called, Form, decode, is_escaped};

/// The letters of the header's pair, which Keycloak takes in the encoding for mail: see [`decoded`].
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
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
    /// Keycloak stumbles: over a percent sign in the header's pair that starts no escape, or over the content type.
    Undecodable,
}

impl Credentials {
    /// Reads them from the header, and whatever the form has over that.
    ///
    /// # Errors
    /// [`Rejected::Undecodable`], even where the form has all.
    pub(super) fn read(headers: &HeaderMap, form: &Form<'_>) -> Result<Self, Rejected> {
        if form.called() == Called::Unreadably {
            return Err(Rejected::Undecodable);
        }
        let mut given = basic(headers)?.unwrap_or_default();
        let named = |name| form.first(name).filter(|_| form.called() == Called::Form);
        if let Some(id) = named("client_id") {
            given.id = Some(id.to_owned());
        }
        if let Some(secret) = named("client_secret") {
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
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = decoded(encoded)?;
    // A secret that is not UTF-8 is a wrong one, and no reason to overlook the id.
    let pair = String::from_utf8_lossy(&pair);
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Decodes base64 as RFC 2045 has it for mail, which Keycloak does: what is no letter of it counts for nothing, wherever it
/// stands, but nothing that is one may come after the padding.
fn decoded(encoded: &str) -> Option<Vec<u8>> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/');
    let (data, padding) = encoded.split_once('=').map_or((encoded, None), |(data, rest)| (data, Some(rest)));
    let letters: String = data.chars().filter(|letter| is_letter(*letter)).collect();
    let is_padded = |rest: &str| match letters.len() % 4 {
        2 => rest.starts_with('='),
        over => over == 3,
    };
    if padding.is_some_and(|rest| !is_padded(rest) || rest.contains(is_letter)) {
        return None;
    }
    BASE64.decode(letters).ok()
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
    fn base64_is_taken_as_mail_has_it() {
        for (encoded, text) in [
            ("YTpi", Some("a:b")),
            ("YTpiYw", Some("a:bc")),
            ("YTpiYw==", Some("a:bc")),
            ("YTpiYw===!", Some("a:bc")),
            ("!YT pi\tYw", Some("a:bc")),
            ("YTpiYw=", None),
            ("YTpi=", None),
            ("YTpiYw==x", None),
            ("YTpiY", None),
            ("!!!", Some("")),
        ] {
            assert_eq!(decoded(encoded).as_deref(), text.map(str::as_bytes), "{encoded}");
        }
    }

    #[test]
    fn random_secrets_differ() {
        let (one, other) = (random_secret().unwrap(), random_secret().unwrap());
        assert_eq!(one.secret().expose().len(), 32);
        assert_ne!(one.secret().expose(), other.secret().expose());
    }
}
