//! Checks DNS, TCP and TLS to a server, or to the proxy in between.

use url::Url;

use crate::app::checks::Checks;
use crate::app::context::Context;
use crate::app::spinner;
use crate::domain::corti::request::{Request, Response};
use crate::edge::http::Http;
use crate::edge::http_error::HttpError;
use crate::edge::{connectivity, proxy};
use crate::failure::Failure;

/// The command that sets this machine's clock.
pub(crate) const CLOCK_HINT: &str = if cfg!(windows) {
    "w32tm /resync"
} else if cfg!(target_os = "macos") {
    "sudo sntp -sS time.apple.com"
} else {
    "sudo timedatectl set-ntp true"
};

/// The host that connections to a server go to: its own or a proxy's.
pub(crate) struct Route {
    url: Url,
    host: String,
    port: u16,
    label: String,
}

impl Route {
    /// `url` is what the request without credentials is sent to, `label` the server's name in the checks.
    pub(crate) fn to(url: Url, label: String, context: &Context<'_>) -> Self {
        if let Some(proxy::Proxy { variable, host, port }) = proxy::used_for(&url, &context.host.env) {
            let label = format!("{label} through the proxy {host}:{port} of {variable}");
            return Self { url, host, port, label };
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        Self { url, host, port, label }
    }

    /// Checks `dns` and `tcp`.
    pub(crate) async fn connect(
        &self,
        context: &Context<'_>,
        checks: &mut Checks<'_>,
    ) -> Result<(), Failure> {
        let (Self { host, port, label, .. }, limit) = (self, context.options.timeout);
        let failed = |error| self.labelled(Failure::from(error));
        let resolving = connectivity::resolve(host, *port, limit);
        let addresses = spinner::show(context, "resolving the host name", resolving).await;
        let addresses = addresses.map_err(|error| checks.fail("dns", failed(error)))?;
        if connectivity::is_address(host) {
            checks.skip("dns", format!("{host} needs no lookup"));
        } else {
            let found: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            checks.ok("dns", format!("{label}: {}", found.join(", ")));
        }
        let connecting = connectivity::connect(host, &addresses, limit);
        let address = spinner::show(context, "connecting to the host", connecting).await;
        let address = address.map_err(|error| checks.fail("tcp", failed(error)))?;
        checks.ok("tcp", format!("{label}: connected to {address}"));
        Ok(())
    }

    /// Puts the label before a failure that names only the host.
    fn labelled(&self, failure: Failure) -> Failure {
        if self.label == self.host { failure } else { failure.context(self.label.clone()) }
    }

    /// Checks `tls` by one request without credentials. The inner error means that the connection is trusted, but the
    /// server does not speak HTTP.
    pub(crate) async fn tls(
        &self,
        http: &Http<'_>,
        context: &Context<'_>,
        checks: &mut Checks<'_>,
    ) -> Result<Result<Response, HttpError>, Failure> {
        let label = &self.label;
        // A repeated request would make the host seem slow.
        let request = Request { repeatable: false, ..Request::public(self.url.to_string()) };
        let answer = spinner::show(context, "waiting for the host", http.send(&request)).await;
        if self.url.scheme() == "http" {
            checks.skip("tls", "http:// on this machine");
            return Ok(answer);
        }
        match answer {
            Ok(response) => {
                checks.ok("tls", format!("{label}: trusted, answered {}", response.status));
                Ok(Ok(response))
            }
            Err(error @ (HttpError::Broken { .. } | HttpError::TooLong(_))) => {
                checks.ok("tls", format!("{label}: trusted"));
                Ok(Err(error))
            }
            Err(error) => Err(checks.fail("tls", self.labelled(untrusted(error)))),
        }
    }
}

/// A certificate often looks expired because this machine's clock is wrong.
fn untrusted(error: HttpError) -> Failure {
    let text = error.to_string();
    let is_about_time = ["expired", "not valid yet", "not valid before"].iter().any(|it| text.contains(it));
    let failure = Failure::from(error);
    if is_about_time { failure.hint(format!("set this machine's clock: {CLOCK_HINT}")) } else { failure }
}
