//! `inspect`: decodes tokens, shows what each one is and may do, and verifies them with `--verify`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::app::context::Context;
use crate::app::interrupt::interruptible;
use crate::app::token_source::{self, Source, refuse_terminal};
use crate::cli::argument;
use crate::cli::token_args::NthArgs;
use crate::domain::text::shell::Shell;
use crate::domain::token::pasted;
use crate::domain::token::report::FIELDS;
use crate::domain::token::scope::LIMITED;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod judge;
mod many;
mod verifier;

use judge::Judge;

/// The token comes from a file or from standard input, never from the command line. On a terminal you are asked for it, and
/// it is not shown. It is found in whatever surrounds it: a chat, a mail, a log, JSON, a HAR, the output of curl. The output
/// says where it was. From an OAuth response it takes the access token. If there are several other tokens, you choose one
/// (--nth). Without --verify, nothing that the token claims is proven.
///
/// With --lines, or if the first two lines are tokens, each line is one token, and one JSON object is printed per line;
/// a line without a usable token gets an `error` field. On a terminal, without --json, they are rows
/// of a table.
///
/// --verify uses the keys that the realm of the environment and tenant publishes, or those of --jwks, and never keys that
/// a token names. It checks signature, algorithm, expiry, not-before, issuer and audience. An access token must be
/// for `account`, Keycloak's default, or for the one of --audience; another one is reported as not checked. An ID token must
/// be for its client, a refresh token for its issuer. Keys are fetched again after 10 minutes, and for an unknown key, at
/// most once a minute.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[command(after_help = "Examples:
  corti-auth token streams | corti-auth inspect
  corti-auth inspect token.txt --verify --environment eu
  corti-auth inspect --field expires_at < token.txt
  corti-auth inspect --lines --verify < tokens.txt > verdicts.jsonl

Exit codes:
  7 the token is invalid, expired or unreadable, 10 a required scope is missing
  With many tokens, the worst of them decides.")]
pub(super) struct InspectArgs {
    /// Read the token from this file, or standard input (-)
    file: Option<PathBuf>,
    /// Check the signature and the claims with the tenant's keys
    #[arg(long)]
    verify: bool,
    /// Use the keys in this JSON Web Key set
    #[arg(long, value_name = "FILE", requires = "verify")]
    jwks: Option<PathBuf>,
    /// Require this audience, or one of several
    #[arg(long, value_name = "NAME", requires = "verify")]
    audience: Vec<String>,
    /// Allow this much difference between the clocks
    #[arg(
        long, value_name = "DURATION", default_value = "30s", value_parser = argument::leeway, requires = "verify"
    )]
    leeway: Duration,
    /// Show every claim, and the header, with their meanings
    #[arg(long)]
    claims: bool,
    /// Hide clients, users and sessions, for a ticket
    #[arg(long)]
    redact: bool,
    /// Exit with 10 unless the token has this scope
    ///
    /// May be repeated; several may also be separated by commas or spaces.
    #[arg(long, value_name = "SCOPE", add = argument::offering(&LIMITED))]
    require_scope: Vec<String>,
    /// Read every line as one token
    #[arg(long, conflicts_with = "nth")]
    lines: bool,
    #[command(flatten)]
    which: NthArgs,
}

pub(super) async fn run(args: &InspectArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let fetches_keys = args.verify && args.jwks.is_none();
    if fetches_keys || file(args).is_none() && context.host.terminal.stdin {
        interruptible(context, inspect(args, fetches_keys, context)).await
    } else {
        inspect(args, false, context).await
    }
}

/// The file to read; `None` is standard input.
fn file(args: &InspectArgs) -> Option<&Path> {
    args.file.as_deref().filter(|path| path.as_os_str() != "-")
}

async fn inspect(args: &InspectArgs, fetches_keys: bool, context: &Context<'_>) -> Result<Outcome, Failure> {
    check_field(args, context)?;
    let file = file(args);
    let asked = token_source::ask(file, context).await?;
    if file.is_none() && asked.is_none() {
        refuse_terminal("corti-auth inspect", context)?;
    }
    let example = |option| Shell::HERE.read_from(&format!("corti-auth inspect{option}"), "FILE");
    let mut source = match asked {
        Some(text) => Source::of(&text, example("")),
        None if fetches_keys => Source::on_a_thread(file, example("")),
        None => Source::on_this_thread(file, example(""))?,
    };
    let mut judge = Judge::new(args, context)?;
    if args.lines || args.which.nth.is_none() && source.is_many().await? {
        // Their lines are printed already.
        let failure = many::run(source, &mut judge, context).await?;
        return Ok(Outcome { failure, ..Outcome::new("inspect", Value::Null, Text::Nothing) });
    }
    let text = source.whole().await?;
    let found = match token_source::choose(&text, args.which.nth, context).await {
        Ok(found) => found,
        Err(failure) if failure.kind == Kind::Usage && pasted::is_one_a_line(text.expose()) => {
            return Err(failure.hint(format!("each line by itself: {}", example(" --lines"))));
        }
        Err(failure) if failure.kind == Kind::Usage => return Err(failure),
        // The signature of what cannot be read may be good.
        Err(failure) => return Err(judge.judge(text.expose()).await?.err().map_or(failure, Failure::from)),
    };
    let mut judged = judge.judge(&found.token).await?.map_err(Failure::from)?;
    judged.cleaned = found.cleaned;
    let (json, page) = (judged.fields(), judged.page());
    Ok(Outcome { failure: judged.failure(), ..Outcome::new("inspect", json, Text::Page(page)) })
}

/// Refuses a `--field` that no token has, before anything is read.
fn check_field(args: &InspectArgs, context: &Context<'_>) -> Result<(), Failure> {
    let Some(field) = &context.options.field else { return Ok(()) };
    let first = field.split('.').next().unwrap_or_default();
    if first == "claims" && !args.claims {
        let message = format!("the field `{field}` needs --claims");
        return Err(Failure::new(Kind::Usage, message).hint("add --claims"));
    }
    if FIELDS.split(", ").any(|known| known == first) {
        return Ok(());
    }
    let message = format!("no token has a field `{field}`");
    Err(Failure::new(Kind::Usage, message).hint(format!("the fields are {FIELDS}")))
}
