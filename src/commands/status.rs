//! `status`: which client is used, on whose word, and whether its secret is there.

use clap::Args;
use serde_json::{Value, json};

use crate::domain::config::Profile;
use crate::domain::identity::{Client, ProfileName};
use crate::domain::page::{Page, Tone};
use crate::domain::resolve::{Plan, SecretSource};
use crate::domain::store_kind::StoreKind;
use crate::domain::variable::{ACCESS_TOKEN, GivenSecret};
use crate::edge::keyring::State;
use crate::edge::store::StoreError;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

use super::context::Context;

/// Show which client is used, who says so, and where its secret is
///
/// Never prompts and never uses the network. Exit code 4 where there is no secret to use.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Show every profile
    #[arg(long)]
    all: bool,
}

/// The state of one client, or of all profiles.
pub(super) struct StatusOutcome {
    entries: Vec<Entry>,
    all: bool,
    /// A ready token in the environment, which `interaction` uses rather than mint one.
    ready_token: bool,
    config_path: Option<String>,
}

struct Entry {
    profile: Option<ProfileName>,
    client: Client,
    /// Whose word it is; `None` with `--all`, where no choice is made.
    layer: Option<&'static str>,
    hidden: Vec<String>,
    place: String,
    secret: Secret,
}

/// Whether the secret is there.
enum Secret {
    Present,
    Unavailable(StoreError),
}

impl Secret {
    fn code(&self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Unavailable(error) => match error {
                StoreError::Missing => "missing",
                StoreError::Locked => "locked",
                StoreError::Ambiguous(_) => "ambiguous",
                StoreError::NoBus => "no_bus",
                StoreError::NoService => "no_service",
                StoreError::NoCollection => "no_collection",
                StoreError::TimedOut(_) => "timed_out",
                StoreError::NotASecret(_)
                | StoreError::Failed(_)
                | StoreError::File(_)
                | StoreError::Command(_)
                | StoreError::ReadOnly(_) => "failed",
            },
        }
    }
}

/// # Errors
/// Where no client can be named, unless `--all` is given.
pub(super) async fn run(args: &StatusArgs, context: &Context<'_>) -> Result<StatusOutcome, Failure> {
    let config_path = context.config_file().ok().map(|file| file.path().display().to_string());
    let ready_token = context.variables()?.access_token.is_some();
    let entries = if args.all { every(context).await? } else { vec![current(context).await?] };
    Ok(StatusOutcome { entries, all: args.all, ready_token, config_path })
}

async fn current(context: &Context<'_>) -> Result<Entry, Failure> {
    let plan = context.plan()?;
    let (place, secret) = match &plan.source {
        SecretSource::Given(GivenSecret::Value(_)) => ("the environment".to_owned(), Secret::Present),
        SecretSource::Given(GivenSecret::File(variable, path)) => {
            (format!("the file `{}`, by {variable}", path.display()), Secret::Present)
        }
        SecretSource::Store(_, profile) => stored(context, &profile.store, &plan.client).await?,
    };
    let Plan { client, layer, hidden, .. } = &plan;
    Ok(Entry {
        profile: plan.profile().cloned(),
        client: client.clone(),
        layer: Some(layer.as_str()),
        hidden: hidden.clone(),
        place,
        secret,
    })
}

async fn every(context: &Context<'_>) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for (name, Profile { client, store, .. }) in context.config()?.profiles() {
        let (place, secret) = stored(context, store, client).await?;
        let (profile, client) = (Some(name.clone()), client.clone());
        entries.push(Entry { profile, client, layer: None, hidden: Vec::new(), place, secret });
    }
    Ok(entries)
}

async fn stored(
    context: &Context<'_>,
    kind: &StoreKind,
    client: &Client,
) -> Result<(String, Secret), Failure> {
    let store = context.store(kind)?;
    let secret = match store.probe(client).await {
        Ok(State::Present) => Secret::Present,
        Ok(State::Missing) => Secret::Unavailable(StoreError::Missing),
        Ok(state) => state.usable().map_or_else(Secret::Unavailable, |()| Secret::Present),
        Err(error) => Secret::Unavailable(error),
    };
    Ok((store.place(client), secret))
}

impl Entry {
    fn json(&self) -> Value {
        json!({
            "profile": self.profile.as_ref().map(ProfileName::as_str),
            "chosen_by": self.layer,
            "hidden": self.hidden,
            "environment": self.client.environment.to_string(),
            "tenant": self.client.tenant.as_str(),
            "client_id": self.client.id.as_str(),
            "secret": self.secret.code(),
            "secret_place": self.place,
        })
    }

    fn page(&self) -> Page {
        let (tone, secret) = match &self.secret {
            Secret::Present => (Tone::Good, format!("present, in {}", self.place)),
            Secret::Unavailable(StoreError::Missing) => (Tone::Bad, format!("not stored in {}", self.place)),
            Secret::Unavailable(error) => (Tone::Bad, format!("{error} ({})", self.place)),
        };
        let mut page = Page::new()
            .optional("profile", self.profile.as_ref().map(ToString::to_string))
            .optional("chosen by", self.layer)
            .field("client", self.client.id.as_str())
            .field("environment", self.client.environment.to_string())
            .field("tenant", self.client.tenant.as_str())
            .toned_field("secret", tone, secret);
        for hidden in &self.hidden {
            page = page.toned_field("not used", Tone::Dim, hidden.as_str());
        }
        page
    }
}

impl Outcome for StatusOutcome {
    fn command(&self) -> &'static str {
        "status"
    }

    fn json(&self) -> Value {
        let entries: Vec<Value> = self.entries.iter().map(Entry::json).collect();
        match entries.as_slice() {
            [Value::Object(only)] if !self.all => {
                let mut fields = only.clone();
                fields.insert("config_file".to_owned(), json!(self.config_path));
                fields.insert("ready_token".to_owned(), json!(self.ready_token));
                Value::Object(fields)
            }
            _ => json!({
                "profiles": entries, "config_file": self.config_path, "ready_token": self.ready_token,
            }),
        }
    }

    fn text(&self) -> Text {
        let mut page = Page::new();
        for entry in &self.entries {
            page = page.join(entry.page());
            if self.all {
                page = page.line("");
            }
        }
        if self.ready_token {
            page =
                page.field("ready token", format!("in {ACCESS_TOKEN}: `interaction` uses it and mints none"));
        }
        Text::Page(page.field("config file", self.config_path.as_deref().unwrap_or("none: HOME is not set")))
    }

    fn verdict(&self) -> Option<Failure> {
        let entry = self.entries.first().filter(|_| !self.all)?;
        match &entry.secret {
            Secret::Present => None,
            Secret::Unavailable(error) => {
                let profile = entry.profile.clone().unwrap_or_default();
                Some(Failure::store(error, &entry.client, &profile))
            }
        }
    }
}
