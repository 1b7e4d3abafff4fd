//! A URL that somebody pasted: read from a file or a pipe, since it may have a token in it, and held against what may be
//! opened. Its token goes where the URL says, and nowhere else; this client's own go to its environment.

use std::path::Path;

use jiff::Timestamp;
use url::Url;

use crate::domain::environment::{Environment, is_loopback};
use crate::domain::inspection::span;
use crate::domain::resolve;
use crate::domain::secret::AccessToken;
use crate::domain::websocket::{Pasted, SocketKind};
use crate::failure::{Failure, Kind};

use super::super::access::{self, Access};
use super::super::context::Context;
use super::super::input;
use super::super::minting::Minter;
use super::aim;
use super::journal::Journal;

/// How much is read: a URL with a token in it is a few kilobytes.
const LIMIT: usize = 300 * 1024;

/// The pasted URL and which WebSocket it is of.
///
/// # Errors
/// Where there is none, or its host is nobody's that this tool knows.
pub(super) async fn read(
    path: &Path,
    named: Option<SocketKind>,
    context: &Context<'_>,
) -> Result<(Pasted, SocketKind), Failure> {
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
    let pasted = Pasted::parse(text).map_err(|error| usage(error.to_string()))?;
    let kind = named.or(pasted.kind).ok_or_else(|| {
        usage("the pasted URL's path is neither …/transcribe nor …/interactions/ID/streams".to_owned())
            .hint("say which it should be: corti-auth probe streams --websocket-url FILE")
    })?;
    for flaw in &pasted.flaws {
        context.warn(flaw.as_str(), None);
    }
    judge_host(&pasted, context)?;
    if let Some(token) = pasted.token() {
        judge_token(token, pasted.bare(), context.host.clock.now(), context);
    }
    Ok((pasted, kind))
}

/// Corti's hosts, this machine and the chosen environment are known.
fn judge_host(pasted: &Pasted, context: &Context<'_>) -> Result<(), Failure> {
    let url = pasted.bare();
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let chosen = chosen(context)?;
    if chosen.as_ref().is_some_and(|environment| environment.serves_socket(url)) {
        return Ok(());
    }
    if !is_loopback(url) && !host.ends_with(".corti.app") {
        let message =
            format!("the pasted URL leads to `{host}`, which is neither Corti's nor the chosen environment");
        return Err(Failure::new(Kind::Configuration, message)
            .hint(format!("if that is where it belongs: --environment https://{host}{port}")));
    }
    if let Some(environment) = chosen.filter(|_| pasted.has_token()) {
        let message =
            format!("the pasted URL leads to `{host}`, which is not the environment `{environment}`");
        context.warn(message, Some("its token goes there and nowhere else"));
    }
    Ok(())
}

/// The environment that flags, variables or a profile choose, if any.
fn chosen(context: &Context<'_>) -> Result<Option<Environment>, Failure> {
    let target = resolve::resolve_target(context.flags()?, context.variables()?, context.config()?);
    Ok(target.ok().map(|(environment, _)| environment))
}

/// Says what the token itself gives away; whether it is taken is the server's to say.
fn judge_token(token: &AccessToken, url: &Url, now: Timestamp, context: &Context<'_>) {
    let Some(inspection) = access::inspect(token, now).ok().flatten() else {
        context.warn("the token in the pasted URL is no JWT that can be read", None);
        return;
    };
    if let Some(ago) = inspection.remaining.filter(|remaining| *remaining <= 0) {
        context.warn(format!("the token in the pasted URL expired {} ago", span(ago.unsigned_abs())), None);
    }
    match &inspection.place {
        Some((environment, _)) if !environment.serves_socket(url) => {
            let message =
                format!("the token in the pasted URL is one of `{environment}`, and the URL leads elsewhere");
            context.warn(message, None);
        }
        _ => {}
    }
}

/// A token for a URL that has none, where it belongs to this client's environment.
///
/// # Errors
/// Where it does not, or none can be had.
pub(super) async fn missing_token(
    pasted: &Pasted,
    kind: SocketKind,
    minter: &Minter<'_>,
    journal: &mut Journal<'_>,
) -> Result<Option<AccessToken>, Failure> {
    if pasted.has_token() {
        journal.skipped("token", "the one in the pasted URL is used");
        return Ok(None);
    }
    let access = Access::of(minter.context)?;
    let environment = access.environment();
    if !environment.serves_socket(pasted.bare()) {
        let host = pasted.bare().host_str().unwrap_or_default();
        let message = format!("the pasted URL has no token, and none of `{environment}` is sent to `{host}`");
        return Err(Failure::new(Kind::Configuration, message)
            .hint("choose the URL's environment: --environment, or --profile NAME"));
    }
    aim::token(&access, &kind.ask(), minter, journal).await.map(Some)
}
