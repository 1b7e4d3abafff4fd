//! Runs a session: sends the configuration, the audio at its own pace, the flush and the end, and reads the usage.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::app::checks::Checks;
use crate::domain::corti::audio::Audio;
use crate::domain::corti::message::{self, ServerMessage};
use crate::domain::corti::websocket::SocketKind;
use crate::edge::socket::{CloseReason, Socket, SocketError};
use crate::failure::{Failure, Kind};

use super::messages::Messages;
use super::payload::Payload;

/// How long to wait for the usage after the end: most of Corti's pages say that it comes before, some after.
const LATE_USAGE: Duration = Duration::from_secs(2);

/// A running session.
struct Session<'s, 'a> {
    socket: Socket,
    checks: &'s mut Checks<'a>,
    messages: &'s mut Messages<'a>,
    /// How long each answer may take.
    limit: Duration,
    /// The name of the current check.
    step: &'static str,
}

/// Runs a session from its configuration to its end.
pub(super) async fn run<'a>(
    socket: Socket,
    kind: SocketKind,
    payload: &Payload,
    limit: Duration,
    checks: &mut Checks<'a>,
    messages: &mut Messages<'a>,
) -> Result<(), Failure> {
    let mut session = Session { socket, checks, messages, limit, step: "" };
    session.configure(&message::config(&payload.configuration(kind))).await?;
    if let Some(audio) = payload.audio() {
        session.play(&audio).await?;
        session.flush().await?;
    }
    session.end().await?;
    session.socket.close().await;
    Ok(())
}

impl Session<'_, '_> {
    async fn configure(&mut self, configuration: &str) -> Result<(), Failure> {
        self.step = "configuration";
        self.send(configuration.to_owned()).await?;
        let failure = match self.wait_for(self.limit, is_answer).await? {
            ServerMessage::Accepted(word) => {
                self.checks.ok(self.step, word);
                return Ok(());
            }
            ServerMessage::Denied(reason) | ServerMessage::Failed(reason) => {
                Failure::new(Kind::Refused, format!("the configuration was refused: {reason}"))
                    .hint("check the language and the audio: corti-auth probe --help")
            }
            _ => Failure::new(Kind::Network, "the session ended before it was configured")
                .hint("to see each message: corti-auth probe --json"),
        };
        Err(self.checks.fail(self.step, failure))
    }

    /// Sends the audio as fast as it plays, and shows the messages that come meanwhile.
    async fn play(&mut self, audio: &Audio<'_>) -> Result<(), Failure> {
        self.step = "audio";
        let (began, mut sent) = (Instant::now(), 0);
        let time = |bytes| Duration::from_millis(audio.milliseconds(bytes));
        for chunk in audio.chunks() {
            let sending = self.socket.send_binary(chunk).await;
            sending.map_err(|error| self.broken(error))?;
            sent += chunk.len();
            let played = began + time(sent);
            while Instant::now() < played {
                match self.receive(played).await {
                    Ok(Some(ServerMessage::Ended)) => {
                        return Err(self.broken(SocketError::Closed(CloseReason::default())));
                    }
                    Ok(_) | Err(SocketError::TimedOut(_)) => {}
                    Err(error) => return Err(self.broken(error)),
                }
            }
        }
        let (seconds, format, chunks) = (time(sent).as_secs_f32(), &audio.format, audio.chunks().len());
        let chunks = if chunks == 1 { "1 chunk".to_owned() } else { format!("{chunks} chunks") };
        self.checks.ok(self.step, format!("{seconds:.1} s of {format} in {chunks}"));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        self.step = "flush";
        self.send(message::flush()).await?;
        let deadline = Instant::now() + self.limit;
        while Instant::now() < deadline {
            match self.receive(deadline).await {
                Ok(Some(ServerMessage::Flushed)) => {
                    self.checks.ok(self.step, "the server has sent all transcripts so far");
                    return Ok(());
                }
                Ok(Some(ServerMessage::Ended)) | Err(SocketError::TimedOut(_)) => break,
                Ok(_) => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
        self.checks.warn(self.step, "the server did not answer `flush`", None);
        Ok(())
    }

    /// Ends the session. The usage may come before the end or after it.
    async fn end(&mut self) -> Result<(), Failure> {
        self.step = "end";
        self.send(message::end()).await?;
        // The last transcripts may take longer.
        self.wait_for(self.limit * 4, |message| *message == ServerMessage::Ended).await?;
        self.checks.ok(self.step, "the server ended the session");
        let deadline = Instant::now() + LATE_USAGE.min(self.limit);
        while self.messages.credits.is_none() && self.receive(deadline).await.is_ok() {}
        match self.messages.credits {
            Some(credits) => self.checks.ok("usage", format!("{} credits", (credits * 1e6).round() / 1e6)),
            None => self.checks.warn("usage", "the server did not say what the session cost", None),
        }
        Ok(())
    }

    async fn send(&mut self, text: String) -> Result<(), Failure> {
        let sending = self.socket.send(text).await;
        sending.map_err(|error| self.broken(error))
    }

    /// Waits for a message. Other messages do not extend the time.
    async fn wait_for(
        &mut self,
        limit: Duration,
        is_wanted: impl Fn(&ServerMessage) -> bool,
    ) -> Result<ServerMessage, Failure> {
        let deadline = Instant::now() + limit;
        let mut late: fn(Duration) -> SocketError = SocketError::TimedOut;
        loop {
            match self.receive(deadline).await {
                Ok(Some(message)) if is_wanted(&message) => return Ok(message),
                Ok(_) => late = SocketError::Overdue,
                Err(SocketError::TimedOut(_)) if Instant::now() >= deadline => {
                    return Err(self.broken(late(limit)));
                }
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    /// Shows the next message, if it comes before `deadline`.
    async fn receive(&mut self, deadline: Instant) -> Result<Option<ServerMessage>, SocketError> {
        let received = timeout_at(deadline, self.socket.receive()).await;
        let text = received.unwrap_or(Err(SocketError::TimedOut(self.limit)))?;
        Ok(self.messages.show(&text))
    }

    /// The failure of a session that broke off. An error that the server reported before explains more.
    fn broken(&mut self, error: SocketError) -> Failure {
        let failure = match (&self.messages.error, error) {
            (Some(reason), SocketError::Closed(_)) => {
                let message = format!("the server ended the session: {reason}");
                Failure::new(Kind::Refused, message).hint("to see each message: corti-auth probe --json")
            }
            (_, error) => error.into(),
        };
        self.checks.fail(self.step, failure)
    }
}

/// Whether it answers the configuration.
fn is_answer(message: &ServerMessage) -> bool {
    use ServerMessage::{Accepted, Denied, Ended, Failed};
    matches!(message, Accepted(_) | Denied(_) | Failed(_) | Ended)
}
