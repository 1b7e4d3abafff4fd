//! `status`: which client is used, on whose word, whether its secret is there, and when it last was good.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::app::verification::{self, Verdict};
use crate::cli::argument;
use crate::domain::client::identity::{Client, ProfileName};
use crate::domain::client::resolve::{Layer, Plan, SecretSource};
use crate::domain::client::store_kind::StoreKind;
use crate::domain::client::variable::{ACCESS_TOKEN, GivenSecret};
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::mounted_secret;
use crate::edge::store::{State, StoreError};
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Never prompts, and uses the network only with --online. Exit code 4 where there is no secret to use; with --online
/// also the exit code that `token` would have. With --all a missing secret is no failure.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Show every profile
    #[arg(long)]
    all: bool,
    /// Mint a token with each secret, to see whether it still works
    #[arg(long)]
    online: bool,
}

/// The state of one client, or of all profiles.
pub(super) struct StatusOutcome {
    entries: Vec<Entry>,
    all: bool,
    /// A ready token in the environment, which `interaction` uses rather than mint one.
    ready_token: bool,
    config_path: Option<String>,
    now: Timestamp,
    /// The first mint that failed. Taken out once it is told.
    failure: Option<Failure>,
}

struct Entry {
    plan: Plan,
    /// Whether the plan's layer chose it; with `--all` no choice is made.
    chosen: bool,
    place: String,
    secret: Secret,
    last_verified: Option<Timestamp>,
    /// What the server said of the secret, where it was asked.
    online: Option<Verdict>,
}

/// Whether the secret is there.
enum Secret {
    Present,
    /// Another program keeps it, and only running that could tell.
    NotLookedAt,
    /// It is for this client, and options or variables name another one.
    Withheld(String),
    Unavailable(StoreError),
    /// A mounted file that cannot be used, and why.
    Unusable(String),
}

impl Secret {
    fn code(&self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::NotLookedAt => "not_looked_at",
            Self::Withheld(_) => "withheld",
            Self::Unusable(_) => "unusable",
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
                | StoreError::Unanswered(_)
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
    let mut entries = if args.all { every(context).await? } else { vec![current(context).await?] };
    let failure = if args.online { ask(context, &mut entries).await } else { None };
    let (all, now) = (args.all, context.host.clock.now());
    Ok(StatusOutcome { entries, all, ready_token, config_path, now, failure })
}

async fn current(context: &Context<'_>) -> Result<Entry, Failure> {
    Ok(Entry { chosen: true, ..Entry::of(context, context.plan()?).await? })
}

async fn every(context: &Context<'_>) -> Result<Vec<Entry>, Failure> {
    argument::refuse_profile_with_all(context, "status")?;
    let mut entries = Vec::new();
    for (name, profile) in context.config()?.profiles() {
        let source = SecretSource::Store(name.clone(), Box::new(profile.clone()));
        let plan = Plan { client: profile.client.clone(), source, layer: Layer::Flag, hidden: Vec::new() };
        entries.push(Entry::of(context, plan).await?);
    }
    Ok(entries)
}

/// Mints once for each secret that is there, and gives the first failure.
async fn ask(context: &Context<'_>, entries: &mut [Entry]) -> Option<Failure> {
    let tokens = Tokens::new(context);
    let (mut asked, mut first): (Vec<(Plan, Verdict)>, _) = (Vec::new(), None);
    for entry in
        entries.iter_mut().filter(|entry| matches!(entry.secret, Secret::Present | Secret::NotLookedAt))
    {
        let known = asked.iter().find(|(plan, _)| verification::same_secret(plan, &entry.plan));
        let verdict = if let Some((_, verdict)) = known {
            verdict.clone()
        } else {
            let token = tokens.get(&entry.plan, &ScopeRequest::Full, CachePolicy::BYPASS).await;
            let verdict = Verdict::of(&token);
            if let (Some((client, store)), Ok(_)) = (entry.plan.stored(), &token) {
                verification::record(context, client, store).await;
            }
            first = first.or(token.err());
            asked.push((entry.plan.clone(), verdict.clone()));
            verdict
        };
        if entry.plan.profile().is_some() && matches!(verdict, Verdict::Good) {
            entry.last_verified = Some(verification::now(context));
        }
        entry.online = Some(verdict);
    }
    first
}

async fn stored(
    context: &Context<'_>,
    kind: &StoreKind,
    client: &Client,
) -> Result<(String, Secret), Failure> {
    let store = context.store(kind)?;
    let secret = match store.probe(client).await {
        _ if matches!(kind, StoreKind::Command(_)) => Secret::NotLookedAt,
        Ok(State::Present) => Secret::Present,
        Ok(State::Missing) => Secret::Unavailable(StoreError::Missing),
        Ok(state) => state.usable().map_or_else(Secret::Unavailable, |()| Secret::Present),
        Err(error) => Secret::Unavailable(error),
    };
    Ok((store.place(client), secret))
}

impl Entry {
    async fn of(context: &Context<'_>, plan: Plan) -> Result<Self, Failure> {
        let (place, secret) = match &plan.source {
            SecretSource::Given(GivenSecret::Value(_)) => ("the environment".to_owned(), Secret::Present),
            SecretSource::Given(GivenSecret::File(variable, path)) => {
                let looked = mounted_secret::look(path);
                let secret =
                    looked.map_or_else(|error| Secret::Unusable(error.to_string()), |()| Secret::Present);
                (format!("the file `{}`, by {variable}", path.display()), secret)
            }
            SecretSource::Store(_, profile) => stored(context, &profile.store, &profile.client).await?,
            SecretSource::Withheld(_, profile, _) => {
                let owner = profile.client.store_user();
                (context.store(&profile.store)?.place(&profile.client), Secret::Withheld(owner))
            }
        };
        // A secret that is gone is not the one that was good.
        let gone = matches!(secret, Secret::Unavailable(StoreError::Missing));
        let last_verified = match &plan.source {
            SecretSource::Store(_, profile) if !gone => profile.last_verified,
            _ => None,
        };
        Ok(Self { plan, chosen: false, place, secret, last_verified, online: None })
    }

