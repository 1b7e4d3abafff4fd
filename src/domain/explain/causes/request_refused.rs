//! The causes of requests that did not reach the API, that it refuses although it accepts the token, and of servers that are
//! busy or broken. Types such as `A0007` are from Corti's documentation.

use crate::domain::corti::problem::CREDIT_WORDS;
use crate::domain::explain::answer::AnswerKind;
use crate::domain::explain::cause::{Cause, cause};
use crate::domain::explain::evidence::Evidence;

use super::token_endpoint::NO_SUCH_PATH;

/// The redirects of RFC 9110, section 15.4.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// The causes of requests that a proxy or another address answered.
pub(super) fn on_the_way(it: &Evidence) -> Vec<Cause> {
    let schemes = it.proxy.as_ref().filter(|_| it.is_status(&[407]));
    let asked = schemes.map(|schemes| match schemes.as_slice() {
        [] => "407; Proxy-Authenticate names no known scheme".to_owned(),
        schemes => format!("407; Proxy-Authenticate asks for {}", schemes.join(" or ")),
    });
    let takes_basic = it.proxy.as_ref().is_none_or(|schemes| schemes.contains(&"Basic"));
    let redirect = it.status.filter(|_| it.is_status(&REDIRECTS)).zip(it.location.as_ref());
    vec![
        cause("proxy-credentials", "the proxy requires a user name and a password")
            .if_answer_proves(asked)
            .if_status_matches(it.has_only_status(&[407]) && it.proxy.is_none())
            .remedy(if takes_basic {
                "set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT, with USER and PASSWORD percent-encoded"
            } else {
                "use a proxy with Basic authentication; corti-auth supports nothing else"
            })
            .remedy("corti-auth doctor"),
        cause(
            "redirect",
            "the server redirects: the URL is wrong (host, path, or http instead of https), or a login page answers",
        )
        .if_answer_proves(
            redirect.map(|(status, location)| format!("{status}, and Location is `{location}`")),
        )
        .if_status_matches(it.has_only_status(&REDIRECTS) && it.location.is_none())
        .remedy(match &it.location {
            Some(_) => "compare that address with yours; at a login page, log in to the network first",
            None => "see where it redirects to: curl -i URL",
        })
        .remedy(match &it.location {
            Some(_) => "corti-auth doctor",
            None => "corti-auth explain --response FILE",
        }),
    ]
}

/// The causes of requests with a wrong path or content.
pub(super) fn content(it: &Evidence) -> Vec<Cause> {
    let (is_404, is_problem) = (it.is_status(&[404]), it.is(AnswerKind::Problem));
    let has_type = |code| it.has_code(AnswerKind::Problem, &[code]);
    let is_duplicate = has_type("A0017") || is_problem && it.is_status(&[409]);
    let is_missing = has_type("A0007") || it.says(&["interaction"]);
    let path = it.request.as_ref().map(|request| request.path.as_str()).unwrap_or_default();
    let is_stream = is_404 && path.trim_end_matches('/').ends_with("/stream");
    let is_unknown_path =
        is_404 && is_problem && it.says(&["path"]) || it.is(AnswerKind::OAuth) && it.says(&NO_SUCH_PATH);
    let is_invalid = it.is_status(&[400, 422]) && is_problem && !has_type("A0017");
    vec![
        cause("duplicate-identifier", "the client already has an encounter with this identifier")
            .if_server_says(it, is_duplicate)
            .if_status_matches(it.has_only_status(&[409]))
            .remedy("use a new identifier; leave out --identifier to get one: corti-auth interaction create"),
        cause("no-such-interaction", "the interaction does not exist, or belongs to another client")
            .if_server_says(it, is_404 && is_missing)
            .if_status_matches(it.has_only_status(&[404]))
            .remedy("create one with this client: corti-auth interaction create"),
        cause("misspelt-path", "the path is misspelt: the WebSocket is /streams")
            .if_request_shows(is_stream.then(|| format!("the path is `{path}`")))
            .if_server_says(it, is_stream)
            .remedy("use the websocketUrl as the API returns it: corti-auth interaction create"),
        cause("unknown-path", "the path does not exist, or does not allow this method")
            .if_server_says(it, is_unknown_path)
            .if_status_matches(it.has_only_status(&[404, 405]))
            .remedy("API paths begin with /v2/ or /audio-bridge/v2/")
            .remedy("the path of a list ends with a slash")
            .remedy("tokens: POST .../protocol/openid-connect/token"),
        cause("invalid-request", "the request is not what the API expects")
            .if_server_says(it, is_invalid)
            .if_status_matches(it.has_only_status(&[400, 422]))
            .remedy("fix the fields that the server names")
            .remedy("compare with a request that works: corti-auth interaction create -v"),
    ]
}

