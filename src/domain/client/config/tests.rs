//! Tests of `config`.

use crate::domain::client::identity::Tenant;
use crate::domain::client::store_kind::SecretCommand;

use super::*;

const FILE: &str = "# mine\ndefault-profile = \"dev\" # the usual\n\n# a hospital\n[profiles.dev]\n\
    environment = \"eu\"\nclient-id = \"acme-dev\" # theirs\ndefault-scope = [\"transcribe\"]\n";

fn client(id: &str) -> Client {
    Client { environment: "us".parse().unwrap(), tenant: Tenant::default(), id: id.parse().unwrap() }
}

fn name(text: &str) -> ProfileName {
    text.parse().unwrap()
}

#[test]
fn defaults_are_filled_in() {
    let config: Config = FILE.parse().unwrap();
    let dev = &config.profiles()[&name("dev")];
    assert_eq!((dev.client.tenant.as_str(), &dev.store), ("base", &StoreKind::Keyring));
    assert_eq!(config.default_profile(), Some(&name("dev")));
}

#[test]
fn comments_and_order_outlive_an_edit() {
    let mut config: Config = FILE.parse().unwrap();
    config.put(&name("new"), &client("other"), &StoreKind::Keyring);
    config.set_default(&name("new"));
    let text = config.to_text();
    for kept in ["# mine", "# the usual", "# a hospital", "# theirs", "default-profile = \"new\""] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    let again: Config = text.parse().unwrap();
    assert_eq!(again.profiles(), config.profiles());
}

#[test]
fn the_first_profile_is_the_default_and_removing_it_leaves_none() {
    let mut config = Config::default();
    config.put(&name("a"), &client("a"), &StoreKind::Keyring);
    assert_eq!(config.to_text().lines().next(), Some("default-profile = \"a\""));
    config.remove(&name("a"));
    assert_eq!((config.default_profile(), config.profiles().len()), (None, 0));
    assert_eq!(config.to_text().parse::<Config>().unwrap().default_profile(), None);
}

#[test]
fn the_files_own_comment_outlives_the_default_profile() {
    let mut config: Config =
        format!("{FILE}\n[profiles.other]\nenvironment = \"us\"\nclient-id = \"o\"\n").parse().unwrap();
    config.remove(&name("dev"));
    assert_eq!(config.to_text(), "# mine\n\n[profiles.other]\nenvironment = \"us\"\nclient-id = \"o\"\n");
    config.set_default(&name("other"));
    config.remove(&name("other"));
    assert_eq!(config.to_text().trim(), "");
    let mut config: Config = FILE.parse().unwrap();
    config.remove(&name("dev"));
    assert_eq!(config.to_text(), "# mine\n");
}

#[test]
fn mistakes_name_their_place() {
    let message = |text: &str| text.parse::<Config>().unwrap_err().to_string();
    assert!(message("default-profile = ").starts_with("line 1, column 19: "));
    let unclosed = message("a = 1\nclient-secret = \"hunter2\nb = 2");
    assert!(unclosed.starts_with("line 2, column") && !unclosed.contains("hunter2"), "{unclosed}");
    assert!(message("profiles = 3").contains("profiles: not a table"));
    assert!(message("[profiles.a]\nclient-id = \"x\"").contains("profile `a` has no `environment`"));
    assert!(message("[profiles.a]\nenvironment = 3").contains("profiles.a.environment: not a string"));
    let store = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"x\"\nstore = \"plain\"";
    assert!(message(store).contains("profiles.a.store: `plain` is not a store"));
}

#[test]
fn a_secret_command_is_an_array_or_one_text() {
    let store = |line: &str| {
        let text = format!("[profiles.a]\nenvironment = \"eu\"\nclient-id = \"x\"\n{line}\n");
        text.parse::<Config>().map(|config| config.profiles()[&name("a")].store.clone())
    };
    let command = StoreKind::Command(SecretCommand::split("pass show \"a b\"").unwrap());
    assert_eq!(
        store("store = \"command\"\nsecret-command = [\"pass\", \"show\", \"a b\"]"),
        Ok(command.clone())
    );
    assert_eq!(store("secret-command = 'pass show \"a b\"'"), Ok(command.clone()));
    assert!(store("store = \"command\"").unwrap_err().to_string().contains("no secret command"));
    assert!(store("store = \"file\"\nsecret-command = \"x\"").is_err());
    let mut config = Config::default();
    config.put(&name("a"), &client("a"), &command);
    assert_eq!(config.to_text().parse::<Config>().unwrap().profiles()[&name("a")].store, command);
    config.put(&name("a"), &client("a"), &StoreKind::Keyring);
    assert!(!config.to_text().contains("secret-command"));
}

#[test]
fn unknown_keys_are_kept_and_named() {
    // An older version wrote the first one.
    let older = "unused-secrets = [{ environment = \"eu\", client-id = \"old\", store = \"keyring\" }]\n";
    let text = format!("{older}{FILE}tenent = \"x\"\n[other]\n");
    let config: Config = text.parse().unwrap();
    assert_eq!(config.unknown_keys(), ["unused-secrets", "profiles.dev.tenent", "other"]);
    assert_eq!(config.to_text(), text);
}

#[test]
fn a_mistyped_profile_has_a_nearest() {
    let config: Config = FILE.parse().unwrap();
    assert_eq!(config.nearest("dve"), Some(&name("dev")));
    assert_eq!(config.nearest("DEV"), Some(&name("dev")));
    assert_eq!(config.nearest("d"), Some(&name("dev")));
    assert_eq!(config.nearest("production"), None);
}
