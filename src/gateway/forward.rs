//! Forwards a REST call: rebuilds it from the table, streams both bodies, and adds our token and tenant.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;
use tokio::time::timeout;

use super::state::{Authenticated, CallersBody, Gateway, OwnToken, broken};
use crate::domain::client::secret::AccessToken;
use crate::domain::gateway::operation::{Call, without_credentials};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules;

/// A body up to this length is read first, so that it can be sent again.
const REPEATABLE: u64 = 64 * 1024;

/// How long a body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(60);

/// How long Corti may take to begin its answer. The creation of a transcript takes up to 25 s (Corti's documents).
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The same for uploads and streams, and how long an answer's body may pause then: events may be far apart.
const LONG_ANSWER_LIMIT: Duration = Duration::from_secs(1800);

/// The headers of a request that reach Corti. Nothing else does.
pub(super) const FORWARDED: [&str; 16] = [
    "accept",
    "accept-language",
    "content-type",
    "content-length",
    "content-disposition",
    "if-match",
    "if-none-match",
    "last-event-id",
    "range",
    "user-agent",
    "x-corti-analytics",
    "x-fern-language",
    "x-fern-sdk-name",
    "x-fern-sdk-version",
    "x-fern-runtime",
    "x-fern-runtime-version",
];

/// The headers of an answer that reach the caller. Nothing else does.
const RELAYED: [&str; 14] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// The id of Corti's own record of a request, for its support. `x-request-id` is the gateway's.
pub(super) const CORTIS_ID: HeaderName = HeaderName::from_static("x-corti-request-id");

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Forwards a call. `own_only` says that it must be about the caller's own interaction, which must stay the caller's.
pub(super) async fn forward(
    gateway: &Gateway,
    request: Request,
    call: &Call,
    authenticated: &Authenticated,
    own_only: bool,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let most = authenticated.permissions.limits.body;
    let too_large = || Refusal::new(Code::BODY_TOO_LARGE, format!("the body is longer than {most}"));
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > most.0) {
        return Err(too_large());
    }
    let body = Limited::new(body, usize::try_from(most.0).unwrap_or(usize::MAX));
    let url = format!("{}{}", gateway.api, target(call, parts.uri.query()));
    let mut request = gateway.client.request(parts.method, url).headers(only(&FORWARDED, &parts.headers));
    let needs_check = call.needs_body_check(own_only);
    match length {
        Some(0) => {}
        Some(length) if length <= REPEATABLE => {
            let whole = timeout(BODY_PAUSE, body.collect()).await.ok().and_then(Result::ok);
            let lost = || Refusal::new(Code::REQUEST_INVALID, "the body did not arrive");
            let bytes = whole.ok_or_else(lost)?.to_bytes();
            if needs_check {
                rules::check_update(&bytes)?;
            }
            request = request.body(bytes);
        }
        _ if needs_check => {
            let detail = "an update of your own interaction needs a Content-Length of at most 64 KiB";
            return Err(Refusal::new(Code::BODY_TOO_LARGE, detail));
        }
        _ => {
            let body = body.map_err(CallersBody);
            request = request.body(reqwest::Body::wrap_stream(paced(body, BODY_PAUSE)));
        }
    }
    request = request.header("Tenant-Name", gateway.tenant.as_str());
    let mut request = Some(request.build().map_err(broken)?);
    let limit = if call.operation.is_long { LONG_ANSWER_LIMIT } else { ANSWER_LIMIT };
    let answer = gateway.send(OwnToken::of(call), limit, |token| {
        // A stream cannot be copied: it is sent once.
        let copy = request.as_ref().and_then(reqwest::Request::try_clone);
        let mut request = copy.or_else(|| request.take())?;
        request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
        Some(request)
    });
    let answer = answer.await?;
    if answer.status().is_informational() {
        return Err(Refusal::new(Code::UPSTREAM_INVALID, "unexpected answer from Corti"));
    }
    Ok(relayed(answer, limit))
}

/// The path and query of a call at Corti.
pub(super) fn target(call: &Call, query: Option<&str>) -> String {
    let query = without_credentials(query.unwrap_or_default());
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}{separator}{query}", call.path)
}

/// The value of an `Authorization` header.
pub(super) fn bearer(token: &AccessToken) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret().expose())).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}

fn only(names: &[&str], headers: &HeaderMap) -> HeaderMap {
    let listed = headers.iter().filter(|(name, _)| names.contains(&name.as_str()));
    listed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A body as a stream that must not pause too long.
fn paced<B>(body: B, pause: Duration) -> impl Stream<Item = Result<Bytes, Broken>> + Send
where
    B: hyper::body::Body<Data = Bytes, Error: Into<Broken>> + Send + Unpin + 'static,
{
    stream::try_unfold(body.into_data_stream(), move |mut data| async move {
        match timeout(pause, data.next()).await {
            Ok(next) => Ok(next.transpose().map_err(Into::into)?.map(|chunk| (chunk, data))),
            Err(_) => Err("no more of the body arrived in time".into()),
        }
    })
}

/// Corti's answer, without what is not for the caller.
fn relayed(answer: reqwest::Response, pause: Duration) -> Response {
    let mut answer =
        axum::http::Response::<reqwest::Body>::from(answer).map(|body| Body::from_stream(paced(body, pause)));
    let headers = std::mem::take(answer.headers_mut());
    *answer.headers_mut() = only(&RELAYED, &headers);
    if let Some(id) = headers.get("x-request-id") {
        answer.headers_mut().insert(CORTIS_ID, id.clone());
    }
    answer
}
