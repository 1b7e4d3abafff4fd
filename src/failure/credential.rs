//! Failures of stores and of the token endpoint: what a client can do about its credential.

use crate::domain::client::identity::{Client, ProfileName, Tenant};
use crate::domain::client::resolve::SecretOrigin;
use crate::domain::client::variable;
use crate::domain::text::quotation::quoted;
use crate::domain::text::shell::quote;
use crate::domain::token::grant::GrantError;
use crate::edge::age_file::AgeFileError;
use crate::edge::keyring::SERVICE;
use crate::edge::secret_command::CommandError;
use crate::edge::store::{Match, StoreError};

use super::{Failure, Kind};

impl Failure {
    /// A store that did not do what `client` of `profile` needed.
    pub fn store(error: &StoreError, client: &Client, profile: &ProfileName) -> Self {
        Self::store_or(error, client, profile, ANOTHER_PROFILE)
    }

    /// The same where there is no such profile yet, so that it may have another store.
    pub fn store_of_new(error: &StoreError, client: &Client, profile: &ProfileName) -> Self {
        Self::store_or(error, client, profile, &login_command(profile))
    }

    /// `otherwise` logs in a profile that may have any store.
    fn store_or(error: &StoreError, client: &Client, profile: &ProfileName, otherwise: &str) -> Self {
        let user = client.store_user();
        if *error == StoreError::Missing {
            return Self::new(Kind::Credential, format!("not logged in: no secret is stored for `{user}`"))
                .hint(login_command(profile));
        }
        match error {
            StoreError::File(error) => Self::file(error, profile),
            StoreError::Command(error) => Self::command(error, profile),
            StoreError::ReadOnly(_) => Self::caused(Kind::Credential, error.clone())
                .hint("change it with that program; corti-auth profile remove forgets the profile"),
            error => {
                let what = format!("cannot use the keyring for `{user}`");
                Self::keyring(error, what, &user, profile, otherwise)
            }
        }
    }

    /// A change of a store that failed: the secret of `client` was to be `changed` (stored, removed). `again` is the command that
    /// was run.
    pub fn change(
        error: &StoreError,
        client: &Client,
        profile: &ProfileName,
        changed: &'static str,
        again: &str,
    ) -> Self {
        if matches!(error, StoreError::Unanswered(_)) {
            let message = format!("the secret of `{}` may or may not be {changed}", client.store_user());
            return Self::caused(Kind::Credential, anyhow::Error::new(error.clone()).context(message))
                .hint(format!("once the keyring answers, run it again: {again}"));
        }
        Self::store(error, client, profile).context(format!("the secret is not {changed}"))
    }

