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
use crate::failure::Failure;
use crate::output::{Outcome, Text};

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
    /// Why the first profile that could not be logged out could not. Taken out once it is told.
    failure: Option<Failure>,
}

struct LoggedOut {
    name: ProfileName,
    /// Where the secret was, or would be.
    place: String,
    end: End,
}

/// What became of a profile's secret.
enum End {
    /// It is removed, which logs out these other profiles of the same client too.
    Removed(Vec<ProfileName>),
    /// There was none.
    Missing,
    /// A command keeps it, and goes on keeping it.
    KeptElsewhere,
    /// The store failed, for this reason. Whether the secret was removed is not known where the answer was lost.
    Failed { reason: String, is_uncertain: bool },
}

pub(super) async fn run(args: &LogoutArgs, context: &Context<'_>) -> Result<LogoutOutcome, Failure> {
    let named = named(args, context)?;
    let removed = remove_secrets(args, context, &named).await;
    // Last, for those that were minted meanwhile; and where a store failed, too.
    let tokens_removed = remove_tokens(context, &named);
    let (profiles, failure) = removed?;
    if let Some(variable) = context.variables()?.client_variable() {
        context.warn(
            format!("{variable} is still set, and commands go on using it"),
            Some(&format!("unset {variable}")),
        );
    }
    Ok(LogoutOutcome { profiles, tokens_removed, failure })
}

/// The profiles to log out of. Where variables name a client there need be none: its tokens are cached too.
fn named<'a>(
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
        Err(failure) => Err(failure),
    }
}

/// All that this configuration folder's commands cached, and those of the same clients by other folders.
fn remove_tokens(context: &Context<'_>, named: &[(&ProfileName, &Profile)]) -> usize {
    let others = |(_, profile): &(&ProfileName, &Profile)| tokens::remove_of(&profile.client, context);
    tokens::remove_all(context) + named.iter().map(others).sum::<usize>()
}

async fn remove_secrets(
    args: &LogoutArgs,
    context: &Context<'_>,
    named: &[(&ProfileName, &Profile)],
) -> Result<(Vec<LoggedOut>, Option<Failure>), Failure> {
    let (mut profiles, mut failure) = (Vec::<LoggedOut>::new(), None);
    for (name, profile) in named {
        let credential = Credential::of(context, name, profile)?;
        let removed_before = named.iter().zip(&profiles).any(|((_, other), before)| {
            matches!(before.end, End::Removed(_)) && profile.uses(&other.client, &other.store)
        });
        let end = if profile.store.command().is_some() {
            End::KeptElsewhere
        } else {
            match remove_secret(context, &credential).await {
                Ok(false) if !removed_before => End::Missing,
                // With --all each of the others has its own line.
                Ok(_) if args.all => End::Removed(Vec::new()),
                Ok(_) => {
                    End::Removed(context.config()?.sharing(name, profile).into_iter().cloned().collect())
                }
                // The others can still be logged out.
                Err(error) if args.all => {
                    let (reason, is_uncertain) = (error.in_one_line(), error.is_uncertain_change);
                    failure = failure.or(Some(error));
                    End::Failed { reason, is_uncertain }
                }
                Err(error) => return Err(error),
            }
        };
        profiles.push(LoggedOut { name: (*name).clone(), place: credential.place(), end });
    }
    Ok((profiles, failure))
}

async fn remove_secret(context: &Context<'_>, credential: &Credential<'_>) -> Result<bool, Failure> {
    credential.unlock().await?;
    let mut held = context.config_file()?.hold().await?;
    credential.remove(&mut held).await
}

impl LoggedOut {
    fn json(&self) -> Value {
        let (others, reason) = match &self.end {
            End::Removed(others) => (others.iter().map(ProfileName::as_str).collect(), None),
            End::Failed { reason, .. } => (Vec::new(), Some(reason)),
            End::Missing | End::KeptElsewhere => (Vec::new(), None),
        };
        json!({
            "profile": self.name.as_str(),
            "removed": match self.end {
                End::Removed(_) => Some(true),
                End::Failed { is_uncertain: true, .. } => None,
                End::Missing | End::KeptElsewhere | End::Failed { .. } => Some(false),
            },
            "also_logged_out": others,
            "kept_elsewhere": matches!(self.end, End::KeptElsewhere),
            "failure": reason,
        })
    }

    fn lines(&self, page: Page) -> Page {
        let Self { name, place, end } = self;
        match end {
            End::Removed(others) => {
                let page = page.line(format!("logged out of `{name}`: the secret is removed from {place}"));
                if others.is_empty() {
                    return page;
                }
                let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
                page.line(format!("the same client, and so logged out too: {}", others.join(", ")))
            }
            End::KeptElsewhere => {
                page.line(format!("nothing to remove for `{name}`: its secret is kept by {place}"))
            }
            End::Missing => page.line(format!("`{name}` was not logged in: no secret in {place}")),
            End::Failed { reason, is_uncertain: true } => {
                page.toned(Tone::Bad, format!("`{name}`: {reason}"))
            }
            End::Failed { reason, .. } => {
                page.toned(Tone::Bad, format!("`{name}` is not logged out: {reason}"))
            }
        }
    }
}

impl Outcome for LogoutOutcome {
    fn command(&self) -> &'static str {
        "logout"
    }

    fn json(&self) -> Value {
        let profiles: Vec<Value> = self.profiles.iter().map(LoggedOut::json).collect();
        json!({ "profiles": profiles, "tokens_removed": self.tokens_removed })
    }

    fn verdict(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn text(&self) -> Text {
        let mut page = self.profiles.iter().fold(Page::new(), |page, it| it.lines(page));
        if self.profiles.iter().any(|it| matches!(it.end, End::Removed(_))) {
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
