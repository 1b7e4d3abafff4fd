//! `interaction create`: creates an interaction and prints the websocketUrl of its `/streams` session.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::api::{self, Api};
use crate::app::caller::Caller;
use crate::app::context::Context;
use crate::app::input;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::corti::interaction::{ENCOUNTER_TYPES, Fields, GENDERS, Interaction};
use crate::domain::corti::websocket::{self, SocketKind};
use crate::domain::text::page::Page;
use crate::domain::text::shell::Shell;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::statuses;

/// How much of a body is read. The API's are kilobytes.
const MAX_BODY: usize = 1024 * 1024;

const EXAMPLES: &str = "Examples:
  corti-auth interaction create
  corti-auth interaction create --status in-progress --type emergency --json
  corti-auth interaction create --from visit.json --identifier visit-7
  corti-auth interaction create --connect-url    for debugging: with a token";

const BODY: &str = "A body with every member that the API documents:
  {\"assignedUserId\": UUID,
   \"encounter\": {\"identifier\", \"status\", \"type\", \"title\", \"period\": {\"startedAt\", \"endedAt\"}},
   \"patient\": {\"identifier\", \"name\", \"gender\", \"birthDate\", \"pronouns\"}}";

/// Create an interaction and print its websocketUrl
///
/// Defaults: a planned first consultation with a new identifier. --from reads the API's body as JSON; options override the file.
/// A patient's name, date of birth and pronouns have no option, since other users can see the command line: use --from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{BODY}"))]
pub(super) struct CreateArgs {
    /// Read the body from this JSON file, or - for stdin
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Encounter identifier [default: a new UUID]
    #[arg(long, value_name = "ID")]
    identifier: Option<String>,
    /// Encounter status [default: planned]
    #[arg(long, value_parser = statuses())]
    status: Option<String>,
    /// Encounter type [default: `first_consultation`]
    #[arg(long = "type", value_name = "TYPE", value_parser = ENCOUNTER_TYPES)]
    kind: Option<String>,
    /// Encounter title
    #[arg(long)]
    title: Option<String>,
    /// When the encounter began, in RFC 3339
    #[arg(long, value_name = "TIME")]
    started_at: Option<String>,
    /// When the encounter ended; needs --started-at
    #[arg(long, value_name = "TIME")]
    ended_at: Option<String>,
    /// Assign the interaction to this user
    #[arg(long, value_name = "UUID")]
    assigned_user: Option<String>,
    /// Patient identifier
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Patient gender; needs --patient
    #[arg(long, value_name = "GENDER", value_parser = GENDERS)]
    gender: Option<String>,
    /// Append a limited token to the URL
    ///
    /// A WebSocket client can then open it as it is.
    #[arg(long)]
    connect_url: bool,
}

impl CreateArgs {
    fn fields(&self) -> Fields {
        Fields::default()
            .with(&["assignedUserId"], self.assigned_user.as_ref())
            .with(&["encounter", "identifier"], self.identifier.as_ref())
            .with(&["encounter", "status"], self.status.as_ref())
            .with(&["encounter", "type"], self.kind.as_ref())
            .with(&["encounter", "title"], self.title.as_ref())
            .with(&["encounter", "period", "startedAt"], self.started_at.as_ref())
            .with(&["encounter", "period", "endedAt"], self.ended_at.as_ref())
            .with(&["patient", "identifier"], self.patient.as_ref())
            .with(&["patient", "gender"], self.gender.as_ref())
    }
}

pub(super) async fn run(args: &CreateArgs, tokens: &Tokens<'_>) -> Result<Outcome, Failure> {
    let context = tokens.context;
    let body = body(args, context).await?;
    let caller = Caller::of(context)?;
    let api = Api::open(&caller, tokens).await?;
    let limited = if args.connect_url { Some(limited(&caller, tokens).await?) } else { None };
    let creating = api.create(&body, context);
    let Interaction { id, websocket_url: url } =
        spinner::show(context, "creating an interaction", creating).await?;
    let connect_url = limited.map(|token| websocket::connect_url(&url, &token));
    if connect_url.is_some() {
        let caution = "the URL has a token in it, and proxies log URLs";
        context.warn(caution, Some("corti-auth session streams"));
    }
    let (environment, tenant) = caller.place();
    let json = json!({
        "id": id.to_string(),
        // The name that v1 began with.
        "interaction_id": id.to_string(),
        "websocket_url": url.as_str(),
        "environment": environment.to_string(),
        "tenant": tenant.as_str(),
    });
    let text = match &connect_url {
        Some(url) => Text::Datum(url.clone()),
        None => Text::Page(Page::new().line(url.as_str())),
    };
    Ok(Outcome {
        secret: connect_url.map(|url| ("connect_url", url)),
        undo: Some(api::deletion(id, context)),
        ..Outcome::new("interaction-create", json, text)
    })
}

/// The body of the request, from the options and the file.
async fn body(args: &CreateArgs, context: &Context<'_>) -> Result<Value, Failure> {
    let file = match &args.from {
        Some(path) => Some(input::read(path, MAX_BODY, context).await.map_err(|reason| {
            Failure::new(Kind::Usage, format!("cannot read the interaction from {reason}"))
                .hint(Shell::HERE.read_from("corti-auth interaction create --from -", "FILE"))
        })?),
        None => None,
    };
    let body = args.fields().body(file.as_ref().map(|bytes| bytes.as_slice()), &Uuid::new_v4().to_string());
    body.map_err(|error| {
        let name = input::name(args.from.as_deref().filter(|path| path.as_os_str() != "-"));
        Failure::new(Kind::Usage, format!("{name} is not the body of an interaction: {error}"))
            .hint("corti-auth interaction create --help")
    })
}

/// A limited token, before anything is created.
async fn limited(caller: &Caller, tokens: &Tokens<'_>) -> Result<AccessToken, Failure> {
    if let Caller::Ready(_) = caller {
        let message = format!(
            "--connect-url needs the client's secret to mint a limited token; {ACCESS_TOKEN} is not enough"
        );
        return Err(Failure::new(Kind::Usage, message).hint(Shell::HERE.unset(&[ACCESS_TOKEN])));
    }
    tokens.get_for(caller, &SocketKind::Streams.scope_request(), tokens.context.cache_policy()).await
}
