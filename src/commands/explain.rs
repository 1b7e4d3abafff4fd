//! `explain`: lists the likely causes of a failed request. It sends nothing.

use std::iter;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::app::{input, token_source};
use crate::cli::token_args::NthArgs;
use crate::domain::client::resolve::{self, ResolveError};
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::GivenSecret;
use crate::domain::explain::causes::{Cause, Confidence, explain};
use crate::domain::explain::evidence::{Configured, Evidence, UsedToken};
use crate::domain::explain::saved_exchange::SavedExchange;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::Shell;
use crate::domain::token::pasted::{self, MAX_TEXT};
use crate::domain::token::scope::TokenClass;
use crate::edge::prompt;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Give what you have: a status or a close code; the response as curl -i, -D or -v saved it, its body alone, a browser's HAR
/// or a WebSocket's message; the token that was used (default: the saved request's, or `CORTI_ACCESS_TOKEN`). From a HAR it
/// takes the first failed exchange with Corti. The token is compared with your configuration, if there is one. Nothing is sent.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth explain 401
  corti-auth explain saved.har
  curl -si https://api.eu.corti.app/v2/languages/ | corti-auth explain --response -
  corti-auth explain --response saved.txt --token-file token.txt --json

Exit codes:
  0 there are likely causes, 1 no known cause matches")]
pub(super) struct ExplainArgs {
    /// HTTP status, close code, or a file with the response (- for stdin)
    ///
    /// On a terminal, `-` or nothing: paste the response at a prompt, which does not show it.
    #[arg(value_name = "STATUS|FILE", value_parser = what, value_hint = ValueHint::FilePath)]
    what: Option<What>,
    /// The HTTP status or the close code, for scripts
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<u16>,
    /// Read the response from this file, or from standard input (-), for scripts
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// Read the token that was used from this file, or from standard input (-)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    which: NthArgs,
}

/// What is explained.
#[derive(Clone, Debug)]
enum What {
    Status(u16),
    Response(PathBuf),
}

fn what(text: &str) -> Result<What, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { status(text).map(What::Status) } else { Ok(What::Response(text.into())) }
}

/// An HTTP status or a close code.
fn status(text: &str) -> Result<u16, String> {
    let status = text.parse().ok().filter(|status| (100..5000).contains(status));
    status.ok_or_else(|| "STATUS is an HTTP status or a close code, such as 401".to_owned())
}

pub(super) async fn run(args: &ExplainArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let (given_status, given_response) = match &args.what {
        Some(What::Status(status)) => (Some(*status), None),
        Some(What::Response(path)) => (None, Some(path)),
        None => (None, None),
    };
    if given_status.and(args.status).is_some() || given_response.and(args.response.as_ref()).is_some() {
        let message = "the status or the response is given twice";
        return Err(Failure::new(Kind::Usage, message).hint("corti-auth explain FILE"));
    }
    let (status, response) = (given_status.or(args.status), given_response.or(args.response.as_ref()));
    let is_stdin = |path: Option<&PathBuf>| path.is_some_and(|path| path.as_os_str() == "-");
    if is_stdin(response) && is_stdin(args.token_file.as_ref()) {
        let message = "the response and the token cannot both come from standard input";
        return Err(
            Failure::new(Kind::Usage, message).hint("corti-auth explain --response - --token-file FILE")
        );
    }
    let now = context.host.clock.now();
    let given = given_token(args, context).await?;
    let ready = context.variables()?.access_token.as_ref();
    let is_alone = status.is_none() && given.is_none() && ready.is_none();
    let text = match response {
        Some(path) => read(path, context).await?,
        None if is_alone && (context.may_ask() || !context.host.terminal.stdin) => {
            read(Path::new("-"), context).await?
        }
        None => Zeroizing::default(),
    };
    // A token or a status may be all that was saved.
    let (status, text, pasted) = match text.trim() {
        text if pasted::is_bare(text) => (status, "", Some(UsedToken::read(text, now))),
        text if status.is_none() && self::status(text).is_ok() => (self::status(text).ok(), "", None),
        text => (status, text, None),
    };
    let exchange = SavedExchange::read(text);
    let sent = exchange.authorization.as_ref().or(ready.map(AccessToken::secret));
    let token = given.or(pasted).or_else(|| sent.map(|text| UsedToken::read(text.expose(), now)));
    if status.is_none() && text.is_empty() && token.is_none() {
        return Err(Failure::new(Kind::Usage, "say what to explain: a status, a response or a token")
            .hint("corti-auth explain 401")
            .hint(saving()));
    }
    if let (Some(said), Some(saved)) = (status, exchange.status)
        && said != saved
    {
        let message = format!("you gave the status {said}, but the response has {saved}");
        return Err(Failure::new(Kind::Usage, message).hint("leave the status out"));
    }
    let secret = match &context.variables()?.client_secret {
        Some(GivenSecret::Value(secret)) => Some(secret.secret()),
        _ => None,
    };
    let evidence = Evidence::new(status, &exchange, token, configured(context)?, secret, now);
    let causes = explain(&evidence);
    let json = json!({
        "status": evidence.status,
        "shape": evidence.answer(),
        "request_id": evidence.request_id(),
        "token": evidence.token.as_ref().map(describe),
        "causes": causes.iter().map(cause_json).collect::<Vec<_>>(),
    });
    if causes.is_empty() {
        let failure = Some(unexplained(&evidence));
        return Ok(Outcome { failure, ..Outcome::new("explain", json, Text::Page(seen(&evidence))) });
    }
    Ok(Outcome::new("explain", json, Text::Page(page(&causes, &evidence))))
}

