//! The claims in a token's payload.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use crate::domain::token::claim_error::{ClaimError, ClaimReader};

/// The roles that Keycloak grants in one place.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Roles {
    /// Their names.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// The claims of a Keycloak token that matter to a user of Corti.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Claims {
    /// The issuer: environment and realm.
    pub iss: Option<String>,
    /// The subject.
    pub sub: Option<String>,
    /// The token's id.
    pub jti: Option<String>,
    /// Keycloak's kind of token: `Bearer`, `ID`, `Refresh`.
    pub typ: Option<String>,
    /// The client it was issued to.
    pub azp: Option<String>,
    /// The service account's client.
    pub client_id: Option<String>,
    /// The granted scopes, separated by spaces.
    pub scope: Option<String>,
    /// The recipients. A single one needs no list (RFC 7519, section 4.1.3).
    #[serde(default, deserialize_with = "one_or_more")]
    pub aud: Vec<String>,
    /// The user's name; a service account's begins with `service-account-`.
    pub preferred_username: Option<String>,
    /// The realm's roles.
    pub realm_access: Option<Roles>,
    /// The roles at other clients, by the client's id.
    pub resource_access: Option<BTreeMap<String, Roles>>,
    pub(in crate::domain::token) exp: Option<Number>,
    pub(in crate::domain::token) iat: Option<Number>,
    pub(in crate::domain::token) nbf: Option<Number>,
}

impl Claims {
    /// When it expires.
    pub fn expires_at(&self) -> Option<Timestamp> {
        timestamp(self.exp.as_ref()?)
    }

    /// Reads each claim by itself, and leaves out those that cannot be used.
    pub(super) fn one_by_one(reader: &mut ClaimReader<'_>) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(transparent)]
        struct Names(#[serde(deserialize_with = "one_or_more")] Vec<String>);

        let roles = "an object with a list of roles";
        Self {
            iss: reader.text("iss"),
            sub: reader.text("sub"),
            jti: reader.text("jti"),
            typ: reader.text("typ"),
            azp: reader.text("azp"),
            client_id: reader.text("client_id"),
            scope: reader.text("scope"),
            aud: reader.take::<Names>("aud", "a string or a list of strings").unwrap_or_default().0,
            preferred_username: reader.text("preferred_username"),
            realm_access: reader.take("realm_access", roles),
            resource_access: reader.take("resource_access", "an object with the roles of each client"),
            exp: reader.seconds("exp"),
            iat: reader.seconds("iat"),
            nbf: reader.seconds("nbf"),
        }
    }
}

/// Reads one name or a list of them. By a visitor: serde's untagged enums copy the value first.
pub(in crate::domain) fn one_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name or a list of names")
        }

        fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
            Ok(vec![name.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(name) = names.next_element()? {
                all.push(name);
            }
            Ok(all)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }
    }

    deserializer.deserialize_any(OneOrMore)
}

/// Converts RFC 7519's `NumericDate`: seconds, which may have a fraction. `None` if it is not a date of the calendar.
pub(in crate::domain) fn timestamp(number: &Number) -> Option<Timestamp> {
    Timestamp::from_second(whole_seconds(number)?).ok()
}

pub(super) fn date(claim: &'static str, number: Option<&Number>) -> Result<Option<Timestamp>, ClaimError> {
    number.map(|number| timestamp(number).ok_or(ClaimError::date(claim))).transpose()
}

/// A number of seconds, rounded down; `None` if it is too large for any date.
pub(in crate::domain::token) fn whole_seconds(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?.floor();
        // Every date of the calendar is far below 2^53, up to which a float holds each whole number.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be small just before")]
        (float.abs() < 1e15).then_some(float as i64)
    })
}
