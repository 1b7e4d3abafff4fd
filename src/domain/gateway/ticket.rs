//! Tickets: a browser's credential for one WebSocket through the gateway, and for nothing else. A ticket is a JWT signed with
//! HS256 by the gateway's own key, and may be used again until it expires, because the SDK reconnects with it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use crate::domain::client::secret::Secret;

use super::caller::Caller;
use super::refusal::{Code, Refusal};

/// The shortest key, in bytes (RFC 7518, section 3.2).
pub const MIN_KEY_BYTES: usize = 32;

/// `{"alg":"HS256","typ":"JWT"}`: the only header that is accepted.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// The keys of one gateway's tickets: one signs, and both verify.
#[derive(Debug)]
pub struct Keys {
    audience: String,
    signing: hmac::Key,
    old: Option<hmac::Key>,
}

impl Keys {
    /// Keys of at least [`MIN_KEY_BYTES`] each. Tickets of a gateway with another `url` are refused.
    pub fn new(url: &Url, signing: &[u8], old: Option<&[u8]>) -> Self {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Self { audience: format!("corti-auth-ticket {url}"), signing: key(signing), old: old.map(key) }
    }
}

/// What a ticket opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    aud: String,
    /// The caller's id.
    sub: String,
    user: Uuid,
    groups: BTreeSet<String>,
    /// `transcribe` or `streams`.
    pub operation: String,
    /// The interaction of a `streams` session.
    pub interaction: Option<Uuid>,
    /// The page that asked for it. Only that page may use it.
    pub origin: Option<String>,
    exp: i64,
}

impl Ticket {
    /// A ticket for `caller`.
    pub fn new(
        keys: &Keys,
        caller: &Caller,
        operation: &str,
        interaction: Option<Uuid>,
        origin: Option<&str>,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            aud: keys.audience.clone(),
            sub: caller.id.clone(),
            user: caller.user,
            groups: caller.groups.clone(),
            operation: operation.to_owned(),
            interaction,
            origin: origin.map(str::to_owned),
            exp: expires_at.as_second(),
        }
    }

    /// The text of the ticket.
    pub fn sign(&self, keys: &Keys) -> Secret {
        let payload = URL_SAFE_NO_PAD.encode(json!(self).to_string());
        let signed = format!("{HEADER}.{payload}");
        let signature = hmac::sign(&keys.signing, signed.as_bytes());
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Reads a ticket that one of `keys` signed and that is still good.
    pub fn verify(text: &Secret, keys: &Keys, now: Timestamp) -> Result<Self, Refusal> {
        let read = || {
            let (signed, signature) = text.expose().rsplit_once('.')?;
            let payload = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
            let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
            let is_ours = |key: &hmac::Key| hmac::verify(key, signed.as_bytes(), &signature).is_ok();
            std::iter::once(&keys.signing).chain(&keys.old).find(|key| is_ours(key))?;
            let ticket: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
            (ticket.aud == keys.audience).then_some(ticket)
        };
        let refused = |detail| Refusal::new(Code::CREDENTIAL_INVALID, detail);
        let ticket = read().ok_or_else(|| refused("this is not a ticket of this gateway"))?;
        if ticket.exp <= now.as_second() {
            return Err(refused("the ticket has expired: ask for a new session"));
        }
        Ok(ticket)
    }

    /// Whom it was made for.
    pub fn caller(&self) -> Caller {
        Caller {
            id: self.sub.clone(),
            user: self.user,
            groups: self.groups.clone(),
            expires_at: Timestamp::from_second(self.exp).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(signing: u8, old: Option<u8>) -> Keys {
        let old = old.map(|byte| [byte; 32]);
        let url = Url::parse("https://gw").unwrap();
        Keys::new(&url, &[signing; 32], old.as_ref().map(<[u8; 32]>::as_slice))
    }

    fn ticket(expires_at: i64) -> Ticket {
        let caller = Caller::of_key("a", &BTreeSet::from(["g".to_owned()]));
        Ticket::new(
            &keys(1, None),
            &caller,
            "streams",
            Some(Uuid::nil()),
            Some("https://a"),
            Timestamp::from_second(expires_at).unwrap(),
        )
    }

    #[test]
    fn a_ticket_is_read_again_until_it_expires() {
        let (old, new) = (keys(1, None), keys(2, Some(1)));
        let text = ticket(100).sign(&old);
        let at = |second| Timestamp::from_second(second).unwrap();
        for keys in [&old, &new] {
            assert_eq!(Ticket::verify(&text, keys, at(99)), Ok(ticket(100)));
        }
        assert!(Ticket::verify(&text, &old, at(100)).unwrap_err().detail.contains("expired"));
        assert!(Ticket::verify(&text, &keys(3, None), at(0)).is_err());
        let other = Keys::new(&Url::parse("https://other").unwrap(), &[1; 32], None);
        assert!(Ticket::verify(&text, &other, at(0)).is_err());
        assert_eq!(ticket(100).caller().groups.len(), 1);
    }

    #[test]
    fn another_header_payload_or_signature_is_refused() {
        let keys = keys(1, None);
        let text = ticket(100).sign(&keys);
        let parts: Vec<&str> = text.expose().split('.').collect();
        let [_, payload, signature] = parts[..] else { panic!() };
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let mut other = ticket(100);
        other.operation = "transcribe".to_owned();
        let other = other.sign(&keys);
        let other = other.expose().split('.').nth(1).unwrap();
        for forged in [
            format!("{none}.{payload}."),
            format!("{HEADER}.{payload}."),
            format!("{HEADER}.{other}.{signature}"),
            format!("{HEADER}.{payload}"),
            String::new(),
        ] {
            assert!(Ticket::verify(&Secret::new(forged), &keys, Timestamp::UNIX_EPOCH).is_err());
        }
    }
}
