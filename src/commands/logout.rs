//! `logout`: removes stored secrets and leaves the profiles.

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::credentials::Credential;
use crate::app::tokens;
use crate::cli::argument;
use crate::domain::client::config::Profile;
use crate::domain::client::identity::ProfileName;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::Shell;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

/// The profile stays, and printed tokens stay valid until they expire. Logging out twice is fine.
#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    /// Log out of every profile
    #[arg(long)]
    all: bool,
}

/// The secrets that were removed or not, by profile.
#[derive(Default)]
struct Removals {
    json: Vec<Value>,
    page: Page,
    /// The profiles whose secret was removed.
    removed: Vec<Profile>,
    /// The first failure: `--all` goes on with the other profiles.
    failure: Option<Failure>,
}

pub(super) async fn run(args: &LogoutArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let named = profiles(args, context)?;
    let removals = remove_secrets(args, context, &named).await;
    // Tokens go last, since some may be minted meanwhile, and also if a store failed: all that this configuration folder
    // cached, and those that other folders cached for the same clients.
    let of_clients: usize =
        named.iter().map(|(_, profile)| tokens::forget_cached_of(&profile.client, context)).sum();
    let count = tokens::forget_cached_in_folder(context) + of_clients;
    let Removals { json, mut page, removed, failure } = removals?;
    let variables: Vec<&str> = context.variables()?.naming_a_client().collect();
    if let Some(first) = variables.first() {
        let message = format!("{first} is still set, so commands still use that client");
        context.warn(message, Some(&Shell::HERE.unset(&variables)));
    }
    if !removed.is_empty() {
        page = page.line("printed tokens stay valid until they expire, at most 5 minutes");
    } else if json.is_empty() {
        page = page.line("no profiles");
    }
    let page = page.line(match count {
        0 => "no token was cached".to_owned(),
        1 => "removed 1 cached token".to_owned(),
        count => format!("removed {count} cached tokens"),
    });
    let json = json!({ "profiles": json, "tokens_removed": count });
    Ok(Outcome { failure, ..Outcome::new("logout", json, Text::Message(page)) })
}

/// The profiles to log out of. There need be none if variables name a client: its tokens are cached too.
fn profiles<'a>(
    args: &LogoutArgs,
    context: &'a Context<'_>,
) -> Result<Vec<(&'a ProfileName, &'a Profile)>, Failure> {
    if args.all {
        argument::refuse_profile_with_all(context, "logout")?;
        return Ok(context.config()?.profiles().iter().collect());
    }
    match context.chosen_profile() {
        Ok(name) => Ok(vec![(name, context.profile(name)?)]),
        Err(_) if context.variables()?.client_variable().is_some() => Ok(Vec::new()),
        Err(failure) if context.config()?.profiles().is_empty() => {
            Err(Failure::new(failure.kind, "nothing to log out of: no profiles"))
        }
        Err(failure) => Err(failure),
    }
}

async fn remove_secrets(
    args: &LogoutArgs,
    context: &Context<'_>,
    named: &[(&ProfileName, &Profile)],
) -> Result<Removals, Failure> {
    let mut all = Removals::default();
    for (name, profile) in named {
        let credential = Credential::of(context, name, profile)?;
        let place = credential.place();
        let mut others: Vec<&str> = Vec::new();
        let (mut removed, mut failure) = (Some(false), None);
        let is_kept = profile.store.command().is_some();
        let was_removed = all.removed.iter().any(|it| profile.uses(&it.client, &it.store));
        let (tone, line) = if is_kept {
            (Tone::Plain, format!("nothing to remove for `{name}`: its secret is kept by {place}"))
        } else {
            match remove_secret(context, &credential).await {
                Ok(false) if !was_removed => {
                    (Tone::Plain, format!("`{name}` was not logged in (no secret in {place})"))
                }
                Ok(_) => {
                    removed = Some(true);
                    all.removed.push((*profile).clone());
                    // With --all each of the others has its own line.
                    if !args.all {
                        let sharing = context.config()?.sharing(name, profile);
                        others.extend(sharing.iter().map(|other| other.as_str()));
                    }
                    (Tone::Plain, format!("logged out of `{name}` (removed its secret from {place})"))
                }
                // The others can still be logged out.
                Err(error) if args.all => {
                    let reason = error.in_one_line();
                    let is_uncertain = error.is_uncertain_change;
                    removed = removed.filter(|_| !is_uncertain);
                    let what = if is_uncertain { "" } else { " is not logged out" };
                    let line = format!("`{name}`{what}: {reason}");
                    failure = Some(reason);
                    all.failure.get_or_insert(error);
                    (Tone::Bad, line)
                }
                Err(error) => return Err(error),
            }
        };
        all.page = all.page.toned(tone, line);
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
            let line = format!("also logged out, with the same client: {}", others.join(", "));
            all.page = all.page.line(line);
        }
        all.json.push(json!({
            "profile": name.as_str(),
            "removed": removed,
            "also_logged_out": others,
            "kept_elsewhere": is_kept,
            "failure": failure,
        }));
    }
    Ok(all)
}

/// Removes the secret, and says whether there was one.
async fn remove_secret(context: &Context<'_>, credential: &Credential<'_>) -> Result<bool, Failure> {
    credential.unlock().await?;
    let mut held = context.config_file()?.hold().await?;
    credential.remove(&mut held).await
}
