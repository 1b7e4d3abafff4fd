//! Where a profile's secret is kept, as the profile or a flag says it. Chosen in so many words, never by falling through.

use std::fmt;

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The operating system's keyring.
    Keyring,
    /// A file encrypted with a passphrase (age).
    File,
    /// A command that prints the secret: another secret manager's.
    Command(SecretCommand),
}

/// The words for those that a secret can be put into.
pub const WRITABLE: [&str; 2] = ["keyring", "file"];

impl StoreKind {
    /// The word for it in `config.toml` and on the command line.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Command(_) => "command",
        }
    }

    /// The command that keeps the secret, where one does.
    pub fn command(&self) -> Option<&SecretCommand> {
        match self {
            Self::Command(command) => Some(command),
            Self::Keyring | Self::File => None,
        }
    }

    /// Reads the word, and the command that belongs to one of them.
    ///
    /// # Errors
    /// [`StoreKindError`], see its variants.
    pub fn parse(word: Option<&str>, command: Option<SecretCommand>) -> Result<Self, StoreKindError> {
        match (word, command) {
            (None | Some("command"), Some(command)) => Ok(Self::Command(command)),
            (Some("command"), None) => Err(StoreKindError::NoCommand),
            (Some(word), Some(_)) => Err(StoreKindError::CommandBeside(word.to_owned())),
            (None | Some("keyring"), None) => Ok(Self::Keyring),
            (Some("file"), None) => Ok(Self::File),
            (Some(word), None) => Err(StoreKindError::Unknown(word.to_owned())),
        }
    }
}

/// Why a store was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreKindError {
    /// No store of this name.
    #[error("`{0}` is not a store; the stores are keyring, file and command")]
    Unknown(String),
    /// `command` without the command.
    #[error("the store is `command`, but no secret command is given")]
    NoCommand,
    /// A command beside another store.
    #[error("a secret command is given, but the store is `{0}`")]
    CommandBeside(String),
}

/// A program and its arguments, run without a shell. It prints a secret and is none itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretCommand(Vec<String>);

/// A command that cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretCommandError {
    /// No program.
    #[error("the secret command is empty")]
    Empty,
    /// A quote that is not closed.
    #[error("the secret command has a quote that is not closed")]
    Quotes,
    /// A NUL, which no argument can have.
    #[error("the secret command has a NUL in it")]
    Nul,
}

impl SecretCommand {
    /// Takes the words as they are.
    ///
    /// # Errors
    /// [`SecretCommandError`], see its variants.
    pub fn new(words: Vec<String>) -> Result<Self, SecretCommandError> {
        if words.first().is_none_or(String::is_empty) {
            return Err(SecretCommandError::Empty);
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(SecretCommandError::Nul);
        }
        Ok(Self(words))
    }

    /// Splits one text into words as a POSIX shell does. Nothing in it is expanded.
    ///
    /// # Errors
    /// [`SecretCommandError`], see its variants.
    pub fn split(text: &str) -> Result<Self, SecretCommandError> {
        Self::new(shlex::split(text).ok_or(SecretCommandError::Quotes)?)
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
    /// As one could type it into a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|word| crate::domain::text::shell::quote(word)).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_and_nothing_is_expanded() {
        let command = SecretCommand::split(r#"op read "op://dev/corti/a secret" $HOME 'it''s'"#).unwrap();
        assert_eq!(command.words(), ["op", "read", "op://dev/corti/a secret", "$HOME", "its"]);
        assert_eq!(SecretCommand::split(&command.to_string()), Ok(command));
        assert_eq!(SecretCommand::split("op 'x"), Err(SecretCommandError::Quotes));
        assert_eq!(SecretCommand::split("  "), Err(SecretCommandError::Empty));
    }

    #[test]
    fn a_store_is_chosen_in_so_many_words() {
        let command = || Some(SecretCommand::split("pass show corti").unwrap());
        assert_eq!(StoreKind::parse(None, None), Ok(StoreKind::Keyring));
        assert_eq!(StoreKind::parse(Some("file"), None), Ok(StoreKind::File));
        assert_eq!(StoreKind::parse(None, command()).unwrap().as_str(), "command");
        assert_eq!(StoreKind::parse(Some("command"), None), Err(StoreKindError::NoCommand));
        assert_eq!(
            StoreKind::parse(Some("file"), command()),
            Err(StoreKindError::CommandBeside("file".into()))
        );
        assert_eq!(StoreKind::parse(Some("plain"), None), Err(StoreKindError::Unknown("plain".into())));
    }
}
