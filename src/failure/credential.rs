//! Failures of stores and of the token endpoint: what a client can do about its credential.

use crate::domain::client::api_client::Client;
use crate::domain::client::identity::{ProfileName, Tenant};
use crate::domain::client::resolve::SecretOrigin;
use crate::domain::client::variable;
use crate::domain::text::excerpt::quoted;
use crate::domain::text::shell::quote;
use crate::domain::token::grant::GrantError;
use crate::edge::age_file::AgeFileError;
use crate::edge::keyring::SERVICE;
use crate::edge::prompt::PromptError;
use crate::edge::secret_command::CommandError;
use crate::edge::store::StoreError;

use super::{Failure, Kind};

/// A change of a store that failed, and may have been made all the same.
#[derive(Debug, thiserror::Error)]
#[error("the secret of `{user}` may or may not be {done}")]
struct UncertainChange {
    user: String,
    /// `stored` or `removed`.
    done: &'static str,
    source: StoreError,
}

impl Failure {
    /// A store that did not do what `client` of `profile` needed.
    pub fn store(error: &StoreError, client: &Client, profile: &ProfileName) -> Self {
        // The store of a profile that exists cannot change.
        Self::store_or(error, client, profile, "corti-auth login --profile NAME")
    }

    /// The same where there is no such profile yet, so that it may have another store.
    pub fn store_of_new(error: &StoreError, client: &Client, profile: &ProfileName) -> Self {
        Self::store_or(error, client, profile, &command_for("login", profile))
    }

    /// `otherwise` logs in a profile that may have any store.
    fn store_or(error: &StoreError, client: &Client, profile: &ProfileName, otherwise: &str) -> Self {
        let user = client.store_user();
        let failure = match error {
            StoreError::Missing => {
                Self::new(Kind::Credential, format!("not logged in: no secret is stored for `{user}`"))
            }
            StoreError::File(AgeFileError::Prompt(PromptError::Interrupted)) => {
                return Self::caused(Kind::Interrupted, error.clone());
            }
            error => Self::caused(Kind::Credential, error.clone()),
        };
        let without = format!("without a keyring: {otherwise} --store file");
        match error {
            StoreError::Missing | StoreError::NotASecret(_) => failure.hint(command_for("login", profile)),
            StoreError::Locked => failure.hint("unlock the keyring, then try again"),
            StoreError::NoBus => failure.hint("dbus-run-session -- bash").hint(without),
            StoreError::NoService => {
                failure.hint("start a keyring: gnome-keyring or KeePassXC").hint(without)
            }
            StoreError::NoCollection => failure.hint("gnome-keyring-daemon --unlock"),
            StoreError::TimedOut(_) => failure.hint("look for an unlock prompt on the desktop").hint(without),
            StoreError::Ambiguous(_) => failure.hint(format!(
                "remove them, then log in again: secret-tool clear service {SERVICE} username {}",
                quote(&user)
            )),
            StoreError::TooLong(_) => failure.hint(without),
            StoreError::File(error) => failure.hint(for_file(error, profile)),
            StoreError::Command(CommandError::NotRun { .. }) => {
                failure.hint(format!("{} --secret-command 'CMD ARGS'", command_for("login", profile)))
            }
            StoreError::Command(_) => {
                failure.hint("run the command by itself: it must print only the secret")
            }
            StoreError::ReadOnly(_) | StoreError::Failed(_) => failure.hint(command_for("status", profile)),
        }
    }

    /// A change of the secret of `client` that may have been made, though the store failed. `done` is `stored` or `removed`.
    pub fn uncertain_change(error: &StoreError, client: &Client, done: &'static str) -> Self {
        let change = UncertainChange { user: client.store_user(), done, source: error.clone() };
        Self::caused(Kind::Credential, change).hint("once the keyring answers, run the same command again")
    }

    /// Whether it is a change that may have been made.
    pub fn is_uncertain_change(&self) -> bool {
        self.source.is::<UncertainChange>()
    }

    /// A profile whose secret is for its `own` client, where the options and variables `overriding` name another `client`.
    pub fn withheld(profile: &ProfileName, own: &Client, client: &Client, overriding: &[&str]) -> Self {
        let (own, user) = (own.store_user(), client.store_user());
        let message = format!("the secret of profile `{profile}` is for `{own}`, not for `{user}`");
        let (flags, variables): (Vec<&str>, Vec<&str>) =
            overriding.iter().partition(|name| name.starts_with("--"));
        let flags = Some(format!("drop {}", flags.join(" and "))).filter(|_| !flags.is_empty());
        let variables = Some(format!("unset {}", variables.join(" "))).filter(|_| !variables.is_empty());
        let removal: Vec<_> = flags.into_iter().chain(variables).collect();
        Self::new(Kind::Credential, message)
            .hint(removal.join(", and: "))
            .hint("or log in there under another name: corti-auth login --profile NAME")
    }