    fn json(&self) -> Value {
        let Plan { client, layer, hidden, .. } = &self.plan;
        json!({
            "profile": self.plan.profile().map(ProfileName::as_str),
            "chosen_by": self.chosen.then(|| layer.as_str()),
            "hidden": hidden,
            "environment": client.environment.to_string(),
            "tenant": client.tenant.as_str(),
            "client_id": client.id.as_str(),
            "secret": self.secret.code(),
            "secret_place": self.place,
            "last_verified": self.last_verified.map(|time| time.to_string()),
            "last_verified_unix": self.last_verified.map(Timestamp::as_second),
            "online": self.online.as_ref().map(Verdict::json),
        })
    }

    fn page(&self, now: Timestamp) -> Page {
        let (tone, secret) = match &self.secret {
            Secret::Present => (Tone::Good, format!("present, in {}", self.place)),
            Secret::NotLookedAt => {
                (Tone::Plain, format!("kept by {}, which is run when it is needed", self.place))
            }
            Secret::Withheld(owner) => {
                (Tone::Bad, format!("not used: it is for {owner} (in {})", self.place))
            }
            Secret::Unusable(reason) => (Tone::Bad, format!("not usable, in {}: {reason}", self.place)),
            Secret::Unavailable(StoreError::Missing) => (Tone::Bad, format!("not stored in {}", self.place)),
            Secret::Unavailable(error) => (Tone::Bad, format!("{error} ({})", self.place)),
        };
        let Plan { client, layer, hidden, .. } = &self.plan;
        let mut page = Page::new()
            .optional("profile", self.plan.profile().map(ToString::to_string))
            .optional("chosen by", self.chosen.then(|| layer.as_str()))
            .field("client", client.id.as_str())
            .field("environment", client.environment.to_string())
            .field("tenant", client.tenant.as_str())
            .toned_field("secret", tone, secret)
            .optional("last verified", self.last_verified.map(|at| verification::ago(at, now)));
        if let Some(verdict) = &self.online {
            let (tone, words) = verdict.words();
            page = page.toned_field("online", tone, words);
        }
        for hidden in hidden {
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
            page = page.join(entry.page(self.now));
            if self.all {
                page = page.line("");
            }
        }
        if self.ready_token {
            let users = "`interaction`, `probe` and `check` use it and mint none";
            page = page.field("ready token", format!("in {ACCESS_TOKEN}: {users}"));
        }
        Text::Page(page.field("config file", self.config_path.as_deref().unwrap_or("none: HOME is not set")))
    }

    fn verdict(&mut self) -> Option<Failure> {
        if let Some(failure) = self.failure.take() {
            return Some(failure);
        }
        let entry = self.entries.first().filter(|_| !self.all)?;
        if let SecretSource::Withheld(name, profile, overriding) = &entry.plan.source {
            return Some(Failure::withheld(name, &profile.client, &entry.plan.client, overriding));
        }
        match &entry.secret {
            Secret::Present | Secret::NotLookedAt | Secret::Withheld(_) => None,
            Secret::Unusable(reason) => {
                let message = format!("the secret cannot be used, in {}: {reason}", entry.place);
                Some(
                    Failure::new(Kind::Configuration, message)
                        .hint("name a file that is yours alone: chmod 600 FILE"),
                )
            }
            Secret::Unavailable(error) => {
                let profile = entry.plan.profile().cloned().unwrap_or_default();
                Some(Failure::store(error, &entry.plan.client, &profile))
            }
        }
    }
}
