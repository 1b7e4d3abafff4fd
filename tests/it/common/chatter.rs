//! A WebSocket server that says what it is told to, over a real socket: what Corti may send and the sandbox does not.

use std::net::{TcpListener, TcpStream};

use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, Message};
use tungstenite::protocol::CloseFrame;

/// What to do on a message of this type; `binary` for audio.
#[derive(Clone)]
pub enum Line {
    /// Sends these texts.
    Say(&'static str, Vec<&'static str>),
    /// Sends this text every fifth of a second, and nothing else.
    Chat(&'static str, &'static str),
    /// Sends these texts, then closes with this code and reason.
    Close(&'static str, Vec<&'static str>, u16, &'static str),
}

/// Starts one on this machine and gives its environment. It ends with the test's process.
pub fn start(script: Vec<Line>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let environment = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let script = script.clone();
            std::thread::spawn(move || converse(stream, &script));
        }
    });
    environment
}

fn converse(stream: TcpStream, script: &[Line]) {
    // A connection that is only looked at sends no request.
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
            Line::Say(on, _) | Line::Chat(on, _) | Line::Close(on, ..) => *on == kind,
        });
        for line in lines {
            let (texts, close) = match line {
                Line::Say(_, texts) => (texts, None),
                Line::Close(_, texts, code, reason) => (texts, Some((*code, *reason))),
                Line::Chat(_, text) => {
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
