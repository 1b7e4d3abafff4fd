//! The way to the WebSocket's host: DNS, TCP and TLS, or those of the proxy in between.

use url::Url;

use crate::app::context::Context;
use crate::domain::corti::request::{Body, Method, Request};
use crate::edge::http::Http;
use crate::edge::http_error::HttpError;
use crate::edge::{connectivity, proxy};
use crate::failure::Failure;

use super::journal::{Journal, Step};

/// # Errors
/// Where the host is not reached.
pub(super) async fn examine(
    url: &Url,
    context: &Context<'_>,
    http: &Http<'_>,
    journal: &mut Journal<'_>,
) -> Result<(), Failure> {
    let limit = context.options.timeout;
    let origin = origin(url);
    let proxy = origin.as_ref().and_then(|origin| proxy::used_for(origin, &context.host.env));
    let direct = || {
        let host = url.host_str().unwrap_or_default().to_owned();
        (host, url.port_or_known_default().unwrap_or_default(), String::new())
    };
    let (host, port, note) = proxy
        .map_or_else(direct, |proxy| (proxy.host, proxy.port, format!(" (the proxy of {})", proxy.variable)));
    let step = Step::begin("dns");
    let addresses = match connectivity::resolve(&host, port, limit).await {
        Ok(addresses) => addresses,
        Err(error) => {
            return Err(journal.failed(&step, Failure::from(error).context(format!("`{host}`{note}"))));
        }
    };
    if connectivity::is_address(&host) {
        journal.skipped("dns", format!("{host}{note} is an address, not a name"));
    } else {
        let found: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        journal.done(&step, format!("{host}{note}: {}", found.join(", ")));
    }
    let step = Step::begin("tcp");
    match connectivity::connect(&addresses, limit).await {
        Ok(address) => journal.done(&step, format!("connected to {address}")),
        Err(error) => {
            return Err(journal.failed(&step, Failure::from(error).context(format!("`{host}`{note}"))));
        }
    }
    match origin {
        Some(origin) if url.scheme() == "wss" => tls(&origin, http, journal).await,
        _ => {
            journal.skipped("tls", "ws:// on this machine");
            Ok(())
        }
    }
}

/// One request without credentials: what carries it is trusted. Its connection is kept for the upgrade.
async fn tls(origin: &Url, http: &Http<'_>, journal: &mut Journal<'_>) -> Result<(), Failure> {
    let request = Request {
        method: Method::Get,
        url: origin.to_string(),
        bearer: None,
        tenant: None,
        body: Body::Empty,
        repeatable: false,
    };
    let step = Step::begin("tls");
    match http.send(&request).await {
        Ok(response) => {
            let status = response.status;
            journal.done(&step, format!("trusted; a request without credentials was answered {status}"));
            Ok(())
        }
        // The connection stood: it is what came through it that is no HTTP.
        Err(HttpError::Broken { .. } | HttpError::TooLong(_)) => {
            journal.doubtful(&step, "trusted, but a request without credentials got no answer");
            Ok(())
        }
        Err(error) => Err(journal.failed(&step, error.into())),
    }
}

/// Scheme, host and port as HTTP has them: a WebSocket opens by an HTTP request.
fn origin(url: &Url) -> Option<Url> {
    let text = url.as_str().strip_prefix("ws")?;
    Url::parse(&format!("http{text}")).ok()?.join("/").ok()
}
