//! What is sent in a session: the configuration, and audio where there is any. Read and looked at before anything is
//! opened.

use std::path::Path;

use serde_json::Value;

use crate::app::context::Context;
use crate::app::input;
use crate::domain::corti::audio::Audio;
use crate::failure::{Failure, Kind};

use super::ProbeArgs;

/// How much audio is read: half an hour of 16-bit mono at 16 kHz, and a little more.
const MAX_AUDIO: usize = 64 * 1024 * 1024;

/// How much of a configuration is read.
const MAX_CONFIGURATION: usize = 1024 * 1024;

/// What is sent.
pub(super) struct Material {
    /// As given; `None` asks for the smallest.
    configuration: Option<Value>,
    pub(super) language: String,
    audio: Option<Vec<u8>>,
}

impl Material {
    /// # Errors
    /// Where a file cannot be read, or is not what it should be.
    pub(super) async fn read(args: &ProbeArgs, context: &Context<'_>) -> Result<Self, Failure> {
        let configuration = match &args.configuration {
            Some(path) => Some(configuration(path, context).await?),
            None => None,
        };
        let audio = match &args.audio {
            Some(path) => Some(audio(path, context).await?),
            None => None,
        };
        Ok(Self { configuration, language: args.language.clone(), audio })
    }

    /// The configuration: `smallest` where none was given, with the format of the audio where it names none.
    pub(super) fn configuration(&self, smallest: impl FnOnce(&str) -> Value) -> Value {
        let mut configuration = self.configuration.clone().unwrap_or_else(|| smallest(&self.language));
        if let (Some(members), Some(audio)) = (configuration.as_object_mut(), self.audio()) {
            members.entry("audioFormat").or_insert_with(|| audio.format.into());
        }
        configuration
    }

    /// The audio, which was readable before.
    pub(super) fn audio(&self) -> Option<Audio<'_>> {
        self.audio.as_deref().and_then(|bytes| Audio::read(bytes).ok())
    }
}

async fn configuration(path: &Path, context: &Context<'_>) -> Result<Value, Failure> {
    let wrong = |message: String| {
        Failure::new(Kind::Usage, message)
            .hint("name a file with the value of `configuration`, such as {\"primaryLanguage\": \"en\"}")
    };
    let bytes = input::read(path, MAX_CONFIGURATION, context).await;
    let bytes = bytes.map_err(|reason| wrong(format!("cannot read the configuration from {reason}")))?;
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(wrong(format!("`{}` is not one JSON object", path.display()))),
    }
}

async fn audio(path: &Path, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    let wrong = |message: String| {
        Failure::new(Kind::Usage, message)
            .hint("name a WAV file with PCM in it, or another format that Corti takes: --audio FILE")
    };
    let bytes = input::read(path, MAX_AUDIO, context).await;
    let mut bytes = bytes.map_err(|reason| wrong(format!("cannot read the audio from {reason}")))?;
    let verdict = Audio::read(&bytes).map(drop);
    verdict.map_err(|error| wrong(format!("`{}` cannot be sent: {error}", path.display())))?;
    Ok(std::mem::take(&mut *bytes))
}
