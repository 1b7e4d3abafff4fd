//! How the API client proves who it is at the token endpoint: RFC 6749, section 2.3.1, in the header or in
//! the form. The only file of the sandbox that looks at a secret.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::SandboxError;
use super::token::Form;
use crate::domain::identity::ClientId;
use crate::domain::secret::{ClientSecret, Secret};

/// What a client presented.
#[derive(Debug)]
pub(super) struct Credentials {
    id: String,
    secret: Option<Secret>,
}

/// Why a client is not let in; Keycloak tells the two apart by the `error` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// No such client.
    Client,
    /// The secret is wrong or missing.
    Secret,
}

impl Credentials {
    /// Reads them from the header, else from the form: the order in which Keycloak looks.
    pub(super) fn read(headers: &HeaderMap, form: &Form) -> Option<Self> {
        basic(headers).or_else(|| {
            let id = form.first("client_id")?.to_owned();
            Some(Self { id, secret: form.first("client_secret").map(|text| Secret::new(text.to_owned())) })
        })
    }

    /// Compares them with the one client there is.
    pub(super) fn check(&self, id: &ClientId, secret: &ClientSecret) -> Result<(), Rejected> {
        if self.id != id.as_str() {
            return Err(Rejected::Client);
        }
        match &self.secret {
            Some(given) if same(given.expose(), secret.secret()) => Ok(()),
            _ => Err(Rejected::Secret),
        }
    }
}

/// Whether `given` is the secret. Digests are compared, so that the time taken says nothing about it.
pub(super) fn same(given: &str, secret: &Secret) -> bool {
    Sha256::digest(given.as_bytes()) == Sha256::digest(secret.expose().as_bytes())
}

fn basic(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some(Credentials { id: form_decode(id), secret: Some(Secret::new(form_decode(secret))) })
}

/// Decodes one form-urlencoded value. An `&` in it was not encoded as it should be, and stands for itself.
fn form_decode(text: &str) -> String {
    let pair = format!("v={}", text.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

/// 32 random characters, as many as Keycloak's secrets have.
pub(super) fn random_text() -> Result<Secret, SandboxError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(SandboxError::Random)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// A random client secret.
pub(super) fn random_secret() -> Result<ClientSecret, SandboxError> {
    // Base64 is never empty, too long or with control characters, so the other error cannot happen.
    ClientSecret::parse(random_text()?.expose())
        .map_err(|_| SandboxError::Random(getrandom::Error::UNEXPECTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(pair: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(pair));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn check(headers: &HeaderMap, form: &str) -> Option<Result<(), Rejected>> {
        let secret = ClientSecret::parse("p:w &=%+ü").unwrap();
        let given = Credentials::read(headers, &Form::parse(form.as_bytes()));
        given.map(|given| given.check(&"a/b".parse().unwrap(), &secret))
    }

    #[test]
    fn both_ways_to_authenticate_are_form_decoded() {
        let encoded = "p%3Aw+%26%3D%25%2B%C3%BC";
        let none = HeaderMap::new();
        assert_eq!(check(&header(&format!("a%2Fb:{encoded}")), ""), Some(Ok(())));
        assert_eq!(check(&none, &format!("client_id=a%2Fb&client_secret={encoded}")), Some(Ok(())));
        assert_eq!(check(&none, "client_id=a%2Fb"), Some(Err(Rejected::Secret)));
        assert_eq!(check(&none, "client_id=x&client_secret=y"), Some(Err(Rejected::Client)));
        assert_eq!(check(&none, "client_secret=y"), None);
    }

    #[test]
    fn the_header_wins_and_a_malformed_one_is_no_header() {
        let form = "client_id=a%2Fb&client_secret=p%3Aw+%26%3D%25%2B%C3%BC";
        assert_eq!(check(&header("a%2Fb:wrong"), form), Some(Err(Rejected::Secret)));
        assert_eq!(check(&header("no colon"), form), Some(Ok(())));
    }

    #[test]
    fn an_unencoded_secret_is_read_as_it_is() {
        assert_eq!(form_decode("a&b=c"), "a&b=c");
        assert_eq!(form_decode("100%"), "100%");
    }

    #[test]
    fn random_secrets_differ() {
        let (one, other) = (random_secret().unwrap(), random_secret().unwrap());
        assert_eq!(one.secret().expose().len(), 32);
        assert_ne!(one.secret().expose(), other.secret().expose());
    }
}
