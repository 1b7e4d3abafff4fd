//! The session itself: configuration, audio at its own pace, flush, end, and what it cost.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::domain::corti::audio::Audio;
use crate::domain::corti::message::{self, ServerMessage};
use crate::domain::corti::websocket::SocketKind;
use crate::edge::socket::{Farewell, Socket, SocketError};
use crate::failure::{Failure, Kind};

use super::journal::{Journal, Step};
use super::material::Material;

/// How long the usage may come after the end: some descriptions have it there, most before.
const AFTERTHOUGHT: Duration = Duration::from_secs(2);

/// A session under way.
struct Talk<'j, 'a> {
    socket: Socket,
    journal: &'j mut Journal<'a>,
    /// The bound on each answer.
    limit: Duration,
}

/// Holds a session from its configuration to its end.
///
/// # Errors
/// Where the configuration is refused, or the session does not end as it should.
pub(super) async fn hold(
    socket: Socket,
    kind: SocketKind,
    material: &Material,
    limit: Duration,
    journal: &mut Journal<'_>,
) -> Result<(), Failure> {
    let mut talk = Talk { socket, journal, limit };
    talk.configure(&message::config(&material.configuration(|language| message::smallest(kind, language))))
        .await?;
    if let Some(audio) = material.audio() {
        talk.play(&audio).await?;
        talk.flush().await?;
    }
    talk.end().await?;
    talk.socket.close().await;
    Ok(())
}

/// A bound on what is waited for, however many messages come first.
struct Wait {
    limit: Duration,
    until: Instant,
    /// Whether any message came meanwhile.
    heard: bool,
}

impl Wait {
    fn of(limit: Duration) -> Self {
        Self { limit, until: Instant::now() + limit, heard: false }
    }
}

impl Talk<'_, '_> {
    async fn configure(&mut self, config: &str) -> Result<(), Failure> {
        let step = Step::begin("configuration");
        self.send(&step, config.to_owned()).await?;
        let mut wait = Wait::of(self.limit);
        loop {
            match self.next(&step, &mut wait).await? {
                Some(ServerMessage::Accepted(word)) => {
                    self.journal.done(&step, word);
                    return Ok(());
                }
                Some(ServerMessage::Denied(reason) | ServerMessage::Failed(reason)) => {
                    let failure =
                        Failure::new(Kind::Refused, format!("the configuration was refused: {reason}"))
                            .hint("check the language and the audio: corti-auth probe --help");
                    return Err(self.journal.failed(&step, failure));
                }
                Some(ServerMessage::Ended) => {
                    let failure = Failure::new(Kind::Network, "the session ended before it was configured")
                        .hint("run it again with --json to see each message");
                    return Err(self.journal.failed(&step, failure));
                }
                _ => {}
            }
        }
    }

    /// Sends the audio as fast as it plays. What the server says meanwhile is taken down.
    async fn play(&mut self, audio: &Audio<'_>) -> Result<(), Failure> {
        let step = Step::begin("audio");
        let began = Instant::now();
        let mut sent = 0;
        for chunk in audio.chunks() {
            let sent_out = self.socket.send_binary(chunk).await;
            sent_out.map_err(|error| self.broken(&step, error))?;
            sent += chunk.len();
            let played = began + Duration::from_millis(audio.milliseconds(sent));
            self.listen(&step, played).await?;
        }
        let seconds = Duration::from_millis(audio.milliseconds(sent)).as_secs_f32();
        let detail = format!("{seconds:.1} s of {} in {} chunks", audio.format, audio.chunks().len());
        self.journal.done(&step, detail);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let step = Step::begin("flush");
        self.send(&step, message::flush()).await?;
        let deadline = Instant::now() + self.limit;
        while Instant::now() < deadline {
            match timeout_at(deadline, self.socket.receive()).await {
                Ok(Ok(text)) => match self.journal.message(&text) {
                    Some(ServerMessage::Flushed) => {
                        self.journal.done(&step, "all that was heard is told");
                        return Ok(());
                    }
                    Some(ServerMessage::Ended) => break,
                    _ => {}
                },
                Err(_) | Ok(Err(SocketError::TimedOut(_))) => break,
                Ok(Err(error)) => return Err(self.broken(&step, error)),
            }
        }
        self.journal.doubtful(&step, "no `flushed` came");
        Ok(())
    }

    /// The end, and the usage on either side of it.
    async fn end(&mut self) -> Result<(), Failure> {
        let step = Step::begin("end");
        self.send(&step, message::end()).await?;
        // What was heard last may take a while; a server that only chats on is not waited for.
        let mut wait = Wait::of(self.limit * 4);
        while self.next(&step, &mut wait).await? != Some(ServerMessage::Ended) {}
        self.journal.done(&step, "the server ended the session");
        let step = Step::begin("usage");
        let deadline = Instant::now() + AFTERTHOUGHT.min(self.limit);
        while self.journal.credits().is_none() {
            let Ok(Ok(text)) = timeout_at(deadline, self.socket.receive()).await else { break };
            self.journal.message(&text);
        }
        match self.journal.credits() {
            Some(credits) => self.journal.done(&step, format!("{credits} credits")),
            None => self.journal.doubtful(&step, "the server did not say what the session cost"),
        }
        Ok(())
    }

    async fn send(&mut self, step: &Step, text: String) -> Result<(), Failure> {
        let sent = self.socket.send(text).await;
        sent.map_err(|error| self.broken(step, error))
    }

    /// The next message, as long as there is time.
    async fn next(&mut self, step: &Step, wait: &mut Wait) -> Result<Option<ServerMessage>, Failure> {
        let received = timeout_at(wait.until, self.socket.receive()).await;
        let late = if wait.heard { SocketError::Overdue } else { SocketError::TimedOut };
        match received.unwrap_or(Err(late(wait.limit))) {
            Ok(text) => {
                wait.heard = true;
                Ok(self.journal.message(&text))
            }
            Err(error) => Err(self.broken(step, error)),
        }
    }

    /// Takes messages down until `deadline`; silence is fine.
    async fn listen(&mut self, step: &Step, deadline: Instant) -> Result<(), Failure> {
        while Instant::now() < deadline {
            match timeout_at(deadline, self.socket.receive()).await {
                Ok(Ok(text)) => {
                    if self.journal.message(&text) == Some(ServerMessage::Ended) {
                        return Err(self.broken(step, SocketError::Closed(Farewell::default())));
                    }
                }
                Err(_) | Ok(Err(SocketError::TimedOut(_))) => {}
                Ok(Err(error)) => return Err(self.broken(step, error)),
            }
        }
        Ok(())
    }

    /// The session broke off. What the server complained of before is the better reason.
    fn broken(&mut self, step: &Step, error: SocketError) -> Failure {
        let failure = match (self.journal.complaint(), error) {
            (Some(complaint), SocketError::Closed(_)) => {
                let message = format!("the server broke the session off: {complaint}");
                Failure::new(Kind::Refused, message).hint("see each message: run it again with --json")
            }
            (_, error) => error.into(),
        };
        self.journal.failed(step, failure)
    }
}
