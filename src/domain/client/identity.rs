//! Names: of tenants (Keycloak's realms), clients and profiles.

use std::fmt;
use std::str::FromStr;

use crate::domain::text::page::is_hidden;

use super::invalid::Invalid;

const NAME_CHARACTERS: &str = "only letters, digits, `.`, `_` and `-`";

fn check(
    what: &str,
    value: &str,
    allowed: &str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<String, Invalid> {
    if value.is_empty() {
        return Err(Invalid::new(format!("the {what} is empty")));
    }
    if value == "." || value == ".." || !value.chars().all(is_allowed) || value.len() > 255 {
        return Err(Invalid::new(format!("`{value}` is not a {what}: use {allowed}")));
    }
    Ok(value.to_owned())
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

fn is_visible(c: char) -> bool {
    !is_hidden(c) && !c.is_whitespace()
}

macro_rules! text_newtype {
    ($name:ident, $what:literal, $allowed:expr, $is_allowed:expr) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(value: &str) -> Result<Self, Invalid> {
                check($what, value, $allowed, $is_allowed).map(Self)
            }
        }
    };
}

/// The hint for a tenant that is wrong or unknown.
pub const TENANT_HINT: &str = "nearly every customer's tenant is base: corti-auth doctor --tenant base";

/// A Corti tenant, which is a Keycloak realm: one segment of a URL path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(String);

text_newtype!(Tenant, "tenant", NAME_CHARACTERS, is_name_character);

impl Default for Tenant {
    /// `base`: the tenant of nearly every customer.
    fn default() -> Self {
        Self("base".to_owned())
    }
}

/// The id of an API client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId(String);

text_newtype!(ClientId, "client id", "no spaces, control or invisible characters", is_visible);

/// The name of a profile in `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileName(String);

text_newtype!(ProfileName, "profile name", NAME_CHARACTERS, is_name_character);

impl Default for ProfileName {
    /// `default`: the profile that `login` creates if none is named.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_one_path_segment() {
        assert_eq!(Tenant::default().as_str(), "base");
        for bad in ["", "a/b", "..", "a b", "a?b", "a%2fb", "ä"] {
            assert!(bad.parse::<Tenant>().is_err(), "{bad}");
        }
    }
}
