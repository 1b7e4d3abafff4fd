//! `status`: shows the active client, where that choice comes from, where its secret is kept, and when it last worked.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::credentials;
use crate::app::tokens::{self, Tokens};
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::Profile;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::{Layer, Plan, SecretSource};
use crate::domain::client::variable::{ACCESS_TOKEN, GivenSecret};
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::inspection::span;
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::config_file::HOME;
use crate::edge::store::{Store, StoreError};
use crate::failure::Failure;
use crate::output::{Outcome, Text};

/// Never prompts, and uses the network only with --online. Exits with 4 if there is no usable secret; with --online also
/// with the exit code of `token`. With --all a missing secret is not a failure.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Show every profile
    #[arg(long)]
    all: bool,
    /// Mint a token with each secret to check that it still works
    #[arg(long)]
    online: bool,
}

/// A client and its secret.
struct Entry {
    plan: Plan,
    place: String,
    secret: SecretState,
    last_verified: Option<Timestamp>,
    /// Whether Corti accepted the secret, or the failure's code and message. `None` if Corti was not asked.
    online: Option<Result<(), (&'static str, String)>>,
}

/// The state of a secret.
struct SecretState {
    /// The word for it in JSON.
    code: &'static str,
    tone: Tone,
    text: String,
    /// Why it cannot be used.
    failure: Option<Failure>,
}

impl SecretState {
    fn present(place: &str) -> Self {
        Self { code: "present", tone: Tone::Good, text: format!("present, in {place}"), failure: None }
    }

    fn unusable(code: &'static str, text: String, failure: Failure) -> Self {
        Self { code, tone: Tone::Bad, text, failure: Some(failure) }
    }

