//! Where a profile's secret is kept. A profile or a flag names the store; no other one is ever tried.

use std::fmt;

use super::invalid::Invalid;
use crate::domain::text::words::WordRules;

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The operating system's keyring.
    Keyring,
    /// A file encrypted with a passphrase (age).
    File,
    /// Another secret manager: its command prints the secret.
    Command(SecretCommand),
}

/// The names of the stores that a secret can be written to.
pub const WRITABLE: [&str; 2] = ["keyring", "file"];

impl StoreKind {
    /// Its name in `config.toml` and on the command line.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Command(_) => "command",
        }
    }

    /// The command that prints the secret, if the store is one.
    pub fn command(&self) -> Option<&SecretCommand> {
        match self {
            Self::Command(command) => Some(command),
            Self::Keyring | Self::File => None,
        }
    }

    /// Reads the name of a store, and the command if that is the store.
    pub fn parse(name: Option<&str>, command: Option<SecretCommand>) -> Result<Self, Invalid> {
        Err(Invalid::new(match (name, command) {
            (None | Some("command"), Some(command)) => return Ok(Self::Command(command)),
            (None | Some("keyring"), None) => return Ok(Self::Keyring),
            (Some("file"), None) => return Ok(Self::File),
            (Some("command"), None) => "the store is `command`, but no secret command is given".to_owned(),
            (Some(name), Some(_)) => format!("a secret command is given, but the store is `{name}`"),
            (Some(name), None) => {
                format!("`{name}` is not a store; the stores are keyring, file and command")
            }
        }))
    }
}

/// A program that prints a secret, and its arguments. It is run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretCommand(Vec<String>);

impl SecretCommand {
    /// Takes the words as they are.
    pub fn new(words: Vec<String>) -> Result<Self, Invalid> {
        if words.first().is_none_or(String::is_empty) {
            return Err(Invalid::new("the secret command is empty"));
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(Invalid::new("the secret command has a NUL in it"));
        }
        Ok(Self(words))
    }

    /// Splits a text into words by this system's rules. Nothing is expanded.
    pub fn split(text: &str) -> Result<Self, Invalid> {
        let words = WordRules::HERE.split(text);
        Self::new(words.ok_or_else(|| Invalid::new("the secret command has a quote that is not closed"))?)
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The program and its arguments.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for SecretCommand {
    /// As [`SecretCommand::split`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&WordRules::HERE.join(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_and_nothing_is_expanded() {
        let command = SecretCommand::split(r#"op read "op://dev/corti/a secret" $HOME"#).unwrap();
        assert_eq!(command.words(), ["op", "read", "op://dev/corti/a secret", "$HOME"]);
        assert_eq!(SecretCommand::split(&command.to_string()), Ok(command));
        let refused = |text: &str| SecretCommand::split(text).unwrap_err().to_string();
        assert_eq!(refused("op \"x"), "the secret command has a quote that is not closed");
        assert_eq!(refused("  "), "the secret command is empty");
    }

    #[test]
    fn a_store_is_chosen_by_its_name() {
        let command = || Some(SecretCommand::split("pass show corti").unwrap());
        assert_eq!(StoreKind::parse(None, None), Ok(StoreKind::Keyring));
        assert_eq!(StoreKind::parse(Some("file"), None), Ok(StoreKind::File));
        assert_eq!(StoreKind::parse(None, command()).unwrap().as_str(), "command");
        let refused = |name, command| StoreKind::parse(Some(name), command).unwrap_err().to_string();
        assert_eq!(refused("command", None), "the store is `command`, but no secret command is given");
        assert_eq!(refused("file", command()), "a secret command is given, but the store is `file`");
        assert_eq!(
            refused("plain", None),
            "`plain` is not a store; the stores are keyring, file and command"
        );
    }
}
