//! `rotate`: replaces a stored secret by the one that the Corti Console made.
//!
//! The new secret is verified before the old one is overwritten, and that is one step of the store: whenever this is
//! interrupted, a secret that was good is there.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::secret_input::{Purpose, SecretInput};
use crate::app::stored_secret::SecretUpdate;
use crate::app::tokens::Tokens;
use crate::domain::client::config::{Config, Profile};
use crate::domain::client::identity::{Client, ProfileName};
use crate::domain::client::resolve::{Plan, SecretOrigin, SecretSource};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::client::variable;
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::scope::ScopeRequest;
use crate::edge::store::StoreError;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

const WHERE: &str = "Corti Console: API Clients, the client, Regenerate Secret";

/// Corti makes a new secret in its Console only (API Clients, the client, Regenerate Secret); do that first. The new
/// secret is checked by minting a token, then it replaces the stored one in one step, then the old one is tried once
/// more, to see that it no longer works. Whatever goes wrong before that leaves the stored secret as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth rotate
  corti-auth rotate --profile acme-eu --secret-stdin < new-secret.txt")]
pub(super) struct RotateArgs {
    /// Read the new secret from standard input
    #[arg(long, conflicts_with = "secret_file")]
    secret_stdin: bool,
    /// Read the new secret from this file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl RotateArgs {
    fn secret_input(&self) -> SecretInput {
        SecretInput::named(self.secret_file.as_deref(), self.secret_stdin)
    }
}

/// A replaced secret.
pub(super) struct RotateOutcome {
    profile: ProfileName,
    client: Client,
    old: OldSecret,
}

/// What became of the old secret.
#[derive(Clone, Copy)]
enum OldSecret {
    Rejected,
    /// There is none: the new one was stored already.
    Same,
    StillValid,
    Unknown,
}

/// # Errors
/// Where no secret is stored, the new one is not a new one, or the server does not take it.
pub(super) async fn run(args: &RotateArgs, context: &Context<'_>) -> Result<RotateOutcome, Failure> {
    if let Some(variable) = context.variables()?.client_variable()
        && context.flags()?.profile.is_none()
    {
        return Err(nothing_stored(variable));
    }
    let plan = context.plan()?;
    let (name, profile) = match &plan.source {
        SecretSource::Store(name, profile) => (name, profile),
        SecretSource::Withheld(name, profile, overriding) => {
            return Err(Failure::withheld(name, &profile.client, &plan.client, overriding));
        }
        SecretSource::Given(_) => return Err(nothing_stored(variable::CLIENT_ID)),
    };
    let (client, tokens) = (&plan.client, Tokens::new(context));
    // Before anybody types a secret that could then not be kept.
    if let StoreKind::Command(command) = &profile.store {
        return Err(Failure::store(&StoreError::ReadOnly(command.clone()), client, name));
    }
    let old = tokens.secret(&plan).await?;
    if matches!(args.secret_input(), SecretInput::Prompt) && context.may_ask() {
        context.note(format!(
            "client `{}` of `{}`; the new secret is from the {WHERE}",
            client.id, client.environment
        ));
    }
    let new = args.secret_input().read(context, Purpose::ROTATION).await?;
    if new.secret().is_same(old.secret()) {
        return already_stored(&tokens, &plan, name, profile, &new).await;
    }
    let token = tokens.mint_with(&new, client, SecretOrigin::Rotation(name), &ScopeRequest::Full).await;
    token
        .map_err(|failure| failure.context("the new secret is not verified, and the old one stays stored"))?;
    store(context, name, profile, client, Some(&new)).await?;
    context.note("the new secret is verified and stored");
    let old = try_old(&tokens, &plan, &old).await;
    tell_of_others(context, name, client, &profile.store)?;
    Ok(RotateOutcome { profile: name.clone(), client: client.clone(), old })
}

/// Stores a verified secret of `client`, which is the profile's; `None` where it is stored already.
async fn store(
    context: &Context<'_>,
    name: &ProfileName,
    profile: &Profile,
    client: &Client,
    secret: Option<&ClientSecret>,
) -> Result<(), Failure> {
    let kind = &profile.store;
    let again = format!("corti-auth rotate --profile {name}");
    let update = SecretUpdate { context, name, client, kind, secret, verified: true, again };
    let is_still_there = |config: &mut Config| match config.profiles().get(name) {
        Some(profile) if profile.uses(client, kind) => Ok(()),
        _ => Err(Failure::changed_meanwhile(name)),
    };
    update.run(is_still_there).await.map(drop)
}

