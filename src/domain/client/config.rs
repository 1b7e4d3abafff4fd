//! `config.toml`, with the profiles but without secrets.
//!
//! The file is edited in place (`toml_edit`), which keeps the user's comments and order.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::domain::token::cache_key::CredentialId;
use crate::domain::token::scope::ScopeSet;

use super::api_client::Client;
use super::identity::ProfileName;
use super::store_kind::StoreKind;

mod edit;
mod given;
mod value;

pub use edit::RenameError;
pub use given::{GivenValues, ProfileConflict};

use value::{invalid, parse, parse_command, parse_scopes, syntax_error};

/// The profile that is used when none is named.
const DEFAULT_PROFILE: &str = "default-profile";
/// The table of profiles.
const PROFILES: &str = "profiles";

// The keys of a profile; see `Profile`.
const ENVIRONMENT: &str = "environment";
const TENANT: &str = "tenant";
const CLIENT_ID: &str = "client-id";
const STORE: &str = "store";
const SECRET_COMMAND: &str = "secret-command";
const DEFAULT_SCOPE: &str = "default-scope";
const LAST_VERIFIED: &str = "last-verified";
const CREDENTIAL: &str = "credential";

/// All keys of a profile.
const KEYS_OF_A_PROFILE: [&str; 8] =
    [ENVIRONMENT, TENANT, CLIENT_ID, STORE, SECRET_COMMAND, DEFAULT_SCOPE, LAST_VERIFIED, CREDENTIAL];

/// One profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its API client.
    pub client: Client,
    /// Where its secret is.
    pub store: StoreKind,
    /// The scopes that `token` requests by default.
    pub default_scope: Option<ScopeSet>,
    /// When Corti last accepted the stored secret, if that is known.
    pub last_verified: Option<Timestamp>,
    /// The id of the stored secret in the token cache. Without it, the cache needs the secret itself.
    pub credential: Option<CredentialId>,
}

impl Profile {
    /// Whether it uses the secret of `client` in `store`.
    pub fn uses(&self, client: &Client, store: &StoreKind) -> bool {
        self.client == *client && self.store == *store
    }
}

/// Why `config.toml` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML. The line is not repeated, because it may have a misplaced secret.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The parser's message, on one line.
        message: String,
    },
    /// A value is missing.
    #[error("profile `{profile}` has no `{key}`")]
    Missing {
        /// The profile.
        profile: ProfileName,
        /// The missing key.
        key: &'static str,
    },
    /// A value is wrong.
    #[error("{place}: {reason}")]
    Invalid {
        /// The key, with the profile's name.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The parsed file and its text.
#[derive(Clone, Debug, Default)]
pub struct Config {
    document: DocumentMut,
    default_profile: Option<ProfileName>,
    profiles: BTreeMap<ProfileName, Profile>,
    unknown_keys: Vec<String>,
}

impl FromStr for Config {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| syntax_error(text, &error))?;
        let mut config = Self { document: document.clone(), ..Self::default() };
        for (key, item) in document.iter() {
            match key {
                DEFAULT_PROFILE => config.default_profile = Some(parse(DEFAULT_PROFILE, item)?),
                PROFILES => config.read_profiles(item)?,
                other => config.unknown_keys.push(other.to_owned()),
            }
        }
        Ok(config)
    }
}

impl Config {
    fn read_profiles(&mut self, item: &Item) -> Result<(), ConfigError> {
        for (name, item) in item.as_table_like().ok_or_else(|| invalid(PROFILES, "not a table"))?.iter() {
            let place = format!("profiles.{name}");
            let table = item.as_table_like().ok_or_else(|| invalid(&place, "not a table"))?;
            let name: ProfileName = name.parse().map_err(|error| invalid(&place, &error))?;
            let profile = read_profile(&name, table)?;
            let unknown = table.iter().map(|(key, _)| key).filter(|key| !KEYS_OF_A_PROFILE.contains(key));
            self.unknown_keys.extend(unknown.map(|key| format!("{place}.{key}")));
            self.profiles.insert(name, profile);
        }
        Ok(())
    }

    /// Unknown keys: misspelt, or of a newer version.
    pub fn unknown_keys(&self) -> &[String] {
        &self.unknown_keys
    }

    /// The profile that is used if none is named.
    pub fn default_profile(&self) -> Option<&ProfileName> {
        self.default_profile.as_ref()
    }

    /// The profiles by name.
    pub fn profiles(&self) -> &BTreeMap<ProfileName, Profile> {
        &self.profiles
    }

    /// The profile that was probably meant by `name`: the closest name if it is close, else the only one that starts with it.
    pub fn nearest(&self, name: &str) -> Option<&ProfileName> {
        let name = name.to_lowercase();
        let lower = |known: &ProfileName| known.as_str().to_lowercase();
        let distance = |known: &ProfileName| strsim::damerau_levenshtein(&lower(known), &name);
        let closest = self.profiles.keys().min_by_key(|known| distance(known));
        let closest = closest.filter(|known| distance(known) <= (name.chars().count() / 3).min(2));
        let mut longer = self.profiles.keys().filter(|known| lower(known).starts_with(&name));
        closest.or_else(|| longer.next().filter(|_| longer.next().is_none()))
    }

