//! The causes of requests that the API refuses although it accepts the token, and of servers that are busy or broken. The
//! numbered types are those of Corti's documentation.

use crate::domain::explain::answer_kind::AnswerKind;
use crate::domain::explain::cause::Candidate;
use crate::domain::explain::evidence::Evidence;

use super::token_endpoint::NO_SUCH_PATH;

pub(super) fn candidates(it: &Evidence) -> Vec<Candidate<'_>> {
    let cause = |id, text| Candidate::new(it, id, text);
    let is_problem = it.problem().is_some();
    let is_duplicate = is_problem && (it.is_status(&[409]) || it.problem() == Some("A0017"));
    let is_404 = it.is_status(&[404]);
    let is_missing = it.problem() == Some("A0007") || it.says(&["interaction"]);
    let path = it.request.as_ref().map(|request| request.path.as_str()).unwrap_or_default();
    let is_stream = is_404 && path.trim_end_matches('/').ends_with("/stream");
    let is_unknown_path = is_404 && is_problem && it.says(&["path"]);
    let is_unknown_path = is_unknown_path || it.oauth_error().is_some() && it.says(&NO_SUCH_PATH);
    let is_invalid = it.is_status(&[400, 422]) && is_problem && it.problem() != Some("A0017");
    let is_busy = it.is_status(&[429]);
    let is_quota = it.problem() == Some("A0021") || it.says(&["balance", "quota", "trial"]);
    let retry_after = it.retry_after.as_ref().filter(|_| is_busy && !is_quota);
    let is_html = it.answer == AnswerKind::Html;
    let is_success = it.status.is_some_and(|status| status == 101 || (200..300).contains(&status));
    let is_success = is_success && matches!(it.answer, AnswerKind::Empty | AnswerKind::Other);
    let (is_agents, fix) = match &it.answer {
        AnswerKind::Agents { fix, .. } => (true, fix.as_ref()),
        _ => (false, None),
    };
    vec![
        cause("duplicate-identifier", "the client already has an encounter with this identifier")
            .said(is_duplicate)
            .fits(it.has_only_status(&[409]))
            .remedy("use each identifier once; the default is a new one: corti-auth interaction create"),
        cause("no-such-interaction", "the interaction does not exist, or belongs to another client")
            .said(is_404 && is_missing)
            .fits(it.has_only_status(&[404]))
            .remedy("create one with this client: corti-auth interaction create"),
        cause("misspelt-path", "the path is misspelt: the WebSocket is /streams")
            .shown(is_stream.then(|| format!("the path is `{path}`")))
            .said(is_stream)
            .remedy("use the websocketUrl as the API returns it: corti-auth interaction create"),
        cause("unknown-path", "the path does not exist, or it takes another method")
            .said(is_unknown_path)
            .fits(it.has_only_status(&[404, 405]))
            .remedy(
                "POST to .../protocol/openid-connect/token for a token; the API's paths begin with /v2/ or \
                 /audio-bridge/v2/, and those of lists end with a slash: corti-auth status -v",
            ),
        cause("invalid-request", "the request is not what the API expects")
            .said(is_invalid)
            .fits(it.has_only_status(&[400, 422]))
            .remedy(
                "fix the named fields; compare with a request that works: corti-auth interaction create -v",
            ),
        cause("quota", "the credits are used up, or the trial is over")
            .said(is_busy && is_quota)
            .fits(it.has_only_status(&[429]) && it.retry_after.is_none())
            .remedy("trying again does not help: look at the balance in the Corti Console"),
        cause("rate-limit", "too many requests in a short time")
            .said(is_busy && !is_quota)
            .shown(retry_after.map(|wait| format!("Retry-After is {wait}")))
            .fits(it.has_only_status(&[429]))
            .remedy(format!(
                "wait {}, and use a token until it expires instead of minting one for every call",
                it.retry_after.as_ref().map_or_else(|| "a little".to_owned(), |wait| format!("{wait} s"))
            )),
        cause("gateway", "something in front of the API answered, not the API")
            .proved(is_html.then_some("the answer is an HTML page, which no API of Corti sends"))
            .fits(it.has_only_status(&[502, 503, 504]))
            .remedy(
                "look for a proxy, a wrong host or an outage (https://status.corti.ai): corti-auth doctor",
            ),
        cause("server-trouble", "the server failed; the request may be fine")
            .said(it.is_server_error())
            .fits(it.is_server_error() && it.words().is_none() && !is_html)
            .remedy("try again later; check https://status.corti.ai for outages: corti-auth doctor"),
        cause("agents-refusal", "the agents API refused the request").said(is_agents).remedy(match fix {
            Some(fix) => format!("the server advises: {fix}"),
            None => "look up the error's code in Corti's documentation: corti-auth status".to_owned(),
        }),
        cause("broken-off", "the answer broke off on its way")
            .proved((it.answer == AnswerKind::CutOff).then_some("the body is JSON that ends too early"))
            .remedy("try again; if it happens again, look for a proxy in between: corti-auth doctor"),
        cause("no-failure", "this is no failure")
            .shown(it.status.filter(|_| is_success).map(|status| format!("the status is {status}")))
            .remedy("look at what came before or after it: corti-auth doctor"),
    ]
}
