//! Stored secrets that no profile uses any more, noted until they are removed: a kill in between leaves none behind.

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::key::{CLIENT_ID, ENVIRONMENT, STORE, TENANT, UNUSED_SECRETS};
use super::value::parse;
use super::{Config, ConfigError, read_client};
use crate::domain::identity::Client;
use crate::domain::store_kind::StoreKind;

/// A stored secret: whose, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// The client that it is of.
    pub client: Client,
    /// The keyring or an encrypted file; a command's secret is another program's.
    pub store: StoreKind,
}

impl StoredSecret {
    fn to_value(&self) -> Value {
        let mut table = InlineTable::new();
        table.insert(ENVIRONMENT, self.client.environment.to_string().into());
        table.insert(TENANT, self.client.tenant.as_str().into());
        table.insert(CLIENT_ID, self.client.id.as_str().into());
        table.insert(STORE, self.store.as_str().into());
        Value::InlineTable(table)
    }
}

impl Config {
    /// Those that are noted, and that no profile uses again.
    pub fn unused_secrets(&self) -> Vec<StoredSecret> {
        self.unused_secrets.iter().filter(|it| !self.is_used(&it.client, &it.store)).cloned().collect()
    }

    /// Whether a profile uses the secret of `client` in `store`.
    pub fn is_used(&self, client: &Client, store: &StoreKind) -> bool {
        self.profiles.values().any(|profile| profile.uses(client, store))
    }

    /// Notes that the secret of `client` in `store` is to be removed, unless a profile uses it or another program keeps it.
    pub fn note_unused(&mut self, client: &Client, store: &StoreKind) {
        let secret = StoredSecret { client: client.clone(), store: store.clone() };
        let others = matches!(store, StoreKind::Command(_));
        if !others && !self.is_used(client, store) && !self.unused_secrets.contains(&secret) {
            self.unused_secrets.push(secret);
            self.write_unused();
        }
    }

    /// Strikes the note: the secret is gone, or in use.
    pub fn strike_unused(&mut self, client: &Client, store: &StoreKind) {
        let before = self.unused_secrets.len();
        self.unused_secrets.retain(|it| it.client != *client || it.store != *store);
        if self.unused_secrets.len() != before {
            self.write_unused();
        }
    }

    fn write_unused(&mut self) {
        if self.unused_secrets.is_empty() {
            self.document.remove(UNUSED_SECRETS);
        } else {
            let notes: Array = self.unused_secrets.iter().map(StoredSecret::to_value).collect();
            self.document.insert(UNUSED_SECRETS, Item::Value(notes.into()));
        }
    }
}

/// # Errors
/// [`ConfigError`], see its variants.
pub(super) fn read(item: &Item) -> Result<Vec<StoredSecret>, ConfigError> {
    let invalid = |reason: &str| ConfigError::Invalid { place: UNUSED_SECRETS.into(), reason: reason.into() };
    let array = item.as_array().ok_or_else(|| invalid("not an array"))?;
    let secret = |value: &Value| {
        let table = value.as_inline_table().ok_or_else(|| invalid("not an array of tables"))?;
        let table: &dyn TableLike = table;
        let client = read_client(UNUSED_SECRETS, UNUSED_SECRETS, table)?;
        let store: Option<String> = table.get(STORE).map(|item| parse(UNUSED_SECRETS, item)).transpose()?;
        let store = StoreKind::parse(store.as_deref(), None).map_err(|error| invalid(&error.to_string()))?;
        Ok(StoredSecret { client, store })
    };
    array.iter().map(secret).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::ProfileName;
    use crate::domain::store_kind::SecretCommand;

    const FILE: &str = "# mine\ndefault-profile = \"a\" # daily\n\n# Acme's\n[profiles.a]\nenvironment = \"eu\"\nclient-id = \"x\"\n";

    fn name(text: &str) -> ProfileName {
        text.parse().unwrap()
    }

    #[test]
    fn a_secret_is_noted_and_struck_and_the_rest_of_the_file_stays() {
        let mut config: Config = FILE.parse().unwrap();
        let old = config.profiles()[&name("a")].client.clone();
        config.note_unused(&old, &StoreKind::Keyring);
        assert_eq!(config.to_text(), FILE, "a profile uses it");
        let new = Client { id: "y".parse().unwrap(), ..old.clone() };
        config.put(&name("a"), &new, &StoreKind::Keyring);
        let moved = config.to_text();
        for _ in 0..2 {
            config.note_unused(&old, &StoreKind::Keyring);
        }
        let again: Config = config.to_text().parse().unwrap();
        let noted = StoredSecret { client: old.clone(), store: StoreKind::Keyring };
        assert_eq!((again.unused_secrets(), again.unknown_keys().len()), (vec![noted], 0));
        assert!(config.to_text().starts_with("# mine\n"), "{}", config.to_text());
        config.strike_unused(&old, &StoreKind::File);
        assert_eq!(config.unused_secrets().len(), 1);
        config.strike_unused(&old, &StoreKind::Keyring);
        assert_eq!(config.to_text(), moved);
    }

    #[test]
    fn a_secret_that_is_used_again_is_not_unused() {
        let mut config: Config = FILE.parse().unwrap();
        let old = config.profiles()[&name("a")].client.clone();
        config.put(&name("a"), &Client { id: "y".parse().unwrap(), ..old.clone() }, &StoreKind::Keyring);
        config.note_unused(&old, &StoreKind::Keyring);
        config.put(&name("a"), &old, &StoreKind::Keyring);
        assert_eq!(config.unused_secrets(), []);
        assert!(!config.to_text().contains(UNUSED_SECRETS), "{}", config.to_text());
    }

    #[test]
    fn what_another_program_keeps_is_not_ours_to_remove() {
        let mut config = Config::default();
        let old = FILE.parse::<Config>().unwrap().profiles()[&name("a")].client.clone();
        config.note_unused(&old, &StoreKind::Command(SecretCommand::split("pass corti").unwrap()));
        assert_eq!(config.unused_secrets(), []);
    }

    #[test]
    fn what_is_no_note_is_named() {
        for text in [
            "1",
            "[1]",
            "[{ client-id = \"x\" }]",
            "[{ environment = \"eu\", client-id = \"x\", store = \"paper\" }]",
        ] {
            let text = format!("{UNUSED_SECRETS} = {text}\n");
            let error = text.parse::<Config>().unwrap_err().to_string();
            assert!(error.contains(UNUSED_SECRETS), "{text}: {error}");
        }
    }
}
