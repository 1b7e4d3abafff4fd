//! Reads a pasted WebSocket URL. Refuses it if it leads to another environment or tenant than the token's.

use std::path::Path;

use url::Url;

use crate::app::caller::{self, Caller};
use crate::app::context::Context;
use crate::app::input;
use crate::domain::client::environment::{Environment, is_loopback};
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, ResolveError};
use crate::domain::corti::pasted_url::{PastedUrl, PastedUrlError};
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::shell::Shell;
use crate::domain::token::inspection::span;
use crate::domain::token::pasted::MAX_TEXT;
use crate::failure::{Failure, Kind};

/// What to do if the URL's token cannot be used.
const WITHOUT_A_TOKEN: &str = "remove the token from the URL, and corti-auth mints one";

/// Reads the URL from a file or a pipe, since it may have a token in it, and finds out which WebSocket it names.
pub(super) async fn read(
    path: &Path,
    named: Option<SocketKind>,
    context: &Context<'_>,
) -> Result<(PastedUrl, SocketKind), Failure> {
    let usage = |message: String| {
        let hint = Shell::HERE.read_from("corti-auth probe --websocket-url -", "FILE");
        Failure::new(Kind::Usage, message).hint(hint)
    };
    let word = path.to_string_lossy();
    if word.starts_with("wss:") || word.starts_with("ws:") {
        let message =
            "--websocket-url names a file: a URL may have a token, and other users can see the command line";
        return Err(usage(message.to_owned()));
    }
    let bytes = input::read(path, MAX_TEXT, context).await;
    let bytes = bytes.map_err(|reason| usage(format!("cannot read a URL from {reason}")))?;
    let pasted = PastedUrl::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        let hint = match &error {
            PastedUrlError::NotAUrl | PastedUrlError::Scheme(_) => "copy the URL again, whole",
            PastedUrlError::NotEncrypted => "write wss:// instead of ws://",
            PastedUrlError::User => "remove the user name and the password from the URL",
            PastedUrlError::Tokens => "keep one token= in the URL",
            PastedUrlError::Outside => WITHOUT_A_TOKEN,
        };
        Failure::new(Kind::Usage, error).hint(hint)
    })?;
    let kind = named.or(pasted.kind).ok_or_else(|| {
        let message = "the pasted URL's path is neither …/transcribe nor …/interactions/ID/streams";
        Failure::new(Kind::Usage, message)
            .hint("say which it is: corti-auth probe streams --websocket-url FILE")
    })?;
    for flaw in &pasted.flaws {
        context.warn(*flaw, None);
    }
    let chosen = chosen(context)?;
    check_host(&pasted.bare, chosen.as_ref())?;
    if pasted.has_token() {
        check_token(&pasted, chosen.as_ref(), context)?;
    }
    Ok((pasted, kind))
}

/// Allows Corti's hosts, this machine and the chosen environment.
fn check_host(url: &Url, chosen: Option<&(Environment, Tenant)>) -> Result<(), Failure> {
    let host = url.host_str().unwrap_or_default();
    let is_chosen = chosen.is_some_and(|(environment, _)| environment.serves_socket(url));
    if is_chosen || is_loopback(url) || host.ends_with(".corti.app") {
        return Ok(());
    }
    let message =
        format!("the pasted URL is for `{host}`, which is neither Corti's nor the chosen environment");
    let failure = Failure::new(Kind::Configuration, message);
    // A host that is no environment may have characters that some shell would run.
    Err(match format!("https://{}", url.authority()).parse::<Environment>() {
        Ok(environment) => failure.hint(format!("if you trust this host: add --environment {environment}")),
        Err(_) => failure.hint("copy the URL again, whole"),
    })
}

/// The environment and tenant that options, variables or a profile choose, if any.
fn chosen(context: &Context<'_>) -> Result<Option<(Environment, Tenant)>, Failure> {
    match resolve::resolve_target(context.flags()?, context.variables()?, context.config()?) {
        Err(ResolveError::NoTarget) => Ok(None),
        target => Ok(Some(target?)),
    }
}

/// A pasted token is sent only to its issuer's environment and tenant, and nowhere if others are chosen.
fn check_token(
    pasted: &PastedUrl,
    chosen: Option<&(Environment, Tenant)>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let now = context.host.clock.now();
    let inspection = pasted.token.as_ref().and_then(|token| caller::inspect(token, now).ok().flatten());
    let chosen = chosen.map(|(environment, tenant)| (environment, tenant));
    let token = "the token in the pasted URL";
    let (issuer, realm) = caller::issuer(inspection.as_ref(), chosen, token, WITHOUT_A_TOKEN)?;
    if let Some(elsewhere) = elsewhere(pasted, issuer, realm) {
        let message = format!(
            "the token is for `{issuer}`, tenant `{realm}`, but the URL {elsewhere}: nothing was sent"
        );
        return Err(Failure::new(Kind::Token, message).hint(WITHOUT_A_TOKEN));
    }
    let remaining = inspection.and_then(|inspection| inspection.remaining);
    if let Some(ago) = remaining.filter(|remaining| *remaining <= 0) {
        context.warn(format!("the token in the pasted URL expired {} ago", span(ago.unsigned_abs())), None);
    }
    Ok(())
}

/// Refuses to send a token of this client to another environment or tenant.
pub(super) fn refuse_elsewhere(pasted: &PastedUrl, caller: &Caller) -> Result<(), Failure> {
    let (environment, tenant) = caller.place();
    let Some(elsewhere) = elsewhere(pasted, environment, tenant) else { return Ok(()) };
    let message = format!(
        "the pasted URL {elsewhere}, but the token would be for `{environment}`, tenant `{tenant}`: nothing was sent"
    );
    Err(Failure::new(Kind::Configuration, message)
        .hint("name the URL's environment and tenant: add --environment ENV --tenant TENANT"))
}

/// Where the URL leads, if not to this environment and tenant.
fn elsewhere(pasted: &PastedUrl, environment: &Environment, tenant: &Tenant) -> Option<String> {
    if pasted.leads_to(environment, tenant) {
        None
    } else if environment.serves_socket(&pasted.bare) {
        Some("is for another tenant".to_owned())
    } else {
        Some(format!("is for `{}`", pasted.bare.authority()))
    }
}
