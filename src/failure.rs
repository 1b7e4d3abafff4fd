//! A failed command: its kind, its cause, and what to run next. The only place that knows exit codes.

use std::fmt;
use std::process::ExitCode;

use crate::domain::config::ConfigError;
use crate::domain::grant::GrantError;
use crate::domain::identity::Client;
use crate::domain::interaction::InteractionError;
use crate::domain::jwt::JwtError;
use crate::domain::problem::Problem;
use crate::domain::resolve::ResolveError;
use crate::domain::variable::{self, VariableError};
use crate::edge::config_file::ConfigFileError;
use crate::edge::http::HttpError;
use crate::edge::prompt::PromptError;
use crate::edge::socket::SocketError;
use crate::edge::store::StoreError;
use crate::sandbox::SandboxError;

/// What kind of failure it is, by what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody foresaw it.
    Unexpected,
    /// The API refused the request itself: 400, 404, 409, 422.
    Refused,
    /// The command line is wrong, or a value is missing and nobody can be asked.
    Usage,
    /// Configuration, profile, environment or tenant is missing or invalid.
    Configuration,
    /// There is no credential: not logged in, keyring locked, absent or timed out.
    Credential,
    /// The server rejected the credential: 401, 403.
    Rejected,
    /// A scope was refused, or the granted ones differ from the asked ones.
    Scope,
    /// The token is invalid: expired, or not a JWT.
    Token,
    /// No answer, or one of another protocol.
    Network,
    /// The server answered 429 or 5xx.
    Unavailable,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The table from kind to exit code and to the `code` of a JSON error.
    fn entry(self) -> (u8, &'static str) {
        match self {
            Self::Unexpected => (1, "unexpected"),
            Self::Refused => (1, "refused"),
            Self::Usage => (2, "usage"),
            Self::Configuration => (3, "configuration"),
            Self::Credential => (4, "no_credential"),
            Self::Rejected => (5, "rejected"),
            Self::Scope => (6, "scope"),
            Self::Token => (7, "invalid_token"),
            Self::Network => (8, "network"),
            Self::Unavailable => (9, "unavailable"),
            Self::Interrupted => (130, "interrupted"),
        }
    }

    /// The process's exit code.
    pub fn exit(self) -> u8 {
        self.entry().0
    }

    /// The word for it in a JSON error.
    pub fn code(self) -> &'static str {
        self.entry().1
    }
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    source: anyhow::Error,
    hints: Vec<String>,
    http_status: Option<u16>,
    oauth_error: Option<String>,
}

impl Failure {
    /// A failure that is explained by its message.
    pub fn new(kind: Kind, message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::of(kind, anyhow::Error::msg(message))
    }

    fn of(kind: Kind, source: impl Into<anyhow::Error>) -> Self {
        Self { kind, source: source.into(), hints: Vec::new(), http_status: None, oauth_error: None }
    }

