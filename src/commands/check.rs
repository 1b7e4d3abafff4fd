//! `check`: what a token can reach, against what its scopes promise. A few reads that change nothing, one after another.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::caller;
use crate::app::context::Context;
use crate::app::interrupt::interruption;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::cli::token_args::ScopeArgs;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::access::{Finding, READS, Row, overall};
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::inspection::{Inspection, Kind as TokenKind};
use crate::domain::token::scope::TokenClass;
use crate::edge::process;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod look;
mod subject;
mod temporary_interaction;

use subject::Subject;
use temporary_interaction::{Passed, Passing};

/// Reads /languages/, /factgroups/ and the first of /interactions/, and opens both WebSockets until they accept a
/// configuration. The token is one from a file, from `CORTI_ACCESS_TOKEN`, or a new one with the scopes you choose. It goes
/// to the configured environment and to no other. What is seen once proves no token safe: a row is allowed, denied or
/// inconclusive.
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
    /// Create an interaction with a full token of the client, try its /streams, and delete it
    #[arg(long)]
    streams: bool,
}

/// A token that was looked at.
pub(super) struct CheckOutcome {
    subject: Subject,
    rows: Vec<Row>,
    /// The interaction that was made for it.
    passed: Option<Passed>,
}

/// # Errors
/// Where there is no token, or it must not be sent. What the API answers is an outcome.
pub(super) async fn run(args: &CheckArgs, context: &Context<'_>) -> Result<CheckOutcome, Failure> {
    // Taken over for good: an interaction that was created is deleted, whatever happens.
    let mut stop = std::pin::pin!(process::asked_to_stop());
    let tokens = Tokens::new(context);
    let (subject, mut rows, full) = tokio::select! {
        looked = look_around(args, context, &tokens) => looked?,
        () = &mut stop => return Err(interruption()),
    };
    let passing = match full {
        None => None,
        Some(full) => match Passing::create(&tokens, &subject, full).await {
            Ok(passing) => Some(passing),
            Err(failure) => {
                rows.push(look::untried(&subject, &failure));
                if failure.is_of_a_lost_answer() {
                    context.warn(
                        "an interaction may be left behind",
                        failure.hints().last().map(String::as_str),
                    );
                }
                return Ok(CheckOutcome { subject, rows, passed: None });
            }
        },
    };
    let url = passing.as_ref().map(|passing| &passing.interaction.websocket_url);
    let opening = look::streams(&tokens.http, &subject, url, context.options.timeout);
    let row = tokio::select! {
        row = spinner::show(context, "opening /streams", opening) => Some(row),
        () = &mut stop => None,
    };
    let passed = match passing {
        Some(passing) => Some(passing.end(context, &tokens, &subject).await),
        None => None,
    };
    rows.push(row.ok_or_else(interruption)?);
    Ok(CheckOutcome { subject, rows, passed })
}

/// Finds the token and looks at all but `/streams`; with `--streams` there is a full token to go on with.
async fn look_around(
    args: &CheckArgs,
    context: &Context<'_>,
    tokens: &Tokens<'_>,
) -> Result<(Subject, Vec<Row>, Option<AccessToken>), Failure> {
    let subject = Subject::find(args, context, tokens).await?;
    let full = if args.streams { Some(Passing::prepare(context, tokens, &subject).await?) } else { None };
    let mut rows = Vec::new();
    for path in READS {
        rows.push(spinner::show(context, "reading", look::read(&tokens.http, &subject, path)).await);
    }
    let opening = look::transcribe(&tokens.http, &subject, context.options.timeout);
    rows.push(spinner::show(context, "opening /transcribe", opening).await);
    Ok((subject, rows, full))
}

/// # Errors
/// Where it is no access token, or has expired.
fn inspect(token: &AccessToken, context: &Context<'_>) -> Result<Inspection, Failure> {
    let failure = |message: String| {
        Failure::new(Kind::Token, message).hint("mint a new one: corti-auth check --scope transcribe")
    };
    let inspection = caller::inspect(token, context.host.clock.now())?
        .ok_or_else(|| failure("it is no JWT, so it names no scopes to compare with".to_owned()))?;
    if matches!(inspection.kind, TokenKind::Id | TokenKind::Refresh) {
        return Err(failure(format!("it is of the kind `{}`, which opens no API", inspection.kind.as_str())));
    }
    if inspection.is_expired() {
        return Err(failure("the token has expired".to_owned()));
    }
    Ok(inspection)
}

impl CheckOutcome {
    fn page(&self) -> Page {
        let seen = &self.subject.inspection;
        let page = Page::new()
            .field(
                "token",
                format!(
                    "{} ({})",
                    self.subject.fingerprint(),
                    seen.class.map_or("unknown", TokenClass::as_str)
                ),
            )
            .field("scopes", seen.scopes.to_string())
            .field("sent to", format!("{}, tenant {}", self.subject.environment, self.subject.tenant))
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
        let count = self.rows.len();
        rows.line("").line(match overall(&self.rows) {
            Finding::More => "the token can do more than its scopes promise".to_owned(),
            Finding::Less => "the token can do less than its scopes promise".to_owned(),
            Finding::AsPromised => {
                format!("ok: the token opened only what its scopes allow ({count} endpoints tried)")
            }
            Finding::Unknown => "inconclusive: no endpoint gave a clear answer".to_owned(),
        })
    }

    /// The rows of one finding, by name.
    fn named(&self, finding: Finding) -> String {
        let rows = self.rows.iter().filter(|row| row.finding() == finding);
        rows.map(|row| row.target.to_string()).collect::<Vec<_>>().join(", ")
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
        let seen = &self.subject.inspection;
        json!({
            "finding": overall(&self.rows).as_str(),
            "rows": self.rows.iter().map(row_json).collect::<Vec<_>>(),
            "environment": self.subject.environment.to_string(),
            "tenant": self.subject.tenant.as_str(),
            "scopes": seen.scopes.to_strings(),
            "reach": seen.class.map(TokenClass::as_str),
            "fingerprint": self.subject.fingerprint(),
            "interaction": self.passed.as_ref().map(Passed::json),
        })
    }

    fn text(&self) -> Text {
        Text::Page(self.page())
    }

    fn verdict(&mut self) -> Option<Failure> {
        let finding = overall(&self.rows);
        if let (Some(Passed { id, left: Some(remedy) }), false) = (&self.passed, finding == Finding::More) {
            let message = format!("the interaction `{id}` is still there");
            return Some(Failure::new(Kind::Unexpected, message).hint(remedy));
        }
        match finding {
            Finding::More => {
                let message =
                    format!("the token can do more than its scopes promise: {}", self.named(Finding::More));
                Some(Failure::new(Kind::Check, message).hint(
                    "do not give this token to a frontend; report it to Corti support: corti-auth check --json",
                ))
            }
            Finding::Less => {
                let message =
                    format!("the token can do less than its scopes promise: {}", self.named(Finding::Less));
                let status =
                    self.rows.iter().find(|row| row.finding() == Finding::Less).and_then(|row| row.status);
                Some(
                    Failure::new(Kind::Rejected, message)
                        .hint(format!("corti-auth explain --status {}", status.unwrap_or(401))),
                )
            }
            Finding::AsPromised | Finding::Unknown => None,
        }
    }
}
