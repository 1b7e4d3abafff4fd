//! `probe`: opens a WebSocket step by step, and tells of each how it went, how long it took, and what the server said.
//!
//! What is said in a session goes to stdout and nowhere else. An interaction that was made for it is deleted again,
//! whatever happens.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::api;
use crate::app::context::Context;
use crate::app::interrupt::interruption;
use crate::app::tokens::Tokens;
use crate::cli::argument::SocketArg;
use crate::domain::corti::problem::Problem;
use crate::domain::text::page::Page;
use crate::edge::process;
use crate::edge::socket::Socket;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod journal;
mod material;
mod pasted;
mod steps;
mod talk;
mod target;

use journal::{Journal, Step};
use material::Material;
use target::{Aim, Draft};

/// DNS, TCP, TLS, the upgrade, the configuration, the end and what it cost, each with its time. Without an audio file
/// nothing is said, which costs next to nothing. The token is minted with the socket's scope alone, or taken from
/// `CORTI_ACCESS_TOKEN` or from the URL of --websocket-url. A token in the URL of --websocket-url is sent only to the
/// environment and tenant that issued it. For /streams an interaction is created, and deleted at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth probe transcribe
  corti-auth probe streams --audio visit.wav > transcript.txt
  corti-auth probe streams --interaction 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 --json
  corti-auth probe --websocket-url - < pasted.txt

Transcripts and facts go to stdout, all else to stderr. With --json every step and every message of the server is one JSON
line on stdout, and the last is the result.

Exit codes: 1 the configuration was refused, 5 the token was, 6 its scope is the reason, 7 the token
in the URL is for another environment or tenant, 8 network, 9 try later.")]
pub(super) struct ProbeArgs {
    /// Which WebSocket; of a pasted URL its path tells
    #[arg(value_enum, value_name = "transcribe|streams", required_unless_present = "websocket_url")]
    socket: Option<SocketArg>,
    /// Use this interaction instead of a new one
    #[arg(long, value_name = "ID", value_parser = crate::cli::argument::interaction_id)]
    interaction: Option<Uuid>,
    /// Leave the new interaction where it is
    #[arg(long, conflicts_with = "interaction")]
    keep: bool,
    /// Take a pasted URL from this file, or from standard input (-); it may have a token in it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interaction", "keep"])]
    websocket_url: Option<PathBuf>,
    /// Send this audio at its own pace: PCM in WAV at its rate, compressed formats at 128 kbit a second, everything else as
    /// 16-bit mono PCM at 16 kHz
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// Configure this primary language
    #[arg(long, value_name = "LANGUAGE", default_value = "en", conflicts_with = "configuration")]
    language: String,
    /// Send the configuration in this JSON file instead of the smallest one
    #[arg(long, value_name = "FILE")]
    configuration: Option<PathBuf>,
}

/// How a session went.
pub(super) struct ProbeOutcome {
    url: String,
    socket: &'static str,
    interaction: Option<Uuid>,
    kept: bool,
    journal: Summary,
}

/// What the journal has at the end.
struct Summary {
    steps: Vec<Value>,
    transcripts: usize,
    credits: Option<f64>,
    /// What the server called an error.
    complaint: Option<String>,
}

/// # Errors
/// That of the first step that fails.
pub(super) async fn run(args: &ProbeArgs, context: &Context<'_>) -> Result<ProbeOutcome, Failure> {
    // Taken over for good: whatever happens from here on, the interaction is deleted again.
    let mut stop = std::pin::pin!(process::asked_to_stop());
    let tokens = Tokens::new(context);
    let mut journal = Journal::new(context);
    let preparation = async {
        let material = Material::read(args, context).await?;
        Ok::<_, Failure>((material, Draft::take(args, &tokens, &mut journal).await?))
    };
    let (material, draft) = tokio::select! {
        prepared = preparation => prepared?,
        () = stop.as_mut() => return Err(interruption()),
    };
    // Not given up half-way: an interaction whose id is not known could not be deleted. It is bounded.
    let aim = draft.settle(args.interaction, &tokens, &mut journal).await?;
    let result = tokio::select! {
        result = open_and_talk(&aim, &material, &tokens, &mut journal) => result,
        () = stop => Err(interruption()),
    };
    let cleared = if args.keep { Ok(()) } else { aim.clear(&tokens, &mut journal).await };
    // Also with --quiet, and where the session failed: nobody else knows of it.
    if let Some(id) = aim.interaction.filter(|_| args.keep) {
        context.warn("the interaction that was made for the probe stays", Some(&api::deletion(id, context)));
    }
    if let (Err(_), Err(left)) = (&result, &cleared) {
        let words = left.in_one_line();
        context.warn(words, left.hints().last().map(String::as_str));
    }
    result.and(cleared)?;
    Ok(ProbeOutcome {
        url: aim.route(),
        socket: aim.kind.as_str(),
        interaction: aim.interaction,
        kept: args.keep,
        journal: journal.into_summary(),
    })
}

async fn open_and_talk(
    aim: &Aim,
    material: &Material,
    tokens: &Tokens<'_>,
    journal: &mut Journal<'_>,
) -> Result<(), Failure> {
    steps::examine(&aim.url, tokens.context, &tokens.http, journal).await?;
    let socket = upgrade(aim, tokens, journal).await?;
    talk::hold(socket, aim.kind, material, tokens.context.options.timeout, journal).await
}

async fn upgrade(aim: &Aim, tokens: &Tokens<'_>, journal: &mut Journal<'_>) -> Result<Socket, Failure> {
    let step = Step::begin("upgrade");
    let answer = Socket::handshake(&tokens.http, &aim.address, tokens.context.options.timeout).await;
    match answer {
        Ok((response, Some(socket))) => {
            journal.answered(&step, &response);
            Ok(socket)
        }
        Ok((response, None)) => {
            journal.answered(&step, &response);
            Err(Failure::upgrade(Problem::of(&response), aim.lacking()))
        }
        Err(error) => Err(journal.failed(&step, Failure::from(error))),
    }
}

impl Outcome for ProbeOutcome {
    fn command(&self) -> &'static str {
        "probe"
    }

    fn json(&self) -> Value {
        json!({
            "socket": self.socket,
            "url": self.url,
            "interaction_id": self.interaction.map(|id| id.to_string()),
            "kept": self.kept,
            "transcripts": self.journal.transcripts,
            "credits": self.journal.credits,
            "error": self.journal.complaint,
            "steps": self.journal.steps,
        })
    }

    fn text(&self) -> Text {
        let how = if self.journal.complaint.is_none() { "as it should" } else { "with an error" };
        let line = format!("/{} opens, takes the configuration, and ends {how}", self.socket);
        Text::Message(Page::new().line(line))
    }

    fn verdict(&mut self) -> Option<Failure> {
        let complaint = self.journal.complaint.as_ref()?;
        let message = format!("the server reported an error in the session: {complaint}");
        Some(Failure::new(Kind::Refused, message).hint("see each message: corti-auth probe --json"))
    }
}
