//! `profile`: lists, shows, chooses, renames, removes and imports profiles.

use clap::{Args, Subcommand};
use import::{ImportArgs, ImportOutcome};
use serde_json::{Value, json};

use crate::app::context::{self, Context};
use crate::app::tokens;
use crate::domain::client::config::{Config, Profile, RenameError};
use crate::domain::client::identity::ProfileName;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::text::page::Page;
use crate::domain::token::scope::ScopeSet;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

mod import;

/// List, show, choose, rename, remove and import profiles
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
    /// Give a profile another name
    ///
    /// The profile keeps its place and its comments in config.toml, and stays the default if it was. Its secret is
    /// stored under the client and not under the profile's name, so it stays where it is.
    Rename {
        /// The profile
        old: String,
        /// Its new name, which must be free
        new: String,
    },
    /// Remove a profile and its secret
    Remove {
        /// The profile
        name: String,
        /// Leave the secret in its store, which then need not be reachable
        #[arg(long)]
        keep_secret: bool,
    },
    Import(ImportArgs),
}

/// What was listed or done.
pub(super) enum ProfileOutcome {
    List(Vec<Row>),
    Show(Box<Row>),
    Use(ProfileName),
    Rename { old: ProfileName, new: ProfileName, is_default: bool },
    Import(Box<ImportOutcome>),
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
            context.config_file()?.update(|config| config.set_default(&name)).await?;
            Ok(ProfileOutcome::Use(name))
        }
        ProfileCommand::Rename { old, new } => {
            rename(context, context::profile_name(old)?, context::profile_name(new)?).await
        }
        ProfileCommand::Import(args) => {
            Ok(ProfileOutcome::Import(Box::new(import::run(args, context).await?)))
        }
        ProfileCommand::Remove { name, keep_secret } => {
            remove(context, &context::profile_name(name)?, *keep_secret).await
        }
    }
}

/// The secret is keyed by the client, not by the profile's name: nothing moves in the store.
async fn rename(
    context: &Context<'_>,
    old: ProfileName,
    new: ProfileName,
) -> Result<ProfileOutcome, Failure> {
    // Knows the nearest name, where there is none like this.
    context.profile(&old)?;
    let change = |config: &mut Config| {
        config.rename(&old, &new)?;
        Ok::<_, RenameError>(config.default_profile() == Some(&new))
    };
    let is_default = context.config_file()?.update(change).await??;
    Ok(ProfileOutcome::Rename { old, new, is_default })
}

/// The secret goes first: a profile without a secret can be removed again, and a secret without a profile is lost. The
/// configuration is locked meanwhile: what is removed is what the profile stands for now.
async fn remove(
    context: &Context<'_>,
    name: &ProfileName,
    keep_secret: bool,
) -> Result<ProfileOutcome, Failure> {
    // Knows the nearest name, where there is none like this.
    let known = context.profile(name)?;
    let again = format!("corti-auth profile remove {name}");
    let keep =
        |failure: Failure| failure.hint(format!("or leave the secret where it is: {again} --keep-secret"));
    if !keep_secret && context.config()?.sharing(name, known).is_empty() {
        context.reach_store(name, known).await.map_err(keep)?;
    }
    let mut held = context.config_file()?.hold().await?;
    let Some(profile) = held.config.profiles().get(name).cloned() else {
        return Err(RenameError::Missing(name.clone()).into());
    };
    let shared = !held.config.sharing(name, &profile).is_empty();
    let secret_removed = if shared || keep_secret {
        false
    } else {
        held.config.set_credential(&profile.client, &profile.store, None);
        held.save()?;
        context.remove_secret(name, &profile, &again).await.map_err(keep)?
    };
    if !shared {
        tokens::remove_of(&profile.client, context);
    }
    if shared {
        context.note("the secret stays: another profile stands for the same client");
    }
    let was_default = held.config.default_profile() == Some(name);
    held.config.remove(name);
    let no_default = was_default && !held.config.profiles().is_empty();
    held.save()?;
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
        let command = match &self.profile.store {
            StoreKind::Command(command) => Some(command.to_string()),
            StoreKind::Keyring | StoreKind::File => None,
        };
        Page::new()
            .field("profile", name)
            .field("environment", client.environment.to_string())
            .field("tenant", client.tenant.as_str())
            .field("client", client.id.as_str())
            .field("store", self.profile.store.as_str())
            .optional("secret command", command)
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
            Self::Rename { .. } => "profile-rename",
            Self::Import(_) => "profile-import",
            Self::Remove { .. } => "profile-remove",
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::List(rows) => json!({ "profiles": rows.iter().map(Row::json).collect::<Vec<_>>() }),
            Self::Show(row) => row.json(),
            Self::Use(name) => json!({ "profile": name.as_str() }),
            Self::Rename { old, new, is_default } => {
                json!({ "profile": new.as_str(), "renamed_from": old.as_str(), "default": is_default })
            }
            Self::Import(outcome) => outcome.json(),
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
            Self::Rename { old, new, is_default } => {
                let mark = if *is_default { ", the default profile" } else { "" };
                Text::Message(Page::new().line(format!("`{old}` is called `{new}` now{mark}")))
            }
            Self::Import(outcome) => outcome.text(),
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
