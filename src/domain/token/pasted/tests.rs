//! Tests of how tokens are found in a text. `tests/it/paste_forms.rs` has what people paste.

use super::Wrapping::{
    Assignment, Bearer, Header, InvisibleCharacters, Json, PercentEncoding, Quotes, Url, WhiteSpace, Words,
};
use super::*;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJl";

#[test]
fn what_was_pasted_along_is_taken_off_and_named() {
    let wrapped = "eyJhbGciOiJSUzI1\n NiJ9.eyJpc3MiOiJqb2\r\nUifQ.c2lnbmF0dXJl";
    let table: [(String, &[Wrapping]); 25] = [
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
        (format!("{TOKEN} please"), &[Words]),
        (format!(r#"[{{"accessToken": "{TOKEN}", "expiresIn": 300}}]"#), &[Json]),
        (format!(r#"[ "{TOKEN}" ]"#), &[Quotes]),
    ];
    let mut wrong = Vec::new();
    for (text, cleaned) in table {
        match only(&text) {
            Ok(found) if (found.token.as_str(), found.cleaned.as_slice()) == (TOKEN, cleaned) => {}
            other => wrong.push(format!("{text}: {other:?}, not {cleaned:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Characters of a signature, as good as random.
fn signature(length: usize) -> String {
    let mut state = 7_u64;
    let digit = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // A signature ends in unused bits that are zero.
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        char::from(digits[usize::try_from(state >> 58).unwrap()])
    };
    let mut text: String = (0..length).map(digit).collect();
    if length % 4 > 1 {
        text.pop();
        text.push('A');
    }
    text
}

/// A token whose signature has this many characters.
fn signed(algorithm: &str, length: usize) -> String {
    use ::base64::Engine as _;
    let header = format!(r#"{{"alg":"{algorithm}"}}"#);
    let header = ::base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
    format!("{header}.eyJpc3MiOiJqb2UifQ.{}", signature(length))
}

/// The text in lines of this width.
fn wrapped(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn words_around_a_token_are_no_part_of_it() {
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
                for before in ["", "Bearer ", "Authorization: Bearer ", "this one: ", "look.\n"] {
                    let text = format!("{before}{token}{gap}{words}");
                    let found = only(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                    assert_eq!(found.token.as_str(), token, "{text}");
                    assert!(found.cleaned.contains(&Words), "{text}: {:?}", found.cleaned);
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
            if token.len() > 440 && !has_width {
                continue;
            }
            for words in ["", "\nplease", "\nplease look"] {
                let text = format!("{lines}{words}");
                let found = search(&text).unwrap_or_else(|error| panic!("{error} {width}: {text}"));
                assert_eq!(found[0].token.as_str(), token, "{width}: {}", token.len());
                assert_eq!(found.len(), 1, "{width}: {found:?}");
            }
        }
    }
}

#[test]
fn whole_lines_are_told_from_wrapped_ones() {
    for line in [TOKEN.to_owned(), format!("Bearer {TOKEN}"), format!("\"{TOKEN}\",")] {
        assert!(is_whole(&line), "{line}");
    }
    let more = [format!("A={TOKEN}"), format!("{TOKEN} please"), format!("works: {TOKEN}")];
    let parts = ["eyJhbGciOiJSUzI1", "{", "c2ln", "eyJ.a", "a.b.c", "Authorization: Bearer"];
    for line in parts.into_iter().chain(more.iter().map(String::as_str)) {
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
        assert_eq!(has_token_per_line(text.as_bytes(), false), so_far, "{text}");
        assert_eq!(has_token_per_line(text.as_bytes(), true), at_the_end, "{text}");
    }
}

#[test]
fn an_ambiguous_end_is_two_tokens() {
    // Of an unknown algorithm, with a short word behind the last full line.
    let token = signed("private", 200);
    assert_eq!(token.len() % 27, 0);
    let tokens = |text: &str| search(text).unwrap().iter().map(|it| it.token.to_string()).collect::<Vec<_>>();
    let lines = wrapped(&token, 27);
    assert_eq!(tokens(&format!("{lines}\nlook")), [token.clone(), format!("{token}look")]);
    // With this word it would be no base64url.
    assert_eq!(tokens(&format!("{lines}\nplease")), std::slice::from_ref(&token));
    assert_eq!(tokens(&lines), [token]);
}
