//! `exec`: runs a program with a token, but not the client secret, in its environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use crate::app::context::Context;
use crate::app::interrupt::interruptible_before_a_program;
use crate::app::tokens::Tokens;
use crate::cli::token_args::{CacheArgs, ChoiceArgs};
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::Secret;
use crate::domain::client::variable;
use crate::domain::text::event::{Event, Filter};
use crate::domain::token::format::{self, Named};
use crate::domain::token::inspection::span;
use crate::domain::token::reuse::{CacheMode, CachePolicy};
use crate::domain::token::scope::ScopeRequest;
use crate::edge::host::Env;
use crate::edge::program::{self, Program, Signals};
use crate::edge::refresh_endpoint::{Answer, Question, RefreshEndpoint};
use crate::failure::{Failure, Kind};
use crate::output;
use crate::output::Outcome;

/// A cached token for the program should live this long: the SDK asks for a new one 2 minutes before the expiry
/// (`oauthAuthHelpers.ts`).
const FRESH: Duration = Duration::from_secs(150);

/// The program gets `CORTI_ACCESS_TOKEN`, `CORTI_TENANT_NAME` and `CORTI_ENVIRONMENT`. It does not get the client id, or
/// variables that hold the client secret or name its file. It takes over this process: its process id, terminal,
/// signals and exit code.
///
/// A token lives 5 minutes. With --refresh-url this process keeps running until the program ends. A request to
/// `CORTI_AUTH_REFRESH_URL` with `CORTI_AUTH_REFRESH_TOKEN` as the bearer returns a fresh token in the SDK's format.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth exec transcribe -- node server.js
  corti-auth exec full --refresh-url -- ./long-job
  corti-auth exec full                    your shell, with a token; leave it with exit

In the program, with @corti/sdk:
  refreshAccessToken: async () => (await fetch(process.env.CORTI_AUTH_REFRESH_URL,
      { headers: { Authorization: `Bearer ${process.env.CORTI_AUTH_REFRESH_TOKEN}` } })).json()

Exit codes:
  the program's own; 126 if it cannot be run, 127 if it is not found; else as for every command")]
