//! Failures of what the user set: configuration, variables, tokens given, the terminal.

use std::path::Path;

use crate::domain::client::config::ProfileConflict;
use crate::domain::client::config::{ConfigError, RenameError};
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::ResolveError;
use crate::domain::client::variable::{self, VariableError};
use crate::domain::text::shell::{Shell, quote};
use crate::domain::token::jwt::JwtError;
use crate::domain::token::pasted::NoToken;
use crate::edge::config_file::ConfigFileError;
use crate::edge::private_file::Exposed;
use crate::edge::prompt::PromptError;

use super::credential::variables_of_a_client;
use super::{Failure, Kind};

impl Failure {
    /// A profile that another process changed or removed while this command was using it.
    pub fn changed_meanwhile(profile: &ProfileName) -> Self {
        let message =
            format!("meanwhile another command changed the profile `{profile}`; no secret was stored");
        Self::new(Kind::Configuration, message).hint("corti-auth profile list")
    }
}

impl From<ProfileConflict> for Failure {
    fn from(error: ProfileConflict) -> Self {
        let removal = format!("or remove this one first: corti-auth profile remove {}", error.profile);
        let second = "for a second profile, use another name: --profile NAME";
        Self::caused(Kind::Configuration, error).hint(second).hint(removal)
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let (kind, second) = match &error {
            ResolveError::NoClient { has_profiles: false, in_ci: false } => {
                (Kind::Credential, Some("without an account: corti-auth demo".to_owned()))
            }
            ResolveError::NoClient { .. } => (Kind::Credential, None),
            ResolveError::TwoClients { others } => {
                (Kind::Configuration, Some(format!("to use the profile: {}", Shell::HERE.unset(others))))
            }
            _ => (Kind::Configuration, None),
        };
        let hint = match &error {
            ResolveError::UnknownProfile { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`?")
            }
            ResolveError::UnknownProfile { .. } => "corti-auth profile list".to_owned(),
            ResolveError::IncompleteClient { missing: variable::CLIENT_ID, .. } => {
                Shell::HERE.set(&[(variable::CLIENT_ID, "ID")])
            }
            ResolveError::IncompleteClient { .. } => {
                Shell::HERE.set(&[(variable::CLIENT_SECRET_FILE, "FILE")])
            }
            ResolveError::TwoClients { .. } => {
                format!("to use the variables: {}", Shell::HERE.unset(&[variable::PROFILE]))
            }
            ResolveError::NoEnvironment | ResolveError::NoTarget => {
                Shell::HERE.set(&[(variable::ENVIRONMENT, "eu")])
            }
            ResolveError::NoClient { has_profiles: false, in_ci: true } => variables_of_a_client(),
            ResolveError::NoClient { has_profiles: true, .. } => "corti-auth profile use NAME".to_owned(),
            ResolveError::NoClient { has_profiles: false, in_ci: false } => "corti-auth login".to_owned(),
        };
        second.into_iter().fold(Self::caused(kind, error).hint(hint), Self::hint)
    }
}

impl From<ConfigFileError> for Failure {
    fn from(error: ConfigFileError) -> Self {
        let quoted = |path: &Path| quote(&path.display().to_string());
        let hint = match &error {
            ConfigFileError::NoHome => "name a folder: --config-dir DIR, or CORTI_AUTH_CONFIG_DIR".to_owned(),
            ConfigFileError::Io(_, path, source) => match Exposed::of(source) {
                Some(Exposed::Writable(_)) => format!("chmod go-w {}", quoted(path)),
                Some(Exposed::Owner(_)) | None => Shell::HERE.show_rights("-ld", path),
            },
            ConfigFileError::Content(path, ConfigError::Syntax { .. }) => {
                format!("correct this line of {}", path.display())
            }
            ConfigFileError::Content(path, _) => format!("correct the value in {}", quoted(path)),
            ConfigFileError::Locked(_) => "run it again".to_owned(),
        };
        Self::caused(Kind::Configuration, error).hint(hint)
    }
}

impl From<RenameError> for Failure {
    fn from(error: RenameError) -> Self {
        Self::caused(Kind::Configuration, error).hint("corti-auth profile list")
    }
}

impl From<VariableError> for Failure {
    fn from(error: VariableError) -> Self {
        let hint = if error.has_line_break {
            format!("take the line break out: {}", Shell::HERE.join_lines(error.name))
        } else {
            match error.name {
                variable::ENVIRONMENT => Shell::HERE.set(&[(variable::ENVIRONMENT, "eu")]),
                name => Shell::HERE.unset(&[name]),
            }
        };
        Self::caused(Kind::Configuration, error).hint(hint)
    }
}

impl From<JwtError> for Failure {
    fn from(error: JwtError) -> Self {
        let failure = Self::caused(Kind::Token, error);
        match error {
            // Only `inspect` gets here; see `token_source::refuse_empty`.
            JwtError::Empty => failure.hint("corti-auth token transcribe | corti-auth inspect"),
            JwtError::TooFewParts(_) => failure.hint("copy it again, whole"),
            JwtError::Claim(_) | JwtError::Header(_) => failure
                .context("cannot use the token")
                .hint(Shell::HERE.read_from("corti-auth inspect --claims", "FILE")),
            _ => failure
                .context("cannot read the token")
                .hint("copy it again, whole: a Corti token begins with eyJ and has two dots"),
        }
    }
}

impl From<NoToken> for Failure {
    fn from(error: NoToken) -> Self {
        let hint = match error {
            NoToken::Unreadable(error) => return error.into(),
            NoToken::OAuthError | NoToken::Html => "corti-auth explain --response FILE",
            NoToken::Several(_) => "choose one: --nth 2",
            NoToken::Binary | NoToken::Json | NoToken::Text => {
                "a Corti token begins with eyJ and has two dots"
            }
        };
        Self::caused(Kind::Token, error).hint(hint)
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
