//! Rules for single arguments: durations, scopes, and what must never be an argument.

use std::ffi::OsString;
use std::time::Duration;

use clap::ValueEnum;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::app::context::Context;
use crate::domain::client::resolve::Plan;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::shell::quote;
use crate::domain::token::jwt::contains_token;
use crate::domain::token::scope::{Ask, LIMITED, Scope, ScopeError, ScopeSet};
use crate::failure::{Failure, Kind};

/// Options that people expect to take a secret, and this tool does not have.
const SECRET_OPTIONS: [&str; 6] =
    ["--client-secret", "--secret", "--password", "--token", "--access-token", "--secret-stdin="];

/// The choice of a scope, which is never made for the user.
#[derive(Debug, clap::Args)]
pub(crate) struct ScopeArgs {
    /// Ask for this scope; repeat it, or separate several by commas or spaces
    #[arg(short, long, value_name = "SCOPE", add = offering(&LIMITED))]
    scope: Vec<String>,
    /// Ask for a token that acts as the client itself
    #[arg(long, conflicts_with = "scope")]
    full: bool,
}

impl ScopeArgs {
    /// Whether the choice stands on the command line.
    pub(crate) fn is_made(&self) -> bool {
        self.full || !self.scope.is_empty()
    }

    /// What is asked for. Scopes that Corti does not document get a warning.
    ///
    /// # Errors
    /// As [`ask`].
    pub(crate) fn ask(&self, plan: &Plan, context: &Context<'_>) -> Result<Ask, Failure> {
        let ask = ask(&self.scope, self.full, plan.default_scope())?;
        let scopes = match &ask {
            Ask::Full => None,
            Ask::Scopes(scopes) => Some(scopes.iter()),
        };
        for scope in scopes.into_iter().flatten().filter(|scope| !scope.is_documented()) {
            let message =
                format!("`{}` is not a scope that Corti documents; it is passed on", scope.as_str());
            let hint = scope.suggestion().map(|known| format!("did you mean --scope {known}?"));
            context.warn(message, hint.as_deref());
        }
        Ok(ask)
    }
}

/// What a shell offers for an argument that takes other values as well.
pub(crate) fn offering(words: &'static [&'static str]) -> ArgValueCandidates {
    ArgValueCandidates::new(|| words.iter().map(CompletionCandidate::new).collect())
}

/// `--all` and a profile's name cannot both be meant; clap cannot say so of an option that every command has.
///
/// # Errors
/// A usage failure.
pub(crate) fn refuse_profile_with_all(context: &Context<'_>, command: &str) -> Result<(), Failure> {
    match &context.options.profile {
        Some(name) => Err(Failure::new(Kind::Usage, "--all and --profile cannot be used together")
            .hint(format!("corti-auth {command} --profile {}, or corti-auth {command} --all", quote(name)))),
        None => Ok(()),
    }
}

/// One of Corti's WebSockets, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SocketArg {
    /// Dictation
    Transcribe,
    /// A conversation, which belongs to an interaction
    Streams,
}

impl SocketArg {
    pub(crate) fn kind(self) -> SocketKind {
        match self {
            Self::Transcribe => SocketKind::Transcribe,
            Self::Streams => SocketKind::Streams,
        }
    }
}

/// Longer than anything here takes; sums of durations stay far from overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// `15s`, `1m 30s`, or a bare number of seconds; more than nothing, and a day at most.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u32>() {
        Ok(seconds) => Ok(SignedDuration::from_secs(seconds.into())),
        Err(_) => text.parse::<SignedDuration>().map_err(|_| "not a duration such as 15s or 1m".to_owned()),
    }?;
    match Duration::try_from(parsed) {
        Ok(duration) if duration > LONGEST => Err("a duration is at most a day".to_owned()),
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a duration must be longer than nothing".to_owned()),
    }
}

/// How far two clocks may be apart: as [`duration`], but it may be nothing, and is at most an hour.
pub(crate) fn leeway(text: &str) -> Result<Duration, String> {
    let is_nothing = matches!(text, "0" | "0s");
    let leeway = if is_nothing { Duration::ZERO } else { duration(text)? };
    if leeway > Duration::from_secs(3600) {
        Err("more than an hour is no leeway".to_owned())
    } else {
        Ok(leeway)
    }
}

/// An id as the API writes it. What is not one would lead to another address.
pub(crate) fn interaction_id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "an interaction's id is a UUID: corti-auth interaction list".to_owned())
}

/// The words of an option that may be repeated, and hold several with commas or spaces between them.
pub(crate) fn words(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().flat_map(|text| text.split([',', ' '])).filter(|word| !word.is_empty())
}