    async fn mounted(variable: &'static str, path: &Path, place: &str) -> Self {
        match tokens::read_mounted(variable, path).await {
            Ok(_) => Self::present(place),
            Err(failure) => Self::unusable("unusable", failure.in_one_line(), failure),
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
            Ok(true) => return Self::present(&place),
            Ok(false) => StoreError::Missing,
            Err(error) => error,
        };
        let code = match &error {
            StoreError::Missing => "missing",
            StoreError::Locked => "locked",
            StoreError::Ambiguous(_) => "ambiguous",
            StoreError::NoBus => "no_bus",
            StoreError::NoLogonSession => "no_logon_session",
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

pub(super) async fn run(args: &StatusArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let config_path = context.config_file().ok().map(|file| file.path().display().to_string());
    let ready_token = context.variables()?.access_token.is_some();
    let mut entries = Vec::new();
    for plan in if args.all { every_profile(context)? } else { vec![context.plan()?] } {
        entries.push(Entry::of(context, plan).await?);
    }
    let rejected = if args.online { verify(context, &mut entries).await } else { None };

    let mut list: Vec<Value> = entries.iter().map(|entry| entry.json(!args.all)).collect();
    let mut json = if args.all { json!({ "profiles": list }) } else { list.swap_remove(0) };
    json["config_file"] = json!(config_path);
    json["ready_token"] = json!(ready_token);

    let mut page = Page::new();
    for entry in &entries {
        page = page.join(entry.page(!args.all, context.host.clock.now()));
        if args.all {
            page = page.line("");
        }
    }
    let users = "`interaction`, `probe` and `check` use it and mint none";
    let page = page
        .optional("ready token", ready_token.then(|| format!("in {ACCESS_TOKEN}: {users}")))
        .field("config file", config_path.unwrap_or_else(|| format!("none: {HOME} is not set")));

    let unusable = entries.into_iter().next().filter(|_| !args.all).and_then(|entry| entry.secret.failure);
    Ok(Outcome { failure: rejected.or(unusable), ..Outcome::new("status", json, Text::Page(page)) })
}

fn every_profile(context: &Context<'_>) -> Result<Vec<Plan>, Failure> {
    argument::refuse_profile_with_all(context, "status")?;
    let plan = |(name, profile): (&ProfileName, &Profile)| {
        let source = SecretSource::Store(name.clone(), Box::new(profile.clone()));
        Plan { client: profile.client.clone(), source, layer: Layer::Flag, hidden: Vec::new() }
    };
    Ok(context.config()?.profiles().iter().map(plan).collect())
}

/// Mints one token with each usable secret, and returns the first failure.
async fn verify(context: &Context<'_>, entries: &mut [Entry]) -> Option<Failure> {
    let tokens = Tokens::new(context);
    let mut first = None;
    for at in 0..entries.len() {
        let (before, [entry, ..]) = entries.split_at_mut(at) else { break };
        if entry.secret.failure.is_some() {
            continue;
        }
        let stored = entry.plan.stored();
        // Two profiles may use one secret.
        let known = before.iter().find(|other| stored.is_some() && other.plan.stored() == stored);
        let online = if let Some(online) = known.and_then(|other| other.online.clone()) {
            online
        } else {
            let token = tokens.get(&entry.plan, &ScopeRequest::Full, CachePolicy::BYPASS).await;
            if let (Some((client, store)), Ok(_)) = (stored, &token) {
                credentials::note_verified(context, client, store).await;
            }
            token.map(drop).map_err(|failure| {
                let error = (failure.kind.code(), failure.in_one_line());
                first.get_or_insert(failure);
                error
            })
        };
        if stored.is_some() && online.is_ok() {
            entry.last_verified = Some(credentials::now(context));
        }
        entry.online = Some(online);
    }
    first
}

impl Entry {
    async fn of(context: &Context<'_>, plan: Plan) -> Result<Self, Failure> {
        let (place, secret) = match &plan.source {
            SecretSource::Given(GivenSecret::Value(_)) => {
                ("the environment".to_owned(), SecretState::present("the environment"))
            }
            SecretSource::Given(GivenSecret::File(variable, path)) => {
                let place = format!("the file `{}`, by {variable}", path.display());
                let secret = SecretState::mounted(variable, path, &place).await;
                (place, secret)
            }
            SecretSource::Store(name, profile) => {
                let store = context.store(&profile.store)?;
                (store.place(&profile.client), SecretState::stored(&store, name, &profile.client).await)
            }
            SecretSource::Withheld(name, profile, overriding) => {
                let place = context.store(&profile.store)?.place(&profile.client);
                let text = format!("not used: it is for {} (in {place})", profile.client.store_user());
                let failure = Failure::withheld(name, &profile.client, &plan.client, overriding);
                (place, SecretState::unusable("withheld", text, failure))
            }
        };
        let last_verified = match &plan.source {
            // The time is that of the secret that was stored then.
            SecretSource::Store(_, profile) if secret.code != "missing" => profile.last_verified,
            _ => None,
        };
        Ok(Self { plan, place, secret, last_verified, online: None })
    }

    /// `is_active` says whether it was chosen; with `--all` nothing is chosen.
    fn json(&self, is_active: bool) -> Value {
        let Plan { client, layer, hidden, .. } = &self.plan;
        json!({
            "profile": self.plan.profile().map(ProfileName::as_str),
            "chosen_by": is_active.then(|| layer.as_str()),
            "hidden": hidden,
            "environment": client.environment.to_string(),
            "tenant": client.tenant.as_str(),
            "client_id": client.id.as_str(),
            "secret": self.secret.code,
            "secret_place": self.place,
            "last_verified": self.last_verified.map(|time| time.to_string()),
            "last_verified_unix": self.last_verified.map(Timestamp::as_second),
            "online": self.online.as_ref().map(|online| match online {
                Ok(()) => json!({ "verified": true }),
                Err((code, message)) => json!({ "verified": false, "code": code, "message": message }),
            }),
        })
    }

    fn page(&self, is_active: bool, now: Timestamp) -> Page {
        let Plan { client, layer, hidden, .. } = &self.plan;
        let page = Page::new()
            .optional("profile", self.plan.profile().map(ToString::to_string))
            .optional("chosen by", is_active.then(|| layer.as_str()))
            .field("client", client.id.as_str())
            .field("environment", client.environment.to_string())
            .field("tenant", client.tenant.as_str())
            .toned_field("secret", self.secret.tone, self.secret.text.as_str())
            .optional("last verified", self.last_verified.map(|at| ago(at, now)));
        let page = match &self.online {
            Some(Ok(())) => page.toned_field("online", Tone::Good, "Corti accepted the secret"),
            Some(Err((_, message))) => page.toned_field("online", Tone::Bad, message.as_str()),
            None => page,
        };
        hidden.iter().fold(page, |page, hidden| page.toned_field("not used", Tone::Dim, hidden.as_str()))
    }
}

/// `3 min 5 s ago (2026-01-02T03:04:05Z)`; only the time if it is in the future, by another clock.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.as_second() - at.as_second()) {
        Ok(seconds) => format!("{} ago ({at})", span(seconds)),
        Err(_) => at.to_string(),
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
