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

/// Remove a profile's secret from its store
///
/// The profile stays, and so do tokens that were already issued: they live until they expire. Logging out twice is fine.
#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    /// Log out of every profile
    #[arg(long)]
    all: bool,
}

/// What was removed.
pub(super) struct LogoutOutcome {
    profiles: Vec<LoggedOut>,
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
    let config = context.config()?;
    let names: Vec<&ProfileName> =
        if args.all { config.profiles().keys().collect() } else { vec![context.chosen_profile()?] };
    let (mut profiles, mut failure) = (Vec::new(), None);
    for name in names {
        let profile = context.profile(name)?;
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
            name: name.clone(),
        });
    }
    if let Some(variable) = context.variables()?.client_variable() {
        context.warn(
            format!("{variable} is still set, and commands go on using it"),
            Some(&format!("unset {variable}")),
        );
    }
    Ok(LogoutOutcome { profiles, failure: RefCell::new(failure) })
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
        json!({ "profiles": profiles })
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
            page = page.line("tokens that were already issued live until they expire, at most 5 minutes");
        } else if self.profiles.is_empty() {
            page = page.line("there are no profiles");
        }
        Text::Message(page)
    }
}
