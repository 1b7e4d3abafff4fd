//! `check`: compares what a token can reach with what its scopes promise, by reads that change nothing.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::api::{Api, deletion};
use crate::app::context::Context;
use crate::app::interrupt::StopSignal;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::cli::token_args::ScopeArgs;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::access::READS;
use crate::domain::corti::access::{Finding, Row, overall};
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::ScopeRequest;
use crate::domain::token::scope::TokenClass;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod observe;
mod token;

use token::CheckedToken;

/// Reads /languages/, /factgroups/ and one of /interactions/, and opens both WebSockets until they accept a configuration.
/// The token comes from a file, from `CORTI_ACCESS_TOKEN`, or is a new one with the scopes you choose. It is sent only to
/// the configured environment. Each row is allowed, denied or inconclusive. One check does not prove a token safe.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth check --scope transcribe
  corti-auth check --scope streams --streams
  corti-auth token --scope transcribe | corti-auth check - --json

Exit codes: 10, the token can do more than its scopes promise; 5, it can do less; 0, neither was seen.")]
pub(super) struct CheckArgs {
    /// Read the token from this file, or from standard input (-)
    #[arg(value_name = "FILE", conflicts_with_all = ["scope", "full"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    choice: ScopeArgs,
    /// Create an interaction with a full token of the client, open its /streams, and delete it
    #[arg(long)]
    streams: bool,
}

/// A token that was checked.
pub(super) struct CheckOutcome {
    token: CheckedToken,
    rows: Vec<Row>,
    interaction: Option<Deletion>,
}

/// The interaction that was created for `/streams`.
struct Deletion {
    id: Uuid,
    /// The command that deletes it, if it is still there.
    left: Option<String>,
}

pub(super) async fn run(args: &CheckArgs, context: &Context<'_>) -> Result<CheckOutcome, Failure> {
    let mut stop = StopSignal::watch();
    let tokens = Tokens::new(context);
    let (token, mut rows, full) = stop.interrupts(all_but_streams(args, &tokens)).await?;
    let api = full.as_ref().map(|full| Api::new(&tokens.http, &token.environment, &token.tenant, full));
    let mut created = None;
    if let Some(api) = &api {
        // Not interrupted: an interaction whose id is not known cannot be deleted.
        match api.create_passing(context).await {
            Ok(interaction) => created = Some(interaction),
            Err(failure) => {
                rows.push(observe::not_created(&token, &failure));
                if failure.is_of_a_lost_answer() {
                    let hint = failure.hints().last().map(String::as_str);
                    context.warn("an interaction may be left behind", hint);
                }
                return Ok(CheckOutcome { token, rows, interaction: None });
            }
        }
    }
    let url = created.as_ref().map(|interaction| &interaction.websocket_url);
    let opening = observe::open(&tokens.http, &token, SocketKind::Streams, url, context.options.timeout);
    let row = stop.interrupts(async { Ok(spinner::show(context, "opening /streams", opening).await) }).await;
    let interaction = match (&api, &created) {
        (Some(api), Some(interaction)) => Some(Deletion::of(interaction.id, api, context).await),
        _ => None,
    };
    rows.push(row?);
    Ok(CheckOutcome { token, rows, interaction })
}

/// Finds the token and tries all targets but `/streams`. With `--streams` it also gets a full token.
async fn all_but_streams(
    args: &CheckArgs,
    tokens: &Tokens<'_>,
) -> Result<(CheckedToken, Vec<Row>, Option<AccessToken>), Failure> {
    let context = tokens.context;
    let token = CheckedToken::find(args, tokens).await?;
    let full = if args.streams { Some(full_token(&token, tokens).await?) } else { None };
    let mut rows = Vec::new();
    for path in READS {
        rows.push(spinner::show(context, "reading", observe::read(&tokens.http, &token, path)).await);
    }
    let opening = observe::open(&tokens.http, &token, SocketKind::Transcribe, None, context.options.timeout);
    rows.push(spinner::show(context, "opening /transcribe", opening).await);
    Ok((token, rows, full))
}

/// A full token of the configured client, which must belong to the environment and tenant of the checked one.
async fn full_token(token: &CheckedToken, tokens: &Tokens<'_>) -> Result<AccessToken, Failure> {
    let plan = tokens.context.plan()?;
    let (client, CheckedToken { environment, tenant, .. }) = (&plan.client, token);
    if (&client.environment, &client.tenant) != (environment, tenant) {
        let message = format!(
            "--streams needs a client of `{environment}`, tenant `{tenant}`: the configured one is of `{}`, tenant `{}`",
            client.environment, client.tenant
        );
        return Err(Failure::new(Kind::Configuration, message).hint("leave --streams out"));
    }
    // A new one, so that it outlives the interaction.
    Ok(tokens.get(&plan, &ScopeRequest::Full, CachePolicy::BYPASS).await?.access_token)
}

