//! `profile set`: changes what a user may change of a profile. Its client and its store are not among it.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::app::context::{self, Context};
use crate::cli::argument;
use crate::domain::token::scope::{LIMITED, ScopeRequest, ScopeSet};
use crate::failure::{Failure, Kind};
use crate::output::Outcome;

use super::done;

/// Set a profile's default scope
///
/// A profile's environment, tenant, client id and store never change: log in under another name for those.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth profile set eu-dev default-scope transcribe
  corti-auth profile set eu-dev default-scope transcribe streams
  corti-auth profile set eu-dev default-scope none")]
pub(super) struct SetArgs {
    /// Name of the profile
    name: String,
    /// What to set
    #[arg(value_enum)]
    key: Key,
    /// transcribe, streams or both; none removes the setting
    #[arg(required = true, value_name = "VALUE", add = argument::offering(&["transcribe", "streams", "none"]))]
    values: Vec<String>,
}

/// The keys of a profile that can be set.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    /// What `token` and `exec` ask for if no scope is given
    DefaultScope,
}

pub(super) async fn run(args: &SetArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let SetArgs { name, key: Key::DefaultScope, values } = args;
    let name = context::profile_name(name)?;
    let scopes = scopes(values)?;
    context.profile(&name)?;
    context.config_file()?.update(|config| config.set_default_scope(&name, scopes.as_ref())).await?;
    let line = match &scopes {
        Some(scopes) => format!("`{name}` asks for {scopes} by default"),
        None => format!("`{name}` has no default scope: say what each token may do"),
    };
    let json =
        json!({ "profile": name.as_str(), "default_scope": scopes.as_ref().map(ScopeSet::to_strings) });
    Ok(done("profile-set", json, line))
}

/// The scopes of a limited token; `None` for `none`.
fn scopes(values: &[String]) -> Result<Option<ScopeSet>, Failure> {
    if values == ["none"] {
        return Ok(None);
    }
    let wrong = |message: String| {
        Failure::new(Kind::Usage, message)
            .hint("corti-auth profile set NAME default-scope transcribe streams")
    };
    if values.iter().any(|word| word == "full") {
        return Err(wrong("default-scope is never full: ask for each full token".to_owned()));
    }
    let scopes = argument::scopes(values).map_err(|error| wrong(error.to_string()))?;
    if let Some(other) = scopes.iter().find(|scope| !LIMITED.contains(&scope.as_str())) {
        return Err(wrong(format!("default-scope is transcribe, streams or both, not `{}`", other.as_str())));
    }
    ScopeRequest::scopes(scopes.clone()).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(scopes))
}
