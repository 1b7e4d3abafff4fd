//! Failures of what the user set: configuration, variables, tokens given, the terminal.

use std::path::Path;

use crate::domain::client::config::{ConfigError, RenameError};
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::ResolveError;
use crate::domain::client::variable::{self, VariableError};
use crate::domain::text::shell::quote;
use crate::domain::token::jwt::JwtError;
use crate::edge::config_file::ConfigFileError;
use crate::edge::private_file::Exposed;
use crate::edge::prompt::PromptError;

use super::{Failure, Kind};

impl Failure {
    /// Where a profile was named that is not there: its name, and the one that is meant.
    pub fn mistyped_profile(&self) -> Option<(&ProfileName, &ProfileName)> {
        match self.source.downcast_ref() {
            Some(ResolveError::UnknownProfile { name, nearest: Some(nearest) }) => Some((name, nearest)),
            _ => None,
        }
    }

    /// The same where `line` is the whole command that was meant.
    #[must_use]
    pub fn meant(mut self, nearest: &ProfileName, line: &str) -> Self {
        self.hints = vec![format!("did you mean `{nearest}`? {line}")];
        self
    }
}

impl Failure {
    /// A command that would give a profile another client or store. `command` does the same with another profile's name.
    pub fn profile_conflict(error: impl Into<anyhow::Error>, profile: &ProfileName, command: &str) -> Self {
        Self::caused(Kind::Configuration, error)
            .hint(format!("use another name: {command} --profile NAME"))
            .hint(format!("or remove this one first: corti-auth profile remove {profile}"))
    }

    /// A profile that another process changed or removed while this command was at work on it.
    pub fn changed_meanwhile(profile: &ProfileName) -> Self {
        let message =
            format!("another command changed the profile `{profile}` meanwhile; no secret is stored");
        Self::new(Kind::Configuration, message).hint("corti-auth profile list")
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let (kind, hint) = match &error {
            ResolveError::UnknownProfile { nearest: Some(nearest), .. } => (
                Kind::Configuration,
                format!("did you mean `{nearest}`? corti-auth --profile {nearest} status"),
            ),
            ResolveError::UnknownProfile { .. } => {
                (Kind::Configuration, "corti-auth profile list".to_owned())
            }
            ResolveError::HalfAClient { present, missing } => {
                (Kind::Configuration, format!("set {missing} too, or unset {present}"))
            }
            ResolveError::TwoClients { other } => {
                (Kind::Configuration, format!("unset {} or {other}", variable::PROFILE))
            }
            ResolveError::NoEnvironment | ResolveError::NoTarget => (
                Kind::Configuration,
                format!("set {}=eu (or us), or give --environment", variable::ENVIRONMENT),
            ),
            ResolveError::NoClient { has_profiles: true } => {
                (Kind::Credential, "corti-auth profile list, then: corti-auth profile use NAME".to_owned())
            }
            ResolveError::NoClient { has_profiles: false } => {
                (Kind::Credential, "corti-auth login, or without an account: corti-auth demo".to_owned())
            }
        };
        Self::caused(kind, error).hint(hint)
    }
}

impl From<ConfigFileError> for Failure {
    fn from(error: ConfigFileError) -> Self {
        let quoted = |path: &Path| quote(&path.display().to_string());
        let hint = match &error {
            ConfigFileError::NoHome => "name a folder: --config-dir DIR, or CORTI_AUTH_CONFIG_DIR".to_owned(),
            ConfigFileError::Untrusted { path, exposed: Exposed::Group | Exposed::Everybody } => {
                format!("chmod go-w {}", quoted(path))
            }
            ConfigFileError::Untrusted { path, .. } | ConfigFileError::Io { path, .. } => {
                format!("look at the file and its owner: ls -ld {}", quoted(path))
            }
            ConfigFileError::Content { path, source: ConfigError::Syntax { .. } } => {
                let away = path.with_extension("old");
                format!("mend the line, or move the file away: mv {} {}", quoted(path), quoted(&away))
            }
            ConfigFileError::Content { path, .. } => format!("mend the value in {}", quoted(path)),
            ConfigFileError::Locked(_) => "run it again".to_owned(),
        };
        Self::caused(Kind::Configuration, error).hint(hint)
    }
}

impl From<RenameError> for Failure {
    fn from(error: RenameError) -> Self {
        let hint = match &error {
            RenameError::Missing(_) => "corti-auth profile list".to_owned(),
            RenameError::Taken(name) => {
                format!("take another name, or make this one free: corti-auth profile remove {name}")
            }
            RenameError::Same(_) => {
                "take another name: corti-auth profile list shows those in use".to_owned()
            }
        };
        Self::caused(Kind::Configuration, error).hint(hint)
    }
}

impl From<VariableError> for Failure {
    fn from(error: VariableError) -> Self {
        let hint = format!("unset {}", error.name);
        Self::caused(Kind::Configuration, error).hint(hint)
    }
}

impl From<JwtError> for Failure {
    fn from(error: JwtError) -> Self {
        let hint = match error {
            JwtError::Empty => {
                "give a file, or pipe the token in: corti-auth token --scope transcribe | corti-auth inspect"
            }
            JwtError::Opaque | JwtError::Encrypted => {
                "a token of Corti's is a JWT, which begins with eyJ and has two dots: corti-auth status --online"
            }
            _ => {
                "a JWT begins with eyJ and has two dots; give it whole: corti-auth token --full | corti-auth inspect"
            }
        };
        Self::caused(Kind::Token, anyhow::Error::new(error).context("this is not a token that can be read"))
            .hint(hint)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::Interrupted => Self::caused(Kind::Interrupted, error),
            PromptError::Terminal(_) => Self::caused(Kind::Usage, error)
                .hint("give the values by flags and --secret-stdin: corti-auth login --help"),
        }
    }
}
