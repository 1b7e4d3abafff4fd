//! Who asks: the tenant (Keycloak's realm), the client id, and the profile name that stands for them.

use std::fmt;
use std::str::FromStr;

use crate::domain::text::page::is_hidden;

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A character that is not allowed.
    #[error("`{value}` is not a {what}: use {allowed}")]
    Character {
        /// What the name is of.
        what: &'static str,
        /// The name as given.
        value: String,
        /// Which characters are.
        allowed: &'static str,
    },
}

fn check(
    what: &'static str,
    value: &str,
    allowed: &'static str,
    may: impl Fn(char) -> bool,
) -> Result<String, NameError> {
    if value.is_empty() {
        return Err(NameError::Empty(what));
    }
    if value == "." || value == ".." || !value.chars().all(may) || value.len() > 255 {
        return Err(NameError::Character { what, value: value.to_owned(), allowed });
    }
    Ok(value.to_owned())
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

macro_rules! text_newtype {
    ($name:ident) => {
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
    };
}

/// A Corti tenant, which is a Keycloak realm: one segment of a URL path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(String);

text_newtype!(Tenant);

impl Default for Tenant {
    /// `base`, the tenant that nearly every customer shares.
    fn default() -> Self {
        Self("base".to_owned())
    }
}

impl FromStr for Tenant {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        check("tenant", value, "only letters, digits, `.`, `_` and `-`", is_name_character).map(Self)
    }
}

/// The id of an API client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId(String);

text_newtype!(ClientId);

impl FromStr for ClientId {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let visible = |c: char| !is_hidden(c) && !c.is_whitespace();
        check("client id", value, "no spaces, control or invisible characters", visible).map(Self)
    }
}

/// The name of a profile in `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileName(String);

text_newtype!(ProfileName);

impl Default for ProfileName {
    /// `default`, the profile that `login` makes when none is named.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for ProfileName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        check("profile name", value, "only letters, digits, `.`, `_` and `-`", is_name_character).map(Self)
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
