//! `status`: which client is used, on whose word, whether its secret is there, and when it last was good.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::app::credentials;
use crate::app::tokens::Tokens;
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::{Layer, Plan, SecretSource};
use crate::domain::client::secret::{ClientSecret, MAX_SECRET_BYTES};
use crate::domain::client::variable::{ACCESS_TOKEN, GivenSecret};
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::inspection::span;
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::mounted_secret;
use crate::edge::store::{State, Store, StoreError};
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

/// The state of a secret.
struct Secret {
    /// The word for it in JSON.
    code: &'static str,
    tone: Tone,
    text: String,
    /// Why it cannot be used.
    failure: Option<Failure>,
}

impl Secret {
    fn present(place: &str) -> Self {
        Self { code: "present", tone: Tone::Good, text: format!("present, in {place}"), failure: None }
    }

    fn unusable(code: &'static str, text: String, failure: Failure) -> Self {
        Self { code, tone: Tone::Bad, text, failure: Some(failure) }
    }

    fn mounted(path: &Path, place: &str) -> Self {
        let read = mounted_secret::read(path, MAX_SECRET_BYTES + 2).map_err(|error| error.to_string());
        let secret = read.and_then(|bytes| {
            ClientSecret::from_bytes(&Zeroizing::new(bytes)).map_err(|error| error.to_string())
        });
        match secret {
            Ok(_) => Self::present(place),
            Err(reason) => {
                let message = format!("the secret cannot be used, in {place}: {reason}");
                let failure = Failure::new(Kind::Configuration, message)
                    .hint("name a file that is yours alone: chmod 600 FILE");
                Self::unusable("unusable", format!("not usable, in {place}: {reason}"), failure)
            }
        }
    }

    async fn stored(store: &Store, name: &ProfileName, client: &Client) -> Self {
        let place = store.place(client);
        if matches!(store, Store::Command(..)) {
            // Only running the command could tell, and that may ask for a passphrase.
            let text = format!("kept by {place}, which is run when it is needed");
            return Self { code: "not_looked_at", tone: Tone::Plain, text, failure: None };
        }
        let error = match store.probe(client).await {
            Ok(State::Present) => return Self::present(&place),
            Ok(State::Missing) => StoreError::Missing,
            Ok(state) => match state.usable() {
                Ok(()) => return Self::present(&place),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let code = match &error {
            StoreError::Missing => "missing",
            StoreError::Locked => "locked",
            StoreError::Ambiguous(_) => "ambiguous",
            StoreError::NoBus => "no_bus",
            StoreError::NoService => "no_service",
            StoreError::NoCollection => "no_collection",
            StoreError::TimedOut(_) => "timed_out",
            _ => "failed",
        };
        let text = match &error {
            StoreError::Missing => format!("not stored in {place}"),
            error => format!("{error} ({place})"),
        };
        Self::unusable(code, text, Failure::store(&error, client, name))
    }
}

/// Whether Corti accepted a secret.
#[derive(Clone)]
enum Verdict {
    Good,
    /// Corti did not accept it, or did not answer: the failure's `code` and message.
    Bad(&'static str, String),
}

impl Verdict {
    fn json(&self) -> Value {
        match self {
            Self::Good => json!({ "verified": true }),
            Self::Bad(code, message) => json!({ "verified": false, "code": code, "message": message }),
        }
    }

    fn words(&self) -> (Tone, String) {
        match self {
            Self::Good => (Tone::Good, "Corti accepted the secret".to_owned()),
            Self::Bad(_, message) => (Tone::Bad, message.clone()),
        }
    }
}

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
    for entry in entries.iter_mut().filter(|entry| entry.secret.failure.is_none()) {
        let known = asked.iter().find(|(plan, _)| same_secret(plan, &entry.plan));
        let verdict = if let Some((_, verdict)) = known {
            verdict.clone()
        } else {
            let token = tokens.get(&entry.plan, &ScopeRequest::Full, CachePolicy::BYPASS).await;
            let verdict = match &token {
                Ok(_) => Verdict::Good,
                Err(failure) => Verdict::Bad(failure.kind().code(), failure.in_one_line()),
            };
            if let (Some((client, store)), Ok(_)) = (entry.plan.stored(), &token) {
                credentials::note_verified(context, client, store).await;
            }
            first = first.or(token.err());
            asked.push((entry.plan.clone(), verdict.clone()));
            verdict
        };
        if entry.plan.profile().is_some() && matches!(verdict, Verdict::Good) {
            entry.last_verified = Some(credentials::now(context));
        }
        entry.online = Some(verdict);
    }
    first
}

impl Entry {
    async fn of(context: &Context<'_>, plan: Plan) -> Result<Self, Failure> {
        let (place, secret) = match &plan.source {
            SecretSource::Given(GivenSecret::Value(_)) => {
                ("the environment".to_owned(), Secret::present("the environment"))
            }
            SecretSource::Given(GivenSecret::File(variable, path)) => {
                let place = format!("the file `{}`, by {variable}", path.display());
                let secret = Secret::mounted(path, &place);
                (place, secret)
            }
            SecretSource::Store(name, profile) => {
                let store = context.store(&profile.store)?;
                (store.place(&profile.client), Secret::stored(&store, name, &profile.client).await)
            }
            SecretSource::Withheld(name, profile, overriding) => {
                let place = context.store(&profile.store)?.place(&profile.client);
                let text = format!("not used: it is for {} (in {place})", profile.client.store_user());
                let failure = Failure::withheld(name, &profile.client, &plan.client, overriding);
                (place, Secret::unusable("withheld", text, failure))
            }
        };
        let last_verified = match &plan.source {
            // A secret that is gone is not the one that was good.
            SecretSource::Store(_, profile) if secret.code != "missing" => profile.last_verified,
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
            "secret": self.secret.code,
            "secret_place": self.place,
            "last_verified": self.last_verified.map(|time| time.to_string()),
            "last_verified_unix": self.last_verified.map(Timestamp::as_second),
            "online": self.online.as_ref().map(Verdict::json),
        })
    }

    fn page(&self, now: Timestamp) -> Page {
        let Plan { client, layer, hidden, .. } = &self.plan;
        let mut page = Page::new()
            .optional("profile", self.plan.profile().map(ToString::to_string))
            .optional("chosen by", self.chosen.then(|| layer.as_str()))
            .field("client", client.id.as_str())
            .field("environment", client.environment.to_string())
            .field("tenant", client.tenant.as_str())
            .toned_field("secret", self.secret.tone, self.secret.text.as_str())
            .optional("last verified", self.last_verified.map(|at| ago(at, now)));
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

/// `3 min 5 s ago (2026-01-02T03:04:05Z)`; the time alone where it is in the future, by another clock.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.as_second() - at.as_second()) {
        Ok(seconds) => format!("{} ago ({at})", span(seconds)),
        Err(_) => at.to_string(),
    }
}

/// Whether two plans use one stored secret, which then is asked for once.
fn same_secret(one: &Plan, other: &Plan) -> bool {
    one.stored().is_some_and(|stored| other.stored() == Some(stored))
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
        let entry = self.entries.first_mut().filter(|_| !self.all);
        self.failure.take().or_else(|| entry?.secret.failure.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_its_distance() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let later = at + jiff::SignedDuration::from_secs(185);
        assert_eq!(ago(at, later), "3 min 5 s ago (2026-01-02T03:04:05Z)");
        assert_eq!(ago(later, at), "2026-01-02T03:07:10Z");
    }
}
