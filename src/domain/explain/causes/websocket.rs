//! The causes of a WebSocket's session that does not begin, or ends: its messages, and its close codes.

use crate::domain::explain::answer::AnswerKind;
use crate::domain::explain::cause::{Cause, cause};
use crate::domain::explain::evidence::Evidence;

pub(super) fn causes(it: &Evidence) -> Vec<Cause> {
    let is = |kinds: &[&str]| it.has_code(AnswerKind::Message, kinds);
    let is_other = it.is(AnswerKind::Message) && !it.answer.code.starts_with("CONFIG_") && !is(&["ERROR"]);
    let close = it.status.and_then(close_code);
    vec![
        cause("configuration-denied", "the WebSocket rejects a value of the configuration")
            .said(it, is(&["CONFIG_DENIED", "CONFIG_REJECTED"]))
            .remedy("fix what the reason names, and send the configuration on a new connection"),
        cause("configuration-late", "no configuration came within 10 seconds after the connection")
            .said(it, is(&["CONFIG_TIMEOUT", "CONFIG_NOT_PROVIDED"]))
            .remedy("send `{\"type\":\"config\",…}` as soon as the WebSocket is open"),
        cause("configuration-not-first", "another message came before the configuration")
            .said(it, is(&["CONFIG_MISSING"]))
            .remedy("send the configuration first, and audio only after CONFIG_ACCEPTED"),
        cause("configured-twice", "the configuration was sent twice; the first one is used")
            .said(it, is(&["CONFIG_ALREADY_RECEIVED"]))
            .remedy("go on: the session is open; send the configuration once"),
        cause("socket-error", "the WebSocket could not process the last message")
            .said(it, is(&["ERROR"]))
            .remedy("fix that message; the session may go on or end"),
        cause("session-as-it-should-be", "this message is no failure")
            .said(it, is_other || is(&["CONFIG_ACCEPTED"]))
            .remedy("look at the message before it, or the close code: corti-auth explain --status CODE"),
        cause("closed", "the WebSocket was closed")
            .shown(close.map(|(meaning, _)| meaning))
            .remedy(close.map_or("", |(_, remedy)| remedy)),
    ]
}

/// What a close code means (RFC 6455, section 7.4.1), and what to do.
fn close_code(code: u16) -> Option<(&'static str, &'static str)> {
    Some(match code {
        1000 => ("1000: it ended as agreed", "this is no failure; the last message says why it ended"),
        1001 => ("1001: the server goes away", "connect again: corti-auth token --scope streams"),
        1002 => ("1002: a WebSocket protocol error", "look for a proxy in between: corti-auth doctor"),
        1006 => (
            "1006: no close frame came. Browsers report this for a refused handshake too, and hide its status",
            "ask for the same URL with curl -i, and explain that: corti-auth explain --response FILE",
        ),
        1009 => ("1009: a message was too big", "send audio in pieces of 250 ms"),
        _ => return None,
    })
}
