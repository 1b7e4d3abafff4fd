//! `probe`: opens a WebSocket step by step. Shows the result and the time of each step, and the server's messages.
//!
//! Only transcripts and facts go to stdout. An interaction that it created is always deleted.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::app::api;
use crate::app::checks::{Check, Checks};
use crate::app::context::Context;
use crate::app::interrupt::StopSignal;
use crate::app::route::Route;
use crate::app::tokens::Tokens;
use crate::cli::token_args::NthArgs;
use crate::domain::client::secret::REDACTED;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::{Response, without_query};
use crate::domain::corti::websocket::{SocketKind, upgrade_url};
use crate::domain::explain::diagnosis::Verdict;
use crate::domain::text::event::Event;
use crate::domain::text::excerpt::at_most;
use crate::domain::text::page::Page;
use crate::edge::socket::Socket;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text, with_schema};

mod messages;
mod pasted;
mod payload;
mod session;
mod target;

use messages::Messages;
use payload::Payload;
use target::{PreparedTarget, Target};

/// How many bytes of a refusal's body are shown.
const MAX_BODY: usize = 2000;

/// Checks DNS, TCP, TLS, upgrade, configuration and session end, with the time of each step, and shows the cost. Without audio
/// it costs next to nothing. The token is minted with only the socket's scope, or taken from --token-file, from `CORTI_ACCESS_TOKEN` or
/// from the URL of --websocket-url. A token in a file or URL is sent only to the environment and tenant that issued it. For
/// /streams an interaction is created, and deleted at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth probe transcribe
  corti-auth probe streams --audio visit.wav > transcript.txt
  corti-auth probe streams --interaction 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 --json
  corti-auth probe transcribe --token-file token.txt
  corti-auth probe --websocket-url - < pasted.txt

Output:
  Transcripts and facts go to stdout, all else to stderr. With --json every step and every
  message of the server is one JSON line on stdout, and the last line is the result.

Exit codes:
  1 configuration refused, 5 token refused, 6 scope missing
  7 the token in the file or URL is for another environment or tenant, 8 network, 9 try later")]
pub(super) struct ProbeArgs {
    /// Which WebSocket [default: that of --websocket-url]
    #[arg(
        value_enum,
        hide_possible_values = true,
        value_name = "transcribe|streams",
        required_unless_present = "websocket_url"
    )]
    socket: Option<SocketKind>,
    /// Use this interaction instead of a new one
    #[arg(long, value_name = "ID", value_parser = crate::cli::argument::interaction_id)]
    interaction: Option<Uuid>,
    /// Do not delete the new interaction
    #[arg(long, conflicts_with = "interaction")]
    keep: bool,
    /// Read a pasted URL from this file, or standard input (-)
    ///
    /// The URL may have a token in it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interaction", "keep"])]
    websocket_url: Option<PathBuf>,
    /// Use the token in this file (- for stdin) instead of a new one
    #[arg(long, value_name = "FILE", conflicts_with = "websocket_url")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    which: NthArgs,
    /// Send this audio in real time
    ///
    /// PCM in WAV at its rate, compressed formats at 128 kbit a second, everything else as 16-bit mono PCM at 16 kHz.
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// Set primaryLanguage in the configuration
    #[arg(long, value_name = "LANGUAGE", default_value = "en", conflicts_with = "configuration")]
    language: String,
    /// Send the configuration in this JSON file
    #[arg(long, value_name = "FILE")]
    configuration: Option<PathBuf>,
}

