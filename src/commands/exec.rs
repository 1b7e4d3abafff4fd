//! `exec`: runs a program with a token in its environment, and never the client secret.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::app::context::Context;
use crate::app::interrupt::interruptible_before_a_program;
use crate::app::tokens::Tokens;
use crate::cli::token_args::{CacheArgs, ScopeArgs};
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::Secret;
use crate::domain::client::variable;
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::redactor::Redactor;
use crate::domain::text::shell::quote;
use crate::domain::token::format::{self, Named};
use crate::domain::token::reuse::{CacheMode, CachePolicy};
use crate::domain::token::scope::ScopeRequest;
use crate::edge::program::{self, Program, ProgramError, Signals};
use crate::edge::refresh_endpoint::{Answer, Question, RefreshEndpoint};
use crate::failure::{Failure, Kind};
use crate::output::{self, Outcome, Text};

/// The shortest lifetime that is preferred for a token of the program: the SDK asks for another one 2 minutes before the end
/// (its `oauthAuthHelpers.ts`).
const FRESH: Duration = Duration::from_secs(150);

/// It gets `CORTI_ACCESS_TOKEN`, `CORTI_TENANT_NAME` and `CORTI_ENVIRONMENT`. It does not get the client id, or variables that
/// hold the client secret or name its file. It takes this process's place: its id, its terminal, its signals and its exit
/// code are its own.
///
/// A token lives 5 minutes. With --refresh-url this process stays, and answers `CORTI_AUTH_REFRESH_URL` with a fresh token
/// in the SDK's shape to whoever sends `CORTI_AUTH_REFRESH_TOKEN` as the bearer, until the program ends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth exec --scope transcribe -- node server.js
  corti-auth exec --full --refresh-url -- ./long-job

In the program, with @corti/sdk:
  refreshAccessToken: async () => (await fetch(process.env.CORTI_AUTH_REFRESH_URL,
      { headers: { Authorization: `Bearer ${process.env.CORTI_AUTH_REFRESH_TOKEN}` } })).json()

Exit codes: the program's own; 126 if it cannot be run, 127 if it is not there; else as everywhere")]
pub(super) struct ExecArgs {
    #[command(flatten)]
    choice: ScopeArgs,
    #[command(flatten)]
    cache: CacheArgs,
    /// Stay, and give the program a fresh token whenever it asks
    #[arg(long)]
    refresh_url: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// A program that has ended.
pub(super) struct ExecOutcome(u8);

/// Does not come back where the program takes this process's place.
///
/// # Errors
/// Where there is no token, or the program cannot be run.
pub(super) async fn run(args: &ExecArgs, context: &Context<'_>) -> Result<ExecOutcome, Failure> {
    if !args.refresh_url {
        let program = async { Ok(prepared(args, context).await?.program) };
        let program = interruptible_before_a_program(context, program).await?;
        return program.take_over().map(ExecOutcome).map_err(not_run);
    }
    let ready = async { Ok((prepared(args, context).await?, endpoint().await?, Signals::take_over())) };
    let (prepared, endpoint, signals) = interruptible_before_a_program(context, ready).await?;
    let status = attend(prepared, endpoint, signals, context).await?;
    Ok(ExecOutcome(program::exit_like(status)))
}

/// Where the program asks for fresh tokens.
async fn endpoint() -> Result<RefreshEndpoint, Failure> {
    RefreshEndpoint::bind().await.map_err(|error| {
        Failure::new(Kind::Unexpected, format!("cannot listen on this machine for --refresh-url: {error}"))
            .hint("without it: corti-auth exec --full -- CMD")
    })
}

/// All that is needed to run the program.
struct Prepared {
    plan: Plan,
    requested: ScopeRequest,
    /// For the tokens after the first.
    policy: CachePolicy,
    program: Program,
}

async fn prepared(args: &ExecArgs, context: &Context<'_>) -> Result<Prepared, Failure> {
    let plan = context.plan()?;
    let requested = args.choice.scope_request(&plan, context)?;
    let policy = args.cache.policy(context);
    let tokens = Tokens::new(context);
    let token = tokens.get(&plan, &requested, policy).await?;
    let (name, arguments) = args.command.split_first().ok_or_else(|| {
        Failure::new(Kind::Usage, "no program is named").hint("corti-auth exec --scope transcribe -- CMD")
    })?;
    let (env, variables) = (&context.host.env, context.variables()?);
    let secret = tokens.secret_read();
    let program = Program {
        name: name.clone(),
        arguments: arguments.to_vec(),
        set: format::variables(&plan.client, &token).into(),
        unset: env.removed_from_program(|name| variables.is_removed_from_token_users(name), secret.as_ref()),
    };
    // `--refresh` is for the first token only.
    let mode = if policy.mode == CacheMode::Refresh { CacheMode::Use } else { policy.mode };
    let policy = CachePolicy { preferred_ttl: Some(FRESH), mode, ..policy };
    Ok(Prepared { plan, requested, policy, program })
}

/// Runs the program beside this process, and gives it fresh tokens until it ends.
async fn attend(
    prepared: Prepared,
    endpoint: RefreshEndpoint,
    signals: Signals,
    context: &Context<'_>,
) -> Result<ExitStatus, Failure> {
    let Prepared { plan, requested, policy, mut program } = prepared;
    program.set.push(Named::open(variable::REFRESH_URL, endpoint.url()));
    program.set.push(Named::sensitive(variable::REFRESH_TOKEN, endpoint.bearer().clone()));
    let quiet = OnlyExchanges(context.sink);
    let beside = context.beside_a_program(&quiet);
    let tokens = Tokens::new(&beside);
    let (serving, mut asked) = endpoint.serve();
    let mut running = program.start(signals).map_err(not_run)?;
    let refreshing = async {
        tokio::join!(serving, refresh(&mut asked, &tokens, &plan, &requested, policy));
    };
    let ended = tokio::select! {
        ended = running.ended() => ended,
        // The program goes on, whatever became of the endpoint.
        () = refreshing => running.ended().await,
    };
    ended.map_err(|error| Failure::new(Kind::Unexpected, format!("cannot wait for the program: {error}")))
}

/// Answers who asks. Those who ask while a token is under way get that one.
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
                if failure.kind() == Kind::Unavailable { Answer::Later(error) } else { Answer::Failed(error) }
            }
        };
        first.answer(answer.clone());
        while let Ok(other) = asked.try_recv() {
            other.answer(answer.clone());
        }
    }
}

/// What is said while the program has the terminal: with `--verbose`, the requests.
struct OnlyExchanges<'a>(&'a dyn Sink);

impl Sink for OnlyExchanges<'_> {
    fn event(&self, event: Event) {
        if matches!(event, Event::Exchange { .. }) {
            self.0.event(event);
        }
    }

    fn redactor(&self) -> &Redactor {
        self.0.redactor()
    }
}

fn not_run(error: ProgramError) -> Failure {
    let (kind, hint) = match &error {
        ProgramError::NotFound(name) => (Kind::NotFound, format!("command -v {}", quote(name))),
        ProgramError::NotExecutable { name, .. } => (Kind::NotExecutable, format!("ls -l {}", quote(name))),
    };
    Failure::caused(kind, error).hint(hint)
}

impl Outcome for ExecOutcome {
    fn command(&self) -> &'static str {
        "exec"
    }

    fn json(&self) -> Value {
        Value::Null
    }

    fn text(&self) -> Text {
        Text::Nothing
    }

    fn program_code(&self) -> u8 {
        self.0
    }
}
