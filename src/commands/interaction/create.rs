//! `interaction create`: creates an interaction and prints the websocketUrl of its `/streams` session.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::api;
use crate::app::caller::Caller;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::{AccessToken, Secret};
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::corti::interaction::{ENCOUNTER_TYPES, Fields, GENDERS, Interaction};
use crate::domain::corti::websocket;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::page::Page;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::{Api, read_body, statuses};

/// Create an interaction and print its websocketUrl
///
/// An encounter that nothing is said of is a planned first consultation under a fresh identifier. --from gives the API's
/// body as JSON; flags are over it. A patient's name, date of birth and pronouns have no flag: other users can see the
/// command line, so they are given by --from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction create
  corti-auth interaction create --status in-progress --type emergency --json
  corti-auth interaction create --from visit.json --identifier visit-7
  corti-auth interaction create --connect-url    with a limited token in it: for debugging only

A body with every member that the API documents:
  {\"assignedUserId\": UUID,
   \"encounter\": {\"identifier\", \"status\", \"type\", \"title\", \"period\": {\"startedAt\", \"endedAt\"}},
   \"patient\": {\"identifier\", \"name\", \"gender\", \"birthDate\", \"pronouns\"}}")]
pub(super) struct CreateArgs {
    /// Take the body from this JSON file, or from standard input (-)
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Use this encounter identifier, new to the client; a fresh UUID if left out
    #[arg(long, value_name = "ID")]
    identifier: Option<String>,
    /// Say how far the encounter is; planned if left out
    #[arg(long, value_parser = statuses())]
    status: Option<String>,
    /// Say what the encounter is; `first_consultation` if left out
    #[arg(long = "type", value_name = "TYPE", value_parser = ENCOUNTER_TYPES)]
    kind: Option<String>,
    /// Give the encounter a title
    #[arg(long)]
    title: Option<String>,
    /// Say when the encounter began, as RFC 3339 has it
    #[arg(long, value_name = "TIME")]
    started_at: Option<String>,
    /// Say when the encounter ended; needs a beginning
    #[arg(long, value_name = "TIME")]
    ended_at: Option<String>,
    /// Assign it to this user
    #[arg(long, value_name = "UUID")]
    assigned_user: Option<String>,
    /// Name the patient by an identifier
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Say the patient's gender; needs an identifier
    #[arg(long, value_name = "GENDER", value_parser = GENDERS)]
    gender: Option<String>,
    /// Append a limited token, so that a WebSocket client can open the URL
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

/// A created interaction.
pub(super) struct CreateOutcome {
    interaction: Interaction,
    environment: Environment,
    tenant: Tenant,
    connect_url: Option<Secret>,
    undo: String,
}

/// # Errors
/// Where the body cannot be read, there is no token, or the API refuses.
pub(super) async fn run(args: &CreateArgs, tokens: &Tokens<'_>) -> Result<CreateOutcome, Failure> {
    let context = tokens.context;
    let body = body(args, tokens).await?;
    let caller = Caller::of(context)?;
    let api = Api::open(&caller, tokens).await?;
    let limited = if args.connect_url { Some(limited(&caller, tokens).await?) } else { None };
    let creating = api.create(&body, context);
    let interaction = spinner::show(context, "creating an interaction", creating).await?;
    let connect_url = limited.map(|token| websocket::connect_url(&interaction.websocket_url, &token));
    if connect_url.is_some() {
        let caution = "the URL has a token in it: who has the URL has the token, and proxies log URLs";
        context.warn(caution, Some("leave --connect-url out, and send the token apart from the URL"));
    }
    let (environment, tenant) = (caller.environment().clone(), caller.tenant().clone());
    let undo = api::deletion(interaction.id, context);
    Ok(CreateOutcome { interaction, environment, tenant, connect_url, undo })
}

async fn body(args: &CreateArgs, tokens: &Tokens<'_>) -> Result<Value, Failure> {
    let file = match &args.from {
        Some(path) => Some(read_body(path, tokens.context).await?),
        None => None,
    };
    let body = args.fields().body(file.as_ref().map(|bytes| bytes.as_slice()), &Uuid::new_v4().to_string());
    body.map_err(|error| {
        let name = match args.from.as_deref() {
            Some(path) if path != "-" => format!("`{}`", path.display()),
            _ => "standard input".to_owned(),
        };
        Failure::new(Kind::Usage, format!("{name} is no body of an interaction: {error}"))
            .hint("the members are listed by: corti-auth interaction create --help")
    })
}

/// A limited token, before anything is created.
async fn limited(caller: &Caller, tokens: &Tokens<'_>) -> Result<AccessToken, Failure> {
    if let Caller::Ready(_) = caller {
        let message = format!("--connect-url mints a limited token, which the one in {ACCESS_TOKEN} cannot");
        return Err(Failure::new(Kind::Usage, message)
            .hint(format!("unset {ACCESS_TOKEN}, or leave --connect-url out")));
    }
    tokens.get_for(caller, &SocketKind::Streams.scope_request(), tokens.context.cache_policy()).await
}

impl Outcome for CreateOutcome {
    fn command(&self) -> &'static str {
        "interaction-create"
    }

    fn json(&self) -> Value {
        json!({
            "interaction_id": self.interaction.id.to_string(),
            "websocket_url": self.interaction.websocket_url.as_str(),
            "environment": self.environment.to_string(),
            "tenant": self.tenant.as_str(),
        })
    }

    fn secrets(&self) -> Vec<(&'static str, Secret)> {
        self.connect_url.iter().map(|url| ("connect_url", url.clone())).collect()
    }

    fn undo(&self) -> Option<String> {
        Some(self.undo.clone())
    }

    fn text(&self) -> Text {
        match &self.connect_url {
            Some(url) => Text::Datum(url.clone()),
            None => Text::Page(Page::new().line(self.interaction.websocket_url.as_str())),
        }
    }
}
