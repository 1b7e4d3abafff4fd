//! `config.toml`: the profiles, and never a secret.
//!
//! The file is edited in place (`toml_edit`), so the user's comments and order stay.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::domain::token::cache_key::CredentialId;
use crate::domain::token::scope::ScopeSet;

use super::api_client::Client;
use super::environment::Environment;
use super::identity::{ClientId, ProfileName, Tenant};
use super::store_kind::StoreKind;

mod edit;
mod given;
mod key;
mod value;

pub use edit::RenameError;
pub use given::{GivenValues, ProfileConflict};

use value::{parse, parse_command, parse_scopes, syntax_error};

use key::{CLIENT_ID, CREDENTIAL, DEFAULT_PROFILE, DEFAULT_SCOPE, ENVIRONMENT, LAST_VERIFIED, PROFILES};
use key::{SECRET_COMMAND, STORE, TENANT};

/// One profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The API client it stands for.
    pub client: Client,
    /// Where its secret is.
    pub store: StoreKind,
    /// What `token` asks for when it is not told; `None` where the profile does not say.
    pub default_scope: Option<ScopeSet>,
    /// When the server last took the stored secret, as far as this tool knows.
    pub last_verified: Option<Timestamp>,
    /// Stands for the stored secret in the cache of tokens; `None` where the secret itself has to.
    pub credential: Option<CredentialId>,
}

impl Profile {
    /// Whether its secret is that of `client` in `store`.
    pub fn uses(&self, client: &Client, store: &StoreKind) -> bool {
        self.client == *client && self.store == *store
    }
}

