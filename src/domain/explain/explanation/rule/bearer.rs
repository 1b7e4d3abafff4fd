//! Where the API refuses a token: 401 with the reason in `WWW-Authenticate`, 403 with one in the body.

use crate::domain::explain::explanation::{Evidence, LEEWAY, Presented, TokenInUse};
use crate::domain::token::inspection::{Inspection, Kind, span};
use crate::domain::token::scope::TokenClass;

use super::{Rule, Signs, fitting};

pub(super) const RULES: [Rule; 12] = [
    Rule {
        id: "expired",
        cause: "the token has expired",
        signs: expired,
        remedy: |it| format!("mint a new one: {}", mint(it)),
    },
    Rule {
        id: "clock-skew",
        cause: "the clock here and the server's differ",
        signs: clock_skew,
        remedy: |_| "set the clock here by NTP, then see how far off it is: corti-auth doctor".to_owned(),
    },
    Rule {
        id: "no-token",
        cause: "no token was sent",
        signs: |it| {
            let unnamed = it.challenge.as_ref().is_some_and(|challenge| challenge.error.is_none());
            let unsent = it.asked.as_ref().is_some_and(|asked| asked.presented.is_none());
            // A saved request that has a token knows better than a server that does not tell why it took none.
            let unnamed = unnamed && (it.asked.is_none() || unsent);
            Signs::none()
                .certain(unnamed.then(|| "the challenge says of a token only that one is needed".to_owned()))
                .shown((it.refuses_a_token() && unsent).then(|| "the request has none".to_owned()))
        },
        remedy: |it| {
            format!("send `Authorization: Bearer …`, at a WebSocket `token=Bearer%20…`: {}", mint(it))
        },
    },
    Rule {
        id: "missing-bearer",
        cause: "the word Bearer is missing before the token",
        signs: |it| {
            let form = form(it);
            let is_other = matches!(form, Some(Presented::Encoded | Presented::Doubled));
            let bare = it.asked.is_some() && form == Some(Presented::Bare) && it.refuses_a_token();
            Signs::none()
                .said(it.said(&["preceded by bearer"]).filter(|_| !is_other))
                .shown(bare.then(|| "the request has the token without it".to_owned()))
                .fits(fitting(it, &[401]).filter(|_| it.asked.is_none() && !is_other))
        },
        remedy: |it| format!("put it there, at a WebSocket too (`token=Bearer%20…`): {}", mint(it)),
    },
    Rule {
        id: "encoded-twice",
        cause: "the token was percent-encoded once too often",
        signs: |it| {
            let is_encoded = form(it) == Some(Presented::Encoded) && it.concerns_a_token();
            let words = it.said(&["preceded by bearer"]);
            let alike =
                words.is_some() && form(it).is_none_or(|form| form == Presented::Bare) && it.asked.is_none();
            Signs::none()
                .said(words.filter(|_| is_encoded))
                .shown(is_encoded.then(|| "an escape stands where the space should be".to_owned()))
                .shown(
                    alike.then(|| "a space escaped twice (`%2520`) looks the same to the server".to_owned()),
                )
        },
        remedy: |_| {
            "leave the encoding to one place; a URL that is encoded once: \
             corti-auth interaction create --connect-url"
                .to_owned()
        },
    },
    Rule {
        id: "malformed-token",
        cause: "what was sent is no token, or not all of one",
        signs: |it| {
            let unreadable = it.token().is_some_and(|token| token.inspection.is_none());
            let doubled = form(it) == Some(Presented::Doubled);
            let concerned = it.concerns_a_token();
            Signs::none()
                .said(it.said(&["malformed"]))
                .shown((concerned && unreadable).then(|| "the token in use cannot be decoded".to_owned()))
                .shown((concerned && doubled).then(|| "the word Bearer stands there twice".to_owned()))
        },
        remedy: |it| format!("send it as it was minted, in one piece: {}", mint(it)),
    },
    Rule {
        id: "not-an-access-token",
        cause: "it is a token of another kind, which opens no API",
        signs: |it| {
            let kind = seen(it).map(|seen| seen.kind).filter(|kind| matches!(kind, Kind::Id | Kind::Refresh));
            Signs::none()
                .said(it.said(&["not an access token"]))
                .shown(kind.map(|kind| format!("by its `typ` it is of the kind `{}`", kind.as_str())))
        },
        remedy: |it| format!("send `access_token`, not `id_token` or `refresh_token`: {}", mint(it)),
    },
    Rule {
        id: "unknown-key",
        cause: "the token is not signed by a key that this realm has",
        signs: |it| Signs::none().said(it.said(&["signature", "key of the token"])),
        remedy: |it| {
            format!(
                "it was altered, is of another realm, or its key was withdrawn; mint a new one: {}",
                mint(it)
            )
        },
    },
    Rule {
        id: "limited-token-on-rest",
        cause: "a limited token opens its WebSockets, and no REST API",
        signs: |it| {
            let at_rest = !at_socket(it);
            let limited = seen(it).filter(|seen| seen.class == Some(TokenClass::Limited) && is_refused(it));
            Signs::none()
                .said(it.said(&["scope"]).filter(|_| it.is_status(&[403]) && at_rest))
                .shown(
                    limited
                        .filter(|_| at_rest)
                        .map(|seen| format!("the token's scopes are `{}`", seen.scopes)),
                )
                .fits(fitting(it, &[403]).filter(|_| it.token().is_none() && at_rest))
        },
        remedy: |_| "REST wants a full token, which stays on a backend: corti-auth token --full".to_owned(),
    },
    Rule {
        id: "wrong-scope-for-the-socket",
        cause: "the token is limited to another WebSocket than this one",
        signs: |it| {
            let socket = it.socket().unwrap_or_default();
            let limited = seen(it).filter(|seen| seen.class == Some(TokenClass::Limited) && is_refused(it));
            let other =
                limited.filter(|seen| at_socket(it) && !(it.asked.is_some() && seen.scopes.contains(socket)));
            Signs::none()
                .said(it.said(&["scope"]).filter(|_| it.is_status(&[403]) && at_socket(it)))
                .shown(other.map(|seen| format!("the token's scopes are `{}`", seen.scopes)))
                .fits(fitting(it, &[403]).filter(|_| it.token().is_none()))
        },
        remedy: |it| {
            let either = "corti-auth token --scope transcribe,streams".to_owned();
            let command = if at_socket(it) { mint(it) } else { either };
            format!("ask for the scope of the same name: {command}")
        },
    },
    Rule {
        id: "refused-token",
        cause: "the token was refused, and the server does not tell why",
        signs: |it| {
            let untold = it.words().filter(|_| it.is_bare(&[401]) && it.refuses_a_token());
            Signs::none().fits(untold.map(|words| format!("the server says no more than: {words}")))
        },
        remedy: |it| {
            format!("see what it says of itself (corti-auth inspect FILE), or mint a new one: {}", mint(it))
        },
    },
    Rule {
        id: "forbidden",
        cause: "it is another client's, or nothing that this client may use",
        signs: |it| {
            let untold = it.words().filter(|_| it.is_bare(&[403]) && it.refuses_a_token());
            Signs::none().fits(untold.map(|words| format!("the server says no more than: {words}")))
        },
        remedy: |_| "see what the client can reach at all: corti-auth check --full".to_owned(),
    },
];

