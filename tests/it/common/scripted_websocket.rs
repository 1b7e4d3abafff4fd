//! A WebSocket server with a script, for messages that Corti may send and the sandbox does not.

use std::net::TcpStream;

use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, Message};
use tungstenite::protocol::CloseFrame;

use super::fake_server::{listen, serve};

/// What to do after a message of this type. `binary` stands for audio.
#[derive(Clone)]
pub enum Reply {
    /// Sends these texts.
    Send(&'static str, Vec<&'static str>),
    /// Sends this text five times a second, without end.
    SendForever(&'static str, &'static str),
    /// Sends these texts, then closes with this code and reason.
    Close(&'static str, Vec<&'static str>, u16, &'static str),
}

/// Starts one on this machine and returns its environment. It ends with the test's process.
pub fn start(script: Vec<Reply>) -> String {
    let (listener, environment) = listen();
    serve(listener, move |_, stream| converse(stream, &script));
    environment
}

fn converse(stream: TcpStream, script: &[Reply]) {
    // A connection that only tests TCP sends no request.
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        let kind = match &message {
            Message::Text(text) => {
                let value: Value = serde_json::from_str(text).unwrap_or_default();
                value["type"].as_str().unwrap_or_default().to_owned()
            }
            Message::Binary(_) => "binary".to_owned(),
            _ => continue,
        };
        let lines = script.iter().filter(|line| match line {
            Reply::Send(on, _) | Reply::SendForever(on, _) | Reply::Close(on, ..) => *on == kind,
        });
        for line in lines {
            let (texts, close) = match line {
                Reply::Send(_, texts) => (texts, None),
                Reply::Close(_, texts, code, reason) => (texts, Some((*code, *reason))),
                Reply::SendForever(_, text) => {
                    while socket.send(Message::text(*text)).is_ok() {
                        std::thread::sleep(std::time::Duration::from_millis(200));
                    }
                    return;
                }
            };
            for text in texts {
                let _ = socket.send(Message::text(*text));
            }
            if let Some((code, reason)) = close {
                let _ = socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
            }
        }
    }
}