    /// Adds what to run next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit())
    }

    /// The message and its causes.
    pub fn causes(&self) -> impl Iterator<Item = String> {
        self.source.chain().map(ToString::to_string)
    }

    /// What to run next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The HTTP status it came with.
    pub fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    /// The OAuth `error` it came with.
    pub fn oauth_error(&self) -> Option<&str> {
        self.oauth_error.as_deref()
    }

    /// Whether the same command may work later.
    pub fn retryable(&self) -> bool {
        let lost = |error: &HttpError| {
            matches!(error, HttpError::TimedOut { .. } | HttpError::Connect { .. } | HttpError::Broken { .. })
        };
        self.kind == Kind::Unavailable || self.source.downcast_ref().is_some_and(lost)
    }

    /// A store that did not do what `client` needed.
    pub fn store(error: &StoreError, client: &Client) -> Self {
        let context = anyhow::Error::new(error.clone())
            .context(format!("cannot use the stored secret of client `{}`", client.store_user()));
        let elsewhere = "on a machine without a keyring: CORTI_CLIENT_ID=… CORTI_CLIENT_SECRET=… CORTI_ENVIRONMENT=… \
                         corti-auth token --scope transcribe";
        match error {
            StoreError::Missing => {
                Self::new(Kind::Credential, format!("not logged in: no secret is stored for `{}`", client.store_user()))
                    .hint("corti-auth login")
            }
            StoreError::Locked => Self::of(Kind::Credential, context)
                .hint("unlock the keyring (sign in on the desktop, or gnome-keyring-daemon --unlock), then try again"),
            StoreError::NoBus => Self::of(Kind::Credential, context)
                .hint("start a session bus and a keyring: dbus-run-session -- bash")
                .hint(elsewhere),
            StoreError::NoService => Self::of(Kind::Credential, context)
                .hint("install and start a keyring, such as gnome-keyring or KeePassXC")
                .hint(elsewhere),
            StoreError::NoCollection => Self::of(Kind::Credential, context)
                .hint("make a default keyring: gnome-keyring-daemon --unlock, or Passwords and Keys (seahorse)"),
            StoreError::TimedOut(_) => Self::of(Kind::Credential, context)
                .hint("look for an unlock prompt on the desktop, or restart the keyring's daemon")
                .hint(elsewhere),
            StoreError::Ambiguous => Self::of(Kind::Credential, context).hint(format!(
                "remove the entries and log in again: secret-tool clear service corti-auth username '{}'",
                client.store_user()
            )),
            StoreError::NotASecret(_) => Self::of(Kind::Credential, context).hint("corti-auth login"),
            StoreError::Failed(_) => Self::of(Kind::Credential, context).hint("corti-auth status"),
        }
    }

    /// A token endpoint that gave `client` no token.
    pub fn grant(error: &GrantError, client: &Client) -> Self {
        let (environment, tenant) = (client.environment.to_string(), client.tenant.to_string());
        let (status, oauth_error) = (error.http_status(), error.oauth_error().map(str::to_owned));
        let context = |kind| {
            let message =
                format!("no token for client `{}` of `{environment}`, tenant `{tenant}`", client.id);
            Self::of(kind, anyhow::Error::new(error.clone()).context(message))
        };
        let mut failure = match error {
            GrantError::UnknownClient(_) => context(Kind::Rejected)
                .hint("check the client id, the environment and the tenant: corti-auth status"),
            GrantError::WrongSecret(_) => context(Kind::Rejected)
                .hint("store the current secret (the Corti Console can make a new one): corti-auth login"),
            GrantError::NotAllowed(_) => context(Kind::Rejected).hint(
                "make an API client for client credentials in the Corti Console, then: corti-auth login",
            ),
            GrantError::UnknownTenant(_) => {
                context(Kind::Configuration).hint("nearly every customer's tenant is base: --tenant base")
            }
            GrantError::ScopeRefused(_) => {
                context(Kind::Scope).hint("the limited scopes are transcribe and streams: --scope transcribe")
            }
            GrantError::Mismatch(_) => context(Kind::Scope)
                .hint("the token was discarded; ask Corti's support which scopes the client may have"),
            GrantError::Refused { status: 401 | 403, .. } => {
                context(Kind::Rejected).hint("corti-auth status")
            }
            GrantError::Refused { .. } => context(Kind::Refused).hint("corti-auth status"),
            GrantError::Unavailable { retry_after, .. } => {
                context(Kind::Unavailable).hint(match retry_after {
                    Some(after) => {
                        format!("the server asks to wait (Retry-After: {after}), then run it again")
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

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = problem.status;
        let failure = match status {
            401 => Self::of(Kind::Rejected, problem)
                .hint("the token may be expired, or of another environment: corti-auth inspect <(corti-auth token --full)"),
            403 => Self::of(Kind::Rejected, problem)
                .hint("a limited token opens no REST API, and Tenant-Name must be the token's tenant: corti-auth status"),
            404 => Self::of(Kind::Refused, problem).hint("check the id and the environment: corti-auth status"),
            409 => Self::of(Kind::Refused, problem)
                .hint("an encounter identifier can be used once; leave --identifier out to get a fresh one"),
            429 => Self::of(Kind::Unavailable, problem)
                .hint("wait and try again; 429 also means that the credits are used up: see the Corti Console"),
            500.. => Self::of(Kind::Unavailable, problem)
                .hint("wait a little, then run it again; https://status.corti.ai shows outages"),
            300..=399 => Self::of(Kind::Network, problem).hint("redirects are not followed; check --environment"),
            _ => Self::of(Kind::Refused, problem).hint("corti-auth status"),
        };
        failure.status(status)
    }
}

impl From<InteractionError> for Failure {
    fn from(error: InteractionError) -> Self {
        match error {
            InteractionError::Refused(problem) => problem.into(),
            InteractionError::NotTheProtocol { status, .. } => {
                Self::of(Kind::Network, error).status(status).hint("check --environment: corti-auth status")
            }
            InteractionError::ForeignSocket(_) => {
                Self::of(Kind::Network, error).hint("check --environment: corti-auth status")
            }
        }
    }
}

impl From<SocketError> for Failure {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Refused(problem) => problem.into(),
            SocketError::Http(error) => error.into(),
            other => Self::of(Kind::Network, other).hint("run it again with -vv"),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let (kind, hint) = match &error {
            HttpError::Certificates { .. } => {
                (Kind::Configuration, "name a file of PEM certificates: --ca-cert FILE, or SSL_CERT_FILE")
            }
            HttpError::Address(_) => (Kind::Configuration, "check --environment: corti-auth status"),
            HttpError::Dns(_) => (
                Kind::Network,
                "check the environment (Corti has eu and us) and the network: --environment eu",
            ),
            HttpError::Connect { .. } => {
                (Kind::Network, "check the address, the proxy variables and, for TLS, --ca-cert FILE")
            }
            HttpError::TimedOut { .. } => {
                (Kind::Network, "give it longer (--timeout 60s), or check the network")
            }
            HttpError::Broken { .. } | HttpError::TooLong(_) => {
                (Kind::Network, "run it again; if it stays so, look for a proxy in between")
            }
            HttpError::Client(_) => (Kind::Unexpected, "run it again with -vv"),
        };
        Self::of(kind, error).hint(hint)
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
        Self::of(kind, error).hint(hint)
    }
}

impl From<ConfigFileError> for Failure {
    fn from(error: ConfigFileError) -> Self {
        let hint = match &error {
            ConfigFileError::NoHome => "name a folder: --config-dir DIR, or CORTI_AUTH_CONFIG_DIR".to_owned(),
            ConfigFileError::Io { path, .. } => {
                format!("look at the file and its owner: ls -ld '{}'", path.display())
            }
            ConfigFileError::Content { path, source: ConfigError::Syntax(_) } => {
                format!("mend the line, or move the file away: mv '{0}' '{0}.old'", path.display())
            }
            ConfigFileError::Content { path, .. } => format!("mend the value in '{}'", path.display()),
            ConfigFileError::Locked(_) => "run it again".to_owned(),
        };
        Self::of(Kind::Configuration, error).hint(hint)
    }
}

impl From<VariableError> for Failure {
    fn from(error: VariableError) -> Self {
        let hint = format!("unset {}", error.name);
        Self::of(Kind::Configuration, error).hint(hint)
    }
}

impl From<JwtError> for Failure {
    fn from(error: JwtError) -> Self {
        let hint = match error {
            JwtError::Empty => {
                "give a file, or pipe the token in: corti-auth token --scope transcribe | corti-auth inspect"
            }
            _ => "give the token alone, without quotes, `Bearer` or a header's name",
        };
        Self::of(Kind::Token, anyhow::Error::new(error).context("this is not a token that can be read"))
            .hint(hint)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::of(Kind::Usage, error)
            .hint("give the values by flags and --secret-stdin: corti-auth login --help")
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let (kind, hint) = match &error {
            SandboxError::NotLoopback(_) => {
                (Kind::Usage, "the sandbox is for this machine only: --bind 127.0.0.1")
            }
            SandboxError::InUse { .. } => (Kind::Usage, "take a free port: --port 0"),
            _ => (Kind::Unexpected, "run it again"),
        };
        Self::of(kind, error).hint(hint)
    }
}