/// The same secret again: a rotation that was interrupted after its write, or a mistake.
async fn already_stored(
    tokens: &Tokens<'_>,
    plan: &Plan,
    name: &ProfileName,
    profile: &Profile,
    secret: &ClientSecret,
) -> Result<RotateOutcome, Failure> {
    match tokens.mint_with(secret, &plan.client, plan.origin(), &ScopeRequest::Full).await {
        Ok(_) => {
            store(tokens.context, name, profile, &plan.client, None).await?;
            Ok(RotateOutcome { profile: name.clone(), client: plan.client.clone(), old: OldSecret::Same })
        }
        Err(failure) if failure.kind() == Kind::Rejected => {
            let user = plan.client.store_user();
            let message =
                format!("this is the secret that is stored for `{user}` already, and it does not work");
            Err(Failure::new(Kind::Rejected, message).hint(format!("make a new one first, in the {WHERE}")))
        }
        Err(failure) => Err(failure),
    }
}

fn nothing_stored(variable: &str) -> Failure {
    let message = format!("{variable} names the client, and nothing is stored for it that could be replaced");
    Failure::new(Kind::Configuration, message)
        .hint(format!("set the new secret where {variable} is set"))
        .hint(format!("or name a profile: --profile NAME, or unset {variable}"))
}

/// The rotation is done; what is found here does not undo it.
async fn try_old(tokens: &Tokens<'_>, plan: &Plan, old: &ClientSecret) -> OldSecret {
    match tokens.mint_with(old, &plan.client, plan.origin(), &ScopeRequest::Full).await {
        Ok(_) => OldSecret::StillValid,
        Err(failure) if failure.kind() == Kind::Rejected => OldSecret::Rejected,
        Err(failure) => {
            let reason = failure.in_one_line();
            let message = format!("whether the old secret still works is not known: {reason}");
            tokens.context.warn(message, None);
            OldSecret::Unknown
        }
    }
}

/// Other profiles may stand for the same client: in the same store they use the new secret too, in another one the old
/// one still is.
fn tell_of_others(
    context: &Context<'_>,
    name: &ProfileName,
    client: &Client,
    store: &StoreKind,
) -> Result<(), Failure> {
    let same_client = |(other, it): &(&ProfileName, &Profile)| *other != name && it.client == *client;
    for (other, it) in context.config()?.profiles().iter().filter(same_client) {
        if it.store == *store {
            context.note(format!("`{other}` stands for the same client, and uses the new secret too"));
        } else {
            let message = format!("`{other}` has the old secret of this client in another store");
            context.warn(message, Some(&format!("corti-auth rotate --profile {other}")));
        }
    }
    Ok(())
}

impl Outcome for RotateOutcome {
    fn command(&self) -> &'static str {
        "rotate"
    }

    fn json(&self) -> Value {
        json!({
            "profile": self.profile.as_str(),
            "environment": self.client.environment.to_string(),
            "tenant": self.client.tenant.as_str(),
            "client_id": self.client.id.as_str(),
            "verified": true,
            "old_secret": match self.old {
                OldSecret::Rejected => "rejected",
                OldSecret::Same => "same",
                OldSecret::StillValid => "still_valid",
                OldSecret::Unknown => "unknown",
            },
        })
    }

    fn text(&self) -> Text {
        let Client { environment, tenant, id } = &self.client;
        let word = if matches!(self.old, OldSecret::Same) { "nothing to rotate" } else { "rotated" };
        let done = format!("{word}: client `{id}` of `{environment}`, tenant `{tenant}`");
        let (tone, old) = match self.old {
            OldSecret::Rejected => (
                Tone::Good,
                "it no longer mints; its tokens live until they expire, at most 5 minutes".to_owned(),
            ),
            OldSecret::Same => (Tone::Plain, "none: this one was stored already, and works".to_owned()),
            OldSecret::StillValid => (Tone::Caution, format!("it still mints: regenerate it in the {WHERE}")),
            OldSecret::Unknown => (Tone::Caution, "not known whether it still mints".to_owned()),
        };
        Text::Message(
            Page::new().toned(Tone::Good, done).field("profile", self.profile.as_str()).toned_field(
                "old secret",
                tone,
                old,
            ),
        )
    }
}
