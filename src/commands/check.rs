//! `check`: compares what a token opens with what its scopes allow, by reads that change nothing.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::api::{Api, deletion};
use crate::app::caller::GivenToken;
use crate::app::context::Context;
use crate::app::interrupt::StopSignal;
use crate::app::tokens::Tokens;
use crate::cli::token_args::{NthArgs, ScopeArgs};
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::access::{Access, Finding, READS, Row, overall};
use crate::domain::corti::interaction::Interaction;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::{ScopeRequest, TokenClass};
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod observe;
mod token;

/// Reads the languages, the fact groups and one interaction, and opens both WebSockets until they accept a configuration.
/// The token comes from a file or from `CORTI_ACCESS_TOKEN`, or is minted with the scopes you choose. It is sent only to
/// the configured environment. Each row is ok, MORE or LESS than the scopes allow, or unclear. One check does not prove a
/// token safe.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth check --scope transcribe
  corti-auth check --scope streams --streams
  corti-auth token transcribe | corti-auth check - --json

Exit codes:
  10 the token can do more than its scopes allow, 5 it can do less, 0 neither")]
pub(super) struct CheckArgs {
    /// Read the token from this file, or from standard input (-)
    #[arg(value_name = "FILE", conflicts_with_all = ["scope", "full"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    choice: ScopeArgs,
    #[command(flatten)]
    which: NthArgs,
    /// Create an interaction with a full token of the client, open its /streams, and delete the interaction
    #[arg(long)]
    streams: bool,
}

/// The interaction that was created for `/streams`.
struct Created {
    id: Uuid,
    /// The command that deletes it, if deleting it failed.
    undo: Option<String>,
}

pub(super) async fn run(args: &CheckArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut stop = StopSignal::watch();
    let tokens = Tokens::new(context);
    let (token, mut rows, full) = stop.run(observe_existing(args, &tokens)).await?;
    let mut created = None;
    if let Some(full) = full {
        let api = Api::new(&tokens.http, &token.environment, &token.tenant, &full);
        // Not interrupted: an interaction whose id is not known cannot be deleted.
        match api.create_temporary(context).await {
            Ok(Interaction { id, websocket_url }) => {
                let opening = observe::open(&tokens, &token, SocketKind::Streams, Some(&websocket_url));
                let row = stop.run(async { Ok(opening.await) }).await;
                created = Some(Created { id, undo: delete(id, &api, context).await });
                rows.push(row?);
            }
            Err(failure) => {
                rows.push(observe::not_created(&token, &failure));
                if failure.answer_was_lost() {
                    let hint = failure.hints.last().map(String::as_str);
                    context.warn("an interaction may be left behind", hint);
                }
            }
        }
    }
    let json = json!({
        "finding": overall(&rows),
        "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
        "environment": token.environment.to_string(),
        "tenant": token.tenant.as_str(),
        "scopes": token.inspection.scopes.to_strings(),
        "reach": token.inspection.class.map(TokenClass::as_str),
        "fingerprint": token.token.secret().fingerprint(),
        "interaction": created.as_ref().map(|created| {
            json!({ "interaction_id": created.id.to_string(), "deleted": created.undo.is_none() })
        }),
    });
    let text = Text::Page(page(&token, &rows));
    Ok(Outcome { failure: failure(&rows, created), ..Outcome::new("check", json, text) })
}

/// Finds the token and tries all targets. With `--streams` it leaves out `/streams`, and gets a full token instead.
async fn observe_existing(
    args: &CheckArgs,
    tokens: &Tokens<'_>,
) -> Result<(GivenToken, Vec<Row>, Option<AccessToken>), Failure> {
    let token = token::find(args, tokens).await?;
    let full = if args.streams { Some(full_token(&token, tokens).await?) } else { None };
    let mut rows = Vec::new();
    for path in READS {
        rows.push(observe::read(tokens, &token, path).await);
    }
    rows.push(observe::open(tokens, &token, SocketKind::Transcribe, None).await);
    if full.is_none() {
        rows.push(observe::open(tokens, &token, SocketKind::Streams, None).await);
    }
    Ok((token, rows, full))
}

