//! `session`: prints what a frontend needs to open a WebSocket: a limited token, the URL, and for `/streams` a new
//! interaction.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use crate::app::api::Api;
use crate::app::caller::Caller;
use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::app::{api, delivery, spinner};
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::environment::Environment;
use crate::domain::client::invalid::Invalid;
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::Secret;
use crate::domain::client::variable;
use crate::domain::corti::interaction::Interaction;
use crate::domain::corti::websocket::{self, SocketKind};
use crate::domain::text::page::printable_json;
use crate::domain::text::shell::Shell;
use crate::domain::token::format::{self, Named};
use crate::domain::token::grant::Token;
use crate::domain::token::limited_only;
use crate::domain::token::reuse::CachePolicy;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Mints a limited token, creates the interaction that /streams needs, and prints the URL, as Corti recommends for each
/// session. Nothing is created or printed unless the
/// server's answer and the token itself both show that the token is limited.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth session transcribe
  corti-auth session streams --format dotenv > session.env
  eval \"$(corti-auth session streams --format env)\"
  corti-auth session streams --json | jq -r .websocket_url

Output:
  --format json prints the members that Corti's frontends expect: interactionId, websocketUrl,
  accessToken, tenantName, environment, expiresAt. --json prints the same values in corti-auth's
  own form: snake_case names and a schema.")]
pub(super) struct SessionArgs {
    /// Which WebSocket
    #[arg(value_enum, hide_possible_values = true, value_name = "transcribe|streams")]
    socket: SocketKind,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The formats of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object for a frontend
    #[default]
    Json,
    /// Commands that set variables in your shell (sh; on Windows PowerShell)
    Env,
    /// Lines for a .env file
    Dotenv,
    /// Options for @corti/sdk's clients and Corti's dictation component
    Sdk,
}

/// What the frontend gets.
struct Session {
    client: Client,
    token: Token,
    /// Only for `/streams`.
    interaction_id: Option<Uuid>,
    websocket_url: Url,
}

pub(super) async fn run(args: &SessionArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    if context.asks_for_json() && args.format != Format::Json {
        return Err(argument::json_conflicts_with(&args.format, context));
    }
    let (plan, tokens, kind) = (context.plan()?, Tokens::new(context), args.socket);
    // Before the interaction, which would otherwise be left behind. Not a cached one: it should live for 5 minutes.
    let token = tokens.get(&plan, &kind.scope_request(), CachePolicy::BYPASS).await?;
    limited_only::check(&token, kind).map_err(|error| {
        Failure::new(Kind::Scope, error).hint("the token was discarded; report it to Corti support")
    })?;
    let (interaction_id, websocket_url) = match kind {
        SocketKind::Transcribe => {
            let url = websocket::transcribe_url(&plan.client.environment, &plan.client.tenant);
            (None, url.map_err(|error| Failure::new(Kind::Configuration, error))?)
        }
        SocketKind::Streams => {
            let Interaction { id, websocket_url } = create(&plan, &tokens).await?;
            (Some(id), websocket_url)
        }
    };
    let session = Session { client: plan.client, token, interaction_id, websocket_url };
    let printed = session.printed(args.format).map_err(delivery::cannot_format)?;
    Ok(Outcome {
        secret: Some(("access_token", session.token.access_token.secret().clone())),
        undo: interaction_id.map(|id| api::deletion(id, context)),
        ..Outcome::new("session", session.json(), Text::Datum(printed))
    })
}

async fn create(plan: &Plan, tokens: &Tokens<'_>) -> Result<Interaction, Failure> {
    let caller = Caller::Client(Box::new(plan.clone()));
    let api = Api::open(&caller, tokens).await?;
    let creating = api.create_minimal(tokens.context);
    spinner::show(tokens.context, "creating an interaction", creating).await
}

impl Session {
    fn printed(&self, format: Format) -> Result<Secret, Invalid> {
        match format {
            Format::Json => Ok(Secret::new(printable_json(&self.document()))),
            Format::Sdk => Ok(Secret::new(printable_json(&self.sdk_options()))),
            Format::Env => format::exports(&self.variables(), Shell::HERE),
            Format::Dotenv => format::dotenv_lines(&self.variables()),
        }
    }

    /// The names are those of Corti's API and of `/api/start-session` in its examples.
    fn document(&self) -> Value {
        let members = json!({
            "websocketUrl": self.websocket_url.as_str(),
            "accessToken": self.token.access_token.secret().expose(),
            "tenantName": self.client.tenant.as_str(),
            "environment": self.client.environment.to_string(),
            "expiresAt": self.token.expires_at.to_string(),
        });
        self.with_interaction("interactionId", members)
    }

    /// The options of `new CortiClient(…)`, those of the SDK's proxy client and of Corti's dictation component (`url`,
    /// `queryParameters`), and the interaction's id. Each ignores the rest. The URL has no query: the SDK appends one.
    fn sdk_options(&self) -> Value {
        let access_token = self.token.access_token.secret().expose();
        let mut url = self.websocket_url.clone();
        url.set_query(None);
        let query = self.websocket_url.query_pairs().map(|(name, value)| (name.into_owned(), value.into()));
        let mut query: Map<String, Value> = query.collect();
        query.insert("token".to_owned(), format!("Bearer {access_token}").into());
        let members = json!({
            "environment": sdk_environment(&self.client.environment),
            "tenantName": self.client.tenant.as_str(),
            "auth": { "accessToken": access_token, "expiresIn": self.token.expires_in },
            "url": url.as_str(),
            "queryParameters": query,
        });
        self.with_interaction("interactionId", members)
    }

    /// For `--json`, without the token.
    fn json(&self) -> Value {
        let members = json!({
            "websocket_url": self.websocket_url.as_str(),
            "token_type": "Bearer",
            "expires_in": self.token.expires_in,
            "expires_at": self.token.expires_at.to_string(),
            "expires_at_unix": self.token.expires_at.as_second(),
            "scopes": self.token.granted.to_strings(),
            "environment": self.client.environment.to_string(),
            "tenant": self.client.tenant.as_str(),
        });
        self.with_interaction("interaction_id", members)
    }

    fn with_interaction(&self, name: &str, mut members: Value) -> Value {
        if let Some(id) = self.interaction_id {
            members[name] = id.to_string().into();
        }
        members
    }

    fn variables(&self) -> Vec<Named> {
        let interaction = self.interaction_id.map(|id| Named::open("CORTI_INTERACTION_ID", id.to_string()));
        let more = [
            Named::open(variable::TOKEN_EXPIRES_AT, self.token.expires_at.to_string()),
            Named::open("CORTI_WEBSOCKET_URL", self.websocket_url.as_str()),
        ];
        format::variables(&self.client, &self.token).into_iter().chain(more).chain(interaction).collect()
    }
}

/// The SDK's form of an environment: a label such as `eu`, or for another environment each address.
fn sdk_environment(environment: &Environment) -> Value {
    let text = environment.to_string();
    if !text.contains("://") {
        return text.into();
    }
    json!({
        "base": environment.api_url(),
        "wss": environment.socket_url(),
        "login": format!("{text}/realms"),
        "agents": text,
    })
}
