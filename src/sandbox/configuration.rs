//! Checks the `configuration` that opens a WebSocket session, by the types of Corti's SDK. Unknown members are accepted.

use serde_json::Value;

use super::catalogue::is_language;
use super::validation::{Field, ValidationErrors, validate};

/// Media types that carry audio and do not start with `audio/`.
const OTHER_AUDIO: [&str; 4] = ["application/ogg", "video/mp4", "video/ogg", "video/webm"];

/// The most replacements, and the most key terms.
const MAX_ENTRIES: usize = 1000;

/// The most characters of a key term.
const MAX_TERM: usize = 50;

/// How each kind of expression in a dictation can be written.
const FORMATTING: [(&str, &[&str]); 6] = [
    ("dates", &["locale:long", "locale:medium", "locale:short", "as_dictated", "iso"]),
    ("times", &["locale", "h24", "h12", "as_dictated"]),
    ("numbers", &["numerals_above_nine", "numerals", "as_dictated"]),
    ("measurements", &["abbreviated", "as_dictated"]),
    ("numericRanges", &["numerals", "as_dictated"]),
    ("ordinals", &["numerals_above_nine", "as_dictated", "numerals"]),
];

/// Checks a configuration for `/transcribe`. Returns all errors.
pub(super) fn check_transcribe(configuration: &Value) -> Result<(), ValidationErrors> {
    validate("configuration", configuration, |root| {
        let root = root.object();
        check_language(root.required("primaryLanguage"));
        for name in ["interimResults", "spokenPunctuation", "automaticPunctuation"] {
            root.optional(name).boolean();
        }
        for command in root.optional("commands").list(usize::MAX) {
            check_command(&command.object());
        }
        let formatting = root.optional("formatting").object();
        for (name, allowed) in FORMATTING {
            formatting.optional(name).one_of(allowed);
        }
        check_common(&root);
    })
}

/// Checks what both sockets accept.
fn check_common(root: &Field<'_>) {
    let is_audio = |text: &str| {
        let kind = text.split(';').next().unwrap_or_default().trim();
        OTHER_AUDIO.contains(&kind) || kind.strip_prefix("audio/").is_some_and(|kind| !kind.is_empty())
    };
    root.optional("audioFormat").text_that("is not a supported audio format", is_audio);
    root.optional("audioEvents").object().required("enabled").boolean();
    for replacement in root.optional("replacements").list(MAX_ENTRIES) {
        let replacement = replacement.object();
        replacement.optional("find").string(usize::MAX);
        replacement.optional("replace").string(usize::MAX);
    }
    for term in root.optional("keyterms").object().optional("terms").list(MAX_ENTRIES) {
        term.object().optional("term").string(MAX_TERM);
    }
}

fn check_command(command: &Field<'_>) {
    command.required("id").text();
    let phrases = command.required("phrases");
    if phrases.value().and_then(Value::as_array).is_some_and(Vec::is_empty) {
        phrases.error("must not be empty");
    }
    for phrase in phrases.list(usize::MAX) {
        phrase.string(usize::MAX);
    }
    for variable in command.optional("variables").list(usize::MAX) {
        let variable = variable.object();
        variable.required("key").text();
        variable.required("type").one_of(&["enum", "wildcard"]);
        for word in variable.optional("enum").list(usize::MAX) {
            word.string(usize::MAX);
        }
    }
}

/// Checks a configuration for `/streams`. Returns all errors.
pub(super) fn check_streams(configuration: &Value) -> Result<(), ValidationErrors> {
    validate("configuration", configuration, |root| {
        let root = root.object();
        root.optional("retentionPolicy").one_of(&["retain", "none"]);
        let transcription = root.required("transcription").object();
        check_language(transcription.required("primaryLanguage"));
        for name in ["diarize", "isDiarization", "isMultichannel"] {
            transcription.optional(name).boolean();
        }
        for participant in transcription.required("participants").list(usize::MAX) {
            let participant = participant.object();
            participant.required("channel").count();
            participant.required("role").one_of(&["doctor", "patient", "multiple"]);
        }
        let mode = root.required("mode").object();
        let kind = mode.required("type").one_of(&["facts", "transcription", "documentation"]);
        let locale = if kind == Some("facts") { Field::required } else { Field::optional };
        check_language(locale(&mode, "outputLocale"));
        mode.optional("factGenerationInterval").one_of(&["fixed", "fast_init"]);
        check_common(&root);
    })
}

fn check_language(field: Field<'_>) {
    field.text_that("is not a supported language", is_language);
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
    fn wrong(
        check: fn(&Value) -> Result<(), ValidationErrors>,
        mut minimal: Value,
        extra: &Value,
    ) -> Vec<String> {
        minimal.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        check(&minimal).err().map_or_else(Vec::new, |errors| errors.into_iter().map(|it| it.0).collect())
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
            (command(json!({ "key": "a", "type": "enum", "enum": [1] })), format!("{variable}.enum[0]")),
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
        let first_error =
            |verdict: Result<(), ValidationErrors>| verdict.unwrap_err().into_iter().next().unwrap().0;
        assert_eq!(
            first_error(with("doctor", json!({ "type": "facts" }))),
            "configuration.mode.outputLocale"
        );
        assert_eq!(first_error(with("doctor", json!({ "type": "x" }))), "configuration.mode.type");
        let hasty = json!({ "type": "transcription", "factGenerationInterval": "hourly" });
        assert_eq!(first_error(with("doctor", hasty)), "configuration.mode.factGenerationInterval");
        let role = "configuration.transcription.participants[0].role";
        assert_eq!(first_error(with("nurse", json!({ "type": "transcription" }))), role);
    }
}
