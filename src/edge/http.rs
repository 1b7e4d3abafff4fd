//! Sends requests to Corti: the only HTTP client.
//!
//! No redirects, a deadline for everything, and no proxy for loopback. TLS by rustls on ring: its default provider would cost
//! 40 ms in every process.

use std::cell::OnceCell;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::header::{
    CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Url, redirect};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::domain::client::environment::{LOOPBACK_NAMES, is_loopback};
use crate::domain::corti::request::{Body, Method, Request, Response, retry_after, without_query};
use crate::domain::text::duration::{seconds, whole_seconds};
use crate::domain::text::event::{Event, Sink};
use crate::edge::connectivity::{self, CONNECT_LIMIT};

use super::clock::Clock;
use super::host::Env;
use super::http_error::{BODY_LIMIT, HttpError, cause, rustls_error};
use super::{input, proxy};

/// How long to wait for a connection. Less than `timeout`, to tell which of the two ran out.
fn connect_limit(timeout: Duration) -> Duration {
    CONNECT_LIMIT.min(timeout.mul_f64(0.9))
}

/// The wait before a second try, unless the server names one.
const PAUSE: Duration = Duration::from_secs(1);

/// The settings of the client.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The deadline for a request, its second try included.
    pub timeout: Duration,
    /// `--ca-cert`: certificates that are trusted in addition.
    pub ca_cert: Option<PathBuf>,
    /// `SSL_CERT_FILE`: certificates that are trusted instead of the system's.
    pub trust_file: Option<PathBuf>,
    /// The clock, for a server that names a date to wait for.
    pub clock: Clock,
    /// The environment, which names the proxy.
    pub env: Env,
}

/// The client; connections are made on first use.
pub struct Http<'a> {
    options: HttpOptions,
    sink: &'a dyn Sink,
    /// For plain http to this machine, for TLS to this machine, and for other machines.
    clients: [OnceCell<Client>; 3],
}

impl<'a> Http<'a> {
    /// A client that reports each exchange to `sink`.
    pub fn new(options: HttpOptions, sink: &'a dyn Sink) -> Self {
        Self { options, sink, clients: <[OnceCell<Client>; 3]>::default() }
    }

