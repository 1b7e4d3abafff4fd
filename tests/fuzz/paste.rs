//! From any pasted text, only tokens that are in it are read, and lines are the same however the bytes are split. A token in
//! random wrappings is found, or several are, and never a different one alone.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use corti_auth_fuzz::domain::text::lines::{Line, Lines};
use corti_auth_fuzz::domain::token::jwt;
use corti_auth_fuzz::domain::token::pasted;
use libfuzzer_sys::fuzz_target;

/// The longest accepted line, in bytes.
const LIMIT: usize = 16;

const ALGORITHMS: [(&str, usize); 6] =
    [("RS256", 256), ("RS256", 512), ("ES256", 64), ("EdDSA", 64), ("HS256", 32), ("PS384", 384)];

/// Tokens as issuers make them.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let token = |(index, (algorithm, length)): (usize, (&str, usize))| {
        let claims = serde_json::json!({
            "exp": 9_999_999_999_i64, "iss": "https://auth.eu.corti.app/realms/base", "azp": format!("client-{index}"),
            "scope": "openid profile email transcribe", "aud": vec!["account"; 1 + index * 9],
        });
        let mut state = index as u64;
        let signature = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        });
        let signature: Vec<u8> = signature.take(length).collect();
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{index}"}}"#);
        let parts = [header.into_bytes(), claims.to_string().into_bytes(), signature];
        parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    };
    ALGORITHMS.into_iter().enumerate().map(token).collect()
});

const BETWEEN: [&str; 16] =
    [" ", "\n", ", ", "\"", "'", ") ", "\r\n", "\t", ". ", "<br>", "&x=", "; ", "\n\n", "`", "\n> ", " \\\n"];

const WORDS: [&str; 16] = [
    "please", "please look", "eyJ", "a.b.c", "...", "Bearer", "it is not the same", "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90",
    "access_token:", "-- ", "{\"a\": 1}", "https://h/?a=b&token=", "Authorization: Bearer", "# > | *", "aGVsbG8gd29ybGQ", "%20\\n&amp;=3D",
];

const MARKS: [&str; 8] = ["", "> ", ">> ", "> > ", "    ", "| ", "# ", "\t"];

fn split(text: &str, width: usize, between: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join(between)
}

fn wrapped(text: &str, width: usize, end: &str, mark: &str) -> String {
    format!("{mark}{}", split(text, width, &format!("{end}\n{mark}")))
}

/// Puts something around or into a text, as programs and people do.
fn wrap(text: &str, what: u8, how: u8) -> String {
    let width = 8 + usize::from(how);
    let mark = MARKS[usize::from(how) % MARKS.len()];
    let (between, words) = (BETWEEN[usize::from(how >> 4)], WORDS[usize::from(how) % WORDS.len()]);
    match what % 16 {
        0 => wrapped(text, width, "", mark),
        1 => wrapped(text, width, "\r", mark),
        2 => wrapped(text, width, "\\", ""),
        3 => split(text, width.min(76), "\u{1}").replace('=', "=3D").replace('\u{1}', "=\n"),
        4 => serde_json::to_string(text).unwrap(),
        5 => text.bytes().map(|byte| if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect(),
        6 => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        7 => wrapped(text, width, ["<br>", "<wbr>", "</span><span class=\"x\">", "\x1b[0m\x1b[K"][usize::from(how % 4)], ""),
        8 => split(text, width, "\u{ad}"),
        9 => format!("\x1b[1;3{}m{text}\x1b[0m", how % 8),
        10 => STANDARD.encode(text),
        11 => wrapped(&STANDARD.encode(text), 60 + width % 20, "", ""),
        12 => format!("{words}{between}{text}"),
        13 => format!("{text}{between}{words}"),
        14 => {
            let [before, after] = [["\"", "\""], ["'", "'"], ["**", "**"], ["_", "_"], ["{\"access_token\": \"", "\"}"],
                ["<a href=\"wss://h/?token=Bearer%20", "\">x</a>"], ["CORTI_ACCESS_TOKEN='", "'\nA=b"], ["  token: ", "\n  tenant: base"]]
                [usize::from(how % 8)];
            format!("{before}{text}{after}")
        }
        _ => text.encode_utf16().flat_map(u16::to_le_bytes).map(char::from).collect(),
    }
}

fn embedded(data: &[u8]) {
    let Some((first, steps)) = data.split_first() else { return };
    let token = &TOKENS[usize::from(*first) % TOKENS.len()];
    let mut text = token.clone();
    let steps: Vec<(u8, u8)> = steps.chunks_exact(2).take(4).map(|step| (step[0], step[1])).collect();
    let mut has_codes = false;
    for (what, how) in &steps {
        // A line break within an escape or an element of HTML leaves neither. Base64 encloses them.
        let breaks = matches!(what % 16, 0..=3 | 7 | 8);
        if breaks && has_codes {
            continue;
        }
        has_codes = matches!(what % 16, 3..=7 | 9) || has_codes && !matches!(what % 16, 10 | 11);
        text = wrap(&text, *what, *how);
        if what % 16 == 15 {
            break;
        }
    }
    match pasted::search(&text) {
        Ok(found) if found.len() == 1 => assert_eq!(found[0].token.as_str(), token, "{steps:?}: {text}"),
        Ok(found) => assert!(found.iter().any(|it| it.token.as_str() == token), "{steps:?}: {text}"),
        // Two wrappings can break each other, as a line break in an escape does. One cannot.
        Err(error) => assert!(steps.len() > 1, "{error}: {steps:?}: {text}"),
    }
    // Another one beside it is never lost, and never a part of it.
    let other = &TOKENS[(usize::from(*first) + 1) % TOKENS.len()];
    for between in BETWEEN {
        let both = format!("{token}{between}{other}");
        let found = pasted::search(&both).unwrap();
        assert!(found.iter().map(|it| it.token.as_str()).eq([token.as_str(), other]), "{both}");
    }
}

fn cut(chunks: &mut dyn Iterator<Item = &[u8]>) -> Vec<Option<Vec<u8>>> {
    let owned = |line: Line<'_>| match line {
        Line::Bytes(bytes) => {
            assert!(bytes.len() <= LIMIT);
            Some(bytes.to_vec())
        }
        Line::TooLong => None,
    };
    let (mut lines, mut all) = (Lines::new(LIMIT), Vec::new());
    for mut chunk in chunks {
        while let Some(line) = lines.next(&mut chunk) {
            all.push(owned(line));
        }
    }
    all.extend(lines.last().map(owned));
    all
}

fuzz_target!(|data: &[u8]| {
    let size = usize::from(data.first().copied().unwrap_or_default()) + 1;
    assert_eq!(cut(&mut data.chunks(size)), cut(&mut std::iter::once(data)));
    let so_far = pasted::has_token_per_line(data, false);
    assert!(so_far.is_none() || so_far == pasted::has_token_per_line(data, true));
    if data.len() < 16 {
        embedded(data);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for found in pasted::search(text).unwrap_or_default() {
        assert!(found.token.len() <= text.len() && jwt::header(&found.token).is_ok());
        assert!(found.cleaned.iter().all(|kind| found.cleaned.iter().filter(|it| *it == kind).count() == 1));
        // Alone it is found again, perhaps beside what a word behind it leaves.
        assert!(pasted::search(&found.token).unwrap().iter().any(|it| *it.token == *found.token));
    }
});