/// Why `config.toml` could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML. The text is the parser's; the line itself is not repeated, since it may hold a misplaced secret.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The parser's reason, on one line.
        message: String,
    },
    /// A value is missing.
    #[error("profile `{profile}` has no `{key}`")]
    Missing {
        /// Whose it is.
        profile: ProfileName,
        /// Which.
        key: &'static str,
    },
    /// A value is not what belongs there.
    #[error("{place}: {reason}")]
    Invalid {
        /// Which key of which profile.
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
        let invalid =
            |place: &str| ConfigError::Invalid { place: place.to_owned(), reason: "not a table".into() };
        for (name, item) in item.as_table_like().ok_or_else(|| invalid(PROFILES))?.iter() {
            let place = format!("profiles.{name}");
            let table = item.as_table_like().ok_or_else(|| invalid(&place))?;
            let name: ProfileName = name
                .parse()
                .map_err(|error| ConfigError::Invalid { place: place.clone(), reason: format!("{error}") })?;
            let profile = read_profile(&name, table)?;
            let unknown = table.iter().map(|(key, _)| key).filter(|key| !key::OF_A_PROFILE.contains(key));
            self.unknown_keys.extend(unknown.map(|key| format!("{place}.{key}")));
            self.profiles.insert(name, profile);
        }
        Ok(())
    }

    /// Keys that mean nothing: misspelt, or of a newer version.
    pub fn unknown_keys(&self) -> &[String] {
        &self.unknown_keys
    }

    /// The profile that is used when none is named.
    pub fn default_profile(&self) -> Option<&ProfileName> {
        self.default_profile.as_ref()
    }

    /// The profiles by name.
    pub fn profiles(&self) -> &BTreeMap<ProfileName, Profile> {
        &self.profiles
    }

    /// The profile whose name is closest to `name`, where one is close, or the only one that begins like it.
    pub fn nearest(&self, name: &str) -> Option<&ProfileName> {
        let name = name.to_lowercase();
        let lower = |known: &ProfileName| known.as_str().to_lowercase();
        let distance = |known: &ProfileName| strsim::damerau_levenshtein(&lower(known), &name);
        let closest = self.profiles.keys().min_by_key(|known| distance(known));
        let closest = closest.filter(|known| distance(known) <= (name.chars().count() / 3).min(2));
        let mut longer = self.profiles.keys().filter(|known| lower(known).starts_with(&name));
        closest.or_else(|| longer.next().filter(|_| longer.next().is_none()))
    }

    /// The profiles that use the secret of `client` in `store`.
    fn users<'a>(
        &'a self,
        client: &'a Client,
        store: &'a StoreKind,
    ) -> impl Iterator<Item = &'a ProfileName> + 'a {
        self.profiles.iter().filter(|(_, profile)| profile.uses(client, store)).map(|(name, _)| name)
    }

    /// The other profiles that use the secret of `profile`, whose name is `name`.
    pub fn sharing<'a>(&'a self, name: &ProfileName, profile: &'a Profile) -> Vec<&'a ProfileName> {
        self.users(&profile.client, &profile.store).filter(|other| *other != name).collect()
    }

    /// Adds or replaces a profile; the first one becomes the default. A replaced profile keeps the keys that are not
    /// the client's or the secret's.
    pub fn put(&mut self, name: &ProfileName, client: &Client, store: &StoreKind) {
        let profiles = self.document.entry(PROFILES).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        if let Some(profiles) = profiles.as_table_like_mut() {
            let table = profiles.entry(name.as_str()).or_insert_with(|| Item::Table(Table::new()));
            if let Some(table) = table.as_table_like_mut() {
                edit::assign(table, ENVIRONMENT, &client.environment.to_string());
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
        let before = self.profiles.get(name);
        let default_scope = before.and_then(|profile| profile.default_scope.clone());
        let last_verified = before.and_then(|profile| profile.last_verified);
        let (client, store) = (client.clone(), store.clone());
        let profile = Profile { client, store, default_scope, last_verified, credential: None };
        self.profiles.insert(name.clone(), profile);
        // A default that names no profile is none.
        if self.default_profile.as_ref().is_none_or(|default| !self.profiles.contains_key(default)) {
            self.set_default(name);
        }
    }

    /// Takes a profile out, and with it the default if it was that.
    pub fn remove(&mut self, name: &ProfileName) {
        if let Some(profiles) = self.document.get_mut(PROFILES).and_then(Item::as_table_like_mut) {
            profiles.remove(name.as_str());
        }
        self.profiles.remove(name);
        if self.default_profile.as_ref() == Some(name) {
            self.clear_default();
        }
    }

    /// The comment above the key is most often the file's own, and stays.
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

    /// Makes `name` the profile that is used when none is named.
    pub fn set_default(&mut self, name: &ProfileName) {
        let mut new = toml_edit::Value::from(name.as_str());
        if let Some(old) = self.document.get_mut(DEFAULT_PROFILE).and_then(Item::as_value_mut) {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        } else {
            self.document.insert(DEFAULT_PROFILE, value(new));
        }
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
    let environment: Environment = parse(&place(ENVIRONMENT), required(ENVIRONMENT)?)?;
    let id: ClientId = parse(&place(CLIENT_ID), required(CLIENT_ID)?)?;
    let tenant: Option<Tenant> = table.get(TENANT).map(|item| parse(&place(TENANT), item)).transpose()?;
    let store: Option<String> = table.get(STORE).map(|item| parse(&place(STORE), item)).transpose()?;
    let command =
        table.get(SECRET_COMMAND).map(|item| parse_command(&place(SECRET_COMMAND), item)).transpose()?;
    let store = StoreKind::parse(store.as_deref(), command)
        .map_err(|error| ConfigError::Invalid { place: place(STORE), reason: error.to_string() })?;
    let scopes =
        table.get(DEFAULT_SCOPE).map(|item| parse_scopes(&place(DEFAULT_SCOPE), item)).transpose()?;
    Ok(Profile {
        client: Client { environment, tenant: tenant.unwrap_or_default(), id },
        store,
        default_scope: scopes,
        last_verified: table.get(LAST_VERIFIED).map(|item| parse(&place(LAST_VERIFIED), item)).transpose()?,
        credential: table.get(CREDENTIAL).map(|item| parse(&place(CREDENTIAL), item)).transpose()?,
    })
}

#[cfg(test)]
mod tests;
