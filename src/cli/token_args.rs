//! The arguments of commands that get a token: what it may do (`full`, `--scope`, …), and whether a cached one will do.

use std::time::Duration;

use clap::Args;

use crate::app::context::Context;
use crate::cli::argument;
use crate::domain::client::resolve::Plan;
use crate::domain::client::variable::NO_CACHE;
use crate::domain::token::reuse::{CacheMode, CachePolicy};
use crate::domain::token::scope::{LIMITED, Scope, ScopeRequest, ScopeSet};
use crate::failure::{Failure, Kind};

/// The words that say what a token may do.
const WORDS: [&str; 3] = ["transcribe", "streams", "full"];

/// What the token may do, in words or by options. The user has to choose.
#[derive(Debug, Args)]
pub(crate) struct ChoiceArgs {
    /// What the token may do: transcribe, streams or both; or full
    ///
    /// A full token acts as the client itself.
    #[arg(value_name = "WHAT", conflicts_with_all = ["scope", "full"], add = argument::offering(&WORDS))]
    words: Vec<String>,
    #[command(flatten)]
    options: ScopeArgs,
}

/// The scopes. The user has to choose them.
#[derive(Debug, Args)]
pub(crate) struct ScopeArgs {
    /// Mint a token with this scope; may be repeated
    ///
    /// Several may also be separated by commas or spaces.
    #[arg(short, long, value_name = "SCOPE", add = argument::offering(&LIMITED))]
    scope: Vec<String>,
    /// Mint a token that acts as the client itself
    #[arg(long, conflicts_with = "scope")]
    full: bool,
}

/// Which token of a text.
#[derive(Debug, Args)]
pub(crate) struct NthArgs {
    /// Use the Nth token in the text
    #[arg(long, value_name = "N", value_parser = nth)]
    pub(crate) nth: Option<usize>,
}

fn nth(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number from 1".to_owned())
}

impl ChoiceArgs {
    /// Refuses words that do not say what a token may do, with `hint` unless one is misspelt. Each may be a secret.
    pub(crate) fn check_words(&self, hint: &str) -> Result<(), Failure> {
        let words: Vec<&str> = argument::words(&self.words).collect();
        if let Some(unknown) = words.iter().find(|word| !WORDS.contains(word)) {
            let is_short = unknown.len() <= 16 && unknown.bytes().all(|byte| byte.is_ascii_lowercase());
            let similar = unknown.parse::<Scope>().ok().and_then(|scope| scope.suggestion());
            let named =
                if is_short { format!("`{unknown}`") } else { "(not shown, it may be a secret)".to_owned() };
            let hint = match similar.filter(|_| is_short) {
                Some(known) => format!("did you mean `{known}`?"),
                None => hint.to_owned(),
            };
            let message = format!("unknown word {named}: use transcribe, streams or full");
            return Err(Failure::new(Kind::Usage, message).hint(hint));
        }
        if words.len() > 1 && words.contains(&"full") {
            let message = "use `full` without other words: a full token already includes them";
            return Err(Failure::new(Kind::Usage, message).hint("for a limited token, leave `full` out"));
        }
        Ok(())
    }

    /// The scopes to request. Warns about those that Corti does not document.
    pub(crate) fn scope_request(
        &self,
        plan: &Plan,
        context: &Context<'_>,
        examples: Examples,
    ) -> Result<ScopeRequest, Failure> {
        match self.words.first() {
            None => self.options.scope_request(plan, context, examples),
            Some(word) if word == "full" => Ok(ScopeRequest::Full),
            Some(_) => scope_request(&self.words, false, None, examples),
        }
    }
}

impl ScopeArgs {
    /// Whether scopes are chosen on the command line.
    pub(crate) fn is_given(&self) -> bool {
        self.full || !self.scope.is_empty()
    }

    /// The scopes to request. Warns about those that Corti does not document.
    pub(crate) fn scope_request(
        &self,
        plan: &Plan,
        context: &Context<'_>,
        examples: Examples,
    ) -> Result<ScopeRequest, Failure> {
        let request = scope_request(&self.scope, self.full, plan.default_scope(), examples)?;
        if let ScopeRequest::Scopes(scopes) = &request {
            for scope in scopes.iter().filter(|scope| !scope.is_documented()) {
                let message =
                    format!("Corti does not document the scope `{}`; it is requested anyway", scope.as_str());
                let hint = scope.suggestion().map(|known| format!("did you mean --scope {known}?"));
                context.warn(message, hint.as_deref());
            }
        }
        Ok(request)
    }
}

/// Which tokens a command accepts from the cache.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Require at least this much remaining lifetime
    ///
    /// Such as 30s or 2m. Exits with 10 if a new token has less.
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    min_ttl: Option<Duration>,
    /// Mint a new token, even if a cached one is good
    #[arg(long)]
    refresh: bool,
    #[arg(help = format!("Neither read nor write the token cache [env: {NO_CACHE}]"))]
    #[arg(long, conflicts_with = "refresh")]
    no_cache: bool,
}

impl CacheArgs {
    /// The policy from these options and `CORTI_AUTH_NO_CACHE`.
    pub(crate) fn policy(&self, context: &Context<'_>) -> CachePolicy {
        let policy = CachePolicy { min_ttl: self.min_ttl, ..context.cache_policy() };
        if self.no_cache {
            CachePolicy { mode: CacheMode::Bypass, ..policy }
        } else if self.refresh {
            policy.with_refresh()
        } else {
            policy
        }
    }
}

/// Commands to show if no scopes are chosen: for a limited and for a full token.
pub(crate) type Examples = [&'static str; 2];

/// `--full`, `--scope` or the profile's default scopes. One of them is needed, and scopes must limit the token.
fn scope_request(
    scopes: &[String],
    full: bool,
    default: Option<&ScopeSet>,
    [limited, unlimited]: Examples,
) -> Result<ScopeRequest, Failure> {
    if full {
        return Ok(ScopeRequest::Full);
    }
    let usage = |error: String| {
        let failure = Failure::new(Kind::Usage, error);
        failure.hint(format!("safe for a browser: {limited}")).hint(format!("backend only: {unlimited}"))
    };
    let mut asked = argument::scopes(scopes).map_err(|error| usage(error.to_string()))?;
    if asked.is_empty() {
        let missing = || usage("say what the token may do: transcribe, streams or full".to_owned());
        asked = default.cloned().ok_or_else(missing)?;
    }
    ScopeRequest::scopes(asked).map_err(|error| usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_always_chosen() {
        let wire = |scopes: &[&str]| {
            let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
            scope_request(&scopes, false, None, [""; 2]).map(|request| request.to_wire())
        };
        assert_eq!(wire(&["transcribe,streams"]).unwrap(), "openid streams transcribe");
        assert_eq!(wire(&["transcribe streams", "streams"]).unwrap(), "openid streams transcribe");
        assert!(wire(&[]).is_err());
        assert!(wire(&["openid"]).is_err());
        assert_eq!(scope_request(&[], true, None, [""; 2]).unwrap(), ScopeRequest::Full);
        let default = ScopeSet::from_wire("transcribe");
        assert_eq!(
            scope_request(&[], false, Some(&default), [""; 2]).unwrap().to_wire(),
            "openid transcribe"
        );
    }
}
