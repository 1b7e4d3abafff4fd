//! Reads and checks what is sent in a session, before anything is opened: the configuration and the audio.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::app::input;
use crate::domain::corti::audio::Audio;
use crate::domain::corti::message;
use crate::domain::corti::websocket::SocketKind;
use crate::failure::{Failure, Kind};

use super::ProbeArgs;

/// How many bytes of audio are read: about half an hour of 16-bit mono at 16 kHz.
const MAX_AUDIO: usize = 64 * 1024 * 1024;

/// How many bytes of a configuration are read.
const MAX_CONFIGURATION: usize = 1024 * 1024;

pub(super) struct Payload {
    /// From the file; `None` for the smallest one.
    configuration: Option<Value>,
    language: String,
    audio: Option<Zeroizing<Vec<u8>>>,
}

impl Payload {
    pub(super) async fn read(args: &ProbeArgs, context: &Context<'_>) -> Result<Self, Failure> {
        let mut payload = Self { configuration: None, language: args.language.clone(), audio: None };
        if let Some(path) = &args.configuration {
            let wrong = |reason: String| {
                Failure::new(Kind::Usage, reason).hint("an example: {\"primaryLanguage\": \"en\"}")
            };
            let read = input::read(path, MAX_CONFIGURATION, context).await;
            let bytes =
                read.map_err(|reason| wrong(format!("cannot read the configuration from {reason}")))?;
            let value = serde_json::from_slice(&bytes).ok().filter(Value::is_object);
            let value = value.ok_or_else(|| wrong(format!("`{}` is not one JSON object", path.display())))?;
            payload.configuration = Some(value);
        }
        if let Some(path) = &args.audio {
            let wrong = |reason: String| {
                Failure::new(Kind::Usage, reason).hint("use WAV with PCM, or another format that Corti takes")
            };
            let read = input::read_bytes(path, MAX_AUDIO, context).await;
            let bytes = read.map_err(|reason| {
                Failure::new(Kind::Usage, format!("cannot read the audio from {reason}"))
                    .hint("corti-auth probe transcribe --audio FILE")
            })?;
            if let Err(error) = Audio::read(&bytes) {
                return Err(wrong(format!("cannot send `{}`: {error}", path.display())));
            }
            payload.audio = Some(bytes);
        }
        Ok(payload)
    }

    /// The configuration to send. The audio's format is added if it is missing.
    pub(super) fn configuration(&self, kind: SocketKind) -> Value {
        let smallest = || message::smallest(kind, &self.language);
        let mut configuration = self.configuration.clone().unwrap_or_else(smallest);
        if let (Some(members), Some(audio)) = (configuration.as_object_mut(), self.audio()) {
            members.entry("audioFormat").or_insert_with(|| audio.format.into());
        }
        configuration
    }

    pub(super) fn audio(&self) -> Option<Audio<'_>> {
        self.audio.as_deref().and_then(|bytes| Audio::read(bytes).ok())
    }
}