async fn given_token(args: &ExplainArgs, context: &Context<'_>) -> Result<Option<UsedToken>, Failure> {
    let now = context.host.clock.now();
    let Some(path) = &args.token_file else { return Ok(None) };
    let text = token_source::text(path, readable("--token-file"), context).await?;
    Ok(Some(match token_source::choose(&text, args.which.nth, context).await {
        Ok(found) => UsedToken::new(text.expose(), &found.token, now),
        // What cannot be read may be why the request failed.
        Err(failure) if failure.kind == Kind::Token => UsedToken::read(text.expose(), now),
        Err(failure) => return Err(failure),
    }))
}

/// Reads the response, which a person is asked for on a terminal. Bytes that are not UTF-8 become `U+FFFD`.
async fn read(path: &Path, context: &Context<'_>) -> Result<Zeroizing<String>, Failure> {
    if path.as_os_str() == "-" && context.may_ask() {
        let is_whole = |line: &str| SavedExchange::is_line(line) || pasted::is_token_line(line);
        return Ok(prompt::paste("response", context.questions().plain, is_whole).await?);
    }
    let bytes = input::read(path, MAX_TEXT, context).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the response from {reason}"))
            .hint(readable("--response"))
    })?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The hint for a file that cannot be read.
fn readable(option: &str) -> String {
    let explain = Shell::HERE.read_from(&format!("corti-auth explain {option} -"), "FILE");
    format!("name a readable file, or pipe it in: {explain}")
}

/// The configured client, or only the environment and tenant. A profile that was named must exist.
fn configured(context: &Context<'_>) -> Result<Configured, Failure> {
    let (flags, variables, config) = (context.flags()?, context.variables()?, context.config()?);
    match resolve::resolve(flags, variables, config) {
        Ok(plan) => Ok(Configured {
            place: Some((plan.client.environment, plan.client.tenant)),
            client: Some(plan.client.id),
        }),
        Err(error @ ResolveError::UnknownProfile { .. }) => Err(error.into()),
        Err(_) => {
            Ok(Configured { place: resolve::resolve_target(flags, variables, config).ok(), client: None })
        }
    }
}

fn page(causes: &[Cause], evidence: &Evidence) -> Page {
    let mut page = Page::new();
    for (number, cause) in (1..).zip(causes) {
        let (tone, confidence) = match cause.confidence() {
            Confidence::High => (Tone::Strong, "certain"),
            Confidence::Medium => (Tone::Plain, "likely"),
            Confidence::Low => (Tone::Plain, "guess"),
        };
        page = page.toned(tone, format!("{number}. {} ({confidence}) [{}]", cause.cause, cause.id));
        page = cause.evidence.iter().fold(page, |page, it| page.field("   because", it));
        let labels = iter::once("   remedy").chain(iter::repeat(""));
        page = labels.zip(&cause.remedy).fold(page, |page, (label, line)| page.field(label, line));
    }
    if causes.iter().all(|cause| cause.confidence() == Confidence::Low) {
        page = page.line(match (evidence.answer(), &evidence.token) {
            (None, None) => "With a status alone these are guesses; add --response FILE to rank them.",
            (None, Some(_)) => "These are guesses; add --response FILE to rank them.",
            (Some(_), None) => "These are guesses; add --token-file FILE to rank them.",
            (Some(_), Some(_)) => "These are guesses.",
        });
    }
    match evidence.request_id() {
        Some(id) => page.toned(Tone::Dim, format!("for Corti's support: request {id}")),
        None => page,
    }
}

fn cause_json(cause: &Cause) -> Value {
    json!({
        "id": cause.id,
        "cause": cause.cause,
        "confidence": cause.confidence(),
        "evidence": cause.evidence,
        "remedy": cause.remedy.join("\n"),
    })
}

/// What is known, if no cause matches.
fn seen(evidence: &Evidence) -> Page {
    Page::new()
        .optional("status", evidence.status.map(|status| status.to_string()))
        .optional("answer", evidence.answer())
        .optional("token", evidence.token.as_ref().map(|used| used.secret.fingerprint()))
        .optional("request", evidence.request_id())
}

/// The token's claims, without the token itself.
fn describe(used: &UsedToken) -> Value {
    let claims = used.inspection.as_ref();
    let place = claims.and_then(|claims| claims.place.as_ref());
    json!({
        "fingerprint": used.secret.fingerprint(),
        "kind": claims.map(|claims| claims.kind.as_str()),
        "reach": claims.and_then(|claims| claims.class).map(TokenClass::as_str),
        "environment": place.map(|(environment, _)| environment.to_string()),
        "tenant": place.map(|(_, tenant)| tenant.as_str()),
        "expires_at": claims.and_then(|claims| claims.expires_at).map(|time| time.to_string()),
    })
}

/// The command that saves a response and explains it.
fn saving() -> String {
    Shell::HERE.curl("-si URL | corti-auth explain --response -")
}

fn unexplained(evidence: &Evidence) -> Failure {
    let mut failure = Failure::new(Kind::Unexpected, "no known cause matches");
    if evidence.answer().is_none() {
        failure = failure.hint(format!("save the response too: {}", saving()));
    }
    if evidence.token.is_none() {
        failure = failure.hint("add the token that was used: corti-auth explain --token-file FILE");
    }
    failure.hint("ask Corti's support, with a report: corti-auth doctor --report FILE")
}
