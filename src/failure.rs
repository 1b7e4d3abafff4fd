//! Says why a command failed: its kind, its causes, and hints. The only place that knows exit codes.

use std::fmt;
use std::process::ExitCode;

use crate::edge::http_error::HttpError;
use crate::edge::secret_command::CommandError;
use crate::edge::store::StoreError;

mod answer;
mod credential;
mod program;
mod setting;

pub(crate) use credential::{for_mounted, mounting};

/// The kinds of failure, by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything else: exit 1.
    Unexpected,
    /// The API refused the request itself: 400, 404, 409, 422.
    Refused,
    /// The command line is wrong, or a value is missing and there is no terminal to ask at.
    Usage,
    /// Configuration, profile, environment or tenant is missing or invalid.
    Configuration,
    /// There is no credential: not logged in, keyring locked, absent or timed out.
    Credential,
    /// The server rejected the credential: 401, 403.
    Rejected,
    /// A scope was refused, or other scopes were granted than asked for.
    Scope,
    /// The token is invalid: expired, not a JWT, with a bad signature or of another issuer.
    Token,
    /// No answer, or not the expected protocol.
    Network,
    /// The server answered 429 or 5xx.
    Unavailable,
    /// A check failed: tokens differ, a required scope is missing, a token can do more than it should.
    Check,
    /// `exec`: the program cannot be run.
    NotExecutable,
    /// `exec`: there is no such program.
    NotFound,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The exit code, and the `code` of a JSON error.
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
            Self::Check => (10, "check_failed"),
            Self::NotExecutable => (126, "not_executable"),
            Self::NotFound => (127, "not_found"),
            Self::Interrupted => (130, "interrupted"),
        }
    }

    /// The process's exit code.
    pub fn exit(self) -> u8 {
        self.entry().0
    }

    /// The `code` of a JSON error.
    pub fn code(self) -> &'static str {
        self.entry().1
    }
}

pub(crate) fn code_of_program(code: u8) -> ExitCode {
    ExitCode::from(code)
}

/// `text` without the `(os error 2)` that Rust adds to the system's words.
fn without_error_number(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" (os error ") else { return text.to_owned() };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(')');
    after.map_or_else(|| text.to_owned(), |after| format!("{before}{after}"))
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// The kind of failure.
    pub kind: Kind,
    source: anyhow::Error,
    /// What to do next, each one short command or one short sentence.
    pub hints: Vec<String>,
    /// The HTTP status of the answer.
    pub http_status: Option<u16>,
    /// The OAuth `error` of the answer.
    pub oauth_error: Option<String>,
    /// Whether a store failed, but may still have made the change.
    pub is_uncertain_change: bool,
    /// Whether Corti rejected the client secret itself.
    pub is_wrong_secret: bool,
}

impl Failure {
    /// A failure with a message.
    pub fn new(kind: Kind, message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::caused(kind, anyhow::Error::msg(message))
    }

    /// A failure with the error that caused it.
    pub fn caused(kind: Kind, source: impl Into<anyhow::Error>) -> Self {
        let (source, hints) = (source.into(), Vec::new());
        Self {
            kind,
            source,
            hints,
            http_status: None,
            oauth_error: None,
            is_uncertain_change: false,
            is_wrong_secret: false,
        }
    }

    /// Puts a message before the causes.
    #[must_use]
    pub fn context(mut self, message: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.source = self.source.context(message);
        self
    }

    /// Adds a hint: one short command, or one short sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit())
    }

    /// The message and its causes.
    pub fn causes(&self) -> impl Iterator<Item = String> {
        self.source.chain().map(|cause| without_error_number(&cause.to_string()))
    }

    /// The message and its causes in one line.
    pub fn in_one_line(&self) -> String {
        self.causes().collect::<Vec<_>>().join(": ")
    }

    /// What a secret command wrote to stderr, which may be anything.
    pub fn command_stderr(&self) -> Option<&str> {
        match self.source.downcast_ref() {
            Some(StoreError::Command(CommandError::Failed(_, _, words))) => Some(words),
            _ => None,
        }
    }

    /// Whether the same command may succeed later.
    pub fn retryable(&self) -> bool {
        use HttpError::{Broken, Connect, Proxy, TimedOut};
        let error = self.source.downcast_ref();
        self.kind == Kind::Unavailable
            || matches!(error, Some(TimedOut { .. } | Connect { .. } | Proxy { .. } | Broken { .. }))
    }
}
