//! Parses arguments: durations, ids, scopes. Refuses secrets and tokens.

use std::ffi::OsString;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::app::context::Context;
use crate::domain::client::invalid::Invalid;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::shell::{Shell, quote};
use crate::domain::token::jwt::contains_token;
use crate::domain::token::scope::{Scope, ScopeSet};
use crate::failure::{Failure, Kind};

/// Options that take a secret in other tools. This tool does not have them.
const SECRET_OPTIONS: [&str; 5] = ["--client-secret", "--secret", "--password", "--token", "--access-token"];

/// Completions for an argument that also takes other values.
pub(crate) fn offering(words: &'static [&'static str]) -> ArgValueCandidates {
    ArgValueCandidates::new(|| words.iter().map(CompletionCandidate::new).collect())
}

/// Refuses `--all` with `--profile`. clap cannot do it for a global option.
pub(crate) fn refuse_profile_with_all(context: &Context<'_>, command: &str) -> Result<(), Failure> {
    match &context.options.profile {
        Some(name) => Err(conflict("--all", "--profile")
            .hint(format!("corti-auth {command} --profile {}, or corti-auth {command} --all", quote(name)))),
        None => Ok(()),
    }
}

/// `--json` or `--field` was given, and another `--format` than JSON.
pub(crate) fn json_conflicts_with(format: &impl ValueEnum, context: &Context<'_>) -> Failure {
    let value = format.to_possible_value();
    let name = value.as_ref().map(PossibleValue::get_name).unwrap_or_default();
    let given = if context.options.json { "--json" } else { "--field" };
    conflict(given, &format!("--format {name}")).hint("leave one of them out")
}

fn conflict(one: &str, other: &str) -> Failure {
    Failure::new(Kind::Usage, format!("{one} and {other} cannot be used together"))
}

impl ValueEnum for SocketKind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Transcribe, Self::Streams]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Transcribe => "Dictation",
            Self::Streams => "A conversation, which belongs to an interaction",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

/// The longest duration: sums of such durations never overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// `15s`, `1m 30s`, or a number of seconds; greater than zero, and at most a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u32>().map(|seconds| SignedDuration::from_secs(seconds.into()));
    let parsed = seconds.or_else(|_| text.parse()).map_err(|_| "not a duration such as 15s or 1m")?;
    match Duration::try_from(parsed) {
        Ok(duration) if duration > LONGEST => Err("a duration is at most a day".to_owned()),
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("the duration must be greater than zero".to_owned()),
    }
}

/// How far two clocks may differ: a [`duration`] of at most an hour, or zero.
pub(crate) fn leeway(text: &str) -> Result<Duration, String> {
    let is_nothing = matches!(text, "0" | "0s");
    let leeway = if is_nothing { Duration::ZERO } else { duration(text)? };
    if leeway > Duration::from_secs(3600) { Err("--leeway is at most 1h".to_owned()) } else { Ok(leeway) }
}

/// An interaction's id. Any other text would lead to another address of the API.
pub(crate) fn interaction_id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text)
        .map_err(|_| "not an interaction id (a UUID)\n\n  hint: corti-auth interaction list".to_owned())
}

/// The words of an option that may be repeated, separated by commas or spaces.
pub(crate) fn words(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().flat_map(|text| text.split([',', ' '])).filter(|word| !word.is_empty())
}

/// Whether `--json` is among the arguments, for errors found before they are parsed.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// Refuses secrets and tokens in argv, which end up in `ps`, shell history and logs, before any message can repeat them.
pub(crate) fn refuse_secrets(arguments: &[OsString]) -> Result<(), Failure> {
    let words = || arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    if words().any(|word| contains_token(&word)) {
        let message = "do not put a token on the command line: it ends up in shell history and `ps`";
        return Err(
            Failure::new(Kind::Usage, message).hint(Shell::HERE.read_from("corti-auth inspect", "FILE"))
        );
    }
    // What follows `--` belongs to the program.
    let own = || words().take_while(|word| word != "--");
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    if own().any(|word| SECRET_OPTIONS.contains(&&*name(&word)) || word.starts_with("--secret-stdin=")) {
        let message = "do not put a secret on the command line: it ends up in shell history and `ps`";
        let login = Shell::HERE.read_from("corti-auth login --secret-stdin", "FILE");
        return Err(Failure::new(Kind::Usage, message)
            .hint(format!("corti-auth login asks for it; from a script: {login}")));
    }
    Ok(())
}

/// Scopes as typed: repeated, or separated by commas or spaces.
pub(crate) fn scopes(texts: &[String]) -> Result<ScopeSet, Invalid> {
    words(texts).map(str::parse::<Scope>).collect()
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
}
