//! `status`: shows the active client, where that choice comes from, where its secret is kept, and when it last worked.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::caller;
use crate::app::context::Context;
use crate::app::credentials;
use crate::app::secret_state::SecretState;
use crate::app::tokens::{FoundToken, Tokens};
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::Profile;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::{Layer, Plan, SecretSource};
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::{ACCESS_TOKEN, CLIENT_SECRET, GivenSecret};
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::Shell;
use crate::domain::token::inspection::{Inspection, span};
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::{ScopeRequest, ScopeSet, TokenClass};
use crate::edge::config_file::HOME;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

/// Never prompts, and uses the network only with --online. Exits with 4 if there is no usable secret. With --online it exits
/// as `token` does if no token can be minted. With --all a missing secret is not a failure.
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
    /// With the scopes that were asked for.
    cached: Vec<(ScopeRequest, FoundToken)>,
    /// Whether Corti accepted the secret, or the failure's code and message. `None` if Corti was not asked.
    online: Option<Result<(), (&'static str, String)>>,
}

pub(super) async fn run(args: &StatusArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let config_path = context.config_file().ok().map(|file| file.path().display().to_string());
    let ready = context.variables()?.access_token.as_ref().map(|token| ReadyToken::of(token, context));
    let mut entries = Vec::new();
    let tokens = Tokens::new(context);
    for plan in if args.all { every_profile(context)? } else { vec![context.plan()?] } {
        entries.push(Entry::of(&tokens, plan).await?);
    }
    let rejected = if args.online { verify(&tokens, &mut entries).await } else { None };

    let mut list: Vec<Value> = entries.iter().map(|entry| entry.json(!args.all)).collect();
    let mut json = if args.all { json!({ "profiles": list }) } else { list.swap_remove(0) };
    json["config_file"] = json!(config_path);
    json["ready_token"] = json!(ready.is_some());
    json["ready_token_facts"] = json!(ready.as_ref().map(ReadyToken::json));

    let mut page = Page::new();
    for entry in &entries {
        page = page.join(entry.page(!args.all, context.host.clock.now()));
        if args.all {
            page = page.line("");
        }
    }
    let page = ready
        .map_or(Page::new(), |ready| ready.page())
        .join(page)
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
async fn verify(tokens: &Tokens<'_>, entries: &mut [Entry]) -> Option<Failure> {
    let context = tokens.context;
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
    async fn of(tokens: &Tokens<'_>, plan: Plan) -> Result<Self, Failure> {
        let context = tokens.context;
        let (place, secret) = match &plan.source {
            SecretSource::Given(GivenSecret::Value(_)) => {
                ("the environment".to_owned(), SecretState::present(CLIENT_SECRET))
            }
            SecretSource::Given(GivenSecret::File(variable, path)) => {
                let place = format!("the file `{}`, by {variable}", path.display());
                let secret = SecretState::mounted(variable, path, &place, context.sink.redactor()).await;
                (place, secret)
            }
            SecretSource::Store(name, profile) => {
                let store = context.store(&profile.store)?;
                (store.place(&profile.client), SecretState::stored(&store, name, &profile.client).await)
            }
            SecretSource::Withheld(name, profile, overriding) => {
                let place = context.store(&profile.store)?.place(&profile.client);
                let Client { environment, tenant, id } = &profile.client;
                let text = format!(
                    "withheld: the stored secret belongs to client {id} ({environment}, tenant {tenant})"
                );
                let failure = Failure::withheld(name, &profile.client, &plan.client, overriding);
                (place, SecretState::unusable("withheld", text, failure))
            }
        };
        let last_verified = match &plan.source {
            // The time is that of the secret that was stored then.
            SecretSource::Store(_, profile) if secret.code != "missing" => profile.last_verified,
            _ => None,
        };
        let cached = tokens.cached(&plan).await;
        Ok(Self { plan, place, secret, last_verified, cached, online: None })
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
            "default_scope": self.plan.default_scope().map(ScopeSet::to_strings),
            "cached_tokens": self.cached.iter().map(cached_json).collect::<Vec<_>>(),
            "online": self.online.as_ref().map(|online| match online {
                Ok(()) => json!({ "verified": true }),
                Err((code, message)) => json!({ "verified": false, "code": code, "message": message }),
            }),
        })
    }

    fn page(&self, is_active: bool, now: Timestamp) -> Page {
        let Plan { client, hidden, .. } = &self.plan;
        let page = Page::new()
            .optional("profile", self.plan.profile().map(ToString::to_string))
            .optional("chosen by", is_active.then(|| self.plan.chosen_by()))
            .field("client", client.id.as_str())
            .field("environment", client.environment.to_string())
            .field("tenant", client.tenant.as_str())
            .toned_field("secret", self.secret.tone, self.secret.text.as_str())
            .optional("last verified", self.last_verified.map(|at| ago(at, now)))
            .optional("default scope", self.plan.default_scope().map(ToString::to_string));
        let labels = ["cached"].into_iter().chain(std::iter::repeat(""));
        let page = self.cached.iter().zip(labels).fold(page, |page, ((requested, cached), label)| {
            let life = match cached {
                FoundToken::Read(token) => format!("{} left", span(token.expires_in.unsigned_abs())),
                FoundToken::Sealed(at) => format!("in an encrypted file since {}", ago(*at, now)),
            };
            page.field(label, format!("{}, {life}", name(requested)))
        });
        let page = match &self.online {
            Some(Ok(())) => page.toned_field("online", Tone::Good, "Corti accepted the secret"),
            Some(Err((_, message))) => page.toned_field("online", Tone::Bad, message.as_str()),
            None => page,
        };
        hidden.iter().fold(page, |page, hidden| page.toned_field("not used", Tone::Dim, hidden.as_str()))
    }
}

