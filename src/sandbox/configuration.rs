//! Checks the `configuration` that opens a WebSocket session, by the types of Corti's SDK. What is not
//! checked here is taken as it is.

use serde_json::Value;

use super::catalogue::is_language;
use super::field::{Faults, Need, Object};

/// Media types without `audio/` in front that carry audio.
const OTHER_AUDIO: [&str; 4] = ["application/ogg", "video/mp4", "video/ogg", "video/webm"];

/// How many replacements, and how many key terms, a configuration may have.
const MAX_ENTRIES: usize = 1000;

/// The characters that a key term may have.
const MAX_TERM: usize = 50;

/// What each kind of expression in a dictation may be written as.
const FORMATTING: [(&str, &[&str]); 6] = [
    ("dates", &["locale:long", "locale:medium", "locale:short", "as_dictated", "iso"]),
    ("times", &["locale", "h24", "h12", "as_dictated"]),
    ("numbers", &["numerals_above_nine", "numerals", "as_dictated"]),
    ("measurements", &["abbreviated", "as_dictated"]),
    ("numericRanges", &["numerals", "as_dictated"]),
    ("ordinals", &["numerals_above_nine", "as_dictated", "numerals"]),
];

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
        each(&mut faults, &root, "commands", Need::Optional, check_command);
        if let Some(formatting) = faults.object(&root, "formatting", Need::Optional) {
            for (name, allowed) in FORMATTING {
                faults.one_of(&formatting, name, Need::Optional, allowed);
            }
        }
        check_shared(&mut faults, &root);
    }
    faults.or(())
}

/// What both sockets take.
fn check_shared(faults: &mut Faults, root: &Object<'_>) {
    if let Some(events) = faults.object(root, "audioEvents", Need::Optional) {
        faults.member(&events, "enabled", Need::Required);
        faults.boolean(&events, "enabled");
    }
    each(faults, root, "replacements", Need::Optional, |faults, replacement| {
        check_length(faults, replacement, "find", usize::MAX);
        check_length(faults, replacement, "replace", usize::MAX);
    });
    check_count(faults, root, "replacements");
    if let Some(keyterms) = faults.object(root, "keyterms", Need::Optional) {
        each(faults, &keyterms, "terms", Need::Optional, |faults, term| {
            check_length(faults, term, "term", MAX_TERM);
        });
        check_count(faults, &keyterms, "terms");
    }
}

/// Checks the objects in the list `name`, one by one.
fn each(
    faults: &mut Faults,
    of: &Object<'_>,
    name: &str,
    need: Need,
    check: impl Fn(&mut Faults, &Object<'_>),
) {
    for (position, one) in faults.list(of, name, need).unwrap_or_default().iter().enumerate() {
        if let Some(one) = faults.root(&format!("{}[{position}]", of.path(name)), one) {
            check(faults, &one);
        }
    }
}

/// That the list `name`, if there is one, is no longer than Corti documents.
fn check_count(faults: &mut Faults, of: &Object<'_>, name: &str) {
    let list = faults.member(of, name, Need::Optional).and_then(Value::as_array);
    if list.is_some_and(|list| list.len() > MAX_ENTRIES) {
        faults.add(of.path(name), format!("must have at most {MAX_ENTRIES} entries"));
    }
}

/// That `name`, if it is there, is a text of at most `most` characters. It may be empty.
fn check_length(faults: &mut Faults, of: &Object<'_>, name: &str, most: usize) {
    let Some(value) = faults.member(of, name, Need::Optional) else { return };
    match value.as_str() {
        None => faults.add(of.path(name), "must be a string"),
        Some(text) if text.chars().count() > most => {
            faults.add(of.path(name), format!("must have at most {most} characters"));
        }
        Some(_) => {}
    }
}

fn check_command(faults: &mut Faults, command: &Object<'_>) {
    faults.text(command, "id", Need::Required);
    let phrases = faults.list(command, "phrases", Need::Required);
    if phrases.is_some_and(|list| list.is_empty() || !list.iter().all(Value::is_string)) {
        faults.add(command.path("phrases"), "must be a list of strings that is not empty");
    }
    each(faults, command, "variables", Need::Optional, |faults, variable| {
        faults.text(variable, "key", Need::Required);
        faults.one_of(variable, "type", Need::Required, &["enum", "wildcard"]);
        let words = faults.list(variable, "enum", Need::Optional);
        if words.is_some_and(|list| !list.iter().all(Value::is_string)) {
            faults.add(variable.path("enum"), "must be a list of strings");
        }
    });
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
            faults.one_of(&mode, "factGenerationInterval", Need::Optional, &["fixed", "fast_init"]);
        }
        check_shared(&mut faults, &root);
    }
    faults.or(())
}

