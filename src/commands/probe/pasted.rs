//! A URL that somebody pasted: read from a file or a pipe, since it may have a token in it, and compared with what may be
//! opened. Its token goes to the environment and tenant that issued it, and nowhere else; this client's own go to its
//! environment and tenant.

use std::path::Path;

use url::Url;

use crate::app::caller::{self, Caller};
use crate::app::context::Context;
use crate::app::input;
use crate::app::tokens::Tokens;
use crate::domain::client::environment::{Environment, is_loopback};
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, ResolveError};
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::pasted_url::{PastedUrl, PastedUrlError};
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::shell::quote;
use crate::domain::token::inspection::span;
use crate::failure::{Failure, Kind};

use super::journal::Journal;
use super::target;

/// How much is read: a URL with a token in it is a few kilobytes.
const LIMIT: usize = 300 * 1024;

/// What to do where the URL's token is of no use.
const WITHOUT_A_TOKEN: &str =
    "remove the token from the URL and corti-auth mints one: corti-auth probe --websocket-url FILE";

/// The pasted URL and which WebSocket it is of.
///
/// # Errors
/// Where there is none, its host is nobody's that this tool knows, or its token belongs elsewhere.
pub(super) async fn read(
    path: &Path,
    named: Option<SocketKind>,
    context: &Context<'_>,
) -> Result<(PastedUrl, SocketKind), Failure> {
    let usage = |message: String| {
        Failure::new(Kind::Usage, message)
            .hint("put the URL alone into a file, or pipe it in: corti-auth probe --websocket-url - < FILE")
    };
    let word = path.to_string_lossy();
    if word.starts_with("wss:") || word.starts_with("ws:") {
        let message =
            "--websocket-url names a file: a URL may have a token in it, and others see the command line";
        return Err(usage(message.to_owned()));
    }
    let bytes = input::read(path, LIMIT, context).await;
    let bytes =
        zeroize::Zeroizing::new(bytes.map_err(|reason| usage(format!("cannot read a URL from {reason}")))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| usage("what was pasted is not text".to_owned()))?;
    let pasted = PastedUrl::parse(text).map_err(|error| match error {
        PastedUrlError::Tokens => Failure::new(Kind::Usage, error).hint("keep one token= in the URL"),
        PastedUrlError::Outside => Failure::new(Kind::Usage, error).hint(WITHOUT_A_TOKEN),
        error => usage(error.to_string()),
    })?;
    let kind = named.or(pasted.kind).ok_or_else(|| {
        usage("the pasted URL's path is neither …/transcribe nor …/interactions/ID/streams".to_owned())
            .hint("say which it should be: corti-auth probe streams --websocket-url FILE")
    })?;
    for flaw in &pasted.flaws {
        context.warn(flaw.as_str(), None);
    }
    let chosen = chosen(context)?;
    judge_host(pasted.bare(), chosen.as_ref())?;
    if pasted.has_token() {
        judge_token(&pasted, chosen.as_ref(), context)?;
    }
    Ok((pasted, kind))
}

/// Corti's hosts, this machine and the chosen environment are known.
fn judge_host(url: &Url, chosen: Option<&(Environment, Tenant)>) -> Result<(), Failure> {
    let host = url.host_str().unwrap_or_default();
    let is_chosen = chosen.is_some_and(|(environment, _)| environment.serves_socket(url));
    if is_chosen || is_loopback(url) || host.ends_with(".corti.app") {
        return Ok(());
    }
    let message =
        format!("the pasted URL leads to `{host}`, which is neither Corti's nor the chosen environment");
    Err(Failure::new(Kind::Configuration, message).hint(format!(
        "if that is where it belongs: --environment {}",
        quote(&format!("https://{}", url.authority()))
    )))
}

/// The environment and tenant that flags, variables or a profile choose, if any.
fn chosen(context: &Context<'_>) -> Result<Option<(Environment, Tenant)>, Failure> {
    match resolve::resolve_target(context.flags()?, context.variables()?, context.config()?) {
        Err(ResolveError::NoTarget) => Ok(None),
        target => Ok(Some(target?)),
    }
}

/// A pasted token is sent only to the environment and tenant that issued it, by its own word; where others are chosen, not
/// at all. Whether it is taken is the server's to say.
fn judge_token(
    pasted: &PastedUrl,
    chosen: Option<&(Environment, Tenant)>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let now = context.host.clock.now();
    let inspection = pasted.token().and_then(|token| caller::inspect(token, now).ok().flatten());
    let chosen = chosen.map(|(environment, tenant)| (environment, tenant));
    let token = "the token in the pasted URL";
    let (issuer, realm) = caller::issuer(inspection.as_ref(), chosen, token, WITHOUT_A_TOKEN)?;
    if !pasted.leads_to(issuer, realm) {
        let elsewhere = if issuer.serves_socket(pasted.bare()) {
            "names another tenant".to_owned()
        } else {
            format!("leads to `{}`", pasted.bare().authority())
        };
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

/// A token for a URL that has none, where it belongs to this client's environment and tenant.
///
/// # Errors
/// Where it does not, or none can be had.
pub(super) async fn missing_token(
    pasted: &PastedUrl,
    kind: SocketKind,
    tokens: &Tokens<'_>,
    journal: &mut Journal<'_>,
) -> Result<Option<AccessToken>, Failure> {
    if pasted.has_token() {
        journal.skipped("token", "the one in the pasted URL is used");
        return Ok(None);
    }
    let caller = Caller::of(tokens.context)?;
    let environment = caller.environment();
    if !environment.serves_socket(pasted.bare()) {
        let host = pasted.bare().host_str().unwrap_or_default();
        let message = format!("the pasted URL has no token, and none of `{environment}` is sent to `{host}`");
        return Err(Failure::new(Kind::Configuration, message)
            .hint("choose the URL's environment: --environment, or --profile NAME"));
    }
    let tenant = caller.tenant();
    if !pasted.leads_to(environment, tenant) {
        let message = format!(
            "the pasted URL has no token and names another tenant: none of tenant `{tenant}` is sent there"
        );
        return Err(Failure::new(Kind::Configuration, message)
            .hint("choose the URL's tenant: --tenant, or --profile NAME"));
    }
    target::token(&caller, &kind.scope_request(), tokens, journal).await.map(Some)
}
