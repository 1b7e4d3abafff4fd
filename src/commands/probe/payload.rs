//! What is sent in a session: the configuration and the audio. Both are read and checked before anything is opened.

use std::path::Path;

use serde_json::Value;

use crate::app::context::Context;
use crate::app::input;
use crate::domain::corti::audio::Audio;
use crate::failure::{Failure, Kind};

use super::ProbeArgs;

/// How much audio is read: about half an hour of 16-bit mono at 16 kHz.
const MAX_AUDIO: usize = 64 * 1024 * 1024;

/// How much of a configuration is read.
const MAX_CONFIGURATION: usize = 1024 * 1024;

pub(super) struct Payload {
    /// As given; `None` for the smallest one.
    configuration: Option<Value>,
    language: String,
    audio: Option<Vec<u8>>,
}

impl Payload {
    pub(super) async fn read(args: &ProbeArgs, context: &Context<'_>) -> Result<Self, Failure> {
        let (mut configuration, mut audio) = (None, None);
        if let Some(path) = &args.configuration {
            let wrong = |reason: String| {
                Failure::new(Kind::Usage, reason).hint("an example: {\"primaryLanguage\": \"en\"}")
            };
            let bytes = read(path, MAX_CONFIGURATION, "the configuration", context).await.map_err(wrong)?;
            let value = serde_json::from_slice(&bytes).ok().filter(Value::is_object);
            let value = value.ok_or_else(|| wrong(format!("`{}` is not one JSON object", path.display())))?;
            configuration = Some(value);
        }
        if let Some(path) = &args.audio {
            let wrong = |reason: String| {
                Failure::new(Kind::Usage, reason).hint("use WAV with PCM, or another format that Corti takes")
            };
            let bytes = read(path, MAX_AUDIO, "the audio", context).await.map_err(wrong)?;
            let refused = Audio::read(&bytes).err();
            if let Some(error) = refused {
                return Err(wrong(format!("cannot send `{}`: {error}", path.display())));
            }
            audio = Some(bytes);
        }
        Ok(Self { configuration, language: args.language.clone(), audio })
    }

    /// The given configuration or `smallest`, with the format of the audio if it names none.
    pub(super) fn configuration(&self, smallest: impl FnOnce(&str) -> Value) -> Value {
        let mut configuration = self.configuration.clone().unwrap_or_else(|| smallest(&self.language));
        if let (Some(members), Some(audio)) = (configuration.as_object_mut(), self.audio()) {
            members.entry("audioFormat").or_insert_with(|| audio.format.into());
        }
        configuration
    }

    pub(super) fn audio(&self) -> Option<Audio<'_>> {
        self.audio.as_deref().and_then(|bytes| Audio::read(bytes).ok())
    }
}

async fn read(path: &Path, limit: usize, what: &str, context: &Context<'_>) -> Result<Vec<u8>, String> {
    let mut bytes = input::read(path, limit, context)
        .await
        .map_err(|reason| format!("cannot read {what} from {reason}"))?;
    Ok(std::mem::take(&mut *bytes))
}
