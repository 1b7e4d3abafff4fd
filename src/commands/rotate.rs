//! `rotate`: replaces a stored secret by a new one from the Corti Console.
//!
//! The new secret is verified first, and the store replaces the old one in one step. So a working secret is stored whenever
//! this is interrupted.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

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
use crate::domain::client::variable::{CLIENT_ID, CLIENT_SECRET, GivenSecret};
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::quote;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::store::StoreError;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

const WHERE: &str = "Corti Console: API Clients, the client, Regenerate Secret";

/// First regenerate the secret in the Corti Console (API Clients, the client, Regenerate Secret). rotate tests the new
/// secret by minting a token, stores the secret, and checks that the old secret no longer works. If the test fails, the
/// stored secret is kept.
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

/// Whether the old secret still works: as JSON, and as text with its tone.
type OldSecret = (&'static str, Tone, &'static str);

const REJECTED: OldSecret = ("rejected", Tone::Good, "no longer works; its tokens expire within 5 minutes");
const SAME: OldSecret = ("same", Tone::Plain, "unchanged: this secret was already stored, and works");
const STILL_VALID: OldSecret = ("still_valid", Tone::Caution, "still works: Corti has not revoked it yet");
const UNKNOWN: OldSecret = ("unknown", Tone::Caution, "unknown: Corti could not be asked");

pub(super) async fn run(args: &RotateArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let plan = context.plan()?;
    let (name, profile) = match &plan.source {
        SecretSource::Store(name, profile) => (name, profile),
        SecretSource::Withheld(name, profile, overriding) => {
            return Err(Failure::withheld(name, &profile.client, &plan.client, overriding));
        }
        SecretSource::Given(secret) => {
            let message = format!("{CLIENT_ID} names the client, so there is no stored secret to replace");
            let change = match secret {
                GivenSecret::Value(_) => format!("set {CLIENT_SECRET} to the new secret"),
                GivenSecret::File(_, path) => {
                    format!("put the new secret into {}", quote(&path.display().to_string()))
                }
            };
            return Err(Failure::new(Kind::Configuration, message)
                .hint(change)
                .hint("to rotate a profile: corti-auth rotate --profile NAME"));
        }
    };
    let (client, tokens) = (&plan.client, Tokens::new(context));
    let Client { environment, tenant, id } = client;
    // Before anybody types a secret that could not be stored.
    if let StoreKind::Command(command) = &profile.store {
        return Err(Failure::store(&StoreError::ReadOnly(command.clone()), client, name));
    }
    let credential = Credential::of(context, name, profile)?;
    let old = tokens.secret(&plan).await?;
    let input = SecretInput { file: args.secret_file.clone(), stdin: args.secret_stdin };
    if input.is_prompt() && context.may_ask() {
        context.note(format!("client `{id}` of `{environment}`. Make the new secret in the {WHERE}"));
    }
    let verify = async |new: &ClientSecret| {
        let is_same = new.secret().is_same(old.secret());
        let origin = if is_same { plan.origin() } else { SecretOrigin::Rotation(name) };
        let verified = tokens.mint_with(new, client, origin, &ScopeRequest::Full).await;
        verified.map(drop).map_err(|failure| match failure.kind {
            // The same secret again: an earlier rotation was interrupted after storing it, or it is a mistake.
            Kind::Rejected if is_same => {
                let user = client.store_user();
                let message = format!("this secret is stored for `{user}` already, and Corti rejects it");
                Failure::new(Kind::Rejected, message).hint(format!("make a new one first, in the {WHERE}"))
            }
            _ if is_same => failure,
            _ => failure.context("the new secret is not verified; the old one stays stored"),
        })
    };
    let new = input.read_verified(context, "rotate", "New client secret (not shown)", verify).await?;
    let is_same = new.secret().is_same(old.secret());
    let (word, tone, told) = if is_same {
        credential.save(None, true).await?;
        SAME
    } else {
        credential.save(Some(&new), true).await?;
        context.note("the new secret is verified and stored");
        let old = try_old(&tokens, &plan, &old).await;
        tell_of_others(context, name, profile)?;
        old
    };
    let json = json!({
        "profile": name.as_str(),
        "environment": environment.to_string(),
        "tenant": tenant.as_str(),
        "client_id": id.as_str(),
        "verified": true,
        "old_secret": word,
    });
    let done = if is_same { "nothing to rotate" } else { "rotated" };
    let page = Page::new()
        .toned(Tone::Good, format!("{done}: client `{id}` of `{environment}`, tenant `{tenant}`"))
        .field("profile", name.as_str())
        .toned_field("old secret", tone, told);
    Ok(Outcome::new("rotate", json, Text::Message(page)))
}

/// Tries the old secret. The rotation is done already: no result undoes it.
async fn try_old(tokens: &Tokens<'_>, plan: &Plan, old: &ClientSecret) -> OldSecret {
    match tokens.mint_with(old, &plan.client, plan.origin(), &ScopeRequest::Full).await {
        Ok(_) => STILL_VALID,
        Err(failure) if failure.kind == Kind::Rejected => REJECTED,
        Err(failure) => {
            let reason = failure.in_one_line();
            let message = format!("could not test the old secret: {reason}");
            tokens.context.warn(message, None);
            UNKNOWN
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
