//! The only HTTP client: requests as plain data in, responses as plain data out.
//!
//! rustls on ring (the default provider costs 40 ms in every process), no redirects, a deadline over everything, and
//! never a proxy for this machine.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Url, redirect};

use crate::domain::client::environment::{LOOPBACK_NAMES, is_loopback};
use crate::domain::corti::request::{Body, Method, Request, Response, retry_after};
use crate::domain::text::event::{Event, Sink};
use crate::edge::connectivity;

use super::clock::Clock;
use super::host::Env;
use super::http_error::{BODY_LIMIT, HttpError, is_of_tls, root_cause};
use super::{certificate, proxy};

/// How long making a connection may take at most.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The same within `timeout`: a little less than all of it, so that it is clear which of them was too short.
fn connect_limit(timeout: Duration) -> Duration {
    CONNECT_LIMIT.min(timeout.mul_f64(0.9))
}

/// The wait before a repetition when the server names none.
const PAUSE: Duration = Duration::from_secs(1);

/// What the client is built from.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The bound on a request, its repetition included.
    pub timeout: Duration,
    /// `--ca-cert`: trusted besides the others.
    pub ca_cert: Option<PathBuf>,
    /// `SSL_CERT_FILE`: trusted instead of the system's.
    pub trust_file: Option<PathBuf>,
    /// Tells how long to wait when a server names a date.
    pub clock: Clock,
    /// Tells which proxy is to blame.
    pub env: Env,
}

/// The client; connections are made on first use.
pub struct Http<'a> {
    options: HttpOptions,
    sink: &'a dyn Sink,
    /// Plain http to this machine.
    plain: OnceCell<Client>,
    /// TLS to this machine, past every proxy.
    direct: OnceCell<Client>,
    /// Everything else.
    proxied: OnceCell<Client>,
}

impl<'a> Http<'a> {
    /// A client that reports each exchange to `sink`.
    pub fn new(options: HttpOptions, sink: &'a dyn Sink) -> Self {
        Self { options, sink, plain: OnceCell::new(), direct: OnceCell::new(), proxied: OnceCell::new() }
    }

