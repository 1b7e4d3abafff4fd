//! The causes of tokens that the API refuses: 401 with the reason in `WWW-Authenticate`, 403 with one in the body.

use jiff::Timestamp;

use crate::domain::client::identity::Tenant;
use crate::domain::explain::cause::{Cause, cause};
use crate::domain::explain::evidence::{Evidence, Place};
use crate::domain::explain::saved_exchange::BearerForm;
use crate::domain::text::shell::quote;
use crate::domain::token::inspection::{Kind, span};
use crate::domain::token::scope::{LIMITED, TokenClass};

/// The difference between two clocks that is ignored, in seconds.
const LEEWAY: i64 = 60;

pub(super) fn causes(it: &Evidence) -> Vec<Cause> {
    let mint = mint(it);
    let send = "send `Authorization: Bearer TOKEN`; in a WebSocket's URL `token=Bearer%20TOKEN`";
    let has_no_token = it.token.is_none();
    let only_401 = it.has_only_status(&[401]);
    let only_403 = it.has_only_status(&[403]);
    let concerns_a_token = it.concerns_a_token();
    let unsent = it.request.as_ref().is_some_and(|request| request.token.is_none());
    // A saved request with a token counts more than a challenge without a reason.
    let unnamed = it.challenge.as_ref().is_some_and(|challenge| challenge.error.is_none());
    let unnamed = unnamed && (it.request.is_none() || unsent);
    // As it was sent, where the request was saved, else as it is in its file.
    let form = match &it.request {
        Some(request) => request.token,
        None => it.token.as_ref().map(|token| token.form),
    };
    let is_malformed = matches!(form, Some(BearerForm::Encoded | BearerForm::Doubled));
    let is_bare = it.request.is_some() && form == Some(BearerForm::Bare) && it.refuses_a_token();
    let is_encoded = form == Some(BearerForm::Encoded) && concerns_a_token;
    let says_bearer = it.says(&["preceded by bearer"]);
    let may_be_encoded =
        says_bearer && it.request.is_none() && !is_malformed && form != Some(BearerForm::Bearer);
    let is_doubled = form == Some(BearerForm::Doubled) && concerns_a_token;
    let unreadable =
        it.token.as_ref().filter(|_| concerns_a_token).and_then(|token| match &token.inspection {
            None => Some("the token that was sent cannot be decoded".to_owned()),
            Some(claims) if claims.errors.is_empty() => None,
            Some(claims) => Some(format!("in the token that was sent, {}", claims.error_text())),
        });
    let kind = it.claims().map(|claims| claims.kind);
    let kind = kind.and_then(|kind| match kind {
        Kind::Id => Some("it is an ID token (`typ`)"),
        Kind::Refresh => Some("it is a refresh token (`typ`)"),
        _ => None,
    });
    let says_scope = it.is_status(&[403]) && it.says(&["scope"]);
    let is_at_socket = is_at_socket(it);
    let limited = it.claims().filter(|claims| claims.class == Some(TokenClass::Limited) && is_refused(it));
    let scopes = limited.map(|claims| format!("the token's scopes are `{}`", claims.scopes));
    let has_own_scope = it.request.is_some()
        && limited.is_some_and(|claims| claims.scopes.contains(it.socket().unwrap_or_default()));
    let no_reason = it.words.as_ref().filter(|_| it.refuses_a_token());
    let no_reason = no_reason.map(|words| format!("the server says only: {words}"));
    vec![
        expired(it, cause("expired", "the token has expired")).remedy(format!("mint a new one: {mint}")),
        clock_skew(it, cause("clock-skew", "this machine's clock and the server's differ"))
            .remedy("set this machine's clock by NTP")
            .remedy("see how far off it is: corti-auth doctor"),
        cause("no-token", "no token was sent")
            .if_answer_proves(unnamed.then_some("WWW-Authenticate says only that a token is required"))
            .if_request_shows((it.refuses_a_token() && unsent).then_some("the saved request has no token"))
            .remedy(send)
            .remedy(mint.as_str()),
        cause("missing-bearer", "the word Bearer is missing before the token")
            .if_server_says(it, says_bearer && !is_malformed)
            .if_request_shows(is_bare.then_some("the saved request has the token without Bearer"))
            .if_status_matches(only_401 && it.request.is_none() && !is_malformed)
            .remedy(send)
            .remedy(mint.as_str()),
        cause("encoded-twice", "the token was percent-encoded twice")
            .if_server_says(it, says_bearer && is_encoded)
            .if_request_shows(is_encoded.then_some("`%20` is sent in place of the space"))
            .if_request_shows(
                may_be_encoded.then_some("a space encoded twice (`%2520`) looks the same to the server"),
            )
            .remedy("encode the space only once, as here: corti-auth interaction create --connect-url"),
        cause("malformed-token", "what was sent is not a token, or not a whole one")
            .if_server_says(it, it.says(&["malformed"]))
            .if_request_shows(unreadable)
            .if_request_shows(is_doubled.then_some("the word Bearer is written twice"))
            .remedy(format!("send the whole token, unchanged: {mint}")),
        cause("not-an-access-token", "this is not an access token")
            .if_server_says(it, it.says(&["not an access token"]))
            .if_request_shows(kind)
            .remedy(format!("send `access_token`, not `id_token` or `refresh_token`: {mint}")),
        cause(
            "unknown-key",
            "the token was not signed by this tenant: another one issued it, or it was changed",
        )
        .if_server_says(it, it.says(&["signature", "key of the token"]))
        .remedy(format!("mint a new one: {mint}")),
        cause("limited-token-on-rest", "a limited token opens WebSockets, not the REST API")
            .if_server_says(it, says_scope && !is_at_socket)
            .if_request_shows(scopes.clone().filter(|_| !is_at_socket))
            .if_status_matches(only_403 && has_no_token && !is_at_socket)
            .remedy("the REST API needs a full token; keep it on your backend")
            .remedy("corti-auth token full"),
        cause("wrong-scope-for-the-socket", "the token is limited to another WebSocket")
            .if_server_says(it, says_scope && is_at_socket)
            .if_request_shows(scopes.filter(|_| is_at_socket && !has_own_scope))
            .if_status_matches(only_403 && has_no_token)
            .remedy("request the scope with the WebSocket's name")
            .remedy(if is_at_socket { &mint } else { "corti-auth token transcribe streams" }),
        cause("refused-token", "the server refused the token without a reason")
            .weighed(1, no_reason.clone().filter(|_| only_401))
            .remedy("see what is in it: corti-auth inspect FILE")
            .remedy(format!("or mint a new one: {mint}")),
        cause("forbidden", "the resource belongs to another client, or this client may not use it")
            .weighed(1, no_reason.filter(|_| only_403))
            .remedy("see what the client may use: corti-auth check --full"),
    ]
}

