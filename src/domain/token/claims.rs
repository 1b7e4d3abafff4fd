//! Every member of a token, named and explained: `inspect --claims`.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::inspection::{Inspection, span};
use super::jwt::{self, JwtError, Members, timestamp};
use crate::domain::client::secret::fingerprint;
use crate::domain::text::page::{Page, Tone};

/// Whether `--redact` shows a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Privacy {
    /// It identifies no client, user or session, if it is of the right type.
    Open,
    /// It is shown as a fingerprint.
    Private,
}

use Privacy::{Open, Private};

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Time,
    Flag,
    Words,
    Roles,
    Any,
}

use Type::{Any, Flag, Roles, Text, Time, Words};

/// What is known of a member: its name, its meaning, its type, and whether it is shown in a ticket.
type Known = (&'static str, &'static str, Type, Privacy);

/// From IANA's registry of JOSE header parameters.
const HEADER: [Known; 13] = [
    ("alg", "signature algorithm", Text, Open),
    ("b64", "whether the payload is base64url", Flag, Open),
    ("crit", "extensions that must be understood", Words, Open),
    ("cty", "content type", Text, Open),
    ("enc", "encryption of the content", Text, Open),
    ("jku", "URL of the signer's keys (corti-auth ignores it)", Text, Private),
    ("jwk", "the signer's key (corti-auth ignores it)", Any, Private),
    ("kid", "id of the signer's key", Text, Open),
    ("typ", "type of the token", Text, Open),
    ("x5c", "the signer's certificates (corti-auth ignores them)", Any, Private),
    ("x5t", "fingerprint of the signer's certificate, by SHA-1", Text, Private),
    ("x5t#S256", "fingerprint of the signer's certificate", Text, Private),
    ("x5u", "URL of the signer's certificates (corti-auth ignores it)", Text, Private),
];

/// From IANA's registry of JWT claims, OpenID Connect, RFC 9068, and Keycloak's own.
const CLAIMS: [Known; 56] = [
    ("acr", "how strongly the user was authenticated", Text, Open),
    ("act", "who acts for the subject", Any, Private),
    ("address", "postal address", Any, Private),
    ("allowed-origins", "origins of web pages that may use it", Any, Private),
    ("amr", "how the user was authenticated", Words, Open),
    ("at_hash", "hash of the access token", Text, Private),
    ("aud", "audience", Any, Private),
    ("auth_time", "the user signed in", Time, Open),
    ("authorization_details", "what it permits", Any, Private),
    ("azp", "client it was issued to", Text, Private),
    ("birthdate", "date of birth", Text, Private),
    ("c_hash", "hash of the authorization code", Text, Private),
    ("client_id", "client it was issued to", Text, Private),
    ("clientAddress", "IP address that asked for it", Text, Private),
    ("clientHost", "host that asked for it", Text, Private),
    ("cnf", "key that its holder must prove to have", Any, Private),
    ("email", "e-mail address", Text, Private),
    ("email_verified", "whether the e-mail address was verified", Flag, Open),
    ("entitlements", "what the user is entitled to", Any, Private),
    ("events", "what happened", Any, Private),
    ("exp", "expires", Time, Open),
    ("family_name", "family name", Text, Private),
    ("gender", "gender", Text, Private),
    ("given_name", "given name", Text, Private),
    ("groups", "the user's groups", Any, Private),
    ("iat", "issued", Time, Open),
    ("iss", "issuer", Text, Open),
    ("jti", "id of this token", Text, Private),
    ("locale", "language and region", Text, Private),
    ("may_act", "who may act for the subject", Any, Private),
    ("middle_name", "middle name", Text, Private),
    ("name", "full name", Text, Private),
    ("nbf", "not valid before", Time, Open),
    ("nickname", "nickname", Text, Private),
    ("nonce", "value that the client sent to recognise its answer", Text, Private),
    ("organization", "the user's organizations", Any, Private),
    ("phone_number", "phone number", Text, Private),
    ("phone_number_verified", "whether the phone number was verified", Flag, Open),
    ("picture", "URL of a picture", Text, Private),
    ("preferred_username", "user name", Text, Private),
    ("profile", "URL of the profile page", Text, Private),
    ("realm_access", "roles in the realm", Roles, Open),
    ("resource_access", "roles at each client", Any, Private),
    ("roles", "the user's roles", Any, Private),
    ("s_hash", "hash of the client's state", Text, Private),
    ("scope", "what it permits", Text, Open),
    ("session_state", "session of the user", Text, Private),
    ("sid", "session of the user", Text, Private),
    ("sub", "the user or service account", Text, Private),
    ("sub_jwk", "key of the subject", Any, Private),
    ("trusted-certs", "certificates that Keycloak trusts", Any, Private),
    ("typ", "kind of token", Text, Open),
    ("updated_at", "the profile was changed", Time, Open),
    ("vot", "how well the identity was proven", Text, Open),
    ("website", "URL of the website", Text, Private),
    ("zoneinfo", "time zone", Text, Private),
];