    /// Sends a request, and again if it is repeatable and the server is busy. Any status is a response.
    pub async fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let url = Url::parse(&request.url).map_err(|_| HttpError::Address(request.url.clone()))?;
        let host = host_of(&url);
        let limit = self.options.timeout;
        if let Some(token) = &request.bearer {
            self.sink.redactor().add(token.secret());
        }
        // Outside the deadline: an unreadable certificate file must not be reported as a timeout of the host.
        self.client(&url).await?;
        let sent = tokio::time::timeout(limit, self.send_with_retry(request, &url)).await;
        sent.unwrap_or(Err(HttpError::TimedOut(host, limit)))
    }

    async fn send_with_retry(&self, request: &Request, url: &Url) -> Result<Response, HttpError> {
        let started = Instant::now();
        let response = self.send_once(request, url).await?;
        if !request.repeatable || !matches!(response.status, 429 | 503) {
            return Ok(response);
        }
        let named = response.header(RETRY_AFTER.as_str());
        let pause = named.map_or(Some(PAUSE), |text| retry_after(text, self.options.clock.now()));
        let remaining = self.options.timeout.saturating_sub(started.elapsed());
        match pause {
            // Half of the remaining time is kept for the answer.
            Some(pause) if pause < remaining / 2 => {
                let text =
                    format!("{} from the server; trying again in {}", response.status, whole_seconds(pause));
                self.sink.event(Event::Note(text));
                tokio::time::sleep(pause).await;
                self.send_once(request, url).await
            }
            _ => Ok(response),
        }
    }

    async fn send_once(&self, request: &Request, url: &Url) -> Result<Response, HttpError> {
        let started = Instant::now();
        let (name, method) = method(request);
        let result = self.exchange(request, method, url).await;
        self.report(name, url, result.as_ref().map(|response| response.status), started);
        result
    }

    fn report(&self, method: &'static str, url: &Url, result: Result<u16, &HttpError>, started: Instant) {
        let result = result.map_or_else(ToString::to_string, |status| status.to_string());
        let url = without_query(url);
        self.sink.event(Event::Exchange { method, url, result, elapsed: started.elapsed() });
    }

    async fn exchange(
        &self,
        request: &Request,
        method: reqwest::Method,
        url: &Url,
    ) -> Result<Response, HttpError> {
        let builder = prepared(self.client(url).await?, request, method, url);
        let response = builder.send().await.map_err(|error| self.failure(url, &error))?;
        self.read(url, response).await
    }

    /// Asks for an upgrade to a WebSocket. The query of `url` holds the token, and is not reported.
    pub(super) async fn upgrade(&self, url: &Url, key: &str) -> Result<reqwest::Response, HttpError> {
        let started = Instant::now();
        let request = self.client(url).await?.get(url.clone()).version(reqwest::Version::HTTP_11);
        let request = request.header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        let request = request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, key);
        let result = request.send().await.map_err(|error| self.failure(url, &error));
        self.report("GET", url, result.as_ref().map(|response| response.status().as_u16()), started);
        result
    }

    /// Reads a response to its end, at most [`BODY_LIMIT`] bytes.
    pub(super) async fn read(&self, url: &Url, mut sent: reqwest::Response) -> Result<Response, HttpError> {
        let body = read_body(&mut sent).await.map_err(|error| self.failure(url, &error))?;
        let body = body.ok_or_else(|| HttpError::TooLong(host_of(url)))?;
        Ok(Response { body, ..head(&sent) })
    }

    /// The client for the host of `url`, for requests whose bodies are streamed.
    pub async fn streaming(&self, url: &Url) -> Result<Client, HttpError> {
        self.client(url).await.cloned()
    }

    async fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let [plain, direct, proxied] = &self.clients;
        let cell = match (is_loopback(url), url.scheme()) {
            (_, "http") => plain,
            (true, _) => direct,
            (false, _) => proxied,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // Boxed, because it is large and would be part of every future that sends something.
        let client = Box::pin(builder(&self.options, url)).await?.build();
        let client = client.map_err(|error| HttpError::Client(cause(&error)))?;
        Ok(cell.get_or_init(|| client))
    }

    fn failure(&self, url: &Url, error: &reqwest::Error) -> HttpError {
        let (host, timeout, reason) = (host_of(url), self.options.timeout, cause(error));
        // A TLS error comes from the host, even through a proxy.
        let is_before_tls = error.is_connect() && rustls_error(error).is_none();
        if is_before_tls && let Some(proxy) = proxy::used_for(url, &self.options.env) {
            let reason = if error.is_dns() { "not found in DNS".to_owned() } else { reason };
            return HttpError::Proxy(host, proxy, reason);
        }
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => {
                HttpError::Connect(host, format!("no answer within {}", seconds(connect_limit(timeout))))
            }
            (false, true) => HttpError::TimedOut(host, timeout),
            _ if error.is_dns() => HttpError::Dns(host),
            (true, false) => HttpError::Connect(host, reason),
            (false, false) => HttpError::Broken(host, reason),
        }
    }
}

fn method(request: &Request) -> (&'static str, reqwest::Method) {
    match request.method {
        Method::Get => ("GET", reqwest::Method::GET),
        Method::Post => ("POST", reqwest::Method::POST),
        Method::Delete => ("DELETE", reqwest::Method::DELETE),
    }
}

fn prepared(client: &Client, request: &Request, method: reqwest::Method, url: &Url) -> RequestBuilder {
    let mut builder = client.request(method, url.clone());
    if let Some(token) = &request.bearer {
        builder = builder.bearer_auth(token.secret().expose());
    }
    if let Some(tenant) = &request.tenant {
        builder = builder.header("Tenant-Name", tenant.as_str());
    }
    match &request.body {
        Body::Empty => builder,
        Body::Form(form) => {
            builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.expose().to_owned())
        }
        Body::Json(json) => builder.header(CONTENT_TYPE, "application/json").body(json.clone()),
    }
}

/// A request for a [`Http::streaming`] client; `None` if its URL is not valid.
pub fn built(client: &Client, request: &Request) -> Option<reqwest::Request> {
    let url = Url::parse(&request.url).ok()?;
    prepared(client, request, method(request).1, &url).build().ok()
}

