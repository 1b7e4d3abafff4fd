//! Checks the `configuration` that opens a WebSocket session, by the types of Corti's SDK. What is not
//! checked here is taken as it is.

use serde_json::Value;

use super::catalogue::is_language;
use super::field::{Faults, Need, Object};

/// Media types without `audio/` in front that carry audio.
const OTHER_AUDIO: [&str; 4] = ["application/ogg", "video/mp4", "video/ogg", "video/webm"];

/// Checks a configuration for `/transcribe`.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check_transcribe(configuration: &Value) -> Result<(), Faults> {
    let mut faults = Faults::default();
    if let Some(root) = faults.root("configuration", configuration) {
        check_language(&mut faults, &root, "primaryLanguage", Need::Required);
        check_audio_format(&mut faults, &root);
        for name in ["interimResults", "spokenPunctuation", "automaticPunctuation"] {
            faults.boolean(&root, name);
        }
        let commands = faults.list(&root, "commands", Need::Optional).unwrap_or_default();
        for (position, command) in commands.iter().enumerate() {
            if let Some(command) = faults.root(&format!("configuration.commands[{position}]"), command) {
                check_command(&mut faults, &command);
            }
        }
    }
    faults.or(())
}

fn check_command(faults: &mut Faults, command: &Object<'_>) {
    faults.text(command, "id", Need::Required);
    let phrases = faults.list(command, "phrases", Need::Required);
    if phrases.is_some_and(|list| list.is_empty() || !list.iter().all(Value::is_string)) {
        faults.add(command.path("phrases"), "must be a list of strings that is not empty");
    }
}

/// Checks a configuration for `/streams`.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check_streams(configuration: &Value) -> Result<(), Faults> {
    let mut faults = Faults::default();
    if let Some(root) = faults.root("configuration", configuration) {
        check_audio_format(&mut faults, &root);
        faults.one_of(&root, "retentionPolicy", Need::Optional, &["retain", "none"]);
        if let Some(transcription) = faults.object(&root, "transcription", Need::Required) {
            check_transcription(&mut faults, &transcription);
        }
        if let Some(mode) = faults.object(&root, "mode", Need::Required) {
            let kinds = ["facts", "transcription", "documentation"];
            let kind = faults.one_of(&mode, "type", Need::Required, &kinds);
            let need = if kind == Some("facts") { Need::Required } else { Need::Optional };
            check_language(&mut faults, &mode, "outputLocale", need);
        }
    }
    faults.or(())
}

fn check_transcription(faults: &mut Faults, transcription: &Object<'_>) {
    check_language(faults, transcription, "primaryLanguage", Need::Required);
    for name in ["diarize", "isDiarization", "isMultichannel"] {
        faults.boolean(transcription, name);
    }
    let Some(participants) = faults.list(transcription, "participants", Need::Required) else { return };
    for (position, participant) in participants.iter().enumerate() {
        let path = format!("{}[{position}]", transcription.path("participants"));
        if let Some(participant) = faults.root(&path, participant) {
            let channel = faults.member(&participant, "channel", Need::Required);
            if channel.is_some_and(|value| value.as_u64().is_none()) {
                faults.add(participant.path("channel"), "must be a whole number from 0");
            }
            faults.one_of(&participant, "role", Need::Required, &["doctor", "patient", "multiple"]);
        }
    }
}

fn check_language(faults: &mut Faults, of: &Object<'_>, name: &str, need: Need) {
    faults.text_that(of, name, need, "is not a supported language", is_language);
}

fn check_audio_format(faults: &mut Faults, root: &Object<'_>) {
    let known = |text: &str| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        OTHER_AUDIO.contains(&essence) || essence.strip_prefix("audio/").is_some_and(|kind| !kind.is_empty())
    };
    faults.text_that(root, "audioFormat", Need::Optional, "is not a supported audio format", known);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn transcribe_needs_a_language_and_whole_commands() {
        let good = [
            json!({ "primaryLanguage": "en" }),
            json!({ "primaryLanguage": "da", "audioFormat": "audio/pcm; rate=16000", "commands": [
                { "id": "next", "phrases": ["next field"] },
            ]}),
        ];
        for configuration in good {
            assert_eq!(check_transcribe(&configuration), Ok(()), "{configuration}");
        }
        let bad = [
            json!(null),
            json!({}),
            json!({ "primaryLanguage": "tlh" }),
            json!({ "primaryLanguage": "en", "audioFormat": "text/plain" }),
            json!({ "primaryLanguage": "en", "interimResults": "yes" }),
            json!({ "primaryLanguage": "en", "commands": [{ "id": "next", "phrases": [] }] }),
            json!({ "primaryLanguage": "en", "commands": [{ "phrases": ["next"] }] }),
        ];
        for configuration in bad {
            assert!(check_transcribe(&configuration).is_err(), "{configuration}");
        }
    }

    #[test]
    fn streams_needs_participants_and_facts_a_locale() {
        let with = |role: &str, mode: Value| {
            let participants = json!([{ "channel": 0, "role": role }]);
            let transcription = json!({ "primaryLanguage": "en", "participants": participants });
            check_streams(&json!({ "transcription": transcription, "mode": mode }))
        };
        assert_eq!(with("multiple", json!({ "type": "transcription" })), Ok(()));
        assert_eq!(with("doctor", json!({ "type": "facts", "outputLocale": "en" })), Ok(()));
        let fault = |verdict: Result<(), Faults>| verdict.unwrap_err().into_iter().next().unwrap().0;
        assert_eq!(fault(with("doctor", json!({ "type": "facts" }))), "configuration.mode.outputLocale");
        assert_eq!(fault(with("doctor", json!({ "type": "x" }))), "configuration.mode.type");
        let role = "configuration.transcription.participants[0].role";
        assert_eq!(fault(with("nurse", json!({ "type": "transcription" }))), role);
    }
}
