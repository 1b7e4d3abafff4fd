//! Edits `config.toml` and keeps its comments, order and spacing.

use jiff::Timestamp;
use toml_edit::{Array, Item, Key, TableLike, Value};

use crate::domain::client::api_client::Client;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::token::cache_key::CredentialId;
use crate::domain::token::scope::ScopeSet;

use super::{CREDENTIAL, Config, DEFAULT_SCOPE, LAST_VERIFIED, PROFILES, Profile};

/// Why a profile cannot be renamed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// The profile does not exist.
    #[error("there is no profile `{0}`")]
    Missing(ProfileName),
    /// The new name is in use.
    #[error("there is a profile `{0}` already")]
    Taken(ProfileName),
}

impl Config {
    /// Renames a profile. It keeps its place in the file, its comments, and whether it is the default.
    pub fn rename(&mut self, old: &ProfileName, new: &ProfileName) -> Result<(), RenameError> {
        if !self.profiles.contains_key(old) {
            return Err(RenameError::Missing(old.clone()));
        }
        if self.profiles.contains_key(new) {
            return Err(RenameError::Taken(new.clone()));
        }
        if let Some(profiles) = self.document.get_mut(PROFILES).and_then(Item::as_table_like_mut) {
            rename_key(profiles, old.as_str(), new.as_str());
        }
        if let Some(profile) = self.profiles.remove(old) {
            self.profiles.insert(new.clone(), profile);
        }
        if self.default_profile.as_ref() == Some(old) {
            self.set_default(new);
        }
        Ok(())
    }

    /// Sets when Corti last accepted the secret of `client` in `store`, in every profile that uses it; `None` if unknown.
    pub fn set_verified(&mut self, client: &Client, store: &StoreKind, at: Option<Timestamp>) {
        let text = at.map(|at| at.to_string());
        self.set_key(client, store, LAST_VERIFIED, text.as_deref(), |profile| profile.last_verified = at);
    }

    /// Sets the id of the secret of `client` in `store`, in every profile that uses it.
    pub fn set_credential(&mut self, client: &Client, store: &StoreKind, id: Option<&CredentialId>) {
        let text = id.map(CredentialId::as_str);
        self.set_key(client, store, CREDENTIAL, text, |profile| profile.credential = id.cloned());
    }

    /// Sets or removes the scopes that a profile's tokens get if none are asked for.
    pub fn set_default_scope(&mut self, name: &ProfileName, scopes: Option<&ScopeSet>) {
        let Some(profile) = self.profiles.get_mut(name) else { return };
        profile.default_scope = scopes.cloned();
        let tables = self.document.get_mut(PROFILES).and_then(Item::as_table_like_mut);
        let item = tables.and_then(|tables| tables.get_mut(name.as_str()));
        let Some(table) = item.and_then(Item::as_table_like_mut) else { return };
        match scopes {
            Some(scopes) => assign(table, DEFAULT_SCOPE, scopes.to_strings().into_iter().collect::<Array>()),
            None => drop(table.remove(DEFAULT_SCOPE)),
        }
    }

    /// Sets or removes a key of every profile that uses the secret of `client` in `store`.
    fn set_key(
        &mut self,
        client: &Client,
        store: &StoreKind,
        key: &str,
        text: Option<&str>,
        set: impl Fn(&mut Profile),
    ) {
        let mut tables = self.document.get_mut(PROFILES).and_then(Item::as_table_like_mut);
        for (name, profile) in self.profiles.iter_mut().filter(|(_, profile)| profile.uses(client, store)) {
            set(profile);
            let item = tables.as_mut().and_then(|tables| tables.get_mut(name.as_str()));
            match (item.and_then(Item::as_table_like_mut), text) {
                (Some(table), Some(text)) => assign(table, key, text),
                (Some(table), None) => drop(table.remove(key)),
                (None, _) => {}
            }
        }
    }
}