/// A whole answer to it; `None` if it breaks off or is too long.
pub async fn whole(mut sent: reqwest::Response) -> Option<Response> {
    let body = read_body(&mut sent).await.ok()??;
    Some(Response { body, ..head(&sent) })
}

/// Reads a body to its end. `None` if it has more than [`BODY_LIMIT`] bytes.
async fn read_body(sent: &mut reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = sent.chunk().await? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

async fn builder(options: &HttpOptions, url: &Url) -> Result<ClientBuilder, HttpError> {
    // Fails if an earlier client has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = LOOPBACK_NAMES.iter().fold(Client::builder(), |builder, name| {
        // Port 0 means the URL's.
        builder.resolve_to_addrs(name, &connectivity::loopback(0))
    });
    let builder = builder
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_limit(options.timeout))
        .http1_only();
    // Also for plain http: a file that cannot be used is an error at once.
    let extra = ca_certificates(options.ca_cert.as_deref(), options.timeout).await?;
    let instead = trust_bundle(options.trust_file.as_deref(), options.timeout).await?;
    if url.scheme() == "http" {
        // Always loopback, as the environment checks. Without trusted certificates, the system's store is not read.
        return Ok(builder.no_proxy().tls_certs_only([]));
    }
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    Ok(match instead {
        Some(trusted) => builder.tls_certs_only(trusted.into_iter().chain(extra)),
        None if extra.is_empty() => builder,
        None => builder.tls_certs_merge(extra),
    })
}

/// The longest file of certificates, in bytes. The largest bundles have some hundred kilobytes.
const CERTIFICATES_LIMIT: usize = 8 * 1024 * 1024;

/// All certificates of `--ca-cert`. An error if one of them cannot be used.
async fn ca_certificates(path: Option<&Path>, limit: Duration) -> Result<Vec<Certificate>, HttpError> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let all = read_certificates(path, limit).await?.into_iter().collect::<Result<_, String>>();
    all.map_err(|reason| certificates_error(path, &reason))
}

/// The usable certificates of a bundle, at least one. A system's bundle may hold some that the TLS library refuses.
async fn trust_bundle(path: Option<&Path>, limit: Duration) -> Result<Option<Vec<Certificate>>, HttpError> {
    let Some(path) = path else { return Ok(None) };
    let usable: Vec<_> = read_certificates(path, limit).await?.into_iter().flatten().collect();
    if usable.is_empty() {
        return Err(certificates_error(path, &"none of its certificates can be used"));
    }
    Ok(Some(usable))
}

/// Each certificate of a file, at least one, or why it cannot be used.
async fn read_certificates(
    path: &Path,
    limit: Duration,
) -> Result<Vec<Result<Certificate, String>>, HttpError> {
    // A pipe may have no writer.
    let pem = tokio::time::timeout(limit, input::read(Some(path), CERTIFICATES_LIMIT)).await;
    let pem = pem.map_err(|_| certificates_error(path, &format!("not read in {}", seconds(limit))))?;
    let pem = pem.map_err(|error| certificates_error(path, &error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| certificates_error(path, &error))?;
    if certificates.is_empty() {
        return Err(certificates_error(path, &"it holds no PEM certificate"));
    }
    Ok(certificates.iter().map(checked_certificate).collect())
}

fn checked_certificate(certificate: &CertificateDer<'static>) -> Result<Certificate, String> {
    // The client would check it later, but could not name the file.
    let unusable = |_| "one of its certificates cannot be read".to_owned();
    RootCertStore::empty().add(certificate.clone()).map_err(unusable)?;
    Certificate::from_der(certificate).map_err(|error| error.to_string())
}

fn certificates_error(path: &Path, reason: &dyn Display) -> HttpError {
    HttpError::Certificates(path.to_owned(), reason.to_string())
}

/// The status and the headers of a response.
pub(super) fn head(response: &reqwest::Response) -> Response {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter();
    let headers = headers.map(|(key, value)| (key.as_str().to_owned(), text(value))).collect();
    Response { status: response.status().as_u16(), headers, body: Vec::new() }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
