//! `profile`: lists, shows, chooses, changes, renames, removes and imports profiles.

use clap::{Args, Subcommand};
use import::ImportArgs;
use serde_json::{Value, json};

use crate::app::context::{self, Context};
use crate::app::credentials::Credential;
use crate::app::secret_state::SecretState;
use crate::app::spinner;
use crate::app::tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::{Config, Profile, RenameError};
use crate::domain::client::identity::ProfileName;
use crate::domain::client::variable;
use crate::domain::text::page::{Column, Page};
use crate::domain::text::shell::Shell;
use crate::domain::token::scope::ScopeSet;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod import;
mod set;

/// List, show, choose, change, rename, remove and import profiles
///
/// A profile names an API client: its environment, tenant, client id, and where its secret is stored.
#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// List the profiles
    #[command(visible_alias = "ls")]
    List,
    /// Show one profile: the named one, or the default
    #[command(visible_alias = "get")]
    Show {
        /// Name of the profile
        name: Option<String>,
    },
    /// Make a profile the default
    Use {
        /// Name of the profile
        name: String,
    },
    Set(set::SetArgs),
    /// Give a profile another name
    ///
    /// The profile keeps its place and its comments in config.toml, and stays the default if it was. Its secret is
    /// stored under the client and not under the profile's name, so it stays where it is.
    Rename {
        /// Name of the profile
        old: String,
        /// Its new name, which must be free
        new: String,
    },
    /// Remove a profile and its secret
    #[command(visible_aliases = ["rm", "delete"])]
    Remove {
        /// Name of the profile
        name: String,
        /// Keep the secret in its store; works even if the store is unreachable
        #[arg(long)]
        keep_secret: bool,
    },
    Import(ImportArgs),
}

/// The outcome of a command that says in one line what it did.
fn done(command: &'static str, json: Value, line: String) -> Outcome {
    Outcome::new(command, json, Text::Message(Page::new().line(line)))
}

pub(super) async fn run(args: &ProfileArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    match &args.command {
        ProfileCommand::List => list(context).await,
        ProfileCommand::Show { name } => {
            let named = name.as_deref().map(context::profile_name).transpose()?;
            let name = match &named {
                Some(name) => name,
                None => context.chosen_profile()?,
            };
            let (profile, config) = (context.profile(name)?, context.config()?);
            Ok(Outcome::new(
                "profile-show",
                json(name, profile, config),
                Text::Page(page(name, profile, config)),
            ))
        }
        ProfileCommand::Use { name } => {
            let name = context::profile_name(name)?;
            context.profile(&name)?;
            context.config_file()?.update(|config| config.set_default(&name)).await?;
            warn_if_hidden(&name, context)?;
            let json = json!({ "profile": name.as_str() });
            Ok(done("profile-use", json, format!("`{name}` is the default profile now")))
        }
        ProfileCommand::Rename { old, new } => {
            rename(context, &context::profile_name(old)?, &context::profile_name(new)?).await
        }
        ProfileCommand::Set(args) => set::run(args, context).await,
        ProfileCommand::Import(args) => import::run(args, context).await,
        ProfileCommand::Remove { name, keep_secret } => {
            remove(context, &context::profile_name(name)?, *keep_secret).await
        }
    }
}

/// Variables outrank the default profile.
fn warn_if_hidden(name: &ProfileName, context: &Context<'_>) -> Result<(), Failure> {
    let variables = context.variables()?;
    let profile = variables.profile.as_ref().filter(|set| *set != name).map(|_| variable::PROFILE);
    let hiding: Vec<&str> = profile.into_iter().chain(variables.naming_a_client()).collect();
    if let Some(first) = hiding.first() {
        let message = format!("{first} is set and overrides the default profile `{name}` in this shell");
        context.warn(message, Some(&Shell::HERE.unset(&hiding)));
    }
    Ok(())
}

async fn list(context: &Context<'_>) -> Result<Outcome, Failure> {
    let config = context.config()?;
    let profiles = config.profiles();
    let rows: Vec<Value> = profiles.iter().map(|(name, profile)| json(name, profile, config)).collect();
    let json = json!({ "profiles": rows });
    if profiles.is_empty() {
        let page = Page::new().line("no profiles").line("hint: corti-auth login");
        return Ok(Outcome::new("profile-list", json, Text::Message(page)));
    }
    if context.host.terminal.stdout && !context.options.json {
        return Ok(Outcome::new("profile-list", json, Text::Page(table(context).await?)));
    }
    let row = |page: Page, (name, Profile { client, .. }): (&ProfileName, &Profile)| {
        let mark = if config.default_profile() == Some(name) { "* " } else { "  " };
        page.field(
            format!("{mark}{name}"),
            format!("{}  {}  {}", client.environment, client.tenant, client.id),
        )
    };
    Ok(Outcome::new("profile-list", json, Text::Page(profiles.iter().fold(Page::new(), row))))
}