/// A full token of the configured client, whose environment and tenant must be those of the checked token.
async fn full_token(token: &GivenToken, tokens: &Tokens<'_>) -> Result<AccessToken, Failure> {
    let plan = tokens.context.plan()?;
    let (client, GivenToken { environment, tenant, .. }) = (&plan.client, token);
    if (&client.environment, &client.tenant) != (environment, tenant) {
        let message = format!(
            "--streams needs a client in `{environment}`, tenant `{tenant}`; yours is in `{}`, tenant `{}`",
            client.environment, client.tenant
        );
        return Err(Failure::new(Kind::Configuration, message).hint("leave --streams out"));
    }
    // Not a cached one: it must outlive the interaction.
    Ok(tokens.get(&plan, &ScopeRequest::Full, CachePolicy::BYPASS).await?.access_token)
}

/// Deletes the interaction. If that fails, warns and returns the command that deletes it.
async fn delete(id: Uuid, api: &Api<'_>, context: &Context<'_>) -> Option<String> {
    let failure = api.delete(id).await.err().filter(|failure| failure.http_status != Some(404))?;
    let command = deletion(id, context);
    let message = format!("the interaction `{id}` was not deleted: {}", failure.in_one_line());
    context.warn(message, Some(&command));
    Some(command)
}

fn page(token: &GivenToken, rows: &[Row]) -> Page {
    let GivenToken { token, inspection, environment, tenant } = token;
    let class = inspection.class.map_or("unknown", TokenClass::as_str);
    let mut page = Page::new()
        .field("token", format!("{} ({class})", token.secret().fingerprint()))
        .field("scopes", inspection.scopes.to_string())
        .field("sent to", format!("{environment}, tenant {tenant}"))
        .line("");
    for row in rows {
        let (tone, mark) = match row.finding() {
            Finding::AsPromised => (Tone::Good, "ok"),
            Finding::More => (Tone::Bad, "MORE"),
            Finding::Less => (Tone::Bad, "LESS"),
            Finding::Unknown => (Tone::Caution, "unclear"),
        };
        page = page.check(tone, mark, row.target.to_string(), fact(row));
    }
    match overall(rows) {
        // The failure says it.
        Finding::More | Finding::Less => page,
        Finding::AsPromised => {
            let clear = rows.iter().filter(|row| row.finding() == Finding::AsPromised).count();
            let tried = match rows.len() {
                all if all == clear => format!("{all} endpoints tried"),
                all => format!("{clear} of {all} endpoints gave a clear answer"),
            };
            page.line("").line(format!("the token opened only what its scopes allow ({tried})"))
        }
        Finding::Unknown => page.line("").line("inconclusive: no endpoint gave a clear answer"),
    }
}

/// What was observed, and the reason where it is not what the scopes allow.
fn fact(row: &Row) -> String {
    let Row { promise, observed, status, detail, .. } = row;
    let observed = observed.as_str();
    match (row.finding(), status) {
        (Finding::AsPromised, Some(status @ 400..)) => format!("{observed} ({status})"),
        (Finding::AsPromised, _) => observed.to_owned(),
        (Finding::More, _) => format!("{observed}, but not by the token's scopes"),
        (Finding::Less, _) => format!("{observed}, although the token's scopes allow it: {detail}"),
        (Finding::Unknown, _) if *promise == Access::Unknown => {
            format!("{observed} ({detail}); Corti does not document what these scopes allow")
        }
        (Finding::Unknown, _) => detail.clone(),
    }
}

fn row_json(row: &Row) -> Value {
    json!({
        "target": row.target.to_string(),
        "promised": row.promise.as_str(),
        "observed": row.observed.as_str(),
        "finding": row.finding(),
        "http_status": row.status,
        "detail": row.detail,
    })
}

fn failure(rows: &[Row], created: Option<Created>) -> Option<Failure> {
    let finding = overall(rows);
    if let (Some(Created { id, undo: Some(command) }), false) = (created, finding == Finding::More) {
        let message = format!("the interaction `{id}` was not deleted");
        return Some(Failure::new(Kind::Unexpected, message).hint(command));
    }
    let found: Vec<_> = rows.iter().filter(|row| row.finding() == finding).collect();
    let status = found.first().and_then(|row| row.status).unwrap_or(401);
    let (kind, what, hint) = match finding {
        Finding::More => {
            let hint = "do not give this token to a frontend; report it to Corti support";
            (Kind::Check, "more", hint.to_owned())
        }
        Finding::Less => (Kind::Rejected, "less", format!("corti-auth explain --status {status}")),
        Finding::AsPromised | Finding::Unknown => return None,
    };
    let names: Vec<_> = found.iter().map(|row| row.target.to_string()).collect();
    let message = format!("the token can do {what} than its scopes allow: {}", names.join(", "));
    Some(Failure::new(kind, message).hint(hint))
}
