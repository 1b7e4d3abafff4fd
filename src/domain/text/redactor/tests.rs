//! Tests what is cut out of text.

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

fn redactor(secrets: &[&str]) -> Redactor {
    let secrets: Vec<_> = secrets.iter().map(|text| Secret::new((*text).to_owned())).collect();
    secrets.iter().collect()
}

#[test]
fn a_secret_is_taken_out_wherever_it_is() {
    let redactor = redactor(&["hunter2 & co", "s3cr3t-token", "aaaaaaaaab"]);
    for (text, clean) in [
        ("nothing", "nothing"),
        ("no hunter2 & co, no s3cr3t-token!", "no [redacted], no [redacted]!"),
        ("hunter2 & cohunter2 & co", "[redacted][redacted]"),
        ("HUNTER2 & CO", "[redacted]"),
        ("a hunter2+%26+co b", "a [redacted] b"),
        ("a hunter2%20%26%20co b", "a [redacted] b"),
        ("a %68%75nter2 &amp; co b", "a [redacted] b"),
        ("a \\u0068unter2 \\u0026 co b", "a [redacted] b"),
        ("a hunter2%20%26amp%3B%20co b", "a [redacted] b"),
        ("a hunter2%2520%2526%2520co b", "a [redacted] b"),
        ("a hunter2 &#38; c&#x6F; b", "a [redacted] b"),
        ("&amp; is kept, and %41 and \\u0041", "&amp; is kept, and %41 and \\u0041"),
        ("hunter2", "hunter2"),
        ("xaaaaaaaaaaabx", "xaa[redacted]x"),
    ] {
        assert_eq!(redactor.apply(text), clean, "{text}");
    }
}

#[test]
fn base64_goes_as_a_whole() {
    let redactor = redactor(&["??>>hunter2~~"]);
    for before in ["", "a", "ab", "abc", "id:", "a longer text "] {
        let text = format!("{before}??>>hunter2~~ and after");
        for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            assert_eq!(redactor.apply(&format!("Basic {encoded}.")), "Basic [redacted].", "{before}");
        }
    }
    assert_eq!(redactor.apply(&format!("Basic {}", STANDARD.encode("of somebody else"))).len(), 30);
    let encoded = STANDARD.encode("id:??>>hunter2~~ and more");
    let (first, rest) = encoded.split_at(12);
    for wrapped in [format!("{first}\r\n{rest}"), format!("{first}\\n{rest}")] {
        let clean = redactor.apply(&wrapped).into_owned();
        assert!(clean.starts_with("[redacted]") && !clean.contains(rest), "{clean}");
    }
}

#[test]
fn the_beginning_of_a_secret_goes_where_a_text_was_cut() {
    let redactor = redactor(&["hunter2-hunter2-hunter2"]);
    for (text, clean) in [
        ("no hunter2-hun…", "no [redacted]…"),
        ("no hunter2%2Dhun%7…)", "no [redacted]%7…)"),
        ("hunter2-hunter2-hunter2-hunter2-hun…", "[redacted]…"),
        ("hunter2-hunter2-hunter2 and hunter2-h…", "[redacted] and [redacted]…"),
        ("no hunter2-hun, and … more", "no hunter2-hun, and … more"),
        ("no hunter2-hun", "no hunter2-hun"),
        ("no hunter…", "no hunter…"),
    ] {
        assert_eq!(redactor.apply(text), clean, "{text}");
    }
}

#[test]
fn short_values_are_kept() {
    assert_eq!(redactor(&["seven77"]).apply("seven77"), "seven77");
    assert_eq!(redactor(&["eight888"]).apply("eight888"), "[redacted]");
}

#[test]
fn json_stays_json() {
    let value = serde_json::json!({ "a": ["12345678", 12_345_678, 1, null], "12345678": { "b": "x" } });
    let clean = serde_json::json!({ "a": ["[redacted]", "[redacted]", 1, null], "[redacted]": { "b": "x" } });
    assert_eq!(redactor(&["12345678"]).apply_json(value), clean);
}

#[test]
fn odd_escapes_are_no_trouble() {
    let redactor = redactor(&["a%41\\&amp;\\u00e4ü"]);
    assert_eq!(redactor.apply("x a%41\\&amp;\\u00e4ü y"), "x [redacted] y");
    for text in [
        "%",
        "%4",
        "%ü1",
        "\\",
        "\\u",
        "\\ud800",
        "\\ud800\\u0041",
        "&",
        "&;",
        "&#;",
        "&#x110000;",
        "&#+1;",
        "…",
    ] {
        assert_eq!(redactor.apply(text), text);
    }
}

#[test]
fn the_latest_secrets_are_known() {
    let redactor = Redactor::default();
    let secret = |number: usize| Secret::new(format!("secret-{number:04}"));
    for number in 0..=MOST {
        redactor.add(&secret(number));
        // Used again and again.
        redactor.add(&secret(0));
    }
    assert_eq!(redactor.apply("secret-0000 secret-0001 secret-0002"), "[redacted] secret-0001 [redacted]");
}