    /// A token endpoint that gave `client` no token for the secret from `origin`.
    pub fn grant(error: &GrantError, client: &Client, origin: SecretOrigin<'_>) -> Self {
        let Client { environment, tenant, id } = client;
        let client_text = format!("client {id} ({environment}, tenant {tenant})");
        let context = |kind| {
            let error = anyhow::Error::new(error.clone());
            Self::caused(kind, error.context(format!("no token for {client_text}")))
        };
        let mut failure = match error {
            GrantError::UnknownClient(_) => {
                let message = format!("Corti does not know {client_text}, or it is disabled");
                Self::new(Kind::Rejected, message).hint("corti-auth status")
            }
            GrantError::WrongSecret(_) => {
                let message = format!("Corti rejected the secret of {client_text}");
                Self::new(Kind::Rejected, message).hint(for_wrong_secret(origin))
            }
            GrantError::NotAllowed { .. } => {
                context(Kind::Rejected).hint("make an API client for client credentials in the Corti Console")
            }
            GrantError::UnknownTenant(_) => context(Kind::Configuration).hint(other_tenant(tenant)),
            GrantError::ScopeRefused(_) => context(Kind::Scope)
                .hint("the limited scopes are transcribe and streams: corti-auth token --scope transcribe"),
            GrantError::Mismatch(_) => context(Kind::Scope)
                .hint("the token was discarded; ask Corti's support which scopes the client may have"),
            GrantError::Refused { status, .. } => {
                let kind = if matches!(status, 401 | 403) { Kind::Rejected } else { Kind::Refused };
                context(kind).hint("corti-auth status")
            }
            GrantError::Unavailable { retry_after, .. } => {
                let failure = context(Kind::Unavailable);
                match retry_after {
                    Some(after) => {
                        failure.hint(format!("run it again later (Retry-After: {})", quoted(after)))
                    }
                    None => failure.hint("run it again later; https://status.corti.ai shows outages"),
                }
            }
            GrantError::NotTheProtocol { .. } | GrantError::Redirect(_) => {
                let url = environment.token_url(tenant);
                context(Kind::Network)
                    .hint(format!("check that {url} is Corti, and no proxy or login page in between"))
            }
        };
        failure.http_status = error.http_status();
        failure.oauth_error = error.oauth_error().map(|error| quoted(error).into_owned());
        failure
    }
}

fn for_file(error: &AgeFileError, profile: &ProfileName) -> String {
    match error {
        AgeFileError::NoPassphrase | AgeFileError::Differ | AgeFileError::Prompt(_) => {
            format!("name a file that holds the passphrase: {}=FILE", variable::PASSPHRASE_FILE)
        }
        AgeFileError::WrongPassphrase(_) | AgeFileError::Broken { .. } => {
            format!("if it is lost, store the secret anew: {}", command_for("login", profile))
        }
        AgeFileError::PassphraseFile { path, .. } | AgeFileError::Io { path, .. } => {
            format!("ls -ld {}", quote(&path.display().to_string()))
        }
    }
}

/// What to try where the tenant is not there.
pub(super) fn other_tenant(tenant: &Tenant) -> &'static str {
    if *tenant == Tenant::default() {
        "the tenant is the usual one, so look at the environment: corti-auth doctor"
    } else {
        "nearly every customer's tenant is base: corti-auth doctor --tenant base"
    }
}

/// Where the right secret belongs.
fn for_wrong_secret(origin: SecretOrigin<'_>) -> String {
    match origin {
        SecretOrigin::Profile(name) => command_for("login", name),
        SecretOrigin::Rotation(name) => command_for("rotate", name),
        SecretOrigin::Command(command) => format!("change what this prints: {command}"),
        SecretOrigin::Variable(name) => format!("export {name}=…"),
        SecretOrigin::File(path) => format!("put it into {}", quote(&path.display().to_string())),
    }
}

/// The command for `profile`.
fn command_for(command: &str, profile: &ProfileName) -> String {
    if *profile == ProfileName::default() {
        format!("corti-auth {command}")
    } else {
        format!("corti-auth {command} --profile {profile}")
    }
}
