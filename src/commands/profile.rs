//! `profile`: lists, shows, chooses and removes profiles.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::domain::config::{Config, Profile};
use crate::domain::identity::ProfileName;
use crate::domain::page::Page;
use crate::domain::scope::ScopeSet;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

use super::context::{self, Context};

/// List, show, choose and remove profiles
///
/// A profile is a name for an API client: its environment, tenant, client id and the store its secret is in.
#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// List the profiles
    List,
    /// Show one profile: the one named by --profile, or the default
    Show,
    /// Make a profile the default
    Use {
        /// The profile
        name: String,
    },
    /// Remove a profile and its secret
    Remove {
        /// The profile
        name: String,
        /// Leave the secret in its store, which then need not be reachable
        #[arg(long)]
        keep_secret: bool,
    },
}

/// What was listed or done.
pub(super) enum ProfileOutcome {
    List(Vec<Row>),
    Show(Box<Row>),
    Use(ProfileName),
    Remove { name: ProfileName, secret_removed: bool, was_default: bool, no_default: bool },
}

/// One profile.
pub(super) struct Row {
    name: ProfileName,
    profile: Profile,
    is_default: bool,
}

/// # Errors
/// Where there is no such profile, or the configuration or the store cannot be used.
pub(super) async fn run(args: &ProfileArgs, context: &Context<'_>) -> Result<ProfileOutcome, Failure> {
    match &args.command {
        ProfileCommand::List => {
            let config = context.config()?;
            let row = |(name, profile)| Row::new(config, name, profile);
            Ok(ProfileOutcome::List(config.profiles().iter().map(row).collect()))
        }
        ProfileCommand::Show => {
            let config = context.config()?;
            let name = context.chosen_profile()?;
            Ok(ProfileOutcome::Show(Box::new(Row::new(config, name, context.profile(name)?))))
        }
        ProfileCommand::Use { name } => {
            let name = context::profile_name(name)?;
            context.profile(&name)?;
            context.config_file()?.update(|config| config.set_default(&name))?;
            Ok(ProfileOutcome::Use(name))
        }
        ProfileCommand::Remove { name, keep_secret } => {
            remove(context, &context::profile_name(name)?, *keep_secret).await
        }
    }
}

/// The secret goes first: a profile without its secret can be removed again, a secret without its profile is lost
/// sight of.
async fn remove(
    context: &Context<'_>,
    name: &ProfileName,
    keep_secret: bool,
) -> Result<ProfileOutcome, Failure> {
    let config = context.config()?;
    let shared = !config.sharing(name, &context.profile(name)?.client).is_empty();
    let secret_removed = if shared || keep_secret { false } else { context.remove_secret(name).await? };
    if shared {
        context.note("the secret stays: another profile stands for the same client");
    }
    let was_default = config.default_profile() == Some(name);
    let left = context.config_file()?.update(|config| {
        config.remove(name);
        config.profiles().len()
    })?;
    let no_default = was_default && left > 0;
    Ok(ProfileOutcome::Remove { name: name.clone(), secret_removed, was_default, no_default })
}

impl Row {
    fn new(config: &Config, name: &ProfileName, profile: &Profile) -> Self {
        let is_default = config.default_profile() == Some(name);
        Self { name: name.clone(), profile: profile.clone(), is_default }
    }

    fn json(&self) -> Value {
        let client = &self.profile.client;
        json!({
            "profile": self.name.as_str(),
            "default": self.is_default,
            "environment": client.environment.to_string(),
            "tenant": client.tenant.as_str(),
            "client_id": client.id.as_str(),
            "store": self.profile.store.as_str(),
            "default_scope": self.profile.default_scope.as_ref().map(ScopeSet::to_strings),
        })
    }

    fn page(&self) -> Page {
        let client = &self.profile.client;
        let name =
            if self.is_default { format!("{} (the default)", self.name) } else { self.name.to_string() };
        Page::new()
            .field("profile", name)
            .field("environment", client.environment.to_string())
            .field("tenant", client.tenant.as_str())
            .field("client", client.id.as_str())
            .field("store", self.profile.store.as_str())
            .optional("default scope", self.profile.default_scope.as_ref().map(ToString::to_string))
    }

    /// One line of the list.
    fn summary(&self) -> (String, String) {
        let client = &self.profile.client;
        let mark = if self.is_default { "* " } else { "  " };
        (format!("{mark}{}", self.name), format!("{}  {}  {}", client.environment, client.tenant, client.id))
    }
}

impl Outcome for ProfileOutcome {
    fn command(&self) -> &'static str {
        match self {
            Self::List(_) => "profile-list",
            Self::Show(_) => "profile-show",
            Self::Use(_) => "profile-use",
            Self::Remove { .. } => "profile-remove",
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::List(rows) => json!({ "profiles": rows.iter().map(Row::json).collect::<Vec<_>>() }),
            Self::Show(row) => row.json(),
            Self::Use(name) => json!({ "profile": name.as_str() }),
            Self::Remove { name, secret_removed, was_default, .. } => json!({
                "profile": name.as_str(), "secret_removed": secret_removed, "was_default": was_default,
            }),
        }
    }

    fn text(&self) -> Text {
        match self {
            Self::List(rows) if rows.is_empty() => {
                Text::Message(Page::new().line("there are no profiles; corti-auth login makes one"))
            }
            Self::List(rows) => Text::Page(
                rows.iter()
                    .map(Row::summary)
                    .fold(Page::new(), |page, (name, client)| page.field(name, client)),
            ),
            Self::Show(row) => Text::Page(row.page()),
            Self::Use(name) => {
                Text::Message(Page::new().line(format!("`{name}` is the default profile now")))
            }
            Self::Remove { name, secret_removed, no_default, .. } => {
                let secret = if *secret_removed { "and its secret are" } else { "is" };
                let page = Page::new().line(format!("profile `{name}` {secret} removed"));
                Text::Message(if *no_default {
                    page.line("there is no default profile now: corti-auth profile use NAME")
                } else {
                    page
                })
            }
        }
    }
}