/// The causes of answers of busy and broken servers, of the agents API, and of no failure at all.
pub(super) fn servers(it: &Evidence) -> Vec<Cause> {
    let is_429 = it.is_status(&[429]);
    let is_quota = it.has_code(AnswerKind::Problem, &["A0021"]) || it.says(&CREDIT_WORDS);
    let retry_after = it.retry_after.as_ref().filter(|_| is_429 && !is_quota);
    let is_html = it.is(AnswerKind::Html);
    let is_success = it.status.is_some_and(|status| status == 101 || (200..300).contains(&status));
    let success = it.status.filter(|_| is_success && (it.is(AnswerKind::Empty) || it.is(AnswerKind::Other)));
    vec![
        cause("quota", "the credits are used up, or the trial is over")
            .if_server_says(it, is_429 && is_quota)
            .if_status_matches(it.has_only_status(&[429]) && it.retry_after.is_none())
            .remedy("check the balance in the Corti Console; trying again does not help"),
        cause("rate-limit", "too many requests in a short time")
            .if_server_says(it, is_429 && !is_quota)
            .if_request_shows(retry_after.map(|wait| format!("Retry-After is {wait}")))
            .if_status_matches(it.has_only_status(&[429]))
            .remedy(format!(
                "wait {}",
                it.retry_after.as_ref().map_or_else(|| "a little".to_owned(), |wait| format!("{wait} s"))
            ))
            .remedy("use a token until it expires; do not mint one for every call"),
        cause("gateway", "something in front of the API answered, not the API")
            .if_answer_proves(is_html.then_some("the answer is an HTML page, which no API of Corti sends"))
            .if_status_matches(it.has_only_status(&[502, 503, 504]))
            .remedy("check https://status.corti.ai")
            .remedy("look for a proxy or a wrong host: corti-auth doctor"),
        cause("server-trouble", "the server failed; the request may be fine")
            .if_server_says(it, it.is_server_error())
            .if_status_matches(it.is_server_error() && it.words.is_none() && !is_html)
            .remedy("try again later, or check https://status.corti.ai")
            .remedy("corti-auth doctor"),
        cause("agents-refusal", "the agents API refused the request")
            .if_server_says(it, it.is(AnswerKind::Agents))
            .remedy(match &it.answer.advice {
                Some(fix) => format!("the server advises: {fix}"),
                None => "look up the error's code in Corti's documentation".to_owned(),
            }),
        cause("broken-off", "the answer was cut off")
            .if_answer_proves(it.is(AnswerKind::CutOff).then_some("the body is JSON that ends too early"))
            .remedy("try again")
            .remedy("if it happens again, look for a proxy: corti-auth doctor"),
        cause("no-failure", "this is not a failure")
            .if_request_shows(success.map(|status| format!("the status is {status}")))
            .remedy("explain the response that failed"),
    ]
}

/// The causes of a WebSocket session that does not begin or ends: its messages and close codes.
pub(super) fn websocket(it: &Evidence) -> Vec<Cause> {
    let is = |kinds: &[&str]| it.has_code(AnswerKind::Message, kinds);
    let is_other = it.is(AnswerKind::Message) && !it.answer.code.starts_with("CONFIG_") && !is(&["ERROR"]);
    let close = it.status.and_then(close_code);
    vec![
        cause("configuration-denied", "the WebSocket rejects a value of the configuration")
            .if_server_says(it, is(&["CONFIG_DENIED", "CONFIG_REJECTED"]))
            .remedy("fix the value that the reason names, then send the configuration on a new connection"),
        cause("configuration-late", "no configuration was sent within 10 s of connecting")
            .if_server_says(it, is(&["CONFIG_TIMEOUT", "CONFIG_NOT_PROVIDED"]))
            .remedy("send `{\"type\":\"config\",…}` as soon as the WebSocket is open"),
        cause("configuration-not-first", "another message came before the configuration")
            .if_server_says(it, is(&["CONFIG_MISSING"]))
            .remedy("send the configuration first, and audio only after CONFIG_ACCEPTED"),
        cause("configured-twice", "the configuration was sent twice; the first one is used")
            .if_server_says(it, is(&["CONFIG_ALREADY_RECEIVED"]))
            .remedy("go on: the session is open; send the configuration only once"),
        cause("socket-error", "the WebSocket could not process the last message")
            .if_server_says(it, is(&["ERROR"]))
            .remedy("fix that message; if the session ended, connect again"),
        cause("session-as-it-should-be", "this message is not a failure")
            .if_server_says(it, is_other || is(&["CONFIG_ACCEPTED"]))
            .remedy("explain the message before it, or the close code: corti-auth explain CODE"),
        cause("closed", "the WebSocket was closed")
            .if_request_shows(close.map(|(meaning, _)| meaning))
            .remedies(close.map_or(&[], |(_, remedies)| remedies)),
    ]
}

/// What a close code means (RFC 6455, section 7.4.1), and what to do.
fn close_code(code: u16) -> Option<(&'static str, &'static [&'static str])> {
    Some(match code {
        1000 => ("1000: normal closure, not a failure; the last message says why the session ended", &[]),
        1001 => (
            "1001: the server is going away",
            &["connect again with a new token", "corti-auth token transcribe streams"],
        ),
        1002 => ("1002: a WebSocket protocol error", &["look for a proxy: corti-auth doctor"]),
        1006 => (
            "1006: no close frame came. Browsers report this for a refused handshake too, and hide its status",
            &["request the same URL with curl -i, and save the answer", "corti-auth explain --response FILE"],
        ),
        1009 => ("1009: a message was too big", &["send audio in pieces of 250 ms"]),
        _ => return None,
    })
}
