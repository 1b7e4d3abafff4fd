//! Finds a request's credential. Browsers cannot set headers of a WebSocket, so there it may also be in the query or among the
//! offered protocols, as `@corti/sdk` does it.

use percent_encoding::percent_decode_str;

use crate::domain::client::secret::Secret;

use super::refusal::{Code, Refusal};

/// The protocol, and the parameter of a query, that carries a ticket.
pub const TICKET: &str = "corti-ticket";

/// The protocol by which the SDK sends an `Authorization` header, as it writes the name in Node and in browsers.
const AUTHORIZATION: [&str; 2] = ["Authorization", "authorization"];

/// What a request carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The values of `Authorization`, `None` where one is not text.
    pub authorization: &'a [Option<&'a str>],
    /// The values of `Sec-WebSocket-Protocol`.
    pub protocols: &'a [Option<&'a str>],
    /// The query. Only that of an upgrade may hold a credential.
    pub query: &'a str,
    /// Whether it asks for a WebSocket at Corti.
    pub is_upgrade: bool,
}

/// A credential.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A JWT or an API key.
    Bearer(Secret),
    /// A ticket of ours.
    Ticket(Secret),
}

impl Credential {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bearer(one), Self::Bearer(two)) | (Self::Ticket(one), Self::Ticket(two)) => {
                one.is_same(two)
            }
            _ => false,
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// The protocol to accept, where the credential was among the protocols: without one, clients fail.
    pub protocol: Option<&'static str>,
}

/// Finds the only credential of a request.
pub fn find(request: Request<'_>) -> Result<Found, Refusal> {
    let invalid = || Refusal::new(Code::CREDENTIAL_INVALID, "the credential is not `Bearer TOKEN`");
    let mut found = Vec::new();
    for value in request.authorization {
        let token = value.and_then(bearer).ok_or_else(invalid)?;
        found.push(Found { credential: Credential::Bearer(token), protocol: None });
    }
    if request.is_upgrade {
        for (name, value) in url::form_urlencoded::parse(request.query.as_bytes()) {
            let credential = match name.as_ref() {
                // The SDK leaves it empty where it has none.
                _ if value.is_empty() => continue,
                "token" => Credential::Bearer(bearer(&value).ok_or_else(invalid)?),
                TICKET => Credential::Ticket(Secret::new(value.into_owned())),
                _ => continue,
            };
            found.push(Found { credential, protocol: None });
        }
        let offered = request.protocols.iter().flat_map(|value| value.unwrap_or_default().split(','));
        let mut offered = offered.map(str::trim);
        while let Some(name) = offered.next() {
            let mut value = || {
                let text = percent_decode_str(offered.next()?).decode_utf8().ok()?;
                Some(text.into_owned())
            };
            if name == TICKET {
                let ticket = Secret::new(value().ok_or_else(invalid)?);
                found.push(Found { credential: Credential::Ticket(ticket), protocol: Some(TICKET) });
            } else if let Some(offered) = AUTHORIZATION.into_iter().find(|known| *known == name) {
                let token = value().as_deref().and_then(bearer).ok_or_else(invalid)?;
                found.push(Found { credential: Credential::Bearer(token), protocol: Some(offered) });
            }
        }
    }
    let last = found.pop();
    let last =
        last.ok_or_else(|| Refusal::new(Code::CREDENTIAL_MISSING, "send `Authorization: Bearer TOKEN`"))?;
    // In Node the SDK sends the same token in the header and in the query.
    if found.iter().all(|it| it.credential.is_same(&last.credential)) {
        return Ok(last);
    }
    Err(Refusal::new(Code::CREDENTIAL_REPEATED, "send one credential, not several"))
}

/// The token of `Bearer TOKEN` (RFC 6750, section 2.1); the scheme is case-insensitive.
fn bearer(value: &str) -> Option<Secret> {
    let (scheme, token) = value.split_once(' ')?;
    // Without an early exit the compiler checks many bytes at once.
    let is_graphic = token.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic());
    let is_token = !token.is_empty() && is_graphic;
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then(|| Secret::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(request: Request<'_>) -> Result<(String, Option<&'static str>), Code> {
        let found = find(request).map_err(|refusal| refusal.code)?;
        let text = match found.credential {
            Credential::Bearer(token) => format!("bearer {}", token.expose()),
            Credential::Ticket(ticket) => format!("ticket {}", ticket.expose()),
        };
        Ok((text, found.protocol))
    }

    #[test]
    fn a_credential_stands_in_one_of_four_places() {
        let upgrade = Request { is_upgrade: true, ..Request::default() };
        let bearer = Ok(("bearer abc".to_owned(), None));
        assert_eq!(found(Request { authorization: &[Some("bearer abc")], ..Request::default() }), bearer);
        assert_eq!(found(Request { query: "tenant-name=&token=Bearer%20abc", ..upgrade }), bearer);
        assert_eq!(found(Request { query: "corti-ticket=t", ..upgrade }), Ok(("ticket t".to_owned(), None)));
        assert_eq!(
            found(Request { protocols: &[Some("corti-ticket, t")], ..upgrade }),
            Ok(("ticket t".to_owned(), Some("corti-ticket")))
        );
        assert_eq!(
            found(Request { protocols: &[Some("x"), Some("Authorization, Bearer%20abc")], ..upgrade }),
            Ok(("bearer abc".to_owned(), Some("Authorization")))
        );
        let twice = Request {
            authorization: &[Some("Bearer abc")],
            protocols: &[Some("authorization, Bearer%20abc")],
            ..upgrade
        };
        assert_eq!(found(twice), Ok(("bearer abc".to_owned(), Some("authorization"))));
    }

    #[test]
    fn none_several_or_another_form_is_refused() {
        let upgrade = Request { is_upgrade: true, ..Request::default() };
        let one: &[Option<&str>] = &[Some("Bearer a")];
        for (request, code) in [
            (Request::default(), Code::CREDENTIAL_MISSING),
            (Request { query: "token=Bearer%20a", ..Request::default() }, Code::CREDENTIAL_MISSING),
            (Request { query: "token=", ..upgrade }, Code::CREDENTIAL_MISSING),
            (Request { authorization: one, query: "token=Bearer%20b", ..upgrade }, Code::CREDENTIAL_REPEATED),
            (
                Request { authorization: &[one[0], Some("Bearer b")], ..Request::default() },
                Code::CREDENTIAL_REPEATED,
            ),
            (Request { query: "token=Bearer%20a&token=Bearer%20b", ..upgrade }, Code::CREDENTIAL_REPEATED),
            (Request { query: "token=Bearer%20a&corti-ticket=a", ..upgrade }, Code::CREDENTIAL_REPEATED),
            (Request { authorization: &[Some("Basic a")], ..Request::default() }, Code::CREDENTIAL_INVALID),
            (
                Request { authorization: &[Some("Bearer a b")], ..Request::default() },
                Code::CREDENTIAL_INVALID,
            ),
            (Request { authorization: &[None], ..Request::default() }, Code::CREDENTIAL_INVALID),
            (Request { protocols: &[Some("Authorization")], ..upgrade }, Code::CREDENTIAL_INVALID),
        ] {
            assert_eq!(found(request), Err(code), "{request:?}");
        }
    }
}