/// Whether `--json` is among the arguments, for errors that come before they are parsed.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// Secrets and tokens in argv are in `ps`, in the shell's history and in logs. They are refused before anything could
/// repeat them in a message.
///
/// # Errors
/// A usage failure that says what to do instead.
pub(crate) fn refuse_secrets(arguments: &[OsString]) -> Result<(), Failure> {
    let words = || arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    if words().any(|word| contains_token(&word)) {
        let message =
            "a token stands on the command line, where other users and the shell's history can see it";
        return Err(Failure::new(Kind::Usage, message)
            .hint("pipe it in (corti-auth inspect < FILE), and let it expire before anything else"));
    }
    // What stands behind `--` are a program's own options.
    let own = || words().take_while(|word| word != "--");
    let takes_secret = |word: &str| {
        SECRET_OPTIONS.iter().any(|option| match option.strip_suffix('=') {
            Some(_) => word.starts_with(option),
            None => word == *option || word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')),
        })
    };
    if own().any(|word| takes_secret(&word)) {
        let message = "a secret never comes from the command line, where other users and the shell's history can see it";
        return Err(Failure::new(Kind::Usage, message)
            .hint("corti-auth login asks for it; from a script: corti-auth login --secret-stdin < FILE"));
    }
    Ok(())
}

/// Scopes as typed: repeated, with commas or spaces.
///
/// # Errors
/// Where a word is no scope.
pub(crate) fn scopes(texts: &[String]) -> Result<ScopeSet, ScopeError> {
    words(texts).map(str::parse::<Scope>).collect()
}

/// `--scope` as typed, repeated, with commas or spaces, or `--full`, or the profile's default.
///
/// # Errors
/// A usage failure where no choice was made, or one that limits nothing.
fn ask(scopes: &[String], full: bool, default: Option<&ScopeSet>) -> Result<Ask, Failure> {
    if full {
        return Ok(Ask::Full);
    }
    let parsed = self::scopes(scopes);
    let parsed = parsed
        .map_err(|error| Failure::new(Kind::Usage, error).hint("corti-auth token --scope transcribe"))?;
    let asked = match (parsed.is_empty(), default) {
        (false, _) => parsed,
        (true, Some(default)) => default.clone(),
        (true, None) => {
            return Err(Failure::new(
                Kind::Usage,
                "no scope was chosen: a token is limited, or full, by your choice",
            )
            .hint("--scope transcribe, --scope streams, or both: a token a browser may hold")
            .hint("--full: a token that acts as the client itself, for a backend"));
        }
    };
    Ask::scopes(asked).map_err(|error| {
        Failure::new(Kind::Usage, error)
            .hint("say --full if that is meant, or --scope transcribe for a limited one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_seconds() {
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        for bad in ["", "0", "0s", "-1s", "soon", "25h", "5000000000000000000s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_leeway_is_short_and_may_be_nothing() {
        for (text, seconds) in [("0", 0), ("0s", 0), ("30", 30), ("1m", 60), ("1h", 3600)] {
            assert_eq!(leeway(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "0ss", "-1s", "61m", "soon"] {
            assert!(leeway(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_kept_out_of_argv() {
        let refused = |words: &[&str]| {
            let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
            refuse_secrets(&arguments).is_err()
        };
        for bad in
            ["eyJhbGciOi.x.y", "--file=eyJhbGciOi.x.y", "--client-secret", "--token=x", "--secret-stdin=x"]
        {
            assert!(refused(&["corti-auth", "login", bad]), "{bad}");
        }
        assert!(!refused(&["corti-auth", "login", "--secret-stdin"]));
        assert!(!refused(&["corti-auth", "exec", "--full", "--", "db", "--password=x"]));
        assert!(refused(&["corti-auth", "exec", "--full", "--", "db", "eyJhbGciOi.x.y"]));
        assert!(!refused(&["corti-auth", "token", "--scope", "transcribe"]));
    }

    #[test]
    fn a_scope_is_always_chosen() {
        let wire = |scopes: &[&str]| {
            let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
            ask(&scopes, false, None).map(|ask| ask.to_wire())
        };
        assert_eq!(wire(&["transcribe,streams"]).unwrap(), "openid streams transcribe");
        assert_eq!(wire(&["transcribe streams", "streams"]).unwrap(), "openid streams transcribe");
        assert!(wire(&[]).is_err());
        assert!(wire(&["openid"]).is_err());
        assert_eq!(ask(&[], true, None).unwrap(), Ask::Full);
        let default = ScopeSet::from_wire("transcribe");
        assert_eq!(ask(&[], false, Some(&default)).unwrap().to_wire(), "openid transcribe");
    }
}