    /// The other profiles that use the secret of `profile`, which is called `name`.
    pub fn sharing(&self, name: &ProfileName, profile: &Profile) -> Vec<&ProfileName> {
        let shares = |other: &Profile| other.uses(&profile.client, &profile.store);
        self.profiles
            .iter()
            .filter(|(other, it)| *other != name && shares(it))
            .map(|(other, _)| other)
            .collect()
    }

    /// Adds or replaces a profile. The first one becomes the default. A replaced profile keeps its other keys.
    pub fn put(&mut self, name: &ProfileName, client: &Client, store: &StoreKind) {
        let profiles = self.document.entry(PROFILES).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        if let Some(profiles) = profiles.as_table_like_mut() {
            let table = profiles.entry(name.as_str()).or_insert_with(|| Item::Table(Table::new()));
            if let Some(table) = table.as_table_like_mut() {
                edit::assign(table, ENVIRONMENT, client.environment.to_string());
                edit::assign(table, TENANT, client.tenant.as_str());
                edit::assign(table, CLIENT_ID, client.id.as_str());
                edit::assign(table, STORE, store.as_str());
                table.remove(CREDENTIAL);
                if let StoreKind::Command(command) = store {
                    let words: toml_edit::Array = command.words().iter().collect();
                    table.insert(SECRET_COMMAND, value(words));
                } else {
                    table.remove(SECRET_COMMAND);
                }
            }
        }
        let old = self.profiles.remove(name);
        let profile = Profile {
            client: client.clone(),
            store: store.clone(),
            default_scope: old.as_ref().and_then(|old| old.default_scope.clone()),
            last_verified: old.and_then(|old| old.last_verified),
            credential: None,
        };
        self.profiles.insert(name.clone(), profile);
        // The default may name a profile that does not exist.
        if self.default_profile.as_ref().is_none_or(|default| !self.profiles.contains_key(default)) {
            self.set_default(name);
        }
    }

    /// Removes a profile. If it was the default, there is none afterwards.
    pub fn remove(&mut self, name: &ProfileName) {
        if let Some(profiles) = self.document.get_mut(PROFILES).and_then(Item::as_table_like_mut) {
            profiles.remove(name.as_str());
        }
        self.profiles.remove(name);
        if self.default_profile.as_ref() == Some(name) {
            self.clear_default();
        }
    }

    /// The comment above the key stays: it is usually about the whole file.
    fn clear_default(&mut self) {
        self.default_profile = None;
        let Some((key, _)) = self.document.remove_entry(DEFAULT_PROFILE) else { return };
        let comment = key.leaf_decor().prefix().and_then(|text| text.as_str()).unwrap_or_default().to_owned();
        let profiles = self.document.get_mut(PROFILES).and_then(Item::as_table_mut);
        let tables = profiles
            .into_iter()
            .flat_map(|table| table.iter_mut().filter_map(|(_, item)| item.as_table_mut()));
        if let Some(first) = tables.min_by_key(|table| table.position()) {
            let own = first.decor().prefix().and_then(|text| text.as_str()).unwrap_or("\n").to_owned();
            first.decor_mut().set_prefix(comment + &own);
        } else {
            let own = self.document.trailing().as_str().unwrap_or_default().to_owned();
            self.document.set_trailing(comment + &own);
        }
    }

    /// Makes `name` the default profile.
    pub fn set_default(&mut self, name: &ProfileName) {
        edit::assign(self.document.as_table_mut(), DEFAULT_PROFILE, name.as_str());
        self.default_profile = Some(name.clone());
    }

    /// The file's new text.
    pub fn to_text(&self) -> String {
        self.document.to_string()
    }
}

fn read_profile(name: &ProfileName, table: &dyn TableLike) -> Result<Profile, ConfigError> {
    let place = |key: &str| format!("profiles.{name}.{key}");
    let required =
        |key: &'static str| table.get(key).ok_or_else(|| ConfigError::Missing { profile: name.clone(), key });
    let store: Option<String> = optional(table, name, STORE, parse)?;
    let store = StoreKind::parse(store.as_deref(), optional(table, name, SECRET_COMMAND, parse_command)?)
        .map_err(|error| invalid(&place(STORE), &error))?;
    Ok(Profile {
        client: Client {
            environment: parse(&place(ENVIRONMENT), required(ENVIRONMENT)?)?,
            tenant: optional(table, name, TENANT, parse)?.unwrap_or_default(),
            id: parse(&place(CLIENT_ID), required(CLIENT_ID)?)?,
        },
        store,
        default_scope: optional(table, name, DEFAULT_SCOPE, parse_scopes)?,
        last_verified: optional(table, name, LAST_VERIFIED, parse)?,
        credential: optional(table, name, CREDENTIAL, parse)?,
    })
}

fn optional<T>(
    table: &dyn TableLike,
    profile: &ProfileName,
    key: &str,
    parse: impl Fn(&str, &Item) -> Result<T, ConfigError>,
) -> Result<Option<T>, ConfigError> {
    table.get(key).map(|item| parse(&format!("profiles.{profile}.{key}"), item)).transpose()
}

#[cfg(test)]
mod tests;