/// How the token was presented: in the request where that was saved, else in its file.
fn form(evidence: &Evidence) -> Option<Presented> {
    match &evidence.asked {
        Some(asked) => asked.presented,
        None => evidence.token().map(|token| token.presented),
    }
}

fn seen(evidence: &Evidence) -> Option<&Inspection> {
    evidence.token().and_then(|token: &TokenInUse| token.inspection.as_ref())
}

/// Whether it is a refusal for want of a right: 403, and not about the tenant.
fn is_refused(evidence: &Evidence) -> bool {
    evidence.is_status(&[403]) && evidence.refuses_a_token() && evidence.said(&["tenant"]).is_none()
}

fn at_socket(evidence: &Evidence) -> bool {
    evidence.socket().is_some() || evidence.said(&["websocket"]).is_some()
}

/// The command that mints what the place wants: its own scope at a WebSocket, else what the token was.
fn mint(evidence: &Evidence) -> String {
    let scopes =
        seen(evidence).filter(|seen| seen.class == Some(TokenClass::Limited)).map(|seen| &seen.scopes);
    let held =
        || ["transcribe", "streams"].into_iter().find(|name| scopes.is_some_and(|all| all.contains(name)));
    let wanted = match evidence.socket().filter(|name| ["transcribe", "streams"].contains(name)) {
        Some(name) => Some(name),
        // The right one is the other: a token that names both would have been let in.
        None if at_socket(evidence) && is_refused(evidence) => match held() {
            Some("streams") => Some("transcribe"),
            _ => Some("streams"),
        },
        None => held(),
    };
    wanted.map_or("corti-auth token --full".to_owned(), |name| format!("corti-auth token --scope {name}"))
}

fn expired(it: &Evidence) -> Signs {
    let concerned = it.concerns_a_token();
    let expiry = seen(it).and_then(|seen| seen.expires_at).filter(|_| concerned);
    let since = expiry.map(|expiry| it.moment().as_second() - expiry.as_second());
    let before = if it.date.is_some() { "before the answer" } else { "ago" };
    let shown = since.filter(|since| *since >= 0);
    Signs::none()
        .said(it.said(&["expired", "token is not active"]))
        .shown(shown.map(|since| format!("the token expired {} {before}", span(since.unsigned_abs()))))
        .fits(fitting(it, &[401]).filter(|_| it.token().is_none()))
}

fn clock_skew(it: &Evidence) -> Signs {
    if !it.concerns_a_token() {
        return Signs::none();
    }
    let ahead = |time: jiff::Timestamp| time.as_second() - it.now.as_second();
    let far = |seconds: &i64| *seconds > LEEWAY;
    let words = |seconds: i64| span(seconds.unsigned_abs());
    let dated = it.date.map(ahead).filter(far);
    let issued = seen(it).and_then(|seen| seen.issued_at).map(ahead).filter(far);
    let alive = seen(it).and_then(|seen| seen.expires_at).map(ahead).filter(|left| *left > 0);
    let alive = alive.filter(|_| it.said(&["expired"]).is_some());
    Signs::none()
        .shown(dated.map(|by| format!("the answer is dated {} after now", words(by))))
        .shown(issued.map(|by| format!("the token was issued {} from now, by the clock here", words(by))))
        .shown(alive.map(|by| format!("by the clock here the token lives for another {}", words(by))))
        .fits(fitting(it, &[401]).filter(|_| it.token().is_none()))
}
