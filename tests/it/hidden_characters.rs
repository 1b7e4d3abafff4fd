//! No character that controls a terminal, reorders a line or is invisible is printed as it is. Compares our tables
//! with Python's for all of Unicode, and tries such characters in tokens, answers, arguments and the configuration.

use std::process::Command;

use corti_auth::domain::text::page::{printable, printable_json};
use serde_json::json;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{Said, World, forged, path};

/// One or two of each kind: bidi controls, format characters, tags, separators, private use, fillers, variation
/// selectors, unassigned and control characters.
const HIDDEN: &str = "\u{61c}\u{200e}\u{2066}\u{202e}\u{feff}\u{ad}\u{180e}\u{200d}\u{e0001}\u{e007f}\u{2028}\
                      \u{2029}\u{e000}\u{10fffd}\u{3164}\u{fe0f}\u{e0100}\u{378}\u{fffe}\u{9b}\u{1b}\u{7f}";

/// Prints each code point with its number, category and name, one per line.
const TABLE: &str = "import unicodedata
for n in range(0x110000):
    c = chr(n)
    if unicodedata.category(c) != 'Cs':
        print(n, unicodedata.category(c), unicodedata.name(c, '-'), sep='\\t')";

#[test]
fn every_character_that_unicode_calls_hidden_is_escaped() {
    let output = Command::new("python3").args(["-c", TABLE]).env("PATH", path()).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let mut escaped = 0;
    for line in table.lines() {
        let [number, category, name] = line.splitn(3, '\t').collect::<Vec<_>>().try_into().unwrap();
        let c = char::from_u32(number.parse().unwrap()).unwrap();
        // Further characters that displays may ignore.
        let ignored =
            ["VARIATION SELECTOR", "HANGUL FILLER", "HANGUL CHOSEONG FILLER", "HANGUL JUNGSEONG FILLER"];
        let ignored = ignored.iter().any(|word| name.contains(word) && !name.contains("SYMBOL"))
            || ["GRAPHEME JOINER", "VOWEL INHERENT"].iter().any(|word| name.contains(word));
        let is_hidden = ignored || ["Cc", "Cf", "Co", "Zl", "Zp"].contains(&category);
        // Python's Unicode may be older, so what is unassigned there may be assigned here.
        if category != "Cn" {
            let text = c.to_string();
            assert_eq!(printable(&text) != text, is_hidden, "U+{:04X} {category} {name}", u32::from(c));
            if is_hidden {
                escaped += 1;
                let json = printable_json(&text.clone().into());
                assert!(json.is_ascii() && serde_json::from_str::<String>(&json).unwrap() == text, "{json}");
            }
        }
    }
    // Private use alone has more characters.
    assert!(escaped > 137_000, "{escaped}");
    for unassigned in ['\u{378}', '\u{fdd0}', '\u{10ffff}'] {
        assert_ne!(printable(&unassigned.to_string()), unassigned.to_string());
    }
}

/// Checks that the output has no hidden character, but an escaped one.
fn assert_escaped(said: &Said, of: &str) {
    let text = format!("{}{}", said.stdout, said.stderr);
    let seen: Vec<_> = HIDDEN.chars().filter(|c| text.contains(*c)).collect();
    assert!(seen.is_empty(), "{of}: {seen:?}: {text}");
    let lower = text.to_ascii_lowercase();
    assert!(lower.contains("\\u{61c}") || lower.contains("\\u061c"), "{of}: {text}");
}

#[test]
fn hidden_characters_are_escaped_wherever_they_come_from() {
    let claims =
        json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "iss": HIDDEN, "azp": HIDDEN, HIDDEN: HIDDEN });
    let token = forged(&json!({ "alg": "RS256", "kid": HIDDEN }), &claims);
    for command in ["inspect", "inspect --json", "inspect --lines", "inspect --field issuer"] {
        assert_escaped(&Said::by(World::new().run(command).write_stdin(token.clone())), command);
    }
    let refusal = json!({ "error": HIDDEN, "error_description": HIDDEN });
    let answers = vec![Answer::http("400 Bad Request", &[], &refusal.to_string())];
    let world = World::client_of(&FakeServer::start(answers).environment);
    for style in ["--verbose", "--json"] {
        assert_escaped(&Said::by(&mut world.run(&format!("token --full {style}"))), "an answer");
        let option = format!("--{HIDDEN}");
        assert_escaped(&Said::by(&mut world.run_words(&["status", &option, style])), "an argument");
        assert_escaped(&Said::by(&mut world.run_words(&["inspect", HIDDEN, style])), "a file's name");
    }
    let config = "version = 1\n[profiles.a]\nenvironment = \"eu\"\ntenant = \"base\"\nclient-id = \"ID\"\nstore = \"keyring\"\n";
    for (id, key) in [("a\u{61c}b", "x"), ("ab", "\"x\u{61c}\u{2066}\"")] {
        world.write_config(&format!("{}{key} = 1\n", config.replace("ID", id)));
        assert_escaped(&Said::by(&mut world.run("profile list")), "the configuration");
    }
    let variable = Said::by(World::new().run("status").env("CORTI_CLIENT_ID", HIDDEN));
    assert_escaped(&variable, "a variable");
}