/// The causes of requests with the wrong environment, tenant or client.
pub(super) fn wrong_target(it: &Evidence) -> Vec<Cause> {
    let has_no_token = it.token.is_none();
    let only_403 = it.has_only_status(&[403]);
    let (is_403, concerns_a_token) = (it.is_status(&[403]), it.concerns_a_token());
    let issuer = it.claims().and_then(|claims| claims.place.as_ref());
    let configured = it.configured.place.as_ref();
    let environment_of = |place: Option<&Place>| place.map(|(environment, _)| environment.to_string());
    let tenant_of = |place: Option<&Place>| place.map(|(_, tenant)| tenant.to_string());
    let here = "is configured";
    let other_environment = mismatch("", environment_of(issuer), environment_of(configured), here);
    let says_key = it.says(&["issuer", "key of the token", "signature"]);
    let is_other_key = says_key && has_no_token;
    let is_elsewhere = says_key && (other_environment.is_some() || it.says(&["issuer"]));
    let environment = environment_of(configured).map_or("eu".to_owned(), |environment| quote(&environment));
    let named_tenant = it.request.as_ref().and_then(|request| request.tenant.clone());
    let sent = mismatch("tenant ", tenant_of(issuer), named_tenant, "was sent");
    let other_tenant = mismatch("tenant ", tenant_of(issuer), tenant_of(configured), here);
    let is_unsent = is_403 && it.refuses_a_token();
    let is_unsent = is_unsent && it.request.as_ref().is_some_and(|request| request.tenant.is_none());
    let says_tenant = is_403 && it.says(&["tenant"]);
    let says_missing = it.says(&["missing"]);
    let remedy_for = |place| {
        let tenant = tenant_of(place).unwrap_or_else(|| Tenant::default().to_string());
        format!("send `Tenant-Name: {tenant}`; in a WebSocket's URL `tenant-name={tenant}`")
    };
    let own_client = it.claims().and_then(|claims| claims.client.clone());
    let client = it.configured.client.as_ref().map(ToString::to_string);
    let other_client = mismatch("client ", own_client, client, here);
    let is_about_client = it.is_status(&[403, 404]) || it.status.is_none() && concerns_a_token;
    vec![
        cause("wrong-environment", "the token is for another environment")
            .if_server_says(it, is_elsewhere)
            .if_request_shows(other_environment.filter(|_| concerns_a_token))
            .if_request_shows(
                is_other_key.then_some("tokens for another environment are signed by another key"),
            )
            .if_status_matches(it.has_only_status(&[401]) && has_no_token)
            .remedy("mint the token in the environment that you call")
            .remedy(format!("corti-auth token full --environment {environment}")),
        cause("wrong-tenant", "Tenant-Name is not the token's tenant")
            .if_server_says(it, says_tenant && !says_missing)
            .if_request_shows(sent.filter(|_| concerns_a_token))
            .if_request_shows(other_tenant.filter(|_| concerns_a_token))
            .if_status_matches(only_403 && has_no_token)
            .remedy(remedy_for(issuer)),
        cause("missing-tenant", "Tenant-Name is missing")
            .if_server_says(it, says_tenant && says_missing)
            .if_request_shows(is_unsent.then_some("the request names no tenant"))
            .if_status_matches(only_403 && it.request.is_none())
            .remedy(remedy_for(issuer.or(configured))),
        cause("wrong-client", "the token is for another client, which has its own interactions")
            .if_request_shows(other_client.filter(|_| is_about_client))
            .remedy(
                "mint it with the client that created the interaction: corti-auth token full --profile NAME",
            ),
    ]
}

