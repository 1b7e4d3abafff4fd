//! Failures of stores and of the token endpoint, with hints about the credential.

use std::borrow::Cow;
use std::path::Path;

use crate::domain::client::api_client::Client;
use crate::domain::client::identity::{ProfileName, Tenant};
use crate::domain::client::resolve::SecretOrigin;
use crate::domain::client::variable;
use crate::domain::text::excerpt::quoted;
use crate::domain::text::shell::{Shell, quote};
use crate::domain::token::grant::GrantError;
use crate::edge::age_file::AgeFileError;
use crate::edge::keychain_error::KeychainError;
use crate::edge::keyring::SERVICE;
use crate::edge::mounted_secret;
use crate::edge::prompt::PromptError;
use crate::edge::secret_command::CommandError;
use crate::edge::store::StoreError;

use super::answer::{TRY_LATER, other_tenant};
use super::{Failure, Kind};

const UNLOCK_KEYCHAIN: &str = "security unlock-keychain ~/Library/Keychains/login.keychain-db";

/// Unlocks the keyring, or makes one, without a desktop. Without `--replace`, gnome-keyring starts a second daemon that nobody
/// uses; a line break would be part of the password.
const UNLOCK: &str = if cfg!(target_os = "macos") {
    UNLOCK_KEYCHAIN
} else {
    "with gnome-keyring: systemd-ask-password | tr -d '\\n' | gnome-keyring-daemon --replace --unlock"
};

/// Comes first: not everybody's keyring is gnome-keyring, whose command follows.
const UNLOCK_IN_ITS_PROGRAM: &str =
    "unlock the keyring in its own program, such as KeePassXC or KWalletManager";

/// A cached token would need no secret, so the Keychain would not ask.
const ALWAYS_ALLOW: &str =
    "in Terminal on the Mac itself, then click Always Allow: corti-auth token full --refresh > /dev/null";

/// The command that names a client where nobody logs in.
pub(super) fn variables_of_a_client() -> String {
    let variables =
        [(variable::ENVIRONMENT, "eu"), (variable::CLIENT_ID, "ID"), (variable::CLIENT_SECRET_FILE, "FILE")];
    Shell::HERE.set(&variables)
}

/// Where nobody logs in.
pub(crate) fn mounting() -> String {
    format!("in a service or container: {}", variables_of_a_client())
}

impl Failure {
    /// A store failed to read, write or remove the secret of `client`.
    pub fn store(error: &StoreError, client: &Client, profile: &ProfileName) -> Self {
        Self::store_or(error, client, profile, &other_store(profile, client))
    }

    /// The same for a profile that does not exist yet, and can have another store.
    pub fn store_of_new(error: &StoreError, client: &Client, profile: &ProfileName) -> Self {
        Self::store_or(error, client, profile, &file_store(&option_for(profile), client))
    }

    /// The same for the test entry of `doctor`, which no profile has. `own` is the user's client.
    pub fn store_of_test(
        error: &StoreError,
        client: &Client,
        profile: &ProfileName,
        own: Option<&Client>,
    ) -> Self {
        let login = own.map(|own| other_store(profile, own));
        let login = login.unwrap_or_else(|| "corti-auth login --store file".to_owned());
        Self::store_or(error, client, profile, &login)
    }

    /// `login` is the command that needs no keyring.
    fn store_or(error: &StoreError, client: &Client, profile: &ProfileName, login: &str) -> Self {
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
        let without = format!("without a keyring: {login}");
        match error {
            StoreError::Missing | StoreError::NotASecret(_) => failure.hint(command_for("login", profile)),
            StoreError::Locked if !cfg!(target_os = "macos") => {
                failure.hint(UNLOCK_IN_ITS_PROGRAM).hint(UNLOCK).hint(without)
            }
            StoreError::Locked | StoreError::NoCollection => failure.hint(UNLOCK).hint(without),
            StoreError::Keychain(error) => match error {
                KeychainError::Denied => failure.hint("run it again, and choose Always Allow"),
                KeychainError::Refused => failure.hint(UNLOCK_KEYCHAIN).hint(ALWAYS_ALLOW),
                KeychainError::CannotAsk => failure.hint(ALWAYS_ALLOW).hint(without),
                KeychainError::NoKeychain => failure.hint(mounting()).hint(without),
                KeychainError::Unreadable => failure.hint(format!(
                    "remove it, then log in again: security delete-generic-password -s {SERVICE} -a {}",
                    quote(&user)
                )),
            },
            StoreError::NoBus => failure
                .hint(without)
                .hint(mounting())
                .hint("to start a session bus: dbus-run-session -- bash"),
            StoreError::NoService => failure
                .hint("on Debian and Ubuntu: sudo apt install gnome-keyring")
                .hint(UNLOCK)
                .hint(without),
            StoreError::TimedOut(_) => failure.hint("look for an unlock prompt on the desktop").hint(without),
            StoreError::Ambiguous(_) => failure.hint(format!(
                "remove them, then log in again: secret-tool clear service {SERVICE} username {}",
                quote(&user)
            )),
            StoreError::NoLogonSession | StoreError::TooLong(..) => failure.hint(without),
            StoreError::File(error) => failure.hint(for_file(error, profile)),
            StoreError::Command(CommandError::NotRun { .. }) => {
                failure.hint(format!("{} --secret-command 'CMD ARGS'", command_for("login", profile)))
            }
            StoreError::Command(_) => {
                failure.hint("run the command by itself: it must print the secret and nothing else")
            }
            StoreError::ReadOnly(_) => failure.hint(command_for("status", profile)),
            StoreError::Failed(_) => failure.hint(command_for("status", profile)).hint(without),
        }
    }

