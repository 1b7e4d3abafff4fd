//! Where a WebSocket's session does not begin, or ends: its messages, in both spellings, and its close codes.

use crate::domain::explain::explanation::Evidence;

use super::{Rule, Signs};

pub(super) const RULES: [Rule; 7] = [
    Rule {
        id: "configuration-denied",
        cause: "the configuration has a value that the WebSocket does not take",
        signs: |it| words(it, &["CONFIG_DENIED", "CONFIG_REJECTED"]),
        remedy: |_| "mend what the reason names, and send the configuration on a new connection".to_owned(),
    },
    Rule {
        id: "configuration-late",
        cause: "no configuration came within 10 seconds after the connection",
        signs: |it| words(it, &["CONFIG_TIMEOUT", "CONFIG_NOT_PROVIDED"]),
        remedy: |_| "send `{\"type\":\"config\",…}` as soon as the WebSocket is open".to_owned(),
    },
    Rule {
        id: "configuration-not-first",
        cause: "something else came before the configuration",
        signs: |it| words(it, &["CONFIG_MISSING"]),
        remedy: |_| "send the configuration first, and audio only after CONFIG_ACCEPTED".to_owned(),
    },
    Rule {
        id: "configured-twice",
        cause: "the configuration was sent twice; the first one holds",
        signs: |it| words(it, &["CONFIG_ALREADY_RECEIVED"]),
        remedy: |_| "go on: the session is open; send the configuration once".to_owned(),
    },
    Rule {
        id: "socket-error",
        cause: "the WebSocket could not do what the last message asked for",
        signs: |it| words(it, &["ERROR"]),
        remedy: |_| "mend that message; the session may go on, or end after this".to_owned(),
    },
    Rule {
        id: "session-as-it-should-be",
        cause: "this message is no failure",
        signs: |it| {
            let is_other = it.frame().is_some_and(|kind| !kind.starts_with("CONFIG_") && kind != "ERROR");
            let is_fine = is_other || it.frame() == Some("CONFIG_ACCEPTED");
            Signs::none().said(it.words().filter(|_| is_fine))
        },
        remedy: |_| {
            "look at the message before it, or at the close code: corti-auth explain --status CODE".to_owned()
        },
    },
    Rule {
        id: "closed",
        cause: "the WebSocket was closed",
        signs: |it| {
            Signs::none().shown(it.status.and_then(close_code).map(|(meaning, _)| meaning.to_owned()))
        },
        remedy: |it| it.status.and_then(close_code).map_or("", |(_, remedy)| remedy).to_owned(),
    },
];

fn words(evidence: &Evidence, kinds: &[&str]) -> Signs {
    let is_one = evidence.frame().is_some_and(|kind| kinds.contains(&kind));
    Signs::none().said(evidence.words().filter(|_| is_one))
}

/// What a close code means (RFC 6455, section 7.4.1), and what to do.
fn close_code(code: u16) -> Option<(&'static str, &'static str)> {
    Some(match code {
        1000 => ("1000: it ended as agreed", "this is no failure; the last message says why it ended"),
        1001 => (
            "1001: the server goes away",
            "connect again, with a token that has not expired: corti-auth token --scope streams",
        ),
        1002 => (
            "1002: what was sent is not the WebSocket's protocol",
            "look for a proxy that does not know WebSockets: corti-auth doctor",
        ),
        1006 => (
            "1006: no close frame came. A browser says so of a refused handshake too, and hides its status",
            "ask for the same URL with curl -i, and explain that: corti-auth explain --response FILE",
        ),
        1009 => ("1009: a message was too big", "send audio in pieces of 250 ms"),
        _ => return None,
    })
}
