//! `rotate`: replaces a stored secret by the one that the Corti Console made.
//!
//! The new secret is verified before the old one is overwritten, and that is one step of the store: whenever this is
//! interrupted, a secret that was good is there.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::credentials::Credential;
use crate::app::secret_input::SecretInput;
use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::Profile;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::{Plan, SecretOrigin, SecretSource};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::client::variable::CLIENT_ID;
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

pub(super) async fn run(args: &RotateArgs, context: &Context<'_>) -> Result<RotateOutcome, Failure> {
    let plan = context.plan()?;
    let (name, profile) = match &plan.source {
        SecretSource::Store(name, profile) => (name, profile),
        SecretSource::Withheld(name, profile, overriding) => {
            return Err(Failure::withheld(name, &profile.client, &plan.client, overriding));
        }
        SecretSource::Given(_) => return Err(nothing_stored()),
    };
    let (client, tokens) = (&plan.client, Tokens::new(context));
    // Before anybody types a secret that could not be stored.
    if let StoreKind::Command(command) = &profile.store {
        return Err(Failure::store(&StoreError::ReadOnly(command.clone()), client, name));
    }
    let credential = Credential::of(context, name, profile)?;
    let old = tokens.secret(&plan).await?;
    let input = SecretInput { file: args.secret_file.clone(), stdin: args.secret_stdin };
    if input.is_prompt() && context.may_ask() {
        context.note(format!(
            "client `{}` of `{}`; the new secret is from the {WHERE}",
            client.id, client.environment
        ));
    }
    let new = input.read(context, "rotate", "New client secret (not shown)").await?;
    let old = if new.secret().is_same(old.secret()) {
        // A rotation that was interrupted after it stored the secret, or a mistake.
        tokens
            .mint_with(&new, client, plan.origin(), &ScopeRequest::Full)
            .await
            .map_err(|failure| of_the_stored(failure, client))?;
        credential.store(None, true).await?;
        OldSecret::Same
    } else {
        let token = tokens.mint_with(&new, client, SecretOrigin::Rotation(name), &ScopeRequest::Full).await;
        token
            .map_err(|failure| failure.context("the new secret is not verified; the old one stays stored"))?;
        credential.store(Some(&new), true).await?;
        context.note("the new secret is verified and stored");
        let old = try_old(&tokens, &plan, &old).await;
        tell_of_others(context, name, profile)?;
        old
    };
    Ok(RotateOutcome { profile: name.clone(), client: client.clone(), old })
}

/// The failure where the new secret is the one that is stored already.
fn of_the_stored(failure: Failure, client: &Client) -> Failure {
    if failure.kind != Kind::Rejected {
        return failure;
    }
    let message =
        format!("this secret is stored for `{}` already, and Corti rejects it", client.store_user());
    Failure::new(Kind::Rejected, message).hint(format!("make a new one first, in the {WHERE}"))
}

fn nothing_stored() -> Failure {
    let message = format!("{CLIENT_ID} names the client, so there is no stored secret to replace");
    Failure::new(Kind::Configuration, message)
        .hint(format!("set the new secret where {CLIENT_ID} is set, or name a profile: --profile NAME"))
}

/// The rotation is done; what is found here does not undo it.
async fn try_old(tokens: &Tokens<'_>, plan: &Plan, old: &ClientSecret) -> OldSecret {
    match tokens.mint_with(old, &plan.client, plan.origin(), &ScopeRequest::Full).await {
        Ok(_) => OldSecret::StillValid,
        Err(failure) if failure.kind == Kind::Rejected => OldSecret::Rejected,
        Err(failure) => {
            let reason = failure.in_one_line();
            let message = format!("whether the old secret still works is not known: {reason}");
            tokens.context.warn(message, None);
            OldSecret::Unknown
        }
    }
}

/// Other profiles of the same client use the new secret too, or have the old one in another store.
fn tell_of_others(context: &Context<'_>, name: &ProfileName, profile: &Profile) -> Result<(), Failure> {
    let config = context.config()?;
    for other in config.sharing(name, profile) {
        context.note(format!("`{other}` uses the new secret too"));
    }
    let has_old = |it: &Profile| it.client == profile.client && it.store != profile.store;
    for (other, _) in config.profiles().iter().filter(|(_, it)| has_old(it)) {
        let message = format!("`{other}` has the old secret of this client in another store");
        context.warn(message, Some(&format!("corti-auth rotate --profile {other}")));
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
