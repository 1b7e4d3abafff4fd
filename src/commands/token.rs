//! `token`: mints an access token and prints it.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::domain::grant::Token;
use crate::domain::identity::Client;
use crate::domain::scope::{Ask, Reach};
use crate::domain::secret::Secret;
use crate::failure::{Failure, Kind};
use crate::output::{self, Outcome, Text};

use super::argument;
use super::context::Context;
use super::leasing;
use super::reuse::ReuseArgs;

/// Mint an access token and print it
///
/// A token is limited or full by your choice. A limited one (transcribe, streams) opens those WebSockets and nothing
/// else, and may be handed to a browser. A full one acts as the client itself and belongs on a backend.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth token --scope transcribe
  corti-auth token --scope transcribe,streams --json
  curl -H \"Authorization: Bearer $(corti-auth token --full)\" -H \"Tenant-Name: base\" https://api.eu.corti.app/v2/languages/")]
pub(super) struct TokenArgs {
    /// Ask for this scope; repeat it, or separate several by commas or spaces
    #[arg(short, long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Ask for a token that acts as the client itself
    #[arg(long, conflicts_with = "scope")]
    full: bool,
    #[command(flatten)]
    reuse: ReuseArgs,
    /// Print in this format
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// The formats of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The token and a line break
    Token,
    /// A JSON object, as with --json
    Json,
}

/// A minted token.
pub(super) struct TokenOutcome {
    client: Client,
    token: Token,
    format: Format,
}

/// # Errors
/// Where no scope was chosen, no client is known, or no token came of it.
pub(super) fn run(args: &TokenArgs, context: &Context<'_>) -> Result<TokenOutcome, Failure> {
    let format = match (args.format, context.globals.json) {
        (None | Some(Format::Json), true) => Format::Json,
        (Some(Format::Token), true) => {
            return Err(Failure::new(Kind::Usage, "--json and --format token exclude each other")
                .hint("leave one of them out"));
        }
        (format, false) => format.unwrap_or(Format::Token),
    };
    let plan = context.plan()?;
    let ask = argument::ask(&args.scope, args.full, plan.default_scope())?;
    warn(context, &ask);
    let token = leasing::lease(context, &plan, &ask, args.reuse.reuse(context))?;
    if ask.reach() != Reach::Limited && context.host.terminal.stdout {
        let caution =
            "this token acts as the client itself: keep it on a backend and out of chats and tickets";
        context.warn(caution, Some("for a browser: corti-auth token --scope transcribe"));
    }
    Ok(TokenOutcome { client: plan.client, token, format })
}

fn warn(context: &Context<'_>, ask: &Ask) {
    let Ask::Scopes(scopes) = ask else { return };
    for scope in scopes.iter().filter(|scope| !scope.is_documented()) {
        let name = scope.as_str();
        let hint = scope.suggestion().map(|known| format!("did you mean --scope {known}?"));
        context
            .warn(format!("`{name}` is not a scope that Corti documents; it is passed on"), hint.as_deref());
    }
}

impl Outcome for TokenOutcome {
    fn command(&self) -> &'static str {
        "token"
    }

    fn json(&self) -> Value {
        let Token { access_token, expires_at, expires_in, granted, cached } = &self.token;
        json!({
            "access_token": access_token.secret().expose(),
            "token_type": "Bearer",
            "expires_in": expires_in,
            "expires_at": expires_at.to_string(),
            "expires_at_unix": expires_at.as_second(),
            "scopes": granted.to_strings(),
            "reach": granted.reach().as_str(),
            "cached": cached,
            "fingerprint": access_token.secret().fingerprint(),
            "environment": self.client.environment.to_string(),
            "tenant": self.client.tenant.as_str(),
            "client_id": self.client.id.as_str(),
        })
    }

    fn text(&self) -> Text {
        Text::Datum(match self.format {
            Format::Token => self.token.access_token.secret().clone(),
            Format::Json => Secret::new(output::json_line(self)),
        })
    }
}