pub(super) async fn run(args: &ProbeArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut stop = StopSignal::watch();
    let tokens = Tokens::new(context);
    let mut checks = Checks::new(context.sink, show);
    let mut messages = Messages::new(context.sink);
    let prepare = async {
        let payload = Payload::read(args, context).await?;
        Ok((payload, target::prepare(args, &tokens, &mut checks).await?))
    };
    let (payload, prepared) = stop.run(prepare).await?;
    let (target, owner) = match prepared {
        PreparedTarget::Ready(target) => (target, None),
        PreparedTarget::New(owner) => (owner.create(args.keep, &tokens, &mut checks).await?, Some(owner)),
    };
    let result = stop.run(open(&target, &payload, &tokens, &mut checks, &mut messages)).await;
    if let (Some(owner), Some(id)) = (owner, target.interaction) {
        if args.keep {
            // Also with --quiet and after a failure: nothing else names the interaction.
            context
                .warn("the interaction that the probe created was kept", Some(&api::deletion(id, context)));
        } else if let Err(left) = owner.delete(id, &tokens, &mut checks).await {
            if result.is_ok() {
                return Err(left);
            }
            context.warn(left.in_one_line(), left.hints.last().map(String::as_str));
        }
    }
    result?;
    let Messages { transcripts, credits, error, .. } = messages;
    let socket = target.kind.as_str();
    let json = json!({
        "socket": socket,
        "url": without_query(&target.url),
        "interaction_id": target.interaction.map(|id| id.to_string()),
        "kept": args.keep,
        "transcripts": transcripts,
        "credits": credits,
        "error": error,
        "steps": checks.list.iter().map(json).collect::<Vec<_>>(),
    });
    let end = if error.is_none() { "ended normally" } else { "ended with an error" };
    let message = format!("/{socket} opened, accepted the configuration, and {end}");
    let failure = error.map(|error| {
        let message = format!("the server reported an error in the session: {error}");
        Failure::new(Kind::Refused, message).hint("to see each message: corti-auth probe --json")
    });
    Ok(Outcome { failure, ..Outcome::new("probe", json, Text::Message(Page::new().line(message))) })
}

async fn open<'a>(
    target: &Target,
    payload: &Payload,
    tokens: &Tokens<'_>,
    checks: &mut Checks<'a>,
    messages: &mut Messages<'a>,
) -> Result<(), Failure> {
    let context = tokens.context;
    let host = target.url.host_str().unwrap_or_default().to_owned();
    let route = Route::to(origin(&target.url), host, context);
    route.connect(context, checks).await?;
    if target.url.scheme() == "wss" {
        let _ = route.tls(&tokens.http, context, checks).await?;
    } else {
        checks.skip("tls", "ws:// on this machine");
    }
    let timeout = context.options.timeout;
    let answer = Socket::handshake(&tokens.http, &target.address, timeout).await;
    let (response, socket) = answer.map_err(|error| checks.fail("upgrade", error.into()))?;
    upgraded(&response, checks);
    let Some(socket) = socket else {
        return Err(Failure::upgrade(Problem::of(&response), target.lacking));
    };
    session::run(socket, target.kind, payload, timeout, checks, messages).await
}

/// The HTTP URL of the server, without a path.
fn origin(url: &Url) -> Url {
    let http = upgrade_url(url.as_str()).and_then(|http| http.join("/").ok());
    http.unwrap_or_else(|| url.clone())
}

/// Adds the check of the answer to the upgrade. `--json` always has its headers; `show` prints them only if it was refused.
fn upgraded(response: &Response, checks: &mut Checks<'_>) {
    // A load balancer's cookie may give access to a session.
    let shown = |name: &str, value: &str| if name == "set-cookie" { REDACTED } else { value }.to_owned();
    let headers: Vec<(&String, String)> =
        response.headers.iter().map(|(name, value)| (name, shown(name, value))).collect();
    let body = String::from_utf8_lossy(&response.body);
    let more =
        json!({ "http_status": response.status, "headers": headers, "body": at_most(MAX_BODY, &body) });
    let (verdict, detail) = match response.status {
        101 => (Verdict::Ok, "101, the WebSocket is open".to_owned()),
        status => (Verdict::Failed, format!("refused with {status}")),
    };
    checks.add("upgrade", verdict, detail, None, more);
}

fn show(check: &Check) -> Event {
    let is_refusal = check.more["http_status"].is_number() && check.verdict == Verdict::Failed;
    let page = check.timed_page(&check.detail);
    let headers = check.more["headers"].as_array().filter(|_| is_refusal).into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = headers.map(|header| format!("{}: {}", text(&header[0]), text(&header[1])));
    let body = check.more["body"].as_str().filter(|body| is_refusal && !body.is_empty());
    let lines = headers.chain(body.map(|body| format!("body: {body}")));
    let page = lines.fold(page, |page, line| page.line(format!("  {line}")));
    Event::Step(page, with_schema("probe-step", json(check)))
}

fn json(check: &Check) -> Value {
    let mut step = json!({
        "step": check.name,
        "verdict": check.verdict.as_str(),
        "ms": (check.verdict != Verdict::Skipped).then(|| milliseconds(check.elapsed)),
        "detail": check.detail,
    });
    if let (Some(step), Some(more)) = (step.as_object_mut(), check.more.as_object()) {
        step.extend(more.clone());
    }
    step
}

/// Milliseconds with one decimal.
fn milliseconds(elapsed: Duration) -> f64 {
    let tenths = u32::try_from(elapsed.as_micros() / 100).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}