    /// A store failed, but may have changed the secret of `client` all the same. `done` is `stored` or `removed`.
    pub fn uncertain_change(error: &StoreError, client: &Client, done: &'static str) -> Self {
        let message = format!("the secret of `{}` may or may not be {done}", client.store_user());
        let failure = Self::caused(Kind::Credential, error.clone()).context(message);
        Self { is_uncertain_change: true, ..failure }
            .hint("once the keyring answers, run the same command again")
    }

    /// The secret of a profile is only for its `own` client, but the options and variables in `overriding` name another
    /// `client`.
    pub fn withheld(profile: &ProfileName, own: &Client, client: &Client, overriding: &[&str]) -> Self {
        let parts = |it: &Client| [it.environment.to_string(), it.tenant.to_string(), it.id.to_string()];
        let differing =
            ["environment", "tenant", "client"].into_iter().zip(parts(own).into_iter().zip(parts(client)));
        let differing = differing.filter(|(_, (own, other))| own != other);
        let differing = differing.map(|(what, (own, other))| format!("{what} `{own}`, not `{other}`"));
        let differing = differing.collect::<Vec<_>>().join("; ");
        let message = format!("the secret of profile `{profile}` is for {differing}");
        let (flags, variables): (Vec<&str>, Vec<&str>) =
            overriding.iter().partition(|name| name.starts_with("--"));
        let flags = (!flags.is_empty()).then(|| format!("leave out {}", flags.join(" and ")));
        let variables = (!variables.is_empty()).then(|| Shell::HERE.unset(&variables));
        let removals = flags.into_iter().chain(variables);
        removals
            .fold(Self::new(Kind::Credential, message), Self::hint)
            .hint(format!("for a second profile: corti-auth login --profile NAME{}", place_options(client)))
    }

    /// The token endpoint gave `client` no token for the secret from `origin`.
    pub fn grant(error: &GrantError, client: &Client, origin: SecretOrigin<'_>) -> Self {
        use Kind::{Configuration, Network, Refused, Rejected, Scope, Unavailable};
        let Client { environment, tenant, id } = client;
        let client_text = format!("client {id} ({environment}, tenant {tenant})");
        let (kind, hint): (Kind, Cow<'_, str>) = match error {
            GrantError::UnknownClient(_) => (Rejected, "compare the client id with the Corti Console".into()),
            GrantError::Refused { status: 401 | 403, .. } => (Rejected, "corti-auth status".into()),
            GrantError::WrongSecret(_) => (Rejected, for_wrong_secret(origin).into()),
            GrantError::NotAllowed { .. } => (Rejected, "make a backend client in the Corti Console".into()),
            GrantError::UnknownTenant(_) => (Configuration, other_tenant(tenant).into()),
            GrantError::ScopeRefused(_) => {
                (Scope, "the limited scopes are transcribe and streams: corti-auth token transcribe".into())
            }
            GrantError::Mismatch(_) => (
                Scope,
                "the token was discarded; ask Corti's support which scopes the client may have".into(),
            ),
            GrantError::Refused { .. } => (Refused, "corti-auth status".into()),
            GrantError::Unavailable { retry_after: Some(after), .. } => {
                (Unavailable, format!("run it again later (Retry-After: {})", quoted(after)).into())
            }
            GrantError::Unavailable { .. } => (Unavailable, TRY_LATER.into()),
            GrantError::NotTheProtocol { .. } | GrantError::Redirect(_) => {
                let url = environment.token_url(tenant);
                (Network, format!("check that {url} is Corti's, and not a proxy or a login page").into())
            }
        };
        let failure = match error {
            GrantError::UnknownClient(_) => {
                Self::new(kind, format!("Corti does not know {client_text}, or it is disabled"))
            }
            GrantError::WrongSecret(_) => {
                Self::new(kind, format!("Corti rejected the secret of {client_text}"))
            }
            GrantError::UnknownTenant(_) => {
                Self::new(kind, format!("Corti has no tenant {tenant} ({environment})"))
            }
            _ => Self::caused(kind, error.clone()).context(format!("no token for {client_text}")),
        };
        let mut failure = failure.hint(hint);
        failure.is_wrong_secret = matches!(error, GrantError::WrongSecret(_));
        failure.http_status = error.http_status();
        failure.oauth_error = error.oauth_error().map(|error| quoted(error).into_owned());
        failure
    }
}