    /// Sends a request, and once more where it may be and the server is busy.
    ///
    /// # Errors
    /// [`HttpError`], see its variants. Any status is a response.
    pub async fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let url = Url::parse(&request.url).map_err(|_| HttpError::Address(request.url.clone()))?;
        let host = host_of(&url);
        let limit = self.options.timeout;
        if let Some(token) = &request.bearer {
            self.sink.redactor().add(token.secret());
        }
        // Made first, with a deadline of its own: a file of certificates that cannot be read is no fault of the host's.
        self.client(&url).await?;
        match tokio::time::timeout(limit, self.send_with_repetition(request, &url, limit)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::TimedOut { host, limit }),
        }
    }

    async fn send_with_repetition(
        &self,
        request: &Request,
        url: &Url,
        limit: Duration,
    ) -> Result<Response, HttpError> {
        let started = Instant::now();
        let response = self.send_once(request, url).await?;
        if !request.repeatable || !matches!(response.status, 429 | 503) {
            return Ok(response);
        }
        let now = self.options.clock.now();
        let pause = match response.header(RETRY_AFTER.as_str()) {
            Some(text) => retry_after(text, now),
            None => Some(PAUSE),
        };
        match pause {
            // Half of what is left is kept for the answer itself.
            Some(pause) if pause < limit.saturating_sub(started.elapsed()) / 2 => {
                tokio::time::sleep(pause).await;
                self.send_once(request, url).await
            }
            _ => Ok(response),
        }
    }

    async fn send_once(&self, request: &Request, url: &Url) -> Result<Response, HttpError> {
        let started = Instant::now();
        let result = self.exchange(request, url).await;
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        self.report(method, url, result.as_ref().map(|response| response.status), started);
        result
    }

    fn report(&self, method: &'static str, url: &Url, result: Result<u16, &HttpError>, started: Instant) {
        let result = result.map_or_else(ToString::to_string, |status| status.to_string());
        self.sink.event(Event::Exchange { method, url: route(url), result, elapsed: started.elapsed() });
    }

    async fn exchange(&self, request: &Request, url: &Url) -> Result<Response, HttpError> {
        let client = self.client(url).await?;
        let mut builder = match request.method {
            Method::Get => client.get(url.clone()),
            Method::Post => client.post(url.clone()),
            Method::Delete => client.delete(url.clone()),
        };
        if let Some(token) = &request.bearer {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret().expose()))
                .map_err(|_| HttpError::Client("the token cannot stand in a header".to_owned()))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(tenant) = &request.tenant {
            builder = builder.header("Tenant-Name", tenant.as_str());
        }
        builder = match &request.body {
            Body::Empty => builder,
            Body::Form(form) => builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose().to_owned()),
            Body::Json(json) => builder.header(CONTENT_TYPE, "application/json").body(json.clone()),
        };
        let response = builder.send().await.map_err(|error| self.failure(url, &error))?;
        self.read(url, response).await
    }

    /// Opens a GET for an upgrade to a WebSocket; `url` carries the token and is never reported.
    pub(super) async fn upgrade(
        &self,
        url: &Url,
        headers: reqwest::header::HeaderMap,
    ) -> Result<reqwest::Response, HttpError> {
        let started = Instant::now();
        let request = self.client(url).await?.get(url.clone());
        let request = request.headers(headers).version(reqwest::Version::HTTP_11);
        let result = request.send().await.map_err(|error| self.failure(url, &error));
        self.report("GET", url, result.as_ref().map(|response| response.status().as_u16()), started);
        result
    }

    /// Reads a response to its end, at most [`BODY_LIMIT`] bytes.
    pub(super) async fn read(
        &self,
        url: &Url,
        mut response: reqwest::Response,
    ) -> Result<Response, HttpError> {
        let (status, headers) = head(&response);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(url, &error))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(HttpError::TooLong(host_of(url)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }

    async fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let cell = match (is_loopback(url), url.scheme()) {
            (_, "http") => &self.plain,
            (true, _) => &self.direct,
            (false, _) => &self.proxied,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // A half-made client is large, and would be part of every future that sends something.
        let client = Box::pin(builder(&self.options, url)).await?.build();
        let client = client.map_err(|error| HttpError::Client(root_cause(&error)))?;
        Ok(cell.get_or_init(|| client))
    }

    fn failure(&self, url: &Url, error: &reqwest::Error) -> HttpError {
        let host = host_of(url);
        // What TLS says is said by the host itself, through the proxy.
        let is_on_the_way = error.is_connect() && !is_of_tls(error);
        if is_on_the_way && let Some(proxy) = proxy::used_for(url, &self.options.env) {
            let reason = if error.is_dns() { "it is not found in DNS".to_owned() } else { root_cause(error) };
            return HttpError::Proxy { proxy, host, reason };
        }
        let timeout = self.options.timeout;
        if error.is_timeout() && error.is_connect() {
            HttpError::ConnectTimedOut { host, limit: connect_limit(timeout) }
        } else if error.is_timeout() {
            HttpError::TimedOut { host, limit: timeout }
        } else if error.is_dns() {
            HttpError::Dns(host)
        } else if error.is_connect() {
            HttpError::Connect { host, reason: root_cause(error) }
        } else {
            HttpError::Broken { host, reason: root_cause(error) }
        }
    }
}

async fn builder(options: &HttpOptions, url: &Url) -> Result<ClientBuilder, HttpError> {
    // Already installed by an earlier client of this process: the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = LOOPBACK_NAMES.iter().fold(Client::builder(), |builder, name| {
        // Port 0: the URL's.
        builder.resolve_to_addrs(name, &connectivity::loopback(0))
    });
    let builder = builder
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_limit(options.timeout))
        .http1_only();
    // Read for plain http, too: a file that was named and cannot be used is a mistake that is told at once.
    let extra = match &options.ca_cert {
        Some(path) => certificate::all_of(path, options.timeout).await?,
        None => Vec::new(),
    };
    let instead = match &options.trust_file {
        Some(path) => Some(certificate::usable_of(path, options.timeout).await?),
        None => None,
    };
    if url.scheme() == "http" {
        // The environment made sure that this is loopback. Nobody is trusted, so the system's store is not read.
        return Ok(builder.no_proxy().tls_certs_only([]));
    }
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    Ok(match instead {
        Some(trusted) => builder.tls_certs_only(trusted.into_iter().chain(extra)),
        None if extra.is_empty() => builder,
        None => builder.tls_certs_merge(extra),
    })
}

/// The status and the headers of a response, as plain data.
pub(super) fn head(response: &reqwest::Response) -> (u16, Vec<(String, String)>) {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter();
    let headers = headers.map(|(key, value)| (key.as_str().to_owned(), text(value))).collect();
    (response.status().as_u16(), headers)
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// Scheme, host and path: a query may hold a token or a patient.
fn route(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_no_query() {
        let url = Url::parse("wss://h/a/b?token=Bearer%20x").unwrap();
        assert_eq!(route(&url), "wss://h/a/b");
    }
}
