//! Where the token endpoint refuses, or grants something else than was meant. The words are Keycloak's, as they were
//! measured of version 26.

use crate::domain::explain::explanation::{Evidence, Shape};
use crate::domain::token::scope::{Scope, ScopeSet, TokenClass};

use super::{NO_PATH, Rule, Signs, fitting};

pub(super) const RULES: [Rule; 12] = [
    Rule {
        id: "unknown-client",
        cause: "the tenant has no such client, or it is disabled",
        signs: |it| Signs::none().said(words(it, "invalid_client")),
        remedy: |_| {
            "compare the client id, the tenant and the environment with the Corti Console's: corti-auth status"
                .to_owned()
        },
    },
    Rule {
        id: "wrong-secret",
        cause: "the client secret is wrong",
        signs: |it| {
            let about_the_secret = it.said(&["credential", "secret"]).is_some();
            Signs::none().said(words(it, "unauthorized_client").filter(|_| about_the_secret))
        },
        remedy: |_| "store the right one; the Corti Console can make a new one: corti-auth rotate".to_owned(),
    },
    Rule {
        id: "client-not-allowed",
        cause: "the client may not use the grant that was asked for",
        signs: |it| {
            let about_the_secret = it.said(&["credential", "secret"]).is_some();
            Signs::none().said(words(it, "unauthorized_client").filter(|_| !about_the_secret))
        },
        remedy: |_| {
            "make an API client for a backend in the Corti Console, and log in with it: corti-auth login"
                .to_owned()
        },
    },
    Rule {
        id: "unknown-tenant",
        cause: "there is no such tenant (realm) in this environment",
        signs: |it| {
            let is_404 = it.is_status(&[404]) || it.status.is_none();
            Signs::none().said(it.said(&["realm does not exist"]).filter(|_| it.oauth().is_some() && is_404))
        },
        remedy: |_| {
            "nearly every customer's tenant is base: corti-auth token --full --tenant base".to_owned()
        },
    },
    Rule {
        id: "misspelt-scope",
        cause: "a scope is misspelt",
        signs: |it| {
            let meant = misspelt(it).map(|(wrong, right)| format!("`{wrong}` is no scope, `{right}` is one"));
            let said = words(it, "invalid_scope").filter(|_| meant.is_some());
            Signs::none().said(said).shown(meant)
        },
        remedy: |it| {
            let right = misspelt(it).map_or("streams", |(_, right)| right);
            format!("ask for it by its name: corti-auth token --scope {right}")
        },
    },
    Rule {
        id: "refused-scope",
        cause: "the client may not have one of the scopes that were asked for",
        signs: |it| Signs::none().said(words(it, "invalid_scope").filter(|_| misspelt(it).is_none())),
        remedy: |_| {
            "ask for transcribe, streams or both, each after one space: corti-auth token --scope transcribe,streams"
                .to_owned()
        },
    },
    Rule {
        id: "not-a-form",
        cause: "the token request was not a form: its parameters were not read",
        signs: |it| Signs::none().said(it.said(&["missing form parameter"]).filter(|_| it.oauth().is_some())),
        remedy: |_| {
            "send application/x-www-form-urlencoded and no JSON, or let this tool ask: corti-auth token --full"
                .to_owned()
        },
    },
    Rule {
        id: "foreign-origin",
        cause: "a page in a browser asked for the token",
        signs: |it| Signs::none().said(it.said(&["invalid origin"]).filter(|_| it.oauth().is_some())),
        remedy: |_| {
            "ask on a backend, where the secret belongs, and give the page a limited token: \
             corti-auth token --scope transcribe"
                .to_owned()
        },
    },
    Rule {
        id: "refused-grant",
        cause: "the token endpoint refused the request itself",
        signs: |it| {
            let known = ["invalid_client", "unauthorized_client", "invalid_scope"];
            let other = it.oauth().is_some_and(|error| !known.contains(&error));
            let elsewhere = it.said(&["missing form parameter", "invalid origin", "realm does not exist"]);
            let elsewhere = elsewhere.or_else(|| it.said(&NO_PATH));
            let is_refusal = other
                && !it.is_of_a_resource()
                && elsewhere.is_none()
                && !it.is_status(&[429])
                && !is_trouble(it);
            Signs::none().said(it.words().filter(|_| is_refusal))
        },
        remedy: |_| "let this tool ask, and compare: corti-auth token --full -v".to_owned(),
    },
    Rule {
        id: "full-token",
        cause: "it is a full token: no scope was asked for that would limit it",
        signs: |it| {
            let granted = match &it.shape {
                Shape::Grant(Some(scope)) => Some(scope).filter(|scope| class(scope) == TokenClass::Full),
                _ => None,
            };
            let full = it.token().and_then(|token| token.inspection.as_ref());
            let full = full.filter(|seen| seen.class == Some(TokenClass::Full) && it.socket().is_some());
            Signs::none()
                .certain(granted.map(|scope| format!("the scopes are `{scope}`")))
                .shown(full.map(|_| "the token in use is a full one, at a WebSocket".to_owned()))
        },
        remedy: |it| {
            let scope = it.socket().filter(|name| ["transcribe", "streams"].contains(name));
            let scope = scope.unwrap_or("transcribe");
            format!("a browser gets a limited one: corti-auth token --scope {scope}")
        },
    },
    Rule {
        id: "granted",
        cause: "this is no failure: a token was granted",
        signs: |it| {
            let granted = match &it.shape {
                Shape::Grant(scope) => Some(scope.clone().unwrap_or_default()),
                _ => None,
            };
            let limited = granted.filter(|scope| class(scope) != TokenClass::Full);
            Signs::none().certain(limited.map(|scope| format!("the scopes are `{scope}`")))
        },
        remedy: |_| "see what it may do: corti-auth inspect FILE".to_owned(),
    },
    Rule {
        id: "bad-credentials",
        cause: "the token endpoint took neither the client id nor the secret",
        signs: |it| {
            let at_grant = it.asked.as_ref().is_some_and(|asked| asked.path.ends_with("/token"));
            Signs::none()
                .fits(fitting(it, &[401]).filter(|_| it.challenge.is_none() && (at_grant || !has_token(it))))
        },
        remedy: |_| "see what each step says: corti-auth doctor".to_owned(),
    },
];

/// The server's words, where it answered with this OAuth error.
fn words(evidence: &Evidence, error: &str) -> Option<String> {
    evidence.words().filter(|_| evidence.oauth() == Some(error))
}

fn has_token(evidence: &Evidence) -> bool {
    evidence.token().is_some()
}

fn is_trouble(evidence: &Evidence) -> bool {
    evidence.status.is_some_and(|status| (500..600).contains(&status))
}

fn class(scope: &str) -> TokenClass {
    ScopeSet::from_wire(scope).class()
}

/// The word among the refused scopes that is nearly one, and the one that it nearly is.
fn misspelt(evidence: &Evidence) -> Option<(String, &'static str)> {
    let words = words(evidence, "invalid_scope")?;
    words.split_whitespace().find_map(|word| {
        let scope: Scope = word.parse().ok()?;
        Some((word.to_owned(), scope.suggestion()?))
    })
}