/// Says that the token's `own` environment, tenant or client is not the `other` one.
fn mismatch(what: &str, own: Option<String>, other: Option<String>, how: &str) -> Option<String> {
    let (own, other) = own.zip(other).filter(|(own, other)| own != other)?;
    Some(format!("the token is for {what}`{own}`, but `{other}` {how}"))
}

fn expired(it: &Evidence, cause: Cause) -> Cause {
    let expiry = it.claims().and_then(|claims| claims.expires_at).filter(|_| it.concerns_a_token());
    // By the server's clock, where the answer has a date.
    let judged_at = it.date.unwrap_or(it.now).as_second();
    let since = expiry.and_then(|expiry| u64::try_from(judged_at - expiry.as_second()).ok()).map(span);
    let before = if it.date.is_some() { "before the answer" } else { "ago" };
    cause
        .if_server_says(it, it.says(&["expired", "token is not active"]))
        .if_request_shows(since.map(|since| format!("the token expired {since} {before}")))
        .if_status_matches(it.has_only_status(&[401]) && it.token.is_none())
}

fn clock_skew(it: &Evidence, cause: Cause) -> Cause {
    if !it.concerns_a_token() {
        return cause;
    }
    // How far it is after now, if it is more than so many seconds.
    let later_than = |seconds: i64, time: Option<Timestamp>| {
        let ahead = time?.as_second() - it.now.as_second();
        (ahead > seconds).then(|| span(ahead.unsigned_abs()))
    };
    let claims = it.claims();
    let dated = later_than(LEEWAY, it.date);
    let issued = later_than(LEEWAY, claims.and_then(|claims| claims.issued_at));
    let left = later_than(0, claims.and_then(|claims| claims.expires_at)).filter(|_| it.says(&["expired"]));
    cause
        .if_request_shows(dated.map(|by| format!("the answer's Date is {by} ahead of this machine's clock")))
        .if_request_shows(
            issued.map(|by| format!("by this machine's clock the token was issued {by} in the future")),
        )
        .if_request_shows(
            left.map(|by| format!("by this machine's clock the token is valid for another {by}")),
        )
        .if_status_matches(it.has_only_status(&[401]) && it.token.is_none())
}

/// Whether a scope may be missing: 403, and not because of the tenant.
fn is_refused(it: &Evidence) -> bool {
    it.is_status(&[403]) && it.refuses_a_token() && !it.says(&["tenant"])
}

fn is_at_socket(it: &Evidence) -> bool {
    it.socket().is_some() || it.says(&["websocket"])
}

/// The command that mints the right token: with the scope of the WebSocket, or else with that of the token that was used.
fn mint(it: &Evidence) -> String {
    let limited = it.claims().filter(|claims| claims.class == Some(TokenClass::Limited));
    let own = limited.and_then(|claims| LIMITED.into_iter().find(|name| claims.scopes.contains(name)));
    let wanted = match it.known_socket() {
        Some(name) => Some(name),
        // An unknown WebSocket refused the token's scope, so it needs the other one.
        None if is_at_socket(it) && is_refused(it) => {
            Some(if own == Some("streams") { "transcribe" } else { "streams" })
        }
        None if LIMITED.iter().all(|name| limited.is_some_and(|claims| claims.scopes.contains(name))) => {
            return format!("corti-auth token {}", LIMITED.join(" "));
        }
        None => own,
    };
    wanted.map_or("corti-auth token full".to_owned(), |name| format!("corti-auth token {name}"))
}