pub(super) struct ExecArgs {
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    cache: CacheArgs,
    /// Serve fresh tokens to the program over a local URL
    ///
    /// corti-auth then keeps running beside the program.
    #[arg(long)]
    refresh_url: bool,
    /// The program and its arguments [default: your shell]
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Does not return if the program replaces this process.
pub(super) async fn run(args: &ExecArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let ready = async {
        let prepared = prepared(args, context).await?;
        let endpoint = if args.refresh_url { Some((endpoint().await?, Signals::take_over())) } else { None };
        Ok((prepared, endpoint))
    };
    let (prepared, endpoint) = interruptible_before_a_program(context, ready).await?;
    let program_code = match endpoint {
        None => {
            if context.host.terminal.stderr {
                let life = span(prepared.life.unsigned_abs());
                context.note(format!("the token expires in {life}; for fresh tokens add --refresh-url"));
            }
            prepared.program.take_over()?
        }
        Some((endpoint, signals)) => {
            program::exit_like(run_as_child(prepared, endpoint, signals, context).await?)
        }
    };
    Ok(Outcome { program_code, ..Outcome::silent() })
}

/// Listens where the program asks for fresh tokens.
async fn endpoint() -> Result<RefreshEndpoint, Failure> {
    RefreshEndpoint::bind().await.map_err(|error| {
        Failure::new(Kind::Unexpected, format!("cannot listen on this machine for --refresh-url: {error}"))
            .hint("without --refresh-url: corti-auth exec full -- CMD")
    })
}

/// The program, and how to get its later tokens.
struct PreparedProgram {
    plan: Plan,
    requested: ScopeRequest,
    /// For the tokens after the first.
    policy: CachePolicy,
    program: Program,
    /// The remaining life of its first token, in seconds.
    life: i64,
}

/// The user's shell.
fn shell(env: &Env) -> OsString {
    let variable = if cfg!(windows) { "COMSPEC" } else { "SHELL" };
    let usual = if cfg!(windows) { "cmd.exe" } else { "/bin/sh" };
    env.path(variable).map_or_else(|| usual.into(), PathBuf::into_os_string)
}

async fn prepared(args: &ExecArgs, context: &Context<'_>) -> Result<PreparedProgram, Failure> {
    args.choice.check_words("to run a program: corti-auth exec full -- CMD")?;
    if args.command.is_empty() && !context.may_ask() {
        return Err(Failure::new(Kind::Usage, "no program given, and no terminal to open a shell on")
            .hint("corti-auth exec full -- CMD"));
    }
    let plan = context.plan()?;
    let requested = args.choice.scope_request(
        &plan,
        context,
        ["corti-auth exec transcribe -- CMD", "corti-auth exec full -- CMD"],
    )?;
    let policy = args.cache.policy(context);
    let tokens = Tokens::new(context);
    let token = tokens.get(&plan, &requested, policy).await?;
    let (env, variables) = (&context.host.env, context.variables()?);
    let secret = tokens.secret_read.borrow().clone();
    let mut set = Vec::from(format::variables(&plan.client, &token));
    let (name, arguments) = if let Some((name, arguments)) = args.command.split_first() {
        (program::with_extension(name, env), arguments.to_vec())
    } else {
        set.push(Named::open(variable::SHELL, plan.client.id.as_str()));
        (shell(env), Vec::new())
    };
    let program = Program {
        name,
        arguments,
        set,
        unset: env.removed_from_program(|name| variables.is_removed_from_exec(name), secret.as_ref()),
    };
    // `--refresh` applies to the first token only.
    let mode = if policy.mode == CacheMode::Refresh { CacheMode::Use } else { policy.mode };
    let policy = CachePolicy { preferred_ttl: Some(FRESH), mode, ..policy };
    Ok(PreparedProgram { plan, requested, policy, program, life: token.expires_in })
}

/// Runs the program beside this process, and serves fresh tokens until it ends.
async fn run_as_child(
    prepared: PreparedProgram,
    endpoint: RefreshEndpoint,
    signals: Signals,
    context: &Context<'_>,
) -> Result<ExitStatus, Failure> {
    let PreparedProgram { plan, requested, policy, mut program, .. } = prepared;
    program.set.push(Named::open(variable::REFRESH_URL, endpoint.url()));
    program.set.push(Named::sensitive(variable::REFRESH_TOKEN, endpoint.bearer().clone()));
    // The program has the terminal: with `--verbose`, requests are shown, and nothing else is.
    let quiet = Filter { sink: context.sink, passes: |event| matches!(event, Event::Exchange { .. }) };
    let context = context.without_terminal(&quiet);
    let tokens = Tokens::new(&context);
    let (serving, mut asked) = endpoint.serve();
    let mut running = program.start(signals).map_err(Failure::from)?;
    let refreshing = async {
        tokio::join!(serving, refresh(&mut asked, &tokens, &plan, &requested, policy));
    };
    let ended = tokio::select! {
        ended = running.ended() => ended,
        // The program keeps running, even if the endpoint fails.
        () = refreshing => running.ended().await,
    };
    ended.map_err(|error| Failure::new(Kind::Unexpected, format!("cannot wait for the program: {error}")))
}

/// Answers the program's requests. Those that come while a token is being minted get that token.
async fn refresh(
    asked: &mut mpsc::Receiver<Question>,
    tokens: &Tokens<'_>,
    plan: &Plan,
    requested: &ScopeRequest,
    policy: CachePolicy,
) {
    while let Some(first) = asked.recv().await {
        let answer = match tokens.get(plan, requested, policy).await {
            Ok(token) => Answer::Token(Secret::new(format::sdk(&plan.client, &token).to_string())),
            Err(failure) => {
                let error = output::error_object(&failure, tokens.context.sink.redactor());
                if failure.kind == Kind::Unavailable { Answer::Later(error) } else { Answer::Failed(error) }
            }
        };
        // Fails if the program no longer waits.
        let _ = first.send(answer.clone());
        while let Ok(other) = asked.try_recv() {
            let _ = other.send(answer.clone());
        }
    }
}
