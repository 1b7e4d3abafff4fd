//! The causes at the token endpoint: it refuses, or grants other scopes than were wanted. The words are Keycloak 26's.

use crate::domain::client::identity::TENANT_HINT;
use crate::domain::explain::answer::AnswerKind;
use crate::domain::explain::cause::{Cause, cause};
use crate::domain::explain::evidence::Evidence;
use crate::domain::token::grant::WRONG_SECRET_WORDS;
use crate::domain::token::scope::{Scope, ScopeSet, TokenClass};

/// What Keycloak says of an unknown path of a realm, in lower case (405 for a misspelt /token).
pub(super) const NO_SUCH_PATH: [&str; 3] = ["404 not found", "405 method not allowed", "protocol not found"];

/// The errors that have a cause of their own.
const NAMED_ERRORS: [&str; 3] = ["invalid_client", "unauthorized_client", "invalid_scope"];

/// Words of other errors that have a cause of their own.
const NAMED_WORDS: [&str; 3] = ["missing form parameter", "invalid origin", "realm does not exist"];

pub(super) fn causes(it: &Evidence) -> Vec<Cause> {
    let only_401 = it.has_only_status(&[401]);
    let is_oauth = it.is(AnswerKind::OAuth);
    let refuses = |error| it.has_code(AnswerKind::OAuth, &[error]);
    let is_about_secret = it.says(&WRONG_SECRET_WORDS);
    let misspelt = misspelt_scope(it);
    let correction =
        misspelt.as_ref().map(|(wrong, right)| format!("unknown scope `{wrong}`; did you mean `{right}`?"));
    let is_named =
        it.has_code(AnswerKind::OAuth, &NAMED_ERRORS) || it.says(&NAMED_WORDS) || it.says(&NO_SUCH_PATH);
    let is_busy = it.is_status(&[429]) || it.is_server_error();
    let scopes = &it.answer.code;
    let is_full = ScopeSet::from_wire(scopes).class() == TokenClass::Full;
    let granted = it.is(AnswerKind::Grant).then(|| format!("the scopes are `{scopes}`"));
    let is_full_at_socket =
        it.socket().is_some() && it.claims().is_some_and(|claims| claims.class == Some(TokenClass::Full));
    let is_at_endpoint = it.request.as_ref().is_some_and(|request| request.path.ends_with("/token"));
    vec![
        cause("unknown-client", "the tenant has no such client, or it is disabled")
            .if_server_says(it, refuses("invalid_client"))
            .remedy("compare client id, tenant and environment with the Corti Console: corti-auth status"),
        cause("wrong-secret", "the client secret is wrong")
            .if_server_says(it, refuses("unauthorized_client") && is_about_secret)
            .remedy("store the right one, or make a new one in the Corti Console: corti-auth rotate"),
        cause("client-not-allowed", "the client may not use the client_credentials grant")
            .if_server_says(it, refuses("unauthorized_client") && !is_about_secret)
            .remedy("create a backend client in the Corti Console, then log in: corti-auth login"),
        cause("unknown-tenant", "the environment has no such tenant (realm)")
            .if_server_says(it, is_oauth && it.says(&["realm does not exist"]) && !is_busy)
            .remedy(TENANT_HINT),
        cause("misspelt-scope", "a scope is misspelt")
            .if_server_says(it, correction.is_some())
            .if_request_shows(correction)
            .remedy(format!(
                "request the right name: corti-auth token {}",
                misspelt.as_ref().map_or("streams", |(_, right)| right)
            )),
        cause("refused-scope", "the client is not allowed one of the scopes")
            .if_server_says(it, refuses("invalid_scope") && misspelt.is_none())
            .remedy("request transcribe, streams or both: corti-auth token transcribe streams"),
        cause("not-a-form", "the token request is not a form: its parameters were not read")
            .if_server_says(it, is_oauth && it.says(&["missing form parameter"]))
            .remedy("send application/x-www-form-urlencoded, not JSON")
            .remedy("compare with a request that works: corti-auth token full -v"),
        cause("foreign-origin", "a page in a browser asked for the token")
            .if_server_says(it, is_oauth && it.says(&["invalid origin"]))
            .remedy("mint the token on your backend, and send it to the page")
            .remedy("corti-auth token transcribe"),
        cause("refused-grant", "the token endpoint refused the request")
            .if_server_says(it, is_oauth && !is_named && !is_busy && !it.is_from_an_api())
            .remedy("compare with a request that works: corti-auth token full -v"),
        cause("full-token", "this is a full token: no scope limits it")
            .if_answer_proves(granted.clone().filter(|_| is_full))
            .if_request_shows(is_full_at_socket.then_some("a full token was used at a WebSocket"))
            .remedy(format!(
                "give a browser a limited one: corti-auth token {}",
                it.known_socket().unwrap_or("transcribe")
            )),
        cause("granted", "this is not a failure: a token was granted")
            .if_answer_proves(granted.filter(|_| !is_full))
            .remedy("see what it may do: corti-auth inspect FILE"),
        cause("bad-credentials", "the token endpoint rejected the client id or the secret")
            .if_status_matches(only_401 && it.challenge.is_none() && (is_at_endpoint || it.token.is_none()))
            .remedy("check every step: corti-auth doctor"),
    ]
}

/// A refused scope that is nearly the name of one, and that name.
fn misspelt_scope(it: &Evidence) -> Option<(String, &'static str)> {
    let words = it.words.as_ref().filter(|_| it.has_code(AnswerKind::OAuth, &["invalid_scope"]))?;
    words.split_whitespace().find_map(|word| {
        let scope: Scope = word.parse().ok()?;
        Some((word.to_owned(), scope.suggestion()?))
    })
}