impl Type {
    fn fits(self, value: &Value) -> bool {
        match self {
            Text => value.is_string(),
            Time => time(value).is_some(),
            Flag => value.is_boolean(),
            Words => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Roles => {
                let members = value.as_object().filter(|members| members.len() == 1);
                members.and_then(|members| members.get("roles")).is_some_and(|roles| Words.fits(roles))
            }
            Any => true,
        }
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    timestamp(value.as_number()?)
}

/// Every member of the header and of the payload, in the token's order.
#[derive(Debug)]
pub struct AllClaims {
    header: Vec<(String, Value)>,
    payload: Vec<(String, Value)>,
}

impl AllClaims {
    /// Reads `token`.
    pub fn of(token: &str) -> Result<Self, JwtError> {
        // Deeply nested lists and huge numbers are no `Value`.
        let value = |json: &str| serde_json::from_str(json).unwrap_or_else(|_| json.into());
        let values = |members: Members| {
            members.into_iter().map(|(name, json)| (name, value(json.get()))).collect::<Vec<_>>()
        };
        let [header, payload] = jwt::members(token.trim())?.map(values);
        Ok(Self { header, payload })
    }

    /// Replaces what identifies clients, users and sessions by fingerprints. So is all that is not known.
    #[must_use]
    pub fn redacted(mut self, inspection: &Inspection) -> Self {
        for (name, value) in &mut self.header {
            redact(name, value, &HEADER);
        }
        for (name, value) in &mut self.payload {
            match (name.as_str(), &mut *value) {
                ("aud", Value::String(name)) => *name = inspection.redacted_audience(name),
                ("aud", Value::Array(names)) if names.iter().all(Value::is_string) => {
                    for name in names {
                        *name = inspection.redacted_audience(name.as_str().unwrap_or_default()).into();
                    }
                }
                ("resource_access", Value::Object(clients)) if clients.values().all(|it| Roles.fits(it)) => {
                    let roles = std::mem::take(clients).into_iter();
                    *clients =
                        roles.map(|(name, roles)| (Inspection::redacted_client(&name), roles)).collect();
                }
                _ => redact(name, value, &CLAIMS),
            }
        }
        self
    }

    /// The header and the payload for programs. Of members with the same name the last one counts.
    pub fn json(&self) -> [Value; 2] {
        [&self.header, &self.payload].map(|members| members.iter().cloned().collect::<Map<_, _>>().into())
    }

    /// A line for each member, for a person; below it, lines for the members of an object.
    pub fn page(&self, inspection: &Inspection, now: Timestamp) -> Page {
        let page = Page::new().toned(Tone::Strong, "header");
        let page = self
            .header
            .iter()
            .fold(page, |page, (name, value)| rows(page, name, meaning(name, value, &HEADER, now), value));
        let page = page.toned(Tone::Strong, "claims");
        self.payload.iter().fold(page, |page, (name, value)| {
            let text = meaning(name, value, &CLAIMS, now);
            match inspection.error(name) {
                Some(error) => {
                    page.toned_field(label(name), Tone::Bad, format!("{text} (is {})", error.problem))
                }
                None => rows(page, name, text, value),
            }
        })
    }
}

fn redact(name: &str, value: &mut Value, table: &[Known]) {
    let is_open =
        table.iter().any(|(known, _, kind, privacy)| *known == name && *privacy == Open && kind.fits(value));
    if !is_open {
        *value = fingerprinted(value);
    }
}

fn fingerprinted(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(text) => fingerprint(text).into(),
        Value::Array(items) => items.iter().map(fingerprinted).collect(),
        other => fingerprint(&other.to_string()).into(),
    }
}

fn label(name: &str) -> String {
    format!("  {name}")
}

/// What a member means, and its value.
fn meaning(name: &str, value: &Value, table: &[Known], now: Timestamp) -> String {
    let known = table.iter().find(|(known, ..)| *known == name);
    let text = match known {
        Some((.., Time, _)) => time(value).map(|time| readable(time, now)),
        _ => None,
    };
    let text = text.unwrap_or_else(|| match (known, value) {
        (Some((.., Text, _)), Value::String(text)) => text.clone(),
        _ => plain(value),
    });
    match known {
        Some((_, meaning, ..)) if is_listed(value) => (*meaning).to_owned(),
        Some((_, meaning, ..)) => format!("{meaning}: {text}"),
        None if is_listed(value) => "an object".to_owned(),
        None => text,
    }
}

/// `2026-11-30T08:44:03Z, in 4 min 12 s`.
fn readable(time: Timestamp, now: Timestamp) -> String {
    let seconds = time.as_second() - now.as_second();
    let distance = span(seconds.unsigned_abs());
    if seconds > 0 { format!("{time}, in {distance}") } else { format!("{time}, {distance} ago") }
}

/// The deepest indentation of an object's members, in columns.
const DEEPEST: usize = 8;

/// Whether a value's members have lines of their own.
fn is_listed(value: &Value) -> bool {
    value.as_object().is_some_and(|members| !members.is_empty())
}

/// A text as it is, unless it could be taken for another JSON value, which is written as JSON; words in a list with commas.
fn plain(value: &Value) -> String {
    let is_word = |item: &Value| item.as_str().is_some_and(|text| !text.is_empty() && !text.contains(','));
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        Value::Array(items) if !items.is_empty() && items.iter().all(is_word) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn rows(page: Page, name: &str, text: String, value: &Value) -> Page {
    members(page.field(label(name), text), value, "    ")
}

/// A line for each member of an object, and of its objects, to a depth that still fits a terminal.
fn members(page: Page, value: &Value, indent: &str) -> Page {
    value.as_object().into_iter().flatten().fold(page, |page, (name, value)| {
        let label = format!("{indent}{name}");
        if is_listed(value) && indent.len() < DEEPEST {
            members(page.field(label, "an object"), value, &format!("{indent}  "))
        } else {
            page.field(label, plain(value))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_is_known_once() {
        for table in [&HEADER[..], &CLAIMS[..]] {
            let mut names: Vec<&str> = table.iter().map(|(name, ..)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
        }
    }
}
