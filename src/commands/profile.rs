//! `profile`: lists, shows, chooses, renames, removes and imports profiles.

use clap::{Args, Subcommand};
use import::ImportArgs;
use serde_json::{Value, json};

use crate::app::context::{self, Context};
use crate::app::credentials::Credential;
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
pub(super) struct ProfileOutcome {
    command: &'static str,
    json: Value,
    text: Text,
}

impl ProfileOutcome {
    /// One that did something, told in one line.
    fn done(command: &'static str, json: Value, line: String) -> Self {
        Self { command, json, text: Text::Message(Page::new().line(line)) }
    }
}

/// One profile.
struct Row {
    name: ProfileName,
    profile: Profile,
    is_default: bool,
}

pub(super) async fn run(args: &ProfileArgs, context: &Context<'_>) -> Result<ProfileOutcome, Failure> {
    match &args.command {
        ProfileCommand::List => {
            let config = context.config()?;
            let rows: Vec<Row> =
                config.profiles().iter().map(|(name, profile)| Row::new(config, name, profile)).collect();
            let json = json!({ "profiles": rows.iter().map(Row::json).collect::<Vec<_>>() });
            if rows.is_empty() {
                let line = "there are no profiles; corti-auth login makes one".to_owned();
                return Ok(ProfileOutcome::done("profile-list", json, line));
            }
            let page =
                rows.iter().map(Row::summary).fold(Page::new(), |page, (name, it)| page.field(name, it));
            Ok(ProfileOutcome { command: "profile-list", json, text: Text::Page(page) })
        }
        ProfileCommand::Show => {
            let name = context.chosen_profile()?;
            let row = Row::new(context.config()?, name, context.profile(name)?);
            Ok(ProfileOutcome { command: "profile-show", json: row.json(), text: Text::Page(row.page()) })
        }
        ProfileCommand::Use { name } => {
            let name = context::profile_name(name)?;
            context.profile(&name)?;
            context.config_file()?.update(|config| config.set_default(&name)).await?;
            let json = json!({ "profile": name.as_str() });
            Ok(ProfileOutcome::done("profile-use", json, format!("`{name}` is the default profile now")))
        }
        ProfileCommand::Rename { old, new } => {
            rename(context, &context::profile_name(old)?, &context::profile_name(new)?).await
        }
        ProfileCommand::Import(args) => {
            let (json, text) = import::run(args, context).await?;
            Ok(ProfileOutcome { command: "profile-import", json, text })
        }
        ProfileCommand::Remove { name, keep_secret } => {
            remove(context, &context::profile_name(name)?, *keep_secret).await
        }
    }
}

/// The secret is stored under the client, not under the profile's name: nothing moves in the store.
async fn rename(
    context: &Context<'_>,
    old: &ProfileName,
    new: &ProfileName,
) -> Result<ProfileOutcome, Failure> {
    // Suggests the nearest name, where there is none like this.
    context.profile(old)?;
    let change = |config: &mut Config| {
        config.rename(old, new)?;
        Ok::<_, RenameError>(config.default_profile() == Some(new))
    };
    let is_default = context.config_file()?.update(change).await??;
    let json = json!({ "profile": new.as_str(), "renamed_from": old.as_str(), "default": is_default });
    let mark = if is_default { ", the default profile" } else { "" };
    Ok(ProfileOutcome::done("profile-rename", json, format!("renamed {old} to {new}{mark}")))
}

/// Removes the secret first, unless another profile uses it. The configuration is locked meanwhile: what is removed is what
/// the profile stands for now.
async fn remove(
    context: &Context<'_>,
    name: &ProfileName,
    keep_secret: bool,
) -> Result<ProfileOutcome, Failure> {
    // Suggests the nearest name, where there is none like this.
    let known = context.profile(name)?;
    let keep = |failure: Failure| {
        failure.hint(format!("or leave the secret there: corti-auth profile remove {name} --keep-secret"))
    };
    if !keep_secret && context.config()?.sharing(name, known).is_empty() {
        Credential::of(context, name, known)?.unlock().await.map_err(keep)?;
    }
    let mut held = context.config_file()?.hold().await?;
    let Some(profile) = held.config.profiles().get(name).cloned() else {
        return Err(RenameError::Missing(name.clone()).into());
    };
    let others = names(&held.config.sharing(name, &profile));
    let secret_removed = others.is_empty()
        && !keep_secret
        && Credential::of(context, name, &profile)?.remove(&mut held).await.map_err(keep)?;
    if others.is_empty() {
        tokens::remove_of(&profile.client, context);
    } else {
        context.note(format!("secret kept: this client is also used by {others}"));
    }
    let was_default = held.config.default_profile() == Some(name);
    held.config.remove(name);
    let no_default = was_default && !held.config.profiles().is_empty();
    held.save()?;
    let json = json!({
        "profile": name.as_str(), "secret_removed": secret_removed, "was_default": was_default,
    });
    let what = if secret_removed { "and its secret are" } else { "is" };
    let page = Page::new().line(format!("profile `{name}` {what} removed"));
    let hint = "there is no default profile now: corti-auth profile use NAME";
    let page = if no_default { page.line(hint) } else { page };
    Ok(ProfileOutcome { command: "profile-remove", json, text: Text::Message(page) })
}

fn names(profiles: &[&ProfileName]) -> String {
    profiles.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
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
        self.command
    }

    fn json(&self) -> Value {
        self.json.clone()
    }

    fn text(&self) -> Text {
        self.text.clone()
    }
}
