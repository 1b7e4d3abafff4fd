//! `interaction`: creates an interaction and prints the websocketUrl of its `/streams` session.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::environment::Environment;
use crate::domain::grant::Token;
use crate::domain::identity::Tenant;
use crate::domain::inspection::Inspection;
use crate::domain::interaction::{self, Interaction, InteractionError};
use crate::domain::jwt::Jwt;
use crate::domain::lease::{Mode, Reuse};
use crate::domain::resolve;
use crate::domain::scope::{Ask, Reach};
use crate::domain::secret::{AccessToken, Secret};
use crate::domain::variable::ACCESS_TOKEN;
use crate::edge::http::Http;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::context::Context;
use super::minting::{self, Minter};
use super::reuse;

/// Work with interactions, which /streams sessions belong to
#[derive(Debug, Args)]
pub(super) struct InteractionArgs {
    #[command(subcommand)]
    command: InteractionCommand,
}

#[derive(Debug, Subcommand)]
enum InteractionCommand {
    Create(CreateArgs),
}

/// Create an interaction and print its websocketUrl
///
/// Needs a full token, which is minted for it, or taken from `CORTI_ACCESS_TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction create
  corti-auth interaction create --json
  corti-auth interaction create --connect-url    with a limited token in it: for debugging only")]
struct CreateArgs {
    /// Use this encounter identifier, new to the client; a fresh UUID if left out
    #[arg(long, value_name = "ID")]
    identifier: Option<String>,
    /// Append a limited token, so that a WebSocket client can open the URL
    #[arg(long)]
    connect_url: bool,
}

/// A created interaction.
pub(super) struct CreateOutcome {
    interaction: Interaction,
    environment: Environment,
    tenant: Tenant,
    connect_url: Option<Secret>,
}

/// # Errors
/// Where there is no token, or the API refuses.
pub(super) async fn run(args: &InteractionArgs, context: &Context<'_>) -> Result<CreateOutcome, Failure> {
    let InteractionCommand::Create(args) = &args.command;
    let minter = Minter::new(context);
    let identifier = args.identifier.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    // A profile that was named on the command line outranks every variable.
    let ready = context.variables()?.access_token.as_ref().filter(|_| context.globals.profile.is_none());
    let reuse = reuse::by_default(context);
    let mut access = match ready {
        Some(token) => with_ready_token(args, context, token)?,
        None => with_minted_tokens(args, &minter, reuse).await?,
    };
    let mut created = access.create(&minter, &identifier).await;
    // Nothing was created. A cached token may have been revoked since, or the server's keys may be new ones.
    if access.cached && created.as_ref().is_err_and(|failure| failure.http_status() == Some(401)) {
        access = with_minted_tokens(args, &minter, Reuse { mode: Mode::Refresh, ..reuse }).await?;
        created = access.create(&minter, &identifier).await;
    }
    let interaction = created?;
    let connect_url =
        access.limited.map(|token| interaction::connect_url(&interaction.websocket_url, &token));
    if connect_url.is_some() {
        let caution = "the URL has a token in it: who has the URL has the token, and proxies log URLs";
        context.warn(caution, Some("leave --connect-url out, and send the token apart from the URL"));
    }
    Ok(CreateOutcome { interaction, environment: access.environment, tenant: access.tenant, connect_url })
}

/// Where to create, and with what.
struct Access {
    environment: Environment,
    tenant: Tenant,
    /// Full: it creates the interaction.
    token: AccessToken,
    /// Limited: it may go into a URL.
    limited: Option<AccessToken>,
    /// Whether the full one was minted before.
    cached: bool,
}

impl Access {
    async fn create(&self, minter: &Minter<'_>, identifier: &str) -> Result<Interaction, Failure> {
        let creating = create(&minter.http, &self.environment, &self.tenant, &self.token, identifier);
        minter.context.waiting("creating an interaction", creating).await
    }
}

async fn with_minted_tokens(args: &CreateArgs, minter: &Minter<'_>, reuse: Reuse) -> Result<Access, Failure> {
    let plan = minter.context.plan()?;
    let Token { access_token: token, cached, .. } = minter.lease(&plan, &Ask::Full, reuse).await?;
    let limited = if args.connect_url {
        Some(minter.lease(&plan, &minting::streams(), reuse).await?.access_token)
    } else {
        None
    };
    Ok(Access { environment: plan.client.environment, tenant: plan.client.tenant, token, limited, cached })
}

fn with_ready_token(
    args: &CreateArgs,
    context: &Context<'_>,
    token: &AccessToken,
) -> Result<Access, Failure> {
    if args.connect_url {
        let message = format!("--connect-url mints a limited token, which the one in {ACCESS_TOKEN} cannot");
        return Err(Failure::new(Kind::Usage, message)
            .hint(format!("unset {ACCESS_TOKEN}, or leave --connect-url out")));
    }
    let (environment, tenant) =
        resolve::resolve_target(context.flags()?, context.variables()?, context.config()?)?;
    refuse_foreign(context, token, &environment, &tenant)?;
    Ok(Access { environment, tenant, token: token.clone(), limited: None, cached: false })
}

/// A token goes to the environment that issued it, and to no other: it would be of no use there, and be seen.
fn refuse_foreign(
    context: &Context<'_>,
    token: &AccessToken,
    environment: &Environment,
    tenant: &Tenant,
) -> Result<(), Failure> {
    let Ok(jwt) = Jwt::decode(token.secret().expose()) else { return Ok(()) };
    let inspection = Inspection::of(&jwt, context.host.clock.now())?;
    if inspection.is_expired() {
        return Err(Failure::new(Kind::Token, format!("the token in {ACCESS_TOKEN} has expired"))
            .hint(format!("mint a new one, or unset {ACCESS_TOKEN}")));
    }
    if inspection.reach == Some(Reach::Limited) {
        context.warn(format!("the token in {ACCESS_TOKEN} is a limited one, which opens no REST API"), None);
    }
    match inspection.place {
        Some((issuer, realm)) if issuer != *environment || realm != *tenant => {
            let message = format!(
                "the token in {ACCESS_TOKEN} was issued by `{issuer}`, tenant `{realm}`, and is not sent to \
                 `{environment}`, tenant `{tenant}`"
            );
            Err(Failure::new(Kind::Configuration, message)
                .hint(format!("if that is where it belongs: --environment {issuer} --tenant {realm}")))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// Where the API does not answer, or refuses.
pub(super) async fn create(
    http: &Http<'_>,
    environment: &Environment,
    tenant: &Tenant,
    token: &AccessToken,
    identifier: &str,
) -> Result<Interaction, Failure> {
    let response = http.send(&interaction::create(environment, tenant, token, identifier)).await?;
    interaction::parse(&response, environment).map_err(|error| match error {
        InteractionError::Refused(problem) => problem.without(token.secret()).into(),
        other => other.into(),
    })
}

impl Outcome for CreateOutcome {
    fn command(&self) -> &'static str {
        "interaction-create"
    }

    fn json(&self) -> Value {
        let mut fields = json!({
            "interaction_id": self.interaction.id,
            "websocket_url": self.interaction.websocket_url.as_str(),
            "environment": self.environment.to_string(),
            "tenant": self.tenant.as_str(),
        });
        if let (Some(url), Some(fields)) = (&self.connect_url, fields.as_object_mut()) {
            fields.insert("connect_url".to_owned(), url.expose().into());
        }
        fields
    }

    fn text(&self) -> Text {
        let bare = || Secret::new(self.interaction.websocket_url.to_string());
        Text::Datum(self.connect_url.clone().unwrap_or_else(bare))
    }
}