/// Sets a key. The comment after the old value stays.
pub(super) fn assign(table: &mut dyn TableLike, key: &str, value: impl Into<Value>) {
    let mut new = value.into();
    if let Some(old) = table.get_mut(key).and_then(Item::as_value_mut) {
        let is_same_text = old.as_str().is_some() && old.as_str() == new.as_str();
        if !is_same_text {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
    } else {
        table.insert(key, Item::Value(new));
    }
}

/// Removes every entry and adds it again, because `toml_edit` cannot rename a key in place.
fn rename_key(table: &mut dyn TableLike, old: &str, new: &str) {
    let keys: Vec<Key> =
        table.iter().map(|(key, _)| key.to_owned()).filter_map(|key| table.key(&key).cloned()).collect();
    for key in keys {
        let Some(item) = table.remove(key.get()) else { continue };
        let key = if key.get() == old {
            Key::new(new)
                .with_leaf_decor(key.leaf_decor().clone())
                .with_dotted_decor(key.dotted_decor().clone())
        } else {
            key
        };
        table.entry_format(&key).or_insert(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ProfileName {
        text.parse().unwrap()
    }

    /// The file after `a` is renamed to `z`.
    fn renamed(text: &str) -> String {
        let mut config: Config = text.parse().unwrap();
        config.rename(&name("a"), &name("z")).unwrap();
        let text = config.to_text();
        let again: Config = text.parse().unwrap();
        assert_eq!(again.profiles(), config.profiles());
        assert_eq!(again.default_profile(), config.default_profile());
        text
    }

    #[test]
    fn a_rename_changes_the_name_and_nothing_else() {
        let tables = "# mine\ndefault-profile = \"a\" # daily\n\n# Acme's\n[profiles.a] # dev\nenvironment = \"eu\"\n\
            client-id = \"x\" # theirs\n\n[profiles.a.later]\nk = 1\n\n# other\n[profiles.b]\nenvironment = \"us\"\n\
            client-id = \"y\"\n# the end\n";
        assert_eq!(
            renamed(tables),
            tables
                .replace("\"a\"", "\"z\"")
                .replace("[profiles.a]", "[profiles.z]")
                .replace("[profiles.a.", "[profiles.z.")
        );
        let nested = "[profiles]\n# first\na = { environment = \"eu\", client-id = \"x\" } # dev\n# second\n\
            b = { environment = \"eu\", client-id = \"y\" }\n";
        assert_eq!(renamed(nested), nested.replace("\na = ", "\nz = "));
        let inline = "profiles = { a = { environment = \"eu\", client-id = \"x\" }, b = { environment = \"eu\", client-id = \"y\" } }\n";
        assert_eq!(renamed(inline), inline.replace("{ a = ", "{ z = "));
        let dotted = "profiles.a.environment = \"eu\" # here\nprofiles.a.client-id = \"x\"\n";
        assert_eq!(renamed(dotted), dotted.replace("profiles.a.", "profiles.z."));
    }

    #[test]
    fn a_name_must_be_free() {
        let text = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"x\"\n[profiles.b]\nenvironment = \"eu\"\nclient-id = \"y\"\n";
        let mut config: Config = text.parse().unwrap();
        assert_eq!(config.rename(&name("a"), &name("b")), Err(RenameError::Taken(name("b"))));
        assert_eq!(config.rename(&name("a"), &name("a")), Err(RenameError::Taken(name("a"))));
        assert_eq!(config.rename(&name("c"), &name("d")), Err(RenameError::Missing(name("c"))));
        assert_eq!(config.to_text(), text);
    }

    #[test]
    fn a_verification_is_a_key_of_the_profile() {
        let text = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"x\"\nlast-verified = \"2026-01-02T03:04:05Z\" # mine\n";
        let mut config: Config = text.parse().unwrap();
        assert_eq!(config.unknown_keys(), [""; 0]);
        let client = config.profiles()[&name("a")].client.clone();
        let at: Timestamp = "2026-02-03T04:05:06Z".parse().unwrap();
        config.set_verified(&client, &StoreKind::Keyring, Some(at));
        assert_eq!(config.to_text(), text.replace("2026-01-02T03:04:05Z", "2026-02-03T04:05:06Z"));
        let other = Client { id: "other".parse().unwrap(), ..client.clone() };
        config.set_verified(&other, &StoreKind::Keyring, None);
        assert!(config.profiles()[&name("a")].last_verified.is_some());
        config.set_verified(&client, &StoreKind::Keyring, None);
        assert!(!config.to_text().contains("last-verified"));
        let broken = text.replace("2026-01-02", "yesterday").parse::<Config>().unwrap_err().to_string();
        assert!(broken.starts_with("profiles.a.last-verified: "), "{broken}");
    }

    #[test]
    fn every_profile_of_one_secret_has_its_id() {
        let profile = |name: &str, id: &str, more: &str| {
            format!("[profiles.{name}] # mine\nenvironment = \"eu\"\nclient-id = \"{id}\"\n{more}\n")
        };
        let text = profile("a", "x", "")
            + &profile("b", "x", "")
            + &profile("c", "y", "")
            + &profile("d", "x", "store = \"file\"");
        let mut config: Config = text.parse().unwrap();
        let client = config.profiles()[&name("a")].client.clone();
        let id = CredentialId::of([7; 16]);
        config.set_credential(&client, &StoreKind::Keyring, Some(&id));
        let again: Config = config.to_text().parse().unwrap();
        assert_eq!((again.profiles(), again.unknown_keys().len()), (config.profiles(), 0));
        let ids: Vec<_> = again.profiles().values().map(|it| it.credential.as_ref()).collect();
        assert_eq!(ids, [Some(&id), Some(&id), None, None]);
        config.put(&name("a"), &client, &StoreKind::Keyring);
        assert_eq!(config.profiles()[&name("a")].credential, None, "who stores a secret gives it a new one");
        config.set_credential(&client, &StoreKind::Keyring, None);
        assert!(!config.to_text().contains("credential"), "{}", config.to_text());
        let broken = profile("a", "x", "credential = \"hunter2\"").parse::<Config>().unwrap_err().to_string();
        assert!(broken.starts_with("profiles.a.credential: ") && !broken.contains("hunter2"), "{broken}");
    }

    #[test]
    fn default_scopes_are_a_key_of_one_profile() {
        let text = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"x\"\n\n[profiles.b]\nenvironment = \"eu\"\nclient-id = \"x\"\n";
        let mut config: Config = text.parse().unwrap();
        config.set_default_scope(&name("a"), Some(&ScopeSet::from_wire("transcribe")));
        let once = "client-id = \"x\"\ndefault-scope = [\"transcribe\"]\n\n[profiles.b]";
        assert!(config.to_text().contains(once), "{}", config.to_text());
        let commented = config.to_text().replace("\"]\n", "\"] # mine\n");
        let mut config: Config = commented.parse().unwrap();
        config.set_default_scope(&name("a"), Some(&ScopeSet::from_wire("transcribe streams")));
        assert!(config.to_text().contains("default-scope = [\"streams\", \"transcribe\"] # mine\n"));
        assert_eq!(config.to_text().parse::<Config>().unwrap().profiles(), config.profiles());
        config.set_default_scope(&name("a"), None);
        assert_eq!(config.to_text(), text);
    }

    #[test]
    fn comments_behind_values_outlive_a_login() {
        let text = "[profiles.a]\nenvironment = \"eu\" # here\nclient-id = \"x\" # Acme\n";
        let mut config: Config = text.parse().unwrap();
        let client = Client { id: "y".parse().unwrap(), ..config.profiles()[&name("a")].client.clone() };
        config.put(&name("a"), &client, &crate::domain::client::store_kind::StoreKind::Keyring);
        let after = config.to_text();
        assert!(after.contains("environment = \"eu\" # here\nclient-id = \"y\" # Acme\n"), "{after}");
    }
}
