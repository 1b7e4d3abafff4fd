//! `logout`: takes stored secrets away and leaves the profiles.

use std::cell::RefCell;

use clap::Args;
use serde_json::{Value, json};

use crate::domain::identity::ProfileName;
use crate::domain::page::Page;
use crate::domain::store_kind::StoreKind;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

use super::context::Context;
use super::{argument, unused};

/// The profile stays, and so do tokens that were handed out: they live until they expire. Logging out twice is fine.
#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    /// Log out of every profile
    #[arg(long)]
    all: bool,
}

/// What was removed.
pub(super) struct LogoutOutcome {
    profiles: Vec<LoggedOut>,
    /// How many tokens were in the cache.
    tokens_removed: usize,
    /// The first profile that could not be logged out. Taken out once it is told.
    failure: RefCell<Option<Failure>>,
}

struct LoggedOut {
    name: ProfileName,
    /// Where the secret was, or would be.
    place: String,
    removed: bool,
    /// Another program keeps it, and goes on keeping it.
    kept_elsewhere: bool,
    /// Other profiles of the same client, which are logged out with it.
    shared_with: Vec<ProfileName>,
}

/// # Errors
/// Where there is no such profile, or the store cannot be used.
pub(super) async fn run(args: &LogoutArgs, context: &Context<'_>) -> Result<LogoutOutcome, Failure> {
    let names = names(args, context)?;
    let removed = remove_secrets(args, context, &names).await;
    // Last, for those that were minted meanwhile; and where a store failed, too.
    let tokens_removed = remove_tokens(context, &names)?;
    let (profiles, failure) = removed?;
    unused::remove(context, context.config()?).await;
    if let Some(variable) = context.variables()?.client_variable() {
        context.warn(
            format!("{variable} is still set, and commands go on using it"),
            Some(&format!("unset {variable}")),
        );
    }
    Ok(LogoutOutcome { profiles, tokens_removed, failure: RefCell::new(failure) })
}

/// The profiles to log out of. Where variables name a client there need be none: its tokens are cached too.
fn names<'a>(args: &LogoutArgs, context: &'a Context<'_>) -> Result<Vec<&'a ProfileName>, Failure> {
    if args.all {
        argument::refuse_profile_with_all(context, "logout")?;
        return Ok(context.config()?.profiles().keys().collect());
    }
    match context.chosen_profile() {
        Ok(name) => Ok(vec![name]),
        Err(_) if context.variables()?.client_variable().is_some() => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// All that this configuration folder's commands cached, and those of the same clients by other folders.
fn remove_tokens(context: &Context<'_>, names: &[&ProfileName]) -> Result<usize, Failure> {
    let mut count = context.remove_all_tokens();
    for name in names {
        count += context.remove_tokens(&context.profile(name)?.client);
    }
    Ok(count)
}

async fn remove_secrets(
    args: &LogoutArgs,
    context: &Context<'_>,
    names: &[&ProfileName],
) -> Result<(Vec<LoggedOut>, Option<Failure>), Failure> {
    let config = context.config()?;
    let (mut profiles, mut failure) = (Vec::new(), None);
    for name in names {
        let profile = context.profile(name)?;
        // Whoever mints with this secret right now caches the token under an id that nobody asks for any more. Where the
        // configuration cannot be changed, it is still removed below if it was in time.
        let _ = context.withdraw_credential(&profile.client, &profile.store);
        let removed = match context.remove_secret(name, profile).await {
            Ok(removed) => removed,
            // The others can still be logged out.
            Err(error) if args.all => {
                let reason = error.causes().collect::<Vec<_>>().join(": ");
                context.warn(format!("`{name}` is not logged out: {reason}"), None);
                failure = failure.or(Some(error));
                continue;
            }
            Err(error) => return Err(error),
        };
        profiles.push(LoggedOut {
            kept_elsewhere: matches!(profile.store, StoreKind::Command(_)),
            removed,
            place: context.store(&profile.store)?.place(&profile.client),
            shared_with: config.sharing(name, profile).into_iter().cloned().collect(),
            name: (*name).clone(),
        });
    }
    Ok((profiles, failure))
}

impl Outcome for LogoutOutcome {
    fn command(&self) -> &'static str {
        "logout"
    }

    fn json(&self) -> Value {
        let profiles: Vec<Value> = self
            .profiles
            .iter()
            .map(|it| {
                let shared: Vec<&str> = it.shared_with.iter().map(ProfileName::as_str).collect();
                json!({ "profile": it.name.as_str(), "removed": it.removed, "also_logged_out": shared, "kept_elsewhere": it.kept_elsewhere })
            })
            .collect();
        json!({ "profiles": profiles, "tokens_removed": self.tokens_removed })
    }

    fn verdict(&self) -> Option<Failure> {
        self.failure.take()
    }

    fn text(&self) -> Text {
        let mut page = Page::new();
        for LoggedOut { name, place, removed, kept_elsewhere, shared_with } in &self.profiles {
            page = page.line(if *removed {
                format!("logged out of `{name}`: the secret is removed from {place}")
            } else if *kept_elsewhere {
                format!("nothing to remove for `{name}`: its secret is kept by {place}")
            } else {
                format!("`{name}` was not logged in: no secret in {place}")
            });
            if *removed && !shared_with.is_empty() {
                let others: Vec<String> = shared_with.iter().map(|other| format!("`{other}`")).collect();
                page = page.line(format!("the same client, and so logged out too: {}", others.join(", ")));
            }
        }
        if self.profiles.iter().any(|it| it.removed) {
            page = page.line("tokens that were handed out live until they expire, at most 5 minutes");
        } else if self.profiles.is_empty() {
            page = page.line("there are no profiles");
        }
        page = page.line(match self.tokens_removed {
            0 => "no token was cached".to_owned(),
            1 => "the cached token is removed".to_owned(),
            count => format!("{count} cached tokens are removed"),
        });
        Text::Message(page)
    }
}
