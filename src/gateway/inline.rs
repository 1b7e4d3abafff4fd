//! Forwards a REST call: rebuilds it from the table, streams both bodies, and adds our token and tenant.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, HeaderName};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame};
use tokio::time::timeout;

use super::record::Record;
use super::state::{Gateway, Upstream, broken, rejected_us, unreachable};
use crate::domain::gateway::limits::Limits;
use crate::domain::gateway::operation::{Call, without_credentials};
use crate::domain::gateway::refusal::{Code, Refusal};

/// A body up to this length is read first, so that it can be sent again.
const REPEATABLE: u64 = 64 * 1024;

/// How long a body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(60);

/// How long Corti may take to begin its answer. The creation of a transcript takes up to 25 s (Corti's documents).
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The same for uploads and streams.
const LONG_ANSWER_LIMIT: Duration = Duration::from_secs(1800);

/// The headers of a request that reach Corti. Nothing else does.
const FORWARDED: [&str; 16] = [
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

/// The headers of an answer that do not reach the caller: they are about our connection to Corti, or another host's policy.
const DROPPED: [&str; 15] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "set-cookie",
    "server",
    "alt-svc",
    "strict-transport-security",
    "www-authenticate",
    "authorization",
    "tenant-name",
];

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// The body of a call, as it goes to Corti.
enum Sent {
    /// It can be sent again.
    Whole(Bytes),
    Stream(reqwest::Body),
    /// It was sent, and cannot be again.
    Gone,
}

/// Forwards a call, and again with a new token if Corti refuses ours.
pub(super) async fn forward(
    gateway: &Gateway,
    request: Request,
    call: &Call,
    limits: &Limits,
    is_owned: bool,
    record: &mut Record,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    let too_large = || Refusal::new(Code::BodyTooLarge, format!("the body is longer than {}", limits.body));
    if length.is_some_and(|length| length > limits.body.0) {
        return Err(too_large());
    }
    record.bytes_in = length.unwrap_or_default();
    let limit = usize::try_from(limits.body.0).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit);
    let mut sent = if body.is_end_stream() || length.is_some_and(|length| length <= REPEATABLE) {
        let whole = timeout(BODY_PAUSE, body.collect()).await.ok().and_then(Result::ok);
        let broken = || Refusal::new(Code::RequestInvalid, "the body did not arrive");
        Sent::Whole(whole.ok_or_else(broken)?.to_bytes())
    } else {
        Sent::Stream(reqwest::Body::wrap_stream(paced(body, BODY_PAUSE)))
    };
    if is_owned && call.operation.name == "interactions.update" {
        let Sent::Whole(bytes) = &sent else { return Err(too_large()) };
        let body: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        if body.is_none_or(|body| body.get("assignedUserId").is_some()) {
            let detail = "an interaction of your own cannot be assigned to another user";
            return Err(Refusal::new(Code::OperationDenied, detail));
        }
    }
    let headers: HeaderMap = FORWARDED
        .into_iter()
        .flat_map(|name| {
            parts
                .headers
                .get_all(name)
                .iter()
                .map(move |value| (HeaderName::from_static(name), value.clone()))
        })
        .collect();
    let query = without_credentials(parts.uri.query().unwrap_or_default());
    let separator = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{}{separator}{query}", gateway.api, call.path);
    let limit = if call.operation.is_long() { LONG_ANSWER_LIMIT } else { ANSWER_LIMIT };
    let mut generation = None;
    loop {
        let (token, current) = gateway.token(Upstream::Full, generation).await?;
        let builder = gateway.client.request(parts.method.clone(), &url).headers(headers.clone());
        let builder =
            builder.bearer_auth(token.secret().expose()).header("Tenant-Name", gateway.tenant.as_str());
        let builder = match std::mem::replace(&mut sent, Sent::Gone) {
            Sent::Whole(bytes) => {
                let builder = if bytes.is_empty() && parts.method == Method::GET {
                    builder
                } else {
                    builder.body(bytes.clone())
                };
                sent = Sent::Whole(bytes);
                builder
            }
            Sent::Stream(body) => builder.body(body),
            Sent::Gone => {
                let detail = "the token was renewed while the body was sent: send it again";
                return Err(Refusal::later(Code::TokenUnavailable, detail, Duration::from_secs(1)));
            }
        };
        let answer =
            timeout(limit, builder.send()).await.map_err(|_| unreachable("did not answer in time"))?;
        let answer = answer.map_err(|error| if is_too_long(&error) { too_large() } else { broken(error) })?;
        if answer.status() != reqwest::StatusCode::UNAUTHORIZED {
            return Ok(relayed(answer, limit));
        }
        if generation.is_some() {
            return Err(rejected_us());
        }
        generation = Some(current);
    }
}

/// A body as a stream that must not pause too long.
fn paced<B>(body: B, pause: Duration) -> impl Stream<Item = Result<Bytes, Broken>> + Send
where
    B: hyper::body::Body<Data = Bytes, Error: Into<Broken>> + Send + Unpin + 'static,
{
    stream::try_unfold(body.into_data_stream(), move |mut data| async move {
        match timeout(pause, data.next()).await {
            Ok(next) => Ok(next.transpose().map_err(Into::into)?.map(|chunk| (chunk, data))),
            Err(_) => Err("the body paused too long".into()),
        }
    })
}

/// Corti's answer, without what is not for the caller.
fn relayed(answer: reqwest::Response, pause: Duration) -> Response {
    let answer: axum::http::Response<reqwest::Body> = answer.into();
    let mut answer = answer.map(|body| Body::from_stream(paced(body, pause)));
    let headers = answer.headers_mut();
    for name in DROPPED {
        headers.remove(name);
    }
    let ours: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    answer
}

/// A body that counts its bytes in `record`, and drops the record at its end.
pub(super) fn counted(body: Body, mut record: Record) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(body.map_frame(move |frame: Frame<Bytes>| {
        record.sent(frame.data_ref().map_or(0, Bytes::len));
        frame
    }))
}

fn is_too_long(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
