//! Tests of how a token is found in a pasted text.

use super::Wrapping::{
    Assignment, Bearer, Header, InvisibleCharacters, Json, PercentEncoding, Quotes, Url, WhiteSpace, Words,
};
use super::*;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJl";

#[test]
fn what_was_pasted_along_is_taken_off_and_named() {
    let wrapped = "eyJhbGciOiJSUzI1\n NiJ9.eyJpc3MiOiJqb2\r\nUifQ.c2lnbmF0dXJl";
    let table: [(String, &[Wrapping]); 26] = [
        (TOKEN.to_owned(), &[]),
        (format!("  {TOKEN}\r\n"), &[]),
        (format!("Bearer {TOKEN}"), &[Bearer]),
        (format!("bearer  {TOKEN}\n"), &[Bearer]),
        (format!("\"{TOKEN}\""), &[Quotes]),
        (format!("`{TOKEN}`,"), &[Quotes]),
        (format!("'Bearer {TOKEN}'"), &[Bearer, Quotes]),
        (wrapped.to_owned(), &[WhiteSpace]),
        (format!("Authorization: Bearer {TOKEN}"), &[Header, Bearer]),
        (format!("curl -H 'authorization: bearer {TOKEN}' https://x.example/"), &[Header, Bearer, Quotes]),
        (format!("\"Authorization\": \"Bearer {TOKEN}\","), &[Header, Bearer, Quotes]),
        (
            format!("wss://api.eu.corti.app/x?tenant-name=base&token=Bearer%20{TOKEN}"),
            &[Url, Bearer, PercentEncoding],
        ),
        (format!("\"wss://h/x?token=Bearer%2520{TOKEN}&a=b\""), &[Url, Bearer, PercentEncoding]),
        (format!("https://h/?token=Bearer+{TOKEN}"), &[Url, Bearer]),
        (format!(r#"{{"access_token":"{TOKEN}","expires_in":300}}"#), &[Json]),
        (format!(r#"{{"accessToken": "Bearer {TOKEN}"}}"#), &[Json, Bearer]),
        (format!("export CORTI_ACCESS_TOKEN=\"{TOKEN}\""), &[Assignment, Quotes]),
        (format!("CORTI_ACCESS_TOKEN={TOKEN}"), &[Assignment]),
        (format!("\u{feff}{TOKEN}\u{200b}"), &[InvisibleCharacters]),
        (format!("https://app.example/back#access_token={TOKEN}&token_type=bearer"), &[Url]),
        (format!("#state=x&access_token={TOKEN}"), &[Url]),
        (format!("https://app.example/#/back?access_token={TOKEN}"), &[Url]),
        (format!(r#"{{"token": "{TOKEN}"}}"#), &[Json]),
        (format!(r#"[{{"accessToken": "{TOKEN}", "expiresIn": 300}}]"#), &[Json]),
        (format!(r#"{{"access_token": "{TOKEN}", "accessToken": "{TOKEN}"}}"#), &[Json]),
        (format!(r#"[ "{TOKEN}" ]"#), &[Quotes]),
    ];
    for (text, cleaned) in table {
        let pasted = clean(&text);
        assert_eq!((pasted.token.as_ref(), pasted.cleaned.as_slice()), (TOKEN, cleaned), "{text}");
    }
}

/// A token whose signature has this many characters.
fn signed(algorithm: &str, length: usize) -> String {
    use base64::Engine as _;
    let header = format!(r#"{{"alg":"{algorithm}"}}"#);
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
    format!("{header}.eyJpc3MiOiJqb2UifQ.{}", "w".repeat(length))
}

/// The text in lines of this width.
fn wrapped(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn words_behind_a_token_are_no_part_of_it() {
    let all = ["RS256 342", "PS512 512", "RS256 683", "ES256 86", "ES512 176", "HS256 43", "none 0"];
    let tokens = all.map(|it| it.split_once(' ').unwrap()).map(|(alg, n)| signed(alg, n.parse().unwrap()));
    for token in tokens.iter().map(String::as_str).chain([TOKEN]) {
        for words in
            ["please", "please look.", "a.b", "- thanks!", "aGVsbG8 d29ybGQ", "(the one)", "it's gone"]
        {
            for gap in [" ", "\n", "\r\n  ", ", ", ";\t", " \\\n", ". "] {
                if gap == ". " && token.ends_with('.') {
                    continue;
                }
                for before in ["", "Bearer ", "Authorization: Bearer "] {
                    let text = format!("{before}{token}{gap}{words}");
                    let pasted = clean(&text);
                    assert_eq!(pasted.token, token, "{text}");
                    assert!(pasted.cleaned.contains(&Words), "{text}: {:?}", pasted.cleaned);
                }
            }
        }
    }
}

#[test]
fn a_wrapped_token_is_whole_again_with_and_without_words_behind_it() {
    let tokens = [signed("RS256", 342), signed("RS256", 512), signed("ES384", 128), signed("private", 400)];
    for token in tokens {
        for width in 20..=token.len() {
            let lines = wrapped(&token, width);
            // With an unknown algorithm only the width shows the end: two lines have none, and full lines show no end.
            let has_width = width < token.len() / 2 && !token.len().is_multiple_of(width);
            if token.starts_with(&signed("private", 0)) && !has_width {
                continue;
            }
            assert_eq!(clean(&lines).token, token, "{width}");
            for words in ["please", "please look"] {
                let text = format!("{lines}\n{words}");
                let pasted = clean(&text);
                assert_eq!(pasted.token, token, "{width}");
                assert!(pasted.cleaned.contains(&Words), "{width}");
            }
        }
    }
}

#[test]
fn of_two_tokens_none_is_taken() {
    let token = signed("RS256", 342);
    for text in [format!("{token} {token}"), format!("{token}\nor\n{TOKEN}")] {
        assert_eq!(clean(&text), Pasted::bare(&text), "{text}");
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
        assert!(is_token_line(&line), "{line}");
    }
    for line in ["eyJhbGciOiJSUzI1", "{", "c2ln", "eyJ.a", "a.b.c", "Authorization: Bearer"] {
        assert!(!is_token_line(line), "{line}");
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
        assert_eq!(has_token_per_line(text.as_bytes(), false), so_far, "{text}");
        assert_eq!(has_token_per_line(text.as_bytes(), true), at_the_end, "{text}");
    }
}