fn check_transcription(faults: &mut Faults, transcription: &Object<'_>) {
    check_language(faults, transcription, "primaryLanguage", Need::Required);
    for name in ["diarize", "isDiarization", "isMultichannel"] {
        faults.boolean(transcription, name);
    }
    each(faults, transcription, "participants", Need::Required, |faults, participant| {
        let channel = faults.member(participant, "channel", Need::Required);
        if channel.is_some_and(|value| value.as_u64().is_none()) {
            faults.add(participant.path("channel"), "must be a whole number from 0");
        }
        faults.one_of(participant, "role", Need::Required, &["doctor", "patient", "multiple"]);
    });
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

    /// The paths that are wrong in `minimal` with `extra`.
    fn wrong(check: fn(&Value) -> Result<(), Faults>, mut minimal: Value, extra: &Value) -> Vec<String> {
        minimal.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        check(&minimal).err().map_or_else(Vec::new, |faults| faults.into_iter().map(|it| it.0).collect())
    }

    #[test]
    fn documented_parts_are_checked() {
        let list = |entry: Value, count: usize| Value::Array(vec![entry; count]);
        let pair = || json!({ "find": "a", "replace": "" });
        for (extra, path) in [
            (json!({ "audioEvents": { "enabled": true } }), ""),
            (json!({ "audioEvents": {} }), "audioEvents.enabled"),
            (json!({ "audioEvents": { "enabled": 1 } }), "audioEvents.enabled"),
            (json!({ "replacements": list(pair(), 1000) }), ""),
            (json!({ "replacements": list(pair(), 1001) }), "replacements"),
            (json!({ "replacements": {} }), "replacements"),
            (json!({ "replacements": [{ "find": 1 }] }), "replacements[0].find"),
            (json!({ "keyterms": { "terms": [{ "term": "\u{e5}".repeat(50) }] } }), ""),
            (json!({ "keyterms": { "terms": [{ "term": "a".repeat(51) }] } }), "keyterms.terms[0].term"),
            (json!({ "keyterms": { "terms": list(json!({ "term": "a" }), 1001) } }), "keyterms.terms"),
            (json!({ "keyterms": [] }), "keyterms"),
        ] {
            let expected = if path.is_empty() { vec![] } else { vec![format!("configuration.{path}")] };
            let dictation = json!({ "primaryLanguage": "en" });
            let streams = json!({ "mode": { "type": "transcription" },
                "transcription": { "primaryLanguage": "en", "participants": [] } });
            assert_eq!(wrong(check_transcribe, dictation, &extra), expected, "{path}");
            assert_eq!(wrong(check_streams, streams, &extra), expected, "{path}");
        }
    }

    #[test]
    fn a_dictations_formats_and_variables_are_known_ones() {
        let command = |variable: Value| json!({ "commands": [{ "id": "a", "phrases": ["a"], "variables": [variable] }] });
        let variable = "commands[0].variables[0]";
        for (extra, path) in [
            (json!({ "formatting": { "dates": "iso", "times": "h24", "unknown": 1 } }), String::new()),
            (json!({ "formatting": "iso" }), "formatting".to_owned()),
            (json!({ "formatting": { "dates": "short" } }), "formatting.dates".to_owned()),
            (json!({ "formatting": { "ordinals": 1 } }), "formatting.ordinals".to_owned()),
            (command(json!({ "key": "a", "type": "wildcard" })), String::new()),
            (command(json!({ "key": "a", "type": "number" })), format!("{variable}.type")),
            (command(json!({ "type": "enum", "enum": ["a"] })), format!("{variable}.key")),
            (command(json!({ "key": "a", "type": "enum", "enum": [1] })), format!("{variable}.enum")),
        ] {
            let expected = if path.is_empty() { vec![] } else { vec![format!("configuration.{path}")] };
            assert_eq!(
                wrong(check_transcribe, json!({ "primaryLanguage": "en" }), &extra),
                expected,
                "{extra}"
            );
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
        let hasty = json!({ "type": "transcription", "factGenerationInterval": "hourly" });
        assert_eq!(fault(with("doctor", hasty)), "configuration.mode.factGenerationInterval");
        let role = "configuration.transcription.participants[0].role";
        assert_eq!(fault(with("nurse", json!({ "type": "transcription" }))), role);
    }
}