/// For a person, with the state of each secret. No prompt is shown.
async fn table(context: &Context<'_>) -> Result<Page, Failure> {
    let config = context.config()?;
    let mut rows = Vec::new();
    for (name, Profile { client, store: kind, .. }) in config.profiles() {
        let mark = if config.default_profile() == Some(name) { "*" } else { " " };
        let store = context.store(kind)?;
        let looking = SecretState::stored(&store, name, client);
        let secret = spinner::show(context, "looking for the secrets", looking).await.code;
        let Client { environment, tenant, id } = client;
        let secret = secret.replace('_', " ");
        let texts = [&secret, &environment.to_string(), tenant.as_str(), id.as_str(), kind.as_str()];
        rows.push([&[format!("{mark} {name}")], &texts.map(str::to_owned)[..]].concat());
    }
    let width = |at: usize, heading: &str| {
        let widths = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default().max(heading.len())
    };
    let whole = |at, heading| Column::whole(heading, width(at, heading));
    let text = |at, heading: &'static str| {
        let width = width(at, heading);
        Column::text(heading, width, width.min(heading.len()))
    };
    let columns = [
        whole(0, "  PROFILE"),
        whole(1, "SECRET"),
        text(2, "ENVIRONMENT"),
        text(3, "TENANT"),
        whole(4, "CLIENT"),
        whole(5, "STORE"),
    ];
    Ok(rows.into_iter().fold(Page::new().headings(&columns), |page, row| page.cells(&columns, row)))
}

fn json(name: &ProfileName, profile: &Profile, config: &Config) -> Value {
    let Client { environment, tenant, id } = &profile.client;
    json!({
        "profile": name.as_str(),
        "default": config.default_profile() == Some(name),
        "environment": environment.to_string(),
        "tenant": tenant.as_str(),
        "client_id": id.as_str(),
        "store": profile.store.as_str(),
        "default_scope": profile.default_scope.as_ref().map(ScopeSet::to_strings),
    })
}

fn page(name: &ProfileName, profile: &Profile, config: &Config) -> Page {
    let Client { environment, tenant, id } = &profile.client;
    let is_marked = config.default_profile() == Some(name) && name.as_str() != "default";
    let mark = if is_marked { " (the default)" } else { "" };
    Page::new()
        .field("profile", format!("{name}{mark}"))
        .field("environment", environment.to_string())
        .field("tenant", tenant.as_str())
        .field("client", id.as_str())
        .field("store", profile.store.as_str())
        .optional("secret command", profile.store.command().map(ToString::to_string))
        .optional("default scope", profile.default_scope.as_ref().map(ToString::to_string))
}

/// Only the name in config.toml changes: the secret is stored under the client.
async fn rename(context: &Context<'_>, old: &ProfileName, new: &ProfileName) -> Result<Outcome, Failure> {
    // Suggests the nearest name if there is no such profile.
    context.profile(old)?;
    let change = |config: &mut Config| {
        config.rename(old, new)?;
        Ok::<_, RenameError>(config.default_profile() == Some(new))
    };
    let is_default = context.config_file()?.update(change).await??;
    let json = json!({ "profile": new.as_str(), "renamed_from": old.as_str(), "default": is_default });
    let mark = if is_default { " (still the default profile)" } else { "" };
    Ok(done("profile-rename", json, format!("renamed {old} to {new}{mark}")))
}

/// Asks a person, before the secret goes too.
async fn confirm(context: &Context<'_>, name: &ProfileName, profile: &Profile) -> Result<(), Failure> {
    let Client { environment, tenant, id } = &profile.client;
    let question = format!("Remove `{name}` and the secret of client {id} ({environment}, tenant {tenant})?");
    if context.questions().confirm(&question).await? {
        return Ok(());
    }
    context.note("cancelled; nothing was removed");
    Err(Failure::new(Kind::Interrupted, "cancelled; nothing was removed"))
}

/// Removes the secret first, unless another profile uses it. The configuration is read again under its lock: another process
/// may have changed the profile.
async fn remove(context: &Context<'_>, name: &ProfileName, keep_secret: bool) -> Result<Outcome, Failure> {
    // Suggests the nearest name if there is no such profile.
    let known = context.profile(name)?;
    let keep = |failure: Failure| {
        failure.hint(format!("or leave the secret there: corti-auth profile remove {name} --keep-secret"))
    };
    if !keep_secret && context.config()?.sharing(name, known).is_empty() {
        let has_secret = Credential::of(context, name, known)?.unlock().await.map_err(keep)?;
        if has_secret && known.store.command().is_none() && context.may_ask() {
            confirm(context, name, known).await?;
        }
    }
    let mut held = context.config_file()?.hold().await?;
    let Some(profile) = held.config.profiles().get(name).cloned() else {
        return Err(RenameError::Missing(name.clone()).into());
    };
    let others: Vec<&str> =
        held.config.sharing(name, &profile).into_iter().map(ProfileName::as_str).collect();
    let others = others.join(", ");
    let secret_removed = others.is_empty()
        && !keep_secret
        && Credential::of(context, name, &profile)?.remove(&mut held).await.map_err(keep)?;
    if others.is_empty() {
        tokens::forget_cached_of(&profile.client, context);
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
    if no_default {
        context.warn("there is no default profile now", Some("corti-auth profile use NAME"));
    }
    Ok(Outcome::new("profile-remove", json, Text::Message(page)))
}