impl Deletion {
    /// Deletes the interaction, or warns that it is still there.
    async fn of(id: Uuid, api: &Api<'_>, context: &Context<'_>) -> Self {
        let failure = api.delete(id).await.err().filter(|failure| failure.http_status() != Some(404));
        let left = failure.map(|failure| {
            let command = deletion(id, context);
            let message = format!("the interaction `{id}` was not deleted: {}", failure.in_one_line());
            context.warn(message, Some(&command));
            command
        });
        Self { id, left }
    }

    fn json(&self) -> Value {
        json!({ "interaction_id": self.id.to_string(), "deleted": self.left.is_none() })
    }
}

impl CheckOutcome {
    fn page(&self) -> Page {
        let seen = &self.token.inspection;
        let page = Page::new()
            .field(
                "token",
                format!(
                    "{} ({})",
                    self.token.fingerprint(),
                    seen.class.map_or("unknown", TokenClass::as_str)
                ),
            )
            .field("scopes", seen.scopes.to_string())
            .field("sent to", format!("{}, tenant {}", self.token.environment, self.token.tenant))
            .line("")
            .toned_field("", Tone::Dim, format!("{:9}  {:12}  {}", "promised", "observed", "because"));
        let rows = self.rows.iter().fold(page, |page, row| {
            let tone = match row.finding() {
                Finding::AsPromised => Tone::Good,
                Finding::More => Tone::Bad,
                Finding::Less | Finding::Unknown => Tone::Caution,
            };
            let (promised, observed) = (row.promise.as_str(), row.observed.as_str());
            page.toned_field(
                row.target.to_string(),
                tone,
                format!("{promised:9}  {observed:12}  {}", row.detail),
            )
        });
        let tried = self.rows.len();
        rows.line("").line(match overall(&self.rows) {
            Finding::More => "the token can do more than its scopes promise".to_owned(),
            Finding::Less => "the token can do less than its scopes promise".to_owned(),
            Finding::AsPromised => {
                format!("ok: the token opened only what its scopes allow ({tried} endpoints tried)")
            }
            Finding::Unknown => "inconclusive: no endpoint gave a clear answer".to_owned(),
        })
    }
}

fn row_json(row: &Row) -> Value {
    json!({
        "target": row.target.to_string(),
        "promised": row.promise.as_str(),
        "observed": row.observed.as_str(),
        "finding": row.finding().as_str(),
        "http_status": row.status,
        "detail": row.detail,
    })
}

impl Outcome for CheckOutcome {
    fn command(&self) -> &'static str {
        "check"
    }

    fn json(&self) -> Value {
        let seen = &self.token.inspection;
        json!({
            "finding": overall(&self.rows).as_str(),
            "rows": self.rows.iter().map(row_json).collect::<Vec<_>>(),
            "environment": self.token.environment.to_string(),
            "tenant": self.token.tenant.as_str(),
            "scopes": seen.scopes.to_strings(),
            "reach": seen.class.map(TokenClass::as_str),
            "fingerprint": self.token.fingerprint(),
            "interaction": self.interaction.as_ref().map(Deletion::json),
        })
    }

    fn text(&self) -> Text {
        Text::Page(self.page())
    }

    fn verdict(&mut self) -> Option<Failure> {
        let finding = overall(&self.rows);
        if let (Some(Deletion { id, left: Some(command) }), false) =
            (&self.interaction, finding == Finding::More)
        {
            let message = format!("the interaction `{id}` is still there");
            return Some(Failure::new(Kind::Unexpected, message).hint(command));
        }
        let (kind, what) = match finding {
            Finding::More => (Kind::Check, "more"),
            Finding::Less => (Kind::Rejected, "less"),
            Finding::AsPromised | Finding::Unknown => return None,
        };
        let rows: Vec<_> = self.rows.iter().filter(|row| row.finding() == finding).collect();
        let names: Vec<_> = rows.iter().map(|row| row.target.to_string()).collect();
        let message = format!("the token can do {what} than its scopes promise: {}", names.join(", "));
        Some(Failure::new(kind, message).hint(match finding {
            Finding::More => "do not give this token to a frontend; report it to Corti support".to_owned(),
            _ => format!(
                "corti-auth explain --status {}",
                rows.first().and_then(|row| row.status).unwrap_or(401)
            ),
        }))
    }
}