/// `full`, or the scopes.
fn name(requested: &ScopeRequest) -> String {
    match requested {
        ScopeRequest::Full => "full".to_owned(),
        ScopeRequest::Scopes(scopes) => scopes.to_string(),
    }
}

fn cached_json((requested, cached): &(ScopeRequest, FoundToken)) -> Value {
    let token = match cached {
        FoundToken::Read(token) => Some(token),
        FoundToken::Sealed(_) => None,
    };
    json!({
        "scope": requested.to_wire(),
        "reach": requested.class().as_str(),
        "expires_in": token.map(|token| token.expires_in),
        "expires_at": token.map(|token| token.expires_at.to_string()),
    })
}

/// What the token in `CORTI_ACCESS_TOKEN` says of itself; `None` if it cannot be read.
struct ReadyToken(Option<Inspection>);

impl ReadyToken {
    fn of(token: &AccessToken, context: &Context<'_>) -> Self {
        Self(caller::inspect(token, context.host.clock.now()).ok().flatten())
    }

    fn json(&self) -> Value {
        let Self(Some(it)) = self else { return Value::Null };
        json!({
            "reach": it.class.map(TokenClass::as_str),
            "scopes": it.scopes,
            "expires_in": it.remaining,
            "expires_at": it.expires_at.map(|time| time.to_string()),
        })
    }

    fn page(&self) -> Page {
        let place = format!("in {ACCESS_TOKEN}; used by interaction, probe, check and explain");
        let Self(Some(it)) = self else {
            return Page::new().field("access token", place);
        };
        let class = it.class.map_or("unknown", TokenClass::as_str);
        let life = span(it.remaining.unwrap_or_default().unsigned_abs());
        let (tone, text) = match it.remaining {
            Some(..=0) => {
                let unset = Shell::HERE.unset(&[ACCESS_TOKEN]);
                (Tone::Bad, format!("{class}, expired {life} ago: {unset}"))
            }
            Some(_) => (Tone::Plain, format!("{class}, {life} left, {place}")),
            None => (Tone::Caution, format!("{class}, never expires, {place}")),
        };
        Page::new().toned_field("access token", tone, text)
    }
}

/// `3 min 5 s ago (2026-01-02T03:04:05Z)`; only the time if it is in the future, by another clock.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.as_second() - at.as_second()) {
        Ok(seconds) => format!("{} ago ({at:.0})", span(seconds)),
        Err(_) => format!("{at:.0}"),
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