    /// Whether a store did not answer a change, so that nobody knows whether it was made.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.source.downcast_ref(), Some(StoreError::Unanswered(_)))
    }

    /// A store that failed when it was tried, where `what` was done with an entry of `nobody`.
    pub fn store_trial(
        error: &StoreError,
        what: &'static str,
        nobody: &Client,
        profile: &ProfileName,
    ) -> Self {
        match error {
            StoreError::File(error) => Self::file(error, profile).context(what),
            StoreError::Command(error) => Self::command(error, profile).context(what),
            error => Self::keyring(error, what.to_owned(), &nobody.store_user(), profile, ANOTHER_PROFILE),
        }
    }

    fn keyring(error: &StoreError, what: String, user: &str, profile: &ProfileName, otherwise: &str) -> Self {
        let elsewhere = format!(
            "without a keyring: {otherwise} --store file, or --secret-command 'CMD ARGS', or \
             CORTI_CLIENT_ID, CORTI_CLIENT_SECRET and CORTI_ENVIRONMENT"
        );
        let context = anyhow::Error::new(error.clone()).context(what);
        let failure = Self::caused(Kind::Credential, context);
        match error {
            StoreError::Missing | StoreError::NotASecret(_) => failure.hint(login_command(profile)),
            StoreError::Locked => failure
                .hint("unlock the keyring (sign in on the desktop, or gnome-keyring-daemon --unlock), then try again"),
            StoreError::NoBus => {
                failure.hint("start a session bus and a keyring: dbus-run-session -- bash").hint(elsewhere)
            }
            StoreError::NoService => {
                failure.hint("install and start a keyring, such as gnome-keyring or KeePassXC").hint(elsewhere)
            }
            StoreError::NoCollection => failure
                .hint("make a default keyring: gnome-keyring-daemon --unlock, or Passwords and Keys (seahorse)"),
            StoreError::TimedOut(_) | StoreError::Unanswered(_) => failure
                .hint("look for an unlock prompt on the desktop, or restart the keyring's daemon")
                .hint(elsewhere),
            StoreError::Ambiguous(matches) => {
                removals(matches, user).into_iter().fold(failure, Self::hint)
            }
            StoreError::Failed(_) | StoreError::File(_) | StoreError::Command(_) | StoreError::ReadOnly(_) => {
                failure.hint("corti-auth status")
            }
        }
    }

    fn file(error: &AgeFileError, profile: &ProfileName) -> Self {
        let again = format!("{} --store file", login_command(profile));
        let hint = match error {
            AgeFileError::Interrupted => return Self::caused(Kind::Interrupted, error.clone()),
            AgeFileError::NoPassphrase => {
                format!("name a file that holds it: {}=FILE", variable::PASSPHRASE_FILE)
            }
            AgeFileError::WrongPassphrase(_) => {
                format!("try again; if it is lost, store the secret anew: {again}")
            }
            AgeFileError::PassphraseFile { path, .. } => {
                format!("ls -l {}", quote(&path.display().to_string()))
            }
            AgeFileError::Empty | AgeFileError::Differ | AgeFileError::Terminal(_) => {
                format!("run it again, or name a file: {}=FILE", variable::PASSPHRASE_FILE)
            }
            AgeFileError::Broken { .. } => format!("store the secret anew: {again}"),
            AgeFileError::Io { path, .. } => format!("ls -ld {}", quote(&path.display().to_string())),
        };
        Self::caused(Kind::Credential, error.clone()).hint(hint)
    }

    fn command(error: &CommandError, profile: &ProfileName) -> Self {
        let another =
            format!("install it, or name another: {} --secret-command 'CMD ARGS'", login_command(profile));
        let hint = match error {
            CommandError::NotRun { .. } => &another,
            CommandError::Failed { .. } | CommandError::TimedOut { .. } => {
                "run the command by itself until it prints the secret alone; corti-auth profile show names it"
            }
            CommandError::NotASecret { .. } => {
                "run it by itself: it must print the secret alone, and corti-auth profile show names it"
            }
        };
        Self::caused(Kind::Credential, error.clone()).hint(hint)
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
        Self::new(Kind::Credential, message).hint(removal.join(", and: ")).hint(format!(
            "or log in there: corti-auth login --profile NAME --environment {} --tenant {} --client-id {}",
            client.environment,
            client.tenant,
            quote(client.id.as_str())
        ))
    }

    /// A token endpoint that gave `client` no token for the secret from `origin`.
    pub fn grant(error: &GrantError, client: &Client, origin: SecretOrigin<'_>) -> Self {
        let (environment, tenant) = (client.environment.to_string(), client.tenant.to_string());
        let mend = remedy(origin);
        let (status, oauth_error) =
            (error.http_status(), error.oauth_error().map(|error| quoted(error).into_owned()));
        let context = |kind| {
            let message =
                format!("no token for client `{}` of `{environment}`, tenant `{tenant}`", client.id);
            Self::caused(kind, anyhow::Error::new(error.clone()).context(message))
        };
        let mut failure = match error {
            GrantError::UnknownClient(_) => context(Kind::Rejected)
                .hint("check the client id, the environment and the tenant: corti-auth status"),
            GrantError::WrongSecret(_) => context(Kind::Rejected)
                .hint(format!("use the current secret (the Corti Console can make a new one): {mend}")),
            GrantError::NotAllowed { .. } => context(Kind::Rejected).hint(
                "make an API client for client credentials in the Corti Console, then: corti-auth login",
            ),
            GrantError::UnknownTenant(_) => context(Kind::Configuration).hint(other_tenant(&client.tenant)),
            GrantError::ScopeRefused(_) => context(Kind::Scope)
                .hint("the limited scopes are transcribe and streams: corti-auth token --scope transcribe"),
            GrantError::Mismatch(_) => context(Kind::Scope)
                .hint("the token was discarded; ask Corti's support which scopes the client may have"),
            GrantError::Refused { status: 401 | 403, .. } => {
                context(Kind::Rejected).hint("corti-auth status")
            }
            GrantError::Refused { .. } => context(Kind::Refused).hint("corti-auth status"),
            GrantError::Unavailable { retry_after, .. } => {
                context(Kind::Unavailable).hint(match retry_after {
                    Some(after) => {
                        format!("the server asks to wait (Retry-After: {}), then run it again", quoted(after))
                    }
                    None => {
                        "wait a little, then run it again; https://status.corti.ai shows outages".to_owned()
                    }
                })
            }
            GrantError::NotTheProtocol { .. } | GrantError::Redirect(_) => {
                context(Kind::Network).hint(format!(
                    "check that {} is Corti, and no proxy or login page in between",
                    client.environment.token_url(&client.tenant)
                ))
            }
        };
        failure.http_status = status;
        failure.oauth_error = oauth_error;
        failure
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

/// Where a wrong secret is mended.
fn remedy(origin: SecretOrigin<'_>) -> String {
    match origin {
        SecretOrigin::Profile(name) => login_command(name),
        SecretOrigin::Rotation(name) => command_for("rotate", name),
        SecretOrigin::Command(command) => format!("change what this prints: {command}"),
        SecretOrigin::Variable(name) => format!("export {name}=…"),
        SecretOrigin::File(path) => format!("put it into {}", quote(&path.display().to_string())),
    }
}

/// Logs in another profile. For a profile that exists: its store cannot change.
const ANOTHER_PROFILE: &str = "corti-auth login --profile NAME";

/// The command that logs `profile` in.
fn login_command(profile: &ProfileName) -> String {
    command_for("login", profile)
}

fn command_for(command: &str, profile: &ProfileName) -> String {
    if *profile == ProfileName::default() {
        format!("corti-auth {command}")
    } else {
        format!("corti-auth {command} --profile {profile}")
    }
}

/// How to remove each entry that another program made; ours has no attributes beside its two. `secret-tool clear` removes
/// every entry that has the attributes it is given, so an entry whose attributes are among another's cannot be named.
/// Where none can be told from the others, all of them.
fn removals(matches: &[Match], user: &str) -> Vec<String> {
    let own = format!("secret-tool clear service {SERVICE} username {}", quote(user));
    let extra = |entry: &Match| {
        let more = entry
            .attributes
            .iter()
            .filter(|(name, _)| !["service", "username", "xdg:schema"].contains(&name.as_str()));
        more.map(|(name, value)| format!(" {} {}", quote(name), quote(value))).collect::<Vec<_>>().concat()
    };
    let others: Vec<String> = matches
        .iter()
        .map(|entry| (entry, extra(entry)))
        .filter(|(entry, extra)| !extra.is_empty() && is_alone(entry, matches))
        .map(|(entry, extra)| format!("remove `{}`: {own}{extra}", entry.label))
        .collect();
    if others.is_empty() { vec![format!("remove them and log in again: {own}")] } else { others }
}

/// Whether no other entry has all of this one's attributes.
fn is_alone(entry: &Match, matches: &[Match]) -> bool {
    let has_all =
        |other: &Match| entry.attributes.iter().all(|attribute| other.attributes.contains(attribute));
    matches.iter().filter(|other| has_all(other)).count() == 1
}