fn for_file(error: &AgeFileError, profile: &ProfileName) -> String {
    match error {
        AgeFileError::Differ => "run it again".to_owned(),
        AgeFileError::NoPassphrase | AgeFileError::Prompt(_) => {
            Shell::HERE.set(&[(variable::PASSPHRASE_FILE, "FILE")])
        }
        AgeFileError::WrongPassphrase(_) | AgeFileError::Broken { .. } => {
            format!("if it is lost, store the secret anew: {}", command_for("login", profile))
        }
        AgeFileError::PassphraseFile(path, reason) => for_mounted(path, reason),
        AgeFileError::Io(_, path, _) => Shell::HERE.show_rights("-ld", path),
    }
}

/// Repairs a file with a mounted secret that cannot be used for this reason, or shows who may use it.
pub(crate) fn for_mounted(path: &Path, reason: &str) -> String {
    if [mounted_secret::READABLE, mounted_secret::WRITABLE].contains(&reason) {
        format!("chmod 600 {}", quote(&path.display().to_string()))
    } else {
        Shell::HERE.show_rights("-lL", path)
    }
}

/// Logs in to `client` with the store `file`, where `profile` exists: its store cannot change.
fn other_store(profile: &ProfileName, client: &Client) -> String {
    file_store(&format!(" --profile {profile}-file"), client)
}

fn file_store(profile_option: &str, client: &Client) -> String {
    let id = quote(client.id.as_str());
    format!("corti-auth login{profile_option} --store file{} --client-id {id}", place_options(client))
}

/// The options that name the environment and the tenant of `client`.
fn place_options(Client { environment, tenant, .. }: &Client) -> String {
    let tenant = if *tenant == Tenant::default() { String::new() } else { format!(" -t {tenant}") };
    format!(" -e {environment}{tenant}")
}

/// The hint that says where to put the right secret.
fn for_wrong_secret(origin: SecretOrigin<'_>) -> String {
    match origin {
        SecretOrigin::Profile(name) => command_for("login", name),
        SecretOrigin::Rotation(name) => command_for("rotate", name),
        SecretOrigin::Command(command) => format!("this command prints a wrong secret: {command}"),
        SecretOrigin::Variable(name) => format!("set {name} to the client's secret"),
        SecretOrigin::File(path) => {
            format!("put the right secret into {}", quote(&path.display().to_string()))
        }
    }
}

/// The command for `profile`.
fn command_for(command: &str, profile: &ProfileName) -> String {
    format!("corti-auth {command}{}", option_for(profile))
}

/// The option that names `profile`, unless none is needed.
fn option_for(profile: &ProfileName) -> String {
    if *profile == ProfileName::default() { String::new() } else { format!(" --profile {profile}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_the_keychain_has_hints() {
        let client = Client {
            environment: "eu".parse().unwrap(),
            tenant: "base".parse().unwrap(),
            id: "acme".parse().unwrap(),
        };
        let hints = |status| {
            let error = StoreError::of_keychain(status, &std::fmt::Error);
            Failure::store(&error, &client, &ProfileName::default()).hints
        };
        let file =
            "without a keyring: corti-auth login --profile default-file --store file -e eu --client-id acme";
        let delete =
            "remove it, then log in again: security delete-generic-password -s corti-auth -a eu/base/acme";
        assert_eq!(hints(-128), ["run it again, and choose Always Allow"]);
        assert_eq!(hints(-25293), [UNLOCK_KEYCHAIN, ALWAYS_ALLOW]);
        assert_eq!(hints(-25308), [ALWAYS_ALLOW, file]);
        assert_eq!(hints(-25294), [&mounting(), file]);
        assert_eq!(hints(-25299), [delete]);
        assert_eq!(hints(-34018), ["corti-auth status", file]);
    }
}
