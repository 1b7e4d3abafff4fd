//! Tests of what is taken off a pasted token.

use super::Junk::{Assignment, Bearer, Header, Invisible, Json, Percent, Quotes, Space, Url};
use super::*;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJl";

#[test]
fn what_was_pasted_along_is_taken_off_and_named() {
    let wrapped = "eyJhbGciOiJSUzI1\n NiJ9.eyJpc3MiOiJqb2\r\nUifQ.c2lnbmF0dXJl";
    let table: [(String, &[Junk]); 19] = [
        (TOKEN.to_owned(), &[]),
        (format!("  {TOKEN}\r\n"), &[]),
        (format!("Bearer {TOKEN}"), &[Bearer]),
        (format!("bearer  {TOKEN}\n"), &[Bearer]),
        (format!("\"{TOKEN}\""), &[Quotes]),
        (format!("`{TOKEN}`,"), &[Quotes]),
        (format!("'Bearer {TOKEN}'"), &[Bearer, Quotes]),
        (wrapped.to_owned(), &[Space]),
        (format!("Authorization: Bearer {TOKEN}"), &[Header, Bearer]),
        (format!("curl -H 'authorization: bearer {TOKEN}' https://x.example/"), &[Header, Bearer, Quotes]),
        (format!("\"Authorization\": \"Bearer {TOKEN}\","), &[Header, Bearer, Quotes]),
        (
            format!("wss://api.eu.corti.app/x?tenant-name=base&token=Bearer%20{TOKEN}"),
            &[Url, Bearer, Percent],
        ),
        (format!("\"wss://h/x?token=Bearer%2520{TOKEN}&a=b\""), &[Url, Bearer, Percent]),
        (format!("https://h/?token=Bearer+{TOKEN}"), &[Url, Bearer]),
        (format!(r#"{{"access_token":"{TOKEN}","expires_in":300}}"#), &[Json]),
        (format!(r#"{{"accessToken": "Bearer {TOKEN}"}}"#), &[Json, Bearer]),
        (format!("export CORTI_ACCESS_TOKEN=\"{TOKEN}\""), &[Assignment, Quotes]),
        (format!("CORTI_ACCESS_TOKEN={TOKEN}"), &[Assignment]),
        (format!("\u{feff}{TOKEN}\u{200b}"), &[Invisible]),
    ];
    for (text, cleaned) in table {
        let pasted = clean(&text);
        assert_eq!((pasted.token.as_ref(), pasted.cleaned.as_slice()), (TOKEN, cleaned), "{text}");
    }
}

#[test]
fn what_holds_no_token_is_left_alone() {
    for text in ["", "hello", "hello world", "{}", "a=", "Bearer", "?", "%", "%zz", "eyJ", "=", "{\"a\":1}"] {
        assert_eq!(clean(text).token, text, "{text}");
    }
    let opaque = "Bearer b1946ac92492d2347c6235b4d2611184";
    assert_eq!(clean(opaque).token, "b1946ac92492d2347c6235b4d2611184");
}

#[test]
fn whole_lines_are_told_from_wrapped_ones() {
    for line in [TOKEN.to_owned(), format!("Bearer {TOKEN}"), format!("\"{TOKEN}\",")] {
        assert!(is_whole(&line), "{line}");
    }
    for line in ["eyJhbGciOiJSUzI1", "{", "c2ln", "eyJ.a", "a.b.c", "Authorization: Bearer"] {
        assert!(!is_whole(line), "{line}");
    }
}

#[test]
fn two_whole_lines_are_many_tokens() {
    let (one, two) = (format!("{TOKEN}\n"), format!("\n{TOKEN}\n\n{TOKEN}"));
    let table = [
        ("", None, Some(false)),
        ("eyJ", None, Some(false)),
        ("junk\n", Some(false), Some(false)),
        (one.as_str(), None, Some(false)),
        (two.as_str(), None, Some(true)),
        (&format!("{two}\n"), Some(true), Some(true)),
        (&format!("{one}junk\n"), Some(false), Some(false)),
    ];
    for (text, so_far, at_the_end) in table {
        assert_eq!(are_many(text.as_bytes(), false), so_far, "{text}");
        assert_eq!(are_many(text.as_bytes(), true), at_the_end, "{text}");
    }
}
